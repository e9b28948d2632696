/*
 * The loop's memory: the user's allocator, with a count of what is out, behind three calls.
 * Everything that the loop owns comes from here; nothing else in the library calls malloc.
 *
 * May be called from any thread if the allocator may: posts from other threads are allocated here,
 * which is why the count is atomic.
 */
#ifndef ALOOP_SRC_BASE_MEMORY_H
#define ALOOP_SRC_BASE_MEMORY_H

#include <aloop/base.h>
#include <stdatomic.h>

struct memory {
    aloop_allocator allocator;
    atomic_size_t bytes_used; /* in blocks that are out: 0 again when everything was given back */
};

/* Uses `allocator`, or the C library's where that, or its function, is NULL. */
void memory_init(struct memory *memory, const aloop_allocator *allocator);

/* Uninitialised memory of `size` > 0 bytes; NULL if there is none. */
void *memory_alloc(struct memory *memory, size_t size);
/* A larger or smaller block with the old content; NULL, and the old block as it was, if there is
   none. A NULL `block` (its old_size is then 0) is memory_alloc(); new_size > 0. */
void *memory_resize(struct memory *memory, void *block, size_t old_size, size_t new_size);
/* Gives back a block of that size; NULL is nothing. */
void memory_free(struct memory *memory, void *block, size_t size);

/* How many bytes are out. */
static inline size_t memory_used(const struct memory *memory)
{
    return atomic_load_explicit(&memory->bytes_used, memory_order_relaxed);
}

/*
 * The capacity to grow an array to so that it holds `needed` elements: a power of two, at least
 * `minimum`. 0 if it, or its size in bytes, is beyond what can be addressed.
 */
size_t memory_grown_capacity(size_t needed, size_t minimum, size_t element_size);

#endif
