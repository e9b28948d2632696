/*
 * Servers. A server is a group of its coroutine: a task for each listener, and one for each
 * connection. None of them ever fails in the group's sense, since one connection's failure is not
 * the others': what is wrong is reported, or known by whoever reads from the stream.
 *
 * What a connection's coroutine is to be called with lies in one block with the listeners, which
 * lives until the last task of the server has ended; it belongs to the loop, too, for the case that
 * this ends first and throws the tasks away.
 */
#include "io/server.h"

#include <stdio.h>

/* What is missing to all connections alike is not there again in the next turn. */
#define RETRY_DELAY ALOOP_SEC(1)
#define ACCEPTS_PER_TURN 64

/* arg of the accepting operation, behind those of aloop_accept(): the task's own frame */
enum { GATE_ACCEPTOR = 3 };

static struct list *connections_of(aloop_server *server)
{
    return (struct list *)(void *)&server->connections;
}

/* A task of the server has ended. */
static void server_left(aloop_server *server)
{
    if (server->connection_count > 0 || server->listener_count > 0)
        return;
    server_parts_free(server->parts);
    server->parts = NULL;
    (void)aloop_wake_all(&server->waiters);
}

/* --- a connection --- */

struct connection {
    ALOOP_FRAME;
    aloop_server *server;
    aloop_stream stream;
    aloop_link link; /* in the server's connections */
    int64_t outcome;
};

/* Connections break, and are ended from here: that is no news. */
static bool is_ordinary(int64_t error)
{
    switch (-error) {
    case ECANCELED:
    case ECONNRESET:
    case EPIPE:
    case ETIMEDOUT:
    case ALOOP_EEOF:
        return true;
    default:
        return false;
    }
}

/* The operation that calls the coroutine. It copies its arguments when it is awaited, so the one
   place for them serves all connections in turn. */
static aloop_op handler_call(const struct connection *self)
{
    struct server_parts *parts = self->server->parts;

    memcpy(parts->frame + parts->handler.stream_offset, &self->stream, sizeof self->stream);
    return aloop_call_op(parts->handler.coro, parts->frame);
}

ALOOP_CORO(connection)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT_TO(self->outcome, handler_call(self));
    if (self->outcome < 0 && !is_ordinary(self->outcome))
        aloop_call_exception_handler(
            self->stream.loop,
            &(aloop_exception_context){.message = "the coroutine of a connection has failed",
                                       .error = self->outcome,
                                       .name = self->server->parts->handler.coro->name,
                                       .file = self->server->parts->handler.coro->file,
                                       .line = self->server->parts->handler.coro->line});
    ALOOP_FINALLY;
    aloop_stream_close(&self->stream);
    /* The stream's own time limit ends this. */
    ALOOP_AWAIT(aloop_stream_wait_closed(&self->stream));
    list_del((struct list *)(void *)&self->link);
    self->server->connection_count--;
    (void)aloop_wake_all(&self->server->room);
    server_left(self->server);
    ALOOP_END;
}

/* Starts the task of a connection, whose stream is its own from then on. 0 or an error. */
static int start_connection(aloop_server *server, const aloop_stream *stream)
{
    aloop_task *task =
        aloop_group_create_task(&server->group, connection, .server = server, .stream = *stream);
    struct connection *frame;

    if (task->future.loop == NULL)
        return (int)task->future.result;
    /* It is in the list from the beginning, though it runs only later. */
    frame = (struct connection *)(void *)task->frame;
    list_init((struct list *)(void *)&frame->link);
    list_push(connections_of(server), (struct list *)(void *)&frame->link);
    server->connection_count++;
    return 0;
}

/* --- accepting --- */

struct acceptor {
    ALOOP_FRAME;
    aloop_server *server;
    size_t index;
    unsigned in_turn;
    int error;
    aloop_poll (*accept)(aloop_task *task, aloop_op *op); /* of aloop_accept() */
    aloop_socket socket;
    aloop_stream stream;
};

static bool is_full(const aloop_server *server)
{
    return server->connection_count >= server->parts->max_connections;
}

/* Accepts only while there is room, and looks again each time it is woken: of several listeners
   that wait, one may have taken the last place. */
