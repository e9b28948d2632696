/*
 * Attempts to connect, one for each of several addresses, of which the first to succeed is the one.
 */
#ifndef ALOOP_SRC_IO_ATTEMPTS_H
#define ALOOP_SRC_IO_ATTEMPTS_H

#include "io/internal.h"

#include <aloop/connect.h>

struct attempts;

struct attempt {
    aloop_op op; /* of connect_from() */
    struct attempts *all;
    const aloop_address *address;
    aloop_socket socket;
    bool is_pending;
};

struct attempts {
    aloop *loop;
    const aloop_connect_options *options;
    aloop_waitlist waiters; /* the operation that all these are for */
    struct attempt *items;  /* NULL: none yet */
    size_t count;
    size_t started;
    size_t pending;
    bool is_due;   /* one has failed since the last was started */
    aloop_ns next; /* when the next is due at the latest */
    int error;     /* the one that says most so far */
};

/* `options` borrows. */
void attempts_init(struct attempts *attempts, aloop *loop, const aloop_connect_options *options);
/* Gives up those that are pending, and frees all. */
void attempts_fini(struct attempts *attempts, aloop_task *task);

/* Sets the addresses (borrows) to try; `by_turns`: of either family by turns. 0 or -ENOMEM. */
int attempts_set(struct attempts *attempts, const aloop_address *addresses, size_t count,
                 bool by_turns);
/* Asks those that are pending, and starts what is due. 0: *out_socket; ALOOP_PENDING: the task will
   be woken; or the error that says most: all have failed. */
aloop_poll attempts_poll(struct attempts *attempts, aloop_task *task, aloop_socket *out_socket);
/* Those that are pending, as aloop_op_details.next_op. */
const aloop_op *attempts_next(const struct attempts *attempts, void **cursor);
/* When the next is started at the latest; ALOOP_NEVER: there is none, or it waits for these. */
aloop_ns attempts_due(const struct attempts *attempts);

#endif
