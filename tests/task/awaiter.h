/*
 * What the tests of locks and their kin need: tasks that await one operation each, and say so.
 */
#ifndef ALOOP_TESTS_TASK_AWAITER_H
#define ALOOP_TESTS_TASK_AWAITER_H

#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Awaits, logs `word` if there is one, and returns the outcome. */
struct awaiter {
    ALOOP_FRAME;
    struct world *world;
    aloop_op op;
    const char *word;
};

ALOOP_CORO(awaiter)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(self->op);
    if (self->word != NULL && self->result >= 0)
        world_mark(self->world, self->word);
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

/* A task that awaits `op`, and has begun to. Returns owned. */
static ALOOP_UNUSED aloop_task *begin(struct world *world, aloop_op op, const char *word)
{
    aloop_task *task =
        aloop_create_task_in(world->loop, awaiter, .world = world, .op = op, .word = word);

    world_turns(world, 1);
    return task;
}

/* The outcome of an operation that needs no waiting. */
static ALOOP_UNUSED int64_t at_once(struct world *world, aloop_op op)
{
    aloop_task *task = begin(world, op, NULL);
    int64_t result = aloop_task_result(task);

    aloop_task_unref(task);
    return result;
}

/* The outcome of a task that should have ended by now; drops the reference. */
static ALOOP_UNUSED int64_t end_of(aloop_task *task)
{
    int64_t result = aloop_task_result(task);

    aloop_task_unref(task);
    return result;
}

/* What was logged since the last look. */
static ALOOP_UNUSED void assert_log(struct world *world, const char *expected)
{
    assert_string_equal(world->log, expected);
    world->log[0] = '\0';
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, world_setup, world_teardown)

#endif
