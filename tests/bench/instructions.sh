#!/bin/sh
# ctest: slow no-asan no-tsan no-valgrind timeout=600
# User instructions per operation, counted by callgrind: the difference between two lengths of the
# same run, so that what is done once is not counted. A count has no noise: it is what to compare
# two versions by.
#     instructions.sh [BUILD_FOLDER]           prints them, and those of the rivals
#     instructions.sh --check [BUILD_FOLDER]   fails if one is more than a tenth above the recorded
#     instructions.sh --record [BUILD_FOLDER]  writes instructions.txt
set -eu
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
record=$here/instructions.txt
mode=print
case ${1:-} in --check | --record) mode=${1#--} && shift ;; esac
build=${1:-${ALOOP_BENCH_BUILD:-$here/../../build/bench}}
command -v valgrind >/dev/null || { echo "instructions.sh needs valgrind"; exit 77; }
[ -x "$build/tests/bench/bench_call" ] || { echo "build first: tests/bench/run.sh"; exit 77; }
compiler=$(cat "$build/tests/bench/compiler")
if [ "$mode" = check ] && ! grep -q -x "# $compiler" "$record"; then
    echo "the recorded counts are those of another compiler than $compiler"
    exit 77
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# total PROGRAM WORK ENGINE OPS
total() {
    valgrind --tool=callgrind --callgrind-out-file="$scratch/out.%p" \
        "$build/tests/bench/bench_$1" -w "$2" -e "$3" -o "$4" >"$scratch/log" 2>&1 ||
        { cat "$scratch/log" >&2; exit 1; }
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

# line NAME AT_MOST INSTRUCTIONS
line() {
    was=$(awk -v name="$1" -F ': ' '$1 == name { print $2 }' "$record")
    printf '%-28s %12s %10s %10s\n' "$1" "$3" "${was:--}" "$2"
    printf '%s: %s\n' "$1" "$3" >>"$scratch/counts"
    if [ "$mode" = check ] && [ -z "$was" ]; then
        echo "there is no record of this; see --record" | tee -a "$scratch/grown"
    elif [ "$mode" = check ] &&
        awk -v now="$3" -v was="$was" 'BEGIN { exit !(now > was * 1.1) }'; then
        echo "$1: $3 instructions, of which $was are recorded" >>"$scratch/grown"
    fi
}

# of NAME AT_MOST PROGRAM WORK ENGINE SHORT LONG
of() {
    line "$1" "$2" "$(per_op "$3" "$4" "$5" "$6" "$7")"
}

printf '%-28s %12s %10s %10s\n' operation instructions recorded "at most"
of "call_soon, ping of 1000" 45 callback ping/1000 libaloop 50000 250000
of "call_soon, ping of 1" 45 callback ping/1 libaloop 50000 250000
of "call_soon, batch of 1000" - callback batch/1000 libaloop 50000 250000
of "timer reset" 45 timer reset/1000 libaloop 50000 250000
add=$(per_op timer add/10000 libaloop 50000 150000)
both=$(per_op timer cancel/10000 libaloop 50000 150000)
line "timer add" 110 "$add"
line "timer cancel" 60 "$(awk -v both="$both" -v add="$add" 'BEGIN { printf "%.1f", both - add }')"
of "yield" 70 yield yield/1000 libaloop 20000 120000
of "spawn, end, join" 220 spawn spawn/1 libaloop 5000 55000
of "call of a ready coroutine" - call call libaloop 10000 110000
of "join of a done future" - call join libaloop 10000 110000
of "set and wake" - call wake libaloop 10000 60000
of "gather, for each of 1000" - group gather/1000 libaloop 10000 60000
of "group, for each of 1000" - group group/1000 libaloop 10000 60000
of "select of 8" - group select/8 libaloop 5000 25000
of "wait for the first of 1000" - group wait/1000 libaloop 2000 6000
of "next of 1000" - group next/1000 libaloop 10000 60000
of "queue, round trip" - queue roundtrip/1 libaloop 5000 55000
of "queue, item of a stream" - queue stream/1024 libaloop 10240 112640
of "queue, by priority of 1000" - queue priority/1000 libaloop 5000 55000
of "lock, free" - sync free lock 10000 110000
of "lock, hand-off" - sync hand-off/8 lock 10000 110000
of "hold, free" - sync free hold 10000 110000
of "echo by libaloop-fds" 110 echo 64B/c64/p1 libaloop-fds 5000 25000
of "echo by libaloop-tasks" 140 echo 64B/c64/p1 libaloop-tasks 5000 25000
of "echo by libaloop-streams" - echo 64B/c64/p1 libaloop-streams 5000 25000

if [ "$mode" = print ]; then
    for engine in epoll libuv libev libevent; do
        printf '%-28s %12s %10s %10s\n' "echo by $engine" \
            "$(per_op echo 64B/c64/p1 "$engine" 5000 25000)" - -
    done
elif [ "$mode" = record ]; then
    { echo "# $compiler"; cat "$scratch/counts"; } >"$record"
elif [ -s "$scratch/grown" ]; then
    echo
    cat "$scratch/grown"
    exit 1
fi
