/*
 * What the tests of queues share: tasks that await one operation and log what came of it.
 */
#ifndef ALOOP_TESTS_QUEUE_TEST_H
#define ALOOP_TESTS_QUEUE_TEST_H

#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Awaits one get, and logs what came: the item, or the error's name. */
struct getter {
    ALOOP_FRAME;
    struct world *world;
    aloop_queue *queue;
    aloop_ns timeout; /* 0: none */
    int64_t item;
};

static ALOOP_UNUSED void log_outcome(struct world *world, int64_t result, int64_t item)
{
    char word[40];

    (void)snprintf(word, sizeof word, "%lld", (long long)item);
    world_mark(world, result < 0 ? aloop_error_name(result) : word);
}

ALOOP_CORO(getter)
{
    ALOOP_BEGIN;
    if (self->timeout == 0)
        ALOOP_AWAIT(aloop_queue_get(self->queue, &self->item));
    else
        ALOOP_AWAIT(aloop_wait_for(aloop_queue_get(self->queue, &self->item), self->timeout));
    log_outcome(self->world, self->result, self->item);
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

static ALOOP_UNUSED void log_put(struct world *world, int64_t result, int64_t item)
{
    char word[40];

    (void)snprintf(word, sizeof word, "+%lld", (long long)item);
    world_mark(world, result < 0 ? aloop_error_name(result) : word);
}

/* Awaits one put, and logs "+item", or the error's name. */
struct putter {
    ALOOP_FRAME;
    struct world *world;
    aloop_queue *queue;
    aloop_ns timeout;
    int64_t item;
};

ALOOP_CORO(putter)
{
    ALOOP_BEGIN;
    if (self->timeout == 0)
        ALOOP_AWAIT(aloop_queue_put(self->queue, &self->item));
    else
        ALOOP_AWAIT(aloop_wait_for(aloop_queue_put(self->queue, &self->item), self->timeout));
    log_put(self->world, self->result, self->item);
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

struct queue_joiner {
    ALOOP_FRAME;
    struct world *world;
    aloop_queue *queue;
};

ALOOP_CORO(queue_joiner)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_queue_join(self->queue));
    world_mark(self->world, self->result < 0 ? aloop_error_name(self->result) : "joined");
    ALOOP_END;
}

static ALOOP_UNUSED aloop_task *get_in(struct world *world, aloop_queue *queue)
{
    return aloop_create_task_in(world->loop, getter, .world = world, .queue = queue);
}

static ALOOP_UNUSED aloop_task *put_in(struct world *world, aloop_queue *queue, int64_t item)
{
    return aloop_create_task_in(world->loop, putter, .world = world, .queue = queue, .item = item);
}

static ALOOP_UNUSED void put_now(aloop_queue *queue, int64_t item)
{
    assert_int_equal(aloop_queue_put_nowait(queue, &item), 0);
}

static ALOOP_UNUSED int64_t get_now(aloop_queue *queue)
{
    int64_t item = -1;

    assert_int_equal(aloop_queue_get_nowait(queue, &item), 0);
    return item;
}

static ALOOP_UNUSED void open_queue(struct world *world, aloop_queue *queue, int64_t maxsize)
{
    assert_int_equal(aloop_queue_init(queue, world->loop, sizeof(int64_t), maxsize), 0);
}

static ALOOP_UNUSED void assert_log_is(struct world *world, const char *expected)
{
    assert_string_equal(world->log, expected);
    world->log[0] = '\0';
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, world_setup, world_teardown)

#endif
