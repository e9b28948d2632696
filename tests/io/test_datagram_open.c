/* Opening datagram sockets: options, families, paths, and all that can go wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "datagram_test.h"
#include "memory_probe.h"

#include <stdio.h>
#include <unistd.h>

DATAGRAM_TEST(options_do_what_they_say)
{
    ALOOP_BEGIN;
    assert_int_equal(aloop_datagram_open(NULL, NULL, NULL, NULL, &self->third), -EINVAL);
    assert_int_equal(aloop_address_ip(&self->addresses[0], "127.0.0.1", 0), 0);
    self->options.size = 1;
    assert_int_equal(aloop_datagram_open(NULL, &self->addresses[0], NULL, &self->options,
                                         &self->third),
                     -EINVAL);
    assert_false(aloop_socket_is_open(&self->third));
    open_udp(&self->pair[0], &self->addresses[0], NULL);
    self->options = (aloop_datagram_options)ALOOP_DATAGRAM_OPTIONS_INIT;
    assert_int_equal(aloop_datagram_open(NULL, &self->addresses[0], NULL, &self->options,
                                         &self->third),
                     -EADDRINUSE);
    aloop_socket_close(&self->pair[0]);
    self->options.reuse_port = true;
    for (self->i = 0; self->i < 2; self->i++)
        assert_int_equal(aloop_datagram_open(NULL, &self->addresses[0], NULL, &self->options,
                                             &self->pair[self->i]),
                         0);
    CLOSE_ALL();
    self->options.reuse_port = false;
    self->options.reuse_address = true;
    for (self->i = 0; self->i < 2; self->i++)
        assert_int_equal(aloop_datagram_open(NULL, &self->addresses[0], NULL, &self->options,
                                             &self->pair[self->i]),
                         0);
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(options_do_what_they_say)

DATAGRAM_TEST(broadcast_must_be_asked_for)
{
    ALOOP_BEGIN;
    assert_int_equal(aloop_address_ip(&self->addresses[0], "0.0.0.0", 0), 0);
    assert_int_equal(aloop_datagram_open(NULL, &self->addresses[0], NULL, NULL, &self->pair[0]), 0);
    assert_int_equal(aloop_socket_address(&self->pair[0], &self->addresses[0]), 0);
    self->i = aloop_address_port(&self->addresses[0]);
    assert_int_equal(aloop_address_ip(&self->addresses[1], "127.255.255.255", (unsigned)self->i),
                     0);
    ALOOP_AWAIT(aloop_send_to(&self->pair[0], "abc", 3, &self->addresses[1]));
    EXPECT(-EACCES);
    self->options = (aloop_datagram_options)ALOOP_DATAGRAM_OPTIONS_INIT;
    self->options.broadcast = true;
    assert_int_equal(aloop_address_ip(&self->addresses[0], "127.0.0.1", 0), 0);
    assert_int_equal(aloop_datagram_open(NULL, &self->addresses[0], NULL, &self->options,
                                         &self->pair[1]),
                     0);
    ALOOP_TRY(aloop_send_to(&self->pair[1], "abc", 3, &self->addresses[1]));
    RECEIVE(&self->pair[0], "abc");
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(broadcast_must_be_asked_for)

DATAGRAM_TEST(ip6_and_both)
{
    ALOOP_BEGIN;
    self->options = (aloop_datagram_options)ALOOP_DATAGRAM_OPTIONS_INIT;
    for (self->i = 0; self->i < 2; self->i++) {
        self->options.dual_stack = self->i == 1;
        assert_int_equal(aloop_address_ip(&self->addresses[0], "::", 0), 0);
        assert_int_equal(aloop_datagram_open(NULL, &self->addresses[0], NULL, &self->options,
                                             &self->pair[0]),
                         0);
        assert_int_equal(aloop_socket_address(&self->pair[0], &self->addresses[0]), 0);
        self->count = aloop_address_port(&self->addresses[0]);
        assert_int_equal(aloop_address_ip(&self->addresses[0], "::1", (unsigned)self->count), 0);
        assert_int_equal(aloop_address_ip(&self->addresses[1], "127.0.0.1", (unsigned)self->count),
                         0);
        assert_int_equal(aloop_datagram_open(NULL, NULL, &self->addresses[0], NULL,
                                             &self->pair[1]),
                         0);
        ALOOP_TRY(aloop_send_to(&self->pair[1], "six", 3, NULL));
        RECEIVE(&self->pair[0], "six");
        ALOOP_TRY(aloop_send_to(&self->pair[0], "back", 4, &self->from));
        RECEIVE(&self->pair[1], "back");
        assert_int_equal(aloop_datagram_open(NULL, NULL, &self->addresses[1], NULL, &self->third),
                         0);
        ALOOP_TRY(aloop_send_to(&self->third, "four", 4, NULL));
        if (self->options.dual_stack)
            RECEIVE(&self->pair[0], "four");
        assert_int_equal(aloop_datagram_set_hops(&self->pair[0], 7), 0);
        assert_int_equal(aloop_datagram_set_hops(&self->third, 8), 0);
        assert_int_equal(aloop_datagram_set_hops(&self->third, 0), -EINVAL);
        assert_int_equal(aloop_datagram_set_hops(&self->third, 256), -EINVAL);
        CLOSE_ALL();
        assert_int_equal(aloop_datagram_set_hops(&self->third, 8), -EBADF);
    }
    OPEN_PAIR();
    assert_int_equal(aloop_datagram_set_hops(&self->pair[0], 8), -EAFNOSUPPORT);
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(ip6_and_both)

static void unix_path(aloop_address *address, const char *folder, const char *name)
{
    char path[96];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(aloop_address_unix(address, path), 0);
}

/* By path, and the path of one that is gone is no hindrance; but somebody else's is his. */
DATAGRAM_TEST(unix_paths)
{
    ALOOP_BEGIN;
    strcpy(self->small, "/tmp/aloop-datagram-XXXXXX");
    assert_non_null(mkdtemp(self->small));
    unix_path(&self->addresses[0], self->small, "a");
    unix_path(&self->addresses[1], self->small, "b");
    self->data = strdup(self->small);
    for (self->i = 0; self->i < 2; self->i++) {
        assert_int_equal(aloop_datagram_open(NULL, &self->addresses[0], NULL, NULL,
                                             &self->pair[0]),
                         0);
        assert_int_equal(aloop_datagram_open(NULL, &self->addresses[0], NULL, NULL, &self->third),
                         -EADDRINUSE);
        /* Nor is a socket of another type, that cannot even be asked, taken for abandoned. */
        assert_int_equal(aloop_socket_listen(NULL, &self->addresses[0], NULL, &self->third),
                         -EADDRINUSE);
        assert_int_equal(aloop_datagram_open(NULL, &self->addresses[1], &self->addresses[0], NULL,
                                             &self->pair[1]),
                         0);
        ALOOP_TRY(aloop_send_to(&self->pair[1], "abc", 3, NULL));
        RECEIVE(&self->pair[0], "abc");
        assert_true(same_address(&self->from, &self->addresses[1]));
        ALOOP_TRY(aloop_send_to(&self->pair[0], "def", 3, &self->from));
        RECEIVE(&self->pair[1], "def");
        /* Without a name it can send, and not be answered. */
        assert_int_equal(aloop_datagram_open(NULL, NULL, &self->addresses[0], NULL, &self->third),
                         0);
        ALOOP_TRY(aloop_send_to(&self->third, "ghi", 3, NULL));
        memset(&self->from, 0xff, sizeof self->from);
        RECEIVE(&self->pair[0], "ghi");
        assert_int_equal(self->from.length, 0);
        assert_int_equal(aloop_address_format(&self->from, self->small, sizeof self->small), 7);
        assert_string_equal(self->small, "unnamed");
        CLOSE_ALL();
    }
    assert_int_equal(aloop_datagram_open(NULL, NULL, &self->addresses[0], NULL, &self->third),
                     -ECONNREFUSED);
    /* One that is bound, and then not connected, leaves no file: what was there was abandoned. */
    assert_int_equal(aloop_datagram_open(NULL, &self->addresses[1], &self->addresses[0], NULL,
                                         &self->third),
                     -ECONNREFUSED);
    (void)snprintf(self->small, sizeof self->small, "%s/b", self->data);
    assert_int_equal(access(self->small, F_OK), -1);
    /* A file that is no socket refuses connections as an abandoned socket does, and stays. */
    self->i = open(self->small, O_WRONLY | O_CREAT, 0600);
    assert_true(self->i >= 0);
    assert_int_equal(close(self->i), 0);
    assert_int_equal(aloop_datagram_open(NULL, &self->addresses[1], NULL, NULL, &self->third),
                     -EADDRINUSE);
    assert_int_equal(unlink(self->small), 0);
    (void)snprintf(self->small, sizeof self->small, "%s/a", self->data);
    assert_int_equal(unlink(self->small), 0);
    assert_int_equal(rmdir(self->data), 0);
    free(self->data);
    ALOOP_END;
}

