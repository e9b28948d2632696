#include "base/memory.h"
#include "memory_probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_default_allocator(void **state)
{
    const aloop_allocator empty = {.alloc = NULL};
    const aloop_allocator *allocators[] = {NULL, &empty};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct memory memory;
        char *block;

        memory_init(&memory, allocators[i]);
        block = memory_alloc(&memory, 100);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % _Alignof(max_align_t), 0);
        memset(block, 'x', 100);
        block = memory_resize(&memory, block, 100, 100000);
        assert_non_null(block);
        assert_int_equal(block[0], 'x');
        assert_int_equal(block[99], 'x');
        assert_int_equal(memory_used(&memory), 100000);
        memory_free(&memory, block, 100000);
        assert_int_equal(memory_used(&memory), 0);
    }
}

static void test_users_allocator_is_told_sizes(void **state)
{
    struct memory_probe failing = {0};
    aloop_allocator allocator = memory_probe_allocator(&failing);
    struct memory memory;
    void *first;
    void *second;

    (void)state;
    memory_init(&memory, &allocator);
    first = memory_alloc(&memory, 10);
    second = memory_resize(&memory, NULL, 0, 20);
    assert_int_equal(memory_used(&memory), 30);
    assert_int_equal(failing.bytes, 30);
    first = memory_resize(&memory, first, 10, 40);
    second = memory_resize(&memory, second, 20, 5);
    assert_int_equal(memory_used(&memory), 45);
    memory_free(&memory, first, 40);
    memory_free(&memory, second, 5);
    memory_free(&memory, NULL, 0);
    assert_int_equal(memory_used(&memory), 0);
    assert_int_equal(failing.bytes, 0);
    assert_int_equal(failing.requests, 4);
    assert_false(failing.mistaken);
}

/* P119: a request that fails leaves the old block, and the count, as they were. */
static void test_failure_changes_nothing(void **state)
{
    struct memory_probe failing = {.fail_from = 2, .persists = true};
    aloop_allocator allocator = memory_probe_allocator(&failing);
    struct memory memory;
    char *block;

    (void)state;
    memory_init(&memory, &allocator);
    block = memory_alloc(&memory, 8);
    assert_non_null(block);
    memcpy(block, "content", 8);
    assert_null(memory_resize(&memory, block, 8, 1000));
    assert_null(memory_alloc(&memory, 1));
    assert_string_equal(block, "content");
    assert_int_equal(memory_used(&memory), 8);
    memory_free(&memory, block, 8);
    assert_int_equal(memory_used(&memory), 0);
}

static void test_absurd_sizes_do_not_reach_the_allocator(void **state)
{
    struct memory_probe failing = {0};
    aloop_allocator allocator = memory_probe_allocator(&failing);
    struct memory memory;

    (void)state;
    memory_init(&memory, &allocator);
    assert_null(memory_alloc(&memory, (size_t)PTRDIFF_MAX + 1));
    assert_null(memory_alloc(&memory, SIZE_MAX));
    assert_int_equal(failing.requests, 0);
    assert_int_equal(memory_used(&memory), 0);
}

static void test_grown_capacity(void **state)
{
    (void)state;
    assert_int_equal(memory_grown_capacity(0, 0, 8), 1);
    assert_int_equal(memory_grown_capacity(1, 16, 8), 16);
    assert_int_equal(memory_grown_capacity(16, 16, 8), 16);
    assert_int_equal(memory_grown_capacity(17, 16, 8), 32);
    assert_int_equal(memory_grown_capacity(5, 3, 8), 8);
    assert_int_equal(memory_grown_capacity(0, 3, 8), 4);
    assert_int_equal(memory_grown_capacity(1025, 1, 1), 2048);
}

/*
 * P123: libevent doubled a size until it was large enough; near the end of the range the doubling
 * overflowed to 0 and the loop never ended, or the number of bytes wrapped to a small one and the
 * array was written past its end. Here such a size is refused.
 */
static void test_grown_capacity_does_not_overflow(void **state)
{
    const size_t top = (size_t)PTRDIFF_MAX / 2 + 1; /* the largest power of two of bytes */

    (void)state;
    assert_int_equal(memory_grown_capacity(top, 1, 1), top);
    assert_int_equal(memory_grown_capacity(top + 1, 1, 1), 0);
    assert_int_equal(memory_grown_capacity(1, top + 1, 1), 0);
    assert_int_equal(memory_grown_capacity(SIZE_MAX, 1, 1), 0);
    assert_int_equal(memory_grown_capacity(SIZE_MAX, SIZE_MAX, SIZE_MAX), 0);
    assert_int_equal(memory_grown_capacity(top / 8, 1, 8), top / 8);
    assert_int_equal(memory_grown_capacity(top / 8 + 1, 1, 8), 0);
    assert_int_equal(memory_grown_capacity(SIZE_MAX / 24 + 2, 1, 24), 0);
    /* The count itself would fit, the power of two above it does not. */
    assert_int_equal(memory_grown_capacity((size_t)PTRDIFF_MAX / 24, 1, 24), 0);
    for (size_t needed = 1; needed != 0; needed *= 2) {
        size_t capacity = memory_grown_capacity(needed, 16, 24);

        assert_true(capacity == 0 || capacity >= needed);
        assert_true(capacity <= PTRDIFF_MAX / 24);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default_allocator),
        cmocka_unit_test(test_users_allocator_is_told_sizes),
        cmocka_unit_test(test_failure_changes_nothing),
        cmocka_unit_test(test_absurd_sizes_do_not_reach_the_allocator),
        cmocka_unit_test(test_grown_capacity),
        cmocka_unit_test(test_grown_capacity_does_not_overflow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
