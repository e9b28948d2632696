/*
 * The end of children: heard of by all who wait, whoever else is about, and brought about.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "process_test.h"

/* More than any of these children takes; and no time at all. */
#define LONG ALOOP_SEC(1000)
#define SHORT ALOOP_MS(1)

/* Waits, without the loop, until the child has ended, and leaves it as it is. */
static void await_zombie(pid_t pid)
{
    siginfo_t info;

    while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) < 0)
        assert_int_equal(errno, EINTR);
}

/* Somebody else waits for it, as those do who wait for any child. */
static void steal(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
}

#define EXPECT_CODE(value)                                                                         \
    do {                                                                                           \
        ALOOP_TRY(aloop_process_wait(&self->process, &self->code));                                \
        assert_int_equal(self->code, (value));                                                     \
        aloop_process_close(&self->process);                                                       \
    } while (0)

/* --- how it ended --- */

/* S185: its code, or the signal, negative. */
PROCESS_CORO(codes)
{
    ALOOP_BEGIN;
    process_shell("exit 0", &self->process);
    EXPECT_CODE(0);
    process_shell("exit 3", &self->process);
    EXPECT_CODE(3);
    process_shell("cat", &self->process);
    assert_int_equal(aloop_process_returncode(&self->process, &self->code), -ALOOP_EPENDING);
    assert_int_equal(aloop_process_kill(&self->process), 0);
    EXPECT_CODE(-SIGKILL);
    process_shell("exec cat", &self->process);
    assert_int_equal(aloop_process_terminate(&self->process), 0);
    EXPECT_CODE(-SIGTERM);
    process_shell("exec cat", &self->process);
    assert_int_equal(aloop_process_send_signal(&self->process, 1000), -EINVAL);
    assert_int_equal(aloop_process_send_signal(&self->process, SIGHUP), 0);
    EXPECT_CODE(-SIGHUP);
    ALOOP_END;
}

PROCESS_RUN(codes)

/* S186: all who wait get the code; one that is cancelled does nothing to the child. */
PROCESS_CORO(several_waiters)
{
    ALOOP_BEGIN;
    process_shell("read a; exit 7", &self->process);
    for (self->i = 0; self->i < 3; self->i++)
        self->tasks[self->i] =
            process_begin(aloop_process_wait(&self->process, &self->codes[self->i]));
    ALOOP_TRY(aloop_sleep(0));
    aloop_task_cancel(self->tasks[1]);
    ALOOP_AWAIT(aloop_join_unref(self->tasks[1]));
    EXPECT(-ECANCELED);
    ALOOP_AWAIT(aloop_wait_for(aloop_process_wait(&self->process, NULL), SHORT));
    EXPECT(-ETIMEDOUT);
    assert_int_equal(aloop_process_returncode(&self->process, &self->code), -ALOOP_EPENDING);
    ALOOP_TRY(aloop_stream_write(&self->process.in, "\n", 1));
    ALOOP_TRY(aloop_join_unref(self->tasks[0]));
    ALOOP_TRY(aloop_join_unref(self->tasks[2]));
    assert_int_equal(self->codes[0], 7);
    assert_int_equal(self->codes[1], 0);
    assert_int_equal(self->codes[2], 7);
    /* And those who come later, at once. */
    assert_int_equal(aloop_process_returncode(&self->process, &self->code), 0);
    assert_int_equal(self->code, 7);
    EXPECT_CODE(7);
    ALOOP_END;
}

PROCESS_RUN(several_waiters)

/* A child is waited for in its own loop: another may run in another thread. */
PROCESS_CORO(in_another_loop)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_process_wait(&self->state->process, NULL));
    EXPECT(-ALOOP_EWRONGLOOP);
    ALOOP_AWAIT(aloop_process_stop(&self->state->process, 0, NULL));
    EXPECT(-ALOOP_EWRONGLOOP);
    ALOOP_END;
}

