/* Reading from streams. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stream_test.h"

#define SLICE(text) {.data = text, .size = sizeof(text) - 1}
#define LIMIT_DEFAULT (64 << 10)

/* S171, P87: what there is, at most as much as asked; nothing asked is nothing, and no end. */
STREAM_TEST(read_gives_what_there_is)
{
    ALOOP_BEGIN;
    OPEN();
    FEED("hello");
    ALOOP_AWAIT(aloop_stream_read(&self->stream, self->small, 0));
    EXPECT(0);
    assert_false(aloop_stream_at_eof(&self->stream));
    ALOOP_AWAIT(aloop_stream_read(&self->stream, self->small, 2));
    EXPECT(2);
    assert_int_equal(aloop_stream_buffered(&self->stream), 3);
    ALOOP_AWAIT(aloop_stream_read(&self->stream, self->small + 2, 10));
    EXPECT(3);
    assert_memory_equal(self->small, "hello", 5);
    FEED("x");
    aloop_socket_close(&self->peer);
    ALOOP_AWAIT(aloop_stream_read(&self->stream, self->small, 1));
    EXPECT(1);
    ALOOP_AWAIT(aloop_stream_read(&self->stream, self->small, 1));
    EXPECT(0);
    assert_true(aloop_stream_at_eof(&self->stream));
    ALOOP_AWAIT(aloop_stream_read(&self->stream, self->small, 1));
    EXPECT(0);
    CLOSE();
    ALOOP_END;
}

STREAM_RUN(read_gives_what_there_is)

/* A large read goes past the stream's buffer: one call, and no copy. */
STREAM_TEST(a_large_read_is_direct)
{
    ALOOP_BEGIN;
    OPEN();
    self->data = malloc(8192);
    FEED("abc");
    fault_install();
    ALOOP_AWAIT(aloop_stream_read(&self->stream, self->data, 8192));
    EXPECT(3);
    assert_int_equal(fault_count(FAULT_RECV), 1);
    assert_int_equal(aloop_stream_buffered(&self->stream), 0);
    free(self->data);
    CLOSE();
    ALOOP_END;
}

STREAM_RUN(a_large_read_is_direct)

/* S170 */
STREAM_TEST(read_exactly)
{
    ALOOP_BEGIN;
    OPEN();
    ALOOP_AWAIT(aloop_stream_read_exactly(&self->stream, self->small, 0));
    EXPECT(0);
    self->task = io_start(aloop_stream_read_exactly(&self->stream, self->small, 5));
    FEED("hel");
    TURNS();
    assert_false(aloop_task_done(self->task));
    FEED("lo, world");
    ALOOP_AWAIT(aloop_join_unref(self->task));
    EXPECT(5);
    assert_memory_equal(self->small, "hello", 5);
    aloop_socket_close(&self->peer);
    ALOOP_AWAIT(aloop_stream_read_exactly(&self->stream, self->small, 8));
    EXPECT(-ALOOP_EEOF);
    assert_int_equal(aloop_stream_partial(&self->stream), 7);
    assert_memory_equal(self->small, ", world", 7);
    assert_true(aloop_stream_at_eof(&self->stream));
    CLOSE();
    ALOOP_END;
}

STREAM_RUN(read_exactly)

/* S170: more than the limit is allowed; and P79's counterpart: wherever the pieces are cut. */
STREAM_TEST(read_exactly_more_than_the_limit)
{
    ALOOP_BEGIN;
    OPEN();
    self->total = 200000;
    self->data = malloc(self->total);
    self->buffer = malloc(self->total);
    fill_pattern(self->data, self->total);
    fault_install();
    fault_cut_to(777);
    self->task = io_start(aloop_send_all(&self->peer, self->data, self->total));
    ALOOP_AWAIT(aloop_stream_read(&self->stream, self->buffer, 10));
    EXPECT(10);
    ALOOP_AWAIT(
        aloop_stream_read_exactly(&self->stream, self->buffer + 10, self->total - 10));
    EXPECT(self->total - 10);
    assert_memory_equal(self->data, self->buffer, self->total);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    free(self->data);
    free(self->buffer);
    CLOSE();
    ALOOP_END;
}

STREAM_RUN(read_exactly_more_than_the_limit)

