/*
 * Several futures that one operation waits for: what aloop_wait() and aloop_race() have in common.
 * Each is watched by a waiter of its own, so that looking after them costs nothing until one is
 * done, and holds a reference, so that none can go away.
 */
#ifndef ALOOP_SRC_TASK_FUTURE_SET_H
#define ALOOP_SRC_TASK_FUTURE_SET_H

#include "task/internal.h"

#include <aloop/wait.h>

#define NONE SIZE_MAX

struct watched {
    aloop_waiter waiter;
    struct future_set *set;
    aloop_future *future;
};

struct future_set {
    aloop_op *op; /* is told when the set is settled */
    struct fanout fanout;
    size_t count;
    size_t pending;
    size_t first; /* the index of the one that was done first; NONE */
    bool has_failure;
    aloop_return_when when; /* it is settled */
    struct watched members[];
};

/* An array of futures, or of tasks. */
struct futures {
    const void *array;
    size_t count;
    bool are_tasks;
};

static inline aloop_future *future_at(const struct futures *futures, size_t index)
{
    if (futures->are_tasks)
        return &((aloop_task *const *)futures->array)[index]->future;
    return ((aloop_future *const *)futures->array)[index];
}

static inline bool future_has_failed(const struct aloop_future *future)
{
    return future->state == FUTURE_FINISHED && future->result < 0;
}

/* How they stand. */
struct futures_state {
    size_t done;
    bool has_failure;
};

/* Can the task wait for these? 0, -EINVAL, -ALOOP_EWRONGLOOP, -EDEADLK. */
int futures_check(const aloop_task *task, const struct futures *futures,
                  struct futures_state *out_state);
/* A set of them for `op` of the task, NULL if there is no memory. */
struct future_set *future_set_new(aloop_task *task, aloop_op *op, const struct futures *futures,
                                  aloop_return_when when);
bool future_set_is_settled(const struct future_set *set);
/* The futures of the set that is the first argument of `op`: for aloop_op_details. */
aloop_future *future_set_next(const aloop_op *op, void **cursor);
/* Nothing of it is left at the futures. */
void future_set_free(aloop *loop, struct future_set *set);

#endif
