/*
 * The buffers of streams. A stream that is quiet has none, and takes one from the loop's spares
 * when something comes: so ten thousand idle connections cost no buffers, and a steady state asks
 * the allocator for nothing.
 */
#include "io/stream.h"

/* The class of a block; BUFFER_CLASSES or above: blocks of that size are not kept. */
static unsigned class_of(size_t capacity)
{
    unsigned class = 0;

    while (class < BUFFER_CLASSES && BUFFER_MIN << class < capacity)
        class++;
    return class;
}

static char *block_take(struct streams *streams, size_t capacity)
{
    unsigned class = class_of(capacity);
    struct spare *spare = class < BUFFER_CLASSES ? streams->spares[class] : NULL;

    if (spare == NULL)
        return memory_alloc(&streams->loop->memory, capacity);
    streams->spares[class] = spare->next;
    streams->spare_count[class]--;
    return (char *)spare;
}

static void block_give_back(struct streams *streams, char *block, size_t capacity)
{
    unsigned class = class_of(capacity);
    struct spare *spare = (struct spare *)(void *)block;

    if (block == NULL)
        return;
    if (class >= BUFFER_CLASSES || streams->spare_count[class] >= BUFFER_SPARE_BYTES / capacity) {
        memory_free(&streams->loop->memory, block, capacity);
        return;
    }
    spare->next = streams->spares[class];
    streams->spares[class] = spare;
    streams->spare_count[class]++;
}

int buffer_grow(struct streams *streams, struct buffer *buffer, size_t size)
{
    size_t used = buffer_size(buffer);
    size_t capacity;
    char *block;

    if (size > SIZE_MAX - used)
        return -ENOMEM;
    /* Moving is worth it when it frees at least as much as it copies. */
    if (size <= buffer->capacity - used && used <= buffer->begin) {
        memmove(buffer->block, buffer->block + buffer->begin, used);
    } else {
        capacity = used + size <= BUFFER_MIN ? BUFFER_MIN
                                             : memory_grown_capacity(used + size, BUFFER_MIN, 1);
        block = capacity > 0 ? block_take(streams, capacity) : NULL;
        if (block == NULL)
            return -ENOMEM;
        if (used > 0)
            memcpy(block, buffer->block + buffer->begin, used);
        block_give_back(streams, buffer->block, buffer->capacity);
        buffer->block = block;
        buffer->capacity = capacity;
    }
    buffer->begin = 0;
    buffer->end = used;
    return 0;
}

void buffer_give_back(struct streams *streams, struct buffer *buffer)
{
    block_give_back(streams, buffer->block, buffer->capacity);
    *buffer = (struct buffer){0};
}

void buffers_free_spares(struct streams *streams)
{
    for (unsigned class = 0; class < BUFFER_CLASSES; class++) {
        struct spare *spare = streams->spares[class];

        while (spare != NULL) {
            struct spare *next = spare->next;

            memory_free(&streams->loop->memory, spare, BUFFER_MIN << class);
            spare = next;
        }
    }
}
