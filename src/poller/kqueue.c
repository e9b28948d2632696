/*
 * kqueue(2), for macOS and the BSDs.
 *
 * What differs from epoll, and between the systems, and what follows:
 *
 *   - Reading and writing are two registrations ("filters") and two events. EV_ADD on one that
 *     exists modifies it, its id too, so nothing is ever taken out to be changed.
 *   - Closing the number takes its registrations out, duplicates or not. So an event always belongs
 *     to what the number is, and the table is looked up by number. The id travels along in udata,
 *     which may be 32 bits wide, to find out about implementations that cannot see a close.
 *   - Changes are made at once, a list in one call, with EV_RECEIPT and room for all receipts: an
 *     error is then told apart by change. Of a receipt only EV_ERROR and data mean something; what
 *     else is echoed differs. OpenBSD can block on receipts for EVFILT_WRITE: there each change is
 *     a call of its own without room for events, which makes its error the result of the call.
 *   - EINTR from a call that made changes: they were made.
 *   - EV_DELETE may find nothing (ENOENT): FreeBSD takes a writer's registration out by itself when
 *     the reader has gone. A closed fd is EBADF, or ENOTCAPABLE in a FreeBSD sandbox.
 *   - A pipe whose reader has gone can refuse a writer's filter (EPIPE, macOS). That is no failure
 *     to register but the condition itself: reported as ready, so that write() says it.
 *   - A direction that an fd does not have (writing to a read-only FIFO, FreeBSD) is EINVAL. Beside
 *     one that it has, that is a direction that never becomes ready; alone, it is an fd that the
 *     kernel does not poll: -EPERM, as for regular files and directories (which kqueue would take).
 *   - EV_CLEAR makes edges, but not of EV_EOF on every system: that filter is taken out, or it
 *     would spin, and rearm() puts it back for whoever still waits.
 *   - A forked child does not have the queue: its number is invalid there, or somebody else's by
 *     now. It is not closed.
 *
 * In the table, `armed` holds the filters that are registered, and `extra` the directions that
 * refused with EPIPE ("broken", the low bits) or were taken out at
 * their end (ENDED).
 */
/* A strict _POSIX_C_SOURCE hides what <sys/event.h> needs on these systems. */
#if !defined(__linux__)
#undef _POSIX_C_SOURCE
#define _DARWIN_C_SOURCE 1
#define _NETBSD_SOURCE 1
#endif
#include "sys/sys.h"

#ifdef SYS_HAVE_KQUEUE

#include "poller/fd_table.h"
#include <sys/event.h>

#define BATCH 256
#define BOTH (POLLER_READ | POLLER_WRITE)
#define ENDED_SHIFT 4
#define ENDED ((uint32_t)BOTH << ENDED_SHIFT)

#ifndef ENOTCAPABLE
#define ENOTCAPABLE EBADF
#endif

#if defined(EV_RECEIPT) && !defined(__OpenBSD__) && !defined(ALOOP_KQUEUE_NO_RECEIPTS)
#define HAVE_RECEIPTS 1
#else
#define HAVE_RECEIPTS 0
#endif

/* NetBSD before 10 has an integer there. */
#if defined(__NetBSD__) && !defined(EV_RECEIPT)
#define TO_UDATA(id) ((intptr_t)(id))
#else
#define TO_UDATA(id) ((void *)(uintptr_t)(id))
#endif

struct kqueue_poller {
    struct poller_base base;
    int fd;
    uint64_t generation; /* of the process that has the queue */
    struct fd_table table;
    size_t broken;      /* fds with a broken direction */
    size_t next_broken; /* where to look for one first */
    struct kevent batch[BATCH];
};

/* At most one change for each direction, and what became of it. */
struct changes {
    struct kevent list[2];
    uint32_t direction[2];
    int error[2];
    int count;
};

static struct kqueue_poller *self_of(const struct poller *poller)
{
    return (struct kqueue_poller *)(uintptr_t)poller;
}

static bool is_closed(int error)
{
    return error == -EBADF || error == -ENOTCAPABLE;
}

