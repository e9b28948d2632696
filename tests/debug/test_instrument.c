/*
 * Instruments: what they are told, and in which order; and that nothing else changes by it.
 */
#include "fake_time.h"
#include "world.h"

#include <aloop/instrument.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* --- a journal of all hooks --- */

/* A string literal as an argument. */
#define TEXT(LITERAL) ((void *)(uintptr_t)(LITERAL))

static char journal[2048];

static void note(const char *what, const char *who)
{
    size_t used = strlen(journal);

    assert_true(used + strlen(what) + strlen(who) + 3 <= sizeof journal);
    (void)snprintf(journal + used, sizeof journal - used, "%s%s%s ", what, who[0] ? ":" : "", who);
}

static void on_created(aloop *loop, aloop_task *task, void *arg)
{
    assert_ptr_equal(loop, aloop_task_loop(task));
    assert_false(aloop_task_done(task));
    note(arg, "");
    note("created", aloop_task_name(task));
}

static void on_woken(aloop *loop, aloop_task *task, void *arg)
{
    (void)loop;
    (void)arg;
    note("woken", aloop_task_name(task));
}

static void on_step_begins(aloop *loop, aloop_task *task, void *arg)
{
    (void)loop;
    (void)arg;
    note("(", aloop_task_name(task));
}

static void on_step_ends(aloop *loop, aloop_task *task, void *arg)
{
    (void)loop;
    (void)arg;
    note(")", aloop_task_name(task));
}

static void on_done(aloop *loop, aloop_task *task, void *arg)
{
    (void)loop;
    (void)arg;
    assert_true(aloop_task_done(task));
    note("done", aloop_task_name(task));
}

static void on_poll_begins(aloop *loop, void *arg)
{
    (void)loop;
    (void)arg;
    note("[", "");
}

static void on_poll_ends(aloop *loop, int64_t events, void *arg)
{
    char text[24];

    (void)loop;
    (void)arg;
    (void)snprintf(text, sizeof text, "%d", (int)events);
    note("]", text);
}

static void soon(aloop *loop, void *arg);

static void on_callback_begins(aloop *loop, aloop_callback *callback, void *arg)
{
    (void)loop;
    (void)arg;
    note("<", callback == soon ? "soon" : "");
}

static void on_callback_ends(aloop *loop, aloop_callback *callback, void *arg)
{
    (void)loop;
    (void)arg;
    note(">", callback == soon ? "soon" : "");
}

static void on_closed(aloop *loop, void *arg)
{
    (void)arg;
    assert_true(aloop_is_closed(loop));
    note("closed", "");
}

static const aloop_instrument everything = {.size = sizeof everything,
                                            .task_created = on_created,
                                            .task_woken = on_woken,
                                            .step_begins = on_step_begins,
                                            .step_ends = on_step_ends,
                                            .task_done = on_done,
                                            .poll_begins = on_poll_begins,
                                            .poll_ends = on_poll_ends,
                                            .callback_begins = on_callback_begins,
                                            .callback_ends = on_callback_ends,
                                            .closed = on_closed};

static int setup(void **state)
{
    journal[0] = '\0';
    return world_setup(state);
}

static void assert_journal_is(const char *expected)
{
    assert_string_equal(journal, expected);
    journal[0] = '\0';
}

static void hear(struct world *world)
{
    assert_int_equal(aloop_add_instrument(world->loop, &everything, TEXT("")), 0);
}

static void soon(aloop *loop, void *arg)
{
    (void)loop;
    note("soon", arg != NULL ? arg : "");
}

/* --- the tests --- */

struct parent {
    ALOOP_FRAME;
    aloop_task *child;
};

ALOOP_CORO(parent)
{
    ALOOP_BEGIN;
    self->child = aloop_create_task(sleeper, .delay = ALOOP_SEC(1), .value = 7);
    ALOOP_TRY(aloop_join(aloop_task_future(self->child)));
    ALOOP_RETURN(self->result);
    ALOOP_FINALLY;
    aloop_task_unref(self->child);
    ALOOP_END;
}

