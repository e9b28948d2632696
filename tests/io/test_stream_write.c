/* Writing to streams. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "drainer.h"
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define BIG ((size_t)1 << 20)
#define GATHER ALOOP_STREAM_GATHER

static unsigned sends(void)
{
    return fault_count(FAULT_SEND) + fault_count(FAULT_SENDV) + fault_count(FAULT_WRITEV);
}

/* What is written in one step goes out as one call, and costs no memory once it has begun. */
STREAM_TEST(small_writes_go_out_as_one)
{
    ALOOP_BEGIN;
    OPEN();
    self->data = calloc(1, 4096);
    fault_install();
    for (self->j = 0; self->j < 3; self->j++) {
        self->count = memory_used(&aloop_get_running_loop()->memory);
        for (self->i = 0; self->i < 16; self->i++) {
            ALOOP_AWAIT(aloop_stream_write(&self->stream, self->data, 64));
            EXPECT(64);
        }
        assert_int_equal(sends(), self->j);
        assert_int_equal(aloop_stream_unsent(&self->stream), 1024);
        ALOOP_TRY(aloop_recv_exactly(&self->peer, self->data, 1024));
        assert_int_equal(sends(), self->j + 1);
        if (self->j > 0)
            assert_int_equal(memory_used(&aloop_get_running_loop()->memory), self->count);
    }
    free(self->data);
    CLOSE();
    ALOOP_END;
}

STREAM_RUN(small_writes_go_out_as_one)

/* At once, when enough has come together; and when a large write comes, with it. */
STREAM_TEST(enough_goes_out_at_once)
{
    ALOOP_BEGIN;
    OPEN();
    self->data = calloc(1, 2 * GATHER);
    fault_install();
    ALOOP_AWAIT(aloop_stream_write(&self->stream, self->data, GATHER - 1));
    assert_int_equal(sends(), 0);
    ALOOP_AWAIT(aloop_stream_write(&self->stream, self->data, 1));
    assert_int_equal(sends(), 1);
    ALOOP_TRY(aloop_recv_exactly(&self->peer, self->data, GATHER));
    ALOOP_AWAIT(aloop_stream_write(&self->stream, self->data, 10));
    ALOOP_AWAIT(aloop_stream_write(&self->stream, self->data, GATHER));
    EXPECT(GATHER);
    assert_int_equal(sends(), 2);
    assert_int_equal(fault_count(FAULT_SENDV), 1);
    ALOOP_TRY(aloop_recv_exactly(&self->peer, self->data, GATHER + 10));
    free(self->data);
    CLOSE();
    ALOOP_END;
}

STREAM_RUN(enough_goes_out_at_once)

STREAM_TEST(corked)
{
    ALOOP_BEGIN;
    OPEN();
    fault_install();
    assert_int_equal(aloop_stream_cork(&self->stream, true), 0);
    ALOOP_AWAIT(aloop_stream_write(&self->stream, "ab", 2));
    TURNS();
    ALOOP_AWAIT(aloop_stream_write(&self->stream, "cd", 2));
    TURNS();
    assert_int_equal(sends(), 0);
    assert_int_equal(aloop_stream_cork(&self->stream, false), 0);
    assert_int_equal(sends(), 1);
    ALOOP_AWAIT(aloop_recv(&self->peer, self->small, 10));
    EXPECT(4);
    assert_memory_equal(self->small, "abcd", 4);
    /* A flush, and a write that would wait for ever, are stronger. */
    assert_int_equal(aloop_stream_cork(&self->stream, true), 0);
    ALOOP_AWAIT(aloop_stream_write(&self->stream, "ef", 2));
    ALOOP_AWAIT(aloop_stream_flush(&self->stream));
    EXPECT(0);
    assert_int_equal(sends(), 2);
    assert_int_equal(aloop_stream_set_write_limits(&self->stream, 0, 0), 0);
    ALOOP_AWAIT(aloop_stream_write(&self->stream, "gh", 2));
    ALOOP_AWAIT(aloop_stream_write(&self->stream, "ij", 2));
    ALOOP_AWAIT(aloop_stream_drain(&self->stream));
    assert_int_equal(sends(), 4);
    CLOSE();
    ALOOP_END;
}

