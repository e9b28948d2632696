/*
 * Locks, read-write locks, events, conditions, semaphores, barriers, limiters and things done once:
 * how tasks of one loop wait for each other. asyncio: Lock, Event, Condition, Semaphore,
 * BoundedSemaphore, Barrier.
 *
 * All of them live by value in a frame, in a struct or as a static. All zero is one that is ready
 * for use, where nothing has to be said; those that need a number have an ..._INIT for statics and
 * an ..._init() as well. Nothing here allocates, so nothing fails for want of memory, and nothing
 * has to be destroyed; but one must not be copied, nor its memory given up, while a task waits for
 * it or holds it.
 *
 * Who waits is served in the order it came: what becomes free is handed to the one who has waited
 * longest, and is not to be had by anybody else in between. A task that was handed something and is
 * cancelled, runs out of time or is thrown away before it got that far, hands it on. What can be
 * had at once is had without suspending.
 *
 * A task must not wait on what a task of another loop holds or waits for: where that shows, the
 * await gives -ALOOP_EWRONGLOOP. All calls are for the loop's thread; those that are no operations
 * need not come from a task.
 */
#ifndef ALOOP_SYNC_H
#define ALOOP_SYNC_H

#include <aloop/scope.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- locks --- */

/*
 * Mutual exclusion between tasks. asyncio: Lock.
 *
 *     ALOOP_TRY(aloop_lock_acquire(&self->shared->lock));
 *     self->is_holding = true;
 *     ...
 *     ALOOP_FINALLY;
 *     if (self->is_holding)
 *         aloop_lock_release(&self->shared->lock);
 *
 * or, shorter, with aloop_lock_enter() below. All zero is an unlocked one. It is not recursive: a
 * task that acquires what it holds waits for ever.
 */
typedef struct aloop_lock {
    aloop_waitlist waiters; /* empty while it is unlocked */
    aloop *loop;            /* of who holds it, if known */
    bool is_locked;
    unsigned holder; /* the number of the task, if it had one when it acquired the lock */
} aloop_lock;

#define ALOOP_LOCK_INIT                                                                            \
    {                                                                                              \
        .is_locked = false                                                                         \
    }

/* The parts of the functions below. */
ALOOP_API aloop_poll aloop_lock_poll_(aloop_task *task, aloop_op *op);
ALOOP_API void aloop_lock_hand_on_(aloop_lock *lock);
ALOOP_API extern const aloop_op_type aloop_lock_type_;

/* Waits until the lock is the task's. The outcome is 0. asyncio: `await lock.acquire()`. */
static inline aloop_op aloop_lock_acquire(aloop_lock *lock)
{
    aloop_op op = aloop_op_make_(aloop_lock_poll_, &aloop_lock_type_);

    op.arg[0].pointer = lock;
    return op;
}

/* Takes the lock if it is free. True if it did. */
ALOOP_API ALOOP_CHECKED bool aloop_lock_try_acquire(aloop_lock *lock);

/* Hands it to the next. Returns 0; -EPERM if it is not locked. asyncio: release(). */
static inline int aloop_lock_release(aloop_lock *lock)
{
    if (!aloop_waitlist_is_empty(&lock->waiters))
        aloop_lock_hand_on_(lock);
    else if (lock->is_locked)
        lock->is_locked = false;
    else
        return -EPERM;
    return 0;
}

/* asyncio: locked(). */
static inline bool aloop_lock_locked(const aloop_lock *lock)
{
    return lock->is_locked;
}

/* --- what a coroutine holds --- */

/*
 * Something that is given back in the end: it lives in the frame of the coroutine that got it, and
 * when that ends, however it does, what it has not given back is given back for it. All zero holds
 * nothing. While it holds something it must not be copied. The members are the library's.
 */
typedef struct aloop_hold {
    aloop_scope scope;
    void *what;
    void (*give_back)(struct aloop_hold *hold);
} aloop_hold;

/* Does it hold anything? */
static inline bool aloop_hold_is_held(const aloop_hold *hold)
{
    return hold->scope.task != NULL;
}

/* A part of aloop_lock_enter(). */
ALOOP_API aloop_poll aloop_lock_enter_poll_(aloop_task *task, aloop_op *op);

