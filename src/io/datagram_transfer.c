/*
 * Moving datagrams: one a call, and many.
 */
#include "io/datagram.h"

/* arg, behind the socket: of one message the data, its size, and the address; of many the items and
   their count */
enum { DATA = 1, SIZE, ADDRESS };
enum { ITEMS = 1, COUNT };

/* What a message costs of the task's budget, beside what its bytes do: as much as a short one. */
static void spend(aloop *loop, size_t bytes, int messages)
{
    loop->budget -= (int)(bytes >> 10) + messages - 1;
}

/* --- receiving --- */

static void accept_address(struct msghdr *message, aloop_address *address)
{
    if (address == NULL)
        return;
    /* A sender without a name, which is a Unix socket, leaves all as it is. */
    address->storage.ss_family = AF_UNIX;
    message->msg_name = &address->storage;
    message->msg_namelen = sizeof address->storage;
}

/* The size that the message had, `got` being what the system says. */
static size_t whole_size(const struct msghdr *message, size_t got, size_t size)
{
    bool was_cut = message->msg_flags & MSG_TRUNC;

    return was_cut && got <= size ? size + 1 : got;
}

static int64_t recv_attempt(aloop *loop, struct watch *watch, const aloop_op *op)
{
    aloop_address *address = op->arg[ADDRESS].pointer;
    struct iovec piece = {.iov_base = op->arg[DATA].pointer, .iov_len = op->arg[SIZE].size};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    ssize_t got;

    accept_address(&message, address);
    got = sys.recvmsg(watch->fd, &message, sys_whole_size);
    if (got < 0)
        return got;
    if (address != NULL)
        address->length = message.msg_namelen;
    spend(loop, (size_t)got, 1);
    return (int64_t)whole_size(&message, (size_t)got, piece.iov_len);
}

static int64_t recv_many_attempt(aloop *loop, struct watch *watch, const aloop_op *op)
{
    aloop_datagram *items = op->arg[ITEMS].pointer;
    int count = (int)op->arg[COUNT].number;
    struct sys_message messages[ALOOP_DATAGRAMS_MAX];
    struct iovec pieces[ALOOP_DATAGRAMS_MAX];
    size_t bytes = 0;
    int got;

    for (int i = 0; i < count; i++) {
        pieces[i] = (struct iovec){.iov_base = items[i].data, .iov_len = items[i].size};
        messages[i].header = (struct msghdr){.msg_iov = &pieces[i], .msg_iovlen = 1};
        accept_address(&messages[i].header, &items[i].address);
    }
    got = sys.recvmmsg(watch->fd, messages, count, sys_whole_size);
    if (got < 0)
        return got;
    for (int i = 0; i < got; i++) {
        items[i].length = whole_size(&messages[i].header, messages[i].length, items[i].size);
        items[i].address.length = messages[i].header.msg_namelen;
        bytes += messages[i].length;
    }
    spend(loop, bytes, got);
    return got;
}

static const struct datagram_type recv_type = {
    .type = {.name = "recv_from", .describe = describe_watch}, .attempt = recv_attempt};
static const struct datagram_type recv_many_type = {
    .type = {.name = "recv_many", .describe = describe_watch}, .attempt = recv_many_attempt};

aloop_op aloop_recv_from(const aloop_socket *socket, void *buffer, size_t size,
                         aloop_address *out_from)
{
    return (aloop_op){
        .poll = datagram_recv_begin,
        .type = &recv_type.type,
        .arg = {{.data = socket}, {.pointer = buffer}, {.size = size}, {.pointer = out_from}}};
}

/* --- sending --- */

/* For the system, which only reads it. */
static void set_address(struct msghdr *message, const aloop_address *address)
{
    const void *storage = &address->storage;

    memcpy(&message->msg_name, &storage, sizeof storage);
    message->msg_namelen = address->length;
}

static struct iovec piece_of(const void *data, size_t size)
{
    struct iovec piece = {.iov_len = size};

