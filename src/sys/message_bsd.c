/*
 * Messages elsewhere than on Linux: one a call, and close-on-exec after the fact where there is no
 * flag for it.
 */
#if !defined(__linux__)

#undef _POSIX_C_SOURCE
#define _DARWIN_C_SOURCE 1
#define _NETBSD_SOURCE 1
#define __EXTENSIONS__ 1
#include "sys/calls.h"
#include <aloop/unix_socket.h>
#include <fcntl.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

/* They tell that a datagram was cut, but not what it had been. */
const int sys_whole_size = 0;

#ifdef MSG_CMSG_CLOEXEC
#define CLOEXEC_FLAG MSG_CMSG_CLOEXEC
#else
#define CLOEXEC_FLAG 0
#endif

static void make_close_on_exec(struct msghdr *message)
{
    for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control != NULL;
         control = CMSG_NXTHDR(message, control)) {
        size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        const unsigned char *data = CMSG_DATA(control);

        if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < count; i++) {
            int fd;

            memcpy(&fd, data + i * sizeof fd, sizeof fd);
            (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
        }
    }
}

ssize_t sys_recvmsg(int fd, struct msghdr *message, int flags)
{
    ssize_t got;

    do
        got = recvmsg(fd, message, flags | CLOEXEC_FLAG);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    if (CLOEXEC_FLAG == 0 && message->msg_controllen > 0)
        make_close_on_exec(message);
    return got;
}

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
