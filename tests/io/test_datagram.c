/* Datagram sockets: sending and receiving one message at a time, waiting, and errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "datagram_test.h"
#include "memory_probe.h"

#include <netinet/in.h>

/* --- messages --- */

DATAGRAM_TEST(messages_go_to_and_fro)
{
    ALOOP_BEGIN;
    OPEN_UDP();
    ALOOP_TRY(aloop_send_to(&self->pair[0], "hello", 5, &self->addresses[1]));
    EXPECT(5);
    ALOOP_TRY(aloop_send_to(&self->pair[0], "you", 3, &self->addresses[1]));
    RECEIVE(&self->pair[1], "hello");
    assert_true(same_address(&self->from, &self->addresses[0]));
    RECEIVE(&self->pair[1], "you");
    ALOOP_TRY(aloop_send_to(&self->pair[1], "back", 4, &self->from));
    ALOOP_TRY(aloop_recv_from(&self->pair[0], self->small, sizeof self->small, NULL));
    EXPECT(4);
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(messages_go_to_and_fro)

/* P87: an empty message is a message, in both directions, and no end. */
DATAGRAM_TEST(an_empty_message_arrives)
{
    ALOOP_BEGIN;
    OPEN_UDP();
    ALOOP_TRY(aloop_send_to(&self->pair[0], NULL, 0, &self->addresses[1]));
    EXPECT(0);
    ALOOP_TRY(aloop_send_to(&self->pair[0], "next", 4, &self->addresses[1]));
    ALOOP_TRY(aloop_recv_from(&self->pair[1], self->small, sizeof self->small, &self->from));
    EXPECT(0);
    assert_true(same_address(&self->from, &self->addresses[0]));
    RECEIVE(&self->pair[1], "next");
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(an_empty_message_arrives)

/* A message that is cut must not pass for a whole one; what follows it is not touched. */
DATAGRAM_TEST(a_cut_message_tells_its_size)
{
    ALOOP_BEGIN;
    OPEN_UDP();
    ALOOP_TRY(aloop_send_to(&self->pair[0], "0123456789", 10, &self->addresses[1]));
    ALOOP_TRY(aloop_send_to(&self->pair[0], "0123456789", 10, &self->addresses[1]));
    ALOOP_TRY(aloop_send_to(&self->pair[0], "0123456789", 10, &self->addresses[1]));
    memset(self->small, 'x', sizeof self->small);
    ALOOP_TRY(aloop_recv_from(&self->pair[1], self->small, 4, NULL));
#ifdef __linux__
    EXPECT(10);
#else
    EXPECT(5);
#endif
    assert_memory_equal(self->small, "0123x", 5);
    /* A message of just the size is whole. */
    ALOOP_TRY(aloop_recv_from(&self->pair[1], self->small, 10, NULL));
    EXPECT(10);
    ALOOP_TRY(aloop_recv_from(&self->pair[1], NULL, 0, NULL));
    assert_true(self->result > 0);
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(a_cut_message_tells_its_size)

/* As where the system tells only that it was cut. */
static ssize_t recvmsg_of_bsd(int fd, struct msghdr *message, int flags)
{
    size_t most = message->msg_iov[0].iov_len;
    ssize_t got = sys_default.recvmsg(fd, message, flags);

    return got > (ssize_t)most ? (ssize_t)most : got;
}

DATAGRAM_TEST(a_cut_message_is_never_whole)
{
    ALOOP_BEGIN;
    OPEN_PAIR();
    sys.recvmsg = recvmsg_of_bsd;
    ALOOP_TRY(aloop_send_to(&self->pair[0], "0123456789", 10, NULL));
    ALOOP_TRY(aloop_recv_from(&self->pair[1], self->small, 4, NULL));
    EXPECT(5);
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(a_cut_message_is_never_whole)

DATAGRAM_TEST(a_message_too_large_is_refused)
{
    ALOOP_BEGIN;
    OPEN_UDP();
    self->data = calloc(1, 70000);
    ALOOP_AWAIT(aloop_send_to(&self->pair[0], self->data, 70000, &self->addresses[1]));
    EXPECT(-EMSGSIZE);
    ALOOP_TRY(aloop_send_to(&self->pair[0], self->data, 60000, &self->addresses[1]));
    ALOOP_TRY(aloop_recv_from(&self->pair[1], self->data, 70000, NULL));
    EXPECT(60000);
    free(self->data);
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(a_message_too_large_is_refused)

DATAGRAM_TEST(without_a_peer_there_must_be_an_address)
{
    ALOOP_BEGIN;
    OPEN_UDP();
    ALOOP_AWAIT(aloop_send_to(&self->pair[0], "x", 1, NULL));
    assert_true(self->result == -EDESTADDRREQ || self->result == -ENOTCONN);
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(without_a_peer_there_must_be_an_address)

/* --- waiting --- */

DATAGRAM_TEST(who_receives_waits)
{
    ALOOP_BEGIN;
    OPEN_UDP();
    self->task = io_start(aloop_recv_from(&self->pair[1], self->small, 64, &self->from));
    TURNS();
    assert_false(aloop_task_done(self->task));
    /* P25: news that is none. */
    watch_collect(aloop_get_running_loop(), socket_watch(&self->pair[1]), POLLER_READ);
    TURNS();
    assert_false(aloop_task_done(self->task));
    ALOOP_TRY(aloop_send_to(&self->pair[0], "abc", 3, &self->addresses[1]));
    ALOOP_TRY(aloop_join_unref(self->task));
    EXPECT(3);
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(who_receives_waits)

/* Each message is one receiver's. */
DATAGRAM_TEST(several_may_receive)
{
    ALOOP_BEGIN;
    OPEN_UDP();
    for (self->i = 0; self->i < 4; self->i++)
        self->tasks[self->i] =
            io_start(aloop_recv_from(&self->pair[1], &self->small[self->i], 1, NULL));
    TURNS();
    for (self->i = 0; self->i < 4; self->i++)
        ALOOP_TRY(aloop_send_to(&self->pair[0], &"abcd"[self->i], 1, &self->addresses[1]));
    for (self->i = 0; self->i < 4; self->i++) {
        ALOOP_TRY(aloop_join_unref(self->tasks[self->i]));
        EXPECT(1);
    }
    assert_memory_equal(self->small, "abcd", 4);
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(several_may_receive)

/* P108: cancelled in the turn in which its message came, it has not taken it; P90: nor does it
   write to the buffer afterwards. */
DATAGRAM_TEST(a_cancelled_receiver_loses_nothing)
{
    ALOOP_BEGIN;
    OPEN_UDP();
    self->data = malloc(16);
    self->task = io_start(aloop_recv_from(&self->pair[1], self->data, 16, NULL));
    TURNS();
    ALOOP_TRY(aloop_send_to(&self->pair[0], "abc", 3, &self->addresses[1]));
    watch_collect(aloop_get_running_loop(), socket_watch(&self->pair[1]), POLLER_READ);
    aloop_task_cancel(self->task);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    EXPECT(-ECANCELED);
    free(self->data);
    TURNS();
    RECEIVE(&self->pair[1], "abc");
    ALOOP_AWAIT(aloop_wait_for(aloop_recv_from(&self->pair[1], self->small, 16, NULL),
                               ALOOP_SEC(5)));
    EXPECT(-ETIMEDOUT);
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(a_cancelled_receiver_loses_nothing)

/* P89. */
DATAGRAM_TEST(closing_ends_the_wait)
{
    ALOOP_BEGIN;
    OPEN_UDP();
    self->third = self->pair[1];
    self->tasks[0] = io_start(aloop_recv_from(&self->pair[1], self->small, 1, NULL));
    self->tasks[1] = io_start(aloop_recv_from(&self->pair[1], self->small, 1, NULL));
    TURNS();
    aloop_socket_close(&self->pair[1]);
    for (self->i = 0; self->i < 2; self->i++) {
        ALOOP_AWAIT(aloop_join_unref(self->tasks[self->i]));
        EXPECT(-ECANCELED);
    }
    ALOOP_AWAIT(aloop_recv_from(&self->third, self->small, 1, NULL));
    EXPECT(-EBADF);
    ALOOP_AWAIT(aloop_send_to(&self->third, "x", 1, &self->addresses[0]));
    EXPECT(-EBADF);
    assert_int_equal(aloop_datagram_error(&self->third, &self->error), -EBADF);
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(closing_ends_the_wait)

/* A stream asked for the whole size of a message would throw bytes away. */
DATAGRAM_TEST(a_stream_has_no_messages)
{
    ALOOP_BEGIN;
    io_listen(&self->pair[0], &self->addresses[0]);
    ALOOP_AWAIT(aloop_recv_from(&self->pair[0], self->small, 1, NULL));
    EXPECT(-EPROTOTYPE);
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(a_stream_has_no_messages)

/* --- errors --- */

/* S182: an error is told to who asks next, and the socket goes on. A socket that is connected
   elsewhere keeps the port, and refuses what comes from us. */
DATAGRAM_TEST(a_refused_message_leaves_the_socket_open)
{
    ALOOP_BEGIN;
    OPEN_UDP();
    open_udp(&self->third, &self->from, &self->addresses[0]);
    aloop_socket_close(&self->pair[1]);
    open_udp(&self->pair[1], &self->addresses[1], &self->from);
    ALOOP_AWAIT(aloop_recv(&self->pair[1], self->small, 0));
    EXPECT(0);
    for (self->i = 0; self->i < 3; self->i++) {
        ALOOP_TRY(aloop_send_to(&self->pair[1], "abc", 3, NULL));
        EXPECT(3);
        ALOOP_AWAIT(aloop_recv_from(&self->pair[1], self->small, 64, NULL));
        EXPECT(-ECONNREFUSED);
        /* The same out of sending: the message was not sent. */
        ALOOP_TRY(aloop_send_to(&self->pair[1], "abc", 3, NULL));
        ALOOP_AWAIT(aloop_send_to(&self->pair[1], "abc", 3, NULL));
        EXPECT(-ECONNREFUSED);
    }
    /* And who waits when the error arrives is woken by it. */
    self->task = io_start(aloop_recv_from(&self->pair[1], self->small, 64, NULL));
    TURNS();
    ALOOP_TRY(aloop_send_to(&self->pair[1], "abc", 3, NULL));
    ALOOP_AWAIT(aloop_join_unref(self->task));
    EXPECT(-ECONNREFUSED);
    assert_int_equal(connect(aloop_socket_fd(&self->third),
                             (struct sockaddr *)&self->addresses[1].storage,
                             self->addresses[1].length),
                     0);
    ALOOP_TRY(aloop_send_to(&self->pair[1], "abc", 3, NULL));
    RECEIVE(&self->third, "abc");
    ALOOP_TRY(aloop_send_to(&self->third, "def", 3, NULL));
    RECEIVE(&self->pair[1], "def");
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(a_refused_message_leaves_the_socket_open)

DATAGRAM_TEST(errors_of_the_system_come_as_they_are)
{
    static const int errors[] = {-ECONNREFUSED, -EHOSTUNREACH, -ENETUNREACH, -ENETDOWN, -EPERM,
                                 -ENOBUFS,      -ENOMEM,       -EACCES,      -EINVAL,   -EIO};

    ALOOP_BEGIN;
    OPEN_UDP();
    fault_install();
    for (self->i = 0; self->i < 10; self->i++) {
        fault_fail(FAULT_SENDMSG, 1, errors[self->i]);
        ALOOP_AWAIT(aloop_send_to(&self->pair[0], "abc", 3, &self->addresses[1]));
        EXPECT(errors[self->i]);
        ALOOP_TRY(aloop_send_to(&self->pair[0], "abc", 3, &self->addresses[1]));
        fault_fail(FAULT_RECVMSG, 1, errors[self->i]);
        ALOOP_AWAIT(aloop_recv_from(&self->pair[1], self->small, 64, NULL));
        EXPECT(errors[self->i]);
        RECEIVE(&self->pair[1], "abc");
    }
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(errors_of_the_system_come_as_they_are)

/* What the network reports can be had in full, where there is a queue for it: also by who is not
   connected, and so would not hear of it at all. */
DATAGRAM_TEST(reports_are_queued)
{
    ALOOP_BEGIN;
    OPEN_UDP();
    self->options = (aloop_datagram_options)ALOOP_DATAGRAM_OPTIONS_INIT;
    self->options.queue_errors = true;
    assert_int_equal(aloop_address_ip(&self->from, "127.0.0.1", 0), 0);
    self->count = aloop_datagram_open(NULL, &self->from, NULL, &self->options, &self->third);
#ifdef __linux__
    assert_int_equal(self->count, 0);
    assert_int_equal(aloop_datagram_error(&self->third, &self->error), 0);
    /* Keeps the port, and refuses what does not come from itself. */
    assert_int_equal(connect(aloop_socket_fd(&self->pair[1]),
                             (struct sockaddr *)&self->addresses[0].storage,
                             self->addresses[0].length),
                     0);
    for (self->i = 0; self->i < 3; self->i++) {
        ALOOP_TRY(aloop_send_to(&self->third, "abc", 3, &self->addresses[1]));
        ALOOP_AWAIT(aloop_recv_from(&self->third, self->small, 64, NULL));
        EXPECT(-ECONNREFUSED);
        memset(&self->error, 0, sizeof self->error);
        assert_int_equal(aloop_datagram_error(&self->third, &self->error), 1);
        assert_int_equal(self->error.error, -ECONNREFUSED);
        assert_false(self->error.is_local);
        assert_int_equal(self->error.type, 3);
        assert_int_equal(self->error.code, 3);
        assert_true(same_address(&self->error.destination, &self->addresses[1]));
        assert_int_equal(self->error.reporter.length, sizeof(struct sockaddr_in));
        assert_int_equal(aloop_datagram_error(&self->third, &self->error), 0);
    }
    /* With the queue empty there is nothing left to be told. */
    ALOOP_TRY(aloop_send_to(&self->pair[0], "no", 2, &self->addresses[0]));
    ALOOP_AWAIT(aloop_wait_for(aloop_recv_from(&self->third, self->small, 64, NULL), ALOOP_SEC(1)));
    EXPECT(-ETIMEDOUT);
    fault_install();
    fault_fail(FAULT_RECV_ERROR, 1, -ENOMEM);
    assert_int_equal(aloop_datagram_error(&self->third, &self->error), -ENOMEM);
#else
    assert_int_equal(self->count, -ENOTSUP);
#endif
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(reports_are_queued)

/* Sending and receiving cost a call each, and no memory. */
struct costs {
    ALOOP_FRAME;
    struct memory_probe *memory;
    aloop_socket pair[2];
    aloop_address addresses[2];
    long before;
    int i;
    char small[64];
};

ALOOP_CORO(costs)
{
    ALOOP_BEGIN;
    OPEN_UDP();
    fault_install();
    self->before = atomic_load(&self->memory->requests);
    for (self->i = 0; self->i < 50; self->i++) {
        ALOOP_TRY(aloop_send_to(&self->pair[0], "abc", 3, &self->addresses[1]));
        ALOOP_TRY(aloop_recv_from(&self->pair[1], self->small, sizeof self->small, NULL));
        EXPECT(3);
    }
    assert_int_equal(atomic_load(&self->memory->requests), self->before);
    assert_int_equal(fault_count(FAULT_SENDMSG), 50);
    assert_int_equal(fault_count(FAULT_RECVMSG), 50);
    assert_int_equal(fault_count(FAULT_EPOLL_CTL), 0);
    aloop_socket_close(&self->pair[0]);
    aloop_socket_close(&self->pair[1]);
    ALOOP_END;
}

static void a_message_costs_a_call_at_each_end(void **state)
{
    struct memory_probe memory = {0};
    aloop_options options = ALOOP_OPTIONS_INIT;
    aloop *loop;

    options.poller = ((const struct io_state *)*state)->poller;
    options.allocator = memory_probe_allocator(&memory);
    assert_int_equal(aloop_new(&options, &loop), 0);
    assert_int_equal(aloop_run_in(loop, costs, .memory = &memory), 0);
    aloop_unref(loop);
}

/* Another loop's socket is refused. */
static void on_its_own_loop_only(void **state)
{
    aloop *first = io_loop(state, ALOOP_CLOCK_VIRTUAL);
    aloop *second = io_loop(state, ALOOP_CLOCK_VIRTUAL);
    aloop_socket pair[2];
    char byte;

    assert_int_equal(aloop_datagram_pair(NULL, pair), -ALOOP_ENOLOOP);
    assert_int_equal(aloop_datagram_pair(first, pair), 0);
    assert_int_equal(
        aloop_run_in(second, io_await, .op = aloop_recv_from(&pair[0], &byte, 1, NULL)),
        -ALOOP_EWRONGLOOP);
    assert_int_equal(aloop_run_in(second, io_await, .op = aloop_send_to(&pair[0], "x", 1, NULL)),
                     -ALOOP_EWRONGLOOP);
    aloop_unref(second);
    aloop_unref(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH_POLLER(test_messages_go_to_and_fro),
        ON_EACH_POLLER(test_an_empty_message_arrives),
        ON_EACH_POLLER(test_a_cut_message_tells_its_size),
        ON_EACH_POLLER(test_a_cut_message_is_never_whole),
        ON_EACH_POLLER(test_a_message_too_large_is_refused),
        ON_EACH_POLLER(test_without_a_peer_there_must_be_an_address),
        ON_EACH_POLLER(test_who_receives_waits),
        ON_EACH_POLLER(test_several_may_receive),
        ON_EACH_POLLER(test_a_cancelled_receiver_loses_nothing),
        ON_EACH_POLLER(test_closing_ends_the_wait),
        ON_EACH_POLLER(test_a_stream_has_no_messages),
        ON_EACH_POLLER(test_a_refused_message_leaves_the_socket_open),
        ON_EACH_POLLER(test_errors_of_the_system_come_as_they_are),
        ON_EACH_POLLER(test_reports_are_queued),
        ON_EACH_POLLER(a_message_costs_a_call_at_each_end),
        ON_EACH_POLLER(on_its_own_loop_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
