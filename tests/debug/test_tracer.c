/*
 * Tracers: what they write. That a JSON parser takes it, from a real program, is seen to by
 * tests/acceptance/tracer.sh.
 */
#include "fake_time.h"
#include "world.h"

#include <aloop/tracer.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* --- what was written --- */

static struct {
    char text[1 << 20];
    size_t size;
    size_t largest; /* piece */
    int pieces;
    int fail_from; /* this piece and all after it fail; 0: none does */
} output;

static int take_output(void *arg, const void *bytes, size_t size)
{
    assert_ptr_equal(arg, &output);
    output.pieces++;
    if (output.fail_from > 0 && output.pieces >= output.fail_from)
        return -ENOSPC;
    assert_true(output.size + size < sizeof output.text);
    memcpy(output.text + output.size, bytes, size);
    output.size += size;
    output.text[output.size] = '\0';
    if (size > output.largest)
        output.largest = size;
    return 0;
}

static int setup(void **state)
{
    output.size = 0;
    output.text[0] = '\0';
    output.largest = 0;
    output.pieces = 0;
    output.fail_from = 0;
    fake_time_install(ALOOP_SEC(1));
    return world_setup(state);
}

static int teardown(void **state)
{
    world_teardown(state);
    fake_time_remove();
    return 0;
}

static aloop_tracer *start(struct world *world)
{
    aloop_tracer *tracer = NULL;

    assert_int_equal(aloop_tracer_start_to(world->loop, take_output, &output, &tracer), 0);
    return tracer;
}

static size_t count_of(const char *what)
{
    size_t count = 0;

    for (const char *at = output.text; (at = strstr(at, what)) != NULL; at++)
        count++;
    return count;
}

static void assert_has(const char *what)
{
    if (strstr(output.text, what) == NULL)
        print_error("%s\ndoes not have\n%s\n", output.text, what);
    assert_non_null(strstr(output.text, what));
}

/* The lines in this file are not what a test is about. */
static void forget_lines(void)
{
    static const char mark[] = "test_tracer.c:";
    char *to = output.text;

    for (const char *from = output.text; *from != '\0';) {
        if (strncmp(from, mark, sizeof mark - 1) != 0) {
            *to++ = *from++;
            continue;
        }
        from += sizeof mark - 1;
        from += strspn(from, "0123456789");
        memcpy(to, mark, sizeof mark - 1);
        to += sizeof mark - 1;
        *to++ = 'N';
    }
    *to = '\0';
}

/* --- programs --- */

static int child_waits_at; /* the line */

/* Works for so long at each step. */
struct child {
    ALOOP_FRAME;
    aloop_ns work;
};

ALOOP_CORO(child)
{
    ALOOP_BEGIN;
    fake_time.now += self->work;
    child_waits_at = __LINE__ + 1;
    ALOOP_TRY(aloop_sleep(ALOOP_MS(1)));
    fake_time.now += self->work;
    ALOOP_RETURN(42);
    ALOOP_END;
}

struct parent {
    ALOOP_FRAME;
    aloop_task *task;
};

ALOOP_CORO(parent)
{
    ALOOP_BEGIN;
    fake_time.now += ALOOP_US(10);
    self->task = aloop_create_task(child, .work = 1500);
    ALOOP_TRY(aloop_join(aloop_task_future(self->task)));
    ALOOP_RETURN(-EIO);
    ALOOP_FINALLY;
    aloop_task_unref(self->task);
    ALOOP_END;
}

static aloop_step end_at_once(aloop_frame *frame)
{
    frame->outcome = 0;
    return ALOOP_STEP_DONE;
}

#define HEADER                                                                                     \
    "[\n"                                                                                          \
    "{\"ph\":\"M\",\"pid\":1,\"tid\":1,\"name\":\"process_name\","                                 \
    "\"args\":{\"name\":\"libaloop\"}},\n"                                                         \
    "{\"ph\":\"M\",\"pid\":1,\"tid\":1,\"name\":\"thread_name\","                                  \
    "\"args\":{\"name\":\"loop\"}},\n"                                                             \
    "{\"ph\":\"M\",\"pid\":1,\"tid\":2,\"name\":\"thread_name\","                                  \
    "\"args\":{\"name\":\"other tasks\"}}"

