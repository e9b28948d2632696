#include "awaiter.h"

static void everybody_gets_a_number(void **state) /* S147 */
{
    struct world *world = *state;
    static aloop_barrier barrier = ALOOP_BARRIER_INIT(3);
    aloop_task *tasks[3];

    assert_int_equal(aloop_barrier_parties(&barrier), 3);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < 3; i++) {
            assert_int_equal(aloop_barrier_n_waiting(&barrier), i);
            tasks[i] = begin(world, aloop_barrier_wait(&barrier), NULL);
        }
        assert_int_equal(aloop_barrier_n_waiting(&barrier), 0);
        world_turns(world, 1);
        for (int i = 0; i < 3; i++)
            assert_int_equal(end_of(tasks[i]), i);
    }
}

static void alone(void **state)
{
    struct world *world = *state;
    aloop_barrier barrier;

    aloop_barrier_init(&barrier, 1);
    assert_int_equal(at_once(world, aloop_barrier_wait(&barrier)), 0);
    assert_int_equal(at_once(world, aloop_barrier_wait(&barrier)), 0);
    barrier = (aloop_barrier){.parties = 0};
    assert_int_equal(at_once(world, aloop_barrier_wait(&barrier)), -EINVAL);
}

/* Who comes before the others have run belongs to the next round. */
static void used_again_at_once(void **state) /* S147 */
{
    struct world *world = *state;
    aloop_barrier barrier = ALOOP_BARRIER_INIT(2);
    aloop_task *a = begin(world, aloop_barrier_wait(&barrier), NULL);
    aloop_task *b, *c;

    b = aloop_create_task_in(world->loop, awaiter, .op = aloop_barrier_wait(&barrier));
    c = aloop_create_task_in(world->loop, awaiter, .op = aloop_barrier_wait(&barrier));
    world_turns(world, 1);
    assert_int_equal(aloop_barrier_n_waiting(&barrier), 1);
    world_turns(world, 1);
    assert_int_equal(end_of(a), 0);
    assert_int_equal(end_of(b), 1);
    assert_false(aloop_task_done(c));
    a = begin(world, aloop_barrier_wait(&barrier), NULL);
    world_turns(world, 1);
    assert_int_equal(end_of(c), 0);
    assert_int_equal(end_of(a), 1);
}

static void one_gives_up(void **state) /* S147 */
{
    struct world *world = *state;
    aloop_barrier barrier = ALOOP_BARRIER_INIT(2);
    aloop_task *a = begin(world, aloop_barrier_wait(&barrier), NULL);
    aloop_task *b;

    aloop_task_cancel(a);
    world_turns(world, 1);
    assert_int_equal(end_of(a), -ECANCELED);
    assert_false(aloop_barrier_broken(&barrier));
    assert_int_equal(aloop_barrier_n_waiting(&barrier), 0);
    a = begin(world, aloop_barrier_wait(&barrier), NULL);
    b = begin(world, aloop_barrier_wait(&barrier), NULL);
    /* It has passed: that is not undone. */
    aloop_task_cancel(a);
    world_turns(world, 1);
    assert_int_equal(end_of(a), -ECANCELED);
    assert_int_equal(end_of(b), 1);
    assert_int_equal(aloop_barrier_n_waiting(&barrier), 0);
    assert_int_equal(at_once(world, aloop_wait_for(aloop_barrier_wait(&barrier), 0)), -ETIMEDOUT);
    assert_int_equal(aloop_barrier_n_waiting(&barrier), 0);
}

static void aborted(void **state) /* S147 */
{
    struct world *world = *state;
    aloop_barrier barrier = ALOOP_BARRIER_INIT(3);
    aloop_task *a = begin(world, aloop_barrier_wait(&barrier), NULL);
    aloop_task *b = begin(world, aloop_barrier_wait(&barrier), NULL);

    aloop_barrier_abort(&barrier);
    assert_true(aloop_barrier_broken(&barrier));
    assert_int_equal(aloop_barrier_n_waiting(&barrier), 0);
    world_turns(world, 1);
    assert_int_equal(end_of(a), -ALOOP_EBROKEN);
    assert_int_equal(end_of(b), -ALOOP_EBROKEN);
    assert_int_equal(at_once(world, aloop_barrier_wait(&barrier)), -ALOOP_EBROKEN);
    aloop_barrier_reset(&barrier);
    assert_false(aloop_barrier_broken(&barrier));
    a = begin(world, aloop_barrier_wait(&barrier), NULL);
    assert_int_equal(aloop_barrier_n_waiting(&barrier), 1);
    aloop_task_cancel(a);
    world_turns(world, 1);
    assert_int_equal(end_of(a), -ECANCELED);
}

static void reset(void **state) /* S147 */
{
    struct world *world = *state;
    aloop_barrier barrier = ALOOP_BARRIER_INIT(2);
    aloop_task *a = begin(world, aloop_barrier_wait(&barrier), NULL);
    aloop_task *b;

    aloop_barrier_reset(&barrier);
    b = begin(world, aloop_barrier_wait(&barrier), NULL);
    assert_int_equal(end_of(a), -ALOOP_EBROKEN);
    assert_false(aloop_barrier_broken(&barrier));
    assert_int_equal(at_once(world, aloop_barrier_wait(&barrier)), 1);
    world_turns(world, 1);
    assert_int_equal(end_of(b), 0);
    aloop_barrier_reset(&barrier);
    assert_int_equal(aloop_barrier_n_waiting(&barrier), 0);
}

/* Woken for another reason, a party is not counted again. */
static void spurious_wake_up(void **state)
{
    struct world *world = *state;
    aloop_barrier barrier = ALOOP_BARRIER_INIT(2);
    aloop_task *a = begin(world, aloop_barrier_wait(&barrier), NULL);
    aloop_waiter *waiter = aloop_waitlist_first(&barrier.waiters);

    waiter->notify(waiter);
    world_turns(world, 2);
    assert_int_equal(aloop_barrier_n_waiting(&barrier), 1);
    assert_false(aloop_task_done(a));
    assert_int_equal(at_once(world, aloop_barrier_wait(&barrier)), 1);
    world_turns(world, 1);
    assert_int_equal(end_of(a), 0);
}

static void of_another_loop(void **state) /* S143 */
{
    struct world *world = *state;
    struct world other;
    aloop_barrier barrier = ALOOP_BARRIER_INIT(2);
    aloop_task *a = begin(world, aloop_barrier_wait(&barrier), NULL);

    world_open(&other, NULL);
    assert_int_equal(at_once(&other, aloop_barrier_wait(&barrier)), -ALOOP_EWRONGLOOP);
    assert_int_equal(at_once(world, aloop_barrier_wait(&barrier)), 1);
    world_turns(world, 1);
    assert_int_equal(end_of(a), 0);
    a = begin(&other, aloop_barrier_wait(&barrier), NULL);
    assert_int_equal(aloop_close(other.loop), 0);
    assert_int_equal(aloop_barrier_n_waiting(&barrier), 0);
    aloop_task_unref(a);
    world_close(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(everybody_gets_a_number),
        TEST(alone),
        TEST(used_again_at_once),
        TEST(one_gives_up),
        TEST(aborted),
        TEST(reset),
        TEST(spurious_wake_up),
        TEST(of_another_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
