#!/bin/sh
# ctest: timeout=120
# An installed tree is found by find_package, wherever it was moved to after it was installed.
. "$(dirname "$0")/common.inc"

quietly "$cmake" --install "$binary_dir" --prefix "$scratch/staging"
mv "$scratch/staging" "$scratch/installed tree"

cat >"$scratch/consumer/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.20)
project(consumer LANGUAGES C)
find_package(aloop ${WANTED} REQUIRED)
foreach(kind aloop aloop_static aloop_shared)
    add_executable(${kind} main.c)
    target_link_libraries(${kind} PRIVATE aloop::${kind})
endforeach()
END

for shared in OFF ON; do
    configure $shared -DCMAKE_PREFIX_PATH="$scratch/installed tree" -DWANTED="$version" \
        -DBUILD_SHARED_LIBS=$shared
    quietly "$cmake" --build "$scratch/$shared"
    for kind in aloop aloop_static aloop_shared; do
        expect_version "$scratch/$shared/$kind"
    done
    expect_static "$scratch/$shared/aloop_static"
    case $(uname -s) in Darwin) ;; *) expect_shared "$scratch/$shared/aloop_shared" ;; esac
done
expect_static "$scratch/OFF/aloop"
case $(uname -s) in Darwin) ;; *) expect_shared "$scratch/ON/aloop" ;; esac

if configure other -DCMAKE_PREFIX_PATH="$scratch/installed tree" -DWANTED=99.0 >/dev/null; then
    echo "find_package(aloop 99.0) is content with $version"
    exit 1
fi
echo "find_package: static and shared"
