/*
 * Dumps of known programs, as text. In all of them the tasks stand where they are on the virtual
 * clock, and the expected tree is there in full.
 */
#include "debug_test.h"

enum { MAIN, CALL, WAIT, OTHER, HOLD };

static char *dump_of(struct world *world)
{
    struct text text;

    assert_int_equal(aloop_dump(world->loop, text_open(&text)), 0);
    return text_close(&text);
}

/* So many turns, and then the dump. What is under test ends with the loop. */
static char *dump_after(struct world *world, int turns)
{
    world_turns(world, turns);
    return dump_of(world);
}

/* A loop may be closed over tasks: what the handler is told of them is of no interest here. */
static int close_quietly(void **state)
{
    struct world *world = *state;

    aloop_set_exception_handler(world->loop, NULL, NULL);
    return world_teardown(state);
}

#define DUMP_TEST(function) cmocka_unit_test_setup_teardown(function, world_setup, close_quietly)

/* --- one task --- */

static void test_an_empty_loop(void **state)
{
    assert_text(dump_of(*state), "time 0.000 s; 0 tasks\n");
}

struct inner {
    ALOOP_FRAME;
    aloop_op op;
};

ALOOP_CORO(inner)
{
    ALOOP_BEGIN;
    AT(WAIT); ALOOP_TRY(self->op);
    ALOOP_END;
}

struct outer {
    ALOOP_FRAME;
    aloop_op op;
};

ALOOP_CORO(outer)
{
    ALOOP_BEGIN;
    AT(CALL); ALOOP_TRY(aloop_call(inner, .op = self->op));
    ALOOP_END;
}

/* S194: a task shows its own frames */
static void test_calls_are_shown_from_the_outside_in(void **state)
{
    struct world *world = *state;
    aloop_op op = aloop_wait_for(aloop_sleep(ALOOP_MS(1500)), ALOOP_SEC(3));
    char *dump;

    aloop_task_unref(aloop_create_task_in(world->loop, outer, .op = op));
    dump = dump_after(world, 1);
    assert_text(dump,
                "time 0.000 s; 1 task\n"
                "outer#1\n"
                "  | outer (:%d)\n"
                "  | inner (:%d): sleep, 1.500 s left, time limit in 3.000 s\n",
                at[CALL], at[WAIT]);
}

static void dump_inside(aloop *loop, void *arg)
{
    assert_int_equal(aloop_dump(loop, arg), 0);
}

struct dumper {
    ALOOP_FRAME;
    FILE *file;
};

ALOOP_CORO(dumper)
{
    ALOOP_BEGIN;
    AT(WAIT); ALOOP_TRY(aloop_sleep(0));
    assert_int_equal(aloop_dump(aloop_get_running_loop(), self->file), 0);
    ALOOP_FINALLY;
    AT(OTHER); ALOOP_AWAIT(aloop_sleep(0));
    assert_int_equal(aloop_dump(aloop_get_running_loop(), self->file), 0);
    ALOOP_END;
}

/* It works at any moment: in a coroutine, in its cleanup, in a callback. */
static void test_what_does_not_wait(void **state)
{
    struct world *world = *state;
    struct text text;
    FILE *file = text_open(&text);

    aloop_task_unref(aloop_create_task_in(world->loop, dumper, .file = file));
    assert_int_equal(aloop_dump(world->loop, file), 0);
    world_turns(world, 1);
    assert_true(aloop_call_soon(world->loop, dump_inside, file) > 0);
    world_turns(world, 4);
    assert_text(text_close(&text),
                "time 0.000 s; 1 task\ndumper#1\n  | dumper (:%d): has not begun\n"
                "time 0.000 s; 1 task, 1 callback\ndumper#1\n  | dumper (:%d): runs\n"
                "time 0.000 s; 1 task\ndumper#1\n  | dumper (:%d) [cleaning up]: yields\n"
                "time 0.000 s; 1 task\ndumper#1\n  | dumper (:%d) [cleaning up]: runs\n",
                at[WAIT] - 3, at[WAIT], at[OTHER], at[OTHER]);
}

