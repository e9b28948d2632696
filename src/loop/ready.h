/*
 * The ready queue: a ring of {function, argument} by value, first in first out.
 *
 * What may become ready later (a timer, a reader, a task) reserves a place when it is made, and has
 * at most one entry in the ring at any moment; so pushing it never fails, and a steady state never
 * allocates. aloop_call_soon() takes a place that nobody has reserved, and grows the ring if it
 * must.
 *
 * Entries are numbered as they are pushed, from where no slot's number is, and the number is the
 * handle of a call_soon: it is scheduled while head <= number < tail, and cancelling overwrites the
 * function. That costs a post nothing, where an object per handle would cost half as much again as
 * the post itself.
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
    uint64_t head;  /* the number of the entry that runs next */
    uint64_t tail;  /* the number that the next push gets */
    size_t mask;    /* capacity - 1; the capacity is a power of two */
    uint64_t limit; /* entries below have room for sure: worked out where the tail comes to it */
    size_t reserved;
    struct memory *memory;
};

int ready_init(struct ready *ready, struct memory *memory);
void ready_fini(struct ready *ready);
/* Makes room for at least one entry beyond what is queued and reserved. 0 or -ENOMEM. */
int ready_make_room(struct ready *ready);

static inline size_t ready_count(const struct ready *ready)
{
    return (size_t)(ready->tail - ready->head);
}

/* The first number. The bit tells a number from that of a slot. */
#define READY_FIRST (UINT64_C(1) << 62)

/* Is there room for one more entry, or reservation? If not, there may be all the same: see
   ready_make_room(). */
static inline bool ready_has_room(const struct ready *ready)
{
    return ready->tail < ready->limit;
}

/* Reserves a place for something that will have at most one entry at a time. 0 or -ENOMEM. */
static inline int ready_reserve(struct ready *ready)
{
    if (ALOOP_UNLIKELY(!ready_has_room(ready)) && ready_make_room(ready) < 0)
        return -ENOMEM;
    ready->reserved++;
    ready->limit--;
    return 0;
}

static inline void ready_unreserve(struct ready *ready)
{
    ready->reserved--;
    ready->limit++;
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

/* The handle of the entry pushed last. */
static inline aloop_handle soon_handle(const struct ready *ready)
{
    return (aloop_handle)(ready->tail - 1);
}

#endif
