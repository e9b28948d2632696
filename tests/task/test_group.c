/* Groups of tasks: S123 to S135, P111 and P115; each way for a coroutine to end with one open. */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define UNTOUCHED 77

static void cancel_task(aloop *loop, void *arg)
{
    (void)loop;
    (void)aloop_task_cancel(arg);
}

static void at(struct world *world, aloop_ns delay, aloop_task *task)
{
    assert_true(aloop_call_later(world->loop, delay, cancel_task, task) > 0);
}

/* Sleeps, then fails or returns. */
struct child {
    ALOOP_FRAME;
    aloop_ns delay;
    int64_t outcome;
    aloop_group *group; /* if not NULL: starts another child there when it is about to end */
    int more;           /* how many generations */
    struct world *world;
};

ALOOP_CORO(child)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_sleep(self->delay));
    if (self->more > 0)
        ALOOP_TRY(aloop_group_start(self->group, child, .delay = self->delay,
                                    .outcome = self->outcome, .group = self->group,
                                    .more = self->more - 1, .world = self->world));
    if (self->world != NULL)
        world_mark(self->world, "child");
    ALOOP_RETURN(self->outcome);
    ALOOP_END;
}

/* A coroutine with a group of up to three children with these delays and outcomes (delay 0: not
   that one). It does something else meanwhile, if it is to, and then waits for them. */
struct parent {
    ALOOP_FRAME;
    aloop_group group;
    aloop_ns delays[3];
    int64_t outcomes[3];
    aloop_ns busy;   /* sleeps so long first */
    int64_t *body;   /* of that sleep */
    int64_t *waited; /* of waiting */
    int64_t *after;  /* of a sleep(0) behind it */
    int64_t errors[3];
    size_t *error_count;
    int64_t *errors_out;
    int i;
    bool no_wait;    /* returns instead */
    int64_t outcome; /* what then */
};

ALOOP_CORO(parent)
{
    ALOOP_BEGIN;
    aloop_group_init(&self->group);
    for (self->i = 0; self->i < 3; self->i++) {
        if (self->delays[self->i] != 0)
            ALOOP_TRY(aloop_group_start(&self->group, child, .delay = self->delays[self->i],
                                        .outcome = self->outcomes[self->i]));
    }
    if (self->busy > 0) {
        ALOOP_AWAIT(aloop_sleep(self->busy));
        if (self->body != NULL)
            *self->body = self->result;
    }
    if (self->no_wait)
        ALOOP_RETURN(self->outcome);
    ALOOP_AWAIT(aloop_group_wait(&self->group));
    if (self->waited != NULL)
        *self->waited = self->result;
    if (self->error_count != NULL)
        *self->error_count = aloop_group_errors(&self->group, self->errors_out, 3);
    if (self->after != NULL) {
        ALOOP_AWAIT(aloop_sleep(0));
        *self->after = self->result;
    }
    ALOOP_END;
}

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

/* --- the handshake --- */

struct server {
    ALOOP_FRAME;
    aloop_ns starting;
    int64_t word;     /* < 0: says nothing */
    aloop_ns running; /* < 0: ends in the same step */
    int64_t outcome;
    int64_t *answers; /* of saying so before, and twice */
};

ALOOP_CORO(server)
{
    ALOOP_BEGIN;
    if (self->starting > 0)
        ALOOP_TRY(aloop_sleep(self->starting));
    if (self->word >= 0) {
        int64_t answers[2];

        answers[0] = aloop_started(self->word);
        answers[1] = aloop_started(self->word);
        if (self->answers != NULL) {
            self->answers[0] = answers[0];
            self->answers[1] = answers[1];
        }
    }
    if (self->running >= 0)
        ALOOP_TRY(aloop_sleep(self->running));
    ALOOP_RETURN(self->outcome);
    ALOOP_END;
}

struct starter {
    ALOOP_FRAME;
    aloop_group group;
    struct server server;
    aloop_ns limit; /* 0: none */
    int64_t *out;   /* of starting, when, of waiting */
};

ALOOP_CORO(starter)
{
    ALOOP_BEGIN;
    aloop_group_init(&self->group);
    ALOOP_AWAIT(aloop_wait_for(
        aloop_group_start_and_wait(&self->group, server, .starting = self->server.starting,
                                   .word = self->server.word, .running = self->server.running,
                                   .outcome = self->server.outcome,
                                   .answers = self->server.answers),
        self->limit > 0 ? self->limit : ALOOP_SEC(1)));
    self->out[0] = self->result;
    self->out[1] = aloop_time(aloop_get_running_loop());
    ALOOP_AWAIT(aloop_group_wait(&self->group));
    self->out[2] = self->result;
    ALOOP_END;
}

