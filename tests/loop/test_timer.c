/*
 * Timers on the virtual clock: order, cancelling, rescheduling.
 */
#include "fixture.h"

#include "loop/internal.h"

/* Runs until nothing can happen any more. */
static void run_out(aloop *loop)
{
    assert_int_equal(aloop_run_forever(loop), -EDEADLK);
}

/* S7: by deadline, not by registration; negative delays too are ordered among themselves. */
static void by_deadline(void **state)
{
    struct fixture *f = *state;

    must(aloop_call_later(f->loop, 30, note, TEXT("d")));
    must(aloop_call_later(f->loop, -1, note, TEXT("b")));
    must(aloop_call_later(f->loop, 10, note, TEXT("c")));
    must(aloop_call_later(f->loop, -2, note, TEXT("a")));
    assert_int_equal(turn(f->loop), 2);
    assert_journal_is("ab");
    run_out(f->loop);
    assert_journal_is("cd");
}

/* S8, P35: equal deadlines fire in the order they were set, rescheduling included. */
static void ties_in_order(void **state)
{
    struct fixture *f = *state;
    static char names[26][2];
    aloop_handle first = 0;

    for (int i = 0; i < 26; i++) {
        aloop_handle timer;

        names[i][0] = (char)('a' + i);
        timer = must(aloop_call_later(f->loop, 1000, note, names[i]));
        if (i == 0)
            first = timer;
    }
    assert_int_equal(aloop_reschedule(f->loop, first, 1000), 0);
    run_out(f->loop);
    assert_journal_is("bcdefghijklmnopqrstuvwxyza");
}

/* S9: call_later(d) is call_at(time() + d). */
static void later_is_at(void **state)
{
    struct fixture *f = *state;
    aloop_handle a, b;

    must(aloop_call_later(f->loop, 77, do_nothing, NULL));
    assert_int_equal(aloop_run_once(f->loop, ALOOP_NEVER), 1);
    assert_int_equal(aloop_time(f->loop), 77);
    a = must(aloop_call_later(f->loop, 23, note, TEXT("a")));
    b = must(aloop_call_at(f->loop, 100, note, TEXT("b")));
    assert_int_equal(aloop_when(f->loop, a), 100);
    assert_int_equal(aloop_when(f->loop, b), 100);
    assert_int_equal(aloop_run_once(f->loop, ALOOP_NEVER), 2);
    assert_journal_is("ab");
    assert_int_equal(aloop_time(f->loop), 100);
}

/* S5, P30: due when the deadline has come, to the nanosecond, and not one before. */
static void never_early(void **state)
{
    struct fixture *f = *state;

    for (aloop_ns delay = 1; delay < ALOOP_MS(2); delay = delay * 3 + 1) {
        aloop_ns deadline = aloop_time(f->loop) + delay;
        int fired = 0;

        must(aloop_call_at(f->loop, deadline, count_up, &fired));
        assert_int_equal(aloop_run_once(f->loop, delay - 1), 0);
        assert_int_equal(aloop_time(f->loop), deadline - 1);
        assert_int_equal(fired, 0);
        assert_int_equal(aloop_run_once(f->loop, 1), 1);
        assert_int_equal(fired, 1);
    }
}

/* S13: cancelling after it fired is a no-op, and leaves the account of timers right. */
static void cancel_after_it_fired(void **state)
{
    struct fixture *f = *state;
    aloop_handle timers[100];

    for (int i = 0; i < 100; i++)
        timers[i] = must(aloop_call_later(f->loop, i, do_nothing, NULL));
    run_out(f->loop);
    for (int i = 0; i < 100; i++) {
        assert_false(aloop_cancel(f->loop, timers[i]));
        assert_int_equal(aloop_when(f->loop, timers[i]), -ENOENT);
        assert_true(timers_verify(&f->loop->timers));
    }
    assert_int_equal(timers_armed_count(&f->loop->timers), 0);
    assert_int_equal(f->loop->handles.live, 0);
}

