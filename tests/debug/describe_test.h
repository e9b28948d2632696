/*
 * What the tests of descriptions share: an operation is awaited, and says in a dump what it waits
 * for. tests/hygiene/described.sh asks that every operation of the library is among them.
 */
#ifndef ALOOP_TESTS_DESCRIBE_TEST_H
#define ALOOP_TESTS_DESCRIBE_TEST_H

#include "debug_test.h"

struct waiting {
    ALOOP_FRAME;
    void (*prepare)(void); /* what only the task can open; NULL: nothing */
    aloop_op op;
};

ALOOP_CORO(waiting)
{
    ALOOP_BEGIN;
    if (self->prepare != NULL)
        self->prepare();
    ALOOP_AWAIT(self->op);
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

/* What the task says that it waits for, behind its place in the file; the caller frees it. */
static char *described(aloop_task *task)
{
    struct text text;
    char *dump, *said;

    assert_false(aloop_task_done(task));
    assert_int_equal(aloop_dump_task(task, text_open(&text)), 0);
    assert_int_equal(fclose(text.file), 0);
    dump = text.content;
    /* Of the task itself: others may follow. */
    said = strstr(dump, "): ");
    assert_non_null(said);
    said += strlen("): ");
    said[strcspn(said, "\n")] = '\0';
    memmove(dump, said, strlen(said) + 1);
    return dump;
}

/* Cancels it, and waits for its end; drops the reference. */
static ALOOP_UNUSED void stop(aloop_task *task)
{
    aloop *loop = aloop_task_loop(task);

    assert_true(aloop_task_cancel(task));
    while (!aloop_task_done(task))
        assert_true(aloop_run_once(loop, ALOOP_MS(100)) >= 0);
    assert_true(aloop_run_once(loop, 0) >= 0);
    aloop_task_unref(task);
}

static ALOOP_UNUSED aloop_task *await_prepared(aloop *loop, void (*prepare)(void), aloop_op op)
{
    aloop_task *task = aloop_create_task_in(loop, waiting, .prepare = prepare, .op = op);

    assert_true(aloop_run_once(loop, 0) >= 0);
    return task;
}

/* Has a task await `op`, which must say `expected` then. */
static ALOOP_UNUSED void check_prepared(aloop *loop, void (*prepare)(void), aloop_op op,
                                        const char *expected)
{
    aloop_task *task = await_prepared(loop, prepare, op);
    char *said = described(task);

    assert_string_equal(said, expected);
    free(said);
    stop(task);
}

#define check(loop, op, expected) check_prepared((loop), NULL, (op), (expected))

/* The same with a number in it: an fd, say. */
static ALOOP_UNUSED void check_number(aloop *loop, aloop_op op, const char *expected, int number)
{
    char words[96];

    (void)snprintf(words, sizeof words, "%s%d", expected, number);
    check(loop, op, words);
}

#endif
