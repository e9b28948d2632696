/*
 * How a loop begins and ends: options, references, what is alive in it, closing with everything
 * still there, and running out of memory or of fds at any point.
 */
#include "fixture.h"

#include "loop/internal.h"

/* Each option out of its range; *out_loop is left alone. */
static void options(void **state)
{
    struct fixture *f = *state;
    /* Only a test over the model of kqueue has both pollers. */
    const bool has_all =
        poller_class_for(ALOOP_POLLER_KQUEUE) && poller_class_for(ALOOP_POLLER_EPOLL);
    aloop_options wrong[7];
    aloop *loop = f->loop;

    for (size_t i = 0; i < 7; i++)
        wrong[i] = (aloop_options)ALOOP_OPTIONS_INIT;
    wrong[0].size = 0;
    wrong[1].size = sizeof(size_t);
    wrong[2].clock = (aloop_clock)3;
    wrong[3].busy_poll = -1;
    wrong[4].slow_callback = -1;
    wrong[5].poller = (aloop_poller_kind)99;
    wrong[6].poller =
        poller_class_for(ALOOP_POLLER_KQUEUE) ? ALOOP_POLLER_EPOLL : ALOOP_POLLER_KQUEUE;
    for (size_t i = 0; i < (has_all ? 6 : 7); i++) {
        assert_int_equal(aloop_new(&wrong[i], &loop), i < 5 ? -EINVAL : -ENOTSUP);
        assert_ptr_equal(loop, f->loop);
    }
    /* All defaults, and a caller that was compiled when there were more options. */
    assert_int_equal(aloop_new(NULL, &loop), 0);
    assert_true(aloop_time(loop) > 0);
    aloop_unref(loop);
    wrong[0].size = sizeof(aloop_options) + 64;
    assert_int_equal(aloop_new(&wrong[0], &loop), 0);
    aloop_unref(loop);
}

/* The last reference closes and frees; NULL is nothing. */
static void references(void **state)
{
    struct fixture *f = *state;

    assert_ptr_equal(aloop_ref(f->loop), f->loop);
    must(aloop_call_soon(f->loop, note, TEXT("x")));
    aloop_unref(f->loop);
    assert_false(aloop_is_closed(f->loop));
    assert_int_equal(aloop_ref(f->loop) == f->loop, 1);
    assert_int_equal(aloop_close(f->loop), 0);
    aloop_unref(f->loop);
    assert_true(aloop_is_closed(f->loop));
    aloop_unref(f->loop);
    f->loop = NULL;
    aloop_unref(NULL);
    assert_int_equal(f->probe.bytes, 0);
    assert_journal_is("");
}

struct seen {
    int of_kind[ALOOP_ALIVE_TASK + 1];
    aloop_ns deadlines;
    int fds;
};

static void see(const aloop_alive *alive, void *arg)
{
    struct seen *seen = arg;

    seen->of_kind[alive->kind]++;
    assert_null(alive->name);
    assert_ptr_equal(alive->callback, note);
    assert_string_equal(alive->arg, "x");
    if (alive->kind == ALOOP_ALIVE_TIMER)
        seen->deadlines += alive->deadline == ALOOP_NEVER ? 1000 : alive->deadline;
    else
        assert_int_equal(alive->deadline, ALOOP_NEVER);
    if (alive->kind == ALOOP_ALIVE_READER || alive->kind == ALOOP_ALIVE_WRITER)
        seen->fds += alive->fd;
    else
        assert_int_equal(alive->fd, -1);
}

static struct seen inside;
static size_t count_inside;

static void walk_inside(aloop *loop, void *arg)
{
    (void)arg;
    count_inside = aloop_walk(loop, see, &inside);
}

