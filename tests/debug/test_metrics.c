/*
 * Metrics: exact numbers for programs that are known.
 */
#include "fake_time.h"
#include "memory_probe.h"
#include "world.h"

#include <aloop/metrics.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static aloop_metrics read_all(const aloop *loop)
{
    aloop_metrics metrics;

    memset(&metrics, 0xA5, sizeof metrics);
    aloop_metrics_read(loop, &metrics, sizeof metrics);
    return metrics;
}

static void do_nothing(aloop *loop, void *arg)
{
    (void)loop;
    (void)arg;
}

static void post_again(aloop *loop, void *arg)
{
    if (--*(int *)arg > 0)
        assert_true(aloop_call_soon(loop, post_again, arg) > 0);
}

/* --- counters --- */

static void nothing_yet(void **state)
{
    struct world *world = *state;
    aloop_metrics metrics = read_all(world->loop);
    aloop_metrics zero = {0};

    assert_memory_equal(&metrics, &zero, sizeof zero);
}

/* A chain of callbacks: each is a turn, and one poll in 64 is enough (and one more finds out that
   nothing can happen any more, which is no poll that came back). */
static void turns_of_callbacks(void **state)
{
    struct world *world = *state;
    aloop_metrics metrics;
    int left = 640;

    assert_true(aloop_call_soon(world->loop, post_again, &left) > 0);
    world_drain(world);
    metrics = read_all(world->loop);
    assert_int_equal(metrics.callbacks, 640);
    assert_int_equal(metrics.turns, 640);
    assert_int_equal(metrics.polls, 10);
    assert_int_equal(metrics.events, 0);
    assert_int_equal(metrics.ready, 0);
    assert_int_equal(metrics.lag.count, 0);
}

/* Three timers in two turns; one is cancelled, which is no callback. */
static void turns_of_timers(void **state)
{
    struct world *world = *state;
    aloop_metrics metrics;
    aloop_handle cancelled;

    assert_true(aloop_call_later(world->loop, 10, do_nothing, NULL) > 0);
    assert_true(aloop_call_later(world->loop, 10, do_nothing, NULL) > 0);
    assert_true(aloop_call_later(world->loop, 20, do_nothing, NULL) > 0);
    cancelled = aloop_call_later(world->loop, 20, do_nothing, NULL);
    assert_int_equal(read_all(world->loop).timers, 4);
    assert_true(aloop_cancel(world->loop, cancelled));
    assert_int_equal(read_all(world->loop).timers, 3);
    world_drain(world);
    metrics = read_all(world->loop);
    assert_int_equal(metrics.callbacks, 3);
    assert_int_equal(metrics.turns, 2);
    assert_int_equal(metrics.polls, 2);
    assert_int_equal(metrics.timers, 0);
    /* One for each poll that found some due; they were on time. */
    assert_int_equal(metrics.lag.count, 2);
    assert_int_equal(metrics.lag.max, 0);
}

/* A callback that is cancelled in the queue, and one that closing drops, have not run. */
static void callbacks_that_do_not_run(void **state)
{
    struct world world;
    aloop_handle handle;

    (void)state;
    world_open(&world, NULL);
    handle = aloop_call_soon(world.loop, do_nothing, NULL);
    assert_true(aloop_call_soon(world.loop, do_nothing, NULL) > 0);
    assert_true(aloop_cancel(world.loop, handle));
    assert_int_equal(read_all(world.loop).ready, 2);
    world_turns(&world, 1);
    assert_int_equal(read_all(world.loop).callbacks, 1);
    assert_true(aloop_call_soon(world.loop, do_nothing, NULL) > 0);
    assert_int_equal(aloop_close(world.loop), 0);
    assert_int_equal(read_all(world.loop).callbacks, 1);
    assert_int_equal(read_all(world.loop).ready, 0);
    world_close(&world);
}

struct spawner {
    ALOOP_FRAME;
    aloop_group group;
    int i;
};

