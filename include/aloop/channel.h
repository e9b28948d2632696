/*
 * Channels between tasks, beside queues (<aloop/queue.h>):
 *
 *   - one-shot: one answer, from one sender to one receiver;
 *   - broadcast: each receiver gets each item that was sent after it subscribed;
 *   - watch: the latest value, and being told when it changes.
 *
 * Items are structs of any one size, and are copied in and out. As with queues, what is received is
 * written at the moment the operation completes and at no other, into memory that must stay while
 * it waits: an operation that is cancelled, or runs out of time, has taken nothing.
 *
 * A channel belongs to one loop; tasks of others get -ALOOP_EWRONGLOOP. All calls are for the
 * loop's thread, inside of tasks or outside; nothing but making a channel allocates.
 */
#ifndef ALOOP_CHANNEL_H
#define ALOOP_CHANNEL_H

#include <aloop/op.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * One-shot. It is the memory of neither end, because either may be given up first: a request that
 * ran out of time goes while who answers it is still at work.
 *
 *     self->error = aloop_oneshot_open(NULL, sizeof(struct answer), &self->reply);
 *     request.reply = self->reply;                           the sending end goes to the server
 *     ALOOP_TRY(aloop_queue_put(&server->requests, &request));
 *     ALOOP_TRY(aloop_oneshot_receive(self->reply, &self->answer));
 *     ALOOP_FINALLY;
 *     aloop_oneshot_close_receiver(self->reply);
 */
typedef struct aloop_oneshot aloop_oneshot;

/*
 * Makes one for a value of `size` bytes on `loop` (NULL: the one that is running). *out_oneshot
 * (returns owned) stands for both ends; each is given back once, by its own close function, and the
 * last of them frees it. Returns 0; -EINVAL (no size), -ENOMEM, -ALOOP_ENOLOOP, -ALOOP_ECLOSED.
 */
ALOOP_API ALOOP_CHECKED int aloop_oneshot_open(aloop *loop, size_t size,
                                               aloop_oneshot **out_oneshot);

/*
 * The sender's end. Sends a copy of *value. Returns 0; -EPIPE if the receiver has gone, and nobody
 * will ever see it; -ALOOP_EDONE if a value was sent before. The end must still be closed.
 */
ALOOP_API int aloop_oneshot_send(aloop_oneshot *oneshot, const void *value);
/* Has the receiver gone? Then there is no need to go on working for it. */
ALOOP_API bool aloop_oneshot_is_abandoned(const aloop_oneshot *oneshot);
/* Waits until the receiver has gone; the outcome is 0. */
ALOOP_API aloop_op aloop_oneshot_abandoned(aloop_oneshot *oneshot);
/*
 * Gives back the sender's end. If nothing was sent, the receiver gets -ALOOP_ESHUTDOWN; what still
 * waits at this end, too. NULL is nothing.
 */
ALOOP_API void aloop_oneshot_close_sender(aloop_oneshot *oneshot);

/* The parts of aloop_oneshot_receive(). */
ALOOP_API aloop_poll aloop_oneshot_receive_poll_(aloop_task *task, aloop_op *op);
ALOOP_API extern const aloop_op_type aloop_oneshot_receive_type_;

/*
 * The receiver's end. Waits for the value, and copies it to *out_value. The outcome is 0;
 * -ALOOP_ESHUTDOWN if the sender has gone without a word, or the value was received before.
 */
static inline aloop_op aloop_oneshot_receive(aloop_oneshot *oneshot, void *out_value)
{
    aloop_op op = aloop_op_make_(aloop_oneshot_receive_poll_, &aloop_oneshot_receive_type_);

    op.arg[0].pointer = oneshot;
    op.arg[1].pointer = out_value;
    return op;
}
/* Gives back the receiver's end; what still waits at it gets -ALOOP_ESHUTDOWN. NULL is nothing. */
ALOOP_API void aloop_oneshot_close_receiver(aloop_oneshot *oneshot);

/*
 * Broadcast: a ring that holds the last `capacity` items for all receivers. Sending never waits: a
 * receiver that is so far behind that its next item was overwritten is told how many it has missed,
 * and goes on with the oldest that is still there. Where nothing may be missed, and the slowest
 * receiver is to hold up the sender, a queue for each receiver is the thing. The members are the
 * library's.
 */
typedef struct aloop_broadcast {
    aloop *loop;
    unsigned char *ring;
    size_t element_size;
    size_t capacity;
    uint64_t sent; /* items so far: the number of the next one */
    aloop_link receivers;
    size_t receiver_count;
    bool is_closed;
} aloop_broadcast;

/* A receiver, by value; it must not be copied while it is subscribed. The library's. */
typedef struct aloop_broadcast_receiver {
    aloop_link link; /* in the broadcast's receivers */
    aloop_broadcast *broadcast;
    uint64_t next; /* the number of the item it receives next */
    uint64_t missed;
    aloop_waitlist waiters;
} aloop_broadcast_receiver;

