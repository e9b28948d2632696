/*
 * A poller without a system: fds are plain numbers, and a test says which of them are ready. It
 * never blocks, so that a loop on a virtual clock runs an hour's waiting in no time and the same
 * way each time.
 */
#ifndef ALOOP_SRC_POLLER_SIM_H
#define ALOOP_SRC_POLLER_SIM_H

#include "poller/poller.h"

/*
 * Says what holds for an fd (any of POLLER_READ, POLLER_WRITE, POLLER_HANGUP, POLLER_ERROR; 0:
 * nothing) until it is said anew. LEVEL reports it at each wait; EDGE once for each call that names
 * a bit, as each new arrival is an edge. The fd need not have been added: what holds when it is, is
 * reported then. 0, -EBADF for a number below 0 or above FD_TABLE_PLAIN_MAX, -ENOMEM.
 */
int sim_set_ready(struct poller *poller, int fd, uint32_t events);

/* Makes add refuse an fd with this error (-EBADF, -EPERM, ...); 0 takes that back. Returns as
   sim_set_ready. */
int sim_refuse(struct poller *poller, int fd, int error);

/* How often wait was called, and the timeout of the last: what a loop has decided. */
uint64_t sim_waits(const struct poller *poller);
aloop_ns sim_last_timeout(const struct poller *poller);

#endif
