/*
 * What waits for other tasks says in a dump which, and how far they are.
 */
#include "describe_test.h"

static void test_locks_and_their_kin(void **state)
{
    struct world *world = *state;
    aloop_lock lock = ALOOP_LOCK_INIT;
    aloop_rwlock rwlock = {0};
    aloop_event event = {0};
    aloop_semaphore semaphore = ALOOP_SEMAPHORE_INIT(0);
    aloop_bounded_semaphore bounded = ALOOP_BOUNDED_SEMAPHORE_INIT(0);
    aloop_barrier barrier = ALOOP_BARRIER_INIT(3);
    aloop_limiter limiter = ALOOP_LIMITER_INIT(0);
    aloop_hold token = {0};

    assert_true(aloop_lock_try_acquire(&lock));
    check(world->loop, aloop_lock_acquire(&lock), "lock");
    check(world->loop, aloop_lock_enter(&lock, &token), "lock");
    assert_true(aloop_rwlock_try_acquire_read(&rwlock));
    check(world->loop, aloop_rwlock_acquire_write(&rwlock), "write lock, 1 read");
    assert_int_equal(aloop_rwlock_release_read(&rwlock), 0);
    assert_true(aloop_rwlock_try_acquire_write(&rwlock));
    check(world->loop, aloop_rwlock_acquire_read(&rwlock), "read lock, one writes");
    check(world->loop, aloop_event_wait(&event), "event");
    check(world->loop, aloop_semaphore_acquire(&semaphore), "semaphore");
    check(world->loop, aloop_bounded_semaphore_acquire(&bounded), "semaphore");
    check(world->loop, aloop_barrier_wait(&barrier), "barrier, 1 of 3 have come");
    check(world->loop, aloop_limiter_acquire(&limiter, &token), "limiter, 0 of 0 tokens are lent");
}

struct turn {
    ALOOP_FRAME;
    aloop_once *once;
    aloop_hold hold;
};

ALOOP_CORO(turn)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_once_begin(self->once, &self->hold));
    at[0] = __LINE__; ALOOP_TRY(aloop_sleep(ALOOP_SEC(1)));
    ALOOP_END;
}

static void test_once(void **state)
{
    struct world *world = *state;
    aloop_once once = {0};
    aloop_hold hold = {0};
    char expected[256];

    aloop_task_unref(aloop_create_task_in(world->loop, turn, .once = &once));
    world_turns(world, 1);
    (void)snprintf(expected, sizeof expected, "once, held by turn#1 (%s:%d)", __FILE__,
                   at[0]);
    check(world->loop, aloop_once_begin(&once, &hold), expected);
    world_drain(world);
}

struct on_condition {
    ALOOP_FRAME;
    aloop_condition *condition;
};

ALOOP_CORO(on_condition)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_lock_acquire(self->condition->lock));
    ALOOP_AWAIT(aloop_condition_wait(self->condition));
    aloop_lock_release(self->condition->lock);
    ALOOP_END;
}

static void test_conditions(void **state)
{
    struct world *world = *state;
    aloop_lock lock = ALOOP_LOCK_INIT;
    aloop_condition condition = ALOOP_CONDITION_INIT(&lock);
    aloop_task *task = aloop_create_task_in(world->loop, on_condition, .condition = &condition);
    char *said;

    world_turns(world, 1);
    said = described(task);
    assert_string_equal(said, "condition");
    free(said);
    assert_true(aloop_lock_try_acquire(&lock));
    assert_int_equal(aloop_condition_notify(&condition, 1), 1);
    said = described(task);
    assert_string_equal(said, "condition, notified, needs its lock");
    free(said);
    assert_int_equal(aloop_lock_release(&lock), 0);
    world_drain(world);
    aloop_task_unref(task);
}

static void test_queues_and_channels(void **state)
{
    struct world *world = *state;
    aloop_queue queue;
    aloop_broadcast_receiver receiver;
    aloop_broadcast broadcast;
    aloop_oneshot *oneshot;
    aloop_watch watch;
    uint64_t seen = 1;
    int number = 5;

    assert_int_equal(aloop_queue_init(&queue, world->loop, sizeof number, 1), 0);
    check(world->loop, aloop_queue_get(&queue, &number), "queue get, 0 of 1 items");
    assert_int_equal(aloop_queue_put_nowait(&queue, &number), 0);
    check(world->loop, aloop_queue_put(&queue, &number), "queue put, 1 of 1 items");
    check(world->loop, aloop_queue_join(&queue), "queue join, 1 items unfinished");
    aloop_queue_fini(&queue);
    assert_int_equal(aloop_oneshot_open(world->loop, sizeof number, &oneshot), 0);
    check(world->loop, aloop_oneshot_receive(oneshot, &number), "oneshot receive");
    check(world->loop, aloop_oneshot_abandoned(oneshot), "oneshot abandoned");
    aloop_oneshot_close_sender(oneshot);
    aloop_oneshot_close_receiver(oneshot);
    assert_int_equal(aloop_broadcast_init(&broadcast, world->loop, sizeof number, 2), 0);
    aloop_broadcast_subscribe(&broadcast, &receiver);
    check(world->loop, aloop_broadcast_receive(&receiver, &number), "broadcast receive");
    aloop_broadcast_fini(&broadcast);
    assert_int_equal(aloop_watch_init(&watch, world->loop, sizeof number, &number), 0);
    check(world->loop, aloop_watch_changed(&watch, &seen, &number), "watch changed");
    aloop_watch_fini(&watch);
}

