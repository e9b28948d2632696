/*
 * What concerns poll(2) alone: its array, what it reports unasked, and edges that it does not have.
 */
#include "fault.h"
#include "poller/poller.h"
#include <aloop/poller_kind.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ROOM 8
#define PAIRS 6

struct fixture {
    struct memory memory;
    struct poller *poller;
    int fds[PAIRS][2];
    struct poller_event events[ROOM];
};

static const struct poller_class *const class = &poller_poll;

/* What the poller asked the system, of the last wait. */
static struct pollfd asked[64];
static size_t asked_count;

static int spy(struct pollfd *fds, nfds_t count, aloop_ns timeout)
{
    asked_count = count < 64 ? (size_t)count : 64;
    memcpy(asked, fds, asked_count * sizeof *asked);
    return sys_default.poll(fds, count, timeout);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    memory_init(&f->memory, NULL);
    for (int i = 0; i < PAIRS; i++)
        assert_int_equal(sys.socketpair(AF_UNIX, SOCK_STREAM, f->fds[i]), 0);
    assert_int_equal(class->open(&f->memory, &f->poller), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    fault_reset();
    sys.poll = sys_default.poll;
    class->close(f->poller);
    for (int i = 0; i < PAIRS; i++) {
        close(f->fds[i][0]);
        close(f->fds[i][1]);
    }
    free(f);
    return 0;
}

static int wait_once(struct fixture *f)
{
    return class->wait(f->poller, 0, f->events, ROOM);
}

/* The place of the array that is about an fd, NULL if poll was not asked about it. */
static const struct pollfd *asked_about(int fd)
{
    for (size_t i = 0; i < asked_count; i++)
        if (asked[i].fd == fd)
            return &asked[i];
    return NULL;
}

/* P29, P17: macOS reports a hang-up only where something was asked for, others always: nothing is
   ever asked of an fd with no events, so that they behave alike. */
static void no_place_without_events(void **state)
{
    struct fixture *f = *state;

    sys.poll = spy;
    assert_int_equal(class->add(f->poller, f->fds[0][0], 1, 0, POLLER_LEVEL), 0);
    assert_int_equal(class->add(f->poller, f->fds[1][0], 2, POLLER_WRITE, POLLER_EDGE), 0);
    assert_int_equal(wait_once(f), 1);
    assert_null(asked_about(f->fds[0][0]));
    assert_non_null(asked_about(f->fds[1][0]));
    assert_int_equal(wait_once(f), 0);
    assert_null(asked_about(f->fds[1][0]));
    poller_rearm(f->poller, f->fds[1][0], POLLER_WRITE);
    assert_int_equal(wait_once(f), 1);
    for (size_t i = 0; i < asked_count; i++)
        assert_true(asked[i].fd < 0 || asked[i].events != 0);
}

/* A rearm asks for no direction that is not in the interest. */
static void rearm_keeps_to_the_interest(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(class->add(f->poller, f->fds[0][0], 1, POLLER_READ, POLLER_EDGE), 0);
    poller_rearm(f->poller, f->fds[0][0], POLLER_READ | POLLER_WRITE);
    assert_int_equal(wait_once(f), 0);
}

/* P12: removing from any place of the array leaves the others theirs. */
static void remove_from_any_place(void **state)
{
    struct fixture *f = *state;

    for (int gone = 0; gone < PAIRS; gone++) {
        unsigned seen = 0;

        for (int i = 0; i < PAIRS; i++)
            assert_int_equal(class->add(f->poller, f->fds[i][0], (uint64_t)i,
                                        i == 2 ? 0 : POLLER_WRITE, POLLER_LEVEL), 0);
        assert_int_equal(class->remove(f->poller, f->fds[gone][0]), 0);
        if (gone != 2)
            assert_int_equal(class->modify(f->poller, f->fds[2][0], 2, POLLER_WRITE), 0);
        assert_int_equal(wait_once(f), PAIRS - 1);
        for (int i = 0; i < PAIRS - 1; i++) {
            assert_int_equal(f->events[i].fd, f->fds[f->events[i].id][0]);
            seen |= 1u << f->events[i].id;
        }
        assert_int_equal(seen, ((1u << PAIRS) - 1) & ~(1u << gone));
        for (int i = 0; i < PAIRS; i++)
            if (i != gone)
                assert_int_equal(class->remove(f->poller, f->fds[i][0]), 0);
    }
    assert_int_equal(wait_once(f), 0);
}

/* P8: poll says POLLNVAL of a closed fd at once and for ever. It is an error, once. */
static void closed_fd_is_told_once(void **state)
{
    struct fixture *f = *state;
    int fd = dup(f->fds[0][0]);

    assert_int_equal(class->add(f->poller, fd, 1, POLLER_READ, POLLER_LEVEL), 0);
    close(fd);
    assert_int_equal(wait_once(f), 1);
    assert_int_equal(f->events[0].events, POLLER_READ | POLLER_ERROR);
    assert_int_equal(wait_once(f), 0);
    assert_int_equal(class->remove(f->poller, fd), 0);
}

/* P122. */
static void wait_fails(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(class->add(f->poller, f->fds[0][0], 1, POLLER_WRITE, POLLER_LEVEL), 0);
    fault_install();
    fault_fail(FAULT_POLL, 1, -EINVAL);
    assert_int_equal(wait_once(f), -EINVAL);
    assert_int_equal(wait_once(f), 1);
}

/* What the kernel says of the fd itself is the caller's to see, and nothing has changed. */
static void add_fails(void **state)
{
    struct fixture *f = *state;

    fault_install();
    fault_fail(FAULT_FD_IS_POLLABLE, 1, -EMFILE);
    assert_int_equal(class->add(f->poller, f->fds[0][0], 1, POLLER_WRITE, POLLER_LEVEL), -EMFILE);
    assert_int_equal(class->remove(f->poller, f->fds[0][0]), -ENOENT);
    assert_int_equal(wait_once(f), 0);
}

/* Each kind has its class on the systems that have it, and the default is one of them. */
static void kinds(void **state)
{
    (void)state;
    assert_ptr_equal(poller_class_for(ALOOP_POLLER_POLL), &poller_poll);
    assert_ptr_equal(poller_class_for(ALOOP_POLLER_SIM), &poller_sim);
#ifdef SYS_HAVE_EPOLL
    assert_ptr_equal(poller_class_for(ALOOP_POLLER_EPOLL), &poller_epoll);
#else
    assert_null(poller_class_for(ALOOP_POLLER_EPOLL));
#endif
#if defined(SYS_HAVE_KQUEUE)
    assert_ptr_equal(poller_class_for(ALOOP_POLLER_KQUEUE), &poller_kqueue);
    assert_ptr_equal(poller_class_for(ALOOP_POLLER_DEFAULT), &poller_kqueue);
#else
    assert_null(poller_class_for(ALOOP_POLLER_KQUEUE));
#endif
#if defined(SYS_HAVE_EPOLL) && !defined(SYS_HAVE_KQUEUE)
    assert_ptr_equal(poller_class_for(ALOOP_POLLER_DEFAULT), &poller_epoll);
#endif
    assert_null(poller_class_for(5));
    assert_null(poller_class_for(-1));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_place_without_events),
        TEST(rearm_keeps_to_the_interest),
        TEST(remove_from_any_place),
        TEST(closed_fd_is_told_once),
        TEST(wait_fails),
        TEST(add_fails),
        cmocka_unit_test(kinds),
    };

    return cmocka_run_group_tests_name("poll", tests, NULL, NULL);
}