static void starting_and_waiting(void **state)
{
    static const struct {
        struct server server;
        aloop_ns limit;
        int64_t expected[3];
        aloop_ns end;
    } cases[] = {
        {{.starting = 5, .word = 9, .running = 10}, 0, {9, 5, 0}, 15},
        {{.starting = 0, .word = 9, .running = 10}, 0, {9, 0, 0}, 10},
        /* It says so and ends, or fails, in the same step: the word still arrives. The record of
           the child was freed before it was read. */
        {{.starting = 5, .word = 9, .running = -1}, 0, {9, 5, 0}, 5},
        {{.starting = 5, .word = 9, .running = -1, .outcome = -EPIPE}, 0, {9, 5, -EPIPE}, 5},
        {{.starting = 5, .word = 9, .running = 1, .outcome = -EPIPE}, 0, {9, 5, -EPIPE}, 6},
        /* Without a word. */
        {{.starting = 5, .word = -1, .running = -1}, 0, {-EPROTO, 5, 0}, 5},
        {{.starting = 5, .word = -1, .running = -1, .outcome = -EPIPE}, 0, {-EPIPE, 5, 0}, 5},
        {{.starting = 50, .word = 9, .running = 1}, 8, {-ETIMEDOUT, 8, 0}, 8},
    };
    struct world *world = *state;
    int64_t answers[2] = {0, 0};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        aloop_ns start = aloop_time(world->loop);
        int64_t out[3] = {UNTOUCHED, UNTOUCHED, UNTOUCHED};
        struct server server = cases[i].server;

        server.answers = answers;
        aloop_task_unref(aloop_create_task_in(world->loop, starter, .server = server,
                                              .limit = cases[i].limit, .out = out));
        world_drain(world);
        assert_int_equal(out[0], cases[i].expected[0]);
        assert_int_equal(out[1], start + cases[i].expected[1]);
        assert_int_equal(out[2], cases[i].expected[2]);
        assert_int_equal(aloop_time(world->loop), start + cases[i].end);
    }
    assert_int_equal(answers[0], 0);
    assert_int_equal(answers[1], -EINVAL);
    assert_int_equal(aloop_started(1), -EINVAL);
    assert_int_equal(world->reports, 0);
}

static void starting_is_cancelled(void **state)
{
    struct world *world = *state;
    int64_t out[3] = {UNTOUCHED, UNTOUCHED, UNTOUCHED};
    aloop_task *task = aloop_create_task_in(world->loop, starter, .out = out,
                                            .server = {.starting = 50, .word = 1});

    at(world, 5, task);
    world_drain(world);
    assert_int_equal(out[0], -ECANCELED);
    assert_int_equal(out[2], 0);
    assert_int_equal(aloop_time(world->loop), 5);
    aloop_task_unref(task);

    /* In the turn of the child's word. */
    for (aloop_ns running = -1; running < 5; running += 5) {
        task = aloop_create_task_in(world->loop, starter, .out = out,
                                    .server = {.starting = 10, .word = 1, .running = running});
        out[0] = UNTOUCHED;
        at(world, 10, task);
        world_drain(world);
        assert_true(out[0] == -ECANCELED || out[0] == 1);
        aloop_task_unref(task);
    }
}

struct heedless {
    ALOOP_FRAME;
    int64_t outcome;
};

/* Is cancelled, and says that it is ready all the same. */
ALOOP_CORO(heedless)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_sleep(50));
    if (self->outcome >= 0)
        (void)aloop_started(4);
    ALOOP_RETURN(self->outcome);
    ALOOP_END;
}

struct heedful {
    ALOOP_FRAME;
    aloop_group group;
    int64_t outcome;
    int64_t *out;
};

ALOOP_CORO(heedful)
{
    ALOOP_BEGIN;
    aloop_group_init(&self->group);
    ALOOP_AWAIT(aloop_group_start_and_wait(&self->group, heedless, .outcome = self->outcome));
    self->out[0] = self->result;
    ALOOP_AWAIT(aloop_sleep(0));
    self->out[1] = self->result;
    ALOOP_END;
}

/* The word of a child that swallows its cancellation does not swallow that of who started it, nor
   does its error. */
static void starting_is_cancelled_in_vain(void **state) /* P110 */
{
    struct world *world = *state;

    for (int fails = 0; fails < 2; fails++) {
        int64_t out[2] = {UNTOUCHED, UNTOUCHED};
        aloop_task *task =
            aloop_create_task_in(world->loop, heedful, .out = out, .outcome = fails ? -EPIPE : 0);

        at(world, 5, task);
        world_drain(world);
        assert_int_equal(out[0], fails ? -EPIPE : -ECANCELED);
        assert_int_equal(out[1], fails ? -ECANCELED : 0);
        aloop_task_unref(task);
    }
}

