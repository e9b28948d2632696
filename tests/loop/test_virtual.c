/*
 * The virtual clock.
 */
#include "fixture.h"

#include "loop/internal.h"
#include "poller/sim.h"

/* Begins at 0, stands still, and jumps to the next deadline when nothing else is ready. */
static void jumps(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aloop_time(f->loop), 0);
    assert_int_equal(aloop_update_time(f->loop), 0);
    must(aloop_call_later(f->loop, ALOOP_SEC(3600), note, TEXT("hour")));
    must(aloop_call_soon(f->loop, note, TEXT("now ")));
    assert_int_equal(turn(f->loop), 1);
    assert_int_equal(turn(f->loop), 0);
    assert_int_equal(aloop_time(f->loop), 0);
    assert_int_equal(aloop_run_once(f->loop, ALOOP_NEVER), 1);
    assert_int_equal(aloop_time(f->loop), ALOOP_SEC(3600));
    assert_int_equal(aloop_update_time(f->loop), ALOOP_SEC(3600));
    assert_journal_is("now hour");
}

/* With nothing ready and no timer left a run ends, instead of waiting for ever (P57). */
static void nothing_can_happen(void **state)
{
    struct fixture *f = *state;
    int fds[2];

    assert_int_equal(aloop_run_forever(f->loop), -EDEADLK);
    assert_int_equal(aloop_run_once(f->loop, ALOOP_NEVER), -EDEADLK);
    assert_int_equal(aloop_run_once(f->loop, 0), 0);
    assert_true(aloop_cancel(f->loop, must(aloop_call_later(f->loop, 5, note, TEXT("x")))));
    must(aloop_create_timer(f->loop, note, TEXT("x")));
    open_pair(fds);
    must(aloop_add_reader(f->loop, fds[0], note, TEXT("r")));
    assert_int_equal(aloop_run_forever(f->loop), -EDEADLK);
    put_byte(fds[1]);
    assert_int_equal(aloop_run_once(f->loop, ALOOP_NEVER), 1);
    assert_journal_is("r");
    close_pair(fds);
}

/* A turn that waits no longer than so moves the clock no further. */
static void bounded_turn(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aloop_run_once(f->loop, 30), 0);
    assert_int_equal(aloop_time(f->loop), 30);
    must(aloop_call_at(f->loop, 100, note, TEXT("t")));
    assert_int_equal(aloop_run_once(f->loop, 60), 0);
    assert_int_equal(aloop_time(f->loop), 90);
    assert_int_equal(aloop_run_once(f->loop, 60), 1);
    assert_int_equal(aloop_time(f->loop), 100);
    assert_journal_is("t");
}

/* An fd that is ready goes before any jump: time does not pass while there is something to do. */
static void fds_before_jumps(void **state)
{
    struct fixture *f = *state;
    int fds[2];

    open_pair(fds);
    put_byte(fds[1]);
    must(aloop_call_later(f->loop, 1, note, TEXT("t")));
    must(aloop_add_reader(f->loop, fds[0], note, TEXT("r")));
    for (int i = 0; i < 3; i++)
        assert_int_equal(aloop_run_once(f->loop, ALOOP_NEVER), 1);
    assert_int_equal(aloop_time(f->loop), 0);
    assert_journal_is("rrr");
    assert_true(aloop_remove_reader(f->loop, fds[0]));
    assert_int_equal(aloop_run_once(f->loop, ALOOP_NEVER), 1);
    assert_journal_is("t");
    close_pair(fds);
}

static void make_chain(aloop *loop, void *arg)
{
    int *left = arg;

    if (--*left > 0)
        must(aloop_call_later(loop, ALOOP_SEC(10), make_chain, left));
}

/* An hour in no time, and without one wait: the same each time. */
static void hour_without_a_wait(void **state)
{
    struct fixture *f = *state;
    unsigned calls[2];

    for (int i = 0; i < 2; i++) {
        int left = 360;

        aloop_unref(f->loop);
        f->loop = fixture_new_loop(f, ALOOP_CLOCK_VIRTUAL, false);
        must(aloop_call_soon(f->loop, make_chain, &left));
        fault_install();
        assert_int_equal(aloop_run_forever(f->loop), -EDEADLK);
        calls[i] = fault_count(wait_call(f));
        fault_reset();
        assert_int_equal(left, 0);
        assert_int_equal(aloop_time(f->loop), ALOOP_SEC(3590));
    }
    assert_int_equal(calls[0], calls[1]);
}

/* The simulated poller asks no system: calls that were posted are found all the same, and fds are
   what the test says. */
static void simulated_poller(void **state)
{
    struct fixture *f = *state;
    aloop_options options = ALOOP_OPTIONS_INIT;
    aloop *loop;

    options.poller = ALOOP_POLLER_SIM;
    options.clock = ALOOP_CLOCK_VIRTUAL;
    options.allocator = memory_probe_allocator(&f->probe);
    assert_int_equal(aloop_new(&options, &loop), 0);
    assert_int_equal(aloop_call_soon_threadsafe(loop, note, TEXT("p")), 0);
    assert_int_equal(aloop_run_forever(loop), -EDEADLK);
    assert_journal_is("p");
    must(aloop_add_reader(loop, 777, note, TEXT("r")));
    must(aloop_call_later(loop, 5, note, TEXT("t")));
    assert_int_equal(sim_set_ready(loop->poller, 777, POLLER_READ), 0);
    assert_int_equal(aloop_run_once(loop, ALOOP_NEVER), 1);
    assert_int_equal(sim_set_ready(loop->poller, 777, 0), 0);
    assert_int_equal(aloop_run_once(loop, ALOOP_NEVER), 1);
    assert_journal_is("rt");
    assert_int_equal(aloop_add_reader(loop, 1 << 20, note, TEXT("x")), -EBADF);
    assert_int_equal(aloop_backend_fd(loop), -ENOTSUP);
    aloop_unref(loop);
}

int main(void)
{
    static const struct loop_test suite[] = {
        LOOP_TEST(jumps),
        LOOP_TEST(nothing_can_happen),
        LOOP_TEST(bounded_turn),
        LOOP_TEST(fds_before_jumps),
        LOOP_TEST(hour_without_a_wait),
        LOOP_TEST(simulated_poller),
    };

    return RUN_SUITE(suite);
}
