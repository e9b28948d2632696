#include "awaiter.h"

static void without_waiting(void **state)
{
    struct world *world = *state;
    static aloop_lock lock = ALOOP_LOCK_INIT;

    assert_false(aloop_lock_locked(&lock));
    assert_int_equal(at_once(world, aloop_lock_acquire(&lock)), 0);
    assert_true(aloop_lock_locked(&lock));
    assert_false(aloop_lock_try_acquire(&lock));
    assert_int_equal(aloop_lock_release(&lock), 0);
    assert_true(aloop_lock_try_acquire(&lock));
    assert_int_equal(aloop_lock_release(&lock), 0);
    assert_false(aloop_lock_locked(&lock));
}

static void release_of_an_unlocked_one(void **state) /* S138 */
{
    aloop_lock lock = ALOOP_LOCK_INIT;

    (void)state;
    assert_int_equal(aloop_lock_release(&lock), -EPERM);
    assert_true(aloop_lock_try_acquire(&lock));
    assert_int_equal(aloop_lock_release(&lock), 0);
    assert_int_equal(aloop_lock_release(&lock), -EPERM);
}

static void first_come_first_served(void **state) /* S136 */
{
    struct world *world = *state;
    aloop_lock lock = ALOOP_LOCK_INIT;
    aloop_task *a, *b, *c;

    assert_true(aloop_lock_try_acquire(&lock));
    a = begin(world, aloop_lock_acquire(&lock), "a");
    b = begin(world, aloop_lock_acquire(&lock), "b");
    c = begin(world, aloop_lock_acquire(&lock), "c");
    assert_log(world, "");
    assert_int_equal(aloop_lock_release(&lock), 0);
    /* It is a's already, though that has not run. */
    assert_true(aloop_lock_locked(&lock));
    assert_false(aloop_lock_try_acquire(&lock));
    world_turns(world, 2);
    assert_log(world, "a ");
    assert_int_equal(aloop_lock_release(&lock), 0);
    world_turns(world, 2);
    assert_log(world, "b ");
    assert_int_equal(aloop_lock_release(&lock), 0);
    world_turns(world, 2);
    assert_log(world, "c ");
    assert_int_equal(aloop_lock_release(&lock), 0);
    assert_false(aloop_lock_locked(&lock));
    assert_int_equal(end_of(a) | end_of(b) | end_of(c), 0);
}

static void cancelled_waiters_are_passed_over(void **state) /* S136 */
{
    struct world *world = *state;
    aloop_lock lock = ALOOP_LOCK_INIT;
    aloop_task *a, *b, *c;

    assert_true(aloop_lock_try_acquire(&lock));
    a = begin(world, aloop_lock_acquire(&lock), "a");
    b = begin(world, aloop_lock_acquire(&lock), "b");
    c = begin(world, aloop_lock_acquire(&lock), "c");
    aloop_task_cancel(a);
    aloop_task_cancel(c);
    world_turns(world, 1);
    assert_int_equal(aloop_lock_release(&lock), 0);
    world_turns(world, 1);
    assert_log(world, "b ");
    assert_int_equal(aloop_lock_release(&lock), 0);
    assert_false(aloop_lock_locked(&lock));
    assert_int_equal(end_of(a), -ECANCELED);
    assert_int_equal(end_of(b), 0);
    assert_int_equal(end_of(c), -ECANCELED);
}

/* The lock was handed to a task that is cancelled in the same turn. Without handing it on it would
   stay locked for ever, as asyncio's did. */
static void cancelled_after_it_was_handed_over(void **state) /* S137 P108 */
{
    struct world *world = *state;
    aloop_lock lock = ALOOP_LOCK_INIT;
    aloop_task *a, *b;

    assert_true(aloop_lock_try_acquire(&lock));
    a = begin(world, aloop_lock_acquire(&lock), "a");
    b = begin(world, aloop_lock_acquire(&lock), "b");
    assert_int_equal(aloop_lock_release(&lock), 0);
    aloop_task_cancel(a);
    world_turns(world, 2);
    assert_log(world, "b ");
    assert_int_equal(end_of(a), -ECANCELED);
    assert_int_equal(end_of(b), 0);
    /* The same with nobody to hand it to. */
    a = begin(world, aloop_lock_acquire(&lock), "a");
    assert_int_equal(aloop_lock_release(&lock), 0);
    aloop_task_cancel(a);
    world_turns(world, 1);
    assert_int_equal(end_of(a), -ECANCELED);
    assert_false(aloop_lock_locked(&lock));
}

