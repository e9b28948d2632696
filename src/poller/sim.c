/*
 * The simulated poller. Events come in the order of the fds, starting where the last answer ended:
 * the same each time, and fair to all.
 *
 * In the table, `armed` holds the bits that an EDGE registration has not been told of yet.
 */
#include "poller/sim.h"
#include "poller/fd_table.h"
#include <string.h>

struct sim_fd {
    uint32_t ready;
    int refusal;
};

struct sim_poller {
    struct poller_base base;
    struct fd_table table;
    struct sim_fd *world; /* what tests have said, of fds that are in or not */
    size_t world_size;
    size_t next;
    uint64_t waits;
    aloop_ns last_timeout;
};

static struct sim_poller *self_of(const struct poller *poller)
{
    return (struct sim_poller *)(uintptr_t)poller;
}

static int sim_open(struct memory *memory, struct poller **out_poller)
{
    struct sim_poller *self = memory_alloc(memory, sizeof *self);

    if (!self)
        return -ENOMEM;
    *self = (struct sim_poller){.base = {.class = &poller_sim, .memory = memory}};
    fd_table_init(&self->table, memory, true);
    *out_poller = (struct poller *)self;
    return 0;
}

static void sim_close(struct poller *poller)
{
    struct sim_poller *self = self_of(poller);

    fd_table_fini(&self->table);
    memory_free(self->base.memory, self->world, self->world_size * sizeof *self->world);
    memory_free(self->base.memory, self, sizeof *self);
}

static int sim_at(struct sim_poller *self, int fd, struct sim_fd **out_fd)
{
    const size_t size = sizeof *self->world;

    if (fd < 0 || fd > FD_TABLE_PLAIN_MAX)
        return -EBADF;
    if ((size_t)fd >= self->world_size) {
        size_t grown = memory_grown_capacity((size_t)fd + 1, 16, size);
        struct sim_fd *world =
            self->world ? memory_resize(self->base.memory, self->world, self->world_size * size,
                                        grown * size)
                        : memory_alloc(self->base.memory, grown * size);

        if (!world)
            return -ENOMEM;
        memset(world + self->world_size, 0, (grown - self->world_size) * size);
        self->world = world;
        self->world_size = grown;
    }
    *out_fd = &self->world[fd];
    return 0;
}

static uint32_t ready_of(const struct sim_poller *self, size_t fd)
{
    return fd < self->world_size ? self->world[fd].ready : 0;
}

int sim_set_ready(struct poller *poller, int fd, uint32_t events)
{
    struct sim_poller *self = self_of(poller);
    struct fd_entry *entry = fd_table_find(&self->table, fd);
    struct sim_fd *at;
    int error = sim_at(self, fd, &at);

    if (error < 0)
        return error;
    at->ready = events;
    if (entry)
        entry->armed = (uint8_t)((entry->armed | events) & events);
    return 0;
}

int sim_refuse(struct poller *poller, int fd, int error)
{
    struct sim_fd *at;
    int result = sim_at(self_of(poller), fd, &at);

    if (result < 0)
        return result;
    at->refusal = error;
    return 0;
}

uint64_t sim_waits(const struct poller *poller)
{
    return self_of(poller)->waits;
}

aloop_ns sim_last_timeout(const struct poller *poller)
{
    return self_of(poller)->last_timeout;
}

static int sim_add(struct poller *poller, int fd, uint64_t id, uint32_t interest,
                   enum poller_mode mode)
{
    struct sim_poller *self = self_of(poller);
    struct fd_entry *entry;
    int error = fd_table_reserve(&self->table, fd, &entry);

    if (error < 0)
        return error;
    if ((size_t)fd < self->world_size && self->world[fd].refusal)
        return self->world[fd].refusal;
    fd_table_commit(&self->table, entry, id, interest, mode);
    entry->armed = (uint8_t)ready_of(self, (size_t)fd);
    return 0;
}

static int sim_modify(struct poller *poller, int fd, uint64_t id, uint32_t interest)
{
    struct sim_poller *self = self_of(poller);
    struct fd_entry *entry = fd_table_find(&self->table, fd);

    if (!entry)
        return -ENOENT;
    entry->id = id;
    entry->interest = (uint8_t)interest;
    entry->armed = (uint8_t)ready_of(self, (size_t)fd);
    return 0;
}

static int sim_remove(struct poller *poller, int fd)
{
    struct sim_poller *self = self_of(poller);
    struct fd_entry *entry = fd_table_find(&self->table, fd);

    if (!entry)
        return -ENOENT;
    fd_table_drop(&self->table, entry);
    return 0;
}

/* What an fd that is in has to tell; 0 if nothing. */
static uint32_t report(const struct sim_poller *self, size_t fd)
{
    struct fd_entry *entry = &self->table.entries[fd];
    uint32_t events;

    if (!entry->is_in || entry->interest == 0)
        return 0;
    events = entry->mode == POLLER_EDGE ? entry->armed : ready_of(self, fd);
    events &= entry->interest | POLLER_HANGUP | POLLER_ERROR;
    entry->armed &= (uint8_t)~events;
    if (events & (POLLER_HANGUP | POLLER_ERROR))
        events |= entry->interest;
    return events;
}

static int sim_wait(struct poller *poller, aloop_ns timeout, struct poller_event *events, int max)
{
    struct sim_poller *self = self_of(poller);
    size_t size = self->table.capacity;
    int filled = 0;

    self->waits++;
    self->last_timeout = timeout;
    for (size_t step = 0; step < size && filled < max; step++) {
        size_t fd = self->next < size ? self->next : 0;
        uint32_t what = report(self, fd);

        self->next = fd + 1;
        if (what)
            events[filled++] = (struct poller_event){
                .id = self->table.entries[fd].id, .events = what, .fd = (int)fd};
    }
    /* An answer that told everything leaves no trace in the order of the next. */
    if (filled < max)
        self->next = 0;
    return filled;
}

static int sim_backend_fd(const struct poller *poller)
{
    (void)poller;
    return -ENOTSUP;
}

const struct poller_class poller_sim = {
    .name = "sim",
    .open = sim_open,
    .close = sim_close,
    .add = sim_add,
    .modify = sim_modify,
    .remove = sim_remove,
    .forget = NULL,
    .rearm = NULL,
    .wait = sim_wait,
    .rebuild = NULL,
    .backend_fd = sim_backend_fd,
};
