/*
 * What a coroutine holds, as a scope of it that is never cancelled: the end of its frame leaves the
 * scope, and so gives back what is left.
 */
#include "task/grant.h"

void hold_end(aloop_scope *scope)
{
    aloop_hold *hold = CONTAINER_OF(scope, aloop_hold, scope);

    hold_leave(hold);
    hold->give_back(hold);
}

int aloop_hold_release(aloop_hold *hold)
{
    if (!aloop_hold_is_held(hold))
        return -EPERM;
    hold_end(&hold->scope);
    return 0;
}
