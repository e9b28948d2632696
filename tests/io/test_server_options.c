/* What a server is told: how long connections may be idle, where it listens, and how. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server_test.h"

static struct memory_probe probe;

/* The idle timeout of a server: each connection's own. A connection that moves bytes is not idle,
   and putting the end off costs no memory; one that does not is ended, its coroutine told, and
   nobody else. */
SERVER_TEST(idle_timeouts)
{
    ALOOP_BEGIN;
    listen_at_path(&self->options, &self->address);
    self->stream = (aloop_stream_options)ALOOP_STREAM_OPTIONS_INIT;
    self->stream.idle_timeout = ALOOP_SEC(60);
    self->options.stream = &self->stream;
    SERVE(session);
    CONNECT(0);
    CONNECT(1);
    for (self->i = 0; self->i < 4; self->i++) {
        SEND(0, "line\n");
        SEND(1, "line\n");
        EXPECT_TEXT(0, "line\n");
        EXPECT_TEXT(1, "line\n");
    }
    self->began = NOW();
    self->requests = atomic_load(&probe.requests);
    for (self->i = 0; self->i < 5; self->i++) {
        ALOOP_TRY(aloop_sleep(ALOOP_SEC(10)));
        SEND(0, "line\n");
        EXPECT_TEXT(0, "line\n");
    }
    assert_int_equal(atomic_load(&probe.requests), self->requests);
    assert_int_equal(self->shared.ended, 0);
    /* The other one is gone since the sixtieth second. */
    for (self->i = 0; self->i < 5; self->i++) {
        ALOOP_TRY(aloop_sleep(ALOOP_SEC(50)));
        SEND(0, "line\n");
        EXPECT_TEXT(0, "line\n");
        assert_int_equal(self->shared.ended, 1);
        assert_int_equal(self->shared.last, -ETIMEDOUT);
    }
    assert_int_equal(aloop_server_connections(&self->server), 1);
    ALOOP_TRY(aloop_recv(&self->peers[1], self->small, 1));
    assert_int_equal(self->result, 0);
    self->began = NOW();
    ALOOP_TRY(aloop_recv(&self->peers[0], self->small, 1));
    assert_int_equal(self->result, 0);
    assert_int_equal(NOW() - self->began, ALOOP_SEC(60));
    aloop_socket_close(&self->peers[0]);
    aloop_socket_close(&self->peers[1]);
    ALOOP_END;
}

static void test_idle_timeouts(void **state)
{
    aloop_options options = ALOOP_OPTIONS_INIT;
    aloop *loop;

    probe = (struct memory_probe){0};
    options.poller = ((const struct io_state *)*state)->poller;
    options.clock = ALOOP_CLOCK_VIRTUAL;
    options.allocator = memory_probe_allocator(&probe);
    assert_int_equal(aloop_new(&options, &loop), 0);
    assert_int_equal(aloop_run_in(loop, idle_timeouts), 0);
    aloop_unref(loop);
    assert_int_equal(atomic_load(&probe.bytes), 0);
}

/* Two servers on one port, as of one loop a core: each connection is one's or the other's. */
SERVER_TEST(a_shared_port)
{
    ALOOP_BEGIN;
    listen_at_port(&self->options, &self->address);
    self->listen = (aloop_listen_options)ALOOP_LISTEN_OPTIONS_INIT;
    self->options.listen = &self->listen;
    SERVE(session);
    self->options.addresses = &self->address;
    ALOOP_AWAIT(aloop_start_server(&self->other, &self->options, session));
    assert_int_equal(self->result, -EADDRINUSE);
    aloop_server_close(&self->server);
    ALOOP_TRY(aloop_server_wait_closed(&self->server));
    if (sys_reuse_port < 0)
        ALOOP_RETURN(0);
    self->listen.reuse_port = true;
    listen_at_port(&self->options, &self->address);
    self->options.listen = &self->listen;
    SERVE(session);
    ALOOP_TRY(aloop_start_server(&self->other, &self->options, session,
                                 .shared = &self->others));
    for (self->i = 0; self->i < PEERS; self->i++) {
        CONNECT(self->i);
        SEND(self->i, "line\n");
        EXPECT_TEXT(self->i, "line\n");
    }
    assert_int_equal(self->shared.started + self->others.started, PEERS);
    while (self->i > 0)
        aloop_socket_close(&self->peers[--self->i]);
    ALOOP_END;
}

