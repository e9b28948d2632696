/* Operations of one's own: as <aloop/op.h> documents them. */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* As in the header. */
struct flag {
    bool is_set;
    aloop_waitlist waiters;
};

static aloop_poll flag_poll(aloop_task *task, aloop_op *op)
{
    struct flag *flag = op->arg[0].pointer;

    (void)task;
    return flag->is_set ? 0 : aloop_op_wait(op, &flag->waiters);
}

static aloop_op flag_wait(struct flag *flag)
{
    return (aloop_op){.poll = flag_poll, .arg = {{.pointer = flag}}};
}

struct waits {
    ALOOP_FRAME;
    struct world *world;
    struct flag *flag;
    aloop_ns limit;
};

ALOOP_CORO(waits)
{
    ALOOP_BEGIN;
    if (self->limit != 0)
        ALOOP_AWAIT(aloop_wait_for(flag_wait(self->flag), self->limit));
    else
        ALOOP_AWAIT(flag_wait(self->flag));
    world_mark(self->world, aloop_error_name(self->result));
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

static void the_documented_example(void **state)
{
    struct world *world = *state;
    struct flag flag = {.is_set = false};

    for (int i = 0; i < 3; i++)
        aloop_task_unref(aloop_create_task_in(world->loop, waits, .world = world, .flag = &flag));
    world_turns(world, 1);
    assert_false(aloop_waitlist_is_empty(&flag.waiters));
    flag.is_set = true;
    assert_int_equal(aloop_wake_all(&flag.waiters), 3);
    assert_string_equal(world->log, "");
    world_turns(world, 1);
    assert_string_equal(world->log, "OK OK OK ");
    /* Set already: no wait. */
    assert_int_equal(aloop_run_in(world->loop, waits, .world = world, .flag = &flag), 0);
    assert_true(aloop_waitlist_is_empty(&flag.waiters));
}

static void a_wake_up_is_a_hint(void **state)
{
    struct world *world = *state;
    struct flag flag = {.is_set = false};
    aloop_task *task = aloop_create_task_in(world->loop, waits, .world = world, .flag = &flag);

    world_turns(world, 1);
    for (int i = 0; i < 3; i++) {
        assert_true(aloop_wake_one(&flag.waiters));
        assert_true(aloop_waitlist_is_empty(&flag.waiters));
        world_turns(world, 1);
        assert_false(aloop_task_done(task));
    }
    assert_false(aloop_waitlist_is_empty(&flag.waiters));
    flag.is_set = true;
    assert_true(aloop_wake_one(&flag.waiters));
    assert_false(aloop_wake_one(&flag.waiters));
    assert_int_equal(aloop_run_until_complete(world->loop, task), 0);
    aloop_task_unref(task);
}

static void given_up_it_is_forgotten(void **state)
{
    struct world *world = *state;
    struct flag flag = {.is_set = false};
    aloop_task *tasks[4];

    tasks[0] = aloop_create_task_in(world->loop, waits, .world = world, .flag = &flag);
    tasks[1] = aloop_create_task_in(world->loop, waits, .world = world, .flag = &flag, .limit = 10);
    tasks[2] = aloop_create_task_in(world->loop, waits, .world = world, .flag = &flag, .limit = -1);
    tasks[3] = aloop_create_task_in(world->loop, waits, .world = world, .flag = &flag);
    aloop_task_cancel(tasks[3]);
    world_turns(world, 1);
    assert_true(aloop_task_cancelled(tasks[3]));
    assert_int_equal(aloop_task_result(tasks[2]), -ETIMEDOUT);
    aloop_task_cancel(tasks[0]);
    world_drain(world);
    assert_true(aloop_task_cancelled(tasks[0]));
    assert_int_equal(aloop_task_result(tasks[1]), -ETIMEDOUT);
    assert_true(aloop_waitlist_is_empty(&flag.waiters));
    for (int i = 0; i < 4; i++)
        aloop_task_unref(tasks[i]);
}

static void set_flag(aloop *loop, void *arg)
{
    struct flag *flag = arg;

    (void)loop;
    flag->is_set = true;
    aloop_wake_all(&flag->waiters);
}

/* The time is up and the flag is set in the same turn, in either order: it is asked once more. */
static void asked_once_more_when_time_is_up(void **state)
{
    struct world *world = *state;

    for (int i = 0; i < 2; i++) {
        struct flag flag = {.is_set = false};
        aloop_task *task;

        if (i == 0)
            assert_true(aloop_call_later(world->loop, 10, set_flag, &flag) > 0);
        task = aloop_create_task_in(world->loop, waits, .world = world, .flag = &flag, .limit = 10);
        world_turns(world, 1);
        if (i == 1)
            flag.is_set = true;
        assert_int_equal(aloop_run_until_complete(world->loop, task), 0);
        aloop_task_unref(task);
    }
    assert_int_equal(aloop_time(world->loop), 20);
}

/* An operation that holds something while it waits. */
struct tickets {
    int left;
    int queued; /* operations that hold a place in the queue */
    aloop_waitlist waiters;
};

static aloop_poll ticket_poll(aloop_task *task, aloop_op *op)
{
    struct tickets *tickets = op->arg[0].pointer;

    (void)task;
    if (tickets->left > 0) {
        tickets->left--;
        tickets->queued -= op->arg[1].number != 0;
        return 1;
    }
    tickets->queued += op->arg[1].number == 0;
    op->arg[1].number = 1;
    return aloop_op_wait(op, &tickets->waiters);
}

static void ticket_drop(aloop_task *task, aloop_op *op)
{
    struct tickets *tickets = op->arg[0].pointer;

    (void)task;
    assert_false(aloop_waiter_is_linked(&op->waiter));
    tickets->queued--;
}

static const aloop_op_type ticket_type = {.name = "ticket", .drop = ticket_drop};

struct buyer {
    ALOOP_FRAME;
    struct tickets *tickets;
    aloop_ns limit;
};

ALOOP_CORO(buyer)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_wait_for(((aloop_op){.poll = ticket_poll,
                                           .type = &ticket_type,
                                           .arg = {{.pointer = self->tickets}}}),
                               self->limit));
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

