/*
 * Connecting to whom one knows by name: a host and a service are looked up, and what addresses they
 * have are tried until one answers. asyncio: open_connection(), create_connection().
 *
 *     ALOOP_TRY(aloop_wait_for(
 *         aloop_open_connection("example.org", "https", NULL, &self->stream), ALOOP_SEC(10)));
 *
 * Many hosts have addresses of both families, and many machines a way to one of them only, which
 * often shows by nothing but silence. So the addresses are tried in turn (RFC 8305, "happy
 * eyeballs"): of either family by turns, the next as soon as one before it has failed, or has not
 * answered for 250 ms, without being given up for that. The first that is there is the one, and the
 * others are closed.
 *
 * These are operations as all others: they can be given a time limit, raced, selected, and
 * cancelled at any point; whatever way they end, nothing is left open but the one connection that
 * they give. What they are told by pointers must stay until the await ends; what they write they
 * write on success only. They allocate, and end with -ENOMEM if that fails. All calls are for the
 * loop's thread.
 */
#ifndef ALOOP_CONNECT_H
#define ALOOP_CONNECT_H

#include <aloop/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What came of an address that was tried. */
typedef struct aloop_connect_attempt {
    aloop_address address;
    /* 0: the connection is with this one; -ECANCELED: it had not answered when that was made, or
       the await was given up; or why it failed. */
    int error;
} aloop_connect_attempt;

/*
 * How to connect. Begin with ALOOP_CONNECT_OPTIONS_INIT and set what should differ; new members
 * will be added at the end.
 */
typedef struct aloop_connect_options {
    size_t size; /* of this struct as the program was compiled with it */
    int family;  /* AF_INET or AF_INET6 alone; 0: both */
    int flags;   /* of the lookup, as in aloop_resolve_options: AI_NUMERICHOST and its kin */
    /* How long one is waited for before the next is tried as well. 0: 250 ms; ALOOP_NEVER: until
       the system gives it up, which may take minutes. */
    aloop_ns stagger;
    /* Where to connect from (port 0: any): the first of the peer's family. Peers of another family
       than all of these fail with -EADDRNOTAVAIL. None: wherever the system likes. */
    const aloop_address *local_addresses;
    size_t local_count;
    const aloop_stream_options *stream; /* of the stream that is made; NULL: the defaults */
    /* Where to note what came of each address, in the order they were tried, as far as there is
       room; also when connecting fails. *out_attempt_count says how many were tried. NULL: nowhere.
       */
    aloop_connect_attempt *attempts;
    size_t attempt_capacity;
    size_t *out_attempt_count;
} aloop_connect_options;

/* clang-format off */
#define ALOOP_CONNECT_OPTIONS_INIT { .size = sizeof(aloop_connect_options) }
/* clang-format on */

/*
 * Connects to a host, a name or a numeric address, at a service, a name or a port number, and makes
 * a stream of the connection: *out_stream (returns owned). `options` NULL: the defaults. The
 * outcome is 0, or an error of aloop_getaddrinfo(); or, if no address answers, the one that says
 * most: first that there were no fds or no memory (-EMFILE, -ENFILE, -ENOBUFS, -ENOMEM), as this
 * machine did not get to ask; then what the peer or the network on the way to it has said
 * (-ECONNREFUSED, -ETIMEDOUT, -EHOSTUNREACH, ...); last that there is no way from here
 * (-ENETUNREACH, -EADDRNOTAVAIL, ...). Of several alike, that of the address tried first. -EINVAL:
 * an option. asyncio: open_connection().
 */
ALOOP_API aloop_op aloop_open_connection(const char *host, const char *service,
                                         const aloop_connect_options *options,
                                         aloop_stream *out_stream);

/* The same, and gives the socket: *out_socket (returns owned). asyncio: create_connection(). */
ALOOP_API aloop_op aloop_connect_host(const char *host, const char *service,
                                      const aloop_connect_options *options,
                                      aloop_socket *out_socket);

/*
 * Connects to the first of `count` addresses that answers, trying them in the order they stand in.
 * The array must stay until the await ends. -EINVAL without any; else as above. (To one address
 * alone: aloop_connect().)
 */
ALOOP_API aloop_op aloop_connect_any(const aloop_address *addresses, size_t count,
                                     const aloop_connect_options *options,
                                     aloop_socket *out_socket);

/*
 * Connects to a Unix socket and makes a stream of the connection: *out_stream (returns owned). A
 * path that begins with '@' is an abstract name, as aloop_address_unix() has it. The outcome is 0,
 * or an error of that function or of aloop_connect(). asyncio: open_unix_connection().
 */
ALOOP_API aloop_op aloop_open_unix_connection(const char *path,
                                              const aloop_connect_options *options,
                                              aloop_stream *out_stream);

#ifdef __cplusplus
}
#endif

#endif
