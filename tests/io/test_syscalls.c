/* What a message costs: one recv and one send at each end, its share of a wait, and nothing else;
   and what a connection does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io_test.h"
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGES 100
/* One for each message at each end; and where a turn takes longer than 10 us, as it does under
   instruments, one for each turn. */
#define POLLS_MAX (4 * MESSAGES + 2)
#define SIZE 64

static size_t allocations;

static void *counting_alloc(void *context, void *block, size_t old_size, size_t new_size)
{
    (void)context;
    (void)old_size;
    if (new_size == 0) {
        free(block);
        return NULL;
    }
    allocations++;
    return realloc(block, new_size);
}

static aloop *counting_loop(void **state, aloop_clock clock)
{
    aloop_options options = ALOOP_OPTIONS_INIT;
    aloop *loop = NULL;

    options.clock = clock;
    options.poller = ((const struct io_state *)*state)->poller;
    options.allocator.alloc = counting_alloc;
    assert_int_equal(aloop_new(&options, &loop), 0);
    return loop;
}

struct session {
    ALOOP_FRAME;
    aloop_socket conn;
    char buffer[4 * SIZE];
};

ALOOP_CORO(session)
{
    ALOOP_BEGIN;
    for (;;) {
        ALOOP_TRY(aloop_wait_for(aloop_recv(&self->conn, self->buffer, sizeof self->buffer),
                                 ALOOP_SEC(30)));
        if (self->result == 0)
            break;
        ALOOP_TRY(aloop_send_all(&self->conn, self->buffer, (size_t)self->result));
    }
    ALOOP_FINALLY;
    aloop_socket_close(&self->conn);
    ALOOP_END;
}

struct client {
    ALOOP_FRAME;
    aloop_socket listener, server, conn;
    aloop_address address;
    aloop_task *session;
    size_t allocated;
    int i;
    char buffer[4 * SIZE];
};

ALOOP_CORO(client)
{
    ALOOP_BEGIN;
    io_listen(&self->listener, &self->address);
    ALOOP_TRY(aloop_connect(&self->address, &self->conn));
    ALOOP_TRY(aloop_accept(&self->listener, &self->server));
    self->session = aloop_create_task(session, .conn = self->server);
    /* The first read of each finds out what nobody knew: that there is nothing yet. */
    ALOOP_TRY(aloop_send_all(&self->conn, self->buffer, SIZE));
    ALOOP_TRY(aloop_recv(&self->conn, self->buffer, sizeof self->buffer));
    ALOOP_TRY(aloop_sleep(0));
    fault_install();
    self->allocated = allocations;
    for (self->i = 0; self->i < MESSAGES; self->i++) {
        ALOOP_TRY(aloop_send_all(&self->conn, self->buffer, SIZE));
        ALOOP_TRY(aloop_recv(&self->conn, self->buffer, sizeof self->buffer));
        assert_int_equal(self->result, SIZE);
    }
    /* Both ends are in this process. A reader that asked whether there is more, or that was told in
       vain that there is nothing, would show in the number of recvs. */
    assert_int_equal(fault_count(FAULT_SEND), 2 * MESSAGES);
    assert_int_equal(fault_count(FAULT_RECV), 2 * MESSAGES);
    assert_int_equal(fault_count(FAULT_EPOLL_CTL), 0);
    /* Where one call does both, registering would show here. */
    assert_in_range(fault_count(FAULT_EPOLL_WAIT) + fault_count(FAULT_POLL) +
                        fault_count(FAULT_KEVENT),
                    1, POLLS_MAX);
    assert_int_equal(allocations, self->allocated);
    ALOOP_FINALLY;
    aloop_socket_close(&self->conn);
    aloop_socket_close(&self->listener);
    ALOOP_AWAIT(aloop_join_unref(self->session));
    ALOOP_END;
}

/* On an idle loop each end waits once for each message. */
static void a_message_costs_a_recv_and_a_send(void **state)
{
    aloop *loop = counting_loop(state, ALOOP_CLOCK_MONOTONIC);

    assert_int_equal(aloop_run_in(loop, client), 0);
    aloop_unref(loop);
}

/* Echoes what lies in the stream. */
struct conversation {
    ALOOP_FRAME;
    aloop_stream stream;
    aloop_slice bytes;
};

ALOOP_CORO(conversation)
{
    ALOOP_BEGIN;
    for (;;) {
        ALOOP_TRY(aloop_stream_peek(&self->stream, 1, &self->bytes));
        if (self->result == 0)
            break;
        ALOOP_TRY(aloop_stream_write(&self->stream, self->bytes.data, self->bytes.size));
        (void)aloop_stream_consume(&self->stream, self->bytes.size);
    }
    ALOOP_FINALLY;
    aloop_stream_close(&self->stream);
    ALOOP_END;
}

static void open_over(aloop_socket *socket, aloop_stream *out_stream)
{
    assert_int_equal(aloop_stream_open(socket, NULL, out_stream), 0);
}

