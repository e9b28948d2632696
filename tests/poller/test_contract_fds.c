/*
 * The part of the contract that real fds are needed for: closing and reusing them, errors, signals,
 * time. Compiled as test_contract.c is.
 */
#include "contract.h"
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

/* P8: a number that was closed without remove does not stop the others, does not spin, can be
   removed, and can be used again. */
static void closed_behind_our_back(void **state)
{
    struct fixture *f = *state;
    struct pair gone;
    struct pair other;
    int number;
    int rounds = 0;
    int error;

    f->driver->open(&gone, f->poller);
    f->driver->open(&other, f->poller);
    number = gone.fd;
    assert_int_equal(add(f, &gone, 1, POLLER_READ | POLLER_WRITE, POLLER_LEVEL), 0);
    assert_int_equal(add(f, &other, 2, POLLER_READ, POLLER_LEVEL), 0);
    assert_int_equal(close(gone.fd), 0);
    gone.fd = -1;
    while (count_told(f) > 0)
        assert_true(++rounds < 3);
    assert_int_equal(f->class->modify(f->poller, number, 1, POLLER_READ), -EBADF);
    f->driver->arrive(&other);
    assert_int_equal(told(f, 2), POLLER_READ);
    error = f->class->remove(f->poller, number);
    assert_true(error == 0 || error == -EBADF);
    assert_int_equal(f->class->remove(f->poller, number), -ENOENT);
    f->driver->close(&gone);
    f->driver->drain(&other);
    f->driver->open(&gone, f->poller);
    assert_int_equal(gone.fd, number);
    assert_int_equal(add(f, &gone, 3, POLLER_READ, POLLER_EDGE), 0);
    f->driver->arrive(&gone);
    assert_int_equal(told(f, 3), POLLER_READ);
    f->driver->close(&gone);
    f->driver->close(&other);
}

/* The number is another file when its interest is set again: that one is registered. */
static void modify_after_reuse(void **state)
{
    struct fixture *f = *state;
    struct pair pair;
    int number;

    f->driver->open(&pair, f->poller);
    number = pair.fd;
    assert_int_equal(add(f, &pair, 1, POLLER_READ | POLLER_WRITE, POLLER_LEVEL), 0);
    f->driver->close(&pair);
    f->driver->open(&pair, f->poller);
    assert_int_equal(pair.fd, number);
    assert_int_equal(f->class->modify(f->poller, number, 2, POLLER_READ), 0);
    assert_int_equal(told(f, 2), 0);
    f->driver->arrive(&pair);
    assert_int_equal(told(f, 2), POLLER_READ);
    f->driver->close(&pair);
}

/* P3, P4, P7: after remove, the number may be closed and used twice over within one turn, and no
   event carries an old id. */
static void reuse_twice(void **state)
{
    struct fixture *f = *state;
    struct pair pair;
    int number;

    f->driver->open(&pair, f->poller);
    number = pair.fd;
    for (uint64_t id = 1; id <= 3; id++) {
        assert_int_equal(pair.fd, number);
        assert_int_equal(add(f, &pair, id, POLLER_READ, POLLER_EDGE), 0);
        f->driver->arrive(&pair);
        if (id == 3)
            break;
        assert_int_equal(f->class->remove(f->poller, number), 0);
        f->driver->close(&pair);
        f->driver->open(&pair, f->poller);
    }
    assert_int_equal(count_told(f), 1);
    assert_int_equal(f->events[0].id, 3);
    f->driver->close(&pair);
}

/* P1: a duplicate that stays open keeps the kernel's file alive; after remove nothing comes of it.
   */
static void duplicate_stays_open(void **state)
{
    struct fixture *f = *state;
    struct pair pair;
    int duplicate;

    f->driver->open(&pair, f->poller);
    duplicate = dup(pair.fd);
    assert_true(duplicate >= 0);
    assert_int_equal(add(f, &pair, 1, POLLER_READ | POLLER_WRITE, POLLER_LEVEL), 0);
    assert_int_equal(f->class->remove(f->poller, pair.fd), 0);
    close(pair.fd);
    pair.fd = duplicate;
    f->driver->arrive(&pair);
    assert_int_equal(count_told(f), 0);
    f->driver->close(&pair);
}

/* What was forgotten and closed says nothing, and its number can be added again. */
static void forgotten(void **state)
{
    struct fixture *f = *state;
    struct pair first, second;
    int number;

    if (f->class->forget == NULL)
        return;
    for (int i = 0; i < 2; i++) {
        f->driver->open(&first, f->poller);
        number = first.fd;
        assert_int_equal(
            add(f, &first, 1, POLLER_READ, i == 0 ? POLLER_LEVEL : POLLER_EDGE), 0);
        f->driver->arrive(&first);
        f->class->forget(f->poller, first.fd);
        f->driver->close(&first);
        assert_int_equal(count_told(f), 0);
        f->driver->open(&second, f->poller);
        assert_int_equal(second.fd, number);
        assert_int_equal(f->class->remove(f->poller, second.fd), -ENOENT);
        assert_int_equal(add(f, &second, 2, POLLER_READ, POLLER_LEVEL), 0);
        assert_int_equal(count_told(f), 0);
        f->driver->arrive(&second);
        assert_int_equal(told(f, 2), POLLER_READ);
        f->driver->close(&second);
        (void)f->class->remove(f->poller, number);
    }
}

