/*
 * Size-class pools: memory for frames, tasks and other small objects of a loop, recycled in lists
 * by size, last in first out, so that a steady state never asks the allocator. A block's size is known
 * to whoever frees it, so blocks have no header.
 *
 * Blocks of up to POOL_BLOCK_MAX bytes are cut from slabs; larger ones go straight to the allocator.
 * A slab is kept until the pool ends: what a burst needed once it will need again.
 *
 * Under AddressSanitizer a free block is poisoned, so that a use after free is seen as if it had come
 * from malloc. With ALOOP_NO_POOLS every block goes straight to the allocator, which is how Valgrind
 * sees each one.
 */
#ifndef ALOOP_SRC_BASE_POOL_H
#define ALOOP_SRC_BASE_POOL_H

#include "base/memory.h"

#define POOL_GRANULE 16u
#define POOL_BLOCK_MAX 1024u
#define POOL_CLASSES (POOL_BLOCK_MAX / POOL_GRANULE)

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
    size_t bytes_reserved; /* in slabs, for metrics */
    size_t bytes_used;     /* in blocks that are out, rounded up to their class */
};

void pool_init(struct pool *pool, struct memory *memory);
/* Frees the slabs. Blocks larger than POOL_BLOCK_MAX must have been given back. */
void pool_fini(struct pool *pool);

/* `size` > 0 bytes, aligned for any type, uninitialised; NULL if there is no memory. */
void *pool_alloc(struct pool *pool, size_t size);
/* Gives back a block that pool_alloc gave for the same size. NULL is nothing. */
void pool_free(struct pool *pool, void *block, size_t size);

#endif
