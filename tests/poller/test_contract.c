/*
 * The contract of poller.h, over every backend that can run here: epoll, poll and the simulated
 * one; compiled with ALOOP_TEST_KQUEUE, kqueue over a model of it. What takes files of a system to
 * find out is in test_contract_fds.c.
 */
#include "contract.h"
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

/* P14, P20, P21: what cannot be polled is refused at once, with the same error everywhere. Called
   ready for ever by one backend and never by another, a program would work on one system only. */
static void add_refuses(void **state)
{
    struct fixture *f = *state;
    struct pair pair;
    int file = f->driver->file_fd(f->poller);
    int others[] = {-1, -1, -1};

    f->driver->open(&pair, f->poller);
    assert_int_equal(f->class->add(f->poller, -1, 1, POLLER_READ, POLLER_LEVEL), -EBADF);
    assert_int_equal(f->class->add(f->poller, INT_MIN, 1, POLLER_READ, POLLER_LEVEL), -EBADF);
    assert_int_equal(f->class->add(f->poller, INT_MAX, 1, POLLER_READ, POLLER_LEVEL), -EBADF);
    assert_int_equal(f->class->add(f->poller, f->driver->closed_fd(f->poller), 1, POLLER_READ,
                                   POLLER_EDGE), -EBADF);
    assert_int_equal(f->class->add(f->poller, file, 1, POLLER_READ, POLLER_LEVEL), -EPERM);
    assert_int_equal(f->class->add(f->poller, file, 1, 0, POLLER_LEVEL), -EPERM);
    assert_int_equal(f->class->add(f->poller, file, 1, POLLER_READ | POLLER_WRITE, POLLER_EDGE),
                     -EPERM);
    assert_int_equal(add(f, &pair, 2, POLLER_READ, POLLER_LEVEL), 0);
    assert_int_equal(add(f, &pair, 3, POLLER_READ, POLLER_LEVEL), -EEXIST);
    if (f->driver->is_real) {
        others[0] = open("/dev/null", O_RDWR);
        others[1] = open("/dev/zero", O_RDONLY);
        others[2] = open("/", O_RDONLY);
        for (size_t i = 0; i < 3; i++) {
            assert_true(others[i] >= 0);
            assert_int_equal(f->class->add(f->poller, others[i], 1, POLLER_READ, POLLER_LEVEL),
                             -EPERM);
            close(others[i]);
        }
        close(file);
    }
    /* None of that left anything behind. */
    assert_int_equal(count_told(f), 0);
    f->driver->arrive(&pair);
    assert_true(told(f, 2) & POLLER_READ);
    f->driver->close(&pair);
}

static void unknown_fds(void **state)
{
    struct fixture *f = *state;
    struct pair pair;

    f->driver->open(&pair, f->poller);
    assert_int_equal(f->class->remove(f->poller, pair.fd), -ENOENT);
    assert_int_equal(f->class->remove(f->poller, -1), -ENOENT);
    assert_int_equal(f->class->remove(f->poller, INT_MAX), -ENOENT);
    assert_int_equal(f->class->modify(f->poller, pair.fd, 1, POLLER_READ), -ENOENT);
    assert_int_equal(add(f, &pair, 1, POLLER_READ, POLLER_LEVEL), 0);
    assert_int_equal(f->class->remove(f->poller, pair.fd), 0);
    assert_int_equal(f->class->remove(f->poller, pair.fd), -ENOENT);
    poller_rearm(f->poller, pair.fd, POLLER_READ);
    assert_int_equal(count_told(f), 0);
    f->driver->close(&pair);
}

static void level_repeats(void **state)
{
    struct fixture *f = *state;
    struct pair pair;

    f->driver->open(&pair, f->poller);
    assert_int_equal(add(f, &pair, UINT64_C(0x3fffffff00000007), POLLER_READ, POLLER_LEVEL), 0);
    assert_int_equal(count_told(f), 0);
    f->driver->arrive(&pair);
    for (int i = 0; i < 3; i++)
        assert_int_equal(told(f, UINT64_C(0x3fffffff00000007)), POLLER_READ);
    f->driver->drain(&pair);
    assert_int_equal(count_told(f), 0);
    assert_int_equal(f->class->remove(f->poller, pair.fd), 0);
    f->driver->close(&pair);
}

