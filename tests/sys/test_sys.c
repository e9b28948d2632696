/*
 * The system table: EINTR policies, the flags of what it makes, wake-ups, SIGPIPE, fork. The calls
 * of the C library are replaced below by ones that are interrupted as often as a test says.
 */
#define _DEFAULT_SOURCE /* syscall */
#include "sys/sys.h"
#include "base/time_math.h"
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <stddef.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#include <cmocka.h>

#ifdef __linux__

/* How many of the next calls are interrupted, and how many were made. */
static int interruptions;
static int calls;

/* Hidden without _GNU_SOURCE, which would in turn change the types of the others. */
int accept4(int fd, struct sockaddr *restrict address, socklen_t *restrict size, int flags);
int dup3(int from, int to, int flags);

static bool is_interrupted(void)
{
    calls++;
    if (interruptions == 0)
        return false;
    interruptions--;
    errno = EINTR;
    return true;
}

ssize_t read(int fd, void *buffer, size_t size)
{
    return is_interrupted() ? -1 : (ssize_t)syscall(SYS_read, fd, buffer, size);
}

ssize_t write(int fd, const void *buffer, size_t size)
{
    return is_interrupted() ? -1 : (ssize_t)syscall(SYS_write, fd, buffer, size);
}

ssize_t recv(int fd, void *buffer, size_t size, int flags)
{
    return is_interrupted() ? -1
                            : (ssize_t)syscall(SYS_recvfrom, fd, buffer, size, flags, NULL, NULL);
}

ssize_t send(int fd, const void *buffer, size_t size, int flags)
{
    return is_interrupted() ? -1
                            : (ssize_t)syscall(SYS_sendto, fd, buffer, size, flags, NULL, 0);
}

int accept4(int fd, struct sockaddr *restrict address, socklen_t *restrict size, int flags)
{
    return is_interrupted() ? -1 : (int)syscall(SYS_accept4, fd, address, size, flags);
}

int connect(int fd, const struct sockaddr *address, socklen_t size)
{
    return is_interrupted() ? -1 : (int)syscall(SYS_connect, fd, address, size);
}

int dup3(int from, int to, int flags)
{
    return is_interrupted() ? -1 : (int)syscall(SYS_dup3, from, to, flags);
}

/* An interrupted close has closed, as the kernel's has. */
int close(int fd)
{
    int result = (int)syscall(SYS_close, fd);

    return is_interrupted() ? -1 : result;
}

static void interrupt(int count)
{
    interruptions = count;
    calls = 0;
}

static void transfers_are_retried(void **state)
{
    int fds[2];
    char buffer[8];

    (void)state;
    assert_int_equal(sys.socketpair(AF_UNIX, SOCK_STREAM, fds), 0);
    interrupt(3);
    assert_int_equal(sys.send(fds[0], "abc", 3, 0), 3);
    assert_int_equal(calls, 4);
    interrupt(3);
    assert_int_equal(sys.recv(fds[1], buffer, sizeof buffer, 0), 3);
    assert_int_equal(calls, 4);
    interrupt(3);
    assert_int_equal(sys.write(fds[0], "de", 2), 2);
    assert_int_equal(calls, 4);
    interrupt(3);
    assert_int_equal(sys.read(fds[1], buffer, sizeof buffer), 2);
    assert_int_equal(calls, 4);
    interrupt(1);
    assert_int_equal(sys.recv(fds[1], buffer, sizeof buffer, 0), -EAGAIN);
    assert_int_equal(sys.close(fds[0]), 0);
    assert_int_equal(sys.close(fds[1]), 0);
    assert_int_equal(sys.read(fds[0], buffer, sizeof buffer), -EBADF);
    assert_int_equal(sys.send(fds[0], buffer, sizeof buffer, 0), -EBADF);
}

/* P85: the fd is closed, whatever close says; a second try would hit whoever has got the number. */
static void close_is_not_retried(void **state)
{
    int fds[2];

    (void)state;
    assert_int_equal(sys.socketpair(AF_UNIX, SOCK_STREAM, fds), 0);
    interrupt(1);
    assert_int_equal(sys.close(fds[0]), 0);
    assert_int_equal(calls, 1);
    assert_int_equal(sys.fd_is_open(fds[0]), -EBADF);
    assert_int_equal(sys.close(fds[1]), 0);
    assert_int_equal(sys.close(fds[1]), -EBADF);
}

