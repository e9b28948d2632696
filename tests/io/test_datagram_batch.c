/* Several datagrams in one call of the system. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "datagram_test.h"
#include "sys/calls.h"

#define MANY 100

static char sent[MANY][8];
static char got[MANY][8];
static aloop_datagram out[MANY];
static aloop_datagram in[MANY];

/* Messages of different sizes, and buffers; `to` NULL: to the peer. */
static void prepare(const aloop_address *to)
{
    memset(out, 0, sizeof out);
    memset(in, 0, sizeof in);
    memset(got, 0, sizeof got);
    for (int i = 0; i < MANY; i++) {
        memset(sent[i], 'A' + i % 26, sizeof sent[i]);
        out[i].data = sent[i];
        out[i].size = (size_t)(1 + i % 8);
        if (to != NULL)
            out[i].address = *to;
        in[i].data = got[i];
        in[i].size = sizeof got[i];
    }
}

static void check(int first, int count, const aloop_address *from)
{
    for (int i = 0; i < count; i++) {
        assert_int_equal(in[i].length, out[first + i].size);
        assert_memory_equal(got[i], sent[first + i], in[i].length);
        if (from != NULL)
            assert_true(same_address(&in[i].address, from));
    }
}

/* 32 messages are one call at each end where the system can do that. */
DATAGRAM_TEST(many_are_one_call)
{
    ALOOP_BEGIN;
    OPEN_UDP();
    prepare(&self->addresses[1]);
    fault_install();
    ALOOP_TRY(aloop_send_many(&self->pair[0], out, 32));
    EXPECT(32);
    ALOOP_TRY(aloop_recv_many(&self->pair[1], in, 32));
    EXPECT(32);
    check(0, 32, &self->addresses[0]);
    assert_int_equal(fault_count(FAULT_SENDMMSG), 1);
    assert_int_equal(fault_count(FAULT_RECVMMSG), 1);
    assert_int_equal(fault_count(FAULT_SENDMSG) + fault_count(FAULT_RECVMSG), 0);
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(many_are_one_call)

/* Elsewhere they are a call each, with the same outcome. */
DATAGRAM_TEST(one_by_one)
{
    ALOOP_BEGIN;
    sys.sendmmsg = sys_send_each;
    sys.recvmmsg = sys_recv_each;
    OPEN_UDP();
    prepare(&self->addresses[1]);
    ALOOP_TRY(aloop_send_many(&self->pair[0], out, 32));
    EXPECT(32);
    ALOOP_TRY(aloop_recv_many(&self->pair[1], in, 40));
    EXPECT(32);
    check(0, 32, &self->addresses[0]);
    ALOOP_AWAIT(aloop_wait_for(aloop_recv_many(&self->pair[1], in, 40), ALOOP_SEC(1)));
    EXPECT(-ETIMEDOUT);
    /* The error of the first; that of a later one ends the batch before it. */
    memset(&out[0].address, 0, sizeof out[0].address);
    ALOOP_AWAIT(aloop_send_many(&self->pair[0], out, 3));
    assert_true(self->result == -EDESTADDRREQ || self->result == -ENOTCONN);
    ALOOP_TRY(aloop_send_many(&self->pair[0], out + 1, 3));
    EXPECT(3);
    memset(&out[3].address, 0, sizeof out[0].address);
    ALOOP_TRY(aloop_send_many(&self->pair[0], out + 1, 3));
    EXPECT(2);
    ALOOP_TRY(aloop_recv_many(&self->pair[1], in, 40));
    EXPECT(5);
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(one_by_one)

DATAGRAM_TEST(no_more_than_asked_for)
{
    ALOOP_BEGIN;
    OPEN_UDP();
    prepare(&self->addresses[1]);
    ALOOP_AWAIT(aloop_send_many(&self->pair[0], out, 0));
    EXPECT(0);
    ALOOP_AWAIT(aloop_recv_many(&self->pair[1], in, 0));
    EXPECT(0);
    ALOOP_TRY(aloop_send_many(&self->pair[0], out, MANY));
    EXPECT(ALOOP_DATAGRAMS_MAX);
    ALOOP_TRY(aloop_recv_many(&self->pair[1], in, 10));
    EXPECT(10);
    check(0, 10, NULL);
    ALOOP_TRY(aloop_recv_many(&self->pair[1], in, MANY));
    EXPECT(ALOOP_DATAGRAMS_MAX - 10);
    check(10, ALOOP_DATAGRAMS_MAX - 10, NULL);
    aloop_socket_close(&self->pair[1]);
    ALOOP_AWAIT(aloop_recv_many(&self->pair[1], in, 0));
    EXPECT(-EBADF);
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(no_more_than_asked_for)

DATAGRAM_TEST(each_tells_its_own_size)
{
    ALOOP_BEGIN;
    OPEN_PAIR();
    prepare(NULL);
    for (self->i = 0; self->i < 8; self->i++)
        in[self->i].size = 3;
    ALOOP_TRY(aloop_send_many(&self->pair[0], out, 8));
    EXPECT(8);
    ALOOP_TRY(aloop_recv_many(&self->pair[1], in, 8));
    EXPECT(8);
    for (self->i = 0; self->i < 8; self->i++) {
        assert_int_equal(in[self->i].length > 3, self->i >= 3);
#ifdef __linux__
        assert_int_equal(in[self->i].length, self->i + 1);
#endif
        assert_int_equal(got[self->i][3], 0);
    }
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(each_tells_its_own_size)

/* It waits for the first alone. */
DATAGRAM_TEST(receiving_waits_for_one)
{
    ALOOP_BEGIN;
    OPEN_PAIR();
    prepare(NULL);
    self->task = io_start(aloop_recv_many(&self->pair[1], in, MANY));
    TURNS();
    assert_false(aloop_task_done(self->task));
    ALOOP_TRY(aloop_send_many(&self->pair[0], out, 2));
    ALOOP_TRY(aloop_join_unref(self->task));
    EXPECT(2);
    check(0, 2, NULL);
    /* P108 */
    self->task = io_start(aloop_recv_many(&self->pair[1], in, MANY));
    TURNS();
    ALOOP_TRY(aloop_send_many(&self->pair[0], out, 2));
    watch_collect(aloop_get_running_loop(), socket_watch(&self->pair[1]), POLLER_READ);
    aloop_task_cancel(self->task);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    EXPECT(-ECANCELED);
    ALOOP_TRY(aloop_recv_many(&self->pair[1], in, MANY));
    EXPECT(2);
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(receiving_waits_for_one)

/* Sends all, in as many awaits as it takes, which is the outcome. */
struct sender {
    ALOOP_FRAME;
    aloop_socket socket;
    int count;
    int awaits;
};

ALOOP_CORO(sender)
{
    ALOOP_BEGIN;
    while (self->count < MANY) {
        ALOOP_TRY(aloop_send_many(&self->socket, out + self->count, (size_t)(MANY - self->count)));
        assert_in_range(self->result, 1, MANY - self->count);
        self->count += (int)self->result;
        self->awaits++;
    }
    ALOOP_RETURN(self->awaits);
    ALOOP_END;
}

/* What there is room for goes; the rest waits, and all arrives in order. S182 */
DATAGRAM_TEST(sending_goes_on_where_it_ended)
{
    ALOOP_BEGIN;
    OPEN_NARROW_PAIR();
    prepare(NULL);
    self->task = aloop_create_task(sender, .socket = self->pair[0]);
    TURNS();
    assert_false(aloop_task_done(self->task));
    while (self->count < MANY) {
        ALOOP_TRY(aloop_recv_many(&self->pair[1], in, 3));
        check(self->count, (int)self->result, NULL);
        self->count += (int)self->result;
    }
    ALOOP_TRY(aloop_join_unref(self->task));
    assert_in_range(self->result, 2, MANY);
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(sending_goes_on_where_it_ended)

DATAGRAM_TEST(errors_of_the_system_come_as_they_are)
{
    static const int errors[] = {-ECONNREFUSED, -ENOBUFS, -EPERM, -EIO};

    ALOOP_BEGIN;
    OPEN_PAIR();
    prepare(NULL);
    fault_install();
    for (self->i = 0; self->i < 4; self->i++) {
        fault_fail(FAULT_SENDMMSG, 1, errors[self->i]);
        ALOOP_AWAIT(aloop_send_many(&self->pair[0], out, 2));
        EXPECT(errors[self->i]);
        ALOOP_TRY(aloop_send_many(&self->pair[0], out, 2));
        fault_fail(FAULT_RECVMMSG, 1, errors[self->i]);
        ALOOP_AWAIT(aloop_recv_many(&self->pair[1], in, 2));
        EXPECT(errors[self->i]);
        ALOOP_TRY(aloop_recv_many(&self->pair[1], in, 2));
        EXPECT(2);
    }
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(errors_of_the_system_come_as_they_are)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH_POLLER(test_many_are_one_call),
        ON_EACH_POLLER(test_one_by_one),
        ON_EACH_POLLER(test_no_more_than_asked_for),
        ON_EACH_POLLER(test_each_tells_its_own_size),
        ON_EACH_POLLER(test_receiving_waits_for_one),
        ON_EACH_POLLER(test_sending_goes_on_where_it_ended),
        ON_EACH_POLLER(test_errors_of_the_system_come_as_they_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
