/*
 * epoll(7).
 *
 * What the kernel does that one would not expect, and what follows:
 *
 *   - A registration belongs to the open file description, not to the number. Closing the number
 *     while a duplicate lives (dup, fork) leaves it in the set, reporting, and with no way to take
 *     it out: EPOLL_CTL_DEL wants the number. The id that travels with each event shows it, and
 *     rebuild() makes a new set without it. Rejected: dup()ing every fd, as that costs a call and
 *     an fd each.
 *     And what nobody has duplicated need not be taken out before it is closed: forget().
 *   - The other way round, a number closed behind our back is gone from the set without a word, and
 *     may since be another file: MOD and DEL then say ENOENT, and modify becomes an ADD.
 *   - EPOLLHUP and EPOLLERR cannot be masked: an fd of no interest that hung up would wake each
 *     wait. So an fd whose interest is 0 is taken out of the set and only remembered.
 *   - Registering is eager: the caller learns at once that there is no memory (ENOMEM), or that the
 *     user's limit of watches is reached (ENOSPC). A deferred list would have nobody to tell.
 *
 * `armed` in the table is not 0 for an fd that is in the kernel's set.
 */
#include "sys/sys.h"

#ifdef SYS_HAVE_EPOLL

#include "poller/fd_table.h"
#include <sys/epoll.h>

#define BATCH 256

struct epoll_poller {
    struct poller_base base;
    int fd;
    struct fd_table table;
    struct epoll_event batch[BATCH];
};

static struct epoll_poller *self_of(const struct poller *poller)
{
    return (struct epoll_poller *)(uintptr_t)poller;
}

/* Level-triggered, a writer is not told of a peer that only half-closed, or it would spin on it. */
static uint32_t to_epoll(uint32_t interest, unsigned mode)
{
    uint32_t events = mode == POLLER_EDGE ? (uint32_t)EPOLLET : 0;

    if (interest & POLLER_READ)
        events |= (uint32_t)EPOLLIN | (uint32_t)EPOLLRDHUP;
    if (interest & POLLER_WRITE)
        events |= (uint32_t)EPOLLOUT;
    return events;
}

_Static_assert((uint32_t)POLLER_READ == (uint32_t)EPOLLIN &&
                   (uint32_t)POLLER_WRITE == (uint32_t)EPOLLOUT &&
                   (uint32_t)POLLER_ERROR == (uint32_t)EPOLLERR &&
                   (uint32_t)POLLER_HANGUP == (uint32_t)EPOLLHUP,
               "from_epoll() leaves them as they are");

static inline uint32_t from_epoll(uint32_t events)
{
    const uint32_t same = POLLER_READ | POLLER_WRITE | POLLER_ERROR | POLLER_HANGUP;

    if (ALOOP_LIKELY(!(events & ~(uint32_t)(POLLER_READ | POLLER_WRITE))))
        return events;
    /* These come alone: whoever waits, for either direction, is to find out. */
    if (events & (POLLER_HANGUP | POLLER_ERROR))
        events |= POLLER_READ | POLLER_WRITE;
    if (events & (uint32_t)EPOLLRDHUP)
        events |= POLLER_READ | POLLER_HANGUP;
    return events & same;
}

static int control(int epfd, int operation, int fd, uint64_t id, uint32_t interest, unsigned mode)
{
    struct epoll_event event = {.events = to_epoll(interest, mode), .data = {.u64 = id}};

    return sys.epoll_ctl(epfd, operation, fd, &event);
}

/* Puts an fd into the set, whether the kernel believes it is in or not. */
static int put(int epfd, int operation, int fd, uint64_t id, uint32_t interest, unsigned mode)
{
    int error = control(epfd, operation, fd, id, interest, mode);

    if (operation == EPOLL_CTL_MOD && error == -ENOENT)
        return control(epfd, EPOLL_CTL_ADD, fd, id, interest, mode);
    if (operation == EPOLL_CTL_ADD && error == -EEXIST)
        return control(epfd, EPOLL_CTL_MOD, fd, id, interest, mode);
    return error;
}

static int take_out(int epfd, int fd)
{
    /* Kernels before 2.6.9 want an event even here. */
    struct epoll_event unused = {0};
    int error = sys.epoll_ctl(epfd, EPOLL_CTL_DEL, fd, &unused);

    /* The number is another file by now: what was registered went with the old one. */
    return error == -ENOENT || error == -EPERM ? 0 : error;
}

static int epoll_open(struct memory *memory, struct poller **out_poller)
{
    struct epoll_poller *self = memory_alloc(memory, sizeof *self);
    int fd;

    if (!self)
        return -ENOMEM;
    fd = sys.epoll_create();
    if (fd < 0) {
        memory_free(memory, self, sizeof *self);
        return fd;
    }
    self->base = (struct poller_base){.class = &poller_epoll, .memory = memory};
    self->fd = fd;
    fd_table_init(&self->table, memory, false);
    *out_poller = (struct poller *)self;
    return 0;
}

