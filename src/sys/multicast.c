/*
 * Groups of receivers, and how far messages go. IPv6 is POSIX; of IPv4 it knows nothing, and only
 * the struct with the number of an interface, which most systems have, names one that has no
 * address, or several.
 */
#if defined(__linux__)
#define _GNU_SOURCE /* struct ip_mreqn */
#else
#undef _POSIX_C_SOURCE
#define _DARWIN_C_SOURCE 1
#define _NETBSD_SOURCE 1
#define __EXTENSIONS__ 1
#endif
#include "sys/calls.h"
#include <netinet/in.h>
#include <string.h>

static int set(int fd, int level, int name, const void *value, socklen_t size)
{
    return setsockopt(fd, level, name, value, size) < 0 ? -errno : 0;
}

#if defined(__linux__) || defined(__APPLE__) || defined(__FreeBSD__)
typedef struct ip_mreqn ip4_group;

static ip4_group ip4_group_on(unsigned interface)
{
    return (ip4_group){.imr_ifindex = (int)interface};
}
#else
typedef struct ip_mreq ip4_group;

/* An address that begins with a zero byte is the number of an interface. */
static ip4_group ip4_group_on(unsigned interface)
{
    return (ip4_group){.imr_interface.s_addr = htonl(interface)};
}
#endif

static int ip4_member(int fd, const struct sockaddr *group, unsigned interface, bool joins)
{
    struct sockaddr_in address;
    ip4_group member = ip4_group_on(interface);

    memcpy(&address, group, sizeof address);
    member.imr_multiaddr = address.sin_addr;
    return set(fd, IPPROTO_IP, joins ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, &member,
               sizeof member);
}

static int ip6_member(int fd, const struct sockaddr *group, unsigned interface, bool joins)
{
    struct sockaddr_in6 address;
    struct ipv6_mreq member = {.ipv6mr_interface = interface};

    memcpy(&address, group, sizeof address);
    member.ipv6mr_multiaddr = address.sin6_addr;
    if (interface == 0)
        member.ipv6mr_interface = address.sin6_scope_id;
    return set(fd, IPPROTO_IPV6, joins ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP, &member,
               sizeof member);
}

int sys_multicast_member(int fd, const struct sockaddr *group, unsigned interface, bool joins)
{
    if (group->sa_family == AF_INET)
        return ip4_member(fd, group, interface, joins);
    return group->sa_family == AF_INET6 ? ip6_member(fd, group, interface, joins) : -EAFNOSUPPORT;
}

static int ip4_option(int fd, enum sys_ip_option option, unsigned value)
{
    /* The BSDs want a byte, the others take it. */
    unsigned char byte = (unsigned char)value;
    int number = (int)value;
#if defined(__linux__) || defined(__APPLE__) || defined(__FreeBSD__)
    ip4_group from = ip4_group_on(value);
#else
    struct in_addr from = {.s_addr = htonl(value)};
#endif

    if (option == SYS_HOPS)
        return set(fd, IPPROTO_IP, IP_TTL, &number, sizeof number);
    if (option == SYS_MULTICAST_INTERFACE)
        return set(fd, IPPROTO_IP, IP_MULTICAST_IF, &from, sizeof from);
    if (value > UINT8_MAX)
        return -EINVAL;
    return set(fd, IPPROTO_IP,
               option == SYS_MULTICAST_HOPS ? IP_MULTICAST_TTL : IP_MULTICAST_LOOP, &byte,
               sizeof byte);
}

static int ip6_option(int fd, enum sys_ip_option option, unsigned value)
{
    int number = (int)value;

    if (option == SYS_HOPS)
        return set(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &number, sizeof number);
    if (option == SYS_MULTICAST_INTERFACE)
        return set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &value, sizeof value);
    if (value > UINT8_MAX)
        return -EINVAL;
    if (option == SYS_MULTICAST_LOOP)
        return set(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, &value, sizeof value);
    return set(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &number, sizeof number);
}

int sys_ip_option_set(int fd, int family, enum sys_ip_option option, unsigned value)
{
    if (family == AF_INET)
        return ip4_option(fd, option, value);
    return family == AF_INET6 ? ip6_option(fd, option, value) : -EAFNOSUPPORT;
}
