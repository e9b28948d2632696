/*
 * Metrics: what a loop has done, what it holds, and how long things take, as numbers that a program
 * can show to who operates it.
 *
 *     aloop_metrics now;
 *
 *     aloop_metrics_read(loop, &now, sizeof now);
 *     printf("%" PRIu64 " tasks, timers late by %" PRId64 " us (p99)\n", now.tasks,
 *            now.lag.p99 / 1000);
 *
 * Counting costs nothing that could be measured, and is always on; so is the lag. How long
 * callbacks and turns take needs two looks at the clock for each, and is measured only after
 * aloop_metrics_measure(). All calls are for the loop's thread. asyncio has no counterpart.
 */
#ifndef ALOOP_METRICS_H
#define ALOOP_METRICS_H

#include <aloop/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A distribution of durations: those that were added since the loop was made, or
 * aloop_metrics_clear(). A percentile is at most a quarter larger than the truth, and never
 * smaller: it is read off a logarithmic scale; `max` is exact. All 0 if there are none.
 */
typedef struct aloop_distribution {
    uint64_t count;
    aloop_ns sum;
    aloop_ns p50;
    aloop_ns p90;
    aloop_ns p99;
    aloop_ns p999; /* the 99.9th percentile */
    aloop_ns max;
} aloop_distribution;

/*
 * New members will be added at the end. The counters never decrease; they start at 0 when the loop
 * is made, and stay readable when it is closed.
 */
typedef struct aloop_metrics {
    /* Counters. */
    uint64_t turns;         /* iterations of the loop */
    uint64_t polls;         /* of them, those that asked the system for events */
    uint64_t events;        /* what it reported: fds that became ready, wake-ups by other threads */
    uint64_t callbacks;     /* that ran, steps of tasks included */
    uint64_t posts;         /* calls from other threads, the ends of their jobs included */
    uint64_t tasks_created;
    uint64_t tasks_done;
    /* What there is now. */
    uint64_t tasks;         /* that are not done */
    uint64_t timers;        /* armed: of callbacks, awaits, timeouts */
    uint64_t fds;           /* watched: sockets of the library, readers and writers */
    uint64_t ready;         /* entries of the ready queue */
    uint64_t pool_used;     /* bytes of memory of tasks, frames and futures in use, ... */
    uint64_t pool_held;     /* ... and what the loop holds for them */
    uint64_t jobs_queued;   /* for threads */
    uint64_t jobs_running;  /* in threads */
    /* How late timers fire: of each poll that finds some due, the one that was due first. What else
       has happened meanwhile had to wait about as long. Time that the machine gave to others is in
       it. */
    aloop_distribution lag;
    /* Of each callback, and of each step of a task. Only while it is measured. */
    aloop_distribution step;
    /* Of all callbacks of a turn together, of those turns that had any. Only while it is
       measured. */
    aloop_distribution turn;
} aloop_metrics;

/*
 * Writes what there is to *out, of which the program knows `size` bytes: sizeof *out. Members that
 * this version of the library does not know are 0.
 */
ALOOP_API void aloop_metrics_read(const aloop *loop, aloop_metrics *out, size_t size);

/*
 * Begins, or ends, to measure `step` and `turn`: from the next turn on where this is called inside
 * a callback. In real time on the virtual clock, too. Returns 0; -ENOMEM, -ALOOP_ECLOSED,
 * -ALOOP_EWRONGTHREAD (debug).
 */
ALOOP_API ALOOP_CHECKED int aloop_metrics_measure(aloop *loop, bool on);

/* Forgets all durations, for percentiles of the time since then. The counters stay. */
ALOOP_API void aloop_metrics_clear(aloop *loop);

typedef enum aloop_metrics_kind {
    ALOOP_METRICS_LAG = 1,
    ALOOP_METRICS_STEP = 2,
    ALOOP_METRICS_TURN = 3
} aloop_metrics_kind;

/* A part of a distribution: how many durations there were that are not longer than `up_to`, and
   longer than the `up_to` of the bucket before. */
typedef struct aloop_metrics_bucket {
    aloop_ns up_to; /* ALOOP_NEVER in the last one */
    uint64_t count;
} aloop_metrics_bucket;

/*
 * The distribution in full: writes up to `capacity` buckets, shortest durations first, and returns
 * how many there are, which is the same for all, and always the same; 0 if there is no such kind.
 * Four buckets make a power of two: those whose index leaves 3 when divided by 4 end one nanosecond
 * below one.
 */
ALOOP_API size_t aloop_metrics_buckets(const aloop *loop, aloop_metrics_kind kind,
                                       aloop_metrics_bucket *buckets, size_t capacity);

#ifdef __cplusplus
}
#endif

#endif
