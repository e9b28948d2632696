/* Queues: counting the work, and all the ways they end. */
#include "queue_test.h"

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

static void shut_down(aloop *loop, void *queue)
{
    (void)loop;
    aloop_queue_shutdown(queue, false);
}

/* At the moment the last item goes out, a putter that was told of the shutdown may still stand in
   line, as it has not run yet: the getter behind must hear of it all the same. */
static void the_last_item_goes_out_with_putters_in_line(void **state) /* S151 */
{
    struct world *world = *state;
    aloop_queue queue;

    open_queue(world, &queue, 1);
    aloop_task_unref(get_in(world, &queue));
    aloop_task_unref(get_in(world, &queue));
    world_turns(world, 1);
    /* In the next turn the putter waits, the queue is shut down, and the first getter takes what
       it was promised. */
    aloop_task_unref(put_in(world, &queue, 2));
    assert_true(aloop_call_soon(world->loop, shut_down, &queue) > 0);
    put_now(&queue, 1);
    world_drain(world);
    assert_log_is(world, "1 ALOOP_ESHUTDOWN ALOOP_ESHUTDOWN ");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(counting_work),
        TEST(shutdown_of_an_empty_queue),
        TEST(shutdown_lets_the_rest_be_got),
        TEST(shutdown_breaks_the_promise_of_a_place),
        TEST(shutdown_with_the_last_item_promised),
        TEST(the_last_item_goes_out_with_putters_in_line),
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
