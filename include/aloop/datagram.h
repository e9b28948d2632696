/*
 * Datagrams: UDP, and Unix sockets of that kind. asyncio: loop.create_datagram_endpoint().
 *
 * A datagram socket is an aloop_socket like any other (<aloop/socket.h>: what is said there of
 * copies, closing and the loop's thread holds here); messages go out and come in whole, each by
 * itself, and may be lost on the way. A server that answers what it gets:
 *
 *     aloop_address_ip(&address, "0.0.0.0", 5353);
 *     aloop_datagram_open(NULL, &address, NULL, NULL, &self->sock);
 *     for (;;) {
 *         ALOOP_TRY(aloop_recv_from(&self->sock, self->buffer, sizeof self->buffer, &self->from));
 *         ALOOP_TRY(aloop_send_to(&self->sock, self->buffer, (size_t)self->result, &self->from));
 *     }
 *
 * Errors are those of one message, and leave the socket open: on a connected socket -ECONNREFUSED
 * says that nobody receives at the peer, and comes out of the next call of either direction, like
 * -EHOSTUNREACH and others that arrive from the network late. Whoever goes on may succeed: await
 * with ALOOP_AWAIT, and decide. asyncio: error_received().
 *
 * Any number of tasks may receive on one socket, each gets messages of its own; any number may
 * send, and what has to wait for room is sent in the order in which it was awaited. Cancelling
 * takes nothing that is then lost: no message is received that its caller does not get.
 */
#ifndef ALOOP_DATAGRAM_H
#define ALOOP_DATAGRAM_H

#include <aloop/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Begin with ALOOP_DATAGRAM_OPTIONS_INIT; new members will be added at the end. */
typedef struct aloop_datagram_options {
    size_t size;        /* of this struct as the program was compiled with it */
    bool broadcast;     /* may send to broadcast addresses, which is -EACCES else */
    bool reuse_address; /* several sockets may have one port; each gets what goes to a group, one
                           of them what goes to the address: for groups, and for nothing else */
    bool reuse_port;    /* several sockets share a port, each a part of what comes */
    bool dual_stack;    /* an IPv6 socket talks IPv4 as well; else, everywhere, IPv6 alone */
    bool queue_errors;  /* Linux: keeps what the network reports, for aloop_datagram_error() */
} aloop_datagram_options;

#define ALOOP_DATAGRAM_OPTIONS_INIT { .size = sizeof(aloop_datagram_options) }

/*
 * Opens a socket at `local` (port 0: a free one), connects it with `peer`, or both. NULL leaves one
 * of the two out: without `local` the system chooses an address, without `peer` the socket talks
 * with everybody. Connecting sends nothing; a connected socket receives from its peer alone, and is
 * told of errors. A Unix socket whose path was left behind by one that is closed is replaced; a
 * local Unix address of the family alone (length sizeof(sa_family_t)) gets an abstract name on
 * Linux, for answers. `loop` NULL: the one that runs. `options` NULL: the defaults. *out_socket
 * (returns owned) is written on success only. Returns 0; -EINVAL (neither address, an option),
 * -ENOTSUP (an option that the system does not have), -EADDRINUSE, -EADDRNOTAVAIL, -EACCES,
 * -ENETUNREACH, -EAFNOSUPPORT; of Unix sockets -ENOENT, -ECONNREFUSED; -ALOOP_ENOLOOP,
 * -ALOOP_ECLOSED, -ENOMEM, -EMFILE, ... asyncio: create_datagram_endpoint(local_addr, remote_addr).
 */
ALOOP_API ALOOP_CHECKED int aloop_datagram_open(aloop *loop, const aloop_address *local,
                                                const aloop_address *peer,
                                                const aloop_datagram_options *options,
                                                aloop_socket *out_socket);

/*
 * Awaits the addresses of a host, a name or a numeric address, at a service, a name or a port
 * number, and opens a socket that is connected with the first of them that there is a way to. What
 * it is given must stay until the await ends; *out_socket (returns owned) is written on success
 * only. The outcome is 0, an error of aloop_getaddrinfo() (<aloop/resolver.h>), or of opening. That
 * somebody is there it does not say: datagrams do not ask. asyncio:
 * create_datagram_endpoint(remote_addr).
 */
ALOOP_API aloop_op aloop_datagram_connect(const char *host, const char *service,
                                          const aloop_datagram_options *options,
                                          aloop_socket *out_socket);

/* Two Unix datagram sockets that are connected with each other. Returns 0, or an error as above. */
ALOOP_API ALOOP_CHECKED int aloop_datagram_pair(aloop *loop, aloop_socket out_sockets[2]);

/*
 * Sends one message to `to`, or to the peer if that is NULL. An empty message is one, too. The
 * outcome is `size`, or an error: -EMSGSIZE (too large; 65507 bytes are the most for UDP over
 * IPv4), -EDESTADDRREQ or -ENOTCONN (no peer), -EACCES (broadcast), -ECONNREFUSED, -ENETUNREACH,
 * -ENOBUFS (the system has no room, and will not say when it has), -ENOENT, ... The message and
 * the address must stay until the await ends. Where a receiver on this machine, a Unix socket
 * without connection, has no room, that is asked for every few ms. asyncio: sendto(),
 * sock_sendto().
 */
