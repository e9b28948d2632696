/* aloop_select(): one of several operations; the others are left as if nobody had asked. */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT 3

/* A tray from which tasks take pieces, one each. */
struct tray {
    int pieces;
    int taken;
    int drops;
    aloop_waitlist waiters;
};

static aloop_poll tray_poll(aloop_task *task, aloop_op *op)
{
    struct tray *tray = op->arg[0].pointer;

    (void)task;
    if (tray->pieces == 0)
        return aloop_op_wait(op, &tray->waiters);
    tray->pieces--;
    tray->taken++;
    return 100 + tray->taken;
}

static void tray_drop(aloop_task *task, aloop_op *op)
{
    struct tray *tray = op->arg[0].pointer;

    (void)task;
    tray->drops++;
    if (tray->pieces > 0)
        aloop_wake_one(&tray->waiters);
}

static aloop_op tray_take(struct tray *tray)
{
    static const aloop_op_type type = {.name = "tray", .drop = tray_drop};

    return (aloop_op){.poll = tray_poll, .type = &type, .arg = {{.pointer = tray}}};
}

static void tray_put(struct tray *tray)
{
    tray->pieces++;
    aloop_wake_one(&tray->waiters);
}

struct chooser {
    ALOOP_FRAME;
    aloop_select_case cases[COUNT];
    struct tray *trays;
    aloop_ns limits[COUNT]; /* of the cases, 0: none */
    aloop_ns limit;         /* of it all, 0: none */
    int64_t first;
    int rounds;
    int64_t *out; /* of each round: which, and what */
};

ALOOP_CORO(chooser)
{
    ALOOP_BEGIN;
    for (; self->rounds > 0; self->rounds--) {
        for (int i = 0; i < COUNT; i++) {
            self->cases[i].op = tray_take(&self->trays[i]);
            if (self->limits[i] > 0)
                self->cases[i].op = aloop_wait_for(self->cases[i].op, self->limits[i]);
        }
        if (self->limit > 0)
            ALOOP_AWAIT(aloop_wait_for(aloop_select(self->cases, COUNT), self->limit));
        else
            ALOOP_AWAIT(aloop_select_from(self->cases, COUNT, self->first));
        *self->out++ = self->result;
        *self->out++ = self->result >= 0 ? self->cases[self->result].result : 0;
        if (self->first >= 0)
            self->first = self->result + 1;
        if (self->result < 0)
            ALOOP_RETURN(self->result);
    }
    ALOOP_END;
}

static void assert_nobody_waits(const struct tray *trays)
{
    for (int i = 0; i < COUNT; i++)
        assert_true(aloop_waitlist_is_empty(&trays[i].waiters));
}

static void the_one_that_completes(void **state)
{
    struct world *world = *state;
    struct tray trays[COUNT] = {{.pieces = 0}};
    int64_t out[2] = {-1, -1};

    aloop_task_unref(
        aloop_create_task_in(world->loop, chooser, .trays = trays, .rounds = 1, .out = out));
    world_turns(world, 2);
    assert_int_equal(out[0], -1);
    tray_put(&trays[1]);
    world_turns(world, 1);
    assert_int_equal(out[0], 1);
    assert_int_equal(out[1], 101);
    assert_nobody_waits(trays);
    assert_int_equal(trays[0].drops, 1);
    assert_int_equal(trays[1].drops, 0);
    assert_int_equal(trays[2].drops, 1);
}

/* Several at one moment: the first of them; nothing is taken from the others. */
static void several_at_once(void **state)
{
    struct world *world = *state;
    struct tray trays[COUNT] = {{.pieces = 0}};
    int64_t out[4];

    aloop_task_unref(
        aloop_create_task_in(world->loop, chooser, .trays = trays, .rounds = 1, .out = out));
    world_turns(world, 1);
    tray_put(&trays[2]);
    tray_put(&trays[1]);
    world_turns(world, 1);
    assert_int_equal(out[0], 1);
    assert_int_equal(trays[2].pieces, 1);
    assert_int_equal(trays[2].taken, 0);
    assert_nobody_waits(trays);

    /* At the beginning: what comes behind it is not even begun. */
    trays[0] = (struct tray){.pieces = 1};
    trays[1] = (struct tray){.pieces = 0};
    aloop_task_unref(
        aloop_create_task_in(world->loop, chooser, .trays = trays, .rounds = 2, .out = out));
    trays[2].drops = 0;
    world_turns(world, 1);
    assert_int_equal(trays[0].taken, 1);
    assert_int_equal(trays[1].drops, 1);
    assert_int_equal(trays[2].taken, 1);
    assert_int_equal(trays[2].drops, 0);
    assert_nobody_waits(trays);
}

