/*
 * Receiving. The call is made when the direction may be ready, and not to hear that it is not: what
 * a short read has emptied is not asked again before the poller has news. Hence one recv for a
 * message, and none for the wait behind it.
 *
 * A read also ends short where a peer has marked data as urgent, which nobody does any more: what
 * is behind the mark is then read when more comes, or the end.
 */
#include "io/internal.h"

/* arg: the socket (see op_begin), the buffer, its size; of recv, when it waits, its watch; and of
   recv_exactly the count of what has come, of recv_exactly_counting a pointer to that */
enum { SOCKET, BUFFER, SIZE, WATCH, COUNT = WATCH };

/* Takes account of a read that gave `got` of `size` bytes. */
static inline void received(aloop *loop, struct watch *watch, ssize_t got, size_t size)
{
    /* After a hang-up there will be no other news: the end is found by reading on. */
    if ((size_t)got < size && watch->is_tcp && !watch->hangup)
        socket_used_up(loop, watch, POLLER_READ);
    loop->budget -= (int)((size_t)got >> 10);
}

/* One read: the number of bytes, or an error, -EAGAIN if it has to wait. */
static ssize_t receive(aloop *loop, struct watch *watch, void *buffer, size_t size)
{
    size_t most = size < TRANSFER_MAX ? size : TRANSFER_MAX;
    ssize_t got;

    if (!(watch->ready & POLLER_READ))
        return -EAGAIN;
    got = sys.recv(watch->fd, buffer, most, 0);
    if (got > 0)
        received(loop, watch, got, most);
    else if (got == -EAGAIN)
        socket_used_up(loop, watch, POLLER_READ);
    return got;
}

static aloop_poll wait_for_input(aloop_op *op, struct watch *watch)
{
    watch->busy |= POLLER_READ;
    return aloop_op_wait(op, &watch->readers);
}

/* Not waiting any more, for whatever reason. */
static void recv_drop(aloop_task *task, aloop_op *op)
{
    struct watch *watch = watch_find(task->future.loop, op->arg[SOCKET].number);

    if (watch != NULL)
        watch->busy &= (uint8_t)~POLLER_READ;
}

const aloop_op_type aloop_recv_type_ = {
    .name = "recv", .drop = recv_drop, .describe = describe_watch};
static const aloop_op_type exactly_type = {
    .name = "recv_exactly", .drop = recv_drop, .describe = describe_watch};
static const aloop_op_type counting_type = {
    .name = "recv_exactly", .drop = recv_drop, .describe = describe_watch};

/* --- what there is --- */

static aloop_poll recv_poll(aloop_task *task, aloop_op *op);

static aloop_poll recv_wait(aloop_op *op, struct watch *watch)
{
    op->arg[WATCH].pointer = watch;
    op->poll = recv_poll;
    return wait_for_input(op, watch);
}

/* Apart, so that who has to wait saves no registers. */
static NOINLINE aloop_poll recv_now(aloop_task *task, aloop_op *op, struct watch *watch)
{
    ssize_t got;

    if (ALOOP_UNLIKELY(!(watch->ready & POLLER_READ)))
        return recv_wait(op, watch);
    got = sys.recv(watch->fd, op->arg[BUFFER].pointer, op->arg[SIZE].size, 0);
    if (ALOOP_LIKELY(got > 0)) {
        received(task->future.loop, watch, got, op->arg[SIZE].size);
    } else if (got == -EAGAIN) {
        socket_used_up(task->future.loop, watch, POLLER_READ);
        return recv_wait(op, watch);
    }
    watch->busy &= (uint8_t)~POLLER_READ;
    return got;
}

/* The slot of a watch stays where it is, so that its number tells whether it is the one still. */
static aloop_poll recv_poll(aloop_task *task, aloop_op *op)
{
    struct watch *watch = op->arg[WATCH].pointer;

    if (ALOOP_UNLIKELY(!slot_has_number(&watch->slot, op->arg[SOCKET].number)))
        return -ECANCELED;
    return recv_now(task, op, watch);
}

aloop_poll aloop_recv_poll_(aloop_task *task, aloop_op *op)
{
    int error;
    struct watch *watch = op_begin(task, op, &error);

    if (ALOOP_UNLIKELY(watch == NULL))
        return error;
    if (ALOOP_UNLIKELY(watch->busy & POLLER_READ))
        return -EBUSY;
    if (ALOOP_UNLIKELY(op->arg[SIZE].size - 1 >= TRANSFER_MAX)) {
        if (op->arg[SIZE].size == 0)
            return 0;
        op->arg[SIZE].size = TRANSFER_MAX;
    }
    return watch->ready & POLLER_READ ? recv_now(task, op, watch) : recv_wait(op, watch);
}

/* --- exactly so much --- */

static size_t *exactly_count(aloop_op *op)
{
    return op->type == &counting_type ? op->arg[COUNT].pointer : &op->arg[COUNT].size;
}

static aloop_poll exactly_poll(aloop_task *task, aloop_op *op)
{
    aloop *loop = task->future.loop;
    struct watch *watch = watch_find(loop, op->arg[SOCKET].number);
    size_t *count = exactly_count(op);

    if (ALOOP_UNLIKELY(watch == NULL))
        return -ECANCELED;
    while (*count < op->arg[SIZE].size) {
        ssize_t got = receive(loop, watch, (char *)op->arg[BUFFER].pointer + *count,
                              op->arg[SIZE].size - *count);

        if (got == -EAGAIN)
            return wait_for_input(op, watch);
        if (got <= 0) {
            watch->busy &= (uint8_t)~POLLER_READ;
            return got < 0 ? got : -ALOOP_EEOF;
        }
        *count += (size_t)got;
        /* A connection that is never empty lets the others have their turn. */
        if (loop->budget <= 0 && *count < op->arg[SIZE].size) {
            watch->busy |= POLLER_READ;
            return aloop_op_yield(task);
        }
    }
    watch->busy &= (uint8_t)~POLLER_READ;
    return (int64_t)op->arg[SIZE].size;
}

static aloop_poll exactly_begin(aloop_task *task, aloop_op *op)
{
    int error;
    const struct watch *watch;

    *exactly_count(op) = 0;
    watch = op_begin(task, op, &error);
    if (watch == NULL)
        return error;
    if (watch->busy & POLLER_READ)
        return -EBUSY;
    op->poll = exactly_poll;
    return exactly_poll(task, op);
}

aloop_op aloop_recv_exactly(const aloop_socket *socket, void *buffer, size_t size)
{
    return (aloop_op){.poll = exactly_begin,
                      .type = &exactly_type,
                      .arg = {{.data = socket}, {.pointer = buffer}, {.size = size}}};
}

aloop_op aloop_recv_exactly_counting(const aloop_socket *socket, void *buffer, size_t size,
                                     size_t *out_count)
{
    return (aloop_op){
        .poll = exactly_begin,
        .type = &counting_type,
        .arg = {{.data = socket}, {.pointer = buffer}, {.size = size}, {.pointer = out_count}}};
}