static void test_in_another_loop(void **state)
{
    struct process_state *self = *state;
    aloop_options options = process_loop_options(self);
    aloop *other;

    assert_int_equal(aloop_create_subprocess_shell(self->loop, "exec sleep 100", NULL,
                                                   &self->process),
                     0);
    assert_int_equal(aloop_new(&options, &other), 0);
    assert_int_equal(aloop_run_in(other, in_another_loop, .state = self), 0);
    aloop_unref(other);
    assert_int_equal(aloop_process_kill(&self->process), 0);
    aloop_process_close(&self->process);
}

/* S189: a grandchild that holds the pipes holds nobody up; the pipes are waited for by reading. */
PROCESS_CORO(grandchild)
{
    ALOOP_BEGIN;
    process_shell("exec 3<&0; cat <&3 & exit 5", &self->process);
    ALOOP_TRY(aloop_process_wait(&self->process, &self->code));
    assert_int_equal(self->code, 5);
    ALOOP_TRY(aloop_stream_write(&self->process.in, "still here\n", 11));
    EXPECT_LINE(&self->process.out, "still here\n");
    aloop_stream_close(&self->process.in);
    ALOOP_TRY(aloop_stream_read_line(&self->process.out, &self->slice));
    EXPECT(0);
    aloop_process_close(&self->process);
    ALOOP_END;
}

PROCESS_RUN(grandchild)

/* S188: what it has put out can be read when it has ended. */
PROCESS_CORO(output_after_end)
{
    ALOOP_BEGIN;
    process_shell("echo hello", &self->process);
    ALOOP_TRY(aloop_process_wait(&self->process, &self->code));
    EXPECT_LINE(&self->process.out, "hello\n");
    aloop_process_close(&self->process);
    ALOOP_END;
}

PROCESS_RUN(output_after_end)

/* S189: a signal for one that has ended, and that nobody has noticed, reaches nobody, and does not
   spoil the code. By its number alone it could be anybody's by now. */
PROCESS_CORO(signal_after_end)
{
    ALOOP_BEGIN;
    process_shell("exit 9", &self->process);
    await_zombie(self->process.pid);
    assert_int_equal(aloop_process_send_signal(&self->process, SIGKILL), -ESRCH);
    assert_int_equal(aloop_process_kill(&self->process), -ESRCH);
    EXPECT_CODE(9);
    ALOOP_END;
}

PROCESS_RUN(signal_after_end)

/* S191, P103: somebody else has waited for it. The code is lost, which is said, and nobody hangs;
   nor does a signal go to whoever has the number now. */
PROCESS_CORO(stolen)
{
    ALOOP_BEGIN;
    process_shell("exit 9", &self->process);
    steal(self->process.pid);
    assert_int_equal(self->state->reports, 0);
    assert_int_equal(aloop_process_kill(&self->process), -ESRCH);
    assert_int_equal(self->state->reports, 1);
    assert_int_equal(self->state->error, -ECHILD);
    EXPECT_CODE(ALOOP_RETURNCODE_UNKNOWN);

    process_group_shell("read a; exit 9", &self->process);
    self->tasks[0] = process_begin(aloop_process_wait(&self->process, &self->codes[0]));
    ALOOP_TRY(aloop_sleep(0));
    assert_int_equal(aloop_stream_write_nowait(&self->process.in, "\n", 1), 0);
    ALOOP_TRY(aloop_sleep(0));
    steal(self->process.pid);
    assert_int_equal(aloop_process_send_signal_to_group(&self->process, SIGKILL), -ESRCH);
    ALOOP_TRY(aloop_join_unref(self->tasks[0]));
    assert_int_equal(self->codes[0], ALOOP_RETURNCODE_UNKNOWN);
    aloop_process_close(&self->process);
    ALOOP_END;
}

PROCESS_RUN(stolen)

static void close_lost(aloop *loop, const aloop_exception_context *context, void *arg)
{
    aloop_process *handles = arg;

    (void)loop;
    (void)context;
    aloop_process_close(&handles[0]);
    aloop_process_close(&handles[1]);
}

/* P103: the exception handler that hears of it may close the process, whatever was being done to
   it. Were it told while that is under way, the process would be given back twice. */
