/* ctest: interleave timeout=120 */
/*
 * What timeouts, groups, and waiting for the first of several promise, under every schedule: S104,
 * S109, S118, S123, S127 to S129, P108, P110, P111.
 */
#include "interleave.h"

#include "task/internal.h"

#include <aloop/wait.h>

#define COUNT 3

/* Yields so many times, or until it is cancelled. */
struct nap {
    ALOOP_FRAME;
    int turns;
};

ALOOP_CORO(nap)
{
    ALOOP_BEGIN;
    while (self->turns-- > 0)
        ALOOP_TRY(aloop_sleep(0));
    ALOOP_END;
}

/* --- wait: sees the first; cancels nobody; leaves nothing behind --- */

struct wait_state {
    aloop_task *children[COUNT];
    aloop_future *gate; /* set when the wait is over: one child waits for that */
    int turns[COUNT];
};

struct waited {
    ALOOP_FRAME;
    struct wait_state *state;
    int index;
};

ALOOP_CORO(waited)
{
    ALOOP_BEGIN;
    if (self->index == 0)
        ALOOP_TRY(aloop_join(self->state->gate));
    ALOOP_TRY(aloop_call(nap, .turns = self->state->turns[self->index]));
    ALOOP_END;
}

struct waiter {
    ALOOP_FRAME;
    struct wait_state *state;
};

ALOOP_CORO(waiter)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_wait(self->state->children, COUNT, ALOOP_FIRST_COMPLETED, ALOOP_NEVER));
    if (self->result >= 0) {
        int64_t done = 0;

        for (int i = 0; i < COUNT; i++)
            done += aloop_task_done(self->state->children[i]);
        INTERLEAVE_REQUIRE(self->result > 0);
        INTERLEAVE_REQUIRE(self->result == done);
    }
    for (int i = 0; i < COUNT; i++) {
        INTERLEAVE_REQUIRE(aloop_waitlist_is_empty(&self->state->children[i]->future.waiters));
        INTERLEAVE_REQUIRE(aloop_task_cancelling(self->state->children[i]) == 0);
    }
    ALOOP_RETURN(self->result);
    ALOOP_FINALLY;
    (void)aloop_future_set_result(self->state->gate, 0);
    ALOOP_END;
}

static void wait_setup(struct interleave *run, void *arg)
{
    struct wait_state *state = arg;

    state->gate = aloop_create_future(interleave_loop(run));
    for (int i = 0; i < COUNT; i++) {
        state->turns[i] = (int)interleave_random(run, 4);
        state->children[i] = interleave_start_spared(run, waited, .state = state, .index = i);
    }
    interleave_start(run, waiter, .state = state);
}

static const char *wait_check(struct interleave *run, void *arg)
{
    struct wait_state *state = arg;
    const char *failure = NULL;

    for (size_t i = 0; i < COUNT && !interleave_was_closed(run); i++) {
        if (interleave_result(run, i) != 0)
            failure = "somebody who was only waited for has not ended well";
    }
    aloop_future_unref(state->gate);
    return failure;
}

/* --- as_completed: each is given once, in whatever way a next is cut short --- */

struct completed_state {
    aloop_future *futures[COUNT];
    int given[COUNT];
    bool is_over;
};

struct setter {
    ALOOP_FRAME;
    aloop_future *future;
    int turns;
};

ALOOP_CORO(setter)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_call(nap, .turns = self->turns));
    (void)aloop_future_set_result(self->future, 1);
    ALOOP_END;
}

struct taker {
    ALOOP_FRAME;
    aloop_as_completed it;
    struct completed_state *state;
    aloop_future *future;
    int errors;
};

ALOOP_CORO(taker)
{
    ALOOP_BEGIN;
    if (aloop_as_completed_open(&self->it, ALOOP_NEVER) < 0 ||
        aloop_as_completed_add_all(&self->it, self->state->futures, COUNT) < 0)
        ALOOP_RETURN(-EIO);
    for (;;) {
        ALOOP_AWAIT(aloop_as_completed_next(&self->it, &self->future));
        if (self->result == 0)
            break;
        if (self->result == 1)
            self->state->given[aloop_as_completed_index(&self->it)]++;
        else if (++self->errors > 5)
            ALOOP_RETURN(self->result);
    }
    self->state->is_over = true;
    ALOOP_END;
}

