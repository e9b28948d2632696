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
    if (semaphore->value > 0) {
        semaphore->value--;
        return 0;
    }
    error = grant_check_loop(&semaphore->loop, aloop_waitlist_is_empty(&semaphore->waiters), task);
    return error < 0 ? error : aloop_op_wait(op, &semaphore->waiters);
}

void aloop_semaphore_hand_on_(aloop_semaphore *semaphore)
{
    if (!grant_next(&semaphore->waiters, GRANT_GIVEN))
        semaphore->value++;
}

static void semaphore_drop(aloop_task *task, aloop_op *op)
{
    (void)task;
    if (grant_of(op) == GRANT_GIVEN)
        aloop_semaphore_hand_on_(op->arg[0].pointer);
}

const aloop_op_type aloop_semaphore_type_ = {.name = "semaphore", .drop = semaphore_drop};

bool aloop_semaphore_try_acquire(aloop_semaphore *semaphore)
{
    if (semaphore->value == 0)
        return false;
    semaphore->value--;
    return true;
}
