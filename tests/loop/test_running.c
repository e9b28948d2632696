/*
 * Which loop runs in which thread.
 */
#include "fixture.h"

#include <pthread.h>

static void note_running(aloop *loop, void *arg)
{
    (void)loop;
    *(aloop **)arg = aloop_get_running_loop();
}

/* S25: inside callbacks only, and unset again, after errors too. */
static void inside_callbacks_only(void **state)
{
    struct fixture *f = *state;
    aloop *seen = NULL;

    assert_null(aloop_get_running_loop());
    must(aloop_call_soon(f->loop, note_running, &seen));
    assert_int_equal(turn(f->loop), 1);
    assert_ptr_equal(seen, f->loop);
    assert_null(aloop_get_running_loop());
    seen = NULL;
    must(aloop_call_later(f->loop, 5, note_running, &seen));
    assert_int_equal(aloop_run_forever(f->loop), -EDEADLK);
    assert_ptr_equal(seen, f->loop);
    assert_null(aloop_get_running_loop());
    assert_int_equal(aloop_close(f->loop), 0);
    assert_int_equal(aloop_run_forever(f->loop), -ALOOP_ECLOSED);
    assert_null(aloop_get_running_loop());
}

struct elsewhere {
    aloop *loop;
    aloop *outside;
    aloop *inside;
    int result;
};

static void *run_elsewhere(void *arg)
{
    struct elsewhere *elsewhere = arg;

    elsewhere->outside = aloop_get_running_loop();
    if (aloop_call_soon(elsewhere->loop, note_running, &elsewhere->inside) > 0)
        elsewhere->result = aloop_run_forever(elsewhere->loop);
    return NULL;
}

static void run_a_thread(aloop *loop, void *arg)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, run_elsewhere, arg), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_ptr_equal(aloop_get_running_loop(), loop);
}

/* S20, S25: another thread has a running loop of its own, at the same time. */
static void one_for_each_thread(void **state)
{
    struct fixture *f = *state;
    struct elsewhere elsewhere = {.loop = fixture_new_loop(f, ALOOP_CLOCK_VIRTUAL, false)};

    must(aloop_call_soon(f->loop, run_a_thread, &elsewhere));
    assert_int_equal(turn(f->loop), 1);
    assert_null(elsewhere.outside);
    assert_ptr_equal(elsewhere.inside, elsewhere.loop);
    assert_int_equal(elsewhere.result, -EDEADLK);
    aloop_unref(elsewhere.loop);
}

int main(void)
{
    static const struct loop_test suite[] = {
        LOOP_TEST(inside_callbacks_only),
        LOOP_TEST(one_for_each_thread),
    };

    return RUN_SUITE(suite);
}