/* S173: a cancelled read has taken nothing, at whichever byte it was cancelled. */
STREAM_TEST(a_cancelled_read_has_taken_nothing)
{
    ALOOP_BEGIN;
    for (self->j = 0; self->j < 9; self->j++) {
        OPEN();
        ALOOP_TRY(aloop_send_all(&self->peer, "123456789", (size_t)self->j));
        self->task = io_start(aloop_stream_read_exactly(&self->stream, self->small, 10));
        TURNS();
        aloop_task_cancel(self->task);
        ALOOP_AWAIT(aloop_join_unref(self->task));
        EXPECT(-ECANCELED);
        self->task = io_start(aloop_stream_read_line(&self->stream, &self->slice));
        TURNS();
        aloop_task_cancel(self->task);
        ALOOP_AWAIT(aloop_join_unref(self->task));
        EXPECT(-ECANCELED);
        ALOOP_AWAIT(aloop_wait_for(aloop_stream_read_to_end(&self->stream, 100, &self->slice),
                                   ALOOP_MS(1)));
        EXPECT(-ETIMEDOUT);
        assert_int_equal(aloop_stream_buffered(&self->stream), (size_t)self->j);
        ALOOP_TRY(aloop_send_all(&self->peer, &"123456789\n"[self->j], 10 - (size_t)self->j));
        ALOOP_AWAIT(aloop_stream_read_line(&self->stream, &self->slice));
        EXPECT(10);
        EXPECT_SLICE("123456789\n");
        CLOSE();
    }
    ALOOP_END;
}

STREAM_RUN(a_cancelled_read_has_taken_nothing)

/* S172, P88: each would get a part. */
STREAM_TEST(a_second_reader_is_refused)
{
    ALOOP_BEGIN;
    OPEN();
    self->task = io_start(aloop_stream_read(&self->stream, self->small, 1));
    TURNS();
    ALOOP_AWAIT(aloop_stream_read_line(&self->stream, &self->slice));
    EXPECT(-EBUSY);
    assert_int_equal(aloop_stream_consume(&self->stream, 1), -EBUSY);
    aloop_task_cancel(self->task);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    FEED("a\n");
    ALOOP_AWAIT(aloop_stream_read_line(&self->stream, &self->slice));
    EXPECT(2);
    CLOSE();
    ALOOP_END;
}

STREAM_RUN(a_second_reader_is_refused)

/* S169: with several separators the one that ends first. */
STREAM_TEST(read_until_the_earliest_separator)
{
    static const aloop_slice separators[] = {SLICE("\r\n\r\n"), SLICE("\n\n"), SLICE(";")};
    static const aloop_slice nested[] = {SLICE("abcd"), SLICE("cd"), SLICE("bc")};
    static const aloop_slice empty[] = {SLICE("x"), SLICE("")};

    ALOOP_BEGIN;
    OPEN();
    FEED("one\r\n\r\ntwo;three\n\nfour");
    ALOOP_AWAIT(aloop_stream_read_until(&self->stream, separators, 3, &self->slice));
    EXPECT(7);
    EXPECT_SLICE("one\r\n\r\n");
    ALOOP_AWAIT(aloop_stream_read_until(&self->stream, separators, 3, &self->slice));
    EXPECT_SLICE("two;");
    ALOOP_AWAIT(aloop_stream_read_until(&self->stream, separators, 3, &self->slice));
    EXPECT_SLICE("three\n\n");
    ALOOP_AWAIT(aloop_stream_read_until(&self->stream, empty, 2, &self->slice));
    EXPECT(-EINVAL);
    ALOOP_AWAIT(aloop_stream_read_until(&self->stream, separators, 0, &self->slice));
    EXPECT(-EINVAL);
    FEED("abcd");
    ALOOP_AWAIT(aloop_stream_read_until(&self->stream, nested, 3, &self->slice));
    EXPECT_SLICE("fourabc");
    aloop_socket_close(&self->peer);
    ALOOP_AWAIT(aloop_stream_read_until(&self->stream, nested, 3, &self->slice));
    EXPECT(-ALOOP_EEOF);
    EXPECT_SLICE("d");
    assert_true(aloop_stream_at_eof(&self->stream));
    CLOSE();
    ALOOP_END;
}

STREAM_RUN(read_until_the_earliest_separator)

/* S169: a separator in pieces, a byte at a time from a slow peer. */
STREAM_TEST(a_byte_at_a_time)
{
    static const aloop_slice separators[] = {SLICE("\r\n\r\n"), SLICE("--end--")};
    static const char text[] = "a\r\nb\r\n\r\n--en--end--";

    ALOOP_BEGIN;
    OPEN();
    self->task =
        io_start(aloop_stream_read_until(&self->stream, separators, 2, &self->slice));
    for (self->j = 0; self->j < 8; self->j++) {
        ALOOP_TRY(aloop_send_all(&self->peer, text + self->j, 1));
        TURNS();
        assert_int_equal(aloop_task_done(self->task), self->j == 7);
    }
    ALOOP_AWAIT(aloop_join_unref(self->task));
    EXPECT(8);
    EXPECT_SLICE("a\r\nb\r\n\r\n");
    CLOSE();
    ALOOP_END;
}

