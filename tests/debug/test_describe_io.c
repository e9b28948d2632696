/*
 * What waits for the network says in a dump on which fd, and what it knows of who is at the other
 * end.
 */
#include "describe_test.h"

#include "sys/sys.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* So much fits into no pair of sockets. */
#define MUCH ((size_t)8 << 20)

static void test_fds(void **state)
{
    struct world *world = *state;
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    check_number(world->loop, aloop_readable(pair[0]), "readable on fd ", pair[0]);
    while (send(pair[0], "", 1, MSG_DONTWAIT) == 1)
        continue;
    check_number(world->loop, aloop_writable(pair[0]), "writable on fd ", pair[0]);
    assert_int_equal(close(pair[0]), 0);
    assert_int_equal(close(pair[1]), 0);
}

static void check_receiving(aloop *loop, const aloop_socket *socket)
{
    aloop_fds fds;
    size_t got;
    char byte[2];

    check_number(loop, aloop_recv(socket, byte, 1), "recv on fd ", socket->fd);
    check_number(loop, aloop_recv_exactly(socket, byte, 2), "recv_exactly on fd ", socket->fd);
    check_number(loop, aloop_recv_exactly_counting(socket, byte, 2, &got), "recv_exactly on fd ",
                 socket->fd);
    check_number(loop, aloop_recv_fds(socket, byte, 1, &fds), "recv_fds on fd ", socket->fd);
}

static void check_sending(aloop *loop, const aloop_socket *socket, const char *data)
{
    aloop_fds fds = {.count = 0};
    size_t put;

    check_number(loop, aloop_send(socket, data, MUCH), "send on fd ", socket->fd);
    check_number(loop, aloop_send_all(socket, data, MUCH), "send_all on fd ", socket->fd);
    check_number(loop, aloop_send_all_counting(socket, data, MUCH, &put), "send_all on fd ",
                 socket->fd);
    check_number(loop, aloop_send_fds(socket, data, MUCH, &fds), "send_fds on fd ", socket->fd);
}

static void test_sockets(void **state)
{
    struct world *world = *state;
    aloop_socket pair[2];
    char *data = calloc(MUCH, 1);

    assert_non_null(data);
    assert_int_equal(aloop_socket_pair(world->loop, pair), 0);
    check_receiving(world->loop, &pair[0]);
    while (send(pair[0].fd, data, 1 << 16, MSG_DONTWAIT) > 0)
        continue;
    check_sending(world->loop, &pair[0], data);
    aloop_socket_close(&pair[0]);
    aloop_socket_close(&pair[1]);
    free(data);
}

static void check_reading(aloop *loop, const aloop_stream *stream, int fd)
{
    const aloop_slice newline = {"\n", 1};
    aloop_slice slice;
    char byte[2];

    check_number(loop, aloop_stream_read(stream, byte, 1), "stream read on fd ", fd);
    check_number(loop, aloop_stream_read_exactly(stream, byte, 2), "stream read_exactly on fd ",
                 fd);
    check_number(loop, aloop_stream_read_until(stream, &newline, 1, &slice),
                 "stream read_until on fd ", fd);
    check_number(loop, aloop_stream_read_line(stream, &slice), "stream read_line on fd ", fd);
    check_number(loop, aloop_stream_read_to_end(stream, 9, &slice), "stream read_to_end on fd ",
                 fd);
    check_number(loop, aloop_stream_peek(stream, 1, &slice), "stream peek on fd ", fd);
}

static void check_writing(aloop *loop, const aloop_stream *stream, int fd, char *data)
{
    struct iovec piece = {.iov_base = data, .iov_len = MUCH};
    FILE *file = tmpfile();

    assert_non_null(file);
    assert_int_equal(ftruncate(fileno(file), 1 << 20), 0);
    assert_int_equal(aloop_stream_write_nowait(stream, data, MUCH), 0);
    check_number(loop, aloop_stream_write(stream, data, MUCH), "stream write on fd ", fd);
    check_number(loop, aloop_stream_writev(stream, &piece, 1), "stream writev on fd ", fd);
    check_number(loop, aloop_stream_drain(stream), "stream drain on fd ", fd);
    check_number(loop, aloop_stream_flush(stream), "stream flush on fd ", fd);
    check_number(loop, aloop_stream_sendfile(stream, fileno(file), 0, 1 << 20),
                 "stream sendfile on fd ", fd);
    (void)fclose(file);
}

