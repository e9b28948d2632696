/* Groups that are cancelled as such (S135), and each way for a coroutine to end with one open. */
#include "group_family.h"

struct canceller {
    ALOOP_FRAME;
    aloop_group group;
    aloop_ns busy; /* < 0: cancels it itself and goes on to wait */
    bool wait;
    int64_t *out; /* of being busy, of waiting, of a sleep behind it */
    aloop_group **where;
};

ALOOP_CORO(canceller)
{
    ALOOP_BEGIN;
    aloop_group_init(&self->group);
    if (self->where != NULL)
        *self->where = &self->group;
    ALOOP_TRY(aloop_group_start(&self->group, child, .delay = 100));
    if (self->busy < 0) {
        aloop_group_cancel(&self->group);
        aloop_group_cancel(&self->group);
    } else if (self->busy > 0) {
        ALOOP_AWAIT(aloop_sleep(self->busy));
        self->out[0] = self->result;
    }
    if (!self->wait)
        ALOOP_RETURN(self->result);
    ALOOP_AWAIT(aloop_group_wait(&self->group));
    self->out[1] = self->result;
    ALOOP_AWAIT(aloop_sleep(0));
    self->out[2] = self->result;
    ALOOP_END;
}

static void cancel_group(aloop *loop, void *arg)
{
    (void)loop;
    aloop_group_cancel(*(aloop_group **)arg);
}

/* Cancelling it is no failure, whatever the coroutine does meanwhile, and from wherever it is
   called. Its own call, followed by waiting, gave the cancellation to the wait. */
static void cancelled_as_a_group(void **state) /* S135 */
{
    static const struct {
        aloop_ns busy;
        bool wait;
        int64_t out[3];
    } cases[] = {
        {0, true, {UNTOUCHED, 0, 0}},
        {50, true, {-ECANCELED, 0, 0}},
        {-1, true, {UNTOUCHED, 0, 0}},
        {50, false, {-ECANCELED, UNTOUCHED, UNTOUCHED}},
        {-1, false, {UNTOUCHED, UNTOUCHED, UNTOUCHED}},
    };
    struct world *world = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t out[3] = {UNTOUCHED, UNTOUCHED, UNTOUCHED};
        aloop_group *group = NULL;
        aloop_task *task = aloop_create_task_in(world->loop, canceller, .busy = cases[i].busy,
                                                .wait = cases[i].wait, .out = out, .where = &group);

        if (cases[i].busy >= 0)
            assert_true(aloop_call_later(world->loop, 5, cancel_group, &group) > 0);
        world_drain(world);
        assert_int_equal(aloop_task_result(task), 0);
        for (int k = 0; k < 3; k++)
            assert_int_equal(out[k], cases[i].out[k]);
        aloop_task_unref(task);
    }
    assert_int_equal(world->reports, 0);
}

static void cancelled_as_a_group_and_from_outside(void **state) /* S135 */
{
    struct world *world = *state;

    for (int i = 0; i < 4; i++) {
        int64_t out[3] = {UNTOUCHED, UNTOUCHED, UNTOUCHED};
        aloop_group *group = NULL;
        aloop_task *task = aloop_create_task_in(world->loop, canceller, .busy = i & 1 ? 50 : 0,
                                                .wait = true, .out = out, .where = &group);

        assert_true(aloop_call_later(world->loop, 5, cancel_group, &group) > 0);
        /* In the same turn, or in the next. */
        at(world, 5, task);
        if (i & 2)
            world_turns(world, 1);
        world_drain(world);
        assert_true(out[0] == -ECANCELED || out[1] == -ECANCELED || out[2] == -ECANCELED);
        assert_int_equal(aloop_task_cancelling(task), 1);
        aloop_task_unref(task);
    }
}

/* --- cleanup --- */

struct cleaner {
    ALOOP_FRAME;
    aloop_group group;
    struct world *world;
    int64_t *out;
};

