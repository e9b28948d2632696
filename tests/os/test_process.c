/*
 * Processes and their loop: closed, let go, carried into a fork, in two threads, in crowds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "process_test.h"

#include <pthread.h>
#include <sys/resource.h>

static void await_zombie(pid_t pid)
{
    siginfo_t info;

    while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) < 0)
        assert_int_equal(errno, EINTR);
}

/* --- letting go --- */

/* S190: closing kills a child that runs, and who waits for it still hears of its end. */
PROCESS_CORO(close_running)
{
    ALOOP_BEGIN;
    process_group_shell("cat | cat", &self->process);
    self->other = self->process;
    self->tasks[0] = process_begin(aloop_process_wait(&self->process, &self->code));
    ALOOP_TRY(aloop_sleep(0));
    aloop_process_close(&self->process);
    assert_int_equal(self->process.number, 0);
    assert_int_equal(aloop_process_kill(&self->other), -EBADF);
    assert_false(aloop_stream_is_open(&self->other.in));
    aloop_process_close(&self->other);
    ALOOP_TRY(aloop_join_unref(self->tasks[0]));
    assert_int_equal(self->code, -SIGKILL);
    ALOOP_END;
}

PROCESS_RUN(close_running)

static int kills;

static int count_kill(pid_t pid, int pidfd, int signal_number)
{
    kills++;
    return sys_default.kill(pid, pidfd, signal_number);
}

/* S190: and does not kill one that has ended, even if the loop has not been told; nor its group. */
PROCESS_CORO(close_ended)
{
    ALOOP_BEGIN;
    kills = 0;
    sys.kill = count_kill;
    process_group_shell("exec 3<&0 4>&1; (read a <&3; echo alive >&4) >&- & exit 0",
                        &self->process);
    await_zombie(self->process.pid);
    self->fds[0] = dup(aloop_stream_socket(&self->process.out).fd);
    self->fds[1] = dup(aloop_stream_socket(&self->process.in).fd);
    aloop_process_close(&self->process);
    assert_int_equal(kills, 0);
    assert_int_equal(write(self->fds[1], "\n", 1), 1);
    close(self->fds[1]);
    assert_int_equal(aloop_stream_open_fd(NULL, self->fds[0], NULL, &self->stream), 0);
    EXPECT_LINE(&self->stream, "alive\n");
    aloop_stream_close(&self->stream);
    ALOOP_END;
}

PROCESS_RUN(close_ended)

/* S193: there is nothing to be cancelled in the middle of a start: a task that was told to end
   before has a whole child, and its cleanup kills it. */
PROCESS_CORO(cancelled_starter)
{
    ALOOP_BEGIN;
    process_shell("cat", &self->process);
    ALOOP_TRY(aloop_process_wait(&self->process, NULL));
    ALOOP_FINALLY;
    assert_int_equal(aloop_process_returncode(&self->process, &self->code), -ALOOP_EPENDING);
    ALOOP_AWAIT(aloop_process_stop(&self->process, 0, &self->code));
    assert_int_equal(self->code, -SIGKILL);
    process_assert_childless();
    aloop_process_close(&self->process);
    ALOOP_END;
}

PROCESS_CORO(cancel_starter)
{
    ALOOP_BEGIN;
    self->tasks[0] = aloop_create_task(cancelled_starter);
    aloop_task_cancel(self->tasks[0]);
    ALOOP_AWAIT(aloop_join_unref(self->tasks[0]));
    EXPECT(-ECANCELED);
    ALOOP_END;
}

PROCESS_RUN(cancel_starter)

/* What is left open ends with the loop: running, ended and unnoticed, closed. The end of the test
   sees that no child is left. */
PROCESS_CORO(leave_open)
{
    ALOOP_BEGIN;
    process_shell("trap '' TERM; exec cat", &self->process);
    process_shell("exit 0", &self->process);
    await_zombie(self->process.pid);
    process_shell("cat", &self->process);
    aloop_process_close(&self->process);
    process_group_shell("exec 3<&0; cat <&3 & cat <&3", &self->process);
    ALOOP_END;
}