static void nothing_happens(void **state)
{
    assert_int_equal(aloop_tracer_stop(start(*state)), 0);
    assert_string_equal(output.text, HEADER "\n]\n");
    assert_int_equal(output.pieces, 1);
}

/* Two tasks, from the first poll to the last, to the letter. */
static void story_of_a_program(void **state)
{
    struct world *world = *state;
    aloop_tracer *tracer = start(world);
    aloop_task *task;
    char place[64];

    fake_time.now += 5;
    task = aloop_create_task_in(world->loop, parent);
    assert_int_equal(aloop_run_until_complete(world->loop, task), -EIO);
    aloop_task_unref(task);
    assert_int_equal(aloop_tracer_stop(tracer), 0);
    (void)snprintf(place, sizeof place, "\"at\":\"test_tracer.c:%d\"", child_waits_at);
    assert_has(place);
    forget_lines();
    /* The last is the callback that ends the run, which is the library's own. */
    *strstr(output.text, ",\n{\"ph\":\"X\",\"pid\":1,\"tid\":1,\"ts\":13.005") = '\0';
    assert_memory_equal(output.text, HEADER ",\n", strlen(HEADER ",\n"));
    assert_string_equal(
        output.text + strlen(HEADER ",\n"),
        /* Made, and woken by nothing that has a track. */
        "{\"ph\":\"M\",\"pid\":1,\"tid\":3,\"name\":\"thread_name\","
        "\"args\":{\"name\":\"parent\"}},\n"
        "{\"ph\":\"i\",\"pid\":1,\"tid\":3,\"ts\":0.005,\"name\":\"created\",\"s\":\"t\","
        "\"args\":{\"task\":1}},\n"
        "{\"ph\":\"i\",\"pid\":1,\"tid\":3,\"ts\":0.005,\"name\":\"woken\",\"s\":\"t\","
        "\"args\":{\"task\":1}},\n"
        "{\"ph\":\"X\",\"pid\":1,\"tid\":1,\"ts\":0.005,\"name\":\"poll\",\"dur\":0.000,"
        "\"args\":{\"events\":0}},\n"
        /* Its first step makes the child, and wakes it. */
        "{\"ph\":\"M\",\"pid\":1,\"tid\":4,\"name\":\"thread_name\","
        "\"args\":{\"name\":\"child\"}},\n"
        "{\"ph\":\"i\",\"pid\":1,\"tid\":4,\"ts\":10.005,\"name\":\"created\",\"s\":\"t\","
        "\"args\":{\"task\":2}},\n"
        "{\"ph\":\"s\",\"pid\":1,\"tid\":3,\"ts\":0.005,\"name\":\"wakes\",\"cat\":\"wake\","
        "\"bp\":\"e\",\"id\":1},\n"
        "{\"ph\":\"X\",\"pid\":1,\"tid\":3,\"ts\":0.005,\"name\":\"parent\",\"dur\":10.000,"
        "\"args\":{\"task\":1,\"in\":\"parent\",\"at\":\"test_tracer.c:N\"}},\n"
        "{\"ph\":\"f\",\"pid\":1,\"tid\":4,\"ts\":10.005,\"name\":\"wakes\",\"cat\":\"wake\","
        "\"bp\":\"e\",\"id\":1},\n"
        "{\"ph\":\"X\",\"pid\":1,\"tid\":4,\"ts\":10.005,\"name\":\"child\",\"dur\":1.500,"
        "\"args\":{\"task\":2,\"in\":\"child\",\"at\":\"test_tracer.c:N\"}},\n"
        /* The poll finds its timer. */
        "{\"ph\":\"s\",\"pid\":1,\"tid\":1,\"ts\":11.505,\"name\":\"wakes\",\"cat\":\"wake\","
        "\"bp\":\"e\",\"id\":2},\n"
        "{\"ph\":\"X\",\"pid\":1,\"tid\":1,\"ts\":11.505,\"name\":\"poll\",\"dur\":0.000,"
        "\"args\":{\"events\":0}},\n"
        "{\"ph\":\"s\",\"pid\":1,\"tid\":4,\"ts\":11.505,\"name\":\"wakes\",\"cat\":\"wake\","
        "\"bp\":\"e\",\"id\":3},\n"
        "{\"ph\":\"f\",\"pid\":1,\"tid\":4,\"ts\":11.505,\"name\":\"wakes\",\"cat\":\"wake\","
        "\"bp\":\"e\",\"id\":2},\n"
        "{\"ph\":\"X\",\"pid\":1,\"tid\":4,\"ts\":11.505,\"name\":\"child\",\"dur\":1.500,"
        "\"args\":{\"task\":2,\"result\":42}},\n"
        "{\"ph\":\"f\",\"pid\":1,\"tid\":3,\"ts\":13.005,\"name\":\"wakes\",\"cat\":\"wake\","
        "\"bp\":\"e\",\"id\":3},\n"
        "{\"ph\":\"X\",\"pid\":1,\"tid\":3,\"ts\":13.005,\"name\":\"parent\",\"dur\":0.000,"
        "\"args\":{\"task\":1,\"result\":\"EIO\"}}");
}

