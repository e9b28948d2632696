/*
 * Limiters. A token is one of the holds of its task, so that whether a task has one already is
 * asked of the few that it has, not of a table of all borrowers.
 */
#include "task/grant.h"

#include <stdio.h>

static void lend(aloop_limiter *limiter)
{
    while (limiter->borrowed < limiter->total && grant_next(&limiter->waiters, GRANT_GIVEN))
        limiter->borrowed++;
}

static void take_back(aloop_limiter *limiter)
{
    limiter->borrowed--;
    lend(limiter);
}

static void token_give_back(aloop_hold *token)
{
    take_back(token->what);
}

static bool has_token(const aloop_task *task, const aloop_limiter *limiter)
{
    for (aloop_scope *scope = task->scope; scope != NULL; scope = scope->outer) {
        if (scope->kind == SCOPE_HOLD && CONTAINER_OF(scope, aloop_hold, scope)->what == limiter)
            return true;
    }
    return false;
}

/* May the task borrow at all? 0, -EBUSY, -ALOOP_EWRONGLOOP. */
static int check(aloop_limiter *limiter, const aloop_task *task, const aloop_hold *token)
{
    if (aloop_hold_is_held(token) || has_token(task, limiter))
        return -EBUSY;
    return grant_check_loop(
        &limiter->loop, limiter->borrowed == 0 && aloop_waitlist_is_empty(&limiter->waiters), task);
}

static aloop_poll limiter_poll(aloop_task *task, aloop_op *op)
{
    aloop_limiter *limiter = op->arg[0].pointer;
    aloop_hold *token = op->arg[2].pointer;
    int error = check(limiter, task, token);

    if (error < 0) {
        if (grant_of(op) == GRANT_GIVEN)
            take_back(limiter);
        return error;
    }
    if (grant_of(op) != GRANT_GIVEN) {
        if (limiter->borrowed >= limiter->total)
            return aloop_op_wait(op, &limiter->waiters);
        limiter->borrowed++;
    }
    hold_enter(task, token, limiter, token_give_back);
    return 0;
}

static void limiter_drop(aloop_task *task, aloop_op *op)
{
    (void)task;
    if (grant_of(op) == GRANT_GIVEN)
        take_back(op->arg[0].pointer);
}

static void limiter_describe(const aloop_task *task, const aloop_op *op, aloop_op_details *details)
{
    const aloop_limiter *limiter = op->arg[0].data;

    (void)task;
    if (limiter->total == 1)
        details->object = limiter;
    (void)snprintf(details->text, sizeof details->text, "%zu of %zu tokens are lent",
                   limiter->borrowed, limiter->total);
}

static const aloop_op_type limiter_type = {
    .name = "limiter", .drop = limiter_drop, .describe = limiter_describe};

aloop_op aloop_limiter_acquire(aloop_limiter *limiter, aloop_hold *token)
{
    return (aloop_op){.poll = limiter_poll,
                      .type = &limiter_type,
                      .arg = {{.pointer = limiter}, {.number = 0}, {.pointer = token}}};
}

int aloop_limiter_try_acquire(aloop_limiter *limiter, aloop_hold *token)
{
    aloop_task *task = aloop_current_task();
    int error;

    if (task == NULL)
        return -EPERM;
    error = check(limiter, task, token);
    if (error < 0)
        return error;
    if (limiter->borrowed >= limiter->total)
        return -EAGAIN;
    limiter->borrowed++;
    hold_enter(task, token, limiter, token_give_back);
    return 0;
}

void aloop_limiter_set_total(aloop_limiter *limiter, size_t total)
{
    limiter->total = total;
    lend(limiter);
}
