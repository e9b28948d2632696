/* Streams over what is no socket: terminals; pipes whose calls fail; files that are sent. */
#define _XOPEN_SOURCE 700 /* for the pseudo-terminal */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stream_test.h"
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#define LARGE ((size_t)200000)

/* --- terminals --- */

/* Both ends of a terminal that passes bytes on as they are. */
static void open_terminal(int fds[2])
{
    struct termios settings;

    fds[0] = posix_openpt(O_RDWR | O_NOCTTY);
    if (fds[0] < 0)
        skip();
    assert_int_equal(grantpt(fds[0]), 0);
    assert_int_equal(unlockpt(fds[0]), 0);
    fds[1] = open(ptsname(fds[0]), O_RDWR | O_NOCTTY);
    assert_true(fds[1] >= 0);
    assert_int_equal(tcgetattr(fds[1], &settings), 0);
    settings.c_iflag &= ~(tcflag_t)(ICRNL | INLCR | IGNCR | IXON | IXOFF | ISTRIP);
    settings.c_oflag &= ~(tcflag_t)OPOST;
    settings.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG | IEXTEN);
    settings.c_cc[VMIN] = 1;
    settings.c_cc[VTIME] = 0;
    assert_int_equal(tcsetattr(fds[1], TCSANOW, &settings), 0);
}

/* Both ways, with more than a terminal holds; and one that hangs up ends the stream. */
STREAM_TEST(terminals)
{
    ALOOP_BEGIN;
    assert_int_equal(aloop_stream_open_fd(NULL, self->fds[0], NULL, &self->stream), 0);
    assert_int_equal(aloop_stream_open_fd(NULL, self->fds[1], NULL, &self->other), 0);
    ALOOP_AWAIT(aloop_stream_write(&self->stream, "a line\nand more", 15));
    EXPECT(15);
    ALOOP_AWAIT(aloop_stream_read_line(&self->other, &self->slice));
    EXPECT(7);
    EXPECT_SLICE("a line\n");
    ALOOP_AWAIT(aloop_stream_read_exactly(&self->other, self->small, 8));
    EXPECT(8);
    self->data = malloc(LARGE);
    self->buffer = malloc(LARGE);
    fill_pattern(self->data, LARGE);
    self->task = io_start(aloop_stream_write(&self->other, self->data, LARGE));
    TURNS();
    assert_false(aloop_task_done(self->task));
    ALOOP_AWAIT(aloop_stream_read_exactly(&self->stream, self->buffer, LARGE));
    EXPECT(LARGE);
    assert_memory_equal(self->buffer, self->data, LARGE);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    EXPECT(LARGE);
    free(self->data);
    free(self->buffer);
    /* One direction of a terminal cannot be ended alone. */
    assert_int_equal(aloop_stream_write_eof(&self->stream), -ENOTSUP);
    self->task = io_start(aloop_stream_read(&self->stream, self->small, 1));
    TURNS();
    aloop_stream_close(&self->other);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    /* Linux says EIO of a terminal that nobody has open, others that it has ended. */
    assert_true(self->result == 0 || self->result == -EIO);
    aloop_stream_close(&self->stream);
    ALOOP_END;
}

static void test_terminals(void **state)
{
    int fds[2];

    open_terminal(fds);
    io_run(state, ALOOP_CLOCK_MONOTONIC, terminals, .fds = {fds[0], fds[1]});
}

/* --- pipes --- */

struct pipe_run {
    ALOOP_FRAME;
    enum fault_call call;
    unsigned n;
    int error;
    aloop_stream stream;
    aloop_stream other;
    char *buffer;
    aloop_task *task;
    int64_t wrote;
    bool was_hit;
};

static char large[LARGE];

/* Whichever call fails, who made it is told: the reader that of reading, having read what came
   before; the writer that of writing; and the other one meets an end, and does not wait for
   ever. */
ALOOP_CORO(pipe_run)
{
    int fds[2];

    ALOOP_BEGIN;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(aloop_stream_open_fd(NULL, fds[1], NULL, &self->stream), 0);
    assert_int_equal(aloop_stream_open_fd(NULL, fds[0], NULL, &self->other), 0);
    self->buffer = malloc(LARGE);
    fault_fail(self->call, self->n, self->error);
    self->task = io_start(aloop_stream_write(&self->stream, large, LARGE));
    ALOOP_TRY(aloop_sleep(0));
    if (aloop_task_done(self->task))
        aloop_stream_close(&self->stream);
    ALOOP_AWAIT(aloop_wait_for(aloop_stream_read_exactly(&self->other, self->buffer, LARGE),
                               ALOOP_SEC(1)));
    self->was_hit = fault_failures(self->call) > 0;
    fault_clear(self->call);
    assert_memory_equal(self->buffer, large, aloop_stream_partial(&self->other));
    if (self->was_hit && self->call == FAULT_READ)
        assert_int_equal(self->result, self->error);
    else if (!self->was_hit)
        assert_int_equal(self->result, LARGE);
    else
        assert_true(self->result == -ETIMEDOUT || self->result == -ALOOP_EEOF);
    aloop_stream_close(&self->other);
    ALOOP_AWAIT_TO(self->wrote, aloop_join_unref(self->task));
    if (self->was_hit && self->call == FAULT_WRITEV)
        assert_int_equal(self->wrote, self->error);
    else if (self->wrote != LARGE)
        assert_true(self->was_hit && self->wrote == -EPIPE);
    aloop_stream_close(&self->stream);
    free(self->buffer);
    ALOOP_RETURN(self->was_hit);
    ALOOP_END;
}