/* --- who waits for whom --- */

struct child {
    ALOOP_FRAME;
    aloop_ns delay;
};

ALOOP_CORO(child)
{
    ALOOP_BEGIN;
    AT(OTHER); ALOOP_TRY(aloop_sleep(self->delay));
    ALOOP_END;
}

enum { JOIN, SHIELD, GATHER, WAIT_FIRST, RACE, SELECT, AS_COMPLETED, GROUP, OPEN_GROUP, HOW_COUNT };
static int at_how[HOW_COUNT];
#define AT_HOW(place) at_how[place] = __LINE__

/* Two children, and a way to wait for them. */
struct parent {
    ALOOP_FRAME;
    aloop_task **tasks;
    aloop_future *future;
    aloop_select_case cases[2];
    aloop_as_completed completed;
    aloop_group group;
    int how;
};

ALOOP_CORO(parent)
{
    ALOOP_BEGIN;
    aloop_group_init(&self->group);
    for (int i = 0; i < 2; i++) {
        if (self->how >= GROUP)
            self->tasks[i] = aloop_task_ref(
                aloop_group_create_task(&self->group, child, .delay = ALOOP_SEC(i + 1)));
        else
            self->tasks[i] = aloop_create_task(child, .delay = ALOOP_SEC(i + 1));
    }
    if (self->how == JOIN) {
        AT_HOW(JOIN); ALOOP_AWAIT(aloop_join(self->tasks[1]));
    } else if (self->how == SHIELD) {
        AT_HOW(SHIELD); ALOOP_AWAIT(aloop_shield(self->tasks[1]));
    } else if (self->how == GATHER) {
        AT_HOW(GATHER); ALOOP_AWAIT(aloop_gather(self->tasks[0], self->tasks[1]));
    } else if (self->how == WAIT_FIRST) {
        at_how[WAIT_FIRST] = __LINE__ + 1;
        ALOOP_AWAIT(aloop_wait_tasks(self->tasks, 2, ALOOP_FIRST_COMPLETED, ALOOP_SEC(9)));
    } else if (self->how == RACE) {
        AT_HOW(RACE); ALOOP_AWAIT(aloop_race_tasks(self->tasks, 2, NULL));
    } else if (self->how == SELECT) {
        self->cases[0].op = aloop_join(self->tasks[1]);
        self->cases[1].op = aloop_sleep(ALOOP_SEC(3));
        AT_HOW(SELECT); ALOOP_AWAIT(aloop_select(self->cases, 2));
    } else if (self->how == AS_COMPLETED) {
        assert_int_equal(aloop_as_completed_open(&self->completed, ALOOP_NEVER), 0);
        assert_int_equal(aloop_as_completed_add_tasks(&self->completed, self->tasks, 2), 0);
        at_how[AS_COMPLETED] = __LINE__ + 1;
        ALOOP_AWAIT(aloop_as_completed_next(&self->completed, &self->future));
    } else if (self->how == GROUP) {
        AT_HOW(GROUP); ALOOP_AWAIT(aloop_group_wait(&self->group));
    } else {
        AT_HOW(OPEN_GROUP); ALOOP_AWAIT(aloop_sleep(ALOOP_SEC(7)));
    }
    ALOOP_END;
}

