/*
 * Items by value: copying what has a size that only the program knows.
 */
#ifndef ALOOP_SRC_TASK_ELEMENT_H
#define ALOOP_SRC_TASK_ELEMENT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Most items are a number or a pointer, and are copied without a call. `to` NULL: nowhere. */
static inline void element_copy(void *to, const void *from, size_t size)
{
    if (to == NULL)
        return;
    if (size == sizeof(uint64_t))
        memcpy(to, from, sizeof(uint64_t));
    else
        memcpy(to, from, size);
}

#endif
