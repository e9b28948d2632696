/*
 * Sending: the counterpart of recv.c. Sending costs half as much of the task's budget as receiving,
 * so that an echo is measured by what it reads.
 */
#include "io/internal.h"

/* arg: the socket (see op_begin), the first byte, how many, and the count of those that are sent:
   of send_all the number itself, of send_all_counting a pointer to it */
enum { SOCKET, DATA, SIZE, COUNT };

/* A write did not take all it was given. */
static void took_less(aloop *loop, struct watch *watch, ssize_t put)
{
    if (put > 0)
        loop->budget -= (int)((size_t)put >> 11);
    /* After an error there may be no other news: that is found by writing on. */
    if (put == -EAGAIN || (put >= 0 && watch->is_tcp && !watch->hangup))
        socket_used_up(loop, watch, POLLER_WRITE);
}

/* One write: the number of bytes, or an error, -EAGAIN if it has to wait. */
static ssize_t transmit(aloop *loop, struct watch *watch, const void *data, size_t size)
{
    size_t most = size < TRANSFER_MAX ? size : TRANSFER_MAX;
    ssize_t put;

    if (!(watch->ready & POLLER_WRITE))
        return -EAGAIN;
    put = sys.send(watch->fd, data, most, 0);
    if ((size_t)put == most)
        loop->budget -= (int)(most >> 11);
    else
        took_less(loop, watch, put);
    return put;
}

static aloop_poll wait_for_room(aloop_op *op, struct watch *watch)
{
    watch->busy |= POLLER_WRITE;
    return aloop_op_wait(op, &watch->writers);
}

/* Not waiting any more, for whatever reason. */
void send_drop(aloop_task *task, aloop_op *op)
{
    struct watch *watch = watch_find(task->future.loop, op->arg[SOCKET].number);

    if (watch != NULL)
        sender_ended(watch);
}

const aloop_op_type aloop_send_type_ = {
    .name = "send", .drop = send_drop, .describe = describe_watch};
const aloop_op_type aloop_send_all_type_ = {
    .name = "send_all", .drop = send_drop, .describe = describe_watch};
static const aloop_op_type counting_type = {
    .name = "send_all", .drop = send_drop, .describe = describe_watch};

/* --- what goes now --- */

static inline aloop_poll send_some(aloop *loop, aloop_op *op, struct watch *watch)
{
    ssize_t put = transmit(loop, watch, op->arg[DATA].data, op->arg[SIZE].size);

    if (put == -EAGAIN)
        return wait_for_room(op, watch);
    sender_ended(watch);
    return put;
}

static aloop_poll send_poll(aloop_task *task, aloop_op *op)
{
    struct watch *watch = watch_find(task->future.loop, op->arg[SOCKET].number);

    return ALOOP_LIKELY(watch != NULL) ? send_some(task->future.loop, op, watch) : -ECANCELED;
}

aloop_poll aloop_send_poll_(aloop_task *task, aloop_op *op)
{
    int error;
    struct watch *watch = op_begin(task, op, &error);

    if (ALOOP_UNLIKELY(watch == NULL))
        return error;
    if (ALOOP_UNLIKELY(watch->busy & POLLER_WRITE))
        return -EBUSY;
    /* The system would be asked for nothing, and some answer that with an error. */
    if (ALOOP_UNLIKELY(op->arg[SIZE].size == 0))
        return 0;
    op->poll = send_poll;
    return send_some(task->future.loop, op, watch);
}

/* --- everything --- */

static size_t *all_count(aloop_op *op)
{
    return op->type == &counting_type ? op->arg[COUNT].pointer : &op->arg[COUNT].size;
}

static aloop_poll send_rest(aloop_task *task, aloop_op *op, struct watch *watch)
{
    aloop *loop = task->future.loop;
    size_t *count = all_count(op);

    while (*count < op->arg[SIZE].size) {
        ssize_t put;

        /* A peer that reads as fast as we write does not keep the others from their turn. */
        if (loop->budget <= 0) {
            watch->busy |= POLLER_WRITE;
            return aloop_op_yield(task);
        }
        put = transmit(loop, watch, (const char *)op->arg[DATA].data + *count,
                       op->arg[SIZE].size - *count);
        if (put == -EAGAIN)
            return wait_for_room(op, watch);
        if (put < 0) {
            sender_ended(watch);
            return put;
        }
        *count += (size_t)put;
    }
    sender_ended(watch);
    return (int64_t)op->arg[SIZE].size;
}

aloop_poll send_all_poll(aloop_task *task, aloop_op *op)
{
    struct watch *watch = watch_find(task->future.loop, op->arg[SOCKET].number);

    return ALOOP_LIKELY(watch != NULL) ? send_rest(task, op, watch) : -ECANCELED;
}

/* Nothing was written yet, or the first write took less than everything. */
static NOINLINE aloop_poll send_all_further(aloop_task *task, aloop_op *op, struct watch *watch,
                                            ssize_t put)
{
    if (put != 0)
        took_less(task->future.loop, watch, put);
    if (put < 0 && put != -EAGAIN)
        return put;
    op->poll = send_all_poll;
    op->arg[COUNT].size = put > 0 ? (size_t)put : 0;
    return send_rest(task, op, watch);
}

aloop_poll aloop_send_all_poll_(aloop_task *task, aloop_op *op)
{
    int error;
    struct watch *watch = op_begin(task, op, &error);
    size_t size = op->arg[SIZE].size;
    ssize_t put;

    if (ALOOP_UNLIKELY(watch == NULL))
        return error;
    if (ALOOP_UNLIKELY(watch->busy & POLLER_WRITE))
        return -EBUSY;
    if (ALOOP_UNLIKELY(!(watch->ready & POLLER_WRITE) || size - 1 >= TRANSFER_MAX))
        return send_all_further(task, op, watch, 0);
    /* As a rule it all goes. Nobody waits, so there is nothing to take back. */
    put = sys.send(watch->fd, op->arg[DATA].data, size, 0);
    if (ALOOP_UNLIKELY((size_t)put != op->arg[SIZE].size))
        return send_all_further(task, op, watch, put);
    task->future.loop->budget -= (int)((size_t)put >> 11);
    return put;
}

static aloop_poll counting_begin(aloop_task *task, aloop_op *op)
{
    int error;
    struct watch *watch;

    *all_count(op) = 0;
    watch = op_begin(task, op, &error);
    if (ALOOP_UNLIKELY(watch == NULL))
        return error;
    if (ALOOP_UNLIKELY(watch->busy & POLLER_WRITE))
        return -EBUSY;
    op->poll = send_all_poll;
    return send_rest(task, op, watch);
}

aloop_op aloop_send_all_counting(const aloop_socket *socket, const void *data, size_t size,
                                 size_t *out_count)
{
    return (aloop_op){
        .poll = counting_begin,
        .type = &counting_type,
        .arg = {{.data = socket}, {.data = data}, {.size = size}, {.pointer = out_count}}};
}
