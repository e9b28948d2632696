/*
 * Cancellation: a request is a count and an alarm at the task; delivering it makes one await return
 * -ECANCELED. If the task waits for a future, the request is passed on to that instead, and comes
 * back as its outcome (asyncio: _fut_waiter.cancel()).
 *
 * Requests travel along chains of tasks that join each other, and spread at gathers. Neither depth
 * is ours to choose, so chains are followed in a loop and gathers are put on a list of work: no
 * recursion.
 */
#include "task/internal.h"

bool task_is_cancellable(const struct aloop_task *task)
{
    return task->finally_depth == task->finally_base || task->op.flags & OP_CANCELLABLE;
}

unsigned task_take_alarm(struct aloop_task *task)
{
    aloop_scope *scope;

    if (task->alarm & ALARM_CANCEL && task_is_cancellable(task)) {
        task->alarm &= (uint8_t)~ALARM_CANCEL;
        return OP_CANCELLED;
    }
    scope = task->alarm & ALARM_SCOPE ? scope_due(task) : NULL;
    if (scope == NULL)
        return 0;
    scope_deliver(scope);
    return OP_SCOPED;
}

bool task_alarm_is_patient(const struct aloop_task *task)
{
    const aloop_scope *scope = task->alarm & ALARM_SCOPE ? scope_due(task) : NULL;

    return scope != NULL && scope->flags & SCOPE_PATIENT &&
           !(task->alarm & ALARM_CANCEL && task_is_cancellable(task));
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

/* What a pending op waits for, if that can still be cancelled: a future, or a fan-out. */
static bool find_awaited(const aloop_op *op, aloop_future **out_target, struct fanout **out_fanout)
{
    const aloop_op_type *type = op->type;

    *out_target = type != NULL && type->target != NULL ? type->target(op) : NULL;
    *out_fanout = type != NULL && type->fanout != NULL ? type->fanout(op) : NULL;
    if (*out_target != NULL && !future_accepts_cancel(*out_target))
        *out_target = NULL;
    return *out_target != NULL || *out_fanout != NULL;
}

/*
 * A request on its way. It spreads along chains of tasks that join each other; each chain has a
 * number, and a task remembers that of the last one that reached it. So a task gets a request once,
 * on however many ways it is reached, and a chain that comes back to itself is seen.
 */
struct request {
    aloop *loop;
    struct list work; /* fan-outs that are still to be followed */
    uint64_t first_chain;
};

static void request_begin(struct request *request, aloop *loop)
{
    request->loop = loop;
    list_init(&request->work);
    request->first_chain = ++loop->cancel_chain;
}

static void put_to_work(struct fanout *fanout, struct request *request)
{
    if (fanout != NULL && list_is_empty(&fanout->link))
        list_push(&request->work, &fanout->link);
}

/* Does a task wait for one that this chain has come from? */
static bool closes_a_circle(aloop_future *target, const struct request *request)
{
    return target != NULL && target->kind == FUTURE_TASK &&
           TASK_OF(target)->cancel_chain == request->loop->cancel_chain;
}

/* Delivers an alarm to a task that waits. Returns the future to pass the request on to, NULL if
   there is none: the task has been woken, or gets the news at its next await, or a fan-out is on
   the list. */
static aloop_future *deliver(struct aloop_task *task, struct request *request)
{
    aloop_future *target;
    struct fanout *fanout;

    if (!task->is_waiting || !alarm_is_due(task))
        return NULL;
    /* In a circle everybody waits for the next to end first: it is broken here. */
    if (!find_awaited(&task->op, &target, &fanout) || closes_a_circle(target, request)) {
        task_wake(task);
        return NULL;
    }
    task->op.flags |= task_take_alarm(task);
    put_to_work(fanout, request);
    return target;
}

/* Cancels the future, and what it waits for, and so on to the chain's end. */
static void cancel_chain(aloop_future *future, struct request *request)
{
    request->loop->cancel_chain++;
    while (future != NULL && future_accepts_cancel(future)) {
        struct aloop_task *task = TASK_OF(future);

        switch ((enum future_kind)future->kind) {
        case FUTURE_PLAIN:
        case FUTURE_SHIELD:
            future_finish_cancelled(future);
            return;
        case FUTURE_GATHER:
            put_to_work(gather_begin_cancel(future), request);
            return;
        case FUTURE_TASK:
            if (task->cancel_chain >= request->first_chain)
                return;
            task->cancel_chain = request->loop->cancel_chain;
            task->cancelling++;
            task->alarm |= ALARM_CANCEL;
            future = deliver(task, request);
            break;
        }
    }
}

static void do_work(struct request *request)
{
    struct list *link;

    while ((link = list_pop(&request->work)) != NULL) {
        struct fanout *fanout = CONTAINER_OF(link, struct fanout, link);
        void *cursor = NULL;
        aloop_future *future;

        while ((future = fanout->next(fanout, &cursor)) != NULL)
            cancel_chain(future, request);
    }
}

static void cancel_all(aloop *loop, aloop_future *future, struct fanout *fanout)
{
    struct request request;

    request_begin(&request, loop);
    put_to_work(fanout, &request);
    cancel_chain(future, &request);
    do_work(&request);
}

void cancel_fanout(aloop *loop, struct fanout *fanout)
{
    cancel_all(loop, NULL, fanout);
}

bool op_cancel_awaited(aloop *loop, const aloop_op *op)
{
    aloop_future *target;
    struct fanout *fanout;

    if (!find_awaited(op, &target, &fanout))
        return false;
    cancel_all(loop, target, fanout);
    return true;
}

/* One request for all: a chain of a million tasks is followed once, not once from each of them. */
void cancel_everything(aloop *loop)
{
    struct request request;

    request_begin(&request, loop);
    for (struct list *link = loop->tasks.next; link != &loop->tasks; link = link->next) {
        struct aloop_task *task = CONTAINER_OF(link, struct aloop_task, link);

        task->was_told_to_end = true;
        cancel_chain(&task->future, &request);
        do_work(&request);
    }
}

bool aloop_future_cancel(aloop_future *future)
{
    if (!future_accepts_cancel(future))
        return false;
    cancel_all(future->loop, future, NULL);
    return true;
}

bool aloop_task_cancel(aloop_task *task)
{
    return aloop_future_cancel(&task->future);
}

void task_raise_alarm(struct aloop_task *task, uint8_t alarm)
{
    struct request request;

    request_begin(&request, task->future.loop);
    task->alarm |= alarm;
    cancel_chain(deliver(task, &request), &request);
    do_work(&request);
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
