/*
 * One-shot channels: a block of their own, which the end that is closed last frees. So neither end
 * need know how long the other one lives.
 */
#include "task/element.h"
#include "task/internal.h"

#include <aloop/channel.h>

struct aloop_oneshot {
    aloop *loop;
    size_t size;
    bool is_sent;
    bool is_received;
    bool sender_has_gone;
    bool receiver_has_gone;
    aloop_waitlist receivers;
    aloop_waitlist abandoned; /* who waits, at the sender's end, for the receiver to go */
    unsigned char value[];    /* only ever copied */
};

int aloop_oneshot_open(aloop *loop, size_t size, aloop_oneshot **out_oneshot)
{
    aloop_oneshot *oneshot;
    int error = find_home(&loop);

    if (error < 0)
        return error;
    if (size == 0)
        return -EINVAL;
    if (size > PTRDIFF_MAX - sizeof *oneshot)
        return -ENOMEM;
    oneshot = pool_alloc(&loop->pool, sizeof *oneshot + size);
    if (oneshot == NULL)
        return -ENOMEM;
    *oneshot = (aloop_oneshot){.loop = loop, .size = size};
    loop_object_added(loop);
    *out_oneshot = oneshot;
    return 0;
}

static void oneshot_free_if_closed(aloop_oneshot *oneshot)
{
    aloop *loop = oneshot->loop;

    if (!oneshot->sender_has_gone || !oneshot->receiver_has_gone)
        return;
    pool_free(&loop->pool, oneshot, sizeof *oneshot + oneshot->size);
    loop_object_removed(loop);
}

/* --- the sender's end --- */

int aloop_oneshot_send(aloop_oneshot *oneshot, const void *value)
{
    if (oneshot->is_sent)
        return -ALOOP_EDONE;
    if (oneshot->receiver_has_gone)
        return -EPIPE;
    element_copy(oneshot->value, value, oneshot->size);
    oneshot->is_sent = true;
    waiters_notify(&oneshot->receivers);
    return 0;
}

bool aloop_oneshot_is_abandoned(const aloop_oneshot *oneshot)
{
    return oneshot->receiver_has_gone;
}

static aloop_poll abandoned_poll(aloop_task *task, aloop_op *op)
{
    aloop_oneshot *oneshot = op->arg[0].pointer;

    if (oneshot == NULL)
        return -ALOOP_ESHUTDOWN;
    if (oneshot->loop != task->future.loop)
        return -ALOOP_EWRONGLOOP;
    return oneshot->receiver_has_gone ? 0 : aloop_op_wait(op, &oneshot->abandoned);
}

static const aloop_op_type abandoned_type = {.name = "oneshot abandoned"};

aloop_op aloop_oneshot_abandoned(aloop_oneshot *oneshot)
{
    return (aloop_op){
        .poll = abandoned_poll, .type = &abandoned_type, .arg = {{.pointer = oneshot}}};
}

void aloop_oneshot_close_sender(aloop_oneshot *oneshot)
{
    if (oneshot == NULL)
        return;
    oneshot->sender_has_gone = true;
    waiters_orphan(&oneshot->abandoned);
    waiters_notify(&oneshot->receivers);
    oneshot_free_if_closed(oneshot);
}

/* --- the receiver's end --- */

aloop_poll aloop_oneshot_receive_poll_(aloop_task *task, aloop_op *op)
{
    aloop_oneshot *oneshot = op->arg[0].pointer;

    if (oneshot == NULL)
        return -ALOOP_ESHUTDOWN;
    if (oneshot->loop != task->future.loop)
        return -ALOOP_EWRONGLOOP;
    if (oneshot->is_sent && !oneshot->is_received) {
        element_copy(op->arg[1].pointer, oneshot->value, oneshot->size);
        oneshot->is_received = true;
        /* Others that wait for it do so in vain. */
        aloop_waiter_unlink(&op->waiter);
        waiters_notify(&oneshot->receivers);
        return 0;
    }
    if (oneshot->is_received || oneshot->sender_has_gone)
        return -ALOOP_ESHUTDOWN;
    return aloop_op_wait(op, &oneshot->receivers);
}

const aloop_op_type aloop_oneshot_receive_type_ = {.name = "oneshot receive"};

void aloop_oneshot_close_receiver(aloop_oneshot *oneshot)
{
    if (oneshot == NULL)
        return;
    oneshot->receiver_has_gone = true;
    waiters_orphan(&oneshot->receivers);
    waiters_notify(&oneshot->abandoned);
    oneshot_free_if_closed(oneshot);
}
