/*
 * A hash table from numbers or addresses to pointers, with open addressing: for what is looked up
 * now and then, and has no place of its own for a link. Not for hot paths.
 */
#ifndef ALOOP_SRC_BASE_MAP_H
#define ALOOP_SRC_BASE_MAP_H

#include "base/compiler.h"
#include "base/memory.h"

struct map_entry {
    uintptr_t key; /* 0: free */
    void *value;
};

struct map {
    struct memory *memory;
    struct map_entry *entries;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
};

void map_init(struct map *map, struct memory *memory);
void map_fini(struct map *map);

/* Makes `key`, which is not 0, lead to `value`, whatever it led to before. 0 or -ENOMEM. */
int map_set(struct map *map, uintptr_t key, void *value);
/* What the key leads to; NULL if that is nothing. */
void *map_find(const struct map *map, uintptr_t key);
/* One value after the other, in no order: *cursor is 0 at first, and nothing is set or removed in
   between. NULL at the end. */
void *map_next(const struct map *map, size_t *cursor);
/* Forgets the key; an empty map has no memory. */
void map_remove(struct map *map, uintptr_t key);

#endif
