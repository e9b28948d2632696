#!/bin/sh
# ctest: timeout=300 A parent project takes the source tree in with add_subdirectory, and gets a
# target, and nothing that it did not ask for.
. "$(dirname "$0")/common.inc"

cat >"$scratch/consumer/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.20)
project(consumer LANGUAGES C)
add_subdirectory(${ALOOP_SOURCE_DIR} aloop)
add_executable(consumer main.c)
target_link_libraries(consumer PRIVATE aloop::aloop)

get_property(tests DIRECTORY ${ALOOP_SOURCE_DIR} PROPERTY TESTS)
foreach(target test_support example_hello)
    if(TARGET ${target})
        message(FATAL_ERROR "the parent was given the target ${target}")
    endif()
endforeach()
if(tests OR CMAKE_BUILD_TYPE OR CMAKE_C_FLAGS)
    message(FATAL_ERROR "the parent was given tests or flags")
endif()
foreach(library aloop_static aloop_shared)
    get_target_property(options ${library} INTERFACE_COMPILE_OPTIONS)
    get_target_property(definitions ${library} INTERFACE_COMPILE_DEFINITIONS)
    if(options OR definitions)
        message(FATAL_ERROR "${library} makes its users compile with ${options} ${definitions}")
    endif()
endforeach()
END

configure static -DALOOP_SOURCE_DIR="$source_dir"
quietly "$cmake" --build "$scratch/static" --parallel 2
expect_version "$scratch/static/consumer"
expect_static "$scratch/static/consumer"
if find "$scratch/static" -name 'libaloop.so*' | grep -q .; then
    echo "the shared library was built, though nothing asked for it"
    exit 1
fi

configure shared -DALOOP_SOURCE_DIR="$source_dir" -DBUILD_SHARED_LIBS=ON
quietly "$cmake" --build "$scratch/shared" --parallel 2
expect_version "$scratch/shared/consumer"
case $(uname -s) in Darwin) ;; *) expect_shared "$scratch/shared/consumer" ;; esac
echo "add_subdirectory: static and shared"