ALOOP_API aloop_op aloop_send_to(const aloop_socket *socket, const void *data, size_t size,
                                 const aloop_address *to);

/*
 * Receives one message. The outcome is the size that it had: if that is more than `size`, the
 * message was cut, and the rest is lost (Linux tells the true size, others `size` + 1). 0 is an
 * empty message, not an end. Who sent it is written to *out_from, which may be NULL; an address of
 * length 0 is a Unix socket without a name. asyncio: datagram_received(), sock_recvfrom_into().
 */
ALOOP_API aloop_op aloop_recv_from(const aloop_socket *socket, void *buffer, size_t size,
                                   aloop_address *out_from);

/* One of several messages. */
typedef struct aloop_datagram {
    void *data;            /* the caller's buffer, or what is to be sent */
    size_t size;           /* what the buffer can hold, or what is to be sent */
    size_t length;         /* receiving: the size that it had; more than `size`: it was cut */
    aloop_address address; /* whom from, or where to; length 0: the peer */
} aloop_datagram;

/* What one await of several messages moves at most. */
#define ALOOP_DATAGRAMS_MAX 64

/*
 * Receives as many messages as are there, at least one, at most `count`, into the buffers of
 * `items`, in one call of the system where it can do that (Linux). The outcome is how many. It
 * waits only if there is none at all.
 */
ALOOP_API aloop_op aloop_recv_many(const aloop_socket *socket, aloop_datagram *items, size_t count);

/*
 * Sends as many of `items`, in order, as the system takes now, at least the first. The outcome is
 * how many, or the error of the first: begin the next await with those that are left. An error of a
 * later one is met again then; one that was waiting (-ECONNREFUSED of an earlier message) may be
 * lost, but for aloop_datagram_error().
 */
ALOOP_API aloop_op aloop_send_many(const aloop_socket *socket, const aloop_datagram *items,
                                   size_t count);

/* What became of a message. */
typedef struct aloop_queued_error {
    int error;                 /* -ECONNREFUSED, -EHOSTUNREACH, -EMSGSIZE, ... */
    bool is_local;             /* this system says so; else the network, by ICMP: */
    uint8_t type;              /* ICMP's own words */
    uint8_t code;
    uint32_t info;             /* of -EMSGSIZE: what would have fitted */
    aloop_address destination; /* where the message was to go */
    aloop_address reporter;    /* who says so; length 0: not known */
} aloop_queued_error;

/*
 * Takes the oldest report out of the queue of a socket that was opened with queue_errors. With that
 * option sockets that are not connected get errors as well, as the outcome of sending or receiving:
 * take reports then until there is none, or the next call may have the same outcome. Returns 1;
 * 0 if there is none; -EBADF; -ENOTSUP where there is no such queue.
 */
ALOOP_API int aloop_datagram_error(const aloop_socket *socket, aloop_queued_error *out_error);

/* How many routers what is sent to one receiver may pass, 1 to 255. Returns 0; -EBADF, -EINVAL,
   -EAFNOSUPPORT. */
ALOOP_API int aloop_datagram_set_hops(const aloop_socket *socket, unsigned hops);

/*
 * Groups: what is sent to a multicast address, which `group` is, comes to all who have joined it on
 * that interface, at the port that they are bound to. `interface` is a number as if_nametoindex()
 * of <net/if.h> gives it; 0: what the system chooses. Sending needs no membership. Return 0;
 * -EBADF, -EINVAL (no such group), -ENODEV (no such interface, or none that fits), -EADDRINUSE
 * (joined already), -EADDRNOTAVAIL (not joined), -EAFNOSUPPORT, -ENOBUFS (too many).
 */
ALOOP_API ALOOP_CHECKED int aloop_multicast_join(const aloop_socket *socket,
                                                 const aloop_address *group, unsigned interface);
ALOOP_API int aloop_multicast_leave(const aloop_socket *socket, const aloop_address *group,
                                    unsigned interface);

/*
 * What is sent to groups: goes out at that interface (0: what the system chooses), passes at most
 * so many routers, 0 to 255 (1 if nobody says: it stays in this network), and comes back to the
 * groups of this machine, or does not (it does if nobody says). Return 0; -EBADF, -EINVAL, -ENODEV,
 * -EADDRNOTAVAIL, -EAFNOSUPPORT.
 */
ALOOP_API ALOOP_CHECKED int aloop_multicast_set_interface(const aloop_socket *socket,
                                                          unsigned interface);
ALOOP_API int aloop_multicast_set_hops(const aloop_socket *socket, unsigned hops);
ALOOP_API int aloop_multicast_set_loop(const aloop_socket *socket, bool loop);

#ifdef __cplusplus
}
#endif

#endif