/* A program of two tasks, from the first poll to the last. */
static void story_of_a_program(void **state)
{
    struct world *world = *state;
    aloop_task *task;

    hear(world);
    task = aloop_create_task_in(world->loop, parent);
    assert_int_equal(aloop_run_until_complete(world->loop, task), 7);
    aloop_task_unref(task);
    assert_journal_is(" created:parent woken:parent [ ]:0 "
                      "(:parent  created:sleeper woken:sleeper ):parent "
                      "(:sleeper ):sleeper "
                      "[ woken:sleeper ]:0 "
                      "(:sleeper woken:parent done:sleeper ):sleeper "
                      "(:parent done:parent ):parent "
                      "< > ");
}

/* Callbacks are told of, cancelled ones are not; nor are there any hooks for what is not run. */
static void callbacks(void **state)
{
    struct world *world = *state;
    aloop_handle handle, timer;

    hear(world);
    assert_true(aloop_call_soon(world->loop, soon, NULL) > 0);
    handle = aloop_call_soon(world->loop, soon, NULL);
    assert_true(aloop_call_later(world->loop, 5, soon, TEXT("timer")) > 0);
    timer = aloop_call_later(world->loop, 5, soon, NULL);
    assert_true(aloop_cancel(world->loop, handle));
    assert_true(aloop_run_once(world->loop, 0) == 1);
    assert_journal_is("[ ]:0 <:soon soon >:soon ");
    assert_true(aloop_cancel(world->loop, timer));
    assert_int_equal(aloop_run_once(world->loop, 10), 1);
    assert_journal_is("[ ]:0 <:soon soon:timer >:soon ");
    assert_int_equal(aloop_run_once(world->loop, 0), 0);
    assert_journal_is("[ ]:0 ");
}

static void cancel_it(aloop *loop, void *arg)
{
    assert_true(aloop_cancel(loop, *(aloop_handle *)arg));
}

static void move_it(aloop *loop, void *arg)
{
    assert_int_equal(aloop_reschedule_later(loop, *(aloop_handle *)arg, 100), 0);
}

/* Of timers that have come due, one is cancelled, and one is moved, before their turn. */
static void timers_that_do_not_run(void **state)
{
    struct world *world = *state;
    aloop_handle cancelled, moved;

    assert_true(aloop_call_later(world->loop, 1, cancel_it, &cancelled) > 0);
    assert_true(aloop_call_later(world->loop, 1, move_it, &moved) > 0);
    cancelled = aloop_call_later(world->loop, 1, soon, NULL);
    moved = aloop_call_later(world->loop, 1, soon, NULL);
    hear(world);
    assert_int_equal(aloop_run_once(world->loop, 10), 2);
    assert_journal_is("[ ]:0 < > < > ");
}

/* Calls from other threads are seen each by itself, with their own functions. */
static void posts(void **state)
{
    struct world *world = *state;

    hear(world);
    assert_int_equal(aloop_call_soon_threadsafe(world->loop, soon, TEXT("1")), 0);
    assert_int_equal(aloop_call_soon_threadsafe(world->loop, soon, TEXT("2")), 0);
    assert_int_equal(aloop_run_once(world->loop, 0), 2);
    assert_journal_is("[ ]:1 <:soon soon:1 >:soon <:soon soon:2 >:soon ");
}

static void begin(aloop *loop, void *arg)
{
    hear(arg);
    assert_true(aloop_call_soon(loop, soon, NULL) > 0);
}

static void end(aloop *loop, void *arg)
{
    (void)arg;
    assert_true(aloop_remove_instrument(loop, &everything, TEXT("")));
    assert_true(aloop_call_soon(loop, soon, NULL) > 0);
}

static void stop(aloop *loop, void *arg)
{
    (void)arg;
    aloop_stop(loop);
}

static void on_callback_of_another(aloop *loop, aloop_callback *callback, void *arg)
{
    (void)loop;
    (void)callback;
    note("ends", arg);
}

static const aloop_instrument just_callbacks = {.size = sizeof just_callbacks,
                                                .callback_ends = on_callback_of_another};

