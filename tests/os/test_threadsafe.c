/*
 * Coroutines from other threads: what comes back, cancelling, and the end of the loop.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "os_test.h"

#include <pthread.h>

struct answer {
    ALOOP_FRAME;
    aloop_ns delay;
    int64_t value;
    sem_t *begun; /* may be NULL */
};

ALOOP_CORO(answer)
{
    ALOOP_BEGIN;
    if (self->begun != NULL)
        (void)sem_post(self->begun);
    ALOOP_TRY(aloop_sleep(self->delay));
    ALOOP_RETURN(self->value);
    ALOOP_END;
}

/* A thread that asks, and what it got. */
struct asker {
    pthread_t thread;
    aloop *loop;
    aloop_ns delay;
    int64_t value;
    int64_t result;
    sem_t begun;
    bool ends_loop;
};

static void stop(aloop *loop, void *arg)
{
    (void)arg;
    aloop_stop(loop);
}

static void *ask(void *arg)
{
    struct asker *self = arg;

    self->result = aloop_run_threadsafe(self->loop, answer, .delay = self->delay,
                                        .value = self->value, .begun = &self->begun);
    if (self->ends_loop && aloop_call_soon_threadsafe(self->loop, stop, NULL) < 0)
        self->result = -EIO;
    aloop_unref(self->loop);
    return NULL;
}

static void asker_start(struct asker *self, aloop *loop, aloop_ns delay, int64_t value)
{
    *self = (struct asker){.loop = aloop_ref(loop), .delay = delay, .value = value};
    assert_int_equal(sem_init(&self->begun, 0, 0), 0);
    self->ends_loop = true;
    assert_int_equal(pthread_create(&self->thread, NULL, ask, self), 0);
}

static void real_time(struct os_state *self)
{
    aloop_unref(self->loop);
    os_open(self, ALOOP_CLOCK_MONOTONIC);
}

/* S88: results and errors travel back to the thread that waits. */
static void results_come_back(void **state)
{
    struct os_state *self = *state;
    static const int64_t values[] = {5, -ENOTTY, -ECANCELED};
    struct asker asker;

    real_time(self);
    for (int i = 0; i < 3; i++) {
        asker_start(&asker, self->loop, 1, values[i]);
        assert_int_equal(aloop_run_forever(self->loop), 0);
        assert_int_equal(pthread_join(asker.thread, NULL), 0);
        assert_int_equal(asker.result, values[i]);
    }
    /* Its errors have been given to somebody. */
    assert_int_equal(self->reports, 0);
}

/* S88, S60: cancelling from outside cancels the task, also one that has not begun, which runs to
   its first await. */
static void cancelled_from_outside(void **state)
{
    struct os_state *self = *state;
    aloop_threadsafe_task *task;
    sem_t begun;

    assert_int_equal(sem_init(&begun, 0, 0), 0);
    for (int turns = 0; turns < 3; turns++) {
        assert_int_equal(aloop_create_task_threadsafe(&task, self->loop, answer,
                                                      .delay = ALOOP_SEC(60), .begun = &begun),
                         0);
        os_turns(self, turns);
        assert_int_equal(aloop_threadsafe_task_result(task, 0), -ETIMEDOUT);
        assert_false(aloop_threadsafe_task_done(task));
        assert_true(aloop_threadsafe_task_cancel(task));
        assert_true(aloop_threadsafe_task_cancel(task));
        assert_int_equal(aloop_run_forever(self->loop), -EDEADLK);
        assert_true(aloop_threadsafe_task_done(task));
        assert_int_equal(aloop_threadsafe_task_result(task, 0), -ECANCELED);
        assert_int_equal(aloop_threadsafe_task_result(task, ALOOP_NEVER), -ECANCELED);
        assert_false(aloop_threadsafe_task_cancel(task));
        aloop_threadsafe_task_unref(task);
        assert_int_equal(sem_trywait(&begun), 0);
        assert_int_equal(aloop_time(self->loop), 0);
    }
}

/* S60: a task that is cancelled inside the loop is so for who waits outside. */
static void cancelled_from_inside(void **state)
{
    struct os_state *self = *state;
    aloop_threadsafe_task *task;
    aloop_task *inner;

    assert_int_equal(
        aloop_create_task_threadsafe(&task, self->loop, answer, .delay = ALOOP_SEC(60)), 0);
    os_turns(self, 2);
    assert_int_equal(aloop_all_tasks(self->loop, &inner, 1), 1);
    assert_true(aloop_task_cancel(inner));
    os_turns(self, 2);
    assert_int_equal(aloop_threadsafe_task_result(task, 0), -ECANCELED);
    aloop_threadsafe_task_unref(task);
}

