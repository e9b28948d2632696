/*
 * Items by value, and the operations that wait for them: what queues and channels share.
 */
#ifndef ALOOP_SRC_TASK_ELEMENT_H
#define ALOOP_SRC_TASK_ELEMENT_H

#include "loop/internal.h"

#include <aloop/op.h>
#include <string.h>

/* The loop that something is to belong to, NULL for the one that is running: 0, or why there is
   none. */
static inline int find_home(aloop **loop)
{
    if (*loop == NULL)
        *loop = aloop_get_running_loop();
    return *loop == NULL ? -ALOOP_ENOLOOP : loop_guard(*loop);
}

/* memcpy(), without a call for what most items are: a number, a pointer, or two of them. */
static inline void copy_bytes(void *to, const void *from, size_t size)
{
    if (ALOOP_LIKELY(size == 8))
        memcpy(to, from, 8);
    else if (size == 16)
        memcpy(to, from, 16);
    else if (size == 4)
        memcpy(to, from, 4);
    else
        memcpy(to, from, size);
}

/* Copies an item. `to` NULL: nowhere. */
static inline void element_copy(void *to, const void *from, size_t size)
{
    if (to != NULL)
        copy_bytes(to, from, size);
}

static inline aloop_op *op_of_waiter(aloop_waiter *waiter)
{
    return CONTAINER_OF(waiter, aloop_op, waiter);
}

/* Wakes all operations that wait in the list. They stay in it until they have looked: so they keep
   their order, and can still be found if what they wait for goes away before they run. */
static inline void waiters_notify(aloop_waitlist *list)
{
    aloop_link *link = list->head.next;

    while (link != NULL && link != &list->head) {
        aloop_waiter *waiter = CONTAINER_OF(link, aloop_waiter, link);

        link = link->next;
        waiter->notify(waiter);
    }
}

/* What they wait for goes away: each finds NULL in its place, in op->arg[0], when it runs. */
static inline void waiters_orphan(aloop_waitlist *list)
{
    aloop_waiter *waiter;

    while ((waiter = aloop_waitlist_pop(list)) != NULL) {
        op_of_waiter(waiter)->arg[0].pointer = NULL;
        waiter->notify(waiter);
    }
}

#endif
