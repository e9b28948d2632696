/*
 * What the tests of signals share: a journal, looks at dispositions, and a teardown that finds one
 * that was left behind, or an fd. Include behind cmocka's headers.
 */
#ifndef ALOOP_TESTS_SIGNAL_TEST_H
#define ALOOP_TESTS_SIGNAL_TEST_H

#include "os_test.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__)
#define HAVE_TSAN
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HAVE_TSAN
#endif
#endif

static char journal[256];

#define TEXT(LITERAL) ((void *)(uintptr_t)(LITERAL))

static ALOOP_UNUSED void note(aloop *loop, void *arg)
{
    (void)loop;
    assert_true(strlen(journal) + strlen(arg) < sizeof journal);
    strcat(journal, arg);
}

/* What the journal holds, which is then empty. */
#define assert_journal_is(TEXT_)                                                                   \
    do {                                                                                           \
        assert_string_equal(journal, (TEXT_));                                                     \
        journal[0] = '\0';                                                                         \
    } while (0)

static ALOOP_UNUSED int count_fds(void)
{
    int count = 0;

    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static struct sigaction disposition_of(int number)
{
    struct sigaction now;

    memset(&now, 0, sizeof now);
    assert_int_equal(sigaction(number, NULL, &now), 0);
    return now;
}

static ALOOP_UNUSED bool is_default(int number)
{
    struct sigaction now = disposition_of(number);

    return !(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_DFL;
}

static ALOOP_UNUSED void set_plain(int number, void (*handler)(int), int flags)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    action.sa_handler = handler;
    action.sa_flags = flags;
    assert_int_equal(sigaction(number, &action, NULL), 0);
}

/* A handler of the program's own. */
static volatile sig_atomic_t host_calls;

static ALOOP_UNUSED void host(int number)
{
    (void)number;
    host_calls = host_calls + 1;
}

static ALOOP_UNUSED bool is_host(int number)
{
    struct sigaction now = disposition_of(number);

    return !(now.sa_flags & SA_SIGINFO) && now.sa_handler == host;
}

/* The fds that were open before the test, and the signals that tests use. */
static int fds_before;
static const int used_signals[] = {SIGUSR1, SIGUSR2, SIGHUP, SIGTERM, SIGINT, SIGCHLD, SIGWINCH};

static ALOOP_UNUSED int signal_setup(void **state)
{
    journal[0] = '\0';
    host_calls = 0;
    fds_before = count_fds();
    return os_setup(state);
}

static ALOOP_UNUSED int signal_teardown(void **state)
{
    int result = os_teardown(state);

    assert_string_equal(journal, "");
    assert_int_equal(count_fds(), fds_before);
    for (size_t i = 0; i < sizeof used_signals / sizeof used_signals[0]; i++)
        assert_true(is_default(used_signals[i]));
    return result;
}

#define SIGNAL_TEST(function)                                                                      \
    cmocka_unit_test_setup_teardown(function, signal_setup, signal_teardown)

/* Enough for a signal to be seen, told, and acted on. */
static ALOOP_UNUSED void settle(struct os_state *self)
{
    os_turns(self, 4);
}

/* In a child, where cmocka's assertions would run the rest of the suite a second time. Lines are
   told modulo 251, plus 1. */
#define CHECK(CONDITION)                                                                           \
    do {                                                                                           \
        if (!(CONDITION))                                                                          \
            _exit(__LINE__ % 251 + 1);                                                             \
    } while (0)

static ALOOP_UNUSED void assert_child_is_happy(pid_t child)
{
    int status = -1;

    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static ALOOP_UNUSED void assert_child_was_killed(pid_t child, int number)
{
    int status = -1;

    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), number);
}

#endif
