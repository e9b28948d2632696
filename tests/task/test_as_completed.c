/* aloop_as_completed: S109, and the set that it also is. */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT 4

/* Goes through all; writes what it gets to the log, as "index:outcome". */
struct collector {
    ALOOP_FRAME;
    aloop_as_completed it;
    aloop_task **tasks;
    size_t count;
    aloop_ns timeout;
    aloop_ns each;      /* a limit for each next; 0: none */
    size_t leave_after; /* gives up after so many; 0: never */
    aloop_future *future;
    struct world *world;
    size_t given;
    int error;
};

static void note(struct world *world, const char *what, int64_t index, int64_t value)
{
    char word[48];

    (void)snprintf(word, sizeof word, "%s%d:%d", what, (int)index, (int)value);
    world_mark(world, word);
}

static int begin(struct collector *self)
{
    int error = aloop_as_completed_open(&self->it, self->timeout);

    return error < 0 ? error : aloop_as_completed_add_all(&self->it, self->tasks, self->count);
}

ALOOP_CORO(collector)
{
    ALOOP_BEGIN;
    self->error = begin(self);
    if (self->error < 0)
        ALOOP_RETURN(self->error);
    for (;;) {
        if (self->each > 0)
            ALOOP_AWAIT(
                aloop_wait_for(aloop_as_completed_next(&self->it, &self->future), self->each));
        else
            ALOOP_AWAIT(aloop_as_completed_next(&self->it, &self->future));
        if (self->result == 1) {
            size_t index = aloop_as_completed_index(&self->it);

            /* The same ones come out that went in. */
            if (self->future != aloop_task_future(self->tasks[index]))
                ALOOP_RETURN(-EIO);
            note(self->world, "", (int64_t)index, aloop_future_result(self->future));
            if (++self->given == self->leave_after)
                break;
        } else if (self->result == -ETIMEDOUT) {
            if (self->each > 0) {
                world_mark(self->world, "late");
                continue;
            }
            note(self->world, "late", (int64_t)aloop_as_completed_index(&self->it),
                 aloop_future_done(self->future));
        } else {
            ALOOP_RETURN(self->result);
        }
    }
    ALOOP_RETURN((int64_t)aloop_as_completed_count(&self->it));
    ALOOP_END;
}

static void children(struct world *world, aloop_task **tasks)
{
    static const aloop_ns delays[COUNT] = {30, 10, 40, 20};
    static const int64_t values[COUNT] = {1, 2, -EPIPE, 4};

    for (int i = 0; i < COUNT; i++)
        tasks[i] =
            aloop_create_task_in(world->loop, sleeper, .delay = delays[i], .value = values[i]);
}

static void check(struct world *world, aloop_task *task, aloop_task **tasks, int64_t outcome,
                  const char *log)
{
    world_drain(world);
    assert_string_equal(world->log, log);
    assert_int_equal(aloop_task_result(task), outcome);
    aloop_task_unref(task);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(aloop_task_cancelling(tasks[i]), 0);
        assert_true(aloop_task_done(tasks[i]));
        (void)aloop_task_result(tasks[i]);
        aloop_task_unref(tasks[i]);
    }
    assert_int_equal(world->reports, 0);
}

static void in_the_order_they_complete(void **state) /* S109 */
{
    struct world *world = *state;
    aloop_task *tasks[COUNT];
    aloop_task *task;

    children(world, tasks);
    task = aloop_create_task_in(world->loop, collector, .tasks = tasks, .count = COUNT,
                                .timeout = ALOOP_NEVER, .world = world);
    check(world, task, tasks, 0, "1:2 3:4 0:1 2:-32 ");
}

static void those_that_are_done_already(void **state)
{
    struct world *world = *state;
    aloop_task *tasks[COUNT];
    aloop_task *task;

    children(world, tasks);
    world_drain(world);
    task = aloop_create_task_in(world->loop, collector, .tasks = tasks, .count = COUNT,
                                .timeout = 0, .world = world);
    check(world, task, tasks, 0, "0:1 1:2 2:-32 3:4 ");
}

