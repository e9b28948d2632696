/*
 * Linear probing; removing moves those behind up, so that there are no markers of removed entries
 * that would slow down a table that lives long.
 */
#include "base/map.h"

#include <string.h>

#define CAPACITY_MIN 16

void map_init(struct map *map, struct memory *memory)
{
    *map = (struct map){.memory = memory};
}

void map_fini(struct map *map)
{
    memory_free(map->memory, map->entries, map->capacity * sizeof *map->entries);
    map_init(map, map->memory);
}

/* Addresses differ in their middle bits, numbers in their low ones: all are mixed. */
static size_t home_of(uintptr_t key, size_t capacity)
{
    uint64_t hash = (uint64_t)key * UINT64_C(0x9E3779B97F4A7C15);

    return (size_t)(hash ^ hash >> 32) & (capacity - 1);
}

/* The place of the key, or the free one where it would be. */
static size_t place_of(const struct map *map, uintptr_t key)
{
    size_t place = home_of(key, map->capacity);

    while (map->entries[place].key != 0 && map->entries[place].key != key)
        place = (place + 1) & (map->capacity - 1);
    return place;
}

static int grow(struct map *map)
{
    struct map old = *map;
    size_t capacity =
        memory_grown_capacity(old.capacity + 1, CAPACITY_MIN, sizeof(struct map_entry));
    struct map_entry *entries;

    if (capacity == 0)
        return -ENOMEM;
    entries = memory_alloc(map->memory, capacity * sizeof *entries);
    if (entries == NULL)
        return -ENOMEM;
    memset(entries, 0, capacity * sizeof *entries);
    map->entries = entries;
    map->capacity = capacity;
    for (size_t i = 0; i < old.capacity; i++) {
        if (old.entries[i].key != 0)
            entries[place_of(map, old.entries[i].key)] = old.entries[i];
    }
    memory_free(map->memory, old.entries, old.capacity * sizeof *old.entries);
    return 0;
}

int map_set(struct map *map, uintptr_t key, void *value)
{
    size_t place;

    /* At most half full: the way to a free entry stays short. */
    if (map->count >= map->capacity / 2 && grow(map) < 0)
        return -ENOMEM;
    place = place_of(map, key);
    if (map->entries[place].key == 0)
        map->count++;
    map->entries[place] = (struct map_entry){.key = key, .value = value};
    return 0;
}

void *map_find(const struct map *map, uintptr_t key)
{
    return map->count == 0 ? NULL : map->entries[place_of(map, key)].value;
}

void *map_next(const struct map *map, size_t *cursor)
{
    while (*cursor < map->capacity) {
        const struct map_entry *entry = &map->entries[(*cursor)++];

        if (entry->key != 0)
            return entry->value;
    }
    return NULL;
}

void map_remove(struct map *map, uintptr_t key)
{
    size_t mask = map->capacity - 1;
    size_t hole;

    if (map->count == 0)
        return;
    hole = place_of(map, key);
    if (map->entries[hole].key == 0)
        return;
    if (--map->count == 0) {
        map_fini(map);
        return;
    }
    for (size_t place = (hole + 1) & mask; map->entries[place].key != 0;
         place = (place + 1) & mask) {
        size_t home = home_of(map->entries[place].key, map->capacity);

        /* It may stay where it is only if its home is behind the hole. */
        if (((place - home) & mask) < ((place - hole) & mask))
            continue;
        map->entries[hole] = map->entries[place];
        hole = place;
    }
    map->entries[hole] = (struct map_entry){0};
}
