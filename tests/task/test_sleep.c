#include "world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct yielder {
    ALOOP_FRAME;
    aloop_ns delay;
    int count;
    int *steps;
};

ALOOP_CORO(yielder)
{
    ALOOP_BEGIN;
    for (; self->count > 0; self->count--) {
        ++*self->steps;
        ALOOP_TRY(aloop_sleep(self->delay));
    }
    ALOOP_END;
}

static void zero_and_less_is_one_turn(void **state) /* S68 */
{
    struct world *world = *state;
    int steps[3] = {0, 0, 0};

    for (int i = 0; i < 3; i++)
        aloop_task_unref(aloop_create_task_in(world->loop, yielder, .count = 5,
                                              .delay = i == 0   ? 0
                                                       : i == 1 ? -7
                                                                : INT64_MIN,
                                              .steps = &steps[i]));
    for (int turn = 1; turn <= 5; turn++) {
        world_turns(world, 1);
        for (int i = 0; i < 3; i++)
            assert_int_equal(steps[i], turn);
    }
    world_turns(world, 1);
    assert_int_equal(aloop_all_tasks(world->loop, NULL, 0), 0);
    assert_int_equal(aloop_time(world->loop), 0);
}

struct stopwatch {
    ALOOP_FRAME;
    struct world *world;
    const char *word;
    aloop_ns delay;
    aloop_ns until;
};

ALOOP_CORO(stopwatch)
{
    ALOOP_BEGIN;
    if (self->until != 0)
        ALOOP_TRY(aloop_sleep_until(self->until));
    else
        ALOOP_TRY(aloop_sleep(self->delay));
    world_mark(self->world, self->word);
    ALOOP_RETURN(aloop_time(self->world->loop));
    ALOOP_END;
}

static void never_early_and_in_order(void **state) /* S7, S8 */
{
    static const aloop_ns delays[] = {30, 10, 20, 10};
    static const char *const words[] = {"a30", "b10", "c20", "d10"};
    struct world *world = *state;
    aloop_task *tasks[4];

    for (int i = 0; i < 4; i++)
        tasks[i] = aloop_create_task_in(world->loop, stopwatch, .world = world, .word = words[i],
                                        .delay = delays[i]);
    world_drain(world);
    assert_string_equal(world->log, "b10 d10 c20 a30 ");
    for (int i = 0; i < 4; i++) {
        assert_int_equal(aloop_task_result(tasks[i]), delays[i]);
        aloop_task_unref(tasks[i]);
    }
}

struct late_sleeper {
    ALOOP_FRAME;
    aloop_op op;
};

ALOOP_CORO(late_sleeper)
{
    ALOOP_BEGIN;
    self->op = aloop_sleep(100);
    ALOOP_TRY(aloop_sleep(50));
    ALOOP_TRY(self->op);
    ALOOP_RETURN(aloop_time(aloop_task_loop(aloop_current_task())));
    ALOOP_END;
}

/* An operation does nothing before it is awaited: the delay counts from there. */
static void the_delay_counts_from_the_await(void **state)
{
    struct world *world = *state;

    assert_int_equal(aloop_run_in(world->loop, late_sleeper), 150);
}

static void until_a_point_in_time(void **state)
{
    struct world *world = *state;
    aloop_task *tasks[3];

    tasks[0] =
        aloop_create_task_in(world->loop, stopwatch, .world = world, .word = "a", .until = 40);
    tasks[1] =
        aloop_create_task_in(world->loop, stopwatch, .world = world, .word = "b", .until = 25);
    tasks[2] =
        aloop_create_task_in(world->loop, stopwatch, .world = world, .word = "c", .until = -1);
    world_turns(world, 1);
    /* A point in the past is one turn. */
    assert_string_equal(world->log, "");
    world_drain(world);
    assert_string_equal(world->log, "c b a ");
    assert_int_equal(aloop_task_result(tasks[0]), 40);
    assert_int_equal(aloop_task_result(tasks[1]), 25);
    assert_int_equal(aloop_task_result(tasks[2]), 0);
    for (int i = 0; i < 3; i++)
        aloop_task_unref(tasks[i]);
}

static void cancelling_leaves_no_wake_up(void **state) /* S68 */
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, sleeper, .delay = ALOOP_SEC(9));

    world_turns(world, 1);
    assert_int_equal(aloop_next_timeout(world->loop), ALOOP_SEC(9));
    assert_true(aloop_task_cancel(task));
    world_turns(world, 1);
    assert_int_equal(aloop_task_result(task), -ECANCELED);
    assert_int_equal(aloop_next_timeout(world->loop), ALOOP_NEVER);
    aloop_task_unref(task);
    world_drain(world);
    assert_int_equal(aloop_time(world->loop), 0);
}

struct half_asleep {
    ALOOP_FRAME;
    aloop_future *future;
};

ALOOP_CORO(half_asleep)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_sleep(ALOOP_SEC(9)));
    ALOOP_AWAIT(aloop_join(self->future));
    ALOOP_END;
}

/* Nor in a task that goes on to wait for something else. */
static void nor_in_a_task_that_goes_on(void **state)
{
    struct world *world = *state;
    aloop_future *future = aloop_create_future(world->loop);
    aloop_task *task = aloop_create_task_in(world->loop, half_asleep, .future = future);

    world_turns(world, 1);
    assert_true(aloop_task_cancel(task));
    world_turns(world, 1);
    assert_int_equal(aloop_next_timeout(world->loop), ALOOP_NEVER);
    assert_int_equal(aloop_future_set_result(future, 0), 0);
    world_drain(world);
    assert_true(aloop_task_done(task));
    assert_int_equal(aloop_time(world->loop), 0);
    aloop_task_unref(task);
    aloop_future_unref(future);
}

/* Times are saturating: for ever is not soon. */
static void for_ever(void **state)
{
    struct world *world = *state;
    aloop_task *task;

    aloop_task_unref(aloop_create_task_in(world->loop, sleeper, .delay = 5));
    world_drain(world);
    task = aloop_create_task_in(world->loop, sleeper, .delay = ALOOP_NEVER);
    world_drain(world);
    assert_false(aloop_task_done(task));
    assert_int_equal(aloop_time(world->loop), 5);
    aloop_task_cancel(task);
    aloop_task_unref(task);
    task = aloop_create_task_in(world->loop, sleeper, .delay = ALOOP_NEVER - 1);
    world_drain(world);
    assert_false(aloop_task_done(task));
    aloop_task_cancel(task);
    world_drain(world);
    assert_int_equal(aloop_time(world->loop), 5);
    aloop_task_unref(task);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(zero_and_less_is_one_turn),
        TEST(never_early_and_in_order),
        TEST(the_delay_counts_from_the_await),
        TEST(until_a_point_in_time),
        TEST(cancelling_leaves_no_wake_up),
        TEST(nor_in_a_task_that_goes_on),
        TEST(for_ever),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
