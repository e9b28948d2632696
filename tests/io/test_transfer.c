/* Receiving and sending. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pair_test.h"
#include <stdlib.h>
#include <string.h>

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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
