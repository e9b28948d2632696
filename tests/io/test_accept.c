/* Listening and accepting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io_test.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLIENTS 8

/* Where a Unix socket can listen for the time of a test: TCP may take a moment that the virtual
   clock does not give it. */
static char directory[] = "/tmp/aloop-accept-XXXXXX";
static char path[64];

static int make_directory(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/socket", directory);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

#define TEST_CORO(name)                                                                            \
    struct name {                                                                                  \
        ALOOP_FRAME;                                                                               \
        aloop_socket listener;                                                                     \
        aloop_socket second;                                                                       \
        aloop_socket clients[CLIENTS];                                                             \
        aloop_socket conns[CLIENTS];                                                               \
        aloop_task *tasks[CLIENTS];                                                                \
        aloop_address address;                                                                     \
        aloop_ns start;                                                                            \
        unsigned count;                                                                            \
        int i;                                                                                     \
        int turn;                                                                                  \
        char small[8];                                                                             \
    };                                                                                             \
    ALOOP_CORO(name)

#define RUN_TEST(name)                                                                             \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        io_run(state, ALOOP_CLOCK_VIRTUAL, name);                                                  \
        unlink(path);                                                                              \
    }

#define TURNS()                                                                                    \
    for (self->turn = 0; self->turn < 100; self->turn++)                                           \
    ALOOP_TRY(aloop_sleep(0))

static void listen_at_path(aloop_socket *listener, aloop_address *address)
{
    assert_int_equal(aloop_address_unix(address, path), 0);
    assert_int_equal(aloop_socket_listen(NULL, address, NULL, listener), 0);
}

static void close_all(aloop_socket *sockets)
{
    for (int i = 0; i < CLIENTS; i++)
        aloop_socket_close(&sockets[i]);
}

/* S176: several tasks may wait, and each connection goes to one of them. */
TEST_CORO(several_tasks_accept)
{
    ALOOP_BEGIN;
    listen_at_path(&self->listener, &self->address);
    for (self->i = 0; self->i < CLIENTS; self->i++)
        self->tasks[self->i] = io_start(aloop_accept(&self->listener, &self->conns[self->i]));
    TURNS();
    for (self->i = 0; self->i < CLIENTS; self->i++) {
        ALOOP_TRY(aloop_connect(&self->address, &self->clients[self->i]));
        TURNS();
        for (self->count = 0; self->count < CLIENTS; self->count++)
            assert_int_equal(aloop_task_done(self->tasks[self->count]),
                             (int)self->count <= self->i);
    }
    for (self->i = 0; self->i < CLIENTS; self->i++) {
        ALOOP_TRY(aloop_join_unref(self->tasks[self->i]));
        ALOOP_TRY(aloop_send_all(&self->clients[self->i], "x", 1));
        ALOOP_TRY(aloop_recv(&self->conns[self->i], self->small, 1));
    }
    close_all(self->clients);
    close_all(self->conns);
    aloop_socket_close(&self->listener);
    ALOOP_END;
}

RUN_TEST(several_tasks_accept)

/* P64, P65, S176: what is wrong with one connection is not wrong with the listener. */
TEST_CORO(failed_connections_are_passed_over)
{
    static const int errors[] = {-ECONNABORTED, -EPROTO, -ENETDOWN, -ECONNRESET, -EHOSTUNREACH};

    ALOOP_BEGIN;
    listen_at_path(&self->listener, &self->address);
    fault_install();
    for (self->i = 0; self->i < 5; self->i++) {
        ALOOP_TRY(aloop_connect(&self->address, &self->clients[0]));
        fault_fail(FAULT_ACCEPT, 1, errors[self->i]);
        ALOOP_TRY(aloop_accept(&self->listener, &self->conns[0]));
        assert_int_equal(fault_failures(FAULT_ACCEPT), self->i + 1);
        aloop_socket_close(&self->clients[0]);
        aloop_socket_close(&self->conns[0]);
    }
    aloop_socket_close(&self->listener);
    ALOOP_END;
}

RUN_TEST(failed_connections_are_passed_over)

/* An error that says that this is no listener is the outcome, and not tried for ever. */
TEST_CORO(what_does_not_listen_is_an_error)
{
    ALOOP_BEGIN;
    assert_int_equal(aloop_socket_pair(NULL, self->conns), 0);
    ALOOP_AWAIT(aloop_accept(&self->conns[0], &self->clients[0]));
    assert_true(self->result == -EINVAL || self->result == -EOPNOTSUPP);
    close_all(self->conns);
    ALOOP_END;
}

