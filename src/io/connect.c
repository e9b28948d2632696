/*
 * Connecting. The fd is registered behind the connect call, for a socket that has not tried yet
 * counts as hung up; until the operation ends the socket is nobody's but this operation's, which
 * closes it if it does not come to its end.
 */
#include "io/internal.h"

/* arg: the address at the beginning, the caller's socket, the number of the watch, and where to
   connect from at the beginning */
enum { ADDRESS, OUT_SOCKET, WATCH, LOCAL };

/* Whether a connection is there: 0, its error, or -EINPROGRESS. */
static int connect_outcome(const struct watch *watch)
{
    aloop_address peer = {.length = sizeof peer.storage};
    socklen_t size = sizeof(int);
    int refusal = 0;
    int error = sys.getsockopt(watch->fd, SOL_SOCKET, SO_ERROR, &refusal, &size);

    if (error < 0 || refusal != 0)
        return error < 0 ? error : -refusal;
    /* No error is no connection yet, should the wake-up have been spurious. What else can be wrong
       with a peer (macOS says EINVAL of one that has left again), reading will tell. */
    error = sys.getpeername(watch->fd, (struct sockaddr *)&peer.storage, &peer.length);
    if (error != -ENOTCONN)
        return 0;
    /* Hung up without a connection: it failed, and somebody else was told why. */
    return watch->hangup ? error : -EINPROGRESS;
}

static aloop_poll connect_poll(aloop_task *task, aloop_op *op)
{
    aloop *loop = task->future.loop;
    struct watch *watch = watch_find(loop, op->arg[WATCH].number);
    aloop_socket *out_socket = op->arg[OUT_SOCKET].pointer;
    int error;

    if (watch == NULL)
        return -ECANCELED;
    error = watch->ready & POLLER_WRITE ? connect_outcome(watch) : -EINPROGRESS;
    if (error == -EINPROGRESS) {
        if (watch->ready & POLLER_WRITE)
            socket_used_up(loop, watch, POLLER_WRITE);
        return aloop_op_wait(op, &watch->writers);
    }
    if (error < 0) {
        socket_close_watch(loop, watch);
        return error;
    }
    watch->ready = POLLER_READ | POLLER_WRITE;
    *out_socket = (aloop_socket){.loop = loop, .watch = slots_number(watch), .fd = watch->fd};
    return 0;
}

static void connect_drop(aloop_task *task, aloop_op *op)
{
    struct watch *watch = watch_find(task->future.loop, op->arg[WATCH].number);

    if (watch != NULL)
        socket_close_watch(task->future.loop, watch);
}

static void connect_describe(const aloop_task *task, const aloop_op *op,
                             aloop_op_details *details)
{
    const struct watch *watch = watch_find(task->future.loop, op->arg[WATCH].number);

    char text[sizeof details->text];

    if (watch != NULL)
        details->fd = watch->fd;
    if (aloop_address_format(op->arg[ADDRESS].data, text, sizeof text) >= 0)
        details_add(details, text);
}

static const aloop_op_type connect_type = {
    .name = "connect", .drop = connect_drop, .describe = connect_describe};

/* A port of one's own choice is taken though an earlier connection of it lingers; that the very
   same one does is for connect to say. */
static int bind_local(int fd, const aloop_address *local)
{
    const int on = 1;
    int error = 0;

    if (aloop_address_port(local) > 0)
        error = sys.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    return error < 0 ? error
                     : sys.bind(fd, (const struct sockaddr *)&local->storage, local->length);
}

/* Begins to connect: 0, -EINPROGRESS, or an error. */
static int connect_socket(int fd, const aloop_address *address, const aloop_address *local)
{
    int error = local != NULL ? bind_local(fd, local) : 0;

    if (address_is_ip(address))
        socket_set_nodelay(fd);
    return error < 0 ? error
                     : sys.connect(fd, (const struct sockaddr *)&address->storage,
                                   address->length);
}

static aloop_poll connect_begin(aloop_task *task, aloop_op *op)
{
    const aloop_address *address = op->arg[ADDRESS].data;
    aloop_socket socket = {0};
    int fd = sys.socket(address->storage.ss_family, SOCK_STREAM, 0);
    int outcome;
    int error;

    if (fd < 0)
        return fd;
    outcome = connect_socket(fd, address, op->arg[LOCAL].data);
    error = outcome == -EINPROGRESS ? 0 : outcome;
    if (error == 0)
        error = socket_register(task->future.loop, fd, address_is_ip(address), &socket);
    if (error < 0) {
        (void)sys.close(fd);
        return error;
    }
    if (outcome == 0) {
        *(aloop_socket *)op->arg[OUT_SOCKET].pointer = socket;
        return 0;
    }
    /* Registering reports what holds: writable, once the connection is made or has failed. */
    socket_watch(&socket)->ready = 0;
    op->arg[WATCH].number = socket.watch;
    op->poll = connect_poll;
    return connect_poll(task, op);
}

aloop_op connect_from(const aloop_address *address, const aloop_address *local,
                      aloop_socket *out_socket)
{
    return (aloop_op){
        .poll = connect_begin,
        .type = &connect_type,
        .arg = {{.data = address}, {.pointer = out_socket}, {.number = 0}, {.data = local}}};
}

aloop_op aloop_connect(const aloop_address *address, aloop_socket *out_socket)
{
    return connect_from(address, NULL, out_socket);
}
