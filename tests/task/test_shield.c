#include "world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct shielded {
    ALOOP_FRAME;
    aloop_task *task;
    aloop_future *future;
};

ALOOP_CORO(shielded)
{
    ALOOP_BEGIN;
    if (self->task != NULL)
        ALOOP_AWAIT(aloop_shield(self->task));
    else
        ALOOP_AWAIT(aloop_shield(self->future));
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

static void who_waits_is_cancelled_alone(void **state) /* S100 */
{
    struct world *world = *state;
    aloop_task *inner = aloop_create_task_in(world->loop, sleeper, .delay = 20, .value = 5);
    aloop_task *task = aloop_create_task_in(world->loop, shielded, .task = inner);
    aloop_task *early = aloop_create_task_in(world->loop, shielded, .task = inner);

    aloop_task_cancel(early);
    world_turns(world, 1);
    assert_true(aloop_task_cancelled(early));
    assert_true(aloop_task_cancel(task));
    world_turns(world, 1);
    assert_true(aloop_task_cancelled(task));
    assert_false(aloop_task_done(inner));
    assert_int_equal(aloop_task_cancelling(inner), 0);
    world_drain(world);
    assert_int_equal(aloop_task_result(inner), 5);
    aloop_task_unref(early);
    aloop_task_unref(task);
    aloop_task_unref(inner);
}

static void a_future_that_is_cancelled_alone(void **state) /* S100 */
{
    struct world *world = *state;
    aloop_future *inner = aloop_create_future(world->loop);
    aloop_future *outer = aloop_shield_future(inner);
    aloop_future *other = aloop_shield_future(inner);

    assert_true(aloop_future_cancel(outer));
    assert_true(aloop_future_cancelled(outer));
    assert_false(aloop_future_done(inner));
    assert_int_equal(aloop_future_set_result(inner, 4), 0);
    world_turns(world, 1);
    assert_int_equal(aloop_future_result(outer), -ECANCELED);
    assert_int_equal(aloop_future_result(other), 4);
    aloop_future_unref(outer);
    aloop_future_unref(other);
    aloop_future_unref(inner);
}

static void outcomes_pass_through(void **state) /* S101 */
{
    struct world *world = *state;
    aloop_future *inner[3];
    aloop_future *outer[3];
    aloop_task *tasks[3];

    for (int i = 0; i < 3; i++) {
        inner[i] = aloop_create_future(world->loop);
        outer[i] = aloop_shield_future(inner[i]);
        tasks[i] = aloop_create_task_in(world->loop, shielded, .future = inner[i]);
    }
    world_turns(world, 1);
    assert_int_equal(aloop_future_set_result(inner[0], 4), 0);
    assert_int_equal(aloop_future_set_exception(inner[1], -EIO), 0);
    assert_true(aloop_future_cancel(inner[2]));
    world_turns(world, 1);
    assert_int_equal(aloop_future_result(outer[0]), 4);
    assert_int_equal(aloop_future_result(outer[1]), -EIO);
    assert_true(aloop_future_cancelled(outer[2]));
    assert_int_equal(aloop_task_result(tasks[0]), 4);
    assert_int_equal(aloop_task_result(tasks[1]), -EIO);
    assert_true(aloop_task_cancelled(tasks[2]));
    for (int i = 0; i < 3; i++) {
        aloop_future_unref(outer[i]);
        aloop_future_unref(inner[i]);
        aloop_task_unref(tasks[i]);
    }
}

static void of_something_done(void **state) /* S101 */
{
    struct world *world = *state;
    aloop_future *inner = aloop_create_future(world->loop);
    aloop_future *outer;

    assert_int_equal(aloop_future_set_result(inner, 4), 0);
    outer = aloop_shield_future(inner);
    assert_ptr_equal(outer, inner);
    aloop_future_unref(outer);
    aloop_future_unref(inner);
    inner = aloop_create_future(NULL);
    assert_ptr_equal(aloop_shield_future(inner), inner);
}

static void a_late_failure_is_reported_once(void **state) /* S102 */
{
    struct world *world = *state;
    aloop_future *inner = aloop_create_future(world->loop);
    aloop_future *outer[3];

    for (int i = 0; i < 3; i++) {
        outer[i] = aloop_shield_future(inner);
        assert_true(aloop_future_cancel(outer[i]));
        aloop_future_unref(outer[i]);
    }
    assert_int_equal(aloop_future_set_exception(inner, -EIO), 0);
    aloop_future_unref(inner);
    world_turns(world, 2);
    assert_int_equal(world->reports, 1);
    assert_int_equal(world->error, -EIO);
}

static void with_gather_inside_and_outside(void **state) /* S103 */
{
    struct world *world = *state;
    aloop_task *tasks[2];
    aloop_future *children[2];
    aloop_future *gather, *shield, *outer;

    for (int i = 0; i < 2; i++) {
        tasks[i] = aloop_create_task_in(world->loop, sleeper, .delay = 10, .value = i);
        children[i] = aloop_task_future(tasks[i]);
    }
    /* shield(gather(a, b)): cancelling it leaves the gather alone. */
    gather = aloop_gather_future(world->loop, children, 2, NULL, 0);
    shield = aloop_shield_future(gather);
    assert_true(aloop_future_cancel(shield));
    assert_false(aloop_future_done(gather));
    aloop_future_unref(shield);
    /* gather(shield(a), b): cancelling it leaves a alone. */
    shield = aloop_shield_future(children[0]);
    outer = aloop_gather_future(world->loop, (aloop_future *[]){shield, children[1]}, 2, NULL, 0);
    world_turns(world, 1);
    assert_true(aloop_future_cancel(outer));
    assert_true(aloop_future_cancelled(shield));
    world_drain(world);
    assert_int_equal(aloop_future_result(outer), -ECANCELED);
    assert_int_equal(aloop_task_result(tasks[0]), 0);
    assert_true(aloop_task_cancelled(tasks[1]));
    assert_int_equal(aloop_future_result(gather), -ECANCELED);
    aloop_future_unref(outer);
    aloop_future_unref(shield);
    aloop_future_unref(gather);
    for (int i = 0; i < 2; i++)
        aloop_task_unref(tasks[i]);
}

static void nobody_holds_it(void **state)
{
    struct world *world = *state;
    aloop_future *inner = aloop_create_future(world->loop);

    aloop_future_unref(aloop_shield_future(inner));
    aloop_future_unref(aloop_shield_future(inner));
    world_turns(world, 1);
    assert_int_equal(aloop_future_set_result(inner, 1), 0);
    world_turns(world, 1);
    aloop_future_unref(inner);
    /* And some that are still there when the loop is closed. */
    inner = aloop_create_future(world->loop);
    aloop_future_unref(aloop_shield_future(inner));
    aloop_future_unref(inner);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_waits_is_cancelled_alone),
        TEST(a_future_that_is_cancelled_alone),
        TEST(outcomes_pass_through),
        TEST(of_something_done),
        TEST(a_late_failure_is_reported_once),
        TEST(with_gather_inside_and_outside),
        TEST(nobody_holds_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
