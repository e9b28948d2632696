#!/bin/sh
# Builds the library and the benchmarks, optimised, and runs them all, or those that are named:
#     run.sh [--quick] [-r ROUNDS] [callback timer fd yield spawn call sync queue group echo http
#                                   resp wrk thread sleep memory instructions]
# The build goes to build/bench, or where ALOOP_BENCH_BUILD says; beside it come the table
# (results.txt), the figures (results.csv) and a chart of them (results.svg).
# --quick does a tenth of the work, once: to see that everything runs.
set -eu
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=${ALOOP_BENCH_BUILD:-$root/build/bench}
rounds=5
quick=
seconds=3
while [ $# -gt 0 ]; do
    case $1 in
    --quick) quick=-q rounds=1 seconds=1 ;;
    -r) rounds=$2 && shift ;;
    -*) sed -n '2,7s/^# //p' "$0" && exit 2 ;;
    *) break ;;
    esac
    shift
done
if [ $# -eq 0 ]; then
    set -- callback timer fd yield spawn call sync queue group echo http resp wrk thread sleep
    set -- "$@" memory
    for file in "$here"/bench_*.c; do
        name=$(basename "$file" .c)
        case " $* " in *" ${name#bench_} "*) ;; *) set -- "$@" "${name#bench_}" ;; esac
    done
    set -- "$@" instructions
fi

mkdir -p "$build"
if ! { cmake -S "$root" -B "$build" \
    -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS_RELEASE="-O2 -DNDEBUG" \
    -DALOOP_BUILD_TESTS=OFF -DALOOP_BUILD_EXAMPLES=ON -DALOOP_BUILD_BENCH=ON &&
    cmake --build "$build" --parallel "$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)"; } \
    >"$build/log" 2>&1; then
    cat "$build/log"
    exit 1
fi

csv=$build/results.csv
echo "suite,work,engine,unit,better,median,min,max,ratio,rounds" >"$csv"
for name; do
    if [ "$name" = instructions ]; then
        echo
        sh "$here/instructions.sh" "$build" || [ $? -eq 77 ]
    elif [ "$name" = wrk ]; then
        sh "$here/wrk.sh" "$build" "$rounds" "$seconds" "$csv" || [ $? -eq 77 ]
    elif [ -x "$build/tests/bench/bench_$name" ]; then
        # shellcheck disable=SC2086
        "$build/tests/bench/bench_$name" $quick -r "$rounds" -c "$csv"
    else
        echo "there is no bench_$name here"
    fi
done 2>&1 | tee "$build/results.txt"
awk -f "$here/chart.awk" "$csv" >"$build/results.svg"
echo
echo "$build/results.txt, $csv, $build/results.svg"
