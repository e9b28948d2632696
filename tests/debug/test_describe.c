/*
 * Each kind of operation of the library says in a dump what it waits for.
 */
#include "debug_test.h"
#include "sys/sys.h"

#include <sys/socket.h>
#include <unistd.h>

struct waiting {
    ALOOP_FRAME;
    aloop_op op;
};

ALOOP_CORO(waiting)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(self->op);
    ALOOP_END;
}

/* Has a task await `op`; it must say `expected` then, behind its place in the file. */
static void check(struct world *world, aloop_op op, const char *expected)
{
    aloop_task *task = aloop_create_task_in(world->loop, waiting, .op = op);
    struct text text;
    char *dump, *said;

    world_turns(world, 1);
    assert_false(aloop_task_done(task));
    assert_int_equal(aloop_dump_task(task, text_open(&text)), 0);
    dump = text_close(&text);
    said = strstr(dump, "): ");
    assert_non_null(said);
    said[strcspn(said, "\n")] = '\0';
    assert_string_equal(said + 3, expected);
    free(dump);
    assert_true(aloop_task_cancel(task));
    world_turns(world, 2);
    assert_true(aloop_task_done(task));
    aloop_task_unref(task);
}

static void test_locks_and_their_kin(void **state)
{
    struct world *world = *state;
    aloop_lock lock = ALOOP_LOCK_INIT;
    aloop_rwlock rwlock = {0};
    aloop_event event = {0};
    aloop_semaphore semaphore = ALOOP_SEMAPHORE_INIT(0);
    aloop_barrier barrier = ALOOP_BARRIER_INIT(3);
    aloop_limiter limiter = ALOOP_LIMITER_INIT(0);
    aloop_hold token = {0};

    assert_true(aloop_lock_try_acquire(&lock));
    check(world, aloop_lock_acquire(&lock), "lock");
    check(world, aloop_lock_enter(&lock, &token), "lock");
    assert_true(aloop_rwlock_try_acquire_read(&rwlock));
    check(world, aloop_rwlock_acquire_write(&rwlock), "write lock, 1 read");
    assert_int_equal(aloop_rwlock_release_read(&rwlock), 0);
    assert_true(aloop_rwlock_try_acquire_write(&rwlock));
    check(world, aloop_rwlock_acquire_read(&rwlock), "read lock, one writes");
    check(world, aloop_event_wait(&event), "event");
    check(world, aloop_semaphore_acquire(&semaphore), "semaphore");
    check(world, aloop_barrier_wait(&barrier), "barrier, 1 of 3 have come");
    check(world, aloop_limiter_acquire(&limiter, &token), "limiter, 0 of 0 tokens are lent");
}

struct turn {
    ALOOP_FRAME;
    aloop_once *once;
    aloop_hold hold;
};

ALOOP_CORO(turn)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_once_begin(self->once, &self->hold));
    at[0] = __LINE__; ALOOP_TRY(aloop_sleep(ALOOP_SEC(1)));
    ALOOP_END;
}

static void test_once(void **state)
{
    struct world *world = *state;
    aloop_once once = {0};
    aloop_hold hold = {0};
    char expected[64];

    aloop_task_unref(aloop_create_task_in(world->loop, turn, .once = &once));
    world_turns(world, 1);
    (void)snprintf(expected, sizeof expected, "once, held by turn#1 (:%d)", at[0]);
    check(world, aloop_once_begin(&once, &hold), expected);
    world_drain(world);
}

struct on_condition {
    ALOOP_FRAME;
    aloop_condition *condition;
};

ALOOP_CORO(on_condition)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_lock_acquire(self->condition->lock));
    ALOOP_AWAIT(aloop_condition_wait(self->condition));
    aloop_lock_release(self->condition->lock);
    ALOOP_END;
}

static char *dump_of(aloop_task *task)
{
    struct text text;

    assert_int_equal(aloop_dump_task(task, text_open(&text)), 0);
    return text_close(&text);
}

static void test_conditions(void **state)
{
    struct world *world = *state;
    aloop_lock lock = ALOOP_LOCK_INIT;
    aloop_condition condition = ALOOP_CONDITION_INIT(&lock);
    aloop_task *task = aloop_create_task_in(world->loop, on_condition, .condition = &condition);
    char *dump;

    world_turns(world, 1);
    dump = dump_of(task);
    assert_non_null(strstr(dump, "): condition\n"));
    free(dump);
    assert_true(aloop_lock_try_acquire(&lock));
    assert_int_equal(aloop_condition_notify(&condition, 1), 1);
    dump = dump_of(task);
    assert_non_null(strstr(dump, "): condition, notified, needs its lock\n"));
    free(dump);
    assert_int_equal(aloop_lock_release(&lock), 0);
    world_drain(world);
    aloop_task_unref(task);
}

