/*
 * Where errors came from: the lines that ALOOP_TRY and ALOOP_RETURN leave behind.
 */
#include "debug_test.h"

enum { LEAF, MIDDLE, TOP, SECOND, WAIT };

struct leaf {
    ALOOP_FRAME;
    int64_t error;
};

ALOOP_CORO(leaf)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_sleep(1));
    AT(LEAF); ALOOP_RETURN(self->error);
    ALOOP_END;
}

struct middle {
    ALOOP_FRAME;
    int64_t error;
};

ALOOP_CORO(middle)
{
    ALOOP_BEGIN;
    AT(MIDDLE); ALOOP_TRY(aloop_call(leaf, .error = self->error));
    ALOOP_END;
}

struct top {
    ALOOP_FRAME;
    int64_t error;
};

ALOOP_CORO(top)
{
    ALOOP_BEGIN;
    AT(TOP); ALOOP_TRY(aloop_call(middle, .error = self->error));
    ALOOP_END;
}

static aloop_task *end(struct world *world, aloop_task *task)
{
    world_drain(world);
    assert_true(aloop_task_done(task));
    return task;
}

static char *error_of(aloop_task *task)
{
    struct text text;

    assert_int_equal(aloop_task_print_error(task, text_open(&text)), 0);
    (void)aloop_task_result(task);
    aloop_task_unref(task);
    return text_close(&text);
}

static void test_each_frame_adds_its_line(void **state)
{
    struct world *world = *state;
    aloop_task *task = end(world, aloop_create_task_in(world->loop, top, .error = -EPROTO));
    const aloop_trace_line *lines;
    size_t more;

    assert_int_equal(aloop_task_trace(task, &lines, &more), 3);
    assert_int_equal(more, 0);
    assert_string_equal(lines[0].name, "leaf");
    assert_string_equal(lines[0].task_name, "top");
    assert_int_equal(lines[0].task, aloop_task_number(task));
    assert_int_equal(lines[0].line, at[LEAF]);
    assert_int_equal(lines[0].error, -EPROTO);
    assert_text(error_of(task),
                "top#1: protocol error (EPROTO)\n"
                "    leaf (:%d)\n    middle (:%d)\n    top (:%d)\n",
                at[LEAF], at[MIDDLE], at[TOP]);
}

static void test_success_leaves_nothing(void **state)
{
    struct world *world = *state;
    aloop_task *task = end(world, aloop_create_task_in(world->loop, top, .error = 5));
    const aloop_trace_line *lines;

    assert_int_equal(aloop_task_trace(task, &lines, NULL), 0);
    assert_null(lines);
    assert_text(error_of(task), "top#1: no error\n");
}

/* --- what is one error, and what another --- */

struct retrying {
    ALOOP_FRAME;
    int n;
};

ALOOP_CORO(retrying)
{
    ALOOP_BEGIN;
    for (; self->n > 0; self->n--)
        ALOOP_AWAIT(aloop_call(middle, .error = -EIO));
    AT(TOP); ALOOP_TRY(aloop_call(leaf, .error = -EIO));
    ALOOP_END;
}

/* The same error comes twice to the same frame: the first time it was caught. */
static void test_an_error_that_was_caught_is_forgotten(void **state)
{
    struct world *world = *state;
    aloop_task *task = end(world, aloop_create_task_in(world->loop, retrying, .n = 3));

    assert_text(error_of(task),
                "retrying#1: input/output error (EIO)\n    leaf (:%d)\n    retrying (:%d)\n",
                at[LEAF], at[TOP]);
}

struct translating {
    ALOOP_FRAME;
    struct text *text;
};

ALOOP_CORO(translating)
{
    ALOOP_BEGIN;
    AT(MIDDLE); ALOOP_AWAIT(aloop_call(leaf, .error = -EIO));
    if (self->result < 0)
        AT(TOP), (void)0;
    if (self->text != NULL)
        assert_int_equal(aloop_task_print_error(aloop_current_task(), text_open(self->text)), 0);
    ALOOP_RETURN(self->result < 0 ? -EPROTO : 0);
    ALOOP_END;
}

