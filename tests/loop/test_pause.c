/*
 * Readers and writers that are paused: not called, not forgotten, and without a system call unless
 * something arrives meanwhile.
 */
#include "fixture.h"

#include "loop/internal.h"
#include <fcntl.h>
#include <sys/wait.h>

static void never(aloop *loop, void *arg)
{
    (void)loop;
    (void)arg;
    fail_msg("a callback ran that must not");
}

/* What tells the poller of an fd. */
static unsigned registrations(const struct fixture *f)
{
    return f->kind == ALOOP_POLLER_EPOLL ? fault_count(FAULT_EPOLL_CTL)
                                         : fault_count(FAULT_FD_IS_POLLABLE);
}

/* A pause that ends before anything arrives costs no call of the system, and what arrives then is
   told. */
static void costs_nothing(void **state)
{
    struct fixture *f = *state;
    aloop_handle reader;
    int fds[2];

    open_pair(fds);
    reader = must(aloop_add_reader(f->loop, fds[0], note, TEXT("r")));
    fault_install();
    for (int i = 0; i < 100; i++) {
        assert_int_equal(aloop_pause(f->loop, reader), 0);
        if (i % 10 == 0)
            assert_int_equal(turn(f->loop), 0);
        assert_int_equal(aloop_resume(f->loop, reader), 0);
    }
    assert_int_equal(registrations(f), 0);
    put_byte(fds[1]);
    assert_int_equal(turn(f->loop), 1);
    assert_journal_is("r");
    close_pair(fds);
}

/* What arrives during a pause wakes the loop once at most, and is told after it. */
static void told_afterwards(void **state)
{
    struct fixture *f = *state;
    aloop_handle reader;
    int fds[2];

    open_pair(fds);
    reader = must(aloop_add_reader(f->loop, fds[0], note, TEXT("r")));
    assert_int_equal(aloop_pause(f->loop, reader), 0);
    assert_int_equal(aloop_pause(f->loop, reader), 0);
    put_byte(fds[1]);
    assert_int_equal(turn(f->loop), 0);
    fault_install();
    /* The virtual clock finds out that nothing can happen: the poller reports it no more. */
    assert_int_equal(aloop_run_forever(f->loop), -EDEADLK);
    assert_in_range(f->loop->events, 1, 1);
    assert_int_equal(registrations(f), 0);
    assert_int_equal(f->loop->watches.live, 1);

    assert_int_equal(aloop_resume(f->loop, reader), 0);
    assert_int_equal(turn(f->loop), 1);
    assert_int_equal(aloop_resume(f->loop, reader), 0);
    assert_int_equal(turn(f->loop), 1);
    assert_journal_is("rr");
    if (f->kind == ALOOP_POLLER_EPOLL)
        assert_int_equal(registrations(f), 1);
    assert_true(aloop_cancel(f->loop, reader));
    close_pair(fds);
}

/* It is as if what was read meanwhile by somebody else had never been there: levels, not edges. */
static void gone_by_then(void **state)
{
    struct fixture *f = *state;
    aloop_handle reader;
    char byte;
    int fds[2];

    open_pair(fds);
    reader = must(aloop_add_reader(f->loop, fds[0], never, NULL));
    assert_int_equal(aloop_pause(f->loop, reader), 0);
    put_byte(fds[1]);
    assert_int_equal(turn(f->loop), 0);
    assert_int_equal(read(fds[0], &byte, 1), 1);
    assert_int_equal(aloop_resume(f->loop, reader), 0);
    assert_int_equal(turn(f->loop), 0);
    close_pair(fds);
}

/* Reader and writer of an fd are paused apart, and a hang-up, which cannot be masked, does not make
   the loop spin. */
static void directions_apart(void **state)
{
    struct fixture *f = *state;
    aloop_handle reader, writer;
    int fds[2];

    open_pair(fds);
    reader = must(aloop_add_reader(f->loop, fds[0], note, TEXT("r")));
    writer = must(aloop_add_writer(f->loop, fds[0], note, TEXT("w")));
    put_byte(fds[1]);
    assert_int_equal(aloop_pause(f->loop, reader), 0);
    assert_int_equal(turn(f->loop), 1);
    assert_journal_is("w");
    assert_int_equal(aloop_pause(f->loop, writer), 0);
    assert_int_equal(aloop_resume(f->loop, reader), 0);
    assert_int_equal(turn(f->loop), 1);
    assert_journal_is("r");
    assert_int_equal(aloop_pause(f->loop, reader), 0);
    assert_int_equal(turn(f->loop), 0);
    assert_int_equal(close(fds[1]), 0);
    assert_int_equal(aloop_run_forever(f->loop), -EDEADLK);
    assert_int_equal(aloop_resume(f->loop, reader), 0);
    assert_int_equal(aloop_resume(f->loop, writer), 0);
    assert_int_equal(turn(f->loop), 2);
    assert_int_equal(strlen(journal), 2);
    assert_true(aloop_remove_reader(f->loop, fds[0]));
    assert_true(aloop_remove_writer(f->loop, fds[0]));
    assert_int_equal(f->loop->watches.live, 0);
    close(fds[0]);
}