static void completed_setup(struct interleave *run, void *arg)
{
    struct completed_state *state = arg;

    for (int i = 0; i < COUNT; i++) {
        state->futures[i] = aloop_create_future(interleave_loop(run));
        interleave_start(run, setter, .future = state->futures[i],
                         .turns = (int)interleave_random(run, 4));
    }
    interleave_start(run, taker, .state = state);
}

static const char *completed_check(struct interleave *run, void *arg)
{
    struct completed_state *state = arg;
    const char *failure = NULL;

    for (int i = 0; i < COUNT; i++) {
        if (state->given[i] > 1 || (!interleave_was_closed(run) && state->given[i] != 1))
            failure = "a future was lost, or given twice";
        aloop_future_unref(state->futures[i]);
    }
    return failure;
}

/* --- race: the first counts, and when it is over all have ended --- */

struct race_state {
    aloop_task *racers[COUNT];
    int finished;
    int place[COUNT]; /* 1: was the first to end */
    bool was_told[COUNT];
};

struct racer {
    ALOOP_FRAME;
    struct race_state *state;
    int index;
    int turns;
    int cleanup;
    bool is_stubborn;
};

ALOOP_CORO(racer)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_call(nap, .turns = self->turns));
    if (self->result < 0) {
        self->state->was_told[self->index] = true;
        if (!self->is_stubborn)
            ALOOP_RETURN(self->result);
    }
    ALOOP_RETURN(100 + self->index);
    ALOOP_FINALLY;
    ALOOP_AWAIT(aloop_call(nap, .turns = self->cleanup));
    self->state->place[self->index] = ++self->state->finished;
    ALOOP_END;
}

struct racing {
    ALOOP_FRAME;
    struct race_state *state;
    size_t index;
};

ALOOP_CORO(racing)
{
    ALOOP_BEGIN;
    self->index = COUNT;
    ALOOP_AWAIT(aloop_race_of(self->state->racers, COUNT, &self->index));
    for (int i = 0; i < COUNT; i++)
        INTERLEAVE_REQUIRE(aloop_task_done(self->state->racers[i]));
    if (self->result >= 0) {
        INTERLEAVE_REQUIRE(self->index < COUNT);
        INTERLEAVE_REQUIRE(self->result == 100 + (int64_t)self->index);
        INTERLEAVE_REQUIRE(self->state->place[self->index] == 1);
    }
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

static void race_setup(struct interleave *run, void *arg)
{
    struct race_state *state = arg;

    for (int i = 0; i < COUNT; i++)
        state->racers[i] = interleave_start_spared(run, racer, .state = state, .index = i,
                                                   .turns = 1 + (int)interleave_random(run, 5),
                                                   .cleanup = (int)interleave_random(run, 3),
                                                   .is_stubborn = interleave_random(run, 3) == 0);
    interleave_start(run, racing, .state = state);
}

static const char *race_check(struct interleave *run, void *arg)
{
    (void)arg;
    return interleave_was_closed(run) || interleave_action(run) != INTERLEAVE_NOTHING ||
                   interleave_result(run, COUNT) >= 100
               ? NULL
               : "nobody has won";
}

/* --- select: pieces are neither lost nor taken twice, and everybody gets one --- */

enum { TRAYS = 2, CHOOSERS = 3 };

struct tray {
    int pieces;
    aloop_waitlist waiters;
};

struct select_state {
    struct tray trays[TRAYS];
    int taken;
};

static aloop_poll tray_poll(aloop_task *task, aloop_op *op)
{
    struct tray *tray = op->arg[0].pointer;

    (void)task;
    if (tray->pieces == 0)
        return aloop_op_wait(op, &tray->waiters);
    tray->pieces--;
    return 0;
}

static void tray_drop(aloop_task *task, aloop_op *op)
{
    struct tray *tray = op->arg[0].pointer;

    (void)task;
    if (tray->pieces > 0)
        aloop_wake_one(&tray->waiters);
}

static const aloop_op_type tray_type = {.name = "tray", .drop = tray_drop};

struct chooser {
    ALOOP_FRAME;
    struct select_state *state;
    aloop_select_case cases[TRAYS];
    int64_t first;
};

ALOOP_CORO(chooser)
{
    ALOOP_BEGIN;
    for (int i = 0; i < TRAYS; i++)
        self->cases[i].op = (aloop_op){
            .poll = tray_poll, .type = &tray_type, .arg = {{.pointer = &self->state->trays[i]}}};
    ALOOP_AWAIT(aloop_select_from(self->cases, TRAYS, self->first));
    if (self->result >= 0)
        self->state->taken++;
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

struct putter {
    ALOOP_FRAME;
    struct tray *tray;
    int turns;
};

ALOOP_CORO(putter)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_call(nap, .turns = self->turns));
    self->tray->pieces++;
    aloop_wake_one(&self->tray->waiters);
    ALOOP_END;
}

