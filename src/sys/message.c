/*
 * Messages of sockets, as every system sends them, and several of them one by one.
 */
#include "sys/calls.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

ssize_t sys_sendmsg(int fd, const struct msghdr *message, int flags)
{
    ssize_t put;

    do
        put = sendmsg(fd, message, flags | MSG_NOSIGNAL);
    while (put < 0 && errno == EINTR);
    return put < 0 ? -errno : put;
}

ssize_t sys_recvmsg(int fd, struct msghdr *message, int flags)
{
    ssize_t got;

    do
        got = recvmsg(fd, message, flags);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

int sys_send_each(int fd, struct sys_message *messages, int count)
{
    for (int i = 0; i < count; i++) {
        ssize_t put = sys_sendmsg(fd, &messages[i].header, 0);

        if (put < 0)
            return i > 0 ? i : (int)put;
        messages[i].length = (unsigned)put;
    }
    return count;
}

int sys_recv_each(int fd, struct sys_message *messages, int count, int flags)
{
    for (int i = 0; i < count; i++) {
        ssize_t got = sys_recvmsg(fd, &messages[i].header, flags);

        if (got < 0)
            return i > 0 ? i : (int)got;
        messages[i].length = (unsigned)got;
    }
    return count;
}
