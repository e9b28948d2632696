/* Streams as a whole: what they cost, over TCP, and over transports that are no socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stream_test.h"
#include <unistd.h>

#define MESSAGES 100

/* --- what they cost --- */

struct echo {
    ALOOP_FRAME;
    aloop_stream stream;
    aloop_slice line;
};

ALOOP_CORO(echo)
{
    ALOOP_BEGIN;
    for (;;) {
        ALOOP_TRY(aloop_stream_read_line(&self->stream, &self->line));
        if (self->result == 0)
            break;
        ALOOP_TRY(aloop_stream_write(&self->stream, self->line.data, self->line.size));
    }
    ALOOP_FINALLY;
    aloop_stream_close(&self->stream);
    ALOOP_AWAIT(aloop_stream_wait_closed(&self->stream));
    ALOOP_END;
}

static struct memory_probe probe;

struct client {
    ALOOP_FRAME;
    aloop_socket listener, conn;
    aloop_address address;
    aloop_stream stream, server;
    aloop_task *echo;
    aloop_slice line;
    long requests;
    size_t bytes;
    int i, j;
};

/* A message costs one recv and one send at each end, and no memory; pipelined ones share them; and
   when all is quiet no buffer is left with the streams. */
ALOOP_CORO(client)
{
    ALOOP_BEGIN;
    io_listen(&self->listener, &self->address);
    ALOOP_TRY(aloop_connect(&self->address, &self->conn));
    assert_int_equal(aloop_stream_open(&self->conn, NULL, &self->stream), 0);
    ALOOP_TRY(aloop_accept(&self->listener, &self->conn));
    assert_int_equal(aloop_stream_open(&self->conn, NULL, &self->server), 0);
    self->echo = aloop_create_task(echo, .stream = self->server);
    for (self->j = 0; self->j < 2; self->j++) {
        ALOOP_TRY(aloop_stream_write(&self->stream, "warm up\n", 8));
        ALOOP_TRY(aloop_stream_read_line(&self->stream, &self->line));
        ALOOP_TRY(aloop_sleep(0));
    }
    fault_install();
    self->requests = atomic_load(&probe.requests);
    self->bytes = memory_used(&aloop_get_running_loop()->memory);
    for (self->i = 0; self->i < MESSAGES; self->i++) {
        ALOOP_TRY(aloop_stream_write(&self->stream, "message\n", 8));
        ALOOP_TRY(aloop_stream_read_line(&self->stream, &self->line));
        assert_int_equal(self->line.size, 8);
    }
    assert_int_equal(fault_count(FAULT_SEND), 2 * MESSAGES);
    assert_int_equal(fault_count(FAULT_RECV), 2 * MESSAGES);
    assert_int_equal(fault_count(FAULT_SENDV) + fault_count(FAULT_EPOLL_CTL), 0);
    for (self->j = 0; self->j < MESSAGES; self->j++) {
        for (self->i = 0; self->i < 16; self->i++)
            ALOOP_TRY(aloop_stream_write(&self->stream, "message\n", 8));
        for (self->i = 0; self->i < 16; self->i++)
            ALOOP_TRY(aloop_stream_read_line(&self->stream, &self->line));
    }
    assert_int_equal(fault_count(FAULT_SEND), 4 * MESSAGES);
    assert_int_equal(fault_count(FAULT_RECV), 4 * MESSAGES);
    assert_int_equal(atomic_load(&probe.requests), self->requests);
    assert_int_equal(memory_used(&aloop_get_running_loop()->memory), self->bytes);
    ALOOP_FINALLY;
    aloop_stream_close(&self->stream);
    aloop_socket_close(&self->listener);
    ALOOP_AWAIT(aloop_join_unref(self->echo));
    ALOOP_END;
}

static void a_message_costs_a_recv_and_a_send(void **state)
{
    aloop_options options = ALOOP_OPTIONS_INIT;
    aloop *loop;

    probe = (struct memory_probe){0};
    options.poller = ((const struct io_state *)*state)->poller;
    options.allocator = memory_probe_allocator(&probe);
    assert_int_equal(aloop_new(&options, &loop), 0);
    assert_int_equal(aloop_run_in(loop, client), 0);
    aloop_unref(loop);
    assert_int_equal(atomic_load(&probe.bytes), 0);
    assert_false(atomic_load(&probe.mistaken));
}

/* --- a transport of one's own --- */

/* A link over a socket that turns every byte upside down, moves one at a time, and says at every
   other call that there is nothing, though there is: as a TLS layer does that has to talk first. */
struct link {
    aloop_socket socket;
    aloop_waitlist lists[2];
    bool is_out_of_mood[2];
    bool is_closed;
    bool is_aborted;
    bool is_shut_down;
    aloop_handle kick;
};

