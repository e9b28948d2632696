#include "base/heap.h"

/*
 * The shape: entry i has the children 4i + 1 .. 4i + 4. Four, because a level costs a cache miss
 * and comparing siblings does not; eight measures the same, two is slower from 1000 entries up.
 *
 * Sifting moves a hole instead of swapping: each entry on the way is written once, and its node's
 * index with it. The indices are size_t, so that 4i + 4 cannot overflow where 2^31 entries fit in
 * memory.
 */
#define ARITY ((size_t)4)
#define CAPACITY_MIN 16
/* How many nodes ahead a sweep has fetched from memory. */
#define SWEEP_AHEAD 16
/* The largest power of two whose indices are all below HEAP_NOT_RESIDENT. */
#define CAPACITY_MAX (UINT32_C(1) << 31)

void heap_init(struct heap *heap, struct memory *memory)
{
    *heap = (struct heap){.memory = memory};
}

void heap_fini(struct heap *heap)
{
    memory_free(heap->memory, heap->entries, heap->capacity * sizeof *heap->entries);
    heap_init(heap, heap->memory);
}

NOINLINE int heap_grow(struct heap *heap)
{
    size_t capacity;
    struct heap_entry *entries;

    if (heap->capacity >= CAPACITY_MAX)
        return -ENOMEM;
    capacity = memory_grown_capacity((size_t)heap->reserved + 1, CAPACITY_MIN, sizeof *entries);
    if (capacity == 0)
        return -ENOMEM;
    entries = memory_resize(heap->memory, heap->entries, heap->capacity * sizeof *entries,
                            capacity * sizeof *entries);
    if (entries == NULL)
        return -ENOMEM;
    heap->entries = entries;
    heap->capacity = (uint32_t)capacity;
    return 0;
}

/* Bitwise on purpose: which of two deadlines is earlier cannot be predicted, so a branch costs more
   than the comparison it saves. */
static inline bool is_before(const struct heap_entry *a, const struct heap_entry *b)
{
    return (a->deadline < b->deadline) |
           ((a->deadline == b->deadline) & (a->sequence < b->sequence));
}

static inline void put(struct heap *heap, size_t index, const struct heap_entry *entry)
{
    heap->entries[index] = *entry;
    entry->node->index = (uint32_t)index;
}

/* Puts `entry` into the hole, or further up. */
static void sift_up(struct heap *heap, size_t hole, struct heap_entry entry)
{
    while (hole > 0) {
        size_t parent = (hole - 1) / ARITY;

        if (!is_before(&entry, &heap->entries[parent]))
            break;
        put(heap, hole, &heap->entries[parent]);
        hole = parent;
    }
    put(heap, hole, &entry);
}

/* The earliest of the children that begin at `first` < heap->count. */
static inline size_t earliest_child(const struct heap *heap, size_t first)
{
    const struct heap_entry *entries = heap->entries;
    size_t left, right, best, end;

    if (ALOOP_LIKELY(first + ARITY <= heap->count)) {
        left = first + is_before(&entries[first + 1], &entries[first]);
        right = first + 2 + is_before(&entries[first + 3], &entries[first + 2]);
        return is_before(&entries[right], &entries[left]) ? right : left;
    }
    end = heap->count;
    best = first;
    for (size_t i = first + 1; i < end; i++) {
        if (is_before(&entries[i], &entries[best]))
            best = i;
    }
    return best;
}

/* Puts `entry` into the hole, or further down. */
static void sift_down(struct heap *heap, size_t hole, struct heap_entry entry)
{
    for (;;) {
        size_t child = hole * ARITY + 1;

        if (child >= heap->count)
            break;
        child = earliest_child(heap, child);
        if (!is_before(&heap->entries[child], &entry))
            break;
        put(heap, hole, &heap->entries[child]);
        hole = child;
    }
    put(heap, hole, &entry);
}

/* Takes the entry at `index` out of the array; the last one fills the hole. */
static void take_out(struct heap *heap, size_t index)
{
    struct heap_entry last = heap->entries[heap->count - 1];

    heap->entries[index].node->index = HEAP_NOT_RESIDENT;
    heap->count--;
    if (index == heap->count)
        return;
    if (index > 0 && is_before(&last, &heap->entries[(index - 1) / ARITY]))
        sift_up(heap, index, last);
    else
        sift_down(heap, index, last);
}

static struct heap_entry entry_of(struct heap_node *node)
{
    return (struct heap_entry){
        .deadline = node->deadline, .sequence = node->sequence, .node = node};
}

/* Brings the array up to date with the key of an armed node that may be earlier than what stands
 * there. */
