#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct marker {
    ALOOP_FRAME;
    struct world *world;
    const char *word;
    aloop_task **seen; /* gets the current task */
};

ALOOP_CORO(marker)
{
    ALOOP_BEGIN;
    world_mark(self->world, self->word);
    if (self->seen != NULL)
        *self->seen = aloop_current_task();
    ALOOP_AWAIT(aloop_sleep(0));
    world_mark(self->world, self->word);
    ALOOP_END;
}

struct failing {
    ALOOP_FRAME;
    int64_t error;
};

ALOOP_CORO(failing)
{
    ALOOP_BEGIN;
    ALOOP_RETURN(self->error);
    ALOOP_END;
}

static void creating_does_not_run(void **state) /* S64 */
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, marker, .world = world, .word = "a");

    assert_string_equal(world->log, "");
    assert_int_equal(aloop_task_result(task), -ALOOP_EPENDING);
    world_turns(world, 1);
    assert_string_equal(world->log, "a ");
    world_turns(world, 1);
    assert_string_equal(world->log, "a a ");
    assert_true(aloop_task_done(task));
    assert_int_equal(aloop_task_result(task), 0);
    aloop_task_unref(task);
}

static void check_no_current(aloop *loop, void *arg)
{
    (void)arg;
    assert_ptr_equal(aloop_get_running_loop(), loop);
    assert_null(aloop_current_task());
}

static void current_task_is_the_one_that_runs(void **state) /* S34, S65 */
{
    struct world *world = *state;
    aloop_task *seen[2] = {NULL, NULL};
    aloop_task *tasks[2];

    for (int i = 0; i < 2; i++) {
        tasks[i] = aloop_create_task_in(world->loop, marker, .world = world, .word = "x",
                                        .seen = &seen[i]);
        assert_true(aloop_call_soon(world->loop, check_no_current, NULL) > 0);
    }
    assert_null(aloop_current_task());
    world_turns(world, 2);
    for (int i = 0; i < 2; i++) {
        assert_ptr_equal(seen[i], tasks[i]);
        aloop_task_unref(tasks[i]);
    }
    assert_null(aloop_current_task());
}

static void only_its_coroutine_gives_the_result(void **state) /* S67 */
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, sleeper, .delay = 1, .value = 8);
    aloop_future *future = aloop_task_future(task);
    aloop_future *shield = aloop_shield_future(future);
    aloop_future *gather = aloop_gather_future(world->loop, &future, 1, NULL, 0);

    assert_int_equal(aloop_future_set_result(future, 1), -EPERM);
    assert_int_equal(aloop_future_set_exception(future, -EIO), -EPERM);
    assert_int_equal(aloop_future_set_result(shield, 1), -EPERM);
    assert_int_equal(aloop_future_set_result(gather, 1), -EPERM);
    world_drain(world);
    assert_int_equal(aloop_future_set_result(future, 1), -EPERM);
    assert_int_equal(aloop_task_result(task), 8);
    assert_int_equal(aloop_future_result(shield), 8);
    aloop_future_unref(shield);
    aloop_future_unref(gather);
    aloop_task_unref(task);
}

struct self_joiner {
    ALOOP_FRAME;
    aloop_future *other;
    int64_t *out;
};

ALOOP_CORO(self_joiner)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_join(aloop_current_task()));
    self->out[0] = self->result;
    ALOOP_AWAIT(aloop_join(self->other));
    self->out[1] = self->result;
    ALOOP_END;
}

static void joining_what_cannot_end(void **state) /* S69, P117 */
{
    struct world *world = *state;
    struct world other;
    int64_t out[2] = {0, 0};
    aloop_future *foreign;

    world_open(&other, NULL);
    foreign = aloop_create_future(other.loop);
    aloop_task_unref(aloop_create_task_in(world->loop, self_joiner, .other = foreign, .out = out));
    world_turns(world, 1);
    assert_int_equal(out[0], -EDEADLK);
    assert_int_equal(out[1], -ALOOP_EWRONGLOOP);
    assert_int_equal(aloop_future_result(aloop_gather_future(world->loop, &foreign, 1, NULL, 0)),
                     -ALOOP_EWRONGLOOP);
    assert_int_equal(aloop_run_until_complete(world->loop, foreign), -ALOOP_EWRONGLOOP);
    aloop_future_unref(foreign);
    world_close(&other);
}

