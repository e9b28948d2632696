/*
 * Barriers. When the last party comes, each operation that waits is given its number, and belongs
 * to the past: the barrier is empty again, so there is no state of draining, and nobody who is slow
 * to run can be counted twice or left behind.
 */
#include "task/grant.h"

#include <stdio.h>

/* All who wait have passed. */
static void trip(aloop_barrier *barrier)
{
    aloop_op *op;

    for (int64_t i = 0; (op = grant_first_waiting(&barrier->waiters)) != NULL; i++) {
        op->arg[2].number = i;
        grant_give(op, GRANT_GIVEN);
    }
    barrier->waiting = 0;
}

static void fail_all(aloop_barrier *barrier)
{
    while (grant_next(&barrier->waiters, GRANT_OTHER))
        ;
    barrier->waiting = 0;
}

static aloop_poll barrier_poll(aloop_task *task, aloop_op *op)
{
    aloop_barrier *barrier = op->arg[0].pointer;
    int error;

    if (grant_of(op) != GRANT_NOTHING)
        return grant_of(op) == GRANT_GIVEN ? op->arg[2].number : -ALOOP_EBROKEN;
    /* Woken for another reason: it has been counted. */
    if (aloop_waiter_is_linked(&op->waiter))
        return ALOOP_PENDING;
    if (barrier->parties == 0)
        return -EINVAL;
    if (barrier->is_broken)
        return -ALOOP_EBROKEN;
    error = grant_check_loop(&barrier->loop, barrier->waiting == 0, task);
    if (error < 0)
        return error;
    if (barrier->waiting + 1 < barrier->parties) {
        barrier->waiting++;
        return aloop_op_wait(op, &barrier->waiters);
    }
    trip(barrier);
    return (int64_t)(barrier->parties - 1);
}

static void barrier_drop(aloop_task *task, aloop_op *op)
{
    aloop_barrier *barrier = op->arg[0].pointer;

    (void)task;
    if (grant_of(op) == GRANT_NOTHING)
        barrier->waiting--;
}

static void barrier_describe(const aloop_task *task, const aloop_op *op, aloop_op_details *details)
{
    const aloop_barrier *barrier = op->arg[0].data;

    (void)task;
    (void)snprintf(details->text, sizeof details->text, "%zu of %zu have come", barrier->waiting,
                   barrier->parties);
}

static const aloop_op_type barrier_type = {
    .name = "barrier", .drop = barrier_drop, .describe = barrier_describe};

aloop_op aloop_barrier_wait(aloop_barrier *barrier)
{
    return (aloop_op){.poll = barrier_poll, .type = &barrier_type, .arg = {{.pointer = barrier}}};
}

void aloop_barrier_reset(aloop_barrier *barrier)
{
    fail_all(barrier);
    barrier->is_broken = false;
}

void aloop_barrier_abort(aloop_barrier *barrier)
{
    fail_all(barrier);
    barrier->is_broken = true;
}