static int listener(struct sockaddr_in *address)
{
    socklen_t size = sizeof *address;
    int fd = sys.socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    *address = (struct sockaddr_in){.sin_family = AF_INET,
                                    .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    assert_int_equal(sys.bind(fd, (struct sockaddr *)address, sizeof *address), 0);
    assert_int_equal(sys.listen(fd, 8), 0);
    assert_int_equal(sys.getsockname(fd, (struct sockaddr *)address, &size), 0);
    return fd;
}

/* P69: an interrupted connect goes on; a second one would say EALREADY. It is reported as in
   progress. accept, which has done nothing when interrupted, is repeated. */
static void connect_and_accept(void **state)
{
    struct sockaddr_in address;
    int server = listener(&address);
    int client = sys.socket(AF_INET, SOCK_STREAM, 0);
    struct pollfd ready = {.fd = server, .events = POLLIN};
    int accepted;
    int result;

    (void)state;
    interrupt(1);
    assert_int_equal(sys.connect(client, (struct sockaddr *)&address, sizeof address),
                     -EINPROGRESS);
    assert_int_equal(calls, 1);
    result = sys.connect(client, (struct sockaddr *)&address, sizeof address);
    assert_true(result == 0 || result == -EINPROGRESS);
    assert_int_equal(sys.poll(&ready, 1, ALOOP_NEVER), 1);
    interrupt(2);
    accepted = sys.accept(server, NULL, NULL);
    assert_true(accepted >= 0);
    assert_int_equal(calls, 3);
    assert_int_equal(sys.accept(server, NULL, NULL), -EAGAIN);
    sys.close(accepted);
    sys.close(client);
    sys.close(server);
}

/* P93, P94: called in a signal handler between an errno and its being read, a wake leaves no trace.
   */
static void wake_keeps_errno(void **state)
{
    int fds[2];

    (void)state;
    assert_int_equal(sys.wake_open(fds), 0);
    errno = ERANGE;
    interrupt(2);
    assert_int_equal(sys.wake(fds[1]), 0);
    assert_int_equal(errno, ERANGE);
    assert_int_equal(calls, 3);
    errno = ERANGE;
    assert_int_equal(sys.wake(-1), -EBADF);
    assert_int_equal(errno, ERANGE);
    interrupt(2);
    assert_int_equal(sys.wake_drain(fds[0]), 0);
    sys.close(fds[0]);
}

/* P86. */
static void dup_over_is_retried(void **state)
{
    int fds[2];

    (void)state;
    assert_int_equal(sys.socketpair(AF_UNIX, SOCK_STREAM, fds), 0);
    interrupt(2);
    assert_int_equal(sys.dup_over(fds[0], fds[1]), 0);
    assert_int_equal(calls, 3);
    assert_true(fcntl(fds[1], F_GETFD) & FD_CLOEXEC);
    assert_int_equal(sys.dup_over(-1, fds[1]), -EBADF);
    sys.close(fds[0]);
    sys.close(fds[1]);
}

/* Makes one system call fail with an errno in this process from here on. */
static bool deny(uint32_t number, uint32_t error)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* Waits are asked for that much shorter as the kernel usually lets a thread sleep on. Here it does
   not: without the wait for what is left, each would end 50 us before its time. */
static void waits_end_in_time(void **state)
{
    static const aloop_ns waits[] = {1, ALOOP_US(50), ALOOP_US(120), ALOOP_US(1200), ALOOP_MS(51)};
    int epfd = sys.epoll_create();

    (void)state;
    assert_true(epfd >= 0);
    assert_int_equal(prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL), 0);
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        aloop_ns start = sys.clock(false);
        struct epoll_event event;

        assert_int_equal(sys.epoll_wait(epfd, &event, 1, waits[i]), 0);
        assert_true(sys.clock(false) - start >= waits[i]);
    }
    (void)prctl(PR_SET_TIMERSLACK, 0UL, 0UL, 0UL, 0UL);
    sys.close(epfd);
}

