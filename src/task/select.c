/*
 * Choosing from several operations. Each lives in its case, in the caller's array, and is asked
 * like one that a task awaits alone: its waiter wakes the task, and whenever that runs, all are
 * asked in turn. What has not completed by then has taken nothing yet, which is what lets the
 * others be given up without a trace.
 *
 * They share the timer of the task: the earliest deadline sets it, and since all are asked again,
 * the next sets it anew.
 */
#include "task/internal.h"

#include <aloop/wait.h>

/* arg: the array, how many, where to begin */
enum { CASES, COUNT, FIRST };

static void case_notify(aloop_waiter *waiter)
{
    task_wake(CONTAINER_OF(waiter, aloop_select_case, op.waiter)->task);
}

static void case_drop(aloop_task *task, aloop_op *op)
{
    aloop_waiter_unlink(&op->waiter);
    if (op->type != NULL && op->type->drop != NULL)
        op->type->drop(task, op);
}

/* Time is up, and the operation, asked once more, is still pending. */
static aloop_poll case_time_is_up(aloop_task *task, aloop_op *op)
{
    op->flags &= ~(unsigned)OP_HAS_TIMEOUT;
    if (op_cancel_awaited(task->future.loop, op)) {
        op->flags |= OP_TIMED_OUT;
        return ALOOP_PENDING;
    }
    if (op_ends_by_itself(op))
        return ALOOP_PENDING;
    case_drop(task, op);
    return -ETIMEDOUT;
}

/* It has a time limit, and is pending. */
static NOINLINE aloop_poll case_sees_to_deadline(aloop_task *task, aloop_op *op)
{
    aloop_ns now = task->future.loop->now;

    if (!(op->flags & OP_DEADLINE_SET)) {
        op->timeout = op->timeout > 0 ? time_add(now, op->timeout) : now;
        op->flags |= OP_DEADLINE_SET;
    }
    return now >= op->timeout ? case_time_is_up(task, op) : aloop_op_wait_until(task, op->timeout);
}

/* As the await of a single operation: see step.c. */
static inline aloop_poll case_ask(aloop_task *task, aloop_op *op)
{
    aloop_poll outcome = op->poll(task, op);

    if (outcome == ALOOP_PENDING)
        return ALOOP_UNLIKELY(op->flags & OP_HAS_TIMEOUT) ? case_sees_to_deadline(task, op)
                                                           : ALOOP_PENDING;
    aloop_waiter_unlink(&op->waiter);
    return outcome == -ECANCELED && op->flags & OP_TIMED_OUT ? -ETIMEDOUT : outcome;
}

/* --- all of them --- */

static inline aloop_select_case *first_case(const aloop_op *op)
{
    return (aloop_select_case *)op->arg[CASES].pointer + op->arg[FIRST].number;
}

/* They go round. */
static inline aloop_select_case *case_after(const aloop_op *op, aloop_select_case *one)
{
    aloop_select_case *cases = op->arg[CASES].pointer;

    return one + 1 == cases + op->arg[COUNT].size ? cases : one + 1;
}

/* One case has completed; so many, the first in the order they are asked, have begun. Gives up the
   others. */
static aloop_poll select_is_over(aloop_task *task, const aloop_op *op,
                                 const aloop_select_case *winner, size_t begun)
{
    const aloop_select_case *cases = op->arg[CASES].pointer;
    aloop_select_case *one = first_case(op);

    for (size_t i = 0; i < op->arg[COUNT].size; i++, one = case_after(op, one)) {
        /* An operation that owns a reference drops it also if it was not even begun. */
        if (one != winner && (i < begun || one->op.flags & OP_UNREF))
            case_drop(task, &one->op);
    }
    (void)timers_cancel(&task->future.loop->timers, &task->timer);
    return winner - cases;
}

static aloop_poll select_poll(aloop_task *task, aloop_op *op)
{
    aloop_select_case *one = first_case(op);

    for (size_t i = 0; i < op->arg[COUNT].size; i++, one = case_after(op, one)) {
        one->result = case_ask(task, &one->op);
        if (one->result != ALOOP_PENDING)
            return select_is_over(task, op, one, op->arg[COUNT].size);
    }
    return ALOOP_PENDING;
}

static void select_drop(aloop_task *task, aloop_op *op)
{
    aloop_select_case *one = first_case(op);

    for (size_t i = 0; i < op->arg[COUNT].size; i++, one = case_after(op, one))
        case_drop(task, &one->op);
}

static const aloop_op *next_case(const aloop_op *op, void **cursor)
{
    aloop_select_case *cases = op->arg[CASES].pointer;
    aloop_select_case *one = *cursor != NULL ? *cursor : cases;

    if (one == cases + op->arg[COUNT].size)
        return NULL;
    *cursor = one + 1;
    return &one->op;
}

static void select_describe(const aloop_task *task, const aloop_op *op, aloop_op_details *details)
{
    (void)task;
    (void)op;
    details->is_any = true;
    details->next_op = next_case;
}

const aloop_op_type aloop_select_type_ = {
    .name = "select", .drop = select_drop, .describe = select_describe};

/* --- beginning --- */

static bool cases_are_good(const aloop_select_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const aloop_op *op = &cases[i].op;

        if (op->poll == NULL || op->flags & OP_IS_CALL ||
            (op->type != NULL && op->type->interrupt != NULL))
            return false;
    }
    return count > 0;
}

aloop_poll aloop_select_poll_(aloop_task *task, aloop_op *op)
{
    size_t count = op->arg[COUNT].size;
    aloop_select_case *one;

    if (!cases_are_good(op->arg[CASES].pointer, count))
        return -EINVAL;
    if (op->arg[FIRST].number != 0)
        op->arg[FIRST].number = (int64_t)((uint64_t)op->arg[FIRST].number % count);
    op->poll = select_poll;
    one = first_case(op);
    for (size_t i = 0; i < count; i++, one = case_after(op, one)) {
        one->task = task;
        one->op.waiter = (aloop_waiter){.notify = case_notify};
        one->result = case_ask(task, &one->op);
        if (one->result != ALOOP_PENDING)
            return select_is_over(task, op, one, i);
    }
    return ALOOP_PENDING;
}