static void test_streams(void **state)
{
    struct world *world = *state;
    aloop *loop = world->loop;
    aloop_stream pair[2];
    char *data = calloc(MUCH, 1);
    int fd;

    assert_non_null(data);
    assert_int_equal(aloop_stream_pair(loop, NULL, pair), 0);
    fd = aloop_stream_socket(&pair[0]).fd;
    check_reading(loop, &pair[0], fd);
    check_writing(loop, &pair[0], fd, data);
    aloop_stream_close(&pair[0]);
    check_number(loop, aloop_stream_wait_closed(&pair[0]), "stream wait_closed on fd ", fd);
    aloop_stream_abort(&pair[0]);
    aloop_stream_abort(&pair[1]);
    world_turns(world, 2);
    free(data);
}

static void test_datagrams(void **state)
{
    struct world *world = *state;
    aloop *loop = world->loop;
    char byte[2] = {0};
    aloop_datagram item = {.data = byte, .size = 1};
    aloop_address from;
    aloop_socket pair[2];

    assert_int_equal(aloop_datagram_pair(loop, pair), 0);
    check_number(loop, aloop_recv_from(&pair[0], byte, 1, &from), "recv_from on fd ", pair[0].fd);
    check_number(loop, aloop_recv_many(&pair[0], &item, 1), "recv_many on fd ", pair[0].fd);
    while (send(pair[0].fd, byte, 1, MSG_DONTWAIT) == 1)
        continue;
    check_number(loop, aloop_send_to(&pair[0], byte, 1, NULL), "send_to on fd ", pair[0].fd);
    check_number(loop, aloop_send_many(&pair[0], &item, 1), "send_many on fd ", pair[0].fd);
    aloop_socket_close(&pair[0]);
    aloop_socket_close(&pair[1]);
}

/* --- connecting --- */

/* A network where nobody answers. What looks like a socket is one end of a pair, and full. */
static int far_ends[8];
static int far_count;

static int silent_socket(int family, int type, int protocol)
{
    static const char zeros[4096];
    int fds[2];
    int error = sys_default.socketpair(AF_UNIX, SOCK_STREAM, fds);

    (void)family;
    (void)type;
    (void)protocol;
    if (error < 0)
        return error;
    while (sys_default.send(fds[0], zeros, sizeof zeros, 0) > 0)
        continue;
    far_ends[far_count++] = fds[1];
    return fds[0];
}

static int silent_connect(int fd, const struct sockaddr *address, socklen_t size)
{
    (void)fd;
    (void)address;
    (void)size;
    return -EINPROGRESS;
}

static void close_far_ends(void)
{
    while (far_count > 0)
        assert_int_equal(close(far_ends[--far_count]), 0);
}

/* As check(), without the numbers of fds. */
static void check_connect(aloop *loop, aloop_op op, int sockets, const char *expected)
{
    aloop_task *task = await_prepared(loop, NULL, op);
    char *said, *from, *to;

    while (far_count < sockets)
        assert_true(aloop_run_once(loop, ALOOP_MS(1)) >= 0);
    said = described(task);
    for (from = to = said; *from != '\0'; from++) {
        if (strchr("0123456789", *from) == NULL || strncmp(to - 3, "fd ", 3) != 0)
            *to++ = *from;
    }
    *to = '\0';
    assert_string_equal(said, expected);
    free(said);
    stop(task);
    close_far_ends();
}

