/*
 * Keys and their values: a hash table. What expires has a timer of the loop, so it is gone when its
 * time has come, whether somebody asks for it or not, and nothing ever searches for it.
 */
#include "resp.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BUCKETS_MIN 1024
#define VALUE_MIN 24 /* room for every number, so that counting needs no memory */

int store_init(struct store *store, aloop *loop)
{
    struct timespec now;

    /* So that nobody can know which keys meet in one bucket. */
    clock_gettime(CLOCK_REALTIME, &now);
    *store = (struct store){.loop = loop, .bucket_count = BUCKETS_MIN};
    store->buckets = calloc(BUCKETS_MIN, sizeof store->buckets[0]);
    store->seed = ((uint64_t)now.tv_nsec << 32) ^ (uint64_t)(uintptr_t)store->buckets;
    return store->buckets != NULL ? 0 : -ENOMEM;
}

void store_fini(struct store *store)
{
    if (store->buckets != NULL)
        store_clear(store);
    free(store->buckets);
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

static uint32_t hash_of(const struct store *store, aloop_slice key)
{
    uint64_t hash = store->seed ^ key.size;
    uint64_t word = 0;

    for (; key.size >= sizeof word; key.data += sizeof word, key.size -= sizeof word) {
        memcpy(&word, key.data, sizeof word);
        hash = mix(hash, word);
    }
    word = 0;
    if (key.size > 0)
        memcpy(&word, key.data, key.size);
    return (uint32_t)mix(mix(hash, word), 0);
}

/* What points to the entry, or to the end of the bucket where it would be. */
static struct entry **find_link(const struct store *store, aloop_slice key, uint32_t hash)
{
    struct entry **link = &store->buckets[hash & (store->bucket_count - 1)];

    for (; *link != NULL; link = &(*link)->next) {
        if ((*link)->hash == hash && (*link)->key_size == key.size &&
            memcmp((*link)->key, key.data, key.size) == 0)
            break;
    }
    return link;
}

struct entry *store_find(struct store *store, aloop_slice key)
{
    return *find_link(store, key, hash_of(store, key));
}

/* Twice the buckets. Without the memory for it the store is slower, and that is all. */
static void grow(struct store *store)
{
    size_t count = 2 * store->bucket_count;
    struct entry **buckets = calloc(count, sizeof buckets[0]);

    if (buckets == NULL)
        return;
    for (size_t i = 0; i < store->bucket_count; i++) {
        struct entry *entry = store->buckets[i];

        while (entry != NULL) {
            struct entry *next = entry->next;
            struct entry **bucket = &buckets[entry->hash & (count - 1)];

            entry->next = *bucket;
            *bucket = entry;
            entry = next;
        }
    }
    free(store->buckets);
    store->buckets = buckets;
    store->bucket_count = count;
}

static struct entry *add(struct store *store, aloop_slice key, uint32_t hash)
{
    struct entry *entry = malloc(sizeof *entry + key.size);
    struct entry **bucket;

    if (entry == NULL)
        return NULL;
    if (store->count >= store->bucket_count)
        grow(store);
    bucket = &store->buckets[hash & (store->bucket_count - 1)];
    *entry = (struct entry){
        .store = store, .next = *bucket, .hash = hash, .key_size = (uint32_t)key.size};
    memcpy(entry->key, key.data, key.size);
    *bucket = entry;
    store->count++;
    return entry;
}

struct entry *store_set(struct store *store, aloop_slice key, aloop_slice value)
{
    uint32_t hash = hash_of(store, key);
    struct entry *entry = *find_link(store, key, hash);
    size_t capacity = value.size > VALUE_MIN ? value.size : VALUE_MIN;
    /* A large block is not kept for a small value. */
    bool fits =
        entry != NULL && capacity <= entry->value_capacity && capacity >= entry->value_capacity / 2;
    char *block = fits ? entry->value : malloc(capacity);

    if (block == NULL)
        return NULL;
    if (entry == NULL)
        entry = add(store, key, hash);
    if (entry == NULL) {
        free(block);
        return NULL;
    }
    memcpy(block, value.data, value.size);
    if (!fits) {
        free(entry->value);
        entry->value = block;
        entry->value_capacity = (uint32_t)capacity;
    }
    entry->value_size = (uint32_t)value.size;
    return entry;
}

static void set_expiry(struct entry *entry, aloop_handle expiry)
{
    entry->store->expiring += (size_t)(expiry != 0) - (size_t)(entry->expiry != 0);
    entry->expiry = expiry;
}

void store_remove(struct store *store, struct entry *entry)
{
    struct entry **link = &store->buckets[entry->hash & (store->bucket_count - 1)];

    while (*link != entry)
        link = &(*link)->next;
    *link = entry->next;
    (void)store_expire_at(store, entry, ALOOP_NEVER);
    store->count--;
    free(entry->value);
    free(entry);
}

void store_clear(struct store *store)
{
    for (size_t i = 0; i < store->bucket_count; i++) {
        while (store->buckets[i] != NULL)
            store_remove(store, store->buckets[i]);
    }
}

static void expire(aloop *loop, void *arg)
{
    struct entry *entry = arg;

    (void)loop;
    store_remove(entry->store, entry);
}

int store_expire_at(struct store *store, struct entry *entry, aloop_ns when)
{
    aloop_handle timer;

    if (when == ALOOP_NEVER) {
        if (entry->expiry != 0)
            (void)aloop_cancel(store->loop, entry->expiry);
        set_expiry(entry, 0);
        return 0;
    }
    if (entry->expiry != 0 && aloop_reschedule(store->loop, entry->expiry, when) == 0)
        return 0;
    timer = aloop_call_at(store->loop, when, expire, entry);
    if (timer < 0)
        return (int)timer;
    set_expiry(entry, timer);
    return 0;
}
