/*
 * What a loop makes of real time: how long it tells the system to wait, and when it looks at the
 * clock. The clock is the test's own (fake_time.h), so none of this takes any time.
 */
#include "fake_time.h"
#include "fixture.h"

#define START ALOOP_SEC(1000)

static int setup_clock(void **state)
{
    struct fixture *f;

    setup_bare(state);
    f = *state;
    fake_time_install(START);
    f->loop = fixture_new_loop(f, ALOOP_CLOCK_MONOTONIC, false);
    return 0;
}

static int teardown_clock(void **state)
{
    int result = teardown(state);

    fake_time_remove();
    return result;
}

/* S4: no wait when something is ready or the loop is to stop; to the next timer; for ever. */
static void how_long_it_waits(void **state)
{
    struct fixture *f = *state;

    must(aloop_call_soon(f->loop, do_nothing, NULL));
    assert_int_equal(aloop_run_once(f->loop, ALOOP_NEVER), 1);
    assert_true(fake_time.waits == fake_time.empty_waits);
    aloop_stop(f->loop);
    assert_int_equal(aloop_run_once(f->loop, ALOOP_NEVER), 0);
    assert_int_equal(fake_time.last_timeout, 0);
    must(aloop_call_later(f->loop, ALOOP_MS(5), do_nothing, NULL));
    assert_int_equal(aloop_run_once(f->loop, ALOOP_NEVER), 1);
    assert_int_equal(fake_time.last_timeout, ALOOP_MS(5));
    assert_int_equal(aloop_run_once(f->loop, ALOOP_MS(3)), 0);
    assert_int_equal(fake_time.last_timeout, ALOOP_MS(3));
    assert_int_equal(aloop_run_once(f->loop, -5), 0);
    assert_int_equal(fake_time.last_timeout, 0);
    assert_int_equal(aloop_run_forever(f->loop), -ETIME);
    assert_int_equal(fake_time.last_timeout, ALOOP_NEVER);
}

/* What ran since the last poll is part of the wait for a timer. */
static void compute(aloop *loop, void *arg)
{
    (void)loop;
    (void)arg;
    fake_time.now += ALOOP_MS(7);
}

static void computing_shortens_the_wait(void **state)
{
    struct fixture *f = *state;

    must(aloop_call_later(f->loop, ALOOP_MS(10), note, TEXT("t")));
    must(aloop_call_soon(f->loop, compute, NULL));
    assert_int_equal(aloop_run_once(f->loop, 0), 1);
    assert_int_equal(aloop_run_once(f->loop, ALOOP_NEVER), 1);
    assert_int_equal(fake_time.last_timeout, ALOOP_MS(3));
    assert_journal_is("t");
    assert_int_equal(fake_time.now, START + ALOOP_MS(10));
}

/* For a loop inside another: as long as there is left now, not as at the last turn. */
static void prepare_looks_at_the_clock(void **state)
{
    struct fixture *f = *state;
    aloop_ns timeout = -1;

    must(aloop_call_later(f->loop, ALOOP_MS(10), note, TEXT("t")));
    fake_time.now += ALOOP_MS(4);
    assert_int_equal(aloop_prepare(f->loop, &timeout), 0);
    assert_int_equal(timeout, ALOOP_MS(6));
    assert_int_equal(aloop_time(f->loop), START + ALOOP_MS(4));
    fake_time.now += ALOOP_MS(6);
    assert_int_equal(aloop_prepare(f->loop, &timeout), 0);
    assert_int_equal(timeout, 0);
    assert_int_equal(aloop_dispatch(f->loop), 1);
    assert_journal_is("t");
}

/* What a program does between two turns is no part of what it is ready to wait in the next. */
static void time_between_turns(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aloop_run_once(f->loop, 0), 0);
    fake_time.now += ALOOP_SEC(60);
    assert_int_equal(aloop_run_once(f->loop, ALOOP_MS(10)), 0);
    assert_int_equal(fake_time.last_timeout, ALOOP_MS(10));
}

/* P30, P41, P42: the time is read after the wait, with or without an event; what came due meanwhile
   runs in that turn. S5: a wait that ends early runs nothing. */
static void time_after_the_wait(void **state)
{
    struct fixture *f = *state;

    must(aloop_call_later(f->loop, ALOOP_MS(10), note, TEXT("t")));
    fake_time.interrupt_at = ALOOP_MS(10) - 1;
    assert_int_equal(aloop_run_once(f->loop, ALOOP_NEVER), 0);
    assert_journal_is("");
    assert_int_equal(aloop_time(f->loop), START + ALOOP_MS(10) - 1);
    assert_int_equal(aloop_run_once(f->loop, ALOOP_NEVER), 1);
    assert_int_equal(fake_time.last_timeout, 1);
    assert_journal_is("t");
}

