#include "base/pool.h"
#include "base_test.h"
#include "random.h"

#include <stdio.h>

#define SEED UINT64_C(0x5EED0003)

FIXTURE(struct pool, pool, pool_init(&fixture->pool, &fixture->memory),
        pool_fini(&fixture->pool));

static void test_blocks_are_aligned_and_recycled(void **state)
{
    struct fixture *fixture = *state;

    for (size_t size = 1; size <= 2 * 1024; size++) {
        char *block = pool_alloc(&fixture->pool, size);
        char *again;

        assert_non_null(block);
        assert_int_equal((uintptr_t)block % _Alignof(max_align_t), 0);
        memset(block, 'x', size);
        pool_free(&fixture->pool, block, size);
        again = pool_alloc(&fixture->pool, size);
        if (size <= POOL_BLOCK_MAX)
            assert_ptr_equal(again, block); /* the warm one first */
        pool_free(&fixture->pool, again, size);
    }
    assert_int_equal(fixture->pool.bytes_used, 0);
}

static void test_free_of_null(void **state)
{
    struct fixture *fixture = *state;

    pool_free(&fixture->pool, NULL, 100);
    pool_free(&fixture->pool, NULL, 100000);
    assert_int_equal(fixture->pool.bytes_used, 0);
}

static void test_steady_state_does_not_ask(void **state)
{
    struct fixture *fixture = *state;
    void *blocks[100];
    long requests = 0;

    if (POOL_BLOCK_MAX == 0)
        skip();
    for (int round = 0; round < 10; round++) {
        for (size_t i = 0; i < 100; i++)
            blocks[i] = pool_alloc(&fixture->pool, 8 * (i + 1));
        for (size_t i = 0; i < 100; i++)
            pool_free(&fixture->pool, blocks[i], 8 * (i + 1));
        if (round == 0)
            requests = fixture->probe.requests;
    }
    assert_int_equal(fixture->probe.requests, requests);
}

static void test_accounts(void **state)
{
    struct fixture *fixture = *state;
    struct pool *pool = &fixture->pool;
    size_t small_size = POOL_BLOCK_MAX > 0 ? 32 : 17;
    void *small = pool_alloc(pool, 17);
    void *large;
    size_t reserved = pool->bytes_reserved;

    assert_int_equal(pool->bytes_used, small_size);
    assert_int_equal(reserved, memory_used(&fixture->memory));
    large = pool_alloc(pool, 5000);
    assert_int_equal(pool->bytes_used, small_size + 5000);
    assert_int_equal(pool->bytes_reserved, reserved + 5000);
    assert_int_equal(pool->bytes_reserved, memory_used(&fixture->memory));
    pool_free(pool, large, 5000);
    pool_free(pool, small, 17);
    assert_int_equal(pool->bytes_used, 0);
}

/* The end of a slab that is too short for what is asked becomes a smaller block instead of waste.
 */
static void test_slab_ends_are_used(void **state)
{
    struct fixture *fixture = *state;
    struct pool *pool = &fixture->pool;
    size_t left;
    long requests;

    if (POOL_BLOCK_MAX == 0)
        skip();
    assert_non_null(pool_alloc(pool, 16));
    while ((size_t)(pool->fresh_end - pool->fresh) >= 1024)
        assert_non_null(pool_alloc(pool, 1024));
    left = (size_t)(pool->fresh_end - pool->fresh);
    assert_true(left > 0);
    assert_non_null(pool_alloc(pool, 1024));
    requests = fixture->probe.requests;
    assert_non_null(pool->free[left / POOL_GRANULE - 1]);
    assert_non_null(pool_alloc(pool, left));
    assert_null(pool->free[left / POOL_GRANULE - 1]);
    assert_int_equal(fixture->probe.requests, requests);
}

/* P119: without memory for a slab or a large block, NULL, and the pool is as it was. */
static void test_out_of_memory(void **state)
{
    struct fixture *fixture = *state;
    struct pool *pool = &fixture->pool;
    void *block;
    struct pool before;

    fixture->probe.fail_from = 1;
    fixture->probe.persists = true;
    assert_null(pool_alloc(pool, 16));
    assert_null(pool_alloc(pool, 5000));
    assert_int_equal(pool->bytes_used, 0);
    assert_int_equal(pool->bytes_reserved, 0);

    fixture->probe.fail_from = 0;
    block = pool_alloc(pool, 48);
    assert_non_null(block);
    before = *pool;
    fixture->probe.fail_from = fixture->probe.requests + 1;
    for (int i = 0; i < 2; i++) {
        assert_null(pool_alloc(pool, 100000));
        assert_null(pool_alloc(pool, SIZE_MAX));
        assert_null(pool_alloc(pool, SIZE_MAX - 8));
    }
    assert_memory_equal(pool, &before, sizeof before);
    pool_free(pool, block, 48);
}