ALOOP_CORO(cleaner)
{
    ALOOP_BEGIN;
    aloop_group_init(&self->group);
    ALOOP_TRY(aloop_group_start(&self->group, child, .delay = 30, .outcome = -EPIPE));
    ALOOP_TRY(
        aloop_group_start(&self->group, tidy, .delay = 100, .cleanup = 10, .world = self->world));
    ALOOP_TRY(aloop_sleep(10));
    ALOOP_FINALLY;
    /* The failure of a child does not interrupt the cleanup. */
    ALOOP_AWAIT(aloop_sleep(40));
    self->out[0] = self->result;
    world_mark(self->world, "done");
    ALOOP_END;
}

static void open_in_the_cleanup(void **state)
{
    struct world *world = *state;
    int64_t out = UNTOUCHED;
    aloop_task *task = aloop_create_task_in(world->loop, cleaner, .world = world, .out = &out);

    world_drain(world);
    assert_int_equal(out, 0);
    assert_int_equal(aloop_task_result(task), -EPIPE);
    assert_string_equal(world->log, "cleaned done ");
    assert_int_equal(aloop_time(world->loop), 50);
    aloop_task_unref(task);
}

struct late_opener {
    ALOOP_FRAME;
    aloop_group group;
    struct world *world;
};

ALOOP_CORO(late_opener)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_sleep(10));
    ALOOP_RETURN(4);
    ALOOP_FINALLY;
    aloop_group_init(&self->group);
    ALOOP_AWAIT(
        aloop_group_start(&self->group, tidy, .delay = 100, .cleanup = 10, .world = self->world));
    ALOOP_END;
}

struct late_caller {
    ALOOP_FRAME;
    struct world *world;
    int64_t *out;
};

ALOOP_CORO(late_caller)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_call(late_opener, .world = self->world));
    self->out[0] = self->result;
    ALOOP_AWAIT(aloop_sleep(0));
    self->out[1] = self->result;
    ALOOP_END;
}

/* A frame that ends with a group open ends after its children, and is not interrupted in that; who
   asked for its cancellation meanwhile is heard afterwards. */
static void opened_in_the_cleanup(void **state)
{
    struct world *world = *state;

    for (int cancelled = 0; cancelled < 2; cancelled++) {
        int64_t out[2] = {UNTOUCHED, UNTOUCHED};
        aloop_ns start = aloop_time(world->loop);
        aloop_task *task =
            aloop_create_task_in(world->loop, late_caller, .world = world, .out = out);

        if (cancelled)
            at(world, 15, task);
        world_drain(world);
        assert_int_equal(out[0], 4);
        assert_int_equal(out[1], cancelled ? -ECANCELED : 0);
        assert_int_equal(aloop_time(world->loop), start + 20);
        aloop_task_unref(task);
    }
    assert_string_equal(world->log, "cleaned cleaned ");
}

/* --- in a call, under a time limit, at the end of the loop --- */

struct deep {
    ALOOP_FRAME;
    aloop_group group;
    int depth;
    struct world *world;
};

ALOOP_CORO(deep)
{
    ALOOP_BEGIN;
    aloop_group_init(&self->group);
    if (self->depth > 0)
        ALOOP_TRY(
            aloop_group_start(&self->group, deep, .depth = self->depth - 1, .world = self->world));
    else
        ALOOP_TRY(aloop_group_start(&self->group, tidy, .delay = 1000, .cleanup = 3,
                                    .world = self->world));
    ALOOP_TRY(aloop_group_wait(&self->group));
    ALOOP_END;
}

struct limited {
    ALOOP_FRAME;
    struct world *world;
};

ALOOP_CORO(limited)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_wait_for(aloop_call(deep, .depth = 50, .world = self->world), 10));
    ALOOP_END;
}

static void a_limit_around_groups_in_groups(void **state)
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, limited, .world = world);

    world_drain(world);
    assert_int_equal(aloop_task_result(task), -ETIMEDOUT);
    assert_string_equal(world->log, "cleaned ");
    assert_int_equal(aloop_time(world->loop), 13);
    aloop_task_unref(task);
}

