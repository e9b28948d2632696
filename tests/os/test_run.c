/*
 * aloop_run() and Ctrl-C.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "signal_test.h"

#include <sched.h>

/* Sends itself SIGINT so many times, each when it has had time to be cancelled by the one before,
   and tells what came of its last await; or goes on as it is told. */
struct interrupted {
    ALOOP_FRAME;
    int times;
    bool swallows;
    bool cancels_itself;
    int i;
};

ALOOP_CORO(interrupted)
{
    ALOOP_BEGIN;
    for (self->i = 0; self->i < self->times; self->i++) {
        (void)raise(SIGINT);
        /* Wakes the loop even if it would sleep for long. */
        ALOOP_AWAIT(aloop_sleep(ALOOP_SEC(3600)));
        if (self->result != -ECANCELED)
            ALOOP_RETURN(-EIO);
        note(NULL, TEXT("c"));
    }
    if (self->cancels_itself)
        (void)aloop_task_cancel(aloop_current_task());
    ALOOP_RETURN(self->swallows ? 7 : -ECANCELED);
    ALOOP_END;
}

/* S156: the first SIGINT cancels the main task; S155: and what was there is restored. */
static void the_first_cancels_main(void **state)
{
    (void)state;
    assert_int_equal(aloop_run(interrupted, .times = 1), -EINTR);
    assert_journal_is("c");
    assert_true(is_default(SIGINT));
    /* Its own end is its own affair. */
    assert_int_equal(aloop_run(interrupted, .times = 1, .swallows = true), 7);
    assert_journal_is("c");
    /* Without a signal, -ECANCELED is nothing but that. */
    assert_int_equal(aloop_run(interrupted, .times = 0), -ECANCELED);
}

/* S156: cancelled by somebody else as well: then it was cancelled. */
static void cancelled_besides(void **state)
{
    (void)state;
    assert_int_equal(aloop_run(interrupted, .times = 1, .cancels_itself = true), -ECANCELED);
    assert_journal_is("c");
}

/* S156: the second ends the run at once, whatever the main task makes of it: it is not cancelled
   again, and nobody waits for it. */
static void the_second_ends_the_run(void **state)
{
    (void)state;
    assert_int_equal(aloop_run(interrupted, .times = 5, .swallows = true), -EINTR);
    assert_journal_is("c");
    assert_true(is_default(SIGINT));
}

static atomic_bool is_over;

struct stubborn {
    ALOOP_FRAME;
    int unused;
};

/* By the second signal it has begun: one that has not would not be waited for in any case. */
static int64_t interrupt_until_it_is_over(void *arg)
{
    (void)kill(getpid(), SIGINT);
    while (!atomic_load((atomic_bool *)arg))
        sched_yield();
    return 0;
}

static void interrupt(aloop *loop, void *arg)
{
    (void)loop;
    (void)arg;
    (void)raise(SIGINT);
}

/* A cleanup that never ends, in a thread that never does. */
ALOOP_CORO(stubborn)
{
    ALOOP_BEGIN;
    if (aloop_call_soon(aloop_get_running_loop(), interrupt, NULL) < 0)
        ALOOP_RETURN(-ENOMEM);
    ALOOP_AWAIT(aloop_sleep(ALOOP_SEC(3600)));
    ALOOP_FINALLY;
    ALOOP_AWAIT(aloop_to_thread(interrupt_until_it_is_over, &is_over));
    ALOOP_END;
}

static void at_once_waits_for_nothing(void **state)
{
    struct os_state *self = *state;
    aloop_options loop_options = ALOOP_OPTIONS_INIT;
    aloop_run_options options = ALOOP_RUN_OPTIONS_INIT;

    /* By this the teardown sees when the thread is gone. */
    loop_options.allocator = memory_probe_allocator(&self->memory);
    options.loop = &loop_options;
    atomic_store(&is_over, false);
    assert_int_equal(aloop_run_with(&options, stubborn), -EINTR);
    atomic_store(&is_over, true);
}

static void again_and_again(aloop *loop, void *arg)
{
    unsigned *count = arg;

    if (++*count % 100 == 0)
        (void)raise(SIGINT);
    assert_true(aloop_call_soon(loop, again_and_again, arg) > 0);
}

