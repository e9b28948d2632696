/*
 * Timers: a wheel for the far ones, and a heap for those that are near.
 *
 * Most timers are timeouts: they are put off or cancelled long before they are due. In the wheel,
 * arming and cancelling are a few stores, however many there are. It has eight levels of 64 buckets
 * each; a bucket of the lowest holds what is due within the same tick of about a millisecond, one
 * of the next 64 ticks, and so on. The exact order, by deadline and among equals in the order they
 * were armed, is the heap's, which gets a timer when its bucket's time has come: so it stays small,
 * and its keys in the cache.
 *
 * Where a timer belongs follows from the highest group of six bits in which its tick differs from
 * `base`, the tick up to which everything is in the heap. So what is in a bucket is later than all
 * buckets before it and all lower levels, and the first bucket is found by two bit scans.
 *
 * Arming for a *later* time only stores it, in the wheel as in the heap (see heap.h): the timer
 * moves when its old place comes up. Cancelling a timer in the wheel takes it out at once; in the
 * heap it is only marked, so "resident" means the same here as there.
 *
 * Nothing here allocates but timers_reserve().
 */
#ifndef ALOOP_SRC_BASE_TIMERS_H
#define ALOOP_SRC_BASE_TIMERS_H

#include "base/heap.h"

struct timer {
    struct heap_node near;
    struct timer *next;   /* in its bucket */
    struct timer **place; /* what points to it there; NULL while it is in none */
};

#define TIMERS_LEVELS 8u /* of six bits: all ticks that 63 bits of ns have */
#define TIMERS_BUCKETS 64u
#define TIMERS_TICK_BITS 20u /* 1.05 ms */

struct timers {
    struct heap near;
    int64_t near_end; /* what is due before goes straight to the heap: the end of tick `base` */
    int64_t base;
    uint32_t far_count;
    uint32_t levels;              /* a bit for each level that is not empty */
    uint64_t used[TIMERS_LEVELS]; /* a bit for each bucket that is not empty */
    struct timer *buckets[TIMERS_LEVELS * TIMERS_BUCKETS];
};

void timers_init(struct timers *timers, struct memory *memory);
/* Frees the memory, and forgets all timers, which are their owners'. */
void timers_fini(struct timers *timers);

static inline void timer_init(struct timer *timer, uint8_t kind)
{
    heap_node_init(&timer->near, kind);
    timer->place = NULL;
}

/* Keeps a place for one more timer. 0 or -ENOMEM. */
static inline int timers_reserve(struct timers *timers)
{
    return heap_reserve(&timers->near);
}

/* Gives one place back; the timer it was for must not be resident. */
static inline void timers_unreserve(struct timers *timers)
{
    heap_unreserve(&timers->near);
}

/* Do the timers still refer to it? Then its memory must stay. */
static inline bool timer_is_resident(const struct timer *timer)
{
    return timer->place != NULL || heap_is_resident(&timer->near);
}

/* Is it in the wheel? */
static inline bool timer_is_far(const struct timer *timer)
{
    return timer->place != NULL;
}

static inline bool timer_is_armed(const struct timer *timer)
{
    return heap_is_armed(&timer->near);
}

/* What it was armed for last. */
static inline int64_t timer_deadline(const struct timer *timer)
{
    return timer->near.deadline;
}

/* The parts of the functions below that are not worth inlining. */
void timers_put(struct timers *timers, struct timer *timer);
void timers_take_out(struct timers *timers, struct timer *timer);

/* Sets the timer's deadline, whether it was armed or not; it then comes after all that were armed
   for the same one before. */
static inline void timers_arm(struct timers *timers, struct timer *timer, int64_t deadline)
{
    int64_t before = timer->near.deadline;

    if (heap_is_resident(&timer->near)) {
        heap_arm(&timers->near, &timer->near, deadline);
        return;
    }
    timer->near.armed = 1;
    timer->near.deadline = deadline;
    timer->near.sequence = ++timers->near.sequence;
    if (timer->place != NULL) {
        if (deadline >= before)
            return;
        timers_take_out(timers, timer);
    }
    timers_put(timers, timer);
}

/* Disarms. True if it was armed. May call on_dropped of the heap, for this one too. */
static inline bool timers_cancel(struct timers *timers, struct timer *timer)
{
    if (timer->place == NULL)
        return heap_cancel(&timers->near, &timer->near);
    timers_take_out(timers, timer);
    timer->near.armed = 0;
    return true;
}

/* Disarms, and makes it not resident now. */
static inline void timers_remove(struct timers *timers, struct timer *timer)
{
    if (timer->place == NULL) {
        heap_remove(&timers->near, &timer->near);
        return;
    }
    timers_take_out(timers, timer);
    timer->near.armed = 0;
}

/* The earliest armed timer, NULL if none is. */
struct timer *timers_first(struct timers *timers);
/* Until when nothing is due for sure, INT64_MAX if nothing is armed: the deadline of the earliest
   timer, or, where many have their time close together, somewhat before. To find out which of a
   full bucket is the first would mean to sort it, though most of it may yet be put off or
   cancelled; waking up once for each level costs less. */
int64_t timers_next(struct timers *timers);
/* Takes the earliest armed timer out if its deadline is at or before `now`, which does not go back:
   it is then neither armed nor resident. NULL if none is due. */
struct timer *timers_pop_due(struct timers *timers, int64_t now);

/* How many timers are armed. */
static inline uint32_t timers_armed_count(const struct timers *timers)
{
    return timers->far_count + heap_armed_count(&timers->near);
}

/* Checks every invariant; false if one is broken. For tests. */
bool timers_verify(const struct timers *timers);

#endif
