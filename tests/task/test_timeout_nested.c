/* Timeouts inside of timeouts: S120. */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Two timeouts, one in the other, around a join or a sleep. */
struct nested {
    ALOOP_FRAME;
    aloop_timeout outer;
    aloop_timeout inner;
    aloop_ns outer_limit;
    aloop_ns inner_limit;
    aloop_future *future; /* NULL: sleeps */
    int64_t *out;         /* of the inner, of a sleep between the two, of the outer */
};

ALOOP_CORO(nested)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_timeout_enter(&self->outer, self->outer_limit));
    ALOOP_TRY(aloop_timeout_enter(&self->inner, self->inner_limit));
    if (self->future != NULL)
        ALOOP_AWAIT(aloop_join(self->future));
    else
        ALOOP_AWAIT(aloop_sleep(1000));
    self->out[0] = aloop_timeout_leave(&self->inner, self->result);
    ALOOP_AWAIT(aloop_sleep(500));
    self->out[1] = self->result;
    self->out[2] = aloop_timeout_leave(&self->outer, self->result);
    ALOOP_END;
}

static void only_the_inner(void **state) /* S120 */
{
    struct world *world = *state;
    int64_t out[3];

    aloop_task_unref(aloop_create_task_in(world->loop, nested, .outer_limit = ALOOP_NEVER,
                                          .inner_limit = 5, .out = out));
    world_drain(world);
    assert_int_equal(out[0], -ETIMEDOUT);
    assert_int_equal(out[1], 0);
    assert_int_equal(out[2], 0);
    assert_int_equal(aloop_time(world->loop), 505);
}

static void only_the_outer(void **state) /* S120 */
{
    struct world *world = *state;
    int64_t out[3];

    aloop_task_unref(aloop_create_task_in(world->loop, nested, .outer_limit = 5,
                                          .inner_limit = ALOOP_NEVER, .out = out));
    world_drain(world);
    assert_int_equal(out[0], -ECANCELED);
    /* One delivery each: what comes next is left alone. */
    assert_int_equal(out[1], 0);
    assert_int_equal(out[2], 0);
}

static void keep_busy(aloop *loop, void *arg)
{
    (void)arg;
    (void)loop;
}

/* Both are up in the same turn, in whatever order they were set: the inner one is told first, and
   the outer one interrupts what comes behind it. */
static void both_at_once(void **state) /* S120 */
{
    struct world *world = *state;
    int64_t out[3];

    assert_true(aloop_call_later(world->loop, 5, keep_busy, NULL) > 0);
    aloop_task_unref(
        aloop_create_task_in(world->loop, nested, .outer_limit = 5, .inner_limit = 5, .out = out));
    world_drain(world);
    assert_int_equal(out[0], -ETIMEDOUT);
    assert_int_equal(out[1], -ECANCELED);
    assert_int_equal(out[2], -ETIMEDOUT);
    assert_int_equal(aloop_time(world->loop), 5);
}

/* A future that is joined is cancelled by the first of them. */
static void both_at_once_around_a_join(void **state) /* S120 */
{
    struct world *world = *state;
    int64_t out[3];
    aloop_future *future = aloop_create_future(world->loop);

    aloop_task_unref(aloop_create_task_in(world->loop, nested, .outer_limit = 6, .inner_limit = 5,
                                          .future = future, .out = out));
    world_drain(world);
    assert_true(aloop_future_cancelled(future));
    assert_int_equal(out[0], -ETIMEDOUT);
    assert_int_equal(out[1], -ECANCELED);
    assert_int_equal(out[2], -ETIMEDOUT);
    aloop_future_unref(future);
}

/* Two that are left in the order they were entered, not the other way round. */
struct crossed {
    ALOOP_FRAME;
    aloop_timeout first;
    aloop_timeout second;
    int64_t *out;
};

ALOOP_CORO(crossed)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_timeout_enter(&self->first, 50));
    ALOOP_TRY(aloop_timeout_enter(&self->second, 5));
    (void)aloop_timeout_leave(&self->first, 0);
    ALOOP_AWAIT(aloop_sleep(100));
    *self->out = aloop_timeout_leave(&self->second, self->result);
    ALOOP_AWAIT(aloop_sleep(100));
    if (self->result != 0)
        *self->out = 1;
    ALOOP_END;
}

static void left_out_of_order(void **state)
{
    struct world *world = *state;
    int64_t out = 0;

    aloop_task_unref(aloop_create_task_in(world->loop, crossed, .out = &out));
    world_drain(world);
    assert_int_equal(out, -ETIMEDOUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
        TEST(only_the_inner),    TEST(only_the_outer),
        TEST(both_at_once),      TEST(both_at_once_around_a_join),
        TEST(left_out_of_order),
#undef TEST
    };

    return cmocka_run_group_tests_name("timeout_nested", tests, NULL, NULL);
}