struct busy {
    ALOOP_FRAME;
    unsigned count;
};

ALOOP_CORO(busy)
{
    ALOOP_BEGIN;
    again_and_again(aloop_get_running_loop(), &self->count);
    for (;;)
        ALOOP_AWAIT(aloop_sleep(ALOOP_SEC(3600)));
    ALOOP_END;
}

/* S156 (test_interrupt_call_soon): a loop that always has something to do looks all the same. */
static void a_busy_loop_is_interrupted(void **state)
{
    (void)state;
    assert_int_equal(aloop_run(busy), -EINTR);
}

/* What SIGINT does while a main task runs. */
enum { OURS, DEFAULT, IGNORED, HOST };

struct asking {
    ALOOP_FRAME;
    int unused;
};

ALOOP_CORO(asking)
{
    ALOOP_BEGIN;
    if (is_default(SIGINT))
        ALOOP_RETURN(DEFAULT);
    if (is_host(SIGINT))
        ALOOP_RETURN(HOST);
    ALOOP_RETURN(disposition_of(SIGINT).sa_handler == SIG_IGN ? IGNORED : OURS);
    ALOOP_END;
}

/* S155: only the default is replaced. */
static void what_the_program_has_set_stays(void **state)
{
    (void)state;
    assert_int_equal(aloop_run(asking), OURS);
    set_plain(SIGINT, SIG_IGN, 0);
    assert_int_equal(aloop_run(asking), IGNORED);
    assert_ptr_equal(disposition_of(SIGINT).sa_handler, SIG_IGN);
    set_plain(SIGINT, host, 0);
    assert_int_equal(aloop_run(asking), HOST);
    assert_true(is_host(SIGINT));
    set_plain(SIGINT, SIG_DFL, 0);
}

static void *run_asking(void *arg)
{
    *(int *)arg = aloop_run(asking);
    return NULL;
}

/* S155: and only in the thread that the process began with. */
static void not_in_another_thread(void **state)
{
    pthread_t thread;
    int result = -1;

    (void)state;
    if (sys.is_main_thread() == 0)
        skip();
    assert_int_equal(pthread_create(&thread, NULL, run_asking, &result), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(result, DEFAULT);
}

/* Unasked, nothing is installed: not by a loop, nor by aloop_run_in(); and it can be refused. */
static void only_where_it_is_said(void **state)
{
    struct os_state *self = *state;
    aloop_run_options options = ALOOP_RUN_OPTIONS_INIT;

    assert_int_equal(aloop_run_in(self->loop, asking), DEFAULT);
    assert_int_equal(aloop_run_with(&options, asking), OURS);
    options.leave_sigint = true;
    assert_int_equal(aloop_run_with(&options, asking), DEFAULT);
    options.size = 1;
    assert_int_equal(aloop_run_with(&options, asking), -EINVAL);
}

static void options_of_the_loop(void **state)
{
    struct os_state *self = *state;
    aloop_options loop_options = ALOOP_OPTIONS_INIT;
    aloop_run_options options = ALOOP_RUN_OPTIONS_INIT;

    loop_options.clock = ALOOP_CLOCK_VIRTUAL;
    loop_options.allocator = memory_probe_allocator(&self->memory);
    options.loop = &loop_options;
    assert_int_equal(aloop_run_with(&options, interrupted, .times = 1), -EINTR);
    assert_journal_is("c");
    loop_options.busy_poll = -1;
    assert_int_equal(aloop_run_with(&options, asking), -EINVAL);
}

/* S155 (test_signal_install_not_supported_ok): the program runs, if without. */
static void runs_without(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 3; n++) {
        fault_install();
        fault_fail(FAULT_SIGACTION, n, -EINVAL);
        assert_int_equal(aloop_run(asking), DEFAULT);
        assert_int_equal(fault_failures(FAULT_SIGACTION), 1);
        fault_reset();
        assert_true(is_default(SIGINT));
    }
    fault_install();
    fault_fail(FAULT_WAKE_OPEN, 2, -EMFILE);
    assert_int_equal(aloop_run(asking), DEFAULT);
    fault_reset();
}

struct handling {
    ALOOP_FRAME;
    int i;
};

