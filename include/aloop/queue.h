/*
 * Queues between tasks. asyncio: Queue, PriorityQueue, LifoQueue.
 *
 *     struct job { int id; char name[20]; };
 *
 *     aloop_queue_init(&self->jobs, NULL, sizeof(struct job), 100);
 *     ...
 *     ALOOP_TRY(aloop_queue_put(&self->jobs, &self->job));     in one task
 *     ALOOP_TRY(aloop_queue_get(&self->jobs, &self->job));     in another
 *
 * Items are structs of any one size, and are copied in and out. What is put is read, and what is
 * got is written, at the moment the operation completes and at no other: an operation that is
 * cancelled, or runs out of time, has put nothing and taken nothing. Since it may have to wait, the
 * pointer that it is given must point into a frame or another place that stays, not to a plain
 * local variable.
 *
 * Who waits is served in the order of coming, and nobody overtakes those who wait: an item that
 * has come for a task that waits, or a place that has become free for one, is promised to that task
 * until it runs, and passed on to the next if it is cancelled before.
 *
 * A queue lives by value where the program likes, must not be copied, and belongs to one loop. What
 * a bounded queue needs is allocated when it is made, so that putting never fails for want of
 * memory. All calls are for the loop's thread, inside of tasks or outside.
 */
#ifndef ALOOP_QUEUE_H
#define ALOOP_QUEUE_H

#include <aloop/op.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Those who want to put, or those who want to get. The library's. */
typedef struct aloop_queue_side {
    aloop_waitlist waiting;
    aloop_waitlist promised; /* woken for an item, or a free place, that is theirs */
    size_t promised_count;
} aloop_queue_side;

/* In which order items come out. The library's. */
struct aloop_queue_order;

/* The order of two items: < 0 if `a` is to come out before `b`, > 0 for the other way round, and
   equal ones come out in the order they were put in. Must not use the queue. As for qsort(). */
typedef int aloop_queue_compare(const void *a, const void *b);

/* The members are the library's. */
typedef struct aloop_queue {
    aloop *loop;
    const struct aloop_queue_order *order;
    aloop_queue_compare *compare;
    unsigned char *slots;
    size_t element_size;
    size_t stride; /* bytes from one slot to the next */
    size_t capacity;
    size_t limit; /* how many items it may hold */
    size_t head;  /* first in, first out: the slot of the oldest item */
    size_t count;
    uint64_t sequence; /* by priority: the number of the next item */
    size_t unfinished; /* items put, less aloop_queue_task_done() calls */
    aloop_queue_side getters;
    aloop_queue_side putters;
    aloop_waitlist joiners;
    bool is_shutdown;
    bool is_plain; /* first in, first out, of eight bytes each, and not shut down */
} aloop_queue;

/*
 * Makes a queue, first in first out, on `loop` (NULL: the one that is running), for items of
 * `element_size` bytes, of which it holds up to `maxsize`; 0 or less: as many as there is memory
 * for. A bounded one takes the memory for all of them now. Returns 0; -EINVAL (no size), -ENOMEM,
 * -ALOOP_ENOLOOP, -ALOOP_ECLOSED; after an error there is nothing to undo. asyncio: Queue().
 */
ALOOP_API ALOOP_CHECKED int aloop_queue_init(aloop_queue *queue, aloop *loop, size_t element_size,
                                             int64_t maxsize);

/* A queue that gives the item that was put last. asyncio: LifoQueue(). */
ALOOP_API ALOOP_CHECKED int aloop_lifo_queue_init(aloop_queue *queue, aloop *loop,
                                                  size_t element_size, int64_t maxsize);

/* A queue that gives the least item, in the order of `compare`. asyncio: PriorityQueue(). */
ALOOP_API ALOOP_CHECKED int aloop_priority_queue_init(aloop_queue *queue, aloop *loop,
                                                      size_t element_size, int64_t maxsize,
                                                      aloop_queue_compare *compare);

/*
 * Gives back the queue's memory, with the items that are in it. Tasks that still wait get
 * -ALOOP_ESHUTDOWN. Also after its loop was closed. A queue that is all zero, or was given back, is
 * left alone.
 */
ALOOP_API void aloop_queue_fini(aloop_queue *queue);

