/*
 * Awaiting a future: joining, alone or shielded. While it waits, the operation holds a reference,
 * so the future cannot go away; its outcome is read at the moment the task resumes.
 */
#include "task/internal.h"

static aloop_future *join_target(const aloop_op *op)
{
    return op->arg[0].pointer;
}

/* Does waiting for `future` mean waiting for `task`? Follows what each waits for in turn. */
static bool waits_for(aloop_future *future, const struct aloop_task *task)
{
    while (future != NULL && future->loop != NULL && future_is_task(future)) {
        struct aloop_task *other = TASK_OF(future);

        if (other == task)
            return true;
        if (task_mode(other) != TASK_WAITS || other->op.type == NULL ||
            other->op.type->target == NULL)
            return false;
        future = other->op.type->target(&other->op);
    }
    return false;
}

static int64_t join_check(struct aloop_task *task, aloop_future *future)
{
    aloop *loop = task->future.loop;

    if (future->loop != loop)
        return -ALOOP_EWRONGLOOP;
    if (future == &task->future || (loop->is_debug && waits_for(future, task)))
        return -EDEADLK;
    return 0;
}

/* While it waits, the operation holds a reference: one of its own, or the one that the caller wants
   dropped in the end. */
static void join_drop(aloop_task *task, aloop_op *op)
{
    (void)task;
    future_unref(op->arg[0].pointer);
}

/* It has begun to wait. */
static aloop_poll join_poll(aloop_task *task, aloop_op *op)
{
    aloop_future *future = op->arg[0].pointer;
    int64_t outcome;

    (void)task;
    if (ALOOP_UNLIKELY(!future_is_done(future)))
        return aloop_op_wait(op, &future->waiters);
    outcome = future_take(future);
    future_unref(future);
    return outcome;
}

static aloop_poll join_wait(aloop_op *op, struct aloop_future *future)
{
    if (!(op->flags & OP_UNREF))
        future->references++;
    op->poll = join_poll;
    return aloop_op_wait(op, &future->waiters);
}

/* What had ended before anybody waited, with an error: nobody was told then where it came from. */
static NOINLINE int64_t take_error(aloop_task *task, aloop_future *future)
{
    trace_take(task, future);
    return future_take(future);
}

static int64_t take_done(aloop_task *task, aloop_future *future)
{
    return ALOOP_UNLIKELY(future->result < 0) ? take_error(task, future) : future_take(future);
}

static NOINLINE aloop_poll join_carefully(aloop_task *task, aloop_op *op)
{
    aloop_future *future = op->arg[0].pointer;
    int64_t outcome = future_is_done(future) ? take_done(task, future) : join_check(task, future);

    if (outcome == 0 && !future_is_done(future))
        return join_wait(op, future);
    if (op->flags & OP_UNREF)
        future_unref(future);
    return outcome;
}

aloop_poll aloop_join_poll_(aloop_task *task, aloop_op *op)
{
    aloop_future *future = op->arg[0].pointer;
    const aloop *loop = task->future.loop;

    if (ALOOP_UNLIKELY(future->loop != loop || future == &task->future || loop->is_debug))
        return join_carefully(task, op);
    if (!future_is_done(future))
        return join_wait(op, future);
    if (op->flags & OP_UNREF)
        return join_carefully(task, op);
    return take_done(task, future);
}

const aloop_op_type aloop_join_type_ = {
    .name = "join", .target = join_target, .drop = join_drop};
/* It has no target, for a cancellation is not to be passed on. */
static aloop_future *shield_next(const aloop_op *op, void **cursor)
{
    if (*cursor != NULL)
        return NULL;
    *cursor = op->arg[0].pointer;
    return *cursor;
}

static void shield_describe(const aloop_task *task, const aloop_op *op, aloop_op_details *details)
{
    (void)task;
    (void)op;
    details->next_future = shield_next;
}

const aloop_op_type aloop_shield_type_ = {
    .name = "shield", .drop = join_drop, .describe = shield_describe};

/* --- gather as an operation: makes the future when it starts, and joins that --- */

static void gather_drop(aloop_task *task, aloop_op *op)
{
    /* The array of results is the caller's, who is about to go on. */
    gather_forget_results(op->arg[0].pointer);
    join_drop(task, op);
}

static const aloop_op_type gather_type = {
    .name = "gather", .target = join_target, .drop = gather_drop};

static aloop_poll gather_poll(aloop_task *task, aloop_op *op)
{
    op->arg[0].pointer = aloop_gather_future(task->future.loop, op->arg[0].pointer, op->arg[1].size,
                                             op->arg[2].pointer, (unsigned)op->arg[3].number);
    op->flags |= OP_UNREF;
    op->poll = aloop_join_poll_;
    return aloop_join_poll_(task, op);
}


aloop_op aloop_gather_op(aloop_future *const *futures, size_t count, int64_t *results,
                         unsigned flags)
{
    return (aloop_op){.poll = gather_poll,
                      .type = &gather_type,
                      .arg = {{.data = futures},
                              {.size = count},
                              {.pointer = results},
                              {.number = (int64_t)flags}}};
}
