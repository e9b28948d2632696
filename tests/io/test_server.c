/* Servers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stream_test.h"
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLIENTS 20

/* What all connections of a test share. */
struct shared {
    int started;
    int ended;
    int64_t last;
    unsigned most;
};

struct session {
    ALOOP_FRAME;
    struct shared *shared;
    aloop_stream stream;
    aloop_slice line;
};

/* Echoes lines; one of five bytes makes it fail. */
ALOOP_CORO(session)
{
    ALOOP_BEGIN;
    self->shared->started++;
    if ((unsigned)(self->shared->started - self->shared->ended) > self->shared->most)
        self->shared->most = (unsigned)(self->shared->started - self->shared->ended);
    for (;;) {
        ALOOP_TRY(aloop_stream_read_line(&self->stream, &self->line));
        if (self->result == 0)
            break;
        if (self->line.size == 5)
            ALOOP_RETURN(-EIO);
        ALOOP_TRY(aloop_stream_write(&self->stream, self->line.data, self->line.size));
    }
    ALOOP_FINALLY;
    self->shared->ended++;
    self->shared->last = self->aloop_frame_.outcome;
    ALOOP_END;
}

struct client {
    ALOOP_FRAME;
    const aloop_address *address;
    aloop_socket socket;
    aloop_stream stream;
    aloop_slice line;
};

ALOOP_CORO(client)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_connect(self->address, &self->socket));
    assert_int_equal(aloop_stream_open(&self->socket, NULL, &self->stream), 0);
    ALOOP_TRY(aloop_stream_write(&self->stream, "hello, world\n", 13));
    ALOOP_TRY(aloop_stream_read_line(&self->stream, &self->line));
    assert_int_equal(self->result, 13);
    ALOOP_FINALLY;
    aloop_stream_close(&self->stream);
    ALOOP_END;
}

#define SERVER_TEST(name)                                                                          \
    struct name {                                                                                  \
        ALOOP_FRAME;                                                                               \
        aloop_server server;                                                                       \
        aloop_server_options options;                                                              \
        aloop_address address[2];                                                                  \
        aloop_socket socket[4];                                                                    \
        struct shared shared;                                                                      \
        aloop_task *task[CLIENTS];                                                                 \
        aloop_task *waiter;                                                                        \
        struct shared *outside;                                                                    \
        int i, j;                                                                                  \
        char small[64];                                                                            \
    };                                                                                             \
    ALOOP_CORO(name)

static void init_options(aloop_server_options *options, aloop_address *address)
{
    *options = (aloop_server_options)ALOOP_SERVER_OPTIONS_INIT;
    assert_int_equal(aloop_address_ip(address, "127.0.0.1", 0), 0);
    options->addresses = address;
    options->address_count = 1;
}

/* Starts with self->options, and learns the address. */
#define START()                                                                                    \
    do {                                                                                           \
        ALOOP_AWAIT(aloop_start_server(&self->server, &self->options, session,                     \
                                       .shared = &self->shared));                                  \
        assert_int_equal(self->result, 0);                                                         \
        assert_int_equal(aloop_server_address(&self->server, 0, &self->address[0]), 0);            \
    } while (0)
#define UNTIL(condition)                                                                           \
    while (!(condition))                                                                           \
    ALOOP_TRY(aloop_sleep(0))

static int reports;
static int64_t reported;

static void on_report(aloop *loop, const aloop_exception_context *context, void *arg)
{
    (void)loop;
    (void)arg;
    reports++;
    reported = context->error;
}

#define SERVER_RUN(name)                                                                           \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        reports = 0;                                                                               \
        io_run(state, ALOOP_CLOCK_MONOTONIC, name);                                                \
    }