ALOOP_CORO(spawner)
{
    ALOOP_BEGIN;
    aloop_group_init(&self->group);
    for (self->i = 0; self->i < 10; self->i++)
        ALOOP_TRY(aloop_group_start(&self->group, sleeper, .delay = ALOOP_SEC(1 + self->i)));
    ALOOP_TRY(aloop_group_wait(&self->group));
    ALOOP_END;
}

/* Ten children that end one after the other. The steps: one of each before it sleeps and one after,
   the parent's first and the last; and the callback that ends the run. */
static void tasks(void **state)
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, spawner);
    aloop_metrics metrics;

    world_turns(world, 2);
    metrics = read_all(world->loop);
    assert_int_equal(metrics.tasks, 11);
    assert_int_equal(metrics.tasks_created, 11);
    assert_int_equal(metrics.tasks_done, 0);
    assert_int_equal(metrics.timers, 10);
    assert_int_equal(metrics.callbacks, 11);
    assert_int_equal(metrics.turns, 2);
    assert_true(metrics.pool_used > 11 * sizeof(aloop_frame));
    assert_true(metrics.pool_held >= metrics.pool_used);
    assert_int_equal(aloop_run_until_complete(world->loop, task), 0);
    aloop_task_unref(task);
    metrics = read_all(world->loop);
    assert_int_equal(metrics.tasks, 0);
    assert_int_equal(metrics.tasks_created, 11);
    assert_int_equal(metrics.tasks_done, 11);
    assert_int_equal(metrics.callbacks, 10 + 10 + 2 + 1);
    assert_int_equal(metrics.lag.count, 10);
    assert_int_equal(metrics.pool_used, 0);
#ifndef ALOOP_NO_POOLS
    assert_true(metrics.pool_held > 0);
#endif
}

/* Readers, and calls from other threads, of which a burst is one event. */
static void events_and_posts(void **state)
{
    struct world *world = *state;
    aloop_metrics metrics;
    int fds[2];

    assert_int_equal(sys.socketpair(AF_UNIX, SOCK_STREAM, fds), 0);
    assert_true(aloop_add_reader(world->loop, fds[0], do_nothing, NULL) > 0);
    assert_int_equal(read_all(world->loop).fds, 1);
    for (int i = 0; i < 5; i++)
        assert_int_equal(aloop_call_soon_threadsafe(world->loop, do_nothing, NULL), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(aloop_run_once(world->loop, 0), 6);
    metrics = read_all(world->loop);
    assert_int_equal(metrics.events, 2);
    assert_int_equal(metrics.posts, 5);
    assert_int_equal(metrics.callbacks, 6);
    assert_int_equal(metrics.polls, 1);
    assert_true(aloop_remove_reader(world->loop, fds[0]));
    assert_int_equal(read_all(world->loop).fds, 0);
    assert_int_equal(sys.close(fds[0]), 0);
    assert_int_equal(sys.close(fds[1]), 0);
}

/* --- jobs --- */

struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int entered;
    bool is_open;
};

static int64_t pass_gate(void *arg)
{
    struct gate *gate = arg;

    pthread_mutex_lock(&gate->mutex);
    gate->entered++;
    pthread_cond_broadcast(&gate->changed);
    while (!gate->is_open)
        pthread_cond_wait(&gate->changed, &gate->mutex);
    pthread_mutex_unlock(&gate->mutex);
    return 0;
}

struct visitor {
    ALOOP_FRAME;
    struct gate *gate;
};

ALOOP_CORO(visitor)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_to_thread(pass_gate, self->gate));
    ALOOP_END;
}