static void work(aloop *loop, void *arg)
{
    (void)loop;
    (void)arg;
    fake_time.now += 70;
}

static void callbacks(void **state)
{
    struct world *world = *state;
    aloop_tracer *tracer = start(world);
    char expected[160];

    assert_true(aloop_call_soon(world->loop, work, NULL) > 0);
    assert_true(aloop_call_soon(world->loop, work, NULL) > 0);
    world_turns(world, 1);
    assert_int_equal(aloop_tracer_stop(tracer), 0);
    (void)snprintf(expected, sizeof expected,
                   "{\"ph\":\"X\",\"pid\":1,\"tid\":1,\"ts\":0.070,\"name\":\"callback\","
                   "\"dur\":0.070,\"args\":{\"function\":\"0x%llx\"}}",
                   (unsigned long long)(uintptr_t)work);
    assert_has(expected);
    assert_int_equal(count_of("\"callback\""), 2);
}

struct chain {
    ALOOP_FRAME;
    int left;
};

ALOOP_CORO(chain)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_sleep(0));
    if (self->left > 0)
        aloop_task_unref(aloop_create_task(chain, .left = self->left - 1));
    ALOOP_END;
}

/* Tasks that come after each other share tracks: what a trace needs is bounded by how many there
   are at a time, however many there have been. */
static void tracks_are_shared(void **state)
{
    struct world *world = *state;
    aloop_tracer *tracer = start(world);
    size_t bytes;

    aloop_task_unref(aloop_create_task_in(world->loop, chain, .left = 10));
    world_drain(world);
    bytes = world->memory.bytes;
    aloop_task_unref(aloop_create_task_in(world->loop, chain, .left = 500));
    world_drain(world);
    assert_int_equal(world->memory.bytes, bytes);
    assert_int_equal(aloop_tracer_stop(tracer), 0);
    assert_int_equal(count_of("thread_name"), 4);
    assert_has("{\"name\":\"chain\"}");
    assert_has("{\"name\":\"chain 2\"}");
    assert_int_equal(count_of("\"created\""), 512);
    assert_int_equal(count_of("\"result\":0"), 512);
    /* It was written piece by piece. */
    assert_in_range(output.largest, 1, 32768);
    assert_true(output.pieces > 5);
    assert_int_equal(output.text[output.size - 2], ']');
}

struct sleeping {
    ALOOP_FRAME;
};

ALOOP_CORO(sleeping)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_sleep(0));
    ALOOP_TRY(aloop_sleep(ALOOP_SEC(1)));
    ALOOP_END;
}

/* An arrow leads to the step that came of it, and to none after that. */
static void arrows_lead_to_one_step(void **state)
{
    struct world *world = *state;
    aloop_tracer *tracer = start(world);
    aloop_task *task = aloop_create_task_in(world->loop, sleeping);

    world_turns(world, 2);
    assert_true(aloop_task_cancel(task));
    world_turns(world, 1);
    aloop_task_unref(task);
    assert_int_equal(aloop_tracer_stop(tracer), 0);
    assert_int_equal(count_of("\"result\":\"ECANCELED\""), 1);
    assert_int_equal(count_of("\"ph\":\"s\""), 1);
    assert_int_equal(count_of("\"ph\":\"f\""), 1);
}

