/*
 * Callbacks that run soon, and the handles that cancel them.
 */
#include "fixture.h"

/* S1: in the order they were scheduled, each once, with its own argument. */
static void run_in_order(void **state)
{
    struct fixture *f = *state;

    must(aloop_call_soon(f->loop, note, TEXT("a")));
    must(aloop_call_soon(f->loop, note, TEXT("b")));
    must(aloop_call_soon(f->loop, note, TEXT("c")));
    assert_journal_is("");
    assert_int_equal(turn(f->loop), 3);
    assert_journal_is("abc");
    assert_int_equal(turn(f->loop), 0);
    assert_journal_is("");
}

static void schedule_two(aloop *loop, void *arg)
{
    note(loop, arg);
    must(aloop_call_soon(loop, note, TEXT("1")));
    must(aloop_call_soon(loop, note, TEXT("2")));
}

/* S2, P51: what a callback schedules is for the next turn. A chain of callbacks that was run to its
   end within a turn would keep the loop from ever polling. */
static void scheduled_meanwhile_runs_next_turn(void **state)
{
    struct fixture *f = *state;

    must(aloop_call_soon(f->loop, schedule_two, TEXT("a")));
    must(aloop_call_soon(f->loop, note, TEXT("b")));
    assert_int_equal(turn(f->loop), 2);
    assert_journal_is("ab");
    assert_int_equal(turn(f->loop), 2);
    assert_journal_is("12");
}

/* S10: the callback and its argument are dropped at once; a second time does nothing. */
static void cancel_before_it_runs(void **state)
{
    struct fixture *f = *state;
    char *argument = strdup("x");
    aloop_handle handle = must(aloop_call_soon(f->loop, note, argument));

    must(aloop_call_soon(f->loop, note, TEXT("b")));
    assert_true(aloop_cancel(f->loop, handle));
    free(argument);
    assert_false(aloop_cancel(f->loop, handle));
    assert_int_equal(turn(f->loop), 1);
    assert_journal_is("b");
    assert_false(aloop_cancel(f->loop, handle));
}

struct canceller {
    aloop_handle own;
    aloop_handle other;
    bool got_own;
    bool got_other;
};

static void cancel_both(aloop *loop, void *arg)
{
    struct canceller *canceller = arg;

    canceller->got_own = aloop_cancel(loop, canceller->own);
    canceller->got_other = aloop_cancel(loop, canceller->other);
}

/* S10: one that is in the queue already is skipped when its turn comes; the one that runs has run.
 */
static void cancel_in_the_same_turn(void **state)
{
    struct fixture *f = *state;
    struct canceller canceller = {0};

    canceller.own = must(aloop_call_soon(f->loop, cancel_both, &canceller));
    canceller.other = must(aloop_call_soon(f->loop, note, TEXT("x")));
    must(aloop_call_soon(f->loop, note, TEXT("y")));
    assert_int_equal(turn(f->loop), 2);
    assert_false(canceller.got_own);
    assert_true(canceller.got_other);
    assert_journal_is("y");
}

/* A handle names one callback for ever: never the one that took its place in the ring. */
static void old_handles_name_nothing(void **state)
{
    struct fixture *f = *state;
    aloop_handle first = must(aloop_call_soon(f->loop, note, TEXT("-")));
    int count = 0;

    turn(f->loop);
    for (int i = 0; i < 1000; i++) {
        assert_true(must(aloop_call_soon(f->loop, count_up, &count)) != first);
        assert_false(aloop_cancel(f->loop, first));
        if (i % 7 == 0)
            turn(f->loop);
    }
    turn(f->loop);
    assert_int_equal(count, 1000);
}

/* What is no handle: zero, an error that was handed on unseen, numbers that were never given. */
static void wrong_handles_are_harmless(void **state)
{
    struct fixture *f = *state;
    const aloop_handle wrong[] = {0,
                                  -1,
                                  -EINVAL,
                                  -ALOOP_ECLOSED,
                                  1,
                                  INT64_MAX,
                                  INT64_MIN,
                                  (INT64_C(1) << 62) + 5,
                                  (INT64_C(1) << 30) + 5};

    must(aloop_call_soon(f->loop, note, TEXT("a")));
    must(aloop_call_later(f->loop, 0, note, TEXT("b")));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_false(aloop_cancel(f->loop, wrong[i]));
        assert_int_equal(aloop_reschedule(f->loop, wrong[i], 0), -ENOENT);
        assert_int_equal(aloop_when(f->loop, wrong[i]), -ENOENT);
    }
    while (turn(f->loop) > 0)
        continue;
    assert_journal_is("ab");
}

/* More than the ring began with, and from inside callbacks: it grows while it is being run from. */
static void schedule_many(aloop *loop, void *arg)
{
    for (int i = 0; i < 1000; i++)
        must(aloop_call_soon(loop, count_up, arg));
}

static void ring_grows_under_a_callback(void **state)
{
    struct fixture *f = *state;
    int count = 0;

    for (int i = 0; i < 100; i++)
        must(aloop_call_soon(f->loop, schedule_many, &count));
    while (turn(f->loop) > 0)
        continue;
    assert_int_equal(count, 100 * 1000);
}

static void schedule_again(aloop *loop, void *arg)
{
    if (++*(int *)arg < 1000000)
        must(aloop_call_soon(loop, schedule_again, arg));
    else
        aloop_stop(loop);
}

/* P60: a chain of a million takes no more stack than one. */
static void long_chain(void **state)
{
    struct fixture *f = *state;
    int count = 0;

    must(aloop_call_soon(f->loop, schedule_again, &count));
    assert_int_equal(aloop_run_forever(f->loop), 0);
    assert_int_equal(count, 1000000);
}

/* S22: refused, and nothing is kept, on a closed loop; S10: a handle outlives its loop harmlessly.
 */
static void closed_loop(void **state)
{
    struct fixture *f = *state;
    aloop_handle soon = must(aloop_call_soon(f->loop, note, TEXT("a")));
    aloop_handle timer = must(aloop_call_later(f->loop, 5, note, TEXT("b")));

    assert_int_equal(aloop_close(f->loop), 0);
    assert_int_equal(aloop_call_soon(f->loop, note, TEXT("c")), -ALOOP_ECLOSED);
    assert_int_equal(aloop_call_later(f->loop, 0, note, TEXT("c")), -ALOOP_ECLOSED);
    assert_int_equal(aloop_call_at(f->loop, 0, note, TEXT("c")), -ALOOP_ECLOSED);
    assert_int_equal(aloop_create_timer(f->loop, note, TEXT("c")), -ALOOP_ECLOSED);
    assert_false(aloop_cancel(f->loop, soon));
    assert_false(aloop_cancel(f->loop, timer));
    assert_int_equal(aloop_reschedule(f->loop, timer, 0), -ENOENT);
    assert_int_equal(aloop_reschedule_later(f->loop, timer, 0), -ENOENT);
    assert_int_equal(aloop_when(f->loop, timer), -ENOENT);
    assert_journal_is("");
}

int main(void)
{
    static const struct loop_test suite[] = {
        LOOP_TEST(run_in_order),
        LOOP_TEST(scheduled_meanwhile_runs_next_turn),
        LOOP_TEST(cancel_before_it_runs),
        LOOP_TEST(cancel_in_the_same_turn),
        LOOP_TEST(old_handles_name_nothing),
        LOOP_TEST(wrong_handles_are_harmless),
        LOOP_TEST(ring_grows_under_a_callback),
        LOOP_TEST(long_chain),
        LOOP_TEST(closed_loop),
    };

    return RUN_SUITE(suite);
}
