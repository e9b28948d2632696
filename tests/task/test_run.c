#include "world.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void stop_it(aloop *loop, void *arg)
{
    (void)arg;
    aloop_stop(loop);
}

static void until_complete(void **state)
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, sleeper, .delay = 20, .value = 3);

    assert_int_equal(aloop_run_until_complete(world->loop, task), 3);
    assert_int_equal(aloop_run_until_complete(world->loop, aloop_task_future(task)), 3);
    assert_int_equal(aloop_time(world->loop), 20);
    aloop_task_unref(task);
}

static void stopped_before(void **state) /* S19 */
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, sleeper, .delay = 20, .value = 3);

    assert_true(aloop_call_later(world->loop, 10, stop_it, NULL) > 0);
    assert_int_equal(aloop_run_until_complete(world->loop, task), -ALOOP_ESTOPPED);
    assert_int_equal(aloop_run_until_complete(world->loop, task), 3);
    aloop_task_unref(task);
}

struct stops {
    ALOOP_FRAME;
};

ALOOP_CORO(stops)
{
    ALOOP_BEGIN;
    aloop_stop(aloop_get_running_loop());
    ALOOP_RETURN(4);
    ALOOP_END;
}

static void count_up(aloop *loop, void *arg)
{
    int *count = arg;

    if (++*count == 3)
        aloop_stop(loop);
    else
        assert_true(aloop_call_soon(loop, count_up, arg) > 0);
}

/* S24: a run that ended otherwise leaves nothing behind that would stop a later one too early. */
static void no_stale_stop(void **state)
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, stops);
    aloop_future *future = aloop_create_future(world->loop);
    int count = 0;

    /* The task is done in the turn that is stopped, and the run's own stop is queued behind it. */
    assert_int_equal(aloop_run_until_complete(world->loop, task), 4);
    assert_true(aloop_call_soon(world->loop, count_up, &count) > 0);
    assert_int_equal(aloop_run_forever(world->loop), 0);
    assert_int_equal(count, 3);
    count = 0;
    assert_true(aloop_call_soon(world->loop, stop_it, NULL) > 0);
    assert_int_equal(aloop_run_until_complete(world->loop, future), -ALOOP_ESTOPPED);
    assert_int_equal(aloop_future_set_result(future, 1), 0);
    assert_true(aloop_call_soon(world->loop, count_up, &count) > 0);
    assert_int_equal(aloop_run_forever(world->loop), 0);
    assert_int_equal(count, 3);
    aloop_task_unref(task);
    aloop_future_unref(future);
}

/* S24: its error was given to who ran it, and is not reported again. */
static void its_error_counts_as_retrieved(void **state)
{
    struct world *world = *state;
    aloop_future *future = aloop_create_future(world->loop);

    assert_int_equal(aloop_future_set_exception(future, -EIO), 0);
    assert_int_equal(aloop_run_until_complete(world->loop, future), -EIO);
    aloop_future_unref(future);
    assert_int_equal(world->reports, 0);
}

static void mark_done(aloop_future *future, void *arg)
{
    (void)future;
    world_mark(arg, "callback");
}

/* The done callbacks that were added before run before the run is over. */
static void callbacks_run_first(void **state)
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, sleeper, .delay = 1);

    assert_int_equal(aloop_future_add_done_callback(aloop_task_future(task), mark_done, world), 0);
    assert_int_equal(aloop_run_until_complete(world->loop, task), 0);
    assert_string_equal(world->log, "callback ");
    aloop_task_unref(task);
}

static void nothing_can_happen(void **state)
{
    struct world *world = *state;
    aloop_future *future = aloop_create_future(world->loop);

    assert_int_equal(aloop_run_until_complete(world->loop, future), -EDEADLK);
    assert_false(aloop_future_done(future));
    aloop_future_unref(future);
}

struct nested {
    ALOOP_FRAME;
    aloop *other;
    int64_t *out;
};