/* Fills a loop with one or two of everything. */
static void fill(struct fixture *f, const int fds[2])
{
    aloop_threadsafe_call *call;
    aloop_handle cancelled;

    must(aloop_call_soon(f->loop, note, TEXT("x")));
    must(aloop_call_later(f->loop, 7, note, TEXT("x")));
    must(aloop_create_timer(f->loop, note, TEXT("x")));
    must(aloop_add_reader(f->loop, fds[0], note, TEXT("x")));
    must(aloop_add_writer(f->loop, fds[0], note, TEXT("x")));
    must(aloop_add_reader(f->loop, fds[1], note, TEXT("x")));
    assert_int_equal(aloop_call_soon_threadsafe(f->loop, note, TEXT("x")), 0);
    assert_int_equal(aloop_call_soon_threadsafe_cancellable(f->loop, note, TEXT("x"), &call), 0);
    aloop_threadsafe_call_unref(call);
    /* And what is not alive. */
    cancelled = must(aloop_call_soon(f->loop, note, TEXT("x")));
    assert_true(aloop_cancel(f->loop, cancelled));
    cancelled = must(aloop_call_later(f->loop, 7, note, TEXT("x")));
    assert_true(aloop_cancel(f->loop, cancelled));
    assert_int_equal(aloop_call_soon_threadsafe_cancellable(f->loop, note, TEXT("x"), &call), 0);
    assert_true(aloop_threadsafe_call_cancel(call));
    aloop_threadsafe_call_unref(call);
}

static void assert_full(const struct seen *seen, const int fds[2])
{
    assert_int_equal(seen->of_kind[ALOOP_ALIVE_CALLBACK], 3);
    assert_int_equal(seen->of_kind[ALOOP_ALIVE_TIMER], 2);
    assert_int_equal(seen->of_kind[ALOOP_ALIVE_READER], 2);
    assert_int_equal(seen->of_kind[ALOOP_ALIVE_WRITER], 1);
    assert_int_equal(seen->deadlines, 1007);
    assert_int_equal(seen->fds, 2 * fds[0] + fds[1]);
}

/* Everything that is alive is shown, and nothing else; P124: then closing drops it, and none of the
   callbacks runs; nothing is left of memory or fds (teardown looks). */
static void walk_and_close(void **state)
{
    struct fixture *f = *state;
    struct seen seen = {0};
    int fds[2];

    open_pair(fds);
    must(aloop_call_soon(f->loop, walk_inside, NULL));
    fill(f, fds);
    inside = (struct seen){0};
    count_inside = 0;
    assert_true(turn(f->loop) > 1);
    /* Inside a turn, what was collected is shown as what it is. */
    assert_int_equal(count_inside, 8);
    assert_full(&inside, fds);
    journal[0] = '\0';

    assert_int_equal(aloop_close(f->loop), 0);
    assert_int_equal(aloop_walk(f->loop, see, &seen), 0);
    aloop_unref(f->loop);
    f->loop = fixture_new_loop(f, ALOOP_CLOCK_VIRTUAL, false);
    assert_int_equal(aloop_walk(f->loop, see, &seen), 0);
    fill(f, fds);
    assert_int_equal(aloop_walk(f->loop, see, &seen), 8);
    assert_full(&seen, fds);
    assert_int_equal(aloop_close(f->loop), 0);
    aloop_unref(f->loop);
    f->loop = NULL;
    assert_int_equal(f->probe.bytes, 0);
    assert_journal_is("");
    close_pair(fds);
}

/* P125: ending one loop is nothing to another, even with the same fds. */
static void loops_are_independent(void **state)
{
    struct fixture *f = *state;
    aloop *other = fixture_new_loop(f, ALOOP_CLOCK_VIRTUAL, false);
    int fds[2];

    open_pair(fds);
    must(aloop_add_writer(f->loop, fds[0], note, TEXT("1")));
    must(aloop_add_writer(other, fds[0], note, TEXT("2")));
    must(aloop_call_later(other, 1, note, TEXT("-")));
    assert_int_equal(turn(f->loop), 1);
    assert_int_equal(turn(other), 1);
    aloop_unref(other);
    assert_int_equal(turn(f->loop), 1);
    assert_journal_is("121");
    close_pair(fds);
}

