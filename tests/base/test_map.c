#include "base/map.h"
#include "memory_probe.h"
#include "random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct table {
    struct memory_probe allocator;
    struct memory memory;
    struct map map;
};

static int setup(void **state)
{
    static struct table table;
    aloop_allocator interface;

    table = (struct table){.allocator = {0}};
    interface = memory_probe_allocator(&table.allocator);
    memory_init(&table.memory, &interface);
    map_init(&table.map, &table.memory);
    *state = &table;
    return 0;
}

static int teardown(void **state)
{
    struct table *table = *state;

    table->allocator.fail_from = 0;
    map_fini(&table->map);
    assert_int_equal(table->allocator.bytes, 0);
    assert_false(table->allocator.mistaken);
    return 0;
}

static void test_finds_what_was_set_and_nothing_else(void **state)
{
    struct table *table = *state;
    int one, two;

    assert_null(map_find(&table->map, 7));
    map_remove(&table->map, 7);
    assert_int_equal(map_set(&table->map, 7, &one), 0);
    assert_ptr_equal(map_find(&table->map, 7), &one);
    assert_null(map_find(&table->map, 8));
    assert_int_equal(map_set(&table->map, 7, &two), 0);
    assert_ptr_equal(map_find(&table->map, 7), &two);
    assert_int_equal(table->map.count, 1);
}

static void test_an_empty_one_has_no_memory(void **state)
{
    struct table *table = *state;
    int one;

    assert_int_equal(map_set(&table->map, 7, &one), 0);
    assert_true(table->allocator.bytes > 0);
    map_remove(&table->map, 8);
    assert_int_equal(table->map.count, 1);
    map_remove(&table->map, 7);
    assert_int_equal(table->allocator.bytes, 0);
    assert_null(map_find(&table->map, 7));
}

#define KEYS 512

/* Few keys and many steps: all ways in which entries can push each other aside come up. */
static void test_agrees_with_an_array(void **state)
{
    struct table *table = *state;
    void *expected[KEYS + 1] = {0};
    uint64_t seed = 20;
    size_t count = 0;

    for (int step = 0; step < 50000; step++) {
        uintptr_t key = random_next(&seed) % KEYS + 1;
        bool is_set = random_next(&seed) % 100 < (step / 5000 % 2 == 0 ? 60 : 40);

        if (is_set) {
            count += expected[key] == NULL;
            expected[key] = &expected[random_next(&seed) % KEYS];
            assert_int_equal(map_set(&table->map, key, expected[key]), 0);
        } else {
            count -= expected[key] != NULL;
            expected[key] = NULL;
            map_remove(&table->map, key);
        }
        assert_int_equal(table->map.count, count);
        assert_ptr_equal(map_find(&table->map, key), expected[key]);
        if (step % 500 != 0)
            continue;
        {
            size_t cursor = 0, met = 0;

            while (map_next(&table->map, &cursor) != NULL)
                met++;
            assert_int_equal(met, count);
        }
        for (uintptr_t i = 1; i <= KEYS; i++)
            assert_ptr_equal(map_find(&table->map, i), expected[i]);
    }
}

static void test_without_memory_keeps_what_it_has(void **state)
{
    struct table *table = *state;
    int one;
    uintptr_t key = 1;

    for (; key <= 8; key++)
        assert_int_equal(map_set(&table->map, key, &one), 0);
    table->allocator.fail_from = table->allocator.requests + 1;
    assert_int_equal(map_set(&table->map, key, &one), -ENOMEM);
    assert_null(map_find(&table->map, key));
    while (--key > 0)
        assert_ptr_equal(map_find(&table->map, key), &one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_finds_what_was_set_and_nothing_else, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_empty_one_has_no_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agrees_with_an_array, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_memory_keeps_what_it_has, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
