/*
 * Probes, as far as the loop has to do with them: it takes note of tracers that come and go. That
 * the probes are where tracers look for them is seen to by tests/hygiene/probes.sh.
 */
#include "loop/observe.h"
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#ifdef ALOOP_USDT

static void note_state(aloop *loop, void *arg)
{
    *(bool *)arg = loop->is_observed && loop->looks_at_new_tasks;
}

static bool is_observed_in_a_turn(struct world *world)
{
    bool is_observed = false;

    assert_true(aloop_call_soon(world->loop, note_state, &is_observed) > 0);
    world_turns(world, 1);
    return is_observed;
}

/* By single turns. */
static void tracer_comes_and_goes(void **state)
{
    struct world *world = *state;

    assert_false(is_observed_in_a_turn(world));
    aloop_probe_semaphore++;
    assert_true(is_observed_in_a_turn(world));
    aloop_probe_semaphore++;
    aloop_probe_semaphore--;
    assert_true(is_observed_in_a_turn(world));
    aloop_probe_semaphore--;
    (void)is_observed_in_a_turn(world);
    assert_false(is_observed_in_a_turn(world));
}

struct story {
    bool before, during, after;
};

static void tracer_comes(aloop *loop, void *arg)
{
    (void)loop;
    (void)arg;
    aloop_probe_semaphore++;
}

static void tracer_goes(aloop *loop, void *arg)
{
    (void)loop;
    (void)arg;
    aloop_probe_semaphore--;
}

/* Within one run, and a program goes its way meanwhile. */
static void during_a_run(void **state)
{
    struct world *world = *state;
    struct story story = {.before = true, .after = true};
    aloop_task *task;

    assert_true(aloop_call_later(world->loop, 1, note_state, &story.before) > 0);
    assert_true(aloop_call_later(world->loop, 2, tracer_comes, NULL) > 0);
    assert_true(aloop_call_later(world->loop, 4, note_state, &story.during) > 0);
    assert_true(aloop_call_later(world->loop, 5, tracer_goes, NULL) > 0);
    assert_true(aloop_call_later(world->loop, 7, note_state, &story.after) > 0);
    task = aloop_create_task_in(world->loop, sleeper, .delay = 8, .value = 3);
    assert_int_equal(aloop_run_until_complete(world->loop, task), 3);
    aloop_task_unref(task);
    assert_false(story.before);
    assert_true(story.during);
    assert_false(story.after);
    assert_int_equal(aloop_probe_semaphore, 0);
}

#else

static void tracer_comes_and_goes(void **state)
{
    (void)state;
    skip();
}

static void during_a_run(void **state)
{
    (void)state;
    skip();
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tracer_comes_and_goes, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(during_a_run, world_setup, world_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