/* P49: a signal in the wait: what is left is waited, not all of it again. */
static void interrupted_wait(void **state)
{
    struct fixture *f = *state;

    must(aloop_call_later(f->loop, ALOOP_MS(100), stop, NULL));
    fake_time.interrupt_at = ALOOP_MS(60);
    assert_int_equal(aloop_run_forever(f->loop), 0);
    assert_int_equal(fake_time.waits, 2);
    assert_int_equal(fake_time.last_timeout, ALOOP_MS(40));
    assert_int_equal(fake_time.now, START + ALOOP_MS(100));
}

/* S6, P31: a wait ends late rather than early, so a delay takes one; a chain of tiny ones spins
 * not. */
static void tiny_again(aloop *loop, void *arg)
{
    if (--*(int *)arg > 0)
        must(aloop_call_later(loop, ALOOP_US(300), tiny_again, arg));
    else
        aloop_stop(loop);
}

static void tiny_delays_do_not_spin(void **state)
{
    struct fixture *f = *state;
    int left = 20;

    fake_time.late = ALOOP_US(51);
    fake_time.per_reading = 40;
    must(aloop_call_later(f->loop, ALOOP_US(300), tiny_again, &left));
    assert_int_equal(aloop_run_forever(f->loop), 0);
    assert_int_equal(fake_time.waits, 20);
    assert_int_equal(fake_time.empty_waits, 0);
}

/* P31 with the real system: rounding down to a coarser unit would poll without a wait until then.
 */
static void tiny_delay_for_real(void **state)
{
    struct fixture *f = *state;

    fake_time_remove();
    fault_install();
    aloop_update_time(f->loop);
    must(aloop_call_later(f->loop, ALOOP_US(300), stop, NULL));
    assert_int_equal(aloop_run_forever(f->loop), 0);
    assert_in_range(fault_count(wait_call(f)), 1, 2);
}

/* P32, P33: beyond 24.8 days, where milliseconds leave an int: neither early nor a wait of nothing.
 */
static void month(void **state)
{
    struct fixture *f = *state;
    const aloop_ns days = ALOOP_SEC(24 * 3600);

    must(aloop_call_later(f->loop, 30 * days, stop, NULL));
    assert_int_equal(aloop_run_forever(f->loop), 0);
    assert_int_equal(fake_time.now, START + 30 * days);
    assert_int_equal(fake_time.empty_waits, 0);
    assert_int_equal(fake_time.waits, 1);
}

/* The same where the system cuts each wait short, as it may after a day. */
static void month_in_pieces(void **state)
{
    struct fixture *f = *state;

    must(aloop_call_later(f->loop, ALOOP_SEC(100000), stop, NULL));
    for (int i = 0; i < 9; i++) {
        assert_int_equal(aloop_run_once(f->loop, ALOOP_SEC(10000)), 0);
        assert_int_equal(fake_time.last_timeout, ALOOP_SEC(10000));
    }
    assert_int_equal(aloop_run_once(f->loop, ALOOP_NEVER), 1);
}

/* P39: the loop's time does not go back, even if the system's clock does. */
static void clock_goes_back(void **state)
{
    struct fixture *f = *state;
    aloop_ns before = aloop_update_time(f->loop);

    fake_time.now -= ALOOP_SEC(100);
    assert_int_equal(aloop_update_time(f->loop), before);
    must(aloop_call_later(f->loop, ALOOP_MS(1), note, TEXT("t")));
    assert_int_equal(aloop_run_once(f->loop, 0), 0);
    assert_int_equal(aloop_time(f->loop), before);
    fake_time.now = before + ALOOP_MS(1);
    assert_int_equal(aloop_run_once(f->loop, 0), 1);
    assert_journal_is("t");
}

/* P38, P50: the clock leaps over all deadlines (stopped, or asleep): each fires once, without a
 * spin. */
static void clock_leaps(void **state)
{
    struct fixture *f = *state;
    int count = 0;

    for (int i = 1; i <= 100; i++)
        must(aloop_call_later(f->loop, ALOOP_SEC(i), count_up, &count));
    fake_time.now += ALOOP_SEC(3600 * 24 * 365);
    assert_int_equal(aloop_run_once(f->loop, ALOOP_NEVER), 100);
    assert_int_equal(count, 100);
    assert_int_equal(fake_time.waits, 1);
    assert_int_equal(aloop_run_forever(f->loop), -ETIME);
}

static void soon_again(aloop *loop, void *arg)
{
    fake_time.now += ALOOP_US(1);
    if (*(bool *)arg)
        must(aloop_call_soon(loop, soon_again, arg));
    else
        aloop_stop(loop);
}

