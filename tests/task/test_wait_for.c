#include "world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Runs one operation under a time limit, and says what came of it, and when. */
struct limited {
    ALOOP_FRAME;
    aloop_op op;
    aloop_ns limit;
    aloop_ns *when;
    int64_t *out;
    bool ends_cancelled;
};

ALOOP_CORO(limited)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_wait_for(self->op, self->limit));
    if (self->out != NULL)
        *self->out = self->result;
    if (self->when != NULL)
        *self->when = aloop_time(aloop_task_loop(aloop_current_task()));
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

static int64_t run_limited(struct world *world, aloop_op op, aloop_ns limit, aloop_ns *when)
{
    aloop_ns start = aloop_time(world->loop);
    aloop_ns end = 0;
    int64_t result = aloop_run_in(world->loop, limited, .op = op, .limit = limit, .when = &end);

    *when = end - start;
    return result;
}

static void zero_and_less(void **state) /* S110 */
{
    struct world *world = *state;
    aloop_future *done = aloop_create_future(world->loop);
    aloop_future *pending = aloop_create_future(world->loop);
    aloop_ns when;

    assert_int_equal(aloop_future_set_result(done, 5), 0);
    assert_int_equal(run_limited(world, aloop_join(done), 0, &when), 5);
    assert_int_equal(run_limited(world, aloop_join(done), -9, &when), 5);
    assert_int_equal(run_limited(world, aloop_join(pending), 0, &when), -ETIMEDOUT);
    assert_true(aloop_future_cancelled(pending));
    assert_int_equal(run_limited(world, aloop_sleep(1), INT64_MIN, &when), -ETIMEDOUT);
    assert_int_equal(run_limited(world, aloop_sleep(0), 0, &when), -ETIMEDOUT);
    assert_int_equal(aloop_time(world->loop), 0);
    aloop_future_unref(done);
    aloop_future_unref(pending);
}

struct call_at_once {
    ALOOP_FRAME;
    struct world *world;
};

struct tell {
    ALOOP_FRAME;
    struct world *world;
};

ALOOP_CORO(tell)
{
    ALOOP_BEGIN;
    world_mark(self->world, "started");
    ALOOP_END;
}

ALOOP_CORO(call_at_once)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_wait_for(aloop_call(tell, .world = self->world), 0));
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

static void a_call_without_time_is_not_started(void **state) /* S110 */
{
    struct world *world = *state;

    assert_int_equal(aloop_run_in(world->loop, call_at_once, .world = world), -ETIMEDOUT);
    assert_string_equal(world->log, "");
}

static void zero_waits_for_the_cleanup_too(void **state) /* S111 */
{
    struct world *world = *state;
    aloop_ns when;
    aloop_task *task =
        aloop_create_task_in(world->loop, tidy, .delay = 50, .cleanup = 7, .world = world);

    world_turns(world, 1);
    assert_int_equal(run_limited(world, aloop_join(task), 0, &when), -ETIMEDOUT);
    assert_string_equal(world->log, "cleaned ");
    assert_int_equal(when, 7);
    aloop_task_unref(task);
}

/* P109: the limit is over at 10, the cleanup of what it limits takes 7. Returning before that is
   over would leave it running on what the caller is about to free. */
static void waits_for_the_cleanup(void **state) /* S111 */
{
    struct world *world = *state;
    aloop_ns when;
    aloop_task *task =
        aloop_create_task_in(world->loop, tidy, .delay = 50, .cleanup = 7, .world = world);

    assert_int_equal(run_limited(world, aloop_join_unref(task), 10, &when), -ETIMEDOUT);
    assert_string_equal(world->log, "cleaned ");
    assert_int_equal(when, 17);
}

static void a_swallowed_cancellation(void **state) /* S112 */
{
    struct world *world = *state;
    aloop_ns when;
    aloop_task *task =
        aloop_create_task_in(world->loop, stubborn, .delay = 50, .cleanup = 7, .value = 4);

    assert_int_equal(run_limited(world, aloop_join_unref(task), 10, &when), 4);
    assert_int_equal(when, 17);
}

struct worse {
    ALOOP_FRAME;
};

ALOOP_CORO(worse)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_sleep(50));
    ALOOP_RETURN(self->result == -ECANCELED ? -EPIPE : 0);
    ALOOP_END;
}

