/* aloop_wait(): S104 to S108, and how it meets cancellation and time limits. */
#include "task/internal.h"
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT 3

struct waiting {
    ALOOP_FRAME;
    aloop_task **tasks;
    size_t count;
    aloop_return_when when;
    aloop_ns timeout;
    int64_t *out;
    aloop_ns *at;
};

ALOOP_CORO(waiting)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_wait(self->tasks, self->count, self->when, self->timeout));
    *self->out = self->result;
    if (self->at != NULL)
        *self->at = aloop_time(aloop_get_running_loop());
    ALOOP_END;
}

static void children(struct world *world, aloop_task **tasks, const aloop_ns *delays,
                     const int64_t *values)
{
    for (int i = 0; i < COUNT; i++)
        tasks[i] =
            aloop_create_task_in(world->loop, sleeper, .delay = delays[i], .value = values[i]);
}

static void drop(aloop_task **tasks)
{
    for (int i = 0; i < COUNT; i++)
        aloop_task_unref(tasks[i]);
}

/* Nothing of the wait is left at those that are pending. */
static void assert_untouched(aloop_task *const *tasks)
{
    for (int i = 0; i < COUNT; i++) {
        const aloop_waitlist *waiters = &tasks[i]->future.waiters;

        assert_true(aloop_waitlist_is_empty(waiters));
        assert_int_equal(aloop_task_cancelling(tasks[i]), 0);
    }
}

static void for_what_it_says(void **state) /* S104, S105, S106, S108 */
{
    static const struct {
        aloop_return_when when;
        aloop_ns timeout;
        aloop_ns delays[COUNT];
        int64_t values[COUNT];
        int64_t expected;
        aloop_ns at;
    } cases[] = {
        {ALOOP_ALL_COMPLETED, ALOOP_NEVER, {10, 30, 20}, {0, -EPIPE, 1}, 3, 30},
        {ALOOP_FIRST_COMPLETED, ALOOP_NEVER, {10, 30, 20}, {0, 0, 1}, 1, 10},
        /* All that are done when it goes on. */
        {ALOOP_FIRST_COMPLETED, ALOOP_NEVER, {10, 10, 20}, {0, -EPIPE, 1}, 2, 10},
        {ALOOP_FIRST_EXCEPTION, ALOOP_NEVER, {10, 30, 20}, {0, 0, -EPIPE}, 2, 20},
        /* Being cancelled is no failure. */
        {ALOOP_FIRST_EXCEPTION, ALOOP_NEVER, {10, 30, 20}, {-ECANCELED, 0, 0}, 3, 30},
        {ALOOP_ALL_COMPLETED, 15, {10, 30, 20}, {0, 0, 0}, 1, 15},
        {ALOOP_FIRST_EXCEPTION, 5, {10, 30, 20}, {0, 0, 0}, 0, 5},
        /* A tie: what is done counts. */
        {ALOOP_ALL_COMPLETED, 30, {10, 30, 20}, {0, 0, 0}, 3, 30},
        {ALOOP_ALL_COMPLETED, 0, {10, 30, 20}, {0, 0, 0}, 0, 0},
        {ALOOP_ALL_COMPLETED, -7, {10, 30, 20}, {0, 0, 0}, 0, 0},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world world;
        aloop_task *tasks[COUNT];
        int64_t out = -1;
        aloop_ns when = -1;

        world_open(&world, NULL);
        children(&world, tasks, cases[i].delays, cases[i].values);
        aloop_task_unref(aloop_create_task_in(world.loop, waiting, .tasks = tasks, .count = COUNT,
                                              .when = cases[i].when, .timeout = cases[i].timeout,
                                              .out = &out, .at = &when));
        while (out < 0)
            assert_true(aloop_run_once(world.loop, ALOOP_NEVER) >= 0);
        assert_int_equal(out, cases[i].expected);
        assert_int_equal(when, cases[i].at);
        assert_untouched(tasks);
        world_drain(&world);
        for (int k = 0; k < COUNT; k++)
            assert_int_equal(aloop_task_result(tasks[k]), cases[i].values[k]);
        drop(tasks);
        world_close(&world);
    }
}

static void what_is_done_already(void **state) /* S62 */
{
    struct world *world = *state;
    aloop_task *tasks[COUNT];
    int64_t out;
    long requests;

    children(world, tasks, (aloop_ns[]){1, 2, 50}, (int64_t[]){0, -EPIPE, 0});
    assert_true(aloop_run_once(world->loop, 0) >= 0);
    while (aloop_all_tasks(world->loop, NULL, 0) > 1)
        assert_true(aloop_run_once(world->loop, ALOOP_NEVER) >= 0);
    for (int when = ALOOP_ALL_COMPLETED; when <= ALOOP_FIRST_EXCEPTION; when++) {
        out = -1;
        aloop_task_unref(aloop_create_task_in(
            world->loop, waiting, .tasks = tasks, .count = COUNT, .when = (aloop_return_when)when,
            .timeout = when == ALOOP_ALL_COMPLETED ? 0 : 9, .out = &out));
        requests = world->memory.requests;
        world_turns(world, 1);
        assert_int_equal(out, 2);
        assert_int_equal(world->memory.requests, requests);
    }
    world_drain(world);
    /* Nobody has looked at the error so far. */
    assert_int_equal(world->reports, 0);
    drop(tasks);
    assert_int_equal(world->reports, 1);
}

