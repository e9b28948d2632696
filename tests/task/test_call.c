/*
 * Calls of coroutines at every depth around the one to which they nest on the C stack, with each
 * way to end, or not to, at the bottom. What the callers see is the same for all depths.
 */
#include "base/compiler.h"
#include "task/internal.h"
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define DEPTH_MAX 10

enum bottom {
    BOTTOM_ENDS,
    BOTTOM_FAILS,
    BOTTOM_YIELDS,
    BOTTOM_SLEEPS,
    BOTTOM_WAITS,    /* until it is cancelled */
    BOTTOM_IS_WOKEN, /* by something stray, and ends */
    BOTTOM_CLEANS_UP,
    BOTTOM_IS_IN_A_SCOPE, /* which it does not leave by itself */
    BOTTOM_COUNT
};

struct trail {
    int begun, ended, cleaned;
};

static aloop *new_loop(void)
{
    aloop_options options = ALOOP_OPTIONS_INIT;
    aloop *loop;

    options.clock = ALOOP_CLOCK_VIRTUAL;
    assert_int_equal(aloop_new(&options, &loop), 0);
    return loop;
}

struct level {
    ALOOP_FRAME;
    struct trail *trail;
    int depth;
    enum bottom bottom;
    aloop_timeout timeout;
};

ALOOP_CORO(level)
{
    ALOOP_BEGIN;
    self->trail->begun++;
    if (self->depth > 0) {
        ALOOP_TRY(aloop_call(level, .trail = self->trail, .depth = self->depth - 1,
                             .bottom = self->bottom));
        assert_null(self->aloop_frame_.task->scope);
        self->trail->ended++;
        ALOOP_RETURN(self->result + 1);
    }
    if (self->bottom == BOTTOM_FAILS)
        ALOOP_RETURN(-EIO);
    if (self->bottom == BOTTOM_YIELDS)
        ALOOP_TRY(aloop_sleep(0));
    else if (self->bottom == BOTTOM_SLEEPS)
        ALOOP_TRY(aloop_sleep(ALOOP_SEC(1)));
    else if (self->bottom == BOTTOM_WAITS)
        ALOOP_TRY(aloop_sleep(ALOOP_NEVER));
    else if (self->bottom == BOTTOM_IS_IN_A_SCOPE)
        ALOOP_TRY(aloop_timeout_enter(&self->timeout, ALOOP_SEC(1)));
    else if (self->bottom == BOTTOM_IS_WOKEN)
        task_wake(self->aloop_frame_.task);
    self->trail->ended++;
    ALOOP_RETURN(100);
    ALOOP_FINALLY;
    if (self->bottom == BOTTOM_CLEANS_UP) {
        ALOOP_AWAIT(aloop_sleep(0));
        self->trail->cleaned++;
    }
    ALOOP_END;
}

static int64_t expected(int depth, enum bottom bottom)
{
    if (bottom == BOTTOM_FAILS)
        return -EIO;
    return bottom == BOTTOM_WAITS ? -ECANCELED : 100 + depth;
}

static void test_each_depth_and_end(void **state)
{
    (void)state;
    for (int depth = 0; depth <= DEPTH_MAX; depth++) {
        for (int bottom = 0; bottom < BOTTOM_COUNT; bottom++) {
            aloop *loop = new_loop();
            struct trail trail = {0};
            aloop_task *task = aloop_create_task_in(loop, level, .trail = &trail, .depth = depth,
                                                    .bottom = (enum bottom)bottom);
            aloop_task *other = aloop_create_task_in(loop, level, .trail = &trail, .depth = depth);
            bool fails = expected(depth, (enum bottom)bottom) < 0;

            assert_true(aloop_run_once(loop, 0) >= 0);
            assert_int_equal(trail.begun, 2 * (depth + 1));
            assert_int_equal(loop->calls_nested, 0);
            if (bottom == BOTTOM_WAITS)
                assert_true(aloop_task_cancel(task));
            assert_int_equal(aloop_run_until_complete(loop, task),
                             expected(depth, (enum bottom)bottom));
            assert_int_equal(aloop_run_until_complete(loop, other), 100 + depth);
            assert_int_equal(trail.ended, (fails ? 1 : 2) * (depth + 1));
            assert_int_equal(trail.cleaned, bottom == BOTTOM_CLEANS_UP ? depth + 1 : 0);
            assert_int_equal(loop->calls_nested, 0);
            aloop_task_unref(task);
            aloop_task_unref(other);
            aloop_unref(loop);
        }
    }
}

/* The address of a local of the coroutine, as a measure of how deep in the C stack it runs. */
struct probe {
    ALOOP_FRAME;
    int left;
    uintptr_t deepest, highest;
    struct probe *top;
};

static NOINLINE PLAIN_FRAME void note_stack(struct probe *top)
{
    volatile char here = 0;
    uintptr_t address = (uintptr_t)&here;

    (void)here;
    if (address < top->deepest)
        top->deepest = address;
    if (address > top->highest)
        top->highest = address;
}

ALOOP_CORO(probe)
{
    ALOOP_BEGIN;
    if (self->top == NULL) {
        self->top = self;
        self->deepest = UINTPTR_MAX;
    }
    note_stack(self->top);
    if (self->left > 0)
        ALOOP_TRY(aloop_call(probe, .left = self->left - 1, .top = self->top));
    if (self->top == self)
        ALOOP_RETURN((int64_t)(self->highest - self->deepest));
    ALOOP_END;
}

/* Ten thousand calls take no more of the C stack than a handful. */
static void test_nesting_has_a_limit(void **state)
{
    aloop *loop = new_loop();
    int64_t few = aloop_run_in(loop, probe, .left = 8);
    int64_t many = aloop_run_in(loop, probe, .left = 10000);

    (void)state;
    assert_true(few >= 0);
    assert_int_equal(many, few);
    aloop_unref(loop);
}

/* A call that does not wait has ended when the await is over, without a turn in between; so has one
   of many, until the budget of the step is used up. */
struct counter {
    ALOOP_FRAME;
    int times;
    uint64_t turns;
};

ALOOP_CORO(counter)
{
    ALOOP_BEGIN;
    self->turns = self->aloop_frame_.task->future.loop->turns;
    for (; self->times > 0; self->times--)
        ALOOP_TRY(aloop_call(probe, .left = 2));
    ALOOP_RETURN((int64_t)(self->aloop_frame_.task->future.loop->turns - self->turns));
    ALOOP_END;
}

static void test_calls_use_up_the_budget(void **state)
{
    aloop *loop = new_loop();

    (void)state;
    assert_int_equal(aloop_run_in(loop, counter, .times = TASK_BUDGET / 3 - 1), 0);
    assert_int_equal(aloop_run_in(loop, counter, .times = TASK_BUDGET * 2), 6);
    aloop_unref(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_depth_and_end),
        cmocka_unit_test(test_nesting_has_a_limit),
        cmocka_unit_test(test_calls_use_up_the_budget),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
