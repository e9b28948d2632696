/*
 * Semaphores. While somebody waits the value is 0: a permit that is released is handed to the next
 * without being counted.
 */
#include "task/grant.h"

aloop_poll aloop_semaphore_poll_(aloop_task *task, aloop_op *op)
{
    aloop_semaphore *semaphore = op->arg[0].pointer;
    int error;

    if (grant_of(op) == GRANT_GIVEN)
        return 0;
    error = grant_check_loop(&semaphore->loop, aloop_waitlist_is_empty(&semaphore->waiters), task);
    if (error < 0)
        return error;
    if (semaphore->value == 0)
        return aloop_op_wait(op, &semaphore->waiters);
    semaphore->value--;
    return 0;
}

static void hand_on(aloop_semaphore *semaphore)
{
    if (!grant_next(&semaphore->waiters, GRANT_GIVEN))
        semaphore->value++;
}

static void semaphore_drop(aloop_task *task, aloop_op *op)
{
    (void)task;
    if (grant_of(op) == GRANT_GIVEN)
        hand_on(op->arg[0].pointer);
}

const aloop_op_type aloop_semaphore_type_ = {.name = "semaphore", .drop = semaphore_drop};

bool aloop_semaphore_try_acquire(aloop_semaphore *semaphore)
{
    if (semaphore->value == 0)
        return false;
    semaphore->value--;
    return true;
}

int aloop_semaphore_release(aloop_semaphore *semaphore)
{
    if (semaphore->value == SIZE_MAX)
        return -EOVERFLOW;
    hand_on(semaphore);
    return 0;
}

int aloop_bounded_semaphore_release(aloop_bounded_semaphore *semaphore)
{
    if (semaphore->semaphore.value >= semaphore->bound)
        return -EINVAL;
    hand_on(&semaphore->semaphore);
    return 0;
}