/* Two threads, three jobs. */
static void jobs(void **state)
{
    static struct gate gate = {.mutex = PTHREAD_MUTEX_INITIALIZER,
                               .changed = PTHREAD_COND_INITIALIZER};
    struct memory_probe probe = {0}; /* for several threads */
    aloop_options options = ALOOP_OPTIONS_INIT;
    aloop_metrics metrics;
    aloop *loop;

    (void)state;
    options.clock = ALOOP_CLOCK_VIRTUAL;
    options.allocator = memory_probe_allocator(&probe);
    assert_int_equal(aloop_new(&options, &loop), 0);
    assert_int_equal(aloop_set_thread_limit(loop, 2), 0);
    for (int i = 0; i < 3; i++)
        aloop_task_unref(aloop_create_task_in(loop, visitor, .gate = &gate));
    assert_int_equal(aloop_run_once(loop, 0), 3);
    pthread_mutex_lock(&gate.mutex);
    while (gate.entered < 2)
        pthread_cond_wait(&gate.changed, &gate.mutex);
    pthread_mutex_unlock(&gate.mutex);
    metrics = read_all(loop);
    assert_int_equal(metrics.jobs_running, 2);
    assert_int_equal(metrics.jobs_queued, 1);
    pthread_mutex_lock(&gate.mutex);
    gate.is_open = true;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.mutex);
    assert_int_equal(aloop_run_forever(loop), -EDEADLK);
    metrics = read_all(loop);
    assert_int_equal(metrics.jobs_running, 0);
    assert_int_equal(metrics.jobs_queued, 0);
    assert_int_equal(metrics.tasks_done, 3);
    aloop_unref(loop);
    assert_int_equal(probe.bytes, 0);
}

/* --- durations --- */

static aloop *timed_loop(struct memory_probe *probe)
{
    aloop_options options = ALOOP_OPTIONS_INIT;
    aloop *loop;

    options.allocator = memory_probe_allocator(probe);
    fake_time_install(ALOOP_SEC(1));
    assert_int_equal(aloop_new(&options, &loop), 0);
    return loop;
}

static void end_timed_loop(aloop *loop, struct memory_probe *probe)
{
    aloop_unref(loop);
    fake_time_remove();
    assert_int_equal(probe->bytes, 0);
}

static void take(aloop *loop, void *arg)
{
    (void)loop;
    fake_time.now += *(const aloop_ns *)arg;
}

/* U31: a timer that waits behind a callback is late by what that took, and the kernel's waking the
   loop late counts as well. */
static void lag(void **state)
{
    struct memory_probe probe = {0};
    aloop *loop = timed_loop(&probe);
    aloop_ns long_work = ALOOP_MS(30);
    aloop_metrics metrics;

    (void)state;
    assert_true(aloop_call_later(loop, ALOOP_MS(10), do_nothing, NULL) > 0);
    assert_true(aloop_call_soon(loop, take, &long_work) > 0);
    assert_int_equal(aloop_run_once(loop, 0), 1);
    assert_int_equal(aloop_run_once(loop, ALOOP_NEVER), 1);
    metrics = read_all(loop);
    assert_int_equal(metrics.lag.count, 1);
    assert_int_equal(metrics.lag.max, ALOOP_MS(20));
    assert_int_equal(metrics.lag.p50, ALOOP_MS(20));
    fake_time.late = ALOOP_US(50);
    for (int i = 0; i < 99; i++) {
        assert_true(aloop_call_later(loop, ALOOP_MS(1), do_nothing, NULL) > 0);
        assert_int_equal(aloop_run_once(loop, ALOOP_NEVER), 1);
    }
    fake_time.late = 0;
    metrics = read_all(loop);
    assert_int_equal(metrics.lag.count, 100);
    assert_in_range(metrics.lag.p50, ALOOP_US(50), ALOOP_US(62));
    assert_in_range(metrics.lag.p99, ALOOP_US(50), ALOOP_US(62));
    assert_int_equal(metrics.lag.p999, ALOOP_MS(20));
    assert_int_equal(metrics.lag.sum, ALOOP_MS(20) + 99 * ALOOP_US(50));
    aloop_metrics_clear(loop);
    assert_int_equal(read_all(loop).lag.count, 0);
    assert_int_equal(read_all(loop).lag.max, 0);
    assert_int_equal(read_all(loop).callbacks, 101);
    end_timed_loop(loop, &probe);
}

struct worker {
    ALOOP_FRAME;
    aloop_ns first, second;
};

ALOOP_CORO(worker)
{
    ALOOP_BEGIN;
    fake_time.now += self->first;
    ALOOP_TRY(aloop_sleep(0));
    fake_time.now += self->second;
    ALOOP_END;
}

