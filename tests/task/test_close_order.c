/*
 * Closing a loop throws its tasks away one by one, while they wait for things in each other's
 * frames.
 */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static aloop_poll wait_poll(aloop_task *task, aloop_op *op)
{
    (void)task;
    return aloop_op_wait(op, op->arg[0].pointer);
}

static int drops;

static void count_drop(aloop_task *task, aloop_op *op)
{
    const aloop_waitlist *list = op->arg[0].pointer;

    (void)task;
    drops++;
    /* What it waited for is still there, and it is in no list. */
    if (drops == 3)
        assert_true(aloop_waitlist_is_empty(list));
}

static const aloop_op_type wait_type = {.name = "wait", .drop = count_drop};

static aloop_op wait_in(aloop_waitlist *list)
{
    return (aloop_op){.poll = wait_poll, .type = &wait_type, .arg = {{.pointer = list}}};
}

struct guest {
    ALOOP_FRAME;
    aloop_waitlist *list;
};

ALOOP_CORO(guest)
{
    ALOOP_BEGIN;
    ALOOP_TRY(wait_in(self->list));
    ALOOP_END;
}

struct host {
    ALOOP_FRAME;
    aloop_waitlist list;
};

ALOOP_CORO(host)
{
    ALOOP_BEGIN;
    aloop_task_unref(aloop_create_task(guest, .list = &self->list));
    aloop_task_unref(aloop_create_task(guest, .list = &self->list));
    ALOOP_TRY(wait_in(&self->list));
    ALOOP_END;
}

/* P124: the list is in the frame of the task that is thrown away first; taking the others out of it
   after that would write into freed memory. */
static void a_list_in_the_frame_of_another_task(void **state)
{
    struct world *world = *state;

    drops = 0;
    aloop_task_unref(aloop_create_task_in(world->loop, host));
    world_turns(world, 2);
    assert_int_equal(aloop_close(world->loop), 0);
    assert_int_equal(drops, 3);
    assert_int_equal(world->reports, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_list_in_the_frame_of_another_task, world_setup,
                                        world_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
