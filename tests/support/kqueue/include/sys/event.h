/*
 * A stand-in for the <sys/event.h> of macOS and the BSDs, so that the kqueue poller can be
 * compiled, and run over a fake, where there is none. The numbers are macOS'.
 */
#ifndef ALOOP_TESTS_SYS_EVENT_H
#define ALOOP_TESTS_SYS_EVENT_H

#include <stdint.h>

#define EVFILT_READ (-1)
#define EVFILT_WRITE (-2)
#define EVFILT_PROC (-5)

#define EV_ADD 0x0001
#define EV_DELETE 0x0002
#define EV_ONESHOT 0x0010
#define EV_CLEAR 0x0020
#define EV_RECEIPT 0x0040
#define EV_ERROR 0x4000
#define EV_EOF 0x8000

#define NOTE_EXIT 0x80000000u

/* FreeBSD's answer for a closed fd in its sandbox. */
#define ENOTCAPABLE 93

struct kevent {
    uintptr_t ident;
    int16_t filter;
    uint16_t flags;
    uint32_t fflags;
    intptr_t data;
    void *udata;
};

#define EV_SET(event, ident_, filter_, flags_, fflags_, data_, udata_) \
    do { \
        struct kevent *event_set = (event); \
        event_set->ident = (ident_); \
        event_set->filter = (filter_); \
        event_set->flags = (flags_); \
        event_set->fflags = (fflags_); \
        event_set->data = (data_); \
        event_set->udata = (udata_); \
    } while (0)

#endif