/* The parts of the functions below. */
ALOOP_API aloop_poll aloop_queue_put_poll_(aloop_task *task, aloop_op *op);
ALOOP_API aloop_poll aloop_queue_get_poll_(aloop_task *task, aloop_op *op);
ALOOP_API aloop_poll aloop_queue_join_poll_(aloop_task *task, aloop_op *op);
ALOOP_API extern const aloop_op_type aloop_queue_put_type_;
ALOOP_API extern const aloop_op_type aloop_queue_get_type_;
ALOOP_API extern const aloop_op_type aloop_queue_join_type_;

/*
 * Puts a copy of *element into the queue; while that is full, waits. The outcome is 0;
 * -ALOOP_ESHUTDOWN if the queue was shut down; -ENOMEM if it has no bound, and there is no memory;
 * -ALOOP_EWRONGLOOP for a task of another loop. asyncio: put().
 */
static inline aloop_op aloop_queue_put(aloop_queue *queue, const void *element)
{
    aloop_op op = aloop_op_make_(aloop_queue_put_poll_, &aloop_queue_put_type_);

    op.arg[0].pointer = queue;
    op.arg[1].data = element;
    return op;
}

/*
 * Takes the item whose turn it is, and copies it to *out_element; while there is none, waits.
 * out_element NULL: the item is thrown away. The outcome is 0; -ALOOP_ESHUTDOWN if the queue was
 * shut down and is empty; -ALOOP_EWRONGLOOP. asyncio: get().
 */
static inline aloop_op aloop_queue_get(aloop_queue *queue, void *out_element)
{
    aloop_op op = aloop_op_make_(aloop_queue_get_poll_, &aloop_queue_get_type_);

    op.arg[0].pointer = queue;
    op.arg[1].pointer = out_element;
    return op;
}

/*
 * The same without waiting, from anywhere in the loop's thread: -EAGAIN if the queue is full, or
 * what is free of it is promised. Otherwise as aloop_queue_put(). asyncio: put_nowait().
 */
ALOOP_API ALOOP_CHECKED int aloop_queue_put_nowait(aloop_queue *queue, const void *element);
/* -EAGAIN if it is empty, or what it has is promised. asyncio: get_nowait(). */
ALOOP_API ALOOP_CHECKED int aloop_queue_get_nowait(aloop_queue *queue, void *out_element);

/* How many items there are, promised ones with them. asyncio: qsize(). */
static inline size_t aloop_queue_size(const aloop_queue *queue)
{
    return queue->count;
}

/* Would getting have to wait: is there no item that is not promised? asyncio: empty(). */
static inline bool aloop_queue_empty(const aloop_queue *queue)
{
    return queue->count <= queue->getters.promised_count;
}

/* Would putting have to wait: is there no free place that is not promised? asyncio: full(). */
static inline bool aloop_queue_full(const aloop_queue *queue)
{
    return queue->limit - queue->count <= queue->putters.promised_count;
}

/*
 * Says that the work on an item that was got is done. Returns 0, or -EINVAL if that was said more
 * often than items were put. asyncio: task_done().
 */
ALOOP_API int aloop_queue_task_done(aloop_queue *queue);

/*
 * Waits until the work on all items that were put is done. The outcome is 0; -ALOOP_EWRONGLOOP;
 * -ALOOP_ESHUTDOWN if the queue is given back meanwhile. asyncio: join().
 */
static inline aloop_op aloop_queue_join(aloop_queue *queue)
{
    aloop_op op = aloop_op_make_(aloop_queue_join_poll_, &aloop_queue_join_type_);

    op.arg[0].pointer = queue;
    return op;
}

/*
 * Ends the traffic: from here on nothing can be put, and who waits to put gets -ALOOP_ESHUTDOWN;
 * what is in the queue can still be got, and after that who gets is told the same. With
 * `immediate`, what is in the queue is thrown away, as if the work on it were done: take out with
 * aloop_queue_get_nowait() what owns something. Doing it again is harmless. asyncio: shutdown().
 */
ALOOP_API void aloop_queue_shutdown(aloop_queue *queue, bool immediate);

#ifdef __cplusplus
}
#endif

#endif
