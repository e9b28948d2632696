/* P56, P66: a connection that is never empty, one that always has room, and a flood of connections
   leave the others their turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io_test.h"
#include <stdlib.h>
#include <unistd.h>

/* What may move between two turns of somebody else: the budget, and what the last call brought on
   top of it. */
#define STEP_MAX (2 * TRANSFER_MAX)
#define PIECE ((size_t)64 << 10)
#define HUGE_SIZE ((size_t)64 << 20)

static size_t moved;

/* A peer that has always sent enough, and one that has always room. */
static ssize_t endless_recv(int fd, void *buffer, size_t size, int flags)
{
    (void)fd;
    (void)buffer;
    (void)flags;
    moved += size;
    return (ssize_t)size;
}

static ssize_t endless_send(int fd, const void *buffer, size_t size, int flags)
{
    (void)fd;
    (void)buffer;
    (void)flags;
    moved += size;
    return (ssize_t)size;
}

#define GREEDY(name)                                                                               \
    struct name {                                                                                  \
        ALOOP_FRAME;                                                                               \
        aloop_socket socket;                                                                       \
        char *buffer;                                                                              \
    };                                                                                             \
    ALOOP_CORO(name)

GREEDY(receives_pieces)
{
    ALOOP_BEGIN;
    for (;;)
        ALOOP_TRY(aloop_recv(&self->socket, self->buffer, PIECE));
    ALOOP_END;
}

GREEDY(receives_much_at_once)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_recv_exactly(&self->socket, self->buffer, HUGE_SIZE));
    ALOOP_END;
}

GREEDY(sends_pieces)
{
    ALOOP_BEGIN;
    for (;;)
        ALOOP_TRY(aloop_send(&self->socket, self->buffer, PIECE));
    ALOOP_END;
}

GREEDY(sends_much_at_once)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_send_all(&self->socket, self->buffer, HUGE_SIZE));
    ALOOP_END;
}

struct others {
    ALOOP_FRAME;
    aloop_task *greedy;
    size_t before;
    int i;
};

/* Watches how much moves between its own turns. */
ALOOP_CORO(others)
{
    ALOOP_BEGIN;
    for (self->i = 0; self->i < 20; self->i++) {
        self->before = moved;
        ALOOP_TRY(aloop_sleep(0));
        assert_in_range(moved - self->before, self->i > 0 ? 1 : 0, STEP_MAX);
    }
    aloop_task_cancel(self->greedy);
    ALOOP_AWAIT(aloop_join_unref(self->greedy));
    assert_int_equal(self->result, -ECANCELED);
    ALOOP_END;
}

static void check(void **state, const aloop_coro *greedy)
{
    aloop *loop = io_loop(state, ALOOP_CLOCK_VIRTUAL);
    struct receives_pieces frame = {.buffer = malloc(HUGE_SIZE)};
    aloop_socket pair[2];

    assert_int_equal(aloop_socket_pair(loop, pair), 0);
    frame.socket = pair[0];
    sys.recv = endless_recv;
    sys.send = endless_send;
    moved = 0;
    /* All of them have frames of the same shape. */
    assert_int_equal(greedy->size, sizeof frame);
    assert_int_equal(
        aloop_run_in(loop, others, .greedy = aloop_task_new(loop, greedy, &frame)), 0);
    free(frame.buffer);
    aloop_unref(loop);
}

static void receiving_gives_way(void **state)
{
    check(state, &receives_pieces_coro);
}

static void receiving_much_gives_way(void **state)
{
    check(state, &receives_much_at_once_coro);
}

static void sending_gives_way(void **state)
{
    check(state, &sends_pieces_coro);
}

static void sending_much_gives_way(void **state)
{
    check(state, &sends_much_at_once_coro);
}

/* --- messages --- */

static ssize_t endless_sendmsg(int fd, const struct msghdr *message, int flags)
{
    return endless_send(fd, NULL, message->msg_iov->iov_len, flags);
}

