#!/bin/sh
# ctest: timeout=180 Each public header compiles by itself, included twice, without a warning: as
# C11 in both coroutine modes and without any feature-test macro, and as C++17, with each compiler
# that is there.
set -eu
export LC_ALL=C
root=${ALOOP_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$root/include"

count=0
for header in $(find . -name '*.h' | sed 's|^\./||' | sort); do
    name=$(echo "$header" | tr '/.' '__')
    for language in c cpp; do
        # The last line keeps the translation unit from being empty, which ISO C does not allow.
        printf '#include <%s>\n#include <%s>\ntypedef int the_end;\n' "$header" "$header" \
            >"$scratch/$name.$language"
    done
    count=$((count + 1))
done
[ $count -gt 0 ] || { echo "no header in $root/include"; exit 1; }

warnings="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wundef -Werror"
runs=0
status=0
# check COMPILER EXTENSION FLAGS...
check() {
    compiler=$1
    extension=$2
    shift 2
    command -v "$compiler" >/dev/null || return 0
    runs=$((runs + 1))
    # shellcheck disable=SC2086
    if ! "$compiler" "$@" $warnings -I "$root/include" -fsyntax-only "$scratch"/*."$extension"; then
        echo "failed: $compiler $*"
        status=1
    fi
}
for compiler in gcc clang; do
    check $compiler c -std=c11 -Wmissing-prototypes -Wstrict-prototypes
    check $compiler c -std=c11 -Wmissing-prototypes -Wstrict-prototypes -DALOOP_STRICT_ISO
    check $compiler c -std=gnu17 -Wmissing-prototypes -Wstrict-prototypes
done
for compiler in g++ clang++; do
    check $compiler cpp -std=c++17
    check $compiler cpp -std=c++17 -DALOOP_STRICT_ISO
done
[ $runs -gt 0 ] || { echo "no compiler found"; exit 77; }
[ $status -eq 0 ] && echo "headers: $count headers, $runs ways to compile them"
exit $status