/* S11, P44: one that was cancelled causes no wakeup: the wait is for the next that lives. */
static void cancelled_head_wakes_nobody(void **state)
{
    struct fixture *f = *state;
    aloop_handle early = must(aloop_call_later(f->loop, ALOOP_SEC(1), note, TEXT("x")));

    must(aloop_call_later(f->loop, ALOOP_SEC(9), note, TEXT("y")));
    assert_int_equal(aloop_next_timeout(f->loop), ALOOP_SEC(1));
    assert_true(aloop_cancel(f->loop, early));
    assert_int_equal(aloop_next_timeout(f->loop), ALOOP_SEC(9));
    assert_int_equal(aloop_run_once(f->loop, ALOOP_NEVER), 1);
    assert_journal_is("y");
    assert_int_equal(aloop_next_timeout(f->loop), ALOOP_NEVER);
}

static void set_earlier(aloop *loop, void *arg)
{
    note(loop, arg);
    must(aloop_call_later(loop, 1, note, TEXT("early")));
}

/* P44: an earlier one that is set inside a callback shortens the next sleep. */
static void earlier_one_from_a_callback(void **state)
{
    struct fixture *f = *state;

    must(aloop_call_later(f->loop, ALOOP_SEC(5), note, TEXT(" late")));
    must(aloop_call_soon(f->loop, set_earlier, TEXT("now ")));
    assert_int_equal(aloop_run_once(f->loop, ALOOP_NEVER), 1);
    assert_int_equal(aloop_next_timeout(f->loop), 1);
    run_out(f->loop);
    assert_journal_is("now early late");
}

/* S12, P47: a million that were made and cancelled leave the memory of a few. */
static void cancelled_timers_are_forgotten(void **state)
{
    struct fixture *f = *state;
    size_t most = 0;

    must(aloop_call_later(f->loop, ALOOP_SEC(3600), note, TEXT("alive")));
    for (int i = 0; i < 1000000; i++) {
        aloop_handle timer =
            must(aloop_call_later(f->loop, ALOOP_SEC(60 + i % 100), note, TEXT("dead")));

        assert_true(aloop_cancel(f->loop, timer));
        if (f->probe.bytes > most)
            most = f->probe.bytes;
    }
    assert_in_range(most, 1, 128 * 1024);
    run_out(f->loop);
    assert_journal_is("alive");
}

/* P34: a deadline beyond the range of time is never, and nothing wraps round to the past. */
static void saturates(void **state)
{
    struct fixture *f = *state;
    aloop_handle at, later;

    must(aloop_call_later(f->loop, 1000, do_nothing, NULL));
    assert_int_equal(aloop_run_once(f->loop, ALOOP_NEVER), 1);
    at = must(aloop_call_at(f->loop, ALOOP_NEVER, note, TEXT("x")));
    later = must(aloop_call_later(f->loop, ALOOP_NEVER - 1, note, TEXT("x")));
    must(aloop_call_later(f->loop, INT64_MIN, note, TEXT("past")));
    assert_int_equal(aloop_when(f->loop, later), ALOOP_NEVER);
    assert_int_equal(turn(f->loop), 1);
    assert_journal_is("past");
    run_out(f->loop);
    assert_journal_is("");
    assert_int_equal(aloop_reschedule_later(f->loop, at, 5), 0);
    run_out(f->loop);
    assert_journal_is("x");
}

static void zero_again(aloop *loop, void *arg)
{
    ++*(int *)arg;
    must(aloop_call_later(loop, 0, zero_again, arg));
}

/* P36: a zero timer that sets itself again runs once a turn, and others get theirs. */
static void zero_timer_starves_nobody(void **state)
{
    struct fixture *f = *state;
    int zeros = 0, readable = 0, fds[2];

    open_pair(fds);
    put_byte(fds[1]);
    must(aloop_add_reader(f->loop, fds[0], count_up, &readable));
    must(aloop_call_later(f->loop, 0, zero_again, &zeros));
    for (int i = 1; i <= 10; i++) {
        assert_int_equal(turn(f->loop), 2);
        assert_int_equal(zeros, i);
        assert_int_equal(readable, i);
    }
    close_pair(fds);
}

/* P37: stopping in the middle of several that are due ends the run after all of them, as S17 says,
   and what is not due stays for the next. */
static void stop_among_due_timers(void **state)
{
    struct fixture *f = *state;

    must(aloop_call_later(f->loop, 5, note, TEXT("a")));
    must(aloop_call_later(f->loop, 5, stop, NULL));
    must(aloop_call_later(f->loop, 5, note, TEXT("b")));
    must(aloop_call_later(f->loop, 6, note, TEXT("c")));
    assert_int_equal(aloop_run_forever(f->loop), 0);
    assert_journal_is("ab");
    run_out(f->loop);
    assert_journal_is("c");
}