struct self {
    aloop_handle handle, other;
    int fd;
};

static void pauses_itself(aloop *loop, void *arg)
{
    struct self *self = arg;

    note(loop, TEXT("s"));
    assert_int_equal(aloop_pause(loop, self->handle), 0);
    aloop_stop(loop);
}

static void pauses_other(aloop *loop, void *arg)
{
    struct self *self = arg;
    char byte;

    note(loop, TEXT("o"));
    assert_int_equal(read(self->fd, &byte, 1), 1);
    assert_int_equal(aloop_pause(loop, self->handle), 0);
    assert_int_equal(aloop_pause(loop, self->other), 0);
}

/* From inside its own callback; and from inside one that runs before it in the same turn: it is not
   called then, and not counted, and its event is not lost. */
static void paused_in_a_callback(void **state)
{
    struct fixture *f = *state;
    struct self first = {0}, second = {0};
    int a[2], b[2];

    open_pair(a);
    open_pair(b);
    put_byte(a[1]);
    put_byte(b[1]);
    first.handle = must(aloop_add_reader(f->loop, a[0], pauses_itself, &first));
    assert_int_equal(aloop_run_forever(f->loop), 0);
    assert_journal_is("s");
    assert_int_equal(aloop_run_forever(f->loop), -EDEADLK);
    assert_true(aloop_remove_reader(f->loop, a[0]));

    first.fd = a[0];
    second.fd = b[0];
    first.handle = second.other = must(aloop_add_reader(f->loop, a[0], pauses_other, &first));
    second.handle = first.other = must(aloop_add_reader(f->loop, b[0], pauses_other, &second));
    /* Whichever the poller names first pauses both. */
    assert_int_equal(turn(f->loop), 1);
    assert_int_equal(turn(f->loop), 0);
    assert_journal_is("o");
    assert_int_equal(aloop_resume(f->loop, first.handle), 0);
    assert_int_equal(aloop_resume(f->loop, second.handle), 0);
    assert_int_equal(turn(f->loop), 1);
    assert_journal_is("o");
    close_pair(a);
    close_pair(b);
}

/* Cancelled, removed, replaced: a pause is no reason to stay. A new reader is not paused. */
static void ends_while_paused(void **state)
{
    struct fixture *f = *state;
    int fds[2];

    open_pair(fds);
    put_byte(fds[1]);
    for (int is_muted = 0; is_muted < 2; is_muted++) {
        for (int way = 0; way < 3; way++) {
            aloop_handle reader = must(aloop_add_reader(f->loop, fds[0], never, NULL));

            assert_int_equal(aloop_pause(f->loop, reader), 0);
            if (is_muted)
                assert_int_equal(turn(f->loop), 0);
            if (way == 0)
                assert_true(aloop_cancel(f->loop, reader));
            else if (way == 1)
                assert_true(aloop_remove_reader(f->loop, fds[0]));
            else
                must(aloop_add_reader(f->loop, fds[0], note, TEXT("n")));
            assert_int_equal(aloop_pause(f->loop, reader), -ENOENT);
            assert_int_equal(aloop_resume(f->loop, reader), -ENOENT);
            assert_int_equal(turn(f->loop), way == 2);
            assert_journal_is(way == 2 ? "n" : "");
            aloop_remove_reader(f->loop, fds[0]);
            assert_int_equal(f->loop->watches.live, 0);
            assert_int_equal(f->loop->handles.live, 0);
        }
    }
    must(aloop_add_reader(f->loop, fds[0], never, NULL));
    assert_int_equal(aloop_close(f->loop), 0);
    close_pair(fds);
}

/* What has no readiness has no pause. */
static void no_reader(void **state)
{
    struct fixture *f = *state;
    const aloop_handle handles[] = {must(aloop_call_soon(f->loop, note, TEXT("s"))),
                                    must(aloop_call_later(f->loop, 0, note, TEXT("t"))), 0, -1,
                                    INT64_MAX};

    for (size_t i = 0; i < sizeof handles / sizeof *handles; i++) {
        assert_int_equal(aloop_pause(f->loop, handles[i]), -ENOENT);
        assert_int_equal(aloop_resume(f->loop, handles[i]), -ENOENT);
    }
    assert_int_equal(turn(f->loop), 2);
    assert_journal_is("st");
    assert_int_equal(aloop_close(f->loop), 0);
    assert_int_equal(aloop_pause(f->loop, handles[0]), -ENOENT);
    assert_int_equal(aloop_resume(f->loop, handles[0]), -ENOENT);
}

/* An fd that is always ready keeps nobody awake while it is paused, and is ready again then; with
   others in the list, and its other direction. */