STREAM_RUN(a_byte_at_a_time)

/* S169: beyond the limit the data is left; and is there for a reader that can do with less. */
STREAM_TEST(read_until_leaves_what_is_too_long)
{
    static const aloop_slice separators[] = {SLICE("ab")};

    ALOOP_BEGIN;
    OPEN();
    assert_int_equal(aloop_stream_set_limit(&self->stream, 4), 0);
    FEED("123456ab");
    ALOOP_AWAIT(aloop_stream_read_until(&self->stream, separators, 1, &self->slice));
    EXPECT(-EMSGSIZE);
    assert_int_equal(aloop_stream_buffered(&self->stream), 8);
    ALOOP_AWAIT(aloop_stream_read(&self->stream, self->small, 2));
    EXPECT(2);
    ALOOP_AWAIT(aloop_stream_read_until(&self->stream, separators, 1, &self->slice));
    EXPECT(6);
    EXPECT_SLICE("3456ab");
    FEED("123456");
    ALOOP_AWAIT(aloop_stream_read_until(&self->stream, separators, 1, &self->slice));
    EXPECT(-EMSGSIZE);
    assert_int_equal(aloop_stream_buffered(&self->stream), 6);
    CLOSE();
    ALOOP_END;
}

STREAM_RUN(read_until_leaves_what_is_too_long)

/* S168: a line that is too long is gone; without its end, what has come of it. */
STREAM_TEST(a_line_that_is_too_long)
{
    ALOOP_BEGIN;
    OPEN();
    assert_int_equal(aloop_stream_set_limit(&self->stream, 4), 0);
    FEED("123456\nok\n");
    ALOOP_AWAIT(aloop_stream_read_line(&self->stream, &self->slice));
    EXPECT(-EMSGSIZE);
    ALOOP_AWAIT(aloop_stream_read_line(&self->stream, &self->slice));
    EXPECT(3);
    EXPECT_SLICE("ok\n");
    FEED("123456");
    ALOOP_AWAIT(aloop_stream_read_line(&self->stream, &self->slice));
    EXPECT(-EMSGSIZE);
    assert_int_equal(aloop_stream_buffered(&self->stream), 0);
    FEED("tail");
    aloop_socket_close(&self->peer);
    ALOOP_AWAIT(aloop_stream_read_line(&self->stream, &self->slice));
    EXPECT(4);
    EXPECT_SLICE("tail");
    ALOOP_AWAIT(aloop_stream_read_line(&self->stream, &self->slice));
    EXPECT(0);
    CLOSE();
    ALOOP_END;
}

STREAM_RUN(a_line_that_is_too_long)

/* S167: a peer with an endless line costs the limit and a bit, not memory without end. */
STREAM_TEST(an_endless_line)
{
    ALOOP_BEGIN;
    OPEN();
    self->total = 1 << 20;
    self->data = calloc(1, self->total);
    self->task = io_start(aloop_send_all(&self->peer, self->data, self->total));
    ALOOP_AWAIT(aloop_stream_read_line(&self->stream, &self->slice));
    EXPECT(-EMSGSIZE);
    assert_true(memory_used(&aloop_get_running_loop()->memory) < 8 * LIMIT_DEFAULT);
    aloop_stream_abort(&self->stream);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    EXPECT(-EPIPE);
    free(self->data);
    aloop_socket_close(&self->peer);
    ALOOP_END;
}

STREAM_RUN(an_endless_line)

/* S164: nothing is read but for somebody who reads. Without that there is nothing to pause: what
   comes stays with the system, which holds its sender up; also after a read that was given up. */
STREAM_TEST(nothing_is_read_unasked)
{
    ALOOP_BEGIN;
    OPEN();
    fault_install();
    self->task = io_start(aloop_stream_read(&self->stream, self->small, 2));
    TURNS();
    aloop_task_cancel(self->task);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    EXPECT(-ECANCELED);
    FEED("abcd");
    self->count = fault_count(FAULT_RECV);
    TURNS();
    assert_int_equal(fault_count(FAULT_RECV), self->count);
    assert_int_equal(aloop_stream_buffered(&self->stream), 0);
    ALOOP_AWAIT(aloop_stream_read(&self->stream, self->small, 2));
    EXPECT(2);
    FEED("efgh");
    self->count = fault_count(FAULT_RECV);
    TURNS();
    assert_int_equal(fault_count(FAULT_RECV), self->count);
    ALOOP_AWAIT(aloop_stream_read_exactly(&self->stream, self->small, 6));
    EXPECT(6);
    assert_memory_equal(self->small, "cdefgh", 6);
    CLOSE();
    ALOOP_END;
}

