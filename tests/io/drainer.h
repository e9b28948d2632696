/*
 * A peer of a stream that reads all that comes. Include behind cmocka's headers.
 */
#ifndef ALOOP_TESTS_DRAINER_H
#define ALOOP_TESTS_DRAINER_H

#include "stream_test.h"

/* Reads to the end and compares with the pattern; the outcome is how much. */
struct drainer {
    ALOOP_FRAME;
    aloop_socket socket;
    const char *pattern;
    size_t total;
    char buffer[8192];
};

ALOOP_CORO(drainer)
{
    ALOOP_BEGIN;
    for (;;) {
        ALOOP_TRY(aloop_recv(&self->socket, self->buffer, sizeof self->buffer));
        if (self->result == 0)
            break;
        assert_memory_equal(self->buffer, self->pattern + self->total, (size_t)self->result);
        self->total += (size_t)self->result;
    }
    ALOOP_RETURN((int64_t)self->total);
    ALOOP_END;
}

#endif
