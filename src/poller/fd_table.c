/*
 * The table of fd_table.h. It never shrinks: it is sixteen bytes for each fd that could be open.
 */
#include "poller/fd_table.h"
#include <string.h>

#define CAPACITY_MIN 64

void fd_table_init(struct fd_table *table, struct memory *memory, bool is_plain)
{
    *table = (struct fd_table){.memory = memory, .is_plain = is_plain};
}

void fd_table_fini(struct fd_table *table)
{
    memory_free(table->memory, table->entries, table->capacity * sizeof *table->entries);
    fd_table_init(table, table->memory, table->is_plain);
}

static int grow(struct fd_table *table, size_t needed)
{
    const size_t size = sizeof *table->entries;
    size_t capacity = memory_grown_capacity(needed, CAPACITY_MIN, size);
    struct fd_entry *entries;

    if (capacity == 0)
        return -ENOMEM;
    entries = table->entries ? memory_resize(table->memory, table->entries, table->capacity * size,
                                             capacity * size)
                             : memory_alloc(table->memory, capacity * size);
    if (!entries)
        return -ENOMEM;
    memset(entries + table->capacity, 0, (capacity - table->capacity) * size);
    table->entries = entries;
    table->capacity = capacity;
    return 0;
}

int fd_table_reserve(struct fd_table *table, int fd, struct fd_entry **out_entry)
{
    int error;

    if (fd < 0 || (table->is_plain && fd > FD_TABLE_PLAIN_MAX))
        return -EBADF;
    if ((size_t)fd >= table->capacity) {
        /* An absurd number would ask for gigabytes before the kernel could refuse it. */
        error = table->is_plain ? 0 : sys.fd_is_open(fd);
        if (error < 0)
            return error;
        error = grow(table, (size_t)fd + 1);
        if (error < 0)
            return error;
    }
    if (table->entries[fd].is_in)
        return -EEXIST;
    *out_entry = &table->entries[fd];
    return 0;
}

void fd_table_commit(struct fd_table *table, struct fd_entry *entry, uint64_t id, uint32_t interest,
                     enum poller_mode mode)
{
    entry->is_in = 1;
    entry->id = id;
    entry->interest = (uint8_t)interest;
    entry->mode = (uint8_t)mode;
    table->count++;
}

void fd_table_drop(struct fd_table *table, struct fd_entry *entry)
{
    *entry = (struct fd_entry){0};
    table->count--;
}