static void in_turns(void **state)
{
    struct world *world = *state;
    struct tray trays[COUNT] = {{.pieces = 9}, {.pieces = 9}, {.pieces = 9}};
    int64_t out[12];

    aloop_task_unref(aloop_create_task_in(world->loop, chooser, .trays = trays, .rounds = 6,
                                          .first = 4, .out = out));
    world_turns(world, 1);
    for (int i = 0; i < 6; i++)
        assert_int_equal(out[2 * i], (1 + i) % 3);
    /* From the lowest each time, a busy one starves the others; and any number is good. */
    aloop_task_unref(aloop_create_task_in(world->loop, chooser, .trays = trays, .rounds = 6,
                                          .first = INT64_MIN, .out = out));
    world_turns(world, 1);
    for (int i = 0; i < 6; i++)
        assert_int_equal(out[2 * i], out[0]);
}

/* A piece that the one who was woken for it did not want goes to the next. */
static void a_loser_hands_on(void **state)
{
    struct world *world = *state;
    struct tray trays[COUNT] = {{.pieces = 0}};
    int64_t first[2] = {-1, -1}, second[2] = {-1, -1};

    aloop_task_unref(
        aloop_create_task_in(world->loop, chooser, .trays = trays, .rounds = 1, .out = first));
    aloop_task_unref(
        aloop_create_task_in(world->loop, chooser, .trays = trays, .rounds = 1, .out = second));
    world_turns(world, 1);
    tray_put(&trays[0]);
    tray_put(&trays[1]);
    tray_put(&trays[1]);
    world_drain(world);
    assert_int_equal(first[0], 0);
    assert_int_equal(second[0], 1);
    assert_int_equal(trays[1].pieces, 1);
    assert_nobody_waits(trays);
}

static void limits(void **state)
{
    struct world *world = *state;
    struct tray trays[COUNT] = {{.pieces = 0}};
    int64_t out[2];

    /* Of one case: the shortest. */
    aloop_task_unref(aloop_create_task_in(world->loop, chooser, .trays = trays, .rounds = 1,
                                          .limits = {30, 20, 40}, .out = out));
    world_drain(world);
    assert_int_equal(out[0], 1);
    assert_int_equal(out[1], -ETIMEDOUT);
    assert_int_equal(aloop_time(world->loop), 20);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(trays[i].drops, 1);
    /* Of it all. */
    aloop_task_unref(aloop_create_task_in(world->loop, chooser, .trays = trays, .rounds = 1,
                                          .limits = {30, 20, 40}, .limit = 15, .out = out));
    world_drain(world);
    assert_int_equal(out[0], -ETIMEDOUT);
    assert_int_equal(aloop_time(world->loop), 35);
    assert_nobody_waits(trays);
}

static void cancelled_and_closed(void **state)
{
    struct world *world = *state;
    struct tray trays[COUNT] = {{.pieces = 0}};
    int64_t out[2] = {0, 0};
    aloop_task *task =
        aloop_create_task_in(world->loop, chooser, .trays = trays, .rounds = 1, .out = out);

    world_turns(world, 1);
    tray_put(&trays[1]);
    assert_true(aloop_task_cancel(task));
    world_drain(world);
    assert_int_equal(out[0], -ECANCELED);
    assert_int_equal(trays[1].pieces, 1);
    assert_nobody_waits(trays);
    aloop_task_unref(task);

    trays[1].pieces = 0;
    aloop_task_unref(
        aloop_create_task_in(world->loop, chooser, .trays = trays, .rounds = 1, .out = out));
    world_turns(world, 1);
    assert_int_equal(aloop_close(world->loop), 0);
    assert_nobody_waits(trays);
}

/* --- what else can be a case --- */

struct mixture {
    ALOOP_FRAME;
    aloop_select_case inner[2];
    aloop_select_case cases[4];
    aloop_task *task;
    aloop_future *future;
    int64_t *out;
};

ALOOP_CORO(mixture)
{
    ALOOP_BEGIN;
    /* Sleeps share the task's one timer. */
    self->cases[0].op = aloop_sleep(30);
    self->cases[1].op = aloop_sleep(10);
    self->cases[2].op = aloop_sleep(20);
    ALOOP_AWAIT(aloop_select(self->cases, 3));
    self->out[0] = self->result;

    /* A select in a select; a turn's sleep; a join that is given up goes on. */
    self->inner[0].op = aloop_sleep(50);
    self->inner[1].op = aloop_sleep(5);
    self->cases[0].op = aloop_join(self->task);
    self->cases[1].op = aloop_select(self->inner, 2);
    self->cases[2].op = aloop_sleep(40);
    ALOOP_AWAIT(aloop_select(self->cases, 3));
    self->out[1] = self->result;
    self->out[2] = self->cases[1].result;
    self->cases[0].op = aloop_join(self->task);
    self->cases[1].op = aloop_sleep(0);
    ALOOP_AWAIT(aloop_select(self->cases, 2));
    self->out[3] = self->result;

    /* A join that is out of time cancels what it has joined, and waits for its end. */
    self->cases[0].op = aloop_wait_for(aloop_join(self->future), 5);
    self->cases[1].op = aloop_wait_for(aloop_sleep(100), 90);
    ALOOP_AWAIT(aloop_select(self->cases, 2));
    self->out[4] = self->result;
    self->out[5] = self->cases[0].result;

    /* References are dropped, begun or not. */
    self->cases[0].op = aloop_sleep(-1);
    self->cases[1].op = aloop_join_unref(self->task);
    self->cases[2].op = (aloop_op){.poll = self->cases[0].op.poll};
    ALOOP_AWAIT(aloop_select_from(self->cases, 2, 0));
    self->out[6] = self->result;

    self->cases[0].op = aloop_sleep(1);
    self->cases[1].op = aloop_call(sleeper);
    ALOOP_AWAIT(aloop_select(self->cases, 2));
    self->out[7] = self->result;
    ALOOP_AWAIT(aloop_select(self->cases, 0));
    self->out[8] = self->result;
    self->cases[0].op = (aloop_op){.poll = NULL};
    ALOOP_AWAIT(aloop_select(self->cases, 1));
    self->out[9] = self->result;
    ALOOP_END;
}

