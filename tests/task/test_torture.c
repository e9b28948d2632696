/*
 * Tasks that do whatever a generator of random numbers tells them: call, join, gather, shield,
 * limit, cancel others and themselves, run out of memory, and are thrown away in the middle of it.
 * Whatever happens, each cleanup that began its body runs once, everything ends, and everything is
 * given back.
 */
#include "../base/random.h"
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TASKS 12

static uint64_t rounds = 400;

struct torture {
    struct world world;
    uint64_t random;
    aloop_task *tasks[TASKS];
    int count;
    long started;
    long cleaned;
};

struct actor {
    ALOOP_FRAME;
    struct torture *torture;
    aloop_task *child;
    aloop_future *list[3];
    int64_t results[3];
    int index;
    int steps;
    int depth;
    bool is_child;
};

static uint64_t pick(struct torture *torture, uint64_t range)
{
    return random_next(&torture->random) % range;
}

/* Only those that were made before: nobody waits in a circle. */
static aloop_future *earlier(struct actor *self)
{
    int index = (int)pick(self->torture, (uint64_t)self->index);

    return aloop_task_future(self->torture->tasks[index]);
}

static void cancel_somebody(struct torture *torture)
{
    aloop_task *task = torture->tasks[pick(torture, (uint64_t)torture->count)];

    if (pick(torture, 5) == 0)
        aloop_task_uncancel(task);
    else
        aloop_task_cancel(task);
}

static aloop_op random_sleep(struct torture *torture)
{
    return aloop_sleep((aloop_ns)pick(torture, 20) - 2);
}

/* Each of these is awaited, with or without a time limit. */
static aloop_op random_op(struct actor *self)
{
    struct torture *torture = self->torture;
    aloop_op op = random_sleep(torture);

    if (!self->is_child && self->index > 0) {
        switch (pick(torture, 4)) {
        case 0:
            op = aloop_join(earlier(self));
            break;
        case 1:
            op = aloop_shield(earlier(self));
            break;
        case 2:
            for (int i = 0; i < 3; i++)
                self->list[i] = earlier(self);
            op = aloop_gather_op(self->list, 3, self->results, 0);
            break;
        default:
            break;
        }
    }
    if (pick(torture, 3) == 0)
        op = aloop_wait_for(op, (aloop_ns)pick(torture, 25) - 2);
    if (pick(torture, 8) == 0)
        op = aloop_cancellable(op);
    return op;
}

ALOOP_CORO(actor)
{
    ALOOP_BEGIN;
    self->torture->started++;
    for (; self->steps > 0; self->steps--) {
        if (pick(self->torture, 6) == 0)
            cancel_somebody(self->torture);
        if (pick(self->torture, 3) == 0 && self->depth < 4) {
            ALOOP_AWAIT(aloop_call(actor, .torture = self->torture, .index = self->index,
                                   .steps = 2, .depth = self->depth + 1,
                                   .is_child = self->is_child));
        } else if (pick(self->torture, 3) == 0 && self->depth < 4) {
            ALOOP_AWAIT(aloop_wait_for(
                aloop_call(actor, .torture = self->torture, .index = self->index, .steps = 2,
                           .depth = self->depth + 1, .is_child = self->is_child),
                (aloop_ns)pick(self->torture, 30) - 1));
        } else if (pick(self->torture, 4) == 0 && self->depth < 4) {
            self->child = aloop_create_task(actor, .torture = self->torture, .steps = 3,
                                            .depth = self->depth + 1, .is_child = true);
            ALOOP_AWAIT(aloop_wait_for(aloop_join_unref(self->child), 15));
        } else {
            ALOOP_AWAIT(random_op(self));
        }
        /* Sometimes it takes the hint. */
        if (self->result < 0 && pick(self->torture, 2) == 0)
            ALOOP_RETURN(self->result);
    }
    ALOOP_RETURN((int64_t)pick(self->torture, 5));
    ALOOP_FINALLY;
    if (pick(self->torture, 2) == 0)
        ALOOP_AWAIT(random_op(self));
    if (pick(self->torture, 4) == 0 && self->depth < 4)
        ALOOP_AWAIT(aloop_cancellable(
            aloop_call(actor, .torture = self->torture, .index = self->index, .steps = 1,
                       .depth = self->depth + 1, .is_child = self->is_child)));
    self->torture->cleaned++;
    ALOOP_END;
}

static void ignore(aloop *loop, const aloop_exception_context *context, void *arg)
{
    (void)loop;
    (void)context;
    (void)arg;
}

static void round_of_torture(uint64_t seed)
{
    struct torture torture = {.random = seed};
    aloop_options options = ALOOP_OPTIONS_INIT;
    aloop *loop;
    int error;

    /* Half of them with the steps of each turn in another order. */
    options.seed = seed % 2 == 0 ? seed : 0;
    world_open(&torture.world, &options);
    loop = torture.world.loop;
    aloop_set_exception_handler(loop, ignore, NULL);
    for (torture.count = 0; torture.count < TASKS; torture.count++)
        torture.tasks[torture.count] = aloop_create_task_in(loop, actor, .torture = &torture,
                                                            .index = torture.count, .steps = 8);
    if (seed % 4 == 0) {
        torture.world.memory.fail_from =
            torture.world.memory.requests + 1 + (long)pick(&torture, 20);
        torture.world.memory.persists = seed % 8 == 0;
    }
    /* Thrown away in the middle, shut down in the middle, or run to the end. */
    if (seed % 3 != 0) {
        for (uint64_t turns = pick(&torture, 60); turns > 0; turns--)
            assert_true(aloop_run_once(loop, ALOOP_MS(1)) >= 0);
    }
    if (seed % 3 == 1) {
        error = aloop_shutdown(loop);
        if (error != 0)
            fail_msg("seed %d: shutting down: %s", (int)seed, aloop_error_name(error));
    } else if (seed % 3 == 0) {
        world_drain(&torture.world);
    }
    if (seed % 3 != 2 &&
        (aloop_all_tasks(loop, NULL, 0) != 0 || torture.started != torture.cleaned))
        fail_msg("seed %d: %d tasks left, %ld of %ld cleaned up", (int)seed,
                 (int)aloop_all_tasks(loop, NULL, 0), torture.cleaned, torture.started);
    assert_true(torture.started >= TASKS || seed % 3 == 2);
    for (int i = 0; i < TASKS; i++)
        aloop_task_unref(torture.tasks[i]);
    world_close(&torture.world);
}

static void torture(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= rounds; seed++)
        round_of_torture(seed);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(torture),
    };

    /* More of them, for a night. */
    if (argc > 1)
        rounds = strtoull(argv[1], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