static void another_error(void **state) /* S113 */
{
    struct world *world = *state;
    aloop_ns when;
    aloop_task *task = aloop_create_task_in(world->loop, worse);

    assert_int_equal(run_limited(world, aloop_join_unref(task), 10, &when), -EPIPE);
}

struct tie {
    ALOOP_FRAME;
    int variant;
    int64_t *after;
};

ALOOP_CORO(tie)
{
    ALOOP_BEGIN;
    if (self->variant == 0)
        ALOOP_AWAIT(aloop_wait_for(aloop_sleep(10), 10));
    else if (self->variant == 1)
        ALOOP_AWAIT(aloop_wait_for(aloop_join_unref(aloop_create_task(sleeper, .delay = 10)), 10));
    else
        ALOOP_AWAIT(aloop_wait_for(aloop_call(sleeper, .delay = 10, .value = 0), 10));
    *self->after = self->result;
    /* And no news of it comes late. */
    ALOOP_TRY(aloop_sleep(5));
    ALOOP_END;
}

/* S114, but decided for the result: what completes in the very moment in which the time is up has
   completed, as an operation, as a task, and as the innermost await of a call. */
static void the_result_wins_a_tie(void **state)
{
    struct world *world = *state;

    for (int variant = 0; variant < 3; variant++) {
        int64_t after = 1;
        int64_t outcome = aloop_run_in(world->loop, tie, .variant = variant, .after = &after);

        /* The task of the second needs a turn more to say that it is done. */
        assert_true(after == 0 || variant == 1);
        assert_int_equal(outcome, 0);
    }
}

static void set_it(aloop *loop, void *arg)
{
    (void)loop;
    assert_int_equal(aloop_future_set_result(arg, 12), 0);
}

/* S114: the future gets its result in the turn in which the time is up, before or after the
   timer. */
static void a_result_in_the_same_turn(void **state)
{
    struct world *world = *state;
    aloop_ns when;

    for (int i = 0; i < 2; i++) {
        aloop_future *future = aloop_create_future(world->loop);
        aloop_ns limit = 10;

        /* Set before the limit's timer, so that it comes first; its callback runs before the
           task. */
        assert_true(aloop_call_later(world->loop, limit, set_it, future) > 0);
        assert_int_equal(run_limited(world, aloop_join(future), limit, &when), 12);
        aloop_future_unref(future);
    }
}

static void in_time(void **state)
{
    struct world *world = *state;
    aloop_ns when;

    assert_int_equal(run_limited(world, aloop_sleep(10), 11, &when), 0);
    assert_int_equal(when, 10);
    assert_int_equal(aloop_next_timeout(world->loop), ALOOP_NEVER);
    assert_int_equal(run_limited(world, aloop_sleep(10), ALOOP_NEVER, &when), 0);
    assert_int_equal(run_limited(world, aloop_sleep(11), 10, &when), -ETIMEDOUT);
    assert_int_equal(when, 10);
    assert_int_equal(aloop_next_timeout(world->loop), ALOOP_NEVER);
}

static void of_a_limited_operation(void **state)
{
    struct world *world = *state;
    aloop_ns when;

    assert_int_equal(run_limited(world, aloop_wait_for(aloop_sleep(50), 20), 10, &when),
                     -ETIMEDOUT);
    assert_int_equal(when, 10);
    assert_int_equal(run_limited(world, aloop_wait_for(aloop_sleep(50), 10), 20, &when),
                     -ETIMEDOUT);
    assert_int_equal(when, 10);
}

static void cancelled_from_outside(void **state) /* S115 */
{
    struct world *world = *state;
    aloop_task *inner =
        aloop_create_task_in(world->loop, tidy, .delay = 50, .cleanup = 7, .world = world);
    aloop_task *task =
        aloop_create_task_in(world->loop, limited, .op = aloop_join(inner), .limit = 20);

    world_turns(world, 1);
    assert_true(aloop_task_cancel(task));
    world_drain(world);
    assert_true(aloop_task_cancelled(inner));
    assert_true(aloop_task_cancelled(task));
    assert_int_equal(aloop_time(world->loop), 7);
    aloop_task_unref(task);
    aloop_task_unref(inner);
}

