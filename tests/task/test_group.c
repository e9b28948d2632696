/* Groups of tasks: S123 to S133, P111 and P115: what becomes of the children, and of the coroutine
   that has opened the group. */
#include "group_family.h"

static void waits_for_all(void **state) /* S123 */
{
    struct world *world = *state;
    int64_t waited = UNTOUCHED, after = UNTOUCHED;
    aloop_task *task = aloop_create_task_in(world->loop, parent, .delays = {5, 30, 10},
                                            .waited = &waited, .after = &after);

    world_drain(world);
    assert_int_equal(waited, 0);
    assert_int_equal(after, 0);
    assert_int_equal(aloop_time(world->loop), 30);
    assert_int_equal(aloop_task_result(task), 0);
    aloop_task_unref(task);
}

struct grower {
    ALOOP_FRAME;
    aloop_group group;
    struct world *world;
};

ALOOP_CORO(grower)
{
    ALOOP_BEGIN;
    aloop_group_init(&self->group);
    ALOOP_TRY(aloop_group_start(&self->group, child, .delay = 10, .group = &self->group, .more = 3,
                                .world = self->world));
    ALOOP_TRY(aloop_group_wait(&self->group));
    if (aloop_group_count(&self->group) != 0)
        ALOOP_RETURN(-EIO);
    ALOOP_END;
}

static void children_start_children(void **state) /* S123 */
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, grower, .world = world);

    world_drain(world);
    assert_int_equal(aloop_task_result(task), 0);
    assert_int_equal(aloop_time(world->loop), 40);
    assert_string_equal(world->log, "child child child child ");
    aloop_task_unref(task);
}

/* The others are cancelled, and what the coroutine is doing; that is no request to cancel it. */
static void the_first_failure_cancels(void **state) /* S124, S131 */
{
    struct world *world = *state;
    int64_t body = UNTOUCHED, waited = UNTOUCHED, after = UNTOUCHED;
    aloop_task *task = aloop_create_task_in(world->loop, parent, .delays = {50, 10, 90},
                                            .outcomes = {0, -EPIPE, 0}, .busy = 100, .body = &body,
                                            .waited = &waited, .after = &after);

    world_drain(world);
    assert_int_equal(body, -ECANCELED);
    assert_int_equal(waited, -EPIPE);
    assert_int_equal(after, 0);
    assert_int_equal(aloop_task_cancelling(task), 0);
    assert_int_equal(aloop_time(world->loop), 10);
    aloop_task_unref(task);

    task = aloop_create_task_in(world->loop, parent, .delays = {50, 10, 90},
                                .outcomes = {0, -EPIPE, 0}, .waited = &waited, .after = &after);
    world_drain(world);
    assert_int_equal(waited, -EPIPE);
    assert_int_equal(after, 0);
    assert_int_equal(aloop_time(world->loop), 20);
    aloop_task_unref(task);
}

/* The child fails in the turn in which what its parent is doing completes: that counts, and the
   failure is no news when the parent then waits for the group. Delivering it there lost the
   error. */
static void a_failure_in_the_turn_of_a_completion(void **state) /* S124, S131 */
{
    struct world *world = *state;
    int64_t body = UNTOUCHED, waited = UNTOUCHED, after = UNTOUCHED;
    aloop_task *task =
        aloop_create_task_in(world->loop, parent, .delays = {10}, .busy = 10, .outcomes = {-EPIPE},
                             .body = &body, .waited = &waited, .after = &after);

    world_drain(world);
    assert_true(body == 0 || body == -ECANCELED);
    assert_int_equal(waited, -EPIPE);
    assert_int_equal(after, 0);
    aloop_task_unref(task);
}

