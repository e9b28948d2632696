/*
 * Sockets that listen.
 */
#include "io/internal.h"

#include <netinet/in.h>

static int set_options(int fd, int family, const aloop_listen_options *options)
{
    int error = 0;

    if (family != AF_INET && family != AF_INET6)
        return 0;
    error = socket_set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (error == 0 && options->reuse_port)
        error =
            sys_reuse_port < 0 ? -ENOTSUP : socket_set_option(fd, SOL_SOCKET, sys_reuse_port, 1);
    /* The default differs from system to system, and with the administrator's settings. */
    if (error == 0 && family == AF_INET6)
        error = socket_set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, options->dual_stack ? 0 : 1);
    /* What is accepted inherits it: no call for each connection. */
    if (error == 0)
        socket_set_nodelay(fd);
    return error;
}

static int options_check(const aloop_listen_options *options)
{
    return options->size >= sizeof *options && options->backlog >= 0 ? 0 : -EINVAL;
}

int aloop_socket_listen(aloop *loop, const aloop_address *address,
                        const aloop_listen_options *options, aloop_socket *out_socket)
{
    static const aloop_listen_options defaults = ALOOP_LISTEN_OPTIONS_INIT;
    int family = address->storage.ss_family;
    int fd;
    int error = socket_loop(loop, &loop);

    if (options == NULL)
        options = &defaults;
    if (error == 0)
        error = options_check(options);
    if (error < 0)
        return error;
    fd = sys.socket(family, SOCK_STREAM, 0);
    if (fd < 0)
        return fd;
    error = set_options(fd, family, options);
    if (error == 0)
        error = socket_bind(fd, SOCK_STREAM, address);
    if (error == 0)
        error = sys.listen(fd, options->backlog > 0 ? options->backlog : SOMAXCONN);
    if (error == 0)
        error = socket_register(loop, fd, address_is_ip(address), out_socket);
    if (error < 0)
        (void)sys.close(fd);
    return error;
}
