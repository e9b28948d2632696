/*
 * Wait lists: first come, first served queues of those who wait for something, linked through a
 * node that each waiter brings along, so that waiting never allocates. They are what locks, futures
 * and sockets queue their waiters on, and what an awaitable of your own uses (see <aloop/op.h>).
 *
 * A wait list lives by value in whatever is waited for; all zero is an empty one, so a frame or a
 * static needs no initialisation. It must not be copied or freed while somebody waits on it. All
 * calls are for the loop's thread.
 */
#ifndef ALOOP_WAITLIST_H
#define ALOOP_WAITLIST_H

#include <aloop/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Two links: what a list and its members have in common. */
typedef struct aloop_link {
    struct aloop_link *next; /* NULL while it is in no list, and in a list nobody has waited on */
    struct aloop_link *prev;
} aloop_link;

typedef struct aloop_waiter {
    aloop_link link; /* first: a link that is no list is a waiter */
    /* What waking does: must only mark something as ready, never run a user's code. */
    void (*notify)(struct aloop_waiter *waiter);
} aloop_waiter;

typedef struct aloop_waitlist {
    aloop_link head;
} aloop_waitlist;

/* Is the waiter in a list? */
static inline bool aloop_waiter_is_linked(const aloop_waiter *waiter)
{
    return waiter->link.next != NULL;
}

/* Does nobody wait? */
static inline bool aloop_waitlist_is_empty(const aloop_waitlist *list)
{
    return list->head.next == NULL || list->head.next == &list->head;
}

/* Queues a waiter that is in no list, last. */
static inline void aloop_waitlist_push(aloop_waitlist *list, aloop_waiter *waiter)
{
    aloop_link *head = &list->head;

    if (head->next == NULL)
        head->prev = head;
    waiter->link.next = head;
    waiter->link.prev = head->prev;
    head->prev->next = &waiter->link;
    head->prev = &waiter->link;
}

/* Takes a waiter out of whatever list it is in; nothing if it is in none. */
static inline void aloop_waiter_unlink(aloop_waiter *waiter)
{
    if (waiter->link.next == NULL)
        return;
    waiter->link.prev->next = waiter->link.next;
    waiter->link.next->prev = waiter->link.prev;
    waiter->link.next = NULL;
}

/* The one who has waited longest; NULL if nobody waits. It stays in the list. */
static inline aloop_waiter *aloop_waitlist_first(const aloop_waitlist *list)
{
    return aloop_waitlist_is_empty(list) ? NULL : (aloop_waiter *)(void *)list->head.next;
}

/* Takes out the one who has waited longest; NULL if nobody waits. */
static inline aloop_waiter *aloop_waitlist_pop(aloop_waitlist *list)
{
    aloop_waiter *waiter = aloop_waitlist_first(list);

    if (waiter == NULL)
        return NULL;
    list->head.next = waiter->link.next;
    waiter->link.next->prev = &list->head;
    waiter->link.next = NULL;
    return waiter;
}

/*
 * Takes out the one who has waited longest and wakes it; false if nobody waits. The woken task runs
 * in a later turn of its loop, never inside this call, and asks again for what it waits for: see
 * there what a spurious wake-up means.
 */
static inline bool aloop_wake_one(aloop_waitlist *list)
{
    aloop_waiter *waiter = aloop_waitlist_pop(list);

    if (waiter == NULL)
        return false;
    waiter->notify(waiter);
    return true;
}

/* Wakes all who wait at this moment, in the order they came. Returns how many. */
static inline size_t aloop_wake_all(aloop_waitlist *list)
{
    size_t count = 0;

    while (aloop_wake_one(list))
        count++;
    return count;
}

#ifdef __cplusplus
}
#endif

#endif
