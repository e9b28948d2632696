/* Coroutines without the macros: the protocol of <aloop/coro.h>, as it is documented there. */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* As in the header. */
struct by_hand {
    aloop_frame frame;
    int n;
};

static aloop_step by_hand_step(aloop_frame *frame)
{
    struct by_hand *self = (struct by_hand *)frame;

    switch (frame->line) {
    case 0:
        while (self->n > 0) {
            frame->line = 1;
            if (aloop_frame_await(frame, aloop_sleep(ALOOP_MS(200))))
                return ALOOP_STEP_SUSPENDED;
            /* fall through */
        case 1:
            if (frame->result < 0) {
                frame->outcome = frame->result;
                return ALOOP_STEP_DONE;
            }
            self->n--;
        }
    }
    frame->outcome = 0;
    return ALOOP_STEP_DONE;
}

static const aloop_coro by_hand_coro = {
    .name = "by_hand", .file = __FILE__, .step = by_hand_step, .size = sizeof(struct by_hand)};

static void the_documented_example(void **state)
{
    struct world *world = *state;
    aloop_task *task;

    assert_int_equal(aloop_run_coro_in(world->loop, &by_hand_coro, &(struct by_hand){.n = 3}), 0);
    assert_int_equal(aloop_time(world->loop), ALOOP_MS(600));
    task = aloop_task_new(world->loop, &by_hand_coro, &(struct by_hand){.n = 3});
    assert_string_equal(aloop_task_name(task), "by_hand");
    world_turns(world, 1);
    assert_true(aloop_task_cancel(task));
    world_turns(world, 1);
    assert_true(aloop_task_cancelled(task));
    aloop_task_unref(task);
    assert_int_equal(aloop_run_coro(&by_hand_coro, &(struct by_hand){.n = 0}), 0);
}

/* A state machine that owns something, calls, and cleans up. */
struct owner {
    aloop_frame frame;
    struct world *world;
    int64_t ended_with;
    bool forgets_to_leave;
};

static aloop_step owner_step(aloop_frame *frame)
{
    struct owner *self = (struct owner *)frame;

    switch (frame->phase) {
    case 0:
        frame->phase = 1;
        if (aloop_frame_await(frame, aloop_call(sleeper, .delay = 20, .value = 5)))
            return ALOOP_STEP_SUSPENDED;
        /* fall through */
    case 1:
        self->ended_with = frame->result;
        aloop_frame_enter_finally(frame);
        frame->phase = 2;
        if (aloop_frame_await(frame, aloop_sleep(10)))
            return ALOOP_STEP_SUSPENDED;
        /* fall through */
    default:
        world_mark(self->world, frame->result == 0 ? "whole" : "cut");
        if (!self->forgets_to_leave)
            aloop_frame_leave_finally(frame);
        frame->outcome = self->ended_with;
        return ALOOP_STEP_DONE;
    }
}

static void owner_cleanup(aloop_frame *frame)
{
    world_mark(((struct owner *)frame)->world, "cleanup");
}

static const aloop_coro owner_coro = {.name = "owner",
                                      .file = __FILE__,
                                      .step = owner_step,
                                      .cleanup = owner_cleanup,
                                      .size = sizeof(struct owner)};

static void with_calls_and_cleanup(void **state)
{
    struct world *world = *state;
    aloop_task *task;

    assert_int_equal(aloop_run_coro_in(world->loop, &owner_coro, &(struct owner){.world = world}),
                     5);
    assert_int_equal(aloop_time(world->loop), 30);
    assert_string_equal(world->log, "whole ");
    task = aloop_task_new(world->loop, &owner_coro, &(struct owner){.world = world});
    world_turns(world, 1);
    aloop_task_cancel(task);
    world_turns(world, 1);
    aloop_task_cancel(task);
    assert_int_equal(aloop_run_until_complete(world->loop, task), -ECANCELED);
    assert_int_equal(aloop_time(world->loop), 40);
    assert_string_equal(world->log, "whole whole ");
    aloop_task_unref(task);
}

struct outer {
    ALOOP_FRAME;
    struct world *world;
};

ALOOP_CORO(outer)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_call_op(&owner_coro,
                              &(struct owner){.world = self->world, .forgets_to_leave = true}));
    aloop_task_cancel(aloop_current_task());
    ALOOP_AWAIT(aloop_sleep(10));
    world_mark(self->world, aloop_error_name(self->result));
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

/* A frame that ends inside its cleanup leaves it by that; else its caller could not be cancelled
   ever after. */
static void ending_inside_the_cleanup(void **state)
{
    struct world *world = *state;

    assert_int_equal(aloop_run_in(world->loop, outer, .world = world), -ECANCELED);
    assert_string_equal(world->log, "whole ECANCELED ");
}

/* P124: a loop that is closed throws frames away, innermost first, and each that has a cleanup
   function gets it called, whether it ran or not. */
static void cleanup_of_frames_that_are_thrown_away(void **state)
{
    struct world *world = *state;

    aloop_task_unref(aloop_task_new(world->loop, &owner_coro, &(struct owner){.world = world}));
    world_turns(world, 1);
    aloop_task_unref(aloop_create_task_in(world->loop, outer, .world = world));
    world_turns(world, 1);
    assert_true(aloop_run_once(world->loop, ALOOP_NEVER) > 0);
    aloop_task_unref(aloop_task_new(world->loop, &owner_coro, &(struct owner){.world = world}));
    assert_int_equal(aloop_close(world->loop), 0);
    assert_string_equal(world->log, "cleanup cleanup cleanup ");
    assert_int_equal(world->reports, 3);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_documented_example),
        TEST(with_calls_and_cleanup),
        TEST(ending_inside_the_cleanup),
        TEST(cleanup_of_frames_that_are_thrown_away),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
