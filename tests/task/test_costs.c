/*
 * What an operation costs, exactly: steps of the loop, polls, other system calls, blocks of memory.
 * Each is done so many times, and twice as often, on a loop that has been doing it for a while; the
 * difference is what that many cost, and has no beginning and no end in it.
 */
#include "world.h"

#include "fault.h"
#include "loop/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* A poll is put off for 64 callbacks, and a task gives way after 256 awaits that did not wait: so
   that both come out even. */
#define TIMES (256 * 5)
#define GIVE_WAY (1.0 / 256)

/* For each time. */
struct cost {
    double callbacks;
    double polls; /* PUT_OFF: one in 64 callbacks */
    double calls; /* of the system, but for polls and the clock, which is read with each */
    double blocks;
};

#define PUT_OFF (-1)

struct kind {
    const char *name;
    int64_t (*run)(aloop *loop, int times);
    struct cost cost;
};

static void nothing(aloop *loop, void *arg)
{
    (void)loop;
    (void)arg;
}

struct empty {
    ALOOP_FRAME;
};

ALOOP_CORO(empty)
{
    ALOOP_BEGIN;
    ALOOP_END;
}

struct yields {
    ALOOP_FRAME;
    int times;
};

ALOOP_CORO(yields)
{
    ALOOP_BEGIN;
    for (; self->times > 0; self->times--)
        ALOOP_TRY(aloop_sleep(0));
    ALOOP_END;
}

static int64_t run_yields(aloop *loop, int times)
{
    return aloop_run_in(loop, yields, .times = times);
}

struct sleeps {
    ALOOP_FRAME;
    int times;
};

ALOOP_CORO(sleeps)
{
    ALOOP_BEGIN;
    for (; self->times > 0; self->times--)
        ALOOP_TRY(aloop_sleep(ALOOP_MS(1)));
    ALOOP_END;
}

static int64_t run_sleeps(aloop *loop, int times)
{
    return aloop_run_in(loop, sleeps, .times = times);
}

struct calls {
    ALOOP_FRAME;
    int times;
};

ALOOP_CORO(calls)
{
    ALOOP_BEGIN;
    for (; self->times > 0; self->times--)
        ALOOP_TRY(aloop_call(empty));
    ALOOP_END;
}

static int64_t run_calls(aloop *loop, int times)
{
    return aloop_run_in(loop, calls, .times = times);
}

struct spawns {
    ALOOP_FRAME;
    int times;
};

ALOOP_CORO(spawns)
{
    ALOOP_BEGIN;
    for (; self->times > 0; self->times--)
        ALOOP_TRY(aloop_join_unref(aloop_create_task(empty)));
    ALOOP_END;
}

static int64_t run_spawns(aloop *loop, int times)
{
    return aloop_run_in(loop, spawns, .times = times);
}

struct gathers {
    ALOOP_FRAME;
    int times;
    aloop_task *pair[2];
};

ALOOP_CORO(gathers)
{
    ALOOP_BEGIN;
    for (; self->times > 0; self->times--) {
        self->pair[0] = aloop_create_task(empty);
        self->pair[1] = aloop_create_task(empty);
        ALOOP_TRY(aloop_gather(self->pair[0], self->pair[1]));
        aloop_task_unref(self->pair[0]);
        aloop_task_unref(self->pair[1]);
    }
    ALOOP_END;
}

static int64_t run_gathers(aloop *loop, int times)
{
    return aloop_run_in(loop, gathers, .times = times);
}

struct groups {
    ALOOP_FRAME;
    int times;
    aloop_group group;
};

ALOOP_CORO(groups)
{
    ALOOP_BEGIN;
    for (; self->times > 0; self->times--) {
        aloop_group_init(&self->group);
        ALOOP_TRY(aloop_group_start(&self->group, empty));
        ALOOP_TRY(aloop_group_wait(&self->group));
    }
    ALOOP_END;
}

static int64_t run_groups(aloop *loop, int times)
{
    return aloop_run_in(loop, groups, .times = times);
}

struct deadlines {
    ALOOP_FRAME;
    int times;
};