struct victim {
    aloop_handle timer;
    bool was_cancelled;
};

static void cancel_victim(aloop *loop, void *arg)
{
    struct victim *victim = arg;

    victim->was_cancelled = aloop_cancel(loop, victim->timer);
}

/* P45, P48: due in the same turn, and cancelled by one before it: it does not run. */
static void cancel_collected_timer(void **state)
{
    struct fixture *f = *state;
    struct victim victim = {0};

    must(aloop_call_later(f->loop, 5, cancel_victim, &victim));
    victim.timer = must(aloop_call_later(f->loop, 5, note, TEXT("x")));
    must(aloop_call_later(f->loop, 5, note, TEXT("y")));
    assert_int_equal(aloop_run_once(f->loop, ALOOP_NEVER), 2);
    assert_true(victim.was_cancelled);
    assert_journal_is("y");
    assert_int_equal(f->loop->handles.live, 0);
}

static void postpone_victim(aloop *loop, void *arg)
{
    struct victim *victim = arg;

    assert_int_equal(aloop_reschedule_later(loop, victim->timer, 10), 0);
}

/* Rescheduled when it is due and has not run: the new time counts, and it runs once. Cancelled
   then, not at all. */
static void reschedule_collected_timer(void **state)
{
    struct fixture *f = *state;
    struct victim victim = {0};

    must(aloop_call_later(f->loop, 5, postpone_victim, &victim));
    victim.timer = must(aloop_call_later(f->loop, 5, note, TEXT("x")));
    assert_int_equal(aloop_run_once(f->loop, ALOOP_NEVER), 1);
    assert_int_equal(aloop_when(f->loop, victim.timer), 15);
    run_out(f->loop);
    assert_journal_is("x");
    assert_int_equal(aloop_time(f->loop), 15);

    must(aloop_call_later(f->loop, 5, postpone_victim, &victim));
    must(aloop_call_later(f->loop, 5, cancel_victim, &victim));
    victim.timer = must(aloop_call_later(f->loop, 5, note, TEXT("x")));
    run_out(f->loop);
    assert_true(victim.was_cancelled);
    assert_journal_is("");
    assert_int_equal(f->loop->handles.live, 0);
}

static void inside_itself(aloop *loop, void *arg)
{
    struct victim *victim = arg;

    note(loop, TEXT("t"));
    assert_int_equal(aloop_when(loop, victim->timer), ALOOP_NEVER);
    if (strlen(journal) < 3)
        assert_int_equal(aloop_reschedule_later(loop, victim->timer, 10), 0);
}

/* A timer of call_later can be set again from inside its callback, and only there. */
static void reschedule_inside_its_callback(void **state)
{
    struct fixture *f = *state;
    struct victim victim = {0};

    victim.timer = must(aloop_call_later(f->loop, 10, inside_itself, &victim));
    run_out(f->loop);
    assert_journal_is("ttt");
    assert_int_equal(aloop_time(f->loop), 30);
    assert_int_equal(aloop_reschedule_later(f->loop, victim.timer, 1), -ENOENT);
}

/* Cancelled from inside its callback: it has run, so false; set again before that: true. */
static void set_and_cancel_itself(aloop *loop, void *arg)
{
    struct victim *victim = arg;

    assert_int_equal(aloop_reschedule_later(loop, victim->timer, 10), 0);
    victim->was_cancelled = aloop_cancel(loop, victim->timer);
    assert_int_equal(aloop_reschedule_later(loop, victim->timer, 10), -ENOENT);
    /* Its slot is not given to another before it has returned, or that one would end with it. */
    must(aloop_create_timer(loop, note, TEXT("x")));
    must(aloop_call_later(loop, 10, note, TEXT("y")));
}

static void cancel_inside_its_callback(void **state)
{
    struct fixture *f = *state;
    struct victim victim = {.was_cancelled = true};

    victim.timer = must(aloop_call_later(f->loop, 10, cancel_victim, &victim));
    run_out(f->loop);
    assert_false(victim.was_cancelled);
    victim.timer = must(aloop_call_later(f->loop, 10, set_and_cancel_itself, &victim));
    run_out(f->loop);
    assert_true(victim.was_cancelled);
    assert_journal_is("y");
    assert_int_equal(f->loop->handles.live, 1);
}