static void select_setup(struct interleave *run, void *arg)
{
    struct select_state *state = arg;

    for (int i = 0; i < CHOOSERS; i++)
        interleave_start(run, chooser, .state = state, .first = (int64_t)interleave_random(run, 2));
    for (int i = 0; i < CHOOSERS; i++)
        interleave_start(run, putter, .tray = &state->trays[interleave_random(run, TRAYS)],
                         .turns = (int)interleave_random(run, 3));
}

static const char *select_check(struct interleave *run, void *arg)
{
    struct select_state *state = arg;
    int left = 0;

    for (int i = 0; i < TRAYS; i++) {
        left += state->trays[i].pieces;
        if (!aloop_waitlist_is_empty(&state->trays[i].waiters))
            return "somebody has left a waiter behind";
    }
    if (interleave_was_closed(run))
        return NULL;
    return state->taken + left == CHOOSERS ? NULL : "pieces were lost or doubled";
}

/* --- group: nothing outlives it; neither errors nor cancellations are lost --- */

struct group_state {
    int alive;
    int failures;
    aloop_group *group;
};

struct member_task {
    ALOOP_FRAME;
    struct group_state *state;
    int turns;
    int cleanup;
    int64_t outcome;
    int64_t word;  /* < 0: says nothing */
    bool is_alive; /* counted */
};

ALOOP_CORO(member_task)
{
    ALOOP_BEGIN;
    self->state->alive++;
    ALOOP_TRY(aloop_call(nap, .turns = self->turns));
    if (self->word >= 0)
        INTERLEAVE_REQUIRE(aloop_started(self->word) == 0 ||
                           aloop_task_cancelling(aloop_current_task()) > 0);
    if (self->outcome < 0 && self->word < 0)
        self->state->failures++;
    ALOOP_RETURN(self->outcome);
    ALOOP_FINALLY;
    ALOOP_AWAIT(aloop_call(nap, .turns = self->cleanup));
    self->state->alive--;
    ALOOP_END;
}

struct parent {
    ALOOP_FRAME;
    aloop_group group;
    struct group_state *state;
    struct member_task plan[COUNT];
    int i;
    int busy;
    bool heard; /* of a cancellation */
    int64_t outcome;
};

ALOOP_CORO(parent)
{
    ALOOP_BEGIN;
    aloop_group_init(&self->group);
    for (self->i = 0; self->i < COUNT - 1; self->i++)
        ALOOP_TRY(aloop_group_start(&self->group, member_task, .state = self->state,
                                    .turns = self->plan[self->i].turns, .word = -1,
                                    .cleanup = self->plan[self->i].cleanup,
                                    .outcome = self->plan[self->i].outcome));
    /* One that says it is ready, and may end right then. */
    ALOOP_TRY(aloop_group_start_and_wait(&self->group, member_task, .state = self->state,
                                         .turns = self->plan[self->i].turns, .word = 5,
                                         .cleanup = self->plan[self->i].cleanup));
    ALOOP_TRY(aloop_call(nap, .turns = self->busy));
    ALOOP_AWAIT(aloop_group_wait(&self->group));
    self->outcome = self->result;
    self->heard = self->result == -ECANCELED;
    INTERLEAVE_REQUIRE(self->result == -ETIMEDOUT || self->state->alive == 0);
    INTERLEAVE_REQUIRE(self->result < 0 || self->state->failures == 0);
    /* The next await gets what the errors were more important than. */
    ALOOP_AWAIT(aloop_sleep(0));
    self->heard = self->heard || self->result == -ECANCELED;
    INTERLEAVE_REQUIRE(self->heard || aloop_task_cancelling(self->aloop_frame_.task) == 0);
    ALOOP_RETURN(self->outcome);
    ALOOP_END;
}