SERVER_RUN(a_shared_port, ALOOP_CLOCK_MONOTONIC)

/* Several addresses of several families at once; if one cannot be had, none is open. */
SERVER_TEST(several_addresses)
{
    static aloop_address addresses[3];

    ALOOP_BEGIN;
    listen_at_path(&self->options, &self->address);
    addresses[0] = self->address;
    assert_int_equal(aloop_address_ip(&addresses[1], "127.0.0.1", 0), 0);
    addresses[2] = addresses[1];
    self->options.addresses = addresses;
    self->options.address_count = 3;
    SERVE(session);
    for (self->i = 0; self->i < 3; self->i++) {
        assert_int_equal(
            aloop_server_address(&self->server, (size_t)self->i, &self->address), 0);
        CONNECT(self->i);
        SEND(self->i, "line\n");
        EXPECT_TEXT(self->i, "line\n");
    }
    assert_int_equal(self->shared.started, 3);
    /* The last one's port is taken. */
    addresses[2] = self->address;
    assert_int_equal(
        aloop_address_unix(&addresses[0], "test_server_several.sock"), 0);
    ALOOP_AWAIT(aloop_start_server(&self->other, &self->options, session));
    assert_int_equal(self->result, -EADDRINUSE);
    assert_int_equal(access("test_server_several.sock", F_OK), -1);
    while (self->i > 0)
        aloop_socket_close(&self->peers[--self->i]);
    ALOOP_END;
}

SERVER_RUN(several_addresses, ALOOP_CLOCK_MONOTONIC)

/* However many wait to be accepted, others have their turn after so many of them. */
SERVER_TEST(accepts_per_turn)
{
    ALOOP_BEGIN;
    listen_at_path(&self->options, &self->address);
    self->options.accepts_per_turn = 2;
    SERVE(session);
    ALOOP_TRY(aloop_sleep(0));
    for (self->i = 0; self->i < PEERS; self->i++)
        CONNECT(self->i);
    assert_int_equal(aloop_server_connections(&self->server), 0);
    for (self->i = 0; self->i < PEERS; self->i = self->j) {
        ALOOP_TRY(aloop_sleep(0));
        self->j = (int)aloop_server_connections(&self->server);
        assert_in_range(self->j - self->i, 0, 2);
    }
    while (self->i > 0)
        aloop_socket_close(&self->peers[--self->i]);
    ALOOP_END;
}

SERVER_RUN(accepts_per_turn, ALOOP_CLOCK_VIRTUAL)

/* The backlog is the system's to keep to; it is told what the program says. */
static int last_backlog;

static int noted_listen(int fd, int backlog)
{
    last_backlog = backlog;
    return sys_default.listen(fd, backlog);
}

SERVER_TEST(the_backlog)
{
    ALOOP_BEGIN;
    sys.listen = noted_listen;
    listen_at_port(&self->options, &self->address);
    SERVE(session);
    assert_int_equal(last_backlog, SOMAXCONN);
    self->listen = (aloop_listen_options)ALOOP_LISTEN_OPTIONS_INIT;
    self->listen.backlog = 7;
    listen_at_port(&self->options, &self->address);
    self->options.listen = &self->listen;
    ALOOP_TRY(aloop_start_server(&self->other, &self->options, session,
                                 .shared = &self->others));
    assert_int_equal(last_backlog, 7);
    ALOOP_END;
}

SERVER_RUN(the_backlog, ALOOP_CLOCK_VIRTUAL)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH_POLLER(test_idle_timeouts),
        ON_EACH_POLLER(test_a_shared_port),
        ON_EACH_POLLER(test_several_addresses),
        ON_EACH_POLLER(test_accepts_per_turn),
        ON_EACH_POLLER(test_the_backlog),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
