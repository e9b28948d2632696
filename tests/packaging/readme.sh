#!/bin/sh
# The programs of README.md compile without a warning, with the flags that README.md advises, in
# both coroutine modes; the first and the last do what they say there.
. "$(dirname "$0")/common.inc"
library=${ALOOP_STATIC_LIBRARY:-$binary_dir/libaloop.a}

# program NUMBER: the NUMBER-th block of C.
program() {
    awk -v wanted="$1" '/^```c$/ { n++; inside = n == wanted; next } /^```$/ { inside = 0 } inside' \
        "$source_dir/README.md"
}

program 1 >"$scratch/hello.c"
program 2 >"$scratch/server.c"
program 3 >"$scratch/tasks.c"
for name in hello server tasks; do
    grep -q aloop_run "$scratch/$name.c" || { echo "README.md has no $name"; exit 1; }
done

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
        for name in hello server tasks; do
            # shellcheck disable=SC2086
            quietly $compiler -std=c11 -O2 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror \
                $flags $mode -I "$source_dir/include" -o "$scratch/$name" "$scratch/$name.c" \
                "$library" -pthread
        done
        got=$({ "$scratch/hello" && "$scratch/tasks"; } | tr '\n' ' ')
        if [ "$got" != "3 2 1 5050 " ]; then
            echo "$compiler $mode: the programs say \"$got\""
            exit 1
        fi
    done
done
echo "readme: the programs compile, count down, and add up"
