/*
 * What kqueues of different systems do that others do not, each played by a script: how the kqueue
 * poller takes it. Each test names the quirk, and the systems where it is known.
 */
#include "fake_kevent.h"
#include "fault.h"
#include "poller/poller.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define BOTH (POLLER_READ | POLLER_WRITE)
#define ROOM 8

struct fixture {
    struct memory memory;
    struct poller *poller;
    int fds[2]; /* a socket pair, whose readiness is what the script says */
    struct poller_event events[ROOM];
};

static const struct poller_class *const class = &poller_kqueue;

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    fake_kevent_install();
    memory_init(&f->memory, NULL);
    assert_int_equal(sys.socketpair(AF_UNIX, SOCK_STREAM, f->fds), 0);
    assert_int_equal(class->open(&f->memory, &f->poller), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    class->close(f->poller);
    close(f->fds[0]);
    close(f->fds[1]);
    free(f);
    fault_reset();
    return 0;
}

static int add(struct fixture *f, uint64_t id, uint32_t interest, enum poller_mode mode)
{
    return class->add(f->poller, f->fds[0], id, interest, mode);
}

static int wait_once(struct fixture *f)
{
    return class->wait(f->poller, 0, f->events, ROOM);
}

/* Row 1: reading and writing are two registrations, made in one call, and two events. */
static void row_1_two_filters(void **state)
{
    struct fixture *f = *state;
    int calls = fake.calls;

    assert_int_equal(add(f, 5, BOTH, POLLER_EDGE), 0);
    assert_int_equal(fake.calls, calls + 1);
    assert_int_equal(fake_kevent_changes(f->fds[0], EVFILT_READ, EV_ADD | EV_CLEAR), 1);
    assert_int_equal(fake_kevent_changes(f->fds[0], EVFILT_WRITE, EV_ADD | EV_CLEAR), 1);
    fake_kevent_add(f->fds[0], EVFILT_WRITE, 0, 0, 100, 5);
    fake_kevent_add(f->fds[0], EVFILT_READ, 0, 0, 3, 5);
    assert_int_equal(wait_once(f), 2);
    assert_int_equal(f->events[0].id, 5);
    assert_int_equal(f->events[1].id, 5);
    assert_int_equal(f->events[0].events | f->events[1].events, BOTH);
    assert_int_equal(f->events[0].fd, f->fds[0]);
}

/* Row 2: EV_ADD on what exists modifies it, the id too: nothing is deleted in between, where an
   event could be lost. */
static void row_2_add_modifies(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(add(f, 5, POLLER_READ, POLLER_LEVEL), 0);
    assert_int_equal(fake_kevent_changes(f->fds[0], EVFILT_READ, EV_CLEAR), 0);
    assert_int_equal(class->modify(f->poller, f->fds[0], 6, BOTH), 0);
    assert_int_equal(fake_kevent_changes(f->fds[0], EVFILT_READ, EV_ADD), 2);
    assert_int_equal(fake_kevent_changes(f->fds[0], EVFILT_READ, EV_DELETE), 0);
    assert_ptr_equal(fake.changes[fake.change_count - 1].event.udata, (void *)(uintptr_t)6);
    fake_kevent_add(f->fds[0], EVFILT_READ, 0, 0, 1, 6);
    assert_int_equal(wait_once(f), 1);
    assert_int_equal(f->events[0].id, 6);
}

/* Rows 3 and 22: filters are numbers, not bits. -5 has the bits of -1 and of -2; an event of a
   process whose id is the number of an fd is not that fd's. */
static void row_3_filters_are_numbers(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(add(f, 5, BOTH, POLLER_LEVEL), 0);
    fake_kevent_add(f->fds[0], EVFILT_PROC, 0, 0, 0, 5);
    fake_kevent_add(f->fds[0], EVFILT_WRITE, 0, 0, 1, 5);
    assert_int_equal(wait_once(f), 1);
    assert_int_equal(f->events[0].events, POLLER_WRITE);
}

