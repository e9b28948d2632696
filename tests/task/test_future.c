#include "world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void pending_at_first(void **state) /* S50 */
{
    struct world *world = *state;
    aloop_future *future = aloop_create_future(world->loop);

    assert_false(aloop_future_done(future));
    assert_false(aloop_future_cancelled(future));
    assert_int_equal(aloop_future_result(future), -ALOOP_EPENDING);
    assert_int_equal(aloop_future_exception(future), -ALOOP_EPENDING);
    assert_ptr_equal(aloop_future_loop(future), world->loop);
    aloop_future_unref(future);
}

static void done_once(void **state) /* S50, S51 */
{
    struct world *world = *state;
    aloop_future *future = aloop_create_future(world->loop);

    assert_int_equal(aloop_future_set_result(future, INT64_C(1) << 40), 0);
    assert_true(aloop_future_done(future));
    assert_int_equal(aloop_future_set_result(future, 2), -ALOOP_EDONE);
    assert_int_equal(aloop_future_set_exception(future, -EIO), -ALOOP_EDONE);
    assert_false(aloop_future_cancel(future));
    assert_int_equal(aloop_future_result(future), INT64_C(1) << 40);
    assert_int_equal(aloop_future_exception(future), 0);
    aloop_future_unref(future);

    future = aloop_create_future(world->loop);
    assert_int_equal(aloop_future_set_exception(future, -EIO), 0);
    assert_int_equal(aloop_future_set_result(future, 2), -ALOOP_EDONE);
    assert_false(aloop_future_cancelled(future));
    assert_int_equal(aloop_future_result(future), -EIO);
    assert_int_equal(aloop_future_exception(future), -EIO);
    aloop_future_unref(future);
}

static void cancelled_once(void **state) /* S50, S51, S56 */
{
    struct world *world = *state;
    aloop_future *future = aloop_create_future(world->loop);

    assert_true(aloop_future_cancel(future));
    assert_false(aloop_future_cancel(future));
    assert_true(aloop_future_done(future));
    assert_true(aloop_future_cancelled(future));
    assert_int_equal(aloop_future_set_result(future, 1), -ALOOP_EDONE);
    assert_int_equal(aloop_future_set_exception(future, -EIO), -ALOOP_EDONE);
    assert_int_equal(aloop_future_result(future), -ECANCELED);
    assert_int_equal(aloop_future_exception(future), -ECANCELED);
    aloop_future_unref(future);
}

static void wrong_side_of_zero(void **state)
{
    struct world *world = *state;
    aloop_future *future = aloop_create_future(world->loop);

    assert_int_equal(aloop_future_set_result(future, -1), -EINVAL);
    assert_int_equal(aloop_future_set_exception(future, 0), -EINVAL);
    assert_int_equal(aloop_future_set_exception(future, 7), -EINVAL);
    /* It would read as "not yet". */
    assert_int_equal(aloop_future_set_exception(future, ALOOP_PENDING), -EINVAL);
    assert_false(aloop_future_done(future));
    aloop_future_unref(future);
}

static void never_retrieved_is_reported_once(void **state) /* S57, P118 */
{
    struct world *world = *state;
    aloop_future *future = aloop_create_future(world->loop);

    /* Without the report, an error that nobody waits for would be lost without a trace. */
    aloop_future_ref(future);
    assert_int_equal(aloop_future_set_exception(future, -EIO), 0);
    aloop_future_unref(future);
    assert_int_equal(world->reports, 0);
    aloop_future_unref(future);
    assert_int_equal(world->reports, 1);
    assert_int_equal(world->error, -EIO);
    assert_string_equal(world->message, "future exception was never retrieved");
}

