/*
 * A watch: the loop's side of one fd that is registered with the poller. There is at most one per
 * fd, in one of two modes: level   made for aloop_add_reader() and for awaiting aloop_readable() on
 * a foreign fd; registered for just what somebody wants at the moment, and gone when nobody wants
 * anything; edge    made for the library's own sockets: registered once, both directions, for the
 * fd's life; what became ready is remembered in `ready` until a system call has used it up, so an
 *           await costs no registration.
 *
 * Its slot number is the poller's id: an event that carries the number of a watch that is gone is
 * stale, and found out. Since nothing is unregistered between the poller's answer and its
 * collection, a stale event means that the kernel still holds a registration we cannot reach (the
 * fd was closed while a duplicate that we did not know of stays open), and the poller's set is
 * rebuilt. Where nobody can have a duplicate, closing is enough, and the poller is not told.
 */
#ifndef ALOOP_SRC_LOOP_WATCH_H
#define ALOOP_SRC_LOOP_WATCH_H

#include "loop/callback.h"

struct watch {
    struct slot slot;
    int fd;
    bool is_edge;
    bool is_always_ready; /* the kernel refuses to poll it: a regular file */
    uint8_t registered;   /* level: what the poller has been told; 0: not registered */
    uint8_t ready;        /* edge: POLLER_READ and POLLER_WRITE as far as known */
    uint8_t hangup;       /* edge: HANGUP, ERROR once seen: then a short read is not the last */
    uint8_t busy;         /* edge: directions in which an operation waits: no second one */
    bool is_file;         /* edge: no socket: a pipe, a terminal, a regular file */
    bool must_rearm;      /* edge: the poller has no edges of its own */
    bool is_shared;       /* edge: others may have duplicates of the fd */
    bool is_tcp;          /* edge: a short read or write means that the kernel has no more, or no
                             room; elsewhere it may have ended with a message or a passed fd */
    bool has_held;        /* edge: `held` is an accepted fd that there was no memory for: */
    int held;             /* accepting gives it next, or it is closed with the watch */
    aloop_waitlist readers;
    aloop_waitlist writers;
    struct callback_slot *reader; /* level: of aloop_add_reader() */
    struct callback_slot *writer;
    union {
        struct list always_link; /* level: in loop->always_ready */
        aloop_waitlist behind;   /* edge: who sends datagrams behind one that waits for room */
    };
};

/* Registers a socket of the library for life. 0 and *out_watch; -ENOMEM, or the kernel's error. */
int watch_open(aloop *loop, int fd, struct watch **out_watch);
/* The same for an fd that is no socket: what the kernel refuses to poll, a regular file, never
   blocks, and is not registered at all. */
int watch_open_file(aloop *loop, int fd, struct watch **out_watch);
/* Unregisters, and wakes all who wait: they find out that the number names nothing. The fd stays
   open. */
void watch_close(aloop *loop, struct watch *watch);
/* The same of an edge watch, and closes the fd. */
void watch_close_fd(aloop *loop, struct watch *watch);

/* The level watch of the fd, made if there is none. -EBADF, -EBUSY (the fd is a library socket's),
   -ENOMEM, -ECHILD. A new one is not registered yet: call watch_add_interest() next. */
int watch_get(aloop *loop, int fd, struct watch **out_watch);
/* Tells the poller of a level watch what is wanted, after a reader, writer or waiter was added. On
   error the poller's state is as before: take that out again, and call watch_drop_interest(). */
int watch_add_interest(aloop *loop, struct watch *watch);
/* The same after one was taken out; frees the watch if nobody is left. Never fails. */
void watch_drop_interest(aloop *loop, struct watch *watch);
/* The poller has reported what a paused reader or writer does not want at the moment: it is told
   so, or it would report that again at once. */
void watch_mute(aloop *loop, struct watch *watch);
/* Has the poller been told of less than what is wanted, as somebody was paused? */
bool watch_is_muted(const struct watch *watch);

/* Somebody is about to have a duplicate of the fd. */
static inline void watch_note_duplicate(aloop *loop, int fd)
{
    if (fd >= 0 && (size_t)fd < loop->fd_capacity && loop->fds[fd] != NULL)
        loop->fds[fd]->is_shared = true;
}

/* The watch with that slot number, NULL if it is gone. */
static inline struct watch *watch_find(const aloop *loop, int64_t number)
{
    return slots_find(&loop->watches, number);
}

/* An fd is ready, so the poller says: wakes who waits for that, and runs nothing. */
void watch_collect(aloop *loop, struct watch *watch, uint32_t events);
/* The same for all that the poller reported, and for what is always ready. 0, or the error of a
   poller that had to be made anew. */
int watch_collect_events(aloop *loop, const struct poller_event *events, int count);

/* Registers everything with a new poller: in the child of a fork. */
int watch_register_all(aloop *loop);
/* At the loop's end: closes library sockets' fds too. */
void watch_close_all(aloop *loop);
size_t watch_walk_sockets(aloop *loop, void (*visit)(const aloop_alive *alive, void *arg),
                          void *arg);

#endif