/* Row 4: what is removed is taken out explicitly (some implementations cannot see a close), and
   what the close has taken out already is no error. */
static void row_4_delete_of_what_is_gone(void **state)
{
    static const int errors[] = {ENOENT, EBADF, ENOTCAPABLE};
    struct fixture *f = *state;

    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(add(f, 5, BOTH, POLLER_EDGE), 0);
        fake.error_for_read = errors[i];
        fake.error_for_write = errors[i];
        assert_int_equal(class->remove(f->poller, f->fds[0]), 0);
        assert_int_equal(fake_kevent_changes(f->fds[0], EVFILT_READ, EV_DELETE), (int)i + 1);
        assert_int_equal(fake_kevent_changes(f->fds[0], EVFILT_WRITE, EV_DELETE), (int)i + 1);
    }
}

/* Row 4: an event of a number that is in under another id, or not at all, is left over from before
   a close that the queue has not seen. It is dropped, and what sends it taken out, or it would
   spin. */
static void row_4_stale_event(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(add(f, 6, POLLER_READ, POLLER_LEVEL), 0);
    fake_kevent_add(f->fds[0], EVFILT_READ, 0, 0, 1, 5);
    fake_kevent_add(f->fds[1], EVFILT_WRITE, 0, 0, 1, 7);
    assert_int_equal(wait_once(f), 0);
    assert_int_equal(fake_kevent_changes(f->fds[0], EVFILT_READ, EV_DELETE), 1);
    assert_int_equal(fake_kevent_changes(f->fds[1], EVFILT_WRITE, EV_DELETE), 1);
}

/* Row 5: a forked child has no queue, and its number may be somebody else's: closing it would close
   a stranger's file. A rebuilt one is its own. */
