/*
 * Cancellation: a request is a count and an alarm at the task; delivering it makes one await return
 * -ECANCELED. If the task waits for a future, the request is passed on to that instead, and comes back as its
 * outcome (asyncio: _fut_waiter.cancel()).
 *
 * Requests travel along chains of tasks that join each other, and spread at gathers. Neither depth is ours
 * to choose, so chains are followed in a loop and gathers are put on a list of work: no recursion.
 */
#include "task/internal.h"

bool task_is_cancellable(const struct aloop_task *task)
{
    return task->finally_depth == 0 || task->op.flags & OP_CANCELLABLE;
}

bool task_take_alarm(struct aloop_task *task)
{
    struct scope *scope;

    if (task->alarm & ALARM_CANCEL && task_is_cancellable(task)) {
        task->alarm &= (uint8_t)~ALARM_CANCEL;
        return true;
    }
    scope = task->alarm & ALARM_SCOPE ? scope_due(task) : NULL;
    if (scope == NULL)
        return false;
    scope_deliver(task, scope);
    return true;
}

static bool alarm_is_due(const struct aloop_task *task)
{
    return (task->alarm & ALARM_CANCEL && task_is_cancellable(task)) ||
           (task->alarm & ALARM_SCOPE && scope_due(task) != NULL);
}

/* Can a cancellation still change the future's fate? */
static bool future_accepts_cancel(aloop_future *future)
{
    if (future->loop == NULL || future_is_done(future))
        return false;
    return future->kind != FUTURE_GATHER || gather_accepts_cancel(future);
}

/* Delivers an alarm to a task that waits. Returns the future to pass the request on to, NULL if there is
   none: the task has been woken, or gets the news at its next await. */
static aloop_future *deliver(struct aloop_task *task)
{
    const aloop_op_type *type = task->op.type;
    aloop_future *target;

    if (!task->is_waiting || !alarm_is_due(task))
        return NULL;
    target = type != NULL && type->target != NULL ? type->target(&task->op) : NULL;
    if (target == NULL || !future_accepts_cancel(target)) {
        task_wake(task);
        return NULL;
    }
    (void)task_take_alarm(task);
    task->op.flags |= OP_CANCELLED;
    return target;
}

/* Cancels the future, and what it waits for, and so on to the chain's end. */
static void cancel_chain(aloop_future *future, struct list *gathers)
{
    while (future != NULL && future_accepts_cancel(future)) {
        struct aloop_task *task = TASK_OF(future);

        switch ((enum future_kind)future->kind) {
        case FUTURE_PLAIN:
        case FUTURE_SHIELD:
            future_finish_cancelled(future);
            return;
        case FUTURE_GATHER:
            gather_begin_cancel(future, gathers);
            return;
        case FUTURE_TASK:
            task->cancelling++;
            task->alarm |= ALARM_CANCEL;
            future = deliver(task);
            break;
        }
    }
}

static void cancel_all(aloop_future *future)
{
    struct list gathers;
    struct list *link;

    list_init(&gathers);
    cancel_chain(future, &gathers);
    while ((link = list_pop(&gathers)) != NULL) {
        aloop_future *child;

        for (size_t i = 0; (child = gather_child(link, i)) != NULL; i++)
            cancel_chain(child, &gathers);
    }
}

bool aloop_future_cancel(aloop_future *future)
{
    if (!future_accepts_cancel(future))
        return false;
    cancel_all(future);
    return true;
}

bool aloop_task_cancel(aloop_task *task)
{
    return aloop_future_cancel(&task->future);
}

void task_raise_alarm(struct aloop_task *task, uint8_t alarm)
{
    aloop_future *target;

    task->alarm |= alarm;
    target = deliver(task);
    if (target != NULL)
        cancel_all(target);
}

unsigned aloop_task_cancelling(const aloop_task *task)
{
    return task->cancelling;
}

unsigned aloop_task_uncancel(aloop_task *task)
{
    if (future_is_done(&task->future) || task->cancelling == 0)
        return task->cancelling;
    if (--task->cancelling == 0)
        task->alarm &= (uint8_t)~ALARM_CANCEL;
    return task->cancelling;
}
