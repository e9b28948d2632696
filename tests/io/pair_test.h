/*
 * Tests on a pair of connected sockets: each is a coroutine with a frame of the same shape. Include
 * behind cmocka's headers.
 */
#ifndef ALOOP_TESTS_PAIR_TEST_H
#define ALOOP_TESTS_PAIR_TEST_H

#include "io_test.h"

#define BIG (1 << 20)

#define TEST_CORO(name)                                                                            \
    struct name {                                                                                  \
        ALOOP_FRAME;                                                                               \
        aloop_socket pair[2];                                                                      \
        aloop_socket copy;                                                                         \
        aloop_task *task;                                                                          \
        aloop_task *other;                                                                         \
        char *buffer;                                                                              \
        char *data;                                                                                \
        size_t count;                                                                              \
        int i;                                                                                     \
        char small[16];                                                                            \
    };                                                                                             \
    ALOOP_CORO(name)

#define RUN_TEST(name)                                                                             \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        io_run(state, ALOOP_CLOCK_VIRTUAL, name);                                                  \
    }

#define OPEN_PAIR() assert_int_equal(aloop_socket_pair(NULL, self->pair), 0)
/* Lets everybody who is ready run, and the poller be asked. */
#define TURNS()                                                                                    \
    for (self->i = 0; self->i < 100; self->i++)                                                    \
    ALOOP_TRY(aloop_sleep(0))

static inline void close_pair(aloop_socket pair[2])
{
    aloop_socket_close(&pair[0]);
    aloop_socket_close(&pair[1]);
}

#endif
