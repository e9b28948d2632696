/*
 * What the tests of processes share: a loop that hears of its children by whatever the system has,
 * or by SIGCHLD alone; and the promise that no test leaves an fd open, or a child, dead or alive.
 * Include behind cmocka's headers.
 *
 * Children are shells, or the test program itself: called with an argument it is a child that tells
 * about itself (child_main()).
 */
#ifndef ALOOP_TESTS_PROCESS_TEST_H
#define ALOOP_TESTS_PROCESS_TEST_H

#include "fault.h"
#include "memory_probe.h"
#include "sys/sys.h"

#include <aloop.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct process_state {
    bool has_only_signals; /* no pidfd, no kqueue */
    aloop *loop;
    struct memory_probe memory;
    struct sys sys;
    int fds;
    int reports;
    int64_t error; /* of the last report */
    int pipe[2]; /* for what outlives a coroutine */
    aloop_process process; /* the same */
    pid_t pid;
};

static struct process_state by_default ALOOP_UNUSED;
static struct process_state by_signals ALOOP_UNUSED = {.has_only_signals = true};

/* The path of this program. */
static const char *process_self ALOOP_UNUSED;

static ALOOP_UNUSED int process_no_pidfd(pid_t pid)
{
    (void)pid;
    return -ENOSYS;
}

static ALOOP_UNUSED int process_count_fds(void)
{
    int count = 0;

    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static ALOOP_UNUSED void process_report(aloop *loop, const aloop_exception_context *context,
                                        void *arg)
{
    struct process_state *self = arg;

    (void)loop;
    self->reports++;
    self->error = context->error;
}

/* A kqueue would tell of children, too. */
static ALOOP_UNUSED aloop_options process_loop_options(const struct process_state *self)
{
    aloop_options options = ALOOP_OPTIONS_INIT;

    if (self->has_only_signals)
        options.poller = ALOOP_POLLER_POLL;
    return options;
}

static ALOOP_UNUSED int process_setup(void **state)
{
    struct process_state *self = *state;
    aloop_options options = process_loop_options(self);

    self->sys = sys;
    self->reports = 0;
    self->fds = process_count_fds();
    if (self->has_only_signals) {
        sys.pidfd_open = process_no_pidfd;
        sys.kqueue = NULL;
    }
    memset(&self->memory, 0, sizeof self->memory);
    options.allocator = memory_probe_allocator(&self->memory);
    assert_int_equal(aloop_new(&options, &self->loop), 0);
    aloop_set_exception_handler(self->loop, process_report, self);
    return 0;
}

/* No child is left, be it one that has ended. */
static ALOOP_UNUSED void process_assert_childless(void)
{
    siginfo_t info;

    assert_int_equal(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT), -1);
    assert_int_equal(errno, ECHILD);
}

static ALOOP_UNUSED int process_teardown(void **state)
{
    struct process_state *self = *state;

    memory_probe_fail(&self->memory, 0, false);
    aloop_unref(self->loop);
    assert_int_equal(atomic_load(&self->memory.bytes), 0);
    assert_false(atomic_load(&self->memory.mistaken));
    fault_reset();
    sys = self->sys;
    assert_int_equal(process_count_fds(), self->fds);
    process_assert_childless();
    return 0;
}

/* The end of a child of fork(): by way of a program, so that no instrument goes over memory that is
   the parent's to give back, and ends the child with a code of its own. */
