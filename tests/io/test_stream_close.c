/* The end of streams. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "drainer.h"
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define BIG ((size_t)1 << 20)

/* S161, P82, P83: the end comes after the last byte; reading goes on, writing does not. */
STREAM_TEST(write_eof)
{
    ALOOP_BEGIN;
    OPEN();
    self->data = calloc(1, BIG);
    assert_int_equal(aloop_stream_write_nowait(&self->stream, self->data, BIG), 0);
    assert_int_equal(aloop_stream_write_eof(&self->stream), 0);
    assert_int_equal(aloop_stream_write_eof(&self->stream), 0);
    ALOOP_AWAIT(aloop_stream_write(&self->stream, "x", 1));
    EXPECT(-EPIPE);
    assert_int_equal(aloop_stream_write_nowait(&self->stream, "x", 1), -EPIPE);
    self->task = io_start(aloop_stream_flush(&self->stream));
    ALOOP_AWAIT(aloop_recv_exactly(&self->peer, self->data, BIG));
    EXPECT(BIG);
    ALOOP_AWAIT(aloop_recv(&self->peer, self->data, 1));
    EXPECT(0);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    EXPECT(0);
    FEED("still here");
    ALOOP_AWAIT(aloop_stream_read_exactly(&self->stream, self->small, 10));
    EXPECT(10);
    free(self->data);
    CLOSE();
    ALOOP_END;
}

STREAM_RUN(write_eof)

/* S160, S174: closing sends what was written, also with input that nobody has read. */
STREAM_TEST(closing_flushes)
{
    ALOOP_BEGIN;
    OPEN();
    self->data = malloc(BIG);
    fill_pattern(self->data, BIG);
    FEED("unread");
    ALOOP_AWAIT(aloop_stream_peek(&self->stream, 1, &self->slice));
    assert_int_equal(aloop_stream_write_nowait(&self->stream, self->data, BIG), 0);
    aloop_stream_close(&self->stream);
    assert_false(aloop_stream_is_open(&self->stream));
    self->task = io_start(aloop_stream_wait_closed(&self->stream));
    self->second = io_start(aloop_stream_wait_closed(&self->stream));
    TURNS();
    assert_false(aloop_task_done(self->task));
    ALOOP_AWAIT(aloop_call(drainer, .socket = self->peer, .pattern = self->data));
    EXPECT(BIG);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    EXPECT(0);
    ALOOP_AWAIT(aloop_join_unref(self->second));
    EXPECT(0);
    /* And long after that. */
    ALOOP_AWAIT(aloop_stream_wait_closed(&self->stream));
    EXPECT(0);
    free(self->data);
    CLOSE();
    ALOOP_END;
}

STREAM_RUN(closing_flushes)

/* S160: aborting does not; and says so to who waits. */
STREAM_TEST(aborting_does_not)
{
    ALOOP_BEGIN;
    OPEN();
    self->data = malloc(BIG);
    fill_pattern(self->data, BIG);
    assert_int_equal(aloop_stream_write_nowait(&self->stream, self->data, BIG), 0);
    TURNS();
    aloop_stream_close(&self->stream);
    self->task = io_start(aloop_stream_wait_closed(&self->stream));
    TURNS();
    aloop_stream_abort(&self->stream);
    aloop_stream_abort(&self->stream);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    EXPECT(-ECANCELED);
    ALOOP_AWAIT(aloop_call(drainer, .socket = self->peer, .pattern = self->data));
    assert_true(self->result < (int64_t)BIG);
    free(self->data);
    CLOSE();
    ALOOP_END;
}

STREAM_RUN(aborting_does_not)

/* U29: a peer that never reads does not keep a closed stream for ever. */
STREAM_TEST(closing_has_a_deadline)
{
    aloop_stream_options options = ALOOP_STREAM_OPTIONS_INIT;

    ALOOP_BEGIN;
    options.close_timeout = ALOOP_SEC(5);
    open_stream(&self->stream, &self->peer, &options);
    self->data = calloc(1, BIG);
    assert_int_equal(aloop_stream_write_nowait(&self->stream, self->data, BIG), 0);
    aloop_stream_close(&self->stream);
    ALOOP_AWAIT(aloop_stream_wait_closed(&self->stream));
    EXPECT(-ETIMEDOUT);
    assert_in_range(aloop_time(aloop_get_running_loop()), ALOOP_SEC(5), ALOOP_SEC(6));
    free(self->data);
    CLOSE();
    ALOOP_END;
}

STREAM_RUN(closing_has_a_deadline)

/* P84: with unread input TCP would answer a close by a reset, which may destroy what was sent last;
   lingering, the stream reads on until the peer has ended. */