/* Each connection has its task; a client more than the limit waits, and is not dropped. */
SERVER_TEST(connections_up_to_a_limit)
{
    ALOOP_BEGIN;
    init_options(&self->options, &self->address[0]);
    assert_int_equal(aloop_address_ip(&self->address[1], "127.0.0.1", 0), 0);
    self->options.address_count = 2;
    self->options.max_connections = 3;
    self->options.accepts_per_turn = 2;
    START();
    assert_int_equal(aloop_server_address(&self->server, 1, &self->address[1]), 0);
    assert_int_equal(aloop_server_address(&self->server, 2, &self->address[1]), -EBADF);
    assert_true(aloop_server_is_serving(&self->server));
    for (self->i = 0; self->i < CLIENTS; self->i++)
        self->task[self->i] =
            aloop_create_task(client, .address = &self->address[self->i % 2]);
    for (self->i = 0; self->i < CLIENTS; self->i++) {
        ALOOP_AWAIT(aloop_join_unref(self->task[self->i]));
        assert_int_equal(self->result, 0);
    }
    assert_int_equal(self->shared.started, CLIENTS);
    assert_in_range(self->shared.most, 2, 3);
    aloop_server_close(&self->server);
    ALOOP_AWAIT(aloop_server_wait_closed(&self->server));
    EXPECT(0);
    assert_int_equal(self->shared.ended, CLIENTS);
    assert_int_equal(aloop_server_connections(&self->server), 0);
    /* And once more, in the same place. */
    init_options(&self->options, &self->address[0]);
    START();
    ALOOP_AWAIT(aloop_call(client, .address = &self->address[0]));
    EXPECT(0);
    ALOOP_END;
}

SERVER_RUN(connections_up_to_a_limit)

/* S175: a connection that fails is reported and closed, and is nobody else's business. */
SERVER_TEST(a_failing_connection)
{
    ALOOP_BEGIN;
    aloop_set_exception_handler(aloop_get_running_loop(), on_report, NULL);
    init_options(&self->options, &self->address[0]);
    START();
    ALOOP_TRY(aloop_connect(&self->address[0], &self->socket[0]));
    ALOOP_TRY(aloop_connect(&self->address[0], &self->socket[1]));
    ALOOP_TRY(aloop_send_all(&self->socket[0], "fail\n", 5));
    ALOOP_TRY(aloop_recv(&self->socket[0], self->small, 10));
    EXPECT(0);
    assert_int_equal(reports, 1);
    assert_int_equal(reported, -EIO);
    ALOOP_TRY(aloop_send_all(&self->socket[1], "go on\n", 6));
    ALOOP_TRY(aloop_recv_exactly(&self->socket[1], self->small, 6));
    /* Being cancelled, or cut off by the peer, is silent. */
    aloop_server_close(&self->server);
    ALOOP_AWAIT(aloop_server_drain(&self->server, 0));
    EXPECT(1);
    assert_int_equal(self->shared.last, -ECANCELED);
    assert_int_equal(reports, 1);
    aloop_socket_close(&self->socket[0]);
    aloop_socket_close(&self->socket[1]);
    ALOOP_END;
}

SERVER_RUN(a_failing_connection)

/* S177: closing ends listening at once, and connections go on; wait_closed waits for them. */
SERVER_TEST(closing)
{
    ALOOP_BEGIN;
    init_options(&self->options, &self->address[0]);
    START();
    ALOOP_TRY(aloop_connect(&self->address[0], &self->socket[0]));
    ALOOP_TRY(aloop_connect(&self->address[0], &self->socket[1]));
    UNTIL(self->shared.started == 2);
    aloop_server_close(&self->server);
    aloop_server_close(&self->server);
    assert_false(aloop_server_is_serving(&self->server));
    ALOOP_AWAIT(aloop_connect(&self->address[0], &self->socket[2]));
    EXPECT(-ECONNREFUSED);
    self->waiter = io_start(aloop_server_wait_closed(&self->server));
    ALOOP_TRY(aloop_send_all(&self->socket[0], "still\n", 6));
    ALOOP_TRY(aloop_recv_exactly(&self->socket[0], self->small, 6));
    assert_false(aloop_task_done(self->waiter));
    aloop_server_close_clients(&self->server);
    ALOOP_TRY(aloop_recv(&self->socket[0], self->small, 6));
    EXPECT(0);
    ALOOP_AWAIT(aloop_join_unref(self->waiter));
    EXPECT(0);
    assert_int_equal(self->shared.ended, 2);
    assert_int_equal(self->shared.last, -ECANCELED);
    /* Abort: also what has just been accepted, and did not run yet. */
    START();
    aloop_socket_close(&self->socket[0]);
    aloop_socket_close(&self->socket[1]);
    ALOOP_TRY(aloop_connect(&self->address[0], &self->socket[0]));
    UNTIL(aloop_server_connections(&self->server) == 1);
    aloop_server_close(&self->server);
    aloop_server_abort_clients(&self->server);
    ALOOP_AWAIT(aloop_server_wait_closed(&self->server));
    EXPECT(0);
    aloop_socket_close(&self->socket[0]);
    ALOOP_END;
}

