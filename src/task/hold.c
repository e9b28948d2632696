/*
 * What a coroutine holds, as a scope of it that is never cancelled: the end of its frame leaves the
 * scope, and so gives back what is left.
 */
#include "task/grant.h"

void hold_enter(aloop_task *task, aloop_hold *hold, void *what, void (*give_back)(aloop_hold *hold))
{
    scope_enter_untimed(task, &hold->scope, SCOPE_HOLD);
    hold->what = what;
    hold->give_back = give_back;
}

void hold_leave(aloop_hold *hold)
{
    scope_leave(&hold->scope);
}

void hold_end(aloop_scope *scope)
{
    aloop_hold *hold = CONTAINER_OF(scope, aloop_hold, scope);

    scope_leave(scope);
    hold->give_back(hold);
}

int aloop_hold_release(aloop_hold *hold)
{
    if (!aloop_hold_is_held(hold))
        return -EPERM;
    hold_end(&hold->scope);
    return 0;
}
