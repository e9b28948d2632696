/*
 * Generators: frames that are pushed on a task when an item is asked for, and taken off again when
 * they yield it, instead of when they end. In between they are in the task's list of generators,
 * newest first, from where the end of the frame that owns them closes them, and the end of the loop
 * throws them away.
 *
 * While one stands still, the scopes of its frame are taken off the task's stack of them, which
 * must be in the order of the frames. That is harmless for those that never cancel anything (what
 * the frame holds, a group that was waited for); with any other, yielding is refused.
 */
#include "task/internal.h"

#include <aloop/generator.h>

/* In front of a generator's frame. */
struct generator_head {
    aloop_generator *generator;
};

#define GENERATOR_HEAD_SIZE \
    ((sizeof(struct generator_head) + POOL_GRANULE - 1) & ~(size_t)(POOL_GRANULE - 1))

static struct generator_head *head_of(aloop_frame *frame)
{
    return (struct generator_head *)(void *)((char *)frame - GENERATOR_HEAD_SIZE);
}

static aloop_poll open_poll(aloop_task *task, aloop_op *op)
{
    aloop_generator *generator = op->arg[0].pointer;
    const aloop_coro *coro = op->arg[1].data;
    struct generator_head *head;
    aloop_frame *frame;

    if (generator->frame != NULL)
        return -EBUSY;
    head = pool_alloc(&task->future.loop->pool, GENERATOR_HEAD_SIZE + coro->size);
    if (head == NULL)
        return -ENOMEM;
    head->generator = generator;
    frame = (aloop_frame *)(void *)((char *)head + GENERATOR_HEAD_SIZE);
    frame_init(frame, coro, op->arg[2].data, task, NULL);
    frame->flags = FRAME_GENERATOR;
    *generator = (aloop_generator){
        .frame = frame, .owner = task->frame, .task = task, .older = task->generators};
    task->generators = generator;
    /* Its end has something to do. */
    task->frame->flags |= FRAME_HAS_SCOPE;
    return 0;
}

aloop_op aloop_generator_open_op(aloop_generator *generator, const aloop_coro *coro,
                                 const void *frame)
{
    return (aloop_op){
        .poll = open_poll, .arg = {{.pointer = generator}, {.data = coro}, {.data = frame}}};
}

/* --- moving on and standing still --- */

/* Makes it the innermost frame, with `result` as the outcome of the ALOOP_YIELD that it is in. */
static void generator_resume(aloop_generator *generator, int64_t result)
{
    struct aloop_task *task = generator->task;
    aloop_scope **link = &generator->scopes;

    generator->is_running = true;
    generator->has_begun = true;
    generator->frame->result = result;
    generator->frame->caller = task->frame;
    task->frame = generator->frame;
    while (*link != NULL)
        link = &(*link)->outer;
    *link = task->scope;
    task->scope = generator->scopes;
    generator->scopes = NULL;
}

/* Could it still cancel what the task does? The scope of the asking itself ends with that. */
static bool scope_may_fire(aloop_scope *scope)
{
    if (scope->kind == SCOPE_GROUP)
        return group_is_open(CONTAINER_OF(scope, aloop_group, scope));
    return scope->kind == SCOPE_TIMEOUT;
}

/* Takes the frame's scopes off the task; false if one of them does not allow it. */
static bool take_scopes(struct aloop_task *task, aloop_generator *generator)
{
    aloop_scope **end = &task->scope;
    aloop_scope *rest;

    while (*end != NULL && (*end)->frame == generator->frame && (*end)->kind != SCOPE_CALL) {
        if (scope_may_fire(*end))
            return false;
        end = &(*end)->outer;
    }
    rest = *end;
    *end = NULL;
    generator->scopes = task->scope;
    task->scope = rest;
    if (rest != NULL && rest->frame == generator->frame)
        (void)call_scope_leave(rest, 0);
    return true;
}

static aloop_poll yield_poll(aloop_task *task, aloop_op *op)
{
    aloop_frame *frame = task->frame;
    aloop_generator *generator;

    if (!(frame->flags & FRAME_GENERATOR))
        return -EPERM;
    generator = head_of(frame)->generator;
    if (generator->is_closing)
        return -ECANCELED;
    if (frame->flags & ALOOP_FLAG_FINALLY_ || !take_scopes(task, generator))
        return -EPERM;
    generator->value = op->arg[0].number;
    generator->is_running = false;
    task->frame = frame->caller;
    task->frame->result = 1;
    frame->caller = NULL;
    /* An endless run of items that need no waiting must not keep the others from theirs. */
    task->future.loop->budget--;
    return ALOOP_PENDING;
}

