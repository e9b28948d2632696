/*
 * An allocator that refuses one request, or all from one on, and otherwise checks the sizes it is
 * told against what it gave, so that a wrong old size shows.
 */
#ifndef ALOOP_TESTS_BASE_FAILING_ALLOCATOR_H
#define ALOOP_TESTS_BASE_FAILING_ALLOCATOR_H

#include <aloop/base.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct failing_allocator {
    long requests;   /* for memory, so far; freeing does not count */
    long fail_from;  /* this request (the first is 1) fails; 0: none does */
    bool persistent; /* and so do all after it */
    bool mistaken;   /* a size was not that of the block */
    size_t bytes;    /* out */
};

/* In front of each block; as long as keeps the block aligned for any type. */
union failing_allocator_header {
    size_t size;
    max_align_t align;
};

static inline void *failing_allocator_alloc(void *context, void *block, size_t old_size,
                                            size_t new_size)
{
    struct failing_allocator *self = context;
    union failing_allocator_header *old = block;
    union failing_allocator_header *fresh;

    if (old != NULL)
        old--;
    if ((old == NULL ? 0 : old->size) != old_size)
        self->mistaken = true;
    if (new_size == 0) {
        self->bytes -= old_size;
        /* Real allocators write into what they get back: it must be accessible again. (Volatile, or
           the compiler drops the writes since the memory is freed next.) */
        for (size_t i = 0; i < old_size; i++)
            ((volatile char *)(old + 1))[i] = 0x5D;
        free(old);
        return NULL;
    }
    self->requests++;
    if (self->requests == self->fail_from ||
        (self->persistent && self->fail_from > 0 && self->requests > self->fail_from))
        return NULL;
    /* Always another address and never zero: nobody may rely on either. */
    fresh = malloc(sizeof *fresh + new_size);
    if (fresh == NULL)
        return NULL;
    fresh->size = new_size;
    memset(fresh + 1, 0xA5, new_size);
    if (old != NULL)
        memcpy(fresh + 1, old + 1, old_size < new_size ? old_size : new_size);
    free(old);
    self->bytes += new_size - old_size;
    return fresh + 1;
}

static inline aloop_allocator failing_allocator_interface(struct failing_allocator *self)
{
    return (aloop_allocator){.alloc = failing_allocator_alloc, .context = self};
}

#endif
