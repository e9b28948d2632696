/*
 * Signals and fork(): a child's are not its parent's. The children judge by themselves, and tell
 * with their exit status: 0, or the line that failed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "os/signal.h"
#include "os/signal_port.h"
#include "signal_test.h"

#include <poll.h>

static int fd_of_port(aloop *loop)
{
    return signal_port_fd(loop->signals->port);
}

static bool is_readable(int fd)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};

    return poll(&pollfd, 1, 0) == 1;
}

/* S49: a child that is sent a signal before it has a loop of its own lets its parent sleep. Without
   a look at who it is, the handler would write to the fd that both have. */
static void the_parent_does_not_hear(void **state)
{
    struct os_state *self = *state;
    pid_t child;

    assert_int_equal(aloop_add_signal_handler(self->loop, SIGUSR1, note, TEXT("x")), 0);
    child = fork();
    if (child == 0) {
        CHECK(raise(SIGUSR1) == 0);
        CHECK(aloop_add_signal_handler(self->loop, SIGUSR2, note, TEXT("y")) == -ECHILD);
        CHECK(aloop_remove_signal_handler(self->loop, SIGUSR1));
        CHECK(is_default(SIGUSR1));
        CHECK(aloop_close(self->loop) == 0);
        aloop_unref(self->loop);
        _exit(0);
    }
    assert_child_is_happy(child);
    assert_false(is_readable(fd_of_port(self->loop)));
    settle(self);
    assert_journal_is("");
    /* And the child's end has taken nothing away. */
    assert_int_equal(raise(SIGUSR1), 0);
    settle(self);
    assert_journal_is("x");
}

/* P105, P106: the child's loop goes on watching, on fds of its own, and hears of what the child is
   sent: not of what the parent was before the fork, nor of what is sent to that later. */
static void the_child_goes_on(void **state)
{
    struct os_state *self = *state;
    pid_t child;

    assert_int_equal(aloop_add_signal_handler(self->loop, SIGUSR1, note, TEXT("1")), 0);
    assert_int_equal(aloop_add_signal_handler(self->loop, SIGUSR2, note, TEXT("2")), 0);
    assert_int_equal(raise(SIGUSR1), 0);
    child = fork();
    if (child == 0) {
        CHECK(raise(SIGUSR2) == 0);
        CHECK(aloop_after_fork(self->loop) == 0);
        CHECK(!is_readable(fd_of_port(self->loop)));
        for (int i = 0; i < 4; i++)
            CHECK(aloop_run_once(self->loop, 0) == 0);
        CHECK(raise(SIGUSR2) == 0);
        for (int i = 0; i < 4; i++)
            CHECK(aloop_run_once(self->loop, 0) >= 0);
        CHECK(strcmp(journal, "2") == 0);
        CHECK(aloop_remove_signal_handler(self->loop, SIGUSR1));
        CHECK(is_default(SIGUSR1));
        CHECK(!is_default(SIGUSR2));
        aloop_unref(self->loop);
        CHECK(is_default(SIGUSR2));
        _exit(self->memory.bytes == 0 ? 0 : 255);
    }
    assert_child_is_happy(child);
    assert_true(is_readable(fd_of_port(self->loop)));
    settle(self);
    assert_journal_is("1");
}

/* The fds for the child cannot be had: it is told, and can try again. */
static void fds_for_the_child_are_short(void **state)
{
    struct os_state *self = *state;
    pid_t child;

    assert_int_equal(aloop_add_signal_handler(self->loop, SIGUSR1, note, TEXT("1")), 0);
    child = fork();
    if (child == 0) {
        int fds = count_fds();

        fault_install();
        /* The first is the loop's own. */
        fault_fail(FAULT_WAKE_OPEN, 2, -EMFILE);
        CHECK(aloop_after_fork(self->loop) == -EMFILE);
        fault_fail(FAULT_DUP_OVER, 1, -EMFILE);
        CHECK(aloop_after_fork(self->loop) == -EMFILE);
        CHECK(fault_failures(FAULT_DUP_OVER) == 1);
        fault_reset();
        CHECK(raise(SIGUSR1) == 0);
        CHECK(aloop_after_fork(self->loop) == 0);
        /* A kqueue is not inherited, and was not among those that were counted. */
        CHECK(count_fds() <= fds + 1);
        CHECK(raise(SIGUSR1) == 0);
        for (int i = 0; i < 4; i++)
            CHECK(aloop_run_once(self->loop, 0) >= 0);
        CHECK(strcmp(journal, "1") == 0);
        aloop_unref(self->loop);
        _exit(0);
    }
    assert_child_is_happy(child);
    settle(self);
    assert_journal_is("");
}

/* fork() while other threads begin and end to watch: the child finds the lock free, and what it
   guards whole. */
static atomic_bool churn_is_over;

static void *churn(void *arg)
{
    (void)arg;
    while (!atomic_load(&churn_is_over)) {
        aloop *loop;

        if (aloop_new(NULL, &loop) < 0)
            return NULL;
        if (aloop_add_signal_handler(loop, SIGUSR2, note, NULL) < 0)
            return loop;
        aloop_unref(loop);
    }
    return NULL;
}

static void fork_among_threads(void **state)
{
    struct os_state *self = *state;
    pthread_t thread;

#ifdef HAVE_TSAN
    /* It does not follow a process with threads through a fork. */
    skip();
#endif
    assert_int_equal(aloop_add_signal_handler(self->loop, SIGUSR1, note, TEXT("1")), 0);
    atomic_store(&churn_is_over, false);
    assert_int_equal(pthread_create(&thread, NULL, churn, NULL), 0);
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();

        if (child == 0) {
            CHECK(aloop_after_fork(self->loop) == 0);
            CHECK(aloop_add_signal_handler(self->loop, SIGUSR2, note, TEXT("2")) == 0);
            CHECK(raise(SIGUSR2) == 0);
            for (int turn = 0; turn < 4; turn++)
                CHECK(aloop_run_once(self->loop, 0) >= 0);
            CHECK(strcmp(journal, "2") == 0);
            CHECK(aloop_remove_signal_handler(self->loop, SIGUSR1));
            CHECK(is_default(SIGUSR1));
            /* An end that leaves no tool the time to complain of what the other thread had. */
            (void)raise(SIGKILL);
        }
        assert_child_was_killed(child, SIGKILL);
    }
    atomic_store(&churn_is_over, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SIGNAL_TEST(the_parent_does_not_hear),
        SIGNAL_TEST(the_child_goes_on),
        SIGNAL_TEST(fds_for_the_child_are_short),
        SIGNAL_TEST(fork_among_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
