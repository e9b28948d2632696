/*
 * The system calls that every POSIX system does alike. This file, sys_linux.c and sys_bsd.c are the
 * only ones that read errno.
 */
#include "base/compiler.h"
#include "sys/calls.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where the flag is missing, the sockets carry an option instead: see sys_no_sigpipe(). */
#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

static int answer(int result)
{
    return result < 0 ? -errno : result;
}

int sys_close(int fd)
{
    /* Whether an interrupted close has closed the fd, POSIX leaves open; the systems of today have.
       A second try would at best say EBADF, at worst close what another thread has just opened. */
    if (close(fd) == 0 || errno == EINTR || errno == EINPROGRESS)
        return 0;
    return -errno;
}

ssize_t sys_read(int fd, void *buffer, size_t size)
{
    ssize_t got;

    do
        got = read(fd, buffer, size);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

ssize_t sys_write(int fd, const void *buffer, size_t size)
{
    ssize_t put;

    do
        put = write(fd, buffer, size);
    while (put < 0 && errno == EINTR);
    return put < 0 ? -errno : put;
}

/* What every message costs. The arguments wait in memory for the case that the call has to be
   repeated: in registers they would have to be saved for it each time, and those to be restored. */
struct transfer {
    int fd;
    int flags;
    size_t size;
    void *to;
    const void *from;
};

static NOINLINE ssize_t recv_again(const struct transfer *transfer)
{
    ssize_t got = -1;

    while (got < 0 && errno == EINTR)
        got = recv(transfer->fd, transfer->to, transfer->size, transfer->flags);
    return got < 0 ? -errno : got;
}

ssize_t sys_recv(int fd, void *buffer, size_t size, int flags)
{
    const struct transfer transfer = {.fd = fd, .flags = flags, .size = size, .to = buffer};
    ssize_t got = recv(fd, buffer, size, flags);

    return ALOOP_LIKELY(got >= 0) ? got : recv_again(&transfer);
}

static NOINLINE ssize_t send_again(const struct transfer *transfer)
{
    ssize_t put = -1;

    while (put < 0 && errno == EINTR)
        put = send(transfer->fd, transfer->from, transfer->size, transfer->flags);
    return put < 0 ? -errno : put;
}

ssize_t sys_send(int fd, const void *buffer, size_t size, int flags)
{
    const struct transfer transfer = {
        .fd = fd, .flags = flags | MSG_NOSIGNAL, .size = size, .from = buffer};
    ssize_t put = send(fd, buffer, size, flags | MSG_NOSIGNAL);

    return ALOOP_LIKELY(put >= 0) ? put : send_again(&transfer);
}

ssize_t sys_sendv(int fd, const struct iovec *pieces, int count)
{
    struct msghdr message = {0};
    ssize_t put;

    /* The system only reads them. */
    memcpy(&message.msg_iov, &pieces, sizeof pieces);
    /* An int, or a size_t, from system to system. */
    message.msg_iovlen = _Generic(message.msg_iovlen, int: count, size_t: (size_t)count);
    do
        put = sendmsg(fd, &message, MSG_NOSIGNAL);
    while (put < 0 && errno == EINTR);
    return put < 0 ? -errno : put;
}

/* While it does not block SIGPIPE, a thread has none pending; one that does may have had one
   before, which is then not ours to take. */
void sigpipe_hold(struct sigpipe_guard *guard)
{
    sigset_t only;
    sigset_t pending;

    sigemptyset(&only);
    sigaddset(&only, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &only, &guard->mask);
    guard->was_pending = sigismember(&guard->mask, SIGPIPE) == 1 && sigpending(&pending) == 0 &&
                         sigismember(&pending, SIGPIPE) == 1;
}

void sigpipe_release(const struct sigpipe_guard *guard, ssize_t error)
{
    int saved = errno;
    sigset_t set;
    int signal_number;

    /* Where it is ignored it is not pending, and waiting for it would never end. */
    if (error == -EPIPE && !guard->was_pending && sigpending(&set) == 0 &&
        sigismember(&set, SIGPIPE) == 1) {
        sigemptyset(&set);
        sigaddset(&set, SIGPIPE);
        (void)sigwait(&set, &signal_number);
    }
    if (sigismember(&guard->mask, SIGPIPE) != 1)
        (void)pthread_sigmask(SIG_SETMASK, &guard->mask, NULL);
    errno = saved;
}

ssize_t sys_writev(int fd, const struct iovec *pieces, int count)
{
    struct sigpipe_guard guard;
    ssize_t put;

    sigpipe_hold(&guard);
    do
        put = writev(fd, pieces, count);
    while (put < 0 && errno == EINTR);
    if (put < 0)
        put = -errno;
    sigpipe_release(&guard, put);
    return put;
}

ssize_t sys_pread(int fd, void *buffer, size_t size, int64_t offset)
{
    ssize_t got;

    do
        got = pread(fd, buffer, size, (off_t)offset);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

int sys_bind(int fd, const struct sockaddr *address, socklen_t size)
{
    return answer(bind(fd, address, size));
}

int sys_listen(int fd, int backlog)
{
    return answer(listen(fd, backlog));
}

int sys_connect(int fd, const struct sockaddr *address, socklen_t size)
{
    if (connect(fd, address, size) == 0)
        return 0;
    return errno == EINTR ? -EINPROGRESS : -errno;
}

int sys_shutdown(int fd, int how)
{
    return answer(shutdown(fd, how));
}

int sys_getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
    return answer(getsockopt(fd, level, name, value, size));
}

int sys_setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
    return answer(setsockopt(fd, level, name, value, size));
}