struct talker {
    ALOOP_FRAME;
    aloop_socket listener, server, conn;
    aloop_address address;
    aloop_stream mine, other;
    aloop_task *task;
    size_t allocated;
    int i;
    char buffer[SIZE];
};

/* What is written by several calls within a turn goes out by one. */
ALOOP_CORO(talker)
{
    ALOOP_BEGIN;
    io_listen(&self->listener, &self->address);
    ALOOP_TRY(aloop_connect(&self->address, &self->conn));
    ALOOP_TRY(aloop_accept(&self->listener, &self->server));
    open_over(&self->conn, &self->mine);
    open_over(&self->server, &self->other);
    self->task = aloop_create_task(conversation, .stream = self->other);
    for (self->i = 0; self->i < 2 * MESSAGES; self->i++) {
        if (self->i == MESSAGES) {
            fault_install();
            self->allocated = allocations;
        }
        ALOOP_TRY(aloop_stream_write(&self->mine, self->buffer, SIZE / 2));
        ALOOP_TRY(aloop_stream_write(&self->mine, self->buffer, SIZE / 2));
        ALOOP_TRY(aloop_stream_read_exactly(&self->mine, self->buffer, SIZE));
    }
    assert_int_equal(fault_count(FAULT_SEND), 2 * MESSAGES);
    assert_int_equal(fault_count(FAULT_SENDV), 0);
    assert_int_equal(fault_count(FAULT_RECV), 2 * MESSAGES);
    assert_int_equal(fault_count(FAULT_EPOLL_CTL), 0);
    assert_in_range(fault_count(FAULT_EPOLL_WAIT) + fault_count(FAULT_POLL) +
                        fault_count(FAULT_KEVENT),
                    1, POLLS_MAX);
#ifndef ALOOP_NO_POOLS
    assert_int_equal(allocations, self->allocated);
#endif
    ALOOP_FINALLY;
    aloop_stream_close(&self->mine);
    aloop_socket_close(&self->listener);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    ALOOP_END;
}

static void a_message_on_a_stream_costs_the_same(void **state)
{
    aloop *loop = counting_loop(state, ALOOP_CLOCK_MONOTONIC);

    assert_int_equal(aloop_run_in(loop, talker), 0);
    aloop_unref(loop);
}

#define STREAMS 100

struct chatter {
    ALOOP_FRAME;
    aloop_stream ends[2];
    int i;
    char buffer[SIZE];
};

/* Both ends in one task, and all the tasks in step. */
ALOOP_CORO(chatter)
{
    ALOOP_BEGIN;
    assert_int_equal(aloop_stream_pair(NULL, NULL, self->ends), 0);
    for (self->i = 0; self->i < MESSAGES; self->i++) {
        ALOOP_TRY(aloop_stream_write(&self->ends[0], self->buffer, SIZE));
        ALOOP_TRY(aloop_stream_read_exactly(&self->ends[1], self->buffer, SIZE));
        ALOOP_TRY(aloop_sleep(ALOOP_MS(1)));
    }
    ALOOP_FINALLY;
    aloop_stream_close(&self->ends[0]);
    aloop_stream_close(&self->ends[1]);
    ALOOP_END;
}

struct party {
    ALOOP_FRAME;
    aloop_group group;
    size_t allocated;
    int i;
};

ALOOP_CORO(party)
{
    ALOOP_BEGIN;
    aloop_group_init(&self->group);
    for (self->i = 0; self->i < STREAMS; self->i++)
        ALOOP_TRY(aloop_group_start(&self->group, chatter));
    ALOOP_TRY(aloop_sleep(ALOOP_MS(MESSAGES / 4)));
    self->allocated = allocations;
    ALOOP_TRY(aloop_sleep(ALOOP_MS(MESSAGES / 2)));
#ifndef ALOOP_NO_POOLS
    assert_int_equal(allocations, self->allocated);
#endif
    ALOOP_TRY(aloop_group_wait(&self->group));
    ALOOP_END;
}

/* A stream has a buffer while there is something in it: so many are taken from the loop's spares
   in one turn, and given back. With fewer spares than that each message would take one from the
   allocator. */
static void a_turn_of_many_messages_allocates_nothing(void **state)
{
    aloop *loop = counting_loop(state, ALOOP_CLOCK_VIRTUAL);

    assert_int_equal(aloop_run_in(loop, party), 0);
    aloop_unref(loop);
}

#define LARGE 16384

struct receiver {
    ALOOP_FRAME;
    aloop_stream *stream;
    size_t *received;
    aloop_slice bytes;
};

ALOOP_CORO(receiver)
{
    ALOOP_BEGIN;
    for (;;) {
        ALOOP_TRY(aloop_stream_peek(self->stream, 1, &self->bytes));
        if (self->result == 0)
            break;
        *self->received += self->bytes.size;
        (void)aloop_stream_consume(self->stream, self->bytes.size);
    }
    ALOOP_END;
}

