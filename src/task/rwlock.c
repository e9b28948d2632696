/*
 * Read-write locks: one line for all. After each change those at its head are let in as far as they
 * can be, so the first who waits is always one that cannot: a reader while somebody writes, a
 * writer while anybody is in. Giving up in the line is such a change, too, since readers may have
 * waited only because of the writer in front of them.
 */
#include "task/grant.h"

#include <stdio.h>

static bool is_free(const aloop_rwlock *lock)
{
    return lock->readers == 0 && !lock->is_writing;
}

static bool lets_in(const aloop_rwlock *lock, bool is_writer)
{
    return is_writer ? is_free(lock) : !lock->is_writing;
}

static void let_in(aloop_rwlock *lock, bool is_writer)
{
    if (is_writer)
        lock->is_writing = true;
    else
        lock->readers++;
}

static bool is_writer(const aloop_op *op)
{
    return op->type == &aloop_rwlock_write_type_;
}

/* Those at the head of the line, as far as they can be. */
void aloop_rwlock_let_in_(aloop_rwlock *lock)
{
    aloop_op *op;

    while ((op = grant_first_waiting(&lock->waiters)) != NULL && lets_in(lock, is_writer(op))) {
        let_in(lock, is_writer(op));
        grant_give(op, GRANT_GIVEN);
    }
}

static inline aloop_poll rwlock_poll(aloop_task *task, aloop_op *op, bool to_write)
{
    aloop_rwlock *lock = op->arg[0].pointer;
    int error;

    if (grant_of(op) == GRANT_GIVEN)
        return 0;
    error = grant_check_loop(&lock->loop, is_free(lock), task);
    if (ALOOP_UNLIKELY(error < 0))
        return error;
    if (!aloop_waitlist_is_empty(&lock->waiters) || !lets_in(lock, to_write))
        return aloop_op_wait(op, &lock->waiters);
    let_in(lock, to_write);
    return 0;
}

aloop_poll aloop_rwlock_read_poll_(aloop_task *task, aloop_op *op)
{
    return rwlock_poll(task, op, false);
}

aloop_poll aloop_rwlock_write_poll_(aloop_task *task, aloop_op *op)
{
    return rwlock_poll(task, op, true);
}

static void rwlock_describe(const aloop_task *task, const aloop_op *op, aloop_op_details *details)
{
    const aloop_rwlock *lock = op->arg[0].data;

    (void)task;
    if (lock->is_writing)
        (void)snprintf(details->text, sizeof details->text, "one writes");
    else
        (void)snprintf(details->text, sizeof details->text, "%zu read", lock->readers);
}

static void rwlock_drop(aloop_task *task, aloop_op *op)
{
    aloop_rwlock *lock = op->arg[0].pointer;

    (void)task;
    if (grant_of(op) == GRANT_GIVEN && is_writer(op))
        lock->is_writing = false;
    else if (grant_of(op) == GRANT_GIVEN)
        lock->readers--;
    aloop_rwlock_let_in_(lock);
}

const aloop_op_type aloop_rwlock_read_type_ = {
    .name = "read lock", .drop = rwlock_drop, .describe = rwlock_describe};
const aloop_op_type aloop_rwlock_write_type_ = {
    .name = "write lock", .drop = rwlock_drop, .describe = rwlock_describe};

static bool try_acquire(aloop_rwlock *lock, bool to_write)
{
    if (!aloop_waitlist_is_empty(&lock->waiters) || !lets_in(lock, to_write))
        return false;
    if (is_free(lock))
        lock->loop = aloop_get_running_loop();
    let_in(lock, to_write);
    return true;
}

bool aloop_rwlock_try_acquire_read(aloop_rwlock *lock)
{
    return try_acquire(lock, false);
}

bool aloop_rwlock_try_acquire_write(aloop_rwlock *lock)
{
    return try_acquire(lock, true);
}
