/*
 * Tests of connecting by name: each is a coroutine with a frame of the same shape, in a network of
 * the test's own, or over the loopback. Include behind cmocka's headers.
 */
#ifndef ALOOP_TESTS_CONNECTION_TEST_H
#define ALOOP_TESTS_CONNECTION_TEST_H

#include "fake_net.h"
#include <stdio.h>

#define TRIES 8
#define NOW() aloop_time(aloop_get_running_loop())

#define CONNECTION_TEST(name)                                                                      \
    struct name {                                                                                  \
        ALOOP_FRAME;                                                                               \
        aloop_connect_options options;                                                             \
        aloop_connect_attempt attempts[TRIES];                                                     \
        aloop_address addresses[TRIES];                                                            \
        aloop_address local[2];                                                                    \
        size_t tried;                                                                              \
        aloop_socket socket;                                                                       \
        aloop_socket other;                                                                        \
        aloop_socket listener;                                                                     \
        aloop_stream stream;                                                                       \
        aloop_stream second;                                                                       \
        aloop_select_case cases[2];                                                                \
        aloop_task *task;                                                                          \
        aloop_ns began;                                                                            \
        int i, j;                                                                                  \
        char small[64];                                                                            \
    };                                                                                             \
    ALOOP_CORO(name)

/* In the network of the test. */
#define NET_RUN(name)                                                                              \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        net_install();                                                                             \
        fault_install();                                                                           \
        io_run(state, ALOOP_CLOCK_VIRTUAL, name);                                                  \
        assert_int_equal(net.open, 0);                                                             \
    }

/* Over the loopback. */
#define REAL_RUN(name)                                                                             \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        io_run(state, ALOOP_CLOCK_MONOTONIC, name);                                                \
    }

/* 192.0.2.N:80 for the first `count` of them. */
static ALOOP_UNUSED void fill_addresses(aloop_address *addresses, unsigned count)
{
    char text[32];

    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(text, sizeof text, "192.0.2.%u", i);
        assert_int_equal(aloop_address_ip(&addresses[i], text, 80), 0);
    }
}

#define BEGIN_TEST()                                                                               \
    do {                                                                                           \
        self->options = (aloop_connect_options)ALOOP_CONNECT_OPTIONS_INIT;                         \
        self->options.attempts = self->attempts;                                                   \
        self->options.attempt_capacity = TRIES;                                                    \
        self->options.out_attempt_count = &self->tried;                                            \
        fill_addresses(self->addresses, TRIES);                                                    \
        self->began = NOW();                                                                       \
    } while (0)
/* Connects to the first `count` addresses. */
#define CONNECT(count)                                                                             \
    ALOOP_AWAIT(aloop_connect_any(self->addresses, (count), &self->options, &self->socket))
#define EXPECT(outcome) assert_int_equal(self->result, (outcome))
#define EXPECT_CONNECTED_WITH(host)                                                                \
    do {                                                                                           \
        EXPECT(0);                                                                                 \
        assert_true(aloop_socket_is_open(&self->socket));                                          \
        assert_int_equal(self->attempts[host].error, 0);                                           \
        assert_int_equal(net.open, 1);                                                             \
        aloop_socket_close(&self->socket);                                                         \
        assert_int_equal(net.open, 0);                                                             \
        net_forget();                                                                              \
        self->began = NOW();                                                                       \
    } while (0)
/* Try number i was with the host, so long after the beginning. */
#define EXPECT_TRY(i, host, after) net_assert_try((i), (host), self->began + (after))
#define HOST(i, ...) net.hosts[i] = (struct net_host){__VA_ARGS__}

/* What the name "name" stands for. */
static const char *const both_families[] ALOOP_UNUSED = {
    "2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.4", "192.0.2.5"};

#endif