/* Makes one; the memory for the ring is taken now. Errors as aloop_queue_init(). */
ALOOP_API ALOOP_CHECKED int aloop_broadcast_init(aloop_broadcast *broadcast, aloop *loop,
                                                 size_t element_size, size_t capacity);

/*
 * Gives it back. Receivers that are left are unsubscribed, and who waits at one gets
 * -ALOOP_ESHUTDOWN. Also after its loop was closed. All zero: nothing.
 */
ALOOP_API void aloop_broadcast_fini(aloop_broadcast *broadcast);

/*
 * Sends a copy of *element to all who are subscribed. Returns how many those are;
 * -ALOOP_ESHUTDOWN after aloop_broadcast_close().
 */
ALOOP_API int64_t aloop_broadcast_send(aloop_broadcast *broadcast, const void *element);

/* No more will be sent: receivers get what is there, and then -ALOOP_ESHUTDOWN. */
ALOOP_API void aloop_broadcast_close(aloop_broadcast *broadcast);

/* From here on `receiver`, which is subscribed nowhere, receives what is sent. */
ALOOP_API void aloop_broadcast_subscribe(aloop_broadcast *broadcast,
                                         aloop_broadcast_receiver *receiver);

/* No more; who waits at this receiver gets -ALOOP_ESHUTDOWN. All zero, or again: nothing. */
ALOOP_API void aloop_broadcast_unsubscribe(aloop_broadcast_receiver *receiver);

/* The parts of aloop_broadcast_receive(). */
ALOOP_API aloop_poll aloop_broadcast_receive_poll_(aloop_task *task, aloop_op *op);
ALOOP_API extern const aloop_op_type aloop_broadcast_receive_type_;

/*
 * Waits for the receiver's next item, and copies it to *out_element. The outcome is 0;
 * -ALOOP_ELAGGED, once, when items were missed: aloop_broadcast_missed() says how many, and the
 * next call gives the oldest that is left; -ALOOP_ESHUTDOWN. If several tasks share a receiver,
 * each item goes to one of them.
 */
static inline aloop_op aloop_broadcast_receive(aloop_broadcast_receiver *receiver,
                                               void *out_element)
{
    aloop_op op = aloop_op_make_(aloop_broadcast_receive_poll_, &aloop_broadcast_receive_type_);

    op.arg[0].pointer = receiver;
    op.arg[1].pointer = out_element;
    return op;
}

/* How many items the receiver had missed when it was last told -ALOOP_ELAGGED. */
static inline uint64_t aloop_broadcast_missed(const aloop_broadcast_receiver *receiver)
{
    return receiver->missed;
}

/* How many items wait for the receiver; some of them may be overwritten by now. */
static inline uint64_t aloop_broadcast_pending(const aloop_broadcast_receiver *receiver)
{
    return receiver->broadcast != NULL ? receiver->broadcast->sent - receiver->next : 0;
}

/*
 * Watch: a value that is set from time to time, of which only the latest counts, such as a
 * configuration. Who watches keeps, in its frame, the number of the version that it has seen, 0 for
 * none. The members are the library's.
 */
typedef struct aloop_watch {
    aloop *loop;
    unsigned char *value;
    size_t size;
    uint64_t version; /* from 1 on */
    aloop_waitlist waiters;
    bool is_closed;
} aloop_watch;

/* Makes one with a copy of *initial as its first version. Errors as aloop_queue_init(). */
ALOOP_API ALOOP_CHECKED int aloop_watch_init(aloop_watch *watch, aloop *loop, size_t size,
                                             const void *initial);
/* Gives it back; who waits gets -ALOOP_ESHUTDOWN. Also after its loop was closed. All zero:
   nothing. */
ALOOP_API void aloop_watch_fini(aloop_watch *watch);

/* Sets the value, even to what it was. Returns 0, or -ALOOP_ESHUTDOWN after aloop_watch_close(). */
ALOOP_API int aloop_watch_set(aloop_watch *watch, const void *value);

/* The latest value (borrows): good until it is set again. */
static inline const void *aloop_watch_get(const aloop_watch *watch)
{
    return watch->value;
}

/* It will not change any more: who has seen the last version gets -ALOOP_ESHUTDOWN. */
ALOOP_API void aloop_watch_close(aloop_watch *watch);

/* The parts of aloop_watch_changed(). */
ALOOP_API aloop_poll aloop_watch_changed_poll_(aloop_task *task, aloop_op *op);
ALOOP_API extern const aloop_op_type aloop_watch_changed_type_;

/*
 * Waits until there is a version other than *seen; then copies the value to *out_value (NULL:
 * nowhere), and the version's number to *seen. Versions in between are passed over. The outcome is
 * 0, or -ALOOP_ESHUTDOWN.
 */
static inline aloop_op aloop_watch_changed(aloop_watch *watch, uint64_t *seen, void *out_value)
{
    aloop_op op = aloop_op_make_(aloop_watch_changed_poll_, &aloop_watch_changed_type_);

    op.arg[0].pointer = watch;
    op.arg[1].pointer = seen;
    op.arg[2].pointer = out_value;
    return op;
}

#ifdef __cplusplus
}
#endif

#endif
