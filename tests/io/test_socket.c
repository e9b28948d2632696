/* Sockets that are connected: receiving, sending, closing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io_test.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BIG (1 << 20)

#define TEST_CORO(name)                                                                            \
    struct name {                                                                                  \
        ALOOP_FRAME;                                                                               \
        aloop_socket pair[2];                                                                      \
        aloop_socket copy;                                                                         \
        aloop_task *task;                                                                          \
        aloop_task *other;                                                                         \
        char *buffer;                                                                              \
        char *data;                                                                                \
        size_t count;                                                                              \
        int i;                                                                                     \
        char small[16];                                                                            \
    };                                                                                             \
    ALOOP_CORO(name)

#define RUN_TEST(name)                                                                             \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        io_run(state, ALOOP_CLOCK_VIRTUAL, name);                                                  \
    }

#define OPEN_PAIR() assert_int_equal(aloop_socket_pair(NULL, self->pair), 0)
/* Lets everybody who is ready run, and the poller be asked. */
#define TURNS()                                                                                    \
    for (self->i = 0; self->i < 100; self->i++)                                                    \
    ALOOP_TRY(aloop_sleep(0))

static void close_pair(aloop_socket pair[2])
{
    aloop_socket_close(&pair[0]);
    aloop_socket_close(&pair[1]);
}

/* --- receiving --- */

/* P19, P24: all that was sent before a hang-up arrives before the end. */
TEST_CORO(bytes_come_before_the_end)
{
    ALOOP_BEGIN;
    OPEN_PAIR();
    ALOOP_TRY(aloop_send(&self->pair[0], "abc", 3));
    assert_int_equal(self->result, 3);
    aloop_socket_close(&self->pair[0]);
    TURNS();
    ALOOP_TRY(aloop_recv(&self->pair[1], self->small, 2));
    assert_int_equal(self->result, 2);
    assert_memory_equal(self->small, "ab", 2);
    ALOOP_TRY(aloop_recv(&self->pair[1], self->small, 16));
    assert_int_equal(self->result, 1);
    ALOOP_TRY(aloop_recv(&self->pair[1], self->small, 16));
    assert_int_equal(self->result, 0);
    /* And the end stays the end. */
    ALOOP_TRY(aloop_recv(&self->pair[1], self->small, 16));
    assert_int_equal(self->result, 0);
    close_pair(self->pair);
    ALOOP_END;
}

RUN_TEST(bytes_come_before_the_end)

/* P15: who waits when the peer hangs up finds the end. */
TEST_CORO(a_hang_up_wakes_the_reader)
{
    ALOOP_BEGIN;
    OPEN_PAIR();
    self->task = io_start(aloop_recv(&self->pair[1], self->small, 16));
    TURNS();
    assert_false(aloop_task_done(self->task));
    aloop_socket_close(&self->pair[0]);
    ALOOP_TRY(aloop_join_unref(self->task));
    assert_int_equal(self->result, 0);
    close_pair(self->pair);
    ALOOP_END;
}

RUN_TEST(a_hang_up_wakes_the_reader)

/* P87: nothing asked for is nothing received, and not the end of the stream. */
TEST_CORO(size_zero_completes_at_once)
{
    ALOOP_BEGIN;
    OPEN_PAIR();
    fault_install();
    ALOOP_AWAIT(aloop_recv(&self->pair[1], self->small, 0));
    assert_int_equal(self->result, 0);
    ALOOP_AWAIT(aloop_recv_exactly(&self->pair[1], self->small, 0));
    assert_int_equal(self->result, 0);
    ALOOP_AWAIT(aloop_send(&self->pair[1], "", 0));
    assert_int_equal(self->result, 0);
    ALOOP_AWAIT(aloop_send_all(&self->pair[1], "", 0));
    assert_int_equal(self->result, 0);
    assert_int_equal(fault_count(FAULT_RECV) + fault_count(FAULT_SEND), 0);
    close_pair(self->pair);
    ALOOP_END;
}

RUN_TEST(size_zero_completes_at_once)

