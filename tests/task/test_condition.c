#include "awaiter.h"

/* A lock and what waits on it. A task enters, waits, and leaves. */
struct shared {
    struct world *world;
    aloop_lock lock;
    aloop_condition condition;
};

struct waits {
    ALOOP_FRAME;
    struct shared *shared;
    const char *word;
    aloop_ns limit; /* 0: none */
    aloop_hold hold;
};

ALOOP_CORO(waits)
{
    struct shared *shared = self->shared;

    ALOOP_BEGIN;
    ALOOP_TRY(aloop_lock_enter(&shared->lock, &self->hold));
    if (self->limit > 0)
        ALOOP_AWAIT(aloop_wait_for(aloop_condition_wait(&shared->condition), self->limit));
    else
        ALOOP_AWAIT(aloop_condition_wait(&shared->condition));
    assert_true(aloop_lock_locked(&shared->lock));
    if (self->result == 0)
        world_mark(shared->world, self->word);
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

static struct shared *make_shared(struct world *world)
{
    static struct shared shared;

    shared = (struct shared){.world = world};
    aloop_condition_init(&shared.condition, &shared.lock);
    return &shared;
}

static aloop_task *begin_wait(struct shared *shared, const char *word)
{
    aloop_task *task =
        aloop_create_task_in(shared->world->loop, waits, .shared = shared, .word = word);

    world_turns(shared->world, 1);
    return task;
}

/* As from a task that has the lock. */
static int64_t notify(struct shared *shared, size_t count)
{
    int64_t notified;

    assert_true(aloop_lock_try_acquire(&shared->lock));
    notified = aloop_condition_notify(&shared->condition, count);
    assert_int_equal(aloop_lock_release(&shared->lock), 0);
    return notified;
}

static void without_the_lock(void **state) /* S140 */
{
    struct world *world = *state;
    static aloop_lock lock;
    static aloop_condition condition = ALOOP_CONDITION_INIT(&lock);

    assert_int_equal(at_once(world, aloop_condition_wait(&condition)), -EPERM);
    assert_int_equal(aloop_condition_notify(&condition, 1), -EPERM);
    assert_int_equal(aloop_condition_notify_all(&condition), -EPERM);
    assert_true(aloop_lock_try_acquire(&lock));
    assert_int_equal(aloop_condition_notify(&condition, 1), 0);
    assert_int_equal(aloop_condition_notify_all(&condition), 0);
    assert_int_equal(aloop_lock_release(&lock), 0);
}

static void notifies_in_order(void **state)
{
    struct world *world = *state;
    struct shared *shared = make_shared(world);
    aloop_task *tasks[4];

    tasks[0] = begin_wait(shared, "a");
    tasks[1] = begin_wait(shared, "b");
    tasks[2] = begin_wait(shared, "c");
    tasks[3] = begin_wait(shared, "d");
    assert_false(aloop_lock_locked(&shared->lock));
    assert_int_equal(notify(shared, 2), 2);
    world_turns(world, 4);
    assert_log(world, "a b ");
    assert_int_equal(notify(shared, 0), 0);
    assert_true(aloop_lock_try_acquire(&shared->lock));
    assert_int_equal(aloop_condition_notify_all(&shared->condition), 2);
    assert_int_equal(aloop_condition_notify_all(&shared->condition), 0);
    world_turns(world, 4);
    /* Notified, but the lock is not to be had. */
    assert_log(world, "");
    assert_int_equal(aloop_lock_release(&shared->lock), 0);
    world_turns(world, 4);
    assert_log(world, "c d ");
    assert_false(aloop_lock_locked(&shared->lock));
    for (int i = 0; i < 4; i++)
        assert_int_equal(end_of(tasks[i]), 0);
}

/* The lock is somebody else's when the wait is cancelled: it ends only when it has it again. */
static void cancelled_has_the_lock_first(void **state) /* S141 */
{
    struct world *world = *state;
    struct shared *shared = make_shared(world);
    aloop_task *task = begin_wait(shared, "a");

    assert_true(aloop_lock_try_acquire(&shared->lock));
    for (int i = 0; i < 3; i++) {
        assert_true(aloop_task_cancel(task));
        world_turns(world, 2);
        assert_false(aloop_task_done(task));
    }
    assert_int_equal(aloop_lock_release(&shared->lock), 0);
    world_turns(world, 1);
    assert_int_equal(end_of(task), -ECANCELED);
    assert_false(aloop_lock_locked(&shared->lock));
    assert_log(world, "");
}

static void cancelled_with_the_lock_free(void **state) /* S141 */
{
    struct world *world = *state;
    struct shared *shared = make_shared(world);
    aloop_task *task = begin_wait(shared, "a");

    assert_true(aloop_task_cancel(task));
    world_turns(world, 2);
    assert_int_equal(end_of(task), -ECANCELED);
    assert_false(aloop_lock_locked(&shared->lock));
}

static void cancelled_while_locking_passes_the_notification_on(void **state) /* S142 */
{
    struct world *world = *state;
    struct shared *shared = make_shared(world);
    aloop_task *a = begin_wait(shared, "a");
    aloop_task *b = begin_wait(shared, "b");

    assert_true(aloop_lock_try_acquire(&shared->lock));
    assert_int_equal(aloop_condition_notify(&shared->condition, 1), 1);
    aloop_task_cancel(a);
    world_turns(world, 1);
    assert_false(aloop_task_done(a));
    assert_int_equal(aloop_lock_release(&shared->lock), 0);
    world_turns(world, 3);
    assert_log(world, "b ");
    assert_int_equal(end_of(a), -ECANCELED);
    assert_int_equal(end_of(b), 0);
    assert_false(aloop_lock_locked(&shared->lock));
}

static void cancelled_with_the_lock_passes_the_notification_on(void **state) /* S141 S142 P108 */
{
    struct world *world = *state;
    struct shared *shared = make_shared(world);
    aloop_task *a = begin_wait(shared, "a");
    aloop_task *b = begin_wait(shared, "b");

    assert_int_equal(notify(shared, 1), 1);
    /* The lock is a's, which has not run yet. */
    assert_true(aloop_lock_locked(&shared->lock));
    aloop_task_cancel(a);
    world_turns(world, 4);
    assert_log(world, "b ");
    assert_int_equal(end_of(a), -ECANCELED);
    assert_int_equal(end_of(b), 0);
    assert_false(aloop_lock_locked(&shared->lock));
}

static void out_of_time(void **state)
{
    struct world *world = *state;
    struct shared *shared = make_shared(world);
    aloop_task *task;

    task = aloop_create_task_in(world->loop, waits, .shared = shared, .limit = 5);
    world_turns(world, 1);
    /* Time is up while somebody else has the lock. */
    assert_true(aloop_lock_try_acquire(&shared->lock));
    world_drain(world);
    assert_int_equal(aloop_time(world->loop), 5);
    assert_false(aloop_task_done(task));
    assert_int_equal(aloop_lock_release(&shared->lock), 0);
    world_turns(world, 1);
    assert_int_equal(end_of(task), -ETIMEDOUT);
    assert_false(aloop_lock_locked(&shared->lock));
    /* And while the lock is free. */
    task = aloop_create_task_in(world->loop, waits, .shared = shared, .limit = 5);
    world_drain(world);
    assert_int_equal(end_of(task), -ETIMEDOUT);
    assert_false(aloop_lock_locked(&shared->lock));
}

/* A timeout and a cancellation: the latter counts. */
static void out_of_time_and_cancelled(void **state)
{
    struct world *world = *state;
    struct shared *shared = make_shared(world);
    aloop_task *task;

    task = aloop_create_task_in(world->loop, waits, .shared = shared, .limit = 5);
    world_turns(world, 1);
    assert_true(aloop_lock_try_acquire(&shared->lock));
    world_drain(world);
    aloop_task_cancel(task);
    world_turns(world, 1);
    assert_false(aloop_task_done(task));
    assert_int_equal(aloop_lock_release(&shared->lock), 0);
    world_turns(world, 1);
    assert_int_equal(end_of(task), -ECANCELED);
}

struct in_scope {
    ALOOP_FRAME;
    struct shared *shared;
    aloop_hold hold;
    aloop_timeout timeout;
};

ALOOP_CORO(in_scope)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_lock_enter(&self->shared->lock, &self->hold));
    ALOOP_TRY(aloop_timeout_enter(&self->timeout, 5));
    ALOOP_AWAIT(aloop_condition_wait(&self->shared->condition));
    assert_true(aloop_lock_locked(&self->shared->lock));
    ALOOP_RETURN(aloop_timeout_leave(&self->timeout, self->result));
    ALOOP_END;
}

