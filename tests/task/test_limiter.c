#include "awaiter.h"

struct borrows {
    ALOOP_FRAME;
    struct world *world;
    aloop_limiter *limiter;
    const char *word;
    aloop_ns delay;
    aloop_hold token;
};

ALOOP_CORO(borrows)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_limiter_acquire(self->limiter, &self->token));
    world_mark(self->world, self->word);
    ALOOP_TRY(aloop_sleep(self->delay));
    ALOOP_END;
}

static aloop_task *borrow(struct world *world, aloop_limiter *limiter, const char *word,
                          aloop_ns delay)
{
    aloop_task *task = aloop_create_task_in(world->loop, borrows, .world = world,
                                            .limiter = limiter, .word = word, .delay = delay);

    world_turns(world, 1);
    return task;
}

static void so_many_at_a_time(void **state)
{
    struct world *world = *state;
    static aloop_limiter limiter = ALOOP_LIMITER_INIT(2);
    aloop_task *tasks[4];

    assert_int_equal(aloop_limiter_total(&limiter), 2);
    tasks[0] = borrow(world, &limiter, "a", 10);
    assert_int_equal(aloop_limiter_available(&limiter), 1);
    tasks[1] = borrow(world, &limiter, "b", 5);
    tasks[2] = borrow(world, &limiter, "c", 5);
    tasks[3] = borrow(world, &limiter, "d", 5);
    assert_int_equal(aloop_limiter_borrowed(&limiter), 2);
    assert_int_equal(aloop_limiter_available(&limiter), 0);
    assert_log(world, "a b ");
    world_drain(world);
    assert_log(world, "c d ");
    assert_int_equal(aloop_time(world->loop), 15);
    assert_int_equal(aloop_limiter_borrowed(&limiter), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(end_of(tasks[i]), 0);
}

struct borrows_twice {
    ALOOP_FRAME;
    aloop_limiter *limiter;
    aloop_limiter *other;
    aloop_hold token;
    aloop_hold second;
};

ALOOP_CORO(borrows_twice)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_limiter_acquire(self->limiter, &self->token));
    ALOOP_AWAIT(aloop_limiter_acquire(self->limiter, &self->second));
    assert_int_equal(self->result, -EBUSY);
    assert_int_equal(aloop_limiter_try_acquire(self->limiter, &self->second), -EBUSY);
    /* One token of each is no more than one of each. */
    ALOOP_AWAIT(aloop_limiter_acquire(self->other, &self->token));
    assert_int_equal(self->result, -EBUSY);
    ALOOP_TRY(aloop_limiter_acquire(self->other, &self->second));
    assert_int_equal(aloop_limiter_borrowed(self->limiter), 1);
    assert_int_equal(aloop_hold_release(&self->token), 0);
    assert_int_equal(aloop_hold_release(&self->token), -EPERM);
    assert_int_equal(aloop_limiter_borrowed(self->limiter), 0);
    assert_int_equal(aloop_limiter_try_acquire(self->limiter, &self->token), 0);
    ALOOP_END;
}

static void one_for_each_task(void **state)
{
    struct world *world = *state;
    aloop_limiter limiter = ALOOP_LIMITER_INIT(3);
    aloop_limiter other;
    aloop_hold token = {.what = NULL};

    aloop_limiter_init(&other, 1);
    assert_int_equal(aloop_run_in(world->loop, borrows_twice, .limiter = &limiter, .other = &other),
                     0);
    assert_int_equal(aloop_limiter_borrowed(&limiter), 0);
    assert_int_equal(aloop_limiter_borrowed(&other), 0);
    assert_int_equal(aloop_limiter_try_acquire(&limiter, &token), -EPERM);
}

struct tries {
    ALOOP_FRAME;
    aloop_limiter *limiter;
    aloop_hold token;
};

ALOOP_CORO(tries)
{
    ALOOP_BEGIN;
    ALOOP_RETURN(aloop_limiter_try_acquire(self->limiter, &self->token));
    ALOOP_END;
}

static void another_total(void **state)
{
    struct world *world = *state;
    aloop_limiter limiter = {.total = 0}; /* all zero lends nothing */
    aloop_task *a = borrow(world, &limiter, "a", 5);
    aloop_task *b = borrow(world, &limiter, "b", 5);
    aloop_task *c = borrow(world, &limiter, "c", 5);

    assert_int_equal(aloop_run_in(world->loop, tries, .limiter = &limiter), -EAGAIN);
    aloop_task_unref(a);
    aloop_task_unref(b);
    aloop_task_unref(c);
    /* That run has ended all tasks. */
    a = borrow(world, &limiter, "a", 5);
    b = borrow(world, &limiter, "b", 5);
    c = borrow(world, &limiter, "c", 5);
    assert_log(world, "");
    aloop_limiter_set_total(&limiter, 2);
    world_turns(world, 1);
    assert_log(world, "a b ");
    /* Nobody loses its token, and nobody gets one before there are fewer. */
    aloop_limiter_set_total(&limiter, 1);
    assert_int_equal(aloop_limiter_borrowed(&limiter), 2);
    assert_int_equal(aloop_limiter_available(&limiter), 0);
    aloop_task_cancel(a);
    world_turns(world, 2);
    assert_log(world, "");
    world_drain(world);
    assert_log(world, "c ");
    assert_int_equal(aloop_limiter_borrowed(&limiter), 0);
    assert_int_equal(end_of(a), -ECANCELED);
    assert_int_equal(end_of(b), 0);
    assert_int_equal(end_of(c), 0);
}

static void cancelled_after_it_was_lent(void **state) /* S145 P108 */
{
    struct world *world = *state;
    aloop_limiter limiter = ALOOP_LIMITER_INIT(0);
    aloop_task *a = borrow(world, &limiter, "a", 0);
    aloop_task *b = borrow(world, &limiter, "b", 0);

    aloop_limiter_set_total(&limiter, 1);
    aloop_task_cancel(a);
    world_drain(world);
    assert_log(world, "b ");
    assert_int_equal(aloop_limiter_borrowed(&limiter), 0);
    assert_int_equal(end_of(a), -ECANCELED);
    assert_int_equal(end_of(b), 0);
}

static void thrown_away_with_the_loop(void **state) /* S143 */
{
    struct world *world = *state;
    struct world other;
    aloop_limiter limiter = ALOOP_LIMITER_INIT(1);
    aloop_task *a, *b;

    world_open(&other, NULL);
    a = borrow(&other, &limiter, "a", ALOOP_NEVER);
    b = borrow(&other, &limiter, "b", ALOOP_NEVER);
    assert_int_equal(aloop_run_in(world->loop, tries, .limiter = &limiter), -ALOOP_EWRONGLOOP);
    assert_int_equal(aloop_close(other.loop), 0);
    assert_int_equal(aloop_limiter_borrowed(&limiter), 0);
    aloop_task_unref(a);
    aloop_task_unref(b);
    world_close(&other);
    assert_int_equal(aloop_run_in(world->loop, tries, .limiter = &limiter), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(so_many_at_a_time),           TEST(one_for_each_task),         TEST(another_total),
        TEST(cancelled_after_it_was_lent), TEST(thrown_away_with_the_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
