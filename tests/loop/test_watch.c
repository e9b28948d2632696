/*
 * Readers and writers that a program adds to its own fds: what they are told, what replacing and
 * removing them does, what the kernel refuses.
 */
#include "fixture.h"

#include "loop/internal.h"
#include <fcntl.h>
#include <limits.h>
#include <sys/resource.h>
#include <sys/socket.h>

static void reads_a_byte(aloop *loop, void *arg)
{
    char byte;

    note(loop, TEXT("r"));
    assert_int_equal(read(*(int *)arg, &byte, 1), 1);
}

/* Called in each turn in which the fd is readable, and in no other. */
static void reader_while_readable(void **state)
{
    struct fixture *f = *state;
    int fds[2];

    open_pair(fds);
    must(aloop_add_reader(f->loop, fds[0], note, TEXT("r")));
    assert_int_equal(turn(f->loop), 0);
    put_byte(fds[1]);
    for (int i = 0; i < 3; i++)
        assert_int_equal(turn(f->loop), 1);
    assert_journal_is("rrr");
    must(aloop_add_reader(f->loop, fds[0], reads_a_byte, &fds[0]));
    assert_int_equal(turn(f->loop), 1);
    assert_int_equal(turn(f->loop), 0);
    assert_journal_is("r");
    assert_true(aloop_remove_reader(f->loop, fds[0]));
    put_byte(fds[1]);
    assert_int_equal(turn(f->loop), 0);
    close_pair(fds);
}

static void never(aloop *loop, void *arg)
{
    (void)loop;
    (void)arg;
    fail_msg("a callback ran that must not");
}

static void replace_reader(aloop *loop, void *arg)
{
    note(loop, TEXT("1"));
    must(aloop_add_reader(loop, *(int *)arg, note, TEXT("2")));
}

/* S35: a second reader replaces the first, whose handle is dead; also if the first has been queued
   already in this turn, as one whose turn would come with an argument that is gone. */
static void second_reader_replaces(void **state)
{
    struct fixture *f = *state;
    aloop_handle first, second;
    int fds[2];

    open_pair(fds);
    put_byte(fds[1]);
    put_byte(fds[0]);
    first = must(aloop_add_reader(f->loop, fds[0], never, NULL));
    second = must(aloop_add_reader(f->loop, fds[0], note, TEXT("a")));
    assert_false(aloop_cancel(f->loop, first));
    assert_int_equal(turn(f->loop), 1);
    assert_journal_is("a");
    assert_true(aloop_cancel(f->loop, second));
    assert_false(aloop_cancel(f->loop, second));
    assert_false(aloop_remove_reader(f->loop, fds[0]));

    /* Whichever the poller names first replaces the other's. */
    must(aloop_add_reader(f->loop, fds[0], replace_reader, &fds[1]));
    must(aloop_add_reader(f->loop, fds[1], replace_reader, &fds[0]));
    assert_int_equal(turn(f->loop), 1);
    assert_journal_is("1");
    close_pair(fds);
}

/* S36, P10: reader and writer share a registration, and are independent all the same. */
static void reader_and_writer(void **state)
{
    struct fixture *f = *state;
    int fds[2];

    open_pair(fds);
    must(aloop_add_reader(f->loop, fds[0], note, TEXT("r")));
    must(aloop_add_writer(f->loop, fds[0], note, TEXT("w")));
    assert_int_equal(f->loop->watches.live, 1);
    assert_int_equal(turn(f->loop), 1);
    assert_journal_is("w");
    put_byte(fds[1]);
    assert_int_equal(turn(f->loop), 2);
    assert_journal_is("rw");
    assert_true(aloop_remove_reader(f->loop, fds[0]));
    assert_int_equal(turn(f->loop), 1);
    assert_journal_is("w");
    must(aloop_add_reader(f->loop, fds[0], note, TEXT("r")));
    assert_true(aloop_remove_writer(f->loop, fds[0]));
    assert_int_equal(turn(f->loop), 1);
    assert_journal_is("r");
    assert_true(aloop_remove_reader(f->loop, fds[0]));
    assert_int_equal(f->loop->watches.live, 0);
    assert_int_equal(turn(f->loop), 0);
    close_pair(fds);
}

