#!/bin/sh
# Builds the library and the benchmarks, optimised, and runs them all, or those that are named:
#     run.sh [-r ROUNDS] [callback timer yield spawn call sync echo memory instructions]
# The build goes to build/bench, or where ALOOP_BENCH_BUILD says.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=${ALOOP_BENCH_BUILD:-$root/build/bench}
rounds=5
if [ "${1:-}" = -r ]; then
    rounds=$2
    shift 2
fi
[ $# -gt 0 ] || set -- callback timer yield spawn call sync echo memory instructions

mkdir -p "$build"
if ! { cmake -S "$root" -B "$build" \
    -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS_RELEASE="-O2 -DNDEBUG" \
    -DALOOP_BUILD_TESTS=OFF -DALOOP_BUILD_EXAMPLES=OFF -DALOOP_BUILD_BENCH=ON &&
    cmake --build "$build" --parallel "$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)"; } \
    >"$build/log" 2>&1; then
    cat "$build/log"
    exit 1
fi

for name; do
    if [ "$name" = instructions ]; then
        echo
        sh "$here/instructions.sh" "$build"
    elif [ -x "$build/tests/bench/bench_$name" ]; then
        "$build/tests/bench/bench_$name" -r "$rounds"
    else
        echo "there is no bench_$name here"
    fi
done
