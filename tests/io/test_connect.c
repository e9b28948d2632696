/* Connecting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io_test.h"
#include <stdio.h>
#include <unistd.h>

#define TEST_CORO(name)                                                                            \
    struct name {                                                                                  \
        ALOOP_FRAME;                                                                               \
        enum fault_call call;                                                                      \
        aloop_socket listener, client, conn;                                                       \
        aloop_socket more[16];                                                                     \
        aloop_address address;                                                                     \
        aloop_task *task;                                                                          \
        int fds;                                                                                   \
        int i;                                                                                     \
        char small[8];                                                                             \
    };                                                                                             \
    ALOOP_CORO(name)

#define RUN_TEST(name, clock)                                                                      \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        io_run(state, clock, name);                                                                \
    }

TEST_CORO(a_connection_carries_both_ways)
{
    ALOOP_BEGIN;
    io_listen(&self->listener, &self->address);
    ALOOP_TRY(aloop_connect(&self->address, &self->client));
    assert_int_equal(self->result, 0);
    ALOOP_TRY(aloop_accept(&self->listener, &self->conn));
    ALOOP_TRY(aloop_send_all(&self->client, "abc", 3));
    ALOOP_TRY(aloop_recv_exactly(&self->conn, self->small, 3));
    ALOOP_TRY(aloop_send_all(&self->conn, "de", 2));
    ALOOP_TRY(aloop_recv_exactly(&self->client, self->small, 2));
    aloop_socket_close(&self->client);
    aloop_socket_close(&self->conn);
    aloop_socket_close(&self->listener);
    ALOOP_END;
}

RUN_TEST(a_connection_carries_both_ways, ALOOP_CLOCK_MONOTONIC)

/* P24: the bytes and the hang-up are reported together, once. Who takes the short read that ends
   the bytes for the sign to wait would wait for ever. */
TEST_CORO(bytes_and_hang_up_in_one_event)
{
    ALOOP_BEGIN;
    io_listen(&self->listener, &self->address);
    ALOOP_TRY(aloop_connect(&self->address, &self->client));
    ALOOP_TRY(aloop_accept(&self->listener, &self->conn));
    ALOOP_TRY(aloop_send_all(&self->client, "abc", 3));
    aloop_socket_close(&self->client);
    while (socket_watch(&self->conn)->hangup == 0)
        ALOOP_TRY(aloop_sleep(0));
    ALOOP_TRY(aloop_recv(&self->conn, self->small, 8));
    assert_int_equal(self->result, 3);
    ALOOP_TRY(aloop_wait_for(aloop_recv(&self->conn, self->small, 8), ALOOP_SEC(10)));
    assert_int_equal(self->result, 0);
    aloop_socket_close(&self->conn);
    aloop_socket_close(&self->listener);
    ALOOP_END;
}

RUN_TEST(bytes_and_hang_up_in_one_event, ALOOP_CLOCK_MONOTONIC)

/* S163: a connection that was reset says so, also to who waits for it. */
TEST_CORO(a_reset_is_an_error)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    ALOOP_BEGIN;
    io_listen(&self->listener, &self->address);
    ALOOP_TRY(aloop_connect(&self->address, &self->client));
    ALOOP_TRY(aloop_accept(&self->listener, &self->conn));
    self->task = io_start(aloop_recv(&self->conn, self->small, 8));
    for (self->i = 0; self->i < 10; self->i++)
        ALOOP_TRY(aloop_sleep(0));
    assert_int_equal(setsockopt(aloop_socket_fd(&self->client), SOL_SOCKET, SO_LINGER, &at_once,
                                sizeof at_once),
                     0);
    aloop_socket_close(&self->client);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    assert_int_equal(self->result, -ECONNRESET);
    aloop_socket_close(&self->conn);
    aloop_socket_close(&self->listener);
    ALOOP_END;
}

RUN_TEST(a_reset_is_an_error, ALOOP_CLOCK_MONOTONIC)

/* P70: a refusal is the outcome, whether the system says so at once or later; and leaves no fd. */
TEST_CORO(a_refusal_is_the_outcome)
{
    ALOOP_BEGIN;
    io_listen(&self->listener, &self->address);
    aloop_socket_close(&self->listener);
    self->fds = io_count_fds();
    ALOOP_AWAIT(aloop_connect(&self->address, &self->client));
    assert_int_equal(self->result, -ECONNREFUSED);
    assert_false(aloop_socket_is_open(&self->client));
    assert_int_equal(aloop_address_unix(&self->address, "/nonexistent/socket"), 0);
    ALOOP_AWAIT(aloop_connect(&self->address, &self->client));
    assert_int_equal(self->result, -ENOENT);
    assert_int_equal(io_count_fds(), self->fds);
    ALOOP_END;
}