DATAGRAM_RUN(unix_paths)

#ifdef __linux__
/* A client that gives itself no name gets one, and answers. */
DATAGRAM_TEST(unix_names_by_the_system)
{
    ALOOP_BEGIN;
    for (self->i = 0; self->i < 2; self->i++) {
        self->addresses[self->i] = (aloop_address){.length = sizeof(sa_family_t)};
        self->addresses[self->i].storage.ss_family = AF_UNIX;
        assert_int_equal(aloop_datagram_open(NULL, &self->addresses[self->i],
                                             self->i == 0 ? NULL : &self->addresses[0], NULL,
                                             &self->pair[self->i]),
                         0);
        assert_int_equal(aloop_socket_address(&self->pair[self->i], &self->addresses[self->i]), 0);
    }
    ALOOP_TRY(aloop_send_to(&self->pair[1], "abc", 3, NULL));
    RECEIVE(&self->pair[0], "abc");
    ALOOP_TRY(aloop_send_to(&self->pair[0], "def", 3, &self->from));
    RECEIVE(&self->pair[1], "def");
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(unix_names_by_the_system)
#endif

/* P119: whichever call fails while opening, nothing stays open, and the error is told. */
static int open_one(const aloop_address *address, aloop_socket *socket)
{
    aloop_datagram_options options = ALOOP_DATAGRAM_OPTIONS_INIT;

    options.broadcast = true;
    options.reuse_address = true;
    options.reuse_port = true;
    return aloop_datagram_open(NULL, address, address, &options, socket);
}

DATAGRAM_TEST(a_failed_open_leaves_nothing)
{
    static const enum fault_call calls[] = {FAULT_SOCKET, FAULT_SETSOCKOPT, FAULT_BIND,
                                            FAULT_CONNECT};

    ALOOP_BEGIN;
    fault_install();
    assert_int_equal(aloop_address_ip(&self->addresses[0], "127.0.0.1", 0), 0);
    for (self->i = 0; self->i < 4; self->i++) {
        for (self->count = 1;; self->count++) {
            int before = io_count_fds();
            unsigned failures = fault_failures(calls[self->i]);

            fault_fail(calls[self->i], (unsigned)self->count, -ENOBUFS);
            if (open_one(&self->addresses[0], &self->third) == 0)
                break;
            assert_int_equal(fault_failures(calls[self->i]), failures + 1);
            assert_int_equal(io_count_fds(), before);
            assert_false(aloop_socket_is_open(&self->third));
        }
        assert_true(self->count > 1);
        fault_clear(calls[self->i]);
        aloop_socket_close(&self->third);
    }
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(a_failed_open_leaves_nothing)

static void without_memory(void **state)
{
    struct memory_probe memory = {0};
    aloop_options options = ALOOP_OPTIONS_INIT;
    aloop_address address;
    aloop_socket socket = {0};
    aloop *loop;
    int fds = io_count_fds();

    options.poller = ((const struct io_state *)*state)->poller;
    options.allocator = memory_probe_allocator(&memory);
    assert_int_equal(aloop_address_ip(&address, "127.0.0.1", 0), 0);
    for (long n = 1;; n++) {
        int error;

        assert_int_equal(aloop_new(&options, &loop), 0);
        memory_probe_fail(&memory, n, false);
        error = aloop_datagram_open(loop, &address, NULL, NULL, &socket);
        memory_probe_fail(&memory, 0, false);
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
        ON_EACH_POLLER(test_options_do_what_they_say),
        ON_EACH_POLLER(test_broadcast_must_be_asked_for),
        ON_EACH_POLLER(test_ip6_and_both),
        ON_EACH_POLLER(test_unix_paths),
#ifdef __linux__
        ON_EACH_POLLER(test_unix_names_by_the_system),
#endif
        ON_EACH_POLLER(test_a_failed_open_leaves_nothing),
        ON_EACH_POLLER(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
