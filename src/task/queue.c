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

/* op->arg[0] is the queue, NULL once that was given back; [1] the element; [2] one of these: */
enum waiter_state { WAITER_NEW, WAITER_WAITING, WAITER_PROMISED, WAITER_RELEASED };

#define UNBOUNDED_MIN 16

static enum waiter_state state_of(const aloop_op *op)
{
    return (enum waiter_state)op->arg[2].number;
}

static void set_state(aloop_op *op, enum waiter_state state)
{
    op->arg[2].number = (int64_t)state;
}

/* --- sides --- */

/* Promises what is available to those who have waited longest. */
static NOINLINE void side_promise_to_waiters(aloop_queue_side *side, size_t available)
{
    aloop_waiter *waiter;

    while (side->promised_count < available &&
           (waiter = aloop_waitlist_first(&side->waiting)) != NULL) {
        aloop_waiter_unlink(waiter);
        aloop_waitlist_push(&side->promised, waiter);
        side->promised_count++;
        set_state(op_of_waiter(waiter), WAITER_PROMISED);
        waiter->notify(waiter);
    }
}

static inline void side_promise(aloop_queue_side *side, size_t available)
{
    /* Mostly nobody waits: not on both sides at once. */
    if (!aloop_waitlist_is_empty(&side->waiting) && side->promised_count < available)
        side_promise_to_waiters(side, available);
}

/* The operation ends here, and what it was promised is not any more. */
static void side_leave(aloop_queue_side *side, aloop_op *op)
{
    if (state_of(op) == WAITER_PROMISED)
        side->promised_count--;
    aloop_waiter_unlink(&op->waiter);
    set_state(op, WAITER_RELEASED);
}

/* Is it this operation's turn? Otherwise it waits. */
static inline bool side_admits(aloop_queue_side *side, aloop_op *op, size_t available)
{
    switch (state_of(op)) {
    case WAITER_PROMISED:
        side_leave(side, op);
        return true;
    case WAITER_NEW:
        if (available > 0 && side->promised_count == 0)
            return true;
        set_state(op, WAITER_WAITING);
        aloop_waitlist_push(&side->waiting, &op->waiter);
        side_promise(side, available);
        return false;
    default:
        return false;
    }
}

/* The operation is given up, and is in no list any more. */
static void side_forget(aloop_queue_side *side, aloop_op *op, size_t available)
{
    if (state_of(op) != WAITER_PROMISED)
        return;
    side->promised_count--;
    side_promise(side, available);
}

static size_t places(const aloop_queue *queue)
{
    return queue->limit - queue->count;
}

/* --- items --- */

/* Makes room for one more item in a queue that has fewer than its limit. */
static int make_room(aloop_queue *queue)
{
    size_t old_capacity = queue->capacity;
    size_t capacity;
    void *slots;

    if (ALOOP_LIKELY(queue->count < old_capacity))
        return 0;
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

static int add_item(aloop_queue *queue, const void *element)
{
    int error = make_room(queue);

    if (error < 0)
        return error;
    queue->order->push(queue, element);
    queue->count++;
    queue->unfinished++;
    side_promise(&queue->getters, queue->count);
    return 0;
}

static void take_item(aloop_queue *queue, void *out)
{
    queue->order->pop(queue, out);
    queue->count--;
    side_promise(&queue->putters, places(queue));
    if (ALOOP_UNLIKELY(queue->is_shutdown) && queue->count == 0)
        waiters_notify(&queue->getters.waiting);
}

/* --- operations --- */

/* -ALOOP_EWRONGLOOP, or -ALOOP_ESHUTDOWN from a queue that has been given back. */
static int check(const aloop_queue *queue, const aloop_task *task)
{
    if (ALOOP_UNLIKELY(queue == NULL))
        return -ALOOP_ESHUTDOWN;
    return ALOOP_LIKELY(queue->loop == task->future.loop) ? 0 : -ALOOP_EWRONGLOOP;
}

aloop_poll aloop_queue_put_poll_(aloop_task *task, aloop_op *op)
{
    aloop_queue *queue = op->arg[0].pointer;
    int error = check(queue, task);

    if (error < 0)
        return error;
    if (ALOOP_UNLIKELY(queue->is_shutdown)) {
        side_leave(&queue->putters, op);
        return -ALOOP_ESHUTDOWN;
    }
    return side_admits(&queue->putters, op, places(queue)) ? add_item(queue, op->arg[1].data)
                                                           : ALOOP_PENDING;
}

aloop_poll aloop_queue_get_poll_(aloop_task *task, aloop_op *op)
{
    aloop_queue *queue = op->arg[0].pointer;
    int error = check(queue, task);

    if (error < 0)
        return error;
    if (ALOOP_UNLIKELY(queue->is_shutdown) && queue->count == 0) {
        side_leave(&queue->getters, op);
        return -ALOOP_ESHUTDOWN;
    }
    if (!side_admits(&queue->getters, op, queue->count))
        return ALOOP_PENDING;
    take_item(queue, op->arg[1].pointer);
    return 0;
}

static void put_drop(aloop_task *task, aloop_op *op)
{
    aloop_queue *queue = op->arg[0].pointer;

    (void)task;
    if (queue != NULL)
        side_forget(&queue->putters, op, places(queue));
}

static void get_drop(aloop_task *task, aloop_op *op)
{
    aloop_queue *queue = op->arg[0].pointer;

    (void)task;
    if (queue != NULL)
        side_forget(&queue->getters, op, queue->count);
}

static void queue_describe(const aloop_task *task, const aloop_op *op, aloop_op_details *details)
{
    const aloop_queue *queue = op->arg[0].data;

    (void)task;
    if (queue == NULL)
        return;
    if (op->poll == aloop_queue_join_poll_)
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
    return aloop_queue_full(queue) ? -EAGAIN : add_item(queue, element);
}

int aloop_queue_get_nowait(aloop_queue *queue, void *out_element)
{
    if (aloop_queue_empty(queue))
        return queue->is_shutdown && queue->count == 0 ? -ALOOP_ESHUTDOWN : -EAGAIN;
    take_item(queue, out_element);
    return 0;
}

/* --- work --- */

/* All is done: that is what counts for those who wait now, even if there is work again by the time
   they run. */
static void release_joiners(aloop_queue *queue)
{
    aloop_link *head = &queue->joiners.head;

    for (aloop_link *link = head->next; link != NULL && link != head; link = link->next)
        set_state(op_of_waiter(CONTAINER_OF(link, aloop_waiter, link)), WAITER_RELEASED);
    waiters_notify(&queue->joiners);
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
    int error = state_of(op) == WAITER_RELEASED ? 0 : check(queue, task);

    if (error < 0 || state_of(op) == WAITER_RELEASED || queue->unfinished == 0)
        return error;
    return aloop_op_wait(op, &queue->joiners);
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
                           .limit = limit};
    loop_object_added(loop);
    return 0;
}

void aloop_queue_shutdown(aloop_queue *queue, bool immediate)
{
    queue->is_shutdown = true;
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
