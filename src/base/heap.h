/*
 * A 4-ary min-heap of deadlines over nodes that their owners embed.
 *
 * The key {deadline, sequence} is kept in the heap's own array, so that sifting touches no node but
 * to note its new index; the sequence, drawn afresh each time a node is armed, makes equal
 * deadlines come out in the order they were set.
 *
 * Two kinds of laziness, both measured to matter more than the heap's shape:
 *   - arming a node that is in the array for a *later* time only stores the new key in the node;
 * the array's key, which is then too early, is corrected when it reaches the top;
 *   - cancelling only marks the node; the array forgets it when it reaches the top, or when more
 *     than half of the array is dead and it is swept as a whole.
 * So a node that has been cancelled may still be in the array ("resident"): before its memory goes
 * away, its owner calls heap_remove(), or waits until heap_is_resident() is false.
 *
 * The invariant that makes laziness right: the key in the array is never later than the node's own.
 *
 * Nothing here allocates but heap_reserve(): a node's place is reserved when the node is made, and
 * arming it later cannot fail.
 */
#ifndef ALOOP_SRC_BASE_HEAP_H
#define ALOOP_SRC_BASE_HEAP_H

#include "base/compiler.h"
#include "base/memory.h"

struct heap_node {
    int64_t deadline; /* kept while the node is not armed: see heap_arm() */
    uint64_t sequence;
    uint32_t index; /* place in the array, HEAP_NOT_RESIDENT while in none */
    uint8_t armed;  /* 0 or 1 */
    uint8_t kind;   /* the owner's: what to do when the node comes up */
    uint16_t tag;   /* the owner's, for what would not fit elsewhere */
};

#define HEAP_NOT_RESIDENT UINT32_MAX

/* Arrays with no more entries than this are not swept: dead nodes come up soon enough. */
#define HEAP_SWEEP_COUNT_MIN 64

struct heap_entry {
    int64_t deadline;
    uint64_t sequence;
    struct heap_node *node;
};

struct heap {
    struct heap_entry *entries;
    uint32_t count;    /* entries in the array, dead ones included */
    uint32_t dead;     /* of them, the cancelled ones */
    uint32_t capacity; /* entries that the array has room for */
    uint32_t reserved; /* nodes that a place is kept for; capacity >= reserved >= count */
    uint64_t sequence; /* drawn last */
    struct memory *memory;
    /* Called for a cancelled node whose entry the array has just dropped (it is not resident any
       more), so that an owner who waited for that can free it. May be NULL. Must not touch the
       heap, save for heap_unreserve(). */
    void (*on_dropped)(void *context, struct heap_node *node);
    void *context;
};

void heap_init(struct heap *heap, struct memory *memory);
/* Frees the array. The nodes are their owners'. */
void heap_fini(struct heap *heap);

/* The part of heap_reserve() that is not worth inlining. */
int heap_grow(struct heap *heap);

/* Keeps a place for one more node. 0 or -ENOMEM. */
static inline int heap_reserve(struct heap *heap)
{
    if (ALOOP_UNLIKELY(heap->reserved >= heap->capacity) && heap_grow(heap) < 0)
        return -ENOMEM;
    heap->reserved++;
    return 0;
}

/* Gives one place back; the node it was for must not be resident. */
static inline void heap_unreserve(struct heap *heap)
{
    DEBUG_ASSERT(heap->reserved > heap->count);
    heap->reserved--;
}

static inline void heap_node_init(struct heap_node *node, uint8_t kind)
{
    *node = (struct heap_node){.index = HEAP_NOT_RESIDENT, .kind = kind};
}

static inline bool heap_is_resident(const struct heap_node *node)
{
    return node->index != HEAP_NOT_RESIDENT;
}

static inline bool heap_is_armed(const struct heap_node *node)
{
    return node->armed != 0;
}

/* The parts of heap_arm() and heap_cancel() that are not worth inlining. */
void heap_place(struct heap *heap, struct heap_node *node);
void heap_sweep(struct heap *heap);

/* Arms a node that is not resident, for the deadline and with the sequence that it has by now: for
   one that has waited elsewhere. Its place must be reserved. */
void heap_insert(struct heap *heap, struct heap_node *node);

/* Sets the node's deadline, whether it was armed or not. Its sequence is drawn anew. */
static inline void heap_arm(struct heap *heap, struct heap_node *node, int64_t deadline)
{
    /* What the node's own key was bounds the array's from above, so a later deadline is known to be
       lazy without a look at the array, which would be a cache miss more. A node that is in no
       array is always placed, whatever it remembers. */
    bool lazy = heap_is_resident(node) && deadline >= node->deadline;

    heap->dead -= heap_is_resident(node) && !node->armed;
    node->armed = 1;
    node->deadline = deadline;
    node->sequence = ++heap->sequence;
    if (!lazy)
        heap_place(heap, node);
}

/* Disarms. True if it was armed. May sweep the array, and so call on_dropped for any dead node,
   this one included. */
static inline bool heap_cancel(struct heap *heap, struct heap_node *node)
{
    if (!node->armed)
        return false;
    node->armed = 0;
    heap->dead++;
    if (ALOOP_UNLIKELY(heap->dead > heap->count / 2) && heap->count > HEAP_SWEEP_COUNT_MIN)
        heap_sweep(heap);
    return true;
}

/* Disarms, and takes the node out of the array now, without calling on_dropped for it. */
void heap_remove(struct heap *heap, struct heap_node *node);

/* For who keeps late nodes elsewhere, step by step what heap_pop_due() does by itself. The key at
   the top of the array, which is never later than the truth; INT64_MAX if there is none. */
static inline int64_t heap_top_deadline(const struct heap *heap)
{
    return heap->count > 0 ? heap->entries[0].deadline : INT64_MAX;
}

enum heap_top_state { HEAP_TOP_NONE, HEAP_TOP_SETTLED, HEAP_TOP_DEAD, HEAP_TOP_LATE };

/* Is the node at the top what the array says, or cancelled, or put off? *out_node is the node, if
   there is one. */
static inline enum heap_top_state heap_top(const struct heap *heap, struct heap_node **out_node)
{
    const struct heap_entry *top = heap->entries;

    if (heap->count == 0)
        return HEAP_TOP_NONE;
    *out_node = top->node;
    if (ALOOP_UNLIKELY(!top->node->armed))
        return HEAP_TOP_DEAD;
    return top->sequence == top->node->sequence ? HEAP_TOP_SETTLED : HEAP_TOP_LATE;
}

/* Drops the node at the top, which is dead. */
void heap_drop_top(struct heap *heap);
/* Takes the node at the top out, which stays armed but is not resident. */
struct heap_node *heap_take_top(struct heap *heap);

/* The earliest armed node, NULL if none is. Corrects what laziness left at the top. */
struct heap_node *heap_peek(struct heap *heap);
/* Takes the earliest armed node out if its deadline is at or before `now`: it is then neither armed
   nor resident. NULL if none is due. */
struct heap_node *heap_pop_due(struct heap *heap, int64_t now);
/* How many nodes are armed. */
static inline uint32_t heap_armed_count(const struct heap *heap)
{
    return heap->count - heap->dead;
}

/* Checks every invariant; false if one is broken. For tests and debug builds. */
bool heap_verify(const struct heap *heap);

#endif