STREAM_TEST(lingering)
{
    aloop_stream_options options = ALOOP_STREAM_OPTIONS_INIT;

    ALOOP_BEGIN;
    options.linger = ALOOP_SEC(5);
    open_stream(&self->stream, &self->peer, &options);
    FEED("unread");
    ALOOP_AWAIT(aloop_stream_write(&self->stream, "bye", 3));
    aloop_stream_close(&self->stream);
    ALOOP_AWAIT(aloop_recv(&self->peer, self->small, 10));
    EXPECT(3);
    ALOOP_AWAIT(aloop_recv(&self->peer, self->small, 10));
    EXPECT(0);
    /* It still takes what comes. */
    FEED("more of the same");
    TURNS();
    FEED("more of the same");
    self->task = io_start(aloop_stream_wait_closed(&self->stream));
    TURNS();
    assert_false(aloop_task_done(self->task));
    aloop_socket_close(&self->peer);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    EXPECT(0);
    assert_int_equal(aloop_time(aloop_get_running_loop()), 0);
    /* A peer that does not end is waited for so long, and no longer. */
    options = (aloop_stream_options)ALOOP_STREAM_OPTIONS_INIT;
    options.linger = ALOOP_SEC(5);
    open_stream(&self->stream, &self->peer, &options);
    aloop_stream_close(&self->stream);
    ALOOP_AWAIT(aloop_stream_wait_closed(&self->stream));
    EXPECT(0);
    assert_int_equal(aloop_time(aloop_get_running_loop()), ALOOP_SEC(5));
    CLOSE();
    ALOOP_END;
}

STREAM_RUN(lingering)

/* P83: the end asked for in the middle of a large write comes behind all of it. */
STREAM_TEST(write_eof_in_the_middle)
{
    ALOOP_BEGIN;
    OPEN();
    self->data = malloc(BIG);
    fill_pattern(self->data, BIG);
    self->task = io_start(aloop_stream_write(&self->stream, self->data, BIG));
    TURNS();
    assert_false(aloop_task_done(self->task));
    assert_int_equal(aloop_stream_write_eof(&self->stream), 0);
    TURNS();
    ALOOP_AWAIT(aloop_call(drainer, .socket = self->peer, .pattern = self->data));
    EXPECT(BIG);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    EXPECT(BIG);
    free(self->data);
    CLOSE();
    ALOOP_END;
}

STREAM_RUN(write_eof_in_the_middle)

/* S158: the end is told exactly once to each who waits for it, in a later turn than the one that
   brings it about; however often, and in whichever way, the stream is ended. */
STREAM_TEST(the_end_comes_once)
{
    ALOOP_BEGIN;
    OPEN();
    self->task = io_start(aloop_stream_wait_closed(&self->stream));
    self->second = io_start(aloop_stream_read(&self->stream, self->small, 1));
    TURNS();
    aloop_stream_close(&self->stream);
    aloop_stream_abort(&self->stream);
    aloop_stream_close(&self->stream);
    assert_false(aloop_task_done(self->task) || aloop_task_done(self->second));
    ALOOP_AWAIT(aloop_join_unref(self->task));
    EXPECT(0);
    ALOOP_AWAIT(aloop_join_unref(self->second));
    EXPECT(-ECANCELED);
    /* The next stream has the place of this one, and none of its ends. */
    self->other = self->stream;
    OPEN();
    aloop_stream_abort(&self->other);
    assert_true(aloop_stream_is_open(&self->stream));
    CLOSE();
    ALOOP_END;
}

STREAM_RUN(the_end_comes_once)

/* P89: whoever waits to write is told when the stream is aborted, or closed. */
STREAM_TEST(ending_ends_what_waits_to_write)
{
    ALOOP_BEGIN;
    self->data = calloc(1, BIG);
    for (self->j = 0; self->j < 2; self->j++) {
        OPEN();
        assert_int_equal(aloop_stream_write_nowait(&self->stream, self->data, BIG), 0);
        self->task = io_start(aloop_stream_write(&self->stream, "x", 1));
        self->second = io_start(aloop_stream_drain(&self->stream));
        TURNS();
        assert_false(aloop_task_done(self->task));
        if (self->j == 0)
            aloop_stream_abort(&self->stream);
        else
            aloop_stream_close(&self->stream);
        ALOOP_AWAIT(aloop_join_unref(self->task));
        EXPECT(-ECANCELED);
        ALOOP_AWAIT(aloop_join_unref(self->second));
        EXPECT(-ECANCELED);
        CLOSE();
    }
    free(self->data);
    ALOOP_END;
}

STREAM_RUN(ending_ends_what_waits_to_write)

