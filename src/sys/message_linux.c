/*
 * What Linux can do with messages beyond POSIX: several in one call, the whole size of one that was
 * cut, who the peer is, and a queue of errors.
 */
#if defined(__linux__)

#define _GNU_SOURCE /* recvmmsg, sendmmsg, struct ucred, IP_RECVERR */
#include "sys/calls.h"
#include <aloop/datagram.h>
#include <aloop/unix_socket.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <string.h>

const int sys_whole_size = MSG_TRUNC;

_Static_assert(sizeof(struct sys_message) == sizeof(struct mmsghdr) &&
                   offsetof(struct sys_message, length) == offsetof(struct mmsghdr, msg_len),
               "struct sys_message is the system's");

/* A sandbox may not know these calls. */
static bool is_missing(int result)
{
    return result < 0 && errno == ENOSYS;
}

int sys_sendmmsg(int fd, struct sys_message *messages, int count)
{
    int put;

    do
        put = sendmmsg(fd, (struct mmsghdr *)(void *)messages, (unsigned)count, MSG_NOSIGNAL);
    while (put < 0 && errno == EINTR);
    if (is_missing(put))
        return sys_send_each(fd, messages, count);
    return put < 0 ? -errno : put;
}

int sys_recvmmsg(int fd, struct sys_message *messages, int count, int flags)
{
    int got;

    do
        got = recvmmsg(fd, (struct mmsghdr *)(void *)messages, (unsigned)count, flags, NULL);
    while (got < 0 && errno == EINTR);
    if (is_missing(got))
        return sys_recv_each(fd, messages, count, flags);
    return got < 0 ? -errno : got;
}

int sys_peer_credentials(int fd, struct aloop_credentials *out_credentials)
{
    struct ucred peer;
    socklen_t size = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return -errno;
    /* What it says of a socket that has no peer, or is of another family. */
    if (peer.uid == (uid_t)-1 && peer.gid == (gid_t)-1)
        return -ENOTCONN;
    *out_credentials = (struct aloop_credentials){
        .pid = peer.pid > 0 ? peer.pid : -1, .uid = peer.uid, .gid = peer.gid};
    return 0;
}

int sys_keep_errors(int fd, int family)
{
    const int on = 1;

    /* An IPv6 socket may talk to IPv4 as well. */
    if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on) < 0)
        return -errno;
    if (family == AF_INET || family == AF_INET6)
        return setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on) < 0 ? -errno : 0;
    return -ENOTSUP;
}

static bool is_error_report(const struct cmsghdr *control)
{
    return (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_RECVERR) ||
           (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_RECVERR);
}

static void read_report(const struct cmsghdr *control, struct aloop_queued_error *out_error)
{
    struct {
        struct sock_extended_err error;
        struct sockaddr_in6 offender;
    } report = {.error.ee_errno = 0};
    size_t size = control->cmsg_len - CMSG_LEN(0);

    memcpy(&report, CMSG_DATA(control), size < sizeof report ? size : sizeof report);
    out_error->error = -(int)report.error.ee_errno;
    out_error->is_local = report.error.ee_origin == SO_EE_ORIGIN_LOCAL;
    out_error->type = report.error.ee_type;
    out_error->code = report.error.ee_code;
    out_error->info = report.error.ee_info;
    if (report.offender.sin6_family == AF_INET)
        out_error->reporter.length = sizeof(struct sockaddr_in);
    else if (report.offender.sin6_family == AF_INET6)
        out_error->reporter.length = sizeof(struct sockaddr_in6);
    memcpy(&out_error->reporter.storage, &report.offender, out_error->reporter.length);
}

int sys_recv_error(int fd, struct aloop_queued_error *out_error)
{
    struct aloop_queued_error result = {.error = 0};
    union {
        struct cmsghdr header;
        char space[256];
    } buffer;
    struct msghdr message = {.msg_name = &result.destination.storage,
                             .msg_namelen = sizeof result.destination.storage,
                             .msg_control = &buffer,
                             .msg_controllen = sizeof buffer};
    ssize_t got = sys_recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT);

    if (got < 0)
        return got == -EAGAIN ? 0 : (int)got;
    result.destination.length = message.msg_namelen;
    for (struct cmsghdr *control = CMSG_FIRSTHDR(&message); control != NULL;
         control = CMSG_NXTHDR(&message, control)) {
        if (is_error_report(control))
            read_report(control, &result);
    }
    *out_error = result;
    return 1;
}

#else
typedef int aloop_no_linux_messages; /* a translation unit may not be empty */
#endif