/* --- what only the task itself can wait for --- */

static aloop_as_completed completed;
static aloop_group group;
static aloop_future *future;

static void open_completed(void)
{
    assert_int_equal(aloop_as_completed_open(&completed, ALOOP_SEC(3)), 0);
    assert_int_equal(aloop_as_completed_add(&completed, future), 0);
}

static void open_group(void)
{
    aloop_group_init(&group);
}

static void test_futures(void **state)
{
    struct world *world = *state;
    aloop *loop = world->loop;
    aloop_future *next;

    future = aloop_create_future(loop);
    check(loop, aloop_shield(future), "shield on a future");
    check(loop, aloop_wait_futures(&future, 1, ALOOP_ALL_COMPLETED, ALOOP_NEVER),
          "wait on a future");
    check(loop, aloop_wait_futures(&future, 1, ALOOP_ALL_COMPLETED, ALOOP_SEC(2)),
          "wait on a future, 2.000 s left");
    check_prepared(loop, open_completed, aloop_as_completed_next(&completed, &next),
                   "as_completed on a future, 3.000 s left");
    check(loop, aloop_join_future(future), "join on a future");
    aloop_future_unref(future);
    future = aloop_create_future(loop);
    check(loop, aloop_race_futures(&future, 1, NULL), "race on a future");
    aloop_future_unref(future);
    future = aloop_create_future(loop);
    check(loop, aloop_join_future_unref(future), "join on a future");
    future = aloop_create_future(loop);
    check(loop, aloop_gather_op(&future, 1, NULL, 0), "gather");
    aloop_future_unref(future);
}

static aloop_task *sleeping(aloop *loop)
{
    return aloop_create_task_in(loop, sleeper, .delay = ALOOP_SEC(10));
}

static void test_tasks(void **state)
{
    struct world *world = *state;
    aloop *loop = world->loop;
    aloop_task *task = sleeping(loop);

    check(loop, aloop_shield(task), "shield");
    check(loop, aloop_wait_tasks(&task, 1, ALOOP_FIRST_COMPLETED, ALOOP_SEC(2)),
          "wait, 2.000 s left");
    check(loop, aloop_wait_for(aloop_join_task(task), ALOOP_SEC(4)), "join, time limit in 4.000 s");
    aloop_task_unref(task);
    task = sleeping(loop);
    check(loop, aloop_race_tasks(&task, 1, NULL), "race");
    aloop_task_unref(task);
    check(loop, aloop_join_task_unref(sleeping(loop)), "join");
    check_prepared(loop, open_group,
                   aloop_group_start_and_wait(&group, sleeper, .delay = ALOOP_SEC(10)),
                   "group start");
}

struct parent {
    ALOOP_FRAME;
    aloop_group group;
};

ALOOP_CORO(parent)
{
    ALOOP_BEGIN;
    aloop_group_init(&self->group);
    ALOOP_TRY(aloop_group_start(&self->group, sleeper, .delay = ALOOP_SEC(10)));
    ALOOP_TRY(aloop_group_wait(&self->group));
    ALOOP_END;
}

static void test_groups(void **state)
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, parent);
    char *said;

    world_turns(world, 2);
    said = described(task);
    assert_string_equal(said, "group");
    free(said);
    stop(task);
}

static void test_time_and_choice(void **state)
{
    struct world *world = *state;
    aloop *loop = world->loop;
    aloop_event event = {0};
    aloop_select_case cases[] = {{.op = aloop_event_wait(&event)},
                                 {.op = aloop_sleep(ALOOP_SEC(7))}};

    check(loop, aloop_sleep(ALOOP_MS(1500)), "sleep, 1.500 s left");
    check(loop, aloop_sleep_until(aloop_time(loop) + ALOOP_SEC(6)), "sleep, 6.000 s left");
    check(loop, aloop_select(cases, 2), "select of event | sleep, 7.000 s left");
    cases[0].op = aloop_event_wait(&event);
    cases[1].op = aloop_sleep(ALOOP_SEC(7));
    check(loop, aloop_select_from(cases, 2, 1), "select of event | sleep, 7.000 s left");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_locks_and_their_kin), TEST(test_once),
        TEST(test_conditions),          TEST(test_queues_and_channels),
        TEST(test_futures),             TEST(test_tasks),
        TEST(test_groups),              TEST(test_time_and_choice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