STREAM_RUN(corked)

/* U6, S165: a peer that does not read holds the writer up, not the memory. */
STREAM_TEST(a_slow_peer_suspends_the_writer)
{
    ALOOP_BEGIN;
    OPEN();
    self->data = malloc(BIG);
    fill_pattern(self->data, BIG);
    for (self->total = 0;; self->total += 1000) {
        ALOOP_AWAIT(aloop_wait_for(
            aloop_stream_write(&self->stream, self->data + self->total, 1000), ALOOP_MS(1)));
        if (self->result < 0)
            break;
    }
    EXPECT(-ETIMEDOUT);
    assert_in_range(aloop_stream_unsent(&self->stream), (64 << 10) + 1, (64 << 10) + 1000);
    self->count = aloop_stream_unsent(&self->stream);
    ALOOP_AWAIT(aloop_stream_write_nowait(&self->stream, self->data + self->total, 1000) == 0
                    ? aloop_sleep(0)
                    : aloop_sleep(1));
    assert_int_equal(aloop_stream_unsent(&self->stream), self->count + 1000);
    self->total += 1000;
    /* Both wait until the low mark is reached, and no longer. */
    self->task = io_start(aloop_stream_drain(&self->stream));
    self->second = io_start(aloop_stream_drain(&self->stream));
    TURNS();
    assert_false(aloop_task_done(self->task));
    self->buffer = malloc(BIG);
    for (self->count = 0; !aloop_task_done(self->task); self->count += 1000) {
        assert_true(self->count < self->total);
        ALOOP_TRY(aloop_recv_exactly(&self->peer, self->buffer, 1000));
        assert_memory_equal(self->buffer, self->data + self->count, 1000);
        ALOOP_TRY(aloop_sleep(0));
        ALOOP_TRY(aloop_sleep(0));
        ALOOP_TRY(aloop_sleep(0));
        if (aloop_stream_unsent(&self->stream) > (16 << 10))
            assert_false(aloop_task_done(self->task));
    }
    assert_true(aloop_stream_unsent(&self->stream) <= (16 << 10));
    ALOOP_AWAIT(aloop_join_unref(self->task));
    EXPECT(0);
    ALOOP_AWAIT(aloop_join_unref(self->second));
    EXPECT(0);
    aloop_stream_close(&self->stream);
    ALOOP_AWAIT(aloop_recv_exactly(&self->peer, self->buffer, self->total - self->count));
    EXPECT(self->total - self->count);
    assert_memory_equal(self->buffer, self->data + self->count, self->total - self->count);
    free(self->data);
    free(self->buffer);
    CLOSE();
    ALOOP_END;
}

STREAM_RUN(a_slow_peer_suspends_the_writer)

/* S165 */
STREAM_TEST(the_write_limits)
{
    ALOOP_BEGIN;
    OPEN();
    assert_int_equal(aloop_stream_set_write_limits(&self->stream, 10, 20), -EINVAL);
    assert_int_equal(aloop_stream_set_write_limits(&self->stream, -1, 20), 0);
    ALOOP_AWAIT(aloop_stream_write(&self->stream, "12345678901234567890", 20));
    for (self->i = 0; self->i < 3; self->i++)
        ALOOP_AWAIT(aloop_stream_write(&self->stream, "12345678901234567890", 20));
    /* 80 is not above 80. */
    ALOOP_AWAIT(aloop_stream_drain(&self->stream));
    assert_int_equal(aloop_stream_unsent(&self->stream), 80);
    ALOOP_AWAIT(aloop_stream_write(&self->stream, "1", 1));
    self->task = io_start(aloop_stream_drain(&self->stream));
    ALOOP_TRY(aloop_sleep(0));
    TURNS();
    ALOOP_AWAIT(aloop_join_unref(self->task));
    EXPECT(0);
    assert_int_equal(aloop_stream_unsent(&self->stream), 0);
    CLOSE();
    ALOOP_END;
}