/* A time limit that runs out leaves the task as it is: waiting again gives its result. */
static void result_in_time(void **state)
{
    struct os_state *self = *state;
    aloop_threadsafe_task *task;

    assert_int_equal(aloop_create_task_threadsafe(&task, self->loop, answer, .value = 3), 0);
    assert_int_equal(aloop_threadsafe_task_result(task, 1), -ETIMEDOUT);
    os_turns(self, 4);
    assert_int_equal(aloop_threadsafe_task_result(task, 1), 3);
    aloop_threadsafe_task_unref(task);
    aloop_threadsafe_task_unref(NULL);
}

/* Nobody keeps it: the task goes on by itself. */
static void dropped(void **state)
{
    struct os_state *self = *state;
    aloop_threadsafe_task *task;
    sem_t begun;

    assert_int_equal(sem_init(&begun, 0, 0), 0);
    assert_int_equal(aloop_create_task_threadsafe(&task, self->loop, answer, .begun = &begun), 0);
    aloop_threadsafe_task_unref(task);
    os_turns(self, 4);
    assert_int_equal(sem_trywait(&begun), 0);
}

static struct {
    int64_t run;
    int64_t result;
} inside;

static void ask_from_inside(aloop *loop, void *arg)
{
    aloop_threadsafe_task *task = arg;

    inside.run = aloop_run_threadsafe(loop, answer, .value = 1);
    inside.result = aloop_threadsafe_task_result(task, ALOOP_NEVER);
}

/* The loop's own thread would wait for itself. */
static void from_the_loops_thread(void **state)
{
    struct os_state *self = *state;
    aloop_threadsafe_task *task;

    assert_int_equal(aloop_create_task_threadsafe(&task, self->loop, answer, .delay = 1), 0);
    assert_true(aloop_call_soon(self->loop, ask_from_inside, task) > 0);
    os_turns(self, 1);
    assert_int_equal(inside.run, -EDEADLK);
    assert_int_equal(inside.result, -EDEADLK);
    aloop_threadsafe_task_unref(task);
}

/* Closing tells who waits, whether its task had begun or not; and who comes later. */
static void closed(void **state)
{
    struct os_state *self = *state;
    struct asker asker;
    aloop_threadsafe_task *waiting, *cancelled;

    asker_start(&asker, self->loop, ALOOP_SEC(60), 1);
    asker.ends_loop = false;
    while (sem_trywait(&asker.begun) < 0)
        os_turns(self, 1);
    assert_int_equal(aloop_create_task_threadsafe(&waiting, self->loop, answer, .value = 1), 0);
    assert_int_equal(aloop_create_task_threadsafe(&cancelled, self->loop, answer, .value = 1), 0);
    assert_true(aloop_threadsafe_task_cancel(cancelled));
    assert_int_equal(aloop_close(self->loop), 0);
    assert_int_equal(pthread_join(asker.thread, NULL), 0);
    assert_int_equal(asker.result, -ALOOP_ECLOSED);
    assert_int_equal(aloop_threadsafe_task_result(waiting, ALOOP_NEVER), -ALOOP_ECLOSED);
    assert_int_equal(aloop_threadsafe_task_result(cancelled, ALOOP_NEVER), -ALOOP_ECLOSED);
    assert_false(aloop_threadsafe_task_cancel(waiting));
    assert_int_equal(aloop_run_threadsafe(self->loop, answer, .value = 1), -ALOOP_ECLOSED);
    aloop_threadsafe_task_unref(cancelled);
    aloop_threadsafe_task_unref(waiting);
}

static void without_memory(void **state)
{
    struct os_state *self = *state;
    aloop_threadsafe_task *task;

    memory_probe_fail(&self->memory, 1, true);
    assert_int_equal(aloop_create_task_threadsafe(&task, self->loop, answer, .value = 1), -ENOMEM);
    memory_probe_fail(&self->memory, 0, false);
    assert_int_equal(aloop_create_task_threadsafe(&task, self->loop, answer, .value = 1), 0);
    /* The task cannot be made: told to who waits. */
    memory_probe_fail(&self->memory, 1, true);
    os_turns(self, 2);
    memory_probe_fail(&self->memory, 0, false);
    assert_int_equal(aloop_threadsafe_task_result(task, ALOOP_NEVER), -ENOMEM);
    aloop_threadsafe_task_unref(task);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OS_TEST(results_come_back),
        OS_TEST(cancelled_from_outside),
        OS_TEST(cancelled_from_inside),
        OS_TEST(result_in_time),
        OS_TEST(dropped),
        OS_TEST(from_the_loops_thread),
        OS_TEST(closed),
        OS_TEST(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
