/*
 * What a poller remembers of each fd, indexed by the fd itself: the kernel gives out the lowest
 * free number, so the array is as long as the most fds that were ever open at once.
 */
#ifndef ALOOP_SRC_POLLER_FD_TABLE_H
#define ALOOP_SRC_POLLER_FD_TABLE_H

#include "poller/poller.h"

struct fd_entry {
    uint64_t id;
    uint8_t is_in;    /* added, and not removed */
    uint8_t mode;     /* enum poller_mode */
    uint8_t interest; /* POLLER_READ and POLLER_WRITE */
    uint8_t armed;    /* the backend's own: the directions that are being asked for */
    uint32_t extra;   /* the backend's own */
};

struct fd_table {
    struct memory *memory;
    struct fd_entry *entries;
    size_t capacity;
    size_t count;  /* fds that are in */
    bool is_plain; /* the fds are plain numbers, up to FD_TABLE_PLAIN_MAX, of no system */
};

#define FD_TABLE_PLAIN_MAX ((1 << 20) - 1)

void fd_table_init(struct fd_table *table, struct memory *memory, bool is_plain);
void fd_table_fini(struct fd_table *table);

/*
 * Makes room for an fd that is to be added, and gives its entry, which is not in yet (all zero):
 * fd_table_commit() puts it in when the kernel has agreed. -EBADF for a number that cannot be an
 * open fd, -EEXIST for one that is in, -ENOMEM.
 */
int fd_table_reserve(struct fd_table *table, int fd, struct fd_entry **out_entry);
void fd_table_commit(struct fd_table *table, struct fd_entry *entry, uint64_t id,
                     uint32_t interest, enum poller_mode mode);
/* Takes an fd out. */
void fd_table_drop(struct fd_table *table, struct fd_entry *entry);

/* The entry of an fd that is in, else NULL. */
static inline struct fd_entry *fd_table_find(const struct fd_table *table, int fd)
{
    if (fd < 0 || (size_t)fd >= table->capacity || !table->entries[fd].is_in)
        return NULL;
    return &table->entries[fd];
}

#endif
