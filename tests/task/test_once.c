#include "awaiter.h"

struct inits {
    ALOOP_FRAME;
    struct world *world;
    aloop_once *once;
    aloop_hold turn;
    aloop_hold second;
    aloop_ns delay;
    int64_t error;
    bool gives_up;
};

ALOOP_CORO(inits)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_once_begin(self->once, &self->turn));
    if (self->result == 0) {
        world_mark(self->world, "done");
        ALOOP_RETURN(0);
    }
    world_mark(self->world, "begin");
    assert_false(aloop_once_is_done(self->once));
    ALOOP_AWAIT(aloop_once_begin(self->once, &self->turn));
    assert_int_equal(self->result, -EDEADLK);
    ALOOP_AWAIT(aloop_once_begin(self->once, &self->second));
    assert_int_equal(self->result, -EDEADLK);
    ALOOP_TRY(aloop_sleep(self->delay));
    if (self->error < 0)
        ALOOP_RETURN(self->error);
    if (self->gives_up) {
        assert_int_equal(aloop_hold_release(&self->turn), 0);
        ALOOP_RETURN(2);
    }
    assert_int_equal(aloop_once_done(&self->second), -EPERM);
    assert_int_equal(aloop_once_done(&self->turn), 0);
    assert_int_equal(aloop_once_done(&self->turn), -EPERM);
    world_mark(self->world, "end");
    ALOOP_RETURN(1);
    ALOOP_END;
}

#define INIT(...)                                                                                  \
    aloop_create_task_in(world->loop, inits, .world = world, .once = &once, __VA_ARGS__)

static void the_first_does_it(void **state)
{
    struct world *world = *state;
    static aloop_once once; /* all zero is one that nobody has begun */
    aloop_task *a = INIT(.delay = 5);
    aloop_task *b = INIT(.delay = 5);
    aloop_task *c = INIT(.delay = 5);

    world_drain(world);
    assert_log(world, "begin end done done ");
    assert_true(aloop_once_is_done(&once));
    assert_int_equal(aloop_time(world->loop), 5);
    assert_int_equal(end_of(a), 1);
    assert_int_equal(end_of(b), 0);
    assert_int_equal(end_of(c), 0);
    a = INIT(.delay = 5);
    world_turns(world, 1);
    assert_log(world, "done ");
    assert_int_equal(end_of(a), 0);
}

static void after_a_failure_the_next_tries(void **state)
{
    struct world *world = *state;
    aloop_once once = {.state = 0};
    aloop_task *a = INIT(.delay = 5, .error = -EIO);
    aloop_task *b = INIT(.delay = 5, .gives_up = true);
    aloop_task *c = INIT(.delay = 5);
    aloop_task *d = INIT(.delay = 5);

    world_drain(world);
    assert_log(world, "begin begin begin end done ");
    assert_int_equal(end_of(a), -EIO);
    assert_int_equal(end_of(b), 2);
    assert_int_equal(end_of(c), 1);
    assert_int_equal(end_of(d), 0);
    /* With nobody waiting it is as if it had never begun. */
    once = (aloop_once){.state = 0};
    a = INIT(.error = -EIO);
    world_drain(world);
    b = INIT(.delay = 5);
    world_drain(world);
    assert_log(world, "begin begin end ");
    aloop_task_unref(a);
    assert_int_equal(end_of(b), 1);
}

static void cancelled(void **state)
{
    struct world *world = *state;
    aloop_once once = {.state = 0};
    aloop_task *a = INIT(.delay = 5);
    aloop_task *b = INIT(.delay = 5);
    aloop_task *c = INIT(.delay = 5);

    world_turns(world, 1);
    aloop_task_cancel(a);
    world_turns(world, 1);
    /* The turn was handed to the second, which is cancelled before it hears of it. P108 */
    aloop_task_cancel(b);
    world_drain(world);
    assert_log(world, "begin begin end ");
    assert_int_equal(end_of(a), -ECANCELED);
    assert_int_equal(end_of(b), -ECANCELED);
    assert_int_equal(end_of(c), 1);
}

static void thrown_away_with_the_loop(void **state) /* S143 */
{
    struct world *world = *state;
    struct world other;
    aloop_once once = {.state = 0};
    aloop_task *a, *b, *c;

    world_open(&other, NULL);
    a = aloop_create_task_in(other.loop, inits, .world = &other, .once = &once,
                             .delay = ALOOP_NEVER);
    b = aloop_create_task_in(other.loop, inits, .world = &other, .once = &once);
    world_turns(&other, 1);
    c = INIT(.delay = 0);
    world_turns(world, 1);
    assert_int_equal(end_of(c), -ALOOP_EWRONGLOOP);
    assert_int_equal(aloop_close(other.loop), 0);
    aloop_task_unref(a);
    aloop_task_unref(b);
    world_close(&other);
    c = INIT(.delay = 0);
    world_drain(world);
    assert_log(world, "begin end ");
    assert_int_equal(end_of(c), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_does_it),
        TEST(after_a_failure_the_next_tries),
        TEST(cancelled),
        TEST(thrown_away_with_the_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
