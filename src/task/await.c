/*
 * Awaiting, as far as it is out of the ordinary: deadlines, cancellations, calls that are scopes.
 * What every await goes through is in step.c.
 *
 * The operation that a task waits for lives in the task, so there is at most one, that of the
 * innermost frame; a call is no pending operation, but a frame on top. That is why a chain of
 * calls, however deep, is resumed in one step, and waits at one place.
 */
#include "task/internal.h"

/* --- the end of an operation --- */

void task_drop_op(struct aloop_task *task)
{
    op_ended(task);
    if (task->op.type != NULL && task->op.type->drop != NULL)
        task->op.type->drop(task, &task->op);
}

bool op_ends_by_itself(const aloop_op *op)
{
    const aloop_op_type *type = op->type;
    const aloop_future *target = type != NULL && type->target != NULL ? type->target(op) : NULL;

    return target != NULL && !future_is_done(target);
}

/* It is to end, because the task is cancelled or time is up. True if it does so by itself,
   later, or has just done it and has woken the task. */
static bool op_interrupt(struct aloop_task *task, unsigned why)
{
    const aloop_op_type *type = task->op.type;

    if (type == NULL || type->interrupt == NULL)
        return false;
    task->op.flags |= why;
    type->interrupt(task, &task->op);
    return true;
}

/* Time is up, and the operation, asked once more, is still pending. True if that ends it now. */
static bool op_time_is_up(struct aloop_task *task)
{
    task->op.flags &= ~(unsigned)OP_HAS_TIMEOUT;
    if (task_cancel_awaited(task)) {
        task->op.flags |= OP_TIMED_OUT;
        return false;
    }
    if (op_ends_by_itself(&task->op) || op_interrupt(task, OP_TIMED_OUT))
        return false;
    task_drop_op(task);
    return op_ends_with(task, -ETIMEDOUT);
}

/* Does it wait for several tasks, to which a cancellation is passed on? */
bool op_is_for_several(const aloop_op *op)
{
    return op->type != NULL && op->type->fanout != NULL;
}

bool op_is_cancelled(struct aloop_task *task)
{
    if (op_interrupt(task, task_take_alarm(task)))
        return false;
    task_drop_op(task);
    return op_ends_with(task, -ECANCELED);
}

bool op_sees_to_deadline(struct aloop_task *task)
{
    aloop *loop = task->future.loop;
    aloop_op *op = &task->op;

    if (!(op->flags & OP_DEADLINE_SET)) {
        op->timeout = op->timeout > 0 ? time_add(loop->now, op->timeout) : loop->now;
        op->flags |= OP_DEADLINE_SET;
    }
    if (loop->now >= op->timeout)
        return op_time_is_up(task);
    (void)aloop_op_wait_until(task, op->timeout);
    return false;
}

void task_give_way(struct aloop_task *task)
{
    if (task->state & ALARM_SCOPE)
        scopes_lose_patience(task);
    task_wake(task);
}

bool task_begin_op(struct aloop_task *task)
{
    return task->op.poll(task, &task->op) != ALOOP_PENDING || op_waits(task);
}

aloop_poll aloop_op_wait_until(aloop_task *task, aloop_ns deadline)
{
    if (task->state & TASK_HAS_TIMER && deadline >= timer_deadline(&task->timer) &&
        timer_is_armed(&task->timer))
        return ALOOP_PENDING;
    task->state |= TASK_HAS_TIMER;
    timers_arm(&task->future.loop->timers, &task->timer, deadline);
    return ALOOP_PENDING;
}

aloop_poll aloop_op_yield(aloop_task *task)
{
    task_wake(task);
    return ALOOP_PENDING;
}

/* --- calls --- */

/* A call with a deadline, or one that may be cancelled inside ALOOP_FINALLY: the frame gets a
   scope. */
