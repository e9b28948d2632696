#include "queue_test.h"

static void first_in_first_out(void **state)
{
    struct world *world = *state;
    aloop_queue queue;

    open_queue(world, &queue, 3);
    for (int64_t i = 0; i < 3; i++)
        put_now(&queue, i);
    assert_int_equal(aloop_queue_size(&queue), 3);
    for (int64_t i = 0; i < 3; i++)
        assert_int_equal(get_now(&queue), i);
    aloop_queue_fini(&queue);
}

static void a_ring_goes_round(void **state)
{
    struct world *world = *state;
    aloop_queue queue;

    open_queue(world, &queue, 3);
    put_now(&queue, 0);
    for (int64_t i = 1; i < 20; i++) {
        put_now(&queue, i);
        assert_int_equal(get_now(&queue), i - 1);
    }
    aloop_queue_fini(&queue);
}

/* Grown at each position of its head, a ring keeps its items in order. */
static void growing_keeps_the_order(void **state)
{
    struct world *world = *state;

    for (int64_t offset = 0; offset < 20; offset++) {
        aloop_queue queue;

        open_queue(world, &queue, 0);
        for (int64_t i = 0; i < offset; i++) {
            put_now(&queue, i);
            (void)get_now(&queue);
        }
        for (int64_t i = 0; i < 100; i++)
            put_now(&queue, i);
        for (int64_t i = 0; i < 100; i++)
            assert_int_equal(get_now(&queue), i);
        aloop_queue_fini(&queue);
    }
}

static void last_in_first_out(void **state)
{
    struct world *world = *state;
    aloop_queue queue;

    assert_int_equal(aloop_lifo_queue_init(&queue, world->loop, sizeof(int64_t), 0), 0);
    for (int64_t i = 0; i < 50; i++)
        put_now(&queue, i);
    for (int64_t i = 49; i >= 0; i--)
        assert_int_equal(get_now(&queue), i);
    aloop_queue_fini(&queue);
}

static void structs_of_any_size(void **state)
{
    struct thing {
        char text[13];
    } thing = {""};
    struct world *world = *state;
    aloop_queue queue;

    assert_int_equal(aloop_queue_init(&queue, world->loop, sizeof thing, 0), 0);
    for (int i = 0; i < 40; i++) {
        (void)snprintf(thing.text, sizeof thing.text, "%dx", i);
        assert_int_equal(aloop_queue_put_nowait(&queue, &thing), 0);
    }
    for (int i = 0; i < 40; i++) {
        char expected[13];

        (void)snprintf(expected, sizeof expected, "%dx", i);
        assert_int_equal(aloop_queue_get_nowait(&queue, &thing), 0);
        assert_string_equal(thing.text, expected);
    }
    assert_int_equal(aloop_queue_put_nowait(&queue, &thing), 0);
    assert_int_equal(aloop_queue_get_nowait(&queue, NULL), 0);
    aloop_queue_fini(&queue);
}

enum { SIZE_MOST = 40, GUARD = 0xEE };

/* The n-th item of so many bytes: each byte says which it is. */
static const void *item_of(unsigned char *item, size_t size, int n)
{
    for (size_t i = 0; i < size; i++)
        item[i] = (unsigned char)(16 * n + (int)i);
    return item;
}

static void assert_item_comes(aloop_queue *queue, size_t size, int n)
{
    unsigned char expected[SIZE_MOST], item[SIZE_MOST + 1];

    memset(item, GUARD, sizeof item);
    assert_int_equal(aloop_queue_get_nowait(queue, item), 0);
    assert_memory_equal(item, item_of(expected, size, n), size);
    assert_int_equal(item[size], GUARD);
}

/* Some sizes are copied in a way of their own, and eight bytes go through a way of their own. Each
   item comes out whole, wherever the ring's end is, and so after one that nobody wanted to see. */
static void items_of_each_size_come_out_whole(void **state)
{
    struct world *world = *state;
    unsigned char item[SIZE_MOST];

    for (size_t size = 1; size <= SIZE_MOST; size++) {
        for (int64_t bound = 0; bound <= 5; bound += 5) {
            aloop_queue queue;

            assert_int_equal(aloop_queue_init(&queue, world->loop, size, bound), 0);
            for (int round = 0; round < 12; round++) {
                for (int n = 0; n < 4; n++)
                    assert_int_equal(aloop_queue_put_nowait(&queue, item_of(item, size, n)), 0);
                assert_item_comes(&queue, size, 0);
                assert_int_equal(aloop_queue_get_nowait(&queue, NULL), 0);
                assert_item_comes(&queue, size, 2);
                assert_item_comes(&queue, size, 3);
                assert_int_equal(aloop_queue_get_nowait(&queue, NULL), -EAGAIN);
            }
            aloop_queue_fini(&queue);
        }
    }
}

