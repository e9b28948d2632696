/*
 * What a loop asks of the system and of the allocator once it has got going: nothing but waiting,
 * and one block for each call from another thread.
 */
#include "fixture.h"

#define ROUNDS 1000

static void soon_again(aloop *loop, void *arg)
{
    (void)arg;
    must(aloop_call_soon(loop, soon_again, NULL));
}

static void later_again(aloop *loop, void *arg)
{
    (void)arg;
    must(aloop_call_later(loop, 10, later_again, NULL));
}

static void cancel_and_set(aloop *loop, void *arg)
{
    aloop_handle *timer = arg;

    assert_true(aloop_cancel(loop, *timer));
    *timer = must(aloop_call_later(loop, ALOOP_SEC(60), do_nothing, NULL));
    must(aloop_call_soon(loop, cancel_and_set, timer));
}

struct echo {
    int fds[2];
    aloop_handle timeout;
    int count;
};

/* A server in small: reads, answers, and pushes its timeout back. */
static void echo_back(aloop *loop, void *arg)
{
    struct echo *echo = arg;
    char byte;

    assert_int_equal(read(echo->fds[0], &byte, 1), 1);
    put_byte(echo->fds[1]);
    assert_int_equal(aloop_reschedule_later(loop, echo->timeout, ALOOP_SEC(30)), 0);
    echo->count++;
}

/* No allocation: call_soon, timers made and fired, made and cancelled, pushed back, fd events. No
   registration: not one epoll_ctl. */
static void nothing_in_steady_state(void **state)
{
    struct fixture *f = *state;
    aloop_handle timer = must(aloop_call_later(f->loop, ALOOP_SEC(60), do_nothing, NULL));
    struct echo echo = {.count = 0};
    long requests;
    int before;

    open_pair(echo.fds);
    echo.timeout = must(aloop_create_timer(f->loop, do_nothing, NULL));
    must(aloop_add_reader(f->loop, echo.fds[0], echo_back, &echo));
    put_byte(echo.fds[1]);
    must(aloop_call_soon(f->loop, soon_again, NULL));
    must(aloop_call_soon(f->loop, cancel_and_set, &timer));
    must(aloop_call_later(f->loop, 10, later_again, NULL));
    for (int i = 0; i < ROUNDS; i++)
        assert_true(aloop_run_once(f->loop, ALOOP_NEVER) > 0);

    requests = f->probe.requests;
    before = echo.count;
    fault_install();
    for (int i = 0; i < ROUNDS * 10; i++)
        assert_true(aloop_run_once(f->loop, ALOOP_NEVER) > 0);
    assert_int_equal(f->probe.requests, requests);
    assert_int_equal(fault_count(FAULT_EPOLL_CTL), 0);
    assert_int_equal(fault_count(FAULT_FD_IS_POLLABLE), 0);
    assert_int_equal(fault_count(FAULT_CLOCK), 0);
    /* Two callbacks a turn, and one poll in 64 of them. */
    assert_in_range(fault_count(wait_call(f)), 1, 3 * ROUNDS * 10 / 64 + 2);
    assert_int_equal(echo.count - before, fault_count(wait_call(f)));
    assert_true(aloop_remove_reader(f->loop, echo.fds[0]));
    close_pair(echo.fds);
}

/* Calls from other threads: their memory is used again, and of a burst's little is kept. */
static void nothing_for_posts(void **state)
{
    struct fixture *f = *state;
    long requests;
    size_t bytes;

    assert_int_equal(aloop_call_soon_threadsafe(f->loop, do_nothing, NULL), 0);
    assert_int_equal(turn(f->loop), 1);
    requests = f->probe.requests;
    bytes = f->probe.bytes;
    for (int i = 0; i < ROUNDS; i++) {
        assert_int_equal(aloop_call_soon_threadsafe(f->loop, do_nothing, NULL), 0);
        if (i % 10 == 9)
            assert_int_equal(turn(f->loop), 10);
    }
    assert_int_equal(f->probe.requests, requests);
    assert_int_equal(f->probe.bytes, bytes);
    for (int i = 0; i < 100 * ROUNDS; i++)
        assert_int_equal(aloop_call_soon_threadsafe(f->loop, do_nothing, NULL), 0);
    assert_int_equal(turn(f->loop), 100 * ROUNDS);
    assert_true(f->probe.bytes <= bytes + 16 * 1024);
}

int main(void)
{
    static const struct loop_test suite[] = {
        LOOP_TEST(nothing_in_steady_state),
        LOOP_TEST(nothing_for_posts),
    };

    return RUN_SUITE(suite);
}