static void out_of_the_time_of_a_scope(void **state)
{
    struct world *world = *state;
    struct shared *shared = make_shared(world);
    aloop_task *task = aloop_create_task_in(world->loop, in_scope, .shared = shared);

    world_turns(world, 1);
    assert_true(aloop_lock_try_acquire(&shared->lock));
    world_drain(world);
    assert_int_equal(aloop_time(world->loop), 5);
    assert_false(aloop_task_done(task));
    assert_int_equal(aloop_lock_release(&shared->lock), 0);
    world_turns(world, 1);
    assert_int_equal(end_of(task), -ETIMEDOUT);
    assert_false(aloop_lock_locked(&shared->lock));
}

/* With no time at all it lets go of the lock for a moment, and has it again. */
static void with_no_time(void **state)
{
    struct world *world = *state;
    struct shared *shared = make_shared(world);
    aloop_task *task;

    assert_true(aloop_lock_try_acquire(&shared->lock));
    task = begin(world, aloop_wait_for(aloop_condition_wait(&shared->condition), 0), NULL);
    world_turns(world, 1);
    assert_int_equal(end_of(task), -ETIMEDOUT);
    assert_true(aloop_lock_locked(&shared->lock));
    assert_int_equal(aloop_lock_release(&shared->lock), 0);
}

