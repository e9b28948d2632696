#!/bin/sh
# ctest: timeout=120
# An installed tree is found by pkg-config, wherever it was moved to; both libraries link.
. "$(dirname "$0")/common.inc"
command -v pkg-config >/dev/null || { echo "pkg-config is not installed"; exit 77; }

quietly "$cmake" --install "$binary_dir" --prefix "$scratch/staging"
mv "$scratch/staging" "$scratch/installed"
folder=$(dirname "$(find "$scratch/installed" -name aloop.pc)")
export PKG_CONFIG_PATH="$folder"

got=$(pkg-config --modversion aloop)
[ "$got" = "$version" ] || { echo "pkg-config says version $got, not $version"; exit 1; }

# shellcheck disable=SC2046
quietly "$cc" -std=c11 -o "$scratch/shared" "$scratch/consumer/main.c" \
    $(pkg-config --cflags --libs aloop)
LD_LIBRARY_PATH=$(pkg-config --variable=libdir aloop) \
    DYLD_LIBRARY_PATH=$(pkg-config --variable=libdir aloop) expect_version "$scratch/shared"
expect_shared "$scratch/shared"

# macOS has no static C library, so there a program takes the archive by its name.
case $(uname -s) in
Darwin) static="$(pkg-config --cflags aloop) $(pkg-config --variable=libdir aloop)/libaloop.a" ;;
*) static="-static $(pkg-config --static --cflags --libs aloop)" ;;
esac
# shellcheck disable=SC2086
quietly "$cc" -std=c11 -o "$scratch/static" "$scratch/consumer/main.c" $static
expect_version "$scratch/static"
expect_static "$scratch/static"
echo "pkg-config: static and shared"
