#include "generator_test.h"

struct consumer {
    ALOOP_FRAME;
    struct world *world;
    int stop_at; /* 0: never */
    aloop_ns delay;
    aloop_ns pause; /* after each item */
    aloop_ns timeout;
    aloop_ns cleanup;
    int64_t outcome;
    bool closes;
    int number;
    aloop_generator gen;
};

ALOOP_CORO(consumer)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_generator_open(&self->gen, counter, .world = self->world, .first = 1,
                                   .count = 3, .delay = self->delay, .outcome = self->outcome,
                                   .cleanup = self->cleanup));
    ALOOP_FOR_AWAIT(self->number, &self->gen)
    {
        log_number(self->world, self->number);
        if (self->number == self->stop_at)
            break;
        if (self->pause > 0)
            ALOOP_TRY(aloop_sleep(self->pause));
    }
    log_result(self->world, self->result);
    if (self->closes) {
        ALOOP_AWAIT(aloop_generator_close(&self->gen));
        log_result(self->world, self->result);
        ALOOP_AWAIT(aloop_generator_next(&self->gen));
        log_result(self->world, self->result);
    }
    ALOOP_RETURN(5);
    ALOOP_FINALLY;
    world_mark(self->world, "consumer");
    ALOOP_END;
}

static void items_come_one_by_one(void **state)
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, consumer, .world = world);

    world_turns(world, 1);
    assert_log_is(world, "1 2 3 cleaned 0 consumer ");
    assert_int_equal(result_of(task), 5);
    task = aloop_create_task_in(world->loop, consumer, .world = world, .delay = ALOOP_SEC(1),
                                .pause = ALOOP_SEC(1), .closes = true);
    world_drain(world);
    assert_log_is(world, "1 2 3 cleaned 0 0 0 consumer ");
    assert_int_equal(aloop_time(world->loop), ALOOP_SEC(6));
    assert_int_equal(result_of(task), 5);
}

static void errors_reach_who_asks(void **state)
{
    struct world *world = *state;
    aloop_task *task =
        aloop_create_task_in(world->loop, consumer, .world = world, .outcome = -EPROTO,
                             .closes = true);

    world_drain(world);
    /* Once: after that it has ended, and gives nothing. */
    assert_log_is(world, "1 2 3 cleaned EPROTO 0 0 consumer ");
    assert_int_equal(result_of(task), 5);
}

static void closed_where_it_stands(void **state)
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, consumer, .world = world, .stop_at = 2,
                                            .closes = true, .cleanup = ALOOP_SEC(1));

    world_drain(world);
    assert_log_is(world, "1 2 1 cleaned 0 0 consumer ");
    assert_int_equal(result_of(task), 5);
}

static void closed_with_its_owner(void **state)
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, consumer, .world = world, .stop_at = 2,
                                            .cleanup = ALOOP_SEC(1));

    world_turns(world, 1);
    /* The owner is not done before its generator is. */
    assert_log_is(world, "1 2 1 consumer ");
    assert_false(aloop_task_done(task));
    /* And that is not interrupted: the owner has its result already. */
    assert_true(aloop_task_cancel(task));
    world_turns(world, 2);
    assert_false(aloop_task_done(task));
    world_drain(world);
    assert_log_is(world, "cleaned ");
    assert_int_equal(result_of(task), -ECANCELED);
}

static void an_error_of_its_cleanup_is_its_owners(void **state)
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, consumer, .world = world, .stop_at = 1,
                                            .outcome = -EIO);

    world_drain(world);
    assert_log_is(world, "1 1 consumer cleaned ");
    assert_int_equal(result_of(task), -EIO);
    task = aloop_create_task_in(world->loop, consumer, .world = world, .stop_at = 1,
                                .outcome = -EIO, .closes = true);
    world_drain(world);
    assert_log_is(world, "1 1 cleaned EIO 0 consumer ");
    assert_int_equal(result_of(task), 5);
}

