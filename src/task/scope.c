/*
 * Cancel scopes: parts of a task that are cancelled by themselves. A task's scopes form a stack:
 * the call under an aloop_wait_for(), a timeout, a group of tasks.
 *
 * A scope fires: its time is up, or a group's child has failed. Then the innermost await inside
 * gets -ECANCELED, as for a cancellation of the whole task, but without counting as a request to
 * cancel that. Each scope delivers once. Inside an ALOOP_FINALLY that was entered after the scope,
 * it waits. What an -ECANCELED that comes out of the scope means there is up to its kind, provided
 * that nobody asked for the task's cancellation in the meantime (asyncio: Timeout.__aexit__, by
 * counts).
 */
#include "task/internal.h"

_Static_assert(sizeof(struct timer) <= sizeof(((aloop_scope *)0)->timer),
               "the public struct has room for a timer");

static struct timer *scope_timer(aloop_scope *scope)
{
    return (struct timer *)(void *)scope->timer;
}

static aloop_scope *scope_of_timer(struct timer *node)
{
    return CONTAINER_OF(node, aloop_scope, timer);
}

void scope_enter_untimed(struct aloop_task *task, aloop_scope *scope, enum scope_kind kind)
{
    *scope = (aloop_scope){.outer = task->scope,
                           .task = task,
                           .frame = task->frame,
                           .finally_depth = task->finally_depth,
                           .saved_finally_base = task->finally_base,
                           .cancelling = task->cancelling,
                           .kind = (unsigned char)kind};
    timer_init(scope_timer(scope), TIMER_KIND_SCOPE);
    task->frame->flags |= FRAME_HAS_SCOPE;
    task->scope = scope;
}

int scope_enter(struct aloop_task *task, aloop_scope *scope, enum scope_kind kind,
                aloop_ns deadline)
{
    struct timers *timers = &task->future.loop->timers;

    if (scope_is_entered(scope))
        return -EBUSY;
    scope_enter_untimed(task, scope, kind);
    scope->flags = SCOPE_TIMED;
    if (deadline <= task->future.loop->now) {
        /* Not by way of the loop, which may not look before the next await has ended. */
        scope_timer(scope)->deadline = deadline;
        scope->flags |= SCOPE_FIRED | SCOPE_PATIENT;
        task->state |= ALARM_SCOPE;
    } else if (deadline != ALOOP_NEVER) {
        timers_arm(timers, scope_timer(scope), deadline);
    }
    return 0;
}

/* Is any scope's news still undelivered? */
static void update_alarm(struct aloop_task *task)
{
    task->state &= ~(uint32_t)ALARM_SCOPE;
    for (const aloop_scope *scope = task->scope; scope != NULL; scope = scope->outer) {
        if ((scope->flags & (SCOPE_FIRED | SCOPE_DELIVERED)) == SCOPE_FIRED)
            task->state |= ALARM_SCOPE;
    }
}

void scope_leave(aloop_scope *scope)
{
    struct aloop_task *task = scope->task;
    struct timers *timers = &task->future.loop->timers;
    aloop_scope **link = &task->scope;

    /* The innermost, unless the program leaves its scopes in another order than it entered them. */
    while (*link != scope)
        link = &(*link)->outer;
    *link = scope->outer;
    (void)timers_cancel(timers, scope_timer(scope));
    scope->task = NULL;
    if (scope->flags & SCOPE_PATIENT && !(scope->flags & SCOPE_DELIVERED))
        scope->flags &= (unsigned char)~SCOPE_FIRED;
    if (task->state & ALARM_SCOPE)
        update_alarm(task);
}

bool scope_caught(const aloop_scope *scope, int64_t outcome)
{
    return outcome == -ECANCELED && scope->flags & SCOPE_DELIVERED &&
           scope->task->cancelling <= scope->cancelling;
}

/* Is the task in a cleanup that it began inside the scope? Those around a call that is
   cancellable do not count in there. */
static bool is_in_cleanup(const struct aloop_task *task, const aloop_scope *scope)
{
    uint32_t around = scope->finally_depth > task->finally_base ? scope->finally_depth
                                                                 : task->finally_base;

    return task->finally_depth != around && !(task->op.flags & OP_CANCELLABLE);
}

aloop_scope *scope_due(const struct aloop_task *task)
{
    for (aloop_scope *scope = task->scope; scope != NULL; scope = scope->outer) {
        if ((scope->flags & (SCOPE_FIRED | SCOPE_DELIVERED)) == SCOPE_FIRED &&
            !is_in_cleanup(task, scope))
            return scope;
    }
    return NULL;
}

void scope_deliver(aloop_scope *scope)
{
    scope->flags |= SCOPE_DELIVERED;
    update_alarm(scope->task);
}

void scope_fire(aloop_scope *scope)
{
    scope->flags |= SCOPE_FIRED;
    task_raise_alarm(scope->task, ALARM_SCOPE);
}

void scopes_lose_patience(struct aloop_task *task)
{
    for (aloop_scope *scope = task->scope; scope != NULL; scope = scope->outer)
        scope->flags &= (unsigned char)~SCOPE_PATIENT;
}

