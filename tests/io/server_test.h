/*
 * Tests of a server and whoever connects to it: each is a coroutine with a frame of the same shape.
 * Include behind cmocka's headers.
 */
#ifndef ALOOP_TESTS_SERVER_TEST_H
#define ALOOP_TESTS_SERVER_TEST_H

#include "stream_test.h"
#include <stdio.h>
#include <unistd.h>

#define PEERS 16

/* What all connections of a test share. */
struct shared {
    int started;
    int ended;
    int64_t last; /* outcome */
    aloop_ns limit; /* of a line, in time; 0: none */
};

#define SERVER_TEST(name)                                                                          \
    struct name {                                                                                  \
        ALOOP_FRAME;                                                                               \
        aloop_server server;                                                                       \
        aloop_server other;                                                                        \
        aloop_server_options options;                                                              \
        aloop_listen_options listen;                                                               \
        aloop_stream_options stream;                                                               \
        aloop_address address;                                                                     \
        aloop_address second;                                                                      \
        aloop_socket peers[PEERS];                                                                 \
        struct shared shared;                                                                      \
        struct shared others;                                                                      \
        aloop_task *task;                                                                          \
        aloop_ns began;                                                                            \
        size_t memory;                                                                             \
        long requests;                                                                             \
        char *data;                                                                                \
        int i, j;                                                                                  \
        char small[64];                                                                            \
    };                                                                                             \
    ALOOP_CORO(name)

#define SERVER_RUN(name, clock)                                                                    \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        io_run(state, clock, name);                                                                \
    }

#define NOW() aloop_time(aloop_get_running_loop())
#define USED() memory_used(&aloop_get_running_loop()->memory)
#define UNTIL(condition)                                                                           \
    while (!(condition))                                                                           \
    ALOOP_TRY(aloop_sleep(0))

/* On a Unix socket, where what was sent has arrived: so a virtual clock stands still for it. */
static inline void listen_at_path(aloop_server_options *options, aloop_address *address)
{
    char path[64];

    (void)snprintf(path, sizeof path, "test_server_%ld.sock", (long)getpid());
    assert_int_equal(aloop_address_unix(address, path), 0);
    *options = (aloop_server_options)ALOOP_SERVER_OPTIONS_INIT;
    options->addresses = address;
    options->address_count = 1;
}

static inline void listen_at_port(aloop_server_options *options, aloop_address *address)
{
    assert_int_equal(aloop_address_ip(address, "127.0.0.1", 0), 0);
    *options = (aloop_server_options)ALOOP_SERVER_OPTIONS_INIT;
    options->addresses = address;
    options->address_count = 1;
}

#define SERVE(session_name)                                                                        \
    do {                                                                                           \
        ALOOP_TRY(aloop_start_server(&self->server, &self->options, session_name,                  \
                                     .shared = &self->shared));                                    \
        assert_int_equal(aloop_server_address(&self->server, 0, &self->address), 0);               \
    } while (0)
#define CONNECT(i) ALOOP_TRY(aloop_connect(&self->address, &self->peers[i]))
#define SEND(i, text) ALOOP_TRY(aloop_send_all(&self->peers[i], text, strlen(text)))
#define EXPECT_TEXT(i, text)                                                                       \
    do {                                                                                           \
        ALOOP_TRY(aloop_recv_exactly(&self->peers[i], self->small, strlen(text)));                 \
        assert_memory_equal(self->small, text, strlen(text));                                      \
    } while (0)

/* Echoes lines, until the end or an error. */
struct session {
    ALOOP_FRAME;
    aloop_stream stream;
    struct shared *shared;
    aloop_slice line;
};

ALOOP_CORO(session)
{
    ALOOP_BEGIN;
    self->shared->started++;
    for (;;) {
        ALOOP_TRY(aloop_wait_for(aloop_stream_read_line(&self->stream, &self->line),
                                 self->shared->limit > 0 ? self->shared->limit : ALOOP_NEVER));
        if (self->result == 0)
            break;
        ALOOP_TRY(aloop_stream_write(&self->stream, self->line.data, self->line.size));
    }
    ALOOP_FINALLY;
    self->shared->ended++;
    self->shared->last = self->aloop_frame_.outcome;
    ALOOP_END;
}

#endif
