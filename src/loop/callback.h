/*
 * What a handle names: a timer, or the reader or writer of an fd. (A handle of aloop_call_soon() is
 * a number in the ready queue instead.) They live in one slot table; a slot whose callback is
 * queued when it is cancelled is retired at once, so that its handle is dead, and released when the
 * queue comes to it.
 */
#ifndef ALOOP_SRC_LOOP_CALLBACK_H
#define ALOOP_SRC_LOOP_CALLBACK_H

#include "loop/internal.h"

enum callback_kind { CALLBACK_TIMER = 1, CALLBACK_READER, CALLBACK_WRITER };

/* In the tag, above the kind. */
enum callback_state {
    CALLBACK_QUEUED = 16,    /* has an entry in the ready queue */
    CALLBACK_RUNNING = 32,   /* a timer whose callback is on the stack */
    CALLBACK_CANCELLED = 64, /* retired; to be released when nothing refers to it */
    CALLBACK_PERSISTS = 128, /* a timer that stays after it fired */
    CALLBACK_PAUSED = 256    /* a reader or writer that is not to be called at the moment */
};

/* One cache line. The timer's tag is that of readers and writers, too: what both members of the
   union begin with is the same, and may be asked by way of either. */
struct callback_slot {
    struct slot slot;
    union {
        struct timer timer;
        struct {
            uint16_t tag;
            struct watch *watch;
        } fd; /* reader, writer */
    } u;
    aloop_callback *run;
    void *arg;
};

static inline enum callback_kind callback_kind(const struct callback_slot *callback)
{
    return (enum callback_kind)(callback->u.timer.tag % CALLBACK_QUEUED);
}

/* Is it in any of these states? */
static inline bool callback_is(const struct callback_slot *callback, unsigned states)
{
    return callback->u.timer.tag & states;
}

static inline void callback_begin(struct callback_slot *callback, enum callback_state state)
{
    callback->u.timer.tag |= (uint16_t)state;
}

static inline void callback_end(struct callback_slot *callback, enum callback_state state)
{
    callback->u.timer.tag &= (uint16_t)~(unsigned)state;
}

/* What a reader or writer has in the ready queue. */
void callback_run_fd(aloop *loop, void *arg);
/* The fd is ready, and its reader or writer is queued for that already, or wants no news. */
void callback_ready_in_vain(aloop *loop, const struct callback_slot *callback);

/* The fd of a reader or writer is ready: queues its callback. */
static inline void callback_ready(aloop *loop, struct callback_slot *callback)
{
    if (ALOOP_UNLIKELY(callback_is(callback, CALLBACK_QUEUED | CALLBACK_PAUSED))) {
        callback_ready_in_vain(loop, callback);
        return;
    }
    callback_begin(callback, CALLBACK_QUEUED);
    ready_push(&loop->ready, callback_run_fd, callback);
}

/* Cancels a reader or writer; the watch has been told already. */
void callback_retire(aloop *loop, struct callback_slot *callback);

#endif
