#!/bin/sh
# ctest: timeout=120 Each example runs, succeeds, and prints what examples/README.md says it prints.
set -eu
export LC_ALL=C
examples=${ALOOP_BINARY_DIR:?}/examples
tour=${ALOOP_SOURCE_DIR:?}/examples/README.md
[ -x "$examples/hello" ] || { echo "the examples are not built"; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Ports and processes differ from run to run, and where the sources are; and an await that takes two
# lines has the number of the first with gcc, and of the last with clang.
plain() {
    sed -e "s#$ALOOP_SOURCE_DIR/##g" -e 's/top\.c:51)/top.c:50)/' \
        -e 's/127\.0\.0\.1:[0-9]*/127.0.0.1:PORT/' -e 's/pid [0-9]*/pid NUMBER/'
}

status=0
# check NAME ARGUMENTS...: compares with the last block of the section whose title has the name.
check() {
    name=$1
    shift
    awk -v title="## $name" '
    /^## / { inside = index($0, title) == 1 }
    inside && /^```/ {
        open = !open
        if (open)
            text = ""
        next
    }
    inside && open { text = text $0 "\n" }
    END { printf "%s", text }' "$tour" | plain >"$scratch/expected"
    [ -s "$scratch/expected" ] || { echo "$name: not in the tour"; status=1; return; }
    if ! "$examples/${name%.c}" "$@" >"$scratch/printed" 2>&1; then
        echo "$name: failed"
        cat "$scratch/printed"
        status=1
        return
    fi
    plain <"$scratch/printed" >"$scratch/plain"
    if ! diff -u "$scratch/expected" "$scratch/plain"; then
        echo "$name: prints something else than examples/README.md says"
        status=1
    fi
}

# A file is an example, and so is a folder with a main.c. Those that would serve show themselves.
for file in "$ALOOP_SOURCE_DIR"/examples/*.c "$ALOOP_SOURCE_DIR"/examples/*/main.c; do
    name=$(basename "$file")
    [ "$name" != main.c ] || name=$(basename "$(dirname "$file")")
    if grep -q -e --demo "$file"; then
        check "$name" --demo
    else
        check "$name"
    fi
done
[ $status -eq 0 ] && echo "examples: all print what the tour says"
exit $status
