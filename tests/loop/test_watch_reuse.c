/*
 * Fds that are closed behind the loop's back, whose numbers come up again, or that live on as
 * duplicates: an event of the old file must not reach who watches the new one, and what nobody can
 * reach any more must not keep the loop awake.
 */
#include "fixture.h"

#include "loop/internal.h"
#include <fcntl.h>

static void never(aloop *loop, void *arg)
{
    (void)loop;
    (void)arg;
    fail_msg("a callback ran that must not");
}

struct reuse {
    int victim; /* its number is to be reused */
    int spare[2];
    int times;
    bool tells;
};

static void reuse_number(aloop *loop, void *arg)
{
    struct reuse *reuse = arg;

    aloop_remove_reader(loop, reuse->spare[0]);
    for (int i = 0; i < reuse->times; i++) {
        if (reuse->tells)
            assert_true(aloop_remove_reader(loop, reuse->victim));
        close(reuse->victim);
        assert_int_equal(dup(reuse->spare[1]), reuse->victim);
        /* P7: no -EEXIST, as the kernel has been told of the end of the old one. */
        must(aloop_add_reader(loop, reuse->victim, never, NULL));
    }
    note(loop, TEXT("reused"));
}

/* P3, P4: in one batch, one callback closes the other's fd, and watches a new file that has got the
   same number, once or twice over: what was told of the old file is not told to the new one. */
static void number_reused_in_a_batch(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 4; i++) {
        struct reuse reuse = {.times = 1 + i % 2, .tells = i < 2};
        int first[2], second[2];

        open_pair(first);
        open_pair(second);
        assert_int_equal(sys.socketpair(AF_UNIX, SOCK_STREAM, reuse.spare), 0);
        close_pair(second);
        /* Ready both, and the poller names the spare first. */
        put_byte(reuse.spare[1]);
        put_byte(first[1]);
        reuse.victim = first[0];
        must(aloop_add_reader(f->loop, reuse.spare[0], reuse_number, &reuse));
        must(aloop_add_reader(f->loop, first[0], note, TEXT("old ")));
        assert_int_equal(turn(f->loop), 1);
        assert_journal_is("reused");
        assert_int_equal(turn(f->loop), 0);
        assert_true(aloop_remove_reader(f->loop, first[0]));
        close(first[0]);
        close(first[1]);
        close_pair(reuse.spare);
    }
}

/* P1, P2: the fd was closed while a duplicate of it lives. Its registration, which nobody can reach
   any more, tells nobody anything, and the loop does not spin for it. */
static void duplicate_lives_on(void **state)
{
    struct fixture *f = *state;
    int copy, other[2], fds[2];

    open_pair(fds);
    open_pair(other);
    must(aloop_add_reader(f->loop, other[0], note, TEXT("o")));
    must(aloop_add_reader(f->loop, fds[0], never, NULL));
    copy = dup(fds[0]);
    assert_true(copy >= 0);
    /* The wrong order: the number is gone before the loop hears of it. */
    close(fds[0]);
    assert_true(aloop_remove_reader(f->loop, fds[0]));
    put_byte(fds[1]);
    fault_install();
    assert_int_equal(turn(f->loop), 0);
    assert_int_equal(turn(f->loop), 0);
    assert_in_range(fault_count(FAULT_EPOLL_CREATE), 0, 1);
    assert_int_equal(aloop_run_forever(f->loop), -EDEADLK);
    /* The wake fd and the others are in the new set. */
    put_byte(other[1]);
    assert_int_equal(turn(f->loop), 1);
    assert_journal_is("o");
    assert_int_equal(aloop_call_soon_threadsafe(f->loop, note, TEXT("p")), 0);
    must(aloop_call_soon(f->loop, do_nothing, NULL));
    while (turn(f->loop) > 0 && strchr(journal, 'p') == NULL)
        continue;
    assert_non_null(strchr(journal, 'p'));
    close(copy);
    close(fds[1]);
    close_pair(other);
}