/* S194: through joins, gathers, shields, waits and groups */
static void test_who_waits_is_above_whom_it_waits_for(void **state)
{
    static const struct {
        int how;
        const char *what;
        const char *indent; /* of the children; NULL: only the second is below */
        const char *mark;
    } cases[] = {
        {JOIN, "join", NULL, ""},
        {SHIELD, "shield", NULL, ""},
        {GATHER, "gather\n    gather", "        ", ""},
        {WAIT_FIRST, "wait, 9.000 s left", "    ", ""},
        {RACE, "race", "    ", ""},
        {SELECT, "select of join | sleep, 3.000 s left", NULL, ""},
        {AS_COMPLETED, "as_completed", "    ", ""},
        {GROUP, "group", "    ", ""},
        {OPEN_GROUP, "sleep, 7.000 s left", "    ", " [in its group]"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *indent = cases[i].indent != NULL ? cases[i].indent : "    ";
        aloop_task *tasks[2];
        struct world world;
        char *dump;
        char one[128];
        char two[128];

        world_open(&world, NULL);
        aloop_set_exception_handler(world.loop, NULL, NULL);
        aloop_task_unref(aloop_create_task_in(world.loop, parent, .tasks = tasks,
                                              .how = cases[i].how));
        dump = dump_after(&world, 2);
        aloop_task_unref(tasks[0]);
        aloop_task_unref(tasks[1]);
        world_close(&world);
        (void)snprintf(one, sizeof one, "%schild#2%s\n%s  | child (:%d): sleep, 1.000 s left\n",
                       cases[i].indent != NULL ? indent : "", cases[i].mark,
                       cases[i].indent != NULL ? indent : "", at[OTHER]);
        (void)snprintf(two, sizeof two, "%schild#3%s\n%s  | child (:%d): sleep, 2.000 s left\n",
                       indent, cases[i].mark, indent, at[OTHER]);
        assert_text(dump, "time 0.000 s; 3 tasks\nparent#1\n  | parent (:%d): %s\n%s%s",
                    at_how[cases[i].how], cases[i].what, cases[i].indent != NULL ? one : two,
                    cases[i].indent != NULL ? two : one);
    }
}

struct joining {
    ALOOP_FRAME;
    aloop_task **other; /* is set by the time it runs */
};

ALOOP_CORO(joining)
{
    ALOOP_BEGIN;
    AT(WAIT); ALOOP_TRY(aloop_join(*self->other));
    ALOOP_END;
}

static void test_who_is_awaited_twice_is_printed_once(void **state)
{
    struct world *world = *state;
    aloop_task *task;
    char *dump;

    aloop_task_unref(aloop_create_task_in(world->loop, joining, .other = &task));
    aloop_task_unref(aloop_create_task_in(world->loop, joining, .other = &task));
    task = aloop_create_task_in(world->loop, child, .delay = ALOOP_SEC(1));
    dump = dump_after(world, 1);
    aloop_task_unref(task);
    assert_text(dump,
                "time 0.000 s; 3 tasks\n"
                "joining#1\n  | joining (:%d): join\n"
                "    child#3\n      | child (:%d): sleep, 1.000 s left\n"
                "joining#2\n  | joining (:%d): join\n"
                "    child#3 [see there]\n",
                at[WAIT], at[OTHER], at[WAIT]);
}

/* S194: and then who awaits it */
static void test_one_task_with_those_that_wait_for_it(void **state)
{
    struct world *world = *state;
    aloop_task *tasks[3];
    struct text text;

    tasks[0] = aloop_create_task_in(world->loop, joining, .other = &tasks[1]);
    tasks[1] = aloop_create_task_in(world->loop, joining, .other = &tasks[2]);
    tasks[2] = aloop_create_task_in(world->loop, child, .delay = ALOOP_SEC(1));
    world_turns(world, 1);
    assert_int_equal(aloop_dump_task(tasks[2], text_open(&text)), 0);
    assert_text(text_close(&text),
                "child#3\n  | child (:%d): sleep, 1.000 s left\n"
                "awaited by joining#2 (:%d)\nawaited by joining#1 (:%d)\n",
                at[OTHER], at[WAIT], at[WAIT]);
    world_drain(world);
    assert_int_equal(aloop_dump_task(tasks[2], text_open(&text)), 0);
    assert_text(text_close(&text), "child#3: no error\n");
    for (int i = 0; i < 3; i++)
        aloop_task_unref(tasks[i]);
}

static void test_a_future_that_nobody_works_for(void **state)
{
    struct world *world = *state;
    aloop_future *future = aloop_create_future(world->loop);
    char *dump;

    aloop_task_unref(aloop_create_task_in(world->loop, inner, .op = aloop_join(future)));
    dump = dump_after(world, 1);
    aloop_future_unref(future);
    assert_text(dump, "time 0.000 s; 1 task\ninner#1\n  | inner (:%d): join on a future\n",
                at[WAIT]);
}

/* --- scopes, cancellation, generators --- */

struct limited {
    ALOOP_FRAME;
    aloop_timeout timeout;
};

ALOOP_CORO(limited)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_timeout_enter(&self->timeout, ALOOP_SEC(4)));
    AT(CALL); ALOOP_TRY(aloop_call(child, .delay = ALOOP_SEC(9)));
    ALOOP_END;
}

