/*
 * Connecting by name that does not come to its end: given up at any moment, and failing at whatever
 * is beneath it. Nothing stays open, and nothing is closed twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "connection_test.h"
#include "memory_probe.h"
#include <sched.h>

/* --- cancelling --- */

/* One that is silent for as long as a system waits, one that refuses, one that answers later. */
static void slow_hosts(void)
{
    net.names = both_families;
    net.name_count = 3;
    HOST(1, -ETIMEDOUT, ALOOP_SEC(130));
    HOST(2, -ECONNREFUSED, ALOOP_MS(100));
    HOST(3, 0, ALOOP_MS(100));
}

/* P71, S180: given up at any moment, it leaves nothing open, and closes each fd once. A second
   close would hit an fd that somebody else has opened since: here it would fail, and be counted. */
CONNECTION_TEST(time_is_up_at_any_moment)
{
    ALOOP_BEGIN;
    BEGIN_TEST();
    slow_hosts();
    for (self->i = 0;; self->i++) {
        ALOOP_AWAIT(aloop_wait_for(
            aloop_open_connection("name", "80", &self->options, &self->stream),
            ALOOP_MS(10) * self->i));
        if (self->result == 0)
            break;
        EXPECT(-ETIMEDOUT);
        assert_int_equal(net.open, 0);
        assert_false(aloop_stream_is_open(&self->stream));
    }
    /* 250 for the first, 100 for the second, 100 for the third. */
    assert_in_range(self->i, 45, 46);
    aloop_stream_close(&self->stream);
    assert_int_equal(fault_count(FAULT_CLOSE), fault_count(FAULT_SOCKET));
    ALOOP_END;
}

NET_RUN(time_is_up_at_any_moment)

struct opener {
    ALOOP_FRAME;
    aloop_stream stream;
};

ALOOP_CORO(opener)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_open_connection("name", "80", NULL, &self->stream));
    ALOOP_RETURN(1);
    ALOOP_FINALLY;
    aloop_stream_close(&self->stream);
    ALOOP_END;
}

/* The same, cancelled before each of its turns. */
CONNECTION_TEST(cancelled_at_each_turn)
{
    ALOOP_BEGIN;
    slow_hosts();
    for (self->i = 0;; self->i++) {
        self->task = aloop_create_task(opener);
        for (self->j = 0; self->j < self->i && !aloop_task_done(self->task); self->j++) {
            ALOOP_TRY(aloop_sleep(self->j % 3 == 0 ? ALOOP_MS(60) : 0));
        }
        if (aloop_task_done(self->task))
            break;
        aloop_task_cancel(self->task);
        ALOOP_AWAIT(aloop_join_unref(self->task));
        EXPECT(-ECANCELED);
        assert_int_equal(net.open, 0);
    }
    ALOOP_AWAIT(aloop_join_unref(self->task));
    EXPECT(1);
    assert_true(self->i > 10);
    assert_int_equal(fault_count(FAULT_CLOSE), fault_count(FAULT_SOCKET));
    ALOOP_END;
}

NET_RUN(cancelled_at_each_turn)

static sem_t answers;

/* While the name is being looked up, which takes as long as it likes: that is left to itself, and
   what it finds in the end is nobody's. Virtual time does not stand still for it. */
CONNECTION_TEST(cancelled_in_the_lookup)
{
    ALOOP_BEGIN;
    slow_hosts();
    assert_int_equal(sem_init(&answers, 0, 0), 0);
    net.answers = &answers;
    self->task = aloop_create_task(opener);
    ALOOP_TRY(aloop_sleep(0));
    aloop_task_cancel(self->task);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    EXPECT(-ECANCELED);
    self->cases[0].op = aloop_open_connection("name", "80", NULL, &self->stream);
    self->cases[1].op = aloop_sleep(0);
    ALOOP_AWAIT(aloop_select(self->cases, 2));
    EXPECT(1);
    ALOOP_TRY(aloop_sleep(ALOOP_SEC(10)));
    assert_int_equal(net.try_count, 0);
    for (self->i = 0; self->i < 3; self->i++)
        assert_int_equal(sem_post(&answers), 0);
    ALOOP_AWAIT(aloop_open_connection("name", "80", NULL, &self->stream));
    EXPECT(0);
    aloop_stream_close(&self->stream);
    ALOOP_END;
}

NET_RUN(cancelled_in_the_lookup)

/* It is an operation like any other: it can be raced with others, and loses without a trace. */
CONNECTION_TEST(in_a_select)
{
    ALOOP_BEGIN;
    BEGIN_TEST();
    slow_hosts();
    self->cases[0].op = aloop_open_connection("name", "80", NULL, &self->stream);
    self->cases[1].op = aloop_sleep(ALOOP_MS(300));
    ALOOP_AWAIT(aloop_select(self->cases, 2));
    EXPECT(1);
    assert_int_equal(net.try_count, 2);
    assert_int_equal(net.open, 0);
    self->cases[0].op = aloop_open_connection("name", "80", NULL, &self->stream);
    self->cases[1].op = aloop_open_connection("192.0.2.9", "80", NULL, &self->second);
    HOST(9, 0, ALOOP_MS(20));
    ALOOP_AWAIT(aloop_select(self->cases, 2));
    EXPECT(1);
    assert_false(aloop_stream_is_open(&self->stream));
    assert_true(aloop_stream_is_open(&self->second));
    aloop_stream_close(&self->second);
    ALOOP_END;
}

NET_RUN(in_a_select)