/* A kernel before 5.11 has no epoll_pwait2 (ENOSYS), some sandboxes call that EPERM: the wait is
   done in milliseconds, not shorter than asked. */
static void epoll_pwait2_may_be_missing(void **state)
{
    static const uint32_t errors[] = {ENOSYS, EPERM};

    (void)state;
#ifdef SYS_epoll_pwait2
    for (size_t i = 0; i < 2; i++) {
        int status;
        pid_t child = fork();

        assert_true(child >= 0);
        if (child == 0) {
            struct epoll_event event;
            int epfd = sys.epoll_create();
            aloop_ns start = sys.clock(false);
            int result;

            if (!deny((uint32_t)SYS_epoll_pwait2, errors[i]))
                _exit(77);
            result = sys.epoll_wait(epfd, &event, 1, ALOOP_US(1200));
            result |= sys.epoll_wait(epfd, &event, 1, 1);
            _exit(result == 0 && sys.clock(false) - start >= ALOOP_US(1200) ? 0 : 1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == 77)
            skip();
        assert_int_equal(WEXITSTATUS(status), 0);
    }
#else
    (void)errors;
#endif
}

#endif

static bool is_private_and_nonblocking(int fd)
{
    return (fcntl(fd, F_GETFD) & FD_CLOEXEC) && (fcntl(fd, F_GETFL) & O_NONBLOCK);
}

/* P107: of each fd that is made here. A program that this one executes would keep it open; a
   blocking one would stop the loop. */
static void fds_are_born_right(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int server = sys.socket(AF_INET, SOCK_STREAM, 0);
    int client = sys.socket(AF_INET, SOCK_STREAM, 0);
    struct pollfd ready = {.fd = server, .events = POLLIN};
    int accepted;
    int pair[2];
    int wake[2];

    (void)state;
    assert_true(is_private_and_nonblocking(server));
    assert_int_equal(sys.bind(server, (struct sockaddr *)&address, size), 0);
    assert_int_equal(sys.listen(server, 1), 0);
    assert_int_equal(sys.getsockname(server, (struct sockaddr *)&address, &size), 0);
    sys.connect(client, (struct sockaddr *)&address, size);
    assert_int_equal(sys.poll(&ready, 1, ALOOP_NEVER), 1);
    size = sizeof address;
    accepted = sys.accept(server, (struct sockaddr *)&address, &size);
    assert_true(is_private_and_nonblocking(accepted));
    assert_int_equal(size, sizeof address);
    assert_int_equal(sys.socketpair(AF_UNIX, SOCK_DGRAM, pair), 0);
    assert_true(is_private_and_nonblocking(pair[0]) && is_private_and_nonblocking(pair[1]));
    assert_int_equal(sys.wake_open(wake), 0);
    assert_true(is_private_and_nonblocking(wake[0]) && is_private_and_nonblocking(wake[1]));
#ifdef SYS_HAVE_EPOLL
    {
        int epfd = sys.epoll_create();

        assert_true(fcntl(epfd, F_GETFD) & FD_CLOEXEC);
        sys.close(epfd);
    }
#endif
    if (wake[1] != wake[0])
        sys.close(wake[1]);
    sys.close(wake[0]);
    sys.close(pair[0]);
    sys.close(pair[1]);
    sys.close(accepted);
    sys.close(client);
    sys.close(server);
}

static void nonblocking_is_set_and_cleared(void **state)
{
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(sys.set_nonblocking(fds[0], true), 0);
    assert_true(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
    assert_int_equal(sys.set_nonblocking(fds[0], true), 0);
    assert_int_equal(sys.set_nonblocking(fds[0], false), 0);
    assert_false(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
    sys.close(fds[0]);
    sys.close(fds[1]);
    assert_int_equal(sys.set_nonblocking(fds[0], true), -EBADF);
}

static void wakes(int in, int out)
{
    struct pollfd ready = {.fd = in, .events = POLLIN};

    assert_int_equal(sys.poll(&ready, 1, 0), 0);
    assert_int_equal(sys.wake(out), 0);
    assert_int_equal(sys.wake(out), 0);
    assert_int_equal(sys.poll(&ready, 1, 0), 1);
    assert_int_equal(sys.wake_drain(in), 0);
    assert_int_equal(sys.poll(&ready, 1, 0), 0);
    assert_int_equal(sys.wake_drain(in), 0);
}

/* P93: a full eventfd, or a full pipe where that is what wakes, is a wake-up that is pending
   already. Taken for an error, the poster would believe that the loop never hears of it. */
static void wake_when_full(void **state)
{
    const uint64_t most = UINT64_MAX - 1;
    int fds[2];
    int ends[2];
    char buffer[1000] = {0};

    (void)state;
    assert_int_equal(sys.wake_open(fds), 0);
    wakes(fds[0], fds[1]);
    if (fds[0] == fds[1])
        assert_int_equal(sys.write(fds[1], &most, sizeof most), sizeof most);
    assert_int_equal(sys.wake(fds[1]), 0);
    assert_int_equal(sys.wake_drain(fds[0]), 0);
    wakes(fds[0], fds[1]);

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(sys.set_nonblocking(ends[0], true), 0);
    assert_int_equal(sys.set_nonblocking(ends[1], true), 0);
    wakes(ends[0], ends[1]);
    while (sys.write(ends[1], buffer, sizeof buffer) > 0)
        ;
    while (sys.write(ends[1], buffer, 1) > 0)
        ;
    assert_int_equal(sys.wake(ends[1]), 0);
    assert_int_equal(sys.wake_drain(ends[0]), 0);
    wakes(ends[0], ends[1]);
    sys.close(ends[0]);
    sys.close(ends[1]);
    if (fds[1] != fds[0])
        sys.close(fds[1]);
    sys.close(fds[0]);
}

static volatile sig_atomic_t sigpipes;

static void count_sigpipe(int number)
{
    (void)number;
    sigpipes++;
}

/* P78: a peer that has gone is an error of send, not the end of the process. */
static void send_raises_no_sigpipe(void **state)
{
    struct sigaction action;
    struct sigaction before;
    int fds[2];

    (void)state;
    memset(&action, 0, sizeof action);
    action.sa_handler = count_sigpipe;
    assert_int_equal(sigaction(SIGPIPE, &action, &before), 0);
    assert_int_equal(sys.socketpair(AF_UNIX, SOCK_STREAM, fds), 0);
    assert_int_equal(sys.no_sigpipe(fds[0]), 0);
    sys.close(fds[1]);
    assert_int_equal(sys.send(fds[0], "x", 1, 0), -EPIPE);
    assert_int_equal(sigpipes, 0);
    /* The handler is one that would have seen it. */
    assert_int_equal(sys.write(fds[0], "x", 1), -EPIPE);
    assert_int_equal(sigpipes, 1);
    assert_int_equal(sigaction(SIGPIPE, &before, NULL), 0);
    sys.close(fds[0]);
}

/* P20, P21: what the kernel's poller would refuse, known without one. */
static void pollable_fds(void **state)
{
    static const char *const refused[] = {"/dev/null", "/dev/zero", "/", "/bin/sh"};
    int fds[2];
    int wake[2];

    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        int fd = open(refused[i], O_RDONLY);

        assert_true(fd >= 0);
        assert_int_equal(sys.fd_is_pollable(fd), -EPERM);
        assert_int_equal(sys.fd_is_open(fd), 1);
        sys.close(fd);
        assert_int_equal(sys.fd_is_pollable(fd), -EBADF);
        assert_int_equal(sys.fd_is_open(fd), -EBADF);
    }
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(sys.fd_is_pollable(fds[0]), 1);
    assert_int_equal(sys.wake_open(wake), 0);
    assert_int_equal(sys.fd_is_pollable(wake[0]), 1);
    sys.close(fds[0]);
    sys.close(fds[1]);
    if (wake[1] != wake[0])
        sys.close(wake[1]);
    sys.close(wake[0]);
}

/* P40: the clock is the monotonic one, which setting the wall clock does not move. P50: the other
   one counts suspended time as well, so it is never behind. */
static void clocks(void **state)
{
    struct timespec monotonic;
    aloop_ns before = sys.clock(false);
    aloop_ns boot = sys.clock(true);

    (void)state;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &monotonic), 0);
#ifdef __linux__
    assert_true(time_from_timespec(&monotonic) >= before);
    assert_true(time_from_timespec(&monotonic) - before < ALOOP_SEC(60));
    assert_true(boot >= before);
#endif
    assert_true(sys.clock(false) >= before);
    assert_true(sys.clock(true) >= boot);
}

