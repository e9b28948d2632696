/*
 * Signals and several loops in several threads: each hears of every one, and loops that come and go
 * under a storm of them leave nothing behind, and touch nothing that is gone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "signal_test.h"

struct runner {
    pthread_t thread;
    aloop *loop;
    sem_t ready;
    int heard;
    int rounds;
    int result;
};

static void hear_and_stop(aloop *loop, void *arg)
{
    struct runner *self = arg;

    self->heard++;
    if (self->heard == self->rounds)
        aloop_stop(loop);
    (void)sem_post(&self->ready);
}

static void *run_loop(void *arg)
{
    struct runner *self = arg;

    self->result = aloop_add_signal_handler(self->loop, SIGUSR1, hear_and_stop, self);
    (void)sem_post(&self->ready);
    if (self->result == 0)
        self->result = aloop_run_forever(self->loop);
    aloop_unref(self->loop);
    return NULL;
}

static void *send_one(void *arg)
{
    return kill(getpid(), SIGUSR1) == 0 ? NULL : arg;
}

enum { RUNNERS = 4, ROUNDS = 50 };

/* Every loop, in its own thread, hears of each signal of the process, whoever takes it. */
static void each_loop_hears_each_signal(void **state)
{
    struct runner runners[RUNNERS];

    (void)state;
    for (int i = 0; i < RUNNERS; i++) {
        runners[i] = (struct runner){.rounds = ROUNDS};
        assert_int_equal(aloop_new(NULL, &runners[i].loop), 0);
        assert_int_equal(sem_init(&runners[i].ready, 0, 0), 0);
        assert_int_equal(pthread_create(&runners[i].thread, NULL, run_loop, &runners[i]), 0);
        gate_wait(&runners[i].ready);
    }
    for (int round = 0; round < ROUNDS; round++) {
        if (round % 2 == 0) {
            assert_int_equal(kill(getpid(), SIGUSR1), 0);
        } else {
            pthread_t thread;

            assert_int_equal(pthread_create(&thread, NULL, send_one, NULL), 0);
            assert_int_equal(pthread_join(thread, NULL), 0);
        }
        /* The next would be one with this, for a loop that has not heard of it. */
        for (int i = 0; i < RUNNERS; i++)
            gate_wait(&runners[i].ready);
    }
    for (int i = 0; i < RUNNERS; i++) {
        assert_int_equal(pthread_join(runners[i].thread, NULL), 0);
        assert_int_equal(runners[i].result, 0);
        assert_int_equal(runners[i].heard, ROUNDS);
    }
}

/* --- a storm --- */

enum { STORMS = 2, CHURNERS = 3, LIVES = 150 };

static atomic_bool storm_is_over;
static atomic_uint storm_count;

static void *storm(void *arg)
{
    const int *number = arg;

    while (!atomic_load(&storm_is_over)) {
        (void)pthread_kill(pthread_self(), *number);
        (void)kill(getpid(), *number);
        atomic_fetch_add(&storm_count, 1);
    }
    return NULL;
}

struct churner {
    pthread_t thread;
    int errors;
    int heard;
};

static void count_heard(aloop *loop, void *arg)
{
    (void)loop;
    ((struct churner *)arg)->heard++;
}

/* A loop begins to watch, hears at least one signal or is closed at once, and ends. */
static int live(struct churner *self, int life)
{
    static const int numbers[STORMS] = {SIGUSR1, SIGUSR2};
    int before = self->heard;
    int error;
    aloop *loop;

    error = aloop_new(NULL, &loop);
    for (int i = 0; error == 0 && i < STORMS; i++)
        error = aloop_add_signal_handler(loop, numbers[i], count_heard, self);
    while (error == 0 && life % 2 == 0 && self->heard == before)
        error = aloop_run_once(loop, ALOOP_NEVER) < 0 ? -1 : 0;
    if (error == 0 && life % 3 == 0 && !aloop_remove_signal_handler(loop, SIGUSR1))
        error = -1;
    aloop_unref(loop);
    return error;
}

