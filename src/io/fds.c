/*
 * What Unix sockets carry beside bytes: fds in messages, and the peer's credentials.
 *
 * The fds go with the first byte. What the first call leaves is sent as aloop_send_all() sends,
 * without them: a second message with the same fds would give the peer each of them twice.
 */
#include "io/internal.h"

#include <aloop/unix_socket.h>

/* arg: as aloop_send_all() and aloop_recv(), and the fds; when they are sent, the count of bytes */
enum { SOCKET, DATA, SIZE, FDS };

/* --- sending --- */

static ssize_t transmit(aloop *loop, struct watch *watch, const aloop_op *op)
{
    struct iovec piece = {.iov_len = op->arg[SIZE].size};
    ssize_t put;

    if (!(watch->ready & POLLER_WRITE))
        return -EAGAIN;
    memcpy(&piece.iov_base, &op->arg[DATA].data, sizeof piece.iov_base);
    put = sys.send_fds(watch->fd, &piece, op->arg[FDS].data);
    if (put == -EAGAIN)
        socket_used_up(loop, watch, POLLER_WRITE);
    if (put > 0)
        loop->budget -= (int)((size_t)put >> 11);
    return put;
}

static aloop_poll send_fds_poll(aloop_task *task, aloop_op *op)
{
    aloop *loop = task->future.loop;
    struct watch *watch = watch_find(loop, op->arg[SOCKET].number);
    ssize_t put;

    if (watch == NULL)
        return -ECANCELED;
    put = transmit(loop, watch, op);
    if (put == -EAGAIN) {
        watch->busy |= POLLER_WRITE;
        return aloop_op_wait(op, &watch->writers);
    }
    if (put < 0) {
        sender_ended(watch);
        return put;
    }
    op->arg[FDS].size = (size_t)put;
    op->poll = send_all_poll;
    return send_all_poll(task, op);
}

static aloop_poll send_fds_begin(aloop_task *task, aloop_op *op)
{
    const aloop_fds *fds = op->arg[FDS].data;
    int error;
    const struct watch *watch = op_begin(task, op, &error);

    if (watch == NULL)
        return error;
    if (fds->count > ALOOP_FDS_MAX || (fds->count > 0 && op->arg[SIZE].size == 0))
        return -EINVAL;
    if (watch->busy & POLLER_WRITE)
        return -EBUSY;
    if (op->arg[SIZE].size == 0)
        return 0;
    for (size_t i = 0; i < fds->count; i++)
        watch_note_duplicate(task->future.loop, fds->items[i]);
    op->poll = send_fds_poll;
    return send_fds_poll(task, op);
}

static const aloop_op_type send_fds_type = {
    .name = "send_fds", .drop = send_drop, .describe = describe_watch};

aloop_op aloop_send_fds(const aloop_socket *socket, const void *data, size_t size,
                        const aloop_fds *fds)
{
    return (aloop_op){.poll = send_fds_begin,
                      .type = &send_fds_type,
                      .arg = {{.data = socket}, {.data = data}, {.size = size}, {.data = fds}}};
}

/* --- receiving --- */

static ssize_t receive(aloop *loop, struct watch *watch, const aloop_op *op)
{
    struct iovec piece = {.iov_base = op->arg[DATA].pointer, .iov_len = op->arg[SIZE].size};
    ssize_t got;

    if (!(watch->ready & POLLER_READ))
        return -EAGAIN;
    got = sys.recv_fds(watch->fd, &piece, op->arg[FDS].pointer);
    if (got == -EAGAIN)
        socket_used_up(loop, watch, POLLER_READ);
    if (got > 0)
        loop->budget -= (int)((size_t)got >> 10);
    return got;
}

static aloop_poll recv_fds_poll(aloop_task *task, aloop_op *op)
{
    aloop *loop = task->future.loop;
    struct watch *watch = watch_find(loop, op->arg[SOCKET].number);
    ssize_t got;

    if (watch == NULL)
        return -ECANCELED;
    got = receive(loop, watch, op);
    if (got == -EAGAIN) {
        watch->busy |= POLLER_READ;
        return aloop_op_wait(op, &watch->readers);
    }
    watch->busy &= (uint8_t)~POLLER_READ;
    return got;
}

static aloop_poll recv_fds_begin(aloop_task *task, aloop_op *op)
{
    aloop_fds *fds = op->arg[FDS].pointer;
    int error;
    const struct watch *watch = op_begin(task, op, &error);

    fds->count = 0;
    if (watch == NULL)
        return error;
    if (watch->busy & POLLER_READ)
        return -EBUSY;
    if (op->arg[SIZE].size == 0)
        return 0;
    op->poll = recv_fds_poll;
    return recv_fds_poll(task, op);
}

static void recv_fds_drop(aloop_task *task, aloop_op *op)
{
    struct watch *watch = watch_find(task->future.loop, op->arg[SOCKET].number);

    if (watch != NULL)
        watch->busy &= (uint8_t)~POLLER_READ;
}

static const aloop_op_type recv_fds_type = {
    .name = "recv_fds", .drop = recv_fds_drop, .describe = describe_watch};

aloop_op aloop_recv_fds(const aloop_socket *socket, void *buffer, size_t size, aloop_fds *fds)
{
    return (aloop_op){
        .poll = recv_fds_begin,
        .type = &recv_fds_type,
        .arg = {{.data = socket}, {.pointer = buffer}, {.size = size}, {.pointer = fds}}};
}

/* --- the peer --- */

int aloop_socket_credentials(const aloop_socket *socket, aloop_credentials *out_credentials)
{
    return socket_watch(socket) != NULL ? sys.peer_credentials(socket->fd, out_credentials)
                                        : -EBADF;
}
