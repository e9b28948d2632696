#!/bin/sh
# The web server of the examples and nginx, one file of 13 bytes, under a load that others wrote:
# wrk, with 64 connections. It is the bottleneck itself on two CPUs: a proof that the server stands
# it, and no more. Usage: wrk.sh BUILD_FOLDER ROUNDS SECONDS CSV_FILE
set -eu
export LC_ALL=C
httpd=$1/examples/httpd rounds=$2 seconds=$3 csv=$4
for program in wrk nginx; do
    command -v $program >/dev/null || { echo "wrk.sh needs $program"; exit 77; }
done
scratch=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill -9 "$server" 2>/dev/null || true; rm -rf "$scratch"' EXIT
chmod 755 "$scratch"
mkdir "$scratch/root"
echo "hello, world" >"$scratch/root/hello.txt"
mkfifo "$scratch/out"

# on CPU COMMAND...
on() {
    cpu=$1
    shift
    if command -v taskset >/dev/null; then exec taskset -c "$cpu" "$@"; else exec "$@"; fi
}

# Port 0 is a free one, and the server says which.
start_httpd() {
    (on 0 "$httpd" "$scratch/root" 0) >"$scratch/out" &
    server=$!
    exec 3<"$scratch/out"
    read -r words <&3
    url=${words##* }
    url=${url%/}
}

# On the port that the other one had.
start_nginx() {
    cat >"$scratch/nginx.conf" <<CONF
daemon off;
master_process off;
pid $scratch/pid;
error_log /dev/null crit;
events { worker_connections 1024; }
http {
    access_log off;
    sendfile on;
    tcp_nodelay on;
    keepalive_requests 1000000000;
    client_body_temp_path $scratch;
    proxy_temp_path $scratch;
    fastcgi_temp_path $scratch;
    uwsgi_temp_path $scratch;
    scgi_temp_path $scratch;
    server { listen ${url#http://}; root $scratch/root; }
}
CONF
    (on 0 nginx -p "$scratch" -e /dev/null -c "$scratch/nginx.conf") &
    server=$!
    tries=0
    until [ $tries -ge 100 ] || (on 1 wrk -t1 -c1 -d1 "$url/hello.txt") >/dev/null 2>&1; do
        tries=$((tries + 1))
    done
}

stop() {
    kill -9 "$server"
    wait "$server" 2>/dev/null || true
    server=
}

measure() {
    (on 1 wrk -t1 -c64 -d"$seconds" "$url/hello.txt") >"$scratch/said"
    if grep -E 'Non-2xx|Socket errors' "$scratch/said"; then
        echo "$1 did not answer everything"
        exit 1
    fi
    awk -v engine="$1" '$1 == "Requests/sec:" { print engine, $2 }' "$scratch/said" \
        >>"$scratch/samples"
}

round=0
while [ $round -lt "$rounds" ]; do
    start_httpd
    measure libaloop-httpd
    stop
    start_nginx
    measure nginx
    stop
    round=$((round + 1))
done

echo
echo "wrk: requests per second ($rounds rounds)"
printf '%-18s %-18s %10s %10s %10s %6s\n' work engine median min max ratio
for engine in libaloop-httpd nginx; do
    awk -v engine=$engine '$1 == engine { print $2 }' "$scratch/samples" | sort -n |
        awk -v engine=$engine -v csv="$csv" -v kept="$scratch/first" '
            { value[NR] = $1 }
            END {
                median = (value[int((NR + 1) / 2)] + value[int(NR / 2) + 1]) / 2
                if ((getline first <kept) <= 0) {
                    first = median
                    print median >kept
                }
                printf "%-18s %-18s %10.0f %10.0f %10.0f %6.2f\n", "c64", engine, median,
                    value[1], value[NR], first / median
                printf "wrk,c64,%s,\"requests per second\",more,%.6g,%.6g,%.6g,%.4g,%d\n", engine,
                    median, value[1], value[NR], first / median, NR >>csv
            }'
done
