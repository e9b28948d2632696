#!/bin/sh
# ctest: timeout=120 The script for gdb prints what aloop_dump() does: of a process that hangs, and
# of its core file.
set -eu
export LC_ALL=C
root=${ALOOP_SOURCE_DIR:?}
command -v gdb >/dev/null || { echo "no gdb"; exit 77; }
# The model of kqueue is linked to the programs of the build only.
if grep -q '^ALOOP_TEST_OVER_KQUEUE:BOOL=ON' "$ALOOP_BINARY_DIR/CMakeCache.txt"; then
    echo "over the model of kqueue"
    exit 77
fi
scratch=$(mktemp -d)
process=
trap '[ -z "$process" ] || kill -9 "$process" 2>/dev/null || true; rm -rf "$scratch"' EXIT

cat >"$scratch/hanging.c" <<'PROGRAM'
#include <aloop.h>
#include <sys/socket.h>
#include <unistd.h>

aloop *loop;

struct reader { ALOOP_FRAME; aloop_socket *socket; char byte; };
ALOOP_CORO(reader)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_wait_for(aloop_recv(self->socket, &self->byte, 1), ALOOP_SEC(1000)));
    ALOOP_END;
}

struct locking { ALOOP_FRAME; aloop_lock *lock; aloop_hold hold; };
ALOOP_CORO(locking)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_lock_enter(self->lock, &self->hold));
    ALOOP_TRY(aloop_sleep(ALOOP_SEC(2000)));
    ALOOP_END;
}

struct gathering { ALOOP_FRAME; aloop_task *tasks[2]; aloop_lock *lock; };
ALOOP_CORO(gathering)
{
    ALOOP_BEGIN;
    self->tasks[0] = aloop_create_task(locking, .lock = self->lock);
    self->tasks[1] = aloop_create_task(locking, .lock = self->lock);
    ALOOP_TRY(aloop_gather(self->tasks[0], self->tasks[1]));
    ALOOP_END;
}

struct root {
    ALOOP_FRAME;
    aloop_socket socket;
    aloop_group group;
    aloop_lock lock;
    aloop_queue queue;
    aloop_select_case cases[2];
    int fds[2];
    int item;
};

static void hang(aloop *of, void *arg)
{
    (void)aloop_dump(of, arg);
    (void)fclose(arg);
    for (;;)
        pause();
}

ALOOP_CORO(root)
{
    ALOOP_BEGIN;
    loop = aloop_get_running_loop();
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, self->fds) < 0 ||
        aloop_socket_adopt(loop, self->fds[0], &self->socket) < 0 ||
        aloop_queue_init(&self->queue, loop, sizeof(int), 4) < 0 ||
        aloop_call_later(loop, ALOOP_MS(50), hang, stdout) < 0)
        ALOOP_RETURN(-EIO);
    aloop_group_init(&self->group);
    ALOOP_TRY(aloop_group_start(&self->group, reader, .socket = &self->socket));
    ALOOP_TRY(aloop_group_start(&self->group, gathering, .lock = &self->lock));
    self->cases[0].op = aloop_queue_get(&self->queue, &self->item);
    self->cases[1].op = aloop_readable(self->fds[1]);
    ALOOP_TRY(aloop_select(self->cases, 2));
    ALOOP_END;
}

int main(void)
{
    return -aloop_run(root);
}
PROGRAM
${ALOOP_CC:-cc} -std=c11 -D_POSIX_C_SOURCE=200809L -g -I"$root/include" "$scratch/hanging.c" \
    "${ALOOP_STATIC_LIBRARY:?}" -pthread -o "$scratch/hanging" 2>"$scratch/log" ||
    { cat "$scratch/log"; echo "the library needs more than a plain program has"; exit 77; }

# The end of its output says that it hangs.
mkfifo "$scratch/out"
"$scratch/hanging" >"$scratch/out" &
process=$!
sed 1d "$scratch/out" >"$scratch/expected"
[ -s "$scratch/expected" ] || { echo "the program printed nothing"; exit 1; }

status=0
# compare WHAT ARGUMENTS...: what gdb says with these.
compare() {
    what=$1
    shift
    gdb -nx -batch -ex "source $root/src/debug/aloop_gdb.py" -ex "aloop-dump $expression" "$@" \
        >"$scratch/said" 2>"$scratch/errors" || true
    if grep -Eq 'ptrace: Operation not permitted|Could not attach|no debug information' \
        "$scratch/errors"; then
        cat "$scratch/errors"
        exit 77
    fi
    sed -n '/^root#/,$p' "$scratch/said" | grep -v '^\[Inferior' >"$scratch/dump" || true
    if cmp -s "$scratch/expected" "$scratch/dump"; then
        echo "ok: $what"
    else
        echo "WRONG: $what"
        diff "$scratch/expected" "$scratch/dump" || true
        cat "$scratch/errors"
        status=1
    fi
}

expression=
compare "a process that hangs, its loop found" -p "$process" "$scratch/hanging"
expression=loop
compare "a process that hangs, its loop named" -p "$process" "$scratch/hanging"
gdb -nx -batch -p "$process" -ex "generate-core-file $scratch/core" >/dev/null 2>&1 || true
if [ -s "$scratch/core" ]; then
    compare "a core file" "$scratch/hanging" "$scratch/core"
fi
exit $status
