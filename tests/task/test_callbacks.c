#include "world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct caller {
    struct world *world;
    const char *word;
    aloop_future *other; /* what the callback does something to */
    struct caller *next;
};

static void mark(aloop_future *future, void *arg)
{
    struct caller *caller = arg;

    assert_true(aloop_future_done(future));
    world_mark(caller->world, caller->word);
}

static void add(aloop_future *future, aloop_done_callback *callback, struct caller *caller)
{
    assert_int_equal(aloop_future_add_done_callback(future, callback, caller), 0);
}

static void never_inside_the_call_that_completes(void **state) /* S52 */
{
    struct world *world = *state;
    aloop_future *future = aloop_create_future(world->loop);
    struct caller a = {world, "a", NULL, NULL}, b = {world, "b", NULL, NULL};

    add(future, mark, &a);
    add(future, mark, &b);
    assert_int_equal(aloop_future_set_result(future, 1), 0);
    assert_string_equal(world->log, "");
    world_turns(world, 1);
    assert_string_equal(world->log, "a b ");
    world_turns(world, 2);
    assert_string_equal(world->log, "a b ");
    aloop_future_unref(future);
}

static void for_errors_and_cancellations_too(void **state) /* S52, S56 */
{
    struct world *world = *state;
    aloop_future *failing = aloop_create_future(world->loop);
    aloop_future *cancelled = aloop_create_future(world->loop);
    struct caller a = {world, "a", NULL, NULL}, b = {world, "b", NULL, NULL};

    add(failing, mark, &a);
    add(cancelled, mark, &b);
    assert_int_equal(aloop_future_set_exception(failing, -EIO), 0);
    assert_true(aloop_future_cancel(cancelled));
    assert_string_equal(world->log, "");
    world_turns(world, 1);
    assert_string_equal(world->log, "a b ");
    /* S59: being told that it is done is not looking at the error. */
    assert_int_equal(world->reports, 0);
    aloop_future_unref(failing);
    assert_int_equal(world->reports, 1);
    aloop_future_unref(cancelled);
    assert_int_equal(world->reports, 1);
}

static void added_when_done(void **state) /* S53 */
{
    struct world *world = *state;
    aloop_future *future = aloop_create_future(world->loop);
    struct caller a = {world, "a", NULL, NULL};

    assert_int_equal(aloop_future_set_result(future, 1), 0);
    add(future, mark, &a);
    assert_string_equal(world->log, "");
    /* It is kept until its callback has run. */
    aloop_future_unref(future);
    world_turns(world, 1);
    assert_string_equal(world->log, "a ");
}

static void twice_and_removed(void **state) /* S54 */
{
    struct world *world = *state;
    aloop_future *future = aloop_create_future(world->loop);
    struct caller a = {world, "a", NULL, NULL}, b = {world, "b", NULL, NULL};

    add(future, mark, &a);
    add(future, mark, &b);
    add(future, mark, &a);
    assert_int_equal(aloop_future_remove_done_callback(future, mark, &a), 2);
    assert_int_equal(aloop_future_remove_done_callback(future, mark, &a), 0);
    add(future, mark, &b);
    assert_int_equal(aloop_future_set_result(future, 1), 0);
    /* They are due by now. */
    assert_int_equal(aloop_future_remove_done_callback(future, mark, &b), 0);
    world_turns(world, 1);
    assert_string_equal(world->log, "b b ");
    aloop_future_unref(future);
}

/* Removing one's callback leaves the tasks that wait for the same future alone. */
static void removing_leaves_tasks(void **state)
{
    struct world *world = *state;
    aloop_future *future = aloop_create_future(world->loop);
    struct caller a = {world, "a", NULL, NULL};
    int64_t out = 0;
    aloop_task *task = aloop_create_task_in(world->loop, joiner, .future = future, .out = &out);

    add(future, mark, &a);
    world_turns(world, 1);
    assert_int_equal(aloop_future_remove_done_callback(future, mark, &a), 1);
    assert_int_equal(aloop_future_set_result(future, 9), 0);
    world_turns(world, 1);
    assert_int_equal(out, 9);
    assert_string_equal(world->log, "");
    aloop_task_unref(task);
    aloop_future_unref(future);
}

