/*
 * Addresses of sockets: a value, made from text or by the system. Names of hosts are not looked up
 * here.
 */
#ifndef ALOOP_ADDRESS_H
#define ALOOP_ADDRESS_H

#include <aloop/base.h>
#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An address of any family, as the system wants it. All zero: none. */
typedef struct aloop_address {
    struct sockaddr_storage storage;
    socklen_t length;
} aloop_address;

/* Enough for every text of aloop_address_format(), with its end. */
#define ALOOP_ADDRESS_TEXT_MAX 128

/*
 * The address of a numeric IPv4 or IPv6 host and a port: "127.0.0.1", "::1", "::". A link-local
 * address may carry the number of its interface, "fe80::1%2". Writes *out_address only on success.
 * Returns 0; -EINVAL if `host` is no such address (names are the resolver's), or the port is above
 * 65535. Any thread.
 */
ALOOP_API ALOOP_CHECKED int aloop_address_ip(aloop_address *out_address, const char *host,
                                             unsigned port);

/*
 * The address of a Unix socket with a path. A path that begins with '@' is the name, without that
 * character, of an abstract socket, which Linux has and which leaves no file ("./@name" is the
 * file). Returns 0; -EINVAL for an empty path; -ENAMETOOLONG above some 100 bytes; -ENOTSUP if the
 * system has no abstract names. Any thread.
 */
ALOOP_API ALOOP_CHECKED int aloop_address_unix(aloop_address *out_address, const char *path);

/*
 * Writes the address as text, always ended, cut to `size` bytes: "127.0.0.1:80", "[::1]:80",
 * "[fe80::1%2]:80", "/run/socket", "@abstract" (bytes that are zero are shown as '@'), "unnamed"
 * for a Unix socket without a name. An IPv4 peer of an IPv6 socket shows as what it is there,
 * "[::ffff:127.0.0.1]:80". Returns the length of the whole text, so cut if that is >= size;
 * -EAFNOSUPPORT for other families. Any thread.
 */
ALOOP_API int aloop_address_format(const aloop_address *address, char *buffer, size_t size);

/* The port of an IPv4 or IPv6 address; -EAFNOSUPPORT for others. Any thread. */
ALOOP_API int aloop_address_port(const aloop_address *address);

#ifdef __cplusplus
}
#endif

#endif
