/*
 * poll(2), for every POSIX system.
 *
 *   - POLLHUP and POLLERR cannot be masked, and macOS reports them only where something was asked
 *     for: an fd that nothing is asked of is negated in the array, which poll skips.
 *   - An fd that is closed behind our back is POLLNVAL at once and for ever. It is reported once,
 *     as an error, and then not asked about until its interest is set again.
 *   - poll has no edges. What EDGE promises is kept by not asking again about a direction that was
 *     reported, until rearm() says that it was used up; as the asking looks at the condition
 *     itself, what arose in between cannot be missed.
 *   - A regular file would always be ready, a device like /dev/null too; they are refused as the
 *     other pollers refuse them.
 *
 * In the table, `armed` is what is being asked for and `extra` the fd's place in the array.
 */
#include "poller/fd_table.h"
#include "sys/sys.h"

#define CAPACITY_MIN 16

struct poll_poller {
    struct poller_base base;
    struct fd_table table;
    struct pollfd *fds; /* of each fd in the table: the fd, or ~fd while nothing is asked */
    size_t count;
    size_t capacity;
    size_t next; /* where to look first, so that a short answer is fair to all */
};

static struct poll_poller *self_of(const struct poller *poller)
{
    return (struct poll_poller *)(uintptr_t)poller;
}

/* The number at a place of the array, asked about or not. */
static int number(const struct pollfd *place)
{
    return place->fd < 0 ? ~place->fd : place->fd;
}

/* Makes the array ask for what is armed. */
static void ask(const struct poll_poller *self, const struct fd_entry *entry, int fd)
{
    struct pollfd *place = &self->fds[entry->extra];

    place->fd = entry->armed ? fd : ~fd;
    place->events = 0;
    if (entry->armed & POLLER_READ)
        place->events = (short)(POLLIN | sys_poll_rdhup);
    if (entry->armed & POLLER_WRITE)
        place->events = (short)(place->events | POLLOUT);
    place->revents = 0;
}

static int reserve_place(struct poll_poller *self)
{
    const size_t size = sizeof *self->fds;
    size_t capacity;
    struct pollfd *fds;

    if (self->count < self->capacity)
        return 0;
    capacity = memory_grown_capacity(self->count + 1, CAPACITY_MIN, size);
    if (capacity == 0)
        return -ENOMEM;
    fds = self->fds ? memory_resize(self->base.memory, self->fds, self->capacity * size,
                                    capacity * size)
                    : memory_alloc(self->base.memory, capacity * size);
    if (!fds)
        return -ENOMEM;
    self->fds = fds;
    self->capacity = capacity;
    return 0;
}

static int poll_open(struct memory *memory, struct poller **out_poller)
{
    struct poll_poller *self = memory_alloc(memory, sizeof *self);

    if (!self)
        return -ENOMEM;
    *self = (struct poll_poller){.base = {.class = &poller_poll, .memory = memory}};
    fd_table_init(&self->table, memory, false);
    *out_poller = (struct poller *)self;
    return 0;
}

static void poll_close(struct poller *poller)
{
    struct poll_poller *self = self_of(poller);

    fd_table_fini(&self->table);
    memory_free(self->base.memory, self->fds, self->capacity * sizeof *self->fds);
    memory_free(self->base.memory, self, sizeof *self);
}

static int poll_add(struct poller *poller, int fd, uint64_t id, uint32_t interest,
                    enum poller_mode mode)
{
    struct poll_poller *self = self_of(poller);
    struct fd_entry *entry;
    int error = fd_table_reserve(&self->table, fd, &entry);

    if (error < 0)
        return error;
    error = sys.fd_is_pollable(fd);
    if (error < 0)
        return error;
    error = reserve_place(self);
    if (error < 0)
        return error;
    fd_table_commit(&self->table, entry, id, interest, mode);
    entry->armed = (uint8_t)interest;
    entry->extra = (uint32_t)self->count++;
    ask(self, entry, fd);
    return 0;
}

