/*
 * Conditions. A notified task is not woken: its operation moves from the condition's wait list to
 * the lock's, where it is served as anybody who acquires the lock. So a notification of a thousand
 * tasks wakes them one by one, each when the lock is its own.
 *
 * A wait that is cancelled has to acquire the lock first. It is interrupted instead of dropped:
 * gets in line for the lock, passes on the notification if it had one, and ends when it has the
 * lock.
 */
#include "task/grant.h"

#include <stdio.h>

/* aloop_op.arg[2] */
enum {
    WAIT_BEGUN = 1,
    WAIT_NOTIFIED = 2,
    WAIT_LOCKING = 4, /* it is in the lock's wait list, or was given the lock */
    WAIT_INTERRUPTED = 8
};

static bool wait_is(const aloop_op *op, int state)
{
    return (op->arg[2].number & state) != 0;
}

/* Gets the operation in line for the lock, which is locked. */
static void wait_for_lock(aloop_op *op, aloop_lock *lock, int why)
{
    aloop_waiter_unlink(&op->waiter);
    op->arg[2].number |= WAIT_LOCKING | why;
    aloop_waitlist_push(&lock->waiters, &op->waiter);
}

/* The lock is locked. */
static bool notify_one(aloop_condition *condition)
{
    aloop_op *op = grant_first_waiting(&condition->waiters);

    if (op == NULL)
        return false;
    wait_for_lock(op, condition->lock, WAIT_NOTIFIED);
    return true;
}

/* The operation will not make use of the notification that it has got. */
static void pass_on(aloop_op *op)
{
    if (!wait_is(op, WAIT_NOTIFIED))
        return;
    op->arg[2].number &= ~(int64_t)WAIT_NOTIFIED;
    (void)notify_one(op->arg[0].pointer);
}

static aloop_poll condition_poll(aloop_task *task, aloop_op *op)
{
    aloop_condition *condition = op->arg[0].pointer;
    aloop_lock *lock = condition->lock;
    int error;

    if (grant_of(op) == GRANT_GIVEN) {
        lock->holder = task->number;
        return wait_is(op, WAIT_INTERRUPTED) ? -ECANCELED : 0;
    }
    if (wait_is(op, WAIT_BEGUN))
        return ALOOP_PENDING;
    if (!lock->is_locked)
        return -EPERM;
    error = grant_check_loop(&lock->loop, false, task);
    if (error < 0)
        return error;
    op->arg[2].number = WAIT_BEGUN;
    aloop_waitlist_push(&condition->waiters, &op->waiter);
    aloop_lock_hand_on_(lock);
    return ALOOP_PENDING;
}

static void condition_interrupt(aloop_task *task, aloop_op *op)
{
    const aloop_condition *condition = op->arg[0].pointer;
    aloop_lock *lock = condition->lock;

    op->arg[2].number |= WAIT_INTERRUPTED;
    pass_on(op);
    if (grant_of(op) == GRANT_GIVEN) {
        grant_give(op, GRANT_GIVEN);
    } else if (!wait_is(op, WAIT_LOCKING) && lock->is_locked) {
        wait_for_lock(op, lock, 0);
    } else if (!wait_is(op, WAIT_LOCKING)) {
        lock->is_locked = true;
        lock->loop = task->future.loop;
        grant_give(op, GRANT_GIVEN);
    }
}

/* Only where nobody goes on from here: it leaves no trace. */
static void condition_drop(aloop_task *task, aloop_op *op)
{
    aloop_condition *condition = op->arg[0].pointer;

    (void)task;
    pass_on(op);
    if (grant_of(op) == GRANT_GIVEN)
        aloop_lock_hand_on_(condition->lock);
}

static void condition_describe(const aloop_task *task, const aloop_op *op,
                               aloop_op_details *details)
{
    const aloop_condition *condition = op->arg[0].data;

    (void)task;
    if (!wait_is(op, WAIT_LOCKING) || grant_of(op) == GRANT_GIVEN)
        return;
    (void)snprintf(details->text, sizeof details->text, "notified, needs its lock");
    details->object = condition->lock;
    details->holder = condition->lock->holder;
}

static const aloop_op_type condition_type = {.name = "condition",
                                             .drop = condition_drop,
                                             .interrupt = condition_interrupt,
                                             .describe = condition_describe};

aloop_op aloop_condition_wait(aloop_condition *condition)
{
    return (aloop_op){
        .poll = condition_poll, .type = &condition_type, .arg = {{.pointer = condition}}};
}

int64_t aloop_condition_notify(aloop_condition *condition, size_t count)
{
    int64_t notified = 0;

    if (!condition->lock->is_locked)
        return -EPERM;
    while ((size_t)notified < count && notify_one(condition))
        notified++;
    return notified;
}

int64_t aloop_condition_notify_all(aloop_condition *condition)
{
    return aloop_condition_notify(condition, SIZE_MAX);
}