static void out_of_time(void **state)
{
    struct world *world = *state;
    aloop_lock lock = ALOOP_LOCK_INIT;
    aloop_task *a, *b;

    assert_int_equal(at_once(world, aloop_wait_for(aloop_lock_acquire(&lock), 0)), 0);
    assert_int_equal(at_once(world, aloop_wait_for(aloop_lock_acquire(&lock), 0)), -ETIMEDOUT);
    a = begin(world, aloop_wait_for(aloop_lock_acquire(&lock), 5), "a");
    b = begin(world, aloop_lock_acquire(&lock), "b");
    world_drain(world);
    assert_int_equal(aloop_time(world->loop), 5);
    assert_int_equal(end_of(a), -ETIMEDOUT);
    assert_int_equal(aloop_lock_release(&lock), 0);
    world_drain(world);
    assert_log(world, "b ");
    assert_int_equal(end_of(b), 0);
}

static void release_now(aloop *loop, void *arg)
{
    (void)loop;
    assert_int_equal(aloop_lock_release(arg), 0);
}

/* Released at the very moment that the time is up: who has it, has it. */
static void tie_with_the_timeout(void **state)
{
    struct world *world = *state;
    aloop_lock lock = ALOOP_LOCK_INIT;
    aloop_task *a;

    assert_true(aloop_lock_try_acquire(&lock));
    assert_true(aloop_call_at(world->loop, 5, release_now, &lock) > 0);
    a = begin(world, aloop_wait_for(aloop_lock_acquire(&lock), 5), "a");
    world_drain(world);
    assert_int_equal(end_of(a), 0);
    assert_true(aloop_lock_locked(&lock));
}

static void thrown_away_with_the_loop(void **state)
{
    struct world other;
    aloop_lock lock = ALOOP_LOCK_INIT;
    aloop_task *a, *b;

    (void)state;
    world_open(&other, NULL);
    assert_true(aloop_lock_try_acquire(&lock));
    a = begin(&other, aloop_lock_acquire(&lock), NULL);
    b = begin(&other, aloop_lock_acquire(&lock), NULL);
    assert_int_equal(aloop_lock_release(&lock), 0);
    assert_int_equal(aloop_close(other.loop), 0);
    assert_int_equal(end_of(a), -ECANCELED);
    assert_int_equal(end_of(b), -ECANCELED);
    world_close(&other);
    /* It can be used again, on whichever loop. */
    assert_false(aloop_lock_locked(&lock));
    assert_int_equal(at_once(*state, aloop_lock_acquire(&lock)), 0);
}

static void of_another_loop(void **state) /* S143 */
{
    struct world *world = *state;
    struct world other;
    aloop_lock lock = ALOOP_LOCK_INIT;

    world_open(&other, NULL);
    assert_int_equal(at_once(world, aloop_lock_acquire(&lock)), 0);
    assert_int_equal(at_once(&other, aloop_lock_acquire(&lock)), -ALOOP_EWRONGLOOP);
    assert_int_equal(aloop_lock_release(&lock), 0);
    assert_int_equal(at_once(&other, aloop_lock_acquire(&lock)), 0);
    assert_int_equal(at_once(world, aloop_lock_acquire(&lock)), -ALOOP_EWRONGLOOP);
    world_close(&other);
}

/* --- holds --- */

struct holder {
    ALOOP_FRAME;
    aloop_lock *lock;
    aloop_hold hold;
    aloop_ns delay;
    int64_t value;
    bool releases;
};

ALOOP_CORO(holder)
{
    ALOOP_BEGIN;
    assert_int_equal(aloop_hold_release(&self->hold), -EPERM);
    ALOOP_TRY(aloop_lock_enter(self->lock, &self->hold));
    assert_true(aloop_hold_is_held(&self->hold));
    ALOOP_AWAIT(aloop_lock_enter(self->lock, &self->hold));
    assert_int_equal(self->result, -EBUSY);
    ALOOP_TRY(aloop_sleep(self->delay));
    if (self->releases) {
        assert_int_equal(aloop_hold_release(&self->hold), 0);
        assert_false(aloop_hold_is_held(&self->hold));
        assert_int_equal(aloop_hold_release(&self->hold), -EPERM);
    }
    ALOOP_RETURN(self->value);
    ALOOP_END;
}