static void begin_and_stay(aloop *loop, void *arg)
{
    begin(loop, arg);
    assert_true(aloop_call_later(loop, 1, end, NULL) > 0);
    assert_true(aloop_call_later(loop, 2, stop, NULL) > 0);
}

/* Begun inside a callback, it hears of the next turn; ended, of no other hook but those of what
   runs. In a run without an end the loop changes its ways meanwhile, beginning with a poll. */
static void begin_and_end_inside(void **state)
{
    struct world *world = *state;

    assert_true(aloop_call_soon(world->loop, begin_and_stay, world) > 0);
    assert_int_equal(aloop_run_forever(world->loop), 0);
    assert_journal_is("[ ]:0 <:soon soon >:soon [ ]:0 < soon ");
}

/* Begun inside a callback of which another hears: not of its end, whose beginning it has missed,
   nor of what else runs in that turn. */
static void begin_beside_another(void **state)
{
    struct world *world = *state;

    assert_int_equal(aloop_add_instrument(world->loop, &just_callbacks, TEXT("a")), 0);
    assert_true(aloop_call_soon(world->loop, begin, world) > 0);
    assert_true(aloop_call_soon(world->loop, soon, NULL) > 0);
    world_turns(world, 1);
    assert_journal_is("ends:a soon ends:a ");
    world_turns(world, 1);
    assert_journal_is("<:soon soon ends:a >:soon ");
}

/* The same by single turns. */
static void begin_and_end_in_turns(void **state)
{
    struct world *world = *state;

    assert_true(aloop_call_soon(world->loop, begin, world) > 0);
    world_turns(world, 1);
    assert_journal_is("");
    world_turns(world, 1);
    assert_journal_is("[ ]:0 <:soon soon >:soon ");
    assert_true(aloop_call_soon(world->loop, end, NULL) > 0);
    world_turns(world, 2);
    assert_journal_is("< soon ");
}

static void remove_itself(aloop *loop, aloop_callback *callback, void *arg);

static const aloop_instrument brief = {.size = sizeof brief, .callback_begins = remove_itself};

static void remove_itself(aloop *loop, aloop_callback *callback, void *arg)
{
    (void)callback;
    note("once", "");
    assert_true(aloop_remove_instrument(loop, &brief, arg));
    assert_false(aloop_remove_instrument(loop, &brief, arg));
}

/* Several, in their order; one removes itself in its hook, and the others hear all the same. */
static void several(void **state)
{
    struct world *world = *state;

    assert_int_equal(aloop_add_instrument(world->loop, &everything, TEXT("a")), 0);
    assert_int_equal(aloop_add_instrument(world->loop, &brief, NULL), 0);
    assert_int_equal(aloop_add_instrument(world->loop, &everything, TEXT("b")), 0);
    assert_true(aloop_call_soon(world->loop, soon, NULL) > 0);
    assert_true(aloop_call_soon(world->loop, soon, NULL) > 0);
    world_turns(world, 1);
    assert_journal_is("[ [ ]:0 ]:0 <:soon once <:soon soon >:soon >:soon "
                      "<:soon <:soon soon >:soon >:soon ");
    assert_false(aloop_remove_instrument(world->loop, &everything, TEXT("c")));
    assert_true(aloop_remove_instrument(world->loop, &everything, TEXT("a")));
    aloop_task_unref(aloop_create_task_in(world->loop, sleeper, .delay = ALOOP_SEC(1)));
    assert_journal_is("b created:sleeper ");
}

/* A task is there as long as a hook is told of it, though its last reference has gone meanwhile. */
static void task_without_references(void **state)
{
    struct world *world = *state;

    hear(world);
    aloop_task_unref(aloop_create_task_in(world->loop, sleeper, .delay = 0));
    world_drain(world);
    assert_journal_is(" created:sleeper woken:sleeper [ ]:0 (:sleeper woken:sleeper ):sleeper "
                      "(:sleeper done:sleeper ):sleeper [ ]:-35 ");
}