static bool await_call_in_scope(aloop_frame *frame)
{
    struct aloop_task *task = frame->task;
    aloop_op *op = &task->op;
    aloop_scope *scope;
    int64_t outcome;

    frame->result = -ETIMEDOUT;
    if (op->flags & OP_HAS_TIMEOUT && op->timeout <= 0)
        return false;
    frame->result = call_scope_enter(task, op);
    if (frame->result < 0)
        return false;
    scope = task->scope;
    outcome = op->poll(task, op);
    if (outcome != ALOOP_PENDING) {
        frame->result = call_scope_leave(scope, outcome);
        return false;
    }
    /* The scope ends with the frame that it is for. */
    scope->frame = task->frame;
    task->frame->flags |= FRAME_HAS_SCOPE;
    return true;
}

/* --- starting --- */

/* The operation is pending, and a cancellation is passed on to what it waits for. True if it goes
   on waiting, for that to end. */
static bool await_end_of_cancelled(struct aloop_task *task, unsigned alarm)
{
    task_set_mode(task, TASK_WAITS);
    task->op.flags |= alarm;
    if (task_cancel_awaited(task))
        return true;
    task_drop_op(task);
    return false;
}

/* A cancellation came earlier, and is delivered here: to what the operation waits for, if it is
   one that passes it on; any other is not even started. */
static bool await_cancelled(aloop_frame *frame, unsigned alarm)
{
    struct aloop_task *task = frame->task;
    aloop_op *op = &task->op;

    frame->result = -ECANCELED;
    if (op->type == NULL)
        return false;
    if (op->type->skip != NULL)
        op->type->skip(op);
    if (op->type->target == NULL || op->poll(task, op) != ALOOP_PENDING)
        return false;
    return await_end_of_cancelled(task, alarm);
}

/* There is news, but the operation is asked first, and what has completed is returned; the news is
   left for the next await. So for an operation that waits for several tasks: what these have ended
   with is not lost over the cancellation. */
static bool await_asking_first(aloop_frame *frame)
{
    struct aloop_task *task = frame->task;
    int64_t outcome = task->op.poll(task, &task->op);
    unsigned alarm;

    if (outcome != ALOOP_PENDING) {
        frame->result = outcome;
        return false;
    }
    /* Having begun to wait may have settled the news. */
    alarm = task_take_alarm(task);
    if (alarm == 0)
        return !op_waits(task);
    frame->result = -ECANCELED;
    return await_end_of_cancelled(task, alarm);
}

/* An await with something out of the ordinary: a timeout, or news for the task. */
bool await_carefully(aloop_frame *frame)
{
    struct aloop_task *task = frame->task;
    aloop_op *op = &task->op;
    unsigned alarm = 0;
    int64_t outcome;

    if (op->flags & OP_IS_CALL && op->flags & (OP_HAS_TIMEOUT | OP_CANCELLABLE)) {
        if (await_call_in_scope(frame))
            return true;
        return task_spend(task);
    }
    if ((task->state & TASK_ALARMS) != 0 && !(op->flags & OP_IS_CALL) &&
        (op_is_for_several(op) || task_alarm_is_patient(task))) {
        if (await_asking_first(frame))
            return true;
        return task_spend(task);
    }
    if ((task->state & TASK_ALARMS) != 0 && !(op->flags & OP_IS_CALL))
        alarm = task_take_alarm(task);
    if (alarm != 0)
        return await_cancelled(frame, alarm);
    outcome = op->poll(task, op);
    if (outcome != ALOOP_PENDING)
        frame->result = outcome;
    else if (task->frame != frame || !op_waits(task))
        return true;
    return task_spend(task);
}

aloop_op aloop_cancellable(aloop_op op)
{
    op.flags |= OP_CANCELLABLE;
    return op;
}

void aloop_frame_enter_finally(aloop_frame *frame)
{
    frame->flags |= ALOOP_FLAG_FINALLY_;
    frame->task->finally_depth++;
}

void aloop_frame_leave_finally(aloop_frame *frame)
{
    frame->flags &= (unsigned char)~ALOOP_FLAG_FINALLY_;
    frame->task->finally_depth--;
}