static void cancel_it(aloop *loop, void *arg)
{
    (void)loop;
    assert_true(aloop_task_cancel(arg));
}

/* P110, S115: the time is up at 10, and what was limited cleans up until 17; at 12 somebody
   cancels who waits. Taken for a part of the timeout, that request would be gone. */
static void cancelled_while_the_limit_is_being_kept(void **state)
{
    struct world *world = *state;
    int64_t out = 0;
    aloop_task *inner =
        aloop_create_task_in(world->loop, tidy, .delay = 50, .cleanup = 7, .world = world);
    aloop_task *task = aloop_create_task_in(world->loop, limited, .op = aloop_join(inner),
                                            .limit = 10, .out = &out);

    assert_true(aloop_call_later(world->loop, 12, cancel_it, task) > 0);
    world_drain(world);
    assert_int_equal(out, -ECANCELED);
    assert_true(aloop_task_cancelled(task));
    assert_int_equal(aloop_time(world->loop), 17);
    aloop_task_unref(task);
    aloop_task_unref(inner);
}

/* And a request in the turn in which what it waits for has ended. */
static void cancelled_in_the_turn_of_the_end(void **state)
{
    struct world *world = *state;
    aloop_task *inner = aloop_create_task_in(world->loop, sleeper, .delay = 10);
    int64_t out = 0;
    aloop_task *task = aloop_create_task_in(world->loop, limited, .op = aloop_join(inner),
                                            .limit = 20, .out = &out);

    world_turns(world, 1);
    assert_int_equal(aloop_run_once(world->loop, ALOOP_NEVER), 1);
    assert_true(aloop_task_done(inner));
    assert_true(aloop_task_cancel(task));
    world_drain(world);
    assert_int_equal(out, -ECANCELED);
    assert_int_equal(aloop_task_cancelling(task), 1);
    aloop_task_unref(task);
    aloop_task_unref(inner);
}

static void a_shielded_one_survives(void **state) /* S116 */
{
    struct world *world = *state;
    aloop_future *future = aloop_create_future(world->loop);
    aloop_future *shield = aloop_shield_future(future);
    aloop_ns when;

    assert_int_equal(run_limited(world, aloop_shield(future), 10, &when), -ETIMEDOUT);
    assert_false(aloop_future_done(future));
    assert_int_equal(run_limited(world, aloop_join(shield), 10, &when), -ETIMEDOUT);
    assert_true(aloop_future_cancelled(shield));
    assert_false(aloop_future_done(future));
    aloop_future_unref(shield);
    aloop_future_unref(future);
}

struct takes_all_kinds {
    ALOOP_FRAME;
    aloop_future *future;
    aloop_task *task;
    int64_t sum;
};

ALOOP_CORO(takes_all_kinds)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_wait_for(self->future, 10));
    self->sum += self->result;
    ALOOP_TRY(aloop_wait_for(self->task, 10));
    self->sum += self->result;
    ALOOP_TRY(aloop_wait_for(aloop_call(sleeper, .delay = 3, .value = 30), 10));
    self->sum += self->result;
    ALOOP_RETURN(self->sum);
    ALOOP_END;
}

static void takes_futures_tasks_and_operations(void **state)
{
    struct world *world = *state;
    aloop_future *future = aloop_create_future(world->loop);
    aloop_task *task = aloop_create_task_in(world->loop, sleeper, .delay = 3, .value = 20);

    assert_int_equal(aloop_future_set_result(future, 10), 0);
    assert_int_equal(aloop_run_in(world->loop, takes_all_kinds, .future = future, .task = task),
                     60);
    aloop_future_unref(future);
    aloop_task_unref(task);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(zero_and_less),
        TEST(a_call_without_time_is_not_started),
        TEST(zero_waits_for_the_cleanup_too),
        TEST(waits_for_the_cleanup),
        TEST(a_swallowed_cancellation),
        TEST(another_error),
        TEST(the_result_wins_a_tie),
        TEST(a_result_in_the_same_turn),
        TEST(in_time),
        TEST(of_a_limited_operation),
        TEST(cancelled_from_outside),
        TEST(cancelled_while_the_limit_is_being_kept),
        TEST(cancelled_in_the_turn_of_the_end),
        TEST(a_shielded_one_survives),
        TEST(takes_futures_tasks_and_operations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
