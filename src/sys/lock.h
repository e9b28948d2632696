/*
 * A mutex with its condition: how threads hand work to a loop and wait for it. The loop itself
 * holds one only while it takes a list over.
 */
#ifndef ALOOP_SRC_SYS_LOCK_H
#define ALOOP_SRC_SYS_LOCK_H

#include <aloop/base.h>
#include <pthread.h>

struct lock {
    pthread_mutex_t mutex;
    pthread_cond_t condition;
};

/* 0 or a negative errno (-ENOMEM, -EAGAIN); nothing is left behind on error. */
ALOOP_CHECKED int lock_init(struct lock *lock);
/* Nobody holds it or waits. */
void lock_fini(struct lock *lock);
/* Not recursive. These cannot fail on a lock that is used as it should be. */
void lock_acquire(struct lock *lock);
/* False if somebody holds it. */
bool lock_try(struct lock *lock);
void lock_release(struct lock *lock);
/* Releases, waits for a broadcast, and acquires again. May return without one: the caller checks
   its condition in a loop. */
void lock_wait(struct lock *lock);
/* The same for at most `timeout`, more than 0: false when that is over. */
bool lock_wait_for(struct lock *lock, aloop_ns timeout);
/* Wakes one that waits. May be called without the lock, by who has changed under it what is waited
   for: who wakes up then finds it free. */
void lock_signal(struct lock *lock);
/* Wakes all that wait; called while holding the lock, so that none can miss it. */
void lock_broadcast(struct lock *lock);

#endif
