#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* Awaits one get, and logs what came: the item, or the error's name. */
struct getter {
    ALOOP_FRAME;
    struct world *world;
    aloop_queue *queue;
    aloop_ns timeout; /* 0: none */
    int64_t item;
};

static void log_outcome(struct world *world, int64_t result, int64_t item)
{
    char word[40];

    (void)snprintf(word, sizeof word, "%lld", (long long)item);
    world_mark(world, result < 0 ? aloop_error_name(result) : word);
}

ALOOP_CORO(getter)
{
    ALOOP_BEGIN;
    if (self->timeout == 0)
        ALOOP_AWAIT(aloop_queue_get(self->queue, &self->item));
    else
        ALOOP_AWAIT(aloop_wait_for(aloop_queue_get(self->queue, &self->item), self->timeout));
    log_outcome(self->world, self->result, self->item);
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

static void log_put(struct world *world, int64_t result, int64_t item)
{
    char word[40];

    (void)snprintf(word, sizeof word, "+%lld", (long long)item);
    world_mark(world, result < 0 ? aloop_error_name(result) : word);
}

/* Awaits one put, and logs "+item", or the error's name. */
struct putter {
    ALOOP_FRAME;
    struct world *world;
    aloop_queue *queue;
    aloop_ns timeout;
    int64_t item;
};

ALOOP_CORO(putter)
{
    ALOOP_BEGIN;
    if (self->timeout == 0)
        ALOOP_AWAIT(aloop_queue_put(self->queue, &self->item));
    else
        ALOOP_AWAIT(aloop_wait_for(aloop_queue_put(self->queue, &self->item), self->timeout));
    log_put(self->world, self->result, self->item);
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

struct queue_joiner {
    ALOOP_FRAME;
    struct world *world;
    aloop_queue *queue;
};

ALOOP_CORO(queue_joiner)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_queue_join(self->queue));
    world_mark(self->world, self->result < 0 ? aloop_error_name(self->result) : "joined");
    ALOOP_END;
}

static aloop_task *get_in(struct world *world, aloop_queue *queue)
{
    return aloop_create_task_in(world->loop, getter, .world = world, .queue = queue);
}

static aloop_task *put_in(struct world *world, aloop_queue *queue, int64_t item)
{
    return aloop_create_task_in(world->loop, putter, .world = world, .queue = queue, .item = item);
}

static void put_now(aloop_queue *queue, int64_t item)
{
    assert_int_equal(aloop_queue_put_nowait(queue, &item), 0);
}

static int64_t get_now(aloop_queue *queue)
{
    int64_t item = -1;

    assert_int_equal(aloop_queue_get_nowait(queue, &item), 0);
    return item;
}

static void open_queue(struct world *world, aloop_queue *queue, int64_t maxsize)
{
    assert_int_equal(aloop_queue_init(queue, world->loop, sizeof(int64_t), maxsize), 0);
}

static void assert_log_is(struct world *world, const char *expected)
{
    assert_string_equal(world->log, expected);
    world->log[0] = '\0';
}

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

static void counting_work(void **state) /* S150 */
{
    struct world *world = *state;
    aloop_queue queue;

    open_queue(world, &queue, 0);
    assert_int_equal(aloop_queue_task_done(&queue), -EINVAL);
    aloop_task_unref(
        aloop_create_task_in(world->loop, queue_joiner, .world = world, .queue = &queue));
    world_turns(world, 1);
    assert_log_is(world, "joined ");
    put_now(&queue, 1);
    put_now(&queue, 2);
    aloop_task_unref(
        aloop_create_task_in(world->loop, queue_joiner, .world = world, .queue = &queue));
    (void)get_now(&queue);
    assert_int_equal(aloop_queue_task_done(&queue), 0);
    world_turns(world, 2);
    assert_log_is(world, "");
    (void)get_now(&queue);
    world_turns(world, 2);
    assert_log_is(world, "");
    assert_int_equal(aloop_queue_task_done(&queue), 0);
    /* New work before the joiner has run does not keep it. */
    put_now(&queue, 3);
    world_turns(world, 1);
    assert_log_is(world, "joined ");
    aloop_queue_fini(&queue);
}

static void shutdown_of_an_empty_queue(void **state) /* S151 */
{
    struct world *world = *state;
    aloop_queue queue;
    int64_t item = 1;

    open_queue(world, &queue, 0);
    aloop_task_unref(get_in(world, &queue));
    aloop_task_unref(get_in(world, &queue));
    world_turns(world, 1);
    aloop_queue_shutdown(&queue, false);
    world_turns(world, 1);
    assert_log_is(world, "ALOOP_ESHUTDOWN ALOOP_ESHUTDOWN ");
    assert_int_equal(aloop_queue_put_nowait(&queue, &item), -ALOOP_ESHUTDOWN);
    assert_int_equal(aloop_queue_get_nowait(&queue, &item), -ALOOP_ESHUTDOWN);
    aloop_task_unref(get_in(world, &queue));
    aloop_task_unref(put_in(world, &queue, 1));
    world_turns(world, 1);
    assert_log_is(world, "ALOOP_ESHUTDOWN ALOOP_ESHUTDOWN ");
    aloop_queue_shutdown(&queue, true);
    aloop_queue_fini(&queue);
}