struct sender {
    ALOOP_FRAME;
    aloop_stream ends[2];
    aloop_task *task;
    size_t received;
    int i;
    const char *data;
};

/* Each message has come as a whole before the next. */
ALOOP_CORO(sender)
{
    ALOOP_BEGIN;
    assert_int_equal(aloop_stream_pair(NULL, NULL, self->ends), 0);
    self->task =
        aloop_create_task(receiver, .stream = &self->ends[1], .received = &self->received);
    ALOOP_TRY(aloop_sleep(ALOOP_MS(1)));
    for (self->i = 0; self->i < 2 * MESSAGES; self->i++) {
        if (self->i == MESSAGES)
            fault_install();
        ALOOP_TRY(aloop_stream_write(&self->ends[0], self->data, LARGE));
        ALOOP_TRY(aloop_sleep(ALOOP_MS(1)));
        assert_int_equal(self->received, (size_t)LARGE * (size_t)(self->i + 1));
    }
    /* And perhaps one to find out that nothing follows. */
    assert_in_range(fault_count(FAULT_RECV), MESSAGES, 2 * MESSAGES);
    fault_reset();
    /* Small ones need no large buffer for long. */
    for (self->i = 0; self->i < 8; self->i++) {
        ALOOP_TRY(aloop_stream_write(&self->ends[0], self->data, 1));
        ALOOP_TRY(aloop_sleep(ALOOP_MS(1)));
    }
    ALOOP_TRY(aloop_stream_write(&self->ends[0], self->data, LARGE));
    fault_install();
    ALOOP_TRY(aloop_sleep(ALOOP_MS(1)));
    assert_in_range(fault_count(FAULT_RECV), 3, 4);
    fault_reset();
    ALOOP_FINALLY;
    aloop_stream_close(&self->ends[0]);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    aloop_stream_close(&self->ends[1]);
    ALOOP_END;
}

/* A stream remembers how large its messages are, and takes each in one piece. */
static void a_large_message_comes_in_one_piece(void **state)
{
    static const char data[LARGE];
    aloop *loop = counting_loop(state, ALOOP_CLOCK_VIRTUAL);

    assert_int_equal(aloop_run_in(loop, sender, .data = data), 0);
    aloop_unref(loop);
}

static int connect_plainly(const aloop_address *address)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(connect(fd, (const struct sockaddr *)&address->storage, address->length), 0);
    return fd;
}

struct host {
    ALOOP_FRAME;
    aloop_socket listener, conn;
    aloop_address address;
    size_t allocated;
    int i;
    int guests[MESSAGES];
};

/* Connections that wait to be accepted, a hundred at a time. */
ALOOP_CORO(host)
{
    ALOOP_BEGIN;
    io_listen(&self->listener, &self->address);
    for (self->i = 0; self->i < 2 * MESSAGES; self->i++) {
        if (self->i % MESSAGES == 0) {
            for (int i = 0; i < MESSAGES; i++)
                self->guests[i] = connect_plainly(&self->address);
            fault_install();
            self->allocated = allocations;
        }
        ALOOP_TRY(aloop_accept(&self->listener, &self->conn));
        aloop_socket_close(&self->conn);
        close(self->guests[self->i % MESSAGES]);
    }
    assert_int_equal(fault_count(FAULT_ACCEPT), MESSAGES);
    assert_int_equal(fault_count(FAULT_CLOSE), MESSAGES);
    assert_int_equal(fault_count(FAULT_SETSOCKOPT), 0);
    assert_int_equal(fault_count(FAULT_GETSOCKOPT), 0);
    assert_int_equal(fault_count(FAULT_SET_NONBLOCKING), 0);
    /* To register it; whether it can be watched is what that finds out, and it is closed without a
       word to the poller. */
    assert_in_range(fault_count(FAULT_EPOLL_CTL) + fault_count(FAULT_FD_IS_POLLABLE), 0, MESSAGES);
#ifndef ALOOP_NO_POOLS
    assert_int_equal(allocations, self->allocated);
#endif
    ALOOP_FINALLY;
    aloop_socket_close(&self->listener);
    ALOOP_END;
}

static void a_connection_costs_an_accept_and_a_registration(void **state)
{
    aloop *loop = counting_loop(state, ALOOP_CLOCK_MONOTONIC);

    assert_int_equal(aloop_run_in(loop, host), 0);
    aloop_unref(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH_POLLER(a_message_costs_a_recv_and_a_send),
        ON_EACH_POLLER(a_message_on_a_stream_costs_the_same),
        ON_EACH_POLLER(a_large_message_comes_in_one_piece),
        ON_EACH_POLLER(a_turn_of_many_messages_allocates_nothing),
        ON_EACH_POLLER(a_connection_costs_an_accept_and_a_registration),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
