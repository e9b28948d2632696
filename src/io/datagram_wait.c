/*
 * Waiting to receive and to send datagrams. Receivers wait side by side: a wake-up is for all, and
 * each looks for himself, so nothing is to be passed on by one who is cancelled.
 *
 * Senders wait in a row. The first stands in watch->writers, where the poller's news arrives, and
 * `busy` says that there is one; all others stand behind it, and each becomes the first when the
 * one before has sent or has given up. That all were woken together was rejected: who comes between
 * their wake-up and their turn would overtake them.
 */
#include "io/datagram.h"

/* How often to look whether a Unix socket has room again when nobody will say so. */
#define RETRY_DELAY ALOOP_MS(2)

static const struct datagram_type *type_of(const aloop_op *op)
{
    return CONTAINER_OF(op->type, struct datagram_type, type);
}

/* --- receiving --- */

static aloop_poll try_recv(aloop_task *task, aloop_op *op, struct watch *watch)
{
    aloop *loop = task->future.loop;
    int64_t outcome = -EAGAIN;

    if (watch->ready & POLLER_READ)
        outcome = type_of(op)->attempt(loop, watch, op);
    if (outcome != -EAGAIN)
        return outcome;
    socket_used_up(loop, watch, POLLER_READ);
    return aloop_op_wait(op, &watch->readers);
}

static aloop_poll recv_poll(aloop_task *task, aloop_op *op)
{
    struct watch *watch = watch_find(task->future.loop, op->arg[DATAGRAM_SOCKET].number);

    return watch != NULL ? try_recv(task, op, watch) : -ECANCELED;
}

aloop_poll datagram_recv_begin(aloop_task *task, aloop_op *op)
{
    int error;
    struct watch *watch = op_begin(task, op, &error);

    if (watch == NULL)
        return error;
    /* Asked for its whole size, a stream would throw bytes away. */
    if (watch->is_tcp)
        return -EPROTOTYPE;
    op->poll = recv_poll;
    return try_recv(task, op, watch);
}

/* --- sending --- */

static int64_t try_send(aloop *loop, struct watch *watch, const aloop_op *op)
{
    return watch->ready & POLLER_WRITE ? type_of(op)->attempt(loop, watch, op) : -EAGAIN;
}

static aloop_poll wait_for_room(aloop_task *task, aloop_op *op, struct watch *watch)
{
    if (watch->ready & POLLER_WRITE)
        (void)aloop_op_wait_until(task, time_add(task->future.loop->now, RETRY_DELAY));
    return aloop_op_wait(op, &watch->writers);
}

static aloop_poll first_poll(aloop_task *task, aloop_op *op)
{
    aloop *loop = task->future.loop;
    struct watch *watch = watch_find(loop, op->arg[DATAGRAM_SOCKET].number);
    int64_t outcome;

    if (watch == NULL)
        return -ECANCELED;
    outcome = try_send(loop, watch, op);
    if (outcome == -EAGAIN)
        return wait_for_room(task, op, watch);
    sender_ended(watch);
    return outcome;
}

/* Until the one before makes it the first, see datagram_next_sender(), or the socket is closed. */
static aloop_poll behind_poll(aloop_task *task, aloop_op *op)
{
    struct watch *watch = watch_find(task->future.loop, op->arg[DATAGRAM_SOCKET].number);

    return watch != NULL ? aloop_op_wait(op, &watch->behind) : -ECANCELED;
}

void datagram_next_sender(struct watch *watch)
{
    aloop_waiter *waiter = aloop_waitlist_first(&watch->behind);

    aloop_waiter_unlink(waiter);
    CONTAINER_OF(waiter, aloop_op, waiter)->poll = first_poll;
    waiter->notify(waiter);
}

aloop_poll datagram_send_begin(aloop_task *task, aloop_op *op)
{
    int error;
    struct watch *watch = op_begin(task, op, &error);
    int64_t outcome;

    if (watch == NULL)
        return error;
    if (watch->busy & POLLER_WRITE) {
        op->poll = behind_poll;
        return aloop_op_wait(op, &watch->behind);
    }
    outcome = try_send(task->future.loop, watch, op);
    if (outcome != -EAGAIN)
        return outcome;
    watch->busy |= POLLER_WRITE;
    op->poll = first_poll;
    return wait_for_room(task, op, watch);
}

void datagram_send_drop(aloop_task *task, aloop_op *op)
{
    struct watch *watch = watch_find(task->future.loop, op->arg[DATAGRAM_SOCKET].number);

    if (watch != NULL && op->poll == first_poll)
        sender_ended(watch);
}