PROCESS_RUN(leave_open)

/* One that was let go outlives the loop, and is no zombie of it if it has ended before. */
PROCESS_CORO(detach)
{
    ALOOP_BEGIN;
    assert_int_equal(pipe(self->state->pipe), 0);
    self->options = process_options(self->state->pipe[0], ALOOP_DEVNULL, ALOOP_INHERIT);
    assert_int_equal(process_shell_of("read a; exit 8", &self->options, &self->process), 0);
    self->state->pid = self->process.pid;
    aloop_process_detach(&self->process);
    assert_int_equal(process_shell_of("exit 0", &self->options, &self->process), 0);
    await_zombie(self->process.pid);
    aloop_process_detach(&self->process);
    ALOOP_END;
}

static void test_detach(void **state)
{
    struct process_state *self = *state;
    int status;

    assert_int_equal(aloop_run_in(self->loop, detach, .state = self), 0);
    assert_int_equal(aloop_close(self->loop), 0);
    assert_int_equal(kill(self->pid, 0), 0);
    assert_int_equal(write(self->pipe[1], "\n", 1), 1);
    assert_int_equal(waitpid(self->pid, &status, 0), self->pid);
    assert_int_equal(WEXITSTATUS(status), 8);
    close(self->pipe[0]);
    close(self->pipe[1]);
}

/* --- forks --- */

/* In the child of a fork. What fails here is seen in its exit code. */
static int in_fork(struct process_state *self, const aloop_process *process, aloop_task *task)
{
    aloop_process copy = *process;
    aloop_process another;
    int code;

    if (aloop_process_kill(process) != -ECHILD)
        return 1;
    if (aloop_process_returncode(process, &code) != -ECHILD)
        return 2;
    if (aloop_create_subprocess_shell(self->loop, "true", NULL, &another) != -ECHILD)
        return 3;
    if (aloop_after_fork(self->loop) != 0)
        return 4;
    if (aloop_run_until_complete(self->loop, task) != -ECHILD)
        return 5;
    if (aloop_process_kill(process) != -ECHILD)
        return 6;
    aloop_process_close(&copy);
    if (aloop_process_kill(process) != -EBADF)
        return 7;
    /* And it can have children of its own. */
    if (aloop_create_subprocess_shell(self->loop, "exit 3", NULL, &another) != 0)
        return 8;
    task =
        aloop_create_task_in(self->loop, process_await, .op = aloop_process_wait(&another, &code));
    if (aloop_run_until_complete(self->loop, task) != 0 || code != 3)
        return 9;
    aloop_task_unref(task);
    aloop_close(self->loop);
    return 0;
}