void scope_withdraw(aloop_scope *scope)
{
    if ((scope->flags & (SCOPE_FIRED | SCOPE_DELIVERED)) != SCOPE_FIRED)
        return;
    scope->flags &= (unsigned char)~SCOPE_FIRED;
    update_alarm(scope->task);
}

void scope_timer_due(aloop *loop, struct timer *node)
{
    (void)loop;
    scope_fire(scope_of_timer(node));
}

void scope_set_deadline(aloop_scope *scope, aloop_ns deadline)
{
    struct timers *timers = &scope->task->future.loop->timers;

    if (deadline != ALOOP_NEVER)
        timers_arm(timers, scope_timer(scope), deadline);
    else
        (void)timers_cancel(timers, scope_timer(scope));
}

aloop_ns scope_deadline(const aloop_scope *scope)
{
    const struct timer *timer = (const struct timer *)(const void *)scope->timer;

    if (!(scope->flags & SCOPE_TIMED))
        return ALOOP_NEVER;
    return timer_is_armed(timer) || scope->flags & SCOPE_FIRED ? timer_deadline(timer)
                                                               : ALOOP_NEVER;
}

/* --- the scope of a call with a deadline, or of one that may be cancelled inside ALOOP_FINALLY
   --- */

int call_scope_enter(struct aloop_task *task, const aloop_op *op)
{
    aloop *loop = task->future.loop;
    aloop_scope *scope = pool_alloc(&loop->pool, sizeof *scope);
    aloop_ns deadline = ALOOP_NEVER;

    if (scope == NULL)
        return -ENOMEM;
    scope->task = NULL;
    if (op->flags & OP_HAS_TIMEOUT)
        deadline = time_add(loop->now, op->timeout);
    (void)scope_enter(task, scope, SCOPE_CALL, deadline);
    /* Inside, a cancellation need not wait for the cleanup that this call is part of. */
    if (op->flags & OP_CANCELLABLE)
        task->finally_base = task->finally_depth;
    return 0;
}

int64_t call_scope_leave(aloop_scope *scope, int64_t outcome)
{
    struct aloop_task *task = scope->task;

    task->finally_base = scope->saved_finally_base;
    if (scope_caught(scope, outcome))
        outcome = -ETIMEDOUT;
    scope_leave(scope);
    pool_free(&task->future.loop->pool, scope, sizeof *scope);
    return outcome;
}

/* --- the end of a frame --- */

/* Like cleanup, it is not interrupted: nothing outlives a group, or the owner of a generator. */
static void frame_begin_wait(struct aloop_task *task)
{
    task->finally_depth++;
    task->frame->flags |= FRAME_CLOSING;
}

bool frame_leave_scopes(struct aloop_task *task)
{
    aloop_frame *frame = task->frame;
    int64_t outcome = frame->outcome;
    aloop_generator *generator;
    aloop_scope *scope;

    /* A step function by hand may end inside its cleanup. */
    if (frame->flags & ALOOP_FLAG_FINALLY_)
        aloop_frame_leave_finally(frame);
    if (frame->flags & FRAME_CLOSING) {
        frame->flags &= (unsigned char)~FRAME_CLOSING;
        task->finally_depth--;
    }
    frame->flags |= FRAME_ENDED;
    generator = generator_of_owner(task, frame);
    if (generator != NULL) {
        frame_begin_wait(task);
        generator_begin_close(generator);
        return false;
    }
    while ((scope = task->scope) != NULL && scope->frame == frame) {
        aloop_group *group = CONTAINER_OF(scope, aloop_group, scope);

        switch ((enum scope_kind)scope->kind) {
        case SCOPE_CALL:
            frame->outcome = call_scope_leave(scope, frame->outcome);
            break;
        case SCOPE_TIMEOUT:
            if (scope_caught(scope, frame->outcome))
                frame->outcome = -ETIMEDOUT;
            scope_leave(scope);
            break;
        case SCOPE_GROUP:
            if (group_must_wait(group, &task->op)) {
                frame_begin_wait(task);
                return false;
            }
            frame->outcome = group_outcome(group, frame->outcome);
            group_end(group);
            break;
        case SCOPE_HOLD:
            hold_end(scope);
            break;
        case SCOPE_GENERATOR:
            scope_leave(scope);
            break;
        }
    }
    if (ALOOP_UNLIKELY(frame->outcome < 0 && frame->outcome != outcome))
        trace_turn(frame);
    return true;
}

void frame_abandon_scopes(struct aloop_task *task)
{
    aloop_scope *scope;

    while ((scope = task->scope) != NULL && scope->frame == task->frame) {
        if (scope->kind == SCOPE_GROUP)
            group_abandon(CONTAINER_OF(scope, aloop_group, scope));
        else if (scope->kind == SCOPE_CALL)
            (void)call_scope_leave(scope, 0);
        else if (scope->kind == SCOPE_HOLD)
            hold_end(scope);
        else
            scope_leave(scope);
    }
}