static aloop_poll gate_poll(aloop_task *task, aloop_op *op)
{
    struct acceptor *self = op->arg[GATE_ACCEPTOR].pointer;
    aloop_poll outcome;

    aloop_waiter_unlink(&op->waiter);
    if (self->server->is_closing)
        return -ECANCELED;
    if (is_full(self->server))
        return aloop_op_wait(op, &self->server->room);
    op->poll = self->accept;
    outcome = op->poll(task, op);
    self->accept = op->poll;
    op->poll = gate_poll;
    return outcome;
}

static aloop_op gated_accept(struct acceptor *self)
{
    aloop_op op = aloop_accept(&self->server->parts->listeners[self->index], &self->socket);

    self->accept = op.poll;
    op.poll = gate_poll;
    op.arg[GATE_ACCEPTOR].pointer = self;
    return op;
}

/* What was accepted becomes a connection. 0, or an error: it is still here, to try again. */
static int take(struct acceptor *self)
{
    int error = 0;

    if (aloop_socket_is_open(&self->socket))
        error = aloop_stream_open(&self->socket, self->server->parts->stream_options,
                                  &self->stream);
    if (error == 0)
        error = start_connection(self->server, &self->stream);
    if (error == 0)
        self->stream = (aloop_stream){0};
    return error;
}

static void report(const struct acceptor *self, const char *message, int64_t error)
{
    aloop_call_exception_handler(
        self->server->parts->loop,
        &(aloop_exception_context){.message = message, .error = error});
}

ALOOP_CORO(acceptor)
{
    ALOOP_BEGIN;
    while (!self->server->is_closing) {
        ALOOP_AWAIT(gated_accept(self));
        if (self->result < 0) {
            if (self->result != -ECANCELED)
                report(self, "a listener has failed", self->result);
            break;
        }
        /* Out of memory: the connection is kept, and waits. */
        while ((self->error = take(self)) == -ENOMEM) {
            report(self, "accepting connections pauses", self->error);
            ALOOP_AWAIT(aloop_sleep(RETRY_DELAY));
            if (self->result < 0)
                break;
        }
        if (self->error < 0)
            break;
        if (++self->in_turn >= self->server->parts->accepts_per_turn) {
            self->in_turn = 0;
            ALOOP_AWAIT(aloop_sleep(0));
            if (self->result < 0)
                break;
        }
    }
    ALOOP_FINALLY;
    aloop_socket_close(&self->socket);
    aloop_stream_abort(&self->stream);
    server_listener_close(&self->server->parts->listeners[self->index],
                          &self->server->parts->files[self->index]);
    self->server->listener_count--;
    server_left(self->server);
    ALOOP_END;
}

/* --- starting --- */

static int options_check(const aloop_server_options *options, const aloop_coro *coro,
                         size_t stream_offset)
{
    if (options == NULL || options->size < sizeof *options ||
        options->address_count > SIZE_MAX / 2 - options->fd_count ||
        options->address_count + options->fd_count == 0 ||
        (options->stream != NULL && stream_options_check(options->stream) < 0))
        return -EINVAL;
    return stream_offset <= coro->size - sizeof(aloop_stream) ? 0 : -EINVAL;
}

/* All listeners have their tasks, or the server is closed. */
static int start_acceptors(aloop_server *server)
{
    for (size_t i = 0; i < server->parts->listener_count; i++) {
        const aloop_task *task = aloop_group_create_task(&server->group, acceptor,
                                                         .server = server, .index = i);

        if (task->future.loop == NULL) {
            int error = (int)task->future.result;

            aloop_server_close(server);
            if (i == 0) {
                server_parts_free(server->parts);
                server->parts = NULL;
            }
            return error;
        }
        server->listener_count++;
    }
    return 0;
}

/* arg: the server, the options, the handler, the arguments */
static aloop_poll start_poll(aloop_task *task, aloop_op *op)
{
    aloop_server *server = op->arg[0].pointer;
    const aloop_server_options *options = op->arg[1].data;
    const aloop_server_handler *handler = op->arg[2].data;
    struct server_parts *parts;
    int error = options_check(options, handler->coro, handler->stream_offset);

    if (error < 0)
        return error;
    if (server->parts != NULL)
        return -EBUSY;
    error = server_parts_make(task->future.loop, options, handler, op->arg[3].data, &parts);
    if (error < 0)
        return error;
    aloop_group_init(&server->group);
    server->parts = parts;
    server->is_closing = false;
    server->connection_count = 0;
    server->listener_count = 0;
    list_init(connections_of(server));
    parts->accepts_per_turn =
        options->accepts_per_turn > 0 ? options->accepts_per_turn : ACCEPTS_PER_TURN;
    return start_acceptors(server);
}