static void test_queues_and_channels(void **state)
{
    struct world *world = *state;
    aloop_queue queue;
    aloop_oneshot *oneshot;
    int number = 5;

    assert_int_equal(aloop_queue_init(&queue, world->loop, sizeof number, 1), 0);
    check(world, aloop_queue_get(&queue, &number), "queue get, 0 of 1 items");
    assert_int_equal(aloop_queue_put_nowait(&queue, &number), 0);
    check(world, aloop_queue_put(&queue, &number), "queue put, 1 of 1 items");
    check(world, aloop_queue_join(&queue), "queue join, 1 items unfinished");
    aloop_queue_fini(&queue);
    assert_int_equal(aloop_oneshot_open(world->loop, sizeof number, &oneshot), 0);
    check(world, aloop_oneshot_receive(oneshot, &number), "oneshot receive");
    check(world, aloop_oneshot_abandoned(oneshot), "oneshot abandoned");
    aloop_oneshot_close_sender(oneshot);
    aloop_oneshot_close_receiver(oneshot);
}

static void test_sockets_and_fds(void **state)
{
    struct world *world = *state;
    aloop_stream stream;
    aloop_socket socket;
    aloop_slice line;
    char expected[64];
    char byte[8];
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    (void)snprintf(expected, sizeof expected, "readable on fd %d", fds[0]);
    check(world, aloop_readable(fds[0]), expected);
    assert_int_equal(aloop_socket_adopt(world->loop, fds[0], &socket), 0);
    (void)snprintf(expected, sizeof expected, "recv on fd %d", fds[0]);
    check(world, aloop_recv(&socket, byte, 1), expected);
    (void)snprintf(expected, sizeof expected, "recv_exactly on fd %d", fds[0]);
    check(world, aloop_recv_exactly(&socket, byte, 2), expected);
    (void)snprintf(expected, sizeof expected, "stream read_line on fd %d", fds[0]);
    assert_int_equal(aloop_stream_open(&socket, NULL, &stream), 0);
    check(world, aloop_stream_read_line(&stream, &line), expected);
    aloop_stream_abort(&stream);
    world_turns(world, 2);
    assert_int_equal(close(fds[1]), 0);
}

static int silent_connect(int fd, const struct sockaddr *address, socklen_t size)
{
    (void)fd;
    (void)address;
    (void)size;
    return -EINPROGRESS;
}

/* What it is made of: an attempt to connect, and when the next is due. */
static void test_connecting(void **state)
{
    struct world *world = *state;
    struct sys below = sys;
    aloop_address addresses[2];
    aloop_stream stream = {0};
    aloop_socket socket = {0};
    char expected[64];
    int fd = dup(0);

    assert_int_equal(close(fd), 0);
    assert_int_equal(aloop_address_ip(&addresses[0], "192.0.2.1", 80), 0);
    assert_int_equal(aloop_address_ip(&addresses[1], "192.0.2.2", 80), 0);
    sys.connect = silent_connect;
    (void)snprintf(expected, sizeof expected, "open_connection of connect on fd %d", fd);
    check(world, aloop_open_connection("192.0.2.1", "80", NULL, &stream), expected);
    (void)snprintf(expected, sizeof expected, "connect_any, 0.250 s left of connect on fd %d", fd);
    check(world, aloop_connect_any(addresses, 2, NULL, &socket), expected);
    sys = below;
}

static void test_datagrams_and_passed_fds(void **state)
{
    struct world *world = *state;
    aloop_socket pair[2];
    aloop_datagram item;
    aloop_fds fds = {0};
    char expected[64];
    char byte;

    assert_int_equal(aloop_datagram_pair(world->loop, pair), 0);
    (void)snprintf(expected, sizeof expected, "recv_from on fd %d", aloop_socket_fd(&pair[0]));
    check(world, aloop_recv_from(&pair[0], &byte, 1, NULL), expected);
    (void)snprintf(expected, sizeof expected, "recv_many on fd %d", aloop_socket_fd(&pair[0]));
    check(world, aloop_recv_many(&pair[0], &item, 1), expected);
    (void)snprintf(expected, sizeof expected, "recv_fds on fd %d", aloop_socket_fd(&pair[0]));
    check(world, aloop_recv_fds(&pair[0], &byte, 1, &fds), expected);
    aloop_socket_close(&pair[0]);
    aloop_socket_close(&pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_locks_and_their_kin), TEST(test_once),
        TEST(test_conditions),          TEST(test_queues_and_channels),
        TEST(test_sockets_and_fds),     TEST(test_connecting),
        TEST(test_datagrams_and_passed_fds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