/* P105: a child has another number, its child yet another, and the parent keeps its own. */
static void fork_changes_the_generation(void **state)
{
    uint64_t mine = sys.fork_generation();
    int status;
    pid_t child = fork();

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        uint64_t childs = sys.fork_generation();
        pid_t grandchild = fork();

        if (grandchild == 0)
            _exit(sys.fork_generation() != childs && sys.fork_generation() != mine ? 0 : 1);
        _exit(childs != mine && grandchild > 0 && waitpid(grandchild, &status, 0) == grandchild &&
                      status == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(sys.fork_generation() == mine);
}

/* The rest of the calls hand on what the system says, as a negative errno. */
static void errors_are_negative_errnos(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int value = 0;
    int pair[2];

    (void)state;
    assert_int_equal(sys.socket(-1, SOCK_STREAM, 0), -EAFNOSUPPORT);
    assert_int_equal(sys.socketpair(-1, SOCK_STREAM, pair), -EAFNOSUPPORT);
    assert_int_equal(sys.bind(-1, (struct sockaddr *)&address, size), -EBADF);
    assert_int_equal(sys.listen(-1, 1), -EBADF);
    assert_int_equal(sys.accept(-1, NULL, NULL), -EBADF);
    assert_int_equal(sys.connect(-1, (struct sockaddr *)&address, size), -EBADF);
    assert_int_equal(sys.shutdown(-1, SHUT_RD), -EBADF);
    assert_int_equal(sys.setsockopt(-1, SOL_SOCKET, SO_ERROR, &value, sizeof value), -EBADF);
    assert_int_equal(sys.getsockopt(-1, SOL_SOCKET, SO_ERROR, &value, &size), -EBADF);
    assert_int_equal(sys.getsockname(-1, (struct sockaddr *)&address, &size), -EBADF);
    assert_int_equal(sys.getpeername(-1, (struct sockaddr *)&address, &size), -EBADF);
    assert_int_equal(sys.unlink("/nonexistent/file"), -ENOENT);
    assert_int_equal(sys.wake_drain(-1), -EBADF);
}

/* A replaced member is replaced for everybody, and the original is at hand. */
static int no_socket(int family, int type, int protocol)
{
    (void)family;
    (void)type;
    (void)protocol;
    return -EMFILE;
}

static void table_can_be_replaced(void **state)
{
    (void)state;
    sys.socket = no_socket;
    assert_int_equal(sys.socket(AF_INET, SOCK_STREAM, 0), -EMFILE);
    sys = sys_default;
    assert_int_equal(sys.close(sys.socket(AF_INET, SOCK_STREAM, 0)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifdef __linux__
        cmocka_unit_test(transfers_are_retried),
        cmocka_unit_test(close_is_not_retried),
        cmocka_unit_test(connect_and_accept),
        cmocka_unit_test(wake_keeps_errno),
        cmocka_unit_test(dup_over_is_retried),
        cmocka_unit_test(waits_end_in_time),
        cmocka_unit_test(epoll_pwait2_may_be_missing),
#endif
        cmocka_unit_test(fds_are_born_right),
        cmocka_unit_test(nonblocking_is_set_and_cleared),
        cmocka_unit_test(wake_when_full),
        cmocka_unit_test(send_raises_no_sigpipe),
        cmocka_unit_test(pollable_fds),
        cmocka_unit_test(clocks),
        cmocka_unit_test(fork_changes_the_generation),
        cmocka_unit_test(errors_are_negative_errnos),
        cmocka_unit_test(table_can_be_replaced),
    };

    return cmocka_run_group_tests_name("sys", tests, NULL, NULL);
}
