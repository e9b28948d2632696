/* Fds that travel through Unix sockets, and who is at the other end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io_test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LARGE ((size_t)1 << 20)

#define FDS_TEST(name)                                                                             \
    struct name {                                                                                  \
        ALOOP_FRAME;                                                                               \
        aloop_socket pair[2];                                                                      \
        aloop_fds out;                                                                             \
        aloop_fds in;                                                                              \
        aloop_credentials credentials;                                                             \
        aloop_task *task;                                                                          \
        char *data;                                                                                \
        char *buffer;                                                                              \
        size_t count;                                                                              \
        int i;                                                                                     \
        int before;                                                                                \
        int sent[ALOOP_FDS_MAX];                                                                   \
        int got[ALOOP_FDS_MAX];                                                                    \
        char small[16];                                                                            \
    };                                                                                             \
    ALOOP_CORO(name)

#define FDS_RUN(name)                                                                              \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        io_run(state, ALOOP_CLOCK_VIRTUAL, name);                                                  \
    }

/* So many fds to send, and place for as many. */
#define OPEN(number)                                                                               \
    do {                                                                                           \
        assert_int_equal(aloop_socket_pair(NULL, self->pair), 0);                                  \
        self->out = (aloop_fds){.items = self->sent, .count = (number)};                           \
        self->in = (aloop_fds){.items = self->got, .capacity = (number)};                          \
        for (self->i = 0; self->i < (number); self->i++)                                           \
            self->sent[self->i] = dup(0);                                                          \
    } while (0)
#define CLOSE()                                                                                    \
    do {                                                                                           \
        aloop_socket_close(&self->pair[0]);                                                        \
        aloop_socket_close(&self->pair[1]);                                                        \
        close_fds(&self->out);                                                                     \
        close_fds(&self->in);                                                                      \
    } while (0)
#define TURNS()                                                                                    \
    for (self->i = 0; self->i < 60; self->i++)                                                     \
    ALOOP_TRY(aloop_sleep(0))
#define EXPECT(outcome) assert_int_equal(self->result, outcome)

static void close_fds(aloop_fds *fds)
{
    while (fds->count > 0)
        assert_int_equal(close(fds->items[--fds->count]), 0);
}

