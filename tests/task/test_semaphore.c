#include "awaiter.h"

static void permits_are_counted(void **state)
{
    struct world *world = *state;
    static aloop_semaphore semaphore = ALOOP_SEMAPHORE_INIT(2);

    assert_int_equal(aloop_semaphore_value(&semaphore), 2);
    assert_int_equal(at_once(world, aloop_semaphore_acquire(&semaphore)), 0);
    assert_false(aloop_semaphore_locked(&semaphore));
    assert_true(aloop_semaphore_try_acquire(&semaphore));
    assert_true(aloop_semaphore_locked(&semaphore));
    assert_false(aloop_semaphore_try_acquire(&semaphore));
    assert_int_equal(at_once(world, aloop_wait_for(aloop_semaphore_acquire(&semaphore), 0)),
                     -ETIMEDOUT);
    assert_int_equal(aloop_semaphore_release(&semaphore), 0);
    assert_int_equal(aloop_semaphore_value(&semaphore), 1);
    aloop_semaphore_init(&semaphore, SIZE_MAX);
    assert_int_equal(aloop_semaphore_release(&semaphore), -EOVERFLOW);
    assert_int_equal(aloop_semaphore_value(&semaphore), SIZE_MAX);
}

static void first_come_first_served(void **state) /* S144 */
{
    struct world *world = *state;
    aloop_semaphore semaphore = {.value = 0}; /* all zero: no permit yet */
    aloop_task *tasks[4];

    tasks[0] = begin(world, aloop_semaphore_acquire(&semaphore), "a");
    tasks[1] = begin(world, aloop_semaphore_acquire(&semaphore), "b");
    tasks[2] = begin(world, aloop_semaphore_acquire(&semaphore), "c");
    assert_int_equal(aloop_semaphore_release(&semaphore), 0);
    assert_int_equal(aloop_semaphore_release(&semaphore), 0);
    /* Both are spoken for. */
    assert_true(aloop_semaphore_locked(&semaphore));
    assert_false(aloop_semaphore_try_acquire(&semaphore));
    tasks[3] = begin(world, aloop_semaphore_acquire(&semaphore), "d");
    assert_log(world, "a b ");
    assert_int_equal(aloop_semaphore_release(&semaphore), 0);
    assert_int_equal(aloop_semaphore_release(&semaphore), 0);
    assert_int_equal(aloop_semaphore_release(&semaphore), 0);
    world_turns(world, 1);
    assert_log(world, "c d ");
    assert_int_equal(aloop_semaphore_value(&semaphore), 1);
    for (int i = 0; i < 4; i++)
        assert_int_equal(end_of(tasks[i]), 0);
}

/* asyncio once lost the permit of a waiter that was woken and cancelled, and all others hung. */
static void cancelled_after_it_was_granted(void **state) /* S145 P108 */
{
    struct world *world = *state;
    aloop_semaphore semaphore = ALOOP_SEMAPHORE_INIT(0);
    aloop_task *a = begin(world, aloop_semaphore_acquire(&semaphore), "a");
    aloop_task *b = begin(world, aloop_semaphore_acquire(&semaphore), "b");
    aloop_task *c = begin(world, aloop_semaphore_acquire(&semaphore), "c");

    assert_int_equal(aloop_semaphore_release(&semaphore), 0);
    assert_int_equal(aloop_semaphore_release(&semaphore), 0);
    aloop_task_cancel(a);
    aloop_task_cancel(b);
    world_turns(world, 2);
    assert_log(world, "c ");
    assert_int_equal(aloop_semaphore_value(&semaphore), 1);
    assert_int_equal(end_of(a), -ECANCELED);
    assert_int_equal(end_of(b), -ECANCELED);
    assert_int_equal(end_of(c), 0);
}

static void cancelled_before_it_was_granted(void **state) /* S145 */
{
    struct world *world = *state;
    aloop_semaphore semaphore = ALOOP_SEMAPHORE_INIT(0);
    aloop_task *a = begin(world, aloop_semaphore_acquire(&semaphore), "a");
    aloop_task *b = begin(world, aloop_semaphore_acquire(&semaphore), "b");

    aloop_task_cancel(a);
    assert_int_equal(aloop_semaphore_release(&semaphore), 0);
    world_turns(world, 2);
    assert_log(world, "b ");
    assert_int_equal(aloop_semaphore_value(&semaphore), 0);
    assert_int_equal(end_of(a), -ECANCELED);
    assert_int_equal(end_of(b), 0);
}

static void bounded(void **state) /* S146 */
{
    struct world *world = *state;
    static aloop_bounded_semaphore constant = ALOOP_BOUNDED_SEMAPHORE_INIT(1);
    aloop_bounded_semaphore semaphore;
    aloop_task *a, *b;

    assert_int_equal(aloop_bounded_semaphore_release(&constant), -EINVAL);
    aloop_bounded_semaphore_init(&semaphore, 2);
    assert_int_equal(aloop_bounded_semaphore_release(&semaphore), -EINVAL);
    assert_int_equal(at_once(world, aloop_bounded_semaphore_acquire(&semaphore)), 0);
    assert_true(aloop_bounded_semaphore_try_acquire(&semaphore));
    assert_true(aloop_bounded_semaphore_locked(&semaphore));
    a = begin(world, aloop_bounded_semaphore_acquire(&semaphore), "a");
    b = begin(world, aloop_bounded_semaphore_acquire(&semaphore), "b");
    assert_int_equal(aloop_bounded_semaphore_release(&semaphore), 0);
    aloop_task_cancel(a);
    world_turns(world, 2);
    assert_log(world, "b ");
    assert_int_equal(aloop_bounded_semaphore_release(&semaphore), 0);
    assert_int_equal(aloop_bounded_semaphore_release(&semaphore), 0);
    assert_int_equal(aloop_bounded_semaphore_value(&semaphore), 2);
    assert_int_equal(aloop_bounded_semaphore_release(&semaphore), -EINVAL);
    assert_int_equal(aloop_bounded_semaphore_value(&semaphore), 2);
    aloop_task_unref(a);
    aloop_task_unref(b);
}

static void of_another_loop(void **state) /* S143 */
{
    struct world *world = *state;
    struct world other;
    aloop_semaphore semaphore = ALOOP_SEMAPHORE_INIT(0);
    aloop_task *a = begin(world, aloop_semaphore_acquire(&semaphore), NULL);

    world_open(&other, NULL);
    assert_int_equal(at_once(&other, aloop_semaphore_acquire(&semaphore)), -ALOOP_EWRONGLOOP);
    assert_int_equal(aloop_semaphore_release(&semaphore), 0);
    world_turns(world, 1);
    assert_int_equal(end_of(a), 0);
    world_close(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(permits_are_counted),
        TEST(first_come_first_served),
        TEST(cancelled_after_it_was_granted),
        TEST(cancelled_before_it_was_granted),
        TEST(bounded),
        TEST(of_another_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
