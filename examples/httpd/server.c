/*
 * Listening, and stopping in good order: no new connections, those that wait for a request are
 * closed, and what is being sent is sent to its end, for which there are ten seconds.
 */
#include "httpd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STOP_TIMEOUT ALOOP_SEC(10)

int server_init(struct server *self, const char *directory)
{
    memset(self, 0, sizeof *self);
    self->idle_timeout = ALOOP_SEC(60);
    self->head_timeout = ALOOP_SEC(10);
    self->write_timeout = ALOOP_SEC(30);
    self->started = time(NULL);
    self->root = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (self->root < 0)
        return -errno;
    if (pipe(self->stop_pipe) == 0)
        return 0;
    close(self->root);
    return -errno;
}

void server_fini(struct server *self)
{
    close(self->root);
    close(self->stop_pipe[0]);
    close(self->stop_pipe[1]);
}

/* May be called in a signal handler. */
void server_stop(const struct server *self)
{
    int saved = errno;

    if (write(self->stop_pipe[1], "", 1) < 0)
        errno = saved;
}

struct acceptor {
    ALOOP_FRAME;
    struct server *server;
    aloop_group *group;
    aloop_socket sock;
};

ALOOP_CORO(acceptor)
{
    struct connection *conn;

    ALOOP_BEGIN;
    for (;;) {
        ALOOP_AWAIT(aloop_accept(&self->server->listener, &self->sock));
        /* The listener was closed. */
        if (self->server->is_stopping)
            ALOOP_RETURN(0);
        if (self->result < 0)
            ALOOP_RETURN(self->result);
        conn = connection_new(self->server, self->sock);
        if (conn == NULL)
            aloop_socket_close(&self->sock);
        else
            ALOOP_TRY(aloop_group_start(self->group, session, .conn = conn));
    }
    ALOOP_END;
}

ALOOP_CORO_EXPORT(serve)
{
    int error;

    ALOOP_BEGIN;
    error = aloop_socket_listen(NULL, &self->server->address, NULL, &self->server->listener);
    if (error == 0)
        error = aloop_socket_address(&self->server->listener, &self->server->address);
    if (error < 0)
        ALOOP_RETURN(error);
    (void)aloop_started(aloop_address_port(&self->server->address));
    aloop_group_init(&self->group);
    ALOOP_TRY(aloop_group_start(&self->group, acceptor, .server = self->server,
                                .group = &self->group));
    ALOOP_TRY(aloop_readable(self->server->stop_pipe[0]));
    self->server->is_stopping = true;
    aloop_socket_close(&self->server->listener);
    for (struct connection *conn = self->server->connections; conn != NULL; conn = conn->next) {
        if (conn->is_idle)
            (void)aloop_socket_shutdown(&conn->sock, SHUT_RD);
    }
    ALOOP_TRY(aloop_wait_for(aloop_group_wait(&self->group), STOP_TIMEOUT));
    ALOOP_END;
}
