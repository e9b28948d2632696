/*
 * Calls from other threads: none lost, in order, cancellable, and safe against the end of the loop.
 * The threads of these tests are synchronised by what they test, or by semaphores.
 */
#include "fixture.h"

#include "loop/internal.h"
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>

#define PRODUCERS 4

static void post(aloop *loop, aloop_callback *callback, void *arg)
{
    assert_int_equal(aloop_call_soon_threadsafe(loop, callback, arg), 0);
}

/* P52, S28: first in, first out; from the loop's own thread too, inside callbacks and outside. */
static void post_from_inside(aloop *loop, void *arg)
{
    note(loop, arg);
    post(loop, note, TEXT("3"));
    note(loop, TEXT("."));
}

static void in_order(void **state)
{
    struct fixture *f = *state;

    post(f->loop, note, TEXT("1"));
    post(f->loop, post_from_inside, TEXT("2"));
    assert_journal_is("");
    assert_int_equal(turn(f->loop), 2);
    assert_int_equal(turn(f->loop), 1);
    assert_int_equal(turn(f->loop), 0);
    assert_journal_is("12.3");
}

#define MIXED 500

static size_t mixed_next;

static void expect_next(aloop *loop, void *arg)
{
    (void)loop;
    assert_int_equal((size_t)(uintptr_t)arg, mixed_next);
    mixed_next++;
}

static void post_while_walking(const aloop_alive *alive, void *arg)
{
    if (alive->callback == expect_next)
        expect_next(arg, alive->arg);
    post(arg, do_nothing, NULL);
}

/* S28: those that can be cancelled, those that bring their memory, and the others are in one order,
   though they are kept in blocks; and so they are walked, though who walks them posts more. */
static void in_order_of_all_kinds(void **state)
{
    static struct post kept[MIXED];
    struct fixture *f = *state;

    for (int round = 0; round < 2; round++) {
        for (uintptr_t i = 0; i < MIXED; i++) {
            aloop_threadsafe_call *call;

            if (i % 150 == 75) {
                kept[i] = (struct post){.run = expect_next, .arg = (void *)i};
                assert_int_equal(posts_push(f->loop, &kept[i]), 0);
            } else if (i % 7 == 0) {
                assert_int_equal(
                    aloop_call_soon_threadsafe_cancellable(f->loop, expect_next, (void *)i, &call),
                    0);
                aloop_threadsafe_call_unref(call);
            } else {
                post(f->loop, expect_next, (void *)i);
            }
        }
        mixed_next = 0;
        assert_true(aloop_walk(f->loop, post_while_walking, f->loop) >= MIXED);
        assert_int_equal(mixed_next, MIXED);
        mixed_next = 0;
        assert_true(turn(f->loop) > MIXED);
        assert_int_equal(mixed_next, MIXED);
    }
}

/* There is no memory for one: the others are as they were, and so are those with memory of
   their own. */
static void no_memory(void **state)
{
    struct fixture *f = *state;
    struct post kept = {.run = note, .arg = TEXT("k")};
    int made = 0;

    memory_probe_fail(&f->probe, 1, false);
    assert_int_equal(aloop_call_soon_threadsafe(f->loop, count_up, &made), -ENOMEM);
    assert_int_equal(turn(f->loop), 0);
    post(f->loop, note, TEXT("a"));
    assert_int_equal(posts_push(f->loop, &kept), 0);
    memory_probe_fail(&f->probe, 1, false);
    assert_int_equal(aloop_call_soon_threadsafe(f->loop, note, TEXT("x")), -ENOMEM);
    post(f->loop, note, TEXT("b"));
    assert_int_equal(turn(f->loop), 3);
    assert_journal_is("akb");
}

struct producer {
    aloop *loop;
    long posts;
    long next;  /* the number that this one's next callback must have */
    long total; /* of all, in the loop's thread */
    long made;
};

static struct producer producers[PRODUCERS];
static long received;

/* arg: the number of the post, and whose it was. */
static void receive(aloop *loop, void *arg)
{
    uintptr_t word = (uintptr_t)arg;
    struct producer *producer = &producers[word % PRODUCERS];

    assert_int_equal(word / PRODUCERS, producer->next);
    producer->next++;
    if (++received == producer->total)
        aloop_stop(loop);
}