/* S23, S37: what is not there is not removed, and that is no error. */
static void remove_what_is_not_there(void **state)
{
    struct fixture *f = *state;
    const int unknown[] = {0, -1, INT_MIN, INT_MAX, 1000};
    int fds[2];

    open_pair(fds);
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        assert_false(aloop_remove_reader(f->loop, unknown[i]));
        assert_false(aloop_remove_writer(f->loop, unknown[i]));
    }
    must(aloop_add_reader(f->loop, fds[0], never, NULL));
    assert_false(aloop_remove_writer(f->loop, fds[0]));
    assert_true(aloop_remove_reader(f->loop, fds[0]));
    assert_false(aloop_remove_reader(f->loop, fds[0]));
    must(aloop_add_reader(f->loop, fds[0], never, NULL));
    assert_int_equal(aloop_close(f->loop), 0);
    assert_false(aloop_remove_reader(f->loop, fds[0]));
    assert_false(aloop_remove_writer(f->loop, fds[0]));
    assert_int_equal(aloop_add_reader(f->loop, fds[0], never, NULL), -ALOOP_ECLOSED);
    assert_int_equal(aloop_add_writer(f->loop, fds[0], never, NULL), -ALOOP_ECLOSED);
    close_pair(fds);
}

/* S40, P14: at the call, and without asking for gigabytes to note an absurd number in. */
static void not_an_fd(void **state)
{
    struct fixture *f = *state;
    size_t before = f->probe.bytes;
    struct rlimit limit;
    int fds[2];

    open_pair(fds);
    close_pair(fds);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(aloop_add_reader(f->loop, -1, never, NULL), -EBADF);
    assert_int_equal(aloop_add_writer(f->loop, INT_MIN, never, NULL), -EBADF);
    assert_int_equal(aloop_add_reader(f->loop, INT_MAX, never, NULL), -EBADF);
    assert_int_equal(aloop_add_writer(f->loop, INT_MAX - 1, never, NULL), -EBADF);
    assert_int_equal(aloop_add_reader(f->loop, fds[0], never, NULL), -EBADF);
    assert_int_equal(aloop_add_writer(f->loop, fds[0], never, NULL), -EBADF);
    /* (Instruments keep fds of their own beyond the limit.) */
    if (limit.rlim_cur < INT_MAX && fcntl((int)limit.rlim_cur, F_GETFD) < 0)
        assert_int_equal(aloop_add_reader(f->loop, (int)limit.rlim_cur, never, NULL), -EBADF);
    assert_in_range(f->probe.bytes - before, 0, 64 * 1024);
    assert_int_equal(f->loop->watches.live, 0);
    assert_int_equal(f->loop->handles.live, 0);
    assert_int_equal(turn(f->loop), 0);
}

/* S42, P15: the end wakes a reader, and a peer that is gone wakes both. */
static void hang_up(void **state)
{
    struct fixture *f = *state;
    char byte;
    int fds[2];

    open_pair(fds);
    put_byte(fds[1]);
    must(aloop_add_reader(f->loop, fds[0], note, TEXT("r")));
    close(fds[1]);
    /* P19: first the byte, then the end. */
    assert_int_equal(turn(f->loop), 1);
    assert_int_equal(read(fds[0], &byte, 1), 1);
    assert_int_equal(turn(f->loop), 1);
    assert_int_equal(read(fds[0], &byte, 1), 0);
    assert_journal_is("rr");
    must(aloop_add_writer(f->loop, fds[0], note, TEXT("w")));
    assert_int_equal(turn(f->loop), 2);
    assert_journal_is("rw");
    assert_true(aloop_remove_reader(f->loop, fds[0]));
    assert_int_equal(turn(f->loop), 1);
    assert_journal_is("w");
    /* P17, P23: nobody waits any more, and the hang-up, which cannot be masked, does not spin. */
    assert_true(aloop_remove_writer(f->loop, fds[0]));
    assert_int_equal(turn(f->loop), 0);
    assert_int_equal(aloop_run_forever(f->loop), -EDEADLK);
    close(fds[0]);
}

/* S42, P16, P22: a pipe whose reader has gone is an error, told to whoever waits: here the writer.
   One whose reader lives is writable and nothing else. */
static void error_alone(void **state)
{
    struct fixture *f = *state;
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    must(aloop_add_reader(f->loop, fds[1], note, TEXT("r")));
    assert_int_equal(turn(f->loop), 0);
    close(fds[0]);
    assert_int_equal(turn(f->loop), 1);
    assert_journal_is("r");
    must(aloop_add_writer(f->loop, fds[1], note, TEXT("w")));
    assert_int_equal(turn(f->loop), 2);
    assert_journal_is("rw");
    close(fds[1]);
}

static void fill(int fd)
{
    static const char bytes[4096];

    while (write(fd, bytes, sizeof bytes) > 0)
        continue;
    while (write(fd, bytes, 1) > 0)
        continue;
}

