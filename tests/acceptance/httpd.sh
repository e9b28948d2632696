#!/bin/sh
# ctest: timeout=120 The web server of the examples against clients that others wrote: curl, and wrk
# if there is one.
set -eu
export LC_ALL=C
httpd=${ALOOP_BINARY_DIR:?}/examples/httpd
[ -x "$httpd" ] || { echo "the examples are not built"; exit 77; }
command -v curl >/dev/null || { echo "no curl"; exit 77; }
scratch=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill -9 "$server" 2>/dev/null || true; rm -rf "$scratch"' EXIT

mkdir -p "$scratch/root/sub"
echo "hello" >"$scratch/root/hello.txt"
echo "<p>index</p>" >"$scratch/root/index.html"
echo "secret" >"$scratch/secret"
echo "secret" >"$scratch/root/.hidden"
ln -s ../secret "$scratch/root/link"
dd if=/dev/urandom of="$scratch/root/large.bin" bs=65536 count=160 2>/dev/null

# The address comes through a pipe: reading it waits for the server, and for nothing else.
mkfifo "$scratch/out"
"$httpd" "$scratch/root" 0 >"$scratch/out" &
server=$!
exec 3<"$scratch/out"
read -r words <&3
url=${words##* }
url=${url%/}

status=0
# expect WHAT WANTED GOT
expect() {
    if [ "$2" = "$3" ]; then
        echo "ok: $1"
    else
        echo "WRONG: $1: wanted '$2', got '$3'"
        status=1
    fi
}
code() {
    curl -s -o /dev/null -w '%{http_code}' --max-time 20 "$@"
}

expect "a file" "hello" "$(curl -s --max-time 20 "$url/hello.txt")"
expect "the index" "<p>index</p>" "$(curl -s --max-time 20 "$url/")"
expect "content type" "text/html; charset=utf-8" \
    "$(curl -s -o /dev/null -w '%{content_type}' "$url/index.html")"
expect "HEAD" "200 0" \
    "$(curl -s -I -o /dev/null -w '%{http_code} %{size_download}' "$url/hello.txt")"
expect "not there" 404 "$(code "$url/nothing")"
expect "a way out" 404 "$(code --path-as-is "$url/../secret")"
expect "the same in disguise" 404 "$(code --path-as-is "$url/%2e%2e/secret")"
expect "a slash in disguise" 404 "$(code --path-as-is "$url/..%2fsecret")"
expect "a link" 404 "$(code "$url/link")"
expect "a hidden file" 404 "$(code "$url/.hidden")"
expect "a redirection" 200 "$(code -L "$url/sub")"
expect "POST" 405 "$(code -d data "$url/hello.txt")"
expect "a chunked body" 501 "$(code -H 'Transfer-Encoding: chunked' -d data "$url/hello.txt")"
expect "a body of two sizes" 400 \
    "$(code -H 'Content-Length: 0' -H 'Content-Length: 40' "$url/hello.txt")"
expect "HTTP/1.0" 200 "$(code -0 "$url/hello.txt")"
expect "a large header" 431 "$(code -H "X: $(head -c 9000 /dev/zero | tr '\0' x)" "$url/")"
expect "two on one connection" "1 0" \
    "$(curl -s -o /dev/null -o /dev/null -w '%{num_connects} ' "$url/hello.txt" "$url/" |
        sed 's/ $//')"
curl -s --max-time 60 -o "$scratch/copy" "$url/large.bin"
if cmp -s "$scratch/copy" "$scratch/root/large.bin"; then same=yes; else same=no; fi
expect "a large file" yes $same
curl -s --max-time 20 -r 1000000-1999999 -o "$scratch/part" "$url/large.bin"
tail -c +1000001 "$scratch/root/large.bin" | head -c 1000000 >"$scratch/wanted"
if cmp -s "$scratch/part" "$scratch/wanted"; then same=yes; else same=no; fi
expect "a part of it" yes $same
head -c 3000000 "$scratch/root/large.bin" >"$scratch/part"
curl -s --max-time 20 -C - -o "$scratch/part" "$url/large.bin"
if cmp -s "$scratch/part" "$scratch/root/large.bin"; then same=yes; else same=no; fi
expect "a download that goes on" yes $same
expect "a part beyond the end" 416 "$(code -r 99999999- "$url/large.bin")"
expect "what has not changed" 304 "$(code -z "$scratch/root/hello.txt" "$url/hello.txt")"

if command -v wrk >/dev/null; then
    wrk -t1 -c32 -d1s "$url/hello.txt" >"$scratch/wrk"
    if grep -E 'Socket errors|Non-2xx' "$scratch/wrk"; then errors=yes; else errors=no; fi
    expect "errors under load" no $errors
fi

# A slow download is under way when the server is told to stop: it gets all of it.
curl -s --max-time 60 --limit-rate 20M -o "$scratch/slow" -w '%{http_code}' "$url/large.bin" \
    >"$scratch/slow.code" &
client=$!
while ! [ -s "$scratch/slow" ]; do
    kill -0 $client 2>/dev/null || break
done
kill -TERM "$server"
wait "$client" || true
if cmp -s "$scratch/slow" "$scratch/root/large.bin"; then same=yes; else same=no; fi
expect "a download during the stop" "yes 200" "$same $(cat "$scratch/slow.code")"
if wait "$server"; then ended=0; else ended=$?; fi
server=
expect "the end" 0 $ended
exit $status
