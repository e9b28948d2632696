#!/bin/sh
# The program that README.md opens with compiles without a warning, with the flags that README.md
# advises, in both coroutine modes, and does what it says there.
. "$(dirname "$0")/common.inc"
library=${ALOOP_STATIC_LIBRARY:-$binary_dir/libaloop.a}

awk '/^```c$/ && !done { inside = 1; next } /^```$/ { if (inside) done = 1; inside = 0 } inside' \
    "$source_dir/README.md" >"$scratch/hello.c"
grep -q aloop_run "$scratch/hello.c" || { echo "README.md has no program"; exit 1; }

for mode in -UALOOP_STRICT_ISO "-DALOOP_STRICT_ISO"; do
    for compiler in gcc clang; do
        command -v $compiler >/dev/null || continue
        case $compiler in
        gcc) flags="-Werror=maybe-uninitialized" ;;
        clang) flags="-Werror=conditional-uninitialized" ;;
        esac
        if [ $compiler$mode = gcc-DALOOP_STRICT_ISO ]; then
            flags="$flags -Werror=jump-misses-init"
        fi
        # shellcheck disable=SC2086
        quietly $compiler -std=c11 -O2 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror \
            $flags $mode -I "$source_dir/include" -o "$scratch/hello" "$scratch/hello.c" \
            "$library" -pthread
        got=$("$scratch/hello" | tr '\n' ' ')
        if [ "$got" != "3 2 1 " ]; then
            echo "$compiler $mode: the program says \"$got\""
            exit 1
        fi
    done
done
echo "readme: the program counts down"
