/*
 * Connecting by name, and to the first of several addresses that answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "connection_test.h"
#include <stdio.h>
#include <unistd.h>

/* --- the order --- */

/* S181, RFC 8305: the addresses of a name are tried by turns of the families, beginning with the
   one that the resolver prefers, a quarter of a second apart. */
CONNECTION_TEST(families_take_turns)
{
    ALOOP_BEGIN;
    BEGIN_TEST();
    net.names = both_families;
    net.name_count = 5;
    for (self->i = 1; self->i <= 5; self->i++)
        HOST(self->i, NET_SILENT, 0);
    HOST(3, 0, 0);
    ALOOP_AWAIT(aloop_open_connection("name", "80", &self->options, &self->stream));
    EXPECT(0);
    assert_true(aloop_stream_is_open(&self->stream));
    assert_int_equal(net.try_count, 5);
    EXPECT_TRY(0, 1, 0);
    EXPECT_TRY(1, 4, ALOOP_MS(250));
    EXPECT_TRY(2, 2, ALOOP_MS(500));
    EXPECT_TRY(3, 5, ALOOP_MS(750));
    EXPECT_TRY(4, 3, ALOOP_MS(1000));
    assert_int_equal(self->tried, 5);
    assert_int_equal(self->attempts[3].error, -ECANCELED);
    assert_int_equal(self->attempts[4].error, 0);
    assert_int_equal(aloop_address_format(&self->attempts[4].address, self->small, 64),
                     (int)strlen("[2001:db8::3]:80"));
    assert_string_equal(self->small, "[2001:db8::3]:80");
    assert_int_equal(net.open, 1);
    aloop_stream_close(&self->stream);
    /* A name that has one family only. */
    net_forget();
    self->began = NOW();
    net.names = &both_families[3];
    net.name_count = 2;
    HOST(5, 0, 0);
    ALOOP_AWAIT(aloop_connect_host("name", "80", NULL, &self->socket));
    EXPECT(0);
    EXPECT_TRY(0, 4, 0);
    EXPECT_TRY(1, 5, ALOOP_MS(250));
    aloop_socket_close(&self->socket);
    /* One family is asked for. */
    net_forget();
    net.names = both_families;
    net.name_count = 5;
    self->options.family = AF_INET6;
    HOST(3, -ECONNREFUSED, 0);
    self->options.stagger = ALOOP_SEC(1);
    ALOOP_AWAIT(aloop_wait_for(
        aloop_open_connection("name", "80", &self->options, &self->stream), ALOOP_SEC(30)));
    assert_int_equal(self->result, -ETIMEDOUT);
    assert_int_equal(net.try_count, 3);
    EXPECT_TRY(2, 3, ALOOP_SEC(2) + ALOOP_MS(250));
    ALOOP_END;
}

NET_RUN(families_take_turns)

/* S181: the next is tried as soon as one before it has failed, whether at once or later. */
CONNECTION_TEST(a_failure_starts_the_next)
{
    ALOOP_BEGIN;
    BEGIN_TEST();
    HOST(0, -ECONNREFUSED, 0);
    HOST(1, -ENETUNREACH, 0);
    HOST(2, 0, 0);
    CONNECT(3);
    assert_int_equal(net.try_count, 3);
    EXPECT_TRY(2, 2, 0);
    assert_int_equal(self->attempts[0].error, -ECONNREFUSED);
    assert_int_equal(self->attempts[1].error, -ENETUNREACH);
    EXPECT_CONNECTED_WITH(2);
    HOST(0, -ECONNREFUSED, ALOOP_MS(100));
    HOST(1, NET_SILENT, 0);
    HOST(2, -ECONNREFUSED, ALOOP_MS(40));
    HOST(3, 0, ALOOP_MS(7));
    CONNECT(4);
    EXPECT_TRY(1, 1, ALOOP_MS(100));
    EXPECT_TRY(2, 2, ALOOP_MS(350));
    EXPECT_TRY(3, 3, ALOOP_MS(390));
    assert_int_equal(NOW() - self->began, ALOOP_MS(397));
    EXPECT_CONNECTED_WITH(3);
    ALOOP_END;
}