/* The slab that cannot be had: what is left of the one before it stays for whoever needs less. */
static void test_out_of_memory_for_the_next_slab(void **state)
{
    struct fixture *fixture = *state;
    struct pool *pool = &fixture->pool;
    struct pool before;

    if (POOL_BLOCK_MAX == 0)
        skip();
    assert_non_null(pool_alloc(pool, 16));
    while ((size_t)(pool->fresh_end - pool->fresh) >= 1024)
        assert_non_null(pool_alloc(pool, 1024));
    fixture->probe.fail_from = fixture->probe.requests + 1;
    before = *pool;
    assert_null(pool_alloc(pool, 1024));
    assert_memory_equal(pool, &before, sizeof before);
    assert_non_null(pool_alloc(pool, 16));
    assert_non_null(pool_alloc(pool, 1024));
}

#ifdef HAVE_ASAN
static void test_free_blocks_are_poisoned(void **state)
{
    struct fixture *fixture = *state;
    char *block = pool_alloc(&fixture->pool, 100);

    if (POOL_BLOCK_MAX == 0)
        skip();
    assert_null(__asan_region_is_poisoned(block, 100));
    assert_ptr_equal(__asan_region_is_poisoned(block, 112), block + 100);
    pool_free(&fixture->pool, block, 100);
    assert_true(__asan_address_is_poisoned(block));
    assert_true(__asan_address_is_poisoned(block + 99));
}
#endif

enum { MODEL_BLOCKS = 300, MODEL_OPERATIONS = 200000 };

struct model_block {
    unsigned char *memory;
    size_t size;
    unsigned char fill;
};

static bool holds(const struct model_block *block)
{
    return block->memory[0] == block->fill && block->memory[block->size - 1] == block->fill &&
           memcmp(block->memory, block->memory + 1, block->size - 1) == 0;
}

/* No two blocks overlap: each keeps what was written into it, all of it, for as long as it is out.
   The block touched is checked at each step, all of them now and then. */
static void test_model(void **state)
{
    struct fixture *fixture = *state;
    struct model_block *blocks = calloc(MODEL_BLOCKS, sizeof *blocks);
    uint64_t random = SEED;
    size_t used = 0;

    print_message("seed %#llx\n", (unsigned long long)random);
    assert_non_null(blocks);
    for (long step = 0; step < MODEL_OPERATIONS; step++) {
        struct model_block *block = &blocks[random_below(&random, MODEL_BLOCKS)];
        size_t granule = POOL_BLOCK_MAX > 0 ? POOL_GRANULE : 1;

        if (block->memory == NULL) {
            block->size = 1 + random_below(&random, random_below(&random, 20) == 0 ? 3000 : 400);
            block->fill = (unsigned char)random_next(&random);
            block->memory = pool_alloc(&fixture->pool, block->size);
            assert_non_null(block->memory);
            memset(block->memory, block->fill, block->size);
        } else {
            assert_true(holds(block));
            pool_free(&fixture->pool, block->memory, block->size);
            block->memory = NULL;
        }
        if (block->size > POOL_BLOCK_MAX)
            granule = 1;
        if (block->memory != NULL)
            used += (block->size + granule - 1) / granule * granule;
        else
            used -= (block->size + granule - 1) / granule * granule;
        assert_int_equal(fixture->pool.bytes_used, used);
        assert_int_equal(fixture->pool.bytes_reserved, memory_used(&fixture->memory));
        assert_true(fixture->pool.bytes_reserved >= used);
        for (int i = 0; step % 1024 == 0 && i < MODEL_BLOCKS; i++)
            assert_true(blocks[i].memory == NULL || holds(&blocks[i]));
    }
    for (int i = 0; i < MODEL_BLOCKS; i++) {
        assert_true(blocks[i].memory == NULL || holds(&blocks[i]));
        pool_free(&fixture->pool, blocks[i].memory, blocks[i].size);
    }
    assert_int_equal(fixture->pool.bytes_used, 0);
    free(blocks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_blocks_are_aligned_and_recycled),
        TEST(test_free_of_null),
        TEST(test_steady_state_does_not_ask),
        TEST(test_accounts),
        TEST(test_slab_ends_are_used),
        TEST(test_out_of_memory),
        TEST(test_out_of_memory_for_the_next_slab),
#ifdef HAVE_ASAN
        TEST(test_free_blocks_are_poisoned),
#endif
        TEST(test_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