static void retrieved_is_not_reported(void **state) /* S58 */
{
    struct world *world = *state;
    aloop_future *future = aloop_create_future(world->loop);

    assert_int_equal(aloop_future_set_exception(future, -EIO), 0);
    assert_int_equal(aloop_future_exception(future), -EIO);
    aloop_future_unref(future);
    future = aloop_create_future(world->loop);
    assert_true(aloop_future_cancel(future));
    aloop_future_unref(future);
    future = aloop_create_future(world->loop);
    assert_int_equal(aloop_future_set_result(future, 0), 0);
    aloop_future_unref(future);
    aloop_future_unref(NULL);
    assert_int_equal(world->reports, 0);
}

static void keep_in_handler(aloop *loop, const aloop_exception_context *context, void *arg)
{
    (void)loop;
    *(aloop_future **)arg = aloop_future_ref(context->future);
}

/* The handler is given a live future, and may keep it; it is not reported again. */
static void handler_may_keep_it(void **state)
{
    struct world *world = *state;
    aloop_future *kept = NULL;
    aloop_future *future = aloop_create_future(world->loop);

    aloop_set_exception_handler(world->loop, keep_in_handler, &kept);
    assert_int_equal(aloop_future_set_exception(future, -EIO), 0);
    aloop_future_unref(future);
    assert_ptr_equal(kept, future);
    assert_int_equal(aloop_future_result(kept), -EIO);
    aloop_future_unref(kept);
}

static void done_does_not_suspend(void **state) /* S62 */
{
    struct world *world = *state;
    aloop_future *future = aloop_create_future(world->loop);
    int64_t out = 0;
    aloop_task *task;

    assert_int_equal(aloop_future_set_result(future, 5), 0);
    task = aloop_create_task_in(world->loop, joiner, .future = future, .out = &out);
    world_turns(world, 1);
    assert_true(aloop_task_done(task));
    assert_int_equal(out, 5);
    aloop_task_unref(task);
    aloop_future_unref(future);
}

static void all_who_wait_are_woken_in_order(void **state) /* S63 */
{
    static const char *const words[] = {"a", "b", "c"};
    struct world *world = *state;
    aloop_future *future = aloop_create_future(world->loop);

    for (size_t i = 0; i < 3; i++)
        aloop_task_unref(aloop_create_task_in(world->loop, joiner, .future = future, .world = world,
                                              .word = words[i]));
    world_turns(world, 1);
    assert_int_equal(aloop_future_set_result(future, 5), 0);
    assert_string_equal(world->log, "");
    world_turns(world, 1);
    assert_string_equal(world->log, "a b c ");
    aloop_future_unref(future);
}

/* The program drops a pending future for which tasks wait: they keep it. */
static void waiting_keeps_it(void **state)
{
    struct world *world = *state;
    aloop_future *future = aloop_create_future(world->loop);
    int64_t out = 0;
    aloop_task *task = aloop_create_task_in(world->loop, joiner, .future = future, .out = &out);

    world_turns(world, 1);
    aloop_future_unref(future);
    assert_false(aloop_task_done(task));
    assert_true(aloop_task_cancel(task));
    world_turns(world, 1);
    assert_int_equal(out, -ECANCELED);
    aloop_task_unref(task);
}

/* S61: who waited was cancelled. Completing the future later is no error, and reaches nobody. */
static void late_completion(void **state)
{
    struct world *world = *state;
    aloop_future *future = aloop_create_future(world->loop);
    int64_t out = 0;
    aloop_future *shield = aloop_shield_future(future);
    aloop_task *waits = aloop_create_task_in(world->loop, joiner, .future = shield, .out = &out);

    world_turns(world, 1);
    aloop_task_cancel(waits);
    world_turns(world, 2);
    assert_int_equal(out, -ECANCELED);
    assert_int_equal(aloop_future_set_result(future, 1), 0);
    world_turns(world, 2);
    assert_int_equal(out, -ECANCELED);
    aloop_task_unref(waits);
    aloop_future_unref(shield);
    aloop_future_unref(future);
}

static void count_calls(aloop_future *future, void *arg)
{
    (void)future;
    ++*(int *)arg;
}