/*
 * Acquires a lock for the rest of the coroutine: asyncio's `async with lock`.
 *
 *     ALOOP_TRY(aloop_lock_enter(&self->shared->lock, &self->hold));
 *
 * The outcome is 0; -EBUSY if `hold` holds something already.
 */
static inline aloop_op aloop_lock_enter(aloop_lock *lock, aloop_hold *hold)
{
    aloop_op op = aloop_op_make_(aloop_lock_enter_poll_, &aloop_lock_type_);

    op.arg[0].pointer = lock;
    op.arg[2].pointer = hold;
    return op;
}

/* Gives back what is held, before the coroutine ends. Returns 0; -EPERM if it holds nothing. */
ALOOP_API int aloop_hold_release(aloop_hold *hold);

/* --- read-write locks --- */

/*
 * Many may read, or one write. Everybody queues in one line, so that neither readers nor writers
 * starve: a reader who comes while a writer waits, waits behind it. All zero is an unlocked one.
 */
typedef struct aloop_rwlock {
    aloop_waitlist waiters; /* the first of them cannot be let in */
    aloop *loop;
    size_t readers;
    bool is_writing;
} aloop_rwlock;

/* The parts of the functions below. */
ALOOP_API aloop_poll aloop_rwlock_read_poll_(aloop_task *task, aloop_op *op);
ALOOP_API aloop_poll aloop_rwlock_write_poll_(aloop_task *task, aloop_op *op);
ALOOP_API extern const aloop_op_type aloop_rwlock_read_type_;
ALOOP_API extern const aloop_op_type aloop_rwlock_write_type_;
ALOOP_API void aloop_rwlock_let_in_(aloop_rwlock *lock);

/* Waits until the task may read, or write. The outcome is 0. */
static inline aloop_op aloop_rwlock_acquire_read(aloop_rwlock *lock)
{
    aloop_op op = aloop_op_make_(aloop_rwlock_read_poll_, &aloop_rwlock_read_type_);

    op.arg[0].pointer = lock;
    return op;
}

static inline aloop_op aloop_rwlock_acquire_write(aloop_rwlock *lock)
{
    aloop_op op = aloop_op_make_(aloop_rwlock_write_poll_, &aloop_rwlock_write_type_);

    op.arg[0].pointer = lock;
    return op;
}

/* The same if it need not wait, and nobody does. True if it did. */
ALOOP_API ALOOP_CHECKED bool aloop_rwlock_try_acquire_read(aloop_rwlock *lock);
ALOOP_API ALOOP_CHECKED bool aloop_rwlock_try_acquire_write(aloop_rwlock *lock);

/* The end of it. Returns 0; -EPERM if nobody reads, or writes. */
static inline int aloop_rwlock_release_read(aloop_rwlock *lock)
{
    if (lock->readers == 0)
        return -EPERM;
    lock->readers--;
    if (!aloop_waitlist_is_empty(&lock->waiters))
        aloop_rwlock_let_in_(lock);
    return 0;
}

static inline int aloop_rwlock_release_write(aloop_rwlock *lock)
{
    if (!lock->is_writing)
        return -EPERM;
    lock->is_writing = false;
    if (!aloop_waitlist_is_empty(&lock->waiters))
        aloop_rwlock_let_in_(lock);
    return 0;
}

/* How many read. */
static inline size_t aloop_rwlock_readers(const aloop_rwlock *lock)
{
    return lock->readers;
}

/* Does somebody write? */
static inline bool aloop_rwlock_is_writing(const aloop_rwlock *lock)
{
    return lock->is_writing;
}

/* --- events --- */

/* A flag that tasks wait for. All zero is one that is not set. asyncio: Event. */
typedef struct aloop_event {
    aloop_waitlist waiters;
    aloop *loop;
    bool is_set;
} aloop_event;

/* The parts of aloop_event_wait(). */
ALOOP_API aloop_poll aloop_event_poll_(aloop_task *task, aloop_op *op);
ALOOP_API extern const aloop_op_type aloop_event_type_;

