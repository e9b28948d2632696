/*
 * options.seed: steps of tasks that are due in the same turn run in an order that the seed
 * determines. The same seed gives the same order, so a failure that it showed can be shown again;
 * what has an order to keep, callbacks, keeps it.
 */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TASKS 6
#define ROUNDS 3

/* Marks its number, and gives way, so many times. */
struct marker {
    ALOOP_FRAME;
    struct world *world;
    const char *word;
    int rounds;
};

ALOOP_CORO(marker)
{
    ALOOP_BEGIN;
    while (self->rounds-- > 0) {
        world_mark(self->world, self->word);
        ALOOP_TRY(aloop_sleep(0));
    }
    ALOOP_END;
}

static const char *const words[TASKS] = {"0", "1", "2", "3", "4", "5"};

/* What the tasks of a loop with this seed write. */
static void write_log(uint64_t seed, char *out, size_t size)
{
    aloop_options options = ALOOP_OPTIONS_INIT;
    struct world world;

    options.seed = seed;
    world_open(&world, &options);
    for (int i = 0; i < TASKS; i++)
        aloop_task_unref(aloop_create_task_in(world.loop, marker, .world = &world,
                                              .word = words[i], .rounds = ROUNDS));
    world_drain(&world);
    (void)snprintf(out, size, "%s", world.log);
    world_close(&world);
}

static void same_seed_same_order(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        char one[512];
        char two[512];

        write_log(seed, one, sizeof one);
        write_log(seed, two, sizeof two);
        assert_string_equal(one, two);
    }
}

/* Each task has its step in each turn, wherever among the others. */
static void nobody_loses_a_turn(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        char log[512];

        write_log(seed, log, sizeof log);
        assert_int_equal(strlen(log), 2 * TASKS * ROUNDS);
        for (size_t round = 0; round < ROUNDS; round++) {
            for (int i = 0; i < TASKS; i++)
                assert_non_null(memchr(log + round * 2 * TASKS, words[i][0], (size_t)2 * TASKS));
        }
    }
}

static void other_seeds_other_orders(void **state)
{
    char orders[20][512];
    int different = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        write_log(seed, orders[seed - 1], sizeof orders[0]);
        different += strcmp(orders[seed - 1], orders[0]) != 0;
    }
    assert_true(different >= 15);
}

static void without_one_as_they_were_woken(void **state)
{
    char log[512];

    (void)state;
    write_log(0, log, sizeof log);
    assert_string_equal(log, "0 1 2 3 4 5 0 1 2 3 4 5 0 1 2 3 4 5 ");
}

struct noted {
    struct world *world;
    const char *word;
};

static void note(aloop *loop, void *arg)
{
    const struct noted *noted = arg;

    (void)loop;
    world_mark(noted->world, noted->word);
}

/* S1: call_soon() is first in, first out, whatever happens to the tasks between them. */
static void callbacks_keep_their_order(void **state)
{
    static const char *const names[TASKS] = {"a", "b", "c", "d", "e", "f"};
    struct noted noted[TASKS];

    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        aloop_options options = ALOOP_OPTIONS_INIT;
        struct world world;
        char callbacks[TASKS + 1] = "";
        size_t count = 0;

        options.seed = seed;
        world_open(&world, &options);
        for (int i = 0; i < TASKS; i++) {
            noted[i] = (struct noted){&world, names[i]};
            assert_true(aloop_call_soon(world.loop, note, &noted[i]) > 0);
            aloop_task_unref(aloop_create_task_in(world.loop, marker, .world = &world,
                                                  .word = words[i], .rounds = 1));
        }
        world_drain(&world);
        assert_int_equal(strlen(world.log), 4 * TASKS);
        for (const char *c = world.log; *c != '\0'; c += 2) {
            if (*c >= 'a')
                callbacks[count++] = *c;
        }
        assert_string_equal(callbacks, "abcdef");
        /* Each in the very place where it was put: tasks change theirs with tasks. */
        for (int i = 0; i < TASKS; i++)
            assert_int_equal(world.log[4 * i], names[i][0]);
        world_close(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_same_order),
        cmocka_unit_test(nobody_loses_a_turn),
        cmocka_unit_test(other_seeds_other_orders),
        cmocka_unit_test(without_one_as_they_were_woken),
        cmocka_unit_test(callbacks_keep_their_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
