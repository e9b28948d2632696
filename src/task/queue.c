/*
 * Queues between tasks: who waits, who is served, and how it ends. The order of the items is in
 * queue_order.c and priority_queue.c.
 *
 * Both sides of a queue, getting and putting, work alike. Something is available (items; free
 * places), and whoever comes when there is too little of it waits. When more becomes available, it
 * is promised to the first who wait: they are woken, and counted, but nothing moves before they
 * run. What is promised is not for others. If one of them is cancelled instead, its promise goes to
 * the next who waits; so no item is lost, and no wake-up.
 *
 * Two things always hold. Somebody waits only if all that is available is promised. And no more is
 * promised than is available, until a shutdown throws items away: then who holds a promise finds it
 * broken, and is told of the shutdown.
 *
 * A newcomer queues up behind those who hold promises, too, even if there is enough for it: or it
 * would get what is theirs, and they what comes after.
 */
#include "task/queue.h"

#include "task/element.h"
#include "task/internal.h"

#include <stdio.h>

/*
 * op->arg[0] is the queue, NULL once that was given back; [1] the element. How far the operation
 * has come shows in its poll function: the one that it begins with, or that of those who wait, or
 * that of those who hold a promise.
 */
typedef aloop_poll poll_function(aloop_task *task, aloop_op *op);

static poll_function get_waiting_poll, get_promised_poll, put_waiting_poll, put_promised_poll;

#define UNBOUNDED_MIN 16

/* --- sides --- */

static NOINLINE aloop_poll side_promise_to_first(aloop_queue_side *side, poll_function *promised)
{
    aloop_waiter *waiter = CONTAINER_OF(side->waiting.head.next, aloop_waiter, link);

    aloop_waiter_unlink(waiter);
    aloop_waitlist_push(&side->promised, waiter);
    side->promised_count++;
    op_of_waiter(waiter)->poll = promised;
    waiter_wake(waiter);
    return 0;
}

/* What has just become available is promised to the one who has waited longest, if anybody waits.
   Returns 0. */
static inline aloop_poll side_promise(aloop_queue_side *side, poll_function *promised)
{
    return aloop_waitlist_is_empty(&side->waiting) ? 0 : side_promise_to_first(side, promised);
}

/* There is too little for a newcomer, as the rest is promised. */
static inline aloop_poll side_wait(aloop_queue_side *side, aloop_op *op, poll_function *waiting)
{
    op->poll = waiting;
    aloop_waitlist_push(&side->waiting, &op->waiter);
    return ALOOP_PENDING;
}

/* There is enough for a newcomer, but those in front have not taken theirs yet. */
static NOINLINE aloop_poll side_wait_promised(aloop_queue_side *side, aloop_op *op,
                                              poll_function *promised)
{
    /* Nobody else waits: each would have been promised what there is. */
    aloop_waitlist_push(&side->waiting, &op->waiter);
    (void)side_promise(side, promised);
    return ALOOP_PENDING;
}

/* The operation ends here, and holds a promise no longer. */
static inline void side_redeem(aloop_queue_side *side, aloop_op *op)
{
    side->promised_count--;
    aloop_waiter_unlink(&op->waiter);
}

static size_t places(const aloop_queue *queue)
{
    return queue->limit - queue->count;
}

/* --- items ---

   What comes and goes by these is counted in nanoseconds, so the usual way through them, eight
   bytes in a ring, needs no stack frame: what is rare is jumped to, and returns the outcome. */

/* A queue without a bound is full. 0 or -ENOMEM. */
static NOINLINE int grow(aloop_queue *queue)
{
    size_t old_capacity = queue->capacity;
    size_t capacity;
    void *slots;

    capacity = memory_grown_capacity(old_capacity + 1, UNBOUNDED_MIN, queue->stride);
    if (capacity == 0)
        return -ENOMEM;
    slots = memory_resize(&queue->loop->memory, queue->slots, old_capacity * queue->stride,
                          capacity * queue->stride);
    if (slots == NULL)
        return -ENOMEM;
    queue->slots = slots;
    queue->capacity = capacity;
    if (queue->order->grown != NULL)
        queue->order->grown(queue, old_capacity);
    return 0;
}

/* An item is in. */
static inline aloop_poll item_was_added(aloop_queue *queue)
{
    queue->count++;
    queue->unfinished++;
    return side_promise(&queue->getters, get_promised_poll);
}

static NOINLINE aloop_poll add_any_item(aloop_queue *queue, const void *element)
{
    if (queue->count == queue->capacity && grow(queue) < 0)
        return -ENOMEM;
    queue->order->push(queue, element);
    return item_was_added(queue);
}

static inline bool takes_eight_bytes(const aloop_queue *queue)
{
    return ALOOP_LIKELY(queue->is_plain) && ALOOP_LIKELY(queue->count < queue->capacity);
}

static inline aloop_poll add_eight_bytes(aloop_queue *queue, const void *element)
{
    memcpy(ring_free_slot(queue, 8), element, 8);
    return item_was_added(queue);
}