/* Waits until it is set, or has been since the wait began. The outcome is 0. asyncio: wait(). */
static inline aloop_op aloop_event_wait(aloop_event *event)
{
    aloop_op op = aloop_op_make_(aloop_event_poll_, &aloop_event_type_);

    op.arg[0].pointer = event;
    return op;
}

/* Sets it: all who wait go on, even if it is cleared before they run. asyncio: set(). */
ALOOP_API void aloop_event_set(aloop_event *event);

/* asyncio: clear(). */
static inline void aloop_event_clear(aloop_event *event)
{
    event->is_set = false;
}

/* asyncio: is_set(). */
static inline bool aloop_event_is_set(const aloop_event *event)
{
    return event->is_set;
}

/* --- conditions --- */

/*
 * Waiting for a change of what a lock guards. asyncio: Condition.
 *
 *     ALOOP_TRY(aloop_lock_enter(&self->pool->lock, &self->hold));
 *     while (self->pool->free == NULL)
 *         ALOOP_TRY(aloop_condition_wait(&self->pool->has_free));
 *
 * The loop is necessary: between the notification and the moment that the lock is the task's again,
 * somebody else may have come. Several conditions may share a lock.
 */
typedef struct aloop_condition {
    aloop_waitlist waiters;
    aloop_lock *lock;
} aloop_condition;

#define ALOOP_CONDITION_INIT(lock_of_it)                                                           \
    {                                                                                              \
        .lock = (lock_of_it)                                                                       \
    }

static inline void aloop_condition_init(aloop_condition *condition, aloop_lock *lock)
{
    aloop_condition fresh = ALOOP_ZERO_;

    fresh.lock = lock;
    *condition = fresh;
}

/*
 * Releases the lock, waits for a notification, and acquires the lock again. The outcome is 0;
 * -EPERM if the lock is not locked; or -ECANCELED, or -ETIMEDOUT under aloop_wait_for(): then, too,
 * the lock has been acquired again first, through any number of cancellations, and a notification
 * that had come has gone to another. Only where the task is thrown away with its loop is the lock
 * not acquired. aloop_select() takes no such operation. asyncio: wait().
 */
ALOOP_API aloop_op aloop_condition_wait(aloop_condition *condition);

/*
 * Notifies the `count` tasks that have waited longest: they get the lock one after the other, once
 * it is released. Returns how many there were; -EPERM if the lock is not locked. asyncio: notify().
 */
ALOOP_API int64_t aloop_condition_notify(aloop_condition *condition, size_t count);

/* The same for all. asyncio: notify_all(). */
ALOOP_API int64_t aloop_condition_notify_all(aloop_condition *condition);

/* --- semaphores --- */

/* A number of permits. asyncio: Semaphore. All zero has none, until one is released. */
typedef struct aloop_semaphore {
    aloop_waitlist waiters; /* empty while there are permits */
    aloop *loop;
    size_t value;
} aloop_semaphore;

#define ALOOP_SEMAPHORE_INIT(initial)                                                              \
    {                                                                                              \
        .value = (initial)                                                                         \
    }

static inline void aloop_semaphore_init(aloop_semaphore *semaphore, size_t value)
{
    aloop_semaphore fresh = ALOOP_ZERO_;

    fresh.value = value;
    *semaphore = fresh;
}

/* The parts of the functions below. */
ALOOP_API aloop_poll aloop_semaphore_poll_(aloop_task *task, aloop_op *op);
ALOOP_API void aloop_semaphore_hand_on_(aloop_semaphore *semaphore);
ALOOP_API extern const aloop_op_type aloop_semaphore_type_;

/* Waits for a permit. The outcome is 0. asyncio: acquire(). */
static inline aloop_op aloop_semaphore_acquire(aloop_semaphore *semaphore)
{
    aloop_op op = aloop_op_make_(aloop_semaphore_poll_, &aloop_semaphore_type_);

    op.arg[0].pointer = semaphore;
    return op;
}

/* Takes a permit if there is one. True if it did. */
ALOOP_API ALOOP_CHECKED bool aloop_semaphore_try_acquire(aloop_semaphore *semaphore);

