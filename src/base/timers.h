/*
 * Timers, in exact order: by deadline, and among equals in the order they were armed.
 *
 * Most timers are timeouts: they are put off or cancelled long before they are due. So arming and
 * cancelling are a few stores, however many there are, and need no memory but the timer's own: a
 * timer that waits is in a bucket of a wheel, which is a list without order. The wheel has ten
 * levels of 64 buckets; one of the lowest level holds what is due within the same tick of a quarter
 * of a microsecond, one of the next what is due within 64 of them, and so on.
 *
 * Where a timer belongs follows from the highest group of six bits in which its tick differs from
 * `base`, the tick before which all buckets are empty. So what is in a bucket is later than all
 * buckets before it and all lower levels, and the first bucket is found by two bit scans.
 *
 * When the time of a bucket has come, its timers enter the `run`, the sorted list from which timers
 * are taken as they come due: as long as they find their places there within a few steps, because
 * they are few or, as timeouts of one length are, in order already. The others are spread over the
 * levels below.
 *
 * Arming a timer in the wheel for a *later* time only stores it: the timer moves when the time of
 * its old bucket has come. Cancelling takes it out at once, wherever it is.
 */
#ifndef ALOOP_SRC_BASE_TIMERS_H
#define ALOOP_SRC_BASE_TIMERS_H

#include "base/compiler.h"

struct timer {
    uint16_t tag;         /* the owner's, for what would not fit elsewhere */
    uint8_t kind;         /* the owner's: what to do when the timer comes up */
    bool is_in_wheel;     /* armed, and not in the run */
    int32_t ahead;        /* a hint where the next but one is, from here; see prefetch_ahead() */
    int64_t deadline;     /* kept while it is not armed */
    uint64_t sequence;    /* drawn anew each time it is armed */
    struct timer *next;   /* in its list */
    struct timer **place; /* what points to it there; NULL while it is not armed */
};

#define TIMERS_TICK_BITS 8u /* 256 ns: buckets of four levels above hold a millisecond's, 67 ... */
#define TIMERS_LEVELS 10u   /* of six bits: all ticks that 63 bits of ns have */
#define TIMERS_BUCKETS 64u

struct timers {
    struct timer *run; /* sorted */
    int64_t settled;   /* what is in the run for a time before comes before all in the wheel */
    int64_t base;
    uint64_t sequence; /* drawn last */
    uint32_t armed_count;
    uint32_t levels;              /* a bit for each level that is not empty */
    uint64_t used[TIMERS_LEVELS]; /* a bit for each bucket that is not empty */
    struct timer *buckets[TIMERS_LEVELS * TIMERS_BUCKETS];
};

/* Without any timer. There is nothing to undo: timers are their owners'. */
void timers_init(struct timers *timers);

static inline void timer_init(struct timer *timer, uint8_t kind)
{
    timer->tag = 0;
    timer->kind = kind;
    timer->is_in_wheel = false;
    timer->ahead = 0;
    timer->place = NULL;
}

static inline bool timer_is_armed(const struct timer *timer)
{
    return timer->place != NULL;
}

/* What it was armed for last. */
static inline int64_t timer_deadline(const struct timer *timer)
{
    return timer->deadline;
}

/* Arms a timer that is not armed. It comes after all that were armed for the same time before. */
void timers_add(struct timers *timers, struct timer *timer, int64_t deadline);
/* Disarms a timer that is armed. */
void timers_take_out(struct timers *timers, struct timer *timer);

/* Puts a timer off that is in the wheel; false, and nothing is done, if it is not, or that would
   not be later. */
static inline bool timers_put_off(struct timers *timers, struct timer *timer, int64_t deadline)
{
    if (!timer->is_in_wheel || deadline < timer->deadline)
        return false;
    timer->deadline = deadline;
    timer->sequence = ++timers->sequence;
    return true;
}

/* Sets the timer's deadline, whether it was armed or not; it then comes after all that were armed
   for the same one before. */
static inline void timers_arm(struct timers *timers, struct timer *timer, int64_t deadline)
{
    if (timers_put_off(timers, timer, deadline))
        return;
    if (timer_is_armed(timer))
        timers_take_out(timers, timer);
    timers_add(timers, timer, deadline);
}

/* Disarms. True if it was armed. */
static inline bool timers_cancel(struct timers *timers, struct timer *timer)
{
    if (timer->place == NULL)
        return false;
    timers_take_out(timers, timer);
    return true;
}

/* Until when nothing is due for sure, INT64_MAX if nothing is armed: the deadline of the earliest
   timer, or, where many have their time close together, somewhat before. To find out which of a
   full bucket is the first would mean to sort it, though most of it may yet be put off or
   cancelled; waking up once for each level costs less. */
int64_t timers_next(struct timers *timers);
/* Is one due at `now`, which does not go back? */
bool timers_are_due(struct timers *timers, int64_t now);
/* Takes the earliest timer out if its deadline is at or before `now`, which does not go back: it
   is then not armed. NULL if none is due. */
struct timer *timers_pop_due(struct timers *timers, int64_t now);

/* How many timers are armed. */
static inline uint32_t timers_armed_count(const struct timers *timers)
{
    return timers->armed_count;
}

/* Checks every invariant; false if one is broken. For tests. */
bool timers_verify(const struct timers *timers);

#endif
