/*
 * Jobs in threads: their outcome, their order, how many threads there are, what cancelling does,
 * and the end of a loop that has some.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "os_test.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANY 1000

static int64_t tell_thread(void *arg)
{
    sigset_t blocked;

    *(uintptr_t *)arg = sys_thread_id();
    (void)pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    return sigismember(&blocked, SIGINT) == 1 ? 7 : -EPERM;
}

static int64_t give(void *arg)
{
    return *(int64_t *)arg;
}

/* S32: results and errors come back to the loop's thread; the job ran in another, which no signal
   of the program's interrupts. */
static void outcomes(void **state)
{
    struct os_state *self = *state;
    uintptr_t thread = 0;
    int64_t error = -EXDEV;

    assert_int_equal(os_result(self, aloop_to_thread(tell_thread, &thread)), 7);
    assert_int_not_equal(thread, 0);
    assert_int_not_equal(thread, sys_thread_id());
    assert_int_equal(os_result(self, aloop_to_thread(give, &error)), -EXDEV);
}

struct record {
    atomic_int next;
    int order[MANY];
};

static struct record record;
static int numbers[MANY];

static int64_t note(void *arg)
{
    record.order[atomic_fetch_add(&record.next, 1)] = *(int *)arg;
    return *(int *)arg;
}

/* First come, first served, also those who had to wait for room; and one thread does it all if one
   is the limit. */
static void in_order(void **state)
{
    struct os_state *self = *state;
    static aloop_task *tasks[MANY];

    fault_install();
    assert_int_equal(aloop_set_thread_limit(self->loop, 1), 0);
    assert_int_equal(aloop_set_thread_limit(self->loop, 0), -EINVAL);
    atomic_store(&record.next, 0);
    for (int i = 0; i < MANY; i++) {
        numbers[i] = i;
        tasks[i] = aloop_create_task_in(self->loop, os_await,
                                        .op = aloop_to_thread(note, &numbers[i]));
    }
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(os_end(self, tasks[i]), i);
        assert_int_equal(record.order[i], i);
    }
    assert_int_equal(fault_count(FAULT_THREAD_CREATE), 1);
}

/* Threads are made when there is work and none is free, and no more than the limit says. */
static void threads_as_needed(void **state)
{
    struct os_state *self = *state;
    struct gate gate;
    aloop_task *tasks[6];
    int64_t value = 3;

    fault_install();
    gate_init(&gate, 1);
    assert_int_equal(aloop_set_thread_limit(self->loop, 3), 0);
    assert_int_equal(fault_count(FAULT_THREAD_CREATE), 0);
    for (int i = 0; i < 6; i++)
        tasks[i] = os_begin(self, aloop_to_thread(pass_gate, &gate));
    assert_int_equal(fault_count(FAULT_THREAD_CREATE), 3);
    /* Three at the same time, or this waits for ever. */
    for (int i = 0; i < 3; i++)
        gate_wait(&gate.begun);
    assert_int_equal(sem_trywait(&gate.begun), -1);
    for (int i = 0; i < 6; i++)
        assert_int_equal(sem_post(&gate.open), 0);
    for (int i = 0; i < 6; i++)
        assert_int_equal(os_end(self, tasks[i]), 1);
    assert_int_equal(os_result(self, aloop_to_thread(give, &value)), 3);
    assert_int_equal(fault_count(FAULT_THREAD_CREATE), 3);
}

/* Jobs that end while the loop is busy wake it once. */
static void one_wake_for_many(void **state)
{
    struct os_state *self = *state;
    aloop_task *tasks[64];
    struct gate gate;

    fault_install();
    gate_init(&gate, 0);
    assert_int_equal(aloop_set_thread_limit(self->loop, 1), 0);
    atomic_store(&record.next, 0);
    for (int i = 0; i < 63; i++)
        tasks[i] = aloop_create_task_in(self->loop, os_await,
                                        .op = aloop_to_thread(note, &numbers[i]));
    tasks[63] = os_begin(self, aloop_to_thread(pass_gate, &gate));
    gate_wait(&gate.begun);
    assert_int_equal(fault_count(FAULT_WAKE), 1);
    assert_int_equal(sem_post(&gate.open), 0);
    for (int i = 0; i < 64; i++)
        assert_true(os_end(self, tasks[i]) >= 0);
}