static void getting_waits_for_putting(void **state)
{
    struct world *world = *state;
    aloop_queue queue;

    open_queue(world, &queue, 0);
    aloop_task_unref(get_in(world, &queue));
    world_turns(world, 2);
    assert_log_is(world, "");
    put_now(&queue, 7);
    assert_log_is(world, "");
    world_turns(world, 1);
    assert_log_is(world, "7 ");
    aloop_queue_fini(&queue);
}

static void putting_waits_for_a_free_place(void **state)
{
    struct world *world = *state;
    aloop_queue queue;

    open_queue(world, &queue, 1);
    aloop_task_unref(put_in(world, &queue, 1));
    aloop_task_unref(put_in(world, &queue, 2));
    world_turns(world, 2);
    assert_log_is(world, "+1 ");
    assert_int_equal(get_now(&queue), 1);
    /* The item is not in before its task has run: until then it may be cancelled. */
    assert_int_equal(aloop_queue_size(&queue), 0);
    world_turns(world, 1);
    assert_log_is(world, "+2 ");
    assert_int_equal(get_now(&queue), 2);
    aloop_queue_fini(&queue);
}

static void who_waits_is_served_in_order(void **state) /* S136's rule, for queues */
{
    struct world *world = *state;
    aloop_queue queue;

    open_queue(world, &queue, 1);
    for (int64_t i = 1; i <= 4; i++)
        aloop_task_unref(put_in(world, &queue, i));
    world_turns(world, 1);
    for (int i = 0; i < 4; i++)
        aloop_task_unref(get_in(world, &queue));
    world_drain(world);
    assert_log_is(world, "+1 1 +2 2 +3 3 +4 4 ");
    aloop_queue_fini(&queue);
    open_queue(world, &queue, 3);
    for (int i = 0; i < 3; i++)
        aloop_task_unref(get_in(world, &queue));
    world_drain(world);
    put_now(&queue, 1);
    put_now(&queue, 2);
    put_now(&queue, 3);
    world_drain(world);
    assert_log_is(world, "1 2 3 ");
    aloop_queue_fini(&queue);
}

/* What is promised is not for others: neither without waiting, nor for who comes later. Without
   the promise the item would go to whoever asks between the wake-up and the step of who waited. */
static void nobody_overtakes(void **state)
{
    struct world *world = *state;
    aloop_queue queue;
    int64_t item;

    open_queue(world, &queue, 1);
    aloop_task_unref(get_in(world, &queue));
    world_turns(world, 1);
    put_now(&queue, 1);
    assert_int_equal(aloop_queue_size(&queue), 1);
    assert_true(aloop_queue_empty(&queue));
    assert_int_equal(aloop_queue_get_nowait(&queue, &item), -EAGAIN);
    world_turns(world, 1);
    assert_log_is(world, "1 ");

    put_now(&queue, 2);
    aloop_task_unref(put_in(world, &queue, 3));
    world_turns(world, 1);
    assert_int_equal(get_now(&queue), 2);
    assert_true(aloop_queue_full(&queue));
    item = 4;
    assert_int_equal(aloop_queue_put_nowait(&queue, &item), -EAGAIN);
    world_turns(world, 1);
    assert_int_equal(get_now(&queue), 3);
    aloop_queue_fini(&queue);
}

/* A newcomer that finds enough for itself still stands behind those who were promised theirs, or it
   would get the older item. */
static void newcomers_stand_in_line(void **state)
{
    struct world *world = *state;
    aloop_queue queue;

    open_queue(world, &queue, 0);
    aloop_task_unref(get_in(world, &queue));
    world_turns(world, 1);
    /* Queued before the one that waits is woken, and hence run before it. */
    aloop_task_unref(get_in(world, &queue));
    put_now(&queue, 1);
    put_now(&queue, 2);
    world_turns(world, 1);
    assert_log_is(world, "1 ");
    world_turns(world, 1);
    assert_log_is(world, "2 ");
    aloop_queue_fini(&queue);
}

static void a_woken_getter_that_is_cancelled_passes_it_on(void **state) /* S148 */
{
    struct world *world = *state;
    aloop_queue queue;
    aloop_task *first, *second;

    open_queue(world, &queue, 0);
    first = get_in(world, &queue);
    second = get_in(world, &queue);
    world_turns(world, 1);
    put_now(&queue, 5);
    assert_true(aloop_task_cancel(first));
    world_drain(world);
    assert_log_is(world, "ECANCELED 5 ");
    assert_int_equal(queue.getters.promised_count, 0);
    aloop_task_unref(first);
    aloop_task_unref(second);
    aloop_queue_fini(&queue);
}