static void test_time_limits_stand_with_the_frame_that_has_set_them(void **state)
{
    struct world *world = *state;
    char *dump;

    aloop_task_unref(aloop_create_task_in(world->loop, limited));
    dump = dump_after(world, 1);
    assert_text(dump,
                "time 0.000 s; 1 task\nlimited#1\n"
                "  | limited (:%d) [time limit in 4.000 s]\n"
                "  | child (:%d): sleep, 9.000 s left\n",
                at[CALL], at[OTHER]);
}

static void test_a_cancelled_task_that_does_not_end(void **state)
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, stubborn, .delay = ALOOP_SEC(1),
                                            .cleanup = ALOOP_SEC(2));
    struct text text;
    char *dump;

    world_turns(world, 1);
    assert_true(aloop_task_cancel(task));
    assert_int_equal(aloop_dump(world->loop, text_open(&text)), 0);
    dump = text_close(&text);
    assert_non_null(strstr(dump, "stubborn#1 [cancelled]\n"));
    assert_non_null(strstr(dump, "sleep, 1.000 s left, woken\n"));
    free(dump);
    world_turns(world, 1);
    dump = dump_of(world);
    assert_non_null(strstr(dump, "stubborn#1 [cancelled]\n"));
    assert_non_null(strstr(dump, "sleep, 2.000 s left\n"));
    free(dump);
    aloop_task_unref(task);
}

struct counter {
    ALOOP_FRAME;
};

ALOOP_CORO(counter)
{
    ALOOP_BEGIN;
    AT(HOLD); ALOOP_YIELD(1);
    AT(CALL); ALOOP_TRY(aloop_sleep(ALOOP_SEC(5)));
    ALOOP_END;
}

struct consumer {
    ALOOP_FRAME;
    aloop_generator generator;
};

ALOOP_CORO(consumer)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_generator_open(&self->generator, counter));
    ALOOP_TRY(aloop_generator_next(&self->generator));
    AT(OTHER); ALOOP_TRY(aloop_sleep(ALOOP_SEC(1)));
    AT(WAIT); ALOOP_TRY(aloop_generator_next(&self->generator));
    ALOOP_END;
}

static void test_generators_run_as_calls_or_stand_still(void **state)
{
    struct world *world = *state;
    char *dump;

    aloop_task_unref(aloop_create_task_in(world->loop, consumer));
    dump = dump_after(world, 1);
    assert_text(dump,
                "time 0.000 s; 1 task\nconsumer#1\n"
                "  | consumer (:%d): sleep, 1.000 s left\n"
                "  | generator counter (:%d) stands still\n",
                at[OTHER], at[HOLD]);
    assert_true(aloop_run_once(world->loop, ALOOP_SEC(1)) >= 0);
    world_turns(world, 1);
    dump = dump_of(world);
    assert_text(dump,
                "time 1.000 s; 1 task\nconsumer#1\n"
                "  | consumer (:%d)\n  | counter (:%d): sleep, 5.000 s left\n",
                at[WAIT], at[CALL]);
}

/* --- bounds --- */

struct deep {
    ALOOP_FRAME;
    int depth;
};

ALOOP_CORO(deep)
{
    ALOOP_BEGIN;
    if (self->depth == 0)
        ALOOP_TRY(aloop_sleep(ALOOP_SEC(1)));
    else
        ALOOP_TRY(aloop_call(deep, .depth = self->depth - 1));
    ALOOP_END;
}