/* P24: a peer that only ends its own side is told to the reader, with the bytes before it; it still
   reads, so a writer that has no room is not called, and does not spin. */
static void half_closed_peer(void **state)
{
    struct fixture *f = *state;
    char byte;
    int fds[2];

    open_pair(fds);
    fill(fds[0]);
    put_byte(fds[1]);
    assert_int_equal(shutdown(fds[1], SHUT_WR), 0);
    must(aloop_add_reader(f->loop, fds[0], note, TEXT("r")));
    must(aloop_add_writer(f->loop, fds[0], never, NULL));
    assert_int_equal(turn(f->loop), 1);
    assert_int_equal(read(fds[0], &byte, 1), 1);
    assert_int_equal(turn(f->loop), 1);
    assert_int_equal(read(fds[0], &byte, 1), 0);
    assert_journal_is("rr");
    assert_true(aloop_remove_reader(f->loop, fds[0]));
    assert_int_equal(turn(f->loop), 0);
    close_pair(fds);
}

struct stopper {
    int fd;
    struct stopper *other;
    struct stopper **survivor;
};

static void stop_each_other(aloop *loop, void *arg)
{
    struct stopper *stopper = arg;

    assert_null(*stopper->survivor);
    *stopper->survivor = stopper;
    aloop_remove_reader(loop, stopper->fd);
    aloop_remove_reader(loop, stopper->other->fd);
    free(stopper->other);
}

/* P5: two that are ready in one batch, each of which removes both and frees the other: one runs. */
static void cross_stop(void **state)
{
    struct fixture *f = *state;
    struct stopper *stoppers[2] = {calloc(1, sizeof **stoppers), calloc(1, sizeof **stoppers)};
    struct stopper *survivor = NULL;
    int fds[2];

    open_pair(fds);
    put_byte(fds[0]);
    put_byte(fds[1]);
    for (int i = 0; i < 2; i++) {
        *stoppers[i] =
            (struct stopper){.fd = fds[i], .other = stoppers[1 - i], .survivor = &survivor};
        must(aloop_add_reader(f->loop, fds[i], stop_each_other, stoppers[i]));
    }
    assert_int_equal(turn(f->loop), 1);
    assert_int_equal(turn(f->loop), 0);
    assert_int_equal(f->loop->handles.live, 0);
    close_pair(fds);
    free(survivor);
}

static void close_own(aloop *loop, void *arg)
{
    int *fd = arg;

    note(loop, TEXT("c"));
    assert_true(aloop_remove_reader(loop, *fd));
    assert_true(aloop_remove_writer(loop, *fd));
    close(*fd);
}

/* P6, P13: removed and closed in its own callback while a hang-up is told to both its directions.
 */
static void closes_itself(void **state)
{
    struct fixture *f = *state;
    int fds[2];

    open_pair(fds);
    must(aloop_add_reader(f->loop, fds[0], close_own, &fds[0]));
    must(aloop_add_writer(f->loop, fds[0], never, NULL));
    close(fds[1]);
    assert_int_equal(turn(f->loop), 1);
    assert_journal_is("c");
    assert_int_equal(turn(f->loop), 0);
}

/* P20, P21: what the kernel does not poll is always ready, with each poller; it starves nobody, and
   keeps the loop from waiting for as long as it is watched. */
static void regular_file(void **state)
{
    static const char *const paths[] = {"/dev/null", "/dev/zero", "/"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        int fd = open(paths[i], O_RDONLY | O_CLOEXEC);
        aloop_handle writer;

        must(aloop_add_reader(f->loop, fd, note, TEXT("r")));
        must(aloop_call_later(f->loop, 0, note, TEXT("t")));
        assert_int_equal(aloop_next_timeout(f->loop), 0);
        assert_int_equal(aloop_run_once(f->loop, ALOOP_NEVER), 2);
        assert_journal_is("rt");
        writer = must(aloop_add_writer(f->loop, fd, note, TEXT("w")));
        assert_int_equal(aloop_run_once(f->loop, ALOOP_NEVER), 2);
        assert_journal_is("rw");
        assert_true(aloop_remove_reader(f->loop, fd));
        assert_int_equal(aloop_run_once(f->loop, ALOOP_NEVER), 1);
        assert_journal_is("w");
        assert_true(aloop_cancel(f->loop, writer));
        assert_int_equal(aloop_run_forever(f->loop), -EDEADLK);
        close(fd);
    }
}