static void group_setup(struct interleave *run, void *arg)
{
    struct group_state *state = arg;
    struct member_task plan[COUNT];

    for (int i = 0; i < COUNT; i++) {
        plan[i] = (struct member_task){.turns = (int)interleave_random(run, 4),
                                       .cleanup = (int)interleave_random(run, 3),
                                       .outcome = interleave_random(run, 3) == 0 ? -EPIPE : 0};
    }
    interleave_start(run, parent, .state = state, .plan = {plan[0], plan[1], plan[2]},
                     .busy = (int)interleave_random(run, 4));
}

static const char *group_check(struct interleave *run, void *arg)
{
    const struct group_state *state = arg;
    int64_t result;

    if (interleave_was_closed(run))
        return NULL;
    result = interleave_result(run, 0);
    if (state->alive != 0)
        return "a child has outlived its group";
    if (state->failures > 0 && (result >= 0 || result == -ECANCELED))
        return "an error was lost";
    return NULL;
}

/* --- timeout: a cancellation is never taken for it --- */

struct timed {
    ALOOP_FRAME;
    aloop_timeout outer;
    aloop_timeout inner;
    aloop_ns limits[2];
    aloop_ns delay;
    aloop_future *future; /* joined, if not NULL */
    int64_t outcome;
    bool heard;
};

ALOOP_CORO(timed)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_timeout_enter(&self->outer, self->limits[0]));
    ALOOP_TRY(aloop_timeout_enter(&self->inner, self->limits[1]));
    if (self->future != NULL)
        ALOOP_AWAIT(aloop_join(self->future));
    else
        ALOOP_AWAIT(aloop_sleep(self->delay));
    self->outcome = aloop_timeout_leave(&self->inner, self->result);
    INTERLEAVE_REQUIRE(self->outcome != -ETIMEDOUT || self->result == -ETIMEDOUT ||
                       aloop_timeout_expired(&self->inner));
    if (self->outcome == -ETIMEDOUT || self->outcome >= 0)
        ALOOP_AWAIT(aloop_sleep(1));
    self->outcome = aloop_timeout_leave(&self->outer, self->result);
    INTERLEAVE_REQUIRE(self->outcome != -ETIMEDOUT || self->result == -ETIMEDOUT ||
                       aloop_timeout_expired(&self->outer));
    self->heard = self->outcome == -ECANCELED;
    ALOOP_AWAIT(aloop_sleep(0));
    self->heard = self->heard || self->result == -ECANCELED;
    INTERLEAVE_REQUIRE(self->heard || aloop_task_cancelling(self->aloop_frame_.task) == 0);
    ALOOP_END;
}

struct timeout_state {
    aloop_future *future;
};

static void timeout_setup(struct interleave *run, void *arg)
{
    struct timeout_state *state = arg;

    state->future = aloop_create_future(interleave_loop(run));
    for (int i = 0; i < 2; i++) {
        interleave_start(
            run, timed,
            .limits = {(aloop_ns)interleave_random(run, 4), (aloop_ns)interleave_random(run, 4)},
            .delay = (aloop_ns)interleave_random(run, 4),
            .future = interleave_random(run, 3) == 0 ? state->future : NULL);
    }
    interleave_start(run, setter, .future = state->future, .turns = (int)interleave_random(run, 4));
}

static const char *timeout_check(struct interleave *run, void *arg)
{
    struct timeout_state *state = arg;

    (void)run;
    aloop_future_unref(state->future);
    return NULL;
}

static const struct interleave_scenario scenarios[] = {
    {"wait", sizeof(struct wait_state), wait_setup, wait_check},
    {"as_completed", sizeof(struct completed_state), completed_setup, completed_check},
    {"race", sizeof(struct race_state), race_setup, race_check},
    {"select", sizeof(struct select_state), select_setup, select_check},
    {"group", sizeof(struct group_state), group_setup, group_check},
    {"timeout", sizeof(struct timeout_state), timeout_setup, timeout_check},
};

INTERLEAVE_MAIN(scenarios)