STREAM_RUN(the_write_limits)

/* S166: draining returns at once below the mark, and any number may drain at once; a connection
   that is lost is told to each of them, and to all who come later. */
STREAM_TEST(draining)
{
    ALOOP_BEGIN;
    OPEN();
    ALOOP_AWAIT(aloop_stream_write(&self->stream, "x", 1));
    ALOOP_AWAIT(aloop_stream_drain(&self->stream));
    EXPECT(0);
    self->data = calloc(1, BIG);
    assert_int_equal(aloop_stream_write_nowait(&self->stream, self->data, BIG), 0);
    self->task = io_start(aloop_stream_drain(&self->stream));
    self->second = io_start(aloop_stream_drain(&self->stream));
    TURNS();
    assert_false(aloop_task_done(self->task) || aloop_task_done(self->second));
    aloop_socket_close(&self->peer);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    EXPECT(-EPIPE);
    ALOOP_AWAIT(aloop_join_unref(self->second));
    EXPECT(-EPIPE);
    ALOOP_AWAIT(aloop_stream_drain(&self->stream));
    EXPECT(-EPIPE);
    free(self->data);
    CLOSE();
    ALOOP_END;
}

STREAM_RUN(draining)

/* P79: wherever calls are cut, through gathered bytes and each piece of a list. */
STREAM_TEST(partial_writes)
{
    static struct iovec pieces[20];

    ALOOP_BEGIN;
    self->data = malloc(BIG);
    fill_pattern(self->data, BIG);
    for (self->j = 1; self->j < 9000; self->j = self->j < 40 ? self->j + 1 : self->j * 3 / 2) {
        OPEN();
        self->total = 7;
        for (self->i = 0; self->i < 20; self->i++) {
            pieces[self->i] = (struct iovec){.iov_base = self->data + self->total,
                                             .iov_len = self->i == 3 ? 0 : 100 * (size_t)self->i};
            self->total += pieces[self->i].iov_len;
        }
        fault_install();
        fault_cut_to((size_t)self->j);
        ALOOP_AWAIT(aloop_stream_write(&self->stream, self->data, 7));
        self->task =
            aloop_create_task(drainer, .socket = self->peer, .pattern = self->data);
        ALOOP_AWAIT(aloop_stream_writev(&self->stream, pieces, 20));
        EXPECT(self->total - 7);
        assert_int_equal(aloop_stream_written(&self->stream), self->total - 7);
        ALOOP_AWAIT(aloop_stream_write(&self->stream, self->data + self->total, 500));
        self->total += 500;
        aloop_stream_close(&self->stream);
        ALOOP_AWAIT(aloop_join_unref(self->task));
        EXPECT(self->total);
        fault_reset();
        CLOSE();
    }
    free(self->data);
    ALOOP_END;
}

STREAM_RUN(partial_writes)

/* Two that write at once: each write is one piece to the peer, a large one that waits, too. */
STREAM_TEST(writers_do_not_mix)
{
    ALOOP_BEGIN;
    OPEN();
    self->data = malloc(BIG);
    memset(self->data, 'a', BIG);
    self->task = io_start(aloop_stream_write(&self->stream, self->data, BIG));
    TURNS();
    assert_false(aloop_task_done(self->task));
    self->second = io_start(aloop_stream_write(&self->stream, "bbb", 3));
    TURNS();
    assert_false(aloop_task_done(self->second));
    assert_int_equal(aloop_stream_write_nowait(&self->stream, "c", 1), -EBUSY);
    self->buffer = malloc(BIG);
    ALOOP_AWAIT(aloop_recv_exactly(&self->peer, self->buffer, BIG));
    assert_memory_equal(self->buffer, self->data, BIG);
    ALOOP_AWAIT(aloop_recv_exactly(&self->peer, self->buffer, 3));
    assert_memory_equal(self->buffer, "bbb", 3);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    EXPECT(BIG);
    ALOOP_AWAIT(aloop_join_unref(self->second));
    EXPECT(3);
    free(self->data);
    free(self->buffer);
    CLOSE();
    ALOOP_END;
}

