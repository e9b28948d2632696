/*
 * What the contract suite needs of a world in which things become ready: real sockets for the
 * pollers of the system, numbers for the simulated one.
 */
#ifndef ALOOP_TESTS_POLLER_DRIVER_H
#define ALOOP_TESTS_POLLER_DRIVER_H

#include "poller/poller.h"

/* A connection whose near end is watched. */
struct pair {
    const struct driver *driver;
    struct poller *poller;
    int fd;
    int peer;
    uint32_t ready; /* of the simulated world */
};

struct driver {
    bool is_real;
    /* Makes a pair that is writable and has nothing to read. */
    void (*open)(struct pair *pair, struct poller *poller);
    void (*close)(struct pair *pair);
    /* A byte comes in. */
    void (*arrive)(struct pair *pair);
    /* Reads, or writes, until the system says EAGAIN; does not rearm. */
    void (*drain)(struct pair *pair);
    void (*fill)(struct pair *pair);
    /* The peer reads everything. */
    void (*make_room)(struct pair *pair);
    /* The peer closes. */
    void (*hang_up)(struct pair *pair);
    /* Numbers that add refuses: not open, and not to be polled. */
    int (*closed_fd)(struct poller *poller);
    int (*file_fd)(struct poller *poller);
};

extern const struct driver real_driver;
extern const struct driver sim_driver;

#endif