static void test_an_error_that_becomes_another_keeps_its_origin(void **state)
{
    struct world *world = *state;
    struct text text;
    aloop_task *task = end(world, aloop_create_task_in(world->loop, translating, .text = &text));

    /* Where it was caught, the task can ask as well. */
    assert_text(text_close(&text), "translating#1: input/output error (EIO)\n    leaf (:%d)\n",
                at[LEAF]);
    assert_text(error_of(task),
                "translating#1: protocol error (EPROTO)\n"
                "    leaf (:%d): input/output error (EIO)\n    translating (:%d)\n",
                at[LEAF], at[TOP] + 3);
}

struct swallowing {
    ALOOP_FRAME;
};

ALOOP_CORO(swallowing)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_call(leaf, .error = -EIO));
    ALOOP_RETURN(0);
    ALOOP_END;
}

static void test_a_task_that_caught_its_error_has_none(void **state)
{
    struct world *world = *state;
    aloop_task *task = end(world, aloop_create_task_in(world->loop, swallowing));

    assert_text(error_of(task), "swallowing#1: no error\n");
}

struct tidying {
    ALOOP_FRAME;
};

ALOOP_CORO(tidying)
{
    ALOOP_BEGIN;
    AT(SECOND); ALOOP_TRY(aloop_call(leaf, .error = -EIO));
    ALOOP_FINALLY;
    ALOOP_AWAIT(aloop_call(middle, .error = -EPIPE));
    ALOOP_END;
}

struct above_tidying {
    ALOOP_FRAME;
};

ALOOP_CORO(above_tidying)
{
    ALOOP_BEGIN;
    AT(TOP); ALOOP_TRY(aloop_call(tidying));
    ALOOP_END;
}

static void test_an_error_of_the_cleanup_does_not_hide_the_one_before(void **state)
{
    struct world *world = *state;
    aloop_task *task = end(world, aloop_create_task_in(world->loop, above_tidying));

    assert_text(error_of(task),
                "above_tidying#1: input/output error (EIO)\n"
                "    leaf (:%d)\n    tidying (:%d)\n    above_tidying (:%d)\n",
                at[LEAF], at[SECOND], at[TOP]);
}

/* --- time limits --- */

struct hanging {
    ALOOP_FRAME;
};

ALOOP_CORO(hanging)
{
    ALOOP_BEGIN;
    AT(LEAF); ALOOP_TRY(aloop_sleep(ALOOP_SEC(10)));
    ALOOP_END;
}

struct impatient {
    ALOOP_FRAME;
};

ALOOP_CORO(impatient)
{
    ALOOP_BEGIN;
    AT(TOP); ALOOP_TRY(aloop_wait_for(aloop_call(hanging), ALOOP_SEC(1)));
    ALOOP_END;
}

/* Where was it when its time was up? */
static void test_a_timeout_tells_where_time_went(void **state)
{
    struct world *world = *state;
    aloop_task *task = end(world, aloop_create_task_in(world->loop, impatient));

    assert_text(error_of(task),
                "impatient#1: timed out (ETIMEDOUT)\n"
                "    hanging (:%d)\n    impatient (:%d)\n",
                at[LEAF], at[TOP]);
}

static void test_a_cancelled_task_has_no_trace(void **state)
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, hanging);
    size_t bytes;

    world_turns(world, 1);
    bytes = world->memory.bytes;
    assert_true(aloop_task_cancel(task));
    world_turns(world, 1);
    assert_int_equal(world->memory.bytes, bytes);
    assert_text(error_of(task), "hanging#1: operation canceled (ECANCELED)\n");
}

/* --- from task to task --- */

struct joining {
    ALOOP_FRAME;
    aloop_task *other;
};

ALOOP_CORO(joining)
{
    ALOOP_BEGIN;
    AT(WAIT); ALOOP_TRY(aloop_join_unref(self->other));
    ALOOP_END;
}

static void test_a_join_tells_of_the_other_task(void **state)
{
    struct world *world = *state;
    aloop_task *other = aloop_create_task_in(world->loop, middle, .error = -EIO);
    aloop_task *task;

    assert_int_equal(aloop_task_number(other), 1);
    task = end(world, aloop_create_task_in(world->loop, joining, .other = other));
    assert_text(error_of(task),
                "joining#2: input/output error (EIO)\n"
                "  in middle#1:\n    leaf (:%d)\n    middle (:%d)\n"
                "  in joining#2:\n    joining (:%d)\n",
                at[LEAF], at[MIDDLE], at[WAIT]);
}