/* P88: two that wait for one stream would each get a part of it. */
TEST_CORO(a_second_receiver_is_refused)
{
    ALOOP_BEGIN;
    OPEN_PAIR();
    self->task = io_start(aloop_recv(&self->pair[1], self->small, 16));
    TURNS();
    ALOOP_AWAIT(aloop_recv(&self->pair[1], self->small, 1));
    assert_int_equal(self->result, -EBUSY);
    ALOOP_AWAIT(aloop_recv_exactly(&self->pair[1], self->small, 1));
    assert_int_equal(self->result, -EBUSY);
    /* The other direction is free. */
    ALOOP_TRY(aloop_send_all(&self->pair[1], "x", 1));
    /* And so is this one, when the first is done or has been cancelled. */
    aloop_task_cancel(self->task);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    assert_int_equal(self->result, -ECANCELED);
    ALOOP_TRY(aloop_send_all(&self->pair[0], "y", 1));
    ALOOP_TRY(aloop_recv(&self->pair[1], self->small, 16));
    assert_int_equal(self->result, 1);
    close_pair(self->pair);
    ALOOP_END;
}

RUN_TEST(a_second_receiver_is_refused)

TEST_CORO(a_second_sender_is_refused)
{
    ALOOP_BEGIN;
    OPEN_PAIR();
    self->data = calloc(1, BIG);
    self->task = io_start(aloop_send_all(&self->pair[0], self->data, BIG));
    TURNS();
    assert_false(aloop_task_done(self->task));
    ALOOP_AWAIT(aloop_send(&self->pair[0], "x", 1));
    assert_int_equal(self->result, -EBUSY);
    ALOOP_AWAIT(aloop_send_all(&self->pair[0], "x", 1));
    assert_int_equal(self->result, -EBUSY);
    aloop_task_cancel(self->task);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    assert_int_equal(self->result, -ECANCELED);
    free(self->data);
    close_pair(self->pair);
    ALOOP_END;
}

RUN_TEST(a_second_sender_is_refused)

/* P108: a receiver that is cancelled in the turn in which its bytes came has not taken them. */
TEST_CORO(a_cancelled_receiver_loses_no_byte)
{
    ALOOP_BEGIN;
    OPEN_PAIR();
    self->task = io_start(aloop_recv(&self->pair[1], self->small, 16));
    TURNS();
    ALOOP_TRY(aloop_send_all(&self->pair[0], "abc", 3));
    /* As if the poller had just said it: the task is woken, and not resumed yet. */
    watch_collect(aloop_get_running_loop(), socket_watch(&self->pair[1]), POLLER_READ);
    aloop_task_cancel(self->task);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    assert_int_equal(self->result, -ECANCELED);
    ALOOP_TRY(aloop_recv(&self->pair[1], self->small, 16));
    assert_int_equal(self->result, 3);
    close_pair(self->pair);
    ALOOP_END;
}

RUN_TEST(a_cancelled_receiver_loses_no_byte)

/* P25: readiness is a hint. A reader that took EAGAIN for an empty read would see the end. */
TEST_CORO(a_spurious_event_is_not_the_end)
{
    ALOOP_BEGIN;
    OPEN_PAIR();
    self->task = io_start(aloop_recv(&self->pair[1], self->small, 16));
    self->other = io_start(aloop_recv_exactly(&self->pair[0], self->small + 8, 2));
    TURNS();
    watch_collect(aloop_get_running_loop(), socket_watch(&self->pair[0]), POLLER_READ);
    watch_collect(aloop_get_running_loop(), socket_watch(&self->pair[1]), POLLER_READ);
    TURNS();
    assert_false(aloop_task_done(self->task));
    assert_false(aloop_task_done(self->other));
    /* P27: and what comes between that EAGAIN and the next event is no lost edge. */
    ALOOP_TRY(aloop_send_all(&self->pair[0], "a", 1));
    ALOOP_TRY(aloop_send_all(&self->pair[1], "bc", 2));
    ALOOP_TRY(aloop_join_unref(self->task));
    assert_int_equal(self->result, 1);
    ALOOP_TRY(aloop_join_unref(self->other));
    assert_int_equal(self->result, 2);
    close_pair(self->pair);
    ALOOP_END;
}

RUN_TEST(a_spurious_event_is_not_the_end)

/* P90: when the await is over, the library has forgotten the buffer. */
TEST_CORO(a_timed_out_receiver_leaves_the_buffer_alone)
{
    ALOOP_BEGIN;
    OPEN_PAIR();
    self->buffer = malloc(16);
    ALOOP_AWAIT(aloop_wait_for(aloop_recv(&self->pair[1], self->buffer, 16), ALOOP_SEC(30)));
    assert_int_equal(self->result, -ETIMEDOUT);
    free(self->buffer);
    ALOOP_TRY(aloop_send_all(&self->pair[0], "abc", 3));
    TURNS();
    ALOOP_TRY(aloop_recv(&self->pair[1], self->small, 16));
    assert_int_equal(self->result, 3);
    close_pair(self->pair);
    ALOOP_END;
}