/* A task that stands where another stood in memory is not taken for that one. */
static void addresses_are_used_again(void **state)
{
    static const aloop_coro one = {
        .name = "one", .file = "x.c", .step = end_at_once, .size = sizeof(aloop_frame)};
    static const aloop_coro other = {
        .name = "other", .file = "x.c", .step = end_at_once, .size = sizeof(aloop_frame)};
    struct world *world = *state;
    aloop_tracer *tracer = start(world);
    aloop_frame frame = {0};

    aloop_task_unref(aloop_task_new(world->loop, &one, &frame));
    world_drain(world);
    aloop_task_unref(aloop_task_new(world->loop, &other, &frame));
    world_drain(world);
    assert_int_equal(aloop_tracer_stop(tracer), 0);
    assert_has("\"tid\":3,\"name\":\"thread_name\",\"args\":{\"name\":\"one\"}");
    assert_has("\"tid\":4,\"name\":\"thread_name\",\"args\":{\"name\":\"other\"}");
}

/* Tasks that were there before get their tracks when they are first heard of. */
static void started_late(void **state)
{
    struct world *world = *state;
    aloop_tracer *tracer;

    for (int i = 0; i < 3; i++)
        aloop_task_unref(aloop_create_task_in(world->loop, child, .work = 1));
    world_turns(world, 1);
    tracer = start(world);
    world_drain(world);
    assert_int_equal(aloop_tracer_stop(tracer), 0);
    assert_int_equal(count_of("\"result\":42"), 3);
    assert_has("{\"name\":\"child 3\"}");
    assert_int_equal(count_of("\"created\""), 0);
    assert_has("{\"events\":\"EDEADLK\"}");
}

struct stopper {
    ALOOP_FRAME;
    aloop_tracer *tracer;
};

ALOOP_CORO(stopper)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_sleep(0));
    fake_time.now += 30;
    assert_int_equal(aloop_tracer_stop(self->tracer), 0);
    ALOOP_TRY(aloop_sleep(0));
    ALOOP_END;
}

static void stop_tracer(aloop *loop, void *arg)
{
    (void)loop;
    fake_time.now += 30;
    assert_int_equal(aloop_tracer_stop(arg), 0);
}

/* Stopped inside a step, or a callback: that one is the last in the trace. */
static void stopped_inside(void **state)
{
    struct world *world = *state;

    aloop_task_unref(aloop_create_task_in(world->loop, stopper, .tracer = start(world)));
    world_drain(world);
    assert_has("\"name\":\"stopper\",\"dur\":0.030,\"args\":{\"task\":1,\"in\":\"stopper\"");
    assert_int_equal(count_of("\"stopper\",\"dur\""), 2);
    output.size = 0;
    assert_true(aloop_call_soon(world->loop, stop_tracer, start(world)) > 0);
    world_drain(world);
    assert_has("\"name\":\"callback\",\"dur\":0.030");
    assert_int_equal(output.text[output.size - 2], ']');
}

/* The loop is closed first. */
static void loop_is_closed(void **state)
{
    struct world world;
    aloop_tracer *tracer;

    (void)state;
    world_open(&world, NULL);
    tracer = start(&world);
    aloop_task_unref(aloop_create_task_in(world.loop, child, .work = 1));
    world_turns(&world, 1);
    aloop_unref(world.loop);
    assert_int_equal(aloop_tracer_stop(tracer), 0);
    assert_int_equal(world.memory.bytes, 0);
    assert_has("\"name\":\"dropped\",\"s\":\"t\",\"args\":{\"task\":1}}");
    assert_has("\"name\":\"closed\",\"s\":\"t\",\"args\":{}}");
}

/* Two tracers: each has all of it. */
static void two_tracers(void **state)
{
    struct world *world = *state;
    aloop_tracer *one = start(world);
    aloop_tracer *other = start(world);
    size_t size;

    aloop_task_unref(aloop_create_task_in(world->loop, child, .work = 1));
    world_drain(world);
    assert_int_equal(aloop_tracer_stop(one), 0);
    size = output.size;
    assert_int_equal(aloop_tracer_stop(other), 0);
    assert_int_equal(output.size, 2 * size);
    assert_memory_equal(output.text, output.text + size, size);
}

