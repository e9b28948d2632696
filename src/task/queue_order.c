/*
 * First in, first out: a ring. Last in, first out: a stack. Each with its way to make a queue.
 */
#include "task/queue.h"

#include "task/element.h"
#include "task/internal.h"

/* --- first in, first out --- */

static void fifo_push(aloop_queue *queue, const void *element)
{
    element_copy(ring_free_slot(queue, queue->stride), element, queue->element_size);
}

static void fifo_pop(aloop_queue *queue, void *out)
{
    element_copy(out, ring_advance(queue, queue->stride), queue->element_size);
}

/* The ring was full: from its head to the end of the old array, items move to the end of the new
   one, which is at least twice as long. */
static void fifo_grown(aloop_queue *queue, size_t old_capacity)
{
    size_t moved = old_capacity - queue->head;
    size_t head = queue->capacity - moved;

    if (queue->head == 0)
        return;
    memmove(queue_slot(queue, head), queue_slot(queue, queue->head), moved * queue->stride);
    queue->head = head;
}

const struct aloop_queue_order queue_fifo = {
    .push = fifo_push, .pop = fifo_pop, .grown = fifo_grown};

int aloop_queue_init(aloop_queue *queue, aloop *loop, size_t element_size, int64_t maxsize)
{
    return queue_init(queue, loop, &queue_fifo, element_size, element_size, maxsize);
}

/* --- last in, first out --- */

static void lifo_push(aloop_queue *queue, const void *element)
{
    element_copy(queue_slot(queue, queue->count), element, queue->element_size);
}

static void lifo_pop(aloop_queue *queue, void *out)
{
    element_copy(out, queue_slot(queue, queue->count - 1), queue->element_size);
}

static const struct aloop_queue_order lifo = {.push = lifo_push, .pop = lifo_pop};

int aloop_lifo_queue_init(aloop_queue *queue, aloop *loop, size_t element_size, int64_t maxsize)
{
    return queue_init(queue, loop, &lifo, element_size, element_size, maxsize);
}
