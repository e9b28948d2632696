/*
 * What the tests of the loop share: a loop for each poller of the system, a journal in which
 * callbacks note that they ran, and a teardown that finds leaks of memory and of file descriptors.
 *
 * The loops are on the virtual clock unless a test asks for another: then no test can hang, and
 * none depends on how fast the machine is.
 */
#ifndef ALOOP_TESTS_LOOP_FIXTURE_H
#define ALOOP_TESTS_LOOP_FIXTURE_H

#include "fault.h"
#include "memory_probe.h"
#include "poller/poller.h"

#include <aloop/loop.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    aloop_poller_kind kind;
    struct memory_probe probe;
    int fd_count; /* before anything was opened */
    aloop *loop;
};

static char journal[4096];

/* A string literal as the argument of a callback. */
#define TEXT(LITERAL) ((void *)(uintptr_t)(LITERAL))

static ALOOP_UNUSED void note(aloop *loop, void *arg)
{
    (void)loop;
    assert_true(strlen(journal) + strlen(arg) < sizeof journal);
    strcat(journal, arg);
}

static ALOOP_UNUSED void count_up(aloop *loop, void *arg)
{
    (void)loop;
    ++*(int *)arg;
}

static ALOOP_UNUSED void stop(aloop *loop, void *arg)
{
    (void)arg;
    aloop_stop(loop);
}

static ALOOP_UNUSED void do_nothing(aloop *loop, void *arg)
{
    (void)loop;
    (void)arg;
}

/* The journal since the last look. */
static ALOOP_UNUSED void assert_journal_is(const char *expected)
{
    assert_string_equal(journal, expected);
    journal[0] = '\0';
}

/* Of calls that must succeed: a handle. */
static ALOOP_UNUSED aloop_handle must(aloop_handle handle)
{
    assert_true(handle > 0);
    return handle;
}

/* One turn that does not wait: how many callbacks ran. */
static ALOOP_UNUSED int turn(aloop *loop)
{
    int count = aloop_run_once(loop, 0);

    assert_true(count >= 0);
    return count;
}

static inline int count_fds(void)
{
    int count = 0;

    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static ALOOP_UNUSED int fixture_try_loop(struct fixture *f, aloop_clock clock, bool debug,
                                         aloop **out_loop)
{
    aloop_options options = ALOOP_OPTIONS_INIT;

    options.poller = f->kind;
    options.clock = clock;
    options.debug = debug;
    options.allocator = memory_probe_allocator(&f->probe);
    return aloop_new(&options, out_loop);
}

static ALOOP_UNUSED aloop *fixture_new_loop(struct fixture *f, aloop_clock clock, bool debug)
{
    aloop *loop = NULL;

    assert_int_equal(fixture_try_loop(f, clock, debug, &loop), 0);
    return loop;
}

static ALOOP_UNUSED int setup_bare(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    f->kind = *(const aloop_poller_kind *)*state;
    f->fd_count = count_fds();
    journal[0] = '\0';
    *state = f;
    return 0;
}

static ALOOP_UNUSED int setup(void **state)
{
    struct fixture *f;

    setup_bare(state);
    f = *state;
    f->loop = fixture_new_loop(f, ALOOP_CLOCK_VIRTUAL, false);
    return 0;
}

static ALOOP_UNUSED int teardown(void **state)
{
    struct fixture *f = *state;
    bool is_clean;

    aloop_unref(f->loop);
    fault_reset();
    is_clean = f->probe.bytes == 0 && !f->probe.mistaken && count_fds() == f->fd_count;
    if (!is_clean)
        print_error("%zu bytes and %d fds are left\n", (size_t)f->probe.bytes,
                    count_fds() - f->fd_count);
    free(f);
    return is_clean ? 0 : -1;
}

/* The calls by which a poller waits. */
static ALOOP_UNUSED enum fault_call wait_call(const struct fixture *f)
{
    switch (f->kind) {
    case ALOOP_POLLER_POLL:
        return FAULT_POLL;
    case ALOOP_POLLER_KQUEUE:
        return FAULT_KEVENT;
    default:
        return FAULT_EPOLL_WAIT;
    }
}

/* A socket pair, close-on-exec and non-blocking. */
static ALOOP_UNUSED void open_pair(int fds[2])
{
    assert_int_equal(sys.socketpair(AF_UNIX, SOCK_STREAM, fds), 0);
}

static ALOOP_UNUSED void close_pair(const int fds[2])
{
    assert_int_equal(close(fds[0]), 0);
    assert_int_equal(close(fds[1]), 0);
}

static ALOOP_UNUSED void put_byte(int fd)
{
    assert_int_equal(write(fd, "x", 1), 1);
}

struct loop_test {
    const char *name;
    CMUnitTestFunction function;
    CMFixtureFunction setup;
    CMFixtureFunction teardown; /* NULL: the one above */
};

#define LOOP_TEST(FUNCTION)                                                                        \
    {                                                                                              \
        .name = #FUNCTION, .function = FUNCTION, .setup = setup                                    \
    }
#define BARE_TEST(FUNCTION)                                                                        \
    {                                                                                              \
        .name = #FUNCTION, .function = FUNCTION, .setup = setup_bare                               \
    }
#define RUN_SUITE(SUITE) run_suite(SUITE, sizeof(SUITE) / sizeof *(SUITE))

/* All tests, with each poller that the system has. */
static int run_suite(const struct loop_test *suite, size_t size)
{
    static const aloop_poller_kind kinds[] = {ALOOP_POLLER_EPOLL, ALOOP_POLLER_KQUEUE,
                                              ALOOP_POLLER_POLL};
    int failed = 0;

    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        struct CMUnitTest tests[64];

        if (poller_class_for((int)kinds[k]) == NULL)
            continue;
        assert_true(size <= 64);
        for (size_t i = 0; i < size; i++)
            tests[i] = (struct CMUnitTest){.name = suite[i].name,
                                           .test_func = suite[i].function,
                                           .setup_func = suite[i].setup,
                                           .teardown_func =
                                               suite[i].teardown ? suite[i].teardown : teardown,
                                           .initial_state = (void *)(uintptr_t)&kinds[k]};
        failed +=
            _cmocka_run_group_tests(poller_class_for((int)kinds[k])->name, tests, size, NULL, NULL);
    }
    return failed;
}

#endif