ALOOP_CORO(nested)
{
    ALOOP_BEGIN;
    self->out[0] = aloop_run(sleeper);
    self->out[1] = aloop_run_in(aloop_get_running_loop(), sleeper);
    self->out[2] = aloop_run_in(self->other, sleeper);
    self->out[3] = aloop_shutdown(aloop_get_running_loop());
    self->out[4] = aloop_shutdown(self->other);
    self->out[5] = aloop_run_until_complete(aloop_get_running_loop(), aloop_current_task());
    ALOOP_AWAIT(aloop_sleep(1));
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

static void not_inside_a_running_loop(void **state) /* S20, S21, S153 */
{
    struct world *world = *state;
    struct world other;
    int64_t out[6] = {0};

    world_open(&other, NULL);
    assert_int_equal(aloop_run_in(world->loop, nested, .other = other.loop, .out = out), 0);
    for (int i = 0; i < 6; i++)
        assert_int_equal(out[i], -EBUSY);
    assert_null(aloop_get_running_loop());
    assert_int_equal(aloop_all_tasks(other.loop, NULL, 0), 0);
    world_close(&other);
}

struct leaver {
    ALOOP_FRAME;
    struct world *world;
    int64_t value;
};

ALOOP_CORO(leaver)
{
    ALOOP_BEGIN;
    for (int i = 0; i < 2; i++)
        aloop_task_unref(aloop_create_task(tidy, .delay = 50, .cleanup = 5, .world = self->world));
    ALOOP_AWAIT(aloop_sleep(0));
    /* And this one has not run when that happens. */
    aloop_task_unref(aloop_create_task(tidy, .delay = 50, .cleanup = 5, .world = self->world));
    ALOOP_RETURN(self->value);
    ALOOP_END;
}

static void tasks_left_are_ended_in_good_order(void **state) /* S154 */
{
    struct world *world = *state;

    assert_int_equal(aloop_run_in(world->loop, leaver, .world = world, .value = 8), 8);
    assert_string_equal(world->log, "cleaned cleaned cleaned ");
    assert_int_equal(aloop_time(world->loop), 5);
    assert_int_equal(aloop_all_tasks(world->loop, NULL, 0), 0);
}

struct fails_late {
    ALOOP_FRAME;
};

ALOOP_CORO(fails_late)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_sleep(50));
    ALOOP_RETURN(self->result == -ECANCELED ? -EPIPE : 0);
    ALOOP_END;
}

static void errors_while_shutting_down_are_reported(void **state) /* S154 */
{
    struct world *world = *state;

    aloop_task_unref(aloop_create_task_in(world->loop, fails_late));
    world_turns(world, 1);
    assert_int_equal(aloop_shutdown(world->loop), 0);
    assert_int_equal(world->reports, 1);
    assert_int_equal(world->error, -EPIPE);
    assert_string_equal(world->name, "fails_late");
}

static void callbacks_of_the_last_tasks_run(void **state)
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, sleeper, .delay = 1);

    assert_int_equal(aloop_future_add_done_callback(aloop_task_future(task), mark_done, world), 0);
    assert_int_equal(aloop_shutdown(world->loop), 0);
    assert_string_equal(world->log, "callback ");
    aloop_task_unref(task);
}

struct breeder {
    ALOOP_FRAME;
    struct world *world;
    int generations;
};

ALOOP_CORO(breeder)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_sleep(50));
    world_mark(self->world, aloop_error_name(self->result));
    if (self->generations > 0)
        aloop_task_unref(
            aloop_create_task(breeder, .world = self->world, .generations = self->generations - 1));
    ALOOP_END;
}

/* Tasks that are created while the loop is shutting down are told to end at birth. */
static void created_while_shutting_down(void **state)
{
    struct world *world = *state;

    aloop_task_unref(aloop_create_task_in(world->loop, breeder, .world = world, .generations = 2));
    world_turns(world, 1);
    assert_int_equal(aloop_shutdown(world->loop), 0);
    assert_string_equal(world->log, "ECANCELED ECANCELED ECANCELED ");
    assert_int_equal(aloop_time(world->loop), 0);
    /* Not for ever. */
    assert_int_equal(aloop_run_in(world->loop, sleeper, .delay = 1, .value = 2), 2);
}

struct goes_on {
    ALOOP_FRAME;
    struct world *world;
};

ALOOP_CORO(goes_on)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_sleep(50));
    world_mark(self->world, aloop_error_name(self->result));
    ALOOP_AWAIT(aloop_sleep(30));
    world_mark(self->world, aloop_error_name(self->result));
    ALOOP_RETURN(1);
    ALOOP_END;
}

