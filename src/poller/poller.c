/*
 * Which pollers this system has, and which is the best of them.
 */
#include "poller/poller.h"
#include <aloop/poller_kind.h>

#if defined(SYS_HAVE_KQUEUE)
#define POLLER_BEST ALOOP_POLLER_KQUEUE
#elif defined(SYS_HAVE_EPOLL)
#define POLLER_BEST ALOOP_POLLER_EPOLL
#else
#define POLLER_BEST ALOOP_POLLER_POLL
#endif

const struct poller_class *poller_class_for(int kind)
{
    switch (kind == ALOOP_POLLER_DEFAULT ? (int)POLLER_BEST : kind) {
#ifdef SYS_HAVE_EPOLL
    case ALOOP_POLLER_EPOLL:
        return &poller_epoll;
#endif
#ifdef SYS_HAVE_KQUEUE
    case ALOOP_POLLER_KQUEUE:
        return &poller_kqueue;
#endif
    case ALOOP_POLLER_POLL:
        return &poller_poll;
    case ALOOP_POLLER_SIM:
        return &poller_sim;
    default:
        return NULL;
    }
}
