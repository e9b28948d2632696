/*
 * Locks. While somebody waits the lock is locked: releasing it makes it the next one's without
 * unlocking it.
 */
#include "task/grant.h"

/* The lock, which is locked, goes to the next, or becomes free. */
void aloop_lock_hand_on_(aloop_lock *lock)
{
    lock->holder = 0;
    if (!grant_next(&lock->waiters, GRANT_GIVEN))
        lock->is_locked = false;
}

aloop_poll aloop_lock_poll_(aloop_task *task, aloop_op *op)
{
    aloop_lock *lock = op->arg[0].pointer;
    int error;

    if (lock->is_locked && grant_of(op) != GRANT_GIVEN) {
        error = grant_check_loop(&lock->loop, false, task);
        return error < 0 ? error : aloop_op_wait(op, &lock->waiters);
    }
    lock->is_locked = true;
    lock->loop = task->future.loop;
    lock->holder = task->number;
    return 0;
}

static void lock_drop(aloop_task *task, aloop_op *op)
{
    (void)task;
    if (grant_of(op) == GRANT_GIVEN)
        aloop_lock_hand_on_(op->arg[0].pointer);
}

static void lock_describe(const aloop_task *task, const aloop_op *op, aloop_op_details *details)
{
    const aloop_lock *lock = op->arg[0].data;

    (void)task;
    details->object = lock;
    details->holder = lock->holder;
}

const aloop_op_type aloop_lock_type_ = {
    .name = "lock", .drop = lock_drop, .describe = lock_describe};

bool aloop_lock_try_acquire(aloop_lock *lock)
{
    if (lock->is_locked)
        return false;
    lock->is_locked = true;
    lock->loop = aloop_get_running_loop();
    lock->holder = lock->loop != NULL && lock->loop->current_task != NULL
                       ? lock->loop->current_task->number
                       : 0;
    return true;
}

/* --- holding it --- */

static void lock_give_back(aloop_hold *hold)
{
    (void)aloop_lock_release(hold->what);
}

aloop_poll aloop_lock_enter_poll_(aloop_task *task, aloop_op *op)
{
    aloop_hold *hold = op->arg[2].pointer;
    aloop_poll outcome;

    if (ALOOP_UNLIKELY(aloop_hold_is_held(hold))) {
        lock_drop(task, op);
        return -EBUSY;
    }
    outcome = aloop_lock_poll_(task, op);
    if (outcome == 0)
        hold_enter(task, hold, op->arg[0].pointer, lock_give_back);
    return outcome;
}