RUN_TEST(a_refusal_is_the_outcome, ALOOP_CLOCK_MONOTONIC)

static unsigned connect_calls;

/* What a signal does to connect: the connection goes on being made, and the call is over. */
static int interrupted_connect(int fd, const struct sockaddr *address, socklen_t size)
{
    int result = sys_default.connect(fd, address, size);

    connect_calls++;
    return result == 0 ? -EINPROGRESS : result;
}

/* P69: the second call would say EALREADY or EISCONN of a connection that is well. */
TEST_CORO(an_interrupted_connect_is_waited_for)
{
    ALOOP_BEGIN;
    io_listen(&self->listener, &self->address);
    sys.connect = interrupted_connect;
    connect_calls = 0;
    ALOOP_TRY(aloop_connect(&self->address, &self->client));
    assert_int_equal(connect_calls, 1);
    ALOOP_TRY(aloop_accept(&self->listener, &self->conn));
    ALOOP_TRY(aloop_send_all(&self->client, "abc", 3));
    ALOOP_TRY(aloop_recv_exactly(&self->conn, self->small, 3));
    aloop_socket_close(&self->client);
    aloop_socket_close(&self->conn);
    aloop_socket_close(&self->listener);
    ALOOP_END;
}

RUN_TEST(an_interrupted_connect_is_waited_for, ALOOP_CLOCK_MONOTONIC)

static int far_ends[2];
static int far_end_count;

/* A socket that is not writable, and stays so: what a connection in the making looks like. */
static int socket_without_room(int family, int type, int protocol)
{
    static const char zeros[4096];
    int fds[2];

    (void)family;
    (void)protocol;
    assert_int_equal(sys_default.socketpair(AF_UNIX, type, fds), 0);
    while (sys_default.send(fds[0], zeros, sizeof zeros, 0) > 0)
        continue;
    far_ends[far_end_count++] = fds[1];
    return fds[0];
}

/* P71: a connection that does not come about is closed once, and nobody hears of it again. */
TEST_CORO(a_cancelled_connect_closes_once)
{
    ALOOP_BEGIN;
    io_listen(&self->listener, &self->address);
    sys.socket = socket_without_room;
    far_end_count = 0;
    fault_install();
    self->fds = io_count_fds();
    fault_fail(FAULT_CONNECT, 1, -EINPROGRESS);
    ALOOP_AWAIT(aloop_wait_for(aloop_connect(&self->address, &self->client), ALOOP_SEC(30)));
    assert_int_equal(self->result, -ETIMEDOUT);
    assert_int_equal(fault_count(FAULT_CLOSE), 1);
    fault_fail(FAULT_CONNECT, 1, -EINPROGRESS);
    self->task = io_start(aloop_connect(&self->address, &self->client));
    for (self->i = 0; self->i < 10; self->i++)
        ALOOP_TRY(aloop_sleep(0));
    assert_int_equal(io_count_fds(), self->fds + 3);
    aloop_task_cancel(self->task);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    assert_int_equal(self->result, -ECANCELED);
    assert_int_equal(fault_count(FAULT_CLOSE), 2);
    close(far_ends[0]);
    close(far_ends[1]);
    assert_int_equal(io_count_fds(), self->fds);
    assert_false(aloop_socket_is_open(&self->client));
    aloop_socket_close(&self->listener);
    ALOOP_END;
}

RUN_TEST(a_cancelled_connect_closes_once, ALOOP_CLOCK_VIRTUAL)

/* P72: nobody would ever say that there is room in the backlog. */
TEST_CORO(a_full_backlog_is_an_error)
{
    aloop_listen_options options = ALOOP_LISTEN_OPTIONS_INIT;
    char path[64];

    ALOOP_BEGIN;
    snprintf(path, sizeof path, "/tmp/aloop-connect-%ld", (long)getpid());
    options.backlog = 1;
    assert_int_equal(aloop_address_unix(&self->address, path), 0);
    assert_int_equal(aloop_socket_listen(NULL, &self->address, &options, &self->listener), 0);
    for (self->i = 0; self->i < 16; self->i++) {
        ALOOP_AWAIT(aloop_wait_for(aloop_connect(&self->address, &self->more[self->i]),
                                   ALOOP_SEC(1)));
        if (self->result < 0)
            break;
    }
    assert_in_range(self->i, 1, 15);
    assert_true(self->result == -EAGAIN || self->result == -ECONNREFUSED);
    while (self->i > 0)
        aloop_socket_close(&self->more[--self->i]);
    aloop_socket_close(&self->listener);
    unlink(((const char *)&self->address.storage) + sizeof(sa_family_t));
    ALOOP_END;
}