struct circle {
    ALOOP_FRAME;
    aloop_task **next;
    int64_t *out;
};

ALOOP_CORO(circle)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_join(*self->next));
    *self->out = self->result;
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

/* P117: in debug mode the one who closes a circle is told. Without, all of it would wait for
   ever. */
static void circles_are_found_in_debug_mode(void **state)
{
    aloop_options options = ALOOP_OPTIONS_INIT;
    struct world world;
    aloop_task *tasks[3];
    int64_t out[3] = {0, 0, 0};

    (void)state;
    options.debug = true;
    world_open(&world, &options);
    for (int i = 0; i < 3; i++)
        tasks[i] =
            aloop_create_task_in(world.loop, circle, .next = &tasks[(i + 1) % 3], .out = &out[i]);
    world_drain(&world);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(out[i], -EDEADLK);
        aloop_task_unref(tasks[i]);
    }
    world_close(&world);
}

static void closing_reports_pending_tasks(void **state) /* S83 */
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, sleeper, .delay = 1);

    world_turns(world, 1);
    assert_int_equal(aloop_close(world->loop), 0);
    assert_int_equal(world->reports, 1);
    assert_string_equal(world->message, "task was destroyed but it is pending");
    assert_string_equal(world->name, "sleeper");
    assert_true(aloop_task_cancelled(task));
    assert_int_equal(aloop_task_result(task), -ECANCELED);
    assert_string_equal(aloop_task_name(task), "sleeper");
    aloop_task_unref(task);
}

static void detached_tasks_live_until_done(void **state) /* S84 */
{
    struct world *world = *state;

    aloop_task_unref(
        aloop_create_task_in(world->loop, tidy, .delay = ALOOP_SEC(5), .world = world));
    world_drain(world);
    assert_string_equal(world->log, "cleaned ");
    assert_int_equal(aloop_time(world->loop), ALOOP_SEC(5));
    assert_int_equal(aloop_all_tasks(world->loop, NULL, 0), 0);
}

static void errors_of_detached_tasks_are_reported_once(void **state) /* S57, P118 */
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, failing, .error = -EPIPE);

    aloop_task_ref(task);
    aloop_task_unref(task);
    world_turns(world, 1);
    assert_int_equal(world->reports, 0);
    aloop_task_unref(task);
    assert_int_equal(world->reports, 1);
    assert_int_equal(world->error, -EPIPE);
    assert_string_equal(world->message, "task exception was never retrieved");
    assert_string_equal(world->name, "failing");
    aloop_task_unref(aloop_create_task_in(world->loop, failing, .error = -EIO));
    world_turns(world, 1);
    assert_int_equal(world->reports, 2);
    /* One that fails with -ECANCELED counts as cancelled. */
    aloop_task_unref(aloop_create_task_in(world->loop, failing, .error = -ECANCELED));
    world_turns(world, 1);
    assert_int_equal(world->reports, 2);
}

static void all_tasks_in_order_of_creation(void **state) /* S85 */
{
    struct world *world = *state;
    aloop_task *tasks[3], *found[4] = {NULL, NULL, NULL, NULL};

    for (int i = 0; i < 3; i++)
        tasks[i] = aloop_create_task_in(world->loop, sleeper, .delay = i);
    assert_int_equal(aloop_all_tasks(world->loop, found, 4), 3);
    assert_memory_equal(found, tasks, sizeof tasks);
    assert_null(found[3]);
    found[1] = NULL;
    assert_int_equal(aloop_all_tasks(world->loop, found, 1), 3);
    assert_null(found[1]);
    aloop_task_cancel(tasks[1]);
    world_turns(world, 2);
    assert_int_equal(aloop_all_tasks(world->loop, found, 4), 1);
    assert_ptr_equal(found[0], tasks[2]);
    world_drain(world);
    assert_int_equal(aloop_all_tasks(world->loop, found, 4), 0);
    for (int i = 0; i < 3; i++)
        aloop_task_unref(tasks[i]);
}

