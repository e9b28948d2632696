#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT 4

/* Children that sleep 40, 30, 20, 10 and return 1, 2, 3, 4. */
static void start_children(struct world *world, aloop_future **children)
{
    for (int i = 0; i < COUNT; i++)
        children[i] = aloop_task_future(
            aloop_create_task_in(world->loop, sleeper, .delay = 40 - 10 * i, .value = i + 1));
}

static void drop_children(aloop_future **children)
{
    for (int i = 0; i < COUNT; i++)
        aloop_future_unref(children[i]);
}

static void results_in_the_order_of_arguments(void **state) /* S89 */
{
    struct world *world = *state;
    aloop_future *children[COUNT];
    int64_t results[COUNT] = {0};
    aloop_future *gather;

    start_children(world, children);
    gather = aloop_gather_future(world->loop, children, COUNT, results, 0);
    assert_int_equal(aloop_run_until_complete(world->loop, gather), 0);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(results[i], i + 1);
    assert_int_equal(aloop_time(world->loop), 40);
    aloop_future_unref(gather);
    drop_children(children);
}

static void the_first_failure_completes_it(void **state) /* S90, S91 */
{
    struct world *world = *state;
    aloop_future *failing[2] = {aloop_create_future(world->loop), aloop_create_future(world->loop)};
    aloop_future *child =
        aloop_task_future(aloop_create_task_in(world->loop, sleeper, .delay = 10, .value = 1));
    aloop_future *children[] = {failing[0], child, failing[1]};
    int64_t results[3] = {7, 7, 7};
    aloop_future *gather = aloop_gather_future(world->loop, children, 3, results, 0);

    assert_int_equal(aloop_future_set_exception(failing[1], -EIO), 0);
    world_turns(world, 1);
    assert_int_equal(aloop_future_result(gather), -EIO);
    assert_false(aloop_future_done(child));
    assert_false(aloop_future_cancel(gather));
    /* The others go on, and their late failures are nobody's surprise. */
    assert_int_equal(aloop_future_set_exception(failing[0], -EPIPE), 0);
    world_drain(world);
    assert_int_equal(aloop_future_result(child), 1);
    assert_int_equal(results[1], 7);
    for (int i = 0; i < 2; i++)
        aloop_future_unref(failing[i]);
    aloop_future_unref(child);
    aloop_future_unref(gather);
    assert_int_equal(world->reports, 0);
}

static void errors_as_results(void **state) /* S92 */
{
    struct world *world = *state;
    aloop_future *children[COUNT];
    int64_t results[COUNT] = {0};
    aloop_future *gather;

    start_children(world, children);
    aloop_future_unref(children[1]);
    children[1] = aloop_create_future(world->loop);
    gather = aloop_gather_future(world->loop, children, COUNT, results, ALOOP_RETURN_EXCEPTIONS);
    assert_int_equal(aloop_future_set_exception(children[1], -EIO), 0);
    assert_true(aloop_future_cancel(children[2]));
    world_turns(world, 2);
    assert_false(aloop_future_done(gather));
    assert_int_equal(aloop_run_until_complete(world->loop, gather), 0);
    assert_int_equal(results[0], 1);
    assert_int_equal(results[1], -EIO);
    assert_int_equal(results[2], -ECANCELED);
    assert_int_equal(results[3], 4);
    aloop_future_unref(gather);
    drop_children(children);
    assert_int_equal(world->reports, 0);
}

static void a_cancelled_child_is_an_error(void **state) /* S93 */
{
    struct world *world = *state;
    aloop_future *children[COUNT];
    aloop_future *gather;

    start_children(world, children);
    gather = aloop_gather_future(world->loop, children, COUNT, NULL, 0);
    world_turns(world, 1);
    aloop_future_cancel(children[1]);
    assert_int_equal(aloop_run_until_complete(world->loop, gather), -ECANCELED);
    assert_false(aloop_future_cancelled(gather));
    assert_int_equal(aloop_time(world->loop), 0);
    world_drain(world);
    assert_int_equal(aloop_future_result(children[0]), 1);
    aloop_future_unref(gather);
    drop_children(children);
}

/* P114, and S94 otherwise than there: cancelling it cancels all children, and it is done when
   all have ended. One that came back with the first would leave the others running on what the
   caller frees next. */
