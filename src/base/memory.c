#include "base/memory.h"
#include "base/compiler.h"
#include <stdlib.h>

static void *libc_alloc(void *context, void *block, size_t old_size, size_t new_size)
{
    (void)context;
    (void)old_size;
    if (new_size == 0) {
        free(block);
        return NULL;
    }
    return realloc(block, new_size);
}

void memory_init(struct memory *memory, const aloop_allocator *allocator)
{
    memory->allocator = (aloop_allocator){.alloc = libc_alloc};
    if (allocator != NULL && allocator->alloc != NULL)
        memory->allocator = *allocator;
    atomic_init(&memory->bytes_used, 0);
}

void *memory_alloc(struct memory *memory, size_t size)
{
    return memory_resize(memory, NULL, 0, size);
}

void *memory_resize(struct memory *memory, void *block, size_t old_size, size_t new_size)
{
    const aloop_allocator *allocator = &memory->allocator;
    void *resized;

    DEBUG_ASSERT(new_size > 0);
    DEBUG_ASSERT(block != NULL || old_size == 0);
    /* Objects beyond half of the address space break pointer subtraction; an allocator need not
     * know. */
    if (new_size > PTRDIFF_MAX)
        return NULL;
    resized = allocator->alloc(allocator->context, block, old_size, new_size);
    /* Unsigned arithmetic wraps, so that one addition serves growing and shrinking. */
    if (resized != NULL)
        atomic_fetch_add_explicit(&memory->bytes_used, new_size - old_size, memory_order_relaxed);
    return resized;
}

void memory_free(struct memory *memory, void *block, size_t size)
{
    const aloop_allocator *allocator = &memory->allocator;

    if (block == NULL)
        return;
    atomic_fetch_sub_explicit(&memory->bytes_used, size, memory_order_relaxed);
    (void)allocator->alloc(allocator->context, block, size, 0);
}

size_t memory_grown_capacity(size_t needed, size_t minimum, size_t element_size)
{
    size_t limit = (size_t)PTRDIFF_MAX / element_size;
    size_t wanted = needed > minimum ? needed : minimum;
    size_t capacity = 1;

    /* While capacity < wanted <= limit <= SIZE_MAX / 2, doubling cannot overflow. */
    if (wanted > limit)
        return 0;
    while (capacity < wanted)
        capacity *= 2;
    return capacity <= limit ? capacity : 0;
}
