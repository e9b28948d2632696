#!/bin/sh
# ctest: timeout=120 The supervisor of the examples: children that are killed, a thousand that end
# at once, the end of it all. No process is left of any of it, alive or dead.
set -eu
export LC_ALL=C
supervisor=${ALOOP_BINARY_DIR:?}/examples/supervisor
[ -x "$supervisor" ] || { echo "the examples are not built"; exit 77; }
command -v pgrep >/dev/null || { echo "no pgrep"; exit 77; }
. "${ALOOP_SOURCE_DIR:?}/tests/support/peers.sh"

# run NAME OPTIONS...: in the background, on the file $scratch/NAME.conf; what it prints is in $log,
# and its process number in $pid.
run() {
    name=$1
    shift
    log=$scratch/$name.log
    "$supervisor" "$@" "$scratch/$name.conf" >"$log" 2>&1 9>&- &
    pid=$!
    started="$started $pid"
}

# until_log COUNT PATTERN: waits for so many lines of the log that match.
until_log() {
    tries=0
    while [ "$(grep -c "$2" "$log" || true)" -lt "$1" ]; do
        tries=$((tries + 1))
        if [ $tries -gt 600 ] || ! kill -0 "$pid" 2>/dev/null; then
            echo "WRONG: not $1 times '$2' in"
            tail -n 40 "$log"
            exit 1
        fi
        sleep 0.1
    done
}

# The last process number of a program.
pid_of() {
    sed -n "s/^$1: started, pid //p" "$log" | tail -n 1
}

# How many of these processes there are.
alive() {
    count=0
    for number; do
        if kill -0 "$number" 2>/dev/null; then
            count=$((count + 1))
        fi
    done
    echo $count
}

# The code that the supervisor ends with, when it is sent a signal, is in $code.
stop() {
    kill -"$1" "$pid"
    code=0
    wait "$pid" || code=$?
}

# A tree: one that would live; one that does not care for SIGTERM, nor do its children; two that
# fail.
cat >"$scratch/tree.conf" <<'CONF'
# a comment
plain: exec sleep 1000
stubborn: trap '' TERM; sleep 1000 & echo child $!; sleep 1000 & echo child $!; wait
failing: exit 7
absent: exec /no/such/program
CONF
run tree -g 300 -d 50
until_log 1 '^plain: started'
until_log 2 '^stubborn: child'
until_log 3 '^failing: again'
until_log 1 '^absent: ended with 127'
first=$(pid_of plain)
kill -9 "$first"
until_log 2 '^plain: started'
expect "one that is killed" "plain: ended by signal 9" "$(grep '^plain: ended' "$log")"
expect "is started again" different "$([ "$(pid_of plain)" != "$first" ] && echo different)"
expect "the pauses grow" "50 100 200 " \
    "$(sed -n 's/^failing: again in \([0-9]*\) ms/\1/p' "$log" | head -n 3 | tr '\n' ' ')"
everyone=$(sed -n -e 's/.*started, pid //p' -e 's/^stubborn: child //p' "$log")
stop TERM
expect "the end by SIGTERM" 0 "$code"
expect "one that ends when told to" 1 "$(grep -c '^plain: ended by signal 15' "$log")"
expect "one that does not" 1 "$(grep -c '^stubborn: ended by signal 9' "$log")"
expect "its last words" "all have ended" "$(tail -n 1 "$log")"
# Grandchildren are killed by now, and the system's to bury.
tries=0
# shellcheck disable=SC2086
while [ "$(alive $everyone)" -gt 0 ] && [ $tries -lt 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
# shellcheck disable=SC2086
expect "what is left of the tree" 0 "$(alive $everyone)"

# A thousand that wait for one pipe, and end at once when it does; then they sleep. Its writing end
# is here alone.
many=1000
ulimit -n 8192 2>/dev/null || many=200
mkfifo "$scratch/gate"
exec 9<>"$scratch/gate"
i=0
while [ $i -lt $many ]; do
    echo "p$i: [ \$1 = 0 ] || exec sleep 1000; exec <$scratch/gate; echo ready; read line"
    i=$((i + 1))
done >"$scratch/storm.conf"
run storm -g 5000 -d 1
until_log $many ': ready'
exec 9>&-
until_log $((2 * many)) 'started, pid'
expect "all have ended once" $many "$(grep -c ': ended' "$log")"
expect "children" $many "$(pgrep -c -P "$pid")"
expect "zombies" 0 "$(pgrep -c -r Z -P "$pid" || true)"
everyone=$(sed -n 's/.*started, pid //p' "$log")
stop TERM
expect "the end of the crowd" 0 "$code"
# shellcheck disable=SC2086
expect "what is left of the crowd" 0 "$(alive $everyone)"
exit $status
