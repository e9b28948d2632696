/*
 * A kevent that plays a script: a test says what the next calls answer, and reads what they were
 * given. Changes succeed and waits find nothing, unless the script says otherwise.
 */
#ifndef ALOOP_TESTS_FAKE_KEVENT_H
#define ALOOP_TESTS_FAKE_KEVENT_H

#include "sys/sys.h"
#include <sys/event.h>

#define FAKE_LOG 64

struct fake_change {
    int call; /* the number of the kevent call it came with, from 1 */
    struct kevent event;
};

struct fake_kevent {
    int calls; /* of kevent */
    int kqueues;
    struct fake_change changes[FAKE_LOG]; /* all changes, in order */
    int change_count;
    int last_event_max; /* of the last wait */
    aloop_ns last_timeout;
    aloop_ns longest_change_timeout; /* of all calls with changes */
    int fewest_receipts; /* room for receipts minus changes, the smallest of all calls */

    /* The script. */
    int change_result;         /* if not 0, the result of the next call with changes */
    int error_for_read;        /* a positive errno for the next change of that filter */
    int error_for_write;
    uint16_t flags_of_receipt; /* echoed in receipts beside EV_ERROR */
    int wait_result;           /* if not 0, the result of the next wait */
    struct kevent pending[FAKE_LOG]; /* what the next wait finds */
    int pending_count;
};

extern struct fake_kevent fake;

/* Forgets everything and puts the fake into the system table. */
void fake_kevent_install(void);

/* Adds to what the next wait finds. */
void fake_kevent_add(int fd, int filter, unsigned flags, unsigned fflags, int data, uint64_t id);

/* How many changes of that kind were made: flags are those that have to be set. */
int fake_kevent_changes(int fd, int filter, unsigned flags);

#endif
