#!/bin/sh
# The checks check: each is run on a tree with one fault, and must name it. A rule that a change of
# its pattern has made blind would otherwise go on passing forever.
set -eu
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
total=0
failed=0

# A small tree without fault.
fresh() {
    rm -rf "$scratch/tree"
    mkdir -p "$scratch/tree/src/base" "$scratch/tree/src/io" "$scratch/tree/src/os" \
        "$scratch/tree/src/sys" "$scratch/tree/include/aloop" "$scratch/tree/tests"
    touch "$scratch/tree/src/README.md"
    for folder in base io os sys; do
        touch "$scratch/tree/src/$folder/README.md"
        {
            printf '#include "base/a.h"\n\n/* read(fd) in words, and "close(" */\n'
            printf 'int %s(void);\n' $folder
        } >"$scratch/tree/src/$folder/a.c"
    done
    printf 'static const char *const text = "malloc(1)";\n' >"$scratch/tree/src/base/a.h"
    printf '#define ALOOP_X 1\n' >"$scratch/tree/include/aloop/a.h"
    printf '*\n' >"$scratch/tree/README.md"
}

# verdict SCRIPT PATTERN: runs it; PATTERN empty: it must pass.
verdict() {
    total=$((total + 1))
    if ALOOP_SOURCE_DIR=$scratch/tree sh "$here/$1" >"$scratch/output" 2>&1; then
        [ -z "$2" ] && return
        echo "FAILED $1 passes, though: $2"
    else
        [ -n "$2" ] && grep -Eq -e "$2" "$scratch/output" && return
        echo "FAILED $1 does not say \"$2\":"
        sed 's/^/    /' "$scratch/output"
    fi
    failed=$((failed + 1))
}

# fault SCRIPT FILE LINE PATTERN: LINE is added to FILE of a fresh tree, and PATTERN must be said.
fault() {
    fresh
    printf '%s\n' "$3" >>"$scratch/tree/$2"
    verdict "$1" "$4"
}

fresh
verdict layers.sh ""
verdict text.sh ""

fault layers.sh src/base/a.c '#include "io/a.h"' 'src/base/a.c:5: base may not include io'
fault layers.sh src/io/a.c '#include "os/a.h"' 'io may not include os'
fault layers.sh src/os/a.c '#include "io/a.h"' 'os may not include io'
fault layers.sh src/io/a.c '#include "a.h"' 'does not name a layer'
fault layers.sh src/io/a.c '#include "../sys/a.h"' 'does not name a layer'
fault layers.sh src/io/a.c 'int f(void) { return close(1); }' \
    "src/io/a.c:5: close\\(\\) is the operating system's"
fault layers.sh src/io/a.c 'int f(void) { return sys.close(1); }' ''
fault layers.sh src/io/a.c 'int f(void) { return table->close(1); }' ''
fault layers.sh src/io/a.c 'int f(void) { return disclose(1); }' ''
fault layers.sh src/sys/a.c 'int f(void) { return close(1); }' ''
fault layers.sh src/io/a.c 'int f(void) { return close (1); /* allowed: why */ }' ''
fault layers.sh src/sys/a.c 'void f(void) { free(p); }' 'free\(\) goes past the allocator'
fault layers.sh src/base/memory.c 'void f(void) { free(p); }' ''
fault layers.sh src/io/a.c 'void f(void) { abort(); }' "abort\\(\\) is not a library's"
fault layers.sh src/io/a.c 'void f(void) { fprintf(stderr, ""); }' 'the standard streams are'
fault layers.sh src/io/a.c 'void f(FILE *file) { fprintf(file, ""); }' ''
fault layers.sh src/io/a.c 'void f(void) { snprintf(s, n, ""); }' ''
fault layers.sh src/io/a.c 'const char *f(void) { return strerror(1); }' 'strerror\(\) is not safe'
fault layers.sh src/io/a.c 'int f(void) { return -errno; }' 'errno is read in src/sys only'
fault layers.sh src/io/a.c '#include <errno.h>' ''
fresh
rm "$scratch/tree/src/io/README.md"
verdict layers.sh 'src/io: has no README.md'
fault layers.sh include/aloop/a.h '#include "base.h"' 'a public header includes only'
fault layers.sh include/aloop/a.h '#define await 1' 'public macro without the prefix'
fault layers.sh include/aloop/short_names.h '#define await 1' ''

fault text.sh src/io/a.c "$(printf 'int\tx;')" 'src/io/a.c:5: a tab'
fault text.sh src/io/a.c 'int x; ' 'a blank at the end'
fault text.sh src/io/a.c "/* $(printf '%0100d' 0) */" '106 columns'
fault text.sh src/io/a.c "/* $(printf '%0100d' 0) */ \\" ''
fault text.sh src/io/a.c '/* TODO: later */' 'a note to oneself'
fault text.sh src/io/a.c '/********/' 'a banner'
# lines COUNT: so many lines of code.
lines() {
    awk -v count="$1" 'BEGIN { while (count--) print "x;" }'
}
fault text.sh src/io/a.c "$(lines 660)" '664 lines'
fault text.sh src/io/a.c "$(printf '{\n%s\n}' "$(lines 75)")" 'a function of 75 lines'
fault text.sh NOTES 'x' 'NOTES: does not belong'
fresh
printf 'int x;' >>"$scratch/tree/src/io/a.c"
verdict text.sh 'no newline at the end'

# The harness of the must-not-compile cases, on cases that are wrong themselves.
if command -v gcc >/dev/null || command -v clang >/dev/null; then
    noncompile_fault() {
        fresh
        mkdir "$scratch/tree/tests/noncompile"
        printf '%b' "$1" >"$scratch/tree/tests/noncompile/case.c"
        verdict noncompile.sh "$2"
    }
    faulty='\n#ifndef CONTROL\n#error an error\n#endif\nextern int x;\n'
    noncompile_fault "/* expect: an error */\n$faulty" ''
    noncompile_fault "/* expect: another */\n$faulty" 'fails without saying "another"'
    noncompile_fault '/* expect: an error */\n\nextern int x;\n' 'compiles, though it must not'
    noncompile_fault '/* expect: an error */\n\n#error an error\n' 'program does not compile'
    noncompile_fault 'extern int x;\n' 'does not say what to expect'
    noncompile_fault '/* expect: x */\n/* compiler: none */\n' 'no case was tried'
fi

echo "selftest: $total faults planted, $failed missed"
[ $failed -eq 0 ]