static void end_it(aloop *loop, void *arg)
{
    (void)loop;
    *(bool *)arg = false;
}

/* P43: a loop that is never idle looks at the clock all the same, and its timers fire in time. */
static void timers_of_a_busy_loop(void **state)
{
    struct fixture *f = *state;
    bool is_going_on = true;

    must(aloop_call_soon(f->loop, soon_again, &is_going_on));
    must(aloop_call_later(f->loop, ALOOP_MS(1), end_it, &is_going_on));
    assert_int_equal(aloop_run_forever(f->loop), 0);
    assert_in_range(fake_time.now, START + ALOOP_MS(1), START + ALOOP_MS(1) + ALOOP_US(70));
}

struct slow_chain {
    aloop_ns each;
    int left;
};

static void slowly_again(aloop *loop, void *arg)
{
    struct slow_chain *chain = arg;

    fake_time.now += chain->each;
    if (--chain->left > 0)
        must(aloop_call_soon(loop, slowly_again, chain));
    else
        aloop_stop(loop);
}

/* The poll that a busy loop puts off is put off for about 10 us, not for 64 callbacks of any
 * length. */
static void slow_callbacks_poll_more_often(void **state)
{
    struct fixture *f = *state;
    struct slow_chain chain = {.each = ALOOP_US(5), .left = 640};

    must(aloop_call_soon(f->loop, slowly_again, &chain));
    assert_int_equal(aloop_run_forever(f->loop), 0);
    assert_in_range(fake_time.waits, 640 / 3, 640 / 2 + 1);
    fake_time.waits = 0;
    chain = (struct slow_chain){.each = ALOOP_MS(1), .left = 640};
    must(aloop_call_soon(f->loop, slowly_again, &chain));
    assert_int_equal(aloop_run_forever(f->loop), 0);
    assert_in_range(fake_time.waits, 640 - 1, 640 + 1);
    /* So do those that an idle loop is woken for. */
    for (int i = 0; i < 10; i++) {
        chain.left = 10;
        must(aloop_call_later(f->loop, ALOOP_SEC(1), slowly_again, &chain));
        fake_time.waits = 0;
        assert_int_equal(aloop_run_forever(f->loop), 0);
        assert_in_range(fake_time.waits, 10, 11);
    }
}

/* Quick ones share a poll as long as they are, and in between only a look at the clock, once in 64
   of them: so when they are quick no longer, that is noticed. */
static void quick_callbacks_share_a_poll(void **state)
{
    struct fixture *f = *state;
    struct slow_chain chain = {.each = 10, .left = 64000};

    must(aloop_call_soon(f->loop, slowly_again, &chain));
    assert_int_equal(aloop_run_forever(f->loop), 0);
    /* 640 us of callbacks. */
    assert_in_range(fake_time.waits, 640 / 11, 640 / 9);
    assert_in_range(fake_time.readings, 1000, 1000 + 3 * fake_time.waits + 2);
    fake_time.waits = 0;
    chain = (struct slow_chain){.each = ALOOP_MS(1), .left = 640};
    must(aloop_call_soon(f->loop, slowly_again, &chain));
    assert_int_equal(aloop_run_forever(f->loop), 0);
    assert_in_range(fake_time.waits, 640 - 66, 640 + 1);
}

static void look_and_go_on(aloop *loop, void *arg)
{
    struct slow_chain *chain = arg;

    fake_time.now += chain->each;
    (void)aloop_update_time(loop);
    if (--chain->left > 0)
        must(aloop_call_soon(loop, look_and_go_on, chain));
    else
        aloop_stop(loop);
}

/* A callback that looks at the time does not put the poll off by that. */
static void a_look_at_the_time_is_no_poll(void **state)
{
    struct fixture *f = *state;
    struct slow_chain chain = {.each = 100, .left = 6400};

    must(aloop_call_soon(f->loop, look_and_go_on, &chain));
    assert_int_equal(aloop_run_forever(f->loop), 0);
    assert_in_range(fake_time.waits, 640 / 11, 640 / 9);
}

/* A program that runs the loop turn by turn, a frame of 10 ms each, has something ready each time:
   its timers come in time all the same. Were polls put off by counting callbacks, this one would
   come after 64 frames. */
static void turns_far_apart(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aloop_run_once(f->loop, 0), 0);
    must(aloop_call_later(f->loop, ALOOP_MS(20), note, TEXT("timer")));
    for (int i = 0; i < 2; i++) {
        assert_journal_is("");
        must(aloop_call_soon(f->loop, note, TEXT("")));
        fake_time.now += ALOOP_MS(10);
        assert_true(aloop_run_once(f->loop, 0) >= 1);
    }
    assert_journal_is("timer");
}