static void *produce(void *arg)
{
    struct producer *self = arg;
    uintptr_t who = (uintptr_t)(self - producers);

    for (long i = 0; i < self->posts; i++) {
        if (aloop_call_soon_threadsafe(self->loop, receive,
                                       (void *)((uintptr_t)i * PRODUCERS + who)) < 0)
            return NULL;
        self->made++;
    }
    return NULL;
}

/* P91, S28: a million from four threads (ten with ALOOP_TEST_LONG): none lost, each thread's in
   order, and a loop that waits for them is woken: it would wait for ever after one wake-up lost. */
static void none_lost(void **state)
{
    struct fixture *f = *state;
    aloop *loop = fixture_new_loop(f, ALOOP_CLOCK_MONOTONIC, false);
    long posts = getenv("ALOOP_TEST_LONG") ? 2500000 : 250000;
    pthread_t threads[PRODUCERS];

    received = 0;
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){.loop = loop, .posts = posts, .total = posts * PRODUCERS};
        assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
    }
    assert_int_equal(aloop_run_forever(loop), 0);
    for (int i = 0; i < PRODUCERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(producers[i].next, posts);
    }
    assert_int_equal(received, posts * PRODUCERS);
    aloop_unref(loop);
}

static void *produce_and_unref(void *arg)
{
    struct producer *self = arg;

    for (;;) {
        int error = aloop_call_soon_threadsafe(self->loop, do_nothing, NULL);

        if (error < 0) {
            self->total = error;
            break;
        }
        self->made++;
    }
    aloop_unref(self->loop);
    return NULL;
}

/* P92, S30: the loop is closed while four threads go on posting: each call runs or is dropped, each
   later one is an error, and nobody writes to a wake fd that is another file by now. */
static void posts_race_with_close(void **state)
{
    struct fixture *f = *state;

    for (int round = 0; round < 20; round++) {
        aloop *loop = fixture_new_loop(f, ALOOP_CLOCK_MONOTONIC, false);
        pthread_t threads[PRODUCERS];
        int fds[2];

        for (int i = 0; i < PRODUCERS; i++) {
            producers[i] = (struct producer){.loop = aloop_ref(loop)};
            assert_int_equal(pthread_create(&threads[i], NULL, produce_and_unref, &producers[i]),
                             0);
        }
        post(loop, stop, NULL);
        assert_int_equal(aloop_run_forever(loop), 0);
        assert_int_equal(aloop_close(loop), 0);
        /* The numbers are given out anew at once; what a late wake-up wrote would be found here. */
        open_pair(fds);
        for (int i = 0; i < PRODUCERS; i++)
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(read(fds[0], journal, 1), -1);
        assert_int_equal(read(fds[1], journal, 1), -1);
        for (int i = 0; i < PRODUCERS; i++)
            assert_int_equal(producers[i].total, -ALOOP_ECLOSED);
        close_pair(fds);
        aloop_unref(loop);
    }
}

static int watched_fd;
static atomic_bool is_wake_fd_closed;
static atomic_int late_wakes;

static int noting_close(int fd)
{
    if (fd == watched_fd)
        atomic_store(&is_wake_fd_closed, true);
    return sys_default.close(fd);
}

static int noting_wake(int fd)
{
    if (atomic_load(&is_wake_fd_closed))
        atomic_fetch_add(&late_wakes, 1);
    return sys_default.wake(fd);
}

static void *post_once(void *arg)
{
    return aloop_call_soon_threadsafe(arg, do_nothing, NULL) < 0 ? arg : NULL;
}

/* P92, S30: a thread that has posted, and comes to wake the loop when that is closed, writes to no
   fd: the number may be another file's by now. It is held up in between by the lock. */
