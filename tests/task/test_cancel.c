#include "world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Sleeps in a loop, and logs each outcome by a letter: "." slept, "x" cancelled. Ends by itself
   after `count` sleeps. */
struct sturdy {
    ALOOP_FRAME;
    struct world *world;
    int count;
};

ALOOP_CORO(sturdy)
{
    ALOOP_BEGIN;
    for (; self->count > 0; self->count--) {
        ALOOP_AWAIT(aloop_sleep(10));
        world_mark(self->world, self->result == 0 ? "." : "x");
    }
    ALOOP_RETURN(77);
    ALOOP_END;
}

static void what_it_awaits_is_cancelled(void **state) /* S70 */
{
    struct world *world = *state;
    aloop_future *future = aloop_create_future(world->loop);
    aloop_task *task = aloop_create_task_in(world->loop, joiner, .future = future);

    world_turns(world, 1);
    assert_true(aloop_task_cancel(task));
    assert_true(aloop_future_cancelled(future));
    assert_false(aloop_task_done(task));
    world_turns(world, 1);
    assert_true(aloop_task_cancelled(task));
    assert_int_equal(aloop_task_result(task), -ECANCELED);
    aloop_task_unref(task);
    aloop_future_unref(future);
}

static void along_a_chain_of_tasks(void **state) /* S70 */
{
    struct world *world = *state;
    aloop_task *last =
        aloop_create_task_in(world->loop, tidy, .delay = 100, .cleanup = 5, .world = world);
    aloop_task *middle = aloop_create_task_in(
        world->loop, joiner, .future = aloop_task_future(last), .world = world, .word = "middle");
    aloop_task *first = aloop_create_task_in(
        world->loop, joiner, .future = aloop_task_future(middle), .world = world, .word = "first");

    world_turns(world, 1);
    assert_true(aloop_task_cancel(first));
    assert_int_equal(aloop_task_cancelling(last), 1);
    world_turns(world, 1);
    assert_false(aloop_task_done(first));
    world_drain(world);
    assert_string_equal(world->log, "cleaned middle first ");
    assert_int_equal(aloop_time(world->loop), 5);
    assert_true(aloop_task_cancelled(last) && aloop_task_cancelled(middle));
    assert_true(aloop_task_cancelled(first));
    aloop_task_unref(first);
    aloop_task_unref(middle);
    aloop_task_unref(last);
}

/* S71, S72, P108: the future is done when the task is cancelled. The await says -ECANCELED, and
   what the future had for it is still there. */
static void in_the_turn_of_the_completion(void **state)
{
    struct world *world = *state;
    aloop_future *future = aloop_create_future(world->loop);
    int64_t out = 0;
    aloop_task *task = aloop_create_task_in(world->loop, joiner, .future = future, .out = &out);

    world_turns(world, 1);
    assert_int_equal(aloop_future_set_result(future, 6), 0);
    assert_true(aloop_task_cancel(task));
    world_turns(world, 1);
    assert_int_equal(out, -ECANCELED);
    assert_int_equal(aloop_future_result(future), 6);
    assert_true(aloop_task_cancelled(task));
    aloop_task_unref(task);
    aloop_future_unref(future);
}

struct suicidal {
    ALOOP_FRAME;
    struct world *world;
    aloop_future *future;
    bool at_end;
};

ALOOP_CORO(suicidal)
{
    ALOOP_BEGIN;
    aloop_task_cancel(aloop_current_task());
    world_mark(self->world, "goes-on");
    if (self->at_end)
        ALOOP_RETURN(5);
    ALOOP_AWAIT(aloop_join(self->future));
    world_mark(self->world, self->result == -ECANCELED ? "x" : ".");
    ALOOP_AWAIT(aloop_sleep(1));
    world_mark(self->world, self->result == -ECANCELED ? "x" : ".");
    ALOOP_RETURN(6);
    ALOOP_END;
}

static void by_itself(void **state) /* S71, S73, S76 */
{
    struct world *world = *state;
    aloop_future *future = aloop_create_future(world->loop);
    aloop_task *task =
        aloop_create_task_in(world->loop, suicidal, .world = world, .future = future);

    world_drain(world);
    assert_string_equal(world->log, "goes-on x . ");
    /* What it went on to await was cancelled at once. */
    assert_true(aloop_future_cancelled(future));
    assert_int_equal(aloop_task_result(task), 6);
    aloop_task_unref(task);
    aloop_future_unref(future);
}