RUN_TEST(what_does_not_listen_is_an_error)

static unsigned reports;
static int64_t reported;

static void count_reports(aloop *loop, const aloop_exception_context *context, void *arg)
{
    (void)loop;
    (void)arg;
    reports++;
    reported = context->error;
}

static void listen_for_reports(void)
{
    reports = 0;
    aloop_set_exception_handler(aloop_get_running_loop(), count_reports, NULL);
}

/* P62, P63, S176: without fds the listener stays readable, and a loop that tried again at once
   would never sleep. The program is told once, and the connection is still there afterwards. */
TEST_CORO(accepting_pauses_when_there_are_no_fds)
{
    static const int errors[] = {-EMFILE, -ENFILE, -ENOBUFS, -ENOMEM};

    ALOOP_BEGIN;
    listen_at_path(&self->listener, &self->address);
    fault_install();
    for (self->i = 0; self->i < 4; self->i++) {
        listen_for_reports();
        ALOOP_TRY(aloop_sleep(ALOOP_SEC(5)));
        ALOOP_TRY(aloop_connect(&self->address, &self->clients[0]));
        self->start = aloop_time(aloop_get_running_loop());
        self->count = fault_count(FAULT_ACCEPT);
        fault_fail(FAULT_ACCEPT, 1, errors[self->i]);
        self->tasks[0] = io_start(aloop_accept(&self->listener, &self->conns[0]));
        self->tasks[1] = io_start(aloop_accept(&self->listener, &self->conns[1]));
        TURNS();
        assert_int_equal(fault_count(FAULT_ACCEPT), self->count + 1);
        assert_int_equal(reports, 1);
        assert_int_equal(reported, errors[self->i]);
        ALOOP_TRY(aloop_join_unref(self->tasks[0]));
        assert_int_equal(aloop_time(aloop_get_running_loop()), self->start + ALOOP_SEC(1));
        TURNS();
        assert_false(aloop_task_done(self->tasks[1]));
        /* The other one waits for connections again, and not for the end of a pause. */
        ALOOP_TRY(aloop_connect(&self->address, &self->clients[1]));
        ALOOP_TRY(aloop_join_unref(self->tasks[1]));
        assert_int_equal(aloop_time(aloop_get_running_loop()), self->start + ALOOP_SEC(1));
        assert_int_equal(reports, 1);
        close_all(self->clients);
        close_all(self->conns);
    }
    aloop_socket_close(&self->listener);
    ALOOP_END;
}

RUN_TEST(accepting_pauses_when_there_are_no_fds)

/* A loop that is out of fds for long asks once a second. */
TEST_CORO(a_long_shortage_costs_a_call_a_second)
{
    ALOOP_BEGIN;
    listen_at_path(&self->listener, &self->address);
    ALOOP_TRY(aloop_connect(&self->address, &self->clients[0]));
    listen_for_reports();
    fault_install();
    fault_fail_from(FAULT_ACCEPT, 1, -EMFILE);
    self->tasks[0] = io_start(aloop_accept(&self->listener, &self->conns[0]));
    ALOOP_TRY(aloop_sleep(ALOOP_MS(10500)));
    assert_int_equal(fault_count(FAULT_ACCEPT), 11);
    assert_int_equal(reports, 11);
    fault_clear(FAULT_ACCEPT);
    ALOOP_TRY(aloop_join_unref(self->tasks[0]));
    close_all(self->clients);
    close_all(self->conns);
    aloop_socket_close(&self->listener);
    ALOOP_END;
}

RUN_TEST(a_long_shortage_costs_a_call_a_second)

/* P62: whoever closes a socket makes room for one. */
TEST_CORO(closing_a_socket_ends_the_pause)
{
    ALOOP_BEGIN;
    listen_at_path(&self->listener, &self->address);
    ALOOP_TRY(aloop_connect(&self->address, &self->clients[0]));
    ALOOP_TRY(aloop_connect(&self->address, &self->clients[1]));
    listen_for_reports();
    fault_install();
    self->start = aloop_time(aloop_get_running_loop());
    fault_fail(FAULT_ACCEPT, 1, -EMFILE);
    self->tasks[0] = io_start(aloop_accept(&self->listener, &self->conns[0]));
    TURNS();
    assert_false(aloop_task_done(self->tasks[0]));
    aloop_socket_close(&self->clients[1]);
    ALOOP_TRY(aloop_join_unref(self->tasks[0]));
    assert_int_equal(aloop_time(aloop_get_running_loop()), self->start);
    /* At the limit each close lets one in, and the next is refused: that is told once a second. */
    fault_fail(FAULT_ACCEPT, 1, -EMFILE);
    self->tasks[0] = io_start(aloop_accept(&self->listener, &self->conns[1]));
    TURNS();
    assert_int_equal(reports, 1);
    aloop_socket_close(&self->clients[0]);
    ALOOP_TRY(aloop_join_unref(self->tasks[0]));
    close_all(self->conns);
    aloop_socket_close(&self->listener);
    ALOOP_END;
}

