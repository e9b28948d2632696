#include "base/pool.h"

/*
 * Slabs start small, so that a loop with a handful of tasks stays small, and double up to a size
 * that makes asking the allocator negligible. Not larger: the C library serves blocks beyond 128
 * KiB by mmap(), and each page of those is a page fault.
 */
#define SLAB_SIZE_MIN ((size_t)4096)
#define SLAB_SIZE_MAX ((size_t)65536)

struct pool_slab {
    struct pool_slab *next;
    size_t size; /* of the allocation, this header included */
};

/* Where the blocks begin in a slab: behind its header, aligned as blocks are. */
#define SLAB_HEADER ((sizeof(struct pool_slab) + POOL_GRANULE - 1) / POOL_GRANULE * POOL_GRANULE)

_Static_assert(_Alignof(max_align_t) <= POOL_GRANULE, "a block is aligned for any type");
_Static_assert(sizeof(struct pool_block) <= POOL_GRANULE, "a free block has room for its link");
_Static_assert(POOL_BLOCK_MAX <= POOL_CLASSES * POOL_GRANULE, "each pooled size has its class");

void pool_init(struct pool *pool, struct memory *memory)
{
    *pool = (struct pool){.memory = memory};
}

void pool_fini(struct pool *pool)
{
    struct pool_slab *slab = pool->slabs;

    while (slab != NULL) {
        struct pool_slab *next = slab->next;

        /* The user's allocator may well write into what it gets back. */
        UNPOISON(slab, slab->size);
        memory_free(pool->memory, slab, slab->size);
        slab = next;
    }
    pool_init(pool, pool->memory);
}

/* Makes one free block of what is left of the newest slab: less than the largest class has. */
static void keep_remainder(struct pool *pool)
{
    size_t left = (size_t)(pool->fresh_end - pool->fresh);
    struct pool_block *block = (struct pool_block *)(void *)pool->fresh;

    if (left == 0)
        return;
    DEBUG_ASSERT(left % POOL_GRANULE == 0 && left / POOL_GRANULE <= POOL_CLASSES);
    UNPOISON(block, sizeof *block);
    block->next = pool->free[left / POOL_GRANULE - 1];
    pool->free[left / POOL_GRANULE - 1] = block;
    POISON(block, left);
    pool->fresh = pool->fresh_end;
}

static bool add_slab(struct pool *pool)
{
    size_t size = SLAB_SIZE_MIN;
    struct pool_slab *slab;

    if (pool->slabs != NULL)
        size = pool->slabs->size < SLAB_SIZE_MAX ? pool->slabs->size * 2 : SLAB_SIZE_MAX;
    slab = memory_alloc(pool->memory, size);
    if (slab == NULL)
        return false;
    keep_remainder(pool);
    slab->next = pool->slabs;
    slab->size = size;
    pool->slabs = slab;
    pool->fresh = (char *)slab + SLAB_HEADER;
    pool->fresh_end = (char *)slab + size;
    pool->bytes_reserved += size;
    POISON(pool->fresh, size - SLAB_HEADER);
    return true;
}

static void *alloc_large(struct pool *pool, size_t size)
{
    void *block = memory_alloc(pool->memory, size);

    if (block != NULL) {
        pool->bytes_reserved += size;
        pool->bytes_used += size;
    }
    return block;
}

NOINLINE void *pool_alloc_slowly(struct pool *pool, size_t size)
{
    size_t class_size;
    void *block;

    if (size > POOL_BLOCK_MAX)
        return alloc_large(pool, size);
    class_size = (size + POOL_GRANULE - 1) / POOL_GRANULE * POOL_GRANULE;
    if ((size_t)(pool->fresh_end - pool->fresh) < class_size && !add_slab(pool))
        return NULL;
    block = pool->fresh;
    pool->fresh += class_size;
    pool->bytes_used += class_size;
    UNPOISON(block, size);
    return block;
}

COLD NOINLINE void pool_free_large(struct pool *pool, void *block, size_t size)
{
    pool->bytes_reserved -= size;
    pool->bytes_used -= size;
    memory_free(pool->memory, block, size);
}
