/*
 * One contract for what tells that file descriptors are ready; epoll, kqueue, poll and the
 * simulated poller each fill in the table. A poller knows fds, 64-bit ids and event bits; it knows
 * no callback, and holds no policy: who waits for what, and what an event means, is the loop's.
 *
 * The contract, which one test suite checks for every backend:
 *
 *   - An fd is added once, with an id that comes back in its events. Adding an fd that is in
 *     already is -EEXIST, an fd that is not open -EBADF, one that the kernel does not poll (a
 *     regular file) -EPERM; errors of the kernel (-ENOMEM, -ENOSPC) are returned as they are, and
 *     nothing has changed. The same holds for modify, where an fd that is not in is -ENOENT.
 *   - LEVEL: an event is reported at each wait for as long as the condition holds. The interest
 *     (and the id) can be changed with modify; with no interest (0) not even a hang-up is reported.
 *   - EDGE: an event is reported once when the condition arises. Whoever has used it up (the kernel
 *     said EAGAIN, or gave less than asked) calls poller_rearm() for that direction before it waits
 *     again; where the kernel has edges of its own that does next to nothing. A condition that
 *     arose in between is reported at the next wait: no edge is lost. An event may be reported
 *     though nothing changed.
 *   - HANGUP and ERROR come whether asked for or not, and always together with POLLER_READ or
 *     POLLER_WRITE where those are in the interest, so that whoever waits finds out by its own
 *     call. They may also bring a direction that is not in the interest: the caller masks. HANGUP:
 *     the peer will send no more (there may be unread bytes before that end); whether it comes is a
 *     hint, since not every system tells half-closed from readable, and only who has READ in the
 *     interest is told.
 *   - After remove, no event is reported for the fd. Removing one that is not in is -ENOENT; an fd
 *     that was closed behind our back is forgotten all the same and 0 or -EBADF returned.
 *   - An fd closed behind our back, without remove, may give ERROR once, or nothing, or the events
 *     of an open duplicate of it. If the number is reused, modify registers what it then is.
 *   - wait fills up to `max` events, in no particular order, at most one or two for an fd. timeout
 *     0 returns at once, ALOOP_NEVER (clamped) waits for an event; in between, wait never returns
 *     early without an event, save for a signal (-EINTR) and the clamp.
 */
#ifndef ALOOP_SRC_POLLER_POLLER_H
#define ALOOP_SRC_POLLER_POLLER_H

#include "base/memory.h"
#include "sys/sys.h"

/* The numbers are those of epoll, which so has nothing to translate in what comes most. */
enum {
    POLLER_READ = 1,
    POLLER_WRITE = 4,
    POLLER_ERROR = 8,
    POLLER_HANGUP = 16
};

enum poller_mode { POLLER_LEVEL, POLLER_EDGE };

struct poller_event {
    uint64_t id;
    uint32_t events; /* POLLER_READ and so on */
    int fd;          /* -1 where the backend cannot tell; it helps to trace a stale event */
};

struct poller; /* each backend's own; its first member is struct poller_base */

struct poller_class {
    const char *name;
    /* Makes one in `memory`. 0, -ENOMEM, or what the kernel said (-EMFILE, -ENFILE, ...); on error
       nothing is left behind. */
    int (*open)(struct memory *memory, struct poller **out_poller);
    /* Closes and frees it. Closing never fails: there is nobody to tell. */
    void (*close)(struct poller *poller);
    int (*add)(struct poller *poller, int fd, uint64_t id, uint32_t interest,
               enum poller_mode mode);
    int (*modify)(struct poller *poller, int fd, uint64_t id, uint32_t interest);
    int (*remove)(struct poller *poller, int fd);
    /* As remove, for an fd that is closed next, and of which nobody has a duplicate: where the
       kernel then takes it out by itself, it is not told. NULL: there it has to be removed. */
    void (*forget)(struct poller *poller, int fd);
    /* EDGE: `direction` (one or both bits) was used up. NULL where there is nothing to do. */
    void (*rearm)(struct poller *poller, int fd, uint32_t direction);
    /* The number of events, or what the kernel said. */
    int (*wait)(struct poller *poller, aloop_ns timeout, struct poller_event *events, int max);
    /* Makes a new kernel set with all registrations in it, and drops ours of the old one without
       changing what is in it: after a fork, where the child shares the parent's set or has none,
       and when an event with an unknown id shows that the set holds what nobody can remove any
       more. On error nothing has changed. Afterwards every condition that holds is reported once
       more, EDGE too. NULL where there is no kernel set. */
    int (*rebuild)(struct poller *poller);
    /* The fd to poll in a foreign loop; -ENOTSUP where there is none. rebuild keeps the number if
       it can. */
    int (*backend_fd)(const struct poller *poller);
};

struct poller_base {
    const struct poller_class *class;
    struct memory *memory;
};

extern const struct poller_class poller_epoll;  /* defined on Linux */
extern const struct poller_class poller_kqueue; /* defined on BSDs and macOS */
extern const struct poller_class poller_poll;   /* every POSIX system */
extern const struct poller_class poller_sim;    /* no system at all: see sim.h */

/* The class for a kind (an enum aloop_poller_kind); NULL if this system does not have it. */
const struct poller_class *poller_class_for(int kind);

static inline const struct poller_class *poller_class_of(const struct poller *poller)
{
    return ((const struct poller_base *)(const void *)poller)->class;
}

static inline void poller_rearm(struct poller *poller, int fd, uint32_t direction)
{
    const struct poller_class *class = poller_class_of(poller);

    if (class->rearm)
        class->rearm(poller, fd, direction);
}

#endif