/* Woken and cancelled in the same turn it has taken nothing: the ticket is still there for the
   next. Taken at the wake-up, it would be lost. */
static void nothing_is_taken_before_the_coroutine_gets_it(void **state) /* S72, P108 */
{
    struct world *world = *state;
    struct tickets tickets = {.left = 0};
    aloop_task *tasks[3];

    for (int i = 0; i < 3; i++)
        tasks[i] = aloop_create_task_in(world->loop, buyer, .tickets = &tickets,
                                        .limit = i == 2 ? 10 : ALOOP_NEVER);
    world_turns(world, 1);
    assert_int_equal(tickets.queued, 3);
    tickets.left = 1;
    aloop_wake_all(&tickets.waiters);
    assert_true(aloop_task_cancel(tasks[0]));
    world_turns(world, 1);
    assert_true(aloop_task_cancelled(tasks[0]));
    assert_int_equal(aloop_task_result(tasks[1]), 1);
    assert_int_equal(tickets.queued, 1);
    world_drain(world);
    assert_int_equal(aloop_task_result(tasks[2]), -ETIMEDOUT);
    assert_int_equal(tickets.queued, 0);
    for (int i = 0; i < 3; i++)
        aloop_task_unref(tasks[i]);
    /* The loop is closed while one waits: given up as well. */
    aloop_task_unref(
        aloop_create_task_in(world->loop, buyer, .tickets = &tickets, .limit = ALOOP_NEVER));
    world_turns(world, 1);
    assert_int_equal(tickets.queued, 1);
    assert_int_equal(aloop_close(world->loop), 0);
    assert_int_equal(tickets.queued, 0);
    assert_true(aloop_waitlist_is_empty(&tickets.waiters));
}

/* Two deadlines, and a turn between. */
static aloop_poll stages_poll(aloop_task *task, aloop_op *op)
{
    aloop_ns now = aloop_time(aloop_task_loop(task));

    if (op->arg[0].number < 3)
        return op->arg[0].number++, aloop_op_yield(task);
    if (now < 10)
        return aloop_op_wait_until(task, 10);
    return now < 25 ? aloop_op_wait_until(task, 25) : now;
}