/* What is there by then is given first; then once for each that is left. */
static void time_is_up(void **state) /* S109 */
{
    struct world *world = *state;
    aloop_task *tasks[COUNT];
    aloop_task *task;

    children(world, tasks);
    task = aloop_create_task_in(world->loop, collector, .tasks = tasks, .count = COUNT,
                                .timeout = 20, .world = world);
    check(world, task, tasks, 0, "1:2 3:4 late0:0 late2:0 ");
}

static void a_limit_for_each(void **state) /* S109: resumed after a wait that was given up */
{
    struct world *world = *state;
    aloop_task *tasks[COUNT];
    aloop_task *task;

    children(world, tasks);
    task = aloop_create_task_in(world->loop, collector, .tasks = tasks, .count = COUNT, .each = 7,
                                .timeout = ALOOP_NEVER, .world = world);
    check(world, task, tasks, 0, "late 1:2 late 3:4 late 0:1 late 2:-32 ");
}

static void abandoned(void **state) /* S109 */
{
    struct world *world = *state;
    aloop_task *tasks[COUNT];
    aloop_task *task;

    children(world, tasks);
    task = aloop_create_task_in(world->loop, collector, .tasks = tasks, .count = COUNT,
                                .timeout = ALOOP_NEVER, .world = world, .leave_after = 1);
    check(world, task, tasks, 3, "1:2 ");
}

static void cancel_task(aloop *loop, void *arg)
{
    (void)loop;
    (void)aloop_task_cancel(arg);
}

static void cancelled(void **state)
{
    struct world *world = *state;
    aloop_task *tasks[COUNT];
    aloop_task *task;

    children(world, tasks);
    task = aloop_create_task_in(world->loop, collector, .tasks = tasks, .count = COUNT,
                                .timeout = 35, .world = world);
    /* In the turn in which the next one is done. */
    assert_true(aloop_call_later(world->loop, 20, cancel_task, task) > 0);
    check(world, task, tasks, -ECANCELED, "1:2 ");
}

/* Work is added as long as there is some; and taken back. */
struct feeder {
    ALOOP_FRAME;
    aloop_as_completed it;
    aloop_future *future;
    aloop_task *task;
    struct world *world;
    int64_t sum;
    int added;
    long requests;
};

static int feed(struct feeder *self, aloop_ns delay, int64_t value)
{
    aloop_task *task = aloop_create_task(sleeper, .delay = delay, .value = value);
    int error = aloop_as_completed_add(&self->it, task);

    aloop_task_unref(task);
    self->added++;
    return error;
}

ALOOP_CORO(feeder)
{
    ALOOP_BEGIN;
    if (aloop_as_completed_open(&self->it, ALOOP_NEVER) != 0 ||
        aloop_as_completed_open(&self->it, ALOOP_NEVER) != -EBUSY)
        ALOOP_RETURN(-EIO);
    for (int i = 0; i < 8; i++) {
        if (feed(self, 1 + i, 1) != 0)
            ALOOP_RETURN(-EIO);
    }
    for (;;) {
        ALOOP_TRY(aloop_as_completed_next(&self->it, &self->future));
        if (self->result == 0)
            break;
        self->sum += aloop_future_result(self->future);
        if (self->added < 1000 && feed(self, self->added % 7, 1) != 0)
            ALOOP_RETURN(-EIO);
        if (self->added == 100)
            self->requests = self->world->memory.requests;
    }
    aloop_as_completed_close(&self->it);
    aloop_as_completed_close(&self->it);
    ALOOP_AWAIT(aloop_as_completed_next(&self->it, &self->future));
    if (self->result != -EINVAL)
        ALOOP_RETURN(-EIO);
    ALOOP_RETURN(self->sum);
    ALOOP_END;
}

static void as_a_set_of_work(void **state)
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, feeder, .world = world);

    world_drain(world);
    assert_int_equal(aloop_task_result(task), 1000);
    aloop_task_unref(task);
}

struct remover {
    ALOOP_FRAME;
    aloop_as_completed it;
    aloop_as_completed other;
    aloop_future *future;
    aloop_task **tasks;
    bool *answers;
    int64_t *out;
};