/* A peer that resets the connection in the middle of a line. The reader is told, after
   what had come, and so is who writes; and the peer of an orderly end is not. */
STREAM_TEST(reset_in_the_middle)
{
    static const struct linger abortive = {.l_onoff = 1};
    static aloop_socket listener;
    static aloop_socket conn;
    static aloop_address address;

    ALOOP_BEGIN;
    io_listen(&listener, &address);
    ALOOP_TRY(aloop_connect(&address, &self->peer));
    ALOOP_TRY(aloop_accept(&listener, &conn));
    assert_int_equal(aloop_stream_open(&conn, NULL, &self->stream), 0);
    self->task = io_start(aloop_stream_read_line(&self->stream, &self->slice));
    FEED("half a li");
    while (aloop_stream_buffered(&self->stream) < 9)
        ALOOP_TRY(aloop_sleep(0));
    assert_int_equal(setsockopt(aloop_socket_fd(&self->peer), SOL_SOCKET, SO_LINGER, &abortive,
                                sizeof abortive),
                     0);
    aloop_socket_close(&self->peer);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    EXPECT(-ECONNRESET);
    ALOOP_AWAIT(aloop_stream_read(&self->stream, self->small, 64));
    EXPECT(9);
    ALOOP_AWAIT(aloop_stream_read(&self->stream, self->small, 64));
    EXPECT(-ECONNRESET);
    ALOOP_AWAIT(aloop_stream_write(&self->stream, "x", 1));
    ALOOP_AWAIT(aloop_stream_flush(&self->stream));
    EXPECT(-EPIPE);
    aloop_stream_close(&self->stream);
    ALOOP_AWAIT(aloop_stream_wait_closed(&self->stream));
    aloop_socket_close(&listener);
    ALOOP_END;
}

/* The same as open_stream() over TCP, which alone knows a reset. */
static void open_tcp(aloop_stream *stream, aloop_socket *peer, const aloop_stream_options *options)
{
    aloop_socket listener;
    aloop_socket accepted;
    aloop_address address;
    struct pollfd incoming = {.events = POLLIN};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    io_listen(&listener, &address);
    incoming.fd = aloop_socket_fd(&listener);
    assert_int_equal(connect(fd, (struct sockaddr *)&address.storage, address.length), 0);
    assert_int_equal(aloop_socket_adopt(NULL, fd, peer), 0);
    assert_int_equal(poll(&incoming, 1, -1), 1);
    assert_int_equal(aloop_socket_adopt(NULL, accept(incoming.fd, NULL, NULL), &accepted), 0);
    assert_int_equal(aloop_stream_open(&accepted, options, stream), 0);
    aloop_socket_close(&listener);
}

#define OPEN_TCP(options) open_tcp(&self->stream, &self->peer, options)

/* Writes until the system takes no more. */
static void write_too_much(const aloop_stream *stream, const char *data)
{
    do
        assert_int_equal(aloop_stream_write_nowait(stream, data, BIG), 0);
    while (aloop_stream_unsent(stream) == 0);
}

#define EXPECT_END(end)                                                                            \
    do {                                                                                           \
        do                                                                                         \
            ALOOP_AWAIT(aloop_recv(&self->peer, self->data, BIG));                                 \
        while (self->result > 0);                                                                  \
        EXPECT(end);                                                                               \
        aloop_socket_close(&self->peer);                                                           \
    } while (0)

/* Half of something must not look like the whole: the peer of a stream that was cut short would
   find an orderly end. One of which all was sent loses nothing of it when it is aborted. */
STREAM_TEST(a_cut_stream_is_reset)
{
    ALOOP_BEGIN;
    self->data = calloc(1, BIG);
    OPEN_TCP(NULL);
    write_too_much(&self->stream, self->data);
    aloop_stream_abort(&self->stream);
    EXPECT_END(-ECONNRESET);
    /* One that is being closed. */
    OPEN_TCP(NULL);
    write_too_much(&self->stream, self->data);
    aloop_stream_close(&self->stream);
    aloop_stream_abort(&self->stream);
    EXPECT_END(-ECONNRESET);
    OPEN_TCP(NULL);
    ALOOP_AWAIT(aloop_stream_write(&self->stream, "all", 3));
    ALOOP_AWAIT(aloop_stream_flush(&self->stream));
    aloop_stream_abort(&self->stream);
    ALOOP_AWAIT(aloop_recv_exactly(&self->peer, self->small, 3));
    EXPECT(3);
    EXPECT_END(0);
    OPEN_TCP(NULL);
    aloop_stream_reset(&self->stream);
    aloop_stream_reset(&self->stream);
    EXPECT_END(-ECONNRESET);
    free(self->data);
    ALOOP_END;
}