static void epoll_close(struct poller *poller)
{
    struct epoll_poller *self = self_of(poller);

    sys.close(self->fd);
    fd_table_fini(&self->table);
    memory_free(self->base.memory, self, sizeof *self);
}

static int epoll_add(struct poller *poller, int fd, uint64_t id, uint32_t interest,
                     enum poller_mode mode)
{
    struct epoll_poller *self = self_of(poller);
    struct fd_entry *entry;
    int error = fd_table_reserve(&self->table, fd, &entry);

    if (error < 0)
        return error;
    error = put(self->fd, EPOLL_CTL_ADD, fd, id, interest, mode);
    if (error < 0)
        return error;
    /* Even of no interest it was shown to the kernel, which knows what it does not poll. */
    if (interest == 0)
        take_out(self->fd, fd);
    fd_table_commit(&self->table, entry, id, interest, mode);
    entry->armed = interest != 0;
    return 0;
}

static int epoll_modify(struct poller *poller, int fd, uint64_t id, uint32_t interest)
{
    struct epoll_poller *self = self_of(poller);
    struct fd_entry *entry = fd_table_find(&self->table, fd);
    int error = 0;

    if (!entry)
        return -ENOENT;
    if (interest != 0)
        error = put(self->fd, entry->armed ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, id, interest,
                    entry->mode);
    else if (entry->armed)
        error = take_out(self->fd, fd);
    if (error < 0)
        return error;
    entry->armed = interest != 0;
    entry->interest = (uint8_t)interest;
    entry->id = id;
    return 0;
}

static int epoll_remove(struct poller *poller, int fd)
{
    struct epoll_poller *self = self_of(poller);
    struct fd_entry *entry = fd_table_find(&self->table, fd);
    bool is_armed;

    if (!entry)
        return -ENOENT;
    is_armed = entry->armed;
    fd_table_drop(&self->table, entry);
    return is_armed ? take_out(self->fd, fd) : 0;
}

static void epoll_forget(struct poller *poller, int fd)
{
    struct epoll_poller *self = self_of(poller);
    struct fd_entry *entry = fd_table_find(&self->table, fd);

    if (entry)
        fd_table_drop(&self->table, entry);
}

static int epoll_collect(struct poller *poller, aloop_ns timeout, struct poller_event *events,
                         int max)
{
    struct epoll_poller *self = self_of(poller);
    int count = sys.epoll_wait(self->fd, self->batch, max < BATCH ? max : BATCH, timeout);

    for (int i = 0; i < count; i++) {
        events[i].id = self->batch[i].data.u64;
        events[i].events = from_epoll(self->batch[i].events);
        events[i].fd = -1;
    }
    return count;
}

/* Registers everything in a new set. An fd that cannot be any more was closed behind our back: it
   stays in the table, as an fd that is gone from the old set does. */
static int fill(const struct epoll_poller *self, int epfd)
{
    for (size_t i = 0; i < self->table.capacity; i++) {
        const struct fd_entry *entry = &self->table.entries[i];
        int error;

        /* The new set may have the number of one that was closed. */
        if (!entry->is_in || !entry->armed || (int)i == epfd)
            continue;
        error = control(epfd, EPOLL_CTL_ADD, (int)i, entry->id, entry->interest, entry->mode);
        if (error < 0 && error != -EBADF && error != -EPERM)
            return error;
    }
    return 0;
}

static int epoll_rebuild(struct poller *poller)
{
    struct epoll_poller *self = self_of(poller);
    int epfd = sys.epoll_create();
    int error;

    if (epfd < 0)
        return epfd;
    error = fill(self, epfd);
    if (error < 0) {
        sys.close(epfd);
        return error;
    }
    /* Under the old number if possible: a foreign loop may know it. Either way our hold on the old
       set ends, and a parent that shares it finds it as it was. */
    if (sys.dup_over(epfd, self->fd) >= 0) {
        sys.close(epfd);
    } else {
        sys.close(self->fd);
        self->fd = epfd;
    }
    return 0;
}

static int epoll_backend_fd(const struct poller *poller)
{
    return self_of(poller)->fd;
}

const struct poller_class poller_epoll = {
    .name = "epoll",
    .open = epoll_open,
    .close = epoll_close,
    .add = epoll_add,
    .modify = epoll_modify,
    .remove = epoll_remove,
    .forget = epoll_forget,
    .rearm = NULL,
    .wait = epoll_collect,
    .rebuild = epoll_rebuild,
    .backend_fd = epoll_backend_fd,
};

#endif