RUN_TEST(a_timed_out_receiver_leaves_the_buffer_alone)

/* A Unix socket stops reading where an fd was passed, though there is more: a reader that took the
   short count for an empty socket would wait for ever. */
TEST_CORO(a_short_read_may_leave_something)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {.space = {0}};
    struct iovec part = {.iov_base = self->small, .iov_len = 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    int fd = 0;

    ALOOP_BEGIN;
    OPEN_PAIR();
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    assert_int_equal(sendmsg(aloop_socket_fd(&self->pair[0]), &message, 0), 1);
    ALOOP_TRY(aloop_send_all(&self->pair[0], "b", 1));
    TURNS();
    ALOOP_TRY(aloop_recv(&self->pair[1], self->small, 16));
    assert_int_equal(self->result, 1);
    ALOOP_TRY(aloop_wait_for(aloop_recv(&self->pair[1], self->small, 16), ALOOP_SEC(1)));
    assert_int_equal(self->result, 1);
    assert_int_equal(self->small[0], 'b');
    close_pair(self->pair);
    ALOOP_END;
}

RUN_TEST(a_short_read_may_leave_something)

/* --- exactly so much, everything --- */

static char *pattern(size_t size)
{
    char *data = malloc(size);

    assert_non_null(data);
    for (size_t i = 0; i < size; i++)
        data[i] = (char)(i * 7 + i / 256);
    return data;
}

/* P79: whatever part of it the kernel takes at a time, the next part begins at the right byte. */
TEST_CORO(everything_arrives_in_whatever_pieces)
{
    ALOOP_BEGIN;
    OPEN_PAIR();
    self->data = pattern(1000);
    fault_install();
    for (self->i = 1; self->i <= 1000; self->i += self->i < 20 ? 1 : 97) {
        self->buffer = calloc(1, 1000);
        fault_cut_to((size_t)self->i);
        self->task = io_start(aloop_send_all(&self->pair[0], self->data, 1000));
        ALOOP_TRY(aloop_recv_exactly(&self->pair[1], self->buffer, 1000));
        assert_int_equal(self->result, 1000);
        assert_memory_equal(self->buffer, self->data, 1000);
        ALOOP_TRY(aloop_join_unref(self->task));
        assert_int_equal(self->result, 1000);
        free(self->buffer);
    }
    free(self->data);
    close_pair(self->pair);
    ALOOP_END;
}

RUN_TEST(everything_arrives_in_whatever_pieces)

TEST_CORO(much_arrives_through_little_room)
{
    ALOOP_BEGIN;
    OPEN_PAIR();
    self->data = pattern(4 * BIG);
    self->buffer = calloc(1, 4 * BIG);
    self->task = io_start(aloop_send_all(&self->pair[0], self->data, 4 * BIG));
    ALOOP_TRY(aloop_recv_exactly(&self->pair[1], self->buffer, 4 * BIG));
    assert_int_equal(self->result, 4 * BIG);
    assert_memory_equal(self->buffer, self->data, 4 * BIG);
    ALOOP_TRY(aloop_join_unref(self->task));
    free(self->data);
    free(self->buffer);
    close_pair(self->pair);
    ALOOP_END;
}

RUN_TEST(much_arrives_through_little_room)

TEST_CORO(an_early_end_is_an_error)
{
    ALOOP_BEGIN;
    OPEN_PAIR();
    ALOOP_TRY(aloop_send_all(&self->pair[0], "abc", 3));
    aloop_socket_close(&self->pair[0]);
    self->count = 77;
    ALOOP_AWAIT(aloop_recv_exactly_counting(&self->pair[1], self->small, 5, &self->count));
    assert_int_equal(self->result, -ALOOP_EEOF);
    assert_int_equal(self->count, 3);
    assert_memory_equal(self->small, "abc", 3);
    ALOOP_AWAIT(aloop_recv_exactly(&self->pair[1], self->small, 5));
    assert_int_equal(self->result, -ALOOP_EEOF);
    close_pair(self->pair);
    ALOOP_END;
}

RUN_TEST(an_early_end_is_an_error)