/* Gives one back, or adds one. Returns 0; -EOVERFLOW. asyncio: release(). */
static inline int aloop_semaphore_release(aloop_semaphore *semaphore)
{
    if (!aloop_waitlist_is_empty(&semaphore->waiters))
        aloop_semaphore_hand_on_(semaphore);
    else if (semaphore->value < SIZE_MAX)
        semaphore->value++;
    else
        return -EOVERFLOW;
    return 0;
}

/* How many permits are to be had. */
static inline size_t aloop_semaphore_value(const aloop_semaphore *semaphore)
{
    return semaphore->value;
}

/* Would acquiring have to wait? asyncio: locked(). */
static inline bool aloop_semaphore_locked(const aloop_semaphore *semaphore)
{
    return semaphore->value == 0;
}

/* The same, which never has more permits than at first. asyncio: BoundedSemaphore. */
typedef struct aloop_bounded_semaphore {
    aloop_semaphore semaphore;
    size_t bound;
} aloop_bounded_semaphore;

#define ALOOP_BOUNDED_SEMAPHORE_INIT(initial)                                                      \
    {                                                                                              \
        .semaphore = {.value = (initial)}, .bound = (initial)                                      \
    }

static inline void aloop_bounded_semaphore_init(aloop_bounded_semaphore *semaphore, size_t value)
{
    aloop_semaphore_init(&semaphore->semaphore, value);
    semaphore->bound = value;
}

static inline aloop_op aloop_bounded_semaphore_acquire(aloop_bounded_semaphore *semaphore)
{
    return aloop_semaphore_acquire(&semaphore->semaphore);
}

static inline ALOOP_CHECKED bool aloop_bounded_semaphore_try_acquire(
    aloop_bounded_semaphore *semaphore)
{
    return aloop_semaphore_try_acquire(&semaphore->semaphore);
}

/* As aloop_semaphore_release(); -EINVAL if nobody has the permit, and nothing changes. */
static inline int aloop_bounded_semaphore_release(aloop_bounded_semaphore *semaphore)
{
    if (semaphore->semaphore.value >= semaphore->bound)
        return -EINVAL;
    return aloop_semaphore_release(&semaphore->semaphore);
}

static inline size_t aloop_bounded_semaphore_value(const aloop_bounded_semaphore *semaphore)
{
    return semaphore->semaphore.value;
}

static inline bool aloop_bounded_semaphore_locked(const aloop_bounded_semaphore *semaphore)
{
    return semaphore->semaphore.value == 0;
}

/* --- barriers --- */

/*
 * So many tasks wait for each other, again and again. asyncio: Barrier. When the last one comes,
 * all go on; who comes after that belongs to the next round, even before the others have run. So
 * there is no draining to wait for, and resetting or aborting the barrier does not reach those who
 * have passed it.
 */
typedef struct aloop_barrier {
    aloop_waitlist waiters;
    aloop *loop;
    size_t parties;
    size_t waiting;
    bool is_broken;
} aloop_barrier;

#define ALOOP_BARRIER_INIT(count)                                                                  \
    {                                                                                              \
        .parties = (count)                                                                         \
    }

static inline void aloop_barrier_init(aloop_barrier *barrier, size_t parties)
{
    aloop_barrier fresh = ALOOP_ZERO_;

    fresh.parties = parties;
    *barrier = fresh;
}

/*
 * Waits until as many tasks wait as there are parties. The outcome is a number of the task's own, 0
 * to parties - 1, in the order they came; -ALOOP_EBROKEN if the barrier is broken or reset
 * meanwhile; -EINVAL if it is for no parties at all. A task that gives up waiting leaves the others
 * as they were. asyncio: wait().
 */
ALOOP_API aloop_op aloop_barrier_wait(aloop_barrier *barrier);

/* Fails those who wait with -ALOOP_EBROKEN; the barrier is as new. asyncio: reset(). */
ALOOP_API void aloop_barrier_reset(aloop_barrier *barrier);

/* Fails those who wait, and all who come, until the barrier is reset. asyncio: abort(). */
ALOOP_API void aloop_barrier_abort(aloop_barrier *barrier);

/* asyncio: parties, n_waiting, broken. */
static inline size_t aloop_barrier_parties(const aloop_barrier *barrier)
{
    return barrier->parties;
}

static inline size_t aloop_barrier_n_waiting(const aloop_barrier *barrier)
{
    return barrier->waiting;
}