static void prepare(struct changes *changes, int fd, uint64_t id, uint32_t directions,
                    unsigned flags)
{
    static const uint32_t both[] = {POLLER_READ, POLLER_WRITE};

    changes->count = 0;
    for (int i = 0; i < 2; i++) {
        const uint32_t direction = both[i];

        if (!(directions & direction))
            continue;
        EV_SET(&changes->list[changes->count], (uintptr_t)fd,
               direction == POLLER_READ ? EVFILT_READ : EVFILT_WRITE, (unsigned short)flags, 0, 0,
               TO_UDATA(id));
        changes->direction[changes->count] = direction;
        changes->error[changes->count++] = 0;
    }
}

#if HAVE_RECEIPTS

static int submit(int kq, struct changes *changes)
{
    struct kevent receipts[2];
    int count;

    for (int i = 0; i < changes->count; i++)
        changes->list[i].flags |= EV_RECEIPT;
    count = sys.kevent(kq, changes->list, changes->count, receipts, changes->count, 0);
    if (count == -EINTR)
        return 0;
    for (int r = 0; r < count; r++)
        for (int i = 0; i < changes->count; i++)
            if (receipts[r].filter == changes->list[i].filter && (receipts[r].flags & EV_ERROR))
                changes->error[i] = -(int)receipts[r].data;
    return count < 0 ? count : 0;
}

#else

static int submit(int kq, struct changes *changes)
{
    for (int i = 0; i < changes->count; i++) {
        changes->error[i] = sys.kevent(kq, &changes->list[i], 1, NULL, 0, 0);
        if (changes->error[i] == -EINTR)
            changes->error[i] = 0;
    }
    return 0;
}

#endif

/* Takes filters out. What is not there any more need not be. */
static void take_out(int kq, int fd, uint32_t directions)
{
    struct changes changes;

    prepare(&changes, fd, 0, directions, EV_DELETE);
    if (changes.count > 0)
        (void)submit(kq, &changes);
}

/* Sorts out what became of each change; the first true error if there is one. */
static int outcome(const struct changes *changes, uint32_t *out_armed, uint32_t *out_broken)
{
    bool is_refused = false;
    int error = 0;

    *out_armed = 0;
    *out_broken = 0;
    for (int i = 0; i < changes->count; i++) {
        switch (-changes->error[i]) {
        case 0:
            *out_armed |= changes->direction[i];
            break;
        case EPIPE:
            *out_broken |= changes->direction[i];
            break;
        case EINVAL:
        case ENODEV:
            is_refused = true;
            break;
        default:
            error = error ? error : changes->error[i];
        }
    }
    if (error == 0 && is_refused && !*out_armed && !*out_broken)
        return -EPERM;
    return is_closed(error) ? -EBADF : error;
}

/*
 * Registers `directions`, giving in *out_armed those that are in now, and in *out_broken those
 * whose other end has gone. On error, what was put in beside `before` is taken out again.
 */
static int put(int kq, int fd, uint64_t id, uint32_t directions, unsigned mode, uint32_t before,
               uint32_t *out_armed, uint32_t *out_broken)
{
    struct changes changes;
    int error = 0;

    prepare(&changes, fd, id, directions, EV_ADD | (mode == POLLER_EDGE ? EV_CLEAR : 0u));
    if (changes.count > 0)
        error = submit(kq, &changes);
    if (error < 0)
        return error;
    error = outcome(&changes, out_armed, out_broken);
    if (error < 0)
        take_out(kq, fd, *out_armed & ~before);
    return error;
}

/* Notes the broken and ended directions of an fd, keeping count of the fds with broken ones. */
static void set_extra(struct kqueue_poller *self, struct fd_entry *entry, uint32_t extra)
{
    self->broken -= (entry->extra & BOTH) != 0;
    entry->extra = extra;
    self->broken += (extra & BOTH) != 0;
}

static int kqueue_open(struct memory *memory, struct poller **out_poller)
{
    struct kqueue_poller *self = memory_alloc(memory, sizeof *self);
    int fd;

    if (!self)
        return -ENOMEM;
    fd = sys.kqueue();
    if (fd < 0) {
        memory_free(memory, self, sizeof *self);
        return fd;
    }
    self->base = (struct poller_base){.class = &poller_kqueue, .memory = memory};
    self->fd = fd;
    self->generation = sys.fork_generation();
    self->broken = 0;
    self->next_broken = 0;
    fd_table_init(&self->table, memory, false);
    *out_poller = (struct poller *)self;
    return 0;
}

