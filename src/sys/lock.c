/*
 * struct lock over pthreads. The calls that cannot fail on a correctly used lock are checked in
 * debug builds only: there is nothing a caller could do, and a library does not end the process.
 */
#if defined(__APPLE__)
#undef _POSIX_C_SOURCE
#define _DARWIN_C_SOURCE 1 /* pthread_cond_timedwait_relative_np */
#endif
#include "sys/lock.h"
#include "base/compiler.h"
#include "base/time_math.h"
#include <time.h>

static void check(int error)
{
    (void)error;
    DEBUG_ASSERT(error == 0);
}

/* Of a clock that nobody sets, where that can be chosen. */
static int init_condition(pthread_cond_t *condition)
{
#if defined(__APPLE__)
    return pthread_cond_init(condition, NULL);
#else
    pthread_condattr_t attributes;
    int error = pthread_condattr_init(&attributes);

    if (error)
        return error;
    error = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    if (error == 0)
        error = pthread_cond_init(condition, &attributes);
    check(pthread_condattr_destroy(&attributes));
    return error;
#endif
}

int lock_init(struct lock *lock)
{
    int error = pthread_mutex_init(&lock->mutex, NULL);

    if (error)
        return -error;
    error = init_condition(&lock->condition);
    if (error)
        check(pthread_mutex_destroy(&lock->mutex));
    return -error;
}

void lock_fini(struct lock *lock)
{
    check(pthread_cond_destroy(&lock->condition));
    check(pthread_mutex_destroy(&lock->mutex));
}

void lock_acquire(struct lock *lock)
{
    check(pthread_mutex_lock(&lock->mutex));
}

bool lock_try(struct lock *lock)
{
    return pthread_mutex_trylock(&lock->mutex) == 0;
}

void lock_release(struct lock *lock)
{
    check(pthread_mutex_unlock(&lock->mutex));
}

void lock_wait(struct lock *lock)
{
    check(pthread_cond_wait(&lock->condition, &lock->mutex));
}

bool lock_wait_for(struct lock *lock, aloop_ns timeout)
{
    int error;
#if defined(__APPLE__)
    struct timespec wait = time_to_timespec(timeout);

    error = pthread_cond_timedwait_relative_np(&lock->condition, &lock->mutex, &wait);
#else
    struct timespec now = {0};
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    until = time_to_timespec(timeout);
    until.tv_sec += now.tv_sec;
    until.tv_nsec += now.tv_nsec;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    error = pthread_cond_timedwait(&lock->condition, &lock->mutex, &until);
#endif
    return error == 0;
}

void lock_signal(struct lock *lock)
{
    check(pthread_cond_signal(&lock->condition));
}

void lock_broadcast(struct lock *lock)
{
    check(pthread_cond_broadcast(&lock->condition));
}