/* P10: one registration serves a reader and a writer; what one takes back the other keeps. */
static void level_modify(void **state)
{
    struct fixture *f = *state;
    struct pair pair;

    f->driver->open(&pair, f->poller);
    assert_int_equal(add(f, &pair, 1, POLLER_READ, POLLER_LEVEL), 0);
    assert_int_equal(f->class->modify(f->poller, pair.fd, 2, POLLER_READ | POLLER_WRITE), 0);
    assert_int_equal(told(f, 2), POLLER_WRITE);
    f->driver->arrive(&pair);
    assert_int_equal(told(f, 2), POLLER_READ | POLLER_WRITE);
    assert_int_equal(told(f, 1), 0);
    assert_int_equal(f->class->modify(f->poller, pair.fd, 3, POLLER_READ), 0);
    assert_int_equal(told(f, 3), POLLER_READ);
    assert_int_equal(f->class->modify(f->poller, pair.fd, 4, POLLER_WRITE), 0);
    assert_int_equal(told(f, 4), POLLER_WRITE);
    f->driver->fill(&pair);
    assert_int_equal(count_told(f), 0);
    f->driver->make_room(&pair);
    assert_int_equal(told(f, 4), POLLER_WRITE);
    f->driver->close(&pair);
}

/* P17: a hang-up cannot be masked; an fd that nobody waits for would make each wait return at once,
   and the loop take a whole processor. P15, P18: whoever asks again is told. */
static void no_interest_hears_nothing(void **state)
{
    struct fixture *f = *state;
    struct pair changed;
    struct pair fresh;

    f->driver->open(&changed, f->poller);
    f->driver->open(&fresh, f->poller);
    assert_int_equal(add(f, &changed, 1, POLLER_READ | POLLER_WRITE, POLLER_LEVEL), 0);
    assert_int_equal(f->class->modify(f->poller, changed.fd, 1, 0), 0);
    assert_int_equal(f->class->modify(f->poller, changed.fd, 1, 0), 0);
    assert_int_equal(add(f, &fresh, 2, 0, POLLER_LEVEL), 0);
    f->driver->hang_up(&changed);
    f->driver->hang_up(&fresh);
    assert_int_equal(count_told(f), 0);
    assert_int_equal(f->class->modify(f->poller, changed.fd, 1, POLLER_READ), 0);
    assert_int_equal(told(f, 1) & (POLLER_READ | POLLER_HANGUP), POLLER_READ | POLLER_HANGUP);
    assert_int_equal(f->class->modify(f->poller, fresh.fd, 2, POLLER_WRITE), 0);
    assert_true(told(f, 2) & POLLER_WRITE);
    assert_int_equal(f->class->modify(f->poller, changed.fd, 1, 0), 0);
    assert_int_equal(f->class->remove(f->poller, changed.fd), 0);
    assert_int_equal(f->class->remove(f->poller, fresh.fd), 0);
    assert_int_equal(count_told(f), 0);
    f->driver->close(&changed);
    f->driver->close(&fresh);
}

/* P15, P19: the end is told to a reader, and the bytes before it are still there. */
static void hang_up_with_bytes(void **state)
{
    struct fixture *f = *state;
    struct pair pair;
    char byte;

    f->driver->open(&pair, f->poller);
    assert_int_equal(add(f, &pair, 1, POLLER_READ, POLLER_LEVEL), 0);
    f->driver->arrive(&pair);
    f->driver->hang_up(&pair);
    assert_true(told(f, 1) & POLLER_READ);
    if (f->driver->is_real) {
        assert_int_equal(read(pair.fd, &byte, 1), 1);
        assert_true(told(f, 1) & POLLER_READ);
        assert_int_equal(read(pair.fd, &byte, 1), 0);
    }
    f->driver->close(&pair);
}

static void edge_is_told_once(void **state)
{
    struct fixture *f = *state;
    struct pair pair;

    f->driver->open(&pair, f->poller);
    assert_int_equal(add(f, &pair, 1, POLLER_READ | POLLER_WRITE, POLLER_EDGE), 0);
    assert_int_equal(told(f, 1), POLLER_WRITE);
    assert_int_equal(count_told(f), 0);
    f->driver->arrive(&pair);
    assert_true(told(f, 1) & POLLER_READ);
    assert_int_equal(count_told(f), 0);
    f->driver->close(&pair);
}

/* P27: what arrives between the EAGAIN and the next wait is told. A backend that starts to look
   only at changes after rearm() would sleep over it. */
static void edge_is_not_lost(void **state)
{
    struct fixture *f = *state;
    struct pair pair;

    f->driver->open(&pair, f->poller);
    assert_int_equal(add(f, &pair, 1, POLLER_READ | POLLER_WRITE, POLLER_EDGE), 0);
    told(f, 1);
    for (int i = 0; i < 3; i++) {
        f->driver->arrive(&pair);
        assert_true(told(f, 1) & POLLER_READ);
        f->driver->drain(&pair);
        f->driver->arrive(&pair);
        poller_rearm(f->poller, pair.fd, POLLER_READ);
        assert_true(told(f, 1) & POLLER_READ);
        f->driver->drain(&pair);
        poller_rearm(f->poller, pair.fd, POLLER_READ);
        f->driver->fill(&pair);
        f->driver->make_room(&pair);
        poller_rearm(f->poller, pair.fd, POLLER_WRITE);
        assert_true(told(f, 1) & POLLER_WRITE);
    }
    f->driver->close(&pair);
}