static void row_5_fork(void **state)
{
    struct fixture *f = *state;
    int status;
    pid_t child;

    assert_int_equal(add(f, 5, BOTH, POLLER_EDGE), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int number = class->backend_fd(f->poller);
        int changes = fake.change_count;
        bool is_good = class->rebuild(f->poller) == 0;

        /* The fake's queues are fds that are inherited: the number is still open, and must stay so.
           */
        is_good = is_good && class->backend_fd(f->poller) != number &&
                  sys.fd_is_open(number) == 1 && fake.change_count == changes + 2;
        class->close(f->poller);
        is_good = is_good && sys.fd_is_open(number) == 1;
        _exit(is_good ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void row_5_close_in_child(void **state)
{
    struct fixture *f = *state;
    int number = class->backend_fd(f->poller);
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        class->close(f->poller);
        _exit(sys.fd_is_open(number) == 1 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Row 6: with no room for events kevent returns at once, whatever the timeout. */
static void row_6_never_without_room(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(add(f, 5, BOTH, POLLER_LEVEL), 0);
    assert_int_equal(class->wait(f->poller, ALOOP_NEVER, f->events, 1), 0);
    assert_int_equal(fake.last_event_max, 1);
    assert_int_equal(fake.last_timeout, ALOOP_NEVER);
    fake.error_for_write = EPIPE;
    assert_int_equal(class->modify(f->poller, f->fds[0], 5, BOTH), 0);
    fake.last_event_max = -1;
    assert_int_equal(class->wait(f->poller, ALOOP_NEVER, f->events, 1), 1);
    assert_int_equal(fake.last_event_max, -1);
}

/* Row 7: an error of a change reaches whoever asked, and nothing has changed: the filter that was
   put in beside the failing one is taken out again. There is room for all receipts, or the changes
   behind the first error would not be made. */
static void row_7_errors_reach_the_caller(void **state)
{
    struct fixture *f = *state;

    fake.error_for_write = ENOMEM;
    assert_int_equal(add(f, 5, BOTH, POLLER_EDGE), -ENOMEM);
    assert_int_equal(fake_kevent_changes(f->fds[0], EVFILT_READ, EV_DELETE), 1);
    assert_int_equal(class->remove(f->poller, f->fds[0]), -ENOENT);
    fake.change_result = -ENOMEM;
    assert_int_equal(add(f, 5, BOTH, POLLER_EDGE), -ENOMEM);
    assert_int_equal(class->remove(f->poller, f->fds[0]), -ENOENT);
    assert_true(fake.fewest_receipts >= 0);

    /* With modify, what was in before stays in. */
    assert_int_equal(add(f, 5, POLLER_READ, POLLER_LEVEL), 0);
    fake.change_count = 0;
    fake.error_for_write = ENOMEM;
    assert_int_equal(class->modify(f->poller, f->fds[0], 5, BOTH), -ENOMEM);
    assert_int_equal(fake_kevent_changes(f->fds[0], EVFILT_READ, EV_DELETE), 0);
    fake_kevent_add(f->fds[0], EVFILT_READ, 0, 0, 1, 5);
    assert_int_equal(wait_once(f), 1);
}

/* Row 8: a receipt of success is EV_ERROR with 0; which of the other flags come back differs. */
static void row_8_receipts(void **state)
{
    static const uint16_t echoes[] = {0, EV_ADD, EV_RECEIPT, EV_ADD | EV_RECEIPT | EV_CLEAR};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof echoes / sizeof *echoes; i++) {
        fake.flags_of_receipt = echoes[i];
        assert_int_equal(add(f, 5, BOTH, POLLER_EDGE), 0);
        assert_int_equal(class->remove(f->poller, f->fds[0]), 0);
        fake.error_for_read = ENOSPC;
        assert_int_equal(add(f, 5, BOTH, POLLER_EDGE), -ENOSPC);
    }
}

/* Row 9: a call that changes never waits (OpenBSD could block on a receipt). */
static void row_9_changes_do_not_wait(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(add(f, 5, BOTH, POLLER_EDGE), 0);
    assert_int_equal(class->modify(f->poller, f->fds[0], 6, POLLER_READ), 0);
    assert_int_equal(class->remove(f->poller, f->fds[0]), 0);
    assert_int_equal(fake.longest_change_timeout, 0);
}

/* Row 10: EINTR from a call with changes: they were made. Made again they would do no harm, but
   taken for a failure the caller would be told of one that is none. */
static void row_10_eintr(void **state)
{
    struct fixture *f = *state;

    fake.change_result = -EINTR;
    assert_int_equal(add(f, 5, BOTH, POLLER_EDGE), 0);
    fake_kevent_add(f->fds[0], EVFILT_READ, 0, 0, 1, 5);
    assert_int_equal(wait_once(f), 1);
    fake.change_result = -EINTR;
    assert_int_equal(class->remove(f->poller, f->fds[0]), 0);
    fake.wait_result = -EINTR;
    assert_int_equal(wait_once(f), -EINTR);
}

/* Row 11: a pipe whose reader has gone refuses the writer's filter (macOS). The writer is told that
   it can write, so that write() says EPIPE: level-triggered again and again, edge-triggered once.
   */
static void row_11_epipe(void **state)
{
    struct fixture *f = *state;

    fake.error_for_write = EPIPE;
    assert_int_equal(add(f, 5, BOTH, POLLER_LEVEL), 0);
    for (int i = 0; i < 2; i++) {
        fake.last_timeout = -1;
        assert_int_equal(class->wait(f->poller, ALOOP_NEVER, f->events, ROOM), 1);
        assert_int_equal(f->events[0].id, 5);
        assert_int_equal(f->events[0].events, POLLER_WRITE | POLLER_ERROR);
        assert_int_equal(fake.last_timeout, 0);
    }
    assert_int_equal(class->modify(f->poller, f->fds[0], 5, POLLER_READ), 0);
    assert_int_equal(wait_once(f), 0);
    assert_int_equal(class->remove(f->poller, f->fds[0]), 0);

    fake.error_for_write = EPIPE;
    assert_int_equal(add(f, 6, BOTH, POLLER_EDGE), 0);
    assert_int_equal(wait_once(f), 1);
    assert_int_equal(wait_once(f), 0);
    /* Whoever still waits asks again. */
    fake.error_for_write = EPIPE;
    poller_rearm(f->poller, f->fds[0], POLLER_WRITE);
    assert_int_equal(wait_once(f), 1);
    assert_int_equal(f->events[0].events, POLLER_WRITE | POLLER_ERROR);
    assert_int_equal(wait_once(f), 0);
}

/* Row 11: many of them do not crowd out what the kernel has to tell. */
static void row_11_is_fair(void **state)
{
    struct fixture *f = *state;
    int pipes[4][2];
    unsigned seen = 0;

    assert_int_equal(add(f, 9, POLLER_READ, POLLER_LEVEL), 0);
    for (uint64_t i = 0; i < 4; i++) {
        assert_int_equal(pipe(pipes[i]), 0);
        fake.error_for_write = EPIPE;
        assert_int_equal(class->add(f->poller, pipes[i][1], i, POLLER_WRITE, POLLER_LEVEL), 0);
    }
    for (int round = 0; round < 4; round++) {
        int count;

        fake.pending_count = 0;
        fake_kevent_add(f->fds[0], EVFILT_READ, 0, 0, 1, 9);
        count = class->wait(f->poller, 0, f->events, 2);
        assert_int_equal(count, 2);
        for (int i = 0; i < count; i++)
            seen |= 1u << f->events[i].id;
    }
    assert_int_equal(seen, 0x20f);
    for (size_t i = 0; i < 4; i++) {
        close(pipes[i][0]);
        close(pipes[i][1]);
    }
}

/* Row 12: an fd that was closed in between says EBADF; row 13: in a FreeBSD sandbox ENOTCAPABLE. */
static void rows_12_and_13_closed_fd(void **state)
{
    struct fixture *f = *state;

    fake.error_for_read = EBADF;
    assert_int_equal(add(f, 5, POLLER_READ, POLLER_LEVEL), -EBADF);
    fake.error_for_read = ENOTCAPABLE;
    assert_int_equal(add(f, 5, POLLER_READ, POLLER_LEVEL), -EBADF);
    assert_int_equal(add(f, 5, POLLER_READ, POLLER_LEVEL), 0);
    fake.error_for_read = ENOTCAPABLE;
    assert_int_equal(class->modify(f->poller, f->fds[0], 5, POLLER_READ), -EBADF);
}

/* Row 14: EV_EOF may come with bytes left: it is readable, with a hint, and nobody takes the hint
   for the end. fflags carries the socket's error. */
static void row_14_eof_with_data(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(add(f, 5, BOTH, POLLER_LEVEL), 0);
    fake_kevent_add(f->fds[0], EVFILT_READ, EV_EOF, 0, 17, 5);
    assert_int_equal(wait_once(f), 1);
    assert_int_equal(f->events[0].events, POLLER_READ | POLLER_HANGUP);
    fake_kevent_add(f->fds[0], EVFILT_READ, EV_EOF, ECONNRESET, 0, 5);
    assert_int_equal(wait_once(f), 1);
    assert_int_equal(f->events[0].events, POLLER_READ | POLLER_HANGUP | POLLER_ERROR);
    /* Level-triggered, the filter stays: the condition holds. */
    assert_int_equal(fake_kevent_changes(f->fds[0], EVFILT_READ, EV_DELETE), 0);
}

/* Row 15: EV_CLEAR does not silence EV_EOF on every system. An edge-triggered filter is taken out
   at its end; the other direction stays; rearm puts it back for a FIFO that gets a new writer. */
static void row_15_eof_does_not_spin(void **state)
{
    struct fixture *f = *state;
    int calls;

    assert_int_equal(add(f, 5, BOTH, POLLER_EDGE), 0);
    fake_kevent_add(f->fds[0], EVFILT_READ, EV_EOF, 0, 0, 5);
    assert_int_equal(wait_once(f), 1);
    assert_int_equal(fake_kevent_changes(f->fds[0], EVFILT_READ, EV_DELETE), 1);
    assert_int_equal(fake_kevent_changes(f->fds[0], EVFILT_WRITE, EV_DELETE), 0);
    calls = fake.calls;
    poller_rearm(f->poller, f->fds[0], POLLER_WRITE);
    assert_int_equal(fake.calls, calls);
    poller_rearm(f->poller, f->fds[0], POLLER_READ);
    assert_int_equal(fake_kevent_changes(f->fds[0], EVFILT_READ, EV_ADD | EV_CLEAR), 2);
    calls = fake.calls;
    poller_rearm(f->poller, f->fds[0], POLLER_READ);
    assert_int_equal(fake.calls, calls);
    fake_kevent_add(f->fds[0], EVFILT_READ, 0, 0, 1, 5);
    assert_int_equal(wait_once(f), 1);
    assert_int_equal(f->events[0].events, POLLER_READ);
}

/* Row 15: a rearm that fails has nobody to tell; the waiter finds out by its own call. */
static void row_15_rearm_fails(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(add(f, 5, POLLER_READ, POLLER_EDGE), 0);
    fake_kevent_add(f->fds[0], EVFILT_READ, EV_EOF, 0, 0, 5);
    assert_int_equal(wait_once(f), 1);
    fake.error_for_read = ENOMEM;
    poller_rearm(f->poller, f->fds[0], POLLER_READ);
    assert_int_equal(wait_once(f), 1);
    assert_int_equal(f->events[0].events, POLLER_READ | POLLER_ERROR);
    assert_int_equal(wait_once(f), 0);
}

/* Row 16: the reader has gone. The writer is told, and FreeBSD has taken the filter out by itself.
   */
static void row_16_reader_gone(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(add(f, 5, POLLER_WRITE, POLLER_EDGE), 0);
    fake_kevent_add(f->fds[0], EVFILT_WRITE, EV_EOF, EPIPE, 0, 5);
    fake.error_for_write = ENOENT;
    assert_int_equal(wait_once(f), 1);
    assert_int_equal(f->events[0].events, POLLER_WRITE | POLLER_HANGUP | POLLER_ERROR);
    fake.error_for_write = ENOENT;
    assert_int_equal(class->remove(f->poller, f->fds[0]), 0);
}

/* Row 18: kqueue would take a regular file, and tell of it what no other poller does. It never
   hears of it. */
static void row_18_regular_file(void **state)
{
    struct fixture *f = *state;
    FILE *file = tmpfile();

    assert_non_null(file);
    assert_int_equal(class->add(f->poller, fileno(file), 5, POLLER_READ, POLLER_LEVEL), -EPERM);
    assert_int_equal(fake.change_count, 0);
    fclose(file);
}

/* Row 20: EINVAL for a device that the system's kqueue does not know. A direction that the fd does
   not have (FreeBSD: writing to a FIFO opened for reading) says the same, and does not spoil the
   other. */
static void row_20_einval(void **state)
{
    struct fixture *f = *state;

    fake.error_for_read = EINVAL;
    fake.error_for_write = EINVAL;
    assert_int_equal(add(f, 5, BOTH, POLLER_EDGE), -EPERM);
    fake.error_for_read = ENODEV;
    assert_int_equal(add(f, 5, POLLER_READ, POLLER_LEVEL), -EPERM);
    fake.error_for_write = EINVAL;
    assert_int_equal(add(f, 5, BOTH, POLLER_EDGE), 0);
    fake_kevent_add(f->fds[0], EVFILT_READ, 0, 0, 1, 5);
    assert_int_equal(wait_once(f), 1);
    assert_int_equal(f->events[0].events, POLLER_READ);
}

/* Row 30: udata is as wide as a pointer; the id comes back whole all the same. */
static void row_30_wide_ids(void **state)
{
    struct fixture *f = *state;
    const uint64_t id = UINT64_C(0x3ffffffffffffff1);

    assert_int_equal(add(f, id, POLLER_READ, POLLER_LEVEL), 0);
    fake_kevent_add(f->fds[0], EVFILT_READ, 0, 0, 1, id);
    assert_int_equal(wait_once(f), 1);
    assert_true(f->events[0].id == id);
}

/* Row 31: NetBSD hung with an array of INT_MAX; what is asked for is bounded. */
static void row_31_bounded_array(void **state)
{
    static struct poller_event many[5000];
    struct fixture *f = *state;

    assert_int_equal(class->wait(f->poller, 0, many, 5000), 0);
    assert_in_range(fake.last_event_max, 1, 4096);
}

/* Row 33: no order within an answer is relied on: an error beside events is theirs to tell. */
static void row_33_error_event(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(add(f, 5, BOTH, POLLER_LEVEL), 0);
    fake_kevent_add(f->fds[0], EVFILT_WRITE, EV_ERROR, 0, EIO, 5);
    assert_int_equal(wait_once(f), 1);
    assert_int_equal(f->events[0].events, POLLER_WRITE | POLLER_ERROR);
}

/* P121: no queue, no poller, and nothing is left behind. */
static void no_queue(void **state)
{
    struct fixture *f = *state;
    struct poller *poller = NULL;

    fault_install();
    fault_fail(FAULT_KQUEUE, 1, -EMFILE);
    assert_int_equal(class->open(&f->memory, &poller), -EMFILE);
    assert_null(poller);
    fault_fail(FAULT_KQUEUE, 1, -ENFILE);
    assert_int_equal(class->rebuild(f->poller), -ENFILE);
}

/* A rebuild that fails half-way closes the new queue and goes on with the old one. */
static void rebuild_fails(void **state)
{
    struct fixture *f = *state;
    int number = class->backend_fd(f->poller);

    assert_int_equal(add(f, 5, BOTH, POLLER_LEVEL), 0);
    fault_install();
    fake.error_for_write = ENOMEM;
    assert_int_equal(class->rebuild(f->poller), -ENOMEM);
    assert_int_equal(fault_count(FAULT_CLOSE), 1);
    assert_int_equal(class->backend_fd(f->poller), number);
    fake_kevent_add(f->fds[0], EVFILT_READ, 0, 0, 1, 5);
    assert_int_equal(wait_once(f), 1);
}

/* The new queue gets the number of an fd that was closed behind our back: it is not put into
   itself. */
static void rebuild_under_a_closed_number(void **state)
{
    struct fixture *f = *state;
    int closed = dup(f->fds[1]);

    assert_int_equal(class->add(f->poller, closed, 4, POLLER_READ, POLLER_LEVEL), 0);
    assert_int_equal(add(f, 5, POLLER_READ, POLLER_LEVEL), 0);
    close(closed);
    fake.change_count = 0;
    assert_int_equal(class->rebuild(f->poller), 0);
    assert_int_equal(fake_kevent_changes(closed, EVFILT_READ, EV_ADD), 0);
    assert_int_equal(fake_kevent_changes(f->fds[0], EVFILT_READ, EV_ADD), 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(row_1_two_filters),
        TEST(row_2_add_modifies),
        TEST(row_3_filters_are_numbers),
        TEST(row_4_delete_of_what_is_gone),
        TEST(row_4_stale_event),
        TEST(row_5_fork),
        TEST(row_5_close_in_child),
        TEST(row_6_never_without_room),
        TEST(row_7_errors_reach_the_caller),
        TEST(row_8_receipts),
        TEST(row_9_changes_do_not_wait),
        TEST(row_10_eintr),
        TEST(row_11_epipe),
        TEST(row_11_is_fair),
        TEST(rows_12_and_13_closed_fd),
        TEST(row_14_eof_with_data),
        TEST(row_15_eof_does_not_spin),
        TEST(row_15_rearm_fails),
        TEST(row_16_reader_gone),
        TEST(row_18_regular_file),
        TEST(row_20_einval),
        TEST(row_30_wide_ids),
        TEST(row_31_bounded_array),
        TEST(row_33_error_event),
        TEST(no_queue),
        TEST(rebuild_fails),
        TEST(rebuild_under_a_closed_number),
    };

    return cmocka_run_group_tests_name("kqueue quirks", tests, NULL, NULL);
}