/* Closing: the tasks that are left are done, and then all is over. */
static void closing(void **state)
{
    struct world world;

    (void)state;
    journal[0] = '\0';
    world_open(&world, NULL);
    hear(&world);
    aloop_task_unref(aloop_create_task_in(world.loop, sleeper, .delay = ALOOP_SEC(1)));
    world_turns(&world, 1);
    assert_journal_is(" created:sleeper woken:sleeper [ ]:0 (:sleeper ):sleeper ");
    assert_int_equal(aloop_close(world.loop), 0);
    assert_journal_is("done:sleeper closed ");
    assert_int_equal(aloop_add_instrument(world.loop, &everything, NULL), -ALOOP_ECLOSED);
    assert_false(aloop_remove_instrument(world.loop, &everything, NULL));
    world_close(&world);
}

/* Shutting down tells new tasks to end; an instrument beside that changes nothing in it. */
static void shutting_down(void **state)
{
    struct world *world = *state;

    hear(world);
    aloop_task_unref(aloop_create_task_in(world->loop, tidy, .delay = ALOOP_SEC(1),
                                          .cleanup = ALOOP_SEC(1), .world = world));
    world_turns(world, 1);
    journal[0] = '\0';
    assert_int_equal(aloop_shutdown(world->loop), 0);
    assert_string_equal(world->log, "cleaned ");
    assert_non_null(strstr(journal, "done:tidy"));
}

static void sizes_and_memory(void **state)
{
    struct world *world = *state;
    aloop_instrument small = everything;
    struct {
        aloop_instrument known;
        void *unknown;
    } large = {.known = everything};

    small.size = sizeof(size_t);
    assert_int_equal(aloop_add_instrument(world->loop, &small, NULL), -EINVAL);
    large.known.size = sizeof large;
    assert_int_equal(aloop_add_instrument(world->loop, &large.known, NULL), 0);
    assert_true(aloop_remove_instrument(world->loop, &large.known, NULL));
    world->memory.fail_from = world->memory.requests + 1;
    assert_int_equal(aloop_add_instrument(world->loop, &everything, NULL), -ENOMEM);
    world_turns(world, 1);
    assert_journal_is("");
}

/* --- nothing else changes --- */

struct chatter {
    ALOOP_FRAME;
    struct world *world;
    const char *word;
    int rounds;
};

ALOOP_CORO(chatter)
{
    ALOOP_BEGIN;
    for (; self->rounds > 0; self->rounds--) {
        world_mark(self->world, self->word);
        ALOOP_TRY(aloop_sleep(self->rounds % 3 == 0 ? 10 : 0));
    }
    ALOOP_END;
}

static void run_chatters(struct world *world, bool with_instrument, uint64_t seed)
{
    aloop_options options = ALOOP_OPTIONS_INIT;

    options.seed = seed;
    world_open(world, &options);
    if (with_instrument)
        hear(world);
    aloop_task_unref(aloop_create_task_in(world->loop, chatter, .world = world, .word = "a",
                                          .rounds = 9));
    aloop_task_unref(aloop_create_task_in(world->loop, chatter, .world = world, .word = "b",
                                          .rounds = 7));
    aloop_task_unref(aloop_create_task_in(world->loop, chatter, .world = world, .word = "c",
                                          .rounds = 11));
    assert_true(aloop_call_soon(world->loop, soon, NULL) > 0);
    world_drain(world);
}

/* The same program, with the same seed, runs the same way and counts the same. */
static void same_program(void **state)
{
    struct world alone, watched;

    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        aloop_metrics one, other;

        run_chatters(&alone, false, seed);
        aloop_metrics_read(alone.loop, &one, sizeof one);
        run_chatters(&watched, true, seed);
        aloop_metrics_read(watched.loop, &other, sizeof other);
        assert_string_equal(alone.log, watched.log);
        assert_memory_equal(&one, &other, sizeof one);
        journal[0] = '\0';
        world_close(&alone);
        world_close(&watched);
        journal[0] = '\0';
    }
}

