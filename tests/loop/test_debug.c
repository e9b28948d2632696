/*
 * Debug mode: calls from the wrong thread, and callbacks that take long.
 */
#include "fake_time.h"
#include "fixture.h"

#include <pthread.h>

struct attempt {
    aloop *loop;
    int64_t soon, later, at, timer, reader, writer, threadsafe;
};

static void *attempt_all(void *arg)
{
    struct attempt *attempt = arg;

    attempt->soon = aloop_call_soon(attempt->loop, note, TEXT("x"));
    attempt->later = aloop_call_later(attempt->loop, 0, note, TEXT("x"));
    attempt->at = aloop_call_at(attempt->loop, 0, note, TEXT("x"));
    attempt->timer = aloop_create_timer(attempt->loop, note, TEXT("x"));
    attempt->reader = aloop_add_reader(attempt->loop, 0, note, TEXT("x"));
    attempt->writer = aloop_add_writer(attempt->loop, 0, note, TEXT("x"));
    attempt->threadsafe = aloop_call_soon_threadsafe(attempt->loop, note, TEXT("p"));
    return NULL;
}

static void attempt_in_a_thread(aloop *loop, void *arg)
{
    pthread_t thread;

    (void)loop;
    assert_int_equal(pthread_create(&thread, NULL, attempt_all, arg), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* S26: from a thread that does not run the loop; what is meant for that is never refused. */
static void wrong_thread(void **state)
{
    struct fixture *f = *state;
    struct attempt attempt = {.loop = fixture_new_loop(f, ALOOP_CLOCK_VIRTUAL, true)};

    must(aloop_call_soon(attempt.loop, attempt_in_a_thread, &attempt));
    must(aloop_call_soon(attempt.loop, note, TEXT("own ")));
    assert_int_equal(aloop_run_forever(attempt.loop), -EDEADLK);
    assert_int_equal(attempt.soon, -ALOOP_EWRONGTHREAD);
    assert_int_equal(attempt.later, -ALOOP_EWRONGTHREAD);
    assert_int_equal(attempt.at, -ALOOP_EWRONGTHREAD);
    assert_int_equal(attempt.timer, -ALOOP_EWRONGTHREAD);
    assert_int_equal(attempt.reader, -ALOOP_EWRONGTHREAD);
    assert_int_equal(attempt.writer, -ALOOP_EWRONGTHREAD);
    assert_int_equal(attempt.threadsafe, 0);
    assert_journal_is("own p");
    aloop_unref(attempt.loop);
}

static aloop_exception_context last;
static int reports;

static void hear(aloop *loop, const aloop_exception_context *context, void *arg)
{
    (void)loop;
    (void)arg;
    last = *context;
    reports++;
}

/* Takes as long as `arg` says. */
static void take(aloop *loop, void *arg)
{
    (void)loop;
    fake_time.now += *(const aloop_ns *)arg;
}

static aloop *new_timed_loop(struct fixture *f, aloop_ns slow_callback, bool debug)
{
    aloop_options options = ALOOP_OPTIONS_INIT;
    aloop *loop = NULL;

    options.poller = f->kind;
    options.debug = debug;
    options.slow_callback = slow_callback;
    options.allocator = memory_probe_allocator(&f->probe);
    assert_int_equal(aloop_new(&options, &loop), 0);
    aloop_set_exception_handler(loop, hear, NULL);
    reports = 0;
    last = (aloop_exception_context){0};
    return loop;
}

static void assert_reported(aloop_ns duration)
{
    assert_int_equal(reports, 1);
    assert_string_equal(last.message, "callback was slow");
    assert_ptr_equal(last.callback, take);
    assert_int_equal(last.duration, duration);
    reports = 0;
}

/* S27: reported under its own name, of whatever kind it is, from the threshold on. */
static void slow_callbacks(void **state)
{
    struct fixture *f = *state;
    aloop_ns fast = ALOOP_MS(100) - 1, slow = ALOOP_MS(100), slower = ALOOP_MS(250);
    aloop_threadsafe_call *call;
    aloop *loop;
    int fds[2];

    fake_time_install(ALOOP_SEC(1));
    loop = new_timed_loop(f, 0, true);
    must(aloop_call_soon(loop, take, &fast));
    assert_int_equal(turn(loop), 1);
    assert_int_equal(reports, 0);
    must(aloop_call_soon(loop, take, &slow));
    assert_int_equal(turn(loop), 1);
    assert_reported(slow);
    must(aloop_call_later(loop, 0, take, &slower));
    assert_int_equal(turn(loop), 1);
    assert_reported(slower);
    open_pair(fds);
    must(aloop_add_writer(loop, fds[0], take, &slow));
    assert_int_equal(turn(loop), 1);
    assert_reported(slow);
    assert_true(aloop_remove_writer(loop, fds[0]));
    close_pair(fds);
    /* Calls from other threads: each by itself. */
    assert_int_equal(aloop_call_soon_threadsafe(loop, take, &fast), 0);
    assert_int_equal(aloop_call_soon_threadsafe(loop, take, &slower), 0);
    assert_int_equal(aloop_call_soon_threadsafe(loop, take, &fast), 0);
    assert_int_equal(turn(loop), 3);
    assert_reported(slower);
    assert_int_equal(aloop_call_soon_threadsafe_cancellable(loop, take, &slow, &call), 0);
    assert_int_equal(turn(loop), 1);
    assert_reported(slow);
    aloop_threadsafe_call_unref(call);
    aloop_unref(loop);

    loop = new_timed_loop(f, ALOOP_MS(1), true);
    must(aloop_call_soon(loop, take, &fast));
    assert_int_equal(turn(loop), 1);
    assert_reported(fast);
    aloop_unref(loop);

    /* Without debug mode nobody looks. */
    loop = new_timed_loop(f, ALOOP_MS(1), false);
    must(aloop_call_soon(loop, take, &slow));
    assert_int_equal(turn(loop), 1);
    assert_int_equal(reports, 0);
    aloop_unref(loop);
    fake_time_remove();
}

static void again(aloop *loop, void *arg)
{
    if (--*(int *)arg > 0)
        must(aloop_call_soon(loop, again, arg));
}

/* The same callbacks in the same turns as without: S2, S17. */
static void same_order(void **state)
{
    struct fixture *f = *state;
    aloop *loop = fixture_new_loop(f, ALOOP_CLOCK_VIRTUAL, true);
    int left = 3;

    must(aloop_call_soon(loop, again, &left));
    must(aloop_call_soon(loop, note, TEXT("a")));
    must(aloop_call_later(loop, 0, note, TEXT("b")));
    assert_int_equal(turn(loop), 3);
    assert_journal_is("ab");
    assert_int_equal(turn(loop), 1);
    assert_int_equal(turn(loop), 1);
    assert_int_equal(turn(loop), 0);
    aloop_unref(loop);
}

int main(void)
{
    static const struct loop_test suite[] = {
        BARE_TEST(wrong_thread),
        BARE_TEST(slow_callbacks),
        BARE_TEST(same_order),
    };

    return RUN_SUITE(suite);
}
