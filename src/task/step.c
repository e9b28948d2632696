/*
 * A step of a task: what every await and every turn goes through, in one file so that the compiler
 * can lay it out as one piece.
 *
 * A task is resumed at its innermost frame, whatever the depth. A coroutine that is called begins
 * inside the await of its caller, so that a call which does not wait costs little more than a call
 * in C. That nests on the C stack, and so only to a small depth: beyond, the frame is pushed, the
 * caller returns as if it had to wait, and the loop in task_run_on() runs the frame next. It also
 * returns to the caller what ends after a wait, which never nests.
 */
#include "task/internal.h"

/* How many entries of the ready queue. */
#define STEPS_AHEAD 10

/* How many calls nest on the C stack. */
#define CALLS_NESTED_MAX 4

/* --- awaiting --- */

static inline aloop_frame *frame_push(struct aloop_task *task, const aloop_coro *coro,
                                      const void *args)
{
    aloop_frame *frame = pool_alloc(&task->future.loop->pool, coro->size);

    if (ALOOP_UNLIKELY(frame == NULL))
        return NULL;
    frame_init(frame, coro, args, task, task->frame);
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

    if ((task->state & TASK_ALARMS) == 0) {
        task_set_mode(task, TASK_YIELDS);
        return true;
    }
    task->op.poll = aloop_yield_poll_;
    task->op.type = &aloop_sleep_type_;
    task->op.flags = 0;
    return await_carefully(frame);
}

bool aloop_frame_await_(aloop_frame *frame)
{
    struct aloop_task *task = frame->task;
    int64_t outcome;

    if (ALOOP_UNLIKELY((task->state & TASK_ALARMS) != 0 ||
                       task->op.flags & (OP_HAS_TIMEOUT | OP_CANCELLABLE)))
        return await_carefully(frame);
    outcome = task->op.poll(task, &task->op);
    if (outcome != ALOOP_PENDING)
        return aloop_frame_complete_(frame, outcome);
    /* A call has pushed a frame: that one runs next, and nothing waits. */
    task_set_mode(task, task->frame == frame ? TASK_WAITS : TASK_RUNS);
    return true;
}

bool aloop_frame_complete_(aloop_frame *frame, int64_t outcome)
{
    frame->result = outcome;
    return task_spend(frame->task);
}

/* --- resuming --- */