PROCESS_CORO(stolen_and_closed)
{
    static aloop_process handles[2];

    ALOOP_BEGIN;
    aloop_set_exception_handler(self->state->loop, close_lost, handles);
    for (self->i = 0; self->i < 5; self->i++) {
        process_shell("exit 9", &self->process);
        handles[0] = handles[1] = self->process;
        steal(self->process.pid);
        if (self->i == 0) {
            ALOOP_AWAIT(aloop_process_wait(&self->process, NULL));
            EXPECT(-EBADF);
        } else if (self->i == 1) {
            assert_int_equal(aloop_process_returncode(&self->process, &self->code), -EBADF);
        } else if (self->i == 2) {
            assert_int_equal(aloop_process_kill(&self->process), -ESRCH);
        } else if (self->i == 3) {
            aloop_process_close(&handles[0]);
        }
        /* The last one is left to the end of the loop. */
        if (self->i < 4)
            assert_int_equal(aloop_process_kill(&self->process), -EBADF);
    }
    ALOOP_END;
}

PROCESS_RUN(stolen_and_closed)

/* P103: with SIGCHLD ignored the system keeps no status of anybody. */
PROCESS_CORO(ignored_sigchld)
{
    ALOOP_BEGIN;
    process_shell("exit 9", &self->process);
    ALOOP_TRY(aloop_process_wait(&self->process, &self->code));
    assert_int_equal(self->code, ALOOP_RETURNCODE_UNKNOWN);
    assert_int_equal(self->state->reports, 1);
    aloop_process_close(&self->process);
    ALOOP_END;
}

static void test_ignored_sigchld(void **state)
{
    struct process_state *self = *state;

    signal(SIGCHLD, SIG_IGN);
    assert_int_equal(aloop_run_in(self->loop, ignored_sigchld, .state = self), 0);
    aloop_close(self->loop);
    signal(SIGCHLD, SIG_DFL);
}

/* P100: a child of somebody else's keeps its status. A library that waits for any child, as many
   did, would have taken it. */
PROCESS_CORO(foreign_child)
{
    pid_t foreign;
    int status;

    ALOOP_BEGIN;
    self->i = fork();
    if (self->i == 0)
        process_leave(7);
    await_zombie(self->i);
    process_shell("exit 3", &self->process);
    EXPECT_CODE(3);
    ALOOP_TRY(aloop_sleep(0));
    foreign = waitpid(self->i, &status, WNOHANG);
    assert_int_equal(foreign, self->i);
    assert_int_equal(WEXITSTATUS(status), 7);
    ALOOP_END;
}

PROCESS_RUN(foreign_child)

static pid_t spawn_slowly(const struct sys_spawn *request)
{
    pid_t pid = sys_default.spawn(request);

    assert_true(pid > 0);
    await_zombie(pid);
    return pid;
}

/* P102: it has ended before anything was there to notice. A watch that is told of changes alone
   would wait for ever. */
PROCESS_CORO(early_end)
{
    ALOOP_BEGIN;
    sys.spawn = spawn_slowly;
    for (self->i = 0; self->i < 3; self->i++) {
        process_shell("exit 4", &self->process);
        EXPECT_CODE(4);
    }
    ALOOP_END;
}

PROCESS_RUN(early_end)

static int too_early;

static int late_status(pid_t pid, int pidfd, bool leave_it, int *out_returncode)
{
    return too_early-- > 0 ? 0 : sys_default.wait_child(pid, pidfd, leave_it, out_returncode);
}

/* The system tells of the end before it has the status, as macOS and FreeBSD do with a kqueue. To
   be told once is then not enough. */
PROCESS_CORO(late_status_of)
{
    ALOOP_BEGIN;
    /* SIGCHLD, which does where there is nothing better, comes when the status is there. */
    self->i = sys.pidfd_open != NULL ? sys.pidfd_open(getpid()) : dup(1);
    if (self->i < 0)
        ALOOP_RETURN(0);
    close(self->i);
    process_shell("read a; exit 4", &self->process);
    self->tasks[0] = process_begin(aloop_process_wait(&self->process, &self->code));
    ALOOP_TRY(aloop_sleep(0));
    too_early = 3;
    sys.wait_child = late_status;
    aloop_stream_close(&self->process.in);
    ALOOP_TRY(aloop_join_unref(self->tasks[0]));
    assert_int_equal(self->code, 4);
    assert_true(too_early < 0);
    aloop_process_close(&self->process);
    ALOOP_END;
}

