/*
 * Messages elsewhere than on Linux: one a call.
 */
#if !defined(__linux__)

#undef _POSIX_C_SOURCE
#define _DARWIN_C_SOURCE 1
#define _NETBSD_SOURCE 1
#define __EXTENSIONS__ 1
#include "sys/calls.h"
#include <aloop/unix_socket.h>
#include <sys/un.h>
#include <unistd.h>

/* They tell that a datagram was cut, but not what it had been. */
const int sys_whole_size = 0;

int sys_sendmmsg(int fd, struct sys_message *messages, int count)
{
    return sys_send_each(fd, messages, count);
}

int sys_recvmmsg(int fd, struct sys_message *messages, int count, int flags)
{
    return sys_recv_each(fd, messages, count, flags);
}

int sys_peer_credentials(int fd, struct aloop_credentials *out_credentials)
{
#if defined(SYS_HAVE_KQUEUE)
    struct aloop_credentials result = {.pid = -1};

    if (getpeereid(fd, &result.uid, &result.gid) < 0)
        return -errno;
#ifdef LOCAL_PEERPID
    {
        pid_t pid;
        socklen_t size = sizeof pid;

        if (getsockopt(fd, SOL_LOCAL, LOCAL_PEERPID, &pid, &size) == 0)
            result.pid = pid;
    }
#endif
    *out_credentials = result;
    return 0;
#else
    (void)fd;
    (void)out_credentials;
    return -ENOTSUP;
#endif
}

int sys_keep_errors(int fd, int family)
{
    (void)fd;
    (void)family;
    return -ENOTSUP;
}

int sys_recv_error(int fd, struct aloop_queued_error *out_error)
{
    (void)fd;
    (void)out_error;
    return -ENOTSUP;
}

#else
typedef int aloop_no_bsd_messages; /* a translation unit may not be empty */
#endif