SERVER_RUN(closing)

/* A drain lets connections end by themselves until its time is up. */
SERVER_TEST(draining)
{
    ALOOP_BEGIN;
    init_options(&self->options, &self->address[0]);
    START();
    ALOOP_TRY(aloop_connect(&self->address[0], &self->socket[0]));
    ALOOP_TRY(aloop_connect(&self->address[0], &self->socket[1]));
    UNTIL(self->shared.started == 2);
    self->waiter = io_start(aloop_server_drain(&self->server, ALOOP_MS(30)));
    ALOOP_TRY(aloop_sleep(0));
    aloop_socket_close(&self->socket[0]);
    UNTIL(self->shared.ended == 1);
    assert_int_equal(self->shared.last, 0);
    ALOOP_AWAIT(aloop_join_unref(self->waiter));
    EXPECT(1);
    assert_int_equal(self->shared.last, -ECANCELED);
    aloop_socket_close(&self->socket[1]);
    /* With nobody there it takes no time. */
    START();
    ALOOP_AWAIT(aloop_server_drain(&self->server, ALOOP_NEVER));
    EXPECT(0);
    ALOOP_END;
}

SERVER_RUN(draining)

/* A coroutine that ends with its server open takes it along. */
SERVER_TEST(starts_and_ends)
{
    ALOOP_BEGIN;
    init_options(&self->options, &self->address[0]);
    ALOOP_TRY(aloop_start_server(&self->server, &self->options, session,
                                 .shared = self->outside));
    ALOOP_AWAIT(aloop_start_server(&self->server, &self->options, session));
    EXPECT(-EBUSY);
    assert_int_equal(aloop_server_address(&self->server, 0, &self->address[0]), 0);
    ALOOP_TRY(aloop_connect(&self->address[0], &self->socket[0]));
    UNTIL(self->outside->started == 1);
    ALOOP_RETURN(-EPROTO);
    ALOOP_FINALLY;
    aloop_socket_close(&self->socket[0]);
    ALOOP_END;
}

SERVER_TEST(ending_with_an_open_server)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_call(starts_and_ends, .outside = &self->shared));
    EXPECT(-EPROTO);
    assert_int_equal(self->shared.ended, 1);
    ALOOP_END;
}

SERVER_RUN(ending_with_an_open_server)

/* S178, S179: the file of a Unix socket goes with the server, but not another's in its place. */
SERVER_TEST(unix_files)
{
    struct stat status;

    ALOOP_BEGIN;
    (void)snprintf(self->small, sizeof self->small, "test_server_%ld.sock", (long)getpid());
    self->options = (aloop_server_options)ALOOP_SERVER_OPTIONS_INIT;
    assert_int_equal(aloop_address_unix(&self->address[0], self->small), 0);
    self->options.addresses = &self->address[0];
    self->options.address_count = 1;
    START();
    ALOOP_AWAIT(aloop_call(client, .address = &self->address[0]));
    EXPECT(0);
    assert_int_equal(stat(self->small, &status), 0);
    aloop_server_close(&self->server);
    assert_int_equal(stat(self->small, &status), -1);
    ALOOP_AWAIT(aloop_server_wait_closed(&self->server));
    /* Gone by itself. */
    START();
    assert_int_equal(unlink(self->small), 0);
    aloop_server_close(&self->server);
    ALOOP_AWAIT(aloop_server_wait_closed(&self->server));
    /* Replaced. */
    START();
    assert_int_equal(unlink(self->small), 0);
    assert_int_equal(aloop_socket_listen(NULL, &self->address[0], NULL, &self->socket[0]), 0);
    aloop_server_close(&self->server);
    assert_int_equal(stat(self->small, &status), 0);
    ALOOP_AWAIT(aloop_server_wait_closed(&self->server));
    aloop_socket_close(&self->socket[0]);
    assert_int_equal(unlink(self->small), 0);
    ALOOP_END;
}

