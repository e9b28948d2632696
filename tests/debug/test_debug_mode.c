/*
 * Debug mode, as far as it is about tasks: how long they have waited, who does not mind being
 * cancelled, and what was not given back.
 */
#include "debug_test.h"

#include <signal.h>

enum { WAIT, HOLD };

struct reports {
    int count;
    char text[256];
};

static void hear(aloop *loop, const aloop_exception_context *context, void *arg)
{
    struct reports *reports = arg;
    FILE *file = fmemopen(reports->text, sizeof reports->text, "w");

    reports->count++;
    assert_non_null(file);
    aloop_print_exception(loop, context, file);
    assert_int_equal(fclose(file), 0);
    cut_out(reports->text, __FILE__);
}

static void open_debug(struct world *world, struct reports *reports)
{
    aloop_options options = ALOOP_OPTIONS_INIT;

    options.debug = true;
    options.slow_callback = ALOOP_SEC(3600);
    *reports = (struct reports){0};
    world_open(world, &options);
    aloop_set_exception_handler(world->loop, hear, reports);
}

struct locking {
    ALOOP_FRAME;
    aloop_lock *lock;
};

ALOOP_CORO(locking)
{
    ALOOP_BEGIN;
    AT(WAIT); ALOOP_TRY(aloop_lock_acquire(self->lock));
    AT(HOLD); ALOOP_TRY(aloop_sleep(ALOOP_SEC(60)));
    ALOOP_FINALLY;
    aloop_lock_release(self->lock);
    ALOOP_END;
}

static void test_dumps_tell_since_when_and_who_holds(void **state)
{
    aloop_lock lock = ALOOP_LOCK_INIT;
    struct reports reports;
    struct world world;
    struct text text;

    (void)state;
    open_debug(&world, &reports);
    aloop_task_unref(aloop_create_task_in(world.loop, locking, .lock = &lock));
    aloop_task_unref(aloop_create_task_in(world.loop, locking, .lock = &lock));
    aloop_task_unref(aloop_create_task_in(world.loop, sleeper, .delay = ALOOP_SEC(4)));
    world_turns(&world, 1);
    assert_true(aloop_run_once(world.loop, ALOOP_SEC(9)) > 0);
    assert_int_equal(aloop_dump(world.loop, text_open(&text)), 0);
    assert_text(text_close(&text),
                "time 4.000 s; 2 tasks\n"
                "locking#1\n  | locking (:%d): sleep, 56.000 s left, for 4.000 s\n"
                "locking#2\n  | locking (:%d): lock, held by locking#1 (:%d), for 4.000 s\n",
                at[HOLD], at[WAIT], at[HOLD]);
    world_drain(&world);
    world_close(&world);
    assert_int_equal(reports.count, 0);
}

struct deaf {
    ALOOP_FRAME;
    int n;
};

ALOOP_CORO(deaf)
{
    ALOOP_BEGIN;
    for (; self->n > 0; self->n--) {
        AT(WAIT); ALOOP_AWAIT(aloop_sleep(ALOOP_SEC(1)));
    }
    ALOOP_END;
}

static void test_who_ignores_its_cancellation_is_reported_once(void **state)
{
    struct reports reports;
    struct world world;
    aloop_task *task;
    char expected[128];

    (void)state;
    open_debug(&world, &reports);
    task = aloop_create_task_in(world.loop, deaf, .n = 30);
    world_turns(&world, 1);
    assert_true(aloop_task_cancel(task));
    world_drain(&world);
    assert_int_equal(reports.count, 1);
    (void)snprintf(expected, sizeof expected,
                   "aloop: task goes on long after it was cancelled: deaf (:%d): 10000 ms\n",
                   at[WAIT]);
    assert_string_equal(reports.text, expected);
    aloop_task_unref(task);
    world_close(&world);
}

struct making {
    ALOOP_FRAME;
    aloop_task **out;
};

ALOOP_CORO(making)
{
    ALOOP_BEGIN;
    AT(WAIT); ALOOP_TRY(aloop_sleep(0));
    *self->out = aloop_create_task(sleeper, .value = 1);
    ALOOP_END;
}

static void test_what_is_not_given_back_is_reported_at_the_end(void **state)
{
    struct reports reports;
    struct world world;
    aloop_task *leaked = NULL;
    char expected[128];

    (void)state;
    open_debug(&world, &reports);
    aloop_task_unref(aloop_create_task_in(world.loop, making, .out = &leaked));
    world_drain(&world);
    assert_int_equal(reports.count, 0);
    assert_int_equal(aloop_close(world.loop), 0);
    assert_int_equal(reports.count, 1);
    (void)snprintf(expected, sizeof expected,
                   "aloop: task is still referred to: sleeper (:%d)\n", at[WAIT]);
    assert_string_equal(reports.text, expected);
    aloop_task_unref(leaked);
    world_close(&world);
}

static void test_the_environment_turns_it_on(void **state)
{
    static const struct {
        const char *value;
        bool is_on;
    } cases[] = {{"1", true}, {"0", false}, {"", false}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world world;
        aloop_task *task;

        assert_int_equal(setenv("ALOOP_DEBUG", cases[i].value, 1), 0);
        world_open(&world, NULL);
        assert_int_equal(unsetenv("ALOOP_DEBUG"), 0);
        task = aloop_create_task_in(world.loop, deaf, .n = 30);
        world_turns(&world, 1);
        assert_true(aloop_task_cancel(task));
        world_drain(&world);
        assert_int_equal(world.reports, cases[i].is_on);
        aloop_task_unref(task);
        world_close(&world);
    }
}

static void test_a_signal_brings_a_dump(void **state)
{
    struct world *world = *state;
    struct text text;
    char *dump;

    assert_int_equal(aloop_dump_on_signal(world->loop, SIGQUIT, text_open(&text)), 0);
    aloop_task_unref(aloop_create_task_in(world->loop, deaf, .n = 1));
    world_turns(world, 1);
    assert_int_equal(raise(SIGQUIT), 0);
    world_turns(world, 3);
    assert_int_equal(aloop_dump_on_signal(world->loop, SIGQUIT, NULL), 0);
    dump = text_close(&text);
    assert_non_null(strstr(dump, "deaf#1\n"));
    free(dump);
    world_drain(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dumps_tell_since_when_and_who_holds),
        cmocka_unit_test(test_who_ignores_its_cancellation_is_reported_once),
        cmocka_unit_test(test_what_is_not_given_back_is_reported_at_the_end),
        cmocka_unit_test(test_the_environment_turns_it_on),
        TEST(test_a_signal_brings_a_dump),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
