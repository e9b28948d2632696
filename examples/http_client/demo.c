/*
 * A server that has its answers ready, and the client.
 */
#include "http_client.h"

#include <stdio.h>
#include <string.h>

static const char *const answers[][2] = {
    {"GET /moved ", "HTTP/1.1 302 Found\r\nLocation: /chunks\r\nContent-Length: 0\r\n\r\n"},
    {"GET /chunks ", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "4\r\nIn p\r\n5;part=2\r\nieces\r\n1\r\n\n\r\n0\r\nAfter: all\r\n\r\n"},
    {"GET /length ", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nCounted.\nand more"},
    {"GET /end ", "HTTP/1.0 200 OK\r\n\r\nTo the end.\n"},
    {"GET /short ", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nNot all.\n"},
    {"", "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"},
};

struct session {
    ALOOP_FRAME;
    aloop_stream stream;
    aloop_slice head;
    size_t i;
};

ALOOP_CORO(session)
{
    static const aloop_slice end = {"\r\n\r\n", 4};

    ALOOP_BEGIN;
    ALOOP_TRY(aloop_stream_read_until(&self->stream, &end, 1, &self->head));
    while (strncmp(self->head.data, answers[self->i][0], strlen(answers[self->i][0])) != 0)
        self->i++;
    ALOOP_TRY(aloop_stream_write(&self->stream, answers[self->i][1], strlen(answers[self->i][1])));
    ALOOP_END;
}

ALOOP_CORO_EXPORT(demo)
{
    static const char *const paths[] = {"/moved", "/length", "/end", "/short", "/nothing"};
    aloop_server_options options = {
        .size = sizeof options, .addresses = &self->address, .address_count = 1};

    ALOOP_BEGIN;
    ALOOP_CHECK(aloop_address_ip(&self->address, "127.0.0.1", 0));
    ALOOP_TRY(aloop_start_server(&self->server, &options, session));
    ALOOP_CHECK(aloop_server_address(&self->server, 0, &self->address));
    for (self->i = 0; self->i < sizeof paths / sizeof paths[0]; self->i++) {
        snprintf(self->url, sizeof self->url, "http://localhost:%d%s",
                 aloop_address_port(&self->address), paths[self->i]);
        ALOOP_AWAIT(aloop_call(get, .text = self->url));
        if (self->result >= 0)
            printf("%s: %d\n", paths[self->i], (int)self->result);
        else
            printf("%s: %s\n", paths[self->i], aloop_strerror(self->result));
    }
    ALOOP_END;
}