/* Each step and each callback by itself, each turn as a whole; only while it is wanted. */
static void steps_and_turns(void **state)
{
    struct memory_probe probe = {0};
    aloop *loop = timed_loop(&probe);
    aloop_ns work = 4000;
    aloop_metrics metrics;

    (void)state;
    assert_int_equal(aloop_metrics_measure(loop, true), 0);
    aloop_task_unref(aloop_create_task_in(loop, worker, .first = 1000, .second = 2000));
    assert_true(aloop_call_soon(loop, take, &work) > 0);
    assert_int_equal(aloop_run_once(loop, 0), 2);
    assert_int_equal(aloop_run_once(loop, 0), 1);
    assert_int_equal(aloop_run_once(loop, 0), 0);
    metrics = read_all(loop);
    assert_int_equal(metrics.step.count, 3);
    assert_int_equal(metrics.step.sum, 7000);
    assert_int_equal(metrics.step.max, 4000);
    assert_in_range(metrics.step.p50, 2000, 2499);
    assert_int_equal(metrics.turn.count, 2);
    assert_int_equal(metrics.turn.sum, 7000);
    assert_int_equal(metrics.turn.max, 5000);
    assert_int_equal(metrics.turns, 3);
    assert_int_equal(aloop_metrics_measure(loop, false), 0);
    assert_true(aloop_call_soon(loop, take, &work) > 0);
    assert_int_equal(aloop_run_once(loop, 0), 1);
    assert_int_equal(read_all(loop).step.count, 3);
    assert_int_equal(aloop_metrics_measure(loop, true), 0);
    assert_true(aloop_call_soon(loop, take, &work) > 0);
    assert_int_equal(aloop_run_once(loop, 0), 1);
    assert_int_equal(read_all(loop).step.count, 4);
    /* What has been measured can be read when the loop is closed; nothing else is left by then. */
    assert_true(aloop_call_later(loop, ALOOP_SEC(3600), do_nothing, NULL) > 0);
    assert_true(aloop_call_later(loop, 0, do_nothing, NULL) > 0);
    assert_int_equal(read_all(loop).timers, 2);
    assert_int_equal(aloop_close(loop), 0);
    assert_int_equal(read_all(loop).step.count, 4);
    assert_int_equal(read_all(loop).timers, 0);
    assert_int_equal(read_all(loop).ready, 0);
    assert_int_equal(aloop_metrics_measure(loop, true), -ALOOP_ECLOSED);
    end_timed_loop(loop, &probe);
}

static void measure_from_inside(aloop *loop, void *arg)
{
    assert_int_equal(aloop_metrics_measure(loop, arg != NULL), 0);
}

/* Switched on and off by callbacks of the same run. */
static void measured_from_inside(void **state)
{
    struct memory_probe probe = {0};
    aloop *loop = timed_loop(&probe);

    (void)state;
    assert_true(aloop_call_soon(loop, measure_from_inside, &probe) > 0);
    assert_true(aloop_call_later(loop, 10, do_nothing, NULL) > 0);
    assert_true(aloop_call_later(loop, 20, measure_from_inside, NULL) > 0);
    assert_true(aloop_call_later(loop, 30, do_nothing, NULL) > 0);
    assert_int_equal(aloop_run_forever(loop), -ETIME);
    assert_int_equal(read_all(loop).step.count, 1);
    assert_int_equal(read_all(loop).turn.count, 2);
    end_timed_loop(loop, &probe);
}

/* A clock that is read for a callback is read for it alone. */
static void no_clock_without_measuring(void **state)
{
    struct memory_probe probe = {0};
    aloop *loop = timed_loop(&probe);
    int left = 64;

    (void)state;
    assert_true(aloop_call_soon(loop, post_again, &left) > 0);
    fake_time.readings = 0;
    assert_int_equal(aloop_run_forever(loop), -ETIME);
    /* Behind the one poll: the other found nothing and waited for ever. */
    assert_int_equal(fake_time.readings, 1);
    end_timed_loop(loop, &probe);
}

