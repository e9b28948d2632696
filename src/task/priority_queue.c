/*
 * Queues by priority: a 4-ary heap of items by value. Behind each item in its slot stands the
 * number under which it was put, so that equal items come out in the order they went in.
 *
 * Items move into a hole rather than being exchanged: one copy a level instead of three, and no
 * room needed for an item in between.
 */
#include "task/queue.h"

#include "task/element.h"
#include "task/internal.h"

#define ARITY 4

static size_t round_up(size_t size, size_t unit)
{
    return (size + unit - 1) / unit * unit;
}

/* An item of the program's is compared where it lies, so it must be aligned as its type wants it,
   which is at most the largest power of two in its size. */
static size_t alignment_for(size_t element_size)
{
    size_t alignment = element_size & (~element_size + 1);

    if (alignment < _Alignof(uint64_t))
        return _Alignof(uint64_t);
    return alignment > _Alignof(max_align_t) ? _Alignof(max_align_t) : alignment;
}

static size_t sequence_offset(const aloop_queue *queue)
{
    return round_up(queue->element_size, _Alignof(uint64_t));
}

static uint64_t *sequence_of(const aloop_queue *queue, unsigned char *slot)
{
    return (uint64_t *)(void *)(slot + sequence_offset(queue));
}

/* Does the item that was put under `sequence` come out before the one in `slot`? */
static inline bool comes_before(const aloop_queue *queue, const void *element, uint64_t sequence,
                                unsigned char *slot)
{
    int order = queue->compare(element, slot);

    return order < 0 || (order == 0 && sequence < *sequence_of(queue, slot));
}

/* Puts an item where there is a hole, or higher up, where it belongs. */
static inline void fill_hole(aloop_queue *queue, size_t hole, const void *element,
                             uint64_t sequence)
{
    unsigned char *slot = queue_slot(queue, hole);

    while (hole > 0) {
        size_t parent = (hole - 1) / ARITY;
        unsigned char *above = queue_slot(queue, parent);

        if (!comes_before(queue, element, sequence, above))
            break;
        copy_bytes(slot, above, queue->stride);
        slot = above;
        hole = parent;
    }
    element_copy(slot, element, queue->element_size);
    *sequence_of(queue, slot) = sequence;
}

static void priority_push(aloop_queue *queue, const void *element)
{
    fill_hole(queue, queue->count, element, queue->sequence++);
}

/* The one that comes out first of the slots from `child` to `end`, of which there are at most as
   many as an item has children. */
static inline size_t first_of(const aloop_queue *queue, size_t child, size_t end)
{
    unsigned char *slot = queue_slot(queue, child);
    unsigned char *best_slot = slot;
    size_t best = child;

    while (++child < end) {
        slot += queue->stride;
        if (comes_before(queue, slot, *sequence_of(queue, slot), best_slot)) {
            best = child;
            best_slot = slot;
        }
    }
    return best;
}

/* The hole at the top sinks to the bottom, which the last item then fills: it has come from there,
   and seldom belongs much higher, so it is not compared on the way down. */
static void priority_pop(aloop_queue *queue, void *out)
{
    size_t last = queue->count - 1;
    unsigned char *last_slot = queue_slot(queue, last);
    size_t hole = 0;
    size_t child;

    element_copy(out, queue->slots, queue->element_size);
    if (last == 0)
        return;
    while ((child = hole * ARITY + 1) < last) {
        child = first_of(queue, child, child + ARITY < last ? child + ARITY : last);
        copy_bytes(queue_slot(queue, hole), queue_slot(queue, child), queue->stride);
        hole = child;
    }
    fill_hole(queue, hole, last_slot, *sequence_of(queue, last_slot));
}

static const struct aloop_queue_order by_priority = {.push = priority_push, .pop = priority_pop};

int aloop_priority_queue_init(aloop_queue *queue, aloop *loop, size_t element_size, int64_t maxsize,
                              aloop_queue_compare *compare)
{
    size_t with_sequence = round_up(element_size, _Alignof(uint64_t)) + sizeof(uint64_t);
    int error;

    if (compare == NULL || element_size == 0 || with_sequence <= element_size)
        return -EINVAL;
    error = queue_init(queue, loop, &by_priority, element_size,
                       round_up(with_sequence, alignment_for(element_size)), maxsize);
    if (error == 0)
        queue->compare = compare;
    return error;
}