PROCESS_RUN(late_status_of)

/* --- bringing it about --- */

/* One that ends when it is asked to, one that does not care, and one that has ended. */
PROCESS_CORO(stop)
{
    ALOOP_BEGIN;
    process_shell("echo ready; exec cat", &self->process);
    ALOOP_TRY(aloop_process_stop(&self->process, LONG, &self->code));
    assert_int_equal(self->code, -SIGTERM);
    aloop_process_close(&self->process);

    process_shell("trap '' TERM; echo ready; exec cat", &self->process);
    EXPECT_LINE(&self->process.out, "ready\n");
    ALOOP_TRY(aloop_process_stop(&self->process, SHORT, &self->code));
    assert_int_equal(self->code, -SIGKILL);
    ALOOP_TRY(aloop_process_stop(&self->process, LONG, &self->code));
    assert_int_equal(self->code, -SIGKILL);
    aloop_process_close(&self->process);

    process_shell("trap '' TERM; echo ready; exec cat", &self->process);
    EXPECT_LINE(&self->process.out, "ready\n");
    ALOOP_TRY(aloop_process_stop(&self->process, 0, &self->code));
    assert_int_equal(self->code, -SIGKILL);
    aloop_process_close(&self->process);

    process_shell("trap 'echo bye; exit 6' TERM; echo ready; while :; do read a; done",
                  &self->process);
    EXPECT_LINE(&self->process.out, "ready\n");
    ALOOP_TRY(aloop_process_stop(&self->process, LONG, &self->code));
    assert_int_equal(self->code, 6);
    EXPECT_LINE(&self->process.out, "bye\n");
    aloop_process_close(&self->process);
    ALOOP_END;
}

PROCESS_RUN(stop)

/* Who gives up waiting ends the child, and goes on when it has ended. */
PROCESS_CORO(wait_or_stop)
{
    ALOOP_BEGIN;
    process_shell("trap '' TERM; echo ready; exec cat", &self->process);
    EXPECT_LINE(&self->process.out, "ready\n");
    self->tasks[0] =
        process_begin(aloop_process_wait_or_stop(&self->process, SHORT, &self->codes[0]));
    ALOOP_TRY(aloop_sleep(0));
    aloop_task_cancel(self->tasks[0]);
    /* The second request hastens nothing. */
    ALOOP_TRY(aloop_sleep(0));
    aloop_task_cancel(self->tasks[0]);
    ALOOP_AWAIT(aloop_join_unref(self->tasks[0]));
    EXPECT(-ECANCELED);
    assert_int_equal(self->codes[0], -SIGKILL);
    assert_int_equal(aloop_process_kill(&self->process), -ESRCH);
    aloop_process_close(&self->process);

    process_shell("exec cat", &self->process);
    ALOOP_AWAIT(
        aloop_wait_for(aloop_process_wait_or_stop(&self->process, LONG, &self->code), SHORT));
    EXPECT(-ETIMEDOUT);
    assert_int_equal(self->code, -SIGTERM);
    aloop_process_close(&self->process);

    /* Nobody gives up. */
    process_shell("exit 2", &self->process);
    ALOOP_TRY(aloop_process_wait_or_stop(&self->process, 0, &self->code));
    assert_int_equal(self->code, 2);
    aloop_process_close(&self->process);
    ALOOP_END;
}

PROCESS_RUN(wait_or_stop)

/* Cancelled first and then out of time, or the other way round: the grace is what it was. */
PROCESS_CORO(both_reasons)
{
    ALOOP_BEGIN;
    process_shell("trap '' TERM; echo ready; exec cat", &self->process);
    EXPECT_LINE(&self->process.out, "ready\n");
    self->tasks[0] = process_begin(aloop_wait_for(
        aloop_process_wait_or_stop(&self->process, ALOOP_MS(30), &self->codes[0]), ALOOP_MS(5)));
    ALOOP_TRY(aloop_sleep(0));
    aloop_task_cancel(self->tasks[0]);
    ALOOP_AWAIT(aloop_join_unref(self->tasks[0]));
    EXPECT(-ECANCELED);
    assert_int_equal(self->codes[0], -SIGKILL);
    aloop_process_close(&self->process);

    process_shell("trap '' TERM; echo ready; exec cat", &self->process);
    EXPECT_LINE(&self->process.out, "ready\n");
    ALOOP_AWAIT(
        aloop_wait_for(aloop_process_stop(&self->process, ALOOP_MS(20), &self->code), ALOOP_MS(1)));
    EXPECT(-ETIMEDOUT);
    assert_int_equal(self->code, -SIGKILL);
    aloop_process_close(&self->process);
    ALOOP_END;
}

