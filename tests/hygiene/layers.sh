#!/bin/sh
# The rules that keep the layers apart: who may include whom, who may call the operating system, the
# C library's memory, and what a library never does to its host.
set -eu
export LC_ALL=C
root=${ALOOP_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
here=$(cd "$(dirname "$0")" && pwd)
cd "$root"

sources=$(find src -name '*.[ch]' | sort)
headers=$(find include -name '*.h' | sort)
[ -n "$sources" ] && [ -n "$headers" ] || { echo "no sources found in $root"; exit 1; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# shellcheck disable=SC2086
awk -f "$here/code.awk" $sources >"$scratch/src"
# shellcheck disable=SC2086
awk -f "$here/code.awk" $headers >"$scratch/include"
: >"$scratch/found"

# Includes go down, or stay in their folder.
awk -F: '
BEGIN {
    n = split("base sys poller loop task io debug", order, " ")
    for (i = 1; i <= n; i++)
        rank[order[i]] = i
    rank["os"] = rank["io"]
}
{
    code = substr($0, length($1) + length($2) + 3)
    if (code !~ /^[ ]*#[ ]*include[ ]*"/)
        next
    split($1, from, "/")
    sub(/^[^"]*"/, "", code)
    sub(/".*$/, "", code)
    to = code
    sub(/\/.*$/, "", to)
    where = $1 ":" $2 ": "
    if (!(from[2] in rank))
        print where "the folder " from[2] " is no known layer"
    else if (code !~ /\// || !(to in rank))
        print where "\"" code "\" does not name a layer of src, as \"base/list.h\" does"
    else if (to != from[2] && rank[to] >= rank[from[2]])
        print where from[2] " may not include " to " (\"" code "\")"
}' "$scratch/src" >>"$scratch/found"

awk -F: '{
    code = substr($0, length($1) + length($2) + 3)
    if (code ~ /^[ ]*#[ ]*include[ ]*"/)
        print $1 ":" $2 ": a public header includes only <...>"
    if ($1 !~ /short_names\.h$/ && code ~ /^[ ]*#[ ]*define[ ]/ &&
        code !~ /define[ ]+(ALOOP|aloop)_/)
        print $1 ":" $2 ": a public macro without the prefix ALOOP_"
}' "$scratch/include" >>"$scratch/found"

# forbid NAMES PLACES WHY: a call of one of NAMES outside of the files that match the pattern
# PLACES. A name after "." or "->" is a member of a table, which is how the library is to call.
forbid() {
    awk -F: -v names="$1" -v places="$2" -v why="$3" '
    BEGIN {
        n = split(names, list, " ")
        for (i = 1; i <= n; i++)
            banned[list[i]] = 1
    }
    $1 ~ places { next }
    {
        rest = substr($0, length($1) + length($2) + 3)
        before = ""
        while (match(rest, /[A-Za-z_][A-Za-z_0-9]*[ ]*\(/)) {
            name = substr(rest, RSTART, RLENGTH - 1)
            sub(/[ ]*$/, "", name)
            before = substr(rest, 1, RSTART - 1)
            if ((name in banned) && before !~ /(\.|->)[ ]*$/)
                print $1 ":" $2 ": " name "() " why
            rest = substr(rest, RSTART + RLENGTH)
        }
    }' "$scratch/src" >>"$scratch/found"
}

forbid "read write readv writev pread pwrite recv recvfrom recvmsg recvmmsg send sendto sendmsg
    sendmmsg sendfile
    splice accept accept4 connect bind listen socket socketpair shutdown close open openat creat
    pipe pipe2 dup dup2 dup3 fcntl ioctl fstat stat lstat unlink rename
    mkdir rmdir opendir fdopendir readdir closedir fsync fdatasync ftruncate truncate getsockopt
    setsockopt getsockname
    getpeername poll ppoll select pselect epoll_create epoll_create1 epoll_ctl epoll_wait
    epoll_pwait epoll_pwait2 kqueue kevent eventfd timerfd_create timerfd_settime signalfd
    clock_gettime
    clock_nanosleep nanosleep gettimeofday time sleep usleep fork vfork waitpid waitid wait4 wait
    execv execve execvp execvpe posix_spawn posix_spawnp kill raise sigaction signal sigprocmask
    pthread_sigmask pthread_create pthread_join pthread_detach pthread_mutex_lock
    pthread_mutex_unlock pthread_cond_wait pthread_cond_signal pthread_atfork getaddrinfo
    getnameinfo syscall mmap munmap sysconf getpid" \
    "^src/sys/" "is the operating system's: only src/sys may call it"
forbid "malloc calloc realloc free aligned_alloc posix_memalign strdup strndup asprintf" \
    "^src/base/memory\\.c$" "goes past the allocator: only src/base/memory.c may call it"
forbid "abort exit _Exit quick_exit atexit printf vprintf puts putchar perror" \
    "^nowhere$" "is not a library's to call"
# A child between fork and exec has no other way to end.
forbid "_exit" "^src/sys/" "is not a library's to call"
forbid "strerror strtok rand srand setenv putenv setlocale localtime gmtime alloca" \
    "^nowhere$" "is not safe in a library that lives among threads"

# What is printed goes to where the program said.
awk -F: '{
    code = substr($0, length($1) + length($2) + 3)
    if (code ~ /(^|[^A-Za-z_0-9])(stdin|stdout|stderr)([^A-Za-z_0-9]|$)/)
        print $1 ":" $2 ": the standard streams are the program\047s"
}' "$scratch/src" >>"$scratch/found"

# errno is turned into a return value where it arises.
awk -F: '$1 !~ /^src\/sys\// {
    code = substr($0, length($1) + length($2) + 3)
    if (code !~ /^[ ]*#/ && code ~ /(^|[^A-Za-z_0-9])errno([^A-Za-z_0-9]|$)/)
        print $1 ":" $2 ": errno is read in src/sys only"
}' "$scratch/src" >>"$scratch/found"

# Every folder says what lives there.
for folder in src src/*/; do
    folder=${folder%/}
    if [ -n "$(find "$folder" -type f)" ] && [ ! -f "$folder/README.md" ]; then
        echo "$folder: has no README.md" >>"$scratch/found"
    fi
done

if [ -s "$scratch/found" ]; then
    sort -u "$scratch/found"
    exit 1
fi
echo "layers: $(echo "$sources" "$headers" | wc -w) files, no violation"
