/* Waiting for fds of the program's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io_test.h"
#include <stdio.h>
#include <unistd.h>

#define TEST_CORO(name)                                                                            \
    struct name {                                                                                  \
        ALOOP_FRAME;                                                                               \
        enum fault_call call;                                                                      \
        int fds[2];                                                                                \
        int other;                                                                                 \
        aloop_task *tasks[3];                                                                      \
        aloop_socket pair[2];                                                                      \
        unsigned runs;                                                                             \
        int turn;                                                                                  \
    };                                                                                             \
    ALOOP_CORO(name)

#define RUN_TEST(name)                                                                             \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        io_run(state, ALOOP_CLOCK_VIRTUAL, name);                                                  \
    }

#define TURNS()                                                                                    \
    for (self->turn = 0; self->turn < 100; self->turn++)                                           \
    ALOOP_TRY(aloop_sleep(0))

#define OPEN_PIPE() assert_int_equal(pipe(self->fds), 0)

static void close_pipe(const int fds[2])
{
    close(fds[0]);
    close(fds[1]);
}

/* Nobody waits, so nothing is registered: the fd may be closed. */
static void assert_unwatched(int fd)
{
    const aloop *loop = aloop_get_running_loop();

    assert_true((size_t)fd >= loop->fd_capacity || loop->fds[fd] == NULL);
}

TEST_CORO(a_pipe_becomes_readable)
{
    ALOOP_BEGIN;
    OPEN_PIPE();
    ALOOP_TRY(aloop_writable(self->fds[1]));
    assert_unwatched(self->fds[1]);
    self->tasks[0] = io_start(aloop_readable(self->fds[0]));
    TURNS();
    assert_false(aloop_task_done(self->tasks[0]));
    assert_int_equal(write(self->fds[1], "x", 1), 1);
    ALOOP_TRY(aloop_join_unref(self->tasks[0]));
    assert_int_equal(self->result, 0);
    assert_unwatched(self->fds[0]);
    /* Level: what is still there is still ready. */
    ALOOP_TRY(aloop_readable(self->fds[0]));
    close_pipe(self->fds);
    ALOOP_END;
}

RUN_TEST(a_pipe_becomes_readable)

/* P15: a hang-up is readiness, for the read has something to say. */
TEST_CORO(a_hang_up_wakes)
{
    ALOOP_BEGIN;
    OPEN_PIPE();
    self->tasks[0] = io_start(aloop_readable(self->fds[0]));
    TURNS();
    close(self->fds[1]);
    ALOOP_TRY(aloop_join_unref(self->tasks[0]));
    close(self->fds[0]);
    ALOOP_END;
}

RUN_TEST(a_hang_up_wakes)

static void count_run(aloop *loop, void *arg)
{
    (void)loop;
    ++*(unsigned *)arg;
}

/* Several tasks and a callback wait for one fd; one that leaves takes nothing from the others. */
TEST_CORO(many_wait_for_one_fd)
{
    ALOOP_BEGIN;
    OPEN_PIPE();
    for (self->turn = 0; self->turn < 3; self->turn++)
        self->tasks[self->turn] = io_start(aloop_readable(self->fds[0]));
    assert_true(aloop_add_reader(aloop_get_running_loop(), self->fds[0], count_run, &self->runs) >
                0);
    TURNS();
    aloop_task_cancel(self->tasks[1]);
    TURNS();
    assert_int_equal(self->runs, 0);
    assert_int_equal(write(self->fds[1], "x", 1), 1);
    ALOOP_TRY(aloop_join_unref(self->tasks[0]));
    ALOOP_AWAIT(aloop_join_unref(self->tasks[1]));
    assert_int_equal(self->result, -ECANCELED);
    ALOOP_TRY(aloop_join_unref(self->tasks[2]));
    assert_in_range(self->runs, 1, 1000);
    assert_true(aloop_remove_reader(aloop_get_running_loop(), self->fds[0]));
    assert_unwatched(self->fds[0]);
    close_pipe(self->fds);
    ALOOP_END;
}

RUN_TEST(many_wait_for_one_fd)