ALOOP_CORO(remover)
{
    ALOOP_BEGIN;
    self->answers[0] = aloop_as_completed_remove(&self->it, self->tasks[0]);
    self->out[0] = aloop_as_completed_add(&self->it, self->tasks[0]);
    if (aloop_as_completed_open(&self->it, ALOOP_NEVER) < 0 ||
        aloop_as_completed_open(&self->other, ALOOP_NEVER) < 0 ||
        aloop_as_completed_add_all(&self->other, self->tasks, COUNT) < 0 ||
        aloop_as_completed_add_all(&self->it, self->tasks, COUNT) < 0)
        ALOOP_RETURN(-EIO);
    self->out[1] = aloop_as_completed_add(&self->it, aloop_current_task());
    self->answers[1] = aloop_as_completed_remove(&self->it, self->tasks[0]);
    self->answers[2] = aloop_as_completed_remove(&self->it, self->tasks[0]);
    ALOOP_TRY(aloop_sleep(15));
    /* Done by now, and not given yet. */
    self->answers[3] = aloop_as_completed_remove(&self->it, self->tasks[1]);
    self->answers[4] = aloop_as_completed_remove(&self->it, self->tasks[1]);
    ALOOP_TRY(aloop_as_completed_next(&self->it, &self->future));
    self->out[2] = (int64_t)aloop_as_completed_index(&self->it);
    ALOOP_TRY(aloop_as_completed_next(&self->it, &self->future));
    self->out[3] = (int64_t)aloop_as_completed_index(&self->it);
    ALOOP_TRY(aloop_as_completed_next(&self->it, &self->future));
    self->out[4] = self->result;
    self->out[5] = (int64_t)aloop_as_completed_count(&self->other);
    (void)aloop_future_result(aloop_task_future(self->tasks[2]));
    ALOOP_END;
}

static void removed(void **state)
{
    static const int64_t expected[] = {-EINVAL, -EDEADLK, 3, 2, 0, 4};
    static const bool expected_answers[] = {false, true, false, true, false};
    struct world *world = *state;
    aloop_task *tasks[COUNT];
    int64_t out[6];
    bool answers[5];

    children(world, tasks);
    aloop_task_unref(
        aloop_create_task_in(world->loop, remover, .tasks = tasks, .out = out, .answers = answers));
    world_drain(world);
    for (int i = 0; i < 6; i++)
        assert_int_equal(out[i], expected[i]);
    for (int i = 0; i < 5; i++)
        assert_int_equal(answers[i], expected_answers[i]);
    for (int i = 0; i < COUNT; i++)
        aloop_task_unref(tasks[i]);
}

static void outside_of_a_coroutine(void **state)
{
    aloop_as_completed it;

    (void)state;
    memset(&it, 0, sizeof it);
    assert_int_equal(aloop_as_completed_open(&it, ALOOP_NEVER), -EPERM);
}

static void closing_and_memory(void **state) /* P119 */
{
    (void)state;
    for (int n = 0; n < 20; n++) {
        struct world world;
        aloop_task *tasks[COUNT];
        aloop_task *task;

        world_open(&world, NULL);
        children(&world, tasks);
        task = aloop_create_task_in(world.loop, collector, .tasks = tasks, .count = COUNT,
                                    .timeout = 99, .world = &world);
        if (n > 0)
            world.memory.fail_from = world.memory.requests + n;
        world_turns(&world, 2);
        if (n != 0)
            world_drain(&world);
        if (n > 0 && aloop_task_result(task) != 0)
            assert_int_equal(aloop_task_result(task), -ENOMEM);
        aloop_task_unref(task);
        for (int i = 0; i < COUNT; i++) {
            (void)aloop_task_result(tasks[i]);
            aloop_task_unref(tasks[i]);
        }
        world_close(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
        TEST(in_the_order_they_complete),
        TEST(those_that_are_done_already),
        TEST(time_is_up),
        TEST(a_limit_for_each),
        TEST(abandoned),
        TEST(cancelled),
        TEST(as_a_set_of_work),
        TEST(removed),
        TEST(outside_of_a_coroutine),
        cmocka_unit_test(closing_and_memory),
#undef TEST
    };

    return cmocka_run_group_tests_name("as_completed", tests, NULL, NULL);
}
