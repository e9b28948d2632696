/*
 * Processes where the system is older than its headers, or a sandbox does not know its calls: no
 * pidfd, no close_range. A filter of the kernel's refuses them, for good, so this is a program of
 * its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "process_test.h"

#if defined(__linux__)
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

/* The model of kqueue hears of ended processes by way of pidfds itself. */
#if defined(SYS_close_range) && defined(SYS_pidfd_open) && defined(SYS_pidfd_send_signal) && \
    !defined(ALOOP_TEST_KQUEUE)

#define REFUSE(number, error)                                                                      \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1),                                           \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))

static bool build_sandbox(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        REFUSE(SYS_close_range, ENOSYS),
        REFUSE(SYS_pidfd_open, EPERM),
        REFUSE(SYS_pidfd_send_signal, ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 &&
           sys.pidfd_open(getpid()) == -EPERM;
}

#else

static bool build_sandbox(void)
{
    return false;
}

#endif

/* The child still gets nothing that is not its own, however many there are to be closed. */
PROCESS_CORO(fds)
{
    ALOOP_BEGIN;
    for (self->i = 100; self->i < 200; self->i++)
        assert_int_equal(dup2(1, self->i), self->i);
    self->options = process_options(ALOOP_DEVNULL, ALOOP_PIPE, ALOOP_INHERIT);
    self->options.executable = process_self;
    self->maps[0] = (aloop_process_fd){.child = 7, .parent = 150};
    self->options.fds = self->maps;
    self->options.fd_count = 1;
    assert_int_equal(aloop_create_subprocess_exec(NULL, (const char *[]){"child", "fds", NULL},
                                                  &self->options, &self->process),
                     0);
    ALOOP_TRY(aloop_process_communicate(&self->process, NULL, 0, &self->output));
    EXPECT_OUTPUT("0 1 2 7 ");
    aloop_process_close(&self->process);
    for (self->i = 100; self->i < 200; self->i++)
        close(self->i);
    ALOOP_END;
}

PROCESS_RUN(fds)

PROCESS_CORO(ends)
{
    ALOOP_BEGIN;
    process_shell("exec cat", &self->process);
    process_shell("exit 3", &self->other);
    ALOOP_TRY(aloop_process_wait(&self->other, &self->code));
    assert_int_equal(self->code, 3);
    ALOOP_TRY(aloop_process_stop(&self->process, ALOOP_SEC(1000), &self->code));
    assert_int_equal(self->code, -SIGTERM);
    aloop_process_close(&self->process);
    aloop_process_close(&self->other);
    ALOOP_END;
}

PROCESS_RUN(ends)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        {"test_fds", test_fds, process_setup, process_teardown, &by_default},
        {"test_ends", test_ends, process_setup, process_teardown, &by_default},
    };

    if (child_main(argc, argv))
        return 0;
    if (!build_sandbox()) {
        printf("no such sandbox here\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