/* Two are woken in one turn, and the first to run takes the registration with it. */
TEST_CORO(two_wake_in_one_turn)
{
    ALOOP_BEGIN;
    OPEN_PIPE();
    assert_int_equal(write(self->fds[1], "x", 1), 1);
    self->tasks[0] = io_start(aloop_readable(self->fds[0]));
    self->tasks[1] = io_start(aloop_readable(self->fds[0]));
    ALOOP_TRY(aloop_join_unref(self->tasks[0]));
    ALOOP_TRY(aloop_join_unref(self->tasks[1]));
    assert_unwatched(self->fds[0]);
    close_pipe(self->fds);
    ALOOP_END;
}

RUN_TEST(two_wake_in_one_turn)

/* P10: both directions of one fd are served, each by itself. */
TEST_CORO(directions_are_independent)
{
    ALOOP_BEGIN;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, self->fds), 0);
    self->tasks[0] = io_start(aloop_readable(self->fds[0]));
    self->tasks[1] = io_start(aloop_writable(self->fds[0]));
    ALOOP_TRY(aloop_join_unref(self->tasks[1]));
    TURNS();
    assert_false(aloop_task_done(self->tasks[0]));
    assert_int_equal(write(self->fds[1], "x", 1), 1);
    ALOOP_TRY(aloop_join_unref(self->tasks[0]));
    assert_unwatched(self->fds[0]);
    close_pipe(self->fds);
    ALOOP_END;
}

RUN_TEST(directions_are_independent)

/* S183: cancelling, or running out of time, takes the registration back. */
TEST_CORO(giving_up_unregisters)
{
    ALOOP_BEGIN;
    OPEN_PIPE();
    ALOOP_AWAIT(aloop_wait_for(aloop_readable(self->fds[0]), ALOOP_SEC(5)));
    assert_int_equal(self->result, -ETIMEDOUT);
    assert_unwatched(self->fds[0]);
    self->tasks[0] = io_start(aloop_readable(self->fds[0]));
    TURNS();
    /* In the turn in which it becomes ready, too. */
    assert_int_equal(write(self->fds[1], "x", 1), 1);
    watch_collect(aloop_get_running_loop(), aloop_get_running_loop()->fds[self->fds[0]],
                  POLLER_READ);
    aloop_task_cancel(self->tasks[0]);
    ALOOP_AWAIT(aloop_join_unref(self->tasks[0]));
    assert_int_equal(self->result, -ECANCELED);
    assert_unwatched(self->fds[0]);
    close_pipe(self->fds);
    ALOOP_END;
}

RUN_TEST(giving_up_unregisters)

/* P20, P21: what the system cannot poll never blocks. */
TEST_CORO(files_are_ready_at_once)
{
    FILE *file;

    ALOOP_BEGIN;
    file = tmpfile();
    assert_non_null(file);
    self->other = dup(fileno(file));
    fclose(file);
    ALOOP_TRY(aloop_readable(self->other));
    ALOOP_TRY(aloop_writable(self->other));
    assert_unwatched(self->other);
    close(self->other);
    self->other = open("/dev/null", O_RDWR);
    ALOOP_TRY(aloop_readable(self->other));
    ALOOP_TRY(aloop_writable(self->other));
    assert_unwatched(self->other);
    close(self->other);
    ALOOP_END;
}

RUN_TEST(files_are_ready_at_once)