static void kqueue_close(struct poller *poller)
{
    struct kqueue_poller *self = self_of(poller);

    if (self->generation == sys.fork_generation())
        sys.close(self->fd);
    fd_table_fini(&self->table);
    memory_free(self->base.memory, self, sizeof *self);
}

static int kqueue_add(struct poller *poller, int fd, uint64_t id, uint32_t interest,
                      enum poller_mode mode)
{
    struct kqueue_poller *self = self_of(poller);
    struct fd_entry *entry;
    uint32_t armed;
    uint32_t broken;
    int error = fd_table_reserve(&self->table, fd, &entry);

    if (error < 0)
        return error;
    error = sys.fd_is_pollable(fd);
    if (error < 0)
        return error;
    error = put(self->fd, fd, id, interest, mode, 0, &armed, &broken);
    if (error < 0)
        return error;
    fd_table_commit(&self->table, entry, id, interest, mode);
    entry->armed = (uint8_t)armed;
    set_extra(self, entry, broken);
    return 0;
}

static int kqueue_modify(struct poller *poller, int fd, uint64_t id, uint32_t interest)
{
    struct kqueue_poller *self = self_of(poller);
    struct fd_entry *entry = fd_table_find(&self->table, fd);
    uint32_t armed;
    uint32_t broken;
    int error;

    if (!entry)
        return -ENOENT;
    /* All of it, even what is in already: the number may be another file since. */
    error = put(self->fd, fd, id, interest, entry->mode, entry->armed, &armed, &broken);
    if (error < 0)
        return error;
    take_out(self->fd, fd, entry->armed & ~interest);
    entry->id = id;
    entry->interest = (uint8_t)interest;
    entry->armed = (uint8_t)armed;
    set_extra(self, entry, broken);
    return 0;
}

static int kqueue_remove(struct poller *poller, int fd)
{
    struct kqueue_poller *self = self_of(poller);
    struct fd_entry *entry = fd_table_find(&self->table, fd);

    if (!entry)
        return -ENOENT;
    take_out(self->fd, fd, entry->armed);
    set_extra(self, entry, 0);
    fd_table_drop(&self->table, entry);
    return 0;
}

static void kqueue_rearm(struct poller *poller, int fd, uint32_t direction)
{
    struct kqueue_poller *self = self_of(poller);
    struct fd_entry *entry = fd_table_find(&self->table, fd);
    uint32_t again;
    uint32_t armed;
    uint32_t broken;

    if (!entry)
        return;
    again = entry->extra >> ENDED_SHIFT & direction;
    if (!again)
        return;
    /* Nobody to tell an error to: whoever waits finds it out by its own call. */
    if (put(self->fd, fd, entry->id, again, entry->mode, 0, &armed, &broken) < 0) {
        armed = 0;
        broken = again;
    }
    entry->armed |= (uint8_t)armed;
    set_extra(self, entry, (entry->extra & ~(again << ENDED_SHIFT)) | broken);
}

/* Writes the events of directions whose other end had gone when they were registered. */
static int collect_broken(struct kqueue_poller *self, struct poller_event *events, int max)
{
    const size_t size = self->table.capacity;
    int filled = 0;

    for (size_t step = 0; step < size && filled < max; step++) {
        size_t fd = self->next_broken < size ? self->next_broken : 0;
        struct fd_entry *entry = &self->table.entries[fd];

        self->next_broken = fd + 1;
        if (!entry->is_in || !(entry->extra & BOTH))
            continue;
        events[filled++] =
            (struct poller_event){.id = entry->id,
                                  .events = (entry->extra & BOTH) | POLLER_ERROR,
                                  .fd = (int)fd};
        if (entry->mode == POLLER_EDGE)
            set_extra(self, entry, (entry->extra | entry->extra << ENDED_SHIFT) & ENDED);
    }
    return filled;
}

