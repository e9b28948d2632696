/*
 * Awaiting signals: one, and those of a set.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "signal_test.h"

/* --- one --- */

static void its_number_is_the_outcome(void **state)
{
    struct os_state *self = *state;
    aloop_task *task = os_begin(self, aloop_wait_signal(SIGUSR1));

    settle(self);
    assert_false(aloop_task_done(task));
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(os_end(self, task), SIGUSR1);
    /* Watched no longer than it is awaited. */
    assert_true(is_default(SIGUSR1));
}

static void refuses_what_cannot_be_caught(void **state) /* S43 */
{
    struct os_state *self = *state;

    assert_int_equal(os_result(self, aloop_wait_signal(SIGKILL)), -EINVAL);
    assert_int_equal(os_result(self, aloop_wait_signal(0)), -EINVAL);
    assert_int_equal(os_result(self, aloop_wait_signal(1000)), -EINVAL);
}

/* All who wait, and a handler beside them, hear of it. */
static void several_wait(void **state)
{
    struct os_state *self = *state;
    aloop_task *tasks[3];

    assert_int_equal(aloop_add_signal_handler(self->loop, SIGUSR1, note, TEXT("h")), 0);
    for (int i = 0; i < 3; i++)
        tasks[i] = os_begin(self, aloop_wait_signal(SIGUSR1));
    assert_int_equal(raise(SIGUSR1), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(os_end(self, tasks[i]), SIGUSR1);
    assert_journal_is("h");
}

/* What came before the await began is nobody's. */
static void only_from_now_on(void **state)
{
    struct os_state *self = *state;
    aloop_task *task;

    assert_int_equal(aloop_add_signal_handler(self->loop, SIGUSR1, note, TEXT("h")), 0);
    assert_int_equal(raise(SIGUSR1), 0);
    task = os_begin(self, aloop_wait_signal(SIGUSR1));
    settle(self);
    assert_journal_is("h");
    assert_false(aloop_task_done(task));
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(os_end(self, task), SIGUSR1);
    assert_journal_is("h");
}

static void cancelled_and_timed_out(void **state)
{
    struct os_state *self = *state;
    aloop_task *task = os_begin(self, aloop_wait_signal(SIGUSR1));

    assert_true(aloop_task_cancel(task));
    assert_int_equal(os_end(self, task), -ECANCELED);
    assert_true(is_default(SIGUSR1));
    assert_int_equal(
        os_result(self, aloop_wait_for(aloop_wait_signal(SIGUSR1), ALOOP_MS(5))), -ETIMEDOUT);
    assert_true(is_default(SIGUSR1));
    /* Cancelled after the signal came, and before the task could run. */
    task = os_begin(self, aloop_wait_signal(SIGUSR1));
    assert_int_equal(raise(SIGUSR1), 0);
    os_turns(self, 1);
    assert_true(aloop_task_cancel(task));
    assert_int_equal(os_end(self, task), -ECANCELED);
    assert_true(is_default(SIGUSR1));
}

struct selecting {
    ALOOP_FRAME;
    aloop_select_case cases[3];
};

ALOOP_CORO(selecting)
{
    ALOOP_BEGIN;
    self->cases[0].op = aloop_wait_signal(SIGUSR1);
    self->cases[1].op = aloop_wait_signal(SIGUSR2);
    self->cases[2].op = aloop_sleep(ALOOP_SEC(1));
    ALOOP_TRY(aloop_select(self->cases, 3));
    ALOOP_RETURN(self->result * 1000 + self->cases[self->result].result);
    ALOOP_END;
}

static void in_a_select(void **state)
{
    struct os_state *self = *state;
    aloop_task *task = aloop_create_task_in(self->loop, selecting);

    os_turns(self, 1);
    assert_int_equal(raise(SIGUSR2), 0);
    assert_int_equal(os_end(self, task), 1000 + SIGUSR2);
    assert_true(is_default(SIGUSR1));
    assert_true(is_default(SIGUSR2));
    task = aloop_create_task_in(self->loop, selecting);
    assert_int_equal(os_end(self, task), 2000);
    assert_true(is_default(SIGUSR1));
}

/* P95: the loop is closed with a task that waits, and a signal on its way. */
static void closed_while_waiting(void **state)
{
    struct os_state *self = *state;
    aloop_task *task = os_begin(self, aloop_wait_signal(SIGUSR1));

    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(aloop_close(self->loop), 0);
    assert_true(is_default(SIGUSR1));
    aloop_task_unref(task);
}

/* --- a set --- */

struct watching {
    ALOOP_FRAME;
    aloop_signals signals;
    int64_t delay; /* between one and the next */
    int64_t count;
};

/* Notes each signal by a letter, until SIGTERM. */
ALOOP_CORO(watching)
{
    int error;

    ALOOP_BEGIN;
    error = aloop_signals_open(&self->signals);
    if (error == 0)
        error = aloop_signals_open(&self->signals) == -EBUSY ? 0 : -EIO;
    if (error == 0)
        error = aloop_signals_add(&self->signals, SIGHUP);
    if (error == 0)
        error = aloop_signals_add(&self->signals, SIGHUP);
    if (error == 0)
        error = aloop_signals_add(&self->signals, SIGUSR1);
    if (error == 0)
        error = aloop_signals_add(&self->signals, SIGTERM);
    if (error < 0)
        ALOOP_RETURN(error);
    for (;;) {
        ALOOP_TRY(aloop_signals_next(&self->signals));
        if (self->result == SIGTERM)
            break;
        self->count++;
        note(NULL, TEXT(self->result == SIGHUP ? "h" : "u"));
        ALOOP_TRY(aloop_sleep(self->delay));
    }
    ALOOP_RETURN(self->count);
    ALOOP_END;
}

static void a_set_gives_each(void **state)
{
    struct os_state *self = *state;
    aloop_task *task = aloop_create_task_in(self->loop, watching);

    os_turns(self, 2);
    assert_int_equal(raise(SIGHUP), 0);
    settle(self);
    assert_journal_is("h");
    assert_int_equal(raise(SIGUSR1), 0);
    settle(self);
    assert_journal_is("u");
    assert_int_equal(raise(SIGTERM), 0);
    assert_int_equal(os_end(self, task), 2);
    assert_true(is_default(SIGHUP));
}

/* What comes while nobody awaits is given later, what came first first, each once. With SIGHUP
   unwatched for that moment the process would be gone. */
static void a_set_misses_nothing(void **state)
{
    struct os_state *self = *state;
    aloop_task *task = aloop_create_task_in(self->loop, watching, .delay = ALOOP_SEC(1));

    os_turns(self, 2);
    assert_int_equal(raise(SIGHUP), 0);
    settle(self);
    assert_journal_is("h");
    assert_int_equal(raise(SIGUSR1), 0);
    settle(self);
    assert_int_equal(raise(SIGHUP), 0);
    assert_int_equal(raise(SIGHUP), 0);
    settle(self);
    assert_int_equal(raise(SIGTERM), 0);
    assert_int_equal(os_end(self, task), 3);
    assert_journal_is("uh");
}

static void a_cancelled_set_is_closed(void **state)
{
    struct os_state *self = *state;
    aloop_task *task = aloop_create_task_in(self->loop, watching);

    os_turns(self, 2);
    assert_false(is_default(SIGHUP));
    assert_true(aloop_task_cancel(task));
    assert_int_equal(os_end(self, task), -ECANCELED);
    assert_true(is_default(SIGHUP));
    task = aloop_create_task_in(self->loop, watching, .delay = ALOOP_SEC(1));
    os_turns(self, 2);
    assert_int_equal(raise(SIGHUP), 0);
    settle(self);
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(aloop_close(self->loop), 0);
    assert_true(is_default(SIGHUP));
    assert_journal_is("h");
    aloop_task_unref(task);
}

struct borrowing {
    ALOOP_FRAME;
    aloop_signals *signals;
};

ALOOP_CORO(borrowing)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_signals_next(self->signals));
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

