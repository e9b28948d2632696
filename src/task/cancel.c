/*
 * Cancellation: a request is a count and an alarm at the task; delivering it makes one await return
 * -ECANCELED. If the task waits for a future, the request is passed on to that instead, and comes
 * back as its outcome (asyncio: _fut_waiter.cancel()).
 *
 * Requests travel along chains of tasks that join each other, and spread at gathers, groups and
 * races. Neither depth is ours to choose, so chains are followed in a loop, and the others are put
 * on a stack, linked through themselves: no recursion.
 */
#include "task/internal.h"

bool task_is_cancellable(const struct aloop_task *task)
{
    return task->finally_depth == task->finally_base || task->op.flags & OP_CANCELLABLE;
}

unsigned task_take_alarm(struct aloop_task *task)
{
    aloop_scope *scope;

    if (task->state & ALARM_CANCEL && task_is_cancellable(task)) {
        task->state &= ~(uint32_t)ALARM_CANCEL;
        return OP_CANCELLED;
    }
    scope = task->state & ALARM_SCOPE ? scope_due(task) : NULL;
    if (scope == NULL)
        return 0;
    scope_deliver(scope);
    return OP_SCOPED;
}

bool task_alarm_is_patient(const struct aloop_task *task)
{
    const aloop_scope *scope = task->state & ALARM_SCOPE ? scope_due(task) : NULL;

    return scope != NULL && scope->flags & SCOPE_PATIENT &&
           !(task->state & ALARM_CANCEL && task_is_cancellable(task));
}

static bool alarm_is_due(const struct aloop_task *task)
{
    return (task->state & ALARM_CANCEL && task_is_cancellable(task)) ||
           (task->state & ALARM_SCOPE && scope_due(task) != NULL);
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
 * on however many ways it is reached. What is on the stack, with the chains that led there, is the
 * way to where the request is: who comes back to that has found a circle.
 */
struct request {
    aloop *loop;
    struct list stack; /* fan-outs that are still to be followed, the innermost first */
    uint64_t first_chain;
    struct aloop_task *joiner; /* the last on the way that waits for a single future */
};

static void request_begin(struct request *request, aloop *loop)
{
    request->loop = loop;
    list_init(&request->stack);
    request->first_chain = ++loop->cancel_chain;
    request->joiner = NULL;
}

static bool is_on_the_way(const struct aloop_task *task, const struct request *request)
{
    uint64_t chain = task->cancel_chain;

    if (chain == request->loop->cancel_chain)
        return true;
    for (struct list *link = request->stack.next; link != &request->stack; link = link->next) {
        uint64_t other = CONTAINER_OF(link, struct fanout, link)->chain;

        /* The numbers fall from the innermost on. */
        if (other <= chain)
            return other == chain;
    }
    return false;
}

static aloop_poll circle_poll(aloop_task *task, aloop_op *op)
{
    (void)task;
    (void)op;
    return -ECANCELED;
}

/* In a circle everybody waits for the next to end first. It is broken where somebody can stop
   waiting: a group must wait for its children, but who joins need not. */
static void break_circle(const struct request *request)
{
    struct aloop_task *task = request->joiner;

    if (task == NULL || task->op.poll == circle_poll)
        return;
    task_drop_op(task);
    task->op.poll = circle_poll;
    task->op.type = NULL;
    task_set_mode(task, TASK_WAITS);
    task_wake(task);
}

static void put_to_work(struct fanout *fanout, struct request *request)
{
    if (fanout == NULL)
        return;
    if (!list_is_empty(&fanout->link)) {
        break_circle(request);
    } else if (fanout->chain < request->first_chain) {
        fanout->cursor = NULL;
        fanout->chain = request->loop->cancel_chain;
        fanout->joiner = request->joiner;
        list_push_front(&request->stack, &fanout->link);
    }
}

/* Delivers an alarm to a task that waits. Returns the future to pass the request on to, NULL if
   there is none: the task has been woken, or gets the news at its next await, or a fan-out is on
   the stack. */
static aloop_future *deliver(struct aloop_task *task, struct request *request)
{
    aloop_future *target;
    struct fanout *fanout;

    if (task_mode(task) != TASK_WAITS || !alarm_is_due(task))
        return NULL;
    if (!find_awaited(&task->op, &target, &fanout)) {
        task_wake(task);
        return NULL;
    }
    task->op.flags |= task_take_alarm(task);
    if (target != NULL)
        request->joiner = task;
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
        case FUTURE_NOTED_TASK:
            if (task->cancel_chain >= request->first_chain) {
                if (is_on_the_way(task, request))
                    break_circle(request);
                return;
            }
            task->cancel_chain = request->loop->cancel_chain;
            task->cancelling++;
            task->state |= ALARM_CANCEL;
            future = deliver(task, request);
            break;
        }
    }
}

static void do_work(struct request *request)
{
    while (!list_is_empty(&request->stack)) {
        struct fanout *fanout = CONTAINER_OF(request->stack.next, struct fanout, link);
        aloop_future *future = fanout->next(fanout, &fanout->cursor);

        request->joiner = fanout->joiner;
        if (future != NULL)
            cancel_chain(future, request);
        else
            list_del(&fanout->link);
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
        task->has_baggage = true;
        request.joiner = NULL;
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

void task_raise_alarm(struct aloop_task *task, uint32_t alarm)
{
    struct request request;

    request_begin(&request, task->future.loop);
    task->state |= alarm;
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
        task->state &= ~(uint32_t)ALARM_CANCEL;
    return task->cancelling;
}
