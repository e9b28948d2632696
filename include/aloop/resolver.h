/*
 * Names of hosts and services, looked up by the system's resolver. That blocks, so it runs in
 * threads, of its own: names that are stuck for minutes delay no job of <aloop/thread.h>, and
 * nothing that the loop does. Where host and service are both numbers, or not given, the answer
 * comes at once, from the loop's thread.
 *
 * The operations are for awaiting. Cancelled, or out of time, they end at once; the late answer is
 * dropped, and nothing of the caller's is touched. Up to four names are looked up at a time, the
 * others wait for their turn. Besides the errors below: -ENOMEM, -EAGAIN, -ECHILD, as
 * <aloop/thread.h> says.
 */
#ifndef ALOOP_RESOLVER_H
#define ALOOP_RESOLVER_H

#include <aloop/address.h>
#include <aloop/op.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Addresses of a host, in the order in which to try them. All zero: none. */
typedef struct aloop_addresses {
    aloop_address *items;
    size_t count;
    aloop *loop; /* the library's: whose memory it is */
} aloop_addresses;

/* What to look for; all zero is the default. Numbers of <sys/socket.h> and <netdb.h>. */
typedef struct aloop_resolve_options {
    int family; /* AF_INET or AF_INET6 alone; 0: both */
    int type;   /* SOCK_STREAM, SOCK_DGRAM; 0: SOCK_STREAM */
    int flags;  /* AI_PASSIVE, AI_ADDRCONFIG, AI_V4MAPPED, AI_NUMERICHOST, AI_NUMERICSERV */
} aloop_resolve_options;

/*
 * Looks up the addresses of `host`, a name or a number (NULL: this machine; with AI_PASSIVE: any
 * address, to listen at), with the port of `service`, a name or a number (NULL: port 0). The
 * outcome is how many there are, more than 0, and *out_addresses (returns owned, on success only)
 * has them: give it back with aloop_addresses_free(). The strings and *options (NULL: the
 * defaults) are used until the await ends. Errors: -ALOOP_ENONAME (there is no such name),
 * -ALOOP_ENAMEAGAIN (the resolver cannot tell now), -ALOOP_ENAMEFAIL (it cannot tell at all),
 * -ALOOP_ESERVICE (also a number above 65535), -EAFNOSUPPORT, -EINVAL, or the system's. asyncio:
 * loop.getaddrinfo().
 */
ALOOP_API aloop_op aloop_getaddrinfo(const char *host, const char *service,
                                     const aloop_resolve_options *options,
                                     aloop_addresses *out_addresses);

/* Frees them; *addresses is zero afterwards. Nothing if it has none. May be called on what a closed
   loop has left, in the thread that ran it. */
ALOOP_API void aloop_addresses_free(aloop_addresses *addresses);

/* The names of a host and a service, cut to what fits. */
typedef struct aloop_names {
    char host[256];
    char service[32];
} aloop_names;

/*
 * Looks up the names of `address`, which is copied when the await begins, and writes them on
 * success. `flags` are of <netdb.h>: NI_NUMERICHOST, NI_NUMERICSERV, NI_NAMEREQD, NI_DGRAM. The
 * outcome is 0, or an error as above. asyncio: loop.getnameinfo().
 */
ALOOP_API aloop_op aloop_getnameinfo(const aloop_address *address, int flags,
                                     aloop_names *out_names);

#ifdef __cplusplus
}
#endif

#endif
