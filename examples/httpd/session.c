/*
 * A connection from its first request to its last. It is one coroutine, and each part of its work
 * another that it calls; what they read into and send from is outside of their frames.
 */
#include "httpd.h"

#include <stdlib.h>
#include <string.h>

/* Reads until there is a whole head. The outcome: 0, a status to refuse it with, or an error;
   -ALOOP_EEOF if the client has no more to ask. */
struct read_head {
    ALOOP_FRAME;
    struct connection *conn;
};

ALOOP_CORO(read_head)
{
    struct connection *conn = self->conn;

    ALOOP_BEGIN;
    conn->deadline = aloop_time(conn->sock.loop) +
                     (conn->used == 0 ? conn->server->idle_timeout : conn->server->head_timeout);
    while ((conn->head_size = find_head(conn->in, conn->used)) == 0) {
        if (conn->used == HEAD_MAX)
            ALOOP_RETURN(memchr(conn->in, '\n', TARGET_MAX) == NULL ? 414 : 431);
        conn->is_idle = conn->used == 0;
        if (conn->is_idle && conn->server->is_stopping)
            ALOOP_RETURN(-ALOOP_EEOF);
        ALOOP_AWAIT(aloop_wait_for(
            aloop_recv(&conn->sock, conn->in + conn->used, HEAD_MAX - conn->used),
            conn->deadline - aloop_time(conn->sock.loop)));
        if (self->result == -ETIMEDOUT && conn->used > 0)
            ALOOP_RETURN(408);
        if (self->result <= 0)
            ALOOP_RETURN(self->result == 0 ? -ALOOP_EEOF : self->result);
        if (conn->is_idle)
            conn->deadline = aloop_time(conn->sock.loop) + conn->server->head_timeout;
        conn->is_idle = false;
        conn->used += (size_t)self->result;
        /* Blank lines in front of a request are an old client's habit. */
        while (conn->used > 0 && (conn->in[0] == '\r' || conn->in[0] == '\n'))
            memmove(conn->in, conn->in + 1, --conn->used);
    }
    ALOOP_END;
}

/* Forgets a request, with its body, so that the next one is the first. */
struct skip_request {
    ALOOP_FRAME;
    struct connection *conn;
};

ALOOP_CORO(skip_request)
{
    struct connection *conn = self->conn;
    size_t skipped;

    ALOOP_BEGIN;
    conn->used -= conn->head_size;
    memmove(conn->in, conn->in + conn->head_size, conn->used);
    for (;;) {
        skipped = conn->used < conn->body_size ? conn->used : (size_t)conn->body_size;
        conn->used -= skipped;
        conn->body_size -= skipped;
        memmove(conn->in, conn->in + skipped, conn->used);
        if (conn->body_size == 0)
            break;
        ALOOP_TRY(aloop_wait_for(aloop_recv(&conn->sock, conn->in, HEAD_MAX),
                                 conn->deadline - aloop_time(conn->sock.loop)));
        if (self->result == 0)
            ALOOP_RETURN(-ALOOP_EEOF);
        conn->used = (size_t)self->result;
    }
    ALOOP_END;
}

struct send_response {
    ALOOP_FRAME;
    struct connection *conn;
};

ALOOP_CORO(send_response)
{
    struct connection *conn = self->conn;

    ALOOP_BEGIN;
    for (;;) {
        ALOOP_TRY(aloop_wait_for(aloop_send_all(&conn->sock, conn->out, conn->filled),
                                 conn->server->write_timeout));
        conn->filled = 0;
        if (conn->left == 0)
            break;
        fill_from_file(conn);
    }
    if (conn->page != NULL && !conn->is_head)
        ALOOP_TRY(aloop_wait_for(aloop_send_all(&conn->sock, conn->page, strlen(conn->page)),
                                 conn->server->write_timeout));
    ALOOP_END;
}

/* Ends a connection so that the last response arrives: closing with input unread would reset it. */
struct drain {
    ALOOP_FRAME;
    struct connection *conn;
};

ALOOP_CORO(drain)
{
    ALOOP_BEGIN;
    if (aloop_socket_shutdown(&self->conn->sock, SHUT_WR) < 0)
        ALOOP_RETURN(0);
    do
        ALOOP_TRY(aloop_recv(&self->conn->sock, self->conn->in, HEAD_MAX));
    while (self->result > 0);
    ALOOP_END;
}

ALOOP_CORO_EXPORT(session)
{
    struct connection *conn = self->conn;

    ALOOP_BEGIN;
    do {
        ALOOP_AWAIT(aloop_call(read_head, .conn = conn));
        if (self->result < 0)
            ALOOP_RETURN(0);
        conn->is_head = conn->is_http10 = conn->keep_alive = false;
        begin_response(conn, self->result > 0 ? (int)self->result : parse_head(conn));
        conn->server->requests++;
        ALOOP_AWAIT(aloop_call(send_response, .conn = conn));
        end_response(conn);
        if (self->result < 0)
            ALOOP_RETURN(0);
        if (conn->keep_alive) {
            ALOOP_AWAIT(aloop_call(skip_request, .conn = conn));
                if (self->result < 0)
                ALOOP_RETURN(0);
        }
    } while (conn->keep_alive);
    ALOOP_AWAIT(aloop_wait_for(aloop_call(drain, .conn = conn), ALOOP_SEC(1)));
    ALOOP_RETURN(0);
    ALOOP_FINALLY;
    end_response(conn);
    aloop_socket_close(&conn->sock);
    *conn->link = conn->next;
    if (conn->next != NULL)
        conn->next->link = conn->link;
    conn->server->open--;
    free(conn);
    ALOOP_END;
}

struct connection *connection_new(struct server *server, aloop_socket sock)
{
    struct connection *self = malloc(sizeof *self);

    if (self == NULL)
        return NULL;
    memset(self, 0, offsetof(struct connection, in));
    self->server = server;
    self->sock = sock;
    self->file = -1;
    self->next = server->connections;
    self->link = &server->connections;
    if (self->next != NULL)
        self->next->link = &self->next;
    server->connections = self;
    server->open++;
    server->accepted++;
    return self;
}
