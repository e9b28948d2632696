#include "base/slots.h"

#define CHUNK_COUNT_MAX ((UINT32_C(1) << SLOT_INDEX_BITS) / SLOTS_PER_CHUNK)
#define CHUNK_CAPACITY_MIN 4
/* Objects that are as long as a cache line are to be in one; allocators promise a quarter of it. */
#define CHUNK_ALIGNMENT 64u

_Static_assert(sizeof(struct slot) == 8, "an object's own members begin 8 bytes in");

void slots_init(struct slots *slots, struct memory *memory, size_t object_size)
{
    DEBUG_ASSERT(object_size % 8 == 0 && object_size >= sizeof(struct slot_link));
    *slots = (struct slots){.memory = memory, .object_size = object_size};
}

static struct slot *slot_at(const struct slots *slots, uint32_t index)
{
    return (struct slot *)(void *)(slots->chunks[index / SLOTS_PER_CHUNK] +
                                   index % SLOTS_PER_CHUNK * slots->object_size);
}

/* A chunk, aligned; in front of it stands where its memory begins. */
static char *chunk_alloc(const struct slots *slots, size_t size)
{
    char *memory = memory_alloc(slots->memory, size + CHUNK_ALIGNMENT);
    char *chunk;

    if (memory == NULL)
        return NULL;
    chunk = memory + CHUNK_ALIGNMENT - (uintptr_t)memory % CHUNK_ALIGNMENT;
    memcpy(chunk - sizeof memory, &memory, sizeof memory);
    return chunk;
}

static void chunk_free(const struct slots *slots, char *chunk, size_t size)
{
    char *memory;

    UNPOISON(chunk, size);
    memcpy(&memory, chunk - sizeof memory, sizeof memory);
    memory_free(slots->memory, memory, size + CHUNK_ALIGNMENT);
}

void slots_fini(struct slots *slots)
{
    for (uint32_t i = 0; i < slots->chunk_count; i++)
        chunk_free(slots, slots->chunks[i], slots->object_size * SLOTS_PER_CHUNK);
    memory_free(slots->memory, slots->chunks, slots->chunk_capacity * sizeof *slots->chunks);
    slots_init(slots, slots->memory, slots->object_size);
}

/* Room in the array of chunks for one more. */
static bool reserve_chunk(struct slots *slots)
{
    size_t capacity;
    char **chunks;

    if (slots->chunk_count < slots->chunk_capacity)
        return true;
    if (slots->chunk_count >= CHUNK_COUNT_MAX)
        return false;
    capacity =
        memory_grown_capacity((size_t)slots->chunk_count + 1, CHUNK_CAPACITY_MIN, sizeof *chunks);
    if (capacity == 0)
        return false;
    chunks = memory_resize(slots->memory, slots->chunks, slots->chunk_capacity * sizeof *chunks,
                           capacity * sizeof *chunks);
    if (chunks == NULL)
        return false;
    slots->chunks = chunks;
    slots->chunk_capacity = (uint32_t)capacity;
    return true;
}

NOINLINE bool slots_grow(struct slots *slots)
{
    int64_t number = SLOT_GENERATION_ONE | (int64_t)slots->chunk_count * SLOTS_PER_CHUNK;
    char *chunk;

    if (slots->object_size > (SIZE_MAX - CHUNK_ALIGNMENT) / SLOTS_PER_CHUNK ||
        !reserve_chunk(slots))
        return false;
    chunk = chunk_alloc(slots, slots->object_size * SLOTS_PER_CHUNK);
    if (chunk == NULL)
        return false;
    slots->chunks[slots->chunk_count++] = chunk;
    /* Backwards, so that the lowest index is taken first. */
    for (unsigned i = SLOTS_PER_CHUNK; i-- > 0;) {
        struct slot_link *link = (struct slot_link *)(void *)(chunk + i * slots->object_size);

        link->slot.number = ~(number + i);
        link->next = slots->free_first;
        slots->free_first = &link->slot;
        POISON(&link->slot + 1, slots->object_size - sizeof link->slot);
    }
    return true;
}

void *slots_next(const struct slots *slots, uint32_t *cursor)
{
    uint32_t end = slots->chunk_count * SLOTS_PER_CHUNK;

    while (*cursor < end) {
        struct slot *slot = slot_at(slots, (*cursor)++);

        if (!slot_is_free(slot))
            return slot;
    }
    return NULL;
}
