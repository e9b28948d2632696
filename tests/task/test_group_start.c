/* Children that say when they are ready, and end, fail or are cancelled before, then, or after. */
#include "group_family.h"

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

static void the_loop_is_closed_meanwhile(void **state)
{
    struct world *world = *state;
    int64_t out[3];

    aloop_task_unref(aloop_create_task_in(world->loop, starter, .out = out,
                                          .server = {.starting = 50, .word = 1}));
    world_turns(world, 3);
    assert_int_equal(aloop_close(world->loop), 0);
    assert_int_equal(world->reports, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
        TEST(starting_and_waiting),
        TEST(starting_is_cancelled),
        TEST(starting_is_cancelled_in_vain),
        TEST(a_sibling_starts_one_when_the_loop_is_closed),
        TEST(a_stranger_starts_one_and_the_group_ends),
        TEST(the_loop_is_closed_meanwhile),
#undef TEST
    };

    return cmocka_run_group_tests_name("group_start", tests, NULL, NULL);
}