STREAM_RUN(nothing_is_read_unasked)

STREAM_TEST(peek_and_consume)
{
    ALOOP_BEGIN;
    OPEN();
    FEED("abcdef");
    ALOOP_AWAIT(aloop_stream_peek(&self->stream, 3, &self->slice));
    EXPECT(6);
    EXPECT_SLICE("abcdef");
    assert_int_equal(aloop_stream_consume(&self->stream, 4), 4);
    ALOOP_AWAIT(aloop_stream_peek(&self->stream, LIMIT_DEFAULT + 1, &self->slice));
    EXPECT(-EMSGSIZE);
    aloop_socket_close(&self->peer);
    ALOOP_AWAIT(aloop_stream_peek(&self->stream, 3, &self->slice));
    EXPECT(2);
    EXPECT_SLICE("ef");
    assert_int_equal(aloop_stream_consume(&self->stream, 9), 2);
    CLOSE();
    ALOOP_END;
}

STREAM_RUN(peek_and_consume)

/* S171: up to the end, if that is not too far. */
STREAM_TEST(read_to_end)
{
    ALOOP_BEGIN;
    OPEN();
    self->total = 100000;
    self->data = malloc(self->total);
    fill_pattern(self->data, self->total);
    self->task = io_start(aloop_send_all(&self->peer, self->data, self->total));
    ALOOP_AWAIT(aloop_stream_read_to_end(&self->stream, 1000, &self->slice));
    EXPECT(-EMSGSIZE);
    self->second =
        io_start(aloop_stream_read_to_end(&self->stream, self->total, &self->slice));
    ALOOP_AWAIT(aloop_join_unref(self->task));
    aloop_socket_close(&self->peer);
    ALOOP_AWAIT(aloop_join_unref(self->second));
    EXPECT(self->total);
    assert_memory_equal(self->slice.data, self->data, self->total);
    free(self->data);
    CLOSE();
    ALOOP_END;
}

STREAM_RUN(read_to_end)

/* S163, S173: what the system says of a read reaches the reader once there is nothing else, and
   stays; EAGAIN is no error. */
STREAM_TEST(an_error_comes_after_the_data)
{
    static const int errors[] = {-ECONNRESET, -ETIMEDOUT, -EIO, -EHOSTUNREACH, -ENOBUFS};

    ALOOP_BEGIN;
    for (self->j = 0; self->j < 5; self->j++) {
        OPEN();
        FEED("data");
        fault_install();
        fault_fail(FAULT_RECV, 2, errors[self->j]);
        ALOOP_AWAIT(aloop_stream_read_exactly(&self->stream, self->small, 10));
        EXPECT(errors[self->j]);
        ALOOP_AWAIT(aloop_stream_read(&self->stream, self->small, 10));
        EXPECT(4);
        ALOOP_AWAIT(aloop_stream_read(&self->stream, self->small, 10));
        EXPECT(errors[self->j]);
        assert_int_equal(fault_count(FAULT_RECV), 2);
        fault_reset();
        CLOSE();
    }
    ALOOP_END;
}

STREAM_RUN(an_error_comes_after_the_data)

/* P89: who reads when the stream is closed is told, once; closing again is nothing. */
STREAM_TEST(closing_ends_a_read)
{
    ALOOP_BEGIN;
    OPEN();
    self->task = io_start(aloop_stream_read(&self->stream, self->small, 10));
    TURNS();
    self->other = self->stream;
    aloop_stream_close(&self->stream);
    aloop_stream_close(&self->stream);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    EXPECT(-ECANCELED);
    assert_false(aloop_stream_is_open(&self->other));
    ALOOP_AWAIT(aloop_stream_read(&self->other, self->small, 10));
    EXPECT(-EBADF);
    ALOOP_AWAIT(aloop_recv(&self->peer, self->small, 10));
    EXPECT(0);
    CLOSE();
    ALOOP_END;
}

STREAM_RUN(closing_ends_a_read)

