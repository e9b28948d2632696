#include "base/slots.h"
#include "base_test.h"
#include "random.h"

#include <stdio.h>

#define SEED UINT64_C(0x5EED0004)

struct object {
    struct slot slot;
    void *pointer;
    uint64_t payload[3];
};

FIXTURE(struct slots, slots,
        slots_init(&fixture->slots, &fixture->memory, (sizeof(struct object) + 7) / 8 * 8),
        slots_fini(&fixture->slots));

static void test_take_find_release(void **state)
{
    struct slots *slots = &((struct fixture *)*state)->slots;
    struct object *object = slots_take(slots);
    int64_t number = slots_number(object);

    assert_non_null(object);
    assert_true(number > 0 && number < INT64_C(1) << 62);
    assert_ptr_equal(slots_find(slots, number), object);
    assert_int_equal(slots->live, 1);
    slots_release(slots, object);
    assert_null(slots_find(slots, number));
    assert_int_equal(slots->live, 0);
}

static void test_taken_again_the_old_number_finds_nothing(void **state)
{
    struct slots *slots = &((struct fixture *)*state)->slots;
    struct object *first = slots_take(slots);
    int64_t old = slots_number(first);
    struct object *second;

    slots_release(slots, first);
    second = slots_take(slots);
    assert_ptr_equal(second, first); /* the warm one */
    assert_true(slots_number(second) != old);
    assert_null(slots_find(slots, old));
    assert_ptr_equal(slots_find(slots, slots_number(second)), second);
}

static void test_retired_slot_stays_taken(void **state)
{
    struct slots *slots = &((struct fixture *)*state)->slots;
    struct object *object = slots_take(slots);
    int64_t number = slots_number(object);
    uint32_t cursor = 0;

    object->payload[0] = 7;
    slots_retire(slots, object);
    assert_null(slots_find(slots, number));
    assert_int_equal(slots->live, 1);
    assert_ptr_equal(slots_next(slots, &cursor), object);
    assert_ptr_not_equal(slots_take(slots), object);
    assert_true(object->payload[0] == 7);
    slots_release(slots, object);
    assert_ptr_equal(slots_take(slots), object);
    assert_null(slots_find(slots, number));
}

static void test_objects_begin_zero(void **state)
{
    struct slots *slots = &((struct fixture *)*state)->slots;

    for (int round = 0; round < 3; round++) {
        struct object *object = slots_take(slots);

        assert_null(object->pointer);
        object->pointer = object;
        for (int i = 0; i < 3; i++) {
            assert_true(object->payload[i] == 0);
            object->payload[i] = UINT64_MAX;
        }
        slots_release(slots, object);
    }
}

static void test_foreign_numbers_find_nothing(void **state)
{
    static const int64_t foreign[] = {0, -1, 1, 5, -ENOMEM, -ENOENT, INT64_MIN, INT64_MAX};
    struct slots *slots = &((struct fixture *)*state)->slots;
    int64_t number;

    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        assert_null(slots_find(slots, foreign[i])); /* in an empty table */
    number = slots_number(slots_take(slots));
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        assert_null(slots_find(slots, foreign[i]));
    /* Bits that no number has must not be lost on the way to the generation. */
    assert_null(slots_find(slots, number | INT64_C(1) << 62));
    assert_null(slots_find(slots, number | INT64_MIN));
    /* Neighbours that were never taken, with the generation that they will have. */
    for (int i = 1; i < 100; i++)
        assert_null(slots_find(slots, number + i));
    /* What a free slot says in the place of a number. */
    for (int64_t generation = 0; generation < 8; generation++) {
        assert_null(slots_find(slots, generation << SLOT_INDEX_BITS | 1));
        assert_null(slots_find(slots, ~(generation << SLOT_INDEX_BITS | 1)));
        assert_null(slots_find(slots, generation << SLOT_INDEX_BITS | 1 | INT64_MIN));
    }
}

static void test_addresses_do_not_change(void **state)
{
    enum { COUNT = 5000 };
    struct slots *slots = &((struct fixture *)*state)->slots;
    struct object **objects = calloc(COUNT, sizeof *objects);

    assert_non_null(objects);
    for (int i = 0; i < COUNT; i++) {
        objects[i] = slots_take(slots);
        assert_int_equal((uintptr_t)objects[i] % 8, 0);
        objects[i]->payload[0] = (uint64_t)i;
    }
    for (int i = 0; i < COUNT; i++) {
        assert_ptr_equal(slots_find(slots, slots_number(objects[i])), objects[i]);
        assert_true(objects[i]->payload[0] == (uint64_t)i);
    }
    free(objects);
}

static void test_next_steps_through_taken_slots(void **state)
{
    struct slots *slots = &((struct fixture *)*state)->slots;
    struct object *objects[200];
    struct object *object;
    uint32_t cursor = 0;
    int seen = 0;

    assert_null(slots_next(slots, &cursor));
    for (int i = 0; i < 200; i++)
        objects[i] = slots_take(slots);
    for (int i = 0; i < 200; i += 2)
        slots_release(slots, objects[i]);
    cursor = 0;
    while ((object = slots_next(slots, &cursor)) != NULL) {
        assert_ptr_equal(object, objects[1 + 2 * seen]);
        slots_release(slots, object);
        seen++;
    }
    assert_int_equal(seen, 100);
    assert_int_equal(slots->live, 0);
    cursor = 0;
    assert_null(slots_next(slots, &cursor));
}