static void too_late_for_any_await(void **state) /* S77 */
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, suicidal, .world = world, .at_end = true);

    world_turns(world, 1);
    assert_true(aloop_task_cancelled(task));
    assert_int_equal(aloop_task_result(task), -ECANCELED);
    aloop_task_unref(task);
}

/* P112, and S74 otherwise than there: it runs to its first await and is told there. Were its
   body skipped, what its arguments own would have no owner. */
static void before_it_ran(void **state)
{
    struct world *world = *state;
    aloop_task *task =
        aloop_create_task_in(world->loop, tidy, .delay = 50, .cleanup = 3, .world = world);

    assert_true(aloop_task_cancel(task));
    world_drain(world);
    assert_string_equal(world->log, "cleaned ");
    assert_int_equal(aloop_time(world->loop), 3);
    assert_true(aloop_task_cancelled(task));
    aloop_task_unref(task);
}

static void swallowed(void **state) /* S75, S76 */
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, stubborn, .delay = 50, .value = 4);
    aloop_task *goes_on = aloop_create_task_in(world->loop, sturdy, .world = world, .count = 3);

    world_turns(world, 1);
    assert_true(aloop_task_cancel(task));
    assert_true(aloop_task_cancel(goes_on));
    world_drain(world);
    assert_false(aloop_task_cancelled(task));
    assert_int_equal(aloop_task_result(task), 4);
    assert_string_equal(world->log, "x . . ");
    assert_int_equal(aloop_task_result(goes_on), 77);
    aloop_task_unref(task);
    aloop_task_unref(goes_on);
}

static void counted(void **state) /* S78, S79, S80 */
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, sturdy, .world = world, .count = 2);

    assert_int_equal(aloop_task_uncancel(task), 0);
    world_turns(world, 1);
    assert_int_equal(aloop_task_cancelling(task), 0);
    assert_true(aloop_task_cancel(task));
    assert_true(aloop_task_cancel(task));
    assert_int_equal(aloop_task_cancelling(task), 2);
    /* Two requests before either was delivered are one -ECANCELED. */
    world_turns(world, 1);
    assert_string_equal(world->log, "x ");
    assert_int_equal(aloop_task_uncancel(task), 1);
    assert_int_equal(aloop_task_uncancel(task), 0);
    assert_int_equal(aloop_task_uncancel(task), 0);
    world_drain(world);
    assert_string_equal(world->log, "x . ");
    assert_false(aloop_task_cancel(task));
    assert_int_equal(aloop_task_cancelling(task), 0);
    aloop_task_unref(task);

    task = aloop_create_task_in(world->loop, stubborn, .delay = 10);
    world_turns(world, 1);
    aloop_task_cancel(task);
    world_drain(world);
    assert_int_equal(aloop_task_uncancel(task), 1);
    assert_int_equal(aloop_task_uncancel(task), 1);
    aloop_task_unref(task);
}

static void taken_back_before_it_was_delivered(void **state) /* S79 */
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, sturdy, .world = world, .count = 2);

    world_turns(world, 1);
    assert_true(aloop_task_cancel(task));
    assert_int_equal(aloop_task_uncancel(task), 0);
    world_drain(world);
    assert_string_equal(world->log, ". . ");
    assert_int_equal(aloop_task_result(task), 77);
    assert_int_equal(aloop_time(world->loop), 20);
    aloop_task_unref(task);
}

struct worse {
    ALOOP_FRAME;
    int64_t error;
};

ALOOP_CORO(worse)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_sleep(10));
    ALOOP_RETURN(self->result == -ECANCELED ? self->error : 0);
    ALOOP_END;
}

static void another_error_wins(void **state) /* S82 */
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, worse, .error = -EPIPE);

    world_turns(world, 1);
    aloop_task_cancel(task);
    world_drain(world);
    assert_false(aloop_task_cancelled(task));
    assert_int_equal(aloop_task_result(task), -EPIPE);
    aloop_task_unref(task);
}

