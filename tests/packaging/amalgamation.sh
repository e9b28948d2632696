#!/bin/sh
# ctest: timeout=300
# The library as one source and one header compiles by itself, without a warning, and programs run
# with it; of all its names they see only those with the prefix.
. "$(dirname "$0")/common.inc"
one=$scratch/one
quietly sh "$source_dir/src/amalgamate.sh" "$one"

# What README.md says is enough.
quietly "$cc" -std=c11 -D_POSIX_C_SOURCE=200809L -c -o "$one/plain.o" "$one/aloop.c"

flags="-std=c11 -D_POSIX_C_SOURCE=200809L -O2 -I $one -Wall -Wextra -Wpedantic -Wshadow
    -Wconversion -Wundef -Wmissing-prototypes -Wstrict-prototypes -Werror"
compilers=$cc
for compiler in gcc clang; do
    command -v $compiler >/dev/null && compilers="$compilers $compiler"
done
tried=
for compiler in $compilers; do
    version_of=$($compiler --version | head -n 1)
    case $tried in *"[$version_of]"*) continue ;; esac
    tried="$tried[$version_of]"
    # shellcheck disable=SC2086
    quietly $compiler $flags -c -o "$one/aloop.o" "$one/aloop.c"
    for program in "$here/consumer/main.c" "$source_dir/examples/echo.c"; do
        # shellcheck disable=SC2086
        quietly $compiler $flags -o "$one/$(basename "$program" .c)" "$program" "$one/aloop.o" \
            -pthread
    done
    expect_version "$one/main"
    got=$("$one/echo" --demo | tail -n 1)
    if [ "$got" != 'sent "hello", got "hello"' ]; then
        echo "$compiler: the echo says: $got"
        exit 1
    fi
    command -v nm >/dev/null || continue
    nm -g "$one/aloop.o" | awk 'NF == 3 { sub(/^_/, "", $3); print $3 }' >"$one/names"
    if ! grep -q '^aloop_run' "$one/names" || grep -v '^aloop_' "$one/names"; then
        echo "$compiler: these, and only these, were to begin with aloop_"
        exit 1
    fi
done
echo "amalgamation: $(wc -l <"$one/aloop.c") lines"
