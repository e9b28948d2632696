#include "awaiter.h"

static void set_and_clear(void **state)
{
    struct world *world = *state;
    static aloop_event event; /* all zero is one that is not set */

    assert_false(aloop_event_is_set(&event));
    assert_int_equal(at_once(world, aloop_wait_for(aloop_event_wait(&event), 0)), -ETIMEDOUT);
    aloop_event_set(&event);
    assert_true(aloop_event_is_set(&event));
    assert_int_equal(at_once(world, aloop_event_wait(&event)), 0);
    assert_int_equal(at_once(world, aloop_event_wait(&event)), 0);
    aloop_event_clear(&event);
    assert_false(aloop_event_is_set(&event));
    assert_int_equal(at_once(world, aloop_wait_for(aloop_event_wait(&event), 0)), -ETIMEDOUT);
}

static void wakes_all_in_order(void **state)
{
    struct world *world = *state;
    aloop_event event = {.is_set = false};
    aloop_task *tasks[3];

    tasks[0] = begin(world, aloop_event_wait(&event), "a");
    tasks[1] = begin(world, aloop_event_wait(&event), "b");
    tasks[2] = begin(world, aloop_event_wait(&event), "c");
    world_turns(world, 3);
    assert_log(world, "");
    aloop_event_set(&event);
    aloop_event_set(&event);
    assert_log(world, "");
    world_turns(world, 1);
    assert_log(world, "a b c ");
    for (int i = 0; i < 3; i++)
        assert_int_equal(end_of(tasks[i]), 0);
}

static void cleared_before_they_run(void **state) /* S139 */
{
    struct world *world = *state;
    aloop_event event = {.is_set = false};
    aloop_task *a = begin(world, aloop_event_wait(&event), "a");
    aloop_task *b = begin(world, aloop_event_wait(&event), "b");
    aloop_task *late;

    aloop_event_set(&event);
    aloop_event_clear(&event);
    late = begin(world, aloop_wait_for(aloop_event_wait(&event), 5), "late");
    assert_log(world, "a b ");
    world_drain(world);
    assert_log(world, "");
    assert_int_equal(end_of(a) | end_of(b), 0);
    assert_int_equal(end_of(late), -ETIMEDOUT);
}

static void giving_up(void **state)
{
    struct world *world = *state;
    aloop_event event = {.is_set = false};
    aloop_task *a = begin(world, aloop_event_wait(&event), "a");
    aloop_task *b = begin(world, aloop_event_wait(&event), "b");

    aloop_task_cancel(a);
    world_turns(world, 1);
    assert_int_equal(end_of(a), -ECANCELED);
    aloop_event_set(&event);
    aloop_task_cancel(b);
    world_turns(world, 1);
    assert_int_equal(end_of(b), -ECANCELED);
    assert_log(world, "");
}

static void of_another_loop(void **state) /* S143 */
{
    struct world *world = *state;
    struct world other;
    aloop_event event = {.is_set = false};
    aloop_task *a = begin(world, aloop_event_wait(&event), NULL);

    world_open(&other, NULL);
    assert_int_equal(at_once(&other, aloop_event_wait(&event)), -ALOOP_EWRONGLOOP);
    aloop_event_set(&event);
    world_turns(world, 1);
    assert_int_equal(end_of(a), 0);
    aloop_event_clear(&event);
    a = begin(&other, aloop_event_wait(&event), NULL);
    assert_int_equal(at_once(world, aloop_event_wait(&event)), -ALOOP_EWRONGLOOP);
    assert_int_equal(aloop_close(other.loop), 0);
    /* Who waited was thrown away, and is in no list. */
    aloop_event_set(&event);
    aloop_task_unref(a);
    world_close(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(set_and_clear), TEST(wakes_all_in_order), TEST(cleared_before_they_run),
        TEST(giving_up),     TEST(of_another_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
