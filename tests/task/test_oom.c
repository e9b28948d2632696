/*
 * P119: in every scenario every request for memory is refused in turn, once, and from then on. Each
 * time the scenario must end, with success or -ENOMEM, the loop must work afterwards, and nothing
 * must have leaked. Whatever else it did would be what a program does on the day it matters most.
 */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* Enough of everything that arrays have to grow. Without pools each object is a request of its own,
   so that the time grows with the square. */
#ifdef ALOOP_NO_POOLS
#define MANY 70
#else
#define MANY 200
#endif

static bool is_fine(int64_t outcome)
{
    return outcome >= 0 || outcome == -ENOMEM;
}

struct nothing {
    ALOOP_FRAME;
};

ALOOP_CORO(nothing)
{
    ALOOP_BEGIN;
    ALOOP_END;
}

static void do_nothing(aloop *loop, void *arg)
{
    (void)loop;
    (void)arg;
}

static void do_nothing_done(aloop_future *future, void *arg)
{
    (void)future;
    (void)arg;
}

static bool drained(aloop *loop)
{
    return aloop_run_forever(loop) == -EDEADLK;
}

/* --- scenarios: false if something was wrong --- */

static bool callbacks(aloop *loop)
{
    for (int i = 0; i < MANY; i++) {
        if (!is_fine(aloop_call_soon(loop, do_nothing, NULL)) ||
            !is_fine(aloop_call_later(loop, i, do_nothing, NULL)) ||
            !is_fine(aloop_create_timer(loop, do_nothing, NULL)) ||
            !is_fine(aloop_call_soon_threadsafe(loop, do_nothing, NULL)))
            return false;
    }
    return drained(loop);
}

static bool futures(aloop *loop)
{
    aloop_future *list[MANY];
    bool ok = true;

    for (int i = 0; i < MANY; i++) {
        list[i] = aloop_create_future(loop);
        for (int j = 0; j < 3; j++)
            ok = ok && is_fine(aloop_future_add_done_callback(list[i], do_nothing_done, NULL));
    }
    for (int i = 0; i < MANY; i++) {
        if (aloop_future_loop(list[i]) != NULL && i % 3 == 0)
            ok = ok && aloop_future_set_result(list[i], i) == 0;
        else if (aloop_future_loop(list[i]) != NULL && i % 3 == 1)
            ok = ok && aloop_future_cancel(list[i]);
        else if (aloop_future_loop(list[i]) == NULL)
            ok = ok && aloop_future_result(list[i]) == -ENOMEM;
    }
    ok = ok && drained(loop);
    for (int i = 0; i < MANY; i++)
        aloop_future_unref(list[i]);
    return ok;
}

static bool tasks(aloop *loop)
{
    aloop_task *list[MANY];
    bool ok;

    for (int i = 0; i < MANY; i++)
        list[i] = aloop_create_task_in(loop, sleeper, .delay = i, .value = i);
    ok = drained(loop);
    for (int i = 0; i < MANY; i++) {
        int64_t result = aloop_task_result(list[i]);

        ok = ok && (result == i || result == -ENOMEM);
        aloop_task_unref(list[i]);
    }
    return ok && aloop_all_tasks(loop, NULL, 0) == 0;
}

struct calls {
    ALOOP_FRAME;
    int depth;
    int variant;
};

ALOOP_CORO(calls)
{
    ALOOP_BEGIN;
    if (self->depth == 0)
        ALOOP_TRY(aloop_sleep(5));
    else if (self->variant == 0)
        ALOOP_TRY(aloop_call(calls, .depth = self->depth - 1));
    else
        ALOOP_TRY(aloop_wait_for(aloop_call(calls, .depth = self->depth - 1, .variant = 1),
                                 10 + self->depth));
    ALOOP_RETURN(self->depth);
    ALOOP_FINALLY;
    ALOOP_AWAIT(aloop_cancellable(aloop_call(nothing)));
    ALOOP_END;
}

static bool deep_calls(aloop *loop)
{
    int64_t outcome = aloop_run_in(loop, calls, .depth = MANY);

    return outcome == MANY || outcome == -ENOMEM;
}

static bool deep_calls_with_limits(aloop *loop)
{
    int64_t outcome = aloop_run_in(loop, calls, .depth = MANY, .variant = 1);

    return outcome == MANY || outcome == -ENOMEM;
}