/* P119: each allocation of aloop_new fails, once or for good: an error, and nothing is left behind.
 */
static void no_memory_for_a_loop(void **state)
{
    struct fixture *f = *state;

    for (int persists = 0; persists < 2; persists++) {
        long n = 1;

        for (;; n++) {
            aloop *loop = NULL;
            int error;

            memory_probe_fail(&f->probe, n, persists);
            error = fixture_try_loop(f, ALOOP_CLOCK_VIRTUAL, false, &loop);
            memory_probe_fail(&f->probe, 0, false);
            if (error == 0) {
                aloop_unref(loop);
                break;
            }
            assert_int_equal(error, -ENOMEM);
            assert_null(loop);
            assert_int_equal(f->probe.bytes, 0);
            assert_int_equal(count_fds(), f->fd_count);
        }
        /* The loop, its poller, the ready queue at least. */
        assert_true(n > 3);
    }
}

/* P121: the same for the system calls that make fds. */
static void no_fds_for_a_loop(void **state)
{
    static const enum fault_call calls[] = {FAULT_EPOLL_CREATE, FAULT_WAKE_OPEN, FAULT_EPOLL_CTL,
                                            FAULT_FD_IS_POLLABLE};
    static const int errors[] = {-EMFILE, -ENFILE, -ENOMEM};
    struct fixture *f = *state;
    int failures = 0;

    for (size_t c = 0; c < sizeof calls / sizeof *calls; c++) {
        for (size_t e = 0; e < sizeof errors / sizeof *errors; e++) {
            aloop *loop = NULL;
            int error;

            fault_install();
            fault_fail(calls[c], 1, errors[e]);
            error = fixture_try_loop(f, ALOOP_CLOCK_VIRTUAL, false, &loop);
            assert_int_equal(error, fault_failures(calls[c]) ? errors[e] : 0);
            failures += error < 0;
            fault_reset();
            aloop_unref(loop);
            assert_int_equal(f->probe.bytes, 0);
            assert_int_equal(count_fds(), f->fd_count);
        }
    }
    assert_true(failures >= 6);
}

enum { SOON, TIMER, PERSISTENT, READER, WRITER, POST, CANCELLABLE, SCENARIOS };

/* One call of the kind; its error, or 0 and in *out_handle what names it, if something does. */
static int64_t call(aloop *loop, int scenario, int fd, aloop_handle *out_handle)
{
    aloop_threadsafe_call *cancellable;
    int64_t result = -EINVAL;

    *out_handle = 0;
    switch (scenario) {
    case SOON:
        result = aloop_call_soon(loop, note, TEXT("x"));
        break;
    case TIMER:
        result = aloop_call_later(loop, 1, note, TEXT("x"));
        break;
    case PERSISTENT:
        result = aloop_create_timer(loop, note, TEXT("x"));
        break;
    case READER:
        result = aloop_add_reader(loop, fd, note, TEXT("x"));
        break;
    case WRITER:
        result = aloop_add_writer(loop, fd, note, TEXT("x"));
        break;
    case POST:
        return aloop_call_soon_threadsafe(loop, note, TEXT("x"));
    case CANCELLABLE:
        result = aloop_call_soon_threadsafe_cancellable(loop, note, TEXT("x"), &cancellable);
        if (result == 0)
            aloop_threadsafe_call_unref(cancellable);
        return result;
    default:
        break;
    }
    if (result < 0)
        return result;
    *out_handle = result;
    return 0;
}

/* Makes so many calls of one kind, with the n-th allocation from here failing; how many of the
   calls failed. What failed has left no trace, and what succeeded is there. */
