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

/* Room for all the fds that can come, and for what a socket was told to send along beside them:
   what does not fit, the kernel drops. */
union control {
    struct cmsghdr header;
    char space[CMSG_SPACE(ALOOP_FDS_MAX * sizeof(int)) + 128];
};

/* --- sending --- */

static void put_fds(struct msghdr *message, union control *control, const aloop_fds *fds)
{
    size_t bytes = fds->count * sizeof *fds->items;
    struct cmsghdr *header = &control->header;

    if (fds->count == 0)
        return;
    memset(control, 0, CMSG_SPACE(bytes));
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = _Generic(header->cmsg_len, size_t: CMSG_LEN(bytes),
                                default: (socklen_t)CMSG_LEN(bytes));
    memcpy(CMSG_DATA(header), fds->items, bytes);
    message->msg_control = control;
    message->msg_controllen = _Generic(message->msg_controllen, size_t: CMSG_SPACE(bytes),
                                       default: (socklen_t)CMSG_SPACE(bytes));
}

static ssize_t transmit(aloop *loop, struct watch *watch, const aloop_op *op)
{
    struct iovec piece = {.iov_len = op->arg[SIZE].size};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    union control control;
    ssize_t put;

    if (!(watch->ready & POLLER_WRITE))
        return -EAGAIN;
    memcpy(&piece.iov_base, &op->arg[DATA].data, sizeof piece.iov_base);
    put_fds(&message, &control, op->arg[FDS].data);
    put = sys.sendmsg(watch->fd, &message, 0);
    if (put == -EAGAIN)
        socket_used_up(loop, watch, POLLER_WRITE);
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
    op->poll = send_fds_poll;
    return send_fds_poll(task, op);
}

static const aloop_op_type send_fds_type = {.name = "send_fds", .drop = send_drop};

aloop_op aloop_send_fds(const aloop_socket *socket, const void *data, size_t size,
                        const aloop_fds *fds)
{
    return (aloop_op){.poll = send_fds_begin,
                      .type = &send_fds_type,
                      .arg = {{.data = socket}, {.data = data}, {.size = size}, {.data = fds}}};
}

/* --- receiving --- */

/* Takes the fds of a message as far as there is place for them, closing the others; how many there
   were. */
static size_t take_fds(struct msghdr *message, aloop_fds *fds)
{
    size_t found = 0;

    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL;
         header = CMSG_NXTHDR(message, header)) {
        const unsigned char *data = CMSG_DATA(header);
        size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < count; i++, found++) {
            int fd;

            memcpy(&fd, data + i * sizeof fd, sizeof fd);
            if (found < fds->capacity)
                fds->items[found] = fd;
            else
                (void)sys.close(fd);
        }
    }
    fds->count = found < fds->capacity ? found : fds->capacity;
    return found;
}

/* An incomplete set of fds is of no use, and some would call it a leak. */
static int refuse_fds(aloop_fds *fds, int error)
{
    for (size_t i = 0; i < fds->count; i++)
        (void)sys.close(fds->items[i]);
    fds->count = 0;
    return error;
}

static ssize_t receive(aloop *loop, struct watch *watch, const aloop_op *op)
{
    aloop_fds *fds = op->arg[FDS].pointer;
    struct iovec piece = {.iov_base = op->arg[DATA].pointer, .iov_len = op->arg[SIZE].size};
    union control control;
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t got;

    if (!(watch->ready & POLLER_READ))
        return -EAGAIN;
    got = sys.recvmsg(watch->fd, &message, 0);
    if (got == -EAGAIN)
        socket_used_up(loop, watch, POLLER_READ);
    if (got < 0)
        return got;
    loop->budget -= (int)((size_t)got >> 10);
    if (take_fds(&message, fds) > fds->capacity)
        return refuse_fds(fds, -EMSGSIZE);
    return message.msg_flags & MSG_CTRUNC ? refuse_fds(fds, -EMFILE) : got;
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

static const aloop_op_type recv_fds_type = {.name = "recv_fds", .drop = recv_fds_drop};

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