/* One that swallows the request is told once, and waited for. */
static void swallowed_while_shutting_down(void **state)
{
    struct world *world = *state;

    aloop_task_unref(aloop_create_task_in(world->loop, goes_on, .world = world));
    world_turns(world, 1);
    assert_int_equal(aloop_shutdown(world->loop), 0);
    assert_string_equal(world->log, "ECANCELED OK ");
    assert_int_equal(aloop_time(world->loop), 30);
}

struct hopeless {
    ALOOP_FRAME;
    aloop_future *future;
};

ALOOP_CORO(hopeless)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_shield(self->future));
    ALOOP_AWAIT(aloop_shield(self->future));
    ALOOP_END;
}

/* A shutdown that fails can be tried again, and tells again. */
static void shutting_down_twice(void **state)
{
    struct world *world = *state;
    aloop_future *future = aloop_create_future(world->loop);
    aloop_task *task = aloop_create_task_in(world->loop, hopeless, .future = future);

    world_turns(world, 1);
    assert_int_equal(aloop_shutdown(world->loop), -EDEADLK);
    assert_false(aloop_task_done(task));
    assert_int_equal(aloop_shutdown(world->loop), 0);
    assert_true(aloop_task_done(task));
    assert_int_equal(aloop_shutdown(world->loop), 0);
    aloop_task_unref(task);
    aloop_future_unref(future);
}

static void several_runs_on_one_loop(void **state) /* S157 */
{
    struct world *world = *state;

    for (int i = 0; i < 3; i++)
        assert_int_equal(aloop_run_in(world->loop, sleeper, .delay = 5, .value = i), i);
    assert_int_equal(aloop_time(world->loop), 15);
    assert_int_equal(aloop_close(world->loop), 0);
    assert_int_equal(aloop_close(world->loop), 0);
    assert_int_equal(aloop_run_in(world->loop, sleeper), -ALOOP_ECLOSED);
    assert_int_equal(aloop_shutdown(world->loop), -ALOOP_ECLOSED);
}

struct keeper {
    ALOOP_FRAME;
    aloop **out;
    int64_t value;
};

ALOOP_CORO(keeper)
{
    ALOOP_BEGIN;
    if (self->out != NULL)
        *self->out = aloop_ref(aloop_get_running_loop());
    ALOOP_RETURN(self->value);
    ALOOP_END;
}

static void a_program_of_its_own(void **state)
{
    aloop *kept = NULL;

    (void)state;
    assert_int_equal(aloop_run(keeper, .value = 6), 6);
    assert_int_equal(aloop_run(keeper, .value = -EIO), -EIO);
    /* Cut to what main() can return. */
    assert_int_equal(aloop_run(keeper, .value = INT64_C(1) << 40), INT_MAX);
    assert_int_equal(aloop_run(keeper, .value = -(INT64_C(1) << 40)), INT_MIN);
    /* The loop is closed even if another thread still has a reference to it. */
    assert_int_equal(aloop_run(keeper, .out = &kept), 0);
    assert_true(aloop_is_closed(kept));
    assert_int_equal(aloop_call_soon_threadsafe(kept, stop_it, NULL), -ALOOP_ECLOSED);
    aloop_unref(kept);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, world_setup, world_teardown)

static void no_loop(void **state)
{
    (void)state;
    assert_int_equal(aloop_run_in(NULL, sleeper), -ALOOP_ENOLOOP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(until_complete),
        TEST(stopped_before),
        TEST(no_stale_stop),
        TEST(its_error_counts_as_retrieved),
        TEST(callbacks_run_first),
        TEST(nothing_can_happen),
        TEST(not_inside_a_running_loop),
        TEST(tasks_left_are_ended_in_good_order),
        TEST(errors_while_shutting_down_are_reported),
        TEST(callbacks_of_the_last_tasks_run),
        TEST(created_while_shutting_down),
        TEST(swallowed_while_shutting_down),
        TEST(shutting_down_twice),
        TEST(several_runs_on_one_loop),
        cmocka_unit_test(no_loop),
        cmocka_unit_test(a_program_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
