/*
 * Each system call of starting a child fails, each allocation: there is either a child that works,
 * or an error, and nothing is left of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "process_test.h"

/* A whole life: started with three pipes, talked to, ended. 0 or the error of starting it. */
PROCESS_CORO(life)
{
    aloop_process_options options = process_options(ALOOP_PIPE, ALOOP_PIPE, ALOOP_PIPE);

    ALOOP_BEGIN;
    self->i = process_exec_of("cat", &options, &self->process);
    if (self->i < 0) {
        assert_int_equal(self->process.pid, 0);
        ALOOP_RETURN(self->i);
    }
    ALOOP_AWAIT(aloop_process_communicate(&self->process, "hello", 5, &self->output));
    if (self->result == 0) {
        EXPECT_OUTPUT("hello");
        assert_true(self->output.returncode == 0 ||
                    self->output.returncode == ALOOP_RETURNCODE_UNKNOWN);
    }
    ALOOP_FINALLY;
    ALOOP_AWAIT(aloop_process_stop(&self->process, 0, NULL));
    aloop_process_close(&self->process);
    ALOOP_END;
}

static int64_t live(struct process_state *self)
{
    return aloop_run_in(self->loop, life, .state = self);
}

/* A child that was started, and that we could not watch, is gone as well: killed and waited for,
   or its end would be nobody's. */
static void test_system_calls(void **state)
{
    static const enum fault_call calls[] = {
        FAULT_PIPE,      FAULT_SPAWN,           FAULT_PIDFD_OPEN,     FAULT_GETSOCKOPT,
        FAULT_EPOLL_CTL, FAULT_SET_NONBLOCKING, FAULT_FD_IS_POLLABLE, FAULT_FD_IS_OPEN,
        FAULT_WAKE_OPEN, FAULT_SIGACTION,       FAULT_KQUEUE};
    static const int errors[] = {-EMFILE, -ENOMEM, -EAGAIN};
    struct process_state *self = *state;
    unsigned refusals = 0;

    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        for (unsigned n = 1; n < 20; n++) {
            bool has_failed;

            fault_install();
            fault_fail(calls[i], n, errors[n % 3]);
            refusals += live(self) < 0;
            has_failed = fault_failures(calls[i]) > 0;
            fault_reset();
            if (self->has_only_signals)
                sys.pidfd_open = process_no_pidfd;
            process_assert_childless();
            if (!has_failed)
                break;
        }
    }
    assert_true(refusals >= 4);
    assert_int_equal(live(self), 0);
}

/* What is asked about a child that is there: it may be lost, and is not left lying about. */
static void test_lost(void **state)
{
    struct process_state *self = *state;

    for (unsigned n = 1; n < 20; n++) {
        bool has_failed;

        fault_install();
        fault_fail(FAULT_WAIT_CHILD, n, -ECHILD);
        (void)live(self);
        has_failed = fault_failures(FAULT_WAIT_CHILD) > 0;
        fault_reset();
        if (self->has_only_signals)
            sys.pidfd_open = process_no_pidfd;
        /* Nobody else has really waited for it. */
        while (waitpid(-1, NULL, 0) > 0)
            continue;
        if (!has_failed)
            return;
    }
    fail();
}

static void test_memory(void **state)
{
    struct process_state *self = *state;

    for (long n = 1;; n++) {
        int64_t result;

        memory_probe_fail(&self->memory, n, false);
        result = live(self);
        memory_probe_fail(&self->memory, 0, false);
        process_assert_childless();
        assert_true(result == 0 || result == -ENOMEM);
        if (result == 0 && n > 20)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(test_system_calls),
        PROCESS_TEST(test_lost),
        PROCESS_TEST(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
