/*
 * What the tests of sockets share: a loop on each poller, and the promise that no test leaves an fd
 * open. Include behind cmocka's headers.
 */
#ifndef ALOOP_TESTS_IO_TEST_H
#define ALOOP_TESTS_IO_TEST_H

#include "fault.h"
#include "io/internal.h"
#include <aloop.h>
#include <fcntl.h>

/* What cmocka hands to a test: the poller, and the fds that were open before. */
struct io_state {
    aloop_poller_kind poller;
    int fds;
    struct sys sys; /* the table, which tests replace members of */
};

static struct io_state io_default ALOOP_UNUSED = {.poller = ALOOP_POLLER_DEFAULT};
static struct io_state io_poll ALOOP_UNUSED = {.poller = ALOOP_POLLER_POLL};

static int io_count_fds(void)
{
    int count = 0;

    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static int io_setup(void **state)
{
    struct io_state *self = *state;

    self->fds = io_count_fds();
    self->sys = sys;
    return 0;
}

static int io_teardown(void **state)
{
    const struct io_state *self = *state;

    fault_reset();
    sys = self->sys;
    assert_int_equal(io_count_fds(), self->fds);
    return 0;
}

/* The test, once with each poller. */
#define ON_EACH_POLLER(test)                                                                       \
    {#test " (default)", test, io_setup, io_teardown, &io_default},                                \
        {#test " (poll)", test, io_setup, io_teardown, &io_poll}

/* A loop for the test; time is virtual unless the network is involved. */
static inline aloop *io_loop(void **state, aloop_clock clock)
{
    aloop_options options = ALOOP_OPTIONS_INIT;
    aloop *loop = NULL;

    options.poller = ((const struct io_state *)*state)->poller;
    options.clock = clock;
    assert_int_equal(aloop_new(&options, &loop), 0);
    return loop;
}

/* Runs a coroutine that asserts by itself, and returns 0, on a loop of its own. */
#define io_run(state, clock, ...)                                                                  \
    do {                                                                                           \
        aloop *io_loop_ = io_loop((state), (clock));                                               \
                                                                                                   \
        assert_int_equal(aloop_run_in(io_loop_, __VA_ARGS__), 0);                                  \
        aloop_unref(io_loop_);                                                                     \
    } while (0)

/* The call by which the poller hears of a new fd. With kqueue that is the call that waits as well,
   so no test can make the one fail without the other. */
static inline enum fault_call io_registering(void **state)
{
    if (((const struct io_state *)*state)->poller == ALOOP_POLLER_POLL)
        return FAULT_FD_IS_POLLABLE;
    if (sys.epoll_ctl == NULL || sys.kevent != NULL)
        skip();
    return FAULT_EPOLL_CTL;
}

/* A TCP socket that listens on a free port of the loopback, and its address. */
static inline void io_listen(aloop_socket *listener, aloop_address *address)
{
    assert_int_equal(aloop_address_ip(address, "127.0.0.1", 0), 0);
    assert_int_equal(aloop_socket_listen(NULL, address, NULL, listener), 0);
    assert_int_equal(aloop_socket_address(listener, address), 0);
}

/* Awaits one operation and returns what came of it: for tests that need somebody else to wait. */
struct io_await {
    ALOOP_FRAME;
    aloop_op op;
};

ALOOP_CORO(io_await)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(self->op);
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

/* A task that does just that; the op must not be built from anything that goes out of scope. */
static inline aloop_task *io_start(aloop_op op)
{
    return aloop_create_task(io_await, .op = op);
}

#endif
