/*
 * A client: sends some commands at once, and shows their replies.
 */
#include "resp.h"

#include <stdio.h>
#include <string.h>

static const char *const questions[] = {
    "PING\r\n",
    "SET greeting hello\r\n",
    "GET greeting\r\n",
    "INCR visitors\r\n",
    "INCRBY visitors 41\r\n",
    "INCR greeting\r\n",
    "EXPIRE greeting 100\r\n",
    "TTL greeting\r\n",
    "SET ghost boo PX 1\r\n",
    "DBSIZE\r\n",
    /* The ghost is gone when these are sent. */
    "GET ghost\r\n",
    "DBSIZE\r\n",
    "DEL greeting visitors ghost\r\n",
};

#define COUNT (sizeof questions / sizeof questions[0])
#define FIRST_BATCH (COUNT - 3)

static int send_questions(const aloop_stream *stream, size_t from, size_t to)
{
    int error = 0;

    for (size_t i = from; i < to && error == 0; i++)
        error = aloop_stream_write_nowait(stream, questions[i], strlen(questions[i]));
    return error;
}

ALOOP_CORO_EXPORT(demo)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_connect(&self->address, &self->sock));
    ALOOP_CHECK(aloop_stream_open(&self->sock, NULL, &self->stream));
    ALOOP_CHECK(send_questions(&self->stream, 0, FIRST_BATCH));
    for (self->i = 0; self->i < COUNT; self->i++) {
        if (self->i == FIRST_BATCH) {
            ALOOP_TRY(aloop_sleep(ALOOP_MS(2)));
            ALOOP_CHECK(send_questions(&self->stream, FIRST_BATCH, COUNT));
        }
        ALOOP_TRY(aloop_stream_read_line(&self->stream, &self->line));
        if (self->line.size > 1 && self->line.data[0] == '$' && self->line.data[1] != '-')
            ALOOP_TRY(aloop_stream_read_line(&self->stream, &self->line));
        if (self->line.size < 2)
            ALOOP_RETURN(-ALOOP_EEOF);
        printf("%-28.*s %.*s\n", (int)strcspn(questions[self->i], "\r"), questions[self->i],
               (int)self->line.size - 2, self->line.data);
    }
    ALOOP_TRY(aloop_stream_write(&self->stream, "SHUTDOWN\r\n", 10));
    ALOOP_FINALLY;
    aloop_stream_close(&self->stream);
    aloop_socket_close(&self->sock);
    ALOOP_END;
}