static void a_cancelled_child_is_no_failure(void **state) /* S125 */
{
    struct world *world = *state;
    int64_t waited = UNTOUCHED;
    size_t count = UNTOUCHED;
    int64_t errors[3];

    aloop_task_unref(aloop_create_task_in(world->loop, parent, .delays = {10, 20, 30},
                                          .outcomes = {-ECANCELED, 0, 0}, .waited = &waited,
                                          .error_count = &count, .errors_out = errors));
    world_drain(world);
    assert_int_equal(waited, 0);
    assert_int_equal(count, 0);
    assert_int_equal(aloop_time(world->loop), 30);
}

/* The coroutine ends with the group open: its own error comes first, then the children's, then what
   it returns. */
static void ending_with_an_open_group(void **state) /* S126 */
{
    static const struct {
        int64_t outcome;
        int64_t child;
        int64_t expected;
    } cases[] = {{5, 0, 5}, {-EIO, 0, -EIO}, {-EIO, -EPIPE, -EIO}, {5, -EPIPE, -EPIPE}, {0, 3, 0}};
    struct world *world = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        aloop_ns start = aloop_time(world->loop);
        int64_t body = UNTOUCHED;
        aloop_task *task = aloop_create_task_in(
            world->loop, parent, .delays = {10, 100}, .outcomes = {cases[i].child}, .busy = 20,
            .body = &body, .no_wait = true, .outcome = cases[i].outcome);

        world_drain(world);
        assert_int_equal(aloop_task_result(task), cases[i].expected);
        assert_int_equal(body, cases[i].child < 0 ? -ECANCELED : 0);
        assert_int_equal(aloop_time(world->loop), start + (cases[i].child < 0 ? 10 : 20));
        aloop_task_unref(task);
    }
    assert_int_equal(world->reports, 0);
}

struct late_failure {
    ALOOP_FRAME;
    int64_t error;
};

/* Cancelled, it fails instead. */
ALOOP_CORO(late_failure)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_sleep(ALOOP_NEVER));
    ALOOP_AWAIT(aloop_sleep(1));
    ALOOP_RETURN(self->error);
    ALOOP_END;
}

struct collector {
    ALOOP_FRAME;
    aloop_group group;
    int64_t *errors;
    size_t *count;
    int i;
};

ALOOP_CORO(collector)
{
    ALOOP_BEGIN;
    aloop_group_init(&self->group);
    for (self->i = 1; self->i <= 3; self->i++)
        ALOOP_TRY(aloop_group_start(&self->group, late_failure, .error = -self->i));
    ALOOP_TRY(aloop_group_start(&self->group, child, .delay = 5, .outcome = -EPIPE));
    ALOOP_AWAIT(aloop_group_wait(&self->group));
    self->count[0] = aloop_group_errors(&self->group, self->errors, 2);
    self->count[1] = aloop_group_errors(&self->group, self->errors, 8);
    aloop_group_init(&self->group);
    self->count[2] = aloop_group_errors(&self->group, NULL, 0);
    ALOOP_END;
}