static ssize_t endless_recvmsg(int fd, struct msghdr *message, int flags)
{
    message->msg_flags = 0;
    return endless_recv(fd, NULL, message->msg_iov->iov_len, flags);
}

static int endless_sendmmsg(int fd, struct sys_message *messages, int count)
{
    for (int i = 0; i < count; i++)
        messages[i].length = (unsigned)endless_sendmsg(fd, &messages[i].header, 0);
    return count;
}

static int endless_recvmmsg(int fd, struct sys_message *messages, int count, int flags)
{
    for (int i = 0; i < count; i++)
        messages[i].length = (unsigned)endless_recvmsg(fd, &messages[i].header, flags);
    return count;
}

static ssize_t endless_send_fds(int fd, const struct iovec *piece, const struct aloop_fds *fds)
{
    (void)fds;
    return endless_send(fd, NULL, piece->iov_len, 0);
}

static ssize_t endless_recv_fds(int fd, const struct iovec *piece, struct aloop_fds *fds)
{
    (void)fds;
    return endless_recv(fd, NULL, piece->iov_len, 0);
}

GREEDY(receives_messages)
{
    ALOOP_BEGIN;
    for (;;)
        ALOOP_TRY(aloop_recv_from(&self->socket, self->buffer, PIECE, NULL));
    ALOOP_END;
}

GREEDY(sends_messages)
{
    ALOOP_BEGIN;
    for (;;)
        ALOOP_TRY(aloop_send_to(&self->socket, self->buffer, PIECE, NULL));
    ALOOP_END;
}

static aloop_datagram batch[16];

static void fill_batch(char *buffer)
{
    for (size_t i = 0; i < sizeof batch / sizeof *batch; i++)
        batch[i] = (aloop_datagram){.data = buffer, .size = PIECE / 16};
}

GREEDY(receives_batches)
{
    ALOOP_BEGIN;
    fill_batch(self->buffer);
    for (;;)
        ALOOP_TRY(aloop_recv_many(&self->socket, batch, 16));
    ALOOP_END;
}

GREEDY(sends_batches)
{
    ALOOP_BEGIN;
    fill_batch(self->buffer);
    for (;;)
        ALOOP_TRY(aloop_send_many(&self->socket, batch, 16));
    ALOOP_END;
}

static aloop_fds no_fds;

GREEDY(receives_with_fds)
{
    ALOOP_BEGIN;
    for (;;)
        ALOOP_TRY(aloop_recv_fds(&self->socket, self->buffer, PIECE, &no_fds));
    ALOOP_END;
}

GREEDY(sends_with_fds)
{
    ALOOP_BEGIN;
    for (;;)
        ALOOP_TRY(aloop_send_fds(&self->socket, self->buffer, PIECE, &no_fds));
    ALOOP_END;
}

/* Each of these would go on for as many awaits as a step has, however much each of them moves. */
static void messages_give_way(void **state)
{
    sys.sendmsg = endless_sendmsg;
    sys.recvmsg = endless_recvmsg;
    sys.sendmmsg = endless_sendmmsg;
    sys.recvmmsg = endless_recvmmsg;
    check(state, &receives_messages_coro);
    check(state, &sends_messages_coro);
    check(state, &receives_batches_coro);
    check(state, &sends_batches_coro);
}

static void fds_give_way(void **state)
{
    sys.send_fds = endless_send_fds;
    sys.recv_fds = endless_recv_fds;
    check(state, &receives_with_fds_coro);
    check(state, &sends_with_fds_coro);
}

/* One buffer, however large, is no licence to copy for milliseconds. */
struct single {
    ALOOP_FRAME;
    aloop_socket socket;
    char *buffer;
};