static inline aloop_poll add_item(aloop_queue *queue, const void *element)
{
    return takes_eight_bytes(queue) ? add_eight_bytes(queue, element)
                                    : add_any_item(queue, element);
}

/* An item is out of a queue that was shut down: who waits for another may wait in vain. Who waits
   to put has been told already. */
static aloop_poll last_items_go(aloop_queue *queue)
{
    if (queue->count == 0)
        waiters_notify(&queue->getters.waiting);
    return 0;
}

static NOINLINE aloop_poll take_any_item(aloop_queue *queue, void *out)
{
    queue->order->pop(queue, out);
    queue->count--;
    return ALOOP_UNLIKELY(queue->is_shutdown) ? last_items_go(queue)
                                              : side_promise(&queue->putters, put_promised_poll);
}

static inline aloop_poll take_item(aloop_queue *queue, void *out)
{
    if (!queue->is_plain || ALOOP_UNLIKELY(out == NULL))
        return take_any_item(queue, out);
    memcpy(out, ring_advance(queue, 8), 8);
    queue->count--;
    return side_promise(&queue->putters, put_promised_poll);
}

/* --- operations --- */

static inline bool is_of_loop(const aloop_queue *queue, const aloop_task *task)
{
    return ALOOP_LIKELY(queue->loop == task->future.loop);
}

static NOINLINE aloop_poll put_any_item(aloop_queue *queue, aloop_op *op)
{
    if (queue->is_shutdown)
        return -ALOOP_ESHUTDOWN;
    if (places(queue) <= queue->putters.promised_count)
        return side_wait(&queue->putters, op, put_waiting_poll);
    if (ALOOP_UNLIKELY(queue->putters.promised_count > 0))
        return side_wait_promised(&queue->putters, op, put_promised_poll);
    return add_any_item(queue, op->arg[1].data);
}

aloop_poll aloop_queue_put_poll_(aloop_task *task, aloop_op *op)
{
    aloop_queue *queue = op->arg[0].pointer;

    if (!is_of_loop(queue, task))
        return -ALOOP_EWRONGLOOP;
    return takes_eight_bytes(queue) && queue->putters.promised_count == 0
               ? add_eight_bytes(queue, op->arg[1].data)
               : put_any_item(queue, op);
}

static aloop_poll put_waiting_poll(aloop_task *task, aloop_op *op)
{
    const aloop_queue *queue = op->arg[0].data;

    (void)task;
    return queue == NULL || queue->is_shutdown ? -ALOOP_ESHUTDOWN : ALOOP_PENDING;
}

static aloop_poll put_promised_poll(aloop_task *task, aloop_op *op)
{
    aloop_queue *queue = op->arg[0].pointer;

    (void)task;
    if (ALOOP_UNLIKELY(queue == NULL))
        return -ALOOP_ESHUTDOWN;
    side_redeem(&queue->putters, op);
    if (ALOOP_UNLIKELY(queue->is_shutdown))
        return -ALOOP_ESHUTDOWN;
    return add_item(queue, op->arg[1].data);
}

aloop_poll aloop_queue_get_poll_(aloop_task *task, aloop_op *op)
{
    aloop_queue *queue = op->arg[0].pointer;

    if (!is_of_loop(queue, task))
        return -ALOOP_EWRONGLOOP;
    if (queue->count <= queue->getters.promised_count) {
        if (ALOOP_UNLIKELY(queue->is_shutdown) && queue->count == 0)
            return -ALOOP_ESHUTDOWN;
        return side_wait(&queue->getters, op, get_waiting_poll);
    }
    if (ALOOP_UNLIKELY(queue->getters.promised_count > 0))
        return side_wait_promised(&queue->getters, op, get_promised_poll);
    return take_item(queue, op->arg[1].pointer);
}

static aloop_poll get_waiting_poll(aloop_task *task, aloop_op *op)
{
    const aloop_queue *queue = op->arg[0].data;

    (void)task;
    return queue == NULL || (queue->is_shutdown && queue->count == 0) ? -ALOOP_ESHUTDOWN
                                                                      : ALOOP_PENDING;
}

static aloop_poll get_promised_poll(aloop_task *task, aloop_op *op)
{
    aloop_queue *queue = op->arg[0].pointer;

    (void)task;
    if (ALOOP_UNLIKELY(queue == NULL))
        return -ALOOP_ESHUTDOWN;
    side_redeem(&queue->getters, op);
    /* A shutdown has thrown the item away. */
    if (ALOOP_UNLIKELY(queue->count == 0))
        return -ALOOP_ESHUTDOWN;
    return take_item(queue, op->arg[1].pointer);
}

/* Who is given up with a promise passes it on: it is out of its list already. */
static void put_drop(aloop_task *task, aloop_op *op)
{
    aloop_queue *queue = op->arg[0].pointer;

    (void)task;
    if (queue == NULL || op->poll != put_promised_poll)
        return;
    queue->putters.promised_count--;
    (void)side_promise(&queue->putters, put_promised_poll);
}