TEST_CORO(a_cancelled_exact_receiver_has_counted)
{
    ALOOP_BEGIN;
    OPEN_PAIR();
    ALOOP_TRY(aloop_send_all(&self->pair[0], "abc", 3));
    ALOOP_AWAIT(aloop_wait_for(
        aloop_recv_exactly_counting(&self->pair[1], self->small, 5, &self->count), ALOOP_SEC(1)));
    assert_int_equal(self->result, -ETIMEDOUT);
    assert_int_equal(self->count, 3);
    ALOOP_TRY(aloop_send_all(&self->pair[0], "de", 2));
    ALOOP_TRY(aloop_recv_exactly(&self->pair[1], self->small + self->count, 2));
    assert_memory_equal(self->small, "abcde", 5);
    close_pair(self->pair);
    ALOOP_END;
}

RUN_TEST(a_cancelled_exact_receiver_has_counted)

/* P81: who sends all and is cancelled in the middle can find out how much went. */
TEST_CORO(a_cancelled_sender_has_counted)
{
    ALOOP_BEGIN;
    OPEN_PAIR();
    self->data = pattern(BIG);
    self->buffer = malloc(BIG);
    ALOOP_AWAIT(aloop_wait_for(
        aloop_send_all_counting(&self->pair[0], self->data, BIG, &self->count), ALOOP_SEC(1)));
    assert_int_equal(self->result, -ETIMEDOUT);
    assert_in_range(self->count, 1, BIG - 1);
    aloop_socket_close(&self->pair[0]);
    ALOOP_AWAIT(aloop_recv_exactly(&self->pair[1], self->buffer, self->count));
    assert_int_equal(self->result, self->count);
    assert_memory_equal(self->buffer, self->data, self->count);
    ALOOP_AWAIT(aloop_recv(&self->pair[1], self->buffer, 1));
    assert_int_equal(self->result, 0);
    free(self->data);
    free(self->buffer);
    close_pair(self->pair);
    ALOOP_END;
}

RUN_TEST(a_cancelled_sender_has_counted)

/* --- errors --- */

/* S163: an error other than EAGAIN is the outcome, and leaves the socket free for the next try. */
TEST_CORO(errors_of_the_system_come_as_they_are)
{
    static const int errors[] = {-ECONNRESET, -ETIMEDOUT, -ENOBUFS, -ENOTCONN, -EIO};

    ALOOP_BEGIN;
    OPEN_PAIR();
    fault_install();
    for (self->i = 0; self->i < 5; self->i++) {
        ALOOP_TRY(aloop_send_all(&self->pair[0], "abc", 3));
        fault_fail(FAULT_RECV, 1, errors[self->i]);
        ALOOP_AWAIT(aloop_recv(&self->pair[1], self->small, 16));
        assert_int_equal(self->result, errors[self->i]);
        fault_fail(FAULT_RECV, 1, errors[self->i]);
        ALOOP_AWAIT(aloop_recv_exactly(&self->pair[1], self->small, 3));
        assert_int_equal(self->result, errors[self->i]);
        ALOOP_TRY(aloop_recv_exactly(&self->pair[1], self->small, 3));
        fault_fail(FAULT_SEND, 1, errors[self->i]);
        ALOOP_AWAIT(aloop_send(&self->pair[0], "abc", 3));
        assert_int_equal(self->result, errors[self->i]);
        fault_fail(FAULT_SEND, 1, errors[self->i]);
        ALOOP_AWAIT(aloop_send_all(&self->pair[0], "abc", 3));
        assert_int_equal(self->result, errors[self->i]);
    }
    close_pair(self->pair);
    ALOOP_END;
}

RUN_TEST(errors_of_the_system_come_as_they_are)

/* P78: the signal would end the program. */
TEST_CORO(sending_to_nobody_is_an_error_and_no_signal)
{
    ALOOP_BEGIN;
    OPEN_PAIR();
    aloop_socket_close(&self->pair[1]);
    ALOOP_AWAIT(aloop_send_all(&self->pair[0], "abc", 3));
    assert_int_equal(self->result, -EPIPE);
    ALOOP_AWAIT(aloop_send(&self->pair[0], "abc", 3));
    assert_int_equal(self->result, -EPIPE);
    close_pair(self->pair);
    ALOOP_END;
}

RUN_TEST(sending_to_nobody_is_an_error_and_no_signal)