static void shutdown_lets_the_rest_be_got(void **state) /* S151 */
{
    struct world *world = *state;
    aloop_queue queue;

    open_queue(world, &queue, 2);
    put_now(&queue, 1);
    put_now(&queue, 2);
    aloop_task_unref(put_in(world, &queue, 3));
    aloop_task_unref(
        aloop_create_task_in(world->loop, queue_joiner, .world = world, .queue = &queue));
    world_turns(world, 1);
    aloop_queue_shutdown(&queue, false);
    world_turns(world, 1);
    assert_log_is(world, "ALOOP_ESHUTDOWN ");
    for (int i = 0; i < 3; i++)
        aloop_task_unref(get_in(world, &queue));
    world_turns(world, 2);
    assert_log_is(world, "1 2 ALOOP_ESHUTDOWN ");
    assert_int_equal(aloop_queue_task_done(&queue), 0);
    assert_int_equal(aloop_queue_task_done(&queue), 0);
    world_turns(world, 1);
    assert_log_is(world, "joined ");
    aloop_queue_fini(&queue);
}

/* A putter that was promised a place and one that waits are both turned away. */
static void shutdown_breaks_the_promise_of_a_place(void **state) /* S151 */
{
    struct world *world = *state;
    aloop_queue queue;

    open_queue(world, &queue, 1);
    put_now(&queue, 1);
    aloop_task_unref(put_in(world, &queue, 2));
    aloop_task_unref(put_in(world, &queue, 3));
    world_turns(world, 1);
    (void)get_now(&queue);
    aloop_queue_shutdown(&queue, false);
    world_turns(world, 1);
    assert_log_is(world, "ALOOP_ESHUTDOWN ALOOP_ESHUTDOWN ");
    assert_int_equal(queue.putters.promised_count, 0);
    aloop_queue_fini(&queue);
}

/* With the last item promised to a getter that is then cancelled, the one behind gets it even
   though the queue was shut down while it waited: what is in is drained before anybody is told. */
static void shutdown_with_the_last_item_promised(void **state) /* S148, S151 */
{
    struct world *world = *state;
    aloop_queue queue;
    aloop_task *first;

    open_queue(world, &queue, 0);
    first = get_in(world, &queue);
    aloop_task_unref(get_in(world, &queue));
    aloop_task_unref(get_in(world, &queue));
    world_turns(world, 1);
    put_now(&queue, 9);
    aloop_queue_shutdown(&queue, false);
    assert_true(aloop_task_cancel(first));
    world_drain(world);
    assert_log_is(world, "ECANCELED 9 ALOOP_ESHUTDOWN ");
    aloop_task_unref(first);
    aloop_queue_fini(&queue);
}

static void immediate_shutdown(void **state) /* S151 */
{
    struct world *world = *state;
    aloop_queue queue;

    open_queue(world, &queue, 0);
    aloop_task_unref(get_in(world, &queue));
    world_turns(world, 1);
    put_now(&queue, 1);
    put_now(&queue, 2);
    aloop_task_unref(
        aloop_create_task_in(world->loop, queue_joiner, .world = world, .queue = &queue));
    aloop_queue_shutdown(&queue, true);
    assert_int_equal(aloop_queue_size(&queue), 0);
    world_turns(world, 1);
    /* The getter's promise was thrown away with the item. */
    assert_log_is(world, "ALOOP_ESHUTDOWN joined ");
    assert_int_equal(queue.getters.promised_count, 0);
    assert_int_equal(aloop_queue_task_done(&queue), -EINVAL);
    aloop_queue_fini(&queue);
}

static void immediate_shutdown_with_work_going_on(void **state) /* S151 */
{
    struct world *world = *state;
    aloop_queue queue;

    open_queue(world, &queue, 0);
    put_now(&queue, 1);
    put_now(&queue, 2);
    (void)get_now(&queue);
    aloop_task_unref(
        aloop_create_task_in(world->loop, queue_joiner, .world = world, .queue = &queue));
    world_turns(world, 1);
    aloop_queue_shutdown(&queue, true);
    world_turns(world, 2);
    assert_log_is(world, "");
    assert_int_equal(aloop_queue_task_done(&queue), 0);
    world_turns(world, 1);
    assert_log_is(world, "joined ");
    aloop_queue_fini(&queue);
}