static void regular_file(void **state)
{
    struct fixture *f = *state;
    aloop_handle readers[3], writer;
    int fds[3];

    for (int i = 0; i < 3; i++) {
        fds[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
        readers[i] = must(aloop_add_reader(f->loop, fds[i], note, TEXT("r")));
        assert_int_equal(aloop_pause(f->loop, readers[i]), 0);
    }
    writer = must(aloop_add_writer(f->loop, fds[1], note, TEXT("w")));
    assert_int_equal(turn(f->loop), 1);
    assert_journal_is("w");
    assert_int_equal(aloop_pause(f->loop, writer), 0);
    assert_int_equal(aloop_run_forever(f->loop), -EDEADLK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(aloop_resume(f->loop, readers[i]), 0);
    assert_int_equal(turn(f->loop), 3);
    assert_journal_is("rrr");
    for (int i = 0; i < 3; i++) {
        assert_true(aloop_remove_reader(f->loop, fds[i]));
        close(fds[i]);
    }
    assert_true(aloop_remove_writer(f->loop, fds[1]));
}

/* The kernel refuses to have it back: who resumes hears of it, and can try again. */
static void kernel_refuses(void **state)
{
    struct fixture *f = *state;
    aloop_handle reader;
    int fds[2];

    if (f->kind != ALOOP_POLLER_EPOLL)
        return;
    open_pair(fds);
    reader = must(aloop_add_reader(f->loop, fds[0], note, TEXT("r")));
    assert_int_equal(aloop_pause(f->loop, reader), 0);
    put_byte(fds[1]);
    assert_int_equal(turn(f->loop), 0);
    fault_install();
    fault_fail(FAULT_EPOLL_CTL, 1, -ENOSPC);
    assert_int_equal(aloop_resume(f->loop, reader), -ENOSPC);
    assert_int_equal(turn(f->loop), 0);
    assert_int_equal(aloop_resume(f->loop, reader), 0);
    assert_int_equal(turn(f->loop), 1);
    assert_journal_is("r");
    close_pair(fds);
}

static int in_the_child(aloop *loop, const aloop_handle readers[2])
{
    /* Nothing was taken out for this one, so nothing is to be put in. */
    if (aloop_resume(loop, readers[0]) != 0)
        return 1;
    if (aloop_resume(loop, readers[1]) != -ECHILD)
        return 2;
    if (aloop_after_fork(loop) != 0 || aloop_run_once(loop, 0) != 0)
        return 3;
    if (aloop_resume(loop, readers[1]) != 0 || aloop_run_once(loop, 0) != 1)
        return 4;
    aloop_unref(loop);
    return 0;
}

/* P105: the child of a fork does not put into its parent's set what it resumes, and pauses live on
   in its own. */
static void in_a_forked_child(void **state)
{
    struct fixture *f = *state;
    aloop_handle readers[2];
    int a[2], b[2], status;
    pid_t child;

    open_pair(a);
    open_pair(b);
    readers[0] = must(aloop_add_reader(f->loop, a[0], never, NULL));
    readers[1] = must(aloop_add_reader(f->loop, b[0], do_nothing, NULL));
    for (int i = 0; i < 2; i++)
        assert_int_equal(aloop_pause(f->loop, readers[i]), 0);
    put_byte(b[1]);
    assert_int_equal(turn(f->loop), 0);
    child = fork();
    if (child == 0)
        _exit(in_the_child(f->loop, readers));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(aloop_run_forever(f->loop), -EDEADLK);
    close_pair(a);
    close_pair(b);
}

/* P1: closed during the pause, against the rules, while a duplicate lives: the kernel goes on
   reporting what nobody can reach, and the loop does not spin for it. */
static void duplicate_lives_on(void **state)
{
    struct fixture *f = *state;
    aloop_handle reader;
    int copy, other[2], fds[2];

    open_pair(fds);
    open_pair(other);
    must(aloop_add_reader(f->loop, other[0], note, TEXT("o")));
    reader = must(aloop_add_reader(f->loop, fds[0], never, NULL));
    assert_int_equal(aloop_pause(f->loop, reader), 0);
    copy = dup(fds[0]);
    assert_true(copy >= 0);
    put_byte(fds[1]);
    close(fds[0]);
    assert_int_equal(aloop_run_forever(f->loop), -EDEADLK);
    put_byte(other[1]);
    assert_int_equal(turn(f->loop), 1);
    assert_journal_is("o");
    assert_true(aloop_cancel(f->loop, reader));
    close(copy);
    close(fds[1]);
    close_pair(other);
}

int main(void)
{
    static const struct loop_test suite[] = {
        LOOP_TEST(costs_nothing),     LOOP_TEST(told_afterwards),      LOOP_TEST(gone_by_then),
        LOOP_TEST(directions_apart),  LOOP_TEST(paused_in_a_callback), LOOP_TEST(ends_while_paused),
        LOOP_TEST(no_reader),         LOOP_TEST(regular_file),         LOOP_TEST(kernel_refuses),
        LOOP_TEST(in_a_forked_child), LOOP_TEST(duplicate_lives_on),
    };

    return RUN_SUITE(suite);
}
