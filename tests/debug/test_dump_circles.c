/*
 * Tasks that wait for each other in a circle: found, named, and told apart from those that a time
 * limit will end.
 */
#include "debug_test.h"

enum { WAIT, HOLD };

static int close_quietly(void **state)
{
    struct world *world = *state;

    aloop_set_exception_handler(world->loop, NULL, NULL);
    return world_teardown(state);
}

#define DUMP_TEST(function) cmocka_unit_test_setup_teardown(function, world_setup, close_quietly)

/* The lines about circles. */
static char *circles_of(struct world *world)
{
    struct text text;
    char *dump, *circles, *first;

    assert_int_equal(aloop_dump(world->loop, text_open(&text)), 0);
    dump = text_close(&text);
    first = strstr(dump, "\ndeadlock");
    if (first == NULL || (strstr(dump, "\ncircle") != NULL && strstr(dump, "\ncircle") < first))
        first = strstr(dump, "\ncircle");
    circles = strdup(first != NULL ? first + 1 : "");
    free(dump);
    return circles;
}

struct joining {
    ALOOP_FRAME;
    aloop_task **other;
    aloop_ns limit;
};

ALOOP_CORO(joining)
{
    ALOOP_BEGIN;
    if (self->limit > 0)
        ALOOP_TRY(aloop_wait_for(aloop_join(*self->other), self->limit));
    AT(WAIT); ALOOP_TRY(aloop_join(*self->other));
    ALOOP_END;
}

static void unref(aloop_task **tasks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        aloop_task_unref(tasks[i]);
}

/* S195, P117: outside of debug mode, where joining in a circle is refused */
static void test_a_circle_of_joins(void **state)
{
    struct world *world = *state;
    aloop_task *tasks[3];

    for (size_t i = 0; i < 3; i++)
        tasks[i] = aloop_create_task_in(world->loop, joining, .other = &tasks[(i + 1) % 3]);
    world_turns(world, 1);
    assert_text(circles_of(world), "deadlock: joining#1 -> joining#2 -> joining#3 -> joining#1\n");
    unref(tasks, 3);
}

static void test_a_time_limit_will_end_it(void **state)
{
    struct world *world = *state;
    aloop_task *tasks[2];

    tasks[0] = aloop_create_task_in(world->loop, joining, .other = &tasks[1]);
    tasks[1] =
        aloop_create_task_in(world->loop, joining, .other = &tasks[0], .limit = ALOOP_SEC(1));
    world_turns(world, 1);
    assert_text(circles_of(world), "circle: joining#1 -> joining#2 -> joining#1\n");
    unref(tasks, 2);
}

/* S195: several circles that share a task */
static void test_circles_through_one_task(void **state)
{
    struct world *world = *state;
    aloop_task *tasks[3];
    aloop_task *both[2];

    for (size_t i = 1; i < 3; i++)
        both[i - 1] = tasks[i] =
            aloop_create_task_in(world->loop, joining, .other = &tasks[0]);
    {
        aloop_future *futures[2] = {aloop_task_future(both[0]), aloop_task_future(both[1])};
        aloop_future *gather = aloop_gather_future(world->loop, futures, 2, NULL, 0);

        tasks[0] = aloop_create_task_in(world->loop, joiner, .future = gather);
        world_turns(world, 1);
        assert_text(circles_of(world),
                    "deadlock: joining#1 -> joiner#3 -> gather -> joining#1\n"
                    "deadlock: joiner#3 -> gather -> joining#2 -> joiner#3\n");
        aloop_future_unref(gather);
    }
    unref(tasks, 3);
}

/* --- locks --- */

struct locking {
    ALOOP_FRAME;
    aloop_lock *first, *second;
    aloop_hold one, two;
    bool holds;
};

ALOOP_CORO(locking)
{
    ALOOP_BEGIN;
    if (self->holds)
        ALOOP_TRY(aloop_lock_enter(self->first, &self->one));
    else
        ALOOP_TRY(aloop_lock_acquire(self->first));
    AT(HOLD); ALOOP_TRY(aloop_sleep(0));
    AT(WAIT); ALOOP_TRY(aloop_lock_acquire(self->second));
    ALOOP_END;
}