/* A sibling, and a stranger to the group, start a child that fails or ends as the loop is closed,
   or as the group ends: they still look at the record of the child. */
struct sibling {
    ALOOP_FRAME;
    aloop_group *group;
    struct server server;
    int64_t *out;
};

ALOOP_CORO(sibling)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_group_start_and_wait(
        self->group, server, .starting = self->server.starting, .word = self->server.word,
        .running = self->server.running, .outcome = self->server.outcome));
    *self->out = self->result;
    ALOOP_END;
}

struct landlord {
    ALOOP_FRAME;
    aloop_group group;
    aloop_group **where;
    struct server server; /* of a sibling, if its word is not 0 */
    aloop_ns busy;
    int64_t *out;
};

ALOOP_CORO(landlord)
{
    ALOOP_BEGIN;
    aloop_group_init(&self->group);
    *self->where = &self->group;
    if (self->server.word != 0)
        ALOOP_TRY(aloop_group_start(&self->group, sibling, .group = &self->group,
                                    .server = self->server, .out = self->out));
    ALOOP_AWAIT(aloop_sleep(self->busy));
    ALOOP_END;
}

static void a_sibling_starts_one_when_the_loop_is_closed(void **state)
{
    struct world *world = *state;
    aloop_group *group;
    int64_t out = UNTOUCHED;

    aloop_task_unref(aloop_create_task_in(world->loop, landlord, .where = &group, .out = &out,
                                          .server = {.starting = 50, .word = 3}, .busy = 100));
    world_turns(world, 4);
    assert_int_equal(aloop_close(world->loop), 0);
    assert_int_equal(out, UNTOUCHED);
    assert_int_equal(world->reports, 3);
}

static void a_stranger_starts_one_and_the_group_ends(void **state)
{
    static const struct server servers[] = {
        {.starting = 9, .word = 3, .running = -1},
        {.starting = 9, .word = 3, .running = -1, .outcome = -EPIPE},
        {.starting = 9, .word = -1, .running = -1, .outcome = -EPIPE},
        {.starting = 50, .word = 3, .running = -1},
    };
    struct world *world = *state;

    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++) {
        static const int64_t expected[] = {3, 3, -EPIPE, -ECANCELED};
        aloop_group *group;
        int64_t out = UNTOUCHED;

        aloop_task_unref(aloop_create_task_in(world->loop, landlord, .where = &group, .busy = 10));
        world_turns(world, 1);
        aloop_task_unref(aloop_create_task_in(world->loop, sibling, .group = group,
                                              .server = servers[i], .out = &out));
        world_drain(world);
        assert_int_equal(out, expected[i]);
    }
}

/* --- who may wait --- */

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
    aloop_task_unref(aloop_create_task_in(world->loop, starter, .out = out,
                                          .server = {.starting = 50, .word = 1}));
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
    ALOOP_TRY(aloop_group_start_and_wait(&self->group, server, .starting = 2, .word = 1));
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
            world.memory.persistent = persistent;
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
        TEST(waits_for_all),
        TEST(children_start_children),
        TEST(the_first_failure_cancels),
        TEST(a_failure_in_the_turn_of_a_completion),
        TEST(a_cancelled_child_is_no_failure),
        TEST(ending_with_an_open_group),
        TEST(all_errors_are_listed),
        TEST(cancelled_from_outside),
        TEST(errors_and_a_cancellation),
        TEST(errors_and_a_cancellation_in_one_turn),
        TEST(nested_groups),
        TEST(children_are_refused),
        TEST(a_child_that_fails_at_once),
        TEST(cancelled_as_a_group),
        TEST(cancelled_as_a_group_and_from_outside),
        TEST(starting_and_waiting),
        TEST(starting_is_cancelled),
        TEST(starting_is_cancelled_in_vain),
        TEST(a_sibling_starts_one_when_the_loop_is_closed),
        TEST(a_stranger_starts_one_and_the_group_ends),
        TEST(only_its_coroutine_waits),
        TEST(open_in_the_cleanup),
        TEST(opened_in_the_cleanup),
        TEST(a_limit_around_groups_in_groups),
        TEST(closing_the_loop),
        TEST(shutting_down),
        cmocka_unit_test(out_of_memory),
        TEST(steady_groups_allocate_nothing),
#undef TEST
    };

    return cmocka_run_group_tests_name("group", tests, NULL, NULL);
}
