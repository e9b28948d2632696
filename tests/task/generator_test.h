/*
 * What the tests of generators share: one that counts, and a log of what came of it.
 */
#ifndef ALOOP_TESTS_GENERATOR_TEST_H
#define ALOOP_TESTS_GENERATOR_TEST_H

#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* Counts from `first` on, with a sleep before each; logs its cleanup. */
struct counter {
    ALOOP_FRAME;
    struct world *world;
    int first;
    int count;
    aloop_ns delay;
    int64_t outcome;
    aloop_ns cleanup;
};

ALOOP_CORO(counter)
{
    ALOOP_BEGIN;
    for (; self->count > 0; self->count--) {
        if (self->delay > 0)
            ALOOP_TRY(aloop_sleep(self->delay));
        ALOOP_YIELD(self->first++);
    }
    ALOOP_RETURN(self->outcome);
    ALOOP_FINALLY;
    if (self->cleanup > 0)
        ALOOP_AWAIT(aloop_sleep(self->cleanup));
    world_mark(self->world, "cleaned");
    if (self->outcome == -EIO)
        ALOOP_RETURN(-EIO);
    ALOOP_END;
}

static ALOOP_UNUSED void log_number(struct world *world, int64_t number)
{
    char word[32];

    (void)snprintf(word, sizeof word, "%lld", (long long)number);
    world_mark(world, word);
}

static ALOOP_UNUSED void log_result(struct world *world, int64_t result)
{
    if (result < 0)
        world_mark(world, aloop_error_name(result));
    else
        log_number(world, result);
}

static ALOOP_UNUSED void assert_log_is(struct world *world, const char *expected)
{
    assert_string_equal(world->log, expected);
    world->log[0] = '\0';
}

static ALOOP_UNUSED int64_t result_of(aloop_task *task)
{
    int64_t result = aloop_task_result(task);

    aloop_task_unref(task);
    return result;
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, world_setup, world_teardown)

#endif