static void kick(aloop *loop, void *arg)
{
    struct link *link = arg;

    (void)loop;
    link->kick = 0;
    (void)aloop_wake_all(&link->lists[0]);
    (void)aloop_wake_all(&link->lists[1]);
}

static bool refuses(struct link *link, int direction)
{
    link->is_out_of_mood[direction] = !link->is_out_of_mood[direction];
    if (link->is_out_of_mood[direction] && link->kick == 0)
        link->kick = aloop_call_soon(aloop_get_running_loop(), kick, link);
    return link->is_out_of_mood[direction];
}

static int64_t link_read(void *context, void *buffer, size_t size)
{
    struct link *link = context;
    int64_t got;

    (void)size;
    if (refuses(link, 0))
        return -EAGAIN;
    got = aloop_socket_transport.read(&link->socket, buffer, 1);
    if (got > 0)
        *(char *)buffer = (char)~*(char *)buffer;
    return got;
}

static int64_t link_writev(void *context, const struct iovec *pieces, int count)
{
    struct link *link = context;
    char byte = (char)~*(char *)pieces[0].iov_base;
    struct iovec piece = {.iov_base = &byte, .iov_len = 1};

    (void)count;
    if (refuses(link, 1))
        return -EAGAIN;
    return aloop_socket_transport.writev(&link->socket, &piece, 1);
}

static aloop_waitlist *link_waiters(void *context, bool is_for_writing)
{
    struct link *link = context;

    return link->is_out_of_mood[is_for_writing]
               ? &link->lists[is_for_writing]
               : aloop_socket_transport.waiters(&link->socket, is_for_writing);
}

static int link_shutdown(void *context)
{
    struct link *link = context;

    if (refuses(link, 1))
        return -EAGAIN;
    link->is_shut_down = true;
    return aloop_socket_transport.shutdown(&link->socket);
}

static void link_close(void *context)
{
    struct link *link = context;

    link->is_closed = true;
    if (link->kick != 0)
        (void)aloop_cancel(aloop_get_running_loop(), link->kick);
    (void)aloop_wake_all(&link->lists[0]);
    (void)aloop_wake_all(&link->lists[1]);
    aloop_socket_close(&link->socket);
}

static void link_abort(void *context)
{
    struct link *link = context;

    link->is_aborted = true;
    link_close(context);
}

static const aloop_transport link_transport = {.name = "link",
                                               .read = link_read,
                                               .writev = link_writev,
                                               .waiters = link_waiters,
                                               .shutdown = link_shutdown,
                                               .close = link_close,
                                               .abort = link_abort};

static struct link links[2];

/* A transport is told of a stream that was cut short; one without that member is closed. */
STREAM_TEST(a_transport_that_is_aborted)
{
    static aloop_transport plain;
    aloop_socket pair[2];

    ALOOP_BEGIN;
    for (self->j = 0; self->j < 4; self->j++) {
        memset(links, 0, sizeof links);
        assert_int_equal(aloop_socket_pair(NULL, pair), 0);
        links[0].socket = pair[0];
        self->peer = pair[1];
        plain = link_transport;
        plain.abort = self->j == 3 ? NULL : link_abort;
        assert_int_equal(
            aloop_stream_open_transport(NULL, &plain, &links[0], NULL, &self->stream), 0);
        assert_int_equal(aloop_stream_write_nowait(&self->stream, "two", 3), 0);
        if (self->j == 0 || self->j == 2) {
            ALOOP_AWAIT(aloop_stream_flush(&self->stream));
            EXPECT(0);
        }
        if (self->j == 2)
            aloop_stream_reset(&self->stream);
        else
            aloop_stream_abort(&self->stream);
        assert_true(links[0].is_closed);
        assert_int_equal(links[0].is_aborted, self->j == 1 || self->j == 2);
        aloop_socket_close(&self->peer);
    }
    ALOOP_END;
}

STREAM_RUN(a_transport_that_is_aborted)