static int poll_modify(struct poller *poller, int fd, uint64_t id, uint32_t interest)
{
    struct poll_poller *self = self_of(poller);
    struct fd_entry *entry = fd_table_find(&self->table, fd);
    int error;

    if (!entry)
        return -ENOENT;
    /* The number may be another file since. */
    error = interest ? sys.fd_is_pollable(fd) : 0;
    if (error < 0)
        return error;
    entry->id = id;
    entry->interest = (uint8_t)interest;
    entry->armed = (uint8_t)interest;
    ask(self, entry, fd);
    return 0;
}

static int poll_remove(struct poller *poller, int fd)
{
    struct poll_poller *self = self_of(poller);
    struct fd_entry *entry = fd_table_find(&self->table, fd);
    const struct pollfd *last;

    if (!entry)
        return -ENOENT;
    last = &self->fds[--self->count];
    self->fds[entry->extra] = *last;
    fd_table_find(&self->table, number(last))->extra = entry->extra;
    fd_table_drop(&self->table, entry);
    return 0;
}

static void poll_rearm(struct poller *poller, int fd, uint32_t direction)
{
    struct poll_poller *self = self_of(poller);
    struct fd_entry *entry = fd_table_find(&self->table, fd);

    if (!entry)
        return;
    entry->armed = (uint8_t)(entry->armed | (direction & entry->interest));
    ask(self, entry, fd);
}

/* What one place of the answer means to whoever asked for `armed`. */
static uint32_t from_poll(short revents, uint32_t armed)
{
    uint32_t result = 0;

    if (revents & (POLLIN | sys_poll_rdhup))
        result |= POLLER_READ;
    if (revents & POLLOUT)
        result |= POLLER_WRITE;
    if (revents & (POLLHUP | sys_poll_rdhup))
        result |= POLLER_HANGUP;
    if (revents & (POLLERR | POLLNVAL))
        result |= POLLER_ERROR;
    if (revents & (POLLHUP | POLLERR | POLLNVAL))
        result |= armed;
    return result;
}

static void take(struct poll_poller *self, const struct pollfd *place, struct poller_event *event)
{
    const int fd = place->fd;
    const short revents = place->revents;
    struct fd_entry *entry = fd_table_find(&self->table, fd);

    event->id = entry->id;
    event->fd = fd;
    event->events = from_poll(revents, entry->armed);
    if (revents & POLLNVAL)
        entry->armed = 0;
    else if (entry->mode == POLLER_EDGE)
        entry->armed &= (uint8_t)~event->events;
    else
        return;
    ask(self, entry, fd);
}

static int poll_wait(struct poller *poller, aloop_ns timeout, struct poller_event *events, int max)
{
    struct poll_poller *self = self_of(poller);
    int ready = sys.poll(self->fds, (nfds_t)self->count, timeout);
    size_t start = self->next < self->count ? self->next : 0;
    size_t place = start;
    int filled = 0;

    if (ready <= 0)
        return ready;
    while (filled < ready && filled < max) {
        if (self->fds[place].fd >= 0 && self->fds[place].revents)
            take(self, &self->fds[place], &events[filled++]);
        place = place + 1 < self->count ? place + 1 : 0;
        if (place == start)
            break;
    }
    self->next = place;
    return filled;
}

/* poll has none: what a foreign loop could wait for is the whole array. */
static int poll_backend_fd(const struct poller *poller)
{
    (void)poller;
    return -ENOTSUP;
}

const struct poller_class poller_poll = {
    .name = "poll",
    .open = poll_open,
    .close = poll_close,
    .add = poll_add,
    .modify = poll_modify,
    .remove = poll_remove,
    .forget = NULL,
    .rearm = poll_rearm,
    .wait = poll_wait,
    .rebuild = NULL,
    .backend_fd = poll_backend_fd,
};
