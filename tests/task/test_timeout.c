/* Timeouts as scopes: S117 to S122, and how they meet cancellation, groups and cleanup. */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* One timeout around one sleep; what comes out of it, and of the code behind it. */
struct timed {
    ALOOP_FRAME;
    aloop_timeout timeout;
    aloop_ns limit;
    aloop_ns delay;
    aloop_ns after; /* >= 0: sleeps so long behind it */
    int64_t *out;   /* of the scope; then of the sleep behind it */
    bool *expired;
};

ALOOP_CORO(timed)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_timeout_enter(&self->timeout, self->limit));
    ALOOP_AWAIT(aloop_sleep(self->delay));
    self->out[0] = aloop_timeout_leave(&self->timeout, self->result);
    if (self->expired != NULL)
        *self->expired = aloop_timeout_expired(&self->timeout);
    if (self->after >= 0) {
        ALOOP_AWAIT(aloop_sleep(self->after));
        self->out[1] = self->result;
    }
    ALOOP_END;
}

static void in_time_and_too_late(void **state)
{
    struct world *world = *state;
    int64_t out[2] = {1, 1};
    bool expired = true;

    aloop_task_unref(aloop_create_task_in(world->loop, timed, .limit = 10, .delay = 5, .after = 20,
                                          .out = out, .expired = &expired));
    world_drain(world);
    assert_int_equal(out[0], 0);
    assert_int_equal(out[1], 0);
    assert_false(expired);
    assert_int_equal(aloop_time(world->loop), 25);

    aloop_task_unref(aloop_create_task_in(world->loop, timed, .limit = 10, .delay = 11, .after = 20,
                                          .out = out, .expired = &expired));
    world_drain(world);
    assert_int_equal(out[0], -ETIMEDOUT);
    assert_int_equal(out[1], 0);
    assert_true(expired);
    assert_int_equal(aloop_time(world->loop), 55);
}

/* A tie goes to the result: the time limit is asked only when there is none. */
static void a_tie(void **state)
{
    struct world *world = *state;
    int64_t out[2] = {1, 1};
    bool expired = false;

    aloop_task_unref(aloop_create_task_in(world->loop, timed, .limit = 10, .delay = 10, .after = 5,
                                          .out = out, .expired = &expired));
    world_drain(world);
    assert_int_equal(out[0], 0);
    assert_int_equal(out[1], 0);
}

/* The first await that waits is interrupted, also one that only waits for its next turn: without
   asking in the yield, a block of these under a limit of zero would never end. */
static void no_time_at_all(void **state) /* S117 */
{
    struct world *world = *state;
    static const aloop_ns limits[] = {0, -5};
    int64_t out[2];

    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        for (aloop_ns delay = 0; delay < 2; delay++) {
            out[0] = 1;
            aloop_task_unref(aloop_create_task_in(world->loop, timed, .limit = limits[i],
                                                  .delay = delay, .after = 0, .out = out));
            world_drain(world);
            assert_int_equal(out[0], -ETIMEDOUT);
            assert_int_equal(out[1], 0);
        }
    }
}

static aloop_poll at_once(aloop_task *task, aloop_op *op)
{
    (void)task;
    return op->arg[0].number;
}

static aloop_op ready(int64_t value)
{
    return (aloop_op){.poll = at_once, .arg = {{.number = value}}};
}

struct nonstop {
    ALOOP_FRAME;
    aloop_timeout timeout;
    int64_t i;
    int64_t *out;
};

ALOOP_CORO(nonstop)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_timeout_enter_at(&self->timeout, -1));
    for (self->i = 0; self->i < 100; self->i++) {
        ALOOP_AWAIT(ready(7));
        if (self->result != 7)
            ALOOP_RETURN(-EIO);
    }
    self->out[0] = aloop_timeout_leave(&self->timeout, self->result);
    self->out[1] = aloop_timeout_expired(&self->timeout);
    ALOOP_END;
}

static void a_block_that_does_not_wait(void **state) /* S117 */
{
    struct world *world = *state;
    int64_t out[2] = {-1, -1};

    aloop_task_unref(aloop_create_task_in(world->loop, nonstop, .out = out));
    world_drain(world);
    assert_int_equal(out[0], 7);
    assert_int_equal(out[1], 0);
}

struct never_waiting {
    ALOOP_FRAME;
    aloop_timeout timeout;
    int64_t count;
};

