/*
 * The exception handler: who hears of errors that nobody else hears of.
 */
#include "fixture.h"

static int heard;

static void hear(aloop *loop, const aloop_exception_context *context, void *arg)
{
    assert_non_null(loop);
    heard++;
    *(aloop_exception_context *)arg = *context;
}

static void report(aloop *loop, void *arg)
{
    aloop_call_exception_handler(loop, arg);
    note(loop, TEXT("r"));
}

/* S14: the report goes to the handler, as it is; the turn and the loop go on. */
static void handler_is_told(void **state)
{
    struct fixture *f = *state;
    aloop_exception_context told = {.message = "trouble", .error = -EIO}, got = {0};

    heard = 0;
    aloop_set_exception_handler(f->loop, hear, &got);
    must(aloop_call_soon(f->loop, report, &told));
    must(aloop_call_soon(f->loop, note, TEXT("n")));
    assert_int_equal(turn(f->loop), 2);
    assert_journal_is("rn");
    assert_int_equal(heard, 1);
    assert_string_equal(got.message, "trouble");
    assert_int_equal(got.error, -EIO);
    /* A NULL handler: nobody, and nothing is printed. */
    aloop_set_exception_handler(f->loop, NULL, NULL);
    must(aloop_call_soon(f->loop, report, &told));
    assert_int_equal(turn(f->loop), 1);
    assert_int_equal(heard, 1);
    assert_journal_is("r");
}

static void report_again(aloop *loop, const aloop_exception_context *context, void *arg)
{
    int *depth = arg;

    if (++*depth < 3)
        aloop_call_exception_handler(loop, context);
    must(aloop_call_soon(loop, note, TEXT("h")));
}

/* S15: a handler may itself report, and schedule. */
static void handler_that_reports(void **state)
{
    struct fixture *f = *state;
    int depth = 0;

    aloop_set_exception_handler(f->loop, report_again, &depth);
    aloop_call_exception_handler(f->loop, &(aloop_exception_context){.message = "m"});
    assert_int_equal(depth, 3);
    assert_int_equal(turn(f->loop), 3);
    assert_journal_is("hhh");
}

static void assert_prints(aloop *loop, const aloop_exception_context *context, const char *expected)
{
    char line[256] = "";
    FILE *file = tmpfile();

    assert_non_null(file);
    aloop_set_exception_handler(loop, aloop_print_exception, file);
    aloop_call_exception_handler(loop, context);
    rewind(file);
    assert_non_null(fgets(line, sizeof line, file));
    assert_string_equal(line, expected);
    assert_null(fgets(line, sizeof line, file));
    fclose(file);
    aloop_set_exception_handler(loop, NULL, NULL);
}

/* One line each, with what there is to say. */
static void printed(void **state)
{
    struct fixture *f = *state;
    char expected[256];

    assert_prints(f->loop, &(aloop_exception_context){.message = "m"}, "aloop: m\n");
    snprintf(expected, sizeof expected, "aloop: m: %s (EPIPE)\n", aloop_strerror(-EPIPE));
    assert_prints(f->loop, &(aloop_exception_context){.message = "m", .error = -EPIPE}, expected);
    assert_prints(f->loop,
                  &(aloop_exception_context){.message = "callback was slow",
                                             .name = "worker",
                                             .file = "worker.c",
                                             .line = 7,
                                             .duration = ALOOP_MS(150)},
                  "aloop: callback was slow: worker (worker.c:7): 150 ms\n");
}

int main(void)
{
    static const struct loop_test suite[] = {
        LOOP_TEST(handler_is_told),
        LOOP_TEST(handler_that_reports),
        LOOP_TEST(printed),
    };

    return RUN_SUITE(suite);
}
