#include "awaiter.h"

static void without_waiting(void **state)
{
    struct world *world = *state;
    static aloop_rwlock lock; /* all zero is a free one */

    assert_int_equal(at_once(world, aloop_rwlock_acquire_read(&lock)), 0);
    assert_int_equal(at_once(world, aloop_rwlock_acquire_read(&lock)), 0);
    assert_true(aloop_rwlock_try_acquire_read(&lock));
    assert_int_equal(aloop_rwlock_readers(&lock), 3);
    assert_false(aloop_rwlock_try_acquire_write(&lock));
    for (int i = 0; i < 3; i++)
        assert_int_equal(aloop_rwlock_release_read(&lock), 0);
    assert_int_equal(at_once(world, aloop_rwlock_acquire_write(&lock)), 0);
    assert_true(aloop_rwlock_is_writing(&lock));
    assert_false(aloop_rwlock_try_acquire_read(&lock));
    assert_false(aloop_rwlock_try_acquire_write(&lock));
    assert_int_equal(aloop_rwlock_release_write(&lock), 0);
    assert_true(aloop_rwlock_try_acquire_write(&lock));
    assert_int_equal(aloop_rwlock_release_write(&lock), 0);
}

static void release_without_having_it(void **state)
{
    aloop_rwlock lock = {.readers = 0};

    (void)state;
    assert_int_equal(aloop_rwlock_release_read(&lock), -EPERM);
    assert_int_equal(aloop_rwlock_release_write(&lock), -EPERM);
    assert_true(aloop_rwlock_try_acquire_read(&lock));
    assert_int_equal(aloop_rwlock_release_write(&lock), -EPERM);
    assert_int_equal(aloop_rwlock_release_read(&lock), 0);
}

/* Readers that come while a writer waits do not keep it waiting for ever; they go in together
   behind it. */
static void one_line_for_all(void **state)
{
    struct world *world = *state;
    aloop_rwlock lock = {.readers = 0};
    aloop_task *tasks[5];

    assert_true(aloop_rwlock_try_acquire_read(&lock));
    tasks[0] = begin(world, aloop_rwlock_acquire_read(&lock), "r1");
    tasks[1] = begin(world, aloop_rwlock_acquire_write(&lock), "w1");
    tasks[2] = begin(world, aloop_rwlock_acquire_read(&lock), "r2");
    tasks[3] = begin(world, aloop_rwlock_acquire_read(&lock), "r3");
    tasks[4] = begin(world, aloop_rwlock_acquire_write(&lock), "w2");
    assert_log(world, "r1 ");
    assert_false(aloop_rwlock_try_acquire_read(&lock));
    assert_int_equal(aloop_rwlock_release_read(&lock), 0);
    world_turns(world, 1);
    assert_log(world, "");
    assert_int_equal(aloop_rwlock_release_read(&lock), 0);
    world_turns(world, 1);
    assert_log(world, "w1 ");
    assert_int_equal(aloop_rwlock_release_write(&lock), 0);
    world_turns(world, 1);
    assert_log(world, "r2 r3 ");
    assert_int_equal(aloop_rwlock_release_read(&lock), 0);
    assert_int_equal(aloop_rwlock_release_read(&lock), 0);
    world_turns(world, 1);
    assert_log(world, "w2 ");
    assert_int_equal(aloop_rwlock_release_write(&lock), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(end_of(tasks[i]), 0);
}

/* Readers wait only because of a writer in front of them: when that gives up, nothing else would
   wake them. */
static void writer_gives_up(void **state) /* S137 */
{
    struct world *world = *state;
    aloop_rwlock lock = {.readers = 0};
    aloop_task *writer, *reader;

    assert_true(aloop_rwlock_try_acquire_read(&lock));
    writer = begin(world, aloop_rwlock_acquire_write(&lock), "w");
    reader = begin(world, aloop_rwlock_acquire_read(&lock), "r");
    assert_log(world, "");
    aloop_task_cancel(writer);
    world_turns(world, 2);
    assert_log(world, "r ");
    assert_int_equal(aloop_rwlock_readers(&lock), 2);
    assert_int_equal(end_of(writer), -ECANCELED);
    assert_int_equal(end_of(reader), 0);
}

static void cancelled_after_it_was_let_in(void **state) /* S137 */
{
    struct world *world = *state;
    aloop_rwlock lock = {.readers = 0};
    aloop_task *a, *b;

    assert_true(aloop_rwlock_try_acquire_read(&lock));
    a = begin(world, aloop_rwlock_acquire_write(&lock), "a");
    b = begin(world, aloop_rwlock_acquire_read(&lock), "b");
    assert_int_equal(aloop_rwlock_release_read(&lock), 0);
    assert_true(aloop_rwlock_is_writing(&lock));
    aloop_task_cancel(a);
    world_turns(world, 2);
    assert_log(world, "b ");
    assert_false(aloop_rwlock_is_writing(&lock));
    assert_int_equal(end_of(a), -ECANCELED);
    assert_int_equal(end_of(b), 0);

    /* A reader that was let in, and the writer behind it. */
    assert_int_equal(aloop_rwlock_release_read(&lock), 0);
    assert_true(aloop_rwlock_try_acquire_write(&lock));
    a = begin(world, aloop_rwlock_acquire_read(&lock), "a");
    b = begin(world, aloop_rwlock_acquire_write(&lock), "b");
    assert_int_equal(aloop_rwlock_release_write(&lock), 0);
    aloop_task_cancel(a);
    world_turns(world, 2);
    assert_log(world, "b ");
    assert_int_equal(aloop_rwlock_readers(&lock), 0);
    assert_int_equal(end_of(a), -ECANCELED);
    assert_int_equal(end_of(b), 0);
}

static void of_another_loop(void **state) /* S143 */
{
    struct world *world = *state;
    struct world other;
    aloop_rwlock lock = {.readers = 0};

    world_open(&other, NULL);
    assert_int_equal(at_once(world, aloop_rwlock_acquire_read(&lock)), 0);
    assert_int_equal(at_once(&other, aloop_rwlock_acquire_read(&lock)), -ALOOP_EWRONGLOOP);
    assert_int_equal(at_once(&other, aloop_rwlock_acquire_write(&lock)), -ALOOP_EWRONGLOOP);
    assert_int_equal(aloop_rwlock_release_read(&lock), 0);
    assert_int_equal(at_once(&other, aloop_rwlock_acquire_write(&lock)), 0);
    world_close(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_waiting), TEST(release_without_having_it), TEST(one_line_for_all),
        TEST(writer_gives_up), TEST(of_another_loop),           TEST(cancelled_after_it_was_let_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