static void bad_arguments(void **state) /* S107 */
{
    struct world *world = *state;
    struct world other;
    aloop_task *tasks[COUNT];
    int64_t out[5] = {0};
    aloop_task *foreign, *own;

    world_open(&other, NULL);
    foreign = aloop_create_task_in(other.loop, sleeper);
    children(world, tasks, (aloop_ns[]){1, 2, 3}, (int64_t[]){0, 0, 0});
    aloop_task_unref(aloop_create_task_in(world->loop, waiting, .tasks = tasks, .out = &out[0],
                                          .when = ALOOP_ALL_COMPLETED));
    aloop_task_unref(
        aloop_create_task_in(world->loop, waiting, .tasks = tasks, .count = COUNT, .out = &out[1]));
    aloop_task_unref(aloop_create_task_in(world->loop, waiting, .tasks = tasks, .count = COUNT,
                                          .when = (aloop_return_when)4, .out = &out[2]));
    aloop_task_unref(aloop_create_task_in(world->loop, waiting, .tasks = &foreign, .count = 1,
                                          .when = ALOOP_ALL_COMPLETED, .out = &out[3]));
    aloop_task_unref(own = aloop_create_task_in(world->loop, waiting, .tasks = &own, .count = 1,
                                                .when = ALOOP_ALL_COMPLETED, .out = &out[4]));
    world_drain(world);
    assert_int_equal(out[0], -EINVAL);
    assert_int_equal(out[1], -EINVAL);
    assert_int_equal(out[2], -EINVAL);
    assert_int_equal(out[3], -ALOOP_EWRONGLOOP);
    assert_int_equal(out[4], -EDEADLK);
    drop(tasks);
    world_drain(&other);
    aloop_task_unref(foreign);
    world_close(&other);
}

static void cancelled(void **state) /* S104, S108 */
{
    struct world *world = *state;
    aloop_task *tasks[COUNT];
    int64_t out = 0;
    aloop_task *task;

    children(world, tasks, (aloop_ns[]){10, 20, 30}, (int64_t[]){1, 2, 3});
    task = aloop_create_task_in(world->loop, waiting, .tasks = tasks, .count = COUNT, .timeout = 99,
                                .when = ALOOP_ALL_COMPLETED, .out = &out);
    world_turns(world, 2);
    aloop_task_cancel(task);
    world_turns(world, 2);
    assert_int_equal(out, -ECANCELED);
    assert_untouched(tasks);
    world_drain(world);
    assert_int_equal(aloop_time(world->loop), 30);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(aloop_task_result(tasks[i]), i + 1);
    drop(tasks);
    aloop_task_unref(task);
}

struct futures_waiting {
    ALOOP_FRAME;
    aloop_future *futures[3];
    int64_t *out;
};

ALOOP_CORO(futures_waiting)
{
    ALOOP_BEGIN;
    /* The same one twice counts twice; the array need not stay. */
    ALOOP_AWAIT(aloop_wait_for(
        aloop_wait(((aloop_future *[]){self->futures[0], self->futures[1], self->futures[1]}), 3,
                   ALOOP_ALL_COMPLETED, ALOOP_NEVER),
        50));
    *self->out = self->result;
    ALOOP_END;
}

static void futures_under_a_limit(void **state)
{
    struct world *world = *state;

    for (int late = 0; late < 2; late++) {
        int64_t out = 0;
        aloop_future *futures[2] = {aloop_create_future(world->loop),
                                    aloop_create_future(world->loop)};

        aloop_task_unref(aloop_create_task_in(world->loop, futures_waiting, .out = &out,
                                              .futures = {futures[0], futures[1]}));
        world_turns(world, 1);
        assert_int_equal(aloop_future_set_result(futures[0], 1), 0);
        if (!late)
            assert_int_equal(aloop_future_set_exception(futures[1], -EIO), 0);
        world_drain(world);
        assert_int_equal(out, late ? -ETIMEDOUT : 3);
        assert_int_equal(aloop_future_done(futures[1]), !late);
        assert_int_equal(aloop_future_exception(futures[1]), late ? -ALOOP_EPENDING : -EIO);
        aloop_future_unref(futures[0]);
        aloop_future_unref(futures[1]);
    }
}

/* The wait holds what it waits for. */
static void the_only_reference(void **state)
{
    struct world *world = *state;
    aloop_future *future = aloop_create_future(world->loop);
    int64_t out = 0;

    aloop_task_unref(aloop_create_task_in(world->loop, futures_waiting, .out = &out,
                                          .futures = {future, future}));
    world_turns(world, 1);
    aloop_future_unref(future);
    world_drain(world);
    assert_int_equal(out, -ETIMEDOUT);
}

static void closing_and_memory(void **state) /* P119 */
{
    (void)state;
    for (int n = 0; n < 12; n++) {
        struct world world;
        aloop_task *tasks[COUNT];
        aloop_task *task;
        int64_t out = 0;

        world_open(&world, NULL);
        children(&world, tasks, (aloop_ns[]){10, 20, 30}, (int64_t[]){1, 2, 3});
        task = aloop_create_task_in(world.loop, waiting, .tasks = tasks, .count = COUNT,
                                    .timeout = 99, .when = ALOOP_ALL_COMPLETED, .out = &out);
        if (n > 0)
            world.memory.fail_from = world.memory.requests + n;
        if (n == 0)
            world_turns(&world, 2);
        else
            world_drain(&world);
        assert_true(out == 0 || out == 3 || out == -ENOMEM);
        aloop_task_unref(task);
        drop(tasks);
        world_close(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
        cmocka_unit_test(for_what_it_says),
        TEST(what_is_done_already),
        TEST(bad_arguments),
        TEST(cancelled),
        TEST(futures_under_a_limit),
        TEST(the_only_reference),
        cmocka_unit_test(closing_and_memory),
#undef TEST
    };

    return cmocka_run_group_tests_name("wait", tests, NULL, NULL);
}