SERVER_RUN(unix_files)

/* A listening fd that this process was given; one that does not listen is refused, and stays. */
SERVER_TEST(adopted_listeners)
{
    static int fds[2];
    aloop_stream_options stream_options = ALOOP_STREAM_OPTIONS_INIT;

    ALOOP_BEGIN;
    io_listen(&self->socket[0], &self->address[0]);
    fds[0] = dup(aloop_socket_fd(&self->socket[0]));
    aloop_socket_close(&self->socket[0]);
    assert_int_equal(aloop_socket_pair(NULL, &self->socket[2]), 0);
    fds[1] = aloop_socket_fd(&self->socket[2]);
    self->options = (aloop_server_options)ALOOP_SERVER_OPTIONS_INIT;
    self->options.fds = fds;
    self->options.fd_count = 2;
    ALOOP_AWAIT(aloop_start_server(&self->server, &self->options, session,
                                   .shared = &self->shared));
    EXPECT(-EINVAL);
    assert_true(fcntl(fds[0], F_GETFD) >= 0);
    self->options.fd_count = 0;
    ALOOP_AWAIT(aloop_start_server(&self->server, &self->options, session,
                                   .shared = &self->shared));
    EXPECT(-EINVAL);
    self->options.fd_count = 1;
    /* An option that no stream could be made with is refused here, not with each connection. */
    stream_options.linger = -1;
    self->options.stream = &stream_options;
    ALOOP_AWAIT(aloop_start_server(&self->server, &self->options, session,
                                   .shared = &self->shared));
    EXPECT(-EINVAL);
    self->options.stream = NULL;
    START();
    ALOOP_AWAIT(aloop_call(client, .address = &self->address[0]));
    EXPECT(0);
    aloop_socket_close(&self->socket[2]);
    aloop_socket_close(&self->socket[3]);
    ALOOP_END;
}

SERVER_RUN(adopted_listeners)

/* S176, P62, P64: a connection that is lost before it is accepted is passed over, running out of
   fds makes accepting pause and resume: the server lives. A listener that breaks is reported. */
SERVER_TEST(errors_of_accepting)
{
    ALOOP_BEGIN;
    aloop_set_exception_handler(aloop_get_running_loop(), on_report, NULL);
    init_options(&self->options, &self->address[0]);
    START();
    fault_install();
    fault_fail(FAULT_ACCEPT, 1, -ECONNABORTED);
    ALOOP_AWAIT(aloop_call(client, .address = &self->address[0]));
    EXPECT(0);
    assert_int_equal(reports, 0);
    /* The pause ends when a socket of the loop is closed. */
    fault_fail(FAULT_ACCEPT, 1, -EMFILE);
    self->task[0] = aloop_create_task(client, .address = &self->address[0]);
    UNTIL(reports == 1);
    assert_int_equal(reported, -EMFILE);
    assert_int_equal(aloop_socket_pair(NULL, &self->socket[2]), 0);
    aloop_socket_close(&self->socket[2]);
    aloop_socket_close(&self->socket[3]);
    ALOOP_AWAIT(aloop_join_unref(self->task[0]));
    EXPECT(0);
    fault_fail(FAULT_ACCEPT, 1, -EINVAL);
    /* It may hear of the end before it hears of its beginning. */
    ALOOP_AWAIT(aloop_connect(&self->address[0], &self->socket[0]));
    ALOOP_AWAIT(aloop_server_wait_closed(&self->server));
    assert_int_equal(reports, 2);
    assert_int_equal(reported, -EINVAL);
    aloop_socket_close(&self->socket[0]);
    ALOOP_END;
}