static void test_connecting(void **state)
{
    struct world *world = *state;
    aloop *loop = world->loop;
    aloop_connect_options options = ALOOP_CONNECT_OPTIONS_INIT;
    struct sys before = sys;
    aloop_address addresses[2];
    aloop_socket socket;
    aloop_stream stream;

    sys.socket = silent_socket;
    sys.connect = silent_connect;
    assert_int_equal(aloop_address_ip(&addresses[0], "192.0.2.1", 80), 0);
    assert_int_equal(aloop_address_ip(&addresses[1], "192.0.2.2", 80), 0);
    check_connect(loop, aloop_connect(&addresses[0], &socket), 1, "connect on fd , 192.0.2.1:80");
    check_connect(loop, aloop_open_connection("192.0.2.1", "80", NULL, &stream), 1,
                  "open_connection, address 1 of 1 of 192.0.2.1: connect on fd , 192.0.2.1:80");
    check_connect(loop, aloop_connect_host("192.0.2.1", "80", NULL, &socket), 1,
                  "connect_host, address 1 of 1 of 192.0.2.1: connect on fd , 192.0.2.1:80");
    /* The second is tried as well, after a while. */
    check_connect(loop, aloop_connect_any(addresses, 2, NULL, &socket), 1,
                  "connect_any, address 1 of 2, 0.250 s left: connect on fd , 192.0.2.1:80");
    options.stagger = 1;
    check_connect(loop, aloop_connect_any(addresses, 2, &options, &socket), 2,
                  "connect_any, address 2 of 2: connect on fd , 192.0.2.1:80 | "
                  "connect on fd , 192.0.2.2:80");
    check_connect(loop, aloop_open_unix_connection("/x", NULL, &stream), 1,
                  "open_unix_connection, address 1 of 1 of /x: connect on fd , /x");
    sys = before;
}

/* --- servers --- */

struct session {
    ALOOP_FRAME;
    aloop_stream stream;
};

ALOOP_CORO(session)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_sleep(ALOOP_SEC(1000)));
    ALOOP_END;
}

/* A server ends with the coroutine that started it. */
struct serving {
    ALOOP_FRAME;
    const aloop_server_options *options;
    aloop_server *server;
};

ALOOP_CORO(serving)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_start_server(self->server, self->options, session));
    ALOOP_TRY(aloop_sleep(ALOOP_SEC(1000)));
    ALOOP_END;
}

static void finish(aloop *loop, aloop_op op)
{
    aloop_task *task = aloop_create_task_in(loop, waiting, .op = op);

    while (!aloop_task_done(task))
        assert_true(aloop_run_once(loop, ALOOP_MS(1)) >= 0);
    assert_int_equal(aloop_task_result(task), 0);
    aloop_task_unref(task);
}

static void test_servers(void **state)
{
    struct world *world = *state;
    aloop *loop = world->loop;
    aloop_server_options options = ALOOP_SERVER_OPTIONS_INIT;
    aloop_server server = {0};
    aloop_task *task;
    aloop_address address;
    aloop_socket listener, socket = {0};
    char path[64];

    (void)snprintf(path, sizeof path, "test_describe_%ld.sock", (long)getpid());
    assert_int_equal(aloop_address_unix(&address, path), 0);
    assert_int_equal(aloop_socket_listen(loop, &address, NULL, &listener), 0);
    check_number(loop, aloop_accept(&listener, &socket), "accept on fd ", listener.fd);
    aloop_socket_close(&listener);
    (void)unlink(path);

    options.addresses = &address;
    options.address_count = 1;
    task = aloop_create_task_in(loop, serving, .options = &options, .server = &server);
    world_turns(world, 2);
    finish(loop, aloop_connect(&address, &socket));
    while (aloop_server_connections(&server) == 0)
        world_turns(world, 1);
    aloop_server_close(&server);
    check(loop, aloop_server_wait_closed(&server), "server wait_closed, 1 connections");
    check(loop, aloop_server_drain(&server, ALOOP_SEC(9)),
          "server drain, 1 connections, 9.000 s left");
    aloop_socket_close(&socket);
    stop(task);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_fds),       TEST(test_sockets),    TEST(test_streams),
        TEST(test_datagrams), TEST(test_connecting), TEST(test_servers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
