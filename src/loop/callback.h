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

struct callback_slot {
    struct slot slot;
    uint8_t kind;
    bool is_queued;     /* has an entry in the ready queue */
    bool is_running;    /* a timer whose callback is on the stack */
    bool is_cancelled;  /* retired; to be released when nothing refers to it */
    bool is_persistent; /* a timer that stays after it fired */
    /* Next to what is above: restarting a timer then touches one cache line more often than two. */
    union {
        struct timer timer;
        struct watch *watch;   /* reader, writer */
    } u;
    aloop_callback *run;
    void *arg;
};

/* Cancels a reader or writer; the watch has been told already. */
void callback_retire(aloop *loop, struct callback_slot *callback);

#endif
