/* P124: a loop is closed while tasks are in every state that there is. Each end asserts the
   accounts. */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct frame_owner {
    aloop_frame frame;
    struct world *world;
    aloop_op op;
    bool in_finally;
};

static aloop_step owner_step(aloop_frame *frame)
{
    struct frame_owner *self = (struct frame_owner *)frame;

    if (frame->line > 0)
        return ALOOP_STEP_DONE;
    frame->line = 1;
    if (self->in_finally)
        aloop_frame_enter_finally(frame);
    return aloop_frame_await(frame, self->op) ? ALOOP_STEP_SUSPENDED : ALOOP_STEP_DONE;
}

static void owner_cleanup(aloop_frame *frame)
{
    world_mark(((struct frame_owner *)frame)->world, "freed");
}

static const aloop_coro owner_coro = {.name = "owner",
                                      .file = __FILE__,
                                      .step = owner_step,
                                      .cleanup = owner_cleanup,
                                      .size = sizeof(struct frame_owner)};

static aloop_task *start(struct world *world, aloop_op op, bool in_finally)
{
    return aloop_task_new(
        world->loop, &owner_coro,
        &(struct frame_owner){.world = world, .op = op, .in_finally = in_finally});
}

/* Closes, and says whether the task's frame was given back, and its waiter told. */
static void close_with(struct world *world, aloop_task *task)
{
    assert_int_equal(aloop_close(world->loop), 0);
    assert_string_equal(world->log, "freed ");
    assert_true(aloop_task_cancelled(task));
    assert_int_equal(aloop_task_result(task), -ECANCELED);
    aloop_task_unref(task);
}

static void never_run(void **state)
{
    struct world *world = *state;

    close_with(world, start(world, aloop_sleep(1), false));
}

static void sleeping(void **state)
{
    struct world *world = *state;
    aloop_task *task = start(world, aloop_sleep(1), false);

    world_turns(world, 1);
    close_with(world, task);
}

static void in_cleanup(void **state)
{
    struct world *world = *state;
    aloop_task *task = start(world, aloop_sleep(1), true);

    world_turns(world, 1);
    assert_true(aloop_task_cancel(task));
    close_with(world, task);
}

static void woken(void **state)
{
    struct world *world = *state;
    aloop_task *task = start(world, aloop_sleep(0), false);

    world_turns(world, 1);
    close_with(world, task);
}

static void cancelled_and_not_told(void **state)
{
    struct world *world = *state;
    aloop_task *task = start(world, aloop_sleep(1), false);

    world_turns(world, 1);
    assert_true(aloop_task_cancel(task));
    close_with(world, task);
}

static void joining(void **state)
{
    struct world *world = *state;
    aloop_task *other = aloop_create_task_in(world->loop, sleeper, .delay = 5);
    aloop_task *task = start(world, aloop_join(other), false);

    world_turns(world, 1);
    aloop_task_unref(other);
    close_with(world, task);
}

/* The one that is joined comes later in the list of tasks, and earlier. */
static void joined(void **state)
{
    struct world *world = *state;
    aloop_task *task = start(world, aloop_sleep(5), false);

    for (int i = 0; i < 3; i++)
        aloop_task_unref(
            aloop_create_task_in(world->loop, joiner, .future = aloop_task_future(task)));
    world_turns(world, 1);
    close_with(world, task);
    assert_int_equal(world->reports, 4);
}

static void joining_what_it_owns(void **state)
{
    struct world *world = *state;
    aloop_task *other = aloop_create_task_in(world->loop, sleeper, .delay = 5);
    aloop_task *task = start(world, aloop_wait_for(aloop_join_unref(other), 3), false);

    world_turns(world, 1);
    close_with(world, task);
}

static void shielding(void **state)
{
    struct world *world = *state;
    aloop_future *future = aloop_create_future(world->loop);
    aloop_task *task = start(world, aloop_shield(future), false);

    world_turns(world, 1);
    aloop_future_unref(future);
    close_with(world, task);
}

