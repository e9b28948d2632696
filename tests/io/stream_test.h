/*
 * Tests on a stream and its peer, a plain socket: each is a coroutine with a frame of the same
 * shape. Include behind cmocka's headers.
 */
#ifndef ALOOP_TESTS_STREAM_TEST_H
#define ALOOP_TESTS_STREAM_TEST_H

#include "io_test.h"
#include "memory_probe.h"
#include <stdlib.h>
#include <string.h>

#define STREAM_TEST(name)                                                                          \
    struct name {                                                                                  \
        ALOOP_FRAME;                                                                               \
        aloop_stream stream;                                                                       \
        aloop_stream other;                                                                        \
        aloop_socket peer;                                                                         \
        aloop_task *task;                                                                          \
        aloop_task *second;                                                                        \
        aloop_slice slice;                                                                         \
        aloop_slice slice2;                                                                        \
        char *data;                                                                                \
        char *buffer;                                                                              \
        size_t count;                                                                              \
        size_t total;                                                                              \
        int i, j;                                                                                  \
        int fds[2];                                                                                \
        char small[64];                                                                            \
    };                                                                                             \
    ALOOP_CORO(name)

#define STREAM_RUN(name)                                                                           \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        io_run(state, ALOOP_CLOCK_VIRTUAL, name);                                                  \
    }

/* A stream, and the socket at its other end. */
static inline void open_stream(aloop_stream *stream, aloop_socket *peer,
                               const aloop_stream_options *options)
{
    aloop_socket pair[2];

    assert_int_equal(aloop_socket_pair(NULL, pair), 0);
    assert_int_equal(aloop_stream_open(&pair[0], options, stream), 0);
    assert_false(aloop_socket_is_open(&pair[0]));
    *peer = pair[1];
}

#define OPEN() open_stream(&self->stream, &self->peer, NULL)
#define CLOSE()                                                                                    \
    do {                                                                                           \
        aloop_stream_close(&self->stream);                                                         \
        aloop_socket_close(&self->peer);                                                           \
        ALOOP_AWAIT(aloop_stream_wait_closed(&self->stream));                                      \
    } while (0)
#define TURNS()                                                                                    \
    for (self->i = 0; self->i < 50; self->i++)                                                     \
    ALOOP_TRY(aloop_sleep(0))
#define FEED(text)                                                                                 \
    do {                                                                                           \
        ALOOP_TRY(aloop_send_all(&self->peer, text, strlen(text)));                                \
    } while (0)
#define EXPECT(outcome)                                                                            \
    do {                                                                                           \
        assert_int_equal(self->result, outcome);                                                   \
    } while (0)
#define EXPECT_SLICE(text)                                                                         \
    do {                                                                                           \
        assert_int_equal(self->slice.size, strlen(text));                                          \
        assert_memory_equal(self->slice.data, text, strlen(text));                                 \
    } while (0)

static inline void fill_pattern(char *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        data[i] = (char)(i * 31 + (i >> 8));
}

#endif