/* While a job is awaited, virtual time stands still: an hour's sleep ends after it. */
static void time_stands_still(void **state)
{
    struct os_state *self = *state;
    struct gate gate;
    aloop_task *job;

    gate_init(&gate, 5);
    assert_true(aloop_call_later(self->loop, ALOOP_SEC(3600), NULL, NULL) > 0);
    job = os_begin(self, aloop_to_thread(pass_gate, &gate));
    gate_wait(&gate.begun);
    assert_int_equal(sem_post(&gate.open), 0);
    assert_int_equal(os_end(self, job), 5);
    assert_int_equal(aloop_time(self->loop), 0);
}

/* A job that no thread has begun is taken back: it never runs, and the await ends at once. */
static void cancelled_in_the_queue(void **state)
{
    struct os_state *self = *state;
    struct gate gate, never;
    aloop_task *first, *second;

    gate_init(&gate, 1);
    gate_init(&never, 2);
    assert_int_equal(aloop_set_thread_limit(self->loop, 1), 0);
    first = os_begin(self, aloop_to_thread(pass_gate, &gate));
    gate_wait(&gate.begun);
    second = os_begin(self, aloop_to_thread(pass_gate, &never));
    assert_true(aloop_task_cancel(second));
    assert_int_equal(os_end(self, second), -ECANCELED);
    assert_false(aloop_task_done(first));
    assert_int_equal(sem_post(&gate.open), 0);
    assert_int_equal(os_end(self, first), 1);
    assert_int_equal(sem_trywait(&never.begun), -1);
}

/* Who waits for room holds nothing, and the next in line gets it. */
static void cancelled_without_room(void **state)
{
    struct os_state *self = *state;
    static aloop_task *tasks[300];
    struct gate gate;

    gate_init(&gate, 1);
    assert_int_equal(aloop_set_thread_limit(self->loop, 1), 0);
    for (int i = 0; i < 300; i++)
        tasks[i] = os_begin(self, aloop_to_thread(pass_gate, &gate));
    gate_wait(&gate.begun);
    /* One in the queue, whose room goes to the first who waits; and one who waits. */
    assert_true(aloop_task_cancel(tasks[100]));
    assert_true(aloop_task_cancel(tasks[280]));
    assert_int_equal(os_end(self, tasks[100]), -ECANCELED);
    assert_int_equal(os_end(self, tasks[280]), -ECANCELED);
    for (int i = 0; i < 298; i++)
        assert_int_equal(sem_post(&gate.open), 0);
    for (int i = 0; i < 300; i++) {
        if (i != 100 && i != 280)
            assert_int_equal(os_end(self, tasks[i]), 1);
    }
    assert_int_equal(atomic_load(&gate.passed), 298);
}

/* P90: a job that runs may be using its argument: the await outlasts the cancellation, and what the
   argument was may be freed right after. Under ASan, an await that ended early is a use after
   free. */
static void cancelled_while_it_runs(void **state)
{
    struct os_state *self = *state;
    struct gate *gate = malloc(sizeof *gate);
    aloop_task *task;

    gate_init(gate, 1);
    task = os_begin(self, aloop_to_thread(pass_gate, gate));
    gate_wait(&gate->begun);
    assert_true(aloop_task_cancel(task));
    os_turns(self, 3);
    assert_false(aloop_task_done(task));
    assert_true(aloop_task_cancel(task));
    os_turns(self, 3);
    assert_false(aloop_task_done(task));
    assert_int_equal(sem_post(&gate->open), 0);
    assert_int_equal(os_end(self, task), -ECANCELED);
    assert_int_equal(atomic_load(&gate->passed), 1);
    free(gate);
}

static aloop_ns clock_of_tomorrow(bool boottime)
{
    return sys_default.clock(boottime) + ALOOP_SEC(86400);
}

