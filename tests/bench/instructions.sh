#!/bin/sh
# User instructions per operation, counted by callgrind: the difference between two lengths of the
# same run, so that what is done once is not counted. A count has no noise: it is what to compare
# two versions by. Usage: instructions.sh [BUILD_FOLDER]
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${1:-${ALOOP_BENCH_BUILD:-$root/build/bench}}
command -v valgrind >/dev/null || { echo "instructions.sh needs valgrind"; exit 77; }
[ -x "$build/tests/bench/bench_call" ] || { echo "build first: tests/bench/run.sh"; exit 1; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# total PROGRAM WORK ENGINE OPS
total() {
    rm -f "$scratch"/out.*
    valgrind --tool=callgrind --callgrind-out-file="$scratch/out.%p" \
        "$build/tests/bench/bench_$1" -w "$2" -e "$3" -o "$4" >"$scratch/log" 2>&1 ||
        { cat "$scratch/log"; exit 1; }
    # The process that valgrind started wrote its total last; a child of it is the load.
    sed -n 's/^==\([0-9]*\)== Collected : \([0-9]*\).*/\1 \2/p' "$scratch/log" | sort -n |
        awk 'NR == 1 { print $2 }'
}

# per_op PROGRAM WORK ENGINE SHORT LONG
per_op() {
    short=$(total "$1" "$2" "$3" "$4")
    long=$(total "$1" "$2" "$3" "$5")
    awk -v short="$short" -v long="$long" -v ops="$(($5 - $4))" \
        'BEGIN { printf "%.1f", (long - short) / ops }'
}

# line NAME TARGET INSTRUCTIONS
line() {
    printf '%-28s %10s %10s\n' "$1" "$3" "$2"
}

line operation "at most" instructions
line "call_soon, ping of 1000" 45 "$(per_op callback ping/1000 libaloop 1000000 2000000)"
line "call_soon, ping of 1" 45 "$(per_op callback ping/1 libaloop 1000000 2000000)"
line "timer reset" 45 "$(per_op timer reset/1000 libaloop 100000 1100000)"
add=$(per_op timer add/100000 libaloop 100000 200000)
both=$(per_op timer cancel/100000 libaloop 100000 200000)
line "timer add" 110 "$add"
line "timer cancel" 60 "$(awk -v both="$both" -v add="$add" 'BEGIN { printf "%.1f", both - add }')"
line "yield" 70 "$(per_op yield yield/1000 libaloop 100000 1100000)"
line "spawn, end, join" 220 "$(per_op spawn spawn/1 libaloop 10000 110000)"
line "call of a ready coroutine" - "$(per_op call call libaloop 10000 110000)"
line "join of a done future" - "$(per_op call join libaloop 10000 110000)"
line "set and wake" - "$(per_op call wake libaloop 10000 110000)"
for engine in libaloop-tasks libaloop-fds epoll libuv libev libevent; do
    target=-
    case $engine in
    libaloop-tasks) target=140 ;;
    libaloop-fds) target=110 ;;
    esac
    line "echo by $engine" "$target" "$(per_op echo c64/p1 "$engine" 5000 25000)"
done
