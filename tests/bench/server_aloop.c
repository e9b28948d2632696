/*
 * libaloop, in its three ways: callbacks for fds, also by a loop that polls without sleeping; a
 * task for each connection that receives and sends on a socket; and one that reads and writes a
 * stream, without a buffer of its own.
 */
#include "server.h"

/* --- callbacks --- */

struct watched {
    struct connection *connection;
    const struct service *service;
};

static void readable(aloop *loop, void *arg);

static void writable(aloop *loop, void *arg)
{
    struct watched *watched = arg;
    int fd = watched->connection->fd;
    enum connection_next next =
        connection_go_on(watched->connection, watched->service, SERVER_READS_MAX);

    if (next == CONNECTION_WRITE)
        return;
    aloop_remove_writer(loop, fd);
    if (next == CONNECTION_READ)
        bench_check(aloop_add_reader(loop, fd, readable, watched) >= 0, "aloop_add_reader");
    else if (connections_open() == 0)
        aloop_stop(loop);
}

static void readable(aloop *loop, void *arg)
{
    struct watched *watched = arg;
    int fd = watched->connection->fd;
    enum connection_next next =
        connection_go_on(watched->connection, watched->service, SERVER_READS_MAX);

    if (next == CONNECTION_READ)
        return;
    aloop_remove_reader(loop, fd);
    if (next == CONNECTION_WRITE)
        bench_check(aloop_add_writer(loop, fd, writable, watched) >= 0, "aloop_add_writer");
    else if (connections_open() == 0)
        aloop_stop(loop);
}

static void serve_fds(const struct load *load, const struct service *service, aloop_ns busy_poll)
{
    struct connection *all = connections_of(load);
    struct watched *watched = bench_alloc(load->count, sizeof *watched);
    aloop_options options = ALOOP_OPTIONS_INIT;
    aloop *loop;

    options.busy_poll = busy_poll;
    bench_check(aloop_new(&options, &loop) == 0, "aloop_new");
    for (size_t i = 0; i < load->count; i++) {
        watched[i] = (struct watched){&all[i], service};
        bench_check(aloop_add_reader(loop, all[i].fd, readable, &watched[i]) >= 0,
                    "aloop_add_reader");
    }
    bench_check(aloop_run_forever(loop) == 0, "aloop_run_forever");
}

void serve_aloop_fds(const struct load *load, const struct service *service)
{
    serve_fds(load, service, 0);
}

void serve_aloop_busy(const struct load *load, const struct service *service)
{
    serve_fds(load, service, ALOOP_MS(1));
}

/* --- tasks on sockets --- */

struct session {
    ALOOP_FRAME;
    aloop_socket socket;
    const struct service *service;
    char *buffer;
    size_t state;
};

/* However the connection ends, that is no error of the server's. */
ALOOP_CORO(session)
{
    struct answer answer;

    ALOOP_BEGIN;
    for (;;) {
        ALOOP_AWAIT(aloop_recv(&self->socket, self->buffer, self->service->buffer_size));
        if (self->result <= 0)
            break;
        answer = service_answer(self->service, self->buffer, (size_t)self->result, &self->state);
        ALOOP_AWAIT(aloop_send_all(&self->socket, answer.data, answer.size));
        if (self->result < 0)
            break;
    }
    ALOOP_FINALLY;
    aloop_socket_close(&self->socket);
    ALOOP_END;
}

struct sessions {
    ALOOP_FRAME;
    const struct load *load;
    const struct service *service;
    aloop_group group;
};

ALOOP_CORO(sessions)
{
    ALOOP_BEGIN;
    aloop_group_init(&self->group);
    for (size_t i = 0; i < self->load->count; i++) {
        aloop_socket socket;

        bench_check(aloop_socket_adopt(NULL, self->load->server_fds[i], &socket) == 0,
                    "aloop_socket_adopt");
        (void)aloop_group_create_task(&self->group, session, .socket = socket,
                                      .service = self->service,
                                      .buffer = bench_alloc(1, self->service->buffer_size));
    }
    ALOOP_TRY(aloop_group_wait(&self->group));
    ALOOP_END;
}

void serve_aloop_tasks(const struct load *load, const struct service *service)
{
    bench_check(aloop_run(sessions, .load = load, .service = service) == 0, "aloop_run");
}

/* --- tasks on streams --- */

struct conversation {
    ALOOP_FRAME;
    aloop_stream stream;
    const struct service *service;
    aloop_slice bytes;
    size_t state;
};

/* What has come is answered where it lies. */
ALOOP_CORO(conversation)
{
    struct answer answer;

    ALOOP_BEGIN;
    for (;;) {
        ALOOP_AWAIT(aloop_stream_peek(&self->stream, 1, &self->bytes));
        if (self->result <= 0)
            break;
        answer = service_answer(self->service, self->bytes.data, self->bytes.size, &self->state);
        ALOOP_AWAIT(aloop_stream_write(&self->stream, answer.data, answer.size));
        if (self->result < 0)
            break;
        (void)aloop_stream_consume(&self->stream, self->bytes.size);
    }
    ALOOP_FINALLY;
    aloop_stream_close(&self->stream);
    ALOOP_END;
}

struct conversations {
    ALOOP_FRAME;
    const struct load *load;
    const struct service *service;
    aloop_group group;
};

ALOOP_CORO(conversations)
{
    ALOOP_BEGIN;
    aloop_group_init(&self->group);
    for (size_t i = 0; i < self->load->count; i++) {
        aloop_stream stream;

        bench_check(aloop_stream_open_fd(NULL, self->load->server_fds[i], NULL, &stream) == 0,
                    "aloop_stream_open_fd");
        (void)aloop_group_create_task(&self->group, conversation, .stream = stream,
                                      .service = self->service);
    }
    ALOOP_TRY(aloop_group_wait(&self->group));
    ALOOP_END;
}

void serve_aloop_streams(const struct load *load, const struct service *service)
{
    bench_check(aloop_run(conversations, .load = load, .service = service) == 0, "aloop_run");
}
