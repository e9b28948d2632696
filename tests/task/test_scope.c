/* Time limits on calls: parts of a task that are cancelled by themselves. */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum what { SLEEPS, SWALLOWS, FAILS, NESTS, JOINS };

static const char *word(int64_t result)
{
    return result > 0 ? "value" : aloop_error_name(result);
}

struct callee {
    ALOOP_FRAME;
    struct world *world;
    enum what what;
    aloop_ns limit; /* of NESTS */
    aloop_ns delay;
    aloop_future *future;
};

ALOOP_CORO(callee)
{
    ALOOP_BEGIN;
    if (self->what == JOINS)
        ALOOP_AWAIT(aloop_join(self->future));
    else if (self->what == NESTS)
        ALOOP_AWAIT(aloop_wait_for(aloop_call(callee, .world = self->world, .delay = self->delay),
                                   self->limit));
    else
        ALOOP_AWAIT(aloop_sleep(self->delay));
    world_mark(self->world, word(self->result));
    if (self->what == SWALLOWS && self->result == -ECANCELED)
        ALOOP_RETURN(21);
    if (self->what == FAILS && self->result == -ECANCELED)
        ALOOP_RETURN(-EPIPE);
    if (self->what == NESTS) {
        ALOOP_AWAIT(aloop_sleep(1));
        world_mark(self->world, word(self->result));
    }
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

struct limiter {
    ALOOP_FRAME;
    struct world *world;
    struct callee args;
    aloop_ns limit;
    aloop_ns when;
    aloop_ns *out_when;
};

ALOOP_CORO(limiter)
{
    ALOOP_BEGIN;
    self->when = aloop_time(self->world->loop);
    ALOOP_AWAIT(aloop_wait_for(aloop_call(callee, .world = self->world, .what = self->args.what,
                                          .delay = self->args.delay, .limit = self->args.limit,
                                          .future = self->args.future),
                               self->limit));
    world_mark(self->world, word(self->result));
    if (self->out_when != NULL)
        *self->out_when = aloop_time(self->world->loop) - self->when;
    self->when = self->result;
    ALOOP_AWAIT(aloop_sleep(0));
    world_mark(self->world, word(self->result));
    ALOOP_RETURN(self->when);
    ALOOP_END;
}

#define LIMITED(LIMIT, ...)                                                                        \
    aloop_create_task_in(world->loop, limiter, .world = world, .limit = (LIMIT),                   \
                         .args = {__VA_ARGS__})

static int64_t take(struct world *world, aloop_task *task)
{
    int64_t result;

    world->log[0] = '\0';
    result = aloop_run_until_complete(world->loop, task);
    aloop_task_unref(task);
    return result;
}

static void the_innermost_await_is_cancelled(void **state)
{
    struct world *world = *state;

    assert_int_equal(take(world, LIMITED(10, .what = SLEEPS, .delay = 50)), -ETIMEDOUT);
    /* ... and the task goes on: the cancellation was of a part of it only. */
    assert_string_equal(world->log, "ECANCELED ETIMEDOUT OK ");
    assert_int_equal(aloop_time(world->loop), 10);
    assert_int_equal(take(world, LIMITED(50, .what = SLEEPS, .delay = 10)), 0);
    assert_int_equal(aloop_time(world->loop), 20);
    assert_int_equal(aloop_next_timeout(world->loop), ALOOP_NEVER);
}

static void the_callee_swallows_it(void **state) /* S112 */
{
    struct world *world = *state;

    assert_int_equal(take(world, LIMITED(10, .what = SWALLOWS, .delay = 50)), 21);
    assert_string_equal(world->log, "ECANCELED value OK ");
}

static void the_callee_fails_by_it(void **state) /* S113, S119 */
{
    struct world *world = *state;

    assert_int_equal(take(world, LIMITED(10, .what = FAILS, .delay = 50)), -EPIPE);
}

static void only_the_one_whose_time_is_up_converts(void **state) /* S120 */
{
    struct world *world = *state;

    /* The inner: the outer goes on. */
    assert_int_equal(take(world, LIMITED(20, .what = NESTS, .delay = 50, .limit = 10)), 0);
    assert_string_equal(world->log, "ECANCELED ETIMEDOUT OK OK OK ");
    /* The outer: what comes through the inner stays a cancellation, and is delivered once. */
    assert_int_equal(take(world, LIMITED(10, .what = NESTS, .delay = 50, .limit = 20)), 0);
    assert_string_equal(world->log, "ECANCELED ECANCELED OK OK OK ");
    /* Both at once: the inner times out, and the next await in the outer is interrupted. */
    assert_int_equal(take(world, LIMITED(10, .what = NESTS, .delay = 50, .limit = 10)), -ETIMEDOUT);
    assert_string_equal(world->log, "ECANCELED ETIMEDOUT ECANCELED ETIMEDOUT OK ");
}

static void one_that_never_waits_is_not_interrupted(void **state) /* S117 */
{
    struct world *world = *state;

    assert_int_equal(take(world, LIMITED(1, .what = SLEEPS, .delay = -1)), 0);
    assert_string_equal(world->log, "OK OK OK ");
}

static void cancel_it(aloop *loop, void *arg)
{
    (void)loop;
    assert_true(aloop_task_cancel(arg));
}

/* P110, S118: somebody cancels the task after its time was up, in the same turn, and before. In
   all three the -ECANCELED is not the limit's. */
static void a_foreign_cancellation_is_not_a_timeout(void **state)
{
    static const aloop_ns delays[] = {9, 10, 0};
    struct world *world = *state;

    for (int i = 0; i < 3; i++) {
        aloop_task *task = LIMITED(10, .what = SLEEPS, .delay = 50);

        if (i == 2)
            aloop_task_cancel(task);
        else
            assert_true(aloop_call_later(world->loop, delays[i], cancel_it, task) > 0);
        aloop_task_ref(task);
        assert_int_equal(take(world, task), -ECANCELED);
        assert_string_equal(world->log, "ECANCELED ECANCELED OK ");
        assert_int_equal(aloop_task_cancelling(task), 1);
        aloop_task_unref(task);
    }
}

static void cancelled_during_the_cleanup_of_a_limit(void **state)
{
    struct world *world = *state;
    aloop_task *inner =
        aloop_create_task_in(world->loop, tidy, .delay = 50, .cleanup = 7, .world = world);
    aloop_task *task = LIMITED(10, .what = JOINS, .future = aloop_task_future(inner));

    assert_true(aloop_call_later(world->loop, 12, cancel_it, task) > 0);
    assert_int_equal(take(world, task), -ECANCELED);
    assert_string_equal(world->log, "cleaned ECANCELED ECANCELED OK ");
    assert_int_equal(aloop_time(world->loop), 17);
    aloop_task_unref(inner);
}

/* The limit is passed on to the task that is joined below, and waits for its cleanup. */
static void what_is_joined_below_is_cancelled(void **state) /* S111, P109 */
{
    struct world *world = *state;
    aloop_task *inner =
        aloop_create_task_in(world->loop, tidy, .delay = 50, .cleanup = 7, .world = world);

    assert_int_equal(take(world, LIMITED(10, .what = JOINS, .future = aloop_task_future(inner))),
                     -ETIMEDOUT);
    assert_string_equal(world->log, "cleaned ECANCELED ETIMEDOUT OK ");
    assert_int_equal(aloop_time(world->loop), 17);
    aloop_task_unref(inner);
}

/* Somebody else cancels what is joined: no timeout, though there is a limit. */
static void a_cancelled_child_is_no_timeout(void **state)
{
    struct world *world = *state;
    aloop_future *future = aloop_create_future(world->loop);
    aloop_task *task = LIMITED(10, .what = JOINS, .future = future);

    world_turns(world, 1);
    aloop_future_cancel(future);
    assert_int_equal(take(world, task), -ECANCELED);
    assert_int_equal(aloop_time(world->loop), 0);
    aloop_future_unref(future);
}

struct flag {
    bool *is_set;
    aloop_waitlist *waiters;
};

static void set_flag(aloop *loop, void *arg)
{
    struct flag *flag = arg;

    (void)loop;
    *flag->is_set = true;
    aloop_wake_all(flag->waiters);
}

static aloop_poll flag_poll(aloop_task *task, aloop_op *op)
{
    struct flag *flag = op->arg[0].pointer;

    (void)task;
    return *flag->is_set ? 33 : aloop_op_wait(op, flag->waiters);
}

struct flag_waiter {
    ALOOP_FRAME;
    struct flag *flag;
};

ALOOP_CORO(flag_waiter)
{
    ALOOP_BEGIN;
    ALOOP_TRY(((aloop_op){.poll = flag_poll, .arg = {{.pointer = self->flag}}}));
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

struct flag_limiter {
    ALOOP_FRAME;
    struct flag *flag;
};

ALOOP_CORO(flag_limiter)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_wait_for(aloop_call(flag_waiter, .flag = self->flag), 10));
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

/* S114: the innermost operation completes in the turn in which the time is up. It has its result;
   thrown away, a message that it had received would be lost. */
static void what_completed_below_is_kept(void **state)
{
    struct world *world = *state;
    aloop_waitlist list = {{NULL, NULL}};
    bool is_set = false;
    struct flag flag = {&is_set, &list};
    aloop_task *task;

    assert_true(aloop_call_later(world->loop, 10, set_flag, &flag) > 0);
    task = aloop_create_task_in(world->loop, flag_limiter, .flag = &flag);
    assert_int_equal(aloop_run_until_complete(world->loop, task), 33);
    assert_int_equal(aloop_time(world->loop), 10);
    aloop_task_unref(task);
}

struct out_of_memory {
    ALOOP_FRAME;
    struct world *world;
    int64_t *out;
};

ALOOP_CORO(out_of_memory)
{
    ALOOP_BEGIN;
    self->world->memory.fail_from = self->world->memory.requests + 1;
    self->world->memory.persists = true;
    /* Larger than what is pooled, so that it is asked for. */
    ALOOP_AWAIT(aloop_wait_for(aloop_call_op(&(const aloop_coro){.size = 100000}, NULL), 5));
    self->world->memory.fail_from = 0;
    *self->out = self->result;
    ALOOP_AWAIT(aloop_sleep(10));
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

static void a_call_that_there_is_no_memory_for(void **state)
{
    struct world *world = *state;
    int64_t out = 0;

    assert_int_equal(aloop_run_in(world->loop, out_of_memory, .world = world, .out = &out), 0);
    assert_int_equal(out, -ENOMEM);
    assert_int_equal(aloop_next_timeout(world->loop), ALOOP_NEVER);
}

/* P124: a loop is closed while limits are running, nested, in all stages. */
static void closed_inside(void **state)
{
    struct world *world = *state;

    aloop_task_unref(LIMITED(100, .what = NESTS, .delay = 50, .limit = 200));
    aloop_task_unref(LIMITED(5, .what = NESTS, .delay = 50, .limit = 5));
    world_turns(world, 1);
    assert_true(aloop_run_once(world->loop, 5) >= 0);
    aloop_task_unref(LIMITED(100, .what = NESTS, .delay = 50, .limit = 200));
    assert_int_equal(aloop_close(world->loop), 0);
    assert_int_equal(world->reports, 3);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_innermost_await_is_cancelled),
        TEST(the_callee_swallows_it),
        TEST(the_callee_fails_by_it),
        TEST(only_the_one_whose_time_is_up_converts),
        TEST(one_that_never_waits_is_not_interrupted),
        TEST(a_foreign_cancellation_is_not_a_timeout),
        TEST(cancelled_during_the_cleanup_of_a_limit),
        TEST(what_is_joined_below_is_cancelled),
        TEST(a_cancelled_child_is_no_timeout),
        TEST(what_completed_below_is_kept),
        TEST(a_call_that_there_is_no_memory_for),
        TEST(closed_inside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