/* A coroutine by hand may have any name, and no file. */
static void names_are_escaped(void **state)
{
    static const aloop_coro odd = {.name = "a \"b\"\\\n\xff",
                                   .step = end_at_once,
                                   .size = sizeof(aloop_frame)};
    struct world *world = *state;
    aloop_tracer *tracer = start(world);
    aloop_frame frame = {0};

    aloop_task_unref(aloop_task_new(world->loop, &odd, &frame));
    world_drain(world);
    assert_int_equal(aloop_tracer_stop(tracer), 0);
    assert_has("{\"name\":\"a \\\"b\\\"\\\\\\u000a\\u00ff\"}");
}

/* --- what fails --- */

/* The first error of writing is the tracer's; nothing is written after it, and the program goes
   on. */
static void writing_fails(void **state)
{
    struct world *world = *state;
    aloop_tracer *tracer = start(world);

    output.fail_from = 2;
    aloop_task_unref(aloop_create_task_in(world->loop, chain, .left = 1000));
    world_drain(world);
    assert_int_equal(output.pieces, 2);
    assert_int_equal(aloop_tracer_stop(tracer), -ENOSPC);
    assert_int_equal(output.pieces, 2);
}

/* From whatever allocation on: the start says so, or the task is shown among others. */
static void memory_runs_out(void **state)
{
    struct world *world = *state;

    aloop_task_unref(aloop_create_task_in(world->loop, child, .work = 1));
    world_drain(world);
    for (long nth = 1; nth <= 6; nth++) {
        aloop_task *task = aloop_create_task_in(world->loop, child, .work = 1);
        aloop_tracer *tracer = NULL;
        int error;

        output.size = 0;
        world->memory.fail_from = world->memory.requests + nth;
        world->memory.persists = true;
        error = aloop_tracer_start_to(world->loop, take_output, &output, &tracer);
        assert_int_equal(error, nth <= 2 ? -ENOMEM : 0);
        assert_int_equal(aloop_run_until_complete(world->loop, task), 42);
        aloop_task_unref(task);
        assert_int_equal(aloop_tracer_stop(tracer), 0);
        world->memory.fail_from = 0;
        if (nth > 2)
            assert_int_equal(count_of("\"tid\":2,\"ts\""), nth < 6 ? 2 : 0);
    }
}

static void files(void **state)
{
    struct world *world = *state;
    FILE *file = tmpfile();
    FILE *full = fopen("/dev/full", "w");
    aloop_tracer *tracer;
    char line[256];

    assert_non_null(file);
    assert_int_equal(aloop_tracer_start(world->loop, file, &tracer), 0);
    world_turns(world, 1);
    assert_int_equal(aloop_tracer_stop(tracer), 0);
    rewind(file);
    assert_non_null(fgets(line, sizeof line, file));
    assert_string_equal(line, "[\n");
    while (fgets(line, sizeof line, file) != NULL)
        continue;
    assert_string_equal(line, "]\n");
    (void)fclose(file);
    if (full != NULL) {
        assert_int_equal(aloop_tracer_start(world->loop, full, &tracer), 0);
        assert_int_equal(aloop_tracer_stop(tracer), -EIO);
        (void)fclose(full);
    }
    assert_int_equal(aloop_tracer_stop(NULL), 0);
    assert_int_equal(aloop_close(world->loop), 0);
    assert_int_equal(aloop_tracer_start(world->loop, stdout, &tracer), -ALOOP_ECLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_happens, setup, teardown),
        cmocka_unit_test_setup_teardown(story_of_a_program, setup, teardown),
        cmocka_unit_test_setup_teardown(callbacks, setup, teardown),
        cmocka_unit_test_setup_teardown(tracks_are_shared, setup, teardown),
        cmocka_unit_test_setup_teardown(arrows_lead_to_one_step, setup, teardown),
        cmocka_unit_test_setup_teardown(addresses_are_used_again, setup, teardown),
        cmocka_unit_test_setup_teardown(started_late, setup, teardown),
        cmocka_unit_test_setup_teardown(stopped_inside, setup, teardown),
        cmocka_unit_test_setup_teardown(loop_is_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(two_tracers, setup, teardown),
        cmocka_unit_test_setup_teardown(names_are_escaped, setup, teardown),
        cmocka_unit_test_setup_teardown(writing_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_runs_out, setup, teardown),
        cmocka_unit_test_setup_teardown(files, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
