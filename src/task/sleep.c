/*
 * Sleeping: an operation that ends when a point in time has come, by way of the task's own timer.
 */
#include "task/internal.h"

static aloop_poll sleep_until_poll(aloop_task *task, aloop_op *op)
{
    aloop_ns deadline = op->arg[0].number;

    if (task->future.loop->now >= deadline)
        return 0;
    return aloop_op_wait_until(task, deadline);
}

/* The delay counts from when the sleep is awaited, not from when it was built. */
aloop_poll aloop_sleep_poll_(aloop_task *task, aloop_op *op)
{
    op->arg[0].number = time_add(task->future.loop->now, op->arg[0].number);
    op->poll = sleep_until_poll;
    return aloop_op_wait_until(task, op->arg[0].number);
}

static void sleep_describe(const aloop_task *task, const aloop_op *op, aloop_op_details *details)
{
    (void)task;
    if (op->poll == sleep_until_poll)
        details->deadline = op->arg[0].number;
}

const aloop_op_type aloop_sleep_type_ = {.name = "sleep", .describe = sleep_describe};

static aloop_poll sleep_until_start(aloop_task *task, aloop_op *op)
{
    if (op->arg[0].number <= task->future.loop->now)
        return aloop_yield_poll_(task, op);
    op->poll = sleep_until_poll;
    return sleep_until_poll(task, op);
}

aloop_op aloop_sleep_until(aloop_ns deadline)
{
    return (aloop_op){
        .poll = sleep_until_start, .type = &aloop_sleep_type_, .arg = {{.number = deadline}}};
}
