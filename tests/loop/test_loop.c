/*
 * Running: the order within a turn, stopping, single turns, errors of the wait, how often the
 * system is asked.
 */
#include "fixture.h"

#include "loop/internal.h"

/* S3: what was ready already, then fds, then calls from other threads, then timers that came due.
 */
static void order_within_a_turn(void **state)
{
    struct fixture *f = *state;
    int fds[2];

    open_pair(fds);
    must(aloop_call_later(f->loop, -5, note, TEXT("timer")));
    assert_int_equal(aloop_call_soon_threadsafe(f->loop, note, TEXT("post ")), 0);
    must(aloop_add_writer(f->loop, fds[0], note, TEXT("fd ")));
    must(aloop_call_soon(f->loop, note, TEXT("soon ")));
    assert_int_equal(turn(f->loop), 4);
    assert_journal_is("soon fd post timer");
    close_pair(fds);
}

static void stop_and_schedule(aloop *loop, void *arg)
{
    note(loop, arg);
    aloop_stop(loop);
    must(aloop_call_soon(loop, note, TEXT("next")));
}

/* S17: the turn is finished; what it scheduled is kept for the next run, and does not run now. */
static void stop_ends_the_turn(void **state)
{
    struct fixture *f = *state;

    must(aloop_call_soon(f->loop, note, TEXT("a")));
    must(aloop_call_soon(f->loop, stop_and_schedule, TEXT("b")));
    must(aloop_call_soon(f->loop, note, TEXT("c")));
    assert_int_equal(aloop_run_forever(f->loop), 0);
    assert_journal_is("abc");
    assert_false(aloop_is_running(f->loop));
    must(aloop_call_soon(f->loop, stop, NULL));
    assert_int_equal(aloop_run_forever(f->loop), 0);
    assert_journal_is("next");
}

static void drain_and_stop(aloop *loop, void *arg)
{
    char byte;

    note(loop, TEXT("r"));
    assert_int_equal(read(*(int *)arg, &byte, 1), 1);
    aloop_stop(loop);
}

/* S17: an event that is pending when the loop stops is told once, not a second time in the next
 * run. */
static void event_at_the_stop(void **state)
{
    struct fixture *f = *state;
    int fds[2];

    open_pair(fds);
    must(aloop_add_reader(f->loop, fds[0], drain_and_stop, &fds[0]));
    put_byte(fds[1]);
    assert_int_equal(aloop_run_forever(f->loop), 0);
    assert_int_equal(aloop_run_forever(f->loop), -EDEADLK);
    assert_journal_is("r");
    close_pair(fds);
}

/* S18, P54: stopped beforehand, a run is one turn that does not wait; and only that one. */
static void stopped_before_it_runs(void **state)
{
    struct fixture *f = *state;

    aloop_stop(f->loop);
    must(aloop_call_soon(f->loop, note, TEXT("a")));
    must(aloop_call_later(f->loop, ALOOP_SEC(5), note, TEXT("b")));
    assert_int_equal(aloop_run_forever(f->loop), 0);
    assert_journal_is("a");
    assert_int_equal(aloop_time(f->loop), 0);
    assert_int_equal(aloop_run_forever(f->loop), -EDEADLK);
    assert_journal_is("b");
    aloop_stop(f->loop);
    aloop_stop(f->loop);
    assert_int_equal(aloop_run_once(f->loop, ALOOP_NEVER), 0);
    assert_int_equal(aloop_run_forever(f->loop), -EDEADLK);
}

struct nested {
    aloop *other;
    int forever, once, other_forever, closed;
};

static void run_nested(aloop *loop, void *arg)
{
    struct nested *nested = arg;

    assert_true(aloop_is_running(loop));
    nested->forever = aloop_run_forever(loop);
    nested->once = aloop_run_once(loop, 0);
    nested->other_forever = aloop_run_forever(nested->other);
    nested->closed = aloop_close(loop);
    assert_ptr_equal(aloop_get_running_loop(), loop);
    assert_false(aloop_is_closed(loop));
    must(aloop_call_soon(loop, note, TEXT("after")));
}

/* S20, S21, S22, P53: a loop that runs cannot be run or closed, nor another run in this thread;
   that disturbs nothing. */