static ALOOP_UNUSED void process_leave(int code)
{
    char command[32];

    (void)snprintf(command, sizeof command, "exit %d", code);
    (void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(255);
}

/* A test, in both ways. */
#define PROCESS_TEST(function)                                                                     \
    {#function, function, process_setup, process_teardown, &by_default},                           \
    {                                                                                              \
#function " by SIGCHLD", function, process_setup, process_teardown, &by_signals            \
    }

/* A test that is a coroutine. */
#define PROCESS_CORO(name)                                                                         \
    struct name {                                                                                  \
        ALOOP_FRAME;                                                                               \
        struct process_state *state;                                                               \
        aloop_process process;                                                                     \
        aloop_process other;                                                                       \
        aloop_process_options options;                                                             \
        aloop_process_fd maps[3];                                                                  \
        aloop_output output;                                                                       \
        aloop_task *tasks[4];                                                                      \
        aloop_slice slice;                                                                         \
        aloop_stream stream;                                                                       \
        int code;                                                                                  \
        char *text;                                                                                \
        int codes[4];                                                                              \
        int fds[2];                                                                                \
        int i;                                                                                     \
    };                                                                                             \
    ALOOP_CORO(name)

#define PROCESS_RUN(name)                                                                          \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        struct process_state *self = *state;                                                       \
                                                                                                   \
        assert_int_equal(aloop_run_in(self->loop, name, .state = self), 0);                        \
    }

/* Awaits one operation and returns what came of it. */
struct process_await {
    ALOOP_FRAME;
    aloop_op op;
};

ALOOP_CORO(process_await)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(self->op);
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

static ALOOP_UNUSED aloop_task *process_begin(aloop_op op)
{
    return aloop_create_task(process_await, .op = op);
}

static inline aloop_process_options process_options(int in, int out, int err)
{
    aloop_process_options options = ALOOP_PROCESS_OPTIONS_INIT;

    options.in = in;
    options.out = out;
    options.err = err;
    return options;
}

static ALOOP_UNUSED int process_exec_of(const char *name, const aloop_process_options *options,
                                        aloop_process *out_process)
{
    return aloop_create_subprocess_exec(NULL, (const char *[]){name, NULL}, options, out_process);
}

static ALOOP_UNUSED int process_shell_of(const char *command, const aloop_process_options *options,
                                         aloop_process *out_process)
{
    return aloop_create_subprocess_shell(NULL, command, options, out_process);
}

/* A shell that does as it is told, with pipes as its input and output. */
static ALOOP_UNUSED void process_shell(const char *command, aloop_process *out_process)
{
    aloop_process_options options = process_options(ALOOP_PIPE, ALOOP_PIPE, ALOOP_INHERIT);

    assert_int_equal(aloop_create_subprocess_shell(NULL, command, &options, out_process), 0);
}

/* The same, as the leader of a group. */
static ALOOP_UNUSED void process_group_shell(const char *command, aloop_process *out_process)
{
    aloop_process_options options = process_options(ALOOP_PIPE, ALOOP_PIPE, ALOOP_INHERIT);

    options.process_group = 0;
    assert_int_equal(aloop_create_subprocess_shell(NULL, command, &options, out_process), 0);
}

#define EXPECT(outcome) assert_int_equal(self->result, (outcome))

#define EXPECT_LINE(stream, text)                                                                  \
    do {                                                                                           \
        ALOOP_TRY(aloop_stream_read_line((stream), &self->slice));                                 \
        assert_int_equal(self->slice.size, strlen(text));                                          \
        assert_memory_equal(self->slice.data, (text), strlen(text));                               \
    } while (0)

#define EXPECT_OUTPUT(text)                                                                        \
    do {                                                                                           \
        assert_int_equal(self->output.out.size, strlen(text));                                     \
        if (self->output.out.size > 0)                                                             \
            assert_memory_equal(self->output.out.data, (text), strlen(text));                      \
    } while (0)

/* --- the child --- */

static ALOOP_UNUSED void child_fds(void)
{
    for (int fd = 0; fd < 1024; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            printf("%d ", fd);
    }
}

/* Those that faults raise are a sanitizer's, by the time that main() begins. */
static bool child_is_fault(int number)
{
    return number == SIGSEGV || number == SIGBUS || number == SIGFPE || number == SIGILL ||
           number == SIGABRT || number == SIGTRAP;
}

/* Signals that are blocked, or not at their default. */
static ALOOP_UNUSED void child_signals(void)
{
    sigset_t blocked;

    sigprocmask(SIG_BLOCK, NULL, &blocked);
    for (int number = 1; number < 32; number++) {
        struct sigaction action;

        if (sigismember(&blocked, number) == 1)
            printf("%d is blocked ", number);
        if (!child_is_fault(number) && sigaction(number, NULL, &action) == 0 &&
            action.sa_handler != SIG_DFL)
            printf("%d is not at its default ", number);
    }
}

static ALOOP_UNUSED void child_place(void)
{
    char folder[1024];
    mode_t mask = umask(0);

    printf("%s %s %o %s", getsid(0) == getpid() ? "session" : "-",
           getpgrp() == getpid() ? "leader" : "-", (unsigned)mask,
           getcwd(folder, sizeof folder) != NULL ? folder : "?");
}

/* True if this process is such a child, and has done what it is for. */
static ALOOP_UNUSED bool child_main(int argc, char **argv)
{
    process_self = argv[0];
    if (argc < 2)
        return false;
    if (strcmp(argv[1], "fds") == 0)
        child_fds();
    else if (strcmp(argv[1], "signals") == 0)
        child_signals();
    else if (strcmp(argv[1], "place") == 0)
        child_place();
    else
        return false;
    return true;
}

#endif