static void somebody_elses_cancellation(void **state)
{
    struct world *world = *state;
    aloop_future *future = aloop_create_future(world->loop);
    int64_t out = 0;
    aloop_task *task = aloop_create_task_in(world->loop, joiner, .future = future, .out = &out);

    world_turns(world, 1);
    aloop_future_cancel(future);
    world_turns(world, 1);
    /* The same code; the count tells the difference. */
    assert_int_equal(out, -ECANCELED);
    assert_int_equal(aloop_task_cancelling(task), 0);
    aloop_task_unref(task);
    aloop_future_unref(future);
}

static void cancel_victim(aloop_future *future, void *arg)
{
    (void)future;
    assert_true(aloop_task_cancel(arg));
}

static void from_a_done_callback(void **state)
{
    struct world *world = *state;
    aloop_task *victim = aloop_create_task_in(world->loop, sturdy, .world = world, .count = 2);
    aloop_task *task = aloop_create_task_in(world->loop, sleeper, .delay = 5);

    assert_int_equal(aloop_future_add_done_callback(aloop_task_future(task), cancel_victim, victim),
                     0);
    world_drain(world);
    assert_string_equal(world->log, "x . ");
    assert_int_equal(aloop_time(world->loop), 15);
    aloop_task_unref(victim);
    aloop_task_unref(task);
}

struct holder {
    ALOOP_FRAME;
    aloop_task *child;
    struct world *world;
};

ALOOP_CORO(holder)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_join_unref(self->child));
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

/* The operation owns the reference, and it is cancelled where it starts, or while it waits, or
   when what it waits for is done. The accounts say whether each has dropped it once. */
static void joins_that_own_a_reference(void **state)
{
    struct world *world = *state;
    aloop_task *task;

    task = aloop_create_task_in(world->loop, holder,
                                .child = aloop_create_task_in(world->loop, sleeper, .delay = 9));
    aloop_task_cancel(task);
    world_turns(world, 3);
    assert_true(aloop_task_cancelled(task));
    aloop_task_unref(task);

    task = aloop_create_task_in(world->loop, holder,
                                .child = aloop_create_task_in(world->loop, sleeper, .delay = 9));
    world_turns(world, 1);
    aloop_task_cancel(task);
    world_turns(world, 3);
    assert_true(aloop_task_cancelled(task));
    aloop_task_unref(task);

    task = aloop_create_task_in(world->loop, holder,
                                .child = aloop_create_task_in(world->loop, sleeper));
    world_turns(world, 1);
    aloop_task_cancel(task);
    world_turns(world, 3);
    assert_true(aloop_task_cancelled(task));
    aloop_task_unref(task);
    assert_int_equal(aloop_all_tasks(world->loop, NULL, 0), 0);
    assert_int_equal(world->reports, 0);
}

struct circle {
    ALOOP_FRAME;
    aloop_task **next;
};

ALOOP_CORO(circle)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_join(*self->next));
    ALOOP_END;
}

/* Tasks that wait for each other in a circle are cancelled in spite of it. Passing the request
   on for ever would hang the program, and so would waiting for each other's end. */
static void a_circle(void **state)
{
    struct world *world = *state;
    aloop_task *tasks[3];

    for (int i = 0; i < 3; i++)
        tasks[i] = aloop_create_task_in(world->loop, circle, .next = &tasks[(i + 1) % 3]);
    world_drain(world);
    assert_true(aloop_task_cancel(tasks[1]));
    world_drain(world);
    for (int i = 0; i < 3; i++) {
        assert_true(aloop_task_cancelled(tasks[i]));
        assert_int_equal(aloop_task_cancelling(tasks[i]), 1);
        aloop_task_unref(tasks[i]);
    }
}

/* How a task waits for another that joins it. */
enum knot { KNOT_GROUP, KNOT_GATHER, KNOT_RACE, KNOT_COUNT };

struct knotted {
    ALOOP_FRAME;
    enum knot knot;
    aloop_group group;
    aloop_task **self_task;
    aloop_task **other;
};