/*
 * Futures outlive their loop. One that is completed after the loop was closed drops its callbacks;
 * without that it would write to the ready queue of a loop that has none any more.
 */
static void after_the_loop_was_closed(void **state)
{
    struct world *world = *state;
    aloop_future *pending = aloop_create_future(world->loop);
    aloop_future *done = aloop_create_future(world->loop);
    aloop_future *cancelled = aloop_create_future(world->loop);
    aloop_future *late;
    int calls = 0;

    assert_int_equal(aloop_future_add_done_callback(pending, count_calls, &calls), 0);
    assert_int_equal(aloop_future_add_done_callback(cancelled, count_calls, &calls), 0);
    assert_int_equal(aloop_future_add_done_callback(done, count_calls, &calls), 0);
    assert_int_equal(aloop_future_set_result(done, 3), 0);
    assert_int_equal(aloop_close(world->loop), 0);
    assert_int_equal(aloop_future_result(done), 3);
    assert_int_equal(aloop_future_result(pending), -ALOOP_EPENDING);
    assert_int_equal(aloop_future_set_result(pending, 4), 0);
    assert_int_equal(aloop_future_result(pending), 4);
    assert_true(aloop_future_cancel(cancelled));
    assert_int_equal(aloop_future_add_done_callback(done, count_calls, &calls), -ALOOP_ECLOSED);
    assert_int_equal(calls, 0);

    late = aloop_create_future(world->loop);
    assert_int_equal(aloop_future_result(late), -ALOOP_ECLOSED);
    assert_null(aloop_future_loop(late));
    aloop_future_unref(late);
    aloop_future_unref(pending);
    aloop_future_unref(done);
    aloop_future_unref(cancelled);
}

/* Those that stand for a failure can be used like any other, by any number of users. */
static void stand_ins(void **state)
{
    struct world *world = *state;
    aloop_future *future = aloop_create_future(NULL);
    aloop_future *gather;
    int64_t out = 0;
    aloop_task *task;
    int calls = 0;

    assert_int_equal(aloop_future_result(future), -ALOOP_ENOLOOP);
    gather = aloop_gather_future(NULL, NULL, 0, NULL, 0);
    assert_int_equal(aloop_future_result(gather), -ALOOP_ENOLOOP);
    aloop_future_unref(gather);

    aloop_future_unref(future);

    assert_true(aloop_future_done(aloop_create_future(NULL)));
    future = aloop_create_future(NULL);
    assert_int_equal(aloop_future_add_done_callback(future, count_calls, &calls), -ALOOP_ENOLOOP);
    assert_int_equal(aloop_future_remove_done_callback(future, count_calls, &calls), 0);
    assert_int_equal(aloop_future_set_result(future, 1), -ALOOP_EDONE);
    assert_false(aloop_future_cancel(future));
    assert_ptr_equal(aloop_future_ref(future), future);
    aloop_future_unref(future);
    assert_int_equal(aloop_run_until_complete(world->loop, future), -ALOOP_ENOLOOP);
    task = aloop_create_task_in(world->loop, joiner, .future = future, .out = &out);
    world_turns(world, 1);
    assert_int_equal(out, -ALOOP_ENOLOOP);
    assert_int_equal(aloop_task_result(task), -ALOOP_ENOLOOP);
    aloop_task_unref(task);
    aloop_future_unref(future);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pending_at_first),
        TEST(done_once),
        TEST(cancelled_once),
        TEST(wrong_side_of_zero),
        TEST(never_retrieved_is_reported_once),
        TEST(retrieved_is_not_reported),
        TEST(handler_may_keep_it),
        TEST(done_does_not_suspend),
        TEST(all_who_wait_are_woken_in_order),
        TEST(waiting_keeps_it),
        TEST(late_completion),
        TEST(after_the_loop_was_closed),
        TEST(stand_ins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
