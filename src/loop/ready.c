#include "loop/ready.h"

/* Large enough for a small program's whole life, small enough (1 KiB) for a program of many loops.
 */
#define READY_CAPACITY_MIN 64

int ready_init(struct ready *ready, struct memory *memory)
{
    *ready = (struct ready){.head = READY_FIRST, .tail = READY_FIRST, .memory = memory};
    ready->ring = memory_alloc(memory, READY_CAPACITY_MIN * sizeof ready->ring[0]);
    if (ready->ring == NULL)
        return -ENOMEM;
    ready->mask = READY_CAPACITY_MIN - 1;
    ready->limit = ready->head + READY_CAPACITY_MIN;
    return 0;
}

void ready_fini(struct ready *ready)
{
    if (ready->ring != NULL)
        memory_free(ready->memory, ready->ring, (ready->mask + 1) * sizeof ready->ring[0]);
    ready->ring = NULL;
    ready->head = ready->tail;
}

static int grow(struct ready *ready)
{
    size_t old_capacity = ready->mask + 1;
    size_t capacity = memory_grown_capacity(ready_count(ready) + ready->reserved + 1, old_capacity,
                                            sizeof ready->ring[0]);
    struct ready_entry *ring;

    if (capacity == 0)
        return -ENOMEM;
    ring = memory_alloc(ready->memory, capacity * sizeof ring[0]);
    if (ring == NULL)
        return -ENOMEM;
    /* Entries keep their numbers, and so have another place in a ring of another size. */
    for (uint64_t number = ready->head; number != ready->tail; number++)
        ring[(size_t)number & (capacity - 1)] = ready->ring[(size_t)number & ready->mask];
    memory_free(ready->memory, ready->ring, old_capacity * sizeof ring[0]);
    ready->ring = ring;
    ready->mask = capacity - 1;
    return 0;
}

/* Counting every queued entry as if it had no reservation errs on the safe side, and needs no
   account of which entry is of which kind. */
int ready_make_room(struct ready *ready)
{
    if (ready_count(ready) + ready->reserved > ready->mask && grow(ready) < 0)
        return -ENOMEM;
    ready->limit = ready->head + ready->mask + 1 - ready->reserved;
    return 0;
}