RUN_TEST(closing_a_socket_ends_the_pause)

/* A listener that is closed in its pause tells who waits at once. */
TEST_CORO(closing_a_paused_listener)
{
    ALOOP_BEGIN;
    listen_at_path(&self->listener, &self->address);
    ALOOP_TRY(aloop_connect(&self->address, &self->clients[0]));
    fault_install();
    fault_fail(FAULT_ACCEPT, 1, -EMFILE);
    self->tasks[0] = io_start(aloop_accept(&self->listener, &self->conns[0]));
    TURNS();
    self->start = aloop_time(aloop_get_running_loop());
    aloop_socket_close(&self->listener);
    ALOOP_AWAIT(aloop_join_unref(self->tasks[0]));
    assert_int_equal(self->result, -ECANCELED);
    assert_int_equal(aloop_time(aloop_get_running_loop()), self->start);
    close_all(self->clients);
    ALOOP_END;
}

RUN_TEST(closing_a_paused_listener)

/* A pause has its end in the same timer as a time limit: the earlier one counts, then the other. */
TEST_CORO(a_time_limit_within_the_pause)
{
    ALOOP_BEGIN;
    listen_at_path(&self->listener, &self->address);
    ALOOP_TRY(aloop_connect(&self->address, &self->clients[0]));
    fault_install();
    self->start = aloop_time(aloop_get_running_loop());
    fault_fail(FAULT_ACCEPT, 1, -EMFILE);
    ALOOP_AWAIT(aloop_wait_for(aloop_accept(&self->listener, &self->conns[0]), ALOOP_MS(500)));
    assert_int_equal(self->result, -ETIMEDOUT);
    assert_int_equal(aloop_time(aloop_get_running_loop()), self->start + ALOOP_MS(500));
    ALOOP_TRY(aloop_wait_for(aloop_accept(&self->listener, &self->conns[0]), ALOOP_SEC(9)));
    assert_int_equal(aloop_time(aloop_get_running_loop()), self->start + ALOOP_SEC(1));
    ALOOP_AWAIT(aloop_wait_for(aloop_accept(&self->listener, &self->conns[1]), ALOOP_SEC(9)));
    assert_int_equal(self->result, -ETIMEDOUT);
    assert_int_equal(aloop_time(aloop_get_running_loop()), self->start + ALOOP_SEC(10));
    close_all(self->clients);
    close_all(self->conns);
    aloop_socket_close(&self->listener);
    ALOOP_END;
}

RUN_TEST(a_time_limit_within_the_pause)

/* The connection was taken from the backlog, and there is no memory to register it: it is not
   thrown away, though who waited for it be cancelled. */
struct held {
    ALOOP_FRAME;
    enum fault_call call;
    bool close_listener;
    aloop_socket listener, client, conn;
    aloop_address address;
    aloop_task *task;
    int turn;
    char small[8];
};

ALOOP_CORO(held)
{
    ALOOP_BEGIN;
    listen_at_path(&self->listener, &self->address);
    ALOOP_TRY(aloop_connect(&self->address, &self->client));
    listen_for_reports();
    fault_install();
    fault_fail(self->call, 1, -ENOMEM);
    self->task = io_start(aloop_accept(&self->listener, &self->conn));
    TURNS();
    assert_int_equal(fault_failures(self->call), 1);
    assert_int_equal(reports, 1);
    aloop_task_cancel(self->task);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    assert_int_equal(self->result, -ECANCELED);
    if (!self->close_listener) {
        ALOOP_TRY(aloop_send_all(&self->client, "abc", 3));
        ALOOP_TRY(aloop_accept(&self->listener, &self->conn));
        assert_int_equal(fault_count(FAULT_ACCEPT), 1);
        ALOOP_TRY(aloop_recv(&self->conn, self->small, 8));
        assert_int_equal(self->result, 3);
    }
    /* P68: what was held, and what is in the backlog, is closed with the listener. */
    aloop_socket_close(&self->listener);
    aloop_socket_close(&self->conn);
    ALOOP_AWAIT(aloop_recv(&self->client, self->small, 8));
    assert_int_equal(self->result, 0);
    aloop_socket_close(&self->client);
    ALOOP_END;
}

