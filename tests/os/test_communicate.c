/*
 * Short conversations: input and outputs at the same time, within limits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "process_test.h"

#define LARGE ((size_t)1 << 20)

static char *large_text(void)
{
    char *text = malloc(LARGE);

    assert_non_null(text);
    memset(text, 'x', LARGE);
    return text;
}

/* S187: far more than any pipe holds, in all three. A parent that wrote all before it read, or read
   one output before the other, would wait for a child that waits for it. */
PROCESS_CORO(large)
{
    ALOOP_BEGIN;
    self->text = large_text();
    self->options = process_options(ALOOP_PIPE, ALOOP_PIPE, ALOOP_PIPE);
    assert_int_equal(process_shell_of("tee /dev/stderr", &self->options, &self->process), 0);
    ALOOP_TRY(aloop_process_communicate(&self->process, self->text, LARGE, &self->output));
    assert_int_equal(self->output.returncode, 0);
    assert_int_equal(self->output.out.size, LARGE);
    assert_memory_equal(self->output.out.data, self->text, LARGE);
    assert_int_equal(self->output.err.size, LARGE);
    assert_memory_equal(self->output.err.data, self->text, LARGE);
    ALOOP_FINALLY;
    free(self->text);
    aloop_process_close(&self->process);
    ALOOP_END;
}

PROCESS_RUN(large)

/* S187: a child that does not read is no error: one that has ended, one that has closed its end. */
PROCESS_CORO(not_read)
{
    ALOOP_BEGIN;
    self->text = large_text();
    process_shell("exec <&-; echo no, thanks; exit 2", &self->process);
    ALOOP_TRY(aloop_process_communicate(&self->process, self->text, LARGE, &self->output));
    EXPECT_OUTPUT("no, thanks\n");
    assert_int_equal(self->output.returncode, 2);
    aloop_process_close(&self->process);

    process_shell("exit 3", &self->process);
    ALOOP_TRY(aloop_process_wait(&self->process, NULL));
    ALOOP_TRY(aloop_process_communicate(&self->process, "hello", 5, &self->output));
    EXPECT_OUTPUT("");
    assert_int_equal(self->output.returncode, 3);
    ALOOP_FINALLY;
    free(self->text);
    aloop_process_close(&self->process);
    ALOOP_END;
}

PROCESS_RUN(not_read)

/* No input is the end of it at once; no pipe is nothing. */
PROCESS_CORO(nothing)
{
    ALOOP_BEGIN;
    process_shell("cat; echo end", &self->process);
    ALOOP_TRY(aloop_process_communicate(&self->process, NULL, 0, &self->output));
    EXPECT_OUTPUT("end\n");
    assert_int_equal(self->output.err.size, 0);
    aloop_process_close(&self->process);

    self->options = process_options(ALOOP_DEVNULL, ALOOP_DEVNULL, ALOOP_DEVNULL);
    assert_int_equal(process_shell_of("cat; exit 4", &self->options, &self->process), 0);
    ALOOP_TRY(aloop_process_communicate(&self->process, "x", 1, &self->output));
    assert_int_equal(self->output.returncode, 4);
    aloop_process_close(&self->process);
    ALOOP_END;
}

PROCESS_RUN(nothing)

/* Just at the limit, and above it: then it is an error, and the child is still there. */
PROCESS_CORO(limit)
{
    ALOOP_BEGIN;
    process_shell("echo 1234567", &self->process);
    self->output.limit = 8;
    ALOOP_TRY(aloop_process_communicate(&self->process, NULL, 0, &self->output));
    EXPECT_OUTPUT("1234567\n");
    aloop_process_close(&self->process);

    process_shell("exec 3<&0; echo 12345678; exec cat <&3 >/dev/null", &self->process);
    self->output.limit = 8;
    self->text = large_text();
    ALOOP_AWAIT(aloop_process_communicate(&self->process, self->text, LARGE, &self->output));
    EXPECT(-EMSGSIZE);
    ALOOP_AWAIT(aloop_process_stop(&self->process, ALOOP_SEC(1000), &self->code));
    EXPECT(0);
    ALOOP_FINALLY;
    free(self->text);
    aloop_process_close(&self->process);
    ALOOP_END;
}

PROCESS_RUN(limit)

/* Out of time, or cancelled: the child goes on, and can be ended. */
PROCESS_CORO(given_up)
{
    ALOOP_BEGIN;
    process_shell("echo half; exec sleep 1000", &self->process);
    ALOOP_AWAIT(aloop_wait_for(aloop_process_communicate(&self->process, NULL, 0, &self->output),
                               ALOOP_MS(1)));
    EXPECT(-ETIMEDOUT);
    assert_int_equal(aloop_process_returncode(&self->process, &self->code), -ALOOP_EPENDING);
    ALOOP_TRY(aloop_process_stop(&self->process, ALOOP_SEC(1000), &self->code));
    assert_int_equal(self->code, -SIGTERM);
    aloop_process_close(&self->process);
    ALOOP_END;
}

PROCESS_RUN(given_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(test_large), PROCESS_TEST(test_not_read), PROCESS_TEST(test_nothing),
        PROCESS_TEST(test_limit), PROCESS_TEST(test_given_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
