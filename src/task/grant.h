/*
 * How locks and their kin serve those who wait: what becomes free is handed over at once, and noted
 * in the operation of the one who has waited longest. When that is asked again, it has it already;
 * when it is given up before, its drop function finds the note and hands on what it got. So nobody
 * can barge in between, and no wake-up is lost.
 *
 * The wait lists of these files hold operations only, of which arg[0] is what they wait for, and
 * arg[1] the note.
 */
#ifndef ALOOP_SRC_TASK_GRANT_H
#define ALOOP_SRC_TASK_GRANT_H

#include "task/internal.h"

#include <aloop/sync.h>

enum { GRANT_NOTHING, GRANT_GIVEN, GRANT_OTHER };

static inline int64_t grant_of(const aloop_op *op)
{
    return op->arg[1].number;
}

/* The operation that has waited longest, NULL if none does. It stays in the list. */
static inline aloop_op *grant_first_waiting(const aloop_waitlist *list)
{
    aloop_waiter *waiter = aloop_waitlist_first(list);

    return waiter == NULL ? NULL : CONTAINER_OF(waiter, aloop_op, waiter);
}

/* Takes the operation out of its list, notes what it gets, and wakes its task. */
static inline void grant_give(aloop_op *op, int64_t what)
{
    aloop_waiter_unlink(&op->waiter);
    op->arg[1].number = what;
    waiter_wake(&op->waiter);
}

/* The same for the one who has waited longest; false if nobody waits. */
static inline bool grant_next(aloop_waitlist *list, int64_t what)
{
    aloop_waiter *waiter = aloop_waitlist_pop(list);

    if (waiter == NULL)
        return false;
    CONTAINER_OF(waiter, aloop_op, waiter)->arg[1].number = what;
    waiter_wake(waiter);
    return true;
}

/*
 * Waits, unless what is waited for belongs to another loop: a task of one loop must not be woken by
 * another, which may run in another thread. `is_free`: nobody has it and nobody waits, so its loop
 * is whichever comes first.
 */
static inline int grant_check_loop(aloop **loop_of_it, bool is_free, const aloop_task *task)
{
    if (is_free || *loop_of_it == NULL)
        *loop_of_it = task->future.loop;
    return *loop_of_it == task->future.loop ? 0 : -ALOOP_EWRONGLOOP;
}

/* --- holding, which hold.c gives back --- */

/* `hold` now holds `what`, for the coroutine that runs in `task`. A scope that never fires needs
   only its place among the others. */
static inline void hold_enter(aloop_task *task, aloop_hold *hold, void *what,
                              void (*give_back)(aloop_hold *hold))
{
    aloop_scope *scope = &hold->scope;

    scope->outer = task->scope;
    scope->task = task;
    scope->frame = task->frame;
    scope->kind = SCOPE_HOLD;
    scope->flags = 0;
    hold->what = what;
    hold->give_back = give_back;
    task->frame->flags |= FRAME_HAS_SCOPE;
    task->scope = scope;
}

/* It holds nothing. */
static inline void hold_leave(aloop_hold *hold)
{
    aloop_scope *scope = &hold->scope;

    /* Unless the program gives back in another order than it got. */
    if (ALOOP_UNLIKELY(scope->task->scope != scope)) {
        scope_leave(scope);
        return;
    }
    scope->task->scope = scope->outer;
    scope->task = NULL;
}

#endif
