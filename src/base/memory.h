/*
 * The loop's memory: the user's allocator, with a count of what is out, behind three calls. Everything
 * that the loop owns comes from here; nothing else in the library calls malloc.
 */
#ifndef ALOOP_SRC_BASE_MEMORY_H
#define ALOOP_SRC_BASE_MEMORY_H

#include <aloop/base.h>

struct memory {
    aloop_allocator allocator;
};

/* Uses `allocator`, or the C library's where that, or its function, is NULL. */
void memory_init(struct memory *memory, const aloop_allocator *allocator);

/* Uninitialised memory of `size` > 0 bytes; NULL if there is none. */
void *memory_alloc(struct memory *memory, size_t size);
/* A larger or smaller block with the old content; NULL, and the old block as it was, if there is none. */
void *memory_resize(struct memory *memory, void *block, size_t old_size, size_t new_size);
/* Gives back a block of that size; NULL is nothing. */
void memory_free(struct memory *memory, void *block, size_t size);

/*
 * The capacity to grow an array to so that it holds `needed` elements: a power of two, at least
 * `minimum`. 0 if it, or its size in bytes, is beyond what can be addressed.
 */
size_t memory_grown_capacity(size_t needed, size_t minimum, size_t element_size);

#endif
