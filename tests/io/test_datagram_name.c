/* Datagram sockets whose peer is known by name: the lookup, the addresses, cancelling, and all that
   fails. The resolver is the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "datagram_test.h"
#include "memory_probe.h"

#include <netdb.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>

static struct {
    sem_t begun, open;
    atomic_int ended;
    bool waits;
    int type;
} resolver;

/* "both": an address that there is no way to, and this machine. It answers as the true one does,
   which is asked for numbers. */
static int resolve(const char *host, const char *service, const struct addrinfo *hints,
                   struct addrinfo **out_list)
{
    struct addrinfo *first, *second;

    if (strcmp(host, "both") != 0)
        return sys_default.getaddrinfo(host, service, hints, out_list);
    if (hints->ai_flags & AI_NUMERICHOST)
        return -ALOOP_ENONAME;
    resolver.type = hints->ai_socktype;
    (void)sem_post(&resolver.begun);
    while (resolver.waits && sem_wait(&resolver.open) < 0)
        continue;
    if (sys_default.getaddrinfo("127.0.0.1", service, hints, &first) < 0)
        return -ALOOP_ENAMEFAIL;
    if (sys_default.getaddrinfo("127.0.0.2", service, hints, &second) < 0) {
        sys_freeaddrinfo(first);
        return -ALOOP_ENAMEFAIL;
    }
    first->ai_next = second;
    *out_list = first;
    atomic_fetch_add(&resolver.ended, 1);
    return 0;
}

static void use_resolver(bool waits)
{
    assert_int_equal(sem_init(&resolver.begun, 0, 0), 0);
    assert_int_equal(sem_init(&resolver.open, 0, 0), 0);
    atomic_store(&resolver.ended, 0);
    resolver.waits = waits;
    sys.getaddrinfo = resolve;
}

DATAGRAM_TEST(by_number_and_by_name)
{
    ALOOP_BEGIN;
    use_resolver(false);
    open_udp(&self->pair[0], &self->addresses[0], NULL);
    self->data = malloc(16);
    (void)snprintf(self->data, 16, "%d", aloop_address_port(&self->addresses[0]));
    for (self->i = 0; self->i < 2; self->i++) {
        ALOOP_TRY(aloop_datagram_connect(self->i == 0 ? "127.0.0.1" : "both", self->data, NULL,
                                         &self->pair[1]));
        EXPECT(0);
        ALOOP_TRY(aloop_send_to(&self->pair[1], "abc", 3, NULL));
        RECEIVE(&self->pair[0], "abc");
        ALOOP_TRY(aloop_send_to(&self->pair[0], "def", 3, &self->from));
        RECEIVE(&self->pair[1], "def");
        aloop_socket_close(&self->pair[1]);
    }
    assert_int_equal(resolver.type, SOCK_DGRAM);
    free(self->data);
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(by_number_and_by_name)

/* The next address, where there is no way to the first; and the first error if there is none to
   any. */
DATAGRAM_TEST(each_address_is_tried)
{
    ALOOP_BEGIN;
    use_resolver(false);
    fault_install();
    fault_fail(FAULT_CONNECT, 1, -ENETUNREACH);
    ALOOP_TRY(aloop_datagram_connect("both", "9", NULL, &self->pair[0]));
    assert_int_equal(aloop_socket_peer(&self->pair[0], &self->addresses[0]), 0);
    assert_int_equal(aloop_address_ip(&self->addresses[1], "127.0.0.2", 9), 0);
    assert_true(same_address(&self->addresses[0], &self->addresses[1]));
    fault_fail_from(FAULT_CONNECT, 1, -EACCES);
    fault_fail(FAULT_SOCKET, 2, -ENFILE);
    ALOOP_AWAIT(aloop_datagram_connect("both", "9", NULL, &self->pair[1]));
    EXPECT(-EACCES);
    fault_clear(FAULT_CONNECT);
    ALOOP_AWAIT(aloop_datagram_connect("both", "9", &self->options, &self->pair[1]));
    EXPECT(-EINVAL);
    fault_fail_from(FAULT_GETADDRINFO, 1, -ALOOP_ENAMEAGAIN);
    ALOOP_AWAIT(aloop_datagram_connect("both", "9", NULL, &self->pair[1]));
    EXPECT(-ALOOP_ENAMEAGAIN);
    assert_false(aloop_socket_is_open(&self->pair[1]));
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(each_address_is_tried)

/* Cancelled during the lookup, it ends at once, and the late answer is nobody's. */
DATAGRAM_TEST(cancelled_during_the_lookup)
{
    ALOOP_BEGIN;
    use_resolver(true);
    self->task = io_start(aloop_datagram_connect("both", "9", NULL, &self->pair[0]));
    ALOOP_TRY(aloop_sleep(0));
    while (sem_wait(&resolver.begun) < 0)
        continue;
    aloop_task_cancel(self->task);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    EXPECT(-ECANCELED);
    assert_int_equal(sem_post(&resolver.open), 0);
    while (atomic_load(&resolver.ended) == 0)
        sched_yield();
    /* The answer is there, and it has not run yet. */
    self->task = io_start(aloop_datagram_connect("both", "9", NULL, &self->pair[0]));
    ALOOP_TRY(aloop_sleep(0));
    assert_int_equal(sem_post(&resolver.open), 0);
    while (atomic_load(&resolver.ended) == 1)
        sched_yield();
    aloop_task_cancel(self->task);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    EXPECT(-ECANCELED);
    assert_false(aloop_socket_is_open(&self->pair[0]));
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(cancelled_during_the_lookup)

struct one {
    ALOOP_FRAME;
    aloop_socket socket;
};

ALOOP_CORO(one)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_datagram_connect("both", "9", NULL, &self->socket));
    aloop_socket_close(&self->socket);
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

/* P119 */
static void without_memory(void **state)
{
    struct memory_probe memory = {0};
    aloop_options options = ALOOP_OPTIONS_INIT;
    int fds = io_count_fds();

    options.poller = ((const struct io_state *)*state)->poller;
    options.allocator = memory_probe_allocator(&memory);
    use_resolver(false);
    for (long n = 1;; n++) {
        aloop *loop;
        aloop_task *task;
        int64_t error;

        assert_int_equal(aloop_new(&options, &loop), 0);
        task = aloop_create_task_in(loop, one);
        memory_probe_fail(&memory, n, false);
        error = aloop_run_until_complete(loop, task);
        memory_probe_fail(&memory, 0, false);
        aloop_task_unref(task);
        aloop_unref(loop);
        assert_int_equal(io_count_fds(), fds);
        assert_int_equal(atomic_load(&memory.bytes), 0);
        if (error == 0)
            break;
        assert_int_equal(error, -ENOMEM);
        assert_true(n < 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH_POLLER(test_by_number_and_by_name),
        ON_EACH_POLLER(test_each_address_is_tried),
        ON_EACH_POLLER(test_cancelled_during_the_lookup),
        ON_EACH_POLLER(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
