#!/bin/sh
# ctest: timeout=60 The echo servers of the examples against nc and socat: on one loop, on several,
# and by UDP.
set -eu
export LC_ALL=C
examples=${ALOOP_BINARY_DIR:?}/examples
[ -x "$examples/multicore_echo" ] || { echo "the examples are not built"; exit 77; }
for tool in nc socat; do
    command -v $tool >/dev/null || { echo "no $tool"; exit 77; }
done
. "${ALOOP_SOURCE_DIR:?}/tests/support/peers.sh"

head -c 4000000 /dev/urandom >"$scratch/large"

# ask_both PORT
ask_both() {
    expect "nc" "hello" "$(echo hello | timeout 20 nc -N 127.0.0.1 "$1")"
    expect "socat" "hello" "$(echo hello | timeout 20 socat -t 10 - "TCP:127.0.0.1:$1")"
    timeout 20 socat -t 10 - "TCP:127.0.0.1:$1" <"$scratch/large" >"$scratch/copy" || true
    expect "4 MB" same "$(same "$scratch/large" "$scratch/copy")"
    # Eight at once.
    clients=
    for i in 1 2 3 4 5 6 7 8; do
        timeout 20 socat -t 10 - "TCP:127.0.0.1:$1" <"$scratch/large" >"$scratch/copy.$i" &
        clients="$clients $!"
    done
    for client in $clients; do
        wait "$client" || true
    done
    for i in 1 2 3 4 5 6 7 8; do
        expect "4 MB, number $i" same "$(same "$scratch/large" "$scratch/copy.$i")"
    done
}

start echo "$examples/echo" 0
ask_both "${words##*:}"

start multicore "$examples/multicore_echo" 0 3
ask_both "${words##*:}"
# A client that is there when the server is stopped does not hold it up.
mkfifo "$scratch/silence"
nc -N 127.0.0.1 "${words##*:}" <"$scratch/silence" &
started="$started $!"
exec 9>"$scratch/silence"
stop multicore

start udp "$examples/udp_echo" 0
expect "a datagram by nc" hello "$(echo hello | timeout 20 nc -u -W 1 127.0.0.1 "${words##*:}")"
head -c 2048 "$scratch/large" >"$scratch/datagram"
timeout 20 nc -u -W 1 127.0.0.1 "${words##*:}" <"$scratch/datagram" >"$scratch/copy" || true
expect "a large one" same "$(same "$scratch/datagram" "$scratch/copy")"
expect "twenty, from as many ports" 20 "$(i=0; while [ $i -lt 20 ]; do
    echo $i | timeout 20 nc -u -W 1 127.0.0.1 "${words##*:}"
    i=$((i + 1))
done | wc -l | tr -d ' ')"
stop udp
exit $status