static void mixed(void **state)
{
    static const int64_t expected[] = {1, 1, 1, 1, 0, -ETIMEDOUT, 0, -EINVAL, -EINVAL, -EINVAL};
    struct world *world = *state;
    int64_t out[10];
    aloop_future *future = aloop_create_future(world->loop);
    aloop_task *joined = aloop_create_task_in(world->loop, sleeper, .delay = 500, .value = 1);

    aloop_task_ref(joined);
    aloop_task_unref(
        aloop_create_task_in(world->loop, mixture, .task = joined, .future = future, .out = out));
    world_drain(world);
    for (int i = 0; i < 10; i++)
        assert_int_equal(out[i], expected[i]);
    assert_true(aloop_future_cancelled(future));
    assert_int_equal(aloop_task_result(joined), 1);
    aloop_future_unref(future);
    aloop_task_unref(joined);
}

struct group_watcher {
    ALOOP_FRAME;
    aloop_group group;
    aloop_select_case cases[2];
    int64_t error;
    int64_t *out;
};

ALOOP_CORO(group_watcher)
{
    ALOOP_BEGIN;
    aloop_group_init(&self->group);
    ALOOP_TRY(aloop_group_start(&self->group, sleeper, .delay = 20, .value = self->error));
    self->cases[0].op = aloop_group_wait(&self->group);
    self->cases[1].op = aloop_sleep(10);
    ALOOP_AWAIT(aloop_select(self->cases, 2));
    self->out[0] = self->result;
    /* The group is no longer waited for: the failure of a child interrupts again. */
    ALOOP_AWAIT(aloop_sleep(100));
    self->out[1] = self->result;
    self->cases[0].op = aloop_group_wait(&self->group);
    self->cases[1].op = aloop_sleep(10);
    ALOOP_AWAIT(aloop_select(self->cases, 2));
    self->out[2] = self->result;
    self->out[3] = self->cases[0].result;
    ALOOP_END;
}

static void a_group(void **state)
{
    struct world *world = *state;

    for (int fails = 0; fails < 2; fails++) {
        int64_t out[4] = {-1, -1, -1, -1};

        aloop_task_unref(aloop_create_task_in(world->loop, group_watcher, .out = out,
                                              .error = fails ? -EPIPE : 0));
        world_drain(world);
        assert_int_equal(out[0], 1);
        assert_int_equal(out[1], fails ? -ECANCELED : 0);
        assert_int_equal(out[2], 0);
        assert_int_equal(out[3], fails ? -EPIPE : 0);
    }
}

struct many {
    ALOOP_FRAME;
    struct world *world;
    struct tray *trays;
    aloop_select_case cases[COUNT];
    int rounds;
    long requests;
};

ALOOP_CORO(many)
{
    ALOOP_BEGIN;
    self->requests = self->world->memory.requests;
    for (; self->rounds > 0; self->rounds--) {
        for (int i = 0; i < COUNT; i++)
            self->cases[i].op = aloop_wait_for(tray_take(&self->trays[i]), 1 + i);
        ALOOP_AWAIT(aloop_select(self->cases, COUNT));
    }
    ALOOP_RETURN(self->world->memory.requests - self->requests);
    ALOOP_END;
}

static void allocates_nothing(void **state)
{
    struct world *world = *state;
    struct tray trays[COUNT] = {{.pieces = 0}};
    aloop_task *task =
        aloop_create_task_in(world->loop, many, .world = world, .trays = trays, .rounds = 100);

    world_drain(world);
    assert_int_equal(aloop_task_result(task), 0);
    aloop_task_unref(task);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
        TEST(the_one_that_completes),
        TEST(several_at_once),
        TEST(in_turns),
        TEST(a_loser_hands_on),
        TEST(limits),
        TEST(cancelled_and_closed),
        TEST(mixed),
        TEST(a_group),
        TEST(allocates_nothing),
#undef TEST
    };

    return cmocka_run_group_tests_name("select", tests, NULL, NULL);
}
