/*
 * Servers: a task for each connection. asyncio: start_server().
 *
 *     struct session { ALOOP_FRAME; aloop_stream stream; struct database *database; };
 *
 *     options.addresses = &self->address;
 *     options.address_count = 1;
 *     ALOOP_TRY(aloop_start_server(&self->server, &options, session, .database = self->database));
 *     ALOOP_TRY(aloop_event_wait(&self->stop));
 *     ALOOP_TRY(aloop_server_drain(&self->server, ALOOP_SEC(10)));
 *
 * The coroutine is any whose frame has a member `aloop_stream stream`: each connection runs it in a
 * task of its own, with a copy of the arguments and its own stream. When it ends the stream is
 * closed, if it was not before. That one fails is told to the exception handler, and concerns
 * nobody else; that it was cancelled, or that its connection broke or was closed from here
 * (-ECONNRESET, -EPIPE, -ETIMEDOUT, -ALOOP_EEOF, -ECANCELED), is told to nobody.
 *
 * A server belongs to the coroutine that starts it, lives by value in its frame, and must not be
 * copied. Nothing outlives it: a coroutine that ends with its server open, however it ends, ends
 * only after that has stopped listening, and the connections that are left have been cancelled and
 * have ended, too. All calls are for the loop's thread; those but for starting, for any task.
 */
#ifndef ALOOP_SERVER_H
#define ALOOP_SERVER_H

#include <aloop/group.h>
#include <aloop/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * How to serve. Begin with ALOOP_SERVER_OPTIONS_INIT and set what should differ; new members will
 * be added at the end. What it points to must stay until aloop_start_server() has been awaited.
 */
typedef struct aloop_server_options {
    size_t size; /* of this struct as the program was compiled with it */
    /* Where to listen: addresses, of Unix sockets too, and fds that listen already, inherited from
       who started this process (see aloop_listen_fds()); those are taken, once all has succeeded.
       */
    const aloop_address *addresses;
    size_t address_count;
    const int *fds;
    size_t fd_count;
    const aloop_listen_options *listen; /* for the addresses; NULL: the defaults */
    /* Of each connection's stream; NULL: the defaults. With an idle_timeout, reading and writing
       fail with -ETIMEDOUT once a connection has not moved a byte for so long: its coroutine is not
       cancelled, and ends in its own way. */
    const aloop_stream_options *stream;
    /* With so many connections the server accepts no more until one has ended; they wait in the
       backlog. 0: no limit. */
    size_t max_connections;
    /* How many each listener accepts before the others get their turn; 0: some dozens. */
    unsigned accepts_per_turn;
} aloop_server_options;

/* clang-format off */
#define ALOOP_SERVER_OPTIONS_INIT { .size = sizeof(aloop_server_options) }
/* clang-format on */

struct server_parts;

/* The members are the library's. */
typedef struct aloop_server {
    aloop_group group;
    struct server_parts *parts; /* NULL: not open */
    aloop_link connections;
    aloop_waitlist room;
    aloop_waitlist waiters;
    size_t connection_count;
    size_t listener_count; /* that have not ended */
    bool is_closing;
} aloop_server;

/* What a connection runs; made by the macro below. */
typedef struct aloop_server_handler {
    const aloop_coro *coro;
    size_t stream_offset;
} aloop_server_handler;

/* The function of the macro aloop_start_server(). */
ALOOP_API aloop_op aloop_start_server_op(aloop_server *server, const aloop_server_options *options,
                                         const aloop_server_handler *handler, const void *frame);

/* The address of listener number `index`, in the order of the options, addresses first: which port
   was free, say. Returns 0; -EBADF if there is none, or it does not listen any more. asyncio:
   sockets. */
ALOOP_API ALOOP_CHECKED int aloop_server_address(const aloop_server *server, size_t index,
                                                 aloop_address *out_address);

/* How many connections there are. */
static inline size_t aloop_server_connections(const aloop_server *server)
{
    return server->connection_count;
}

/* Does it listen? asyncio: is_serving(). */
static inline bool aloop_server_is_serving(const aloop_server *server)
{
    return server->parts != NULL && !server->is_closing;
}

/*
 * Stops listening, at once; connections go on. The file of a Unix socket is removed, if it is still
 * that of this server. Nothing if it is closed. asyncio: Server.close().
 */
ALOOP_API void aloop_server_close(aloop_server *server);

/* Closes the streams of all connections: aloop_stream_close(). asyncio: close_clients(). */
ALOOP_API void aloop_server_close_clients(aloop_server *server);
/* Aborts them: aloop_stream_abort(). asyncio: abort_clients(). */
ALOOP_API void aloop_server_abort_clients(aloop_server *server);

/*
 * Waits until the server is closed and all its connections have ended: their tasks, and what these
 * had written is sent or given up. The outcome is 0. Any number may wait. asyncio: wait_closed().
 */
ALOOP_API aloop_op aloop_server_wait_closed(aloop_server *server);

/*
 * Ends in good order: closes, and waits as aloop_server_wait_closed(); connections that are left
 * after `timeout` are cancelled, and waited for. The outcome is how many those were.
 */
ALOOP_API aloop_op aloop_server_drain(aloop_server *server, aloop_ns timeout);

/*
 * The listening fds that systemd, or who else speaks its protocol (LISTEN_PID and LISTEN_FDS), has
 * handed to this process: writes up to `capacity` of them, and returns how many there are. Reads
 * the environment, and sets close-on-exec. asyncio: nothing.
 */
ALOOP_API size_t aloop_listen_fds(int *out_fds, size_t capacity);

#ifndef __cplusplus
// clang-format off

/*
 * Starts a server that runs NAME for each connection, with arguments by name: an operation that
 * completes without waiting, to be awaited in the block that it stands in. The outcome is 0;
 * -EINVAL (an option, no address at all, an fd that does not listen), -EBUSY (this server is open),
 * -ENOMEM, or what aloop_socket_listen() or aloop_socket_adopt() say of any of the listeners: none
 * is open then.
 */
#define aloop_start_server(SERVER, OPTIONS, ...) \
    ALOOP_START_SERVER_(SERVER, OPTIONS, __VA_ARGS__, .aloop_frame_ = {0})
#define ALOOP_START_SERVER_(SERVER, OPTIONS, NAME, ...)                                            \
    aloop_start_server_op((SERVER), (OPTIONS),                                                     \
                          &(aloop_server_handler){                                                 \
                              &NAME##_coro,                                                        \
                              _Generic(((struct NAME *)0)->stream,                                 \
                                       aloop_stream: offsetof(struct NAME, stream))},              \
                          &(struct NAME){__VA_ARGS__})

// clang-format on
#endif

#ifdef __cplusplus
}
#endif

#endif
