/* Generators: what is refused, who may ask, and what they need. */
#include "generator_test.h"

/* --- what is refused --- */

struct wrong_yields {
    ALOOP_FRAME;
    struct world *world;
    aloop_generator *self_gen;
    aloop_timeout timeout;
    aloop_group group;
};

struct yielder {
    ALOOP_FRAME;
};

ALOOP_CORO(yielder)
{
    ALOOP_BEGIN;
    ALOOP_YIELD(1);
    ALOOP_END;
}

ALOOP_CORO(wrong_yields)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_call(yielder));
    log_result(self->world, self->result);
    ALOOP_AWAIT(aloop_generator_next(self->self_gen));
    log_result(self->world, self->result);
    ALOOP_AWAIT(aloop_generator_close(self->self_gen));
    log_result(self->world, self->result);
    ALOOP_TRY(aloop_timeout_enter(&self->timeout, ALOOP_SEC(1)));
    ALOOP_AWAIT(aloop_generator_yield(1));
    log_result(self->world, self->result);
    (void)aloop_timeout_leave(&self->timeout, 0);
    aloop_group_init(&self->group);
    ALOOP_AWAIT(aloop_generator_yield(1));
    log_result(self->world, self->result);
    ALOOP_TRY(aloop_group_wait(&self->group));
    ALOOP_YIELD(7); /* a group that was waited for is harmless */
    ALOOP_FINALLY;
    ALOOP_AWAIT(aloop_generator_yield(1));
    log_result(self->world, self->result);
    ALOOP_END;
}

struct wrong_consumer {
    ALOOP_FRAME;
    struct world *world;
    aloop_generator gen;
    aloop_generator never;
    aloop_group group;
};

ALOOP_CORO(wrong_consumer)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_generator_next(&self->never));
    log_result(self->world, self->result);
    ALOOP_AWAIT(aloop_generator_close(&self->never));
    log_result(self->world, self->result);
    ALOOP_AWAIT(aloop_generator_yield(1));
    log_result(self->world, self->result);
    ALOOP_TRY(aloop_generator_open(&self->gen, wrong_yields, .world = self->world,
                                   .self_gen = &self->gen));
    ALOOP_AWAIT(aloop_generator_next(&self->gen));
    log_result(self->world, self->gen.value);
    /* The scopes of the two frames do not get into each other's way. */
    aloop_group_init(&self->group);
    ALOOP_AWAIT(aloop_generator_next(&self->gen));
    log_result(self->world, self->result);
    ALOOP_TRY(aloop_group_wait(&self->group));
    ALOOP_END;
}

static void what_is_refused(void **state)
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, wrong_consumer, .world = world);

    world_drain(world);
    assert_log_is(world, "EINVAL 0 EPERM EPERM EBUSY EBUSY EPERM EPERM 7 EPERM 0 ");
    assert_int_equal(result_of(task), 0);
}

struct thief {
    ALOOP_FRAME;
    struct world *world;
    aloop_generator *gen;
};

ALOOP_CORO(thief)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_generator_next(self->gen));
    log_result(self->world, self->result);
    ALOOP_AWAIT(aloop_generator_close(self->gen));
    log_result(self->world, self->result);
    ALOOP_END;
}

struct victim {
    ALOOP_FRAME;
    struct world *world;
    aloop_generator gen;
};

ALOOP_CORO(victim)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_generator_open(&self->gen, counter, .world = self->world));
    aloop_task_unref(aloop_create_task(thief, .world = self->world, .gen = &self->gen));
    ALOOP_TRY(aloop_sleep(ALOOP_MS(1)));
    ALOOP_END;
}

static void another_task_may_not_ask(void **state)
{
    struct world *world = *state;

    aloop_task_unref(aloop_create_task_in(world->loop, victim, .world = world));
    world_drain(world);
    assert_log_is(world, "EPERM EPERM cleaned ");
}

/* --- a called coroutine may ask for who opened it --- */

struct helper {
    ALOOP_FRAME;
    aloop_generator *gen;
};

ALOOP_CORO(helper)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_generator_next(self->gen));
    ALOOP_RETURN(self->gen->value);
    ALOOP_END;
}

struct delegating {
    ALOOP_FRAME;
    struct world *world;
    aloop_generator gen;
};

ALOOP_CORO(delegating)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_generator_open(&self->gen, counter, .world = self->world, .first = 1,
                                   .count = 9, .delay = 1));
    ALOOP_TRY(aloop_call(helper, .gen = &self->gen));
    log_result(self->world, self->result);
    ALOOP_TRY(aloop_call(helper, .gen = &self->gen));
    log_result(self->world, self->result);
    ALOOP_END;
}

static void asked_from_a_call(void **state)
{
    struct world *world = *state;

    aloop_task_unref(aloop_create_task_in(world->loop, delegating, .world = world));
    world_drain(world);
    assert_log_is(world, "1 2 cleaned ");
}

/* --- items without end, and without memory --- */

struct naturals {
    ALOOP_FRAME;
    int count;
};

ALOOP_CORO(naturals)
{
    ALOOP_BEGIN;
    for (;;)
        ALOOP_YIELD(self->count++);
    ALOOP_END;
}

struct endless {
    ALOOP_FRAME;
    aloop_generator gen;
    int64_t item;
    int64_t *last;
};

ALOOP_CORO(endless)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_generator_open(&self->gen, naturals));
    ALOOP_FOR_AWAIT(self->item, &self->gen)
        *self->last = self->item;
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

/* Items that never wait for anything would keep the loop from everything else, and the task from
   being cancelled. */
static void endless_items_give_way(void **state)
{
    struct world *world = *state;
    int64_t last = -1;
    aloop_task *task = aloop_create_task_in(world->loop, endless, .last = &last);

    world_turns(world, 1);
    assert_in_range(last, 10, 10000);
    world_turns(world, 1);
    assert_true(aloop_task_cancel(task));
    world_turns(world, 2);
    assert_int_equal(result_of(task), -ECANCELED);
}

static void items_allocate_nothing(void **state)
{
    struct world *world = *state;
    int64_t last = -1;
    long before;

    aloop_task_unref(aloop_create_task_in(world->loop, endless, .last = &last));
    world_turns(world, 1);
    before = world->memory.requests;
    world_turns(world, 10);
    assert_int_equal(world->memory.requests, before);
}

struct poor {
    ALOOP_FRAME;
    struct world *world;
    aloop_generator gen;
    char large[2000]; /* beyond the pools */
};

struct rich_counter {
    ALOOP_FRAME;
    char large[2000];
};

ALOOP_CORO(rich_counter)
{
    ALOOP_BEGIN;
    ALOOP_YIELD(1);
    ALOOP_END;
}

ALOOP_CORO(poor)
{
    ALOOP_BEGIN;
    self->world->memory.fail_from = self->world->memory.requests + 1;
    ALOOP_AWAIT(aloop_generator_open(&self->gen, rich_counter));
    log_result(self->world, self->result);
    ALOOP_TRY(aloop_generator_open(&self->gen, rich_counter));
    ALOOP_TRY(aloop_generator_next(&self->gen));
    log_result(self->world, self->result);
    ALOOP_END;
}

static void without_memory(void **state) /* P119 */
{
    struct world *world = *state;

    aloop_task_unref(aloop_create_task_in(world->loop, poor, .world = world));
    world_drain(world);
    assert_log_is(world, "ENOMEM 1 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_refused),
        TEST(another_task_may_not_ask),
        TEST(asked_from_a_call),
        TEST(endless_items_give_way),
        TEST(items_allocate_nothing),
        TEST(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