static void gathering(void **state)
{
    struct world *world = *state;
    aloop_future *futures[2] = {aloop_create_future(world->loop), aloop_create_future(world->loop)};
    int64_t results[2];
    aloop_task *task = start(world, aloop_gather_op(futures, 2, results, 0), false);

    world_turns(world, 1);
    aloop_future_unref(futures[0]);
    assert_int_equal(aloop_future_set_result(futures[1], 1), 0);
    close_with(world, task);
    aloop_future_unref(futures[1]);
}

static void time_is_up_and_not_over(void **state)
{
    struct world *world = *state;
    aloop_task *other =
        aloop_create_task_in(world->loop, tidy, .delay = 50, .cleanup = 9, .world = world);
    aloop_task *task = start(world, aloop_wait_for(aloop_join_unref(other), 3), false);

    world_turns(world, 1);
    assert_true(aloop_run_once(world->loop, 3) >= 0);
    assert_true(aloop_run_once(world->loop, 0) >= 0);
    assert_false(aloop_task_done(task));
    close_with(world, task);
}

struct caller {
    ALOOP_FRAME;
    struct world *world;
    int depth;
};

ALOOP_CORO(caller)
{
    ALOOP_BEGIN;
    if (self->depth > 0)
        ALOOP_TRY(
            aloop_wait_for(aloop_call(caller, .world = self->world, .depth = self->depth - 1), 10));
    else
        ALOOP_TRY(aloop_call_op(
            &owner_coro, &(struct frame_owner){.world = self->world, .op = aloop_sleep(50)}));
    ALOOP_END;
}

static void in_a_chain_of_calls_with_limits(void **state)
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, caller, .world = world, .depth = 5);

    world_turns(world, 1);
    close_with(world, task);
}

struct awaits_many {
    ALOOP_FRAME;
    aloop_future *done;
};

ALOOP_CORO(awaits_many)
{
    ALOOP_BEGIN;
    for (;;)
        ALOOP_TRY(aloop_join(self->done));
    ALOOP_END;
}

static void giving_way(void **state)
{
    struct world *world = *state;
    aloop_future *done = aloop_create_future(world->loop);

    assert_int_equal(aloop_future_set_result(done, 0), 0);
    aloop_task_unref(aloop_create_task_in(world->loop, awaits_many, .done = done));
    world_turns(world, 3);
    assert_int_equal(aloop_close(world->loop), 0);
    assert_int_equal(world->reports, 1);
    aloop_future_unref(done);
}

/* A cleanup function does what it must not expect to succeed: nothing comes of it, and nothing
   breaks. */
static void meddling_cleanup(aloop_frame *frame)
{
    struct frame_owner *self = (struct frame_owner *)frame;
    aloop_task *tasks[4];
    size_t count = aloop_all_tasks(self->world->loop, tasks, 4);
    aloop_task *task = aloop_create_task_in(self->world->loop, sleeper);

    assert_int_equal(aloop_task_result(task), -ALOOP_ECLOSED);
    aloop_task_unref(task);
    for (size_t i = 0; i < count && i < 4; i++)
        aloop_task_cancel(tasks[i]);
    world_mark(self->world, "freed");
}

static const aloop_coro meddling_coro = {.name = "meddling",
                                         .file = __FILE__,
                                         .step = owner_step,
                                         .cleanup = meddling_cleanup,
                                         .size = sizeof(struct frame_owner)};

static void cleanup_that_meddles(void **state)
{
    struct world *world = *state;
    aloop_future *future = aloop_create_future(world->loop);

    for (int i = 0; i < 3; i++)
        aloop_task_unref(aloop_task_new(
            world->loop, &meddling_coro,
            &(struct frame_owner){.world = world,
                                  .op = i == 1 ? aloop_join(future) : aloop_sleep(4)}));
    world_turns(world, 1);
    assert_int_equal(aloop_close(world->loop), 0);
    assert_string_equal(world->log, "freed freed freed ");
    aloop_future_unref(future);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(never_run),
        TEST(sleeping),
        TEST(in_cleanup),
        TEST(woken),
        TEST(cancelled_and_not_told),
        TEST(joining),
        TEST(joined),
        TEST(joining_what_it_owns),
        TEST(shielding),
        TEST(gathering),
        TEST(time_is_up_and_not_over),
        TEST(in_a_chain_of_calls_with_limits),
        TEST(giving_way),
        TEST(cleanup_that_meddles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