ALOOP_CORO(never_waiting)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_timeout_enter(&self->timeout, 0));
    for (;; self->count++)
        ALOOP_TRY(ready(self->count));
    ALOOP_FINALLY;
    ALOOP_RETURN(self->count);
    ALOOP_END;
}

/* One whose awaits all complete at once gives way to others after so many of them, which counts as
   having waited: else nothing would ever end it. */
static void a_block_that_gives_way(void **state)
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, never_waiting);

    world_drain(world);
    assert_in_range(aloop_task_result(task), 1, 1000);
    aloop_task_unref(task);
}

static void cancel_target(aloop *loop, void *arg)
{
    (void)loop;
    assert_true(aloop_task_cancel(arg));
}

/* The cancellation of the whole task passes through, whether the limit expired at the same moment
   or not; and a request from before it was entered does not count. */
struct tolerant {
    ALOOP_FRAME;
    aloop_timeout timeout;
    aloop_ns limit;
    bool swallow; /* a cancellation, before it enters */
    int64_t *out;
};

ALOOP_CORO(tolerant)
{
    ALOOP_BEGIN;
    if (self->swallow) {
        ALOOP_AWAIT(aloop_sleep(ALOOP_NEVER));
        if (self->result != -ECANCELED)
            ALOOP_RETURN(-EIO);
    }
    ALOOP_TRY(aloop_timeout_enter(&self->timeout, self->limit));
    ALOOP_AWAIT(aloop_sleep(100));
    self->out[0] = aloop_timeout_leave(&self->timeout, self->result);
    self->out[1] = aloop_timeout_expired(&self->timeout);
    ALOOP_RETURN(self->out[0]);
    ALOOP_END;
}

static void cancelled_from_outside(void **state) /* S118 */
{
    struct world *world = *state;
    static const aloop_ns limits[] = {50, 10};
    static const bool expired[] = {false, true};
    int64_t out[2];

    for (int i = 0; i < 2; i++) {
        aloop_task *task =
            aloop_create_task_in(world->loop, tolerant, .limit = limits[i], .out = out);

        assert_true(aloop_call_later(world->loop, 10, cancel_target, task) > 0);
        world_drain(world);
        assert_int_equal(out[0], -ECANCELED);
        assert_int_equal(out[1], expired[i]);
        assert_true(aloop_task_cancelled(task));
        aloop_task_unref(task);
    }
}

static void an_earlier_cancellation_was_swallowed(void **state) /* S118 */
{
    struct world *world = *state;
    int64_t out[2];
    aloop_task *task =
        aloop_create_task_in(world->loop, tolerant, .limit = 5, .swallow = true, .out = out);

    world_turns(world, 1);
    assert_true(aloop_task_cancel(task));
    world_drain(world);
    assert_int_equal(out[0], -ETIMEDOUT);
    assert_int_equal(aloop_task_cancelling(task), 1);
    assert_false(aloop_task_cancelled(task));
    assert_int_equal(aloop_task_result(task), -ETIMEDOUT);
    aloop_task_unref(task);
}

struct failer {
    ALOOP_FRAME;
    aloop_timeout timeout;
    bool wait; /* until time is up */
};

ALOOP_CORO(failer)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_timeout_enter(&self->timeout, 5));
    if (self->wait)
        ALOOP_AWAIT(aloop_sleep(10));
    ALOOP_RETURN(aloop_timeout_leave(&self->timeout, -EPIPE));
    ALOOP_END;
}

static void other_errors_pass(void **state) /* S119 */
{
    struct world *world = *state;

    for (int wait = 0; wait < 2; wait++) {
        aloop_task *task = aloop_create_task_in(world->loop, failer, .wait = wait);

        world_drain(world);
        assert_int_equal(aloop_task_result(task), -EPIPE);
        aloop_task_unref(task);
    }
}

struct in_finally {
    ALOOP_FRAME;
    aloop_timeout outer;
    aloop_timeout inner;
    int64_t *out;
};

ALOOP_CORO(in_finally)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_timeout_enter(&self->outer, 10));
    ALOOP_TRY(aloop_sleep(1));
    ALOOP_FINALLY;
    /* Its own limit counts in the cleanup; the outer one waits until that is over. */
    ALOOP_AWAIT(aloop_timeout_enter(&self->inner, 5));
    ALOOP_AWAIT(aloop_sleep(1000));
    self->out[0] = aloop_timeout_leave(&self->inner, self->result);
    ALOOP_AWAIT(aloop_sleep(100));
    self->out[1] = self->result;
    ALOOP_END;
}

