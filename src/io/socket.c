/*
 * What a socket is to the loop, beyond waiting for it: made, named, asked, closed. It is an edge
 * watch (src/loop/watch.h) whose slot number every copy of the aloop_socket carries; so whatever is
 * done with a copy after the socket was closed finds a number that names nothing.
 */
#include "io/internal.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

int socket_loop(aloop *loop, aloop **out_loop)
{
    if (loop == NULL)
        loop = aloop_get_running_loop();
    if (loop == NULL)
        return -ALOOP_ENOLOOP;
    *out_loop = loop;
    return loop_guard(loop);
}

int socket_set_option(int fd, int level, int name, int value)
{
    return sys.setsockopt(fd, level, name, &value, sizeof value);
}

void socket_set_nodelay(int fd)
{
    (void)socket_set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

int socket_register(aloop *loop, int fd, bool is_tcp, aloop_socket *out_socket)
{
    struct watch *watch;
    int error = watch_open(loop, fd, &watch);

    if (error < 0)
        return error;
    watch->is_tcp = is_tcp;
    *out_socket = (aloop_socket){.loop = loop, .watch = slots_number(watch), .fd = fd};
    return 0;
}

/* 1 if it is a TCP socket, 0 if another one, or an error if it is none. */
static int is_tcp_socket(int fd)
{
    aloop_address address = {.length = sizeof address.storage};
    socklen_t size = sizeof(int);
    int type = 0;
    int error = sys.getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);

    if (error == 0)
        error = sys.getsockname(fd, (struct sockaddr *)&address.storage, &address.length);
    if (error < 0)
        return error;
    return type == SOCK_STREAM && address_is_ip(&address);
}

int aloop_socket_adopt(aloop *loop, int fd, aloop_socket *out_socket)
{
    int is_tcp;
    int error = socket_loop(loop, &loop);

    if (error < 0)
        return error;
    is_tcp = is_tcp_socket(fd);
    if (is_tcp < 0)
        return is_tcp;
    if ((size_t)fd < loop->fd_capacity && loop->fds[fd] != NULL)
        return -EBUSY;
    error = sys.set_nonblocking(fd, true);
    if (error == 0)
        error = sys.no_sigpipe(fd);
    if (error == 0)
        error = socket_register(loop, fd, is_tcp > 0, out_socket);
    if (error == 0)
        socket_watch(out_socket)->is_shared = true;
    return error;
}

int socket_pair(aloop *loop, int type, aloop_socket out_sockets[2])
{
    aloop_socket first;
    int fds[2];
    int error = socket_loop(loop, &loop);

    if (error == 0)
        error = sys.socketpair(AF_UNIX, type, fds);
    if (error < 0)
        return error;
    error = socket_register(loop, fds[0], false, &first);
    if (error < 0)
        goto close_both;
    error = socket_register(loop, fds[1], false, &out_sockets[1]);
    if (error < 0)
        goto unregister_first;
    out_sockets[0] = first;
    return 0;
unregister_first:
    watch_close(loop, socket_watch(&first));
close_both:
    (void)sys.close(fds[0]);
    (void)sys.close(fds[1]);
    return error;
}

int aloop_socket_pair(aloop *loop, aloop_socket out_sockets[2])
{
    return socket_pair(loop, SOCK_STREAM, out_sockets);
}

int aloop_socket_address(const aloop_socket *socket, aloop_address *out_address)
{
    aloop_address address = {.length = sizeof address.storage};
    int error;

    if (socket_watch(socket) == NULL)
        return -EBADF;
    error = sys.getsockname(socket->fd, (struct sockaddr *)&address.storage, &address.length);
    if (error == 0)
        *out_address = address;
    return error;
}

int aloop_socket_peer(const aloop_socket *socket, aloop_address *out_address)
{
    aloop_address address = {.length = sizeof address.storage};
    int error;

    if (socket_watch(socket) == NULL)
        return -EBADF;
    error = sys.getpeername(socket->fd, (struct sockaddr *)&address.storage, &address.length);
    if (error == 0)
        *out_address = address;
    return error;
}

int aloop_socket_fd(const aloop_socket *socket)
{
    struct watch *watch = socket_watch(socket);

    if (watch == NULL)
        return -EBADF;
    /* Whoever asks may go and duplicate it. */
    watch->is_shared = true;
    return watch->fd;
}

bool aloop_socket_is_open(const aloop_socket *socket)
{
    return socket_watch(socket) != NULL;
}

int aloop_socket_shutdown(const aloop_socket *socket, int how)
{
    return socket_watch(socket) != NULL ? sys.shutdown(socket->fd, how) : -EBADF;
}

void socket_close_watch(aloop *loop, struct watch *watch)
{
    watch_close_fd(loop, watch);
    /* That is one fd more for those who could not accept for want of one. */
    if (ALOOP_UNLIKELY(loop->accept_pause != 0)) {
        loop->accept_pause = 0;
        aloop_wake_all(&loop->paused_accepts);
    }
}

void aloop_socket_close(aloop_socket *socket)
{
    struct watch *watch = socket_watch(socket);
    aloop *loop = socket->loop;

    *socket = (aloop_socket){0};
    if (watch != NULL)
        socket_close_watch(loop, watch);
}
