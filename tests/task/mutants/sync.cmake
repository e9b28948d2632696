# One classic bug for each primitive: what its scenario must find.
set(locks ${CMAKE_CURRENT_LIST_DIR}/../test_interleave_lock.c)
set(others ${CMAKE_CURRENT_LIST_DIR}/../test_interleave_sync.c)

# Who was given the lock and is cancelled keeps it.
aloop_add_mutant(lock ${locks} lock src/task/lock.c
    "        aloop_lock_hand_on_(op->arg[0].pointer);"
    "        (void)op;")

# A writer that gives up leaves the readers behind it waiting.
aloop_add_mutant(rwlock ${locks} rwlock src/task/rwlock.c
    "        lock->readers--;
    aloop_rwlock_let_in_(lock);
}

const"
    "        lock->readers--;
    if (grant_of(op) == GRANT_GIVEN)
        aloop_rwlock_let_in_(lock);
}

const")

# Readers overtake the writer that waits.
aloop_add_mutant(rwlock_barging ${locks} rwlock src/task/rwlock.c
    "    if (!aloop_waitlist_is_empty(&lock->waiters) || !lets_in(lock, to_write))
        return aloop_op_wait"
    "    if (!lets_in(lock, to_write))
        return aloop_op_wait")

# Only the first of those who wait hears of the event.
aloop_add_mutant(event ${others} event src/task/event.c
    "    while (grant_next(&event->waiters, GRANT_GIVEN))"
    "    if (grant_next(&event->waiters, GRANT_GIVEN))")

# A notification ends with the task that was notified and cancelled.
aloop_add_mutant(condition ${locks} condition src/task/condition.c
    "    (void)notify_one(op->arg[0].pointer);"
    "    (void)op;")

# A cancelled wait ends without the lock.
aloop_add_mutant(condition_lock ${locks} condition src/task/condition.c
    ".interrupt = condition_interrupt"
    ".interrupt = NULL")

# A permit that is handed over is counted as well.
aloop_add_mutant(semaphore ${others} semaphore src/task/semaphore.c
    "    if (!grant_next(&semaphore->waiters, GRANT_GIVEN))
        semaphore->value++;"
    "    (void)grant_next(&semaphore->waiters, GRANT_GIVEN);
    semaphore->value++;")

# Who gives up waiting is still counted.
aloop_add_mutant(barrier ${others} barrier src/task/barrier.c
    "        barrier->waiting--;"
    "        (void)barrier;")

# Who has passed is counted again when it is cancelled.
aloop_add_mutant(barrier_passed ${others} barrier src/task/barrier.c
    "    if (grant_of(op) == GRANT_NOTHING)
        barrier"
    "        barrier")

# A token that was lent to a task which is cancelled is gone.
aloop_add_mutant(limiter ${others} limiter src/task/limiter.c
    "        take_back(op->arg[0].pointer);"
    "        (void)op;")

# Tokens that come back are not lent again.
aloop_add_mutant(limiter_lend ${others} limiter src/task/limiter.c
    "    limiter->borrowed--;
    lend(limiter);"
    "    limiter->borrowed--;")

# Nobody tries again after a failure.
aloop_add_mutant(once ${others} once src/task/once.c
    "    if (!grant_next(&once->waiters, GRANT_TURN))
        once->state = ONCE_FRESH;"
    "    once->state = ONCE_FRESH;")

# A turn that was handed to a task which is cancelled is gone.
aloop_add_mutant(once_drop ${others} once src/task/once.c
    "        hand_on(op->arg[0].pointer);"
    "        (void)op;")

# A permit that was handed to a task which is cancelled is gone.
aloop_add_mutant(semaphore_drop ${others} semaphore src/task/semaphore.c
    "    if (grant_of(op) == GRANT_GIVEN)
        aloop_semaphore_hand_on_(op->arg[0].pointer);"
    "    (void)op;")
