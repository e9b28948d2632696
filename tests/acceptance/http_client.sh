#!/bin/sh
# ctest: timeout=60 The HTTP client of the examples against servers that others wrote: nginx, a
# server on asyncio, and the example web server.
set -eu
export LC_ALL=C
examples=${ALOOP_BINARY_DIR:?}/examples
[ -x "$examples/http_client" ] || { echo "the examples are not built"; exit 77; }
nginx=$(PATH=$PATH:/usr/sbin command -v nginx) || { echo "no nginx"; exit 77; }
command -v python3 >/dev/null || { echo "no python3"; exit 77; }
. "${ALOOP_SOURCE_DIR:?}/tests/support/peers.sh"

get() {
    timeout 20 "$examples/http_client" "$@"
}

# fetch WHAT URL CODE WANTED: the exit code, and the output, or its file.
fetch() {
    code=0
    get "$2" >"$scratch/got" 2>"$scratch/said" || code=$?
    expect "$1" "$3" "$code"
    if [ -f "$4" ]; then
        expect "$1: the content" same "$(same "$4" "$scratch/got")"
    else
        expect "$1: the content" "$4" "$(cat "$scratch/got")"
    fi
}

mkdir "$scratch/root"
head -c 5000000 /dev/urandom >"$scratch/root/large"
echo hello >"$scratch/root/small"
: >"$scratch/root/empty"

# nginx cannot say which port it got. So it gets a socket that listens already, by the way on which
# it hands them to its own successor.
cat >"$scratch/nginx.py" <<'PYTHON'
import grp, os, pwd, socket, sys
nginx, folder = sys.argv[1:]
listener = socket.create_server(("127.0.0.1", 0))
port = listener.getsockname()[1]
user = pwd.getpwuid(os.getuid()).pw_name
group = grp.getgrgid(os.getgid()).gr_name
with open(folder + "/nginx.conf", "w") as file:
    file.write(f"""
        daemon off; worker_processes 1; user {user} {group};
        pid {folder}/nginx.pid; error_log {folder}/nginx.log;
        events {{ }}
        http {{
            access_log off;
            client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2;
            fastcgi_temp_path {folder}/t3; uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
            default_type text/plain; gzip off;
            server {{
                listen 127.0.0.1:{port};
                root {folder}/root;
                location /moved {{ return 302 /small; }}
                location /far {{ return 301 http://localhost:{port}/moved; }}
                location /round {{ return 302 /round; }}
                location /nothing {{ return 204; }}
                # A body of unknown length is sent in chunks.
                location /chunked/ {{ alias {folder}/root/; ssi on; ssi_types *; }}
            }}
        }}""")
print(port, flush=True)
os.set_inheritable(listener.fileno(), True)
os.environ["NGINX"] = f"{listener.fileno()};"
os.execv(nginx, [nginx, "-e", folder + "/nginx.log", "-c", folder + "/nginx.conf"])
PYTHON
start nginx python3 "$scratch/nginx.py" "$nginx" "$scratch"
url=http://localhost:$words
fetch "nginx: a file" "$url/small" 0 hello
fetch "nginx: a large one" "$url/large" 0 "$scratch/root/large"
fetch "nginx: an empty one" "$url/empty" 0 ""
fetch "nginx: chunks" "$url/chunked/large" 0 "$scratch/root/large"
fetch "nginx: moved" "$url/moved" 0 hello
fetch "nginx: moved twice" "$url/far" 0 hello
fetch "nginx: round and round" "$url/round" 1 ""
expect "nginx: and why" "http_client: too many levels of symbolic links" "$(cat "$scratch/said")"
fetch "nginx: no content" "$url/nothing" 0 ""
get "$url/none" >/dev/null 2>"$scratch/said" || true
expect "nginx: not there" "http_client: the server says 404" "$(cat "$scratch/said")"

# A server that says things in pieces of its own choice, and not always to their end.
cat >"$scratch/server.py" <<'PYTHON'
import asyncio

async def serve(reader, writer):
    head = await reader.readuntil(b"\r\n\r\n")
    path = head.split()[1]
    if path == b"/bytes":
        # Each in a packet of its own.
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n":
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
    elif path == b"/chunks":
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for size in range(1, 400):
            writer.write(b"%X;x=y\r\n%s\r\n" % (size, b"c" * size))
            await writer.drain()
        writer.write(b"0\r\nTrailer: yes\r\n\r\n")
    elif path == b"/cut":
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel")
    elif path == b"/head":
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Le")
    elif path == b"/long":
        writer.write(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100000)
    elif path == b"/noise":
        writer.write(b"\x00\x01\x02 nothing of the kind\r\n\r\n")
    else:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\n\r\nto the end\n")
    writer.close()

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
PYTHON
start asyncio python3 "$scratch/server.py"
url=http://127.0.0.1:$words
head -c 79800 /dev/zero | tr '\0' c >"$scratch/chunks"
fetch "asyncio: a byte at a time" "$url/bytes" 0 hello
fetch "asyncio: chunks" "$url/chunks" 0 "$scratch/chunks"
fetch "asyncio: to the end" "$url/" 0 "to the end"
fetch "asyncio: cut short" "$url/cut" 1 hel
fetch "asyncio: in the head" "$url/head" 1 ""
fetch "asyncio: an endless line" "$url/long" 1 ""
fetch "asyncio: noise" "$url/noise" 1 ""
expect "asyncio: and why" "http_client: protocol error" "$(cat "$scratch/said")"

# Our own, at last, by an address and by a name; and nobody.
start httpd "$examples/httpd" "$scratch/root" 0
url=${words##* }
fetch "httpd: a large file" "${url}large" 0 "$scratch/root/large"
fetch "httpd: a list" "$url" 0 "$(get "$url")"
fetch "a bad URL" "ftp://localhost/" 1 ""
fetch "a bad port" "http://localhost:nothing/" 1 ""
stop httpd
stop nginx
fetch "nobody there" "$url" 1 ""
expect "and why" "http_client: connection refused" "$(cat "$scratch/said")"
exit $status
