/*
 * Events. That it was set is noted in each operation that waits, so that clearing it at once takes
 * nothing back.
 */
#include "task/grant.h"

aloop_poll aloop_event_poll_(aloop_task *task, aloop_op *op)
{
    aloop_event *event = op->arg[0].pointer;
    int error;

    if (event->is_set || grant_of(op) == GRANT_GIVEN)
        return 0;
    error = grant_check_loop(&event->loop, aloop_waitlist_is_empty(&event->waiters), task);
    return error < 0 ? error : aloop_op_wait(op, &event->waiters);
}

const aloop_op_type aloop_event_type_ = {.name = "event"};

void aloop_event_set(aloop_event *event)
{
    event->is_set = true;
    while (grant_next(&event->waiters, GRANT_GIVEN))
        ;
}
