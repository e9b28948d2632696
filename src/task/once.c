/*
 * Things done once. The turn is a hold of the coroutine that does it: if that ends without saying
 * that it is done, the turn goes to the next.
 */
#include "task/grant.h"

enum { ONCE_FRESH, ONCE_RUNNING, ONCE_DONE };

/* What a waiting operation gets. */
enum { GRANT_TURN = GRANT_GIVEN, GRANT_DONE = GRANT_OTHER };

static void hand_on(aloop_once *once)
{
    once->runner = NULL;
    if (!grant_next(&once->waiters, GRANT_TURN))
        once->state = ONCE_FRESH;
}

static void turn_give_back(aloop_hold *turn)
{
    hand_on(turn->what);
}

static aloop_poll begin_turn(aloop_once *once, aloop_task *task, aloop_hold *turn)
{
    once->state = ONCE_RUNNING;
    once->runner = task;
    hold_enter(task, turn, once, turn_give_back);
    return 1;
}

static void once_drop(aloop_task *task, aloop_op *op)
{
    (void)task;
    if (grant_of(op) == GRANT_TURN)
        hand_on(op->arg[0].pointer);
}

aloop_poll aloop_once_poll_(aloop_task *task, aloop_op *op)
{
    aloop_once *once = op->arg[0].pointer;
    aloop_hold *turn = op->arg[2].pointer;
    int error;

    if (once->state == ONCE_DONE || grant_of(op) == GRANT_DONE)
        return 0;
    if (aloop_hold_is_held(turn)) {
        once_drop(task, op);
        return once->runner == task ? -EDEADLK : -EBUSY;
    }
    if (grant_of(op) == GRANT_TURN)
        return begin_turn(once, task, turn);
    if (once->runner == task)
        return -EDEADLK;
    error = grant_check_loop(&once->loop, once->state == ONCE_FRESH, task);
    if (error < 0)
        return error;
    if (once->state == ONCE_RUNNING)
        return aloop_op_wait(op, &once->waiters);
    return begin_turn(once, task, turn);
}

static void once_describe(const aloop_task *task, const aloop_op *op, aloop_op_details *details)
{
    (void)task;
    details->object = op->arg[0].data;
}

const aloop_op_type aloop_once_type_ = {
    .name = "once", .drop = once_drop, .describe = once_describe};

int aloop_once_done(aloop_hold *turn)
{
    aloop_once *once = turn->what;

    if (!aloop_hold_is_held(turn) || turn->give_back != turn_give_back)
        return -EPERM;
    hold_leave(turn);
    once->state = ONCE_DONE;
    once->runner = NULL;
    while (grant_next(&once->waiters, GRANT_DONE))
        ;
    return 0;
}

bool aloop_once_is_done(const aloop_once *once)
{
    return once->state == ONCE_DONE;
}