static bool gathers(aloop *loop)
{
    aloop_future *list[MANY];
    int64_t results[MANY] = {0};
    aloop_future *gather, *shield;
    int64_t outcome;

    for (int i = 0; i < MANY; i++)
        list[i] = aloop_task_future(aloop_create_task_in(loop, sleeper, .delay = i));
    gather = aloop_gather_future(loop, list, MANY, results, 0);
    shield = aloop_shield_future(gather);
    outcome = aloop_run_until_complete(loop, shield);
    aloop_future_unref(shield);
    aloop_future_unref(gather);
    for (int i = 0; i < MANY; i++)
        aloop_future_unref(list[i]);
    return outcome == 0 || outcome == -ENOMEM;
}

struct gathering {
    ALOOP_FRAME;
    aloop_task *tasks[3];
    int64_t outcome;
    int i;
};

ALOOP_CORO(gathering)
{
    ALOOP_BEGIN;
    for (self->i = 0; self->i < 3; self->i++)
        self->tasks[self->i] = aloop_create_task(sleeper, .delay = 10);
    ALOOP_TRY(aloop_gather(self->tasks[0], self->tasks[1], self->tasks[2]));
    ALOOP_TRY(aloop_join_unref(aloop_create_task(sleeper, .delay = 1)));
    ALOOP_TRY(aloop_wait_for(aloop_join_unref(aloop_create_task(nothing)), 5));
    ALOOP_FINALLY;
    for (self->i = 0; self->i < 3; self->i++)
        aloop_task_unref(self->tasks[self->i]);
    ALOOP_END;
}

static bool gathering_task(aloop *loop)
{
    return is_fine(aloop_run_in(loop, gathering));
}

static bool shutting_down(aloop *loop)
{
    for (int i = 0; i < MANY; i++)
        aloop_task_unref(aloop_create_task_in(loop, calls, .depth = 3, .variant = i % 2));
    return aloop_run_once(loop, 0) >= 0 && is_fine(aloop_shutdown(loop)) &&
           aloop_all_tasks(loop, NULL, 0) == 0;
}

static bool left_behind(aloop *loop)
{
    for (int i = 0; i < 20; i++)
        aloop_task_unref(aloop_create_task_in(loop, calls, .depth = i, .variant = i % 2));
    return aloop_run_once(loop, 0) >= 0;
}

/* --- the sweep --- */

static void ignore_reports(aloop *loop, const aloop_exception_context *context, void *arg)
{
    (void)loop;
    (void)context;
    (void)arg;
}

/* Refuses the n-th request. False if there was none: the sweep is over. */
static bool attempt(const char *name, bool (*scenario)(aloop *loop), long n, bool persistent)
{
    struct memory_probe memory = {.fail_from = n, .persists = persistent};
    aloop_options options = ALOOP_OPTIONS_INIT;
    bool was_reached;
    aloop *loop;
    int error;

    options.clock = ALOOP_CLOCK_VIRTUAL;
    options.allocator = memory_probe_allocator(&memory);
    error = aloop_new(&options, &loop);
    if (error == 0) {
        aloop_set_exception_handler(loop, ignore_reports, NULL);
        if (!scenario(loop))
            fail_msg("%s fails with request %ld refused (%s)", name, n,
                     persistent ? "and all after it" : "alone");
    }
    was_reached = memory.requests >= n;
    if (error == 0) {
        memory.fail_from = 0;
        if (scenario != left_behind)
            assert_int_equal(aloop_run_in(loop, sleeper, .delay = 1, .value = 7), 7);
        aloop_unref(loop);
    } else {
        assert_int_equal(error, -ENOMEM);
    }
    if (memory.bytes != 0 || memory.mistaken)
        fail_msg("%s leaks with request %ld refused", name, n);
    return was_reached;
}

static void sweep(void **state)
{
    static const struct {
        const char *name;
        bool (*run)(aloop *loop);
    } scenarios[] = {
        {"callbacks", callbacks},
        {"futures", futures},
        {"tasks", tasks},
        {"deep calls", deep_calls},
        {"deep calls with limits", deep_calls_with_limits},
        {"gathers", gathers},
        {"a gathering task", gathering_task},
        {"shutting down", shutting_down},
        {"left behind", left_behind},
    };

    (void)state;
    for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
        for (int persistent = 0; persistent < 2; persistent++) {
            long n = 1;

            while (attempt(scenarios[i].name, scenarios[i].run, n, persistent != 0))
                n++;
            /* It does ask for memory, beyond what the loop is made of. */
            assert_true(n > 4);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sweep),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
