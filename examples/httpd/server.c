/*
 * Listening, and stopping in good order: no new connections, those that wait for a request are
 * closed, and what is being sent is sent to its end, for which there are ten seconds.
 */
#include "httpd.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define STOP_TIMEOUT ALOOP_SEC(10)
#define CONNECTIONS_MAX 10000

int server_init(struct server *self, const char *directory)
{
    memset(self, 0, sizeof *self);
    self->idle_timeout = ALOOP_SEC(60);
    self->head_timeout = ALOOP_SEC(10);
    self->started = time(NULL);
    self->root = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return self->root < 0 ? -errno : 0;
}

void server_fini(struct server *self)
{
    close(self->root);
}

void server_stop(struct server *self)
{
    aloop_event_set(&self->stop);
}

ALOOP_CORO_EXPORT(serve)
{
    struct server *server = self->server;
    aloop_stream_options stream = ALOOP_STREAM_OPTIONS_INIT;
    aloop_server_options options = ALOOP_SERVER_OPTIONS_INIT;

    ALOOP_BEGIN;
    stream.limit = HEAD_MAX;
    stream.idle_timeout = server->idle_timeout;
    /* Refused or not, who is still sending gets the last response whole. */
    stream.linger = ALOOP_SEC(1);
    options.stream = &stream;
    options.addresses = &server->address;
    options.address_count = 1;
    options.max_connections = CONNECTIONS_MAX;
    ALOOP_TRY(aloop_start_server(&server->listener, &options, session, .server = server));
    ALOOP_CHECK(aloop_server_address(&server->listener, 0, &server->address));
    (void)aloop_started(aloop_address_port(&server->address));
    ALOOP_TRY(aloop_event_wait(&server->stop));
    ALOOP_TRY(aloop_server_drain(&server->listener, STOP_TIMEOUT));
    ALOOP_END;
}