struct calls_holder {
    ALOOP_FRAME;
    aloop_lock *lock;
};

ALOOP_CORO(calls_holder)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_call(holder, .lock = self->lock, .value = -EIO));
    assert_int_equal(self->result, -EIO);
    /* It was the callee's, and ended with that. */
    assert_false(aloop_lock_locked(self->lock));
    ALOOP_AWAIT(aloop_wait_for(aloop_call(holder, .lock = self->lock, .delay = 5), 2));
    assert_int_equal(self->result, -ETIMEDOUT);
    assert_false(aloop_lock_locked(self->lock));
    ALOOP_END;
}

static void held_until_the_coroutine_ends(void **state)
{
    struct world *world = *state;
    aloop_lock lock = ALOOP_LOCK_INIT;
    aloop_task *task;

    for (int releases = 0; releases < 2; releases++) {
        assert_int_equal(
            aloop_run_in(world->loop, holder, .lock = &lock, .value = 3, .releases = releases != 0),
            3);
        assert_false(aloop_lock_locked(&lock));
    }
    assert_int_equal(aloop_run_in(world->loop, calls_holder, .lock = &lock), 0);
    task = aloop_create_task_in(world->loop, holder, .lock = &lock, .delay = ALOOP_NEVER);
    world_turns(world, 2);
    assert_true(aloop_lock_locked(&lock));
    aloop_task_cancel(task);
    world_turns(world, 2);
    assert_int_equal(end_of(task), -ECANCELED);
    assert_false(aloop_lock_locked(&lock));
}

static void held_when_the_loop_is_closed(void **state)
{
    struct world other;
    aloop_lock lock = ALOOP_LOCK_INIT;
    aloop_task *a, *b;

    (void)state;
    world_open(&other, NULL);
    a = aloop_create_task_in(other.loop, holder, .lock = &lock, .delay = ALOOP_NEVER);
    b = aloop_create_task_in(other.loop, holder, .lock = &lock, .delay = ALOOP_NEVER);
    world_turns(&other, 2);
    assert_int_equal(aloop_close(other.loop), 0);
    assert_false(aloop_lock_locked(&lock));
    aloop_task_unref(a);
    aloop_task_unref(b);
    world_close(&other);
}

/* --- in cleanup --- */

struct cleans_up {
    ALOOP_FRAME;
    struct world *world;
    aloop_lock *lock;
};

ALOOP_CORO(cleans_up)
{
    ALOOP_BEGIN;
    ALOOP_RETURN(7);
    ALOOP_FINALLY;
    ALOOP_AWAIT(aloop_lock_acquire(self->lock));
    world_mark(self->world, self->result == 0 ? "got" : "failed");
    ALOOP_END;
}

static void not_interrupted_in_cleanup(void **state)
{
    struct world *world = *state;
    aloop_lock lock = ALOOP_LOCK_INIT;
    aloop_task *task;

    assert_true(aloop_lock_try_acquire(&lock));
    task = aloop_create_task_in(world->loop, cleans_up, .world = world, .lock = &lock);
    world_turns(world, 1);
    aloop_task_cancel(task);
    world_turns(world, 2);
    assert_log(world, "");
    assert_int_equal(aloop_lock_release(&lock), 0);
    world_turns(world, 1);
    assert_log(world, "got ");
    aloop_task_unref(task);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_waiting),
        TEST(release_of_an_unlocked_one),
        TEST(first_come_first_served),
        TEST(cancelled_waiters_are_passed_over),
        TEST(cancelled_after_it_was_handed_over),
        TEST(out_of_time),
        TEST(tie_with_the_timeout),
        TEST(thrown_away_with_the_loop),
        TEST(of_another_loop),
        TEST(held_until_the_coroutine_ends),
        TEST(held_when_the_loop_is_closed),
        TEST(not_interrupted_in_cleanup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