/* P16: an error alone wakes whoever waits, for either direction. */
static void error_wakes(void **state)
{
    static const uint32_t interests[] = {POLLER_READ, POLLER_WRITE};
    struct fixture *f = *state;

    for (int i = 0; i < 2; i++) {
        uint32_t interest = interests[i];
        int ends[2];
        int error;

        /* The reader of a pipe goes away: for the writer, on Linux, that is POLLERR. */
        assert_int_equal(pipe(ends), 0);
        error = f->class->add(f->poller, ends[1], 7, interest, POLLER_LEVEL);
        assert_int_equal(error, 0);
        close(ends[0]);
        if (f->class->wait(f->poller, 0, f->events, ROOM) > 0) {
            assert_true(f->events[0].events & (POLLER_HANGUP | POLLER_ERROR));
            assert_true(f->events[0].events & interest);
        } else {
            fail_msg("%s does not tell of the error", f->class->name);
        }
        /* P22: a writer that does not wait any more is left alone. */
        assert_int_equal(f->class->modify(f->poller, ends[1], 7, 0), 0);
        assert_int_equal(count_told(f), 0);
        assert_int_equal(f->class->remove(f->poller, ends[1]), 0);
        close(ends[1]);
    }
}

/* P24: bytes and the end at once. Both reach the reader; a writer alone does not spin on an end
   that does not concern it. */
static void half_close(void **state)
{
    struct fixture *f = *state;
    struct pair pair;

    f->driver->open(&pair, f->poller);
    assert_int_equal(add(f, &pair, 1, POLLER_WRITE, POLLER_LEVEL), 0);
    f->driver->fill(&pair);
    f->driver->arrive(&pair);
    assert_int_equal(sys.shutdown(pair.peer, SHUT_WR), 0);
    assert_int_equal(count_told(f), 0);
    assert_int_equal(f->class->modify(f->poller, pair.fd, 1, POLLER_READ), 0);
    assert_true(told(f, 1) & POLLER_READ);
    f->driver->drain(&pair);
    assert_true(told(f, 1) & POLLER_READ);
    f->driver->close(&pair);
}

/* P30, P31: a wait without events lasts at least as long as was asked, down to fractions of what
   the kernel counts in; were it rounded down, the loop would spin until the deadline. */
static void waits_long_enough(void **state)
{
    struct fixture *f = *state;
    const aloop_ns timeouts[] = {1, ALOOP_US(300), ALOOP_MS(1), ALOOP_US(1500), ALOOP_MS(3)};

    for (size_t i = 0; i < sizeof timeouts / sizeof *timeouts; i++) {
        aloop_ns start = sys.clock(false);

        assert_int_equal(f->class->wait(f->poller, timeouts[i], f->events, ROOM), 0);
        assert_true(sys.clock(false) - start >= timeouts[i]);
    }
}

static void do_nothing(int number)
{
    (void)number;
}

/* P49: an interrupted wait says so; started over inside, a stream of signals would keep it for
   ever. P32: and for as long as it was not, it waited, however absurd the length. */
static void signal_is_reported(void **state)
{
    struct fixture *f = *state;
    const struct itimerval often = {{0, 1000}, {0, 1000}};
    const struct itimerval never = {{0, 0}, {0, 0}};
    const aloop_ns timeouts[] = {ALOOP_NEVER, ALOOP_SEC(2147484), ALOOP_SEC(5)};
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = do_nothing;
    action.sa_flags = SA_RESTART;
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    for (size_t i = 0; i < sizeof timeouts / sizeof *timeouts; i++)
        assert_int_equal(f->class->wait(f->poller, timeouts[i], f->events, ROOM), -EINTR);
    /* The handler stays: an instrument may deliver the last signal late. */
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
}

/* P2, P105: the new set holds all that the old one did, tells again what holds, and keeps its
   number; those of no interest stay out of it. */
static void rebuild_keeps_everything(void **state)
{
    struct fixture *f = *state;
    struct pair level;
    struct pair edge;
    struct pair silent;
    int number;

    number = f->class->backend_fd(f->poller);
    f->driver->open(&level, f->poller);
    f->driver->open(&edge, f->poller);
    f->driver->open(&silent, f->poller);
    assert_int_equal(add(f, &level, 1, POLLER_READ, POLLER_LEVEL), 0);
    assert_int_equal(add(f, &edge, 2, POLLER_READ | POLLER_WRITE, POLLER_EDGE), 0);
    assert_int_equal(add(f, &silent, 3, 0, POLLER_LEVEL), 0);
    assert_int_equal(told(f, 2), POLLER_WRITE);
    f->driver->hang_up(&silent);
    f->driver->arrive(&level);
    assert_int_equal(f->class->rebuild(f->poller), 0);
    assert_int_equal(f->class->backend_fd(f->poller), number);
    assert_true(fcntl(number, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(told(f, 1), POLLER_READ);
    assert_int_equal(f->class->rebuild(f->poller), 0);
    assert_int_equal(told(f, 2), POLLER_WRITE);
    assert_int_equal(told(f, 3), 0);
    f->driver->arrive(&edge);
    assert_true(told(f, 2) & POLLER_READ);
    assert_int_equal(f->class->modify(f->poller, silent.fd, 3, POLLER_READ), 0);
    assert_true(told(f, 3) & POLLER_HANGUP);
    f->driver->close(&level);
    f->driver->close(&edge);
    f->driver->close(&silent);
}

static const struct contract_test suite[] = {
#define TEST(function, needs) {#function, function, needs}
    TEST(closed_behind_our_back, REAL_FDS),
    TEST(modify_after_reuse, REAL_FDS),
    TEST(reuse_twice, REAL_FDS),
    TEST(duplicate_stays_open, REAL_FDS),
    TEST(forgotten, REAL_FDS),
    TEST(error_wakes, REAL_FDS),
    TEST(half_close, REAL_FDS),
    TEST(waits_long_enough, REAL_FDS),
    TEST(signal_is_reported, REAL_FDS),
    TEST(rebuild_keeps_everything, KERNEL_SET),
#undef TEST
};

int main(void)
{
    return run_suite(suite, sizeof suite / sizeof *suite);
}