STREAM_RUN(writers_do_not_mix)

/* P81: cancelled in the middle, it says how much went; and the stream goes on from there. */
STREAM_TEST(a_cancelled_write_says_how_much)
{
    ALOOP_BEGIN;
    OPEN();
    self->data = malloc(BIG);
    fill_pattern(self->data, BIG);
    self->task = io_start(aloop_stream_write(&self->stream, self->data, BIG));
    TURNS();
    aloop_task_cancel(self->task);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    EXPECT(-ECANCELED);
    self->count = aloop_stream_written(&self->stream);
    assert_in_range(self->count, 1, BIG - 1);
    self->task = io_start(
        aloop_stream_write(&self->stream, self->data + self->count, BIG - self->count));
    self->second = aloop_create_task(drainer, .socket = self->peer, .pattern = self->data);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    EXPECT(BIG - self->count);
    assert_int_equal(aloop_stream_write_eof(&self->stream), 0);
    ALOOP_AWAIT(aloop_join_unref(self->second));
    EXPECT(BIG);
    free(self->data);
    CLOSE();
    ALOOP_END;
}

STREAM_RUN(a_cancelled_write_says_how_much)

/* S159, S163: each plausible error of a send reaches who writes next, or waits; and stays. */
STREAM_TEST(errors_of_sending)
{
    static const int errors[] = {-EPIPE, -ECONNRESET, -ETIMEDOUT, -EHOSTUNREACH, -ENOBUFS, -EIO};

    ALOOP_BEGIN;
    self->data = calloc(1, BIG);
    for (self->j = 0; self->j < 6; self->j++) {
        OPEN();
        fault_install();
        fault_fail(FAULT_SEND, 1, errors[self->j]);
        ALOOP_AWAIT(aloop_stream_write(&self->stream, "x", 1));
        EXPECT(1);
        ALOOP_AWAIT(aloop_stream_flush(&self->stream));
        EXPECT(errors[self->j]);
        ALOOP_AWAIT(aloop_stream_write(&self->stream, "x", 1));
        EXPECT(errors[self->j]);
        ALOOP_AWAIT(aloop_stream_drain(&self->stream));
        EXPECT(errors[self->j]);
        FEED("reading goes on");
        ALOOP_AWAIT(aloop_stream_read(&self->stream, self->small, 7));
        EXPECT(7);
        fault_reset();
        CLOSE();
        OPEN();
        fault_install();
        fault_fail(FAULT_SEND, 1, errors[self->j]);
        ALOOP_AWAIT(aloop_stream_write(&self->stream, self->data, BIG));
        EXPECT(errors[self->j]);
        fault_reset();
        CLOSE();
        OPEN();
        assert_int_equal(aloop_stream_write_nowait(&self->stream, "x", 1), 0);
        fault_install();
        fault_fail(FAULT_SEND, 1, errors[self->j]);
        aloop_stream_close(&self->stream);
        ALOOP_AWAIT(aloop_stream_wait_closed(&self->stream));
        EXPECT(errors[self->j]);
        fault_reset();
        CLOSE();
    }
    free(self->data);
    ALOOP_END;
}

STREAM_RUN(errors_of_sending)

/* A peer that goes while there is much to send. */
STREAM_TEST(the_peer_goes_in_the_middle)
{
    ALOOP_BEGIN;
    OPEN();
    self->data = calloc(1, BIG);
    self->task = io_start(aloop_stream_write(&self->stream, self->data, BIG));
    self->second = io_start(aloop_stream_drain(&self->stream));
    TURNS();
    aloop_socket_close(&self->peer);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    assert_true(self->result == -EPIPE || self->result == -ECONNRESET);
    ALOOP_AWAIT(aloop_join_unref(self->second));
    free(self->data);
    CLOSE();
    ALOOP_END;
}

STREAM_RUN(the_peer_goes_in_the_middle)