static void cancelling_cancels_all_and_waits_for_all(void **state)
{
    struct world *world = *state;
    aloop_future *children[3];
    aloop_future *gather;
    int64_t results[3] = {7, 7, 7};

    for (int i = 0; i < 3; i++)
        children[i] = aloop_task_future(aloop_create_task_in(
            world->loop, tidy, .delay = 50, .cleanup = 5 * (i + 1), .world = world));
    gather = aloop_gather_future(world->loop, children, 3, results, 0);
    world_turns(world, 1);
    assert_true(aloop_future_cancel(gather));
    assert_true(aloop_future_cancel(gather));
    assert_int_equal(aloop_run_until_complete(world->loop, gather), -ECANCELED);
    assert_int_equal(aloop_time(world->loop), 15);
    assert_string_equal(world->log, "cleaned cleaned cleaned ");
    for (int i = 0; i < 3; i++) {
        assert_true(aloop_future_cancelled(children[i]));
        assert_int_equal(results[i], 7);
        aloop_future_unref(children[i]);
    }
    aloop_future_unref(gather);
}

static void cancelled_even_if_the_children_swallow_it(void **state) /* S95 */
{
    struct world *world = *state;

    for (unsigned flags = 0; flags <= ALOOP_RETURN_EXCEPTIONS; flags++) {
        aloop_future *child =
            aloop_task_future(aloop_create_task_in(world->loop, stubborn, .delay = 50, .value = 3));
        aloop_future *gather = aloop_gather_future(world->loop, &child, 1, NULL, flags);

        world_turns(world, 1);
        assert_true(aloop_future_cancel(gather));
        assert_int_equal(aloop_run_until_complete(world->loop, gather), -ECANCELED);
        assert_int_equal(aloop_future_result(child), 3);
        aloop_future_unref(gather);
        aloop_future_unref(child);
    }
}

/* Nobody asks a gather that was cancelled for its result: that is no error to report. */
static void cancelled_and_forgotten(void **state)
{
    struct world *world = *state;
    aloop_future *child = aloop_create_future(world->loop);
    aloop_future *gather = aloop_gather_future(world->loop, &child, 1, NULL, 0);

    assert_true(aloop_future_cancel(gather));
    aloop_future_unref(gather);
    aloop_future_unref(child);
    world_turns(world, 2);
    assert_int_equal(world->reports, 0);
}

static void nothing_left_to_cancel(void **state) /* S96 */
{
    struct world *world = *state;
    aloop_future *child = aloop_create_future(world->loop);
    int64_t result = 0;
    aloop_future *gather = aloop_gather_future(world->loop, &child, 1, &result, 0);

    assert_int_equal(aloop_future_set_result(child, 5), 0);
    assert_false(aloop_future_done(gather));
    assert_false(aloop_future_cancel(gather));
    assert_int_equal(aloop_run_until_complete(world->loop, gather), 0);
    assert_int_equal(result, 5);
    aloop_future_unref(gather);
    aloop_future_unref(child);
}

static void the_same_one_twice(void **state) /* S97 */
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, sleeper, .delay = 5, .value = 6);
    aloop_future *twice[] = {aloop_task_future(task), aloop_task_future(task)};
    int64_t results[2] = {0, 0};
    aloop_future *gather = aloop_gather_future(world->loop, twice, 2, results, 0);

    assert_int_equal(aloop_run_until_complete(world->loop, gather), 0);
    assert_int_equal(results[0], 6);
    assert_int_equal(results[1], 6);
    aloop_future_unref(gather);
    aloop_task_unref(task);

    task = aloop_create_task_in(world->loop, sleeper, .delay = 5, .value = 6);
    twice[0] = twice[1] = aloop_task_future(task);
    gather = aloop_gather_future(world->loop, twice, 2, results, 0);
    world_turns(world, 1);
    assert_true(aloop_future_cancel(gather));
    assert_int_equal(aloop_task_cancelling(task), 1);
    world_drain(world);
    aloop_future_unref(gather);
    aloop_task_unref(task);
}

