/*
 * A loop inside another loop: prepare, wait outside, dispatch. The outer loop here is poll by hand.
 */
#include "fixture.h"

#include <poll.h>
#include <pthread.h>

/* Would a foreign loop that watches the fd wake up now? */
static bool is_readable(int fd)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};

    return poll(&pollfd, 1, 0) == 1;
}

static aloop_ns prepare(aloop *loop)
{
    aloop_ns timeout = -1;

    assert_int_equal(aloop_prepare(loop, &timeout), 0);
    return timeout;
}

/* How long to wait: what is scheduled says so. */
static void prepare_says_how_long(void **state)
{
    struct fixture *f = *state;
    aloop_handle timer;

    assert_int_equal(prepare(f->loop), ALOOP_NEVER);
    timer = must(aloop_call_later(f->loop, 500, note, TEXT("t")));
    assert_int_equal(prepare(f->loop), 500);
    assert_int_equal(aloop_next_timeout(f->loop), 500);
    must(aloop_call_soon(f->loop, note, TEXT("s")));
    assert_int_equal(prepare(f->loop), 0);
    assert_int_equal(aloop_dispatch(f->loop), 1);
    assert_int_equal(prepare(f->loop), 500);
    assert_true(aloop_cancel(f->loop, timer));
    assert_int_equal(prepare(f->loop), ALOOP_NEVER);
    assert_int_equal(aloop_dispatch(f->loop), 0);
    assert_int_equal(aloop_call_soon_threadsafe(f->loop, note, TEXT("p")), 0);
    assert_int_equal(prepare(f->loop), 0);
    assert_int_equal(aloop_dispatch(f->loop), 1);
    assert_journal_is("sp");
    aloop_stop(f->loop);
    assert_int_equal(prepare(f->loop), 0);
    assert_int_equal(aloop_dispatch(f->loop), 0);
    assert_int_equal(prepare(f->loop), ALOOP_NEVER);
}

/* The fd becomes readable for what timeouts do not tell: fds, and calls from other threads. */
static void backend_fd(void **state)
{
    struct fixture *f = *state;
    int fd = aloop_backend_fd(f->loop);
    char byte;
    int fds[2];

    if (f->kind == ALOOP_POLLER_POLL) {
        assert_int_equal(fd, -ENOTSUP);
        return;
    }
    open_pair(fds);
    must(aloop_add_reader(f->loop, fds[0], note, TEXT("r")));
    assert_int_equal(prepare(f->loop), ALOOP_NEVER);
    assert_false(is_readable(fd));
    put_byte(fds[1]);
    assert_true(is_readable(fd));
    assert_int_equal(aloop_dispatch(f->loop), 1);
    assert_int_equal(read(fds[0], &byte, 1), 1);
    assert_false(is_readable(fd));
    assert_int_equal(aloop_call_soon_threadsafe(f->loop, note, TEXT("p")), 0);
    assert_true(is_readable(fd));
    assert_int_equal(aloop_dispatch(f->loop), 1);
    assert_false(is_readable(fd));
    assert_journal_is("rp");
    close_pair(fds);
}

static void *post_later(void *arg)
{
    return aloop_call_soon_threadsafe(arg, note, TEXT("posted")) < 0 ? arg : NULL;
}

/* A whole outer loop, which blocks for as long as it is told to. */
static void outer_loop(void **state)
{
    struct fixture *f = *state;
    aloop *loop;
    pthread_t thread;

    if (f->kind == ALOOP_POLLER_POLL)
        return;
    loop = fixture_new_loop(f, ALOOP_CLOCK_MONOTONIC, false);
    must(aloop_call_later(loop, ALOOP_US(100), note, TEXT("timer ")));
    while (journal[0] == '\0') {
        struct pollfd outside = {.fd = aloop_backend_fd(loop), .events = POLLIN};
        aloop_ns timeout = prepare(loop);

        assert_true(timeout != ALOOP_NEVER);
        assert_in_range(sys.poll(&outside, 1, timeout), 0, 1);
        assert_true(aloop_dispatch(loop) >= 0);
    }
    assert_int_equal(pthread_create(&thread, NULL, post_later, loop), 0);
    while (strstr(journal, "posted") == NULL) {
        struct pollfd outside = {.fd = aloop_backend_fd(loop), .events = POLLIN};

        assert_in_range(sys.poll(&outside, 1, prepare(loop)), 0, 1);
        assert_true(aloop_dispatch(loop) >= 0);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_journal_is("timer posted");
    aloop_unref(loop);
}

int main(void)
{
    static const struct loop_test suite[] = {
        LOOP_TEST(prepare_says_how_long),
        LOOP_TEST(backend_fd),
        LOOP_TEST(outer_loop),
    };

    return RUN_SUITE(suite);
}