ALOOP_CORO(single)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_recv(&self->socket, self->buffer, HUGE_SIZE));
    assert_int_equal(self->result, TRANSFER_MAX);
    ALOOP_TRY(aloop_send(&self->socket, self->buffer, HUGE_SIZE));
    assert_int_equal(self->result, TRANSFER_MAX);
    ALOOP_END;
}

static void one_call_moves_only_so_much(void **state)
{
    aloop *loop = io_loop(state, ALOOP_CLOCK_VIRTUAL);
    char *buffer = malloc(HUGE_SIZE);
    aloop_socket pair[2];

    assert_int_equal(aloop_socket_pair(loop, pair), 0);
    sys.recv = endless_recv;
    sys.send = endless_send;
    assert_int_equal(aloop_run_in(loop, single, .socket = pair[0], .buffer = buffer), 0);
    free(buffer);
    aloop_unref(loop);
}

struct lingering {
    ALOOP_FRAME;
    aloop_stream stream;
    size_t before;
    int i;
};

/* A stream that lingers reads what its peer sends, but not all at once. */
ALOOP_CORO(lingering)
{
    aloop_stream_options options = ALOOP_STREAM_OPTIONS_INIT;
    aloop_stream pair[2];

    ALOOP_BEGIN;
    options.linger = ALOOP_SEC(60);
    assert_int_equal(aloop_stream_pair(NULL, &options, pair), 0);
    self->stream = pair[0];
    aloop_stream_abort(&pair[1]);
    sys.recv = endless_recv;
    aloop_stream_close(&self->stream);
    for (self->i = 0; self->i < 20; self->i++) {
        self->before = moved;
        ALOOP_TRY(aloop_sleep(0));
        assert_in_range(moved - self->before, self->i > 0 ? 1 : 0, STEP_MAX);
    }
    aloop_stream_abort(&self->stream);
    ALOOP_END;
}

static void lingering_gives_way(void **state)
{
    io_run(state, ALOOP_CLOCK_VIRTUAL, lingering);
}

static size_t accepted;

static int endless_accept(int fd, struct sockaddr *address, socklen_t *size)
{
    (void)fd;
    (void)address;
    (void)size;
    accepted++;
    return sys_default.socket(AF_UNIX, SOCK_STREAM, 0);
}

struct accepts {
    ALOOP_FRAME;
    aloop_socket listener, conn;
};

ALOOP_CORO(accepts)
{
    ALOOP_BEGIN;
    for (;;) {
        ALOOP_TRY(aloop_accept(&self->listener, &self->conn));
        aloop_socket_close(&self->conn);
    }
    ALOOP_END;
}

struct during_flood {
    ALOOP_FRAME;
    aloop_socket pair[2];
    aloop_task *task;
    size_t before;
    int i;
};

ALOOP_CORO(during_flood)
{
    ALOOP_BEGIN;
    assert_int_equal(aloop_socket_pair(NULL, self->pair), 0);
    sys.accept = endless_accept;
    self->task = aloop_create_task(accepts, .listener = self->pair[0]);
    for (self->i = 0; self->i < 20; self->i++) {
        self->before = accepted;
        ALOOP_TRY(aloop_sleep(0));
        assert_in_range(accepted - self->before, self->i > 0 ? 1 : 0, 100);
    }
    aloop_task_cancel(self->task);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    assert_int_equal(self->result, -ECANCELED);
    ALOOP_END;
}

static void accepting_gives_way(void **state)
{
    io_run(state, ALOOP_CLOCK_VIRTUAL, during_flood);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH_POLLER(receiving_gives_way),
        ON_EACH_POLLER(receiving_much_gives_way),
        ON_EACH_POLLER(sending_gives_way),
        ON_EACH_POLLER(sending_much_gives_way),
        ON_EACH_POLLER(lingering_gives_way),
        ON_EACH_POLLER(messages_give_way),
        ON_EACH_POLLER(fds_give_way),
        ON_EACH_POLLER(one_call_moves_only_so_much),
        ON_EACH_POLLER(accepting_gives_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