/* P58: events that came with an expired timeout are all delivered, before the timers (S3). */
static void events_and_timers_together(void **state)
{
    struct fixture *f = *state;
    int fds[2];

    open_pair(fds);
    must(aloop_call_later(f->loop, ALOOP_MS(1), note, TEXT("timer")));
    must(aloop_add_writer(f->loop, fds[0], note, TEXT("writer ")));
    fake_time.now += ALOOP_MS(1);
    must(aloop_call_soon(f->loop, note, TEXT("soon ")));
    assert_int_equal(aloop_run_once(f->loop, ALOOP_NEVER), 3);
    assert_journal_is("soon writer timer");
    close_pair(fds);
}

/* The time is that of the last poll until somebody asks for it anew. */
static void time_stands_still(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aloop_time(f->loop), START);
    fake_time.now += 5;
    assert_int_equal(aloop_time(f->loop), START);
    assert_int_equal(aloop_update_time(f->loop), START + 5);
    assert_int_equal(aloop_time(f->loop), START + 5);
}

/* A program that goes on polling for a while does so for that while, then waits for the rest. */
static void busy_poll(void **state)
{
    struct fixture *f = *state;
    aloop_options options = ALOOP_OPTIONS_INIT;

    aloop_unref(f->loop);
    options.poller = f->kind;
    options.allocator = memory_probe_allocator(&f->probe);
    options.busy_poll = ALOOP_US(50);
    assert_int_equal(aloop_new(&options, &f->loop), 0);
    fake_time.per_reading = ALOOP_US(5);
    must(aloop_call_later(f->loop, ALOOP_MS(1), stop, NULL));
    fake_time.waits = 0;
    assert_int_equal(aloop_run_forever(f->loop), 0);
    assert_in_range(fake_time.empty_waits, 9, 12);
    assert_int_equal(fake_time.waits, fake_time.empty_waits + 1);
    assert_in_range(fake_time.last_timeout, ALOOP_US(900), ALOOP_US(950));
    assert_in_range(fake_time.now, START + ALOOP_MS(1), START + ALOOP_MS(1) + ALOOP_US(40));

    /* An event ends it at once, and where nothing may be waited for it is not begun. */
    fake_time.empty_waits = 0;
    must(aloop_call_soon(f->loop, do_nothing, NULL));
    assert_int_equal(aloop_run_once(f->loop, ALOOP_NEVER), 1);
    assert_int_equal(aloop_run_once(f->loop, 0), 0);
    assert_in_range(fake_time.empty_waits, 1, 2);
}

/* P40: deadlines are the monotonic clock's, which no setting of the date moves. */
static bool asked_for_boottime;

static aloop_ns which_clock(bool boottime)
{
    asked_for_boottime = boottime;
    return START;
}

static void which_clock_it_is(void **state)
{
    struct fixture *f = *state;
    aloop *loop;

    sys.clock = which_clock;
    asked_for_boottime = true;
    assert_int_equal(aloop_update_time(f->loop), START);
    assert_false(asked_for_boottime);
    loop = fixture_new_loop(f, ALOOP_CLOCK_BOOTTIME, false);
    assert_int_equal(aloop_update_time(loop), START);
    assert_true(asked_for_boottime);
    aloop_unref(loop);
}

#define CLOCK_TEST(FUNCTION)                                                                       \
    {                                                                                              \
        .name = #FUNCTION, .function = FUNCTION, .setup = setup_clock, .teardown = teardown_clock  \
    }

int main(void)
{
    static const struct loop_test suite[] = {
        CLOCK_TEST(how_long_it_waits),
        CLOCK_TEST(computing_shortens_the_wait),
        CLOCK_TEST(prepare_looks_at_the_clock),
        CLOCK_TEST(time_between_turns),
        CLOCK_TEST(time_after_the_wait),
        CLOCK_TEST(interrupted_wait),
        CLOCK_TEST(tiny_delays_do_not_spin),
        CLOCK_TEST(tiny_delay_for_real),
        CLOCK_TEST(month),
        CLOCK_TEST(month_in_pieces),
        CLOCK_TEST(clock_goes_back),
        CLOCK_TEST(clock_leaps),
        CLOCK_TEST(timers_of_a_busy_loop),
        CLOCK_TEST(slow_callbacks_poll_more_often),
        CLOCK_TEST(quick_callbacks_share_a_poll),
        CLOCK_TEST(a_look_at_the_time_is_no_poll),
        CLOCK_TEST(turns_far_apart),
        CLOCK_TEST(events_and_timers_together),
        CLOCK_TEST(time_stands_still),
        CLOCK_TEST(busy_poll),
        CLOCK_TEST(which_clock_it_is),
    };

    return RUN_SUITE(suite);
}