static void bounds(void **state) /* S152 */
{
    struct world *world = *state;
    aloop_queue queue;
    int64_t item = 0;

    open_queue(world, &queue, 2);
    assert_true(aloop_queue_empty(&queue));
    assert_int_equal(aloop_queue_get_nowait(&queue, &item), -EAGAIN);
    put_now(&queue, 1);
    assert_false(aloop_queue_empty(&queue));
    assert_false(aloop_queue_full(&queue));
    put_now(&queue, 2);
    assert_true(aloop_queue_full(&queue));
    assert_int_equal(aloop_queue_put_nowait(&queue, &item), -EAGAIN);
    aloop_queue_fini(&queue);
    open_queue(world, &queue, -1);
    for (int i = 0; i < 1000; i++)
        put_now(&queue, i);
    assert_false(aloop_queue_full(&queue));
    aloop_queue_fini(&queue);
}

static void what_cannot_be_made(void **state)
{
    struct world *world = *state;
    aloop_queue queue = {0};

    assert_int_equal(aloop_queue_init(&queue, NULL, 8, 0), -ALOOP_ENOLOOP);
    assert_int_equal(aloop_queue_init(&queue, world->loop, 0, 0), -EINVAL);
    assert_int_equal(aloop_queue_init(&queue, world->loop, 8, INT64_MAX), -ENOMEM);
    assert_int_equal(aloop_priority_queue_init(&queue, world->loop, 8, 1, NULL), -EINVAL);
    aloop_queue_fini(&queue);
    assert_int_equal(aloop_close(world->loop), 0);
    assert_int_equal(aloop_queue_init(&queue, world->loop, 8, 0), -ALOOP_ECLOSED);
}

static void tasks_of_another_loop_are_refused(void **state) /* S143's rule */
{
    struct world *world = *state;
    struct world other;
    aloop_queue queue;

    world_open(&other, NULL);
    open_queue(world, &queue, 1);
    aloop_task_unref(get_in(&other, &queue));
    aloop_task_unref(put_in(&other, &queue, 1));
    world_turns(&other, 1);
    assert_log_is(&other, "ALOOP_EWRONGLOOP ALOOP_EWRONGLOOP ");
    world_close(&other);
    aloop_queue_fini(&queue);
}

/* A queue that goes while tasks wait for it: they would wake up in freed memory. */
static void giving_it_back_turns_away_who_waits(void **state)
{
    struct world *world = *state;
    aloop_queue queue;
    aloop_task *cancelled;

    open_queue(world, &queue, 0);
    put_now(&queue, 0);
    aloop_task_unref(
        aloop_create_task_in(world->loop, queue_joiner, .world = world, .queue = &queue));
    world_turns(world, 1);
    (void)get_now(&queue);
    aloop_task_unref(get_in(world, &queue));
    cancelled = get_in(world, &queue);
    aloop_task_unref(get_in(world, &queue));
    world_turns(world, 1);
    put_now(&queue, 1); /* the first holds a promise */
    aloop_queue_fini(&queue);
    memset(&queue, 0xAA, sizeof queue);
    assert_true(aloop_task_cancel(cancelled));
    world_drain(world);
    assert_log_is(world, "ALOOP_ESHUTDOWN ECANCELED ALOOP_ESHUTDOWN ALOOP_ESHUTDOWN ");
    aloop_task_unref(cancelled);
}

/* Shut down and given back in one go, as one would: who was woken by the first must not look into
   the queue after the second. */
static void shut_down_and_given_back(void **state)
{
    struct world *world = *state;
    aloop_queue queue;

    open_queue(world, &queue, 1);
    aloop_task_unref(get_in(world, &queue));
    world_turns(world, 1);
    aloop_queue_shutdown(&queue, false);
    aloop_queue_fini(&queue);
    open_queue(world, &queue, 1);
    put_now(&queue, 1);
    aloop_task_unref(put_in(world, &queue, 2));
    aloop_task_unref(
        aloop_create_task_in(world->loop, queue_joiner, .world = world, .queue = &queue));
    world_turns(world, 1);
    assert_log_is(world, "ALOOP_ESHUTDOWN ");
    aloop_queue_shutdown(&queue, true);
    aloop_queue_fini(&queue);
    memset(&queue, 0xAA, sizeof queue);
    world_drain(world);
    assert_log_is(world, "joined ALOOP_ESHUTDOWN ");
}

/* P124: who waits, and who holds a promise, in a loop that is closed. The queue lives in the frame
   of a task that is thrown away first; taking the others out of its lists afterwards would write
   into freed memory. */
struct owner {
    ALOOP_FRAME;
    struct world *world;
    aloop_queue queue;
    aloop_future *never;
};

static void owner_cleanup(aloop_frame *frame)
{
    aloop_queue_fini(&((struct owner *)(void *)frame)->queue);
}