/* What held before the fd was added is an edge too. */
static void edge_that_was_there(void **state)
{
    struct fixture *f = *state;
    struct pair pair;

    f->driver->open(&pair, f->poller);
    f->driver->arrive(&pair);
    assert_int_equal(add(f, &pair, 1, POLLER_READ | POLLER_WRITE, POLLER_EDGE), 0);
    assert_int_equal(told(f, 1), POLLER_READ | POLLER_WRITE);
    f->driver->close(&pair);
}

/* P23: the end is told, to both directions, and then there is silence, with or without a rearm of
   the direction that did not end. */
static void edge_hang_up_does_not_spin(void **state)
{
    struct fixture *f = *state;
    struct pair pair;
    uint32_t events;
    int rounds = 0;

    f->driver->open(&pair, f->poller);
    assert_int_equal(add(f, &pair, 1, POLLER_READ | POLLER_WRITE, POLLER_EDGE), 0);
    told(f, 1);
    f->driver->fill(&pair);
    poller_rearm(f->poller, pair.fd, POLLER_WRITE);
    f->driver->hang_up(&pair);
    events = told(f, 1);
    assert_int_equal(events & (POLLER_READ | POLLER_WRITE | POLLER_HANGUP),
                     POLLER_READ | POLLER_WRITE | POLLER_HANGUP);
    while (count_told(f) > 0)
        assert_true(++rounds < 3);
    /* A reader that still waits hears of it again. */
    if (f->class->rearm) {
        poller_rearm(f->poller, pair.fd, POLLER_READ);
        assert_true(told(f, 1) & POLLER_READ);
    }
    f->driver->close(&pair);
}

static void remove_silences(void **state)
{
    struct fixture *f = *state;
    struct pair pairs[3];

    for (uint64_t i = 0; i < 3; i++) {
        f->driver->open(&pairs[i], f->poller);
        assert_int_equal(add(f, &pairs[i], i + 1, POLLER_READ, i ? POLLER_LEVEL : POLLER_EDGE), 0);
        f->driver->arrive(&pairs[i]);
    }
    assert_int_equal(f->class->remove(f->poller, pairs[0].fd), 0);
    assert_int_equal(f->class->remove(f->poller, pairs[1].fd), 0);
    assert_int_equal(told(f, 3), POLLER_READ);
    assert_int_equal(count_told(f), 1);
    /* And may come back, under another name. */
    assert_int_equal(add(f, &pairs[0], 9, POLLER_READ, POLLER_LEVEL), 0);
    assert_int_equal(told(f, 9), POLLER_READ);
    for (size_t i = 0; i < 3; i++)
        f->driver->close(&pairs[i]);
}

/* A short array is filled, and nobody is left out for ever. */
static void short_answers_are_fair(void **state)
{
    struct fixture *f = *state;
    struct pair pairs[5];
    unsigned seen = 0;

    for (uint64_t i = 0; i < 5; i++) {
        f->driver->open(&pairs[i], f->poller);
        assert_int_equal(add(f, &pairs[i], i, POLLER_READ, POLLER_LEVEL), 0);
        f->driver->arrive(&pairs[i]);
    }
    for (int i = 0; i < 5; i++) {
        assert_int_equal(f->class->wait(f->poller, ALOOP_NEVER, f->events, 1), 1);
        seen |= 1u << f->events[0].id;
    }
    assert_int_equal(seen, 0x1f);
    for (size_t i = 0; i < 5; i++)
        f->driver->close(&pairs[i]);
}

/* P11, P123: more fds than the first table and the first batch have room for, some with high
   numbers. */
static void many_fds(void **state)
{
    enum { COUNT = 700 };
    struct fixture *f = *state;
    static struct pair pairs[COUNT];
    static unsigned char seen[COUNT];
    int missing = COUNT;

    memset(seen, 0, sizeof seen);
    for (uint64_t i = 0; i < COUNT; i++) {
        f->driver->open(&pairs[i], f->poller);
        assert_int_equal(add(f, &pairs[i], i, POLLER_READ, i & 1 ? POLLER_EDGE : POLLER_LEVEL), 0);
        f->driver->arrive(&pairs[i]);
    }
    for (int round = 0; missing > 0 && round < 200; round++) {
        int count = f->class->wait(f->poller, 0, f->events, ROOM);

        for (int i = 0; i < count; i++) {
            struct pair *pair = &pairs[f->events[i].id];

            missing -= !seen[f->events[i].id];
            seen[f->events[i].id] = 1;
            f->driver->drain(pair);
        }
    }
    assert_int_equal(missing, 0);
    for (size_t i = 0; i < COUNT; i += 2)
        assert_int_equal(f->class->remove(f->poller, pairs[i].fd), 0);
    f->driver->arrive(&pairs[COUNT - 1]);
    poller_rearm(f->poller, pairs[COUNT - 1].fd, POLLER_READ);
    assert_true(told(f, COUNT - 1) & POLLER_READ);
    for (size_t i = 0; i < COUNT; i++)
        f->driver->close(&pairs[i]);
}

