/*
 * A table of fixed-size slots, each with a generation, for objects that users name by a 64-bit
 * number instead of a pointer. A slot's address never changes while the table lives (slots come in
 * chunks, and a chunk is freed only with the table), so the inside of the library may keep
 * pointers; a number whose slot was released, even if it was taken again since, finds nothing.
 *
 * The number: slot index in the low 30 bits, generation (1 and up, 32 bits) above; always positive
 * as an int64_t and below 1 << 62. A generation never comes round: the slot that has used up its
 * last one is not taken again (8 bytes lost in 4 thousand million uses, rather than an old number
 * that works).
 *
 * Under AddressSanitizer the object in a free slot is poisoned.
 */
#ifndef ALOOP_SRC_BASE_SLOTS_H
#define ALOOP_SRC_BASE_SLOTS_H

#include "base/compiler.h"
#include "base/memory.h"
#include <string.h>

/* The first member of every object in a table. */
struct slot {
    int64_t number; /* of the present owner; all its bits turned over (so, negative) while there is
                       none: the index is then another's, and so no number is found to be this */
};

#define SLOT_INDEX_BITS 30
#define SLOT_GENERATION_ONE (INT64_C(1) << SLOT_INDEX_BITS)
/* Generations from here on are reached only when a slot is used up: nobody gets it with them. */
#define SLOT_NUMBER_LAST ((int64_t)UINT32_MAX << SLOT_INDEX_BITS)

/* What is behind the struct slot while it is free. */
struct slot_link {
    struct slot slot;
    struct slot *next;
};

struct slots {
    struct memory *memory;
    char **chunks; /* each of SLOTS_PER_CHUNK objects */
    size_t object_size;
    uint32_t chunk_count;
    uint32_t chunk_capacity;
    uint32_t live;
    struct slot *free_first; /* released slots, last in first out: the warm ones first */
};

#define SLOTS_PER_CHUNK_SHIFT 6
#define SLOTS_PER_CHUNK (1u << SLOTS_PER_CHUNK_SHIFT)

/* object_size: a multiple of 8, with room behind the struct slot for at least a pointer. */
void slots_init(struct slots *slots, struct memory *memory, size_t object_size);
/* Frees all memory, whatever is still taken. */
void slots_fini(struct slots *slots);

/* Makes a chunk of free slots. False if there is no memory, or no index left. */
bool slots_grow(struct slots *slots);

/* A slot for a new owner, its bytes behind the struct slot as they may be; NULL if there is no
   memory, or 2^30 are taken. */
static inline void *slots_take_raw(struct slots *slots)
{
    struct slot *slot;

    if (ALOOP_UNLIKELY(slots->free_first == NULL) && !slots_grow(slots))
        return NULL;
    slot = slots->free_first;
    UNPOISON(slot, slots->object_size);
    slots->free_first = ((struct slot_link *)slot)->next;
    slots->live++;
    slot->number = ~slot->number;
    return slot;
}

/* The same, with those bytes zero. */
static inline void *slots_take(struct slots *slots)
{
    struct slot *slot = slots_take_raw(slots);

    if (slot != NULL)
        memset(slot + 1, 0, slots->object_size - sizeof *slot);
    return slot;
}

static inline bool slot_is_free(const struct slot *slot)
{
    return slot->number < 0;
}

/* Ends the ownership: the number stops working at once, and the slot may be taken again. */
static inline void slots_release(struct slots *slots, void *object)
{
    struct slot *slot = object;
    int64_t next = slot->number + SLOT_GENERATION_ONE;

    DEBUG_ASSERT(!slot_is_free(slot));
    slots->live--;
    slot->number = ~next;
    if (ALOOP_LIKELY(next < SLOT_NUMBER_LAST)) {
        ((struct slot_link *)slot)->next = slots->free_first;
        slots->free_first = slot;
    }
    POISON(slot + 1, slots->object_size - sizeof *slot);
}

/* Makes the present number stop working while the slot stays taken: for an object that is
   cancelled, but that a queue still points to. The object has no number from then on. */
static inline void slots_retire(struct slots *slots, void *object)
{
    struct slot *slot = object;

    (void)slots;
    DEBUG_ASSERT(!slot_is_free(slot));
    if (slot->number < SLOT_NUMBER_LAST)
        slot->number += SLOT_GENERATION_ONE;
}

/* The number of the object's present owner. */
static inline int64_t slots_number(const void *object)
{
    return ((const struct slot *)object)->number;
}

/* Is that the number of the slot's present owner? For who has kept the address of an object that
   has been released since, maybe. */
static inline bool slot_has_number(const struct slot *slot, int64_t number)
{
    return slot->number == number;
}

/* The object with that number, NULL if it was released or retired, or never was. Any number may be
   asked for, 0 and negative ones too. */
static inline void *slots_find(const struct slots *slots, int64_t number)
{
    uint32_t index = (uint32_t)((uint64_t)number & ((UINT32_C(1) << SLOT_INDEX_BITS) - 1));
    struct slot *slot;

    if (index >> SLOTS_PER_CHUNK_SHIFT >= slots->chunk_count)
        return NULL;
    slot = (struct slot *)(void *)(slots->chunks[index >> SLOTS_PER_CHUNK_SHIFT] +
                                   (index & (SLOTS_PER_CHUNK - 1)) * slots->object_size);
    return slot_has_number(slot, number) ? slot : NULL;
}

/* Steps through the taken slots in order of index: start with *cursor == 0; NULL at the end. Slots
   may be released while stepping. */
void *slots_next(const struct slots *slots, uint32_t *cursor);

#endif