STREAM_TEST(a_transport_of_ones_own)
{
    aloop_socket pair[2];

    ALOOP_BEGIN;
    memset(links, 0, sizeof links);
    assert_int_equal(aloop_socket_pair(NULL, pair), 0);
    links[0].socket = pair[0];
    links[1].socket = pair[1];
    assert_int_equal(
        aloop_stream_open_transport(NULL, &link_transport, &links[0], NULL, &self->stream), 0);
    assert_int_equal(
        aloop_stream_open_transport(NULL, &link_transport, &links[1], NULL, &self->other), 0);
    ALOOP_AWAIT(aloop_stream_write(&self->stream, "a line\nand ", 11));
    ALOOP_AWAIT(aloop_stream_read_line(&self->other, &self->slice));
    EXPECT(7);
    EXPECT_SLICE("a line\n");
    self->total = 3 * ALOOP_STREAM_GATHER;
    self->data = malloc(self->total);
    self->buffer = malloc(self->total);
    fill_pattern(self->data, self->total);
    self->task = io_start(aloop_stream_write(&self->stream, self->data, self->total));
    ALOOP_AWAIT(aloop_stream_read_exactly(&self->other, self->small, 4));
    EXPECT(4);
    ALOOP_AWAIT(aloop_stream_read_exactly(&self->other, self->buffer, self->total));
    EXPECT(self->total);
    assert_memory_equal(self->buffer, self->data, self->total);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    EXPECT(self->total);
    /* What no kernel can do for it, is done by hand. */
    self->slice = (aloop_slice){.data = "/proc/self/exe"};
    self->fds[0] = open(self->slice.data, O_RDONLY);
    if (self->fds[0] >= 0) {
        ALOOP_AWAIT(aloop_stream_sendfile(&self->stream, self->fds[0], 1, 3));
        EXPECT(3);
        ALOOP_AWAIT(aloop_stream_read_exactly(&self->other, self->small, 3));
        assert_memory_equal(self->small, "ELF", 3);
        assert_int_equal(close(self->fds[0]), 0);
    }
    assert_int_equal(aloop_stream_write_eof(&self->stream), 0);
    ALOOP_AWAIT(aloop_stream_read(&self->other, self->small, 1));
    EXPECT(0);
    assert_true(links[0].is_shut_down);
    aloop_stream_close(&self->stream);
    ALOOP_AWAIT(aloop_stream_wait_closed(&self->stream));
    EXPECT(0);
    assert_true(links[0].is_closed);
    /* Closing waits until it is in the mood to end sending. */
    assert_int_equal(aloop_stream_write_eof(&self->other), 0);
    aloop_stream_close(&self->other);
    ALOOP_AWAIT(aloop_stream_wait_closed(&self->other));
    EXPECT(0);
    assert_true(links[1].is_shut_down);
    assert_true(links[1].is_closed);
    free(self->data);
    free(self->buffer);
    ALOOP_END;
}

STREAM_RUN(a_transport_of_ones_own)

/* --- making them --- */

STREAM_TEST(making_streams)
{
    static aloop_stream_options options = ALOOP_STREAM_OPTIONS_INIT;
    static aloop_socket pair[2];

    ALOOP_BEGIN;
    assert_int_equal(aloop_stream_open(&self->peer, NULL, &self->stream), -EBADF);
    assert_int_equal(aloop_stream_open_fd(NULL, 12345, NULL, &self->stream), -EBADF);
    assert_int_equal(aloop_socket_pair(NULL, pair), 0);
    self->task = io_start(aloop_recv(&pair[0], self->small, 1));
    TURNS();
    assert_int_equal(aloop_stream_open(&pair[0], NULL, &self->stream), -EBUSY);
    aloop_task_cancel(self->task);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    options.linger = -1;
    assert_int_equal(aloop_stream_open(&pair[0], &options, &self->stream), -EINVAL);
    options.linger = 0;
    assert_true(aloop_socket_is_open(&pair[0]));
    self->peer = pair[0];
    assert_int_equal(aloop_stream_open(&pair[0], &options, &self->stream), 0);
    /* Whoever kept a copy of the socket is told. */
    ALOOP_AWAIT(aloop_recv(&self->peer, self->small, 1));
    EXPECT(-EBUSY);
    assert_int_equal(aloop_stream_socket(&self->stream).fd, self->peer.fd);
    /* And if the program closes it all the same, who reads hears of it. */
    self->task = io_start(aloop_stream_read(&self->stream, self->small, 1));
    TURNS();
    aloop_socket_close(&self->peer);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    EXPECT(-EBADF);
    ALOOP_AWAIT(aloop_stream_write(&self->stream, "x", 1));
    ALOOP_AWAIT(aloop_stream_flush(&self->stream));
    EXPECT(-EBADF);
    aloop_stream_close(&self->stream);
    aloop_socket_close(&pair[1]);
    /* One that names nothing. */
    self->stream = (aloop_stream){0};
    aloop_stream_close(&self->stream);
    aloop_stream_abort(&self->stream);
    ALOOP_AWAIT(aloop_stream_wait_closed(&self->stream));
    EXPECT(0);
    ALOOP_AWAIT(aloop_stream_write(&self->stream, "x", 1));
    EXPECT(-EBADF);
    assert_int_equal(aloop_stream_cork(&self->stream, true), -EBADF);
    ALOOP_END;
}

STREAM_RUN(making_streams)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH_POLLER(a_message_costs_a_recv_and_a_send),
        ON_EACH_POLLER(test_a_transport_of_ones_own),
        ON_EACH_POLLER(test_a_transport_that_is_aborted),
        ON_EACH_POLLER(test_making_streams),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