/* Without memory nothing is written, and nothing is lost. */
static void no_memory(void **state)
{
    struct memory_probe probe = {0};
    aloop_options options = ALOOP_OPTIONS_INIT;
    aloop_stream pair[2] = {{0}, {0}};
    aloop *loop;

    options.poller = ((const struct io_state *)*state)->poller;
    options.allocator = memory_probe_allocator(&probe);
    assert_int_equal(aloop_new(&options, &loop), 0);
    for (long n = 1;; n++) {
        int error;

        memory_probe_fail(&probe, n, false);
        error = aloop_stream_pair(loop, NULL, pair);
        if (error == 0)
            error = aloop_stream_write_nowait(&pair[0], "x", 1);
        memory_probe_fail(&probe, 0, false);
        if (error == 0)
            break;
        assert_int_equal(error, -ENOMEM);
        aloop_stream_abort(&pair[0]);
        aloop_stream_abort(&pair[1]);
        pair[0] = pair[1] = (aloop_stream){0};
    }
    /* What is left open ends with the loop. */
    aloop_unref(loop);
    assert_int_equal(atomic_load(&probe.bytes), 0);
}

/* --- other fds --- */

static bool saw_sigpipe;

static void on_sigpipe(int number)
{
    (void)number;
    saw_sigpipe = true;
}

/* P78: a pipe, and that its reader is gone is an error and no signal. */
STREAM_TEST(pipes)
{
    ALOOP_BEGIN;
    assert_int_equal(pipe(self->fds), 0);
    assert_int_equal(aloop_stream_open_fd(NULL, self->fds[1], NULL, &self->stream), 0);
    assert_int_equal(aloop_stream_open_fd(NULL, self->fds[0], NULL, &self->other), 0);
    self->data = malloc(BIG);
    self->buffer = malloc(BIG);
    fill_pattern(self->data, BIG);
    self->task = io_start(aloop_stream_write(&self->stream, self->data, BIG));
    ALOOP_AWAIT(aloop_stream_read_exactly(&self->other, self->buffer, BIG));
    EXPECT(BIG);
    assert_memory_equal(self->data, self->buffer, BIG);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    EXPECT(BIG);
    assert_int_equal(aloop_stream_write_eof(&self->stream), -ENOTSUP);
    saw_sigpipe = false;
    (void)signal(SIGPIPE, on_sigpipe);
    aloop_stream_close(&self->other);
    ALOOP_AWAIT(aloop_stream_write(&self->stream, self->data, 10));
    ALOOP_AWAIT(aloop_stream_flush(&self->stream));
    EXPECT(-EPIPE);
    assert_false(saw_sigpipe);
    (void)raise(SIGPIPE);
    assert_true(saw_sigpipe);
    (void)signal(SIGPIPE, SIG_DFL);
    free(self->data);
    free(self->buffer);
    aloop_stream_close(&self->stream);
    ALOOP_END;
}

STREAM_RUN(pipes)

/* A regular file, as a redirected input is: never makes anybody wait. */
STREAM_TEST(regular_files)
{
    ALOOP_BEGIN;
    self->fds[0] = dup(fileno((FILE *)(void *)self->data));
    assert_int_equal(aloop_stream_open_fd(NULL, self->fds[0], NULL, &self->stream), 0);
    ALOOP_AWAIT(aloop_stream_write(&self->stream, "one\ntwo\n", 8));
    ALOOP_AWAIT(aloop_stream_flush(&self->stream));
    EXPECT(0);
    assert_int_equal(lseek(self->fds[0], 0, SEEK_SET), 0);
    ALOOP_AWAIT(aloop_stream_read_line(&self->stream, &self->slice));
    EXPECT(4);
    ALOOP_AWAIT(aloop_stream_read_to_end(&self->stream, 100, &self->slice));
    EXPECT_SLICE("two\n");
    aloop_stream_close(&self->stream);
    ALOOP_END;
}

static void test_regular_files(void **state)
{
    FILE *file = tmpfile();

    assert_non_null(file);
    io_run(state, ALOOP_CLOCK_VIRTUAL, regular_files, .data = (char *)(void *)file);
    (void)fclose(file);
}