PROCESS_RUN(both_reasons)

/* We may not send it anything: it is let be. */
static int forbidden_kill(pid_t pid, int pidfd, int signal_number)
{
    (void)pid;
    (void)pidfd;
    (void)signal_number;
    return -EPERM;
}

PROCESS_CORO(forbidden)
{
    ALOOP_BEGIN;
    process_shell("exec cat", &self->process);
    sys.kill = forbidden_kill;
    ALOOP_AWAIT(aloop_process_stop(&self->process, LONG, &self->code));
    EXPECT(-EPERM);
    self->tasks[0] = process_begin(aloop_process_wait_or_stop(&self->process, LONG, &self->code));
    ALOOP_TRY(aloop_sleep(0));
    aloop_task_cancel(self->tasks[0]);
    ALOOP_AWAIT(aloop_join_unref(self->tasks[0]));
    EXPECT(-ECANCELED);
    sys.kill = self->state->sys.kill;
    assert_int_equal(aloop_process_returncode(&self->process, &self->code), -ALOOP_EPENDING);
    aloop_process_close(&self->process);
    ALOOP_END;
}

PROCESS_RUN(forbidden)

/* The end of a leader is that of its group, when it is brought about: here a grandchild that does
   not care for SIGTERM, and whose end is that of the pipe. The signal goes out while the leader's
   number is still its own. */
PROCESS_CORO(group_stop)
{
    ALOOP_BEGIN;
    process_group_shell("exec 3<&0; (trap '' TERM; echo ready; exec cat <&3) & wait",
                        &self->process);
    EXPECT_LINE(&self->process.out, "ready\n");
    ALOOP_TRY(aloop_process_stop(&self->process, LONG, &self->code));
    assert_int_equal(self->code, -SIGTERM);
    ALOOP_TRY(aloop_stream_read_line(&self->process.out, &self->slice));
    EXPECT(0);
    aloop_process_close(&self->process);

    /* One that ends by itself leaves its group alone. */
    process_group_shell("exec 3<&0; cat <&3 & exit 0", &self->process);
    ALOOP_TRY(aloop_process_wait(&self->process, &self->code));
    ALOOP_TRY(aloop_stream_write(&self->process.in, "still here\n", 11));
    EXPECT_LINE(&self->process.out, "still here\n");
    assert_int_equal(aloop_process_send_signal_to_group(&self->process, SIGTERM), -ESRCH);
    aloop_stream_close(&self->process.in);
    ALOOP_TRY(aloop_stream_read_line(&self->process.out, &self->slice));
    EXPECT(0);
    aloop_process_close(&self->process);
    ALOOP_END;
}

PROCESS_RUN(group_stop)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        {"test_late_status", test_late_status_of, process_setup, process_teardown, &by_default},
        PROCESS_TEST(test_codes),
        PROCESS_TEST(test_several_waiters),
        PROCESS_TEST(test_in_another_loop),
        PROCESS_TEST(test_grandchild),
        PROCESS_TEST(test_output_after_end),
        PROCESS_TEST(test_signal_after_end),
        PROCESS_TEST(test_stolen),
        PROCESS_TEST(test_stolen_and_closed),
        PROCESS_TEST(test_ignored_sigchld),
        PROCESS_TEST(test_foreign_child),
        PROCESS_TEST(test_early_end),
        PROCESS_TEST(test_stop),
        PROCESS_TEST(test_wait_or_stop),
        PROCESS_TEST(test_both_reasons),
        PROCESS_TEST(test_forbidden),
        PROCESS_TEST(test_group_stop),
    };

    (void)child_main(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
