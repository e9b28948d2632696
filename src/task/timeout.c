/*
 * Timeouts as scopes that a coroutine enters and leaves itself.
 */
#include "task/internal.h"

static aloop_poll timeout_poll(aloop_task *task, aloop_op *op)
{
    aloop_timeout *timeout = op->arg[0].pointer;

    return scope_enter(task, &timeout->scope, SCOPE_TIMEOUT, op->arg[1].number);
}

/* The delay counts from here, where the scope is entered. */
static aloop_poll timeout_delay_poll(aloop_task *task, aloop_op *op)
{
    op->arg[1].number = time_add(task->future.loop->now, op->arg[1].number);
    return timeout_poll(task, op);
}

aloop_op aloop_timeout_enter_at(aloop_timeout *timeout, aloop_ns when)
{
    return (aloop_op){.poll = timeout_poll, .arg = {{.pointer = timeout}, {.number = when}}};
}

aloop_op aloop_timeout_enter(aloop_timeout *timeout, aloop_ns delay)
{
    return (aloop_op){.poll = timeout_delay_poll, .arg = {{.pointer = timeout}, {.number = delay}}};
}

int64_t aloop_timeout_leave(aloop_timeout *timeout, int64_t outcome)
{
    if (!scope_is_entered(&timeout->scope))
        return outcome;
    if (scope_caught(&timeout->scope, outcome))
        outcome = -ETIMEDOUT;
    scope_leave(&timeout->scope);
    return outcome;
}

int aloop_timeout_reschedule(aloop_timeout *timeout, aloop_ns when)
{
    if (!scope_is_entered(&timeout->scope))
        return -EINVAL;
    if (timeout->scope.flags & SCOPE_PATIENT)
        scope_withdraw(&timeout->scope);
    if (timeout->scope.flags & SCOPE_FIRED)
        return -EINVAL;
    scope_set_deadline(&timeout->scope, when);
    return 0;
}

aloop_ns aloop_timeout_when(const aloop_timeout *timeout)
{
    return scope_is_entered(&timeout->scope) ? scope_deadline(&timeout->scope) : ALOOP_NEVER;
}

bool aloop_timeout_expired(const aloop_timeout *timeout)
{
    return (timeout->scope.flags & SCOPE_FIRED) != 0;
}
