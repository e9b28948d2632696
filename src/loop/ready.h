/*
 * The ready queue: a ring of {function, argument} by value, first in first out.
 *
 * What may become ready later (a timer, a reader, a task) reserves a place when it is made, and has
 * at most one entry in the ring at any moment; so pushing it never fails, and a steady state never
 * allocates. aloop_call_soon() takes a place that nobody has reserved, and grows the ring if it
 * must.
 *
 * Entries are numbered from 0 on as they are pushed, and the number is the handle of a call_soon:
 * it is scheduled while head <= number < tail, and cancelling overwrites the function. That costs a
 * post nothing, where an object per handle would cost half as much again as the post itself.
 */
#ifndef ALOOP_SRC_LOOP_READY_H
#define ALOOP_SRC_LOOP_READY_H

#include "base/compiler.h"
#include "base/memory.h"

#include <aloop/loop.h>

struct ready_entry {
    aloop_callback *run;
    void *arg;
};

struct ready {
    struct ready_entry *ring;
    uint64_t head; /* the number of the entry that runs next */
    uint64_t tail; /* the number that the next push gets */
    size_t mask;   /* capacity - 1; the capacity is a power of two */
    size_t reserved;
    struct memory *memory;
};

int ready_init(struct ready *ready, struct memory *memory);
void ready_fini(struct ready *ready);
/* Makes room for at least one entry beyond what is queued and reserved. 0 or -ENOMEM. */
int ready_grow(struct ready *ready);

static inline size_t ready_count(const struct ready *ready)
{
    return (size_t)(ready->tail - ready->head);
}

/* Is there room for one more entry, or reservation? Counting every queued entry as if it had no
   reservation errs on the safe side, and needs no account of which entry is of which kind. */
static inline bool ready_has_room(const struct ready *ready)
{
    return ready_count(ready) + ready->reserved <= ready->mask;
}

/* Reserves a place for something that will have at most one entry at a time. 0 or -ENOMEM. */
static inline int ready_reserve(struct ready *ready)
{
    if (ALOOP_UNLIKELY(!ready_has_room(ready)) && ready_grow(ready) < 0)
        return -ENOMEM;
    ready->reserved++;
    return 0;
}

static inline void ready_unreserve(struct ready *ready)
{
    ready->reserved--;
}

/* Queues an entry for which there is a place. */
static inline void ready_push(struct ready *ready, aloop_callback *run, void *arg)
{
    struct ready_entry *entry = &ready->ring[(size_t)ready->tail & ready->mask];

    DEBUG_ASSERT(ready_count(ready) <= ready->mask);
    entry->run = run;
    entry->arg = arg;
    ready->tail++;
}

/* Tells the number of an entry, as a handle, from the number of a slot. */
#define SOON_BIT (INT64_C(1) << 62)

/* The handle of the entry pushed last. */
static inline aloop_handle soon_handle(const struct ready *ready)
{
    return SOON_BIT | (aloop_handle)(ready->tail - 1);
}

#endif