static int calls_with_failure(struct fixture *f, int scenario, const int *fds, int fd_count, long n,
                              bool persists)
{
    aloop_handle handles[300];
    int failed = 0, succeeded = 0;

    f->loop = fixture_new_loop(f, ALOOP_CLOCK_VIRTUAL, false);
    memory_probe_fail(&f->probe, n, persists);
    for (int i = 0; i < 300; i++) {
        int64_t error = call(f->loop, scenario, fds[i % fd_count], &handles[i]);

        assert_true(error == 0 || error == -ENOMEM);
        failed += error < 0;
        succeeded += error == 0;
    }
    memory_probe_fail(&f->probe, 0, false);
    assert_true(timers_verify(&f->loop->timers));
    if (scenario == TIMER || scenario == PERSISTENT)
        assert_int_equal(f->loop->handles.live, succeeded);
    for (int i = 0; i < 300; i++)
        if (handles[i] > 0 && scenario != READER && scenario != WRITER)
            assert_true(aloop_cancel(f->loop, handles[i]));
    if (scenario == READER || scenario == WRITER)
        for (int i = 0; i < fd_count; i++) {
            aloop_remove_reader(f->loop, fds[i]);
            aloop_remove_writer(f->loop, fds[i]);
        }
    if (scenario == POST || scenario == CANCELLABLE) {
        assert_int_equal(turn(f->loop), succeeded);
        journal[0] = '\0';
    }
    while (turn(f->loop) > 0)
        continue;
    assert_journal_is("");
    assert_int_equal(f->loop->handles.live, 0);
    assert_int_equal(f->loop->watches.live, 0);
    /* Nothing is reserved but the place of the calls from other threads. */
    assert_int_equal(f->loop->ready.reserved, 1);
    aloop_unref(f->loop);
    f->loop = NULL;
    assert_int_equal(f->probe.bytes, 0);
    return failed;
}

/* P119, design: for each allocation that any call of the loop makes, its failure is -ENOMEM, and
   all is as it was before the call; the calls after it work. */
static void no_memory_for_a_call(void **state)
{
    struct fixture *f = *state;
    int fds[100];

    for (int i = 0; i < 100; i += 2)
        open_pair(&fds[i]);
    for (int scenario = 0; scenario < SCENARIOS; scenario++) {
        for (int persists = 0; persists < 2; persists++) {
            long n = 1;
            int failed;

            do {
                failed = calls_with_failure(f, scenario, fds, 100, n, persists);
                assert_true(persists || failed <= 1);
                n++;
            } while (failed > 0 && n < 40);
            assert_true(n > 2);
        }
    }
    for (int i = 0; i < 100; i += 2)
        close_pair(&fds[i]);
}

/* P123: capacities beyond what can be addressed are -ENOMEM, not a wrapped product. */
static void capacities_do_not_overflow(void **state)
{
    struct fixture *f = *state;
    struct ready *ready = &f->loop->ready;
    size_t reserved = ready->reserved;

    ready->reserved = SIZE_MAX / 2;
    ready->limit = 0;
    assert_int_equal(ready_make_room(ready), -ENOMEM);
    assert_int_equal(aloop_call_soon(f->loop, note, TEXT("x")), -ENOMEM);
    ready->reserved = SIZE_MAX / sizeof(struct ready_entry);
    assert_int_equal(aloop_call_soon(f->loop, note, TEXT("x")), -ENOMEM);
    ready->reserved = reserved;
    must(aloop_call_soon(f->loop, note, TEXT("y")));
    assert_int_equal(turn(f->loop), 1);
    assert_journal_is("y");
}

int main(void)
{
    static const struct loop_test suite[] = {
        LOOP_TEST(options),
        LOOP_TEST(references),
        LOOP_TEST(walk_and_close),
        LOOP_TEST(loops_are_independent),
        BARE_TEST(no_memory_for_a_loop),
        BARE_TEST(no_fds_for_a_loop),
        BARE_TEST(no_memory_for_a_call),
        LOOP_TEST(capacities_do_not_overflow),
    };

    return RUN_SUITE(suite);
}