static aloop_step owner_step(aloop_frame *frame)
{
    struct owner *self = (struct owner *)(void *)frame;
    int64_t item = 1;

    assert_int_equal(aloop_queue_init(&self->queue, NULL, sizeof item, 1), 0);
    for (int i = 0; i < 3; i++)
        aloop_task_unref(get_in(self->world, &self->queue));
    if (!aloop_frame_await(frame, aloop_join(self->never)))
        fail();
    return ALOOP_STEP_SUSPENDED;
}

static const aloop_coro owner_coro = {
    .name = "owner", .step = owner_step, .cleanup = owner_cleanup, .size = sizeof(struct owner)};

static void closing_the_loop_with_tasks_that_wait(void **state) /* P124 */
{
    struct world *world = *state;
    aloop_future *never = aloop_create_future(world->loop);

    aloop_task_unref(aloop_create_task_in(world->loop, owner, .world = world, .never = never));
    world_turns(world, 3);
    assert_int_equal(aloop_close(world->loop), 0);
    assert_int_equal(world->reports, 4);
    aloop_future_unref(never);
}

static void a_queue_may_outlive_its_loop(void **state)
{
    struct world *world = *state;
    aloop_queue queue;

    open_queue(world, &queue, 3);
    put_now(&queue, 1);
    put_now(&queue, 2);
    assert_int_equal(aloop_close(world->loop), 0);
    assert_int_equal(get_now(&queue), 1);
    aloop_queue_fini(&queue);
}

static void without_memory(void **state) /* P119 */
{
    struct world *world = *state;
    aloop_queue queue = {0};
    int64_t item = 3;

    world->memory.fail_from = world->memory.requests + 1;
    assert_int_equal(aloop_queue_init(&queue, world->loop, 8, 4), -ENOMEM);
    assert_null(queue.loop);
    open_queue(world, &queue, 0);
    world->memory.fail_from = world->memory.requests + 1;
    assert_int_equal(aloop_queue_put_nowait(&queue, &item), -ENOMEM);
    assert_int_equal(aloop_queue_size(&queue), 0);
    for (int64_t i = 0; i < 16; i++)
        put_now(&queue, i);
    world->memory.fail_from = world->memory.requests + 1;
    assert_int_equal(aloop_queue_put_nowait(&queue, &item), -ENOMEM);
    assert_int_equal(aloop_queue_size(&queue), 16);
    put_now(&queue, 16);
    for (int64_t i = 0; i <= 16; i++)
        assert_int_equal(get_now(&queue), i);
    assert_int_equal(queue.unfinished, 17);
    aloop_queue_fini(&queue);
}

struct passer {
    ALOOP_FRAME;
    aloop_queue *from;
    aloop_queue *to;
    int rounds;
    int64_t item;
};

ALOOP_CORO(passer)
{
    ALOOP_BEGIN;
    while (self->rounds-- > 0) {
        ALOOP_TRY(aloop_queue_get(self->from, &self->item));
        self->item++;
        ALOOP_TRY(aloop_queue_put(self->to, &self->item));
    }
    ALOOP_END;
}

static void passing_allocates_nothing(void **state)
{
    struct world *world = *state;
    aloop_queue there, back;
    long before;

    open_queue(world, &there, 1);
    open_queue(world, &back, 1);
    aloop_task_unref(
        aloop_create_task_in(world->loop, passer, .from = &there, .to = &back, .rounds = 1000));
    aloop_task_unref(
        aloop_create_task_in(world->loop, passer, .from = &back, .to = &there, .rounds = 1000));
    world_turns(world, 1);
    before = world->memory.requests;
    put_now(&there, 0);
    world_drain(world);
    assert_int_equal(world->memory.requests, before);
    assert_int_equal(get_now(&there), 2000);
    aloop_queue_fini(&there);
    aloop_queue_fini(&back);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(first_in_first_out),
        TEST(a_ring_goes_round),
        TEST(growing_keeps_the_order),
        TEST(last_in_first_out),
        TEST(structs_of_any_size),
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
        TEST(counting_work),
        TEST(shutdown_of_an_empty_queue),
        TEST(shutdown_lets_the_rest_be_got),
        TEST(shutdown_breaks_the_promise_of_a_place),
        TEST(shutdown_with_the_last_item_promised),
        TEST(immediate_shutdown),
        TEST(immediate_shutdown_with_work_going_on),
        TEST(bounds),
        TEST(what_cannot_be_made),
        TEST(tasks_of_another_loop_are_refused),
        TEST(giving_it_back_turns_away_who_waits),
        TEST(shut_down_and_given_back),
        TEST(closing_the_loop_with_tasks_that_wait),
        TEST(a_queue_may_outlive_its_loop),
        TEST(without_memory),
        TEST(passing_allocates_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