static void a_connection_without_memory_is_not_lost(void **state)
{
    const enum fault_call call = io_registering(state);

    io_run(state, ALOOP_CLOCK_VIRTUAL, held, .call = call);
    unlink(path);
}

static void a_held_connection_is_closed_with_its_listener(void **state)
{
    const enum fault_call call = io_registering(state);

    io_run(state, ALOOP_CLOCK_VIRTUAL, held, .call = call, .close_listener = true);
    unlink(path);
}

/* P108: who is cancelled in the turn in which a connection came has not taken it; it goes to the
   next. */
TEST_CORO(a_cancelled_accept_loses_no_connection)
{
    ALOOP_BEGIN;
    listen_at_path(&self->listener, &self->address);
    self->tasks[0] = io_start(aloop_accept(&self->listener, &self->conns[0]));
    self->tasks[1] = io_start(aloop_accept(&self->listener, &self->conns[1]));
    TURNS();
    ALOOP_TRY(aloop_connect(&self->address, &self->clients[0]));
    watch_collect(aloop_get_running_loop(), socket_watch(&self->listener), POLLER_READ);
    aloop_task_cancel(self->tasks[0]);
    ALOOP_AWAIT(aloop_join_unref(self->tasks[0]));
    assert_int_equal(self->result, -ECANCELED);
    assert_false(aloop_socket_is_open(&self->conns[0]));
    ALOOP_TRY(aloop_join_unref(self->tasks[1]));
    assert_true(aloop_socket_is_open(&self->conns[1]));
    close_all(self->clients);
    close_all(self->conns);
    aloop_socket_close(&self->listener);
    ALOOP_END;
}

RUN_TEST(a_cancelled_accept_loses_no_connection)

/* P67: closing the listener, here by the one that just accepted, ends all accepting at once. */
TEST_CORO(closing_the_listener_ends_accepting)
{
    ALOOP_BEGIN;
    listen_at_path(&self->listener, &self->address);
    ALOOP_TRY(aloop_connect(&self->address, &self->clients[0]));
    ALOOP_TRY(aloop_connect(&self->address, &self->clients[1]));
    ALOOP_TRY(aloop_accept(&self->listener, &self->conns[0]));
    self->tasks[0] = io_start(aloop_accept(&self->listener, &self->conns[1]));
    self->second = self->listener;
    aloop_socket_close(&self->listener);
    ALOOP_AWAIT(aloop_join_unref(self->tasks[0]));
    assert_int_equal(self->result, -EBADF);
    assert_false(aloop_socket_is_open(&self->conns[1]));
    close_all(self->clients);
    close_all(self->conns);
    ALOOP_END;
}

RUN_TEST(closing_the_listener_ends_accepting)

/* Connections that fail one after another do not keep the others waiting either. */
TEST_CORO(an_endless_row_of_failures_gives_way)
{
    ALOOP_BEGIN;
    listen_at_path(&self->listener, &self->address);
    fault_install();
    fault_fail_from(FAULT_ACCEPT, 1, -ECONNABORTED);
    self->tasks[0] = io_start(aloop_accept(&self->listener, &self->conns[0]));
    for (self->i = 0; self->i < 10; self->i++)
        ALOOP_TRY(aloop_sleep(0));
    assert_in_range(fault_count(FAULT_ACCEPT), 1, 11 * TASK_BUDGET);
    aloop_task_cancel(self->tasks[0]);
    ALOOP_AWAIT(aloop_join_unref(self->tasks[0]));
    aloop_socket_close(&self->listener);
    ALOOP_END;
}

RUN_TEST(an_endless_row_of_failures_gives_way)

/* --- listening --- */

static int option_of(const aloop_socket *socket, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof value;

    assert_int_equal(getsockopt(aloop_socket_fd(socket), level, name, &value, &size), 0);
    return value;
}

