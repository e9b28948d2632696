/*
 * What the tests of groups share: a child that sleeps and then ends in some way, and a coroutine
 * with a group of up to three of them.
 */
#ifndef ALOOP_TESTS_GROUP_FAMILY_H
#define ALOOP_TESTS_GROUP_FAMILY_H

#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define UNTOUCHED 77

static inline void cancel_task(aloop *loop, void *arg)
{
    (void)loop;
    (void)aloop_task_cancel(arg);
}

static inline void at(struct world *world, aloop_ns delay, aloop_task *task)
{
    assert_true(aloop_call_later(world->loop, delay, cancel_task, task) > 0);
}

/* Sleeps, then fails or returns. */
struct child {
    ALOOP_FRAME;
    aloop_ns delay;
    int64_t outcome;
    aloop_group *group; /* if not NULL: starts another child there when it is about to end */
    int more;           /* how many generations */
    struct world *world;
};

ALOOP_CORO(child)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_sleep(self->delay));
    if (self->more > 0)
        ALOOP_TRY(aloop_group_start(self->group, child, .delay = self->delay,
                                    .outcome = self->outcome, .group = self->group,
                                    .more = self->more - 1, .world = self->world));
    if (self->world != NULL)
        world_mark(self->world, "child");
    ALOOP_RETURN(self->outcome);
    ALOOP_END;
}

/* A coroutine with a group of up to three children with these delays and outcomes (delay 0: not
   that one). It does something else meanwhile, if it is to, and then waits for them. */
struct parent {
    ALOOP_FRAME;
    aloop_group group;
    aloop_ns delays[3];
    int64_t outcomes[3];
    aloop_ns busy;   /* sleeps so long first */
    int64_t *body;   /* of that sleep */
    int64_t *waited; /* of waiting */
    int64_t *after;  /* of a sleep(0) behind it */
    int64_t errors[3];
    size_t *error_count;
    int64_t *errors_out;
    int i;
    bool no_wait;    /* returns instead */
    int64_t outcome; /* what then */
};

ALOOP_CORO(parent)
{
    ALOOP_BEGIN;
    aloop_group_init(&self->group);
    for (self->i = 0; self->i < 3; self->i++) {
        if (self->delays[self->i] != 0)
            ALOOP_TRY(aloop_group_start(&self->group, child, .delay = self->delays[self->i],
                                        .outcome = self->outcomes[self->i]));
    }
    if (self->busy > 0) {
        ALOOP_AWAIT(aloop_sleep(self->busy));
        if (self->body != NULL)
            *self->body = self->result;
    }
    if (self->no_wait)
        ALOOP_RETURN(self->outcome);
    ALOOP_AWAIT(aloop_group_wait(&self->group));
    if (self->waited != NULL)
        *self->waited = self->result;
    if (self->error_count != NULL)
        *self->error_count = aloop_group_errors(&self->group, self->errors_out, 3);
    if (self->after != NULL) {
        ALOOP_AWAIT(aloop_sleep(0));
        *self->after = self->result;
    }
    ALOOP_END;
}

#endif