static void nested_runs(void **state)
{
    struct fixture *f = *state;
    struct nested nested = {.other = fixture_new_loop(f, ALOOP_CLOCK_VIRTUAL, false)};

    must(aloop_call_soon(nested.other, note, TEXT("x")));
    must(aloop_call_soon(f->loop, run_nested, &nested));
    assert_int_equal(aloop_run_forever(f->loop), -EDEADLK);
    assert_int_equal(nested.forever, -EBUSY);
    assert_int_equal(nested.once, -EBUSY);
    assert_int_equal(nested.other_forever, -EBUSY);
    assert_int_equal(nested.closed, -EBUSY);
    assert_journal_is("after");
    aloop_unref(nested.other);
}

/* S22: closing twice is harmless; nothing runs on a closed loop. */
static void closed(void **state)
{
    struct fixture *f = *state;
    aloop_ns timeout;

    assert_false(aloop_is_closed(f->loop));
    assert_int_equal(aloop_close(f->loop), 0);
    assert_int_equal(aloop_close(f->loop), 0);
    assert_true(aloop_is_closed(f->loop));
    assert_false(aloop_is_running(f->loop));
    assert_int_equal(aloop_run_forever(f->loop), -ALOOP_ECLOSED);
    assert_int_equal(aloop_run_once(f->loop, 0), -ALOOP_ECLOSED);
    assert_int_equal(aloop_dispatch(f->loop), -ALOOP_ECLOSED);
    assert_int_equal(aloop_prepare(f->loop, &timeout), -ALOOP_ECLOSED);
    assert_int_equal(aloop_backend_fd(f->loop), -ALOOP_ECLOSED);
    assert_int_equal(aloop_after_fork(f->loop), -ALOOP_ECLOSED);
    aloop_stop(f->loop);
}

/* P122: an error of the wait ends the run, at once and each time; nothing scheduled is lost. S16:
   what leaves a run leaves a loop that can be run again. */
static void wait_fails(void **state)
{
    static const int errors[] = {-EBADF, -EINVAL, -ENOMEM};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        must(aloop_call_later(f->loop, 5, note, TEXT("t")));
        assert_int_equal(aloop_call_soon_threadsafe(f->loop, note, TEXT("p")), 0);
        fault_install();
        fault_fail_from(wait_call(f), 1, errors[i]);
        assert_int_equal(aloop_run_forever(f->loop), errors[i]);
        assert_int_equal(aloop_run_once(f->loop, 0), errors[i]);
        assert_int_equal(fault_count(wait_call(f)), 2);
        assert_null(aloop_get_running_loop());
        assert_false(aloop_is_running(f->loop));
        fault_reset();
        assert_int_equal(aloop_run_forever(f->loop), -EDEADLK);
        assert_journal_is("pt");
    }
}

/* A signal in the wait is no error. */
static void wait_is_interrupted(void **state)
{
    struct fixture *f = *state;

    must(aloop_call_later(f->loop, 5, note, TEXT("t")));
    fault_install();
    fault_fail(wait_call(f), 1, -EINTR);
    assert_int_equal(aloop_run_once(f->loop, 0), 0);
    assert_int_equal(aloop_run_forever(f->loop), -EDEADLK);
    assert_journal_is("t");
}

static void again(aloop *loop, void *arg)
{
    if (--*(int *)arg > 0)
        must(aloop_call_soon(loop, again, arg));
    else
        aloop_stop(loop);
}

/* A poll costs as much as 60 callbacks: a busy loop asks the system once in 64 of them. */
static void polls_of_a_busy_loop(void **state)
{
    struct fixture *f = *state;
    int left = 6400;

    must(aloop_call_soon(f->loop, again, &left));
    fault_install();
    assert_int_equal(aloop_run_forever(f->loop), 0);
    assert_in_range(fault_count(wait_call(f)), 1, 6400 / 64 + 2);
}

static void stop_if_readable(aloop *loop, void *arg)
{
    (void)arg;
    note(loop, TEXT("r"));
    aloop_stop(loop);
}

static void for_ever(aloop *loop, void *arg)
{
    ++*(int *)arg;
    must(aloop_call_soon(loop, for_ever, arg));
}

/* P56, P43: callbacks that schedule each other for ever keep no fd waiting for more than 64 of
 * them. */
