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

/* As the await of a single operation: see task_ask(). */
static aloop_poll case_ask(aloop_task *task, aloop_op *op)
{
    aloop_ns now = task->future.loop->now;
    aloop_poll outcome = op->poll(task, op);

    if (outcome == -ECANCELED && op->flags & OP_TIMED_OUT)
        outcome = -ETIMEDOUT;
    if (outcome != ALOOP_PENDING) {
        aloop_waiter_unlink(&op->waiter);
        return outcome;
    }
    if (!(op->flags & OP_HAS_TIMEOUT))
        return ALOOP_PENDING;
    if (!(op->flags & OP_DEADLINE_SET)) {
        op->timeout = op->timeout > 0 ? time_add(now, op->timeout) : now;
        op->flags |= OP_DEADLINE_SET;
    }
    return now >= op->timeout ? case_time_is_up(task, op) : aloop_op_wait_until(task, op->timeout);
}

/* --- all of them --- */

static size_t case_at(const aloop_op *op, size_t step)
{
    size_t count = op->arg[COUNT].size;
    size_t first = (size_t)op->arg[FIRST].number;

    return step < count - first ? first + step : step - (count - first);
}

/* Gives up the cases from step `begin` to `end`, in the order they are asked, but not `spared`. */
static void drop_cases(aloop_task *task, const aloop_op *op, size_t end, size_t spared)
{
    aloop_select_case *cases = op->arg[CASES].pointer;

    for (size_t step = 0; step < end; step++) {
        if (step != spared)
            case_drop(task, &cases[case_at(op, step)].op);
    }
}

/* The case asked in this step has completed; those up to `started` were pending. */
static aloop_poll select_is_over(aloop_task *task, aloop_op *op, size_t step, size_t started)
{
    aloop_select_case *cases = op->arg[CASES].pointer;

    drop_cases(task, op, started, step);
    /* An operation that owns a reference drops it also if it was not even begun. */
    for (size_t i = started > step ? started : step + 1; i < op->arg[COUNT].size; i++) {
        if (cases[case_at(op, i)].op.flags & OP_UNREF)
            case_drop(task, &cases[case_at(op, i)].op);
    }
    if (timer_is_armed(&task->timer))
        timers_cancel(&task->future.loop->timers, &task->timer);
    return (aloop_poll)case_at(op, step);
}

static aloop_poll select_poll(aloop_task *task, aloop_op *op)
{
    aloop_select_case *cases = op->arg[CASES].pointer;
    size_t count = op->arg[COUNT].size;

    for (size_t step = 0; step < count; step++) {
        aloop_select_case *one = &cases[case_at(op, step)];

        one->result = case_ask(task, &one->op);
        if (one->result != ALOOP_PENDING)
            return select_is_over(task, op, step, count);
    }
    return ALOOP_PENDING;
}

static void select_drop(aloop_task *task, aloop_op *op)
{
    drop_cases(task, op, op->arg[COUNT].size, SIZE_MAX);
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

static const aloop_op_type select_type = {
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

static aloop_poll select_begin(aloop_task *task, aloop_op *op)
{
    aloop_select_case *cases = op->arg[CASES].pointer;
    size_t count = op->arg[COUNT].size;

    if (!cases_are_good(cases, count))
        return -EINVAL;
    op->arg[FIRST].number = (int64_t)((uint64_t)op->arg[FIRST].number % count);
    op->poll = select_poll;
    for (size_t step = 0; step < count; step++) {
        aloop_select_case *one = &cases[case_at(op, step)];

        one->task = task;
        one->op.waiter = (aloop_waiter){.notify = case_notify};
        one->result = case_ask(task, &one->op);
        if (one->result != ALOOP_PENDING)
            return select_is_over(task, op, step, step);
    }
    return ALOOP_PENDING;
}

aloop_op aloop_select_from(aloop_select_case *cases, size_t count, int64_t first)
{
    return (aloop_op){.poll = select_begin,
                      .type = &select_type,
                      .arg = {{.pointer = cases}, {.size = count}, {.number = first}}};
}

aloop_op aloop_select(aloop_select_case *cases, size_t count)
{
    return aloop_select_from(cases, count, 0);
}