/* The outcome of `coroutine` on a loop of its own: was the call that was to fail made? */
static bool run_with(void **state, const aloop_coro *coroutine, void *frame)
{
    aloop *loop = io_loop(state, ALOOP_CLOCK_VIRTUAL);
    int64_t outcome;

    fault_install();
    fault_cut_to(30000);
    outcome = aloop_run_coro_in(loop, coroutine, frame);
    assert_in_range(outcome, 0, 1);
    fault_reset();
    aloop_unref(loop);
    return outcome > 0;
}

static void pipes_whose_calls_fail(void **state)
{
    static const enum fault_call calls[] = {FAULT_READ, FAULT_WRITEV};
    static const int errors[] = {-EIO, -ENOMEM, -ENXIO, -ENOSPC, -EPIPE, -EINVAL, -EBADF};
    unsigned hits = 0;

    fill_pattern(large, LARGE);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        for (size_t j = 0; j < sizeof errors / sizeof *errors; j++) {
            for (unsigned n = 1;
                 run_with(state, &pipe_run_coro,
                          &(struct pipe_run){.call = calls[i], .n = n, .error = errors[j]});
                 n++)
                hits++;
        }
    }
    assert_true(hits > 50);
}

/* --- files --- */

struct send_run {
    ALOOP_FRAME;
    enum fault_call call;
    unsigned n;
    int error;
    int file;
    aloop_stream stream;
    aloop_stream other;
    char *buffer;
    aloop_task *task;
    int64_t sent;
    bool was_hit;
    bool is_of_connection;
};

/* A file of which sending, or reading, fails: what the connection has is told as the connection's,
   and stays; what the file has, is told and the stream is as good as before; and what only the
   short cut through the kernel cannot do is done the long way. */
ALOOP_CORO(send_run)
{
    aloop_socket pair[2];

    ALOOP_BEGIN;
    assert_int_equal(aloop_socket_pair(NULL, pair), 0);
    assert_int_equal(aloop_stream_open(&pair[0], NULL, &self->stream), 0);
    assert_int_equal(aloop_stream_open(&pair[1], NULL, &self->other), 0);
    self->buffer = malloc(LARGE);
    self->is_of_connection = self->error == -EPIPE || self->error == -ECONNRESET;
    fault_fail(self->call, self->n, self->error);
    if (self->call == FAULT_PREAD)
        fault_fail_from(FAULT_SENDFILE, 1, -ENOSYS);
    self->task = io_start(aloop_stream_sendfile(&self->stream, self->file, 0, -1));
    ALOOP_AWAIT(aloop_wait_for(aloop_stream_read_exactly(&self->other, self->buffer, LARGE),
                               ALOOP_SEC(1)));
    self->was_hit = fault_failures(self->call) > 0;
    assert_memory_equal(self->buffer, large, aloop_stream_partial(&self->other));
    ALOOP_AWAIT_TO(self->sent, aloop_join_unref(self->task));
    if (!self->was_hit || (self->call == FAULT_SENDFILE && !self->is_of_connection)) {
        assert_int_equal(self->sent, LARGE);
        assert_int_equal(self->result, LARGE);
    } else {
        assert_int_equal(self->sent, self->error);
    }
    ALOOP_AWAIT(aloop_stream_write(&self->stream, "x", 1));
    assert_int_equal(self->result,
                     self->call == FAULT_SENDFILE && self->was_hit && self->is_of_connection
                         ? self->error
                         : 1);
    aloop_stream_close(&self->stream);
    aloop_stream_close(&self->other);
    free(self->buffer);
    ALOOP_RETURN(self->was_hit);
    ALOOP_END;
}

static void files_whose_calls_fail(void **state)
{
    static const struct {
        enum fault_call call;
        int errors[8];
    } sweep[] = {
        {FAULT_SENDFILE, {-EPIPE, -ECONNRESET, -EINVAL, -ENOSYS, -ENOTSUP, -EIO, -ENOMEM}},
        {FAULT_PREAD, {-EIO, -EISDIR, -ENOMEM, -EBADF, -EOVERFLOW}},
    };
    char name[] = "test_stream_fd_XXXXXX";
    int file = mkstemp(name);
    unsigned hits = 0;

    assert_true(file >= 0);
    assert_int_equal(unlink(name), 0);
    fill_pattern(large, LARGE);
    assert_int_equal(write(file, large, LARGE), LARGE);
    for (size_t i = 0; i < sizeof sweep / sizeof *sweep; i++) {
        for (size_t j = 0; j < 8 && sweep[i].errors[j] != 0; j++) {
            for (unsigned n = 1; run_with(state, &send_run_coro,
                                          &(struct send_run){.call = sweep[i].call,
                                                             .n = n,
                                                             .error = sweep[i].errors[j],
                                                             .file = file});
                 n++)
                hits++;
        }
    }
    assert_int_equal(close(file), 0);
    assert_true(hits > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH_POLLER(test_terminals),
        ON_EACH_POLLER(pipes_whose_calls_fail),
        ON_EACH_POLLER(files_whose_calls_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