/* S184: a file range in its place between writes, by the kernel and, where that cannot, by hand; in
   pieces, too. */
STREAM_TEST(sendfile)
{
    ALOOP_BEGIN;
    self->total = 300000;
    self->data = malloc(self->total + 6);
    fill_pattern(self->data, self->total + 6);
    self->fds[0] = fileno((FILE *)(void *)self->buffer);
    assert_int_equal(pwrite(self->fds[0], self->data, self->total + 6, 0), self->total + 6);
    for (self->j = 0; self->j < 4; self->j++) {
        OPEN();
        fault_install();
        if (self->j & 1)
            fault_fail_from(FAULT_SENDFILE, 1, -EINVAL);
        if (self->j & 2)
            fault_cut_to(5000);
        ALOOP_AWAIT(aloop_stream_write(&self->stream, self->data, 3));
        self->task =
            io_start(aloop_stream_sendfile(&self->stream, self->fds[0], 3,
                                           self->j == 0 ? -1 : (int64_t)self->total));
        self->second = aloop_create_task(drainer, .socket = self->peer, .pattern = self->data);
        ALOOP_TRY(aloop_sleep(0));
        assert_int_equal(aloop_stream_write_nowait(&self->stream, "x", 1), -EBUSY);
        ALOOP_AWAIT(aloop_stream_write(&self->stream, self->data + 3 + self->total,
                                       self->j == 0 ? 0 : 3));
        ALOOP_AWAIT(aloop_join_unref(self->task));
        EXPECT(self->j == 0 ? self->total + 3 : self->total);
        aloop_stream_close(&self->stream);
        ALOOP_AWAIT(aloop_join_unref(self->second));
        EXPECT(self->total + 6);
        assert_int_equal(fault_count(FAULT_PREAD) > 0, (self->j & 1) != 0);
        fault_reset();
        CLOSE();
    }
    OPEN();
    ALOOP_AWAIT(aloop_stream_sendfile(&self->stream, self->fds[0], -1, 1));
    EXPECT(-EINVAL);
    ALOOP_AWAIT(aloop_stream_sendfile(&self->stream, 12345, 0, 1));
    EXPECT(-EBADF);
    /* The file was at fault, the stream is not. */
    ALOOP_AWAIT(aloop_stream_write(&self->stream, "x", 1));
    EXPECT(1);
    ALOOP_AWAIT(aloop_stream_flush(&self->stream));
    EXPECT(0);
    /* P78: the kernel has no flag against the signal here, which would end this program. */
    aloop_socket_close(&self->peer);
    ALOOP_AWAIT(aloop_stream_sendfile(&self->stream, self->fds[0], 0, 100));
    EXPECT(-EPIPE);
    free(self->data);
    CLOSE();
    ALOOP_END;
}

static void test_sendfile(void **state)
{
    FILE *file = tmpfile();

    assert_non_null(file);
    io_run(state, ALOOP_CLOCK_VIRTUAL, sendfile, .buffer = (char *)(void *)file);
    (void)fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH_POLLER(test_small_writes_go_out_as_one),
        ON_EACH_POLLER(test_enough_goes_out_at_once),
        ON_EACH_POLLER(test_corked),
        ON_EACH_POLLER(test_a_slow_peer_suspends_the_writer),
        ON_EACH_POLLER(test_the_write_limits),
        ON_EACH_POLLER(test_draining),
        ON_EACH_POLLER(test_partial_writes),
        ON_EACH_POLLER(test_writers_do_not_mix),
        ON_EACH_POLLER(test_a_cancelled_write_says_how_much),
        ON_EACH_POLLER(test_errors_of_sending),
        ON_EACH_POLLER(test_the_peer_goes_in_the_middle),
        ON_EACH_POLLER(no_memory),
        ON_EACH_POLLER(test_pipes),
        ON_EACH_POLLER(test_regular_files),
        ON_EACH_POLLER(test_sendfile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