static void busy_loop_starves_nobody(void **state)
{
    struct fixture *f = *state;
    int count = 0, fds[2];

    open_pair(fds);
    must(aloop_call_soon(f->loop, for_ever, &count));
    for (int i = 0; i < 100; i++)
        turn(f->loop);
    must(aloop_add_writer(f->loop, fds[0], stop_if_readable, NULL));
    count = 0;
    assert_int_equal(aloop_run_forever(f->loop), 0);
    assert_journal_is("r");
    assert_in_range(count, 0, 65);
    close_pair(fds);
}

/* P56: what is always ready gets one call a turn, and all others theirs. */
static void always_ready_starves_nobody(void **state)
{
    struct fixture *f = *state;
    int writable = 0, callbacks = 0, timers = 0, fds[2];

    open_pair(fds);
    must(aloop_add_writer(f->loop, fds[0], count_up, &writable));
    for (int i = 0; i < 50; i++) {
        must(aloop_call_later(f->loop, 0, count_up, &timers));
        turn(f->loop);
        must(aloop_call_soon(f->loop, count_up, &callbacks));
        turn(f->loop);
    }
    assert_int_equal(timers, 50);
    assert_int_equal(callbacks, 50);
    assert_in_range(writable, 50, 100);
    close_pair(fds);
}

static void schedule_note(aloop *loop, void *arg)
{
    must(aloop_call_soon(loop, note, arg));
    aloop_remove_writer(loop, *(int *)loop->exception_arg);
}

/* P59: what an fd's callback schedules runs before the loop waits again. */
static void scheduled_by_an_fd(void **state)
{
    struct fixture *f = *state;
    int fds[2];

    open_pair(fds);
    aloop_set_exception_handler(f->loop, NULL, &fds[0]);
    must(aloop_add_writer(f->loop, fds[0], schedule_note, TEXT("n")));
    must(aloop_call_later(f->loop, ALOOP_SEC(1), note, TEXT("t")));
    assert_int_equal(turn(f->loop), 1);
    assert_int_equal(aloop_next_timeout(f->loop), 0);
    assert_int_equal(aloop_run_once(f->loop, ALOOP_NEVER), 1);
    assert_int_equal(aloop_time(f->loop), 0);
    assert_journal_is("n");
    close_pair(fds);
}

static void unref_loop(aloop *loop, void *arg)
{
    aloop **place = arg;

    *place = NULL;
    aloop_unref(loop);
    must(aloop_call_soon(loop, note, TEXT("x")));
    note(loop, TEXT("u"));
}

/* The last reference dropped inside a callback: the turn is finished, the run returns, and the loop
   is gone. Freed at once, it would be under the feet of its own turn. */
static void last_reference_inside_a_callback(void **state)
{
    struct fixture *f = *state;

    must(aloop_call_soon(f->loop, unref_loop, &f->loop));
    must(aloop_call_soon(f->loop, note, TEXT("v")));
    assert_int_equal(aloop_run_forever(f->loop), 0);
    assert_journal_is("uv");
    assert_int_equal(f->probe.bytes, 0);

    f->loop = fixture_new_loop(f, ALOOP_CLOCK_VIRTUAL, false);
    must(aloop_call_soon(f->loop, unref_loop, &f->loop));
    assert_int_equal(aloop_run_once(f->loop, ALOOP_NEVER), 1);
    assert_int_equal(f->probe.bytes, 0);
}

int main(void)
{
    static const struct loop_test suite[] = {
        LOOP_TEST(order_within_a_turn),
        LOOP_TEST(stop_ends_the_turn),
        LOOP_TEST(event_at_the_stop),
        LOOP_TEST(stopped_before_it_runs),
        LOOP_TEST(nested_runs),
        LOOP_TEST(closed),
        LOOP_TEST(wait_fails),
        LOOP_TEST(wait_is_interrupted),
        LOOP_TEST(polls_of_a_busy_loop),
        LOOP_TEST(busy_loop_starves_nobody),
        LOOP_TEST(always_ready_starves_nobody),
        LOOP_TEST(scheduled_by_an_fd),
        LOOP_TEST(last_reference_inside_a_callback),
    };

    return RUN_SUITE(suite);
}
