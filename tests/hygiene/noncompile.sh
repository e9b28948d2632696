#!/bin/sh
# ctest: timeout=180
# Mistakes that the compiler must find. Each file of tests/noncompile is one, and opens with what to
# expect:
#
#     /* expect: REGEX */              an extended regular expression that the diagnostics match
#     /* flags: -O2 ... */             more flags; flags-gcc and flags-clang for one compiler
#     /* mode: goto|iso|both */        how coroutines resume; both if not said
#     /* compiler: gcc|clang|both */   both if not said
#
# The same file compiled with -DCONTROL is the corrected program. It must compile without a word, so
# that a header that is broken in some other way cannot pass for a mistake that was found.
set -eu
export LC_ALL=C
root=${ALOOP_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
cases=${ALOOP_NONCOMPILE_CASES:-$root/tests/noncompile}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# field FILE NAME DEFAULT: what the opening comments say.
field() {
    value=$(sed -n -e 's|^/\* '"$2"': \(.*\) \*/$|\1|p' -e '/^$/q' "$1" | head -n 1)
    echo "${value:-$3}"
}

total=0
failed=0
fail() {
    echo "FAILED $*"
    sed 's/^/    /' "$scratch/output"
    failed=$((failed + 1))
}

# try FILE COMPILER MODE
try() {
    file=$1
    name=$(basename "$file")
    expect=$(field "$file" expect "")
    flags="-std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Wpedantic -Wshadow -Wconversion"
    flags="$flags -I $root/include $(field "$file" flags "") $(field "$file" "flags-$2" "")"
    [ "$3" = iso ] && flags="$flags -DALOOP_STRICT_ISO"
    total=$((total + 1))
    : >"$scratch/output"
    if [ -z "$expect" ]; then
        fail "$name: does not say what to expect"
        return
    fi
    # shellcheck disable=SC2086
    if ! "$2" $flags -DCONTROL -Werror -c -o "$scratch/object" "$file" >"$scratch/output" 2>&1; then
        fail "$name, $2, $3: the corrected program does not compile"
        return
    fi
    # shellcheck disable=SC2086
    if "$2" $flags -c -o "$scratch/object" "$file" >"$scratch/output" 2>&1; then
        fail "$name, $2, $3: compiles, though it must not"
    elif ! grep -Eq -e "$expect" "$scratch/output"; then
        fail "$name, $2, $3: fails without saying \"$expect\""
    fi
}

for file in "$cases"/*.c; do
    [ -f "$file" ] || continue
    for compiler in gcc clang; do
        command -v $compiler >/dev/null || continue
        case $(field "$file" compiler both) in both | "$compiler") ;; *) continue ;; esac
        for mode in goto iso; do
            case $(field "$file" mode both) in both | "$mode") ;; *) continue ;; esac
            try "$file" $compiler $mode
        done
    done
done

[ $total -gt 0 ] || { echo "no case was tried"; exit 1; }
echo "noncompile: $total tried, $failed failed"
[ $failed -eq 0 ]