/* The same for time: the limit is over while the job runs, and the await outlasts it. */
static void out_of_time(void **state)
{
    struct os_state *self = *state;
    struct gate gate;
    aloop_task *task;

    aloop_unref(self->loop);
    os_open(self, ALOOP_CLOCK_MONOTONIC);
    gate_init(&gate, 1);
    task = os_begin(self, aloop_wait_for(aloop_to_thread(pass_gate, &gate), ALOOP_SEC(3600)));
    gate_wait(&gate.begun);
    /* Time that only the loop believes in. */
    sys.clock = clock_of_tomorrow;
    os_turns(self, 3);
    assert_false(aloop_task_done(task));
    assert_int_equal(sem_post(&gate.open), 0);
    assert_int_equal(os_end(self, task), -ETIMEDOUT);
    assert_int_equal(atomic_load(&gate.passed), 1);
}

/* --- jobs that may be left alone --- */

struct sum {
    struct gate *gate;
    int64_t a, b, sum;
};

static atomic_int discards;
static _Atomic(uintptr_t) discarded_in;
static _Atomic(int64_t) discarded_outcome;

static int64_t add(void *arg)
{
    struct sum *sum = arg;

    (void)pass_gate(sum->gate);
    sum->sum = sum->a + sum->b;
    return sum->sum;
}

static void discard_sum(void *arg, int64_t outcome)
{
    const struct sum *sum = arg;

    atomic_store(&discarded_in, sys_thread_id());
    atomic_store(&discarded_outcome, sum->sum == outcome ? outcome : -1);
    atomic_fetch_add(&discards, 1);
}

static void copied_back(void **state)
{
    struct os_state *self = *state;
    struct gate gate;
    struct sum sum = {.gate = &gate, .a = 3, .b = 4};

    atomic_store(&discards, 0);
    gate_init(&gate, 0);
    assert_int_equal(sem_post(&gate.open), 0);
    assert_int_equal(
        os_result(self, aloop_to_thread_abandonable(add, &sum, sizeof sum, discard_sum)), 7);
    assert_int_equal(sum.sum, 7);
    assert_int_equal(atomic_load(&discards), 0);
}

/* S32: the await ends at once, the thread goes on, and its late outcome is dropped. */
static void left_alone(void **state)
{
    struct os_state *self = *state;
    struct gate gate;
    struct sum sum = {.gate = &gate, .a = 3, .b = 4};
    aloop_task *task;

    atomic_store(&discards, 0);
    gate_init(&gate, 0);
    task = os_begin(self, aloop_to_thread_abandonable(add, &sum, sizeof sum, discard_sum));
    gate_wait(&gate.begun);
    assert_true(aloop_task_cancel(task));
    assert_int_equal(os_end(self, task), -ECANCELED);
    /* Time goes on, too. */
    assert_int_equal(os_result(self, aloop_sleep(ALOOP_SEC(60))), 0);
    assert_int_equal(atomic_load(&gate.passed), 0);
    assert_int_equal(sem_post(&gate.open), 0);
    while (atomic_load(&discards) == 0)
        os_turns(self, 1);
    assert_int_equal(atomic_load(&discards), 1);
    assert_int_equal(atomic_load(&discarded_in), sys_thread_id());
    assert_int_equal(atomic_load(&discarded_outcome), 7);
    assert_int_equal(sum.sum, 0);
}

/* The loop closes without waiting for it; it finishes by itself, and gives everything back. */
static void outlives_the_loop(void **state)
{
    struct os_state *self = *state;
    struct gate gate;
    struct sum sum = {.gate = &gate, .a = 3, .b = 4};
    aloop_task *task;

    atomic_store(&discards, 0);
    gate_init(&gate, 0);
    task = os_begin(self, aloop_to_thread_abandonable(add, &sum, sizeof sum, discard_sum));
    gate_wait(&gate.begun);
    aloop_task_unref(task);
    assert_int_equal(aloop_close(self->loop), 0);
    assert_int_equal(atomic_load(&discards), 0);
    assert_int_equal(sem_post(&gate.open), 0);
    while (atomic_load(&discards) == 0)
        sched_yield();
    assert_int_not_equal(atomic_load(&discarded_in), sys_thread_id());
}