aloop_op aloop_start_server_op(aloop_server *server, const aloop_server_options *options,
                               const aloop_server_handler *handler, const void *frame)
{
    return (aloop_op){
        .poll = start_poll,
        .arg = {{.pointer = server}, {.data = options}, {.data = handler}, {.data = frame}}};
}

/* --- ending --- */

void aloop_server_close(aloop_server *server)
{
    struct server_parts *parts = server->parts;

    if (parts == NULL || server->is_closing)
        return;
    server->is_closing = true;
    for (size_t i = 0; i < parts->listener_count; i++)
        server_listener_close(&parts->listeners[i], &parts->files[i]);
    (void)aloop_wake_all(&server->room);
}

void aloop_server_close_clients(aloop_server *server)
{
    struct list *head = connections_of(server);

    if (server->parts == NULL)
        return;
    for (struct list *link = head->next; link != head; link = link->next)
        aloop_stream_close(&CONTAINER_OF(link, struct connection, link)->stream);
}

void aloop_server_abort_clients(aloop_server *server)
{
    struct list *head = connections_of(server);

    if (server->parts == NULL)
        return;
    for (struct list *link = head->next; link != head; link = link->next)
        aloop_stream_abort(&CONTAINER_OF(link, struct connection, link)->stream);
}

/* arg: the server, the deadline or ALOOP_NEVER, how many were cancelled */
enum { SERVER, DEADLINE, CANCELLED };

static int64_t cancel_clients(aloop_server *server)
{
    struct list *head = connections_of(server);
    int64_t count = 0;

    for (struct list *link = head->next; link != head; link = link->next) {
        (void)aloop_task_cancel(
            CONTAINER_OF(link, struct connection, link)->aloop_frame_.task);
        count++;
    }
    return count;
}

static aloop_poll ended_poll(aloop_task *task, aloop_op *op)
{
    aloop_server *server = op->arg[SERVER].pointer;
    aloop_ns now = task->future.loop->now;

    if (server->parts == NULL)
        return op->arg[CANCELLED].number;
    if (op->arg[DEADLINE].number != ALOOP_NEVER && now >= op->arg[DEADLINE].number) {
        op->arg[DEADLINE].number = ALOOP_NEVER;
        op->arg[CANCELLED].number = cancel_clients(server);
    }
    if (op->arg[DEADLINE].number != ALOOP_NEVER)
        (void)aloop_op_wait_until(task, op->arg[DEADLINE].number);
    return aloop_op_wait(op, &server->waiters);
}

static aloop_poll drain_begin(aloop_task *task, aloop_op *op)
{
    aloop_server_close(op->arg[SERVER].pointer);
    if (op->arg[DEADLINE].number != ALOOP_NEVER)
        op->arg[DEADLINE].number = time_add(
            task->future.loop->now, op->arg[DEADLINE].number > 0 ? op->arg[DEADLINE].number : 0);
    op->poll = ended_poll;
    return ended_poll(task, op);
}

static void ended_describe(const aloop_task *task, const aloop_op *op, aloop_op_details *details)
{
    (void)task;
    details->deadline = op->arg[DEADLINE].number;
    (void)snprintf(details->text, sizeof details->text, "%zu connections",
                   aloop_server_connections(op->arg[SERVER].pointer));
}

static const aloop_op_type wait_closed_type = {
    .name = "server wait_closed", .describe = ended_describe};
static const aloop_op_type drain_type = {.name = "server drain", .describe = ended_describe};

aloop_op aloop_server_wait_closed(aloop_server *server)
{
    return (aloop_op){.poll = ended_poll,
                      .type = &wait_closed_type,
                      .arg = {{.pointer = server}, {.number = ALOOP_NEVER}}};
}

aloop_op aloop_server_drain(aloop_server *server, aloop_ns timeout)
{
    return (aloop_op){.poll = drain_begin,
                      .type = &drain_type,
                      .arg = {{.pointer = server}, {.number = timeout}}};
}