static void cancelled_while_the_generator_waits(void **state)
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, consumer, .world = world,
                                            .delay = ALOOP_SEC(1), .cleanup = ALOOP_SEC(1));

    world_turns(world, 1);
    assert_true(aloop_task_cancel(task));
    world_drain(world);
    assert_log_is(world, "cleaned ECANCELED consumer ");
    assert_int_equal(result_of(task), 5); /* it swallowed that */
}

static void cancelled_between_two_items(void **state)
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, consumer, .world = world,
                                            .pause = ALOOP_SEC(1), .cleanup = ALOOP_SEC(1));

    world_turns(world, 1);
    assert_true(aloop_task_cancel(task));
    world_drain(world);
    assert_log_is(world, "1 consumer cleaned ");
    assert_int_equal(result_of(task), -ECANCELED);
}

/* --- closing what has not begun --- */

struct opener {
    ALOOP_FRAME;
    struct world *world;
    bool closes;
    aloop_generator gen;
};

ALOOP_CORO(opener)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_generator_open(&self->gen, counter, .world = self->world, .first = 1,
                                   .count = 3, .delay = ALOOP_SEC(1)));
    ALOOP_AWAIT(aloop_generator_open(&self->gen, counter, .world = self->world));
    log_result(self->world, self->result);
    if (self->closes) {
        ALOOP_AWAIT(aloop_generator_close(&self->gen));
        log_result(self->world, self->result);
    }
    ALOOP_TRY(aloop_sleep(ALOOP_SEC(5)));
    ALOOP_END;
}

/* Its cleanup owns what its arguments own; and it must not do its work before it is told. */
static void closed_before_it_has_begun(void **state) /* P112's rule */
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, opener, .world = world, .closes = true);

    world_turns(world, 2);
    assert_log_is(world, "EBUSY cleaned 0 ");
    world_drain(world);
    assert_int_equal(result_of(task), 0);
    task = aloop_create_task_in(world->loop, opener, .world = world);
    world_turns(world, 1);
    assert_log_is(world, "EBUSY ");
    assert_true(aloop_task_cancel(task));
    world_turns(world, 3);
    assert_log_is(world, "cleaned ");
    assert_int_equal(result_of(task), -ECANCELED);
}

/* --- a chain of generators --- */

struct doubler {
    ALOOP_FRAME;
    struct world *world;
    aloop_generator gen;
    int64_t item;
};

ALOOP_CORO(doubler)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_generator_open(&self->gen, counter, .world = self->world, .first = 1,
                                   .count = 4, .delay = ALOOP_MS(1)));
    ALOOP_FOR_AWAIT(self->item, &self->gen)
        ALOOP_YIELD(2 * self->item);
    ALOOP_TRY(aloop_sleep(0));
    ALOOP_FINALLY;
    world_mark(self->world, "doubler");
    ALOOP_END;
}

struct chain_consumer {
    ALOOP_FRAME;
    struct world *world;
    int64_t stop_at;
    aloop_ns pause;
    aloop_group group; /* a scope of its own, around and after the generators' */
    aloop_generator gen;
    int64_t item;
};

ALOOP_CORO(chain_consumer)
{
    ALOOP_BEGIN;
    aloop_group_init(&self->group);
    ALOOP_TRY(aloop_generator_open(&self->gen, doubler, .world = self->world));
    ALOOP_FOR_AWAIT(self->item, &self->gen)
    {
        log_number(self->world, self->item);
        if (self->item == self->stop_at)
            ALOOP_RETURN(1);
        ALOOP_TRY(aloop_sleep(self->pause));
    }
    ALOOP_TRY(aloop_group_wait(&self->group));
    ALOOP_END;
}

static void generators_of_generators(void **state)
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, chain_consumer, .world = world);

    world_drain(world);
    assert_log_is(world, "2 4 6 8 cleaned doubler ");
    assert_int_equal(result_of(task), 0);
    /* Closing the outer one closes the inner one with it. */
    task = aloop_create_task_in(world->loop, chain_consumer, .world = world, .stop_at = 4);
    world_drain(world);
    assert_log_is(world, "2 4 doubler cleaned ");
    assert_int_equal(result_of(task), 1);
}

