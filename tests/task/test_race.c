/* aloop_race(): the first to complete counts; the others are cancelled, and waited for. */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT 3

struct racing {
    ALOOP_FRAME;
    aloop_task **tasks;
    aloop_ns limit; /* 0: none */
    size_t index;
    size_t *out_index;
    int64_t *out;
    aloop_ns *at;
};

ALOOP_CORO(racing)
{
    ALOOP_BEGIN;
    self->index = 99;
    if (self->limit > 0)
        ALOOP_AWAIT(aloop_wait_for(aloop_race_of(self->tasks, COUNT, &self->index), self->limit));
    else
        ALOOP_AWAIT(aloop_race_of(self->tasks, COUNT, &self->index));
    *self->out = self->result;
    *self->out_index = self->index;
    *self->at = aloop_time(aloop_get_running_loop());
    ALOOP_END;
}

/* What a racer does. */
struct racer {
    ALOOP_FRAME;
    aloop_ns delay;
    aloop_ns cleanup; /* when it is cancelled */
    int64_t value;
    int64_t loser; /* what it returns then; 0: -ECANCELED */
};

ALOOP_CORO(racer)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_sleep(self->delay));
    if (self->result == 0)
        ALOOP_RETURN(self->value);
    if (self->cleanup > 0)
        ALOOP_AWAIT(aloop_sleep(self->cleanup));
    ALOOP_RETURN(self->loser == 0 ? -ECANCELED : self->loser);
    ALOOP_END;
}

static const struct {
    struct racer racers[COUNT];
    aloop_ns limit;
    aloop_ns cancel;
    int64_t out;
    size_t index;
    aloop_ns at;
} cases[] = {
    {.racers = {{.delay = 30}, {.delay = 10, .value = 7}, {.delay = 20}},
     .out = 7,
     .index = 1,
     .at = 10},
    /* It waits for the losers. */
    {.racers = {{.delay = 30, .cleanup = 50}, {.delay = 10, .value = 7}, {.delay = 20}},
     .out = 7,
     .index = 1,
     .at = 60},
    /* An error is an end, too; and that of a loser is no news. */
    {.racers = {{.delay = 30, .loser = -EIO}, {.delay = 10, .value = -EPIPE}, {.delay = 20}},
     .out = -EPIPE,
     .index = 1,
     .at = 10},
    {.racers = {{.delay = 10, .value = 1}, {.delay = 10, .value = 2}, {.delay = 10, .value = 3}},
     .out = 1,
     .index = 0,
     .at = 10},
    /* Out of time, and cancelled. */
    {.racers = {{.delay = 30, .cleanup = 5}, {.delay = 30}, {.delay = 30}},
     .limit = 10,
     .out = -ETIMEDOUT,
     .index = 1,
     .at = 15},
    {.racers = {{.delay = 30, .cleanup = 5}, {.delay = 30}, {.delay = 30}},
     .cancel = 10,
     .out = -ECANCELED,
     .index = 99,
     .at = 15},
    /* While the losers are waited for, who are told again: the time limit comes too late, a
       cancellation does not. */
    {.racers = {{.delay = 30, .cleanup = 50}, {.delay = 5, .value = 7}, {.delay = 30}},
     .limit = 10,
     .out = 7,
     .index = 1,
     .at = 10},
    {.racers = {{.delay = 30, .cleanup = 50}, {.delay = 5, .value = 7}, {.delay = 30}},
     .cancel = 10,
     .out = -ECANCELED,
     .index = 99,
     .at = 10},
    {.racers = {{.delay = 10, .value = 1}, {.delay = 20}, {.delay = 20}},
     .limit = 10,
     .out = 1,
     .index = 0,
     .at = 10},
};

static void cancel_task(aloop *loop, void *arg)
{
    (void)loop;
    (void)aloop_task_cancel(arg);
}

static void the_first_counts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world world;
        aloop_task *tasks[COUNT];
        aloop_task *task;
        int64_t out = 0;
        size_t index = 0;
        aloop_ns when = 0;

        world_open(&world, NULL);
        for (int k = 0; k < COUNT; k++) {
            const struct racer *one = &cases[i].racers[k];

            tasks[k] = aloop_create_task_in(world.loop, racer, .delay = one->delay,
                                            .cleanup = one->cleanup, .value = one->value,
                                            .loser = one->loser);
        }
        task = aloop_create_task_in(world.loop, racing, .tasks = tasks, .limit = cases[i].limit,
                                    .out = &out, .out_index = &index, .at = &when);
        if (cases[i].cancel > 0)
            assert_true(aloop_call_later(world.loop, cases[i].cancel, cancel_task, task) > 0);
        world_drain(&world);
        assert_int_equal(out, cases[i].out);
        if (out != -ETIMEDOUT)
            assert_int_equal(index, cases[i].index);
        assert_int_equal(when, cases[i].at);
        for (int k = 0; k < COUNT; k++) {
            assert_true(aloop_task_done(tasks[k]));
            aloop_task_unref(tasks[k]);
        }
        assert_int_equal(world.reports, 0);
        aloop_task_unref(task);
        world_close(&world);
    }
}