ALOOP_CORO(deadlines)
{
    ALOOP_BEGIN;
    for (; self->times > 0; self->times--)
        ALOOP_TRY(aloop_wait_for(aloop_sleep(0), ALOOP_SEC(1)));
    ALOOP_END;
}

static int64_t run_deadlines(aloop *loop, int times)
{
    return aloop_run_in(loop, deadlines, .times = times);
}

struct timeouts {
    ALOOP_FRAME;
    int times;
    aloop_handle timer;
};

ALOOP_CORO(timeouts)
{
    ALOOP_BEGIN;
    for (; self->times > 0; self->times--) {
        self->timer = aloop_call_later(aloop_get_running_loop(), ALOOP_SEC(1), nothing, NULL);
        (void)aloop_reschedule_later(aloop_get_running_loop(), self->timer, ALOOP_SEC(2));
        (void)aloop_cancel(aloop_get_running_loop(), self->timer);
    }
    ALOOP_END;
}

static int64_t run_timers(aloop *loop, int times)
{
    return aloop_run_in(loop, timeouts, .times = times);
}

struct soons {
    ALOOP_FRAME;
    int times;
};

ALOOP_CORO(soons)
{
    ALOOP_BEGIN;
    for (; self->times > 0; self->times--) {
        assert_true(aloop_call_soon(aloop_get_running_loop(), nothing, NULL) > 0);
        ALOOP_TRY(aloop_sleep(0));
    }
    ALOOP_END;
}

static int64_t run_soons(aloop *loop, int times)
{
    return aloop_run_in(loop, soons, .times = times);
}

struct posts {
    ALOOP_FRAME;
    int times;
};

ALOOP_CORO(posts)
{
    ALOOP_BEGIN;
    for (; self->times > 0; self->times--) {
        assert_int_equal(aloop_call_soon_threadsafe(aloop_get_running_loop(), nothing, NULL), 0);
        ALOOP_TRY(aloop_sleep(1));
    }
    ALOOP_END;
}

static int64_t run_posts(aloop *loop, int times)
{
    return aloop_run_in(loop, posts, .times = times);
}

/* One of two tasks that take turns. */
struct thrower {
    ALOOP_FRAME;
    int times;
    aloop_queue *in, *out;
    int64_t item;
};

ALOOP_CORO(thrower)
{
    ALOOP_BEGIN;
    for (; self->times > 0; self->times--) {
        ALOOP_TRY(aloop_queue_get(self->in, &self->item));
        ALOOP_TRY(aloop_queue_put(self->out, &self->item));
    }
    ALOOP_END;
}

struct locker {
    ALOOP_FRAME;
    int times;
    aloop_lock *lock;
};

ALOOP_CORO(locker)
{
    ALOOP_BEGIN;
    for (; self->times > 0; self->times--) {
        ALOOP_TRY(aloop_lock_acquire(self->lock));
        ALOOP_TRY(aloop_sleep(0));
        aloop_lock_release(self->lock);
    }
    ALOOP_END;
}

static int64_t run_pair(aloop *loop, aloop_task *first, aloop_task *second)
{
    int64_t outcome = aloop_run_until_complete(loop, first);

    if (outcome >= 0)
        outcome = aloop_run_until_complete(loop, second);
    aloop_task_unref(first);
    aloop_task_unref(second);
    return outcome;
}

static int64_t run_queue(aloop *loop, int times)
{
    aloop_queue there, back;
    int64_t item = 1, outcome;

    assert_int_equal(aloop_queue_init(&there, loop, sizeof item, 1), 0);
    assert_int_equal(aloop_queue_init(&back, loop, sizeof item, 1), 0);
    assert_int_equal(aloop_queue_put_nowait(&there, &item), 0);
    outcome = run_pair(
        loop, aloop_create_task_in(loop, thrower, .times = times, .in = &there, .out = &back),
        aloop_create_task_in(loop, thrower, .times = times, .in = &back, .out = &there));
    aloop_queue_fini(&there);
    aloop_queue_fini(&back);
    return outcome;
}

