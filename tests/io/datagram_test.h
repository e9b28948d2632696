/*
 * Tests on datagram sockets: each is a coroutine with a frame of the same shape. Include behind
 * cmocka's headers.
 */
#ifndef ALOOP_TESTS_DATAGRAM_TEST_H
#define ALOOP_TESTS_DATAGRAM_TEST_H

#include "io_test.h"
#include <stdlib.h>
#include <string.h>

#define DATAGRAM_TEST(name)                                                                        \
    struct name {                                                                                  \
        ALOOP_FRAME;                                                                               \
        aloop_socket pair[2];                                                                      \
        aloop_socket third;                                                                        \
        aloop_address addresses[2];                                                                \
        aloop_address from;                                                                        \
        aloop_datagram_options options;                                                            \
        aloop_queued_error error;                                                                  \
        aloop_task *task;                                                                          \
        aloop_task *tasks[40];                                                                     \
        char *data;                                                                                \
        int count;                                                                                 \
        int i;                                                                                     \
        int round;                                                                                 \
        int turn;                                                                                  \
        char small[64];                                                                            \
    };                                                                                             \
    ALOOP_CORO(name)

#define DATAGRAM_RUN(name)                                                                         \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        io_run(state, ALOOP_CLOCK_VIRTUAL, name);                                                  \
    }

#define OPEN_PAIR() assert_int_equal(aloop_datagram_pair(NULL, self->pair), 0)
#define OPEN_NARROW_PAIR() open_narrow_pair(self->pair)
/* Two UDP sockets of the loopback, with their addresses. */
#define OPEN_UDP()                                                                                 \
    do {                                                                                           \
        open_udp(&self->pair[0], &self->addresses[0], NULL);                                       \
        open_udp(&self->pair[1], &self->addresses[1], NULL);                                       \
    } while (0)
#define CLOSE_ALL()                                                                                \
    do {                                                                                           \
        aloop_socket_close(&self->pair[0]);                                                        \
        aloop_socket_close(&self->pair[1]);                                                        \
        aloop_socket_close(&self->third);                                                          \
    } while (0)
#define TURNS()                                                                                    \
    for (self->turn = 0; self->turn < 60; self->turn++)                                            \
    ALOOP_TRY(aloop_sleep(0))
#define EXPECT(outcome) assert_int_equal(self->result, outcome)
/* The next message is that text. */
#define RECEIVE(socket, text)                                                                      \
    do {                                                                                           \
        ALOOP_TRY(aloop_recv_from((socket), self->small, sizeof self->small, &self->from));        \
        EXPECT(strlen(text));                                                                      \
        assert_memory_equal(self->small, text, strlen(text));                                      \
    } while (0)

/* Room for a few messages only: those who are connected with each other may fill all the buffer. */
static inline void open_narrow_pair(aloop_socket pair[2])
{
    const int least = 1;

    assert_int_equal(aloop_datagram_pair(NULL, pair), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(setsockopt(aloop_socket_fd(&pair[i]), SOL_SOCKET, SO_SNDBUF, &least,
                                    sizeof least),
                         0);
}

static inline void open_udp(aloop_socket *socket, aloop_address *address, const aloop_address *peer)
{
    assert_int_equal(aloop_address_ip(address, "127.0.0.1", 0), 0);
    assert_int_equal(aloop_datagram_open(NULL, address, peer, NULL, socket), 0);
    assert_int_equal(aloop_socket_address(socket, address), 0);
}

static inline bool same_address(const aloop_address *a, const aloop_address *b)
{
    char texts[2][ALOOP_ADDRESS_TEXT_MAX];

    assert_true(aloop_address_format(a, texts[0], sizeof texts[0]) > 0);
    assert_true(aloop_address_format(b, texts[1], sizeof texts[1]) > 0);
    return strcmp(texts[0], texts[1]) == 0;
}

#endif
