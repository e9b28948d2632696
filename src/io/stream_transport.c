/*
 * The transport of what the system has: sockets, and whatever else an fd can be. It keeps to the
 * rule of this layer that no call is made to hear what is known: see recv.c.
 */
#include "io/stream.h"

#include <limits.h>

/* POSIX promises this many pieces everywhere; more would be of little use. */
#define PIECES_MAX 16

static int64_t fd_read(void *context, void *buffer, size_t size)
{
    const aloop_socket *socket = context;
    struct watch *watch = socket_watch(socket);

    if (watch == NULL)
        return -EBADF;
    if (!(watch->ready & POLLER_READ))
        return -EAGAIN;
    return stream_watch_read(socket->loop, watch, buffer, size);
}

int64_t stream_file_write(const struct watch *watch, const void *data, size_t size)
{
    struct iovec piece = {.iov_len = size};

    memcpy(&piece.iov_base, &data, sizeof data);
    return sys.writev(watch->fd, &piece, 1);
}

static size_t pieces_size(const struct iovec *pieces, int count)
{
    size_t size = 0;

    for (int i = 0; i < count; i++)
        size += pieces[i].iov_len;
    return size;
}

static int64_t fd_writev(void *context, const struct iovec *pieces, int count)
{
    const aloop_socket *socket = context;
    struct watch *watch = socket_watch(socket);
    int most = count < PIECES_MAX ? count : PIECES_MAX;
    ssize_t put;

    if (watch == NULL)
        return -EBADF;
    if (!(watch->ready & POLLER_WRITE))
        return -EAGAIN;
    if (most == 1)
        return stream_watch_write(socket->loop, watch, pieces->iov_base, pieces->iov_len);
    put = watch->is_file ? sys.writev(watch->fd, pieces, most)
                         : sys.sendv(watch->fd, pieces, most);
    if (put == -EAGAIN || (put >= 0 && watch->is_tcp && !watch->hangup &&
                           (size_t)put < pieces_size(pieces, most)))
        socket_used_up(socket->loop, watch, POLLER_WRITE);
    return put;
}

int64_t stream_plain_sendfile(const struct stream *stream, int file, int64_t offset, size_t size)
{
    struct watch *watch = stream_watch(stream);
    ssize_t put;

    if (watch == NULL)
        return stream->watch == NULL ? -ENOTSUP : -EBADF;
    if (!(watch->ready & POLLER_WRITE))
        return -EAGAIN;
    put = sys.sendfile(watch->fd, file, offset, size < TRANSFER_MAX ? size : TRANSFER_MAX);
    if (put == -EAGAIN)
        socket_used_up(stream->loop, watch, POLLER_WRITE);
    return put;
}

/* A list on which nobody is ever woken would make a task wait for ever; one who waits for a socket
   that has gone has been overtaken by its own stream's end, which wakes it. */
static aloop_waitlist *fd_waiters(void *context, bool is_for_writing)
{
    struct watch *watch = socket_watch(context);

    if (watch == NULL)
        return NULL;
    return is_for_writing ? &watch->writers : &watch->readers;
}

static int fd_shutdown(void *context)
{
    const struct watch *watch = socket_watch(context);
    int error;

    if (watch == NULL)
        return -EBADF;
    if (watch->is_file)
        return -ENOTSUP;
    error = sys.shutdown(watch->fd, SHUT_WR);
    /* The peer has gone, and with it who could be told. */
    return error == -ENOTCONN ? 0 : error;
}

static void fd_close(void *context)
{
    aloop_socket_close(context);
}

static void fd_abort(void *context)
{
    const aloop_socket *socket = context;
    const struct watch *watch = socket_watch(socket);
    struct linger at_once = {.l_onoff = 1};

    /* After a fork the option would be the parent's, too, whose connection goes on. */
    if (watch != NULL && watch->is_tcp && !loop_is_forked(socket->loop))
        (void)sys.setsockopt(watch->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    fd_close(context);
}

const aloop_transport aloop_socket_transport = {.name = "socket",
                                                .read = fd_read,
                                                .writev = fd_writev,
                                                .waiters = fd_waiters,
                                                .shutdown = fd_shutdown,
                                                .close = fd_close,
                                                .abort = fd_abort};