struct stages {
    ALOOP_FRAME;
};

ALOOP_CORO(stages)
{
    ALOOP_BEGIN;
    ALOOP_TRY(((aloop_op){.poll = stages_poll}));
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

static void turns_and_deadlines(void **state)
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, stages);

    world_turns(world, 3);
    assert_int_equal(aloop_next_timeout(world->loop), 0);
    world_turns(world, 1);
    assert_int_equal(aloop_next_timeout(world->loop), 10);
    assert_int_equal(aloop_run_until_complete(world->loop, task), 25);
    aloop_task_unref(task);
}

/* An operation that waits for a task passes a cancellation on to it. */
static aloop_future *other_target(const aloop_op *op)
{
    return op->arg[0].pointer;
}

static aloop_poll other_poll(aloop_task *task, aloop_op *op)
{
    aloop_future *future = op->arg[0].pointer;

    if (!aloop_future_done(future))
        return aloop_op_wait_until(task, aloop_time(aloop_task_loop(task)) + 1);
    return aloop_future_result(future);
}

static const aloop_op_type other_type = {.name = "other", .target = other_target};

struct watcher {
    ALOOP_FRAME;
    aloop_task *task;
    aloop_ns limit;
};

ALOOP_CORO(watcher)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_wait_for(((aloop_op){.poll = other_poll,
                                           .type = &other_type,
                                           .arg = {{.pointer = aloop_task_future(self->task)}}}),
                               self->limit));
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

static void with_a_target(void **state)
{
    struct world *world = *state;

    for (int i = 0; i < 3; i++) {
        aloop_task *inner =
            aloop_create_task_in(world->loop, tidy, .delay = 50, .cleanup = 7, .world = world);
        aloop_task *task = aloop_create_task_in(world->loop, watcher, .task = inner,
                                                .limit = i == 1 ? 10 : ALOOP_NEVER);

        if (i == 2)
            aloop_task_cancel(task);
        world_turns(world, 1);
        if (i == 0)
            aloop_task_cancel(task);
        assert_int_equal(aloop_run_until_complete(world->loop, task),
                         i == 1 ? -ETIMEDOUT : -ECANCELED);
        assert_true(aloop_task_cancelled(inner));
        aloop_task_unref(task);
        aloop_task_unref(inner);
    }
    assert_string_equal(world->log, "cleaned cleaned cleaned ");
}

/* Cancels who awaits it, and waits for what never comes. */
static aloop_poll suicidal_poll(aloop_task *task, aloop_op *op)
{
    if (aloop_task_cancelling(task) == 0)
        (void)aloop_task_cancel(task);
    return aloop_op_wait(op, op->arg[0].pointer);
}

struct suicidal {
    ALOOP_FRAME;
    struct world *world;
    aloop_waitlist *never;
};

ALOOP_CORO(suicidal)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(((aloop_op){.poll = suicidal_poll, .arg = {{.pointer = self->never}}}));
    world_mark(self->world, aloop_error_name(self->result));
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

struct calls_suicidal {
    ALOOP_FRAME;
    struct world *world;
    aloop_waitlist *never;
};

ALOOP_CORO(calls_suicidal)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_call(suicidal, .world = self->world, .never = self->never));
    ALOOP_END;
}

/* A task that is cancelled while its operation is asked does not wait yet; it must hear of it all
   the same, or it would wait for ever. */
static void cancelled_by_what_it_awaits(void **state)
{
    struct world *world = *state;
    aloop_waitlist never = {{NULL, NULL}};

    assert_int_equal(aloop_run_in(world->loop, suicidal, .world = world, .never = &never),
                     -ECANCELED);
    assert_int_equal(aloop_run_in(world->loop, calls_suicidal, .world = world, .never = &never),
                     -ECANCELED);
    assert_string_equal(world->log, "ECANCELED ECANCELED ");
    assert_true(aloop_waitlist_is_empty(&never));
}