static void all_errors_are_listed(void **state) /* S127 */
{
    static const int64_t expected[] = {-EPIPE, -1, -2, -3};
    struct world *world = *state;
    int64_t errors[8] = {0};
    size_t count[3];

    aloop_task_unref(
        aloop_create_task_in(world->loop, collector, .errors = errors, .count = count));
    world_drain(world);
    assert_int_equal(count[0], 4);
    assert_int_equal(count[1], 4);
    assert_int_equal(count[2], 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(errors[i], expected[i]);
    assert_int_equal(errors[4], 0);
}

struct tidy_parent {
    ALOOP_FRAME;
    aloop_group group;
    struct world *world;
    int64_t *waited;
    int64_t *after;
};

ALOOP_CORO(tidy_parent)
{
    ALOOP_BEGIN;
    aloop_group_init(&self->group);
    for (int i = 0; i < 2; i++)
        (void)aloop_group_create_task(&self->group, tidy, .delay = 100, .cleanup = 10,
                                      .world = self->world);
    ALOOP_AWAIT(aloop_group_wait(&self->group));
    *self->waited = self->result;
    ALOOP_AWAIT(aloop_sleep(0));
    *self->after = self->result;
    ALOOP_END;
}

/* However often it is asked to end, it does not end before its children. */
static void cancelled_from_outside(void **state) /* S128 */
{
    struct world *world = *state;
    int64_t waited = UNTOUCHED, after = UNTOUCHED;
    aloop_task *task = aloop_create_task_in(world->loop, tidy_parent, .world = world,
                                            .waited = &waited, .after = &after);

    for (int i = 0; i < 3; i++)
        at(world, 5 + i, task);
    world_drain(world);
    assert_int_equal(waited, -ECANCELED);
    assert_int_equal(after, 0);
    assert_int_equal(aloop_task_cancelling(task), 3);
    assert_string_equal(world->log, "cleaned cleaned ");
    assert_int_equal(aloop_time(world->loop), 15);
    aloop_task_unref(task);
}

struct both_parent {
    ALOOP_FRAME;
    aloop_group group;
    int64_t *waited;
    int64_t *after;
};

ALOOP_CORO(both_parent)
{
    ALOOP_BEGIN;
    aloop_group_init(&self->group);
    ALOOP_TRY(aloop_group_start(&self->group, late_failure, .error = -EPIPE));
    ALOOP_AWAIT(aloop_group_wait(&self->group));
    *self->waited = self->result;
    ALOOP_AWAIT(aloop_sleep(0));
    *self->after = self->result;
    ALOOP_AWAIT(aloop_sleep(0));
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

/* Errors beat the cancellation, and it is not lost: the next await gets it, once. */
static void errors_and_a_cancellation(void **state) /* S129, P111 */
{
    struct world *world = *state;
    int64_t waited = UNTOUCHED, after = UNTOUCHED;
    aloop_task *task =
        aloop_create_task_in(world->loop, both_parent, .waited = &waited, .after = &after);

    at(world, 5, task);
    world_drain(world);
    assert_int_equal(waited, -EPIPE);
    assert_int_equal(after, -ECANCELED);
    assert_int_equal(aloop_task_cancelling(task), 1);
    assert_int_equal(aloop_task_result(task), 0);
    aloop_task_unref(task);
}

/* The same when the last child has ended in that very turn, and its parent has not yet heard: the
   cancellation is told to whatever it is in. */
static void errors_and_a_cancellation_in_one_turn(void **state) /* S129, P111 */
{
    (void)state;
    for (aloop_ns busy = 0; busy <= 20; busy += 10) {
        struct world world;
        int64_t body = 0, waited = UNTOUCHED, after = UNTOUCHED;
        aloop_task *task;

        world_open(&world, NULL);
        task =
            aloop_create_task_in(world.loop, parent, .delays = {10}, .outcomes = {-EPIPE},
                                 .busy = busy, .body = &body, .waited = &waited, .after = &after);
        while (aloop_time(world.loop) == 0 || aloop_all_tasks(world.loop, NULL, 0) > 1)
            assert_true(aloop_run_once(world.loop, ALOOP_NEVER) >= 0);
        assert_int_equal(waited, UNTOUCHED);
        assert_true(aloop_task_cancel(task));
        world_drain(&world);
        assert_int_equal(waited, -EPIPE);
        assert_true((body == -ECANCELED) != (after == -ECANCELED));
        aloop_task_unref(task);
        world_close(&world);
    }
}

struct outer_parent {
    ALOOP_FRAME;
    aloop_group outer;
    aloop_group inner;
    aloop_ns inner_fails;
    aloop_ns outer_fails;
    int64_t *out;
};

ALOOP_CORO(outer_parent)
{
    ALOOP_BEGIN;
    aloop_group_init(&self->outer);
    ALOOP_TRY(aloop_group_start(&self->outer, child, .delay = self->outer_fails, .outcome = -1));
    aloop_group_init(&self->inner);
    ALOOP_TRY(aloop_group_start(&self->inner, child, .delay = self->inner_fails, .outcome = -2));
    ALOOP_AWAIT(aloop_sleep(1000));
    self->out[0] = self->result;
    ALOOP_AWAIT(aloop_group_wait(&self->inner));
    self->out[1] = self->result;
    ALOOP_AWAIT(aloop_sleep(20));
    self->out[2] = self->result;
    ALOOP_AWAIT(aloop_group_wait(&self->outer));
    self->out[3] = self->result;
    ALOOP_AWAIT(aloop_sleep(0));
    self->out[4] = self->result;
    ALOOP_END;
}

/* Nested groups each answer for their own children. */
static void nested_groups(void **state) /* S130, S131 */
{
    static const struct {
        aloop_ns inner;
        aloop_ns outer;
        int64_t expected[5];
    } cases[] = {
        {5, 500, {-ECANCELED, -2, 0, -1, 0}},
        /* The inner one does not cancel the outer one's wait for it, the outer one does. */
        {500, 5, {-ECANCELED, 0, 0, -1, 0}},
        {5, 5, {-ECANCELED, -2, -ECANCELED, -1, 0}},
        {5, 10, {-ECANCELED, -2, -ECANCELED, -1, 0}},
    };
    struct world *world = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t out[5] = {0};
        aloop_task *task =
            aloop_create_task_in(world->loop, outer_parent, .inner_fails = cases[i].inner,
                                 .outer_fails = cases[i].outer, .out = out);

        world_drain(world);
        for (int k = 0; k < 5; k++) {
            /* The outer one's children go on while the inner one is waited for: cancelled by it,
               that wait ends with no error of its own. */
            if (i == 1 && k == 1)
                assert_true(out[k] == -2 || out[k] == 0 || out[k] == -ECANCELED);
            else
                assert_int_equal(out[k], cases[i].expected[k]);
        }
        assert_int_equal(aloop_task_cancelling(task), 0);
        assert_int_equal(aloop_task_result(task), 0);
        aloop_task_unref(task);
    }
}

struct refused {
    ALOOP_FRAME;
    aloop_group group;
    aloop_task *task;
    int64_t *out;
};

ALOOP_CORO(refused)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_group_start(&self->group, sleeper));
    self->out[0] = self->result;
    ALOOP_AWAIT(aloop_group_wait(&self->group));
    self->out[1] = self->result;
    aloop_group_init(&self->group);
    aloop_group_init(&self->group);
    ALOOP_AWAIT(aloop_group_start(&self->group, child, .delay = 1, .outcome = -EPIPE));
    self->out[2] = self->result;
    ALOOP_AWAIT(aloop_sleep(10));
    self->out[3] = self->result;
    ALOOP_AWAIT(aloop_group_start(&self->group, sleeper));
    self->out[4] = self->result;
    ALOOP_AWAIT(aloop_group_start_and_wait(&self->group, sleeper));
    self->out[5] = self->result;
    ALOOP_AWAIT(aloop_join(aloop_group_create_task(&self->group, sleeper)));
    self->out[6] = self->result;
    ALOOP_AWAIT(aloop_group_wait(&self->group));
    self->out[7] = self->result;
    ALOOP_AWAIT(aloop_group_start(&self->group, sleeper));
    self->out[8] = self->result;
    ALOOP_AWAIT(aloop_group_wait(&self->group));
    self->out[9] = self->result;
    /* It can be opened again. */
    aloop_group_init(&self->group);
    ALOOP_AWAIT(aloop_group_start(&self->group, sleeper));
    self->out[10] = self->result;
    ALOOP_AWAIT(aloop_group_wait(&self->group));
    self->out[11] = self->result;
    ALOOP_END;
}