static void one_that_was_not_created(void **state) /* S86 */
{
    struct world *world = *state;
    aloop_task *task;

    world->memory.fail_from = world->memory.requests + 1;
    world->memory.persists = true;
    task = aloop_create_task_in(world->loop, sleeper, .delay = 1);
    world->memory.fail_from = 0;
    assert_int_equal(aloop_task_result(task), -ENOMEM);
    assert_string_equal(aloop_task_name(task), "ENOMEM");
    assert_int_equal(aloop_all_tasks(world->loop, NULL, 0), 0);
    assert_null(aloop_task_loop(task));
    assert_false(aloop_task_cancel(task));
    assert_int_equal(aloop_task_cancelling(task), 0);
    assert_int_equal(aloop_task_uncancel(task), 0);
    aloop_task_unref(task);
    assert_int_equal(aloop_task_result(aloop_create_task(sleeper)), -ALOOP_ENOLOOP);
    aloop_task_unref(NULL);
}

struct greedy {
    ALOOP_FRAME;
    aloop_future *done;
    aloop_op op;
    bool calls;
    int count;
    int *turns;
};

ALOOP_CORO(greedy)
{
    ALOOP_BEGIN;
    for (; self->count > 0; self->count--) {
        if (self->calls)
            ALOOP_AWAIT(aloop_wait_for(aloop_call(sleeper), 0));
        else
            ALOOP_AWAIT(aloop_join(self->done));
    }
    ALOOP_END;
}

struct nothing {
    ALOOP_FRAME;
};

ALOOP_CORO(nothing)
{
    ALOOP_BEGIN;
    ALOOP_END;
}

struct calling {
    ALOOP_FRAME;
    int count;
};

ALOOP_CORO(calling)
{
    ALOOP_BEGIN;
    for (; self->count > 0; self->count--)
        ALOOP_TRY(aloop_call(nothing));
    ALOOP_END;
}

/* A task whose awaits all complete at once gives way; without a budget it would keep the loop to
   itself. (The numbers of turns are those of the budget, and do not depend on time.) */
static void budget(void **state)
{
    struct world *world = *state;
    aloop_future *done = aloop_create_future(world->loop);
    aloop_task *tasks[3];

    assert_int_equal(aloop_future_set_result(done, 1), 0);
    tasks[0] = aloop_create_task_in(world->loop, greedy, .done = done, .count = 1000);
    tasks[1] = aloop_create_task_in(world->loop, greedy, .calls = true, .count = 1000);
    tasks[2] = aloop_create_task_in(world->loop, calling, .count = 1000);
    world_turns(world, 3);
    for (int i = 0; i < 3; i++)
        assert_false(aloop_task_done(tasks[i]));
    world_turns(world, 2);
    for (int i = 0; i < 3; i++) {
        assert_true(aloop_task_done(tasks[i]));
        assert_int_equal(aloop_task_result(tasks[i]), 0);
        aloop_task_unref(tasks[i]);
    }
    aloop_future_unref(done);
}

struct over_budget {
    ALOOP_FRAME;
    aloop_future *done;
    int count;
    int64_t sum;
    int64_t *out;
};

ALOOP_CORO(over_budget)
{
    ALOOP_BEGIN;
    for (; self->count > 0; self->count--) {
        ALOOP_TRY(aloop_join(self->done));
        self->sum += self->result;
    }
    ALOOP_AWAIT(aloop_sleep(1));
    *self->out = self->result;
    ALOOP_RETURN(self->sum);
    ALOOP_END;
}

/* A task that has given way has the outcome of its await already: a cancellation in between
   waits for the next await instead of replacing it. */
static void cancelled_while_it_gives_way(void **state)
{
    struct world *world = *state;
    aloop_future *done = aloop_create_future(world->loop);
    int64_t out = 0;
    aloop_task *task =
        aloop_create_task_in(world->loop, over_budget, .done = done, .count = 256, .out = &out);

    assert_int_equal(aloop_future_set_result(done, 2), 0);
    world_turns(world, 1);
    assert_false(aloop_task_done(task));
    assert_true(aloop_task_cancel(task));
    world_turns(world, 1);
    assert_int_equal(out, -ECANCELED);
    assert_int_equal(aloop_task_result(task), 512);
    aloop_task_unref(task);
    aloop_future_unref(done);
}