/* P16: a sender that waits when the peer goes away finds out. */
TEST_CORO(a_hang_up_wakes_the_sender)
{
    ALOOP_BEGIN;
    OPEN_PAIR();
    self->data = calloc(1, BIG);
    self->task = io_start(aloop_send_all(&self->pair[0], self->data, BIG));
    TURNS();
    assert_false(aloop_task_done(self->task));
    aloop_socket_close(&self->pair[1]);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    assert_true(self->result == -EPIPE || self->result == -ECONNRESET);
    free(self->data);
    close_pair(self->pair);
    ALOOP_END;
}

RUN_TEST(a_hang_up_wakes_the_sender)

/* P82: each direction ends by itself. */
TEST_CORO(a_half_closed_connection_goes_on)
{
    ALOOP_BEGIN;
    OPEN_PAIR();
    ALOOP_TRY(aloop_send_all(&self->pair[0], "ab", 2));
    assert_int_equal(aloop_socket_shutdown(&self->pair[0], SHUT_WR), 0);
    ALOOP_TRY(aloop_recv_exactly(&self->pair[1], self->small, 2));
    ALOOP_TRY(aloop_recv(&self->pair[1], self->small, 2));
    assert_int_equal(self->result, 0);
    for (self->count = 0; self->count < 10; self->count++) {
        TURNS();
        ALOOP_TRY(aloop_send_all(&self->pair[1], "cd", 2));
        ALOOP_TRY(aloop_recv_exactly(&self->pair[0], self->small, 2));
        assert_memory_equal(self->small, "cd", 2);
    }
    ALOOP_AWAIT(aloop_send(&self->pair[0], "x", 1));
    assert_int_equal(self->result, -EPIPE);
    assert_int_equal(aloop_socket_shutdown(&self->pair[0], 4711), -EINVAL);
    close_pair(self->pair);
    ALOOP_END;
}

RUN_TEST(a_half_closed_connection_goes_on)

/* --- closing --- */

/* P89: each who waits is told once, and closing again is nothing. */
TEST_CORO(closing_wakes_who_waits)
{
    ALOOP_BEGIN;
    OPEN_PAIR();
    self->data = calloc(1, BIG);
    self->copy = self->pair[0];
    self->task = io_start(aloop_recv(&self->pair[0], self->small, 16));
    self->other = io_start(aloop_send_all(&self->pair[0], self->data, BIG));
    TURNS();
    aloop_socket_close(&self->pair[0]);
    assert_false(aloop_socket_is_open(&self->pair[0]));
    aloop_socket_close(&self->pair[0]);
    aloop_socket_close(&self->copy);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    assert_int_equal(self->result, -ECANCELED);
    ALOOP_AWAIT(aloop_join_unref(self->other));
    assert_int_equal(self->result, -ECANCELED);
    free(self->data);
    close_pair(self->pair);
    ALOOP_END;
}

RUN_TEST(closing_wakes_who_waits)

static void assert_names_nothing(aloop_socket *socket)
{
    aloop_address address;

    assert_false(aloop_socket_is_open(socket));
    assert_int_equal(aloop_socket_fd(socket), -EBADF);
    assert_int_equal(aloop_socket_shutdown(socket, SHUT_WR), -EBADF);
    assert_int_equal(aloop_socket_address(socket, &address), -EBADF);
    assert_int_equal(aloop_socket_peer(socket, &address), -EBADF);
}

/* P3, P4: the number of a closed fd comes up again; who still holds the old socket must not reach
   the new one. */
TEST_CORO(a_stale_copy_names_nothing)
{
    ALOOP_BEGIN;
    OPEN_PAIR();
    self->copy = self->pair[0];
    for (self->i = 0; self->i < 3; self->i++) {
        close_pair(self->pair);
        OPEN_PAIR();
        assert_int_equal(aloop_socket_fd(&self->pair[0]), self->copy.fd);
        assert_names_nothing(&self->copy);
        ALOOP_AWAIT(aloop_recv(&self->copy, self->small, 1));
        assert_int_equal(self->result, -EBADF);
        ALOOP_AWAIT(aloop_recv_exactly(&self->copy, self->small, 1));
        assert_int_equal(self->result, -EBADF);
        ALOOP_AWAIT(aloop_send(&self->copy, "x", 1));
        assert_int_equal(self->result, -EBADF);
        ALOOP_AWAIT(aloop_send_all(&self->copy, "x", 1));
        assert_int_equal(self->result, -EBADF);
        ALOOP_AWAIT(aloop_accept(&self->copy, &self->copy));
        assert_int_equal(self->result, -EBADF);
    }
    aloop_socket_close(&self->copy);
    assert_true(aloop_socket_is_open(&self->pair[0]));
    close_pair(self->pair);
    ALOOP_END;
}