/* A cancellation that came before: nothing is even begun. */
static void cancelled_before_it_waits(void **state) /* S141 */
{
    struct world *world = *state;
    struct shared *shared = make_shared(world);
    aloop_task *task;

    assert_true(aloop_lock_try_acquire(&shared->lock));
    task = aloop_create_task_in(world->loop, awaiter, .world = world,
                                .op = aloop_condition_wait(&shared->condition));
    aloop_task_cancel(task);
    world_turns(world, 1);
    assert_int_equal(end_of(task), -ECANCELED);
    assert_true(aloop_lock_locked(&shared->lock));
}

static void two_conditions_of_a_lock(void **state) /* S143 */
{
    struct world *world = *state;
    struct shared *shared = make_shared(world);
    aloop_condition second = ALOOP_CONDITION_INIT(&shared->lock);
    aloop_task *a = begin_wait(shared, "a");

    assert_true(aloop_lock_try_acquire(&shared->lock));
    assert_int_equal(aloop_condition_notify_all(&second), 0);
    assert_int_equal(aloop_condition_notify_all(&shared->condition), 1);
    assert_int_equal(aloop_lock_release(&shared->lock), 0);
    world_turns(world, 2);
    assert_log(world, "a ");
    assert_int_equal(end_of(a), 0);
}

static void of_another_loop(void **state) /* S143 */
{
    struct world *world = *state;
    struct world other;
    struct shared *shared = make_shared(world);

    world_open(&other, NULL);
    assert_int_equal(at_once(world, aloop_lock_acquire(&shared->lock)), 0);
    assert_int_equal(at_once(&other, aloop_condition_wait(&shared->condition)), -ALOOP_EWRONGLOOP);
    assert_true(aloop_lock_locked(&shared->lock));
    world_close(&other);
}

/* Waiting, notified, and with the lock: all leave nothing behind. */
static void thrown_away_with_the_loop(void **state)
{
    struct world other;
    struct shared *shared;
    aloop_task *tasks[3];

    (void)state;
    for (size_t notified = 0; notified < 3; notified++) {
        world_open(&other, NULL);
        shared = make_shared(&other);
        for (int i = 0; i < 3; i++)
            tasks[i] = begin_wait(shared, "a");
        assert_int_equal(notify(shared, notified), notified);
        assert_int_equal(aloop_close(other.loop), 0);
        assert_false(aloop_lock_locked(&shared->lock));
        assert_true(aloop_waitlist_is_empty(&shared->lock.waiters));
        assert_true(aloop_waitlist_is_empty(&shared->condition.waiters));
        for (int i = 0; i < 3; i++)
            aloop_task_unref(tasks[i]);
        world_close(&other);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_the_lock),
        TEST(notifies_in_order),
        TEST(cancelled_has_the_lock_first),
        TEST(cancelled_with_the_lock_free),
        TEST(cancelled_while_locking_passes_the_notification_on),
        TEST(cancelled_with_the_lock_passes_the_notification_on),
        TEST(out_of_time),
        TEST(out_of_time_and_cancelled),
        TEST(out_of_the_time_of_a_scope),
        TEST(with_no_time),
        TEST(cancelled_before_it_waits),
        TEST(two_conditions_of_a_lock),
        TEST(of_another_loop),
        TEST(thrown_away_with_the_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
