/* ctest: timeout=120 no-valgrind */
/*
 * A server and its worst peers: slow, half gone, gone, endless, deaf, and very many. What they do
 * costs the server a bounded amount of memory and time, and the other connections nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server_test.h"
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* --- slow --- */

/* A byte at a time, of many requests at once, each of which comes to its answer; and no other
   connection waits for that. */
SERVER_TEST(a_byte_at_a_time)
{
    static const char request[] = "a request\n";

    ALOOP_BEGIN;
    listen_at_path(&self->options, &self->address);
    SERVE(session);
    for (self->j = 0; self->j < PEERS; self->j++)
        CONNECT(self->j);
    for (self->i = 0; self->i < (int)sizeof request - 1; self->i++) {
        for (self->j = 1; self->j < PEERS; self->j++)
            ALOOP_TRY(aloop_send_all(&self->peers[self->j], &request[self->i], 1));
        ALOOP_TRY(aloop_sleep(ALOOP_SEC(1)));
        self->began = NOW();
        SEND(0, "quick\n");
        EXPECT_TEXT(0, "quick\n");
        assert_int_equal(NOW(), self->began);
    }
    for (self->j = 1; self->j < PEERS; self->j++)
        EXPECT_TEXT(self->j, request);
    for (self->j = 0; self->j < PEERS; self->j++)
        aloop_socket_close(&self->peers[self->j]);
    ALOOP_END;
}

SERVER_RUN(a_byte_at_a_time, ALOOP_CLOCK_VIRTUAL)

/* Who never comes to the end of a line is not idle; what ends it is a limit for the line, and that
   cannot be put off by a byte. */
SERVER_TEST(never_a_whole_line)
{
    ALOOP_BEGIN;
    listen_at_path(&self->options, &self->address);
    self->stream = (aloop_stream_options)ALOOP_STREAM_OPTIONS_INIT;
    self->stream.idle_timeout = ALOOP_SEC(10);
    self->options.stream = &self->stream;
    self->shared.limit = ALOOP_SEC(30);
    SERVE(session);
    self->began = NOW();
    CONNECT(0);
    while (self->shared.ended == 0) {
        SEND(0, "x");
        ALOOP_TRY(aloop_sleep(ALOOP_SEC(5)));
    }
    assert_int_equal(self->shared.last, -ETIMEDOUT);
    assert_in_range(NOW() - self->began, ALOOP_SEC(30), ALOOP_SEC(35));
    aloop_socket_close(&self->peers[0]);
    ALOOP_END;
}

SERVER_RUN(never_a_whole_line, ALOOP_CLOCK_VIRTUAL)

/* --- half gone, and gone --- */

/* S162: a peer that has ended sending still gets all answers; the session ends by reading that. */
SERVER_TEST(half_open)
{
    ALOOP_BEGIN;
    listen_at_path(&self->options, &self->address);
    SERVE(session);
    CONNECT(0);
    SEND(0, "one\ntwo\nthr");
    assert_int_equal(aloop_socket_shutdown(&self->peers[0], SHUT_WR), 0);
    UNTIL(self->shared.ended == 1);
    assert_int_equal(self->shared.last, 0);
    EXPECT_TEXT(0, "one\ntwo\nthr");
    ALOOP_TRY(aloop_recv(&self->peers[0], self->small, 1));
    assert_int_equal(self->result, 0);
    aloop_socket_close(&self->peers[0]);
    ALOOP_END;
}

SERVER_RUN(half_open, ALOOP_CLOCK_VIRTUAL)

static int reports;

static void count_reports(aloop *loop, const aloop_exception_context *context, void *arg)
{
    (void)loop;
    (void)context;
    (void)arg;
    reports++;
}

static void reset(aloop_socket *socket)
{
    const struct linger at_once = {.l_onoff = 1};

    assert_int_equal(setsockopt(aloop_socket_fd(socket), SOL_SOCKET, SO_LINGER, &at_once,
                                sizeof at_once),
                     0);
    aloop_socket_close(socket);
}