/* A generation that came round would let a number kept for long name a stranger's object. */
static void test_generations_do_not_come_round(void **state)
{
    struct slots *slots = &((struct fixture *)*state)->slots;
    struct object *object = slots_take(slots);
    int64_t first = slots_number(object);
    int64_t last;

    slots_release(slots, object);
    object->slot.number = ~(first + SLOT_NUMBER_LAST - 2 * SLOT_GENERATION_ONE);
    assert_ptr_equal(slots_take(slots), object);
    last = slots_number(object);
    assert_true(last >> SLOT_INDEX_BITS == (int64_t)UINT32_MAX - 1);
    assert_true(last > 0 && last < INT64_C(1) << 62);
    assert_ptr_equal(slots_find(slots, last), object);
    slots_release(slots, object);
    assert_null(slots_find(slots, last));
    for (int i = 0; i < 1000; i++)
        assert_ptr_not_equal(slots_take(slots), object);
    assert_null(slots_find(slots, first));
    assert_null(slots_find(slots, last));
}

static void test_retiring_the_last_generation(void **state)
{
    struct slots *slots = &((struct fixture *)*state)->slots;
    struct object *object = slots_take(slots);
    int64_t number;

    object->slot.number += SLOT_NUMBER_LAST - 2 * SLOT_GENERATION_ONE;
    number = slots_number(object);
    slots_retire(slots, object);
    slots_retire(slots, object);
    assert_true(object->slot.number >> SLOT_INDEX_BITS == (int64_t)UINT32_MAX);
    assert_null(slots_find(slots, number));
    slots_release(slots, object);
    assert_int_equal(slots->live, 0);
    for (int i = 0; i < 1000; i++)
        assert_ptr_not_equal(slots_take(slots), object);
}

/* P119: whichever request fails, NULL, and the table is as it was but for room gained; the next try
 * works. */
static void test_out_of_memory(void **state)
{
    struct fixture *fixture = *state;
    struct slots *slots = &fixture->slots;

    for (int chunk = 0; chunk < 20; chunk++) {
        struct object *object;
        uint32_t cursor = 0;
        uint32_t seen = 0;

        while (slots->free_first != NULL)
            assert_non_null(slots_take(slots));
        for (long nth = 1;; nth++) {
            uint32_t live = slots->live;

            fixture->probe.fail_from = fixture->probe.requests + nth;
            object = slots_take(slots);
            if (object != NULL)
                break;
            assert_int_equal(slots->live, live);
            assert_int_equal(slots->chunk_count, chunk);
            assert_null(slots->free_first);
            assert_true(nth <= 2);
        }
        fixture->probe.fail_from = 0;
        assert_ptr_equal(slots_find(slots, slots_number(object)), object);
        while (slots_next(slots, &cursor) != NULL)
            seen++;
        assert_int_equal(seen, slots->live);
    }
}

#ifdef HAVE_ASAN
static void test_free_objects_are_poisoned(void **state)
{
    struct slots *slots = &((struct fixture *)*state)->slots;
    struct object *object = slots_take(slots);

    assert_null(__asan_region_is_poisoned(object, sizeof *object));
    slots_release(slots, object);
    assert_true(__asan_address_is_poisoned(&object->pointer));
    assert_true(__asan_address_is_poisoned(&object->payload[2]));
}
#endif

enum { MODEL_NUMBERS = 400, MODEL_OPERATIONS = 200000 };

struct model_entry {
    int64_t number;        /* 0: none yet */
    struct object *object; /* NULL: nobody has it */
    bool retired;
};

static void model_check(const struct slots *slots, const struct model_entry *entry)
{
    struct object *found = slots_find(slots, entry->number);

    if (entry->object == NULL || entry->retired) {
        assert_null(found);
        return;
    }
    assert_ptr_equal(found, entry->object);
    assert_true(found->payload[1] == (uint64_t)entry->number);
}

static void test_model(void **state)
{
    struct slots *slots = &((struct fixture *)*state)->slots;
    struct model_entry *entries = calloc(MODEL_NUMBERS, sizeof *entries);
    uint64_t random = SEED;
    uint32_t live = 0;

    print_message("seed %#llx\n", (unsigned long long)random);
    assert_non_null(entries);
    for (long step = 0; step < MODEL_OPERATIONS; step++) {
        struct model_entry *entry = &entries[random_below(&random, MODEL_NUMBERS)];

        model_check(slots, entry);
        if (entry->object == NULL) {
            entry->object = slots_take(slots);
            assert_non_null(entry->object);
            assert_true(entry->object->payload[1] == 0);
            entry->number = slots_number(entry->object);
            entry->object->payload[1] = (uint64_t)entry->number;
            entry->retired = false;
            live++;
        } else if (!entry->retired && random_below(&random, 4) == 0) {
            slots_retire(slots, entry->object);
            entry->retired = true;
        } else {
            assert_true(entry->object->payload[1] == (uint64_t)entry->number);
            slots_release(slots, entry->object);
            entry->object = NULL;
            live--;
        }
        model_check(slots, entry);
        assert_int_equal(slots->live, live);
        for (int i = 0; step % 512 == 0 && i < MODEL_NUMBERS; i++)
            model_check(slots, &entries[i]);
    }
    /* Slots are recycled: there were never more than the model has. */
    assert_true(slots->chunk_count <= MODEL_NUMBERS / SLOTS_PER_CHUNK + 1);
    free(entries);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_take_find_release),
        TEST(test_taken_again_the_old_number_finds_nothing),
        TEST(test_retired_slot_stays_taken),
        TEST(test_objects_begin_zero),
        TEST(test_foreign_numbers_find_nothing),
        TEST(test_addresses_do_not_change),
        TEST(test_next_steps_through_taken_slots),
        TEST(test_generations_do_not_come_round),
        TEST(test_retiring_the_last_generation),
        TEST(test_out_of_memory),
#ifdef HAVE_ASAN
        TEST(test_free_objects_are_poisoned),
#endif
        TEST(test_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