static void test_the_middle_of_a_long_chain_of_calls_is_left_out(void **state)
{
    struct world *world = *state;
    size_t lines = 0;
    char *dump;

    aloop_task_unref(aloop_create_task_in(world->loop, deep, .depth = 999));
    dump = dump_after(world, 5);
    assert_non_null(strstr(dump, "  | ... 936 more calls\n"));
    for (const char *at_line = dump; (at_line = strchr(at_line, '\n')) != NULL; at_line++)
        lines++;
    assert_int_equal(lines, 2 + 32 + 1 + 32);
    free(dump);
}

#define MANY 100000

/* A hundred thousand tasks in one chain: as deep as can be, and nothing nests. */
static void test_a_long_chain_of_tasks(void **state)
{
    struct world *world = *state;
    aloop_task **tasks = malloc(MANY * sizeof(aloop_task *));
    struct text text;
    char *dump;

    assert_non_null(tasks);
    for (size_t i = 0; i + 1 < MANY; i++)
        tasks[i] = aloop_create_task_in(world->loop, joining, .other = &tasks[i + 1]);
    tasks[MANY - 1] = aloop_create_task_in(world->loop, child, .delay = ALOOP_SEC(1));
    world_turns(world, 1);
    assert_int_equal(aloop_dump(world->loop, text_open(&text)), 0);
    dump = text_close(&text);
    assert_non_null(strstr(dump, " child#100000\n"));
    assert_null(strstr(dump, "see there"));
    assert_null(strstr(dump, "deadlock"));
    free(dump);
    for (size_t i = 0; i < MANY; i++)
        aloop_task_unref(tasks[i]);
    free(tasks);
}

/* However little memory there is, a text comes out, and nothing stays allocated. */
static void test_without_memory(void **state)
{
    struct world *world = *state;
    bool is_tree = false;
    aloop_task *tasks[2];
    size_t bytes;

    aloop_task_unref(aloop_create_task_in(world->loop, parent, .tasks = tasks, .how = GATHER));
    world_turns(world, 2);
    bytes = world->memory.bytes;
    for (long n = 1; !is_tree; n++) {
        char *dump;

        assert_true(n < 100);
        world->memory.fail_from = world->memory.requests + n;
        world->memory.persists = true;
        dump = dump_of(world);
        world->memory.fail_from = 0;
        assert_int_equal(world->memory.bytes, bytes);
        assert_non_null(strstr(dump, "child#3"));
        is_tree = strstr(dump, "There is no memory") == NULL;
        assert_true(is_tree == (strstr(dump, "        child#3") != NULL));
        free(dump);
    }
    world->memory.fail_from = world->memory.requests + 1;
    assert_int_equal(aloop_dump_as(world->loop, stdout, ALOOP_DUMP_JSON), -ENOMEM);
    assert_int_equal(aloop_dump_as(world->loop, stdout, (aloop_dump_format)7), -EINVAL);
    aloop_task_unref(tasks[0]);
    aloop_task_unref(tasks[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DUMP_TEST(test_an_empty_loop),
        DUMP_TEST(test_calls_are_shown_from_the_outside_in),
        DUMP_TEST(test_what_does_not_wait),
        cmocka_unit_test(test_who_waits_is_above_whom_it_waits_for),
        DUMP_TEST(test_who_is_awaited_twice_is_printed_once),
        DUMP_TEST(test_one_task_with_those_that_wait_for_it),
        DUMP_TEST(test_a_future_that_nobody_works_for),
        DUMP_TEST(test_time_limits_stand_with_the_frame_that_has_set_them),
        DUMP_TEST(test_a_cancelled_task_that_does_not_end),
        DUMP_TEST(test_generators_run_as_calls_or_stand_still),
        DUMP_TEST(test_the_middle_of_a_long_chain_of_calls_is_left_out),
        DUMP_TEST(test_a_long_chain_of_tasks),
        DUMP_TEST(test_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