/* Many addresses that fail at once do not keep the others waiting. */
CONNECTION_TEST(others_get_their_turn)
{
    static aloop_address many[100];

    ALOOP_BEGIN;
    fill_addresses(many, 100);
    for (self->i = 0; self->i < 100; self->i++)
        HOST(self->i, -ENETUNREACH, 0);
    self->task = io_start(aloop_connect_any(many, 100, NULL, &self->socket));
    ALOOP_TRY(aloop_sleep(0));
    assert_in_range(net.try_count, 1, 50);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    EXPECT(-ENETUNREACH);
    assert_int_equal(net.try_count, 100);
    ALOOP_END;
}

NET_RUN(others_get_their_turn)

/* --- what can fail beneath --- */

static const enum fault_call calls_beneath[] = {
    FAULT_SOCKET,      FAULT_CONNECT,     FAULT_SETSOCKOPT,    FAULT_GETSOCKOPT,
    FAULT_GETPEERNAME, FAULT_GETADDRINFO, FAULT_THREAD_CREATE, FAULT_EPOLL_CTL};
static const int errors_beneath[] = {EACCES,       EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT,
                                     EALREADY,     EBADF,      ECONNREFUSED,  ECONNRESET,
                                     EHOSTUNREACH, EINVAL,     EISCONN,       EMFILE,
                                     ENETDOWN,     ENETUNREACH, ENFILE,       ENOBUFS,
                                     ENOMEM,       EPERM,      EPROTONOSUPPORT, ETIMEDOUT};

struct beneath {
    ALOOP_FRAME;
    aloop_stream stream;
};

/* Whichever call fails, once: another address may do, or the outcome is an error; with all of them
   failing it is. */
ALOOP_CORO(beneath)
{
    static unsigned n;
    static size_t call;
    static size_t error;
    static bool for_ever;

    ALOOP_BEGIN;
    slow_hosts();
    for (call = 0; call < sizeof calls_beneath / sizeof *calls_beneath; call++) {
        if (sys.epoll_ctl == NULL && calls_beneath[call] == FAULT_EPOLL_CTL)
            continue;
        for (error = 0; error < sizeof errors_beneath / sizeof *errors_beneath; error++) {
            for (n = 1; n <= 8; n++) {
                for_ever = n % 2 == 0;
                if (for_ever)
                    fault_fail_from(calls_beneath[call], n / 2, -errors_beneath[error]);
                else
                    fault_fail(calls_beneath[call], n / 2 + 1, -errors_beneath[error]);
                ALOOP_AWAIT(aloop_open_connection("name", "80", NULL, &self->stream));
                fault_clear(calls_beneath[call]);
                assert_true(self->result <= 0);
                assert_true(aloop_stream_is_open(&self->stream) == (self->result == 0));
                assert_int_equal(net.open, self->result == 0);
                aloop_stream_close(&self->stream);
                assert_int_equal(net.open, 0);
            }
        }
    }
    ALOOP_END;
}

NET_RUN(beneath)

struct memory_run {
    ALOOP_FRAME;
    struct memory_probe *memory;
    aloop_stream stream;
    long n;
};

/* Without memory for whichever of its parts the outcome says so, and nothing is left over. */
ALOOP_CORO(memory_run)
{
    ALOOP_BEGIN;
    slow_hosts();
    for (self->n = 1;; self->n++) {
        memory_probe_fail(self->memory, self->n, true);
        ALOOP_AWAIT(aloop_open_connection("name", "80", NULL, &self->stream));
        memory_probe_fail(self->memory, 0, false);
        if (self->result == 0)
            break;
        assert_int_equal(self->result, -ENOMEM);
        assert_int_equal(net.open, 0);
    }
    assert_true(self->n > 4);
    aloop_stream_close(&self->stream);
    ALOOP_END;
}

static void without_memory(void **state)
{
    static struct memory_probe memory;
    aloop_options options = ALOOP_OPTIONS_INIT;
    aloop_task *task;
    aloop *loop;

    net_install();
    memset(&memory, 0, sizeof memory);
    options.poller = ((const struct io_state *)*state)->poller;
    options.clock = ALOOP_CLOCK_VIRTUAL;
    options.allocator = memory_probe_allocator(&memory);
    assert_int_equal(aloop_new(&options, &loop), 0);
    assert_int_equal(aloop_run_in(loop, memory_run, .memory = &memory), 0);
    aloop_unref(loop);
    assert_int_equal(atomic_load(&memory.bytes), 0);
    /* A loop that is closed over attempts, and over a lookup. */
    for (int turns = 0; turns < 40; turns++) {
        assert_int_equal(aloop_new(&options, &loop), 0);
        task = aloop_create_task_in(loop, opener);
        for (int i = 0; i < turns && !aloop_task_done(task); i++)
            assert_true(aloop_run_once(loop, ALOOP_MS(100)) >= 0);
        assert_int_equal(aloop_close(loop), 0);
        aloop_task_unref(task);
        aloop_unref(loop);
        /* A thread may still be looking up what nobody waits for. */
        while (atomic_load(&memory.bytes) != 0)
            sched_yield();
        assert_int_equal(net.open, 0);
    }
    assert_false(atomic_load(&memory.mistaken));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH_POLLER(test_time_is_up_at_any_moment),
        ON_EACH_POLLER(test_cancelled_at_each_turn),
        ON_EACH_POLLER(test_cancelled_in_the_lookup),
        ON_EACH_POLLER(test_in_a_select),
        ON_EACH_POLLER(test_others_get_their_turn),
        ON_EACH_POLLER(test_beneath),
        ON_EACH_POLLER(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