/* Before it is opened, while it is ending, and after; nothing is left of the child. */
static void children_are_refused(void **state) /* S132, P115 */
{
    static const int64_t expected[] = {-EINVAL,    -EINVAL,    0,          -ECANCELED,
                                       -ECANCELED, -ECANCELED, -ECANCELED, -EPIPE,
                                       -EINVAL,    -EINVAL,    0,          0};
    struct world *world = *state;
    int64_t out[12] = {0};
    aloop_group never = {.child_count = 0};

    aloop_group_init(&never);
    aloop_group_cancel(&never);
    assert_int_equal(aloop_group_errors(&never, NULL, 0), 0);
    assert_int_equal(aloop_task_result(aloop_group_create_task(&never, sleeper)), -EINVAL);
    aloop_task_unref(aloop_create_task_in(world->loop, refused, .out = out));
    world_drain(world);
    for (int i = 0; i < 12; i++)
        assert_int_equal(out[i], expected[i]);
}

static aloop_poll at_once(aloop_task *task, aloop_op *op)
{
    (void)task;
    return op->arg[0].number;
}

struct quick_parent {
    ALOOP_FRAME;
    aloop_group group;
    int64_t *out;
};

ALOOP_CORO(quick_parent)
{
    ALOOP_BEGIN;
    aloop_group_init(&self->group);
    ALOOP_AWAIT(aloop_group_start(&self->group, child, .outcome = -EPIPE));
    ALOOP_AWAIT((aloop_op){.poll = at_once, .arg = {{.number = 3}}});
    self->out[0] = self->result;
    ALOOP_AWAIT(aloop_sleep(50));
    self->out[1] = self->result;
    ALOOP_AWAIT(aloop_group_wait(&self->group));
    self->out[2] = self->result;
    ALOOP_END;
}

