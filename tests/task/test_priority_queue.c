#include "world.h"

#include "../base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct job {
    int priority;
    int number;
    char text[5]; /* makes the size odd, as far as alignment allows */
};

static int by_priority(const void *a, const void *b)
{
    const struct job *first = a, *second = b;

    assert_int_equal((uintptr_t)a % _Alignof(struct job), 0);
    assert_int_equal((uintptr_t)b % _Alignof(struct job), 0);
    return (first->priority > second->priority) - (first->priority < second->priority);
}

static void open_queue(struct world *world, aloop_queue *queue, int64_t maxsize)
{
    assert_int_equal(aloop_priority_queue_init(queue, world->loop, sizeof(struct job), maxsize,
                                               by_priority),
                     0);
}

static void put(aloop_queue *queue, int priority, int number)
{
    struct job job = {priority, number, "text"};

    assert_int_equal(aloop_queue_put_nowait(queue, &job), 0);
}

static struct job get(aloop_queue *queue)
{
    struct job job;

    assert_int_equal(aloop_queue_get_nowait(queue, &job), 0);
    assert_string_equal(job.text, "text");
    return job;
}

static void the_least_comes_first(void **state)
{
    static const int priorities[] = {5, 3, 9, 1, 7, 1, 8};
    static const int sorted[] = {1, 1, 3, 5, 7, 8, 9};
    struct world *world = *state;
    aloop_queue queue;

    open_queue(world, &queue, 7);
    for (int i = 0; i < 7; i++)
        put(&queue, priorities[i], i);
    assert_true(aloop_queue_full(&queue));
    for (int i = 0; i < 7; i++)
        assert_int_equal(get(&queue).priority, sorted[i]);
    assert_int_equal(aloop_queue_get_nowait(&queue, NULL), -EAGAIN);
    aloop_queue_fini(&queue);
}

static void equals_come_in_the_order_they_went_in(void **state)
{
    struct world *world = *state;
    aloop_queue queue;

    open_queue(world, &queue, 0);
    for (int i = 0; i < 300; i++)
        put(&queue, i % 3, i);
    for (int i = 0; i < 300; i++)
        assert_int_equal(get(&queue).number, i / 100 + 3 * (i % 100));
    aloop_queue_fini(&queue);
}

enum { MODEL_MAX = 200 };

/* Next in the model: the least priority, and of those the least number. */
static int model_next(const struct job *model, int count)
{
    int next = 0;

    for (int i = 1; i < count; i++) {
        if (model[i].priority < model[next].priority ||
            (model[i].priority == model[next].priority && model[i].number < model[next].number))
            next = i;
    }
    return next;
}

static void as_a_model_says(void **state)
{
    struct world *world = *state;
    struct job model[MODEL_MAX];
    uint64_t random = 20;
    aloop_queue queue;
    int count = 0;

    open_queue(world, &queue, 0);
    for (int step = 0; step < 20000; step++) {
        if (count < MODEL_MAX && (count == 0 || random_below(&random, 2) == 0)) {
            int priority = (int)random_below(&random, 10);

            put(&queue, priority, step);
            model[count++] = (struct job){.priority = priority, .number = step};
        } else {
            int next = model_next(model, count);

            assert_int_equal(get(&queue).number, model[next].number);
            model[next] = model[--count];
        }
        assert_int_equal(aloop_queue_size(&queue), count);
    }
    aloop_queue_fini(&queue);
}

/* A type that wants more than the number behind it in its slot. */
static int by_value(const void *a, const void *b)
{
    const long double *first = a, *second = b;

    assert_int_equal((uintptr_t)a % _Alignof(long double), 0);
    assert_int_equal((uintptr_t)b % _Alignof(long double), 0);
    return (*first > *second) - (*first < *second);
}

static int by_letter(const void *a, const void *b)
{
    return *(const char *)a - *(const char *)b;
}

static void items_are_compared_where_they_are_aligned(void **state)
{
    struct world *world = *state;
    aloop_queue queue;
    char letter;

    assert_int_equal(aloop_priority_queue_init(&queue, world->loop, sizeof(long double), 0,
                                               by_value),
                     0);
    for (int i = 0; i < 40; i++)
        assert_int_equal(aloop_queue_put_nowait(&queue, &(long double){(i * 7) % 40}), 0);
    for (int i = 0; i < 40; i++) {
        long double value;

        assert_int_equal(aloop_queue_get_nowait(&queue, &value), 0);
        assert_true((int)value == i);
    }
    aloop_queue_fini(&queue);
    assert_int_equal(aloop_priority_queue_init(&queue, world->loop, 1, 0, by_letter), 0);
    for (const char *c = "priority"; *c != '\0'; c++)
        assert_int_equal(aloop_queue_put_nowait(&queue, c), 0);
    for (const char *c = "iioprrty"; *c != '\0'; c++) {
        assert_int_equal(aloop_queue_get_nowait(&queue, &letter), 0);
        assert_int_equal(letter, *c);
    }
    aloop_queue_fini(&queue);
}

struct waiter {
    ALOOP_FRAME;
    struct world *world;
    aloop_queue *queue;
    struct job job;
};

ALOOP_CORO(waiter)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_queue_get(self->queue, &self->job));
    world_mark(self->world, self->job.priority == 1 ? "one" : "two");
    ALOOP_END;
}

/* Which item it is that a woken getter takes is decided when it runs. */
static void a_better_item_that_comes_in_time(void **state)
{
    struct world *world = *state;
    aloop_queue queue;

    open_queue(world, &queue, 0);
    aloop_task_unref(aloop_create_task_in(world->loop, waiter, .world = world, .queue = &queue));
    world_turns(world, 1);
    put(&queue, 2, 0);
    put(&queue, 1, 0);
    world_turns(world, 1);
    assert_string_equal(world->log, "one ");
    assert_int_equal(get(&queue).priority, 2);
    aloop_queue_fini(&queue);
}

static void too_large(void **state)
{
    struct world *world = *state;
    aloop_queue queue;

    assert_int_equal(aloop_priority_queue_init(&queue, world->loop, SIZE_MAX, 0, by_value),
                     -EINVAL);
    assert_int_equal(aloop_priority_queue_init(&queue, world->loop, SIZE_MAX - 30, 1, by_value),
                     -ENOMEM);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_least_comes_first),
        TEST(equals_come_in_the_order_they_went_in),
        TEST(as_a_model_says),
        TEST(items_are_compared_where_they_are_aligned),
        TEST(a_better_item_that_comes_in_time),
        TEST(too_large),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