static uint32_t direction_of(const struct kevent *event)
{
    /* Filters are numbers, not flags. */
    switch (event->filter) {
    case EVFILT_READ:
        return POLLER_READ;
    case EVFILT_WRITE:
        return POLLER_WRITE;
    default:
        return 0;
    }
}

/* Translates one event; false for one that is nobody's. */
static bool translate(struct kqueue_poller *self, const struct kevent *kernel,
                      struct poller_event *event)
{
    const int fd = (int)kernel->ident;
    const uint32_t direction = direction_of(kernel);
    struct fd_entry *entry = fd_table_find(&self->table, fd);

    if (!direction)
        return false;
    if (!entry || kernel->udata != TO_UDATA(entry->id)) {
        /* Left over from before a close that the queue has not seen. Out, or it comes for ever. */
        take_out(self->fd, fd, direction);
        return false;
    }
    *event = (struct poller_event){.id = entry->id, .events = direction, .fd = fd};
    if (kernel->flags & EV_ERROR)
        event->events |= POLLER_ERROR;
    if (!(kernel->flags & EV_EOF))
        return true;
    /* There may be bytes left (data > 0): it is read() that says when the end is reached. */
    event->events |= POLLER_HANGUP;
    if (kernel->fflags)
        event->events |= POLLER_ERROR;
    if (entry->mode == POLLER_EDGE) {
        take_out(self->fd, fd, direction);
        entry->armed &= (uint8_t)~direction;
        entry->extra |= direction << ENDED_SHIFT;
    }
    return true;
}

static int kqueue_wait(struct poller *poller, aloop_ns timeout, struct poller_event *events,
                       int max)
{
    struct kqueue_poller *self = self_of(poller);
    int filled = 0;
    int count;

    /* At most half of the room, so that the broken ones cannot crowd out the others. */
    if (self->broken)
        filled = collect_broken(self, events, (max + 1) / 2);
    if (filled)
        timeout = 0;
    /* With no room for events kevent would not even wait. */
    if (filled == max)
        return filled;
    count = sys.kevent(self->fd, NULL, 0, self->batch, max - filled < BATCH ? max - filled : BATCH,
                       timeout);
    if (count < 0)
        return filled ? filled : count;
    for (int i = 0; i < count; i++)
        filled += translate(self, &self->batch[i], &events[filled]);
    return filled;
}

static int kqueue_rebuild(struct poller *poller)
{
    struct kqueue_poller *self = self_of(poller);
    const bool is_ours = self->generation == sys.fork_generation();
    int kq = sys.kqueue();

    if (kq < 0)
        return kq;
    for (size_t i = 0; i < self->table.capacity; i++) {
        struct fd_entry *entry = &self->table.entries[i];
        uint32_t armed;
        uint32_t broken;
        int error;

        /* The new queue may have the number of one that was closed. */
        if (!entry->is_in || !entry->interest || (int)i == kq)
            continue;
        error = put(kq, (int)i, entry->id, entry->interest, entry->mode, 0, &armed, &broken);
        if (error < 0 && error != -EBADF && error != -EPERM) {
            sys.close(kq);
            return error;
        }
        /* Beside what the old queue has: taking out what is not there is no error. */
        if (error == 0) {
            entry->armed |= (uint8_t)armed;
            set_extra(self, entry, (entry->extra & ENDED) | broken);
        }
    }
    if (is_ours && sys.dup_over(kq, self->fd) >= 0) {
        sys.close(kq);
        return 0;
    }
    if (is_ours)
        sys.close(self->fd);
    self->fd = kq;
    self->generation = sys.fork_generation();
    return 0;
}

static int kqueue_backend_fd(const struct poller *poller)
{
    return self_of(poller)->fd;
}

const struct poller_class poller_kqueue = {
    .name = "kqueue",
    .open = kqueue_open,
    .close = kqueue_close,
    .add = kqueue_add,
    .modify = kqueue_modify,
    .remove = kqueue_remove,
    .forget = NULL,
    .rearm = kqueue_rearm,
    .wait = kqueue_wait,
    .rebuild = kqueue_rebuild,
    .backend_fd = kqueue_backend_fd,
};

#endif
