/*
 * Addresses as text and back.
 */
#include "io/internal.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

/* Above what fits, the path has no room for the zero at its end, which some systems want. */
#define UNIX_PATH_MAX (sizeof(((struct sockaddr_un *)0)->sun_path))
#define UNIX_PATH_OFFSET (offsetof(struct sockaddr_un, sun_path))

_Static_assert(ALOOP_ADDRESS_TEXT_MAX > UNIX_PATH_MAX + 1, "every Unix path fits into the text");

/* --- from text --- */

/* The number of an interface; 0 if it is none. */
static uint32_t parse_scope(const char *text)
{
    uint64_t scope = 0;

    for (; *text >= '0' && *text <= '9' && scope <= UINT32_MAX; text++)
        scope = scope * 10 + (uint64_t)(*text - '0');
    return *text == '\0' && scope <= UINT32_MAX ? (uint32_t)scope : 0;
}

static int ip6_from(struct sockaddr_in6 *ip6, const char *host)
{
    char digits[INET6_ADDRSTRLEN];
    const char *percent = strchr(host, '%');
    size_t length = percent != NULL ? (size_t)(percent - host) : strlen(host);

    if (length >= sizeof digits)
        return -EINVAL;
    memcpy(digits, host, length);
    digits[length] = '\0';
    if (inet_pton(AF_INET6, digits, &ip6->sin6_addr) != 1)
        return -EINVAL;
    if (percent == NULL)
        return 0;
    ip6->sin6_scope_id = parse_scope(percent + 1);
    return ip6->sin6_scope_id != 0 ? 0 : -EINVAL;
}

int aloop_address_ip(aloop_address *out_address, const char *host, unsigned port)
{
    aloop_address address = {.length = 0};
    struct sockaddr_in *ip4 = (struct sockaddr_in *)(void *)&address.storage;
    struct sockaddr_in6 *ip6 = (struct sockaddr_in6 *)(void *)&address.storage;

    if (port > UINT16_MAX)
        return -EINVAL;
    if (inet_pton(AF_INET, host, &ip4->sin_addr) == 1) {
        ip4->sin_family = AF_INET;
        ip4->sin_port = htons((uint16_t)port);
        address.length = sizeof *ip4;
    } else {
        memset(&address.storage, 0, sizeof address.storage);
        if (ip6_from(ip6, host) < 0)
            return -EINVAL;
        ip6->sin6_family = AF_INET6;
        ip6->sin6_port = htons((uint16_t)port);
        address.length = sizeof *ip6;
    }
    *out_address = address;
    return 0;
}

int aloop_address_unix(aloop_address *out_address, const char *path)
{
    aloop_address address = {.length = 0};
    struct sockaddr_un *name = (struct sockaddr_un *)(void *)&address.storage;
    size_t length = strlen(path);

    if (length == 0)
        return -EINVAL;
    if (length >= UNIX_PATH_MAX)
        return -ENAMETOOLONG;
    name->sun_family = AF_UNIX;
    memcpy(name->sun_path, path, length);
    address.length = (socklen_t)(UNIX_PATH_OFFSET + length + 1);
    if (path[0] == '@') {
#ifdef __linux__
        /* Every byte counts: one more, though it be zero, would be another name. */
        name->sun_path[0] = '\0';
        address.length--;
#else
        return -ENOTSUP;
#endif
    }
    *out_address = address;
    return 0;
}

/* --- to text --- */

static int format_ip4(const struct sockaddr_in *ip4, char *buffer, size_t size)
{
    char host[INET_ADDRSTRLEN];

    (void)inet_ntop(AF_INET, &ip4->sin_addr, host, sizeof host);
    return snprintf(buffer, size, "%s:%u", host, (unsigned)ntohs(ip4->sin_port));
}

static int format_ip6(const struct sockaddr_in6 *ip6, char *buffer, size_t size)
{
    char host[INET6_ADDRSTRLEN];
    unsigned port = ntohs(ip6->sin6_port);

    (void)inet_ntop(AF_INET6, &ip6->sin6_addr, host, sizeof host);
    if (ip6->sin6_scope_id == 0)
        return snprintf(buffer, size, "[%s]:%u", host, port);
    return snprintf(buffer, size, "[%s%%%" PRIu32 "]:%u", host, (uint32_t)ip6->sin6_scope_id, port);
}

static int format_unix(const struct sockaddr_un *name, socklen_t length, char *buffer, size_t size)
{
    char text[UNIX_PATH_MAX + 1];
    size_t used = length > UNIX_PATH_OFFSET ? length - UNIX_PATH_OFFSET : 0;

    if (used > UNIX_PATH_MAX)
        used = UNIX_PATH_MAX;
    if (used == 0)
        return snprintf(buffer, size, "unnamed");
    memcpy(text, name->sun_path, used);
    text[used] = '\0';
    if (text[0] == '\0') {
        for (size_t i = 0; i < used; i++)
            text[i] = text[i] != '\0' ? text[i] : '@';
    }
    return snprintf(buffer, size, "%s", text);
}

int aloop_address_format(const aloop_address *address, char *buffer, size_t size)
{
    const void *storage = &address->storage;

    switch (address->storage.ss_family) {
    case AF_INET:
        return format_ip4(storage, buffer, size);
    case AF_INET6:
        return format_ip6(storage, buffer, size);
    case AF_UNIX:
        return format_unix(storage, address->length, buffer, size);
    default:
        if (size > 0)
            buffer[0] = '\0';
        return -EAFNOSUPPORT;
    }
}

int aloop_address_port(const aloop_address *address)
{
    const void *storage = &address->storage;

    switch (address->storage.ss_family) {
    case AF_INET:
        return ntohs(((const struct sockaddr_in *)storage)->sin_port);
    case AF_INET6:
        return ntohs(((const struct sockaddr_in6 *)storage)->sin6_port);
    default:
        return -EAFNOSUPPORT;
    }
}