    memcpy(&piece.iov_base, &data, sizeof data);
    return piece;
}

/*
 * Sending has failed. If it is for want of room in a Unix socket without connection, the poller
 * says nothing when that has room again, unless it was us who had filled it: it watches our side.
 * BSDs call that ENOBUFS.
 */
static int64_t failed(aloop *loop, struct watch *watch, const aloop_address *address, int64_t error)
{
    if (address != NULL && address->storage.ss_family == AF_UNIX && address->length > 0)
        return error == -ENOBUFS ? -EAGAIN : error;
    if (error == -EAGAIN)
        socket_used_up(loop, watch, POLLER_WRITE);
    return error;
}

static int64_t send_attempt(aloop *loop, struct watch *watch, const aloop_op *op)
{
    const aloop_address *address = op->arg[ADDRESS].data;
    struct iovec piece = piece_of(op->arg[DATA].data, op->arg[SIZE].size);
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    ssize_t put;

    if (address != NULL)
        set_address(&message, address);
    put = sys.sendmsg(watch->fd, &message, 0);
    if (put < 0)
        return failed(loop, watch, address, put);
    spend(loop, (size_t)put >> 1, 1);
    return put;
}

static int64_t send_many_attempt(aloop *loop, struct watch *watch, const aloop_op *op)
{
    const aloop_datagram *items = op->arg[ITEMS].data;
    int count = (int)op->arg[COUNT].number;
    struct sys_message messages[ALOOP_DATAGRAMS_MAX];
    struct iovec pieces[ALOOP_DATAGRAMS_MAX];
    size_t bytes = 0;
    int put;

    for (int i = 0; i < count; i++) {
        pieces[i] = piece_of(items[i].data, items[i].size);
        messages[i].header = (struct msghdr){.msg_iov = &pieces[i], .msg_iovlen = 1};
        if (items[i].address.length > 0)
            set_address(&messages[i].header, &items[i].address);
    }
    put = sys.sendmmsg(watch->fd, messages, count);
    if (put < 0)
        return failed(loop, watch, &items[0].address, put);
    for (int i = 0; i < put; i++)
        bytes += items[i].size;
    spend(loop, bytes >> 1, put);
    return put;
}

static const struct datagram_type send_type = {
    .type = {.name = "send_to", .drop = datagram_send_drop, .describe = describe_watch},
    .attempt = send_attempt};
static const struct datagram_type send_many_type = {
    .type = {.name = "send_many", .drop = datagram_send_drop, .describe = describe_watch},
    .attempt = send_many_attempt};

aloop_op aloop_send_to(const aloop_socket *socket, const void *data, size_t size,
                       const aloop_address *to)
{
    return (aloop_op){.poll = datagram_send_begin,
                      .type = &send_type.type,
                      .arg = {{.data = socket}, {.data = data}, {.size = size}, {.data = to}}};
}

/* --- many --- */

static aloop_poll none_poll(aloop_task *task, aloop_op *op)
{
    int error;

    return op_begin(task, op, &error) != NULL ? 0 : error;
}

static int64_t limited(size_t count)
{
    return count < ALOOP_DATAGRAMS_MAX ? (int64_t)count : ALOOP_DATAGRAMS_MAX;
}

aloop_op aloop_recv_many(const aloop_socket *socket, aloop_datagram *items, size_t count)
{
    return (aloop_op){.poll = count > 0 ? datagram_recv_begin : none_poll,
                      .type = &recv_many_type.type,
                      .arg = {{.data = socket}, {.pointer = items}, {.number = limited(count)}}};
}

aloop_op aloop_send_many(const aloop_socket *socket, const aloop_datagram *items, size_t count)
{
    return (aloop_op){.poll = count > 0 ? datagram_send_begin : none_poll,
                      .type = &send_many_type.type,
                      .arg = {{.data = socket}, {.data = items}, {.number = limited(count)}}};
}