/* P107: what arrives is another number for the same file, and close-on-exec. */
FDS_TEST(an_fd_arrives)
{
    ALOOP_BEGIN;
    OPEN(0);
    assert_int_equal(pipe(self->sent), 0);
    self->out.count = 2;
    self->in.capacity = 4;
    ALOOP_TRY(aloop_send_fds(&self->pair[0], "xyz", 3, &self->out));
    EXPECT(3);
    /* It is on its way: the sender may let go of it. */
    close_fds(&self->out);
    ALOOP_TRY(aloop_recv_fds(&self->pair[1], self->small, sizeof self->small, &self->in));
    EXPECT(3);
    assert_memory_equal(self->small, "xyz", 3);
    assert_int_equal(self->in.count, 2);
    assert_int_equal(write(self->got[1], "!", 1), 1);
    assert_int_equal(read(self->got[0], self->small, 1), 1);
    for (self->i = 0; self->i < 2; self->i++)
        assert_int_equal(fcntl(self->got[self->i], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    CLOSE();
    ALOOP_END;
}

FDS_RUN(an_fd_arrives)

/* As many as the system allows at once, and none at all, which is a plain send. */
FDS_TEST(many_and_none)
{
    ALOOP_BEGIN;
    OPEN(ALOOP_FDS_MAX);
    ALOOP_TRY(aloop_send_fds(&self->pair[0], "x", 1, &self->out));
    ALOOP_TRY(aloop_recv_fds(&self->pair[1], self->small, 16, &self->in));
    EXPECT(1);
    assert_int_equal(self->in.count, ALOOP_FDS_MAX);
    close_fds(&self->in);
    close_fds(&self->out);
    ALOOP_TRY(aloop_send_fds(&self->pair[0], "y", 1, &self->out));
    self->in.count = 7;
    ALOOP_TRY(aloop_recv_fds(&self->pair[1], self->small, 16, &self->in));
    EXPECT(1);
    assert_int_equal(self->in.count, 0);
    CLOSE();
    ALOOP_END;
}

FDS_RUN(many_and_none)

FDS_TEST(misuse_is_told)
{
    ALOOP_BEGIN;
    OPEN(1);
    ALOOP_AWAIT(aloop_send_fds(&self->pair[0], "", 0, &self->out));
    EXPECT(-EINVAL);
    self->out.count = ALOOP_FDS_MAX + 1;
    ALOOP_AWAIT(aloop_send_fds(&self->pair[0], "x", 1, &self->out));
    EXPECT(-EINVAL);
    self->out.count = 0;
    ALOOP_AWAIT(aloop_send_fds(&self->pair[0], "", 0, &self->out));
    EXPECT(0);
    ALOOP_AWAIT(aloop_recv_fds(&self->pair[1], self->small, 0, &self->in));
    EXPECT(0);
    assert_int_equal(self->in.count, 0);
    /* One that is not open: nothing is sent. */
    self->got[0] = 1000000;
    self->in = (aloop_fds){.items = self->got, .count = 1};
    ALOOP_AWAIT(aloop_send_fds(&self->pair[0], "x", 1, &self->in));
    EXPECT(-EBADF);
    self->in = (aloop_fds){.items = self->got, .capacity = 1};
    ALOOP_AWAIT(aloop_wait_for(aloop_recv_fds(&self->pair[1], self->small, 1, &self->in),
                               ALOOP_SEC(1)));
    EXPECT(-ETIMEDOUT);
    self->out.count = 1;
    aloop_socket_close(&self->pair[0]);
    ALOOP_AWAIT(aloop_send_fds(&self->pair[0], "x", 1, &self->out));
    EXPECT(-EBADF);
    self->in.count = 1;
    ALOOP_AWAIT(aloop_recv_fds(&self->pair[0], self->small, 1, &self->in));
    EXPECT(-EBADF);
    assert_int_equal(self->in.count, 0);
    ALOOP_AWAIT(aloop_recv_fds(&self->pair[1], self->small, 1, &self->in));
    EXPECT(0);
    /* P78: no signal. */
    ALOOP_AWAIT(aloop_send_fds(&self->pair[1], "x", 1, &self->out));
    EXPECT(-EPIPE);
    CLOSE();
    ALOOP_END;
}

FDS_RUN(misuse_is_told)

/* P80: however small the pieces are that the bytes go in, the fds go once. With each piece they
   would arrive many times, and the receiver's table fill up. */
FDS_TEST(pieces_carry_the_fds_once)
{
    ALOOP_BEGIN;
    for (self->count = 1; self->count < 12; self->count++) {
        OPEN(1);
        fault_install();
        fault_cut_to(self->count);
        ALOOP_TRY(aloop_send_fds(&self->pair[0], "0123456789", 10, &self->out));
        EXPECT(10);
        assert_int_equal(fault_count(FAULT_SEND_FDS), 1);
        fault_reset();
        self->before = 0;
        for (self->i = 0; self->i < 10; self->i += (int)self->result) {
            ALOOP_TRY(aloop_recv_fds(&self->pair[1], self->small + self->i,
                                     (size_t)(10 - self->i), &self->in));
            self->before += (int)self->in.count;
            close_fds(&self->in);
        }
        assert_memory_equal(self->small, "0123456789", 10);
        assert_int_equal(self->before, 1);
        CLOSE();
    }
    ALOOP_END;
}

FDS_RUN(pieces_carry_the_fds_once)

/* The same where the socket has no more room, and where it has none at first. */
FDS_TEST(much_behind_an_fd)
{
    ALOOP_BEGIN;
    OPEN(1);
    self->data = malloc(LARGE);
    self->buffer = malloc(LARGE);
    memset(self->data, 'x', LARGE);
    self->task = io_start(aloop_send_all(&self->pair[0], self->data, LARGE));
    TURNS();
    ALOOP_AWAIT(aloop_send_fds(&self->pair[0], "x", 1, &self->out));
    EXPECT(-EBUSY);
    ALOOP_TRY(aloop_recv_exactly(&self->pair[1], self->buffer, LARGE));
    ALOOP_TRY(aloop_join_unref(self->task));
    do {
        ALOOP_AWAIT(aloop_wait_for(aloop_send(&self->pair[0], self->data, 4096), ALOOP_MS(1)));
        self->before += self->result > 0 ? (int)self->result : 0;
    } while (self->result > 0);
    self->task = io_start(aloop_send_fds(&self->pair[0], self->data, LARGE, &self->out));
    TURNS();
    assert_false(aloop_task_done(self->task));
    ALOOP_TRY(aloop_recv_exactly(&self->pair[1], self->buffer, (size_t)self->before));
    ALOOP_TRY(aloop_recv_fds(&self->pair[1], self->buffer, LARGE, &self->in));
    assert_int_equal(self->in.count, 1);
    close_fds(&self->in);
    for (self->count = (size_t)self->result; self->count < LARGE;
         self->count += (size_t)self->result) {
        ALOOP_TRY(aloop_recv_fds(&self->pair[1], self->buffer, LARGE, &self->in));
        assert_int_equal(self->in.count, 0);
    }
    ALOOP_TRY(aloop_join_unref(self->task));
    EXPECT(LARGE);
    free(self->data);
    free(self->buffer);
    CLOSE();
    ALOOP_END;
}

FDS_RUN(much_behind_an_fd)

/* More than there is place for: closed, all of them, and no half is given. */
FDS_TEST(more_than_there_is_place_for)
{
    ALOOP_BEGIN;
    OPEN(3);
    self->in.capacity = 2;
    self->before = io_count_fds();
    ALOOP_TRY(aloop_send_fds(&self->pair[0], "x", 1, &self->out));
    ALOOP_AWAIT(aloop_recv_fds(&self->pair[1], self->small, 16, &self->in));
    EXPECT(-EMSGSIZE);
    assert_int_equal(self->in.count, 0);
    assert_int_equal(io_count_fds(), self->before);
    /* A plain receiver gets the bytes, and the system closes the fds. */
    ALOOP_TRY(aloop_send_fds(&self->pair[0], "y", 1, &self->out));
    ALOOP_TRY(aloop_recv(&self->pair[1], self->small, 16));
    EXPECT(1);
    assert_int_equal(io_count_fds(), self->before);
    CLOSE();
    ALOOP_END;
}

FDS_RUN(more_than_there_is_place_for)

/* P88, P108, P89. */
FDS_TEST(waiting_for_fds)
{
    ALOOP_BEGIN;
    OPEN(1);
    self->before = io_count_fds();
    self->task = io_start(aloop_recv_fds(&self->pair[1], self->small, 16, &self->in));
    TURNS();
    assert_false(aloop_task_done(self->task));
    ALOOP_AWAIT(aloop_recv_fds(&self->pair[1], self->small, 16, &self->in));
    EXPECT(-EBUSY);
    ALOOP_AWAIT(aloop_recv(&self->pair[1], self->small, 16));
    EXPECT(-EBUSY);
    ALOOP_TRY(aloop_send_fds(&self->pair[0], "x", 1, &self->out));
    watch_collect(aloop_get_running_loop(), socket_watch(&self->pair[1]), POLLER_READ);
    aloop_task_cancel(self->task);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    EXPECT(-ECANCELED);
    assert_int_equal(io_count_fds(), self->before);
    self->task = io_start(aloop_recv_fds(&self->pair[1], self->small, 16, &self->in));
    ALOOP_TRY(aloop_join_unref(self->task));
    EXPECT(1);
    assert_int_equal(self->in.count, 1);
    close_fds(&self->in);
    self->task = io_start(aloop_recv_fds(&self->pair[1], self->small, 16, &self->in));
    TURNS();
    aloop_socket_close(&self->pair[1]);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    EXPECT(-ECANCELED);
    CLOSE();
    ALOOP_END;
}

FDS_RUN(waiting_for_fds)

/* P88, P89, of who waits to send: nobody comes between, and an error ends the wait, and no more. */
FDS_TEST(waiting_to_send_fds)
{
    ALOOP_BEGIN;
    OPEN(1);
    self->data = calloc(1, LARGE);
    ALOOP_AWAIT(aloop_wait_for(aloop_send_all(&self->pair[0], self->data, LARGE), ALOOP_SEC(1)));
    EXPECT(-ETIMEDOUT);
    self->task = io_start(aloop_send_fds(&self->pair[0], "x", 1, &self->out));
    TURNS();
    assert_false(aloop_task_done(self->task));
    ALOOP_AWAIT(aloop_send_fds(&self->pair[0], "x", 1, &self->out));
    EXPECT(-EBUSY);
    ALOOP_AWAIT(aloop_send(&self->pair[0], "x", 1));
    EXPECT(-EBUSY);
    fault_install();
    fault_fail(FAULT_SEND_FDS, 1, -ETOOMANYREFS);
    while (!aloop_task_done(self->task))
        ALOOP_AWAIT(aloop_wait_for(aloop_recv(&self->pair[1], self->data, LARGE), ALOOP_SEC(1)));
    ALOOP_AWAIT(aloop_join_unref(self->task));
    EXPECT(-ETOOMANYREFS);
    ALOOP_TRY(aloop_send_fds(&self->pair[0], "x", 1, &self->out));
    EXPECT(1);
    CLOSE();
    free(self->data);
    ALOOP_END;
}

FDS_RUN(waiting_to_send_fds)

FDS_TEST(errors_of_the_system_come_as_they_are)
{
    static const int errors[] = {-ECONNRESET, -ENOBUFS, -ENOMEM, -EPERM, -ETOOMANYREFS};

    ALOOP_BEGIN;
    OPEN(1);
    fault_install();
    for (self->i = 0; self->i < 5; self->i++) {
        fault_fail(FAULT_SEND_FDS, 1, errors[self->i]);
        ALOOP_AWAIT(aloop_send_fds(&self->pair[0], "x", 1, &self->out));
        EXPECT(errors[self->i]);
        ALOOP_TRY(aloop_send_fds(&self->pair[0], "x", 1, &self->out));
        fault_fail(FAULT_RECV_FDS, 1, errors[self->i]);
        ALOOP_AWAIT(aloop_recv_fds(&self->pair[1], self->small, 16, &self->in));
        EXPECT(errors[self->i]);
        assert_int_equal(self->in.count, 0);
        ALOOP_TRY(aloop_recv_fds(&self->pair[1], self->small, 16, &self->in));
        EXPECT(1);
        close_fds(&self->in);
    }
    CLOSE();
    ALOOP_END;
}

FDS_RUN(errors_of_the_system_come_as_they_are)

FDS_TEST(credentials)
{
    ALOOP_BEGIN;
    OPEN(0);
    assert_int_equal(aloop_socket_credentials(&self->pair[0], &self->credentials), 0);
    assert_int_equal(self->credentials.uid, getuid());
    assert_int_equal(self->credentials.gid, getgid());
#if defined(__linux__) || defined(__APPLE__)
    assert_int_equal(self->credentials.pid, getpid());
#endif
    fault_install();
    fault_fail(FAULT_PEER_CREDENTIALS, 1, -ENOBUFS);
    assert_int_equal(aloop_socket_credentials(&self->pair[0], &self->credentials), -ENOBUFS);
    CLOSE();
    assert_int_equal(aloop_socket_credentials(&self->pair[0], &self->credentials), -EBADF);
    ALOOP_END;
}

FDS_RUN(credentials)

#ifdef __linux__
struct strangers {
    ALOOP_FRAME;
    aloop_socket listener;
    aloop_address address;
    aloop_credentials credentials;
};

/* Of a TCP socket the kernel says nobody, and calls it success. */
ALOOP_CORO(strangers)
{
    ALOOP_BEGIN;
    io_listen(&self->listener, &self->address);
    assert_int_equal(aloop_socket_credentials(&self->listener, &self->credentials), -ENOTCONN);
    aloop_socket_close(&self->listener);
    ALOOP_END;
}

static void nobody_is_an_error(void **state)
{
    io_run(state, ALOOP_CLOCK_VIRTUAL, strangers);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH_POLLER(test_an_fd_arrives),
        ON_EACH_POLLER(test_many_and_none),
        ON_EACH_POLLER(test_misuse_is_told),
        ON_EACH_POLLER(test_pieces_carry_the_fds_once),
        ON_EACH_POLLER(test_much_behind_an_fd),
        ON_EACH_POLLER(test_more_than_there_is_place_for),
        ON_EACH_POLLER(test_waiting_to_send_fds),
        ON_EACH_POLLER(test_waiting_for_fds),
        ON_EACH_POLLER(test_errors_of_the_system_come_as_they_are),
        ON_EACH_POLLER(test_credentials),
#ifdef __linux__
        ON_EACH_POLLER(nobody_is_an_error),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