RUN_TEST(a_stale_copy_names_nothing)

TEST_CORO(a_zero_socket_names_nothing)
{
    ALOOP_BEGIN;
    assert_names_nothing(&self->copy);
    ALOOP_AWAIT(aloop_recv(&self->copy, self->small, 1));
    assert_int_equal(self->result, -EBADF);
    aloop_socket_close(&self->copy);
    ALOOP_END;
}

RUN_TEST(a_zero_socket_names_nothing)

/* P85: whatever close says, the fd is gone and is not closed again. */
TEST_CORO(an_error_of_close_is_nothing)
{
    ALOOP_BEGIN;
    OPEN_PAIR();
    self->i = self->pair[0].fd;
    fault_install();
    fault_fail(FAULT_CLOSE, 1, -EIO);
    aloop_socket_close(&self->pair[0]);
    assert_int_equal(fault_count(FAULT_CLOSE), 1);
    close(self->i);
    close_pair(self->pair);
    ALOOP_END;
}

RUN_TEST(an_error_of_close_is_nothing)

/* P124: what is still open is closed with the loop, with its tasks where they stand. */
struct leaves_open {
    ALOOP_FRAME;
    aloop_socket pair[2];
    char small[4];
};

ALOOP_CORO(leaves_open)
{
    ALOOP_BEGIN;
    OPEN_PAIR();
    ALOOP_AWAIT(aloop_recv(&self->pair[0], self->small, 4));
    ALOOP_END;
}

static void closing_the_loop_closes_sockets(void **state)
{
    aloop *loop = io_loop(state, ALOOP_CLOCK_VIRTUAL);
    aloop_socket pair[2];

    assert_int_equal(aloop_socket_pair(loop, pair), 0);
    aloop_task_unref(aloop_create_task_in(loop, leaves_open));
    assert_true(aloop_run_once(loop, 0) >= 0);
    assert_int_equal(aloop_close(loop), 0);
    assert_names_nothing(&pair[0]);
    aloop_socket_close(&pair[1]);
    assert_int_equal(aloop_socket_pair(loop, pair), -ALOOP_ECLOSED);
    aloop_unref(loop);
}

/* --- beginning --- */

static void adopting(void **state)
{
    aloop *loop = io_loop(state, ALOOP_CLOCK_VIRTUAL);
    aloop_socket socket = {0};
    int fds[2];
    int pipes[2];

    assert_int_equal(aloop_socket_adopt(NULL, 0, &socket), -ALOOP_ENOLOOP);
    assert_int_equal(aloop_socket_adopt(loop, -1, &socket), -EBADF);
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(aloop_socket_adopt(loop, pipes[0], &socket), -ENOTSOCK);
    assert_false(aloop_socket_is_open(&socket));
    close(pipes[0]);
    close(pipes[1]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(aloop_socket_adopt(loop, fds[0], &socket), 0);
    assert_true(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
    assert_int_equal(aloop_socket_fd(&socket), fds[0]);
    assert_int_equal(aloop_socket_adopt(loop, fds[0], &socket), -EBUSY);
    aloop_socket_close(&socket);
    close(fds[1]);
    aloop_unref(loop);
}

static void adopting_fails_and_leaves_the_fd(void **state)
{
    static const enum fault_call calls[] = {FAULT_GETSOCKOPT, FAULT_GETSOCKNAME,
                                            FAULT_SET_NONBLOCKING, FAULT_NO_SIGPIPE};
    aloop *loop = io_loop(state, ALOOP_CLOCK_VIRTUAL);
    const bool is_epoll = ((struct io_state *)*state)->poller == ALOOP_POLLER_DEFAULT;
    aloop_socket socket = {0};
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    fault_install();
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        fault_fail(calls[i], 1, -EIO);
        assert_int_equal(aloop_socket_adopt(loop, fds[0], &socket), -EIO);
        assert_false(aloop_socket_is_open(&socket));
    }
    if (is_epoll && sys.epoll_ctl != NULL) {
        fault_fail(FAULT_EPOLL_CTL, 1, -ENOSPC);
        assert_int_equal(aloop_socket_adopt(loop, fds[0], &socket), -ENOSPC);
    }
    assert_int_equal(fault_count(FAULT_CLOSE), 0);
    assert_int_equal(aloop_socket_adopt(loop, fds[0], &socket), 0);
    aloop_socket_close(&socket);
    close(fds[1]);
    aloop_unref(loop);
}

static void a_pair_is_made_whole_or_not_at_all(void **state)
{
    aloop *loop = io_loop(state, ALOOP_CLOCK_VIRTUAL);
    const enum fault_call call = ((struct io_state *)*state)->poller == ALOOP_POLLER_POLL
                                     ? FAULT_FD_IS_POLLABLE
                                     : FAULT_EPOLL_CTL;
    aloop_socket pair[2] = {{0}, {0}};

    assert_int_equal(aloop_socket_pair(NULL, pair), -ALOOP_ENOLOOP);
    fault_install();
    fault_fail(FAULT_SOCKETPAIR, 1, -EMFILE);
    assert_int_equal(aloop_socket_pair(loop, pair), -EMFILE);
    for (unsigned n = 1; n <= 2; n++) {
        fault_fail(call, n, -ENOMEM);
        assert_int_equal(aloop_socket_pair(loop, pair), -ENOMEM);
    }
    assert_int_equal(fault_count(FAULT_CLOSE), 4);
    assert_int_equal(aloop_socket_pair(loop, pair), 0);
    aloop_unref(loop);
}

struct wrong_loop {
    ALOOP_FRAME;
    aloop_socket socket;
    char small[4];
};

ALOOP_CORO(wrong_loop)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_recv(&self->socket, self->small, 4));
    assert_int_equal(self->result, -ALOOP_EWRONGLOOP);
    ALOOP_AWAIT(aloop_send_all(&self->socket, self->small, 4));
    assert_int_equal(self->result, -ALOOP_EWRONGLOOP);
    ALOOP_END;
}