/* P105: a fork()ed child has none of its parent's children, and does nothing to them. */
static void test_fork(void **state)
{
    struct process_state *self = *state;
    aloop_process_options options = process_options(ALOOP_PIPE, ALOOP_DEVNULL, ALOOP_INHERIT);
    aloop_process process;
    aloop_task *task;
    int status, code = 0;
    pid_t pid;

    assert_int_equal(
        aloop_create_subprocess_shell(self->loop, "read a; exit 6", &options, &process), 0);
    task =
        aloop_create_task_in(self->loop, process_await, .op = aloop_process_wait(&process, &code));
    assert_true(aloop_run_once(self->loop, 0) >= 0);
    pid = fork();
    if (pid == 0)
        process_leave(in_fork(self, &process, task));
    while (waitpid(pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    /* The child that closed its copy has neither killed it nor sent the end of the pipe. */
    assert_int_equal(aloop_stream_write_nowait(&process.in, "\n", 1), 0);
    assert_int_equal(aloop_run_until_complete(self->loop, task), 0);
    assert_int_equal(code, 6);
    aloop_task_unref(task);
    aloop_process_close(&process);
}

/* One that is closed before its loop is brought to life. */
static void test_fork_closing(void **state)
{
    struct process_state *self = *state;
    aloop_process_options options = process_options(ALOOP_PIPE, ALOOP_DEVNULL, ALOOP_INHERIT);
    aloop_process process;
    int status, code;
    pid_t pid;

    assert_int_equal(aloop_create_subprocess_shell(self->loop, "cat", &options, &process), 0);
    pid = fork();
    if (pid == 0) {
        aloop_process_close(&process);
        process_leave(aloop_close(self->loop) == 0 ? 0 : 1);
    }
    while (waitpid(pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(aloop_process_returncode(&process, &code), -ALOOP_EPENDING);
    aloop_process_close(&process);
}

/* --- many --- */

#define STORM 1000

struct storm {
    ALOOP_FRAME;
    struct process_state *state;
    aloop_process *processes;
    aloop_task **tasks;
    int *codes;
    int fds[2];
    int i;
};

/* They all wait for the end of one pipe, and so end at once. */
ALOOP_CORO(storm)
{
    aloop_process_options options = ALOOP_PROCESS_OPTIONS_INIT;

    ALOOP_BEGIN;
    self->processes = calloc(STORM, sizeof *self->processes);
    self->tasks = calloc(STORM, sizeof(aloop_task *));
    self->codes = calloc(STORM, sizeof *self->codes);
    assert_int_equal(pipe(self->fds), 0);
    fcntl(self->fds[1], F_SETFD, FD_CLOEXEC);
    options.in = self->fds[0];
    for (self->i = 0; self->i < STORM; self->i++) {
        self->codes[self->i] = -1;
        assert_int_equal(process_exec_of("cat", &options, &self->processes[self->i]), 0);
        self->tasks[self->i] =
            process_begin(aloop_process_wait(&self->processes[self->i], &self->codes[self->i]));
    }
    close(self->fds[0]);
    close(self->fds[1]);
    for (self->i = 0; self->i < STORM; self->i++) {
        ALOOP_TRY(aloop_join_unref(self->tasks[self->i]));
        assert_int_equal(self->codes[self->i], 0);
        aloop_process_close(&self->processes[self->i]);
    }
    free(self->processes);
    free(self->tasks);
    free(self->codes);
    ALOOP_END;
}

static void test_storm(void **state)
{
    struct process_state *self = *state;
    struct rlimit before, limit;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = before;
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(aloop_run_in(self->loop, storm, .state = self), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* P101: loops in several threads, each with children. Each hears of each of its own, once, and of
   no other. */
enum { THREADS = 3, ROUNDS = 30 };

PROCESS_CORO(rounds)
{
    ALOOP_BEGIN;
    for (self->i = 0; self->i < ROUNDS; self->i++) {
        process_shell(self->i % 2 ? "exit 5" : "read a; exit 6", &self->process);
        aloop_stream_close(&self->process.in);
        ALOOP_TRY(aloop_process_wait(&self->process, &self->code));
        if (self->code != (self->i % 2 ? 5 : 6))
            ALOOP_RETURN(-EPROTO);
        aloop_process_close(&self->process);
    }
    ALOOP_END;
}

struct rounds_thread {
    pthread_t thread;
    const struct process_state *state;
    int64_t result;
};

static void *run_rounds(void *arg)
{
    struct rounds_thread *self = arg;
    aloop_options options = process_loop_options(self->state);
    aloop *loop;

    self->result = aloop_new(&options, &loop);
    if (self->result < 0)
        return NULL;
    self->result = aloop_run_in(loop, rounds);
    aloop_unref(loop);
    return NULL;
}

static void test_threads(void **state)
{
    struct rounds_thread threads[THREADS];

    for (int i = 0; i < THREADS; i++) {
        threads[i] = (struct rounds_thread){.state = *state};
        assert_int_equal(pthread_create(&threads[i].thread, NULL, run_rounds, &threads[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i].thread, NULL), 0);
        assert_int_equal(threads[i].result, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(test_close_running),  PROCESS_TEST(test_close_ended),
        PROCESS_TEST(test_cancel_starter), PROCESS_TEST(test_leave_open),
        PROCESS_TEST(test_detach),         PROCESS_TEST(test_fork),
        PROCESS_TEST(test_fork_closing),   PROCESS_TEST(test_storm),
        PROCESS_TEST(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