static void late_wake(void **state)
{
    struct fixture *f = *state;

    sys.close = noting_close;
    sys.wake = noting_wake;
    atomic_store(&late_wakes, 0);
    for (int round = 0; round < 50; round++) {
        aloop *loop = fixture_new_loop(f, ALOOP_CLOCK_VIRTUAL, false);
        pthread_t thread;

        atomic_store(&is_wake_fd_closed, false);
        watched_fd = loop->wake_fds[1];
        lock_acquire(&loop->lock);
        assert_int_equal(pthread_create(&thread, NULL, post_once, loop), 0);
        while (!posts_are_pending(loop))
            sched_yield();
        lock_release(&loop->lock);
        assert_int_equal(aloop_close(loop), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        aloop_unref(loop);
    }
    sys.close = sys_default.close;
    sys.wake = sys_default.wake;
    assert_int_equal(atomic_load(&late_wakes), 0);
}

/* S30, S22. */
static void closed_loop(void **state)
{
    struct fixture *f = *state;
    aloop_threadsafe_call *call = NULL, *kept;

    post(f->loop, note, TEXT("x"));
    assert_int_equal(aloop_call_soon_threadsafe_cancellable(f->loop, note, TEXT("x"), &kept), 0);
    assert_int_equal(aloop_close(f->loop), 0);
    assert_int_equal(aloop_call_soon_threadsafe(f->loop, note, TEXT("x")), -ALOOP_ECLOSED);
    assert_int_equal(aloop_call_soon_threadsafe_cancellable(f->loop, note, TEXT("x"), &call),
                     -ALOOP_ECLOSED);
    assert_null(call);
    /* It was cancelled by the end of the loop, and outlives the loop's last reference. */
    aloop_unref(f->loop);
    f->loop = NULL;
    assert_false(aloop_threadsafe_call_cancel(kept));
    aloop_threadsafe_call_unref(kept);
    aloop_threadsafe_call_unref(NULL);
    assert_journal_is("");
}

/* S29: before it ran, once; after it ran, not; a reference that was dropped changes nothing. */
static void cancel_a_post(void **state)
{
    struct fixture *f = *state;
    aloop_threadsafe_call *calls[3];

    for (int i = 0; i < 3; i++)
        assert_int_equal(
            aloop_call_soon_threadsafe_cancellable(f->loop, note, TEXT("c"), &calls[i]), 0);
    aloop_threadsafe_call_unref(calls[2]);
    assert_true(aloop_threadsafe_call_cancel(calls[0]));
    assert_false(aloop_threadsafe_call_cancel(calls[0]));
    assert_int_equal(turn(f->loop), 2);
    assert_journal_is("cc");
    assert_false(aloop_threadsafe_call_cancel(calls[1]));
    aloop_threadsafe_call_unref(calls[0]);
    aloop_threadsafe_call_unref(calls[1]);
}

static void cancel_itself(aloop *loop, void *arg)
{
    aloop_threadsafe_call **call = arg;

    (void)loop;
    assert_false(aloop_threadsafe_call_cancel(*call));
    aloop_threadsafe_call_unref(*call);
    *call = NULL;
}

/* S29: from inside the callback it does not wait for itself. */
static void cancel_from_inside(void **state)
{
    struct fixture *f = *state;
    aloop_threadsafe_call *call;

    assert_int_equal(aloop_call_soon_threadsafe_cancellable(f->loop, cancel_itself, &call, &call),
                     0);
    assert_int_equal(turn(f->loop), 1);
    assert_null(call);
}

struct slow_call {
    aloop_threadsafe_call *call;
    sem_t begun;
    sem_t may_end;
    atomic_bool has_ended;
    bool was_cancelled;
    bool had_ended; /* when cancelling returned */
};

static void run_slowly(aloop *loop, void *arg)
{
    struct slow_call *slow = arg;

    sem_post(&slow->begun);
    while (sem_wait(&slow->may_end) < 0)
        continue;
    atomic_store(&slow->has_ended, true);
    aloop_stop(loop);
}

static void *let_it_end(void *arg)
{
    sem_post(&((struct slow_call *)arg)->may_end);
    return NULL;
}

static void *cancel_meanwhile(void *arg)
{
    struct slow_call *slow = arg;
    pthread_t helper;

    while (sem_wait(&slow->begun) < 0)
        continue;
    /* The callback may end from now on, but nothing says that it does before cancel looks. */
    if (pthread_create(&helper, NULL, let_it_end, slow) != 0)
        return NULL;
    slow->was_cancelled = aloop_threadsafe_call_cancel(slow->call);
    slow->had_ended = atomic_load(&slow->has_ended);
    pthread_join(helper, NULL);
    return NULL;
}

/* S29: cancelled by another thread while it runs: waits until it is over, so that what its argument
   points to may be freed. */
static void cancel_while_it_runs(void **state)
{
    struct fixture *f = *state;
    aloop *loop = fixture_new_loop(f, ALOOP_CLOCK_MONOTONIC, false);

    for (int round = 0; round < 50; round++) {
        struct slow_call slow = {.had_ended = false};
        pthread_t thread;

        assert_int_equal(sem_init(&slow.begun, 0, 0), 0);
        assert_int_equal(sem_init(&slow.may_end, 0, 0), 0);
        assert_int_equal(
            aloop_call_soon_threadsafe_cancellable(loop, run_slowly, &slow, &slow.call), 0);
        assert_int_equal(pthread_create(&thread, NULL, cancel_meanwhile, &slow), 0);
        assert_int_equal(aloop_run_forever(loop), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_false(slow.was_cancelled);
        assert_true(slow.had_ended);
        aloop_threadsafe_call_unref(slow.call);
        sem_destroy(&slow.begun);
        sem_destroy(&slow.may_end);
    }
    aloop_unref(loop);
}

struct contended {
    aloop_threadsafe_call *call;
    int *argument; /* freed by the canceller as soon as cancelling returned */
    atomic_long runs;
    atomic_long cancels;
};

static struct contended contended;

static void use_argument(aloop *loop, void *arg)
{
    (void)loop;
    ++*(int *)arg;
    atomic_fetch_add(&contended.runs, 1);
}

static void *post_and_cancel(void *arg)
{
    aloop *loop = arg;

    for (int i = 0; i < 20000; i++) {
        int *argument = calloc(1, sizeof *argument);

        if (aloop_call_soon_threadsafe_cancellable(loop, use_argument, argument, &contended.call) <
            0) {
            free(argument);
            break;
        }
        if (aloop_threadsafe_call_cancel(contended.call))
            atomic_fetch_add(&contended.cancels, 1);
        aloop_threadsafe_call_unref(contended.call);
        free(argument);
    }
    return aloop_call_soon_threadsafe(loop, stop, NULL) < 0 ? arg : NULL;
}

/* S29: whoever wins, exactly one of the two happens, and the argument is not used afterwards. */
static void cancel_races_with_the_run(void **state)
{
    struct fixture *f = *state;
    aloop *loop = fixture_new_loop(f, ALOOP_CLOCK_MONOTONIC, false);
    pthread_t thread;

    atomic_store(&contended.runs, 0);
    atomic_store(&contended.cancels, 0);
    assert_int_equal(pthread_create(&thread, NULL, post_and_cancel, loop), 0);
    assert_int_equal(aloop_run_forever(loop), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(atomic_load(&contended.runs) + atomic_load(&contended.cancels), 20000);
    aloop_unref(loop);
}

/* P54: stopping from another thread is a post that stops; each ends one run. */
static void stop_by_post(void **state)
{
    struct fixture *f = *state;

    post(f->loop, stop, NULL);
    assert_int_equal(aloop_run_forever(f->loop), 0);
    assert_int_equal(aloop_run_forever(f->loop), -EDEADLK);
}

int main(void)
{
    static const struct loop_test suite[] = {
        LOOP_TEST(in_order),
        LOOP_TEST(in_order_of_all_kinds),
        LOOP_TEST(no_memory),
        LOOP_TEST(none_lost),
        LOOP_TEST(posts_race_with_close),
        LOOP_TEST(late_wake),
        LOOP_TEST(closed_loop),
        LOOP_TEST(cancel_a_post),
        LOOP_TEST(cancel_from_inside),
        LOOP_TEST(cancel_while_it_runs),
        LOOP_TEST(cancel_races_with_the_run),
        LOOP_TEST(stop_by_post),
    };

    return RUN_SUITE(suite);
}