static void done_on_return(void **state) /* S98, S99 */
{
    struct world *world = *state;
    aloop_future *children[2] = {aloop_create_future(world->loop),
                                 aloop_create_future(world->loop)};
    int64_t results[2] = {0, 0};
    aloop_future *gather = aloop_gather_future(world->loop, NULL, 0, NULL, 0);

    assert_int_equal(aloop_future_result(gather), 0);
    assert_false(aloop_future_cancel(gather));
    aloop_future_unref(gather);
    assert_int_equal(aloop_future_set_result(children[0], 1), 0);
    assert_int_equal(aloop_future_set_exception(children[1], -EIO), 0);
    gather = aloop_gather_future(world->loop, children, 2, results, ALOOP_RETURN_EXCEPTIONS);
    assert_int_equal(aloop_future_result(gather), 0);
    assert_int_equal(results[0], 1);
    assert_int_equal(results[1], -EIO);
    aloop_future_unref(gather);
    gather = aloop_gather_future(world->loop, children, 2, results, 0);
    assert_int_equal(aloop_future_result(gather), -EIO);
    aloop_future_unref(gather);
    for (int i = 0; i < 2; i++)
        aloop_future_unref(children[i]);
}

struct gathers {
    ALOOP_FRAME;
    struct world *world;
    aloop_task *a;
    aloop_task *b;
    aloop_future *c;
    aloop_future *list[2];
    int64_t *results; /* not NULL: by array */
    aloop_ns limit;
};