/* P32, P33: no length of a wait is taken for a negative one, or refused. */
static void huge_timeouts(void **state)
{
    struct fixture *f = *state;
    const aloop_ns timeouts[] = {ALOOP_NEVER, ALOOP_NEVER - 1, ALOOP_SEC(2147484),
                                 ALOOP_SEC(4294968), ALOOP_SEC(86401), -1, INT64_MIN};
    struct pair pair;

    f->driver->open(&pair, f->poller);
    assert_int_equal(add(f, &pair, 1, POLLER_WRITE, POLLER_LEVEL), 0);
    for (size_t i = 0; i < sizeof timeouts / sizeof *timeouts; i++)
        assert_int_equal(f->class->wait(f->poller, timeouts[i], f->events, ROOM), 1);
    f->driver->close(&pair);
}

/* P119: whichever allocation fails, open and add say so, nothing leaks, and the next try works. */
static void out_of_memory(void **state)
{
    struct fixture *f = *state;
    size_t out = f->account.out;
    struct poller *poller;
    struct pair pair;
    int allocations = 0;
    int error;

    f->account.left = 0;
    assert_int_equal(f->class->open(&f->memory, &poller), -ENOMEM);
    assert_int_equal(f->account.out, out);
    f->account.left = -1;
    f->driver->open(&pair, f->poller);
    out = f->account.out;
    do {
        f->account.left = allocations;
        error = add(f, &pair, 1, POLLER_WRITE, POLLER_LEVEL);
        f->account.left = -1;
        if (error == 0)
            break;
        assert_int_equal(error, -ENOMEM);
        assert_int_equal(f->class->modify(f->poller, pair.fd, 1, POLLER_READ), -ENOENT);
        assert_int_equal(count_told(f), 0);
    } while (++allocations < 10);
    assert_in_range(allocations, 1, 9);
    assert_int_equal(told(f, 1), POLLER_WRITE);
    /* Nothing but add allocates. */
    f->account.left = 0;
    assert_int_equal(f->class->modify(f->poller, pair.fd, 2, POLLER_READ | POLLER_WRITE), 0);
    assert_int_equal(told(f, 2), POLLER_WRITE);
    assert_int_equal(f->class->remove(f->poller, pair.fd), 0);
    assert_int_equal(add(f, &pair, 1, POLLER_WRITE, POLLER_LEVEL), 0);
    f->account.left = -1;
    f->driver->close(&pair);
}

/* A foreign loop that polls the backend's fd is told when there is something to collect. */
static void backend_fd_is_pollable(void **state)
{
    struct fixture *f = *state;
    int fd = f->class->backend_fd(f->poller);
    struct pollfd foreign = {.fd = fd, .events = POLLIN};
    struct pair pair;

    if (fd < 0) {
        assert_int_equal(fd, -ENOTSUP);
        return;
    }
    f->driver->open(&pair, f->poller);
    assert_int_equal(add(f, &pair, 1, POLLER_READ, POLLER_EDGE), 0);
    assert_int_equal(poll(&foreign, 1, 0), 0);
    f->driver->arrive(&pair);
    assert_int_equal(poll(&foreign, 1, 0), 1);
    assert_int_equal(told(f, 1), POLLER_READ);
    assert_int_equal(poll(&foreign, 1, 0), 0);
    f->driver->close(&pair);
}

static const struct contract_test suite[] = {
#define TEST(function, needs) {#function, function, needs}
    TEST(add_refuses, ANYTHING),
    TEST(unknown_fds, ANYTHING),
    TEST(level_repeats, ANYTHING),
    TEST(level_modify, ANYTHING),
    TEST(no_interest_hears_nothing, ANYTHING),
    TEST(hang_up_with_bytes, ANYTHING),
    TEST(edge_is_told_once, ANYTHING),
    TEST(edge_is_not_lost, ANYTHING),
    TEST(edge_that_was_there, ANYTHING),
    TEST(edge_hang_up_does_not_spin, ANYTHING),
    TEST(remove_silences, ANYTHING),
    TEST(short_answers_are_fair, ANYTHING),
    TEST(many_fds, ANYTHING),
    TEST(huge_timeouts, ANYTHING),
    TEST(out_of_memory, ANYTHING),
    TEST(backend_fd_is_pollable, ANYTHING),
#undef TEST
};

int main(void)
{
    return run_suite(suite, sizeof suite / sizeof *suite);
}