/* A timer that stays: the same handle before and after it fired, until it is cancelled. */
static void persistent_timer(void **state)
{
    struct fixture *f = *state;
    aloop_handle timer = must(aloop_create_timer(f->loop, note, TEXT("p")));

    assert_int_equal(aloop_when(f->loop, timer), ALOOP_NEVER);
    run_out(f->loop);
    assert_journal_is("");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(aloop_reschedule_later(f->loop, timer, 10), 0);
        assert_int_equal(aloop_when(f->loop, timer), aloop_time(f->loop) + 10);
        run_out(f->loop);
        assert_journal_is("p");
        assert_int_equal(aloop_when(f->loop, timer), ALOOP_NEVER);
    }
    assert_true(aloop_cancel(f->loop, timer));
    assert_false(aloop_cancel(f->loop, timer));
    assert_int_equal(aloop_reschedule_later(f->loop, timer, 10), -ENOENT);
    timer = must(aloop_create_timer(f->loop, cancel_victim,
                                    &(struct victim){.timer = timer, .was_cancelled = true}));
    assert_int_equal(aloop_reschedule(f->loop, timer, 0), 0);
    assert_int_equal(turn(f->loop), 1);
}

/* A deadline moved back and forth, thousands of times: fires once, at the last one that was set. */
static void rescheduled_both_ways(void **state)
{
    struct fixture *f = *state;
    aloop_handle timer = must(aloop_call_later(f->loop, 10, note, TEXT("x")));

    for (int i = 0; i < 5000; i++)
        assert_int_equal(aloop_reschedule(f->loop, timer, 20 + (i * 7919) % 1000), 0);
    assert_int_equal(aloop_reschedule(f->loop, timer, 300), 0);
    run_out(f->loop);
    assert_journal_is("x");
    assert_int_equal(aloop_time(f->loop), 300);
}

/* P38: deadlines far in the past all fire, once each, in the one turn. */
static void long_overdue(void **state)
{
    struct fixture *f = *state;
    int count = 0;

    must(aloop_call_later(f->loop, ALOOP_SEC(1000), do_nothing, NULL));
    assert_int_equal(aloop_run_once(f->loop, ALOOP_NEVER), 1);
    for (int i = 0; i < 500; i++)
        must(aloop_call_at(f->loop, ALOOP_SEC(i), count_up, &count));
    assert_int_equal(turn(f->loop), 500);
    assert_int_equal(count, 500);
    assert_int_equal(turn(f->loop), 0);
}

/* Readers are no timers. */
static void no_timer(void **state)
{
    struct fixture *f = *state;
    aloop_handle reader;
    int fds[2];

    open_pair(fds);
    reader = must(aloop_add_reader(f->loop, fds[0], do_nothing, NULL));
    assert_int_equal(aloop_reschedule(f->loop, reader, 0), -ENOENT);
    assert_int_equal(aloop_reschedule_later(f->loop, reader, 0), -ENOENT);
    assert_int_equal(aloop_when(f->loop, reader), -ENOENT);
    assert_true(aloop_cancel(f->loop, reader));
    close_pair(fds);
}

int main(void)
{
    static const struct loop_test suite[] = {
        LOOP_TEST(by_deadline),
        LOOP_TEST(ties_in_order),
        LOOP_TEST(later_is_at),
        LOOP_TEST(never_early),
        LOOP_TEST(cancel_after_it_fired),
        LOOP_TEST(cancelled_head_wakes_nobody),
        LOOP_TEST(earlier_one_from_a_callback),
        LOOP_TEST(cancelled_timers_are_forgotten),
        LOOP_TEST(saturates),
        LOOP_TEST(zero_timer_starves_nobody),
        LOOP_TEST(stop_among_due_timers),
        LOOP_TEST(cancel_collected_timer),
        LOOP_TEST(reschedule_collected_timer),
        LOOP_TEST(reschedule_inside_its_callback),
        LOOP_TEST(cancel_inside_its_callback),
        LOOP_TEST(persistent_timer),
        LOOP_TEST(rescheduled_both_ways),
        LOOP_TEST(long_overdue),
        LOOP_TEST(no_timer),
    };

    return RUN_SUITE(suite);
}
