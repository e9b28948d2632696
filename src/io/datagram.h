/*
 * Datagrams from the inside: operations that move whole messages, and what to do when the kernel
 * can move none.
 */
#ifndef ALOOP_SRC_IO_DATAGRAM_H
#define ALOOP_SRC_IO_DATAGRAM_H

#include "io/internal.h"

#include <aloop/datagram.h>

/* arg of all these operations: the socket (see op_begin); what else depends */
enum { DATAGRAM_SOCKET };

struct datagram_type {
    aloop_op_type type; /* first: an operation refers to this by it */
    /* Moves what can be moved now, when the direction may be ready: the outcome. -EAGAIN: nothing;
       if it has left the direction ready, the poller will not tell when it is time to try again. */
    int64_t (*attempt)(aloop *loop, struct watch *watch, const aloop_op *op);
};

aloop_poll datagram_recv_begin(aloop_task *task, aloop_op *op);
aloop_poll datagram_send_begin(aloop_task *task, aloop_op *op);
void datagram_send_drop(aloop_task *task, aloop_op *op);

#endif