static void *churn(void *arg)
{
    struct churner *self = arg;

    for (int life = 0; life < LIVES; life++)
        self->errors += live(self, life) != 0;
    return NULL;
}

/* P95, P96: handlers run in other threads while the loops they are for are closed. With the port
   freed, they would read freed memory; with its fds closed at once, write to what another loop has
   opened meanwhile; with a watch that is not counted, the process would end by the default of a
   signal. Here the program ignores them in between, so only the first two are left. */
static void loops_come_and_go_in_a_storm(void **state)
{
    static const int numbers[STORMS] = {SIGUSR1, SIGUSR2};
    pthread_t storms[STORMS];
    struct churner churners[CHURNERS];

    (void)state;
    atomic_store(&storm_is_over, false);
    for (int i = 0; i < STORMS; i++) {
        set_plain(numbers[i], SIG_IGN, 0);
        assert_int_equal(pthread_create(&storms[i], NULL, storm, (void *)(uintptr_t)&numbers[i]),
                         0);
    }
    for (int i = 0; i < CHURNERS; i++) {
        churners[i] = (struct churner){.errors = 0};
        assert_int_equal(pthread_create(&churners[i].thread, NULL, churn, &churners[i]), 0);
    }
    for (int i = 0; i < CHURNERS; i++) {
        assert_int_equal(pthread_join(churners[i].thread, NULL), 0);
        assert_int_equal(churners[i].errors, 0);
        assert_true(churners[i].heard >= LIVES / 2);
    }
    atomic_store(&storm_is_over, true);
    for (int i = 0; i < STORMS; i++) {
        assert_int_equal(pthread_join(storms[i], NULL), 0);
        assert_ptr_equal(disposition_of(numbers[i]).sa_handler, SIG_IGN);
        set_plain(numbers[i], SIG_DFL, 0);
    }
    assert_true(atomic_load(&storm_count) > 0);
}

/* The handler holds a port that its loop gives up at this moment: whoever is last closes the fds,
   and nobody waits. */
static struct sys before;
static atomic_bool is_held;
static atomic_bool is_given_up;

static int wake_late(int fd)
{
    atomic_store(&is_held, true);
    while (!atomic_load(&is_given_up))
        sched_yield();
    return before.wake(fd);
}

static void *raise_here(void *arg)
{
    (void)pthread_kill(pthread_self(), SIGUSR1);
    return arg;
}

static void given_up_under_the_handler(void **state)
{
    struct os_state *self = *state;
    int fds = count_fds();
    pthread_t thread;
    aloop *loop;

    atomic_store(&is_held, false);
    atomic_store(&is_given_up, false);
    assert_int_equal(aloop_new(NULL, &loop), 0);
    assert_int_equal(aloop_add_signal_handler(loop, SIGUSR1, note, TEXT("x")), 0);
    before = sys;
    sys.wake = wake_late;
    assert_int_equal(pthread_create(&thread, NULL, raise_here, NULL), 0);
    while (!atomic_load(&is_held))
        sched_yield();
    aloop_unref(loop);
    assert_true(is_default(SIGUSR1));
    /* Still open, or the late wake-up would go to whoever has the number by now. */
    assert_true(count_fds() > fds);
    atomic_store(&is_given_up, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    sys.wake = before.wake;
    assert_int_equal(count_fds(), fds);
    /* What it has left is used again, and whole. */
    assert_int_equal(aloop_add_signal_handler(self->loop, SIGUSR1, note, TEXT("a")), 0);
    assert_int_equal(raise(SIGUSR1), 0);
    settle(self);
    assert_journal_is("a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SIGNAL_TEST(each_loop_hears_each_signal),
        SIGNAL_TEST(loops_come_and_go_in_a_storm),
        SIGNAL_TEST(given_up_under_the_handler),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
