/*
 * A network of the test's own, in which an address says by its last byte what connecting to it
 * comes to, and when; on a virtual clock, so that a second of silence takes no time. What looks
 * like a socket is one end of a pair: full as long as nobody has answered, so never writable.
 * Include behind cmocka's headers.
 */
#ifndef ALOOP_TESTS_FAKE_NET_H
#define ALOOP_TESTS_FAKE_NET_H

#include "io_test.h"

#include <netdb.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <string.h>

#define NET_FDS 256
#define NET_HOSTS 128
#define NET_SILENT 1 /* an outcome: never any */

struct net_host {
    int outcome;    /* 0, an error, or NET_SILENT */
    aloop_ns after; /* 0: connect() itself says so */
};

struct net_socket {
    int far; /* the other end of the pair; 0: not one of this network */
    int outcome;
    aloop *loop;
    aloop_handle answer;
};

struct net_try {
    unsigned host;
    aloop_ns at;
};

static struct {
    struct net_host hosts[NET_HOSTS];
    struct net_socket sockets[NET_FDS];
    struct net_try tries[NET_HOSTS]; /* the first of them */
    size_t try_count;
    unsigned open;        /* sockets of this network */
    const char *const *names; /* what the resolver knows of any name */
    size_t name_count;
    sem_t *answers; /* if not NULL, each lookup waits for one */
    struct sys below;
} net;

static inline unsigned net_host_of(const struct sockaddr *address)
{
    aloop_address copy = {.length = 0};
    const unsigned char *bytes = (const unsigned char *)&copy.storage;
    size_t last = address->sa_family == AF_INET
                      ? offsetof(struct sockaddr_in, sin_addr) + 3
                      : offsetof(struct sockaddr_in6, sin6_addr) + 15;

    memcpy(&copy.storage, address,
           address->sa_family == AF_INET ? sizeof(struct sockaddr_in)
                                         : sizeof(struct sockaddr_in6));
    return bytes[last];
}

static inline int net_socket(int family, int type, int protocol)
{
    int fds[2];
    int error = family == AF_INET || family == AF_INET6 ? 0 : -EAFNOSUPPORT;

    (void)protocol;
    if (error == 0)
        error = net.below.socketpair(AF_UNIX, type, fds);
    if (error < 0)
        return error;
    assert_in_range(fds[0], 1, NET_FDS - 1);
    net.sockets[fds[0]] = (struct net_socket){.far = fds[1]};
    net.open++;
    return fds[0];
}

/* The far end answers, or the near one is told that nobody will. */
static inline void net_answer(aloop *loop, void *arg)
{
    struct net_socket *socket = arg;
    char scratch[4096];

    (void)loop;
    while (net.below.recv(socket->far, scratch, sizeof scratch, 0) > 0)
        continue;
}

static inline int net_connect(int fd, const struct sockaddr *address, socklen_t size)
{
    static const char zeros[4096];
    struct net_socket *socket = &net.sockets[fd];
    unsigned number = net_host_of(address);
    const struct net_host *host = &net.hosts[number];
    aloop *loop = aloop_get_running_loop();

    (void)size;
    if (net.try_count < NET_HOSTS)
        net.tries[net.try_count] = (struct net_try){number, aloop_time(loop)};
    net.try_count++;
    if (host->outcome != NET_SILENT && host->after == 0)
        return host->outcome;
    while (net.below.send(fd, zeros, sizeof zeros, 0) > 0)
        continue;
    socket->outcome = host->outcome;
    if (host->outcome != NET_SILENT) {
        socket->loop = loop;
        socket->answer = aloop_call_later(loop, host->after, net_answer, socket);
        if (socket->answer < 0)
            return (int)socket->answer;
    }
    return -EINPROGRESS;
}

static inline int net_getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
    int refusal = -net.sockets[fd].outcome;

    if (level != SOL_SOCKET || name != SO_ERROR)
        return net.below.getsockopt(fd, level, name, value, size);
    memcpy(value, &refusal, sizeof refusal);
    return 0;
}

static inline int net_close(int fd)
{
    if (fd < NET_FDS && net.sockets[fd].far > 0) {
        (void)net.below.close(net.sockets[fd].far);
        if (net.sockets[fd].loop != NULL)
            (void)aloop_cancel(net.sockets[fd].loop, net.sockets[fd].answer);
        net.sockets[fd] = (struct net_socket){0};
        net.open--;
    }
    return net.below.close(fd);
}

/* In a thread, unless all is numeric. */
static inline int net_getaddrinfo(const char *host, const char *service,
                                  const struct addrinfo *hints, struct addrinfo **out_list)
{
    struct addrinfo numeric = *hints;
    struct addrinfo **end = out_list;

    if (hints->ai_flags & AI_NUMERICHOST)
        return sys_default.getaddrinfo(host, service, hints, out_list);
    numeric.ai_flags |= AI_NUMERICHOST;
    while (net.answers != NULL && sem_wait(net.answers) < 0)
        continue;
    /* Those of a family that is not asked for fail. */
    for (size_t i = 0; i < net.name_count; i++) {
        if (sys_default.getaddrinfo(net.names[i], service, &numeric, end) == 0)
            end = &(*end)->ai_next;
    }
    return end == out_list ? -ALOOP_ENONAME : 0;
}

/* Before fault_install(); io_teardown() takes it back. */
static inline void net_install(void)
{
    memset(&net, 0, sizeof net);
    net.below = sys;
    sys.socket = net_socket;
    sys.connect = net_connect;
    sys.getsockopt = net_getsockopt;
    sys.close = net_close;
    sys.getaddrinfo = net_getaddrinfo;
}

/* Forgets who was tried. */
static inline void net_forget(void)
{
    net.try_count = 0;
}

static inline void net_assert_try(size_t i, unsigned host, aloop_ns at)
{
    assert_true(i < net.try_count && i < NET_HOSTS);
    assert_int_equal(net.tries[i].host, host);
    assert_int_equal(net.tries[i].at, at);
}

#endif
