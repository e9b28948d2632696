/*
 * Fds that travel in messages. POSIX has the messages, but nothing to say how large one is with fds
 * in it; and where there is no flag for it, what arrives is made close-on-exec after the fact.
 */
#if defined(__linux__)
#define _GNU_SOURCE /* MSG_CMSG_CLOEXEC */
#else
#undef _POSIX_C_SOURCE
#define _DARWIN_C_SOURCE 1
#define _NETBSD_SOURCE 1
#define __EXTENSIONS__ 1
#endif
#include "sys/calls.h"
#include <aloop/unix_socket.h>
#include <fcntl.h>
#include <string.h>

#ifdef MSG_CMSG_CLOEXEC
#define CLOEXEC_FLAG MSG_CMSG_CLOEXEC
#else
#define CLOEXEC_FLAG 0
#endif

/* Room for all the fds that can come, and for what a socket was told to send along beside them:
   what does not fit, the kernel drops. (CMSG_SPACE is no constant everywhere.) */
union control {
    struct cmsghdr header;
    char space[ALOOP_FDS_MAX * sizeof(int) + 256];
};

static void put_fds(struct msghdr *message, union control *control, const struct aloop_fds *fds)
{
    size_t bytes = fds->count * sizeof *fds->items;
    struct cmsghdr *header = &control->header;

    if (bytes == 0)
        return;
    memset(control, 0, sizeof *control);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    /* A size_t, or a socklen_t, from system to system. */
    header->cmsg_len = _Generic(header->cmsg_len, size_t: CMSG_LEN(bytes),
                                default: (socklen_t)CMSG_LEN(bytes));
    memcpy(CMSG_DATA(header), fds->items, bytes);
    message->msg_control = control;
    message->msg_controllen = _Generic(message->msg_controllen, size_t: CMSG_SPACE(bytes),
                                       default: (socklen_t)CMSG_SPACE(bytes));
}

ssize_t sys_send_fds(int fd, const struct iovec *piece, const struct aloop_fds *fds)
{
    struct iovec copy = *piece;
    struct msghdr message = {.msg_iov = &copy, .msg_iovlen = 1};
    union control control;

    put_fds(&message, &control, fds);
    return sys_sendmsg(fd, &message, 0);
}

/* Takes the fds of a message as far as there is place for them, closing the others; how many there
   were. */
static size_t take_fds(struct msghdr *message, struct aloop_fds *fds)
{
    size_t found = 0;

    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL;
         header = CMSG_NXTHDR(message, header)) {
        const unsigned char *data = CMSG_DATA(header);
        size_t count = ((size_t)header->cmsg_len - (size_t)CMSG_LEN(0)) / sizeof(int);

        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < count; i++, found++) {
            int fd;

            memcpy(&fd, data + i * sizeof fd, sizeof fd);
            if (CLOEXEC_FLAG == 0)
                (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
            if (found < fds->capacity)
                fds->items[found] = fd;
            else
                sys_close(fd);
        }
    }
    fds->count = found < fds->capacity ? found : fds->capacity;
    return found;
}

/* An incomplete set of fds is of no use, and whoever got it would not know. */
static int refuse_fds(struct aloop_fds *fds, int error)
{
    for (size_t i = 0; i < fds->count; i++)
        sys_close(fds->items[i]);
    fds->count = 0;
    return error;
}

ssize_t sys_recv_fds(int fd, const struct iovec *piece, struct aloop_fds *fds)
{
    struct iovec copy = *piece;
    union control control;
    struct msghdr message = {.msg_iov = &copy,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t got = sys_recvmsg(fd, &message, CLOEXEC_FLAG);

    if (got < 0)
        return got;
    if (take_fds(&message, fds) > fds->capacity)
        return refuse_fds(fds, -EMSGSIZE);
    return message.msg_flags & MSG_CTRUNC ? refuse_fds(fds, -EMFILE) : got;
}
