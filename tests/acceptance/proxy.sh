#!/bin/sh
# ctest: timeout=60 The proxy of the examples between programs that others wrote: redis' own on both
# sides, curl and the example web server, nc and socat.
set -eu
export LC_ALL=C
examples=${ALOOP_BINARY_DIR:?}/examples
[ -x "$examples/proxy" ] || { echo "the examples are not built"; exit 77; }
for tool in redis-server redis-cli redis-benchmark curl nc socat; do
    command -v $tool >/dev/null || { echo "no $tool"; exit 77; }
done
. "${ALOOP_SOURCE_DIR:?}/tests/support/peers.sh"

head -c 8000000 /dev/urandom >"$scratch/large"

# redis-server, which says nothing of use when it is ready: its socket is there then.
redis-server --port 0 --unixsocket "$scratch/redis" --save '' --dir "$scratch" >"$scratch/log" &
started="$started $!"
start redis_proxy "$examples/proxy" 0 "$scratch/redis"
redis_port=${words##*:}
wait_until test -S "$scratch/redis"
ask() {
    timeout 20 redis-cli -p "$redis_port" "$@"
}
expect "redis answers" PONG "$(ask ping)"
head -c 1000000 "$scratch/large" >"$scratch/value"
expect "a large value" OK "$(ask -x set large <"$scratch/value")"
ask get large | head -c 1000000 >"$scratch/copy"
expect "the same back" same "$(same "$scratch/value" "$scratch/copy")"
timeout 20 redis-benchmark -p "$redis_port" -c 20 -n 10000 -P 4 -q -t set,get \
    >"$scratch/benchmark" 2>&1 || true
expect "redis-benchmark" 2 "$(tr '\r' '\n' <"$scratch/benchmark" | grep -c 'per second, p50')"

# A web server behind it, for downloads in both tempers.
mkdir "$scratch/root"
cp "$scratch/large" "$scratch/root/"
start httpd "$examples/httpd" "$scratch/root" 0
port=${words##*:}
start web_proxy "$examples/proxy" 0 localhost "${port%/}"
web=http://${words##* }
curl -s --max-time 20 -o "$scratch/copy" "$web/large"
expect "a download" same "$(same "$scratch/large" "$scratch/copy")"
curl -s --max-time 20 --limit-rate 8M -o "$scratch/copy" "$web/large"
expect "a slow one" same "$(same "$scratch/large" "$scratch/copy")"

# One end after the other: what nc sends ends, and the answer, which is made of all of it, comes
# after that.
socat "UNIX-LISTEN:$scratch/sum,fork" EXEC:cksum &
started="$started $!"
start sum_proxy "$examples/proxy" 0 "$scratch/sum"
wait_until test -S "$scratch/sum"
expect "half closed" "$(cksum <"$scratch/large")" \
    "$(timeout 20 nc -N 127.0.0.1 "${words##*:}" <"$scratch/large")"

# Nobody is there: the connection breaks, and the proxy goes on.
start no_proxy "$examples/proxy" 0 "$scratch/nobody" 2>"$scratch/complaints"
expect "nobody there" "" "$(timeout 20 nc -N 127.0.0.1 "${words##*:}" </dev/null 2>&1 || true)"
expect "and why" "proxy: no such file or directory" "$(cat "$scratch/complaints")"

# The download that is under way when the proxy is to end comes whole.
curl -s --max-time 20 --limit-rate 20M -o "$scratch/slow" "$web/large" &
client=$!
wait_until test -s "$scratch/slow"
stop web_proxy
wait $client || true
expect "a download during the stop" same "$(same "$scratch/large" "$scratch/slow")"
stop redis_proxy
stop sum_proxy
stop no_proxy
exit $status