struct owning {
    ALOOP_FRAME;
    aloop_signals signals;
    aloop_task *other;
};

ALOOP_CORO(owning)
{
    int error;

    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_signals_next(&self->signals));
    if (self->result != -EINVAL || aloop_signals_add(&self->signals, SIGHUP) != -EINVAL)
        ALOOP_RETURN(-EIO);
    aloop_signals_close(&self->signals);
    error = aloop_signals_open(&self->signals);
    if (error < 0)
        ALOOP_RETURN(error);
    self->other = aloop_create_task(borrowing, .signals = &self->signals);
    ALOOP_AWAIT(aloop_join_unref(self->other));
    if (self->result != -EPERM)
        ALOOP_RETURN(-EIO);
    if (aloop_signals_add(&self->signals, SIGKILL) != -EINVAL)
        ALOOP_RETURN(-EIO);
    aloop_signals_close(&self->signals);
    ALOOP_RETURN(aloop_signals_add(&self->signals, SIGHUP));
    ALOOP_END;
}

static void misuse_of_a_set(void **state)
{
    struct os_state *self = *state;
    aloop_signals outside;

    memset(&outside, 0, sizeof outside);
    assert_int_equal(aloop_signals_open(&outside), -EPERM);
    assert_int_equal(os_end(self, aloop_create_task_in(self->loop, owning)), -EINVAL);
}

