/*
 * Datagram sockets: made, asked for errors, and their options.
 */
#include "io/datagram.h"

#include <netinet/in.h>

static int set_options(int fd, int family, const aloop_datagram_options *options)
{
    int error = 0;

    if (options->reuse_address)
        error = socket_set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (error == 0 && options->reuse_port)
        error = sys_reuse_port < 0 ? -ENOTSUP
                                   : socket_set_option(fd, SOL_SOCKET, sys_reuse_port, 1);
    if (error == 0 && options->broadcast)
        error = socket_set_option(fd, SOL_SOCKET, SO_BROADCAST, 1);
    /* The default differs from system to system, and with the administrator's settings. */
    if (error == 0 && family == AF_INET6)
        error = socket_set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, options->dual_stack ? 0 : 1);
    if (error == 0 && options->queue_errors)
        error = sys.keep_errors(fd, family);
    return error;
}

int aloop_datagram_open(aloop *loop, const aloop_address *local, const aloop_address *peer,
                        const aloop_datagram_options *options, aloop_socket *out_socket)
{
    static const aloop_datagram_options defaults = ALOOP_DATAGRAM_OPTIONS_INIT;
    const aloop_address *address = local != NULL ? local : peer;
    const aloop_address *bound = NULL;
    int fd;
    int error = socket_loop(loop, &loop);

    if (options == NULL)
        options = &defaults;
    if (error == 0 && (address == NULL || options->size < sizeof *options))
        error = -EINVAL;
    if (error < 0)
        return error;
    fd = sys.socket(address->storage.ss_family, SOCK_DGRAM, 0);
    if (fd < 0)
        return fd;
    error = set_options(fd, address->storage.ss_family, options);
    if (error == 0 && local != NULL) {
        error = socket_bind(fd, SOCK_DGRAM, local);
        bound = error == 0 ? local : NULL;
    }
    if (error == 0 && peer != NULL)
        error = sys.connect(fd, (const struct sockaddr *)&peer->storage, peer->length);
    if (error == 0)
        error = socket_register(loop, fd, false, out_socket);
    if (error < 0 && bound != NULL)
        socket_unbind(bound);
    if (error < 0)
        (void)sys.close(fd);
    return error;
}

int aloop_datagram_pair(aloop *loop, aloop_socket out_sockets[2])
{
    return socket_pair(loop, SOCK_DGRAM, out_sockets);
}

int aloop_datagram_error(const aloop_socket *socket, aloop_queued_error *out_error)
{
    return socket_watch(socket) != NULL ? sys.recv_error(socket->fd, out_error) : -EBADF;
}

/* --- options --- */

/* Of an open socket: AF_INET or another; or an error. */
static int family_of(const aloop_socket *socket)
{
    aloop_address address;
    int error;

    /* A compiler that sees through the call knows of errno, and not that it is positive. */
    address.storage.ss_family = AF_UNSPEC;
    error = aloop_socket_address(socket, &address);
    return error < 0 ? error : address.storage.ss_family;
}

static int set_member(const aloop_socket *socket, const aloop_address *group, unsigned interface,
                      bool joins)
{
    if (socket_watch(socket) == NULL)
        return -EBADF;
    return sys.multicast_member(socket->fd, (const struct sockaddr *)&group->storage, interface,
                                joins);
}

int aloop_multicast_join(const aloop_socket *socket, const aloop_address *group, unsigned interface)
{
    return set_member(socket, group, interface, true);
}

int aloop_multicast_leave(const aloop_socket *socket, const aloop_address *group,
                          unsigned interface)
{
    return set_member(socket, group, interface, false);
}

static int set_option(const aloop_socket *socket, enum sys_ip_option option, unsigned value)
{
    int family = family_of(socket);

    return family < 0 ? family : sys.ip_option(socket->fd, family, option, value);
}

int aloop_datagram_set_hops(const aloop_socket *socket, unsigned hops)
{
    return hops >= 1 && hops <= UINT8_MAX ? set_option(socket, SYS_HOPS, hops) : -EINVAL;
}

int aloop_multicast_set_interface(const aloop_socket *socket, unsigned interface)
{
    return set_option(socket, SYS_MULTICAST_INTERFACE, interface);
}

int aloop_multicast_set_hops(const aloop_socket *socket, unsigned hops)
{
    return set_option(socket, SYS_MULTICAST_HOPS, hops);
}

int aloop_multicast_set_loop(const aloop_socket *socket, bool loop)
{
    return set_option(socket, SYS_MULTICAST_LOOP, loop ? 1 : 0);
}
