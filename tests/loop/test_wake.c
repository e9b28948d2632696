/*
 * When a call from another thread writes to the loop's wake fd: once for a burst, not while the
 * loop is awake, and always when it would not look by itself.
 */
#include "fixture.h"

#include "loop/internal.h"
#include <poll.h>

static void post(aloop *loop, aloop_callback *callback, void *arg)
{
    assert_int_equal(aloop_call_soon_threadsafe(loop, callback, arg), 0);
}

/* One write to the wake fd for a burst, and one wake-up of the loop. */
static void burst_costs_one_wake(void **state)
{
    struct fixture *f = *state;
    int count = 0;

    fault_install();
    for (int burst = 1; burst <= 3; burst++) {
        for (int i = 0; i < 1000; i++)
            post(f->loop, count_up, &count);
        assert_int_equal(fault_count(FAULT_WAKE), burst);
        assert_int_equal(turn(f->loop), 1000);
        assert_int_equal(count, 1000 * burst);
    }
    assert_int_equal(turn(f->loop), 0);
    assert_in_range(fault_count(FAULT_WAKE_DRAIN), 1, 3);
}

static void post_until_enough(aloop *loop, void *arg)
{
    int *left = arg;

    if (--*left == 0)
        aloop_stop(loop);
    else
        post(loop, post_until_enough, left);
}

/* A loop that is awake looks for posts by itself, and nobody writes to its wake fd ... */
static void awake_is_not_woken(void **state)
{
    struct fixture *f = *state;
    int left = 100;

    must(aloop_call_soon(f->loop, post_until_enough, &left));
    fault_install();
    assert_int_equal(aloop_run_forever(f->loop), 0);
    assert_int_equal(left, 0);
    assert_int_equal(fault_count(FAULT_WAKE), 0);
}

static bool is_readable(int fd)
{
    struct pollfd place = {.fd = fd, .events = POLLIN};

    return poll(&place, 1, 0) == 1;
}

static void post_and_stop(aloop *loop, void *arg)
{
    post(loop, note, arg);
    aloop_stop(loop);
}

/* ... but where its run ends with one that it has not seen, who watches its fd is told. */
static void left_with_a_post(void **state)
{
    struct fixture *f = *state;

    must(aloop_call_soon(f->loop, post_and_stop, TEXT("p")));
    fault_install();
    assert_int_equal(aloop_run_forever(f->loop), 0);
    assert_journal_is("");
    assert_int_equal(fault_count(FAULT_WAKE), 1);
    assert_true(is_readable(f->loop->wake_fds[0]));
    assert_int_equal(turn(f->loop), 1);
    assert_journal_is("p");
    assert_int_equal(fault_count(FAULT_WAKE), 1);
    assert_false(is_readable(f->loop->wake_fds[0]));
    post(f->loop, note, TEXT("q"));
    assert_int_equal(fault_count(FAULT_WAKE), 2);
    assert_true(is_readable(f->loop->wake_fds[0]));
    assert_int_equal(turn(f->loop), 1);
    assert_journal_is("q");
}

static struct {
    aloop *loop;
    aloop_ns longest;
} waits;

static void post_once_in_a_wait(aloop_ns timeout)
{
    aloop *loop = waits.loop;

    waits.loop = NULL;
    if (loop != NULL)
        post(loop, stop, NULL);
    if (timeout > waits.longest)
        waits.longest = timeout;
}

static int posting_epoll_wait(int epfd, struct epoll_event *events, int max, aloop_ns timeout)
{
    post_once_in_a_wait(timeout);
    return sys_default.epoll_wait(epfd, events, max, timeout);
}

static int posting_poll(struct pollfd *fds, nfds_t count, aloop_ns timeout)
{
    post_once_in_a_wait(timeout);
    return sys_default.poll(fds, count, timeout);
}

/* What is posted while the loop asks without sleeping, and does not wake it, is found before it
   sleeps, or says that nothing can happen any more. */
static void posted_before_sleep(void **state)
{
    struct fixture *f = *state;

    if (f->kind == ALOOP_POLLER_KQUEUE)
        return;
    fault_install();
    sys.epoll_wait = posting_epoll_wait;
    sys.poll = posting_poll;
    for (int is_busy = 0; is_busy < 2; is_busy++) {
        aloop_options options = ALOOP_OPTIONS_INIT;
        aloop *loop;

        options.poller = f->kind;
        options.clock = is_busy ? ALOOP_CLOCK_MONOTONIC : ALOOP_CLOCK_VIRTUAL;
        options.busy_poll = is_busy ? ALOOP_SEC(1000) : 0;
        assert_int_equal(aloop_new(&options, &loop), 0);
        must(aloop_call_later(loop, ALOOP_SEC(3000), do_nothing, NULL));
        waits.loop = loop;
        waits.longest = 0;
        assert_int_equal(aloop_run_forever(loop), 0);
        assert_int_equal(waits.longest, 0);
        assert_true(aloop_next_timeout(loop) > ALOOP_SEC(2000));
        aloop_unref(loop);
    }
    assert_int_equal(fault_count(FAULT_WAKE), 0);
    fault_reset();
}

/* P93, S31: the wake-up fails because it is pending already, or for whatever reason: nothing is
 * lost. */
static void wake_fails(void **state)
{
    struct fixture *f = *state;

    fault_install();
    fault_fail_from(FAULT_WAKE, 1, -EAGAIN);
    post(f->loop, note, TEXT("p"));
    assert_int_equal(turn(f->loop), 1);
    assert_journal_is("p");
    fault_clear(FAULT_WAKE);
    /* The counter full for real: the kernel says EAGAIN, and the loop still wakes. */
    for (int i = 0; i < 3; i++) {
        const uint64_t most = UINT64_MAX - 1;

        if (write(f->loop->wake_fds[1], &most, sizeof most) < 0)
            break;
    }
    post(f->loop, note, TEXT("q"));
    assert_int_equal(turn(f->loop), 1);
    assert_journal_is("q");
    assert_int_equal(turn(f->loop), 0);
}

int main(void)
{
    static const struct loop_test suite[] = {
        LOOP_TEST(burst_costs_one_wake), LOOP_TEST(awake_is_not_woken), LOOP_TEST(left_with_a_post),
        LOOP_TEST(posted_before_sleep),  LOOP_TEST(wake_fails),
    };

    return RUN_SUITE(suite);
}