static void get_drop(aloop_task *task, aloop_op *op)
{
    aloop_queue *queue = op->arg[0].pointer;

    (void)task;
    if (queue == NULL || op->poll != get_promised_poll)
        return;
    queue->getters.promised_count--;
    (void)side_promise(&queue->getters, get_promised_poll);
}

static void queue_describe(const aloop_task *task, const aloop_op *op, aloop_op_details *details)
{
    const aloop_queue *queue = op->arg[0].data;

    (void)task;
    if (queue == NULL)
        return;
    if (op->type == &aloop_queue_join_type_)
        (void)snprintf(details->text, sizeof details->text, "%zu items unfinished",
                       queue->unfinished);
    else if (queue->limit == SIZE_MAX)
        (void)snprintf(details->text, sizeof details->text, "%zu items", queue->count);
    else
        (void)snprintf(details->text, sizeof details->text, "%zu of %zu items", queue->count,
                       queue->limit);
}

const aloop_op_type aloop_queue_put_type_ = {
    .name = "queue put", .drop = put_drop, .describe = queue_describe};
const aloop_op_type aloop_queue_get_type_ = {
    .name = "queue get", .drop = get_drop, .describe = queue_describe};

int aloop_queue_put_nowait(aloop_queue *queue, const void *element)
{
    if (queue->is_shutdown)
        return -ALOOP_ESHUTDOWN;
    return aloop_queue_full(queue) ? -EAGAIN : (int)add_item(queue, element);
}

int aloop_queue_get_nowait(aloop_queue *queue, void *out_element)
{
    if (aloop_queue_empty(queue))
        return queue->is_shutdown && queue->count == 0 ? -ALOOP_ESHUTDOWN : -EAGAIN;
    return (int)take_item(queue, out_element);
}

/* --- work --- */

static aloop_poll join_released_poll(aloop_task *task, aloop_op *op)
{
    (void)task;
    (void)op;
    return 0;
}

/* All is done: that is what counts for those who wait now, even if there is work again by the time
   they run. */
static void release_joiners(aloop_queue *queue)
{
    aloop_waiter *waiter;

    while ((waiter = aloop_waitlist_pop(&queue->joiners)) != NULL) {
        op_of_waiter(waiter)->poll = join_released_poll;
        waiter_wake(waiter);
    }
}

int aloop_queue_task_done(aloop_queue *queue)
{
    if (queue->unfinished == 0)
        return -EINVAL;
    if (--queue->unfinished == 0)
        release_joiners(queue);
    return 0;
}

aloop_poll aloop_queue_join_poll_(aloop_task *task, aloop_op *op)
{
    aloop_queue *queue = op->arg[0].pointer;

    if (queue == NULL)
        return -ALOOP_ESHUTDOWN;
    if (!is_of_loop(queue, task))
        return -ALOOP_EWRONGLOOP;
    return queue->unfinished == 0 ? 0 : aloop_op_wait(op, &queue->joiners);
}

const aloop_op_type aloop_queue_join_type_ = {.name = "queue join", .describe = queue_describe};

/* --- beginning and end --- */

int queue_init(aloop_queue *queue, aloop *loop, const struct aloop_queue_order *order,
               size_t element_size, size_t stride, int64_t maxsize)
{
    size_t limit = maxsize > 0 && (uint64_t)maxsize < SIZE_MAX ? (size_t)maxsize : SIZE_MAX;
    unsigned char *slots = NULL;
    int error = find_home(&loop);

    if (error < 0)
        return error;
    if (element_size == 0)
        return -EINVAL;
    if (maxsize > 0) {
        if (limit > PTRDIFF_MAX / stride)
            return -ENOMEM;
        slots = memory_alloc(&loop->memory, limit * stride);
        if (slots == NULL)
            return -ENOMEM;
    }
    *queue = (aloop_queue){.loop = loop,
                           .order = order,
                           .slots = slots,
                           .element_size = element_size,
                           .stride = stride,
                           .capacity = slots != NULL ? limit : 0,
                           .limit = limit,
                           .is_plain = order == &queue_fifo && element_size == 8};
    loop_object_added(loop);
    return 0;
}

void aloop_queue_shutdown(aloop_queue *queue, bool immediate)
{
    queue->is_shutdown = true;
    queue->is_plain = false;
    if (immediate) {
        queue->unfinished -= queue->count < queue->unfinished ? queue->count : queue->unfinished;
        queue->count = 0;
        queue->head = 0;
        if (queue->unfinished == 0)
            release_joiners(queue);
    }
    waiters_notify(&queue->putters.waiting);
    if (queue->count == 0)
        waiters_notify(&queue->getters.waiting);
}

void aloop_queue_fini(aloop_queue *queue)
{
    aloop *loop = queue->loop;

    if (loop == NULL)
        return;
    waiters_orphan(&queue->putters.waiting);
    waiters_orphan(&queue->putters.promised);
    waiters_orphan(&queue->getters.waiting);
    waiters_orphan(&queue->getters.promised);
    waiters_orphan(&queue->joiners);
    memory_free(&loop->memory, queue->slots, queue->capacity * queue->stride);
    *queue = (aloop_queue){0};
    loop_object_removed(loop);
}
