# shellcheck shell=sh disable=SC2034,SC2154
# For the scripts of tests/acceptance, which read it with ".": programs that serve, and what is to
# be expected of them. `scratch` is a folder that is gone at the end, as is all that was started.
scratch=$(mktemp -d)
status=0
started=
next_fd=3
# Asked first: some have children of their own to take along.
end_all() {
    for pid in $started; do kill -TERM "$pid" 2>/dev/null || true; done
    [ -z "$started" ] || sleep 0.2
    for pid in $started; do kill -KILL "$pid" 2>/dev/null || true; done
    rm -rf "$scratch"
}
trap end_all EXIT

# start NAME COMMAND...: in the background; $words is the first line that it prints, and its process
# number is in $pid_NAME. The line comes through a pipe: reading it waits for the server, and for
# nothing else. The pipe stays open, for what it prints at its end; six can be started.
start() {
    name=$1
    shift
    mkfifo "$scratch/$name.out"
    "$@" >"$scratch/$name.out" &
    eval "pid_$name=$!"
    started="$started $!"
    eval "exec $next_fd<\$scratch/$name.out"
    words=
    eval "read -r words <&$next_fd" || true
    next_fd=$((next_fd + 1))
    [ -n "$words" ] || { echo "WRONG: $1 has not started"; exit 1; }
}

# wait_until COMMAND...: ten seconds, at most, for what says of itself when it is ready only by
# leaving a file.
wait_until() {
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ $tries -lt 1000 ] || { echo "WRONG: has not happened: $*"; exit 1; }
        sleep 0.01
    done
}

# expect WHAT WANTED GOT
expect() {
    if [ "$2" = "$3" ]; then
        echo "ok: $1"
    else
        echo "WRONG: $1: wanted '$2', got '$3'"
        status=1
    fi
}

# stop NAME: tells it to end, which it does in good order.
stop() {
    eval "kill -TERM \$pid_$1"
    expect_end "$1" 0
}

# expect_end NAME CODE: waits for its end.
expect_end() {
    eval "pid=\$pid_$1"
    code=0
    wait "$pid" || code=$?
    expect "the end of $1" "$2" "$code"
}

same() {
    if cmp -s "$1" "$2"; then echo same; else echo different; fi
}
