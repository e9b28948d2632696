/*
 * The order in which a queue's items come out: what its kinds differ in.
 */
#ifndef ALOOP_SRC_TASK_QUEUE_H
#define ALOOP_SRC_TASK_QUEUE_H

#include "task/element.h"

#include <aloop/queue.h>

/* Of queue_fifo, the first two are the inline functions below. */
struct aloop_queue_order {
    /* There is room: puts a copy of *element in. */
    void (*push)(aloop_queue *queue, const void *element);
    /* There is an item: takes out the one whose turn it is; `out` may be NULL. */
    void (*pop)(aloop_queue *queue, void *out);
    /* The slots were moved to an array that is larger than the `old_capacity` slots that are in
       use. NULL: that changes nothing. */
    void (*grown)(aloop_queue *queue, size_t old_capacity);
};

/* First in, first out: what most queues are. */
extern const struct aloop_queue_order queue_fifo;

/* Makes a queue of that order with slots of `stride` bytes: aloop_queue_init() and its kin. */
int queue_init(aloop_queue *queue, aloop *loop, const struct aloop_queue_order *order,
               size_t element_size, size_t stride, int64_t maxsize);

static inline unsigned char *queue_slot(const aloop_queue *queue, size_t index)
{
    return queue->slots + index * queue->stride;
}

/* --- first in, first out: a ring, at hand where each item comes by --- */

static inline void queue_push_last(aloop_queue *queue, const void *element)
{
    size_t index = queue->head + queue->count;

    if (index >= queue->capacity)
        index -= queue->capacity;
    element_copy(queue_slot(queue, index), element, queue->element_size);
}

static inline void queue_pop_oldest(aloop_queue *queue, void *out)
{
    element_copy(out, queue_slot(queue, queue->head), queue->element_size);
    if (++queue->head == queue->capacity)
        queue->head = 0;
}

/* --- in whatever order --- */

static inline void queue_push(aloop_queue *queue, const void *element)
{
    if (ALOOP_LIKELY(queue->order == &queue_fifo))
        queue_push_last(queue, element);
    else
        queue->order->push(queue, element);
}

static inline void queue_pop(aloop_queue *queue, void *out)
{
    if (ALOOP_LIKELY(queue->order == &queue_fifo))
        queue_pop_oldest(queue, out);
    else
        queue->order->pop(queue, out);
}

#endif