ALOOP_CORO(gathers)
{
    ALOOP_BEGIN;
    self->list[0] = aloop_task_future(self->a);
    self->list[1] = aloop_task_future(self->b);
    if (self->limit > 0)
        ALOOP_AWAIT(aloop_wait_for(aloop_gather_op(self->list, 2, self->results, 0), self->limit));
    else if (self->results != NULL)
        ALOOP_AWAIT(aloop_gather_op(self->list, 2, self->results, 0));
    else
        ALOOP_AWAIT(aloop_gather(self->a, self->b, self->c));
    world_mark(self->world, aloop_error_name(self->result));
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

static void awaited(void **state)
{
    struct world *world = *state;
    aloop_task *a = aloop_create_task_in(world->loop, sleeper, .delay = 5, .value = 10);
    aloop_task *b = aloop_create_task_in(world->loop, sleeper, .delay = 3, .value = 20);
    aloop_future *c = aloop_create_future(world->loop);
    int64_t results[2] = {0, 0};

    assert_int_equal(aloop_future_set_result(c, 1), 0);
    assert_int_equal(aloop_run_in(world->loop, gathers, .world = world, .a = a, .b = b, .c = c), 0);
    assert_int_equal(aloop_task_result(a) + aloop_task_result(b), 30);
    assert_int_equal(
        aloop_run_in(world->loop, gathers, .world = world, .a = a, .b = b, .results = results), 0);
    assert_int_equal(results[0], 10);
    assert_int_equal(results[1], 20);
    aloop_task_unref(a);
    aloop_task_unref(b);
    aloop_future_unref(c);
}

/* When an await returns the library holds no pointer into the caller's memory: the array of
   results is not written after the gathering task was cancelled, or its time was up. */
static void the_array_is_the_callers_again(void **state)
{
    struct world *world = *state;

    for (int i = 0; i < 3; i++) {
        int64_t *results = malloc(2 * sizeof *results);
        aloop_task *a = aloop_create_task_in(world->loop, stubborn, .delay = 50, .value = 1);
        aloop_task *b =
            aloop_create_task_in(world->loop, stubborn, .delay = 60, .cleanup = 5, .value = 2);
        aloop_task *task =
            aloop_create_task_in(world->loop, gathers, .world = world, .a = a, .b = b,
                                 .results = results, .limit = i == 2 ? 10 : 0);

        assert_non_null(results);
        world_turns(world, i == 0 ? 0 : 1);
        if (i < 2)
            aloop_task_cancel(task);
        assert_int_equal(aloop_run_until_complete(world->loop, task),
                         i == 2 ? -ETIMEDOUT : -ECANCELED);
        free(results);
        world_drain(world);
        assert_int_equal(aloop_task_result(a), 1);
        assert_int_equal(aloop_task_result(b), 2);
        aloop_task_unref(task);
        aloop_task_unref(a);
        aloop_task_unref(b);
    }
}

/* The time is up, or the gathering task is cancelled, when all children are done and the gather
   only waits for its turn to say so. */
static void all_done_but_not_told(void **state)
{
    struct world *world = *state;

    for (int i = 0; i < 2; i++) {
        int64_t results[2] = {0, 0};
        aloop_task *a = aloop_create_task_in(world->loop, sleeper, .delay = 10, .value = 1);
        aloop_task *b = aloop_create_task_in(world->loop, sleeper, .delay = 10, .value = 2);
        aloop_task *task =
            aloop_create_task_in(world->loop, gathers, .world = world, .a = a, .b = b,
                                 .results = results, .limit = i == 0 ? 10 : 0);

        world_turns(world, 1);
        assert_true(aloop_run_once(world->loop, ALOOP_NEVER) > 0);
        assert_true(aloop_task_done(a) && aloop_task_done(b));
        assert_false(aloop_task_done(task));
        if (i == 1)
            assert_true(aloop_task_cancel(task));
        assert_int_equal(aloop_run_until_complete(world->loop, task), i == 0 ? 0 : -ECANCELED);
        if (i == 0)
            assert_int_equal(results[1], 2);
        aloop_task_unref(task);
        aloop_task_unref(a);
        aloop_task_unref(b);
    }
}

static void cancel_it(aloop *loop, void *arg)
{
    (void)loop;
    assert_true(aloop_task_cancel(arg));
}

/* The children are done, then the gathering task is cancelled, and it runs before the gather that
   has yet to say that it is done: that must not write to the array any more. */
static void cancelled_between_the_children_and_their_gather(void **state)
{
    struct world *world = *state;
    int64_t *results = malloc(2 * sizeof *results);
    aloop_task *tasks[2];
    aloop_task *task;

    assert_non_null(results);
    for (int i = 0; i < 2; i++)
        tasks[i] = aloop_create_task_in(world->loop, sleeper, .delay = 10);
    world_turns(world, 1);
    task = aloop_create_task_in(world->loop, gathers, .world = world, .a = tasks[0], .b = tasks[1],
                                .results = results, .limit = 10);
    assert_true(aloop_call_later(world->loop, 10, cancel_it, task) > 0);
    world_turns(world, 1);
    assert_int_equal(aloop_run_once(world->loop, 10), 4);
    assert_true(aloop_task_cancelled(task));
    free(results);
    world_drain(world);
    aloop_task_unref(task);
    for (int i = 0; i < 2; i++)
        aloop_task_unref(tasks[i]);
}

static void of_gathers(void **state)
{
    struct world *world = *state;
    aloop_future *children[COUNT];
    aloop_future *pairs[2];
    aloop_future *gather;

    for (int i = 0; i < 2; i++) {
        start_children(world, children);
        pairs[0] = aloop_gather_future(world->loop, children, 2, NULL, 0);
        pairs[1] = aloop_gather_future(world->loop, children + 2, 2, NULL, 0);
        gather = aloop_gather_future(world->loop, pairs, 2, NULL, 0);
        aloop_future_unref(pairs[0]);
        aloop_future_unref(pairs[1]);
        world_turns(world, 1);
        if (i == 1)
            assert_true(aloop_future_cancel(gather));
        assert_int_equal(aloop_run_until_complete(world->loop, gather), i == 0 ? 0 : -ECANCELED);
        for (int j = 0; j < COUNT; j++)
            assert_int_equal(aloop_future_result(children[j]), i == 0 ? j + 1 : -ECANCELED);
        aloop_future_unref(gather);
        drop_children(children);
    }
}

static void the_loop_is_closed(void **state) /* P124 */
{
    struct world *world = *state;
    aloop_future *children[COUNT];
    aloop_future *gathers[3];

    start_children(world, children);
    for (int i = 0; i < 3; i++)
        gathers[i] = aloop_gather_future(world->loop, children, COUNT, NULL, 0);
    world_turns(world, 1);
    assert_true(aloop_future_cancel(gathers[1]));
    aloop_future_unref(gathers[2]);
    drop_children(children);
    assert_int_equal(aloop_close(world->loop), 0);
    assert_int_equal(aloop_future_result(gathers[0]), -ALOOP_EPENDING);
    aloop_future_unref(gathers[0]);
    aloop_future_unref(gathers[1]);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(results_in_the_order_of_arguments),
        TEST(the_first_failure_completes_it),
        TEST(errors_as_results),
        TEST(a_cancelled_child_is_an_error),
        TEST(cancelling_cancels_all_and_waits_for_all),
        TEST(cancelled_even_if_the_children_swallow_it),
        TEST(cancelled_and_forgotten),
        TEST(nothing_left_to_cancel),
        TEST(the_same_one_twice),
        TEST(done_on_return),
        TEST(awaited),
        TEST(the_array_is_the_callers_again),
        TEST(all_done_but_not_told),
        TEST(cancelled_between_the_children_and_their_gather),
        TEST(of_gathers),
        TEST(the_loop_is_closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