static void closing_the_loop(void **state) /* P124 */
{
    struct world *world = *state;

    /* Both stand still; then the inner one waits. */
    aloop_task_unref(aloop_create_task_in(world->loop, chain_consumer, .world = world,
                                          .pause = ALOOP_SEC(1)));
    aloop_task_unref(aloop_create_task_in(world->loop, consumer, .world = world,
                                          .delay = ALOOP_SEC(1)));
    aloop_task_unref(aloop_create_task_in(world->loop, opener, .world = world));
    assert_int_equal(aloop_run_once(world->loop, 0), 3);
    assert_true(aloop_run_once(world->loop, ALOOP_MS(2)) > 0);
    assert_int_equal(aloop_close(world->loop), 0);
    assert_int_equal(world->reports, 3);
}

/* --- time --- */

struct timed {
    ALOOP_FRAME;
    struct world *world;
    aloop_generator gen;
    aloop_ns limit;
};

ALOOP_CORO(timed)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_generator_open(&self->gen, counter, .world = self->world, .first = 1,
                                   .count = 3, .delay = ALOOP_MS(5)));
    for (;;) {
        ALOOP_AWAIT(aloop_wait_for(aloop_generator_next(&self->gen), self->limit));
        log_result(self->world, self->result);
        if (self->result <= 0)
            break;
        /* The deadline of the asking has ended with it. */
        ALOOP_TRY(aloop_sleep(ALOOP_SEC(1)));
    }
    ALOOP_END;
}

static void asking_with_a_deadline(void **state)
{
    struct world *world = *state;

    aloop_task_unref(
        aloop_create_task_in(world->loop, timed, .world = world, .limit = ALOOP_MS(7)));
    world_drain(world);
    assert_log_is(world, "1 1 1 cleaned 0 ");
    aloop_task_unref(
        aloop_create_task_in(world->loop, timed, .world = world, .limit = ALOOP_MS(3)));
    world_drain(world);
    assert_log_is(world, "cleaned ETIMEDOUT ");
    aloop_task_unref(aloop_create_task_in(world->loop, timed, .world = world));
    world_drain(world);
    /* Not even asked; and closed by the end of its owner. */
    assert_log_is(world, "ETIMEDOUT cleaned ");
}

/* A timeout or a group of the consumer's stays in force while the generator runs. */
struct timeout_around {
    ALOOP_FRAME;
    struct world *world;
    aloop_generator gen;
    aloop_timeout timeout;
};

ALOOP_CORO(timeout_around)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_generator_open(&self->gen, counter, .world = self->world, .first = 1,
                                   .count = 3, .delay = ALOOP_MS(5)));
    ALOOP_TRY(aloop_timeout_enter(&self->timeout, ALOOP_MS(7)));
    ALOOP_AWAIT(aloop_generator_next(&self->gen));
    log_result(self->world, self->result);
    ALOOP_AWAIT(aloop_generator_next(&self->gen));
    log_result(self->world, aloop_timeout_leave(&self->timeout, self->result));
    ALOOP_END;
}

static void a_timeout_around_the_asking(void **state)
{
    struct world *world = *state;

    aloop_task_unref(aloop_create_task_in(world->loop, timeout_around, .world = world));
    world_drain(world);
    assert_log_is(world, "1 cleaned ETIMEDOUT ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(items_come_one_by_one),
        TEST(errors_reach_who_asks),
        TEST(closed_where_it_stands),
        TEST(closed_with_its_owner),
        TEST(an_error_of_its_cleanup_is_its_owners),
        TEST(cancelled_while_the_generator_waits),
        TEST(cancelled_between_two_items),
        TEST(closed_before_it_has_begun),
        TEST(generators_of_generators),
        TEST(closing_the_loop),
        TEST(asking_with_a_deadline),
        TEST(a_timeout_around_the_asking),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