/* --- the end --- */

/* S33: the end of the program does not wait for ever: it names who is stuck, and goes. */
static void shutdown_without_patience(void **state)
{
    struct os_state *self = *state;
    static struct gate gate; /* it outlives this function, perhaps */
    aloop_task *task;

    gate_init(&gate, 1);
    assert_int_equal(aloop_set_thread_patience(self->loop, -1), -EINVAL);
    assert_int_equal(aloop_set_thread_patience(self->loop, 0), 0);
    task = os_begin(self, aloop_to_thread(pass_gate, &gate));
    gate_wait(&gate.begun);
    assert_int_equal(aloop_shutdown(self->loop), 0);
    assert_int_equal(aloop_task_result(task), -ECANCELED);
    aloop_task_unref(task);
    assert_int_equal(self->reports, 1);
    assert_string_equal(self->message,
                        "job in a thread did not end in time, and is left to itself");
    assert_string_equal(self->name, "os_await");
    assert_int_equal(aloop_close(self->loop), 0);
    assert_int_equal(self->reports, 1);
    assert_int_equal(sem_post(&gate.open), 0);
}

/* The same where the loop is closed over it. */
static void close_without_patience(void **state)
{
    struct os_state *self = *state;
    static struct gate gate;

    gate_init(&gate, 1);
    assert_int_equal(aloop_set_thread_patience(self->loop, 0), 0);
    aloop_task_unref(os_begin(self, aloop_to_thread(pass_gate, &gate)));
    gate_wait(&gate.begun);
    assert_int_equal(aloop_close(self->loop), 0);
    /* "task was destroyed but it is pending" comes after. */
    assert_int_equal(self->reports, 2);
    assert_int_equal(sem_post(&gate.open), 0);
}

static struct gate *closing_gate;

static aloop_ns clock_that_opens(bool boottime)
{
    (void)sem_post(&closing_gate->open);
    return sys_default.clock(boottime);
}

/* With patience it is waited for: the gate opens when closing looks at the clock, to see how long
   it may wait. */
static void close_waits(void **state)
{
    struct os_state *self = *state;
    struct gate gate;

    gate_init(&gate, 1);
    aloop_task_unref(os_begin(self, aloop_to_thread(pass_gate, &gate)));
    gate_wait(&gate.begun);
    closing_gate = &gate;
    sys.clock = clock_that_opens;
    assert_int_equal(aloop_close(self->loop), 0);
    assert_int_equal(atomic_load(&gate.passed), 1);
    assert_int_equal(self->reports, 1);
}

/* What is queued is not begun while the loop closes; else closing would wait for each in turn. */
static void close_with_a_queue(void **state)
{
    struct os_state *self = *state;
    struct gate gate;

    gate_init(&gate, 1);
    assert_int_equal(aloop_set_thread_limit(self->loop, 1), 0);
    for (int i = 0; i < 300; i++)
        aloop_task_unref(os_begin(self, aloop_to_thread(pass_gate, &gate)));
    gate_wait(&gate.begun);
    closing_gate = &gate;
    sys.clock = clock_that_opens;
    assert_int_equal(aloop_close(self->loop), 0);
    assert_int_equal(atomic_load(&gate.passed), 1);
}

/* --- failures --- */

static void without_memory(void **state)
{
    struct os_state *self = *state;
    int64_t value = 9;
    /* Each leaves one thing more behind: the executor, the job, the thread. */
    static const long failing[] = {1, 1, 2};

    for (int i = 0; i < 3; i++) {
        aloop_task *task = aloop_create_task_in(self->loop, os_await,
                                                .op = aloop_to_thread(give, &value));

        memory_probe_fail(&self->memory, failing[i], true);
        assert_int_equal(os_end(self, task), -ENOMEM);
        memory_probe_fail(&self->memory, 0, false);
    }
    assert_int_equal(os_result(self, aloop_to_thread(give, &value)), 9);
}