/* P14, P120: errors come to who waits, at once, and leave nothing behind. */
TEST_CORO(what_cannot_be_waited_for)
{
    ALOOP_BEGIN;
    OPEN_PIPE();
    ALOOP_AWAIT(aloop_readable(-1));
    assert_int_equal(self->result, -EBADF);
    ALOOP_AWAIT(aloop_writable(1000));
    assert_int_equal(self->result, -EBADF);
    assert_unwatched(1000);
    assert_int_equal(aloop_socket_pair(NULL, self->pair), 0);
    ALOOP_AWAIT(aloop_readable(aloop_socket_fd(&self->pair[0])));
    assert_int_equal(self->result, -EBUSY);
    aloop_socket_close(&self->pair[0]);
    aloop_socket_close(&self->pair[1]);
    fault_install();
    fault_fail(self->call, 1, -ENOSPC);
    ALOOP_AWAIT(aloop_readable(self->fds[0]));
    assert_int_equal(self->result, -ENOSPC);
    assert_unwatched(self->fds[0]);
    /* One that waits goes on waiting when another cannot begin to. */
    self->tasks[0] = io_start(aloop_readable(self->fds[0]));
    TURNS();
    fault_fail(self->call, 1, -ENOSPC);
    ALOOP_AWAIT(aloop_readable(self->fds[0]));
    assert_int_equal(self->result, -ENOSPC);
    assert_int_equal(write(self->fds[1], "x", 1), 1);
    ALOOP_TRY(aloop_join_unref(self->tasks[0]));
    close_pipe(self->fds);
    ALOOP_END;
}

static void test_what_cannot_be_waited_for(void **state)
{
    const enum fault_call call = io_registering(state);

    io_run(state, ALOOP_CLOCK_VIRTUAL, what_cannot_be_waited_for, .call = call);
}

/* P8: an fd that is closed under who waits for it may leave him waiting, but not for good: he can
   be cancelled, and the loop goes on. */
TEST_CORO(an_fd_is_closed_behind_our_back)
{
    ALOOP_BEGIN;
    OPEN_PIPE();
    self->tasks[0] = io_start(aloop_readable(self->fds[0]));
    TURNS();
    close_pipe(self->fds);
    TURNS();
    aloop_task_cancel(self->tasks[0]);
    ALOOP_AWAIT(aloop_join_unref(self->tasks[0]));
    assert_true(self->result == 0 || self->result == -ECANCELED);
    assert_unwatched(self->fds[0]);
    /* The number serves again. */
    OPEN_PIPE();
    assert_int_equal(write(self->fds[1], "x", 1), 1);
    ALOOP_TRY(aloop_readable(self->fds[0]));
    close_pipe(self->fds);
    ALOOP_END;
}

RUN_TEST(an_fd_is_closed_behind_our_back)

/* P9: the same while a duplicate keeps the file open, of which the kernel goes on telling. */
TEST_CORO(a_duplicate_stays_open)
{
    ALOOP_BEGIN;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, self->fds), 0);
    self->other = dup(self->fds[0]);
    while (send(self->fds[0], "x", 1, MSG_DONTWAIT) == 1)
        continue;
    self->tasks[0] = io_start(aloop_readable(self->fds[0]));
    self->tasks[1] = io_start(aloop_writable(self->fds[0]));
    TURNS();
    close(self->fds[0]);
    aloop_task_cancel(self->tasks[0]);
    ALOOP_AWAIT(aloop_join_unref(self->tasks[0]));
    assert_true(self->result == 0 || self->result == -ECANCELED);
    aloop_task_cancel(self->tasks[1]);
    ALOOP_AWAIT(aloop_join_unref(self->tasks[1]));
    assert_true(self->result == 0 || self->result == -ECANCELED);
    assert_unwatched(self->fds[0]);
    assert_int_equal(write(self->fds[1], "x", 1), 1);
    /* Neither does the loop spin, nor fail: with the virtual clock, time passes only in between. */
    ALOOP_TRY(aloop_sleep(ALOOP_SEC(1)));
    close(self->other);
    close(self->fds[1]);
    ALOOP_END;
}

RUN_TEST(a_duplicate_stays_open)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH_POLLER(test_a_pipe_becomes_readable),
        ON_EACH_POLLER(test_a_hang_up_wakes),
        ON_EACH_POLLER(test_many_wait_for_one_fd),
        ON_EACH_POLLER(test_two_wake_in_one_turn),
        ON_EACH_POLLER(test_directions_are_independent),
        ON_EACH_POLLER(test_giving_up_unregisters),
        ON_EACH_POLLER(test_files_are_ready_at_once),
        ON_EACH_POLLER(test_what_cannot_be_waited_for),
        ON_EACH_POLLER(test_an_fd_is_closed_behind_our_back),
        ON_EACH_POLLER(test_a_duplicate_stays_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