static void closing_the_loop(void **state)
{
    struct world *world = *state;
    int64_t out[3];
    aloop_task *task = aloop_create_task_in(world->loop, deep, .depth = 5, .world = world);

    aloop_task_unref(aloop_create_task_in(world->loop, parent, .delays = {1, 100},
                                          .outcomes = {-EPIPE}, .busy = 3));
    aloop_task_unref(aloop_create_task_in(world->loop, cleaner, .world = world, .out = out));
    aloop_task_unref(aloop_create_task_in(world->loop, late_caller, .world = world, .out = out));
    while (aloop_time(world->loop) < 15)
        assert_true(aloop_run_once(world->loop, ALOOP_NEVER) >= 0);
    assert_int_equal(aloop_close(world->loop), 0);
    assert_true(aloop_task_cancelled(task));
    aloop_task_unref(task);
}

static void shutting_down(void **state)
{
    struct world *world = *state;

    aloop_task_unref(aloop_create_task_in(world->loop, deep, .depth = 5, .world = world));
    world_turns(world, 10);
    assert_int_equal(aloop_shutdown(world->loop), 0);
    assert_string_equal(world->log, "cleaned ");
    assert_int_equal(world->reports, 0);
}

/* --- memory --- */

struct herald {
    ALOOP_FRAME;
};

ALOOP_CORO(herald)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_sleep(2));
    ALOOP_RETURN(aloop_started(1));
    ALOOP_END;
}

struct everything {
    ALOOP_FRAME;
    aloop_group group;
    int64_t out[3];
};

ALOOP_CORO(everything)
{
    ALOOP_BEGIN;
    aloop_group_init(&self->group);
    ALOOP_TRY(aloop_group_start(&self->group, child, .delay = 3));
    ALOOP_TRY(aloop_group_start_and_wait(&self->group, herald));
    ALOOP_TRY(aloop_join(aloop_group_create_task(&self->group, child, .delay = 3)));
    ALOOP_TRY(aloop_group_wait(&self->group));
    ALOOP_END;
}

static void out_of_memory(void **state) /* P119 */
{
    (void)state;
    for (int persistent = 0; persistent < 2; persistent++) {
        bool succeeded = false;

        for (long n = 1; !succeeded && n < 100; n++) {
            struct world world;
            aloop_task *task;

            world_open(&world, NULL);
            world.memory.fail_from = world.memory.requests + n;
            world.memory.persists = persistent;
            task = aloop_create_task_in(world.loop, everything);
            world_drain(&world);
            succeeded = aloop_task_result(task) == 0;
            if (!succeeded)
                assert_int_equal(aloop_task_result(task), -ENOMEM);
            aloop_task_unref(task);
            assert_int_equal(aloop_all_tasks(world.loop, NULL, 0), 0);
            world_close(&world);
        }
        assert_true(succeeded);
    }
}

struct repeater {
    ALOOP_FRAME;
    aloop_group group;
    struct world *world;
    int i;
    int k;
    long *requests;
};

ALOOP_CORO(repeater)
{
    ALOOP_BEGIN;
    for (self->i = 0; self->i < 10; self->i++) {
        aloop_group_init(&self->group);
        for (self->k = 0; self->k < 20; self->k++)
            ALOOP_TRY(aloop_group_start(&self->group, child, .delay = self->k % 3));
        ALOOP_TRY(aloop_group_wait(&self->group));
        if (self->i == 0)
            *self->requests = self->world->memory.requests;
    }
    ALOOP_END;
}

static void steady_groups_allocate_nothing(void **state)
{
    struct world *world = *state;
    long requests = 0;
    aloop_task *task =
        aloop_create_task_in(world->loop, repeater, .world = world, .requests = &requests);

    world_drain(world);
    assert_int_equal(aloop_task_result(task), 0);
#ifndef ALOOP_NO_POOLS
    assert_int_equal(world->memory.requests, requests);
#endif
    aloop_task_unref(task);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
        TEST(cancelled_as_a_group),
        TEST(cancelled_as_a_group_and_from_outside),
        TEST(open_in_the_cleanup),
        TEST(opened_in_the_cleanup),
        TEST(a_limit_around_groups_in_groups),
        TEST(closing_the_loop),
        TEST(shutting_down),
        cmocka_unit_test(out_of_memory),
        TEST(steady_groups_allocate_nothing),
#undef TEST
    };

    return cmocka_run_group_tests_name("group_end", tests, NULL, NULL);
}