NET_RUN(a_failure_starts_the_next)

/* P75, S181: an address that is silent delays the next, and no more than that; it is closed when
   another one has the connection. It may still be the one, if it answers first after all. */
CONNECTION_TEST(silence_delays_the_next)
{
    ALOOP_BEGIN;
    BEGIN_TEST();
    HOST(0, NET_SILENT, 0);
    HOST(1, 0, ALOOP_MS(30));
    CONNECT(2);
    EXPECT_TRY(1, 1, ALOOP_MS(250));
    assert_int_equal(NOW() - self->began, ALOOP_MS(280));
    assert_int_equal(self->attempts[0].error, -ECANCELED);
    assert_int_equal(fault_count(FAULT_CLOSE), 1);
    EXPECT_CONNECTED_WITH(1);
    HOST(0, 0, ALOOP_MS(300));
    HOST(1, NET_SILENT, 0);
    CONNECT(2);
    assert_int_equal(NOW() - self->began, ALOOP_MS(300));
    assert_int_equal(self->attempts[1].error, -ECANCELED);
    EXPECT_CONNECTED_WITH(0);
    /* The delay is the program's to choose. */
    HOST(0, NET_SILENT, 0);
    HOST(1, 0, 0);
    self->options.stagger = ALOOP_MS(10);
    CONNECT(2);
    EXPECT_TRY(1, 1, ALOOP_MS(10));
    EXPECT_CONNECTED_WITH(1);
    self->options.stagger = ALOOP_NEVER;
    HOST(0, -ETIMEDOUT, ALOOP_SEC(120));
    CONNECT(2);
    EXPECT_TRY(1, 1, ALOOP_SEC(120));
    EXPECT_CONNECTED_WITH(1);
    ALOOP_END;
}

NET_RUN(silence_delays_the_next)

/* S181: two answer in the same turn. One is kept, the one tried first, and the other closed. */
CONNECTION_TEST(two_winners)
{
    ALOOP_BEGIN;
    BEGIN_TEST();
    HOST(0, 0, ALOOP_MS(500));
    HOST(1, 0, ALOOP_MS(250));
    CONNECT(2);
    assert_int_equal(NOW() - self->began, ALOOP_MS(500));
    assert_int_equal(self->attempts[1].error, -ECANCELED);
    EXPECT_CONNECTED_WITH(0);
    ALOOP_END;
}

NET_RUN(two_winners)

/* --- errors --- */

/* Connects to hosts that fail in these ways, and compares the outcome. */
#define EXPECT_OF(first, second, third, outcome)                                                   \
    do {                                                                                           \
        HOST(0, (first), 0);                                                                       \
        HOST(1, (second), ALOOP_MS(3));                                                            \
        HOST(2, (third), 0);                                                                       \
        CONNECT(3);                                                                                \
        EXPECT(outcome);                                                                           \
        assert_false(aloop_socket_is_open(&self->socket));                                         \
        assert_int_equal(self->tried, 3);                                                          \
        assert_int_equal(self->attempts[0].error, (first));                                        \
        assert_int_equal(self->attempts[1].error, (second));                                       \
        assert_int_equal(self->attempts[2].error, (third));                                        \
        assert_int_equal(net.open, 0);                                                             \
        net_forget();                                                                              \
    } while (0)

/* S180: what is told is what says most: that the peer refuses, and not that a family has no way. */
CONNECTION_TEST(errors_are_combined)
{
    ALOOP_BEGIN;
    BEGIN_TEST();
    EXPECT_OF(-ENETUNREACH, -ECONNREFUSED, -EADDRNOTAVAIL, -ECONNREFUSED);
    EXPECT_OF(-ENETUNREACH, -EAFNOSUPPORT, -EADDRNOTAVAIL, -ENETUNREACH);
    EXPECT_OF(-ETIMEDOUT, -ECONNREFUSED, -EHOSTUNREACH, -ETIMEDOUT);
    EXPECT_OF(-ECONNREFUSED, -ENETDOWN, -EMFILE, -EMFILE);
    EXPECT_OF(-EACCES, -ENOBUFS, -EMFILE, -ENOBUFS);
    EXPECT_OF(-ENETUNREACH, -ENETUNREACH, -EPERM, -EPERM);
    /* More than there is room for. */
    self->options.attempt_capacity = 1;
    self->attempts[1].error = 77;
    HOST(1, -EIO, 0);
    CONNECT(2);
    assert_int_equal(self->tried, 2);
    assert_int_equal(self->attempts[1].error, 77);
    ALOOP_END;
}