/* Waits once, and is woken again for what it has by then. */
static aloop_poll restless_poll(aloop_task *task, aloop_op *op)
{
    bool *has_waited = op->arg[1].pointer;

    if (*has_waited)
        (void)aloop_op_yield(task);
    else
        (void)aloop_op_wait(op, op->arg[0].pointer);
    *has_waited = !*has_waited;
    return *has_waited ? ALOOP_PENDING : 0;
}

struct restless {
    ALOOP_FRAME;
    aloop_waitlist *gate;
    bool has_waited;
};

ALOOP_CORO(restless)
{
    ALOOP_BEGIN;
    ALOOP_TRY(((aloop_op){.poll = restless_poll,
                          .arg = {{.pointer = self->gate}, {.pointer = &self->has_waited}}}));
    ALOOP_END;
}

struct counted {
    ALOOP_FRAME;
    int *count;
};

ALOOP_CORO(counted)
{
    ALOOP_BEGIN;
    ++*self->count;
    ALOOP_TRY(aloop_sleep(0));
    ++*self->count;
    ALOOP_END;
}

struct maker {
    ALOOP_FRAME;
    struct flag *flag;
    int children;
    int *count;
};

ALOOP_CORO(maker)
{
    ALOOP_BEGIN;
    ALOOP_TRY(flag_wait(self->flag));
    for (int i = 0; i < self->children; i++)
        aloop_task_unref(aloop_create_task(counted, .count = self->count));
    ALOOP_END;
}

/* A task that is done may have an entry left in the ready queue, and with it its place. If that
   were given to a task to come at once, 47 of each would not fit into the ring of 64, and one would
   run over the other. */
static void a_place_is_kept_by_the_entry_that_is_left(void **state)
{
    struct world *world = *state;
    aloop_waitlist gate = {{NULL, NULL}};
    struct flag flag = {.is_set = false};
    int count = 0, made = 1;

    aloop_task_unref(aloop_create_task_in(world->loop, maker, .flag = &flag, .children = 47,
                                          .count = &count));
    for (; made < 48; made++) {
        aloop_task_unref(aloop_create_task_in(world->loop, restless, .gate = &gate));
        if (made % 16 == 15)
            world_turns(world, 1);
    }
    assert_int_equal(aloop_wake_all(&gate), 47);
    flag.is_set = true;
    assert_int_equal(aloop_wake_all(&flag.waiters), 1);
    world_turns(world, 2);
    assert_int_equal(count, 47);
    world_turns(world, 1);
    assert_int_equal(count, 2 * 47);
    assert_int_equal(aloop_all_tasks(world->loop, NULL, 0), 0);
}

/* The list is in the order of waiting, and a waiter can leave its middle. */
static void wait_lists(void **state)
{
    aloop_waitlist list = {{NULL, NULL}};
    aloop_waiter waiters[3] = {{.notify = NULL}};

    (void)state;
    assert_true(aloop_waitlist_is_empty(&list));
    assert_null(aloop_waitlist_first(&list));
    assert_int_equal(aloop_wake_all(&list), 0);
    for (int i = 0; i < 3; i++)
        aloop_waitlist_push(&list, &waiters[i]);
    aloop_waiter_unlink(&waiters[1]);
    aloop_waiter_unlink(&waiters[1]);
    assert_false(aloop_waiter_is_linked(&waiters[1]));
    assert_ptr_equal(aloop_waitlist_first(&list), &waiters[0]);
    aloop_waiter_unlink(&waiters[0]);
    assert_ptr_equal(aloop_waitlist_first(&list), &waiters[2]);
    aloop_waiter_unlink(&waiters[2]);
    assert_true(aloop_waitlist_is_empty(&list));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_documented_example),
        TEST(a_wake_up_is_a_hint),
        TEST(given_up_it_is_forgotten),
        TEST(asked_once_more_when_time_is_up),
        TEST(nothing_is_taken_before_the_coroutine_gets_it),
        TEST(turns_and_deadlines),
        TEST(with_a_target),
        TEST(cancelled_by_what_it_awaits),
        TEST(a_place_is_kept_by_the_entry_that_is_left),
        cmocka_unit_test(wait_lists),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
