/*
 * A clock that a test moves, under a loop that believes in the system's: a wait in which nothing is
 * ready returns at once, with its timeout added to the clock. So what a loop does with real time is
 * tested without any.
 */
#ifndef ALOOP_TESTS_FAKE_TIME_H
#define ALOOP_TESTS_FAKE_TIME_H

#include "sys/sys.h"

struct fake_time {
    aloop_ns now;          /* what the clock says */
    aloop_ns per_reading;  /* and how far each reading moves it */
    aloop_ns late;         /* waits end so much after their timeout */
    aloop_ns interrupt_at; /* not 0: a wait longer than this ends after it with -EINTR, once */
    unsigned waits;
    unsigned readings;
    unsigned empty_waits;  /* those that were told not to wait */
    aloop_ns last_timeout; /* as the system was told; -1 after no wait */
};

extern struct fake_time fake_time;

/* Replaces sys.clock, sys.epoll_wait, sys.kevent and sys.poll. A wait for ever in which nothing is
   ready ends with -ETIME, as nothing could end it. Before fault_install(), and taken back after
   fault_reset(). */
void fake_time_install(aloop_ns now);
void fake_time_remove(void);

#endif