struct waiting_until_closed {
    ALOOP_FRAME;
    aloop_signals signals;
};

static void close_set(aloop *loop, void *arg)
{
    (void)loop;
    aloop_signals_close(arg);
}

ALOOP_CORO(waiting_until_closed)
{
    aloop_handle handle;
    int error;

    ALOOP_BEGIN;
    error = aloop_signals_open(&self->signals);
    if (error == 0)
        error = aloop_signals_add(&self->signals, SIGHUP);
    if (error < 0)
        ALOOP_RETURN(error);
    handle = aloop_call_soon(aloop_get_running_loop(), close_set, &self->signals);
    if (handle < 0)
        ALOOP_RETURN(handle);
    ALOOP_AWAIT(aloop_signals_next(&self->signals));
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

/* Nothing will come of a set that somebody closes: who waits for it would wait for ever. */
static void closing_tells_the_one_who_waits(void **state)
{
    struct os_state *self = *state;

    assert_int_equal(os_end(self, aloop_create_task_in(self->loop, waiting_until_closed)),
                     -EINVAL);
    assert_true(is_default(SIGHUP));
}

/* S47, for awaits and sets: without memory, and without a handler. */
static void what_fails(void **state)
{
    struct os_state *self = *state;
    int64_t result = -ENOMEM;

    for (long n = 1; result == -ENOMEM; n++) {
        aloop_task *task;

        memory_probe_fail(&self->memory, n, false);
        task = aloop_create_task_in(self->loop, watching);
        assert_true(aloop_run_once(self->loop, 0) >= 0);
        memory_probe_fail(&self->memory, 0, false);
        (void)aloop_task_cancel(task);
        result = os_end(self, task);
        assert_true(is_default(SIGHUP));
        assert_true(is_default(SIGTERM));
        aloop_unref(self->loop);
        os_open(self, ALOOP_CLOCK_VIRTUAL);
        assert_true(n < 100);
    }
    assert_int_equal(result, -ECANCELED);
    for (unsigned n = 1; n <= 6; n++) {
        fault_install();
        fault_fail(FAULT_SIGACTION, n, -ENOSYS);
        result = os_end(self, aloop_create_task_in(self->loop, watching));
        assert_int_equal(fault_failures(FAULT_SIGACTION), 1);
        fault_reset();
        assert_int_equal(result, -ENOSYS);
        assert_true(is_default(SIGHUP));
        assert_true(is_default(SIGTERM));
    }
    fault_install();
    fault_fail(FAULT_SIGACTION, 2, -ENOSYS);
    assert_int_equal(os_result(self, aloop_wait_signal(SIGUSR1)), -ENOSYS);
    fault_reset();
    assert_true(is_default(SIGUSR1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SIGNAL_TEST(its_number_is_the_outcome),
        SIGNAL_TEST(refuses_what_cannot_be_caught),
        SIGNAL_TEST(several_wait),
        SIGNAL_TEST(only_from_now_on),
        SIGNAL_TEST(cancelled_and_timed_out),
        SIGNAL_TEST(in_a_select),
        SIGNAL_TEST(closed_while_waiting),
        SIGNAL_TEST(a_set_gives_each),
        SIGNAL_TEST(a_set_misses_nothing),
        SIGNAL_TEST(a_cancelled_set_is_closed),
        SIGNAL_TEST(closing_tells_the_one_who_waits),
        SIGNAL_TEST(misuse_of_a_set),
        SIGNAL_TEST(what_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