static void many_woken_getters_cancelled(void **state) /* S148 */
{
    struct world *world = *state;
    aloop_task *getters[10];
    aloop_queue queue;

    open_queue(world, &queue, 0);
    for (int i = 0; i < 10; i++)
        getters[i] = get_in(world, &queue);
    world_turns(world, 1);
    for (int64_t i = 0; i < 5; i++)
        put_now(&queue, i);
    for (int i = 0; i < 10; i++) {
        if (i % 2 == 0)
            assert_true(aloop_task_cancel(getters[i]));
    }
    world->log[0] = '\0';
    world_turns(world, 5);
    for (int i = 0; i < 10; i++) {
        assert_true(aloop_task_done(getters[i]));
        assert_int_equal(aloop_task_result(getters[i]), i % 2 == 0 ? -ECANCELED : 0);
        aloop_task_unref(getters[i]);
    }
    assert_int_equal(aloop_queue_size(&queue), 0);
    aloop_queue_fini(&queue);
}

static void a_cancelled_getter_with_nobody_behind_leaves_the_item(void **state) /* S148 */
{
    struct world *world = *state;
    aloop_queue queue;
    aloop_task *task;

    open_queue(world, &queue, 0);
    task = get_in(world, &queue);
    world_turns(world, 1);
    put_now(&queue, 5);
    assert_true(aloop_task_cancel(task));
    world_drain(world);
    assert_int_equal(get_now(&queue), 5);
    aloop_task_unref(task);
    aloop_queue_fini(&queue);
}

static void a_cancelled_putter_leaves_nothing_behind(void **state) /* S149 */
{
    struct world *world = *state;
    aloop_queue queue;
    aloop_task *putters[3];

    open_queue(world, &queue, 1);
    put_now(&queue, 0);
    for (int64_t i = 0; i < 3; i++)
        putters[i] = put_in(world, &queue, i + 1);
    world_turns(world, 1);
    assert_true(aloop_task_cancel(putters[1]));
    world_turns(world, 1);
    /* And one that had its turn, and loses it. */
    assert_int_equal(get_now(&queue), 0);
    assert_true(aloop_task_cancel(putters[0]));
    world_turns(world, 2);
    assert_log_is(world, "ECANCELED ECANCELED +3 ");
    assert_int_equal(get_now(&queue), 3);
    assert_true(aloop_waitlist_is_empty(&queue.putters.waiting));
    assert_true(aloop_waitlist_is_empty(&queue.putters.promised));
    assert_int_equal(queue.putters.promised_count, 0);
    for (int i = 0; i < 3; i++)
        aloop_task_unref(putters[i]);
    aloop_queue_fini(&queue);
}

static void timeouts_take_and_put_nothing(void **state)
{
    struct world *world = *state;
    aloop_queue queue;

    open_queue(world, &queue, 1);
    aloop_task_unref(aloop_create_task_in(world->loop, getter, .world = world, .queue = &queue,
                                          .timeout = ALOOP_MS(1)));
    world_drain(world);
    assert_log_is(world, "ETIMEDOUT ");
    put_now(&queue, 1);
    aloop_task_unref(aloop_create_task_in(world->loop, putter, .world = world, .queue = &queue,
                                          .item = 2, .timeout = ALOOP_MS(1)));
    world_drain(world);
    assert_log_is(world, "ETIMEDOUT ");
    assert_int_equal(get_now(&queue), 1);
    assert_int_equal(aloop_queue_size(&queue), 0);
    aloop_queue_fini(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(first_in_first_out),
        TEST(a_ring_goes_round),
        TEST(growing_keeps_the_order),
        TEST(last_in_first_out),
        TEST(structs_of_any_size),
        TEST(items_of_each_size_come_out_whole),
        TEST(getting_waits_for_putting),
        TEST(putting_waits_for_a_free_place),
        TEST(who_waits_is_served_in_order),
        TEST(nobody_overtakes),
        TEST(newcomers_stand_in_line),
        TEST(a_woken_getter_that_is_cancelled_passes_it_on),
        TEST(many_woken_getters_cancelled),
        TEST(a_cancelled_getter_with_nobody_behind_leaves_the_item),
        TEST(a_cancelled_putter_leaves_nothing_behind),
        TEST(timeouts_take_and_put_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
