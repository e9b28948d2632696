/*
 * Broadcast: one ring of items, and in each receiver the number of the one that it is to get next.
 * Nothing is counted per item: an item is gone when the ring has come round to its place, and a
 * receiver notices by the numbers that it has missed some.
 */
#include "task/element.h"
#include "task/internal.h"

#include <aloop/channel.h>

int aloop_broadcast_init(aloop_broadcast *broadcast, aloop *loop, size_t element_size,
                         size_t capacity)
{
    unsigned char *ring;
    int error = find_home(&loop);

    if (error < 0)
        return error;
    if (element_size == 0 || capacity == 0)
        return -EINVAL;
    if (capacity > PTRDIFF_MAX / element_size)
        return -ENOMEM;
    ring = memory_alloc(&loop->memory, capacity * element_size);
    if (ring == NULL)
        return -ENOMEM;
    *broadcast = (aloop_broadcast){
        .loop = loop, .ring = ring, .element_size = element_size, .capacity = capacity};
    broadcast->receivers.next = &broadcast->receivers;
    broadcast->receivers.prev = &broadcast->receivers;
    loop_object_added(loop);
    return 0;
}

void aloop_broadcast_fini(aloop_broadcast *broadcast)
{
    aloop *loop = broadcast->loop;

    if (loop == NULL)
        return;
    while (broadcast->receivers.next != &broadcast->receivers)
        aloop_broadcast_unsubscribe(
            CONTAINER_OF(broadcast->receivers.next, aloop_broadcast_receiver, link));
    memory_free(&loop->memory, broadcast->ring, broadcast->capacity * broadcast->element_size);
    *broadcast = (aloop_broadcast){0};
    loop_object_removed(loop);
}

/* Something has changed for all receivers. */
static void notify_receivers(aloop_broadcast *broadcast)
{
    for (aloop_link *link = broadcast->receivers.next; link != &broadcast->receivers;
         link = link->next)
        waiters_notify(&CONTAINER_OF(link, aloop_broadcast_receiver, link)->waiters);
}

static unsigned char *slot_of(const aloop_broadcast *broadcast, uint64_t number)
{
    return broadcast->ring + (size_t)(number % broadcast->capacity) * broadcast->element_size;
}

int64_t aloop_broadcast_send(aloop_broadcast *broadcast, const void *element)
{
    if (broadcast->is_closed)
        return -ALOOP_ESHUTDOWN;
    element_copy(slot_of(broadcast, broadcast->sent), element, broadcast->element_size);
    broadcast->sent++;
    notify_receivers(broadcast);
    return (int64_t)broadcast->receiver_count;
}

void aloop_broadcast_close(aloop_broadcast *broadcast)
{
    broadcast->is_closed = true;
    notify_receivers(broadcast);
}

/* --- receivers --- */

void aloop_broadcast_subscribe(aloop_broadcast *broadcast, aloop_broadcast_receiver *receiver)
{
    aloop_link *head = &broadcast->receivers;

    *receiver = (aloop_broadcast_receiver){
        .link = {head, head->prev}, .broadcast = broadcast, .next = broadcast->sent};
    head->prev->next = &receiver->link;
    head->prev = &receiver->link;
    broadcast->receiver_count++;
}

void aloop_broadcast_unsubscribe(aloop_broadcast_receiver *receiver)
{
    if (receiver->broadcast == NULL)
        return;
    receiver->link.prev->next = receiver->link.next;
    receiver->link.next->prev = receiver->link.prev;
    receiver->broadcast->receiver_count--;
    receiver->broadcast = NULL;
    waiters_orphan(&receiver->waiters);
}

aloop_poll aloop_broadcast_receive_poll_(aloop_task *task, aloop_op *op)
{
    aloop_broadcast_receiver *receiver = op->arg[0].pointer;
    const aloop_broadcast *broadcast = receiver != NULL ? receiver->broadcast : NULL;
    uint64_t behind;

    if (broadcast == NULL)
        return -ALOOP_ESHUTDOWN;
    if (broadcast->loop != task->future.loop)
        return -ALOOP_EWRONGLOOP;
    behind = broadcast->sent - receiver->next;
    if (behind > broadcast->capacity) {
        receiver->missed = behind - broadcast->capacity;
        receiver->next += receiver->missed;
        return -ALOOP_ELAGGED;
    }
    if (behind > 0) {
        element_copy(op->arg[1].pointer, slot_of(broadcast, receiver->next),
                     broadcast->element_size);
        receiver->next++;
        return 0;
    }
    return broadcast->is_closed ? -ALOOP_ESHUTDOWN : aloop_op_wait(op, &receiver->waiters);
}

const aloop_op_type aloop_broadcast_receive_type_ = {.name = "broadcast receive"};