/* Nothing read and nothing written for so long, on a virtual clock. */
STREAM_TEST(the_idle_timeout)
{
    aloop_ns start;

    ALOOP_BEGIN;
    OPEN();
    /* Never, after all. */
    assert_int_equal(aloop_stream_set_idle_timeout(&self->stream, ALOOP_SEC(60)), 0);
    assert_int_equal(aloop_stream_set_idle_timeout(&self->stream, 0), 0);
    ALOOP_TRY(aloop_sleep(ALOOP_SEC(100)));
    assert_int_equal(aloop_stream_set_idle_timeout(&self->stream, ALOOP_SEC(60)), 0);
    ALOOP_TRY(aloop_sleep(ALOOP_SEC(50)));
    FEED("x");
    ALOOP_AWAIT(aloop_stream_read(&self->stream, self->small, 10));
    EXPECT(1);
    start = aloop_time(aloop_get_running_loop());
    self->total = (size_t)(start / ALOOP_SEC(1));
    ALOOP_AWAIT(aloop_stream_read(&self->stream, self->small, 10));
    EXPECT(-ETIMEDOUT);
    assert_int_equal(aloop_time(aloop_get_running_loop()) / ALOOP_SEC(1) -
                         (aloop_ns)self->total,
                     60);
    ALOOP_AWAIT(aloop_stream_write(&self->stream, "x", 1));
    EXPECT(-ETIMEDOUT);
    CLOSE();
    ALOOP_END;
}

STREAM_RUN(the_idle_timeout)

enum last_moment { READS, WRITES, EXTENDS, LAST_MOMENTS };

struct at_the_last_moment {
    ALOOP_FRAME;
    aloop_stream stream;
    aloop_socket peer;
    int what;
    char small[8];
};

ALOOP_CORO(at_the_last_moment)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_sleep(ALOOP_SEC(60)));
    if (self->what == READS) {
        FEED("x");
        ALOOP_TRY(aloop_stream_read(&self->stream, self->small, 1));
    } else if (self->what == WRITES) {
        assert_int_equal(aloop_stream_write_nowait(&self->stream, "y", 1), 0);
    } else {
        assert_int_equal(aloop_stream_set_idle_timeout(&self->stream, ALOOP_SEC(61)), 0);
    }
    ALOOP_END;
}

/* The timer is due in the turn in which bytes move, or the program wants it otherwise: as after a
   callback that took longer than the timeout, with all that has come meanwhile to be read. The
   stream would be declared idle, for good, behind a read that had just succeeded. */
STREAM_TEST(not_idle_at_the_last_moment)
{
    ALOOP_BEGIN;
    for (self->j = 0; self->j < LAST_MOMENTS; self->j++) {
        OPEN();
        self->task = aloop_create_task(at_the_last_moment, .stream = self->stream,
                                       .peer = self->peer, .what = self->j);
        ALOOP_TRY(aloop_sleep(0));
        assert_int_equal(aloop_stream_set_idle_timeout(&self->stream, ALOOP_SEC(60)), 0);
        ALOOP_TRY(aloop_join_unref(self->task));
        ALOOP_TRY(aloop_sleep(ALOOP_SEC(59)));
        FEED("z");
        ALOOP_AWAIT(aloop_stream_read(&self->stream, self->small, 10));
        EXPECT(1);
        assert_int_equal(self->small[0], 'z');
        CLOSE();
    }
    ALOOP_END;
}

STREAM_RUN(not_idle_at_the_last_moment)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH_POLLER(test_read_gives_what_there_is),
        ON_EACH_POLLER(test_a_large_read_is_direct),
        ON_EACH_POLLER(test_read_exactly),
        ON_EACH_POLLER(test_read_exactly_more_than_the_limit),
        ON_EACH_POLLER(test_a_cancelled_read_has_taken_nothing),
        ON_EACH_POLLER(test_a_second_reader_is_refused),
        ON_EACH_POLLER(test_read_until_the_earliest_separator),
        ON_EACH_POLLER(test_a_byte_at_a_time),
        ON_EACH_POLLER(test_read_until_leaves_what_is_too_long),
        ON_EACH_POLLER(test_a_line_that_is_too_long),
        ON_EACH_POLLER(test_an_endless_line),
        ON_EACH_POLLER(test_nothing_is_read_unasked),
        ON_EACH_POLLER(test_peek_and_consume),
        ON_EACH_POLLER(test_read_to_end),
        ON_EACH_POLLER(test_an_error_comes_after_the_data),
        ON_EACH_POLLER(test_closing_ends_a_read),
        ON_EACH_POLLER(test_the_idle_timeout),
        ON_EACH_POLLER(test_not_idle_at_the_last_moment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