static void memory_runs_out(void **state)
{
    struct world *world = *state;

    world->memory.fail_from = world->memory.requests + 1;
    assert_int_equal(aloop_metrics_measure(world->loop, true), -ENOMEM);
    assert_int_equal(read_all(world->loop).step.count, 0);
    world_turns(world, 1);
    assert_int_equal(aloop_metrics_measure(world->loop, true), 0);
}

/* --- how it is read --- */

/* The distribution in full agrees with what is read off it. */
static void buckets(void **state)
{
    struct memory_probe probe = {0};
    aloop *loop = timed_loop(&probe);
    const aloop_metrics_kind kinds[] = {ALOOP_METRICS_LAG, ALOOP_METRICS_STEP, ALOOP_METRICS_TURN};
    const uint64_t counts[] = {0, 200, 200};
    aloop_metrics_bucket found[400];
    aloop_ns work = 1;

    (void)state;
    assert_int_equal(aloop_metrics_buckets(loop, (aloop_metrics_kind)0, found, 400), 0);
    assert_int_equal(aloop_metrics_buckets(loop, (aloop_metrics_kind)4, found, 400), 0);
    assert_int_equal(aloop_metrics_measure(loop, true), 0);
    for (int i = 0; i < 200; i++, work += work / 10 + 1) {
        assert_true(aloop_call_soon(loop, take, &work) > 0);
        assert_int_equal(aloop_run_once(loop, 0), 1);
    }
    for (size_t k = 0; k < 3; k++) {
        size_t count = aloop_metrics_buckets(loop, kinds[k], found, 400);
        uint64_t sum = 0;

        assert_in_range(count, 100, 400);
        assert_true(found[count - 1].up_to == ALOOP_NEVER);
        for (size_t i = 0; i < count; i++) {
            sum += found[i].count;
            if (i > 0)
                assert_true(found[i].up_to > found[i - 1].up_to);
            if (i % 4 == 3 && i < count - 1)
                assert_int_equal(found[i].up_to & (found[i].up_to + 1), 0);
        }
        assert_int_equal(sum, counts[k]);
    }
    /* No more than there is room for. */
    found[3].up_to = 12345;
    assert_int_equal(aloop_metrics_buckets(loop, ALOOP_METRICS_LAG, found, 3),
                     aloop_metrics_buckets(loop, ALOOP_METRICS_LAG, NULL, 0));
    assert_int_equal(found[3].up_to, 12345);
    end_timed_loop(loop, &probe);
}

/* A program that was compiled with an older, or with a newer header. */
static void sizes(void **state)
{
    struct world *world = *state;
    struct {
        aloop_metrics metrics;
        unsigned char more[16];
    } large;

    world_turns(world, 3);
    memset(&large, 0xA5, sizeof large);
    aloop_metrics_read(world->loop, &large.metrics, offsetof(aloop_metrics, polls));
    assert_int_equal(large.metrics.turns, 3);
    assert_int_equal(large.metrics.polls, UINT64_C(0xA5A5A5A5A5A5A5A5));
    aloop_metrics_read(world->loop, &large.metrics, sizeof large);
    assert_int_equal(large.metrics.polls, 3);
    for (size_t i = 0; i < sizeof large.more; i++)
        assert_int_equal(large.more[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_yet, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(turns_of_callbacks, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(turns_of_timers, world_setup, world_teardown),
        cmocka_unit_test(callbacks_that_do_not_run),
        cmocka_unit_test_setup_teardown(tasks, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(events_and_posts, world_setup, world_teardown),
        cmocka_unit_test(jobs),
        cmocka_unit_test(lag),
        cmocka_unit_test(steps_and_turns),
        cmocka_unit_test(measured_from_inside),
        cmocka_unit_test(no_clock_without_measuring),
        cmocka_unit_test_setup_teardown(memory_runs_out, world_setup, world_teardown),
        cmocka_unit_test(buckets),
        cmocka_unit_test_setup_teardown(sizes, world_setup, world_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