/* Resets in the middle of a request, and before the server has even accepted. */
SERVER_TEST(resets)
{
    ALOOP_BEGIN;
    reports = 0;
    aloop_set_exception_handler(aloop_get_running_loop(), count_reports, NULL);
    listen_at_port(&self->options, &self->address);
    SERVE(session);
    for (self->j = 0; self->j < 4; self->j++) {
        for (self->i = 1; self->i < PEERS; self->i++)
            CONNECT(self->i);
        for (self->i = 1; self->i < PEERS; self->i++) {
            SEND(self->i, "half a li");
            if (self->i % 3 == 0)
                ALOOP_TRY(aloop_sleep(0));
            reset(&self->peers[self->i]);
        }
        CONNECT(0);
        SEND(0, "line\n");
        EXPECT_TEXT(0, "line\n");
        aloop_socket_close(&self->peers[0]);
    }
    UNTIL(aloop_server_connections(&self->server) == 0);
    assert_int_equal(self->shared.started, self->shared.ended);
    assert_int_equal(reports, 0);
    ALOOP_END;
}

SERVER_RUN(resets, ALOOP_CLOCK_MONOTONIC)

/* --- endless --- */

/* Refuses what is too long, with an answer. */
struct refusal {
    ALOOP_FRAME;
    aloop_stream stream;
    struct shared *shared;
    aloop_slice line;
};

ALOOP_CORO(refusal)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_stream_read_line(&self->stream, &self->line));
    self->shared->last = self->result;
    ALOOP_TRY(aloop_stream_write(&self->stream, "too long\n", 9));
    assert_int_equal(aloop_stream_set_linger(&self->stream, -1), -EINVAL);
    assert_int_equal(aloop_stream_set_linger(&self->stream, ALOOP_SEC(30)), 0);
    ALOOP_FINALLY;
    self->shared->ended++;
    ALOOP_END;
}

#define ENDLESS ((size_t)8 << 20)

/* P84: a line without an end costs no more than the limit of one, and its sender, who is far from
   done, gets the answer and an orderly end. Closed at once, with so much unread, TCP would answer
   by a reset. */
SERVER_TEST(an_endless_line)
{
    ALOOP_BEGIN;
    listen_at_port(&self->options, &self->address);
    SERVE(refusal);
    CONNECT(0);
    self->memory = USED();
    self->data = calloc(1, ENDLESS);
    self->task = io_start(aloop_send_all(&self->peers[0], self->data, ENDLESS));
    UNTIL(self->shared.ended == 1);
    assert_int_equal(self->shared.last, -EMSGSIZE);
    assert_true(USED() < self->memory + ((size_t)512 << 10));
    ALOOP_TRY(aloop_join_unref(self->task));
    free(self->data);
    EXPECT_TEXT(0, "too long\n");
    ALOOP_TRY(aloop_recv(&self->peers[0], self->small, 1));
    assert_int_equal(self->result, 0);
    aloop_socket_close(&self->peers[0]);
    ALOOP_TRY(aloop_server_drain(&self->server, ALOOP_NEVER));
    ALOOP_END;
}

SERVER_RUN(an_endless_line, ALOOP_CLOCK_MONOTONIC)

/* --- deaf --- */

/* A peer that asks and asks, and never reads an answer: it is made to wait itself, the server holds
   what the marks allow, and in the end it is idle. */
SERVER_TEST(never_reads)
{
    ALOOP_BEGIN;
    listen_at_path(&self->options, &self->address);
    self->stream = (aloop_stream_options)ALOOP_STREAM_OPTIONS_INIT;
    self->stream.idle_timeout = ALOOP_SEC(60);
    self->options.stream = &self->stream;
    SERVE(session);
    for (self->j = 0; self->j < 3; self->j++) {
        self->memory = USED();
        CONNECT(0);
        self->began = NOW();
        for (;;) {
            ALOOP_AWAIT(
                aloop_wait_for(aloop_send_all(&self->peers[0], "ask\n", 4), ALOOP_SEC(1)));
            if (self->result < 0)
                break;
            assert_true(USED() < self->memory + ((size_t)512 << 10));
        }
        assert_int_equal(self->result, -ETIMEDOUT);
        assert_int_equal(self->shared.ended, self->j);
        while (aloop_server_connections(&self->server) > 0)
            ALOOP_TRY(aloop_sleep(ALOOP_MS(500)));
        assert_int_equal(self->shared.last, -ETIMEDOUT);
        assert_in_range(NOW() - self->began, ALOOP_SEC(60), ALOOP_SEC(62));
        /* Some buffers are kept, for the next one. */
        assert_true(self->j == 0 || USED() <= self->memory);
        aloop_socket_close(&self->peers[0]);
    }
    ALOOP_END;
}