ALOOP_CORO(knotted)
{
    ALOOP_BEGIN;
    if (self->knot == KNOT_GROUP) {
        aloop_group_init(&self->group);
        *self->other = aloop_task_ref(
            aloop_group_create_task(&self->group, circle, .next = self->self_task));
        ALOOP_TRY(aloop_group_wait(&self->group));
    } else {
        *self->other = aloop_create_task(circle, .next = self->self_task);
        if (self->knot == KNOT_GATHER)
            ALOOP_TRY(aloop_gather(*self->other));
        else
            ALOOP_TRY(aloop_race(*self->other));
    }
    ALOOP_END;
}

/* The same where a group, a gather or a race is part of the circle, and whichever of the two is
   cancelled: the one that joins stops waiting, and the other sees it end. */
static void circles_through_several(void **state)
{
    struct world *world = *state;

    for (int knot = 0; knot < KNOT_COUNT; knot++) {
        for (int victim = 0; victim < 3; victim++) {
            aloop_task *tasks[2];

            tasks[0] = aloop_create_task_in(world->loop, knotted, .knot = (enum knot)knot,
                                            .self_task = &tasks[0], .other = &tasks[1]);
            world_drain(world);
            assert_false(aloop_task_done(tasks[0]));
            if (victim < 2)
                assert_true(aloop_task_cancel(tasks[victim]));
            else
                assert_int_equal(aloop_shutdown(world->loop), 0);
            world_drain(world);
            for (int i = 0; i < 2; i++) {
                assert_true(aloop_task_cancelled(tasks[i]));
                assert_int_equal(aloop_task_cancelling(tasks[i]), 1);
                aloop_task_unref(tasks[i]);
            }
        }
    }
}

/* A deadline over a group whose child joins the task that waits under it. */
struct under_a_deadline {
    ALOOP_FRAME;
    aloop_task **self_task;
    aloop_task **other;
};

ALOOP_CORO(under_a_deadline)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_wait_for(aloop_call(knotted, .knot = KNOT_GROUP,
                                          .self_task = self->self_task, .other = self->other),
                               10));
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

static void a_circle_under_a_deadline(void **state)
{
    struct world *world = *state;
    aloop_task *tasks[2];

    tasks[0] = aloop_create_task_in(world->loop, under_a_deadline, .self_task = &tasks[0],
                                    .other = &tasks[1]);
    world_drain(world);
    assert_int_equal(aloop_time(world->loop), 10);
    for (int i = 0; i < 2; i++) {
        assert_true(aloop_task_cancelled(tasks[i]));
        aloop_task_unref(tasks[i]);
    }
}

/* Two ways lead to the same task: it gets one request. The one that comes second waits for its
   end, too. */
static void two_ways_to_one_task(void **state)
{
    struct world *world = *state;
    aloop_task *last = aloop_create_task_in(world->loop, stubborn, .delay = 50, .cleanup = 5,
                                            .value = 1, .world = world);
    aloop_future *future = aloop_task_future(last);
    aloop_future *both[3];
    aloop_future *gather;
    aloop_task *tasks[2];

    for (int i = 0; i < 2; i++) {
        tasks[i] = aloop_create_task_in(world->loop, joiner, .future = future, .world = world,
                                        .word = i == 0 ? "a" : "b");
        both[i] = aloop_task_future(tasks[i]);
    }
    both[2] = future;
    world_turns(world, 1);
    gather = aloop_gather_future(world->loop, both, 3, NULL, 0);
    assert_true(aloop_future_cancel(gather));
    assert_int_equal(aloop_task_cancelling(last), 1);
    world_drain(world);
    assert_string_equal(world->log, "cleaned a b ");
    assert_int_equal(aloop_future_result(gather), -ECANCELED);
    for (int i = 0; i < 2; i++)
        aloop_task_unref(tasks[i]);
    aloop_future_unref(gather);
    aloop_task_unref(last);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_it_awaits_is_cancelled),
        TEST(along_a_chain_of_tasks),
        TEST(in_the_turn_of_the_completion),
        TEST(by_itself),
        TEST(too_late_for_any_await),
        TEST(before_it_ran),
        TEST(swallowed),
        TEST(counted),
        TEST(taken_back_before_it_was_delivered),
        TEST(another_error_wins),
        TEST(somebody_elses_cancellation),
        TEST(from_a_done_callback),
        TEST(joins_that_own_a_reference),
        TEST(a_circle),
        TEST(circles_through_several),
        TEST(a_circle_under_a_deadline),
        TEST(two_ways_to_one_task),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