/* What was collected in a turn that a failing rebuild ends with an error runs in the next. */
static void rebuild_fails(void **state)
{
    struct fixture *f = *state;
    aloop_handle timer;
    aloop *loop;
    int copy, fds[2];

    if (f->kind != ALOOP_POLLER_EPOLL)
        return;
    /* In debug mode each turn polls, also one that finds callbacks of the last. */
    loop = fixture_new_loop(f, ALOOP_CLOCK_VIRTUAL, true);
    open_pair(fds);
    must(aloop_add_reader(loop, fds[0], never, NULL));
    copy = dup(fds[0]);
    close(fds[0]);
    assert_true(aloop_remove_reader(loop, fds[0]));
    put_byte(fds[1]);
    timer = must(aloop_call_later(loop, 0, note, TEXT("t")));
    assert_int_equal(aloop_call_soon_threadsafe(loop, note, TEXT("1")), 0);
    fault_install();
    fault_fail_from(FAULT_EPOLL_CREATE, 1, -EMFILE);
    assert_int_equal(aloop_run_once(loop, 0), -EMFILE);
    assert_int_equal(aloop_call_soon_threadsafe(loop, note, TEXT("2")), 0);
    assert_int_equal(aloop_reschedule(loop, timer, 0), 0);
    assert_int_equal(aloop_run_forever(loop), -EMFILE);
    /* The timer has one entry, the calls from other threads another. */
    assert_int_equal(ready_count(&loop->ready), 2);
    fault_clear(FAULT_EPOLL_CREATE);
    assert_int_equal(aloop_run_once(loop, 0), 3);
    assert_journal_is("12t");
    assert_int_equal(aloop_run_forever(loop), -EDEADLK);
    aloop_unref(loop);
    close(copy);
    close(fds[1]);
}

/* P8: closed without a word: nothing, or called once; the loop goes on, and the rest can be
 * removed. */
static void closed_without_a_word(void **state)
{
    struct fixture *f = *state;
    int runs = 0, fds[2];

    open_pair(fds);
    must(aloop_add_reader(f->loop, fds[0], count_up, &runs));
    close(fds[0]);
    assert_in_range(turn(f->loop), 0, 1);
    assert_int_equal(aloop_run_forever(f->loop), -EDEADLK);
    assert_in_range(runs, 0, 1);
    assert_true(aloop_remove_reader(f->loop, fds[0]));
    close(fds[1]);
}

/* P9: the same with a duplicate kept open, and a reader and a writer that go one after the other.
 */
static void closed_with_a_duplicate(void **state)
{
    struct fixture *f = *state;
    int copy, runs = 0, fds[2];

    open_pair(fds);
    must(aloop_add_reader(f->loop, fds[0], count_up, &runs));
    must(aloop_add_writer(f->loop, fds[0], count_up, &runs));
    copy = dup(fds[0]);
    close(fds[0]);
    turn(f->loop);
    assert_true(aloop_remove_writer(f->loop, fds[0]));
    assert_true(aloop_remove_reader(f->loop, fds[0]));
    put_byte(fds[1]);
    runs = 0;
    assert_int_equal(aloop_run_forever(f->loop), -EDEADLK);
    assert_int_equal(runs, 0);
    close(copy);
    close(fds[1]);
}

/* A socket's number becomes a file's, and then another socket's, all without a word. */
static void number_becomes_a_file(void **state)
{
    struct fixture *f = *state;
    int file, fds[2];

    open_pair(fds);
    must(aloop_add_reader(f->loop, fds[0], never, NULL));
    close(fds[0]);
    file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(file, fds[0]);
    must(aloop_add_reader(f->loop, file, note, TEXT("f")));
    assert_int_equal(turn(f->loop), 1);
    assert_journal_is("f");
    assert_true(aloop_remove_reader(f->loop, file));
    close(file);
    assert_int_equal(dup(fds[1]), file);
    must(aloop_add_writer(f->loop, file, note, TEXT("s")));
    assert_int_equal(turn(f->loop), 1);
    assert_journal_is("s");
    assert_true(aloop_remove_writer(f->loop, file));
    close(file);
    close(fds[1]);
}

int main(void)
{
    static const struct loop_test suite[] = {
        LOOP_TEST(number_reused_in_a_batch),
        LOOP_TEST(duplicate_lives_on),
        LOOP_TEST(rebuild_fails),
        LOOP_TEST(closed_without_a_word),
        LOOP_TEST(closed_with_a_duplicate),
        LOOP_TEST(number_becomes_a_file),
    };

    return RUN_SUITE(suite);
}