TEST_CORO(tcp_sockets_do_not_delay)
{
    ALOOP_BEGIN;
    io_listen(&self->listener, &self->address);
    assert_int_not_equal(option_of(&self->listener, SOL_SOCKET, SO_REUSEADDR), 0);
    ALOOP_TRY(aloop_connect(&self->address, &self->clients[0]));
    ALOOP_TRY(aloop_accept(&self->listener, &self->conns[0]));
    assert_int_not_equal(option_of(&self->clients[0], IPPROTO_TCP, TCP_NODELAY), 0);
    assert_int_not_equal(option_of(&self->conns[0], IPPROTO_TCP, TCP_NODELAY), 0);
    assert_int_equal(aloop_socket_peer(&self->conns[0], &self->address), 0);
    self->i = aloop_address_port(&self->address);
    assert_int_equal(aloop_socket_address(&self->clients[0], &self->address), 0);
    assert_int_equal(aloop_address_port(&self->address), self->i);
    close_all(self->clients);
    close_all(self->conns);
    aloop_socket_close(&self->listener);
    ALOOP_END;
}

static void test_tcp_sockets_do_not_delay(void **state)
{
    io_run(state, ALOOP_CLOCK_MONOTONIC, tcp_sockets_do_not_delay);
}

/* P73: whether [::] takes IPv4 too is said by the option, never by the system's default. */
static void v6only_is_always_set(void **state)
{
    aloop_listen_options options = ALOOP_LISTEN_OPTIONS_INIT;
    aloop *loop = io_loop(state, ALOOP_CLOCK_VIRTUAL);
    aloop_socket listener;
    aloop_address address;
    int error;

    assert_int_equal(aloop_address_ip(&address, "::", 0), 0);
    for (int dual = 0; dual < 2; dual++) {
        options.dual_stack = dual;
        fault_install();
        error = aloop_socket_listen(loop, &address, &options, &listener);
        if (error == -EAFNOSUPPORT || error == -EADDRNOTAVAIL) {
            aloop_unref(loop);
            skip(); /* A machine without IPv6. */
        }
        assert_int_equal(error, 0);
        assert_int_equal(option_of(&listener, IPPROTO_IPV6, IPV6_V6ONLY), !dual);
        /* SO_REUSEADDR, IPV6_V6ONLY, TCP_NODELAY: set, not left. */
        assert_int_equal(fault_count(FAULT_SETSOCKOPT), 3);
        fault_reset();
        aloop_socket_close(&listener);
    }
    aloop_unref(loop);
}

/* P77: a port has one owner, unless both ask to share it. */
static void a_port_is_shared_only_on_request(void **state)
{
    aloop_listen_options options = ALOOP_LISTEN_OPTIONS_INIT;
    aloop *loop = io_loop(state, ALOOP_CLOCK_VIRTUAL);
    aloop_socket first, second;
    aloop_address address;

    assert_int_equal(aloop_address_ip(&address, "127.0.0.1", 0), 0);
    assert_int_equal(aloop_socket_listen(loop, &address, NULL, &first), 0);
    assert_int_equal(aloop_socket_address(&first, &address), 0);
    assert_int_equal(aloop_socket_listen(loop, &address, NULL, &second), -EADDRINUSE);
    aloop_socket_close(&first);
    options.reuse_port = true;
    assert_int_equal(aloop_socket_listen(loop, &address, &options, &first), 0);
    assert_int_equal(aloop_socket_listen(loop, &address, &options, &second), 0);
    aloop_unref(loop);
}

/* S179: the file of a socket that nobody listens on is replaced; one that somebody does is not, nor
   is a file of another kind. */
static void a_stale_unix_socket_is_replaced(void **state)
{
    aloop *loop = io_loop(state, ALOOP_CLOCK_VIRTUAL);
    aloop_socket first, second = {0};
    aloop_address address;
    struct stat status;
    FILE *file;

    assert_int_equal(aloop_address_unix(&address, path), 0);
    assert_int_equal(aloop_socket_listen(loop, &address, NULL, &first), 0);
    assert_int_equal(aloop_socket_listen(loop, &address, NULL, &second), -EADDRINUSE);
    assert_false(aloop_socket_is_open(&second));
    aloop_socket_close(&first);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(aloop_socket_listen(loop, &address, NULL, &second), 0);
    aloop_socket_close(&second);
    assert_int_equal(unlink(path), 0);
    file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(aloop_socket_listen(loop, &address, NULL, &first), -EADDRINUSE);
    assert_int_equal(stat(path, &status), 0);
    assert_true(S_ISREG(status.st_mode));
    unlink(path);
    aloop_unref(loop);
}

