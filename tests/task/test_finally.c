#include "world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum ending { FALLS_OFF, RETURNS, FAILS, BREAKS, SLEEPS };

struct ends {
    ALOOP_FRAME;
    struct world *world;
    enum ending how;
    int64_t override; /* what the cleanup returns, if not 0 */
};

ALOOP_CORO(ends)
{
    ALOOP_BEGIN;
    world_mark(self->world, "body");
    if (self->how == RETURNS)
        ALOOP_RETURN(3);
    if (self->how == FAILS)
        ALOOP_TRY(aloop_join(aloop_create_future(NULL)));
    if (self->how == BREAKS)
        break;
    if (self->how == SLEEPS)
        ALOOP_TRY(aloop_sleep(10));
    ALOOP_FINALLY;
    world_mark(self->world, "cleanup");
    ALOOP_AWAIT(aloop_sleep(5));
    world_mark(self->world, self->result == 0 ? "done" : "cut");
    if (self->override != 0)
        ALOOP_RETURN(self->override);
    ALOOP_END;
}

static int64_t outcome_of(struct world *world, enum ending how, int64_t override)
{
    world->log[0] = '\0';
    return aloop_run_in(world->loop, ends, .world = world, .how = how, .override = override);
}

static void runs_once_however_the_body_ended(void **state)
{
    struct world *world = *state;

    assert_int_equal(outcome_of(world, FALLS_OFF, 0), 0);
    assert_string_equal(world->log, "body cleanup done ");
    assert_int_equal(outcome_of(world, RETURNS, 0), 3);
    assert_string_equal(world->log, "body cleanup done ");
    assert_int_equal(outcome_of(world, FAILS, 0), -ALOOP_ENOLOOP);
    assert_string_equal(world->log, "body cleanup done ");
    /* A stray break leaves the body as if it had come to its end. */
    assert_int_equal(outcome_of(world, BREAKS, 0), 0);
    assert_string_equal(world->log, "body cleanup done ");
}

static void its_own_value_takes_the_place(void **state)
{
    struct world *world = *state;

    assert_int_equal(outcome_of(world, RETURNS, 4), 4);
    assert_int_equal(outcome_of(world, FAILS, 4), 4);
    assert_int_equal(outcome_of(world, FALLS_OFF, -EIO), -EIO);
    assert_string_equal(world->log, "body cleanup done ");
}

struct checks {
    ALOOP_FRAME;
    int64_t value; /* what a call gave */
    int64_t *seen;
};

ALOOP_CORO(checks)
{
    ALOOP_BEGIN;
    ALOOP_CHECK(self->value);
    ALOOP_RETURN(self->result + 1);
    ALOOP_FINALLY;
    ALOOP_AWAIT(aloop_sleep(5));
    *self->seen = ALOOP_OUTCOME;
    ALOOP_END;
}

/* A plain call's error ends the coroutine, its value is kept; and the cleanup knows which. */
static void a_call_is_checked_and_the_cleanup_knows(void **state)
{
    struct world *world = *state;
    int64_t seen = 0;

    assert_int_equal(aloop_run_in(world->loop, checks, .value = -EIO, .seen = &seen), -EIO);
    assert_int_equal(seen, -EIO);
    assert_int_equal(aloop_run_in(world->loop, checks, .value = 0, .seen = &seen), 1);
    assert_int_equal(seen, 1);
    assert_int_equal(aloop_run_in(world->loop, checks, .value = 41, .seen = &seen), 42);
    assert_int_equal(seen, 42);
}

static void after_a_cancellation(void **state)
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, ends, .world = world, .how = SLEEPS);

    world_turns(world, 1);
    aloop_task_cancel(task);
    world_drain(world);
    assert_string_equal(world->log, "body cleanup done ");
    assert_true(aloop_task_cancelled(task));
    assert_int_equal(aloop_time(world->loop), 5);
    aloop_task_unref(task);
}

/* P113: a request that comes during the cleanup does not cut it short; and it is not lost.
   Without the first, half of a cleanup would be skipped; without the second, the task would go
   on as if nobody had asked. */
static void a_request_during_cleanup_waits(void **state)
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, ends, .world = world, .how = RETURNS);

    world_turns(world, 1);
    assert_string_equal(world->log, "body cleanup ");
    assert_true(aloop_task_cancel(task));
    assert_true(aloop_task_cancel(task));
    world_drain(world);
    assert_string_equal(world->log, "body cleanup done ");
    assert_int_equal(aloop_time(world->loop), 5);
    assert_true(aloop_task_cancelled(task));
    aloop_task_unref(task);
}

struct caller {
    ALOOP_FRAME;
    struct world *world;
    enum ending how;
    int64_t first;
};

ALOOP_CORO(caller)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT_TO(self->first, aloop_call(ends, .world = self->world, .how = self->how));
    world_mark(self->world, self->first == 3 ? "three" : "other");
    ALOOP_AWAIT(aloop_sleep(0));
    world_mark(self->world, self->result == -ECANCELED ? "x" : ".");
    ALOOP_AWAIT(aloop_sleep(0));
    world_mark(self->world, self->result == -ECANCELED ? "x" : ".");
    ALOOP_RETURN(9);
    ALOOP_END;
}

/* The callee's result comes out of its cleanup unharmed, and the caller's next await has the
   news. */
static void delivered_at_the_first_await_after(void **state)
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, caller, .world = world, .how = RETURNS);

    world_turns(world, 1);
    aloop_task_cancel(task);
    world_drain(world);
    assert_string_equal(world->log, "body cleanup done three x . ");
    assert_int_equal(aloop_task_result(task), 9);
    aloop_task_unref(task);
}

