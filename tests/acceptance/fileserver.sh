#!/bin/sh
# ctest: timeout=60 The file server of the examples, spoken with by nc and socat.
set -eu
export LC_ALL=C
fileserver=${ALOOP_BINARY_DIR:?}/examples/fileserver
[ -x "$fileserver" ] || { echo "the examples are not built"; exit 77; }
for tool in nc socat; do
    command -v $tool >/dev/null || { echo "no $tool"; exit 77; }
done
. "${ALOOP_SOURCE_DIR:?}/tests/support/peers.sh"

mkdir "$scratch/folder" "$scratch/folder/below"
head -c 6000000 /dev/urandom >"$scratch/large"
echo secret >"$scratch/folder/.hidden"
ln -s ../large "$scratch/folder/link"
mkfifo "$scratch/folder/fifo"
start fileserver "$fileserver" "$scratch/folder" 0
port=${words##*:}
# say LINE...: the answers.
say() {
    printf '%s\n' "$@" | timeout 20 nc -N 127.0.0.1 "$port"
}

expect "an empty folder" "." "$(say LIST)"
expect "PUT" "+6000000" \
    "$({ echo "PUT large file 6000000"; cat "$scratch/large"; } |
        timeout 20 nc -N 127.0.0.1 "$port")"
expect "what is stored" same "$(same "$scratch/large" "$scratch/folder/large file")"
expect "LIST" "6000000 large file ." "$(say LIST | tr '\n' ' ' | sed 's/ $//')"
say "GET large file" | tail -c +10 >"$scratch/copy"
expect "GET" same "$(same "$scratch/large" "$scratch/copy")"
echo "GET large file" | timeout 20 socat -t 10 - "TCP:127.0.0.1:$port" |
    tail -c +10 >"$scratch/copy"
expect "GET by socat" same "$(same "$scratch/large" "$scratch/copy")"
expect "several on one connection" "+0 +4 +4 +4 one -no such file or directory +0" \
    "$(printf 'PUT nil 0\nPUT b 4\ntwo\nPUT b 4\none\nGET b\nGET c\nDELETE b\n' |
        timeout 20 nc -N 127.0.0.1 "$port" | tr '\n' ' ' | sed 's/ $//')"
expect "a way out" "-invalid argument" "$(say "GET ../large")"
expect "a way out, writing" "-invalid argument" "$(say "PUT ../x 1")"
expect "a hidden file" "-invalid argument" "$(say "GET .hidden")"
expect "a link" "-too many levels of symbolic links" "$(say "GET link")"
expect "a folder" "-is a directory" "$(say "GET below")"
expect "what is no file" "-is a directory" "$(say "GET fifo")"
expect "no such command" "-invalid argument" "$(say "FETCH nil")"
expect "too much" "-invalid argument" "$(say "PUT x 99999999999999999999")"
expect "an endless line" "-message too large" \
    "$(head -c 100000 /dev/zero | tr '\0' x | timeout 20 nc -N 127.0.0.1 "$port")"

# An upload that breaks off leaves nothing, whether the client goes or the server.
expect "cut short" "" "$(say "PUT half 1000" "not all")"
mkfifo "$scratch/half"
nc -N 127.0.0.1 "$port" <"$scratch/half" &
started="$started $!"
exec 9>"$scratch/half"
printf 'PUT half 1000\nsome' >&9
uploads() {
    find "$scratch/folder" -name '.upload*' | wc -l
}
wait_until sh -c "[ -n \"\$(find '$scratch/folder' -name '.upload*')\" ]"
exec 9>&-
stop fileserver
expect "what is left" "0 large file nil" \
    "$(uploads | tr -d ' ') $(cd "$scratch/folder" && find . -type f -name '[a-z]*' | sort |
        tr -d './' | tr '\n' ' ' | sed 's/ $//')"
exit $status