static void replacing_may_fail(void **state)
{
    aloop *loop = io_loop(state, ALOOP_CLOCK_VIRTUAL);
    aloop_socket socket;
    aloop_address address;

    assert_int_equal(aloop_address_unix(&address, path), 0);
    assert_int_equal(aloop_socket_listen(loop, &address, NULL, &socket), 0);
    aloop_socket_close(&socket);
    fault_install();
    fault_fail(FAULT_UNLINK, 1, -EACCES);
    assert_int_equal(aloop_socket_listen(loop, &address, NULL, &socket), -EACCES);
    fault_fail(FAULT_SOCKET, 2, -EMFILE);
    assert_int_equal(aloop_socket_listen(loop, &address, NULL, &socket), -EADDRINUSE);
    fault_reset();
    unlink(path);
    aloop_unref(loop);
}

static void what_listening_refuses(void **state)
{
    aloop_listen_options options = ALOOP_LISTEN_OPTIONS_INIT;
    aloop *loop = io_loop(state, ALOOP_CLOCK_VIRTUAL);
    aloop_socket socket = {0};
    aloop_address address;

    assert_int_equal(aloop_address_ip(&address, "127.0.0.1", 0), 0);
    assert_int_equal(aloop_socket_listen(NULL, &address, NULL, &socket), -ALOOP_ENOLOOP);
    options.backlog = -1;
    assert_int_equal(aloop_socket_listen(loop, &address, &options, &socket), -EINVAL);
    options = (aloop_listen_options){.size = 1};
    assert_int_equal(aloop_socket_listen(loop, &address, &options, &socket), -EINVAL);
    assert_int_equal(aloop_address_ip(&address, "192.0.2.1", 0), 0);
    assert_int_equal(aloop_socket_listen(loop, &address, NULL, &socket), -EADDRNOTAVAIL);
    assert_int_equal(aloop_address_unix(&address, "/nonexistent/socket"), 0);
    assert_int_equal(aloop_socket_listen(loop, &address, NULL, &socket), -ENOENT);
    assert_false(aloop_socket_is_open(&socket));
    assert_int_equal(aloop_close(loop), 0);
    assert_int_equal(aloop_socket_listen(loop, &address, NULL, &socket), -ALOOP_ECLOSED);
    aloop_unref(loop);
}

/* Whatever call fails, the error is returned and nothing stays open. */
static void listening_fails_at_each_call(void **state)
{
    const enum fault_call calls[] = {FAULT_SOCKET, FAULT_SETSOCKOPT, FAULT_BIND, FAULT_LISTEN,
                                     io_registering(state)};
    aloop *loop = io_loop(state, ALOOP_CLOCK_VIRTUAL);
    aloop_socket socket = {0};
    aloop_address address;

    assert_int_equal(aloop_address_ip(&address, "127.0.0.1", 0), 0);
    fault_install();
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        int fds = io_count_fds();

        fault_fail(calls[i], 1, -EIO);
        assert_int_equal(aloop_socket_listen(loop, &address, NULL, &socket), -EIO);
        assert_int_equal(fault_failures(calls[i]), 1);
        assert_int_equal(io_count_fds(), fds);
        assert_false(aloop_socket_is_open(&socket));
    }
    aloop_unref(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH_POLLER(test_several_tasks_accept),
        ON_EACH_POLLER(test_failed_connections_are_passed_over),
        ON_EACH_POLLER(test_what_does_not_listen_is_an_error),
        ON_EACH_POLLER(test_accepting_pauses_when_there_are_no_fds),
        ON_EACH_POLLER(test_a_long_shortage_costs_a_call_a_second),
        ON_EACH_POLLER(test_closing_a_socket_ends_the_pause),
        ON_EACH_POLLER(test_closing_a_paused_listener),
        ON_EACH_POLLER(test_a_time_limit_within_the_pause),
        ON_EACH_POLLER(a_connection_without_memory_is_not_lost),
        ON_EACH_POLLER(a_held_connection_is_closed_with_its_listener),
        ON_EACH_POLLER(test_a_cancelled_accept_loses_no_connection),
        ON_EACH_POLLER(test_closing_the_listener_ends_accepting),
        ON_EACH_POLLER(test_an_endless_row_of_failures_gives_way),
        ON_EACH_POLLER(test_tcp_sockets_do_not_delay),
        ON_EACH_POLLER(v6only_is_always_set),
        ON_EACH_POLLER(a_port_is_shared_only_on_request),
        ON_EACH_POLLER(a_stale_unix_socket_is_replaced),
        ON_EACH_POLLER(replacing_may_fail),
        ON_EACH_POLLER(what_listening_refuses),
        ON_EACH_POLLER(listening_fails_at_each_call),
    };

    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