struct hasty {
    ALOOP_FRAME;
};

ALOOP_CORO(hasty)
{
    ALOOP_BEGIN;
    /* Asks for another turn, and is over before that. */
    ALOOP_AWAIT(aloop_wait_for(aloop_sleep(0), 0));
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

/* The task ends while the ready queue still has an entry of it. Freed at once, that entry would
   run a task that is gone. */
static void ends_with_an_entry_left(void **state)
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, hasty);

    world_turns(world, 1);
    assert_int_equal(aloop_task_result(task), -ETIMEDOUT);
    aloop_task_unref(task);
    world_turns(world, 1);
    for (int i = 0; i < 3; i++) {
        task = aloop_create_task_in(world->loop, hasty);
        if (i < 2) {
            world_turns(world, 1);
            assert_int_equal(aloop_task_result(task), -ETIMEDOUT);
        }
        aloop_task_unref(task);
    }
    /* Closed with such an entry in the queue, and with a task that never ran. */
}

static void note_alive(const aloop_alive *alive, void *arg)
{
    assert_int_equal(alive->kind, ALOOP_ALIVE_TASK);
    assert_non_null(strstr(alive->file, alive->line > 0 ? ".c" : "?"));
    world_mark(arg, alive->name);
}

/* Why does the program not end? Tasks say what they are, and where. */
static void tasks_are_found_by_a_walk(void **state)
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, sleeper, .delay = 5);

    world_turns(world, 1);
    aloop_task_unref(aloop_create_task_in(world->loop, nothing));
    assert_int_equal(aloop_walk(world->loop, note_alive, world), 2);
    assert_string_equal(world->log, "sleeper nothing ");
    world_drain(world);
    assert_int_equal(aloop_walk(world->loop, note_alive, world), 0);
    aloop_task_unref(task);
}

/* S27: every step takes as long as that. */
static void slow_steps_are_named(void **state)
{
    aloop_options options = ALOOP_OPTIONS_INIT;
    struct world world;

    (void)state;
    options.debug = true;
    options.slow_callback = 1;
    world_open(&world, &options);
    aloop_task_unref(aloop_create_task_in(world.loop, nothing));
    world_turns(&world, 1);
    assert_int_equal(world.reports, 1);
    assert_string_equal(world.message, "step of a task was slow");
    assert_string_equal(world.name, "nothing");
    world_close(&world);
}

struct spawning {
    ALOOP_FRAME;
    int count;
    int64_t sum;
};

ALOOP_CORO(spawning)
{
    ALOOP_BEGIN;
    for (; self->count > 0; self->count--) {
        ALOOP_TRY(aloop_join_unref(aloop_create_task(sleeper, .value = self->count)));
        self->sum += self->result;
    }
    ALOOP_RETURN(self->sum);
    ALOOP_END;
}

static void spawning_and_joining(void **state)
{
    struct world *world = *state;

    assert_int_equal(aloop_run_in(world->loop, spawning, .count = 100), 5050);
    assert_int_equal(aloop_all_tasks(world->loop, NULL, 0), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(creating_does_not_run),
        TEST(current_task_is_the_one_that_runs),
        TEST(only_its_coroutine_gives_the_result),
        TEST(joining_what_cannot_end),
        cmocka_unit_test(circles_are_found_in_debug_mode),
        TEST(closing_reports_pending_tasks),
        TEST(detached_tasks_live_until_done),
        TEST(errors_of_detached_tasks_are_reported_once),
        TEST(all_tasks_in_order_of_creation),
        TEST(one_that_was_not_created),
        TEST(budget),
        TEST(cancelled_while_it_gives_way),
        TEST(ends_with_an_entry_left),
        TEST(tasks_are_found_by_a_walk),
        cmocka_unit_test(slow_steps_are_named),
        TEST(spawning_and_joining),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
