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

static uint64_t sequence_at(const aloop_queue *queue, size_t index)
{
    return *(const uint64_t *)(const void *)(queue_slot(queue, index) + sequence_offset(queue));
}

static void set_sequence_at(aloop_queue *queue, size_t index, uint64_t sequence)
{
    *(uint64_t *)(void *)(queue_slot(queue, index) + sequence_offset(queue)) = sequence;
}

static void move(aloop_queue *queue, size_t to, size_t from)
{
    memcpy(queue_slot(queue, to), queue_slot(queue, from), queue->stride);
}

/* Does the item in slot `a` come out before the one in slot `b`? */
static bool comes_before(const aloop_queue *queue, size_t a, size_t b)
{
    int order = queue->compare(queue_slot(queue, a), queue_slot(queue, b));

    return order < 0 || (order == 0 && sequence_at(queue, a) < sequence_at(queue, b));
}

static void priority_push(aloop_queue *queue, const void *element)
{
    size_t hole = queue->count;

    while (hole > 0) {
        size_t parent = (hole - 1) / ARITY;

        /* Of equals it is the last. */
        if (queue->compare(element, queue_slot(queue, parent)) >= 0)
            break;
        move(queue, hole, parent);
        hole = parent;
    }
    element_copy(queue_slot(queue, hole), element, queue->element_size);
    set_sequence_at(queue, hole, queue->sequence++);
}

/* The slot of the child of `index` that comes first, of those below `end`; `end` if it has none. */
static size_t first_child(const aloop_queue *queue, size_t index, size_t end)
{
    size_t child = index * ARITY + 1;
    size_t best = child;

    if (child >= end)
        return end;
    for (size_t i = child + 1; i < end && i < child + ARITY; i++) {
        if (comes_before(queue, i, best))
            best = i;
    }
    return best;
}

static void priority_pop(aloop_queue *queue, void *out)
{
    size_t last = queue->count - 1;
    size_t hole = 0;

    element_copy(out, queue_slot(queue, 0), queue->element_size);
    if (last == 0)
        return;
    for (;;) {
        size_t child = first_child(queue, hole, last);

        if (child == last || comes_before(queue, last, child))
            break;
        move(queue, hole, child);
        hole = child;
    }
    move(queue, hole, last);
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