static void inside_cleanup(void **state) /* S120 */
{
    struct world *world = *state;
    int64_t out[2];
    aloop_task *task = aloop_create_task_in(world->loop, in_finally, .out = out);

    world_drain(world);
    assert_int_equal(out[0], -ETIMEDOUT);
    assert_int_equal(out[1], 0);
    assert_int_equal(aloop_time(world->loop), 106);
    assert_int_equal(aloop_task_result(task), 0);
    aloop_task_unref(task);
}

struct slow_cleanup {
    ALOOP_FRAME;
    aloop_timeout timeout;
    int64_t *out;
};

ALOOP_CORO(slow_cleanup)
{
    ALOOP_BEGIN;
    ALOOP_FINALLY;
    ALOOP_AWAIT(aloop_timeout_enter(&self->timeout, 5));
    ALOOP_AWAIT(aloop_cancellable(aloop_call(sleeper, .delay = 1000)));
    *self->out = aloop_timeout_leave(&self->timeout, self->result);
    ALOOP_END;
}

/* A limit of the cleanup's own holds within a call that is cancellable in there, too. */
static void around_a_cancellable_call_in_cleanup(void **state)
{
    struct world *world = *state;
    int64_t out = 0;

    aloop_task_unref(aloop_create_task_in(world->loop, slow_cleanup, .out = &out));
    world_drain(world);
    assert_int_equal(out, -ETIMEDOUT);
    assert_int_equal(aloop_time(world->loop), 5);
}

struct rescheduler {
    ALOOP_FRAME;
    aloop_timeout timeout;
    int64_t *out;
};

ALOOP_CORO(rescheduler)
{
    ALOOP_BEGIN;
    self->out[0] = aloop_timeout_reschedule(&self->timeout, 5);
    self->out[1] = aloop_timeout_when(&self->timeout) == ALOOP_NEVER;
    ALOOP_TRY(aloop_timeout_enter(&self->timeout, 10));
    self->out[2] = aloop_timeout_when(&self->timeout);
    ALOOP_AWAIT(aloop_timeout_enter(&self->timeout, 10));
    self->out[3] = self->result;
    self->out[4] = aloop_timeout_reschedule(&self->timeout, ALOOP_NEVER);
    self->out[5] = aloop_timeout_when(&self->timeout) == ALOOP_NEVER;
    ALOOP_TRY(aloop_sleep(50));
    self->out[6] = aloop_timeout_reschedule(&self->timeout, 60);
    ALOOP_AWAIT(aloop_sleep(50));
    self->out[7] = self->result;
    self->out[8] = aloop_timeout_reschedule(&self->timeout, 90);
    self->out[9] = aloop_timeout_leave(&self->timeout, self->result);
    self->out[10] = aloop_timeout_reschedule(&self->timeout, 90);
    self->out[11] = aloop_timeout_leave(&self->timeout, -ECANCELED);
    self->out[12] = aloop_timeout_expired(&self->timeout);
    ALOOP_TRY(aloop_timeout_enter(&self->timeout, 0));
    /* Up already, but nobody was told. */
    self->out[13] = aloop_timeout_reschedule(&self->timeout, 1000);
    ALOOP_AWAIT(aloop_sleep(5));
    self->out[14] = self->result;
    self->out[15] = aloop_timeout_expired(&self->timeout);
    ALOOP_END;
}

static void rescheduled(void **state) /* S121 */
{
    static const int64_t expected[16] = {
        -EINVAL, true,       10,      -EBUSY,     0,    true, 0, -ECANCELED,
        -EINVAL, -ETIMEDOUT, -EINVAL, -ECANCELED, true, 0,    0, false};
    struct world *world = *state;
    int64_t out[16];

    aloop_task_unref(aloop_create_task_in(world->loop, rescheduler, .out = out));
    world_drain(world);
    for (size_t i = 0; i < 16; i++)
        assert_int_equal(out[i], expected[i]);
    assert_int_equal(aloop_time(world->loop), 65);
}

struct around_a_group {
    ALOOP_FRAME;
    aloop_timeout timeout;
    aloop_group group;
    struct world *world;
    bool leave; /* does it leave the timeout itself? */
};