static inline bool aloop_barrier_broken(const aloop_barrier *barrier)
{
    return barrier->is_broken;
}

/* --- limiters --- */

/*
 * So many tasks at a time, each with a token of its own: a semaphore that knows its borrowers. Trio
 * and anyio: CapacityLimiter.
 *
 *     ALOOP_TRY(aloop_limiter_acquire(&self->crawl->limiter, &self->token));
 *     ...                                    given back when the coroutine ends
 */
typedef struct aloop_limiter {
    aloop_waitlist waiters;
    aloop *loop;
    size_t total;
    size_t borrowed;
} aloop_limiter;

#define ALOOP_LIMITER_INIT(tokens)                                                                 \
    {                                                                                              \
        .total = (tokens)                                                                          \
    }

static inline void aloop_limiter_init(aloop_limiter *limiter, size_t total)
{
    aloop_limiter fresh = ALOOP_ZERO_;

    fresh.total = total;
    *limiter = fresh;
}

/*
 * Waits for a token, which `token` then holds: it is given back by aloop_hold_release(token), or
 * when the coroutine ends. The outcome is 0; -EBUSY if the task has a token of this limiter
 * already, or `token` holds something.
 */
ALOOP_API aloop_op aloop_limiter_acquire(aloop_limiter *limiter, aloop_hold *token);

/*
 * The same without waiting, as a plain call from a task. Returns 0; -EAGAIN if no token is to be
 * had, -EBUSY as above, -EPERM outside of a task, -ALOOP_EWRONGLOOP.
 */
ALOOP_API ALOOP_CHECKED int aloop_limiter_try_acquire(aloop_limiter *limiter, aloop_hold *token);

/*
 * Another total. With a larger one, those who wait go on; with a smaller one nobody loses a token,
 * but no more are lent until as many are given back.
 */
ALOOP_API void aloop_limiter_set_total(aloop_limiter *limiter, size_t total);

static inline size_t aloop_limiter_total(const aloop_limiter *limiter)
{
    return limiter->total;
}

static inline size_t aloop_limiter_borrowed(const aloop_limiter *limiter)
{
    return limiter->borrowed;
}

static inline size_t aloop_limiter_available(const aloop_limiter *limiter)
{
    return limiter->total > limiter->borrowed ? limiter->total - limiter->borrowed : 0;
}

/* --- once --- */

/*
 * What is to be done once, by whoever comes first, while others wait for it.
 *
 *     ALOOP_TRY(aloop_once_begin(&config.once, &self->turn));
 *     if (self->result == 1) {
 *         ALOOP_TRY(aloop_call(load_config));
 *         aloop_once_done(&self->turn);
 *     }
 *
 * If the coroutine ends before it has said that it is done, because it failed or was cancelled, it
 * is the turn of the next. All zero is one that nobody has begun.
 */
typedef struct aloop_once {
    aloop_waitlist waiters; /* empty unless somebody has the turn */
    aloop *loop;
    const aloop_task *runner; /* whose turn it is, unless that has not run yet */
    unsigned char state;
} aloop_once;

/* The parts of aloop_once_begin(). */
ALOOP_API aloop_poll aloop_once_poll_(aloop_task *task, aloop_op *op);
ALOOP_API extern const aloop_op_type aloop_once_type_;

/*
 * Waits until it is done, or it is the task's turn. The outcome is 1 if the task is to do it, and
 * `turn` then holds the turn; 0 if it has been done; -EDEADLK if the task is at it already; -EBUSY
 * if `turn` holds something.
 */
static inline aloop_op aloop_once_begin(aloop_once *once, aloop_hold *turn)
{
    aloop_op op = aloop_op_make_(aloop_once_poll_, &aloop_once_type_);

    op.arg[0].pointer = once;
    op.arg[2].pointer = turn;
    return op;
}

/* It is done: all who wait go on. Returns 0; -EPERM if `turn` holds no turn. To give up the turn
   instead, there is aloop_hold_release(). */
ALOOP_API int aloop_once_done(aloop_hold *turn);

/* Has it been done? */
ALOOP_API bool aloop_once_is_done(const aloop_once *once);

#ifdef __cplusplus
}
#endif

#endif
