/*
 * struct lock over pthreads. The calls that cannot fail on a correctly used lock are checked in
 * debug builds only: there is nothing a caller could do, and a library does not end the process.
 */
#include "sys/lock.h"
#include "base/compiler.h"

static void check(int error)
{
    (void)error;
    DEBUG_ASSERT(error == 0);
}

int lock_init(struct lock *lock)
{
    int error = pthread_mutex_init(&lock->mutex, NULL);

    if (error)
        return -error;
    error = pthread_cond_init(&lock->condition, NULL);
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

void lock_release(struct lock *lock)
{
    check(pthread_mutex_unlock(&lock->mutex));
}

void lock_wait(struct lock *lock)
{
    check(pthread_cond_wait(&lock->condition, &lock->mutex));
}

void lock_broadcast(struct lock *lock)
{
    check(pthread_cond_broadcast(&lock->condition));
}
