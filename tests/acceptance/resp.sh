#!/bin/sh
# ctest: timeout=60 The RESP server of the examples against redis' own programs: redis-cli and
# redis-benchmark.
set -eu
export LC_ALL=C
resp_server=${ALOOP_BINARY_DIR:?}/examples/resp_server
[ -x "$resp_server" ] || { echo "the examples are not built"; exit 77; }
command -v redis-cli >/dev/null || { echo "no redis-cli"; exit 77; }
command -v redis-benchmark >/dev/null || { echo "no redis-benchmark"; exit 77; }
. "${ALOOP_SOURCE_DIR:?}/tests/support/peers.sh"

start server "$resp_server" 0
port=${words##*:}
ask() {
    timeout 20 redis-cli -p "$port" "$@"
}

expect "PING" PONG "$(ask ping)"
expect "SET" OK "$(ask set key value)"
expect "GET" value "$(ask get key)"
expect "GET of nothing" "" "$(ask get nothing)"
expect "INCR" "1 2" "$(ask incr n) $(ask incr n)"
expect "INCR of a word" "ERR value is not an integer or out of range" "$(ask incr key)"
expect "SET NX, XX" "  OK" "$(ask set key other nx) $(ask set nothing x xx) $(ask set key v xx)"
expect "EXPIRE, TTL, PERSIST" "1 100 1 -1" \
    "$(ask expire key 100) $(ask ttl key) $(ask persist key) $(ask ttl key)"
expect "EXISTS, DEL" "2 2 0" "$(ask exists key n x) $(ask del key n x) $(ask dbsize)"
expect "nothing but a name" "ERR wrong number of arguments for 'GET'" "$(ask get)"
expect "INFO" "keys=0,expires=0" "$(ask info | tr -d '\r' | sed -n 's/^db0://p')"
head -c 1048576 /dev/zero | tr '\0' x >"$scratch/large"
expect "a value of a MiB" OK "$(ask -x set large <"$scratch/large")"
ask get large | head -c 1048576 >"$scratch/copy"
expect "the same back" same "$(same "$scratch/large" "$scratch/copy")"
printf x >>"$scratch/large"
expect "a byte more" "refused" \
    "$(ask -x set large <"$scratch/large" 2>&1 | grep -q "Protocol error" && echo refused)"

# A thousand commands through a pipe, and as many replies.
i=0
while [ $i -lt 1000 ]; do
    printf 'SET key:%d %d\r\nINCR key:%d\r\n' $i $i $i
    i=$((i + 1))
done >"$scratch/commands"
expect "a pipeline" "replies: 2000" \
    "$(ask --pipe <"$scratch/commands" | sed -n 's/.*\(replies: .*\)/\1/p')"
expect "what it left" "1000 1001" "$(ask get key:999) $(ask dbsize)"

for depth in 1 16; do
    timeout 30 redis-benchmark -p "$port" -c 50 -n 20000 -P $depth -r 1000 -q \
        -t ping,set,get,incr >"$scratch/benchmark" 2>&1 || true
    expect "redis-benchmark, $depth at once" 5 \
        "$(tr '\r' '\n' <"$scratch/benchmark" | grep -c 'requests per second, p50')"
    if grep -i -E 'error|warning' "$scratch/benchmark"; then
        expect "its complaints" none some
    fi
done

ask shutdown >/dev/null 2>&1 || true
expect_end server 0
exit $status