/* The first thread cannot be made: an error. A second cannot: the first does the work. */
static void without_threads(void **state)
{
    struct os_state *self = *state;
    struct gate gate;
    aloop_task *first, *second;
    int64_t value = 9;

    fault_install();
    gate_init(&gate, 1);
    fault_fail_from(FAULT_THREAD_CREATE, 1, -EAGAIN);
    assert_int_equal(os_result(self, aloop_to_thread(give, &value)), -EAGAIN);
    fault_clear(FAULT_THREAD_CREATE);
    first = os_begin(self, aloop_to_thread(pass_gate, &gate));
    gate_wait(&gate.begun);
    fault_fail_from(FAULT_THREAD_CREATE, 1, -EAGAIN);
    second = os_begin(self, aloop_to_thread(give, &value));
    assert_int_equal(fault_failures(FAULT_THREAD_CREATE), 2);
    assert_int_equal(sem_post(&gate.open), 0);
    assert_int_equal(os_end(self, first), 1);
    assert_int_equal(os_end(self, second), 9);
}

/* A child of a fork has no threads: what ran, runs in the parent alone; what was queued, and what
   is new, is done by threads of the child's own. */
static void in_a_fork(void **state)
{
    struct os_state *self = *state;
    struct gate gate;
    int64_t value = 9;
    aloop_task *running, *queued;
    pid_t child;
    int status;

#if defined(__SANITIZE_THREAD__)
    skip(); /* it does not allow threads in a forked child */
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
    skip();
#endif
#endif
    gate_init(&gate, 1);
    assert_int_equal(aloop_set_thread_limit(self->loop, 1), 0);
    running = os_begin(self, aloop_to_thread(pass_gate, &gate));
    gate_wait(&gate.begun);
    queued = os_begin(self, aloop_to_thread(give, &value));
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        bool is_right = aloop_after_fork(self->loop) == 0 && os_end(self, running) == -ECHILD &&
                        os_end(self, queued) == 9 &&
                        os_result(self, aloop_to_thread(give, &value)) == 9;

        aloop_unref(self->loop);
        _exit(is_right && atomic_load(&self->memory.bytes) == 0 ? 0 : 1);
    }
    assert_int_equal(sem_post(&gate.open), 0);
    assert_int_equal(os_end(self, running), 1);
    assert_int_equal(os_end(self, queued), 9);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* --- many --- */

struct client {
    ALOOP_FRAME;
    int64_t number;
    int left;
};

ALOOP_CORO(client)
{
    ALOOP_BEGIN;
    for (; self->left > 0; self->left--) {
        ALOOP_TRY(aloop_to_thread(give, &self->number));
        if (self->result != self->number)
            ALOOP_RETURN(-EIO);
    }
    ALOOP_RETURN(0);
    ALOOP_END;
}

static void many_at_once(void **state)
{
    struct os_state *self = *state;
    aloop_task *tasks[50];

    for (int i = 0; i < 50; i++)
        tasks[i] = aloop_create_task_in(self->loop, client, .number = i, .left = 100);
    for (int i = 0; i < 50; i++)
        assert_int_equal(os_end(self, tasks[i]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OS_TEST(outcomes),
        OS_TEST(in_order),
        OS_TEST(threads_as_needed),
        OS_TEST(one_wake_for_many),
        OS_TEST(time_stands_still),
        OS_TEST(cancelled_in_the_queue),
        OS_TEST(cancelled_without_room),
        OS_TEST(cancelled_while_it_runs),
        OS_TEST(out_of_time),
        OS_TEST(copied_back),
        OS_TEST(left_alone),
        OS_TEST(outlives_the_loop),
        OS_TEST(shutdown_without_patience),
        OS_TEST(close_without_patience),
        OS_TEST(close_waits),
        OS_TEST(close_with_a_queue),
        OS_TEST(without_memory),
        OS_TEST(without_threads),
        OS_TEST(in_a_fork),
        OS_TEST(many_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