aloop_op aloop_generator_yield(int64_t value)
{
    /* Like a call it goes on with another frame, and is no place to be cancelled at. */
    return (aloop_op){.poll = yield_poll, .flags = OP_IS_CALL, .arg = {{.number = value}}};
}

static int generator_check(const aloop_generator *generator, const aloop_task *task)
{
    if (generator->task != task)
        return -EPERM;
    return generator->is_running ? -EBUSY : 0;
}

static aloop_poll next_poll(aloop_task *task, aloop_op *op)
{
    aloop_generator *generator = op->arg[0].pointer;
    int error;

    if (generator->frame == NULL)
        return generator->owner != NULL ? 0 : -EINVAL;
    error = generator_check(generator, task);
    if (error < 0)
        return error;
    /* Items may come without an await that a cancellation could be delivered to. */
    if (ALOOP_UNLIKELY((task->state & TASK_ALARMS) != 0) && task_take_alarm(task) != 0)
        return -ECANCELED;
    generator_resume(generator, 0);
    return ALOOP_PENDING;
}

aloop_op aloop_generator_next(aloop_generator *generator)
{
    return (aloop_op){.poll = next_poll, .flags = OP_IS_CALL, .arg = {{.pointer = generator}}};
}

/* --- the end --- */

void generator_begin_close(aloop_generator *generator)
{
    struct aloop_task *task = generator->task;
    bool has_begun = generator->has_begun;

    generator->is_closing = true;
    /* A cancellation of the task that is delivered from here on is none of ours to swallow. */
    generator->cancelling = task->cancelling - (task->state & ALARM_CANCEL ? 1 : 0);
    generator_resume(generator, -ECANCELED);
    if (has_begun)
        return;
    /* It stands at no ALOOP_YIELD: but its ALOOP_FINALLY owns what its arguments own, so it is run,
       and cancelled at its first await, as a task would be. */
    scope_enter_untimed(task, &generator->closing, SCOPE_GENERATOR);
    scope_fire(&generator->closing);
}

static aloop_poll close_poll(aloop_task *task, aloop_op *op)
{
    aloop_generator *generator = op->arg[0].pointer;
    int error;

    if (generator->frame == NULL)
        return 0;
    error = generator_check(generator, task);
    if (error < 0)
        return error;
    generator_begin_close(generator);
    return ALOOP_PENDING;
}

aloop_op aloop_generator_close(aloop_generator *generator)
{
    return (aloop_op){.poll = close_poll, .flags = OP_IS_CALL, .arg = {{.pointer = generator}}};
}

void generator_free(aloop_frame *frame)
{
    struct generator_head *head = head_of(frame);
    aloop_generator *generator = head->generator;
    struct aloop_task *task = generator->task;
    aloop_generator **link = &task->generators;

    while (*link != generator)
        link = &(*link)->older;
    *link = generator->older;
    generator->frame = NULL;
    generator->is_running = false;
    pool_free(&task->future.loop->pool, head, GENERATOR_HEAD_SIZE + frame->coro->size);
}

/* What it has ended with, for who asked, or closed it. */
static int64_t outcome_for_caller(const aloop_generator *generator, int64_t outcome)
{
    const struct aloop_task *task = generator->task;

    if (outcome >= 0)
        return 0;
    if (!generator->is_closing || outcome != -ECANCELED)
        return outcome;
    return task->cancelling > generator->cancelling && !(task->state & ALARM_CANCEL) ? outcome : 0;
}

void generator_return(aloop_frame *frame, aloop_frame *caller)
{
    int64_t outcome = outcome_for_caller(head_of(frame)->generator, frame->outcome);

    generator_free(frame);
    caller->result = outcome;
    /* Closed by the end of its owner: which has failed with it, unless it had failed before. */
    if (caller->flags & FRAME_ENDED && outcome < 0 && caller->outcome >= 0)
        caller->outcome = outcome;
}

aloop_generator *generator_of_owner(const struct aloop_task *task, const aloop_frame *owner)
{
    aloop_generator *generator = task->generators;

    while (generator != NULL && generator->owner != owner)
        generator = generator->older;
    return generator;
}

void generator_abandon_next(struct aloop_task *task)
{
    aloop_generator *generator = task->generators;

    while (generator != NULL && generator->is_running)
        generator = generator->older;
    if (generator != NULL)
        generator_resume(generator, 0);
}
