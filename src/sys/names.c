/*
 * The system's resolver, which has errors of its own.
 */
#include "sys/calls.h"
#include <netdb.h>

static int error_of(int code, int system_error)
{
    switch (code) {
    case 0:
        return 0;
    case EAI_AGAIN:
        return -ALOOP_ENAMEAGAIN;
    case EAI_FAIL:
        return -ALOOP_ENAMEFAIL;
    case EAI_SERVICE:
        return -ALOOP_ESERVICE;
    case EAI_FAMILY:
        return -EAFNOSUPPORT;
    case EAI_BADFLAGS:
        return -EINVAL;
    case EAI_SOCKTYPE:
        return -EPROTOTYPE;
    case EAI_MEMORY:
        return -ENOMEM;
    case EAI_OVERFLOW:
        return -EOVERFLOW;
    case EAI_SYSTEM:
        return system_error != 0 ? -system_error : -ALOOP_ENAMEFAIL;
    default:
        /* EAI_NONAME; and EAI_NODATA, EAI_ADDRFAMILY of some systems: nothing of that kind. */
        return -ALOOP_ENONAME;
    }
}

int sys_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                    struct addrinfo **out_list)
{
    int code;

    errno = 0;
    code = getaddrinfo(host, service, hints, out_list);
    return error_of(code, errno);
}

void sys_freeaddrinfo(struct addrinfo *list)
{
    freeaddrinfo(list);
}

int sys_getnameinfo(const struct sockaddr *address, socklen_t length, char *host, size_t host_size,
                    char *service, size_t service_size, int flags)
{
    int code;

    errno = 0;
    code = getnameinfo(address, length, host, (socklen_t)host_size, service,
                       (socklen_t)service_size, flags);
    return error_of(code, errno);
}
