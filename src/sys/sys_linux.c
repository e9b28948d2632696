/*
 * What Linux has of its own: fds that are born non-blocking and close-on-exec, eventfd, epoll, and
 * waits in nanoseconds.
 */
#if defined(__linux__)

#define _GNU_SOURCE /* accept4, dup3, pipe2, ppoll, SOCK_NONBLOCK, POLLRDHUP, syscall */
#include "sys/calls.h"
#include "base/time_math.h"
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

const short sys_poll_rdhup = POLLRDHUP;
const int sys_reuse_port = SO_REUSEPORT;

static int answer(int result)
{
    return result < 0 ? -errno : result;
}

aloop_ns sys_clock(bool boottime)
{
    struct timespec now = {0};

    /* Fails for a clock that the kernel does not know only: BOOTTIME before Linux 2.6.39. */
    if (clock_gettime(boottime ? CLOCK_BOOTTIME : CLOCK_MONOTONIC, &now) < 0)
        clock_gettime(CLOCK_MONOTONIC, &now);
    return time_from_timespec(&now);
}

int sys_socket(int family, int type, int protocol)
{
    return answer(socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
}

int sys_accept(int fd, struct sockaddr *address, socklen_t *size)
{
    int got;

    do
        got = accept4(fd, address, size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (got < 0 && errno == EINTR);
    return answer(got);
}

int sys_socketpair(int family, int type, int fds[2])
{
    return answer(socketpair(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds));
}

/* send has MSG_NOSIGNAL. */
int sys_no_sigpipe(int fd)
{
    (void)fd;
    return 0;
}

int sys_dup_over(int from, int to)
{
    int got;

    do
        got = dup3(from, to, O_CLOEXEC);
    while (got < 0 && (errno == EINTR || errno == EBUSY));
    return got < 0 ? -errno : 0;
}

/* The kernel sends on our behalf, and raises SIGPIPE as write does. */
ssize_t sys_sendfile(int to, int from, int64_t offset, size_t size)
{
    struct sigpipe_guard guard;
    off_t position = (off_t)offset;
    ssize_t put;

    sigpipe_hold(&guard);
    do
        put = sendfile(to, from, &position, size);
    while (put < 0 && errno == EINTR);
    if (put < 0)
        put = -errno;
    sigpipe_release(&guard, put);
    return put;
}

int sys_is_main_thread(void)
{
    return syscall(SYS_gettid) == (long)getpid();
}

int sys_pipe(int fds[2])
{
    return answer(pipe2(fds, O_CLOEXEC));
}

int sys_pidfd_open(pid_t pid)
{
#ifdef SYS_pidfd_open
    return answer((int)syscall(SYS_pidfd_open, pid, 0));
#else
    (void)pid;
    return -ENOSYS;
#endif
}

int sys_wake_open(int fds[2])
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    if (fd < 0)
        return -errno;
    fds[0] = fd;
    fds[1] = fd;
    return 0;
}

int sys_poll(struct pollfd *fds, nfds_t count, aloop_ns timeout)
{
    struct timespec wait = time_to_timespec(timeout);

    return answer(ppoll(fds, count, timeout == ALOOP_NEVER ? NULL : &wait, NULL));
}

/* Only epoll knows: /dev/null is a character device as terminals are, and some regular files (of
   /proc) can be polled. */
int sys_probe_pollable(int fd, bool is_file)
{
    struct epoll_event event = {.events = EPOLLIN};
    int epfd = sys_epoll_create();
    int result;

    (void)is_file;
    if (epfd < 0)
        return epfd;
    result = sys_epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event);
    sys_close(epfd);
    return result < 0 ? result : 1;
}

int sys_epoll_create(void)
{
    return answer(epoll_create1(EPOLL_CLOEXEC));
}

int sys_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
    return answer(epoll_ctl(epfd, op, fd, event));
}

#ifdef SYS_epoll_pwait2
/* The C library may be older than the kernel, or the kernel than the headers. */
static int wait_precisely(int epfd, struct epoll_event *events, int max, aloop_ns timeout)
{
    /* The kernel's own struct has 64 bits everywhere; that of a 32-bit C library may not. */
    const struct timespec wait = time_to_timespec(timeout);
    const struct {
        int64_t seconds;
        int64_t nanoseconds;
    } kernel_wait = {wait.tv_sec, wait.tv_nsec};

    return (int)syscall(SYS_epoll_pwait2, epfd, events, max, &kernel_wait, NULL, (size_t)0);
}

/*
 * The kernel lets a thread sleep on by the thread's timer slack, as it may find something else to
 * wake up for meanwhile: 50 us, unless somebody has set it, and from then on a thousandth of the
 * wait. So short waits are asked for that much shorter, and end in time. Where the slack is less,
 * or there was something else, what is left is waited for. Rejected: setting the slack, which is
 * the host program's; and a timerfd, which is as precise for 570 ns more each time.
 */
#define TIMER_SLACK ((aloop_ns)50000)
#define TIMER_SLACK_IS_CONSTANT (1000 * TIMER_SLACK) /* for waits up to this */

static int wait_without_slack(int epfd, struct epoll_event *events, int max, aloop_ns timeout)
{
    aloop_ns deadline;
    int got;

    if (timeout > TIMER_SLACK_IS_CONSTANT)
        return wait_precisely(epfd, events, max, timeout);
    deadline = sys_clock(false) + timeout;
    got = wait_precisely(epfd, events, max, timeout > TIMER_SLACK ? timeout - TIMER_SLACK : 1);
    if (got != 0)
        return got;
    timeout = deadline - sys_clock(false);
    return timeout > 0 ? wait_precisely(epfd, events, max, timeout) : 0;
}
#endif

/* epoll_wait costs 95 ns less, so it does what needs no precision: not to wait, and to wait for
   ever. Without a limit it costs another 100 ns less than with one that is never reached. */
int sys_epoll_wait(int epfd, struct epoll_event *events, int max, aloop_ns timeout)
{
#ifdef SYS_epoll_pwait2
    static atomic_bool is_missing;
    int got;

    if (timeout > 0 && timeout < TIME_WAIT_MAX &&
        !atomic_load_explicit(&is_missing, memory_order_relaxed)) {
        got = wait_without_slack(epfd, events, max, timeout);
        /* EPERM is what a sandbox says that does not know the call. */
        if (got >= 0 || (errno != ENOSYS && errno != EPERM))
            return answer(got);
        atomic_store_explicit(&is_missing, true, memory_order_relaxed);
    }
#endif
    return answer(
        epoll_wait(epfd, events, max, timeout == ALOOP_NEVER ? -1 : time_to_ms(timeout)));
}

#else
typedef int aloop_not_linux; /* a translation unit may not be empty */
#endif