/* What its op waits for may be over. True if it is. */
static inline bool ask(struct aloop_task *task)
{
    int64_t outcome = task->op.poll(task, &task->op);

    if (ALOOP_UNLIKELY(outcome == ALOOP_PENDING)) {
        /* That the time of a scope is up counts only now: what has completed wins. */
        if (ALOOP_UNLIKELY(task->state & ALARM_SCOPE) && scope_due(task) != NULL)
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

/* The same for a task that is cancelled. */
static bool ask_cancelled(struct aloop_task *task)
{
    if (task_is_cancellable(task)) {
        if (!op_is_for_several(&task->op))
            return op_is_cancelled(task);
        /* All that it waits for has ended: it says itself whether that, or the cancellation, is
           its outcome. */
        task->op.flags |= task_take_alarm(task);
    }
    return ask(task);
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

/* Runs the innermost frame. True if it has ended. */
static inline bool frame_step(aloop_frame *frame)
{
    spoil_stack();
    return frame->coro->step(frame).is_done;
}

/* `frame`, the innermost, was run: goes on, at whatever is the innermost by then, until the task
   waits, gives way, or is done. True if instead it has come back to `base`, NULL for none, which is
   in its await still, with the outcome in its result. */
static NOINLINE bool task_run_on(struct aloop_task *task, aloop_frame *frame, bool has_ended,
                                 const aloop_frame *base)
{
    aloop *loop = task->future.loop;

    for (;;) {
        if (!has_ended) {
            if (task_mode(task) == TASK_YIELDS)
                task_wake(task);
            /* News that came while its operation was asked, before it waited. */
            if (ALOOP_UNLIKELY(task->state & TASK_ALARMS))
                task_raise_alarm(task, 0);
            /* It runs still only if there is another frame on top, that is to run. */
            if (task->frame == frame || task_mode(task) != TASK_RUNS)
                return false;
            if (ALOOP_UNLIKELY(loop->budget <= 0)) {
                task_give_way(task);
                return false;
            }
        } else if (ALOOP_UNLIKELY(frame->flags != 0) && !frame_leave_scopes(task)) {
            /* Another frame is to run before this one can end, or something is to be awaited. */
            if (task->frame == frame && !task_begin_op(task))
                return false;
        } else {
            if (frame->caller == NULL) {
                task_finish(task, frame->outcome);
                return false;
            }
            frame_return(loop, task, frame);
            if (task_spend(task))
                return false;
            if (task->frame == base)
                return true;
        }
        frame = task->frame;
        has_ended = frame->flags & FRAME_ENDED || frame_step(frame);
    }
}

/* --- calling --- */

bool aloop_frame_call_(aloop_frame *frame, const aloop_coro *coro, const void *args)
{
    struct aloop_task *task = frame->task;
    aloop *loop = task->future.loop;
    aloop_frame *callee = frame_push(task, coro, args);
    bool has_ended, has_returned;

    if (ALOOP_UNLIKELY(callee == NULL))
        return aloop_frame_complete_(frame, -ENOMEM);
    if (ALOOP_UNLIKELY(loop->calls_nested == CALLS_NESTED_MAX))
        return true;
    loop->calls_nested++;
    has_ended = frame_step(callee);
    if (ALOOP_LIKELY(has_ended && callee->flags == 0)) {
        loop->calls_nested--;
        task->frame = frame;
        frame->result = callee->outcome;
        frame_free(loop, callee);
        return task_spend(task);
    }
    has_returned = task_run_on(task, callee, has_ended, frame);
    loop->calls_nested--;
    return !has_returned;
}

/* A step that is out of the ordinary. True if the innermost frame is to run. */
static NOINLINE bool task_goes_on_carefully(struct aloop_task *task)
{
    aloop_frame *frame = task->frame;

    task->state &= ~(uint32_t)TASK_IS_QUEUED;
    switch (task_mode(task)) {
    case TASK_WAITS:
        return task->state & ALARM_CANCEL ? ask_cancelled(task) : ask(task);
    case TASK_YIELDS:
        task_set_mode(task, TASK_RUNS);
        frame->result = 0;
        if (task->state & ALARM_CANCEL && task->finally_depth == task->finally_base) {
            task->state &= ~(uint32_t)ALARM_CANCEL;
            frame->result = -ECANCELED;
        }
        return true;
    case TASK_RUNS:
        return true;
    case TASK_DONE:
        break;
    }
    /* It was woken for an await that completed all the same, its last. */
    task_leave(task);
    return false;
}

/* The same, for those that nobody wants anything of. */
static inline bool task_goes_on(struct aloop_task *task, uint32_t state)
{
    if (ALOOP_LIKELY(state == (TASK_WAITS | TASK_IS_QUEUED))) {
        task->state = TASK_WAITS;
        return ask(task);
    }
    if (ALOOP_LIKELY(state == (TASK_RUNS | TASK_IS_QUEUED))) {
        task->state = 0;
        return true;
    }
    return task_goes_on_carefully(task);
}

/* With many tasks each step finds its task in no cache: the memory of one that is some places
   behind in the queue is asked for while this one runs. What stands there may be anything, hence a
   number here, which a prefetch does not mind. Always inline: gcc drops the call of a function that
   only prefetches. */
static ALWAYS_INLINE void prefetch_coming_task(const aloop *loop)
{
    const struct ready *ready = &loop->ready;
    uintptr_t coming =
        (uintptr_t)ready->ring[(size_t)(ready->head + STEPS_AHEAD) & ready->mask].arg;

    PREFETCH((const void *)(coming + offsetof(struct aloop_task, state)));
    PREFETCH((const void *)(coming + TASK_HEAD_SIZE));
    PREFETCH((const void *)(coming + TASK_HEAD_SIZE + 64));
}

/* Is another step what comes next? Then it is taken from the queue. */
static inline bool next_step(aloop *loop, struct aloop_task **out_task)
{
    struct ready *ready = &loop->ready;
    const struct ready_entry *entry = &ready->ring[(size_t)ready->head & ready->mask];

    if (ready->head >= loop->turn_end && !loop_begin_next_turn(loop))
        return false;
    if (entry->run != task_step)
        return false;
    ready->head++;
    *out_task = entry->arg;
    return true;
}

/* Runs a step, and those that come next, without going back to the loop in between. */
void task_step(aloop *loop, void *arg)
{
    struct aloop_task *task = arg;

    do {
        aloop_frame *frame = task->frame;
        uint32_t state = task->state;
        bool has_ended;

        prefetch_coming_task(loop);
        loop->current_task = task;
        loop->budget = TASK_BUDGET;
        if (ALOOP_LIKELY(state == (TASK_YIELDS | TASK_IS_QUEUED))) {
            task->state = 0;
            frame->result = 0;
            has_ended = frame_step(frame);
        } else if (task_goes_on(task, state)) {
            has_ended = frame->flags & FRAME_ENDED || frame_step(frame);
        } else {
            continue;
        }
        state = task->state;
        if (ALOOP_LIKELY(!has_ended && state == TASK_YIELDS)) {
            /* That it is queued only here, where its frame has returned, makes its await no more
               than a mark. */
            task->state = TASK_YIELDS | TASK_IS_QUEUED;
            ready_push(&loop->ready, task_step, task);
        } else if (has_ended && frame->caller == NULL && frame->flags == 0) {
            task_finish(task, frame->outcome);
        } else if (has_ended || state != TASK_WAITS) {
            (void)task_run_on(task, frame, has_ended, NULL);
        }
    } while (next_step(loop, &task));
    loop->current_task = NULL;
}
