/*
 * macOS, the BSDs, and what else is POSIX but not Linux: fds get their flags by fcntl where accept4
 * and pipe2 are missing (macOS), sockets may carry SO_NOSIGPIPE, and there may be kqueue.
 */
#if !defined(__linux__)

/* A strict _POSIX_C_SOURCE hides all that on these systems. */
#undef _POSIX_C_SOURCE
#define _DARWIN_C_SOURCE 1
#define _NETBSD_SOURCE 1
#define __EXTENSIONS__ 1
#include "sys/calls.h"
#include "base/time_math.h"
#include <fcntl.h>
#include <pthread.h>
#if defined(__FreeBSD__) || defined(__OpenBSD__) || defined(__DragonFly__)
#include <pthread_np.h>
#endif
#include <time.h>
#include <unistd.h>
#ifdef SYS_HAVE_KQUEUE
#include <sys/event.h>
#endif

#ifdef POLLRDHUP
const short sys_poll_rdhup = POLLRDHUP;
#else
const short sys_poll_rdhup = 0;
#endif

#ifdef SO_REUSEPORT
const int sys_reuse_port = SO_REUSEPORT;
#else
const int sys_reuse_port = -1;
#endif

/* macOS: CLOCK_MONOTONIC goes on while the machine sleeps, and can be slewed; the RAW clocks are
   Mach's continuous and absolute time. Elsewhere CLOCK_MONOTONIC stands still, or there is no
   difference. */
#if defined(__APPLE__)
#define CLOCK_AWAKE CLOCK_UPTIME_RAW
#define CLOCK_ALWAYS CLOCK_MONOTONIC_RAW
#elif defined(CLOCK_BOOTTIME)
#define CLOCK_AWAKE CLOCK_MONOTONIC
#define CLOCK_ALWAYS CLOCK_BOOTTIME
#else
#define CLOCK_AWAKE CLOCK_MONOTONIC
#define CLOCK_ALWAYS CLOCK_MONOTONIC
#endif

aloop_ns sys_clock(bool boottime)
{
    struct timespec now = {0};

    clock_gettime(boottime ? CLOCK_ALWAYS : CLOCK_AWAKE, &now);
    return time_from_timespec(&now);
}

int sys_is_main_thread(void)
{
#if defined(__APPLE__) || defined(__FreeBSD__) || defined(__OpenBSD__) || defined(__DragonFly__)
    return pthread_main_np() == 1;
#else
    return 1;
#endif
}

int sys_no_sigpipe(int fd)
{
#ifdef SO_NOSIGPIPE
    const int on = 1;

    return sys_setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#else
    (void)fd;
    return 0;
#endif
}

/* What an fd needs that was made without flags. Closes it on error. */
static int prepare_fd(int fd)
{
    int error;

    error = fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -errno : sys_set_nonblocking(fd, true);
    if (error < 0)
        sys_close(fd);
    return error;
}

/* What a socket needs that was made without flags. Closes it on error. */
static int prepare_socket(int fd)
{
    int error = prepare_fd(fd);

    if (error < 0)
        return error;
    error = sys_no_sigpipe(fd);
    /* macOS says EINVAL for a connection that the peer has reset already: send will fail with
       EPIPE's kin before any signal, and whoever accepted finds out by its own call. */
    if (error < 0 && error != -EINVAL) {
        sys_close(fd);
        return error;
    }
    return fd;
}

int sys_socket(int family, int type, int protocol)
{
    int fd = socket(family, type, protocol);

    return fd < 0 ? -errno : prepare_socket(fd);
}

int sys_accept(int fd, struct sockaddr *address, socklen_t *size)
{
    int got;

    do
        got = accept(fd, address, size);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : prepare_socket(got);
}

