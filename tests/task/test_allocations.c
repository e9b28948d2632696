/* After a task has started, nothing that it does needs memory, and so nothing can fail for want
   of it. */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define TASKS 100
#define ROUNDS 20

struct busy {
    ALOOP_FRAME;
    aloop_future *done;
    aloop_task *other;
    aloop_waitlist *list;
    int i;
};

static aloop_poll turn_poll(aloop_task *task, aloop_op *op)
{
    aloop_waitlist *list = op->arg[0].pointer;

    (void)task;
    if (op->arg[1].number++ > 0)
        return 0;
    /* Wakes whoever came before. */
    aloop_wake_all(list);
    return aloop_op_wait(op, list);
}

ALOOP_CORO(busy)
{
    ALOOP_BEGIN;
    for (self->i = 0; self->i < ROUNDS; self->i++) {
        ALOOP_TRY(aloop_sleep(0));
        ALOOP_TRY(aloop_sleep(1 + self->i));
        ALOOP_TRY(aloop_join(self->done));
        ALOOP_TRY(aloop_wait_for(aloop_sleep(1), 100));
        ALOOP_AWAIT(aloop_wait_for(aloop_sleep(100), 1));
        ALOOP_AWAIT(aloop_wait_for(aloop_shield(self->other), 1));
        ALOOP_AWAIT(
            aloop_wait_for(((aloop_op){.poll = turn_poll, .arg = {{.pointer = self->list}}}), 5));
    }
    ALOOP_TRY(aloop_join(self->other));
    ALOOP_END;
}

static void started_tasks_need_no_memory(void **state)
{
    struct world *world = *state;
    aloop_future *done = aloop_create_future(world->loop);
    aloop_task *other = aloop_create_task_in(world->loop, sleeper, .delay = ALOOP_SEC(1));
    aloop_waitlist list = {{NULL, NULL}};
    aloop_task *tasks[TASKS];
    long before;

    assert_int_equal(aloop_future_set_result(done, 0), 0);
    for (int i = 0; i < TASKS; i++)
        tasks[i] =
            aloop_create_task_in(world->loop, busy, .done = done, .other = other, .list = &list);
    before = world->memory.requests;
    world->memory.fail_from = before + 1;
    world->memory.persists = true;
    world_turns(world, 3);
    assert_true(aloop_task_cancel(tasks[0]));
    world_drain(world);
    assert_int_equal(world->memory.requests, before);
    assert_true(aloop_task_cancelled(tasks[0]));
    for (int i = 0; i < TASKS; i++) {
        if (i > 0)
            assert_int_equal(aloop_task_result(tasks[i]), 0);
        aloop_task_unref(tasks[i]);
    }
    aloop_task_unref(other);
    aloop_future_unref(done);
}

struct spawns {
    ALOOP_FRAME;
    struct world *world;
    int i;
    long before;
    aloop_task *pair[2];
};

static void ignore(aloop_future *future, void *arg)
{
    (void)future;
    (void)arg;
}

ALOOP_CORO(spawns)
{
    ALOOP_BEGIN;
    for (self->i = 0; self->i < 100; self->i++) {
        /* What the first rounds needed is used again by all that follow. */
        if (self->i == 10)
            self->before = self->world->memory.requests;
        ALOOP_TRY(aloop_join_unref(aloop_create_task(sleeper, .delay = 1)));
        ALOOP_TRY(aloop_call(sleeper, .delay = 1));
        ALOOP_TRY(aloop_wait_for(aloop_call(sleeper, .delay = 1), 10));
        self->pair[0] = aloop_create_task(sleeper, .delay = 1);
        self->pair[1] = aloop_create_task(sleeper, .delay = 2);
        if (aloop_future_add_done_callback(aloop_task_future(self->pair[0]), ignore, NULL) < 0)
            ALOOP_RETURN(-1);
        ALOOP_TRY(aloop_gather(self->pair[0], self->pair[1]));
        aloop_task_unref(self->pair[0]);
        aloop_task_unref(self->pair[1]);
    }
    ALOOP_RETURN(self->world->memory.requests - self->before);
    ALOOP_END;
}

static void spawning_and_joining_recycles(void **state)
{
    struct world *world = *state;

#ifdef ALOOP_NO_POOLS
    skip();
#endif
    assert_int_equal(aloop_run_in(world->loop, spawns, .world = world), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(started_tasks_need_no_memory),
        TEST(spawning_and_joining_recycles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