NET_RUN(errors_are_combined)

CONNECTION_TEST(wrong_options)
{
    aloop_stream_options stream = ALOOP_STREAM_OPTIONS_INIT;

    ALOOP_BEGIN;
    BEGIN_TEST();
    CONNECT(0);
    EXPECT(-EINVAL);
    self->options.size--;
    CONNECT(1);
    EXPECT(-EINVAL);
    BEGIN_TEST();
    self->options.stagger = -1;
    CONNECT(1);
    EXPECT(-EINVAL);
    BEGIN_TEST();
    stream.idle_timeout = -1;
    self->options.stream = &stream;
    ALOOP_AWAIT(aloop_open_connection("192.0.2.1", "80", &self->options, &self->stream));
    EXPECT(-EINVAL);
    ALOOP_AWAIT(aloop_open_unix_connection("", NULL, &self->stream));
    EXPECT(-EINVAL);
    ALOOP_AWAIT(aloop_open_connection("nobody", "80", NULL, &self->stream));
    EXPECT(-ALOOP_ENONAME);
    /* The lookup does as it is told. */
    BEGIN_TEST();
    net.names = both_families;
    net.name_count = 1;
    self->options.flags = AI_NUMERICHOST;
    self->tried = 77;
    ALOOP_AWAIT(aloop_open_connection("name", "80", &self->options, &self->stream));
    EXPECT(-ALOOP_ENONAME);
    assert_int_equal(self->tried, 0);
    assert_int_equal(net.try_count, 0);
    ALOOP_END;
}

NET_RUN(wrong_options)

/* --- over the loopback --- */

/* Both ways over a connection of self->stream to self->listener. */
struct echo {
    ALOOP_FRAME;
    const aloop_socket *listener;
    aloop_stream *stream;
    aloop_socket other;
    char small[8];
};

ALOOP_CORO(echo)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_accept(self->listener, &self->other));
    ALOOP_TRY(aloop_stream_write(self->stream, "abc", 3));
    ALOOP_TRY(aloop_recv_exactly(&self->other, self->small, 3));
    ALOOP_TRY(aloop_send_all(&self->other, "de", 2));
    ALOOP_TRY(aloop_stream_read_exactly(self->stream, self->small, 2));
    aloop_stream_close(self->stream);
    ALOOP_FINALLY;
    aloop_socket_close(&self->other);
    ALOOP_END;
}

CONNECTION_TEST(loopback)
{
    ALOOP_BEGIN;
    io_listen(&self->listener, &self->addresses[0]);
    (void)snprintf(self->small, sizeof self->small, "%d",
                   aloop_address_port(&self->addresses[0]));
    ALOOP_TRY(aloop_open_connection("127.0.0.1", self->small, NULL, &self->stream));
    ALOOP_TRY(aloop_call(echo, .listener = &self->listener, .stream = &self->stream));
    /* By name, in one family or both; only one of them is listened on. */
    ALOOP_TRY(aloop_open_connection("localhost", self->small, NULL, &self->stream));
    ALOOP_TRY(aloop_call(echo, .listener = &self->listener, .stream = &self->stream));
    aloop_socket_close(&self->listener);
    ALOOP_AWAIT(aloop_open_connection("localhost", self->small, NULL, &self->stream));
    EXPECT(-ECONNREFUSED);
    /* IPv6, where there is some. */
    assert_int_equal(aloop_address_ip(&self->addresses[0], "::1", 0), 0);
    if (aloop_socket_listen(NULL, &self->addresses[0], NULL, &self->listener) < 0)
        ALOOP_RETURN(0);
    assert_int_equal(aloop_socket_address(&self->listener, &self->addresses[0]), 0);
    (void)snprintf(self->small, sizeof self->small, "%d",
                   aloop_address_port(&self->addresses[0]));
    ALOOP_TRY(aloop_open_connection("::1", self->small, NULL, &self->stream));
    ALOOP_TRY(aloop_call(echo, .listener = &self->listener, .stream = &self->stream));
    aloop_socket_close(&self->listener);
    ALOOP_END;
}

