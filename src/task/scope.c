/*
 * Cancel scopes: a part of a task, what one call runs, that is cancelled by itself. aloop_wait_for() of a
 * call makes one.
 *
 * When its time is up, the innermost await inside gets -ECANCELED, as for a cancellation of the whole task,
 * but without counting as a request to cancel that; and if the call then ends with -ECANCELED, and nobody
 * asked for the task's cancellation in the meantime, that is -ETIMEDOUT outside (asyncio: Timeout).
 * Each scope delivers once. Inside an ALOOP_FINALLY that was entered after the scope, it waits.
 */
#include "task/internal.h"

int scope_enter(struct aloop_task *task, const aloop_op *op)
{
    aloop *loop = task->future.loop;
    struct scope *scope = pool_alloc(&loop->pool, sizeof *scope);

    if (scope == NULL)
        return -ENOMEM;
    *scope = (struct scope){.outer = task->scope,
                            .task = task,
                            .saved_finally_depth = task->finally_depth,
                            .cancelling = task->cancelling,
                            .has_timer = op->flags & OP_HAS_TIMEOUT};
    heap_node_init(&scope->timer, TIMER_KIND_SCOPE);
    if (scope->has_timer) {
        if (heap_reserve(&loop->timers) < 0) {
            pool_free(&loop->pool, scope, sizeof *scope);
            return -ENOMEM;
        }
        heap_arm(&loop->timers, &scope->timer, time_add(loop->now, op->timeout));
    }
    /* Inside, a cancellation need not wait for the cleanup that this call is part of. */
    if (op->flags & OP_CANCELLABLE)
        task->finally_depth = 0;
    scope->finally_depth = task->finally_depth;
    task->scope = scope;
    return 0;
}

/* Is any scope's news still undelivered? */
static void update_alarm(struct aloop_task *task)
{
    task->alarm &= (uint8_t)~ALARM_SCOPE;
    for (const struct scope *scope = task->scope; scope != NULL; scope = scope->outer) {
        if (scope->is_expired && !scope->is_delivered)
            task->alarm |= ALARM_SCOPE;
    }
}

static void scope_free(aloop *loop, struct scope *scope)
{
    if (scope->has_timer) {
        heap_remove(&loop->timers, &scope->timer);
        heap_unreserve(&loop->timers);
    }
    pool_free(&loop->pool, scope, sizeof *scope);
}

int64_t scope_leave(struct aloop_task *task, int64_t outcome)
{
    struct scope *scope = task->scope;

    task->scope = scope->outer;
    task->finally_depth = scope->saved_finally_depth;
    if (scope->is_delivered && outcome == -ECANCELED && task->cancelling <= scope->cancelling)
        outcome = -ETIMEDOUT;
    scope_free(task->future.loop, scope);
    if (task->alarm & ALARM_SCOPE)
        update_alarm(task);
    return outcome;
}

struct scope *scope_due(const struct aloop_task *task)
{
    for (struct scope *scope = task->scope; scope != NULL; scope = scope->outer) {
        if (scope->is_expired && !scope->is_delivered &&
            scope->finally_depth == task->finally_depth)
            return scope;
    }
    return NULL;
}

void scope_deliver(struct aloop_task *task, struct scope *scope)
{
    scope->is_delivered = true;
    update_alarm(task);
}

void scope_timer_due(aloop *loop, struct heap_node *node)
{
    struct scope *scope = CONTAINER_OF(node, struct scope, timer);

    (void)loop;
    scope->is_expired = true;
    task_raise_alarm(scope->task, ALARM_SCOPE);
}
