/*
 * The order in which a queue's items come out: what its kinds differ in.
 */
#ifndef ALOOP_SRC_TASK_QUEUE_H
#define ALOOP_SRC_TASK_QUEUE_H

#include <aloop/queue.h>

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

/* --- first in, first out: a ring --- */

/* The slot of the next item to come, where each takes `stride` bytes. */
static inline unsigned char *ring_free_slot(const aloop_queue *queue, size_t stride)
{
    size_t index = queue->head + queue->count;

    return queue->slots + (index >= queue->capacity ? index - queue->capacity : index) * stride;
}

/* That of the oldest item, which is about to go. */
static inline unsigned char *ring_advance(aloop_queue *queue, size_t stride)
{
    size_t head = queue->head;

    queue->head = head + 1 == queue->capacity ? 0 : head + 1;
    return queue->slots + head * stride;
}

#endif