void heap_place(struct heap *heap, struct heap_node *node)
{
    size_t hole = node->index;

    if (!heap_is_resident(node)) {
        DEBUG_ASSERT(heap->count < heap->reserved);
        hole = heap->count++;
    } else if (node->deadline >= heap->entries[hole].deadline) {
        /* Between the array's key and the one that the node had: lazy after all. */
        return;
    }
    /* The sequence is newer than any in the array, so that an equal deadline is later: unlike
       elsewhere, the deadlines alone decide. */
    while (hole > 0) {
        size_t parent = (hole - 1) / ARITY;

        if (node->deadline >= heap->entries[parent].deadline)
            break;
        put(heap, hole, &heap->entries[parent]);
        hole = parent;
    }
    heap->entries[hole] = entry_of(node);
    node->index = (uint32_t)hole;
}

void heap_insert(struct heap *heap, struct heap_node *node)
{
    DEBUG_ASSERT(!heap_is_resident(node) && heap->count < heap->reserved);
    node->armed = 1;
    sift_up(heap, heap->count++, entry_of(node));
}

/* The node at the top, which is dead, leaves the array. */
void heap_drop_top(struct heap *heap)
{
    struct heap_node *node = heap->entries[0].node;

    heap->dead--;
    take_out(heap, 0);
    if (heap->on_dropped != NULL)
        heap->on_dropped(heap->context, node);
}

struct heap_node *heap_take_top(struct heap *heap)
{
    struct heap_node *node = heap->entries[0].node;

    take_out(heap, 0);
    return node;
}

/* Settles the top, if it is not exactly what it seems. True if it had to be changed. */
static bool settle_top(struct heap *heap)
{
    const struct heap_entry *top = &heap->entries[0];

    if (ALOOP_UNLIKELY(!top->node->armed)) {
        heap_drop_top(heap);
        return true;
    }
    if (top->sequence != top->node->sequence) {
        sift_down(heap, 0, entry_of(top->node));
        return true;
    }
    return false;
}

/*
 * Forgets all dead nodes at once, corrects all keys, and makes a heap of what is left from the
 * bottom up: linear, and paid for by the cancellations of more than half of the array.
 */
COLD NOINLINE void heap_sweep(struct heap *heap)
{
    size_t end = heap->count;
    size_t kept = 0;

    for (size_t i = 0; i < end; i++) {
        struct heap_node *node = heap->entries[i].node;
        struct heap_entry entry;

        /* The order of the array is not that of the nodes in memory. */
        if (i + SWEEP_AHEAD < end)
            PREFETCH(heap->entries[i + SWEEP_AHEAD].node);
        if (node->armed) {
            entry = entry_of(node);
            put(heap, kept++, &entry);
            continue;
        }
        /* The counts go down one by one, so that on_dropped can give the node's place back. */
        node->index = HEAP_NOT_RESIDENT;
        heap->count--;
        heap->dead--;
        if (heap->on_dropped != NULL)
            heap->on_dropped(heap->context, node);
    }
    DEBUG_ASSERT(kept == heap->count && heap->dead == 0);
    for (size_t i = kept < 2 ? 0 : (kept - 2) / ARITY + 1; i-- > 0;)
        sift_down(heap, i, heap->entries[i]);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    if (!heap_is_resident(node))
        return;
    if (!node->armed)
        heap->dead--;
    node->armed = 0;
    take_out(heap, node->index);
}

struct heap_node *heap_peek(struct heap *heap)
{
    while (heap->count > 0) {
        if (!settle_top(heap))
            return heap->entries[0].node;
    }
    return NULL;
}

struct heap_node *heap_pop_due(struct heap *heap, int64_t now)
{
    /* A key in the array is never later than the truth: what is not due there need not be settled.
     */
    while (heap->count > 0 && heap->entries[0].deadline <= now) {
        struct heap_node *node = heap->entries[0].node;

        if (settle_top(heap))
            continue;
        node->armed = 0;
        take_out(heap, 0);
        return node;
    }
    return NULL;
}

bool heap_verify(const struct heap *heap)
{
    uint32_t dead = 0;

    if (heap->count > heap->reserved || heap->reserved > heap->capacity)
        return false;
    for (size_t i = 0; i < heap->count; i++) {
        const struct heap_entry *entry = &heap->entries[i];
        const struct heap_node *node = entry->node;
        struct heap_entry own = {.deadline = node->deadline, .sequence = node->sequence};

        if (node->index != i || node->armed > 1)
            return false;
        if (is_before(&own, entry) || node->sequence > heap->sequence)
            return false;
        if (i > 0 && is_before(entry, &heap->entries[(i - 1) / ARITY]))
            return false;
        dead += !node->armed;
    }
    return dead == heap->dead;
}
