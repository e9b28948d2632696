/*
 * What operations say of themselves.
 */
#include "debug/graph.h"

const aloop_op *pending_op(const struct aloop_task *task)
{
    return task_mode(task) == TASK_WAITS ? &task->op : NULL;
}

const char *op_name(const aloop_op *op)
{
    return op->type != NULL && op->type->name != NULL ? op->type->name : "an operation";
}

aloop_ns op_limit(const aloop_op *op)
{
    bool is_limited = op->flags & OP_HAS_TIMEOUT && op->flags & OP_DEADLINE_SET;

    return is_limited ? op->timeout : ALOOP_NEVER;
}

static aloop_future *target_once(const aloop_op *op, void **cursor)
{
    if (*cursor != NULL)
        return NULL;
    *cursor = op->type->target(op);
    return *cursor;
}

void op_describe(const struct aloop_task *task, const aloop_op *op, aloop_op_details *details)
{
    *details = (aloop_op_details){.fd = -1, .deadline = ALOOP_NEVER};
    if (op->type == NULL)
        return;
    if (op->type->target != NULL)
        details->next_future = target_once;
    if (op->type->describe != NULL)
        op->type->describe(task, op, details);
}