struct cleaner {
    ALOOP_FRAME;
    struct world *world;
    bool by_call;
    bool nested;
};

ALOOP_CORO(cleaner)
{
    ALOOP_BEGIN;
    ALOOP_FINALLY;
    if (self->nested)
        ALOOP_AWAIT(aloop_call(ends, .world = self->world, .how = SLEEPS));
    else if (self->by_call)
        ALOOP_AWAIT(aloop_cancellable(aloop_call(ends, .world = self->world, .how = SLEEPS)));
    else
        ALOOP_AWAIT(aloop_cancellable(aloop_sleep(100)));
    world_mark(self->world, self->result == -ECANCELED ? "cut" : "whole");
    ALOOP_AWAIT(aloop_sleep(1));
    world_mark(self->world, self->result == 0 ? "." : "x");
    ALOOP_END;
}

static void cleanup_that_may_be_interrupted(void **state)
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, cleaner, .world = world);

    world_turns(world, 1);
    aloop_task_cancel(task);
    world_drain(world);
    /* Delivered, so it is not waiting for the end any more. */
    assert_string_equal(world->log, "cut . ");
    assert_int_equal(aloop_time(world->loop), 1);
    assert_int_equal(aloop_task_result(task), 0);
    aloop_task_unref(task);
}

static void call_that_may_be_interrupted_in_cleanup(void **state)
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, cleaner, .world = world, .by_call = true);

    world_turns(world, 1);
    aloop_task_cancel(task);
    world_turns(world, 1);
    /* The callee's own cleanup is one again. */
    assert_string_equal(world->log, "body cleanup ");
    aloop_task_cancel(task);
    world_drain(world);
    assert_string_equal(world->log, "body cleanup done cut . ");
    assert_true(aloop_task_cancelled(task));
    aloop_task_unref(task);
}

static void an_ordinary_call_in_cleanup_is_part_of_it(void **state)
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, cleaner, .world = world, .nested = true);

    world_turns(world, 1);
    aloop_task_cancel(task);
    world_drain(world);
    assert_string_equal(world->log, "body cleanup done whole . ");
    assert_int_equal(aloop_time(world->loop), 16);
    assert_true(aloop_task_cancelled(task));
    aloop_task_unref(task);
}

struct timed_cleanup {
    ALOOP_FRAME;
    struct world *world;
    int variant;
    int64_t *out;
};

struct inner {
    ALOOP_FRAME;
    struct world *world;
    int64_t *out;
};

ALOOP_CORO(inner)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT_TO(*self->out, aloop_cancellable(aloop_call(sleeper, .delay = 50)));
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

ALOOP_CORO(timed_cleanup)
{
    ALOOP_BEGIN;
    ALOOP_FINALLY;
    /* Time limits of its own do count in a cleanup: of an operation, of a call, and of a call whose
       innermost await is of a call that may be cancelled. */
    if (self->variant == 0)
        ALOOP_AWAIT(aloop_wait_for(aloop_sleep(50), 7));
    else if (self->variant == 1)
        ALOOP_AWAIT(aloop_wait_for(aloop_call(sleeper, .delay = 50), 7));
    else
        ALOOP_AWAIT(aloop_wait_for(aloop_call(inner, .out = self->out), 7));
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

static void time_limits_inside_cleanup(void **state)
{
    struct world *world = *state;
    int64_t out = 0;

    for (int variant = 0; variant < 3; variant++) {
        aloop_ns start = aloop_time(world->loop);

        assert_int_equal(aloop_run_in(world->loop, timed_cleanup, .variant = variant, .out = &out),
                         -ETIMEDOUT);
        assert_int_equal(aloop_time(world->loop) - start, 7);
    }
    assert_int_equal(out, -ECANCELED);
}

struct guarded {
    ALOOP_FRAME;
    struct world *world;
    bool in_time;
};

ALOOP_CORO(guarded)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_sleep(self->in_time ? 2 : 20));
    ALOOP_FINALLY;
    ALOOP_AWAIT(aloop_sleep(10));
    world_mark(self->world, self->result == 0 ? "whole" : "cut");
    ALOOP_END;
}

struct limits {
    ALOOP_FRAME;
    struct world *world;
    bool in_time;
};

ALOOP_CORO(limits)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(
        aloop_wait_for(aloop_call(guarded, .world = self->world, .in_time = self->in_time), 5));
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

/* Time is up while what it limits is in its cleanup: that goes on to its end. */
static void time_limits_around_cleanup(void **state)
{
    struct world *world = *state;

    assert_int_equal(aloop_run_in(world->loop, limits, .world = world), 0);
    assert_int_equal(aloop_time(world->loop), 15);
    assert_int_equal(aloop_run_in(world->loop, limits, .world = world, .in_time = true), 0);
    assert_int_equal(aloop_time(world->loop), 27);
    assert_string_equal(world->log, "whole whole ");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(runs_once_however_the_body_ended),
        TEST(its_own_value_takes_the_place),
        TEST(a_call_is_checked_and_the_cleanup_knows),
        TEST(after_a_cancellation),
        TEST(a_request_during_cleanup_waits),
        TEST(delivered_at_the_first_await_after),
        TEST(cleanup_that_may_be_interrupted),
        TEST(call_that_may_be_interrupted_in_cleanup),
        TEST(an_ordinary_call_in_cleanup_is_part_of_it),
        TEST(time_limits_inside_cleanup),
        TEST(time_limits_around_cleanup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
