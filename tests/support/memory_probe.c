#include "memory_probe.h"
#include <stdlib.h>
#include <string.h>

/* In front of each block; as long as keeps the block aligned for any type. */
union header {
    size_t size;
    max_align_t align;
};

static bool is_to_fail(struct memory_probe *probe)
{
    long number = atomic_fetch_add(&probe->requests, 1) + 1;
    long from = atomic_load(&probe->fail_from);

    return from > 0 && (number == from || (number > from && atomic_load(&probe->persists)));
}

static void *probe_alloc(void *context, void *block, size_t old_size, size_t new_size)
{
    struct memory_probe *probe = context;
    union header *old = block;
    union header *fresh;

    if (old != NULL)
        old--;
    if ((old == NULL ? 0 : old->size) != old_size)
        atomic_store(&probe->mistaken, true);
    if (new_size == 0) {
        atomic_fetch_sub(&probe->bytes, old_size);
        /* Real allocators write into what they get back: it must be accessible again. (Volatile, or
           the compiler drops the writes since the memory is freed next.) */
        for (size_t i = 0; i < old_size; i++)
            ((volatile char *)(old + 1))[i] = 0x5D;
        free(old);
        return NULL;
    }
    if (is_to_fail(probe))
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
    atomic_fetch_add(&probe->bytes, new_size - old_size);
    return fresh + 1;
}

aloop_allocator memory_probe_allocator(struct memory_probe *probe)
{
    return (aloop_allocator){.alloc = probe_alloc, .context = probe};
}

void memory_probe_fail(struct memory_probe *probe, long n, bool persists)
{
    atomic_store(&probe->fail_from, 0);
    atomic_store(&probe->persists, persists);
    if (n > 0)
        atomic_store(&probe->fail_from, atomic_load(&probe->requests) + n);
}