static void be_slow(aloop *loop, void *arg)
{
    (void)loop;
    (void)arg;
    fake_time.now += ALOOP_MS(200);
}

/* Debug mode still reports, with an instrument beside it. */
static void with_debug_mode(void **state)
{
    aloop_options options = ALOOP_OPTIONS_INIT;
    struct world world;

    (void)state;
    journal[0] = '\0';
    options.debug = true;
    fake_time_install(ALOOP_SEC(1));
    world_open(&world, &options);
    hear(&world);
    assert_true(aloop_call_soon(world.loop, be_slow, NULL) > 0);
    world_turns(&world, 1);
    assert_int_equal(world.reports, 1);
    assert_string_equal(world.message, "callback was slow");
    assert_journal_is("[ ]:0 < > ");
    world_close(&world);
    fake_time_remove();
}

/* --- steps that follow each other --- */

static int steps_told;

static void count_step(aloop *loop, aloop_task *task, void *arg)
{
    (void)loop;
    (void)task;
    (void)arg;
    steps_told++;
}

static const aloop_instrument just_steps = {.size = sizeof just_steps, .step_begins = count_step};

struct yielder {
    ALOOP_FRAME;
    int left;
    int *steps;
};

ALOOP_CORO(yielder)
{
    ALOOP_BEGIN;
    for (; self->left > 0; self->left--) {
        ++*self->steps;
        ALOOP_TRY(aloop_sleep(0));
    }
    ++*self->steps;
    ALOOP_END;
}

struct beginner {
    ALOOP_FRAME;
    int *steps;
    int before;
};

ALOOP_CORO(beginner)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_sleep(0));
    ALOOP_TRY(aloop_sleep(0));
    self->before = *self->steps;
    assert_int_equal(aloop_add_instrument(aloop_get_running_loop(), &just_steps, NULL), 0);
    ALOOP_RETURN(self->before);
    ALOOP_END;
}

/* Steps run in one go while nobody looks; from the turn after somebody began to, each is told. */
static void steps_in_a_row(void **state)
{
    struct world *world = *state;
    int steps = 0;
    aloop_task *yielders[4];
    aloop_task *beginner_task;

    steps_told = 0;
    for (size_t i = 0; i < 2; i++)
        yielders[i] = aloop_create_task_in(world->loop, yielder, .left = 200, .steps = &steps);
    beginner_task = aloop_create_task_in(world->loop, beginner, .steps = &steps);
    for (size_t i = 2; i < 4; i++)
        yielders[i] = aloop_create_task_in(world->loop, yielder, .left = 200, .steps = &steps);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(aloop_run_until_complete(world->loop, yielders[i]), 0);
        aloop_task_unref(yielders[i]);
    }
    assert_int_equal(steps, 4 * 201);
    /* The two behind it were still of its turn. */
    assert_int_equal(steps_told, steps - aloop_task_result(beginner_task) - 2);
    aloop_task_unref(beginner_task);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(story_of_a_program, setup, world_teardown),
        cmocka_unit_test_setup_teardown(callbacks, setup, world_teardown),
        cmocka_unit_test_setup_teardown(timers_that_do_not_run, setup, world_teardown),
        cmocka_unit_test_setup_teardown(posts, setup, world_teardown),
        cmocka_unit_test_setup_teardown(begin_and_end_inside, setup, world_teardown),
        cmocka_unit_test_setup_teardown(begin_beside_another, setup, world_teardown),
        cmocka_unit_test_setup_teardown(begin_and_end_in_turns, setup, world_teardown),
        cmocka_unit_test_setup_teardown(several, setup, world_teardown),
        cmocka_unit_test_setup_teardown(task_without_references, setup, world_teardown),
        cmocka_unit_test_setup_teardown(steps_in_a_row, setup, world_teardown),
        cmocka_unit_test(closing),
        cmocka_unit_test_setup_teardown(shutting_down, setup, world_teardown),
        cmocka_unit_test_setup_teardown(sizes_and_memory, setup, world_teardown),
        cmocka_unit_test(same_program),
        cmocka_unit_test(with_debug_mode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
