/*
 * What a loop can wait with. A program that does not care takes the default.
 */
#ifndef ALOOP_POLLER_KIND_H
#define ALOOP_POLLER_KIND_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum aloop_poller_kind {
    /* The best the system has: epoll on Linux, kqueue on macOS and the BSDs, poll elsewhere. */
    ALOOP_POLLER_DEFAULT = 0,
    /* Linux. A wait costs the same however many fds are idle. */
    ALOOP_POLLER_EPOLL = 1,
    /* macOS, FreeBSD, NetBSD, OpenBSD, DragonFly. As epoll. */
    ALOOP_POLLER_KQUEUE = 2,
    /* Every POSIX system, and fds that the others cannot handle there. The cost of a wait grows
       with the number of fds, and there is no fd for a foreign loop to poll. */
    ALOOP_POLLER_POLL = 3,
    /* No system call at all: nothing is ever ready unless a test says so, and a wait returns at
       once. For simulations on a virtual clock. */
    ALOOP_POLLER_SIM = 4
} aloop_poller_kind;

#ifdef __cplusplus
}
#endif

#endif
