/*
 * A server of keys and values that speaks redis' protocol: try redis-cli and redis-benchmark on it.
 * It holds strings, which may expire, and keeps nothing on a disk.
 *
 *     resp_server PORT      serves at 127.0.0.1; port 0: a free one. Prints the address.
 *     resp_server PATH      the same at a Unix socket (what has a '/' in it is a path)
 *     resp_server --demo    talks to itself
 *
 * It ends when it is told to: `redis-cli -p PORT shutdown`.
 */
#include "resp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS_MAX 10000

struct session {
    ALOOP_FRAME;
    aloop_stream stream;
    struct server *server;
    aloop_slice input;
    struct progress progress;
};

/*
 * Commands are read where they were received, and answered one after another as far as they have
 * come: so the replies to what a client has sent at once go out at once. A client that does not
 * read its replies waits here, and sends no more commands before it has.
 */
ALOOP_CORO(session)
{
    int error;

    ALOOP_BEGIN;
    self->progress.need = 1;
    do {
        ALOOP_TRY(aloop_stream_peek(&self->stream, self->progress.need, &self->input));
        if (self->input.size < self->progress.need)
            break;
        self->progress = answer(self->server, self->input);
        error = aloop_stream_write_nowait(&self->stream, self->server->reply.data,
                                          self->server->reply.size);
        if (error < 0 || self->server->reply.has_failed)
            ALOOP_RETURN(error);
        (void)aloop_stream_consume(&self->stream, self->progress.used);
        ALOOP_TRY(aloop_stream_flush(&self->stream));
    } while (!self->progress.is_last);
    ALOOP_END;
}

struct main_task {
    ALOOP_FRAME;
    const char *where; /* NULL: the demo */
    struct server server;
    aloop_address address;
    aloop_group group;
};

static int parse_address(const char *where, aloop_address *out_address)
{
    if (where != NULL && strchr(where, '/') != NULL)
        return aloop_address_unix(out_address, where);
    return aloop_address_ip(out_address, "127.0.0.1",
                            where != NULL ? (unsigned)strtoul(where, NULL, 10) : 0);
}

ALOOP_CORO(main_task)
{
    aloop_stream_options stream = ALOOP_STREAM_OPTIONS_INIT;
    aloop_server_options options = ALOOP_SERVER_OPTIONS_INIT;
    struct server *server = &self->server;
    char text[ALOOP_ADDRESS_TEXT_MAX];

    ALOOP_BEGIN;
    ALOOP_CHECK(store_init(&server->store, aloop_get_running_loop()));
    ALOOP_CHECK(parse_address(self->where, &self->address));
    server->started = aloop_time(server->store.loop);
    stream.limit = COMMAND_MAX;
    /* Who is still sending when he is refused reads why: else the connection would be reset. */
    stream.linger = ALOOP_SEC(1);
    options.stream = &stream;
    options.addresses = &self->address;
    options.address_count = 1;
    options.max_connections = CONNECTIONS_MAX;
    ALOOP_TRY(aloop_start_server(&server->listener, &options, session, .server = server));
    ALOOP_CHECK(aloop_server_address(&server->listener, 0, &self->address));
    aloop_address_format(&self->address, text, sizeof text);
    printf("ready at %s\n", text);
    fflush(stdout);
    if (self->where == NULL) {
        aloop_group_init(&self->group);
        ALOOP_TRY(aloop_group_start(&self->group, demo, .address = self->address));
    }
    ALOOP_TRY(aloop_event_wait(&server->stop));
    /* Clients that are connected have no reason to leave: what they are owed is sent. */
    aloop_server_close(&server->listener);
    aloop_server_close_clients(&server->listener);
    ALOOP_TRY(aloop_server_wait_closed(&server->listener));
    ALOOP_FINALLY;
    store_fini(&server->store);
    free(server->reply.data);
    ALOOP_END;
}

int main(int argc, char **argv)
{
    bool is_demo = argc == 2 && strcmp(argv[1], "--demo") == 0;
    int error;

    if (argc != 2) {
        fprintf(stderr, "usage: resp_server PORT | PATH | --demo\n");
        return 2;
    }
    commands_init();
    error = aloop_run(main_task, .where = is_demo ? NULL : argv[1]);
    if (error < 0)
        fprintf(stderr, "resp_server: %s\n", aloop_strerror(error));
    return error < 0 ? 1 : 0;
}
