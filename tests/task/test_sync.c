/* What locks and their kin have in common: no memory but their own, no suspension without need,
   and operations that may live anywhere. */
#include "awaiter.h"

#include <stdio.h>

#define TASKS 8
#define ROUNDS 10

/* One of each. */
struct everything {
    aloop_lock lock;
    aloop_rwlock rwlock;
    aloop_event event;
    aloop_condition condition;
    aloop_semaphore semaphore;
    aloop_barrier barrier;
    aloop_limiter limiter;
    aloop_once once;
};

static struct everything *make_everything(size_t parties)
{
    static struct everything all;

    all = (struct everything){.semaphore = ALOOP_SEMAPHORE_INIT(2)};
    aloop_condition_init(&all.condition, &all.lock);
    aloop_barrier_init(&all.barrier, parties);
    aloop_limiter_init(&all.limiter, 2);
    return &all;
}

struct uses_all {
    ALOOP_FRAME;
    struct everything *all;
    int i;
    bool waits; /* under contention */
    aloop_hold hold;
};

ALOOP_CORO(uses_all)
{
    struct everything *all = self->all;

    ALOOP_BEGIN;
    for (self->i = 0; self->i < ROUNDS; self->i++) {
        ALOOP_TRY(aloop_lock_acquire(&all->lock));
        if (self->waits)
            ALOOP_TRY(aloop_sleep(0));
        if (self->waits && aloop_condition_notify_all(&all->condition) == 0)
            ALOOP_AWAIT(aloop_wait_for(aloop_condition_wait(&all->condition), 1));
        aloop_lock_release(&all->lock);
        ALOOP_TRY(aloop_lock_enter(&all->lock, &self->hold));
        aloop_hold_release(&self->hold);
        ALOOP_TRY(aloop_rwlock_acquire_read(&all->rwlock));
        if (self->waits)
            ALOOP_TRY(aloop_sleep(0));
        aloop_rwlock_release_read(&all->rwlock);
        ALOOP_TRY(aloop_rwlock_acquire_write(&all->rwlock));
        if (self->waits)
            ALOOP_TRY(aloop_sleep(0));
        aloop_rwlock_release_write(&all->rwlock);
        ALOOP_TRY(aloop_semaphore_acquire(&all->semaphore));
        if (self->waits)
            ALOOP_TRY(aloop_sleep(0));
        aloop_semaphore_release(&all->semaphore);
        ALOOP_TRY(aloop_limiter_acquire(&all->limiter, &self->hold));
        if (self->waits)
            ALOOP_TRY(aloop_sleep(0));
        aloop_hold_release(&self->hold);
        ALOOP_TRY(aloop_barrier_wait(&all->barrier));
        ALOOP_TRY(aloop_once_begin(&all->once, &self->hold));
        if (self->result == 1)
            aloop_once_done(&self->hold);
        aloop_event_set(&all->event);
        ALOOP_TRY(aloop_event_wait(&all->event));
        aloop_event_clear(&all->event);
    }
    ALOOP_END;
}

/* What can be had at once does not suspend: one turn is enough for all of it: each round is
   ten awaits, and a task may complete 256 of them in a turn. */
static void nothing_suspends_without_need(void **state)
{
    struct world *world = *state;
    struct everything *all = make_everything(1);
    aloop_task *task = aloop_create_task_in(world->loop, uses_all, .all = all);

    world_turns(world, 1);
    assert_int_equal(end_of(task), 0);
    assert_false(aloop_lock_locked(&all->lock));
}

static void nothing_needs_memory(void **state)
{
    struct world *world = *state;
    struct everything *all = make_everything(TASKS);
    aloop_task *tasks[TASKS];
    long before;

    for (int i = 0; i < TASKS; i++)
        tasks[i] = aloop_create_task_in(world->loop, uses_all, .all = all, .waits = true);
    before = world->memory.requests;
    world_drain(world);
    assert_int_equal(world->memory.requests, before);
    for (int i = 0; i < TASKS; i++)
        assert_int_equal(end_of(tasks[i]), 0);
}

/* --- operations that are not the task's own: two of them in an array, the first of which to
   complete wins --- */

struct either {
    aloop_op ops[2];
    aloop_task *task;
    aloop_waiter *waiter; /* of the operation that the task waits for */
};

static struct either *either_in_use;

static void either_notify(aloop_waiter *waiter)
{
    (void)waiter;
    either_in_use->waiter->notify(either_in_use->waiter);
}

static void give_up(aloop_task *task, aloop_op *op)
{
    aloop_waiter_unlink(&op->waiter);
    if (op->type != NULL && op->type->drop != NULL)
        op->type->drop(task, op);
}

