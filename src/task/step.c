/*
 * A step of a task: what every await and every turn goes through, in one file so that the compiler
 * can lay it out as one piece.
 *
 * A task is resumed at its innermost frame, whatever the depth. A coroutine that calls another
 * pushes a frame and returns; the loop in task_run() runs that frame next, and returns to the
 * caller when it ends. So nothing here nests on the C stack.
 */
#include "task/internal.h"

/* --- awaiting --- */

static inline aloop_frame *frame_push(struct aloop_task *task, const aloop_coro *coro,
                                      const void *args)
{
    aloop_frame *frame = pool_alloc(&task->future.loop->pool, coro->size);

    if (ALOOP_UNLIKELY(frame == NULL))
        return NULL;
    frame_init(frame, coro, args);
    frame->task = task;
    frame->caller = task->frame;
    task->frame = frame;
    return frame;
}

aloop_poll aloop_call_poll_(aloop_task *task, aloop_op *op)
{
    return frame_push(task, op->arg[0].data, op->arg[1].data) != NULL ? ALOOP_PENDING : -ENOMEM;
}

static aloop_poll yielded_poll(aloop_task *task, aloop_op *op)
{
    (void)task;
    (void)op;
    return 0;
}

aloop_poll aloop_yield_poll_(aloop_task *task, aloop_op *op)
{
    op->poll = yielded_poll;
    task_wake(task);
    return ALOOP_PENDING;
}

bool aloop_frame_yield_(aloop_frame *frame)
{
    struct aloop_task *task = frame->task;

    task->op.poll = aloop_yield_poll_;
    task->op.type = &aloop_sleep_type_;
    task->op.flags = 0;
    if (ALOOP_UNLIKELY(task->alarm != 0))
        return await_carefully(frame);
    task->op.poll = yielded_poll;
    task->is_waiting = true;
    task_wake(task);
    return true;
}

bool aloop_frame_await_(aloop_frame *frame)
{
    struct aloop_task *task = frame->task;
    int64_t outcome;

    if (ALOOP_UNLIKELY(task->alarm != 0 || task->op.flags & (OP_HAS_TIMEOUT | OP_CANCELLABLE)))
        return await_carefully(frame);
    outcome = task->op.poll(task, &task->op);
    if (outcome == ALOOP_PENDING) {
        /* A call has pushed a frame: that one runs next, and nothing waits. */
        task->is_waiting = task->frame == frame;
        return true;
    }
    frame->result = outcome;
    return task_spend(task);
}

/* --- resuming --- */

static inline bool ask(struct aloop_task *task)
{
    int64_t outcome;

    if (ALOOP_UNLIKELY(task->alarm & ALARM_CANCEL) && task_is_cancellable(task)) {
        if (!op_is_for_several(&task->op))
            return op_is_cancelled(task);
        /* All that it waits for has ended: it says itself whether that, or the cancellation, is
           its outcome. */
        task->op.flags |= task_take_alarm(task);
    }
    /* Most that is resumed has yielded. */
    outcome = task->op.poll == yielded_poll ? 0 : task->op.poll(task, &task->op);
    if (outcome == ALOOP_PENDING) {
        /* That the time of a scope is up counts only now: what has completed wins. */
        if (ALOOP_UNLIKELY(task->alarm & ALARM_SCOPE) && scope_due(task) != NULL)
            return op_is_cancelled(task);
        return op_waits(task);
    }
    /* What it waited for was cancelled for want of time, and not because the task was. */
    if (ALOOP_UNLIKELY(outcome == -ECANCELED) &&
        (task->op.flags & (OP_TIMED_OUT | OP_CANCELLED | OP_SCOPED)) == OP_TIMED_OUT)
        outcome = -ETIMEDOUT;
    op_ended(task);
    return op_ends_with(task, outcome);
}

/* Back to the caller of a frame that has ended. */
static inline void frame_return(aloop *loop, struct aloop_task *task, aloop_frame *frame)
{
    aloop_frame *caller = frame->caller;

    task->frame = caller;
    caller->result = frame->outcome;
    if (ALOOP_UNLIKELY(frame->flags & FRAME_GENERATOR))
        generator_return(frame, caller);
    else
        frame_free(loop, frame);
}

#ifdef NDEBUG
static inline void spoil_stack(void)
{
}
#else
/* A local that was wrongly expected to survive an await mostly does, as nothing else was at its
   place on the C stack: until it does not. In debug builds it never does. */
static NOINLINE PLAIN_FRAME void spoil_stack(void)
{
    unsigned char stack[1024];
    /* A plain call on what nobody reads would be left out. */
    void *(*volatile fill)(void *, int, size_t) = memset;

    fill(stack, STACK_SPOILED, sizeof stack);
}
#endif

/* Runs the innermost frame until the task waits, gives way, or is done. */
static void task_run(aloop *loop, struct aloop_task *task)
{
    for (;;) {
        aloop_frame *frame = task->frame;

        spoil_stack();
        if (ALOOP_LIKELY(!(frame->flags & FRAME_ENDED)) && !frame->coro->step(frame).is_done) {
            if (task->frame == frame)
                return;
            if (ALOOP_LIKELY(loop->budget > 0))
                continue;
            task_give_way(task);
            return;
        }
        if (ALOOP_UNLIKELY(frame->flags != 0) && !frame_leave_scopes(task)) {
            /* Another frame is to run before this one can end, or something is to be awaited. */
            if (task->frame == frame && !task_begin_op(task))
                return;
            continue;
        }
        if (frame->caller == NULL) {
            task_finish(task, frame->outcome);
            return;
        }
        frame_return(loop, task, frame);
        if (task_spend(task))
            return;
    }
}

void task_step(aloop *loop, void *arg)
{
    struct aloop_task *task = arg;

    task->is_queued = false;
    if (ALOOP_UNLIKELY(!task->is_waiting && future_is_done(&task->future))) {
        aloop_future_unref(&task->future);
        return;
    }
    loop->current_task = task;
    loop->budget = TASK_BUDGET;
    if (!task->is_waiting || ask(task))
        task_run(loop, task);
    loop->current_task = NULL;
}
