#!/bin/sh
# Every operation that the public headers have says in a dump what it waits for, and a test awaits
# it and asks: tests/debug/test_describe*.c.
set -eu
export LC_ALL=C
root=${ALOOP_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}

# These wait for nothing, are coroutines that are called, or change another operation.
exempt='call_op cancellable generator_close generator_next generator_open_op generator_yield
group_start_op op_identity op_make_ op_with_timeout start_server_op timeout_enter timeout_enter_at
join_op_ socket_op_ stream_read_op_'
# These are asked by the name of their macro.
macros='group_start_and_wait_op:group_start_and_wait shield_op_future:shield shield_op_task:shield'

operations=$(cat "$root"/include/aloop/*.h | tr '\n' ' ' |
    grep -oE '(ALOOP_API( ALOOP_CHECKED)?|static inline) +aloop_op +aloop_[a-z_]+\(' |
    sed 's/.* aloop_//; s/($//' | sort -u)
count=0
status=0
for operation in $operations; do
    name=$operation
    for word in $exempt; do
        [ "$word" != "$operation" ] || name=
    done
    for pair in $macros; do
        [ "${pair%%:*}" != "$operation" ] || name=${pair#*:}
    done
    [ -n "$name" ] || continue
    count=$((count + 1))
    if ! grep -qE "(^|[^a-z_])aloop_$name\(" "$root"/tests/debug/test_describe*.c; then
        echo "aloop_$operation(): no test asks what it waits for"
        status=1
    fi
done
# The headers have changed their looks, and nothing was checked.
[ "$count" -ge 60 ] || { echo "only $count operations were found"; status=1; }
exit $status