static aloop_poll either_poll(aloop_task *task, aloop_op *op)
{
    struct either *either = op->arg[0].pointer;

    either->waiter = &op->waiter;
    for (int i = 0; i < 2; i++) {
        aloop_poll outcome;

        either->ops[i].waiter.notify = either_notify;
        outcome = either->ops[i].poll(task, &either->ops[i]);
        if (outcome == ALOOP_PENDING)
            continue;
        /* The other one is pending, or was not asked yet. */
        if (i == 1 || op->arg[1].number != 0)
            give_up(task, &either->ops[1 - i]);
        return outcome < 0 ? outcome : i;
    }
    op->arg[1].number = 1;
    return ALOOP_PENDING;
}

static void either_drop(aloop_task *task, aloop_op *op)
{
    struct either *either = op->arg[0].pointer;

    give_up(task, &either->ops[0]);
    give_up(task, &either->ops[1]);
}

static const aloop_op_type either_type = {.name = "either", .drop = either_drop};

static aloop_op await_either(struct either *either)
{
    either_in_use = either;
    return (aloop_op){.poll = either_poll, .type = &either_type, .arg = {{.pointer = either}}};
}

/* Both are handed over in the same turn: one is used, the other goes on to the next. */
static void the_loser_hands_on(void **state) /* S137 */
{
    struct world *world = *state;
    struct everything *all = make_everything(2);
    struct either either = {
        .ops = {aloop_lock_acquire(&all->lock), aloop_rwlock_acquire_write(&all->rwlock)}};
    aloop_task *task, *next;

    assert_true(aloop_lock_try_acquire(&all->lock));
    assert_true(aloop_rwlock_try_acquire_write(&all->rwlock));
    task = begin(world, await_either(&either), NULL);
    next = begin(world, aloop_rwlock_acquire_read(&all->rwlock), "next");
    assert_int_equal(aloop_lock_release(&all->lock), 0);
    assert_int_equal(aloop_rwlock_release_write(&all->rwlock), 0);
    assert_true(aloop_rwlock_is_writing(&all->rwlock));
    world_turns(world, 2);
    assert_int_equal(end_of(task), 0);
    assert_true(aloop_lock_locked(&all->lock));
    assert_false(aloop_rwlock_is_writing(&all->rwlock));
    assert_log(world, "next ");
    assert_int_equal(end_of(next), 0);
}

static void a_loser_that_has_nothing_leaves_no_trace(void **state)
{
    struct world *world = *state;
    struct everything *all = make_everything(2);
    struct either either = {
        .ops = {aloop_barrier_wait(&all->barrier), aloop_event_wait(&all->event)}};
    aloop_task *task = begin(world, await_either(&either), NULL);

    assert_int_equal(aloop_barrier_n_waiting(&all->barrier), 1);
    aloop_event_set(&all->event);
    world_turns(world, 1);
    assert_int_equal(end_of(task), 1);
    assert_int_equal(aloop_barrier_n_waiting(&all->barrier), 0);

    /* Both handed over, and cancelled in the same turn. */
    aloop_event_clear(&all->event);
    either = (struct either){
        .ops = {aloop_lock_acquire(&all->lock), aloop_semaphore_acquire(&all->semaphore)}};
    aloop_semaphore_init(&all->semaphore, 0);
    assert_true(aloop_lock_try_acquire(&all->lock));
    task = begin(world, await_either(&either), NULL);
    assert_int_equal(aloop_lock_release(&all->lock), 0);
    assert_int_equal(aloop_semaphore_release(&all->semaphore), 0);
    aloop_task_cancel(task);
    world_turns(world, 1);
    assert_int_equal(end_of(task), -ECANCELED);
    assert_false(aloop_lock_locked(&all->lock));
    assert_int_equal(aloop_semaphore_value(&all->semaphore), 1);
}

/* A figure for readers, and a limit that they may rely on. */
static void sizes(void **state)
{
    (void)state;
    print_message("bytes: lock %zu, rwlock %zu, event %zu, condition %zu, semaphore %zu, "
                  "barrier %zu, limiter %zu, once %zu, hold %zu\n",
                  sizeof(aloop_lock), sizeof(aloop_rwlock), sizeof(aloop_event),
                  sizeof(aloop_condition), sizeof(aloop_semaphore), sizeof(aloop_barrier),
                  sizeof(aloop_limiter), sizeof(aloop_once), sizeof(aloop_hold));
    assert_true(sizeof(struct everything) <= 8 * 6 * sizeof(void *));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_suspends_without_need),
        TEST(nothing_needs_memory),
        TEST(the_loser_hands_on),
        TEST(a_loser_that_has_nothing_leaves_no_trace),
        TEST(sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