SERVER_RUN(errors_of_accepting)

struct starter {
    ALOOP_FRAME;
    const aloop_server_options *options;
    struct shared *shared;
    aloop_server server;
    aloop_address address;
    aloop_socket socket;
    bool stays;
};

ALOOP_CORO(starter)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_start_server(&self->server, self->options, session,
                                 .shared = self->shared));
    while (self->stays) {
        assert_int_equal(aloop_server_address(&self->server, 0, &self->address), 0);
        ALOOP_TRY(aloop_connect(&self->address, &self->socket));
        UNTIL(self->shared->started == 1);
        aloop_stop(aloop_get_running_loop());
        ALOOP_TRY(aloop_sleep(ALOOP_SEC(1000)));
    }
    ALOOP_END;
}

/* Without memory no server is started, and nothing stays; and a loop that is closed under a server
   with a connection closes all of it. */
static void memory_and_the_end_of_the_loop(void **state)
{
    struct memory_probe memory = {0};
    struct shared shared = {0};
    aloop_options options = ALOOP_OPTIONS_INIT;
    aloop_server_options server_options;
    aloop_address address;
    aloop_task *task;
    aloop *loop;
    int64_t outcome = -ENOMEM;

    init_options(&server_options, &address);
    options.poller = ((const struct io_state *)*state)->poller;
    options.allocator = memory_probe_allocator(&memory);
    assert_int_equal(aloop_new(&options, &loop), 0);
    for (long n = 1; outcome != 0; n++) {
        memory_probe_fail(&memory, n, false);
        outcome = aloop_run_in(loop, starter, .options = &server_options, .shared = &shared);
        memory_probe_fail(&memory, 0, false);
        assert_true(outcome == 0 || outcome == -ENOMEM);
    }
    task = aloop_create_task_in(loop, starter, .options = &server_options, .shared = &shared,
                                .stays = true);
    assert_int_equal(aloop_run_forever(loop), 0);
    assert_int_equal(shared.started, 1);
    aloop_task_unref(task);
    aloop_unref(loop);
    assert_int_equal(atomic_load(&memory.bytes), 0);
    assert_false(atomic_load(&memory.mistaken));
}

/* --- what systemd hands on --- */

static void listen_fds_of_the_environment(void **state)
{
    char pid[32];
    int fds[2] = {0};

    (void)state;
    assert_int_equal(aloop_listen_fds(fds, 2), 0);
    assert_int_equal(setenv("LISTEN_FDS", "3", 1), 0);
    assert_int_equal(setenv("LISTEN_PID", "1", 1), 0);
    assert_int_equal(aloop_listen_fds(fds, 2), 0);
    (void)snprintf(pid, sizeof pid, "%ld", (long)getpid());
    assert_int_equal(setenv("LISTEN_PID", pid, 1), 0);
    assert_int_equal(aloop_listen_fds(fds, 2), 3);
    assert_int_equal(fds[0], 3);
    assert_int_equal(fds[1], 4);
    assert_int_equal(setenv("LISTEN_FDS", "3x", 1), 0);
    assert_int_equal(aloop_listen_fds(fds, 2), 0);
    assert_int_equal(unsetenv("LISTEN_FDS"), 0);
    assert_int_equal(unsetenv("LISTEN_PID"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH_POLLER(test_connections_up_to_a_limit),
        ON_EACH_POLLER(test_a_failing_connection),
        ON_EACH_POLLER(test_closing),
        ON_EACH_POLLER(test_draining),
        ON_EACH_POLLER(test_ending_with_an_open_server),
        ON_EACH_POLLER(test_unix_files),
        ON_EACH_POLLER(test_adopted_listeners),
        ON_EACH_POLLER(test_errors_of_accepting),
        ON_EACH_POLLER(memory_and_the_end_of_the_loop),
        cmocka_unit_test(listen_fds_of_the_environment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
