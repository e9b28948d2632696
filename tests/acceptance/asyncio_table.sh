#!/bin/sh
# ctest: timeout=60 Each line of C in the table "From asyncio" of examples/README.md compiles.
set -eu
export LC_ALL=C
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
tour=${ALOOP_SOURCE_DIR:?}/examples/README.md

# The last column of each row, without its backquotes.
awk '/^## / { inside = $0 == "## From asyncio" }
inside && /^\| / && !/^\| (asyncio|---)/ {
    count = split($0, column, " [|] ")
    text = column[count]
    sub(/^`/, "", text)
    sub(/` \|$/, "", text)
    print text
}' "$tour" >"$scratch/lines"
lines=$(wc -l <"$scratch/lines")
[ "$lines" -ge 60 ] || { echo "asyncio_table: only $lines lines found"; exit 1; }

{
    cat <<'PRELUDE'
#include <aloop.h>
#include <fcntl.h>
struct f { ALOOP_FRAME; int n; };
ALOOP_CORO(f) { ALOOP_BEGIN; ALOOP_RETURN(self->n); ALOOP_END; }
struct main_task { ALOOP_FRAME; };
ALOOP_CORO(main_task) { ALOOP_BEGIN; ALOOP_END; }
static aloop_local key = ALOOP_LOCAL_INIT(NULL);
static aloop *loop;
static aloop_run_options options = ALOOP_RUN_OPTIONS_INIT;
static aloop_process_options child = ALOOP_PROCESS_OPTIONS_INIT;
static int64_t result;
static aloop_ns when;
static aloop_handle handle;
static int64_t error;
static size_t count;
static bool yes;
static const char *name;
static void *pointer;
static void callback(aloop_future *future, void *arg) { (void)future; (void)arg; }
static void soon(aloop *on, void *arg) { (void)on; (void)arg; }
static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
struct session { ALOOP_FRAME; aloop_stream stream; };
ALOOP_CORO(session) { ALOOP_BEGIN; ALOOP_END; }
static const aloop_slice separator = {.data = "\r\n", .size = 2};
struct table {
    ALOOP_FRAME;
    aloop_task *task, *tasks[3];
    aloop_future *future, *futures[3];
    int64_t results[3], x;
    aloop_group group;
    aloop_timeout timeout;
    aloop_as_completed it;
    aloop_select_case cases[2];
    aloop_lock lock;
    aloop_hold hold;
    aloop_event event;
    aloop_condition condition;
    aloop_semaphore semaphore;
    aloop_bounded_semaphore bounded;
    aloop_barrier barrier;
    aloop_queue queue;
    aloop_generator generator;
    aloop_signals signals;
    aloop_process process;
    aloop_output output;
    aloop_socket sock, listener;
    aloop_address address;
    aloop_addresses found;
    aloop_names names;
    aloop_stream stream;
    aloop_slice bytes;
    aloop_server server;
    aloop_server_options options;
    aloop_fds fds;
    aloop_directory directory;
    aloop_directory_entry entry;
    char buffer[8];
    int item;
};
ALOOP_CORO(table)
{
    ALOOP_BEGIN;
PRELUDE
    cat "$scratch/lines"
    cat <<'EPILOGUE'
    ALOOP_END;
}
int main(void)
{
    aloop_task_unref(aloop_create_task_in(loop, table));
    return (int)error + (int)result + (int)count + yes + (name != NULL) + (pointer != NULL);
}
EPILOGUE
} >"$scratch/table.c"

"${ALOOP_CC:-cc}" -std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Werror -Wno-misleading-indentation \
    -I"$ALOOP_SOURCE_DIR/include" -c -o "$scratch/table.o" "$scratch/table.c"
echo "asyncio_table: $lines lines compile"