static void test_a_cut_stream_is_reset(void **state)
{
    io_run(state, ALOOP_CLOCK_MONOTONIC, a_cut_stream_is_reset);
}

/* A direct write has no bytes in the buffer, and is as much in the middle. */
STREAM_TEST(a_cut_write_is_reset)
{
    ALOOP_BEGIN;
    self->data = calloc(64, BIG);
    OPEN_TCP(NULL);
    self->task = io_start(aloop_stream_write(&self->stream, self->data, 64 * BIG));
    while (aloop_stream_written(&self->stream) == 0)
        ALOOP_TRY(aloop_sleep(0));
    assert_int_equal(aloop_stream_unsent(&self->stream), 0);
    assert_false(aloop_task_done(self->task));
    aloop_stream_abort(&self->stream);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    EXPECT(-ECANCELED);
    EXPECT_END(-ECONNRESET);
    free(self->data);
    ALOOP_END;
}

static void test_a_cut_write_is_reset(void **state)
{
    io_run(state, ALOOP_CLOCK_MONOTONIC, a_cut_write_is_reset);
}

/* What times cut is cut as well: the time for closing, and an idle one, which ends before. */
STREAM_TEST(a_stream_cut_by_time_is_reset)
{
    aloop_stream_options options = ALOOP_STREAM_OPTIONS_INIT;

    ALOOP_BEGIN;
    self->data = calloc(1, BIG);
    for (self->j = 0; self->j < 2; self->j++) {
        options.close_timeout = 1;
        options.idle_timeout = self->j == 0 ? 0 : 1;
        OPEN_TCP(&options);
        write_too_much(&self->stream, self->data);
        if (self->j == 1) {
            ALOOP_AWAIT(aloop_stream_read(&self->stream, self->small, 1));
            EXPECT(-ETIMEDOUT);
        }
        aloop_stream_close(&self->stream);
        ALOOP_AWAIT(aloop_stream_wait_closed(&self->stream));
        EXPECT(self->j == 0 ? -ETIMEDOUT : 0);
        EXPECT_END(-ECONNRESET);
    }
    free(self->data);
    ALOOP_END;
}

static void test_a_stream_cut_by_time_is_reset(void **state)
{
    io_run(state, ALOOP_CLOCK_MONOTONIC, a_stream_cut_by_time_is_reset);
}

static struct linger linger_of(const aloop_stream *stream)
{
    struct linger linger = {.l_onoff = -1};
    socklen_t size = sizeof linger;
    aloop_socket sock = aloop_stream_socket(stream);

    assert_int_equal(getsockopt(sock.fd, SOL_SOCKET, SO_LINGER, &linger, &size), 0);
    return linger;
}

/* A child that aborts its copy of the stream sets no option of a socket that is its parent's, too:
   the parent's own orderly end would become a reset. */
STREAM_TEST(a_child_cuts_nothing)
{
    pid_t child;
    int status = -1;

    ALOOP_BEGIN;
    self->data = calloc(1, BIG);
    OPEN_TCP(NULL);
    write_too_much(&self->stream, self->data);
    child = fork();
    if (child == 0) {
        aloop_stream_abort(&self->stream);
        /* Not by an exit, whose status Valgrind changes for what only the parent can free. */
        (void)raise(SIGKILL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(linger_of(&self->stream).l_onoff, 0);
    aloop_stream_close(&self->stream);
    EXPECT_END(0);
    free(self->data);
    ALOOP_END;
}

static void test_a_child_cuts_nothing(void **state)
{
    io_run(state, ALOOP_CLOCK_MONOTONIC, a_child_cuts_nothing);
}

static void test_reset_in_the_middle(void **state)
{
    io_run(state, ALOOP_CLOCK_MONOTONIC, reset_in_the_middle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH_POLLER(test_write_eof),
        ON_EACH_POLLER(test_closing_flushes),
        ON_EACH_POLLER(test_aborting_does_not),
        ON_EACH_POLLER(test_closing_has_a_deadline),
        ON_EACH_POLLER(test_lingering),
        ON_EACH_POLLER(test_write_eof_in_the_middle),
        ON_EACH_POLLER(test_the_end_comes_once),
        ON_EACH_POLLER(test_ending_ends_what_waits_to_write),
        ON_EACH_POLLER(test_reset_in_the_middle),
        ON_EACH_POLLER(test_a_cut_stream_is_reset),
        ON_EACH_POLLER(test_a_cut_write_is_reset),
        ON_EACH_POLLER(test_a_stream_cut_by_time_is_reset),
        ON_EACH_POLLER(test_a_child_cuts_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