struct listed {
    ALOOP_FRAME;
    aloop_future *future;
    aloop_task *task;
    int64_t *out;
};

ALOOP_CORO(listed)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_race(self->task, self->future));
    self->out[0] = self->result;
    ALOOP_AWAIT(aloop_race(self->task, self->future));
    self->out[1] = self->result;
    ALOOP_AWAIT(aloop_race_of(&self->task, 0, NULL));
    self->out[2] = self->result;
    ALOOP_AWAIT(aloop_race(aloop_current_task(), self->future));
    self->out[3] = self->result;
    ALOOP_END;
}

static void a_list_of_both_kinds(void **state)
{
    struct world *world = *state;
    aloop_future *future = aloop_create_future(world->loop);
    aloop_task *task = aloop_create_task_in(world->loop, sleeper, .delay = 5, .value = 3);
    int64_t out[4] = {0};

    aloop_task_unref(
        aloop_create_task_in(world->loop, listed, .future = future, .task = task, .out = out));
    world_drain(world);
    assert_int_equal(out[0], 3);
    assert_true(aloop_future_cancelled(future));
    assert_int_equal(out[1], 3);
    assert_int_equal(out[2], -EINVAL);
    assert_int_equal(out[3], -EDEADLK);
    aloop_future_unref(future);
    aloop_task_unref(task);
}

/* A long row of races, each between its own future and the next one's: that one is won cancels
   what the next is about. Done in the winner's completion it would nest as deep as the row. */
struct runner {
    ALOOP_FRAME;
    aloop_future *mine;
    aloop_future *next;
};

ALOOP_CORO(runner)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_race(self->mine, self->next));
    ALOOP_END;
}

static void a_row_of_races(void **state)
{
    enum { ROW = 20000 };
    struct world *world = *state;
    static aloop_future *futures[ROW + 1];

    for (int i = 0; i <= ROW; i++)
        futures[i] = aloop_create_future(world->loop);
    for (int i = 0; i < ROW; i++)
        aloop_task_unref(
            aloop_create_task_in(world->loop, runner, .mine = futures[i], .next = futures[i + 1]));
    world_turns(world, 2);
    assert_int_equal(aloop_future_set_result(futures[0], 1), 0);
    world_drain(world);
    assert_int_equal(aloop_all_tasks(world->loop, NULL, 0), 0);
    for (int i = 0; i <= ROW; i++) {
        assert_int_equal(aloop_future_cancelled(futures[i]), i > 0);
        aloop_future_unref(futures[i]);
    }
}

static void closing_and_memory(void **state) /* P119 */
{
    (void)state;
    for (int n = 0; n < 12; n++) {
        struct world world;
        aloop_task *tasks[COUNT];
        aloop_task *task;
        int64_t out = 0;
        size_t index;
        aloop_ns when;

        world_open(&world, NULL);
        for (int k = 0; k < COUNT; k++)
            tasks[k] = aloop_create_task_in(world.loop, racer, .delay = 10 + k, .cleanup = 20);
        task = aloop_create_task_in(world.loop, racing, .tasks = tasks, .out = &out,
                                    .out_index = &index, .at = &when);
        if (n > 1)
            world.memory.fail_from = world.memory.requests + n - 1;
        if (n < 2)
            world_turns(&world, 2);
        if (n == 1)
            assert_true(aloop_run_once(world.loop, ALOOP_NEVER) >= 0);
        if (n > 1)
            world_drain(&world);
        assert_true(out == 0 || out == -ENOMEM);
        aloop_task_unref(task);
        for (int k = 0; k < COUNT; k++) {
            /* What could not begin has cancelled nothing. */
            if (out == -ENOMEM)
                assert_int_equal(aloop_task_cancelling(tasks[k]), 0);
            aloop_task_unref(tasks[k]);
        }
        world_close(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
        cmocka_unit_test(the_first_counts),
        TEST(a_list_of_both_kinds),
        TEST(a_row_of_races),
        cmocka_unit_test(closing_and_memory),
#undef TEST
    };

    return cmocka_run_group_tests_name("race", tests, NULL, NULL);
}