REAL_RUN(loopback)

/* A port that is free at the moment. */
static int free_port(void)
{
    aloop_address address;
    aloop_socket socket;
    int port;

    io_listen(&socket, &address);
    port = aloop_address_port(&address);
    aloop_socket_close(&socket);
    return port;
}

/* From an address of one's own, and only to peers of its family. */
CONNECTION_TEST(from_an_address)
{
    ALOOP_BEGIN;
    BEGIN_TEST();
    self->options.local_addresses = self->local;
    self->options.local_count = 2;
    self->i = free_port();
    assert_int_equal(aloop_address_ip(&self->local[0], "::1", 0), 0);
    assert_int_equal(aloop_address_ip(&self->local[1], "127.0.0.1", (unsigned)self->i), 0);
    io_listen(&self->listener, &self->addresses[0]);
    CONNECT(1);
    EXPECT(0);
    ALOOP_TRY(aloop_accept(&self->listener, &self->other));
    assert_int_equal(aloop_socket_peer(&self->other, &self->addresses[1]), 0);
    assert_int_equal(aloop_address_port(&self->addresses[1]), self->i);
    /* The one who ends it keeps the port for a while; it can be taken again for another peer. */
    aloop_socket_close(&self->socket);
    aloop_socket_close(&self->other);
    aloop_socket_close(&self->listener);
    io_listen(&self->listener, &self->addresses[0]);
    CONNECT(1);
    EXPECT(0);
    aloop_socket_close(&self->socket);
    self->options.local_count = 1;
    CONNECT(1);
    EXPECT(-EADDRNOTAVAIL);
    assert_int_equal(self->attempts[0].error, -EADDRNOTAVAIL);
    /* An address that is not ours. */
    assert_int_equal(aloop_address_ip(&self->local[0], "192.0.2.1", 0), 0);
    CONNECT(1);
    EXPECT(-EADDRNOTAVAIL);
    aloop_socket_close(&self->listener);
    ALOOP_END;
}

REAL_RUN(from_an_address)

/* A path, and on Linux a name that leaves no file. */
CONNECTION_TEST(unix_sockets)
{
    ALOOP_BEGIN;
    for (self->i = 0; self->i < 2; self->i++) {
        (void)snprintf(self->small, sizeof self->small, "%stest_connection_%ld.sock",
                       self->i == 0 ? "" : "@", (long)getpid());
        self->j = aloop_address_unix(&self->addresses[0], self->small);
        if (self->j == -ENOTSUP)
            break;
        assert_int_equal(
            aloop_socket_listen(NULL, &self->addresses[0], NULL, &self->listener), 0);
        ALOOP_TRY(aloop_open_unix_connection(self->small, NULL, &self->stream));
        ALOOP_TRY(aloop_call(echo, .listener = &self->listener, .stream = &self->stream));
        aloop_socket_close(&self->listener);
        ALOOP_AWAIT(aloop_open_unix_connection(self->small, NULL, &self->stream));
        EXPECT(-ECONNREFUSED);
        if (self->i == 0)
            assert_int_equal(unlink(self->small), 0);
    }
    ALOOP_AWAIT(aloop_open_unix_connection("/nonexistent/socket", NULL, &self->stream));
    EXPECT(-ENOENT);
    ALOOP_END;
}

REAL_RUN(unix_sockets)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH_POLLER(test_families_take_turns),
        ON_EACH_POLLER(test_a_failure_starts_the_next),
        ON_EACH_POLLER(test_silence_delays_the_next),
        ON_EACH_POLLER(test_two_winners),
        ON_EACH_POLLER(test_errors_are_combined),
        ON_EACH_POLLER(test_wrong_options),
        ON_EACH_POLLER(test_loopback),
        ON_EACH_POLLER(test_from_an_address),
        ON_EACH_POLLER(test_unix_sockets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