SERVER_RUN(never_reads, ALOOP_CLOCK_VIRTUAL)

/* --- many --- */

#ifdef ALOOP_TEST_KQUEUE
#define MANY 1000 /* the model of kqueue takes fds of its own for each of them */
#else
#define MANY 10000
#endif
#define AT_A_TIME 500

/* A process of its own, as one has not the fds for both ends: connects, as often as it is told to
   go on, and goes away by resets, which leave no connection waiting for its end. */
static void be_many(int orders, int port)
{
    const struct linger at_once = {.l_onoff = 1};
    aloop_address address;
    char order;

    if (aloop_address_ip(&address, "127.0.0.1", (unsigned)port) < 0)
        _exit(1);
    while (read(orders, &order, 1) == 1) {
        for (int i = 0; i < AT_A_TIME; i++) {
            int fd = socket(AF_INET, SOCK_STREAM, 0);

            if (fd < 0 ||
                setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) < 0 ||
                connect(fd, (struct sockaddr *)&address.storage, address.length) < 0)
                _exit(1);
        }
    }
    _exit(0);
}

struct many_idle {
    ALOOP_FRAME;
    aloop_server server;
    aloop_server_options options;
    aloop_address address;
    aloop_socket socket;
    struct shared shared;
    size_t memory;
    pid_t child;
    int orders[2];
    int i;
    char small[64];
};

/* Ten thousand that say nothing. They cost some memory each, less than a buffer; one among them
   that speaks is served; and a server that ends ends them all. */
ALOOP_CORO(many_idle)
{
    int status = 0;

    ALOOP_BEGIN;
    listen_at_port(&self->options, &self->address);
    SERVE(session);
    assert_int_equal(pipe(self->orders), 0);
    self->child = fork();
    assert_true(self->child >= 0);
    if (self->child == 0) {
        close(self->orders[1]);
        be_many(self->orders[0], aloop_address_port(&self->address));
    }
    close(self->orders[0]);
    self->memory = USED();
    for (self->i = 0; self->i < MANY; self->i += AT_A_TIME) {
        assert_int_equal(write(self->orders[1], "", 1), 1);
        while (self->shared.started < self->i + AT_A_TIME) {
            assert_int_equal(waitpid(self->child, &status, WNOHANG), 0);
            ALOOP_TRY(aloop_sleep(0));
        }
    }
    assert_int_equal(aloop_server_connections(&self->server), MANY);
    assert_true((USED() - self->memory) / MANY < 4096);
    ALOOP_TRY(aloop_connect(&self->address, &self->socket));
    ALOOP_TRY(aloop_send_all(&self->socket, "line\n", 5));
    ALOOP_TRY(aloop_recv_exactly(&self->socket, self->small, 5));
    aloop_socket_close(&self->socket);
    UNTIL(self->shared.ended == 1);
    /* Half of the end is that the server is closed, the other half that they go. */
    ALOOP_TRY(aloop_server_drain(&self->server, 0));
    assert_int_equal(self->result, MANY);
    assert_int_equal(self->shared.ended, MANY + 1);
    ALOOP_FINALLY;
    close(self->orders[1]);
    assert_int_equal(waitpid(self->child, &status, 0), self->child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ALOOP_END;
}

static void test_many_idle(void **state)
{
    struct rlimit limit;
    struct rlimit before;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = before;
    if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < MANY + 100)
        skip();
    limit.rlim_cur = MANY + 100;
    if (before.rlim_cur < limit.rlim_cur)
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    io_run(state, ALOOP_CLOCK_MONOTONIC, many_idle);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH_POLLER(test_a_byte_at_a_time),
        ON_EACH_POLLER(test_never_a_whole_line),
        ON_EACH_POLLER(test_half_open),
        ON_EACH_POLLER(test_resets),
        ON_EACH_POLLER(test_an_endless_line),
        ON_EACH_POLLER(test_never_reads),
        ON_EACH_POLLER(test_many_idle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