/* P120: the kernel's refusal reaches the caller, the loop and the other direction live on. */
static void kernel_refuses(void **state)
{
    static const int errors[] = {-ENOSPC, -ENOMEM};
    struct fixture *f = *state;
    int fds[2];

    if (f->kind != ALOOP_POLLER_EPOLL)
        return;
    open_pair(fds);
    fault_install();
    for (size_t i = 0; i < 2; i++) {
        fault_fail(FAULT_EPOLL_CTL, 1, errors[i]);
        assert_int_equal(aloop_add_reader(f->loop, fds[0], never, NULL), errors[i]);
        assert_int_equal(f->loop->watches.live, 0);
        must(aloop_add_writer(f->loop, fds[0], note, TEXT("w")));
        fault_fail(FAULT_EPOLL_CTL, 1, errors[i]);
        assert_int_equal(aloop_add_reader(f->loop, fds[0], never, NULL), errors[i]);
        /* Replacing fails as well, and the one that was there stays. */
        fault_fail(FAULT_EPOLL_CTL, 1, errors[i]);
        assert_int_equal(aloop_add_writer(f->loop, fds[0], never, NULL), errors[i]);
        put_byte(fds[1]);
        assert_int_equal(turn(f->loop), 1);
        assert_journal_is("w");
        assert_true(aloop_remove_writer(f->loop, fds[0]));
        assert_int_equal(f->loop->handles.live, 0);
    }
    close_pair(fds);
}

/* A file that is always ready stays so where a second call for it fails. */
static void refusal_of_a_file(void **state)
{
    struct fixture *f = *state;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (f->kind == ALOOP_POLLER_EPOLL) {
        must(aloop_add_reader(f->loop, fd, note, TEXT("r")));
        fault_install();
        fault_fail(FAULT_EPOLL_CTL, 1, -ENOMEM);
        assert_int_equal(aloop_add_writer(f->loop, fd, never, NULL), -ENOMEM);
        assert_int_equal(turn(f->loop), 1);
        assert_journal_is("r");
        assert_true(aloop_remove_reader(f->loop, fd));
    }
    close(fd);
}

static void add_many(aloop *loop, void *arg)
{
    const int *fds = arg;

    for (int i = 1; i < 200; i++)
        must(aloop_add_reader(loop, fds[i], never, NULL));
    note(loop, TEXT("a"));
}

/* P11: the table of fds grows inside a callback, while more events of the batch are to be told. */
static void table_grows_in_a_callback(void **state)
{
    struct fixture *f = *state;
    static int many[200];
    int fds[2];

    open_pair(fds);
    put_byte(fds[0]);
    put_byte(fds[1]);
    for (int i = 0; i < 200; i++)
        assert_true((many[i] = fcntl(fds[0], F_DUPFD_CLOEXEC, 200 + i)) >= 0);
    assert_int_equal(recv(fds[0], journal, 1, 0), 1);
    journal[0] = '\0';
    must(aloop_add_reader(f->loop, fds[1], add_many, many));
    must(aloop_add_writer(f->loop, fds[0], note, TEXT("w")));
    assert_int_equal(turn(f->loop), 2);
    assert_int_equal(strlen(journal), 2);
    for (int i = 0; i < 200; i++) {
        aloop_remove_reader(f->loop, many[i]);
        close(many[i]);
    }
    close_pair(fds);
}

/* P25: ready, and yet nothing to read: just called again when there is. */
static void spurious_readiness(void **state)
{
    struct fixture *f = *state;
    char byte;
    int fds[2];

    open_pair(fds);
    must(aloop_add_reader(f->loop, fds[0], note, TEXT("r")));
    put_byte(fds[1]);
    assert_int_equal(read(fds[0], &byte, 1), 1);
    assert_int_equal(turn(f->loop), 0);
    put_byte(fds[1]);
    assert_int_equal(turn(f->loop), 1);
    assert_journal_is("r");
    close_pair(fds);
}

int main(void)
{
    static const struct loop_test suite[] = {
        LOOP_TEST(reader_while_readable),
        LOOP_TEST(second_reader_replaces),
        LOOP_TEST(reader_and_writer),
        LOOP_TEST(remove_what_is_not_there),
        LOOP_TEST(not_an_fd),
        LOOP_TEST(hang_up),
        LOOP_TEST(error_alone),
        LOOP_TEST(half_closed_peer),
        LOOP_TEST(cross_stop),
        LOOP_TEST(closes_itself),
        LOOP_TEST(regular_file),
        LOOP_TEST(kernel_refuses),
        LOOP_TEST(refusal_of_a_file),
        LOOP_TEST(table_grows_in_a_callback),
        LOOP_TEST(spurious_readiness),
    };

    return RUN_SUITE(suite);
}