static void change_the_list(aloop_future *future, void *arg)
{
    struct caller *caller = arg;

    world_mark(caller->world, caller->word);
    /* The second is due as well: it runs all the same. */
    assert_int_equal(aloop_future_remove_done_callback(future, mark, caller->next), 0);
    add(future, mark, caller->next);
    assert_false(aloop_future_cancel(future));
    assert_int_equal(aloop_future_set_result(future, 7), -ALOOP_EDONE);
}

/* S55: a callback changes the list of callbacks that is being worked off. Walking that list
   while user code runs would be a use after free. */
static void list_changed_by_a_callback(void **state)
{
    struct world *world = *state;
    aloop_future *future = aloop_create_future(world->loop);
    struct caller b = {world, "b", NULL, NULL}, a = {world, "a", NULL, &b};

    add(future, change_the_list, &a);
    add(future, mark, &b);
    assert_int_equal(aloop_future_set_result(future, 1), 0);
    world_turns(world, 1);
    assert_string_equal(world->log, "a b ");
    world_turns(world, 1);
    assert_string_equal(world->log, "a b b ");
    aloop_future_unref(future);
}

static void drop_last(aloop_future *future, void *arg)
{
    struct caller *caller = arg;

    world_mark(caller->world, caller->word);
    if (caller->other != NULL)
        aloop_future_unref(caller->other);
    caller->other = NULL;
    assert_int_equal(aloop_future_result(future), 1);
}

/* A callback drops the last reference of its own future, while another callback is still to run. */
static void last_reference_dropped_by_a_callback(void **state)
{
    struct world *world = *state;
    aloop_future *future = aloop_create_future(world->loop);
    struct caller a = {world, "a", future, NULL}, b = {world, "b", NULL, NULL};

    add(future, drop_last, &a);
    add(future, drop_last, &b);
    assert_int_equal(aloop_future_set_result(future, 1), 0);
    world_turns(world, 1);
    assert_string_equal(world->log, "a b ");
}

static void cancel_other(aloop_future *future, void *arg)
{
    struct caller *caller = arg;

    (void)future;
    world_mark(caller->world, caller->word);
    assert_true(aloop_future_cancel(caller->other));
}

static void one_future_cancels_the_next(void **state)
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, sleeper, .delay = ALOOP_SEC(1));
    aloop_future *future = aloop_create_future(world->loop);
    struct caller a = {world, "a", NULL, NULL}, b = {world, "b", NULL, NULL};

    a.other = aloop_task_future(task);
    add(future, cancel_other, &a);
    add(aloop_task_future(task), mark, &b);
    world_turns(world, 1);
    assert_int_equal(aloop_future_set_result(future, 1), 0);
    world_turns(world, 1);
    assert_string_equal(world->log, "a ");
    assert_false(aloop_task_done(task));
    world_turns(world, 2);
    assert_string_equal(world->log, "a b ");
    assert_true(aloop_task_cancelled(task));
    assert_int_equal(aloop_time(world->loop), 0);
    aloop_task_unref(task);
    aloop_future_unref(future);
}

static void dropped_with_the_last_reference(void **state)
{
    struct world *world = *state;
    aloop_future *future = aloop_create_future(world->loop);
    struct caller a = {world, "a", NULL, NULL};

    add(future, mark, &a);
    aloop_future_unref(future);
    world_turns(world, 2);
    assert_string_equal(world->log, "");
}

/* P124: what is queued and what is still waiting is dropped with the loop; the accounts of the
   allocator, when the world ends, say that nothing is left. */
static void dropped_with_the_loop(void **state)
{
    struct world *world = *state;
    aloop_future *queued = aloop_create_future(world->loop);
    aloop_future *pending = aloop_create_future(world->loop);
    struct caller a = {world, "a", NULL, NULL};

    for (int i = 0; i < 100; i++) {
        add(queued, mark, &a);
        add(pending, mark, &a);
    }
    assert_int_equal(aloop_future_set_result(queued, 1), 0);
    aloop_future_unref(queued);
    assert_int_equal(aloop_close(world->loop), 0);
    assert_int_equal(aloop_future_remove_done_callback(pending, mark, &a), 100);
    aloop_future_unref(pending);
    assert_string_equal(world->log, "");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(never_inside_the_call_that_completes),
        TEST(for_errors_and_cancellations_too),
        TEST(added_when_done),
        TEST(twice_and_removed),
        TEST(removing_leaves_tasks),
        TEST(list_changed_by_a_callback),
        TEST(last_reference_dropped_by_a_callback),
        TEST(one_future_cancels_the_next),
        TEST(dropped_with_the_last_reference),
        TEST(dropped_with_the_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