/* A child fails in its first step: its creator hears at an await that waits, not in the call. */
static void a_child_that_fails_at_once(void **state) /* S133 */
{
    struct world *world = *state;
    int64_t out[3] = {0};

    aloop_task_unref(aloop_create_task_in(world->loop, quick_parent, .out = out));
    world_drain(world);
    assert_int_equal(out[0], 3);
    assert_int_equal(out[1], -ECANCELED);
    assert_int_equal(out[2], -EPIPE);
}

struct stranger {
    ALOOP_FRAME;
    aloop_group *group;
    int64_t *out;
};

ALOOP_CORO(stranger)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_group_wait(self->group));
    *self->out = self->result;
    ALOOP_END;
}

struct lender {
    ALOOP_FRAME;
    aloop_group group;
    int64_t *out;
};

ALOOP_CORO(lender)
{
    ALOOP_BEGIN;
    aloop_group_init(&self->group);
    ALOOP_TRY(
        aloop_group_start(&self->group, stranger, .group = &self->group, .out = &self->out[0]));
    ALOOP_TRY(aloop_call(stranger, .group = &self->group, .out = &self->out[1]));
    ALOOP_TRY(aloop_group_wait(&self->group));
    ALOOP_END;
}

static void only_its_coroutine_waits(void **state)
{
    struct world *world = *state;
    int64_t out[2] = {0, 0};
    aloop_task *task = aloop_create_task_in(world->loop, lender, .out = out);

    world_drain(world);
    assert_int_equal(out[0], -EPERM);
    assert_int_equal(out[1], -EPERM);
    assert_int_equal(aloop_task_result(task), 0);
    aloop_task_unref(task);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
        TEST(waits_for_all),
        TEST(children_start_children),
        TEST(the_first_failure_cancels),
        TEST(a_failure_in_the_turn_of_a_completion),
        TEST(a_cancelled_child_is_no_failure),
        TEST(ending_with_an_open_group),
        TEST(all_errors_are_listed),
        TEST(cancelled_from_outside),
        TEST(errors_and_a_cancellation),
        cmocka_unit_test(errors_and_a_cancellation_in_one_turn),
        TEST(nested_groups),
        TEST(children_are_refused),
        TEST(a_child_that_fails_at_once),
        TEST(only_its_coroutine_waits),
#undef TEST
    };

    return cmocka_run_group_tests_name("group", tests, NULL, NULL);
}