int sys_getsockname(int fd, struct sockaddr *address, socklen_t *size)
{
    return answer(getsockname(fd, address, size));
}

int sys_getpeername(int fd, struct sockaddr *address, socklen_t *size)
{
    return answer(getpeername(fd, address, size));
}

int sys_unlink(const char *path)
{
    return answer(unlink(path));
}

int sys_path_is_socket(const char *path)
{
    struct stat status;

    if (lstat(path, &status) < 0)
        return -errno;
    return S_ISSOCK(status.st_mode) ? 1 : 0;
}

int sys_path_identity(const char *path, uint64_t out_identity[2])
{
    struct stat status;

    if (lstat(path, &status) < 0)
        return -errno;
    out_identity[0] = (uint64_t)status.st_dev;
    out_identity[1] = (uint64_t)status.st_ino;
    return 0;
}

/* A whole number, -1 if the text is anything else. */
static long number_of(const char *text)
{
    char *end;
    long number;

    if (text == NULL || *text < '0' || *text > '9')
        return -1;
    number = strtol(text, &end, 10);
    return *end == '\0' ? number : -1;
}

int sys_listen_fds(void)
{
    enum { FIRST = 3, MOST = 1024 };
    long count = number_of(getenv("LISTEN_FDS"));

    if (number_of(getenv("LISTEN_PID")) != (long)getpid() || count <= 0 || count > MOST)
        return 0;
    for (int fd = FIRST; fd < FIRST + (int)count; fd++)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    return (int)count;
}

int sys_fd_is_open(int fd)
{
    return fcntl(fd, F_GETFD) < 0 ? -errno : 1;
}

int sys_fd_is_pollable(int fd)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return -errno;
    if (S_ISSOCK(status.st_mode) || S_ISFIFO(status.st_mode))
        return 1;
    return sys_probe_pollable(fd, S_ISREG(status.st_mode) || S_ISDIR(status.st_mode));
}

int sys_set_nonblocking(int fd, bool nonblocking)
{
    int flags = fcntl(fd, F_GETFL);
    int wanted;

    if (flags < 0)
        return -errno;
    wanted = nonblocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    return wanted == flags ? 0 : answer(fcntl(fd, F_SETFL, wanted));
}

/* Eight bytes are what an eventfd takes; a pipe takes them as one too. */
int sys_wake(int fd)
{
    static const uint64_t one = 1;
    int saved = errno;
    ssize_t put = sys_write(fd, &one, sizeof one);

    errno = saved;
    /* Full: whoever wakes up will find it readable as it is. */
    return put >= 0 || put == -EAGAIN ? 0 : (int)put;
}

int sys_wake_drain(int fd)
{
    char buffer[512];
    ssize_t got;

    do
        got = sys_read(fd, buffer, sizeof buffer);
    while (got == (ssize_t)sizeof buffer);
    return got >= 0 || got == -EAGAIN ? 0 : (int)got;
}