struct gathering {
    ALOOP_FRAME;
    aloop_task *a, *b;
};

ALOOP_CORO(gathering)
{
    ALOOP_BEGIN;
    self->a = aloop_create_task(sleeper, .delay = ALOOP_SEC(1));
    self->b = aloop_create_task(middle, .error = -EIO);
    (void)aloop_task_number(self->b);
    AT(WAIT); ALOOP_TRY(aloop_gather(self->a, self->b));
    ALOOP_FINALLY;
    aloop_task_unref(self->a);
    aloop_task_unref(self->b);
    ALOOP_END;
}

static void test_a_gather_tells_of_the_first_that_failed(void **state)
{
    struct world *world = *state;
    aloop_task *task = end(world, aloop_create_task_in(world->loop, gathering));

    assert_text(error_of(task),
                "gathering#2: input/output error (EIO)\n"
                "  in middle#1:\n    leaf (:%d)\n    middle (:%d)\n"
                "  in gathering#2:\n    gathering (:%d)\n",
                at[LEAF], at[MIDDLE], at[WAIT]);
}

struct racing {
    ALOOP_FRAME;
    aloop_task *tasks[2];
};

ALOOP_CORO(racing)
{
    ALOOP_BEGIN;
    self->tasks[0] = aloop_create_task(sleeper, .delay = ALOOP_SEC(1));
    self->tasks[1] = aloop_create_task(middle, .error = -EIO);
    (void)aloop_task_number(self->tasks[1]);
    AT(WAIT); ALOOP_TRY(aloop_race_of(self->tasks, 2, NULL));
    ALOOP_FINALLY;
    aloop_task_unref(self->tasks[0]);
    aloop_task_unref(self->tasks[1]);
    ALOOP_END;
}

static void test_a_race_tells_of_the_first(void **state)
{
    struct world *world = *state;
    aloop_task *task = end(world, aloop_create_task_in(world->loop, racing));

    assert_text(error_of(task),
                "racing#2: input/output error (EIO)\n"
                "  in middle#1:\n    leaf (:%d)\n    middle (:%d)\n"
                "  in racing#2:\n    racing (:%d)\n",
                at[LEAF], at[MIDDLE], at[WAIT]);
}

struct collecting {
    ALOOP_FRAME;
    aloop_task *task;
    aloop_as_completed completed;
    aloop_future *next;
};

ALOOP_CORO(collecting)
{
    ALOOP_BEGIN;
    self->task = aloop_create_task(middle, .error = -EIO);
    (void)aloop_task_number(self->task);
    assert_int_equal(aloop_as_completed_open(&self->completed, ALOOP_NEVER), 0);
    assert_int_equal(aloop_as_completed_add(&self->completed, self->task), 0);
    ALOOP_TRY(aloop_as_completed_next(&self->completed, &self->next));
    AT(WAIT); ALOOP_TRY(aloop_join(self->next));
    ALOOP_FINALLY;
    aloop_task_unref(self->task);
    ALOOP_END;
}

/* It is done by the time that it is joined. */
static void test_what_has_completed_tells_where_it_failed(void **state)
{
    struct world *world = *state;
    aloop_task *task = end(world, aloop_create_task_in(world->loop, collecting));

    assert_text(error_of(task),
                "collecting#2: input/output error (EIO)\n"
                "  in middle#1:\n    leaf (:%d)\n    middle (:%d)\n"
                "  in collecting#2:\n    collecting (:%d)\n",
                at[LEAF], at[MIDDLE], at[WAIT]);
}

struct with_group {
    ALOOP_FRAME;
    aloop_group group;
    bool waits;
};

ALOOP_CORO(with_group)
{
    ALOOP_BEGIN;
    aloop_group_init(&self->group);
    ALOOP_TRY(aloop_group_start(&self->group, sleeper, .delay = ALOOP_SEC(1)));
    ALOOP_TRY(aloop_group_start(&self->group, middle, .error = -EIO));
    if (!self->waits)
        AT(WAIT), (void)0;
    if (!self->waits)
        ALOOP_TRY(aloop_call(hanging));
    AT(SECOND); ALOOP_TRY(aloop_group_wait(&self->group));
    ALOOP_END;
}