ALOOP_CORO(handling)
{
    ALOOP_BEGIN;
    if (aloop_add_signal_handler(aloop_get_running_loop(), SIGINT, note, TEXT("h")) < 0)
        ALOOP_RETURN(-EIO);
    for (self->i = 0; self->i < 5; self->i++) {
        (void)raise(SIGINT);
        (void)raise(SIGINT);
        (void)raise(SIGINT);
        (void)raise(SIGINT);
        ALOOP_TRY(aloop_sleep(ALOOP_US(1)));
    }
    /* What has come for the handler and was not seen does not count against the program. */
    (void)raise(SIGINT);
    (void)raise(SIGINT);
    (void)raise(SIGINT);
    if (!aloop_remove_signal_handler(aloop_get_running_loop(), SIGINT))
        ALOOP_RETURN(-EIO);
    (void)raise(SIGINT);
    ALOOP_AWAIT(aloop_sleep(ALOOP_SEC(3600)));
    note(NULL, TEXT("c"));
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

/* A program that watches the signal itself has it for itself, however often it comes; and no longer
   than that. */
static void the_programs_own_handler_comes_first(void **state)
{
    (void)state;
    assert_int_equal(aloop_run(handling), -EINTR);
    assert_true(strlen(journal) >= 2);
    assert_int_equal(journal[strlen(journal) - 1], 'c');
    journal[0] = '\0';
}

/* --- what ends the process --- */

struct stuck {
    ALOOP_FRAME;
    int fd;
};

ALOOP_CORO(stuck)
{
    ALOOP_BEGIN;
    if (write(self->fd, "x", 1) != 1)
        ALOOP_RETURN(-EIO);
    for (;;)
        (void)pause();
    ALOOP_END;
}

/* Whoever sends SIGINT to a program that hangs gets rid of it. */
static void a_loop_that_hangs_can_be_ended(void **state)
{
    int fds[2];
    int status = -1;
    char byte;
    pid_t child;

    (void)state;
    assert_int_equal(pipe(fds), 0);
    child = fork();
    if (child == 0)
        _exit(aloop_run(stuck, .fd = fds[1]) == 0 ? 0 : 1);
    assert_int_equal(read(fds[0], &byte, 1), 1);
    /* Signals that are pending are one, so there is no saying how many the third is. */
    while (waitpid(child, &status, WNOHANG) == 0) {
        assert_int_equal(kill(child, SIGINT), 0);
        sched_yield();
    }
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGINT);
    close(fds[0]);
    close(fds[1]);
}

struct lingering {
    ALOOP_FRAME;
    int unused;
};

ALOOP_CORO(lingering)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_sleep(ALOOP_SEC(3600)));
    ALOOP_FINALLY;
    (void)raise(SIGINT);
    ALOOP_END;
}

struct leaving {
    ALOOP_FRAME;
    aloop_task *task;
};

ALOOP_CORO(leaving)
{
    ALOOP_BEGIN;
    self->task = aloop_create_task(lingering);
    aloop_task_unref(self->task);
    ALOOP_TRY(aloop_sleep(0));
    ALOOP_END;
}

/* The main task is over, and others end: it does what it does by default. */
static void in_the_end_it_is_the_default(void **state)
{
    pid_t child;

    (void)state;
    child = fork();
    if (child == 0)
        _exit(aloop_run(leaving) == 0 ? 0 : 1);
    assert_child_was_killed(child, SIGINT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SIGNAL_TEST(the_first_cancels_main),
        SIGNAL_TEST(cancelled_besides),
        SIGNAL_TEST(the_second_ends_the_run),
        SIGNAL_TEST(at_once_waits_for_nothing),
        SIGNAL_TEST(a_busy_loop_is_interrupted),
        SIGNAL_TEST(what_the_program_has_set_stays),
        SIGNAL_TEST(not_in_another_thread),
        SIGNAL_TEST(only_where_it_is_said),
        SIGNAL_TEST(options_of_the_loop),
        SIGNAL_TEST(runs_without),
        SIGNAL_TEST(the_programs_own_handler_comes_first),
        SIGNAL_TEST(a_loop_that_hangs_can_be_ended),
        SIGNAL_TEST(in_the_end_it_is_the_default),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