static void test_locks_in_another_order(void **state)
{
    struct world *world = *state;
    aloop_lock a = ALOOP_LOCK_INIT, b = ALOOP_LOCK_INIT;
    struct text text;
    char *dump;

    aloop_task_unref(aloop_create_task_in(world->loop, locking, .first = &a, .second = &b,
                                          .holds = true));
    aloop_task_unref(aloop_create_task_in(world->loop, locking, .first = &b, .second = &a,
                                          .holds = true));
    world_turns(world, 2);
    assert_text(circles_of(world), "deadlock: locking#1 -> locking#2 -> locking#1\n");
    assert_int_equal(aloop_dump(world->loop, text_open(&text)), 0);
    dump = text_close(&text);
    assert_text(dump,
                "time 0.000 s; 2 tasks\n"
                "locking#1\n  | locking (:%d): lock, held by locking#2 (:%d)\n"
                "locking#2\n  | locking (:%d): lock, held by locking#1 (:%d)\n"
                "deadlock: locking#1 -> locking#2 -> locking#1\n",
                at[WAIT], at[WAIT], at[WAIT], at[WAIT]);
    aloop_set_exception_handler(world->loop, NULL, NULL);
    assert_int_equal(aloop_close(world->loop), 0);
}

/* Acquired without a hold, a lock knows its owner if that had a number by then. */
static void test_a_task_that_waits_for_its_own_lock(void **state)
{
    struct world *world = *state;
    aloop_lock lock = ALOOP_LOCK_INIT;
    aloop_task *task =
        aloop_create_task_in(world->loop, locking, .first = &lock, .second = &lock);

    assert_int_equal(aloop_task_number(task), 1);
    world_turns(world, 2);
    assert_text(circles_of(world), "deadlock: locking#1 -> locking#1\n");
    aloop_task_unref(task);
    aloop_set_exception_handler(world->loop, NULL, NULL);
    assert_int_equal(aloop_close(world->loop), 0);
}

struct forgetful {
    ALOOP_FRAME;
    aloop_lock *lock;
};

ALOOP_CORO(forgetful)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_lock_acquire(self->lock));
    ALOOP_END;
}

static void test_a_lock_of_a_task_that_has_ended(void **state)
{
    struct world *world = *state;
    aloop_lock lock = ALOOP_LOCK_INIT;
    aloop_task *task = aloop_create_task_in(world->loop, forgetful, .lock = &lock);
    struct text text;
    char *dump;

    assert_int_equal(aloop_task_number(task), 1);
    world_turns(world, 1);
    aloop_task_unref(task);
    aloop_task_unref(aloop_create_task_in(world->loop, forgetful, .lock = &lock));
    world_turns(world, 1);
    assert_int_equal(aloop_dump(world->loop, text_open(&text)), 0);
    dump = text_close(&text);
    assert_non_null(strstr(dump, "lock, held by task #1, which has ended\n"));
    free(dump);
    aloop_set_exception_handler(world->loop, NULL, NULL);
    assert_int_equal(aloop_close(world->loop), 0);
}

#define MANY 40

static void test_many_circles_are_counted(void **state)
{
    struct world *world = *state;
    aloop_task *tasks[2 * MANY];
    char *circles;

    for (size_t i = 0; i < 2 * MANY; i++)
        tasks[i] = aloop_create_task_in(world->loop, joining, .other = &tasks[i ^ 1]);
    world_turns(world, 1);
    circles = circles_of(world);
    assert_non_null(strstr(circles, "... and 24 more circles\n"));
    free(circles);
    unref(tasks, 2 * MANY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DUMP_TEST(test_a_circle_of_joins),
        DUMP_TEST(test_a_time_limit_will_end_it),
        DUMP_TEST(test_circles_through_one_task),
        DUMP_TEST(test_locks_in_another_order),
        DUMP_TEST(test_a_task_that_waits_for_its_own_lock),
        DUMP_TEST(test_a_lock_of_a_task_that_has_ended),
        DUMP_TEST(test_many_circles_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