ALOOP_CORO(around_a_group)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_timeout_enter(&self->timeout, 10));
    aloop_group_init(&self->group);
    for (int i = 0; i < 3; i++)
        (void)aloop_group_create_task(&self->group, tidy, .delay = 100, .cleanup = 7,
                                      .world = self->world);
    ALOOP_AWAIT(aloop_group_wait(&self->group));
    if (!self->leave)
        ALOOP_RETURN(self->result);
    ALOOP_RETURN(aloop_timeout_leave(&self->timeout, self->result));
    ALOOP_END;
}

static void around_groups(void **state) /* S122 */
{
    struct world *world = *state;

    for (int leave = 0; leave < 2; leave++) {
        aloop_ns start = aloop_time(world->loop);
        aloop_task *task =
            aloop_create_task_in(world->loop, around_a_group, .world = world, .leave = leave);

        world->log[0] = '\0';
        world_drain(world);
        assert_int_equal(aloop_task_result(task), -ETIMEDOUT);
        assert_string_equal(world->log, "cleaned cleaned cleaned ");
        assert_int_equal(aloop_time(world->loop), start + 17);
        aloop_task_unref(task);
    }
}

struct forgetful {
    ALOOP_FRAME;
    aloop_timeout timeouts[3];
    int i;
};

ALOOP_CORO(forgetful)
{
    ALOOP_BEGIN;
    for (self->i = 0; self->i < 3; self->i++)
        ALOOP_TRY(aloop_timeout_enter(&self->timeouts[self->i], 10 + self->i));
    ALOOP_TRY(aloop_sleep(100));
    ALOOP_END;
}

struct caller {
    ALOOP_FRAME;
    int64_t *out;
};

ALOOP_CORO(caller)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_call(forgetful));
    self->out[0] = self->result;
    ALOOP_AWAIT(aloop_sleep(100));
    self->out[1] = self->result;
    ALOOP_END;
}

static void left_at_the_end_of_the_frame(void **state)
{
    struct world *world = *state;
    int64_t out[2];

    aloop_task_unref(aloop_create_task_in(world->loop, caller, .out = out));
    world_drain(world);
    assert_int_equal(out[0], -ETIMEDOUT);
    assert_int_equal(out[1], 0);
    assert_int_equal(aloop_time(world->loop), 110);
}

static void closed_inside(void **state)
{
    struct world *world = *state;
    int64_t out[2];

    aloop_task_unref(aloop_create_task_in(world->loop, caller, .out = out));
    aloop_task_unref(aloop_create_task_in(world->loop, around_a_group, .world = world));
    world_turns(world, 3);
    assert_int_equal(aloop_close(world->loop), 0);
    assert_int_equal(world->reports, 5);
}

static void out_of_memory(void **state) /* P119 */
{
    int succeeded = 0;

    (void)state;
    for (int persistent = 0; persistent < 2; persistent++) {
        succeeded = 0;
        for (long n = 1; succeeded == 0 && n < 100; n++) {
            struct world world;
            int64_t out[2] = {0, 0};
            aloop_task *task;

            world_open(&world, NULL);
            world.memory.fail_from = world.memory.requests + n;
            world.memory.persists = persistent;
            task = aloop_create_task_in(world.loop, caller, .out = out);
            world_drain(&world);
            if (aloop_task_result(task) == 0 && out[0] != -ENOMEM) {
                assert_int_equal(out[0], -ETIMEDOUT);
                succeeded = world.memory.requests < world.memory.fail_from;
            } else {
                assert_true(aloop_task_result(task) == -ENOMEM || out[0] == -ENOMEM);
            }
            aloop_task_unref(task);
            world_close(&world);
        }
        assert_true(succeeded);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
        TEST(in_time_and_too_late),
        TEST(a_tie),
        TEST(no_time_at_all),
        TEST(a_block_that_does_not_wait),
        TEST(a_block_that_gives_way),
        TEST(cancelled_from_outside),
        TEST(an_earlier_cancellation_was_swallowed),
        TEST(other_errors_pass),
        TEST(inside_cleanup),
        TEST(around_a_cancellable_call_in_cleanup),
        TEST(rescheduled),
        TEST(around_groups),
        TEST(left_at_the_end_of_the_frame),
        TEST(closed_inside),
        cmocka_unit_test(out_of_memory),
#undef TEST
    };

    return cmocka_run_group_tests_name("timeout", tests, NULL, NULL);
}