static void test_a_group_tells_of_the_child(void **state)
{
    struct world *world = *state;
    aloop_task *task = end(world, aloop_create_task_in(world->loop, with_group, .waits = true));

    assert_text(error_of(task),
                "with_group#2: input/output error (EIO)\n"
                "  in middle#1:\n    leaf (:%d)\n    middle (:%d)\n"
                "  in with_group#2:\n    with_group (:%d)\n",
                at[LEAF], at[MIDDLE], at[SECOND]);
    /* The child's failure cancels what its parent does at that moment: that is not its origin. */
    task = end(world, aloop_create_task_in(world->loop, with_group, .waits = false));
    assert_text(error_of(task),
                "with_group#4: input/output error (EIO)\n"
                "  in middle#3:\n    leaf (:%d)\n    middle (:%d)\n"
                "  in with_group#4:\n    with_group (:%d)\n",
                at[LEAF], at[MIDDLE], at[WAIT] + 2);
}

/* --- reports --- */

struct report {
    struct text text;
    int count;
};

static void print_report(aloop *loop, const aloop_exception_context *context, void *arg)
{
    struct report *report = arg;

    report->count++;
    aloop_print_exception(loop, context, report->text.file);
}

static void test_a_report_carries_the_trace(void **state)
{
    struct world *world = *state;
    struct report report = {.count = 0};
    aloop_task *task = aloop_create_task_in(world->loop, top, .error = -EIO);

    (void)text_open(&report.text);
    aloop_set_exception_handler(world->loop, print_report, &report);
    aloop_task_unref(end(world, task));
    assert_int_equal(report.count, 1);
    assert_text(text_close(&report.text),
                "aloop: task exception was never retrieved: top (:%d): input/output error (EIO)\n"
                "    leaf (:%d)\n    middle (:%d)\n    top (:%d)\n",
                at[TOP], at[LEAF], at[MIDDLE], at[TOP]);
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
        ALOOP_RETURN(-EIO);
    ALOOP_TRY(aloop_call(deep, .depth = self->depth - 1));
    ALOOP_END;
}

static void test_a_long_trace_keeps_the_innermost(void **state)
{
    struct world *world = *state;
    aloop_task *task = end(world, aloop_create_task_in(world->loop, deep, .depth = 99));
    const aloop_trace_line *lines;
    char *printed;
    size_t more;

    assert_int_equal(aloop_task_trace(task, &lines, &more), 32);
    assert_int_equal(more, 68);
    assert_true(lines[0].line < lines[1].line);
    assert_int_equal(lines[1].line, lines[31].line);
    printed = error_of(task);
    assert_non_null(strstr(printed, "    ... 68 more\n"));
    free(printed);
}

/* The nth request for memory fails, for each n: the error arrives, with its trace or without. */
static void test_without_memory_the_error_is_not_lost(void **state)
{
    struct world *world = *state;
    bool traced = false;

    for (long n = 1; !traced; n++) {
        aloop_task *task = aloop_create_task_in(world->loop, deep, .depth = 60);
        const aloop_trace_line *lines;

        assert_true(n < 1000);
        world_turns(world, 1);
        world->memory.fail_from = world->memory.requests + n;
        world->memory.persists = true;
        world_drain(world);
        world->memory.fail_from = 0;
        assert_true(aloop_task_result(task) == -EIO || aloop_task_result(task) == -ENOMEM);
        traced = aloop_task_result(task) == -EIO && aloop_task_trace(task, &lines, NULL) == 32;
        aloop_task_unref(task);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each_frame_adds_its_line),
        TEST(test_success_leaves_nothing),
        TEST(test_an_error_that_was_caught_is_forgotten),
        TEST(test_an_error_that_becomes_another_keeps_its_origin),
        TEST(test_a_task_that_caught_its_error_has_none),
        TEST(test_an_error_of_the_cleanup_does_not_hide_the_one_before),
        TEST(test_a_timeout_tells_where_time_went),
        TEST(test_a_cancelled_task_has_no_trace),
        TEST(test_a_join_tells_of_the_other_task),
        TEST(test_a_gather_tells_of_the_first_that_failed),
        TEST(test_a_race_tells_of_the_first),
        TEST(test_what_has_completed_tells_where_it_failed),
        TEST(test_a_group_tells_of_the_child),
        TEST(test_a_report_carries_the_trace),
        TEST(test_a_long_trace_keeps_the_innermost),
        TEST(test_without_memory_the_error_is_not_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
