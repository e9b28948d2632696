/*
 * Signals, for what the library itself wants to hear of: any number of watches of the same signal,
 * of one loop or of many. The program's own are built on the same.
 */
#ifndef ALOOP_SRC_OS_SIGNAL_H
#define ALOOP_SRC_OS_SIGNAL_H

#include "task/internal.h"

/* Embedded in what wants to hear, which sets `number` and what follows. */
struct signal_watch {
    struct list link; /* in signals->watches, the oldest first; in none: it watches nothing */
    aloop *loop;
    unsigned earlier; /* how often the signal had come before, which the loop has not looked at */
    int number;
    /* What was there before goes on being called, from the signal handler: for SIGCHLD, which is
       everybody's. (Else it is not called as long as somebody watches the signal.) */
    bool is_chained;
    /* It hears of the signal only while nobody else in the process watches it. And if that comes a
       third time before the loop has looked, since a callback does not return, it does what it does
       by default. */
    bool is_fallback;
    /* The signal came, `count` times since the last call. In the loop's thread, as a callback; may
       end this watch, but no other, and begin none. What the program's code is to be told goes
       through the ready queue. */
    void (*notify)(struct signal_watch *watch, unsigned count);
    /* The loop is being closed, and the watch has ended. NULL: nothing to do. */
    void (*dropped)(struct signal_watch *watch);
};

/* What the loop has of signals; NULL before the first watch. */
struct signals {
    struct dependent dependent;
    aloop *loop;
    struct signal_port *port;
    struct list watches;
    aloop_waiter waiter; /* for the port's fd */
    int64_t fd_watch;    /* the number of its watch */
};

/*
 * Begins a watch: from now on the signal is noticed. 0; -EINVAL (no such signal, or one that cannot
 * be caught, or that says that the thread itself has failed), -ENOMEM, -EMFILE, -ENFILE,
 * -ALOOP_ECLOSED, -ECHILD, -ALOOP_EWRONGTHREAD (debug): nothing has changed then.
 */
int signal_watch_begin(aloop *loop, struct signal_watch *watch);
/* Ends it: notify is not called any more. With the last one of the process the disposition is what
   it was before the first. Nothing if it has not begun, or the loop was closed. */
void signal_watch_end(struct signal_watch *watch);

#endif