RUN_TEST(a_full_backlog_is_an_error, ALOOP_CLOCK_VIRTUAL)

/* A wake-up is a hint: without an error there may still be no connection. */
TEST_CORO(a_spurious_event_is_no_connection)
{
    ALOOP_BEGIN;
    io_listen(&self->listener, &self->address);
    sys.connect = interrupted_connect;
    fault_install();
    fault_fail(FAULT_GETPEERNAME, 1, -ENOTCONN);
    self->task = io_start(aloop_connect(&self->address, &self->client));
    ALOOP_TRY(aloop_accept(&self->listener, &self->conn));
    while (fault_failures(FAULT_GETPEERNAME) == 0)
        ALOOP_TRY(aloop_sleep(0));
    for (self->i = 0; self->i < 10; self->i++)
        ALOOP_TRY(aloop_sleep(0));
    /* The kernel has nothing new to say, so it is said here; but poll() repeats what it has said,
       if there was one meanwhile. */
    if (aloop_get_running_loop()->poller_kind != ALOOP_POLLER_POLL)
        assert_false(aloop_task_done(self->task));
    if (!aloop_task_done(self->task))
        watch_collect(aloop_get_running_loop(),
                      watch_find(aloop_get_running_loop(), self->task->op.arg[2].number),
                      POLLER_WRITE);
    ALOOP_TRY(aloop_join_unref(self->task));
    ALOOP_TRY(aloop_send_all(&self->client, "abc", 3));
    ALOOP_TRY(aloop_recv_exactly(&self->conn, self->small, 3));
    aloop_socket_close(&self->client);
    aloop_socket_close(&self->conn);
    aloop_socket_close(&self->listener);
    ALOOP_END;
}

RUN_TEST(a_spurious_event_is_no_connection, ALOOP_CLOCK_MONOTONIC)

static int connect_says_nothing(int fd, const struct sockaddr *address, socklen_t size)
{
    (void)fd;
    (void)address;
    (void)size;
    return -EINPROGRESS;
}

/* Hung up, without an error to tell and without a connection: it has failed, and must not be waited
   for. */
TEST_CORO(a_hang_up_is_the_end)
{
    ALOOP_BEGIN;
    io_listen(&self->listener, &self->address);
    sys.connect = connect_says_nothing;
    ALOOP_AWAIT(aloop_connect(&self->address, &self->client));
    assert_int_equal(self->result, -ENOTCONN);
    assert_false(aloop_socket_is_open(&self->client));
    aloop_socket_close(&self->listener);
    ALOOP_END;
}

static void test_a_hang_up_is_the_end(void **state)
{
    /* Where there is a kqueue a socket that was never to be connected is just silent. */
    if (sys.kevent != NULL)
        skip();
    io_run(state, ALOOP_CLOCK_VIRTUAL, a_hang_up_is_the_end);
}

/* Whatever call fails, the error is the outcome and nothing stays open. */
TEST_CORO(connecting_fails_at_each_call)
{
    const enum fault_call calls[] = {FAULT_SOCKET, FAULT_CONNECT, self->call, FAULT_GETSOCKOPT};

    ALOOP_BEGIN;
    io_listen(&self->listener, &self->address);
    sys.connect = interrupted_connect;
    fault_install();
    self->fds = io_count_fds();
    for (self->i = 0; self->i < 4; self->i++) {
        fault_fail(calls[self->i], 1, -EIO);
        ALOOP_AWAIT(aloop_connect(&self->address, &self->client));
        assert_int_equal(self->result, -EIO);
        assert_false(aloop_socket_is_open(&self->client));
        assert_int_equal(io_count_fds(), self->fds);
    }
    aloop_socket_close(&self->listener);
    ALOOP_END;
}

static void test_connecting_fails_at_each_call(void **state)
{
    const enum fault_call call = io_registering(state);

    io_run(state, ALOOP_CLOCK_MONOTONIC, connecting_fails_at_each_call,
           .call = call);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH_POLLER(test_a_connection_carries_both_ways),
        ON_EACH_POLLER(test_bytes_and_hang_up_in_one_event),
        ON_EACH_POLLER(test_a_reset_is_an_error),
        ON_EACH_POLLER(test_a_refusal_is_the_outcome),
        ON_EACH_POLLER(test_an_interrupted_connect_is_waited_for),
        ON_EACH_POLLER(test_a_cancelled_connect_closes_once),
        ON_EACH_POLLER(test_a_full_backlog_is_an_error),
        ON_EACH_POLLER(test_a_hang_up_is_the_end),
        ON_EACH_POLLER(test_a_spurious_event_is_no_connection),
        ON_EACH_POLLER(test_connecting_fails_at_each_call),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
