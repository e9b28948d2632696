/* The life of a socket: made, adopted, closed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pair_test.h"
#include <stdlib.h>
#include <unistd.h>

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

static void never(aloop *loop, void *arg)
{
    (void)loop;
    (void)arg;
    fail();
}

/* S39: the fd of a live socket is the library's to watch. A second registration would take the
   place of the first, and who waits on the socket would wait for ever. */
TEST_CORO(a_reader_on_a_socket_is_refused)
{
    ALOOP_BEGIN;
    OPEN_PAIR();
    self->task = io_start(aloop_recv(&self->pair[0], self->small, 16));
    TURNS();
    assert_int_equal(aloop_add_reader(aloop_get_running_loop(), aloop_socket_fd(&self->pair[0]),
                                      never, NULL),
                     -EBUSY);
    assert_int_equal(aloop_add_writer(aloop_get_running_loop(), aloop_socket_fd(&self->pair[0]),
                                      never, NULL),
                     -EBUSY);
    assert_false(aloop_remove_reader(aloop_get_running_loop(), aloop_socket_fd(&self->pair[0])));
    ALOOP_TRY(aloop_send_all(&self->pair[1], "x", 1));
    ALOOP_AWAIT(aloop_join_unref(self->task));
    assert_int_equal(self->result, 1);
    close_pair(self->pair);
    ALOOP_END;
}

RUN_TEST(a_reader_on_a_socket_is_refused)

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

struct seen {
    size_t sockets;
    int fds; /* their sum */
};

static void see(const aloop_alive *alive, void *arg)
{
    struct seen *seen = arg;

    if (alive->kind != ALOOP_ALIVE_SOCKET)
        return;
    seen->sockets++;
    seen->fds += alive->fd;
    assert_true(alive->callback == NULL);
    assert_null(alive->name);
    assert_int_equal(alive->deadline, ALOOP_NEVER);
}

/* What closing the loop would throw away is told before, on request. */
static void a_walk_tells_of_sockets(void **state)
{
    aloop *loop = io_loop(state, ALOOP_CLOCK_VIRTUAL);
    struct seen seen = {0};
    aloop_socket pair[2];

    assert_int_equal(aloop_socket_pair(loop, pair), 0);
    assert_int_equal(aloop_walk(loop, see, &seen), 2);
    assert_int_equal(seen.sockets, 2);
    assert_int_equal(seen.fds, aloop_socket_fd(&pair[0]) + aloop_socket_fd(&pair[1]));
    aloop_socket_close(&pair[0]);
    assert_int_equal(aloop_walk(loop, see, &seen), 1);
    assert_int_equal(aloop_close(loop), 0);
    assert_int_equal(aloop_walk(loop, see, &seen), 0);
    aloop_unref(loop);
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
    if (is_epoll && sys.epoll_ctl != NULL && sys.kevent == NULL) {
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
    const enum fault_call call = io_registering(state);
    aloop *loop = io_loop(state, ALOOP_CLOCK_VIRTUAL);
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
        ON_EACH_POLLER(test_closing_wakes_who_waits),
        ON_EACH_POLLER(test_a_reader_on_a_socket_is_refused),
        ON_EACH_POLLER(test_a_stale_copy_names_nothing),
        ON_EACH_POLLER(test_a_zero_socket_names_nothing),
        ON_EACH_POLLER(test_an_error_of_close_is_nothing),
        ON_EACH_POLLER(a_walk_tells_of_sockets),
        ON_EACH_POLLER(closing_the_loop_closes_sockets),
        ON_EACH_POLLER(adopting),
        ON_EACH_POLLER(adopting_fails_and_leaves_the_fd),
        ON_EACH_POLLER(a_pair_is_made_whole_or_not_at_all),
        ON_EACH_POLLER(a_socket_is_awaited_in_its_own_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