/* Each of the two takes the lock half as often. */
static int64_t run_lock(aloop *loop, int times)
{
    aloop_lock lock = {0};

    return run_pair(loop, aloop_create_task_in(loop, locker, .times = times / 2, .lock = &lock),
                    aloop_create_task_in(loop, locker, .times = times / 2, .lock = &lock));
}

/* A task's step is a callback, and so is that of who joins it; a gather learns of each child by
   itself. */
static const struct kind kinds[] = {
    {"yield", run_yields, {1, PUT_OFF, 0, 0}},
    {"sleep", run_sleeps, {1, 1, 0, 0}},
    {"call", run_calls, {GIVE_WAY, PUT_OFF, 0, 0}},
    {"spawn and join", run_spawns, {2, PUT_OFF, 0, 0}},
    {"gather of two", run_gathers, {4, PUT_OFF, 0, 0}},
    {"group of one", run_groups, {2, PUT_OFF, 0, 0}},
    {"deadline", run_deadlines, {1, PUT_OFF, 0, 0}},
    {"timer set, moved, cancelled", run_timers, {0, PUT_OFF, 0, 0}},
    {"call soon and yield", run_soons, {2, PUT_OFF, 0, 0}},
    /* The loop is awake: nobody needs to wake it, and it finds the post before time jumps. */
    {"post and sleep", run_posts, {2, 2, 0, 0}},
    {"queue, there and back", run_queue, {2, PUT_OFF, 0, 0}},
    {"lock, handed over", run_lock, {2, PUT_OFF, 0, 0}},
};

static double count_polls(void)
{
    return fault_count(FAULT_EPOLL_WAIT) + fault_count(FAULT_POLL) + fault_count(FAULT_KEVENT);
}

/* The others. That the process was not forked is looked up, not asked. */
static double count_calls(void)
{
    double count = -count_polls() - fault_count(FAULT_CLOCK) - fault_count(FAULT_FORK_GENERATION);

    for (int call = 0; call < FAULT_CALL_COUNT; call++)
        count += fault_count((enum fault_call)call);
    return count;
}

static struct cost measure(struct world *world, const struct kind *kind, int times)
{
    int64_t callbacks = loop_callbacks_run(world->loop);
    long blocks = world->memory.requests;

    fault_install();
    assert_true(kind->run(world->loop, times) >= 0);
    return (struct cost){.callbacks = (double)(loop_callbacks_run(world->loop) - callbacks),
                         .polls = count_polls(),
                         .calls = count_calls(),
                         .blocks = (double)(world->memory.requests - blocks)};
}

static bool is_as_expected(const char *kind, const char *what, double total, double expected)
{
    if (total == expected * TIMES)
        return true;
    print_error("%s: %g %s, not %g\n", kind, total / TIMES, what, expected);
    return false;
}

static bool costs_what_it_must(struct world *world, const struct kind *kind)
{
    struct cost once, twice;
    double polls = kind->cost.polls == PUT_OFF ? kind->cost.callbacks / 64 : kind->cost.polls;
    bool is_right;

    (void)measure(world, kind, TIMES);
    once = measure(world, kind, TIMES);
    twice = measure(world, kind, 2 * TIMES);
    is_right = is_as_expected(kind->name, "callbacks", twice.callbacks - once.callbacks,
                              kind->cost.callbacks);
    /* Fewer callbacks than make a poll due make it due in some run or other. */
    if (kind->cost.callbacks < 1)
        is_right &= twice.polls - once.polls <= 1;
    else
        is_right &= is_as_expected(kind->name, "polls", twice.polls - once.polls, polls);
    is_right &= is_as_expected(kind->name, "calls", twice.calls - once.calls, kind->cost.calls);
#ifndef ALOOP_NO_POOLS
    is_right &= is_as_expected(kind->name, "blocks", twice.blocks - once.blocks, kind->cost.blocks);
#endif
    return is_right;
}

static void each_operation_costs_what_it_must(void **state)
{
    bool is_right = true;

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        is_right &= costs_what_it_must(*state, &kinds[i]);
    fault_reset();
    assert_true(is_right);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_operation_costs_what_it_must, world_setup,
                                        world_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