int sys_socketpair(int family, int type, int fds[2])
{
    int pair[2];
    int result;

    if (socketpair(family, type, 0, pair) < 0)
        return -errno;
    result = prepare_socket(pair[0]);
    if (result < 0) {
        sys_close(pair[1]);
        return result;
    }
    result = prepare_socket(pair[1]);
    if (result < 0) {
        sys_close(pair[0]);
        return result;
    }
    fds[0] = pair[0];
    fds[1] = pair[1];
    return 0;
}

int sys_dup_over(int from, int to)
{
    int got;

    do
        got = dup2(from, to);
    while (got < 0 && errno == EINTR);
    if (got < 0 || fcntl(to, F_SETFD, FD_CLOEXEC) < 0)
        return -errno;
    return 0;
}

/* What they call sendfile differs in everything but the name, and is for sockets alone: the caller
   reads and writes instead. */
ssize_t sys_sendfile(int to, int from, int64_t offset, size_t size)
{
    (void)to;
    (void)from;
    (void)offset;
    (void)size;
    return -ENOTSUP;
}

int sys_pipe(int fds[2])
{
    int ends[2];
    int error;

    if (pipe(ends) < 0)
        return -errno;
    if (fcntl(ends[0], F_SETFD, FD_CLOEXEC) < 0 || fcntl(ends[1], F_SETFD, FD_CLOEXEC) < 0) {
        error = -errno;
        sys_close(ends[0]);
        sys_close(ends[1]);
        return error;
    }
    fds[0] = ends[0];
    fds[1] = ends[1];
    return 0;
}

/* Here it is kqueue that tells of the end of a process. */
int sys_pidfd_open(pid_t pid)
{
    (void)pid;
    return -ENOSYS;
}

int sys_wake_open(int fds[2])
{
    int ends[2];
    int result;

    if (pipe(ends) < 0)
        return -errno;
    result = prepare_fd(ends[0]);
    if (result < 0) {
        sys_close(ends[1]);
        return result;
    }
    result = prepare_fd(ends[1]);
    if (result < 0) {
        sys_close(ends[0]);
        return result;
    }
    fds[0] = ends[0];
    fds[1] = ends[1];
    return 0;
}

int sys_poll(struct pollfd *fds, nfds_t count, aloop_ns timeout)
{
    int got = poll(fds, count, time_to_ms(timeout));

    return got < 0 ? -errno : got;
}

#ifdef SYS_HAVE_KQUEUE

int sys_kqueue(void)
{
    int fd = kqueue();

    if (fd < 0)
        return -errno;
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
        int error = -errno;

        sys_close(fd);
        return error;
    }
    return fd;
}

int sys_kevent(int kq, const struct kevent *changes, int change_count, struct kevent *events,
               int event_max, aloop_ns timeout)
{
    struct timespec wait = time_to_timespec(timeout);
#ifdef __NetBSD__
    int got = kevent(kq, changes, (size_t)change_count, events, (size_t)event_max, &wait);
#else
    int got = kevent(kq, changes, change_count, events, event_max, &wait);
#endif

    return got < 0 ? -errno : got;
}

/* kqueue takes regular files, but what it tells of them is not what epoll or poll tell; some
   devices (/dev/null on macOS) it does not take. */
int sys_probe_pollable(int fd, bool is_file)
{
    struct kevent change;
    int kq;
    int result;

    if (is_file)
        return -EPERM;
    kq = sys_kqueue();
    if (kq < 0)
        return kq;
    EV_SET(&change, (uintptr_t)fd, EVFILT_READ, EV_ADD, 0, 0, 0);
    result = sys_kevent(kq, &change, 1, NULL, 0, 0);
    sys_close(kq);
    if (result == -EINVAL || result == -ENODEV)
        return -EPERM;
    return result < 0 ? result : 1;
}

#else

int sys_probe_pollable(int fd, bool is_file)
{
    (void)fd;
    return is_file ? -EPERM : 1;
}

#endif

#else
typedef int aloop_not_bsd; /* a translation unit may not be empty */
#endif