static void a_socket_is_awaited_in_its_own_loop(void **state)
{
    aloop *loop = io_loop(state, ALOOP_CLOCK_VIRTUAL);
    aloop_socket pair[2];

    assert_int_equal(aloop_socket_pair(loop, pair), 0);
    io_run(state, ALOOP_CLOCK_VIRTUAL, wrong_loop, .socket = pair[0]);
    aloop_unref(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH_POLLER(test_bytes_come_before_the_end),
        ON_EACH_POLLER(test_a_hang_up_wakes_the_reader),
        ON_EACH_POLLER(test_size_zero_completes_at_once),
        ON_EACH_POLLER(test_a_second_receiver_is_refused),
        ON_EACH_POLLER(test_a_second_sender_is_refused),
        ON_EACH_POLLER(test_a_cancelled_receiver_loses_no_byte),
        ON_EACH_POLLER(test_a_spurious_event_is_not_the_end),
        ON_EACH_POLLER(test_a_timed_out_receiver_leaves_the_buffer_alone),
        ON_EACH_POLLER(test_a_short_read_may_leave_something),
        ON_EACH_POLLER(test_everything_arrives_in_whatever_pieces),
        ON_EACH_POLLER(test_much_arrives_through_little_room),
        ON_EACH_POLLER(test_an_early_end_is_an_error),
        ON_EACH_POLLER(test_a_cancelled_exact_receiver_has_counted),
        ON_EACH_POLLER(test_a_cancelled_sender_has_counted),
        ON_EACH_POLLER(test_errors_of_the_system_come_as_they_are),
        ON_EACH_POLLER(test_sending_to_nobody_is_an_error_and_no_signal),
        ON_EACH_POLLER(test_a_hang_up_wakes_the_sender),
        ON_EACH_POLLER(test_a_half_closed_connection_goes_on),
        ON_EACH_POLLER(test_closing_wakes_who_waits),
        ON_EACH_POLLER(test_a_stale_copy_names_nothing),
        ON_EACH_POLLER(test_a_zero_socket_names_nothing),
        ON_EACH_POLLER(test_an_error_of_close_is_nothing),
        ON_EACH_POLLER(closing_the_loop_closes_sockets),
        ON_EACH_POLLER(adopting),
        ON_EACH_POLLER(adopting_fails_and_leaves_the_fd),
        ON_EACH_POLLER(a_pair_is_made_whole_or_not_at_all),
        ON_EACH_POLLER(a_socket_is_awaited_in_its_own_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
