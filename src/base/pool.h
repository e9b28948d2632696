/*
 * Size-class pools: memory for frames, tasks and other small objects of a loop, recycled in lists
 * by size, last in first out, so that a steady state never asks the allocator. A block's size is
 * known to whoever frees it, so blocks have no header.
 *
 * Blocks of up to POOL_BLOCK_MAX bytes are cut from slabs; larger ones go straight to the
 * allocator. A slab is kept until the pool ends: what a burst needed once it will need again.
 *
 * Under AddressSanitizer a free block, and what its class has beyond the size asked for, is
 * poisoned, so that a use after free or past the end is seen as if the block had come from malloc.
 * With ALOOP_NO_POOLS every block goes straight to the allocator, which is how Valgrind sees each
 * one.
 */
#ifndef ALOOP_SRC_BASE_POOL_H
#define ALOOP_SRC_BASE_POOL_H

#include "base/compiler.h"
#include "base/memory.h"

#define POOL_GRANULE 16u
#ifdef ALOOP_NO_POOLS
#define POOL_BLOCK_MAX 0u
#else
#define POOL_BLOCK_MAX 1024u
#endif
#define POOL_CLASSES 64u

struct pool_block {
    struct pool_block *next;
};

struct pool_slab; /* private */

struct pool {
    struct pool_block *free[POOL_CLASSES];
    struct pool_slab *slabs;
    char *fresh; /* the part of the newest slab not cut yet */
    char *fresh_end;
    struct memory *memory;
    size_t bytes_reserved; /* taken from the allocator: slabs, and the large blocks that are out */
    size_t bytes_used;     /* in blocks that are out, rounded up to their class */
};

void pool_init(struct pool *pool, struct memory *memory);
/* Frees the slabs, and with them whatever is out. Blocks larger than POOL_BLOCK_MAX (with
   ALOOP_NO_POOLS: all) must have been given back. */
void pool_fini(struct pool *pool);

/* The parts of pool_alloc() and pool_free() that are not worth inlining. */
void *pool_alloc_slowly(struct pool *pool, size_t size);
void pool_free_large(struct pool *pool, void *block, size_t size);

/* `size` > 0 bytes, aligned for any type, uninitialised; NULL if there is no memory. */
static inline void *pool_alloc(struct pool *pool, size_t size)
{
    size_t class = (size - 1) / POOL_GRANULE;
    struct pool_block *block;

    DEBUG_ASSERT(size > 0);
    if (ALOOP_UNLIKELY(size > POOL_BLOCK_MAX || pool->free[class] == NULL))
        return pool_alloc_slowly(pool, size);
    block = pool->free[class];
    UNPOISON(block, size > sizeof *block ? size : sizeof *block);
    pool->free[class] = block->next;
    pool->bytes_used += (class + 1) * POOL_GRANULE;
    return block;
}

/* Gives back a block that pool_alloc gave for the same size. NULL is nothing. */
static inline void pool_free(struct pool *pool, void *block, size_t size)
{
    size_t class = (size - 1) / POOL_GRANULE;
    struct pool_block *freed = block;

    if (ALOOP_UNLIKELY(block == NULL))
        return;
    DEBUG_ASSERT(size > 0);
    if (ALOOP_UNLIKELY(size > POOL_BLOCK_MAX)) {
        pool_free_large(pool, block, size);
        return;
    }
    UNPOISON(freed, sizeof *freed); /* the block may be smaller than the link */
    freed->next = pool->free[class];
    pool->free[class] = freed;
    pool->bytes_used -= (class + 1) * POOL_GRANULE;
    POISON(block, (class + 1) * POOL_GRANULE);
}

#endif
