/*
 * One request, and its response, whose body is written as it comes. It is whole when it says so
 * itself (Content-Length, or chunks); one without that ends with the connection.
 */
#include "http_client.h"

#include <stdio.h>

/* Is the line there to its end? Then without that. */
static bool cut_line(aloop_slice *line)
{
    if (line->size == 0 || line->data[line->size - 1] != '\n')
        return false;
    line->size--;
    if (line->size > 0 && line->data[line->size - 1] == '\r')
        line->size--;
    return true;
}

/* Reads a head, but for those that only announce another (status 1xx). */
struct read_head {
    ALOOP_FRAME;
    aloop_stream stream;
    struct response *response;
    aloop_slice line;
    bool has_status;
    int lines;
};

ALOOP_CORO(read_head)
{
    int error;

    ALOOP_BEGIN;
    for (;;) {
        ALOOP_TRY(aloop_stream_read_line(&self->stream, &self->line));
        if (!cut_line(&self->line))
            ALOOP_RETURN(-ALOOP_EEOF);
        if (++self->lines > LINES_MAX)
            ALOOP_RETURN(-EMSGSIZE);
        if (self->line.size == 0 && self->has_status && self->response->status >= 200)
            break;
        if (!self->has_status)
            error = parse_status(self->line, self->response);
        else
            error = self->line.size > 0 ? parse_field(self->line, self->response) : 0;
        if (error < 0)
            ALOOP_RETURN(error);
        self->has_status = self->line.size > 0;
    }
    ALOOP_END;
}

/* Writes so many bytes of body, or, if that is not known (-1), all that come. */
struct copy {
    ALOOP_FRAME;
    aloop_stream stream;
    int64_t size;
    aloop_slice bytes;
};

ALOOP_CORO(copy)
{
    ALOOP_BEGIN;
    while (self->size != 0) {
        ALOOP_TRY(aloop_stream_peek(&self->stream, 1, &self->bytes));
        if (self->bytes.size == 0)
            ALOOP_RETURN(self->size < 0 ? 0 : -ALOOP_EEOF);
        if (self->size > 0 && self->bytes.size > (uint64_t)self->size)
            self->bytes.size = (size_t)self->size;
        if (fwrite(self->bytes.data, 1, self->bytes.size, stdout) < self->bytes.size)
            ALOOP_RETURN(-EIO);
        (void)aloop_stream_consume(&self->stream, self->bytes.size);
        if (self->size > 0)
            self->size -= (int64_t)self->bytes.size;
    }
    ALOOP_END;
}

struct copy_chunks {
    ALOOP_FRAME;
    aloop_stream stream;
    aloop_slice line;
    int64_t size;
};

ALOOP_CORO(copy_chunks)
{
    ALOOP_BEGIN;
    do {
        ALOOP_TRY(aloop_stream_read_line(&self->stream, &self->line));
        if (!cut_line(&self->line))
            ALOOP_RETURN(-ALOOP_EEOF);
        self->size = parse_chunk_size(self->line);
        if (self->size < 0)
            ALOOP_RETURN(self->size);
        ALOOP_TRY(aloop_call(copy, .stream = self->stream, .size = self->size));
        /* Behind a chunk there is an empty line; behind the last one fields may come before it. */
        do {
            ALOOP_TRY(aloop_stream_read_line(&self->stream, &self->line));
            if (!cut_line(&self->line))
                ALOOP_RETURN(-ALOOP_EEOF);
            if (self->line.size > 0 && self->size > 0)
                ALOOP_RETURN(-EPROTO);
        } while (self->line.size > 0);
    } while (self->size > 0);
    ALOOP_END;
}

/* Has such a response something to be written? */
static bool has_body(const struct response *response)
{
    return response->status != 204 && response->status != 304 && response->status / 100 != 3;
}

ALOOP_CORO_EXPORT(fetch)
{
    char request[3072];
    int length;

    ALOOP_BEGIN;
    ALOOP_TRY(aloop_wait_for(
        aloop_open_connection(self->url->host, self->url->service, NULL, &self->stream),
        CONNECT_TIMEOUT));
    (void)aloop_stream_set_limit(&self->stream, LINE_SIZE_MAX);
    (void)aloop_stream_set_idle_timeout(&self->stream, IDLE_TIMEOUT);
    length = snprintf(request, sizeof request,
                      "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: libaloop/%s\r\n"
                      "Accept: */*\r\nConnection: close\r\n\r\n",
                      self->url->path, self->url->authority, aloop_version());
    ALOOP_CHECK(aloop_stream_write_nowait(&self->stream, request, (size_t)length));
    ALOOP_TRY(aloop_call(read_head, .stream = self->stream, .response = self->response));
    if (self->response->is_chunked && has_body(self->response))
        ALOOP_TRY(aloop_call(copy_chunks, .stream = self->stream));
    else if (has_body(self->response))
        ALOOP_TRY(aloop_call(copy, .stream = self->stream, .size = self->response->length));
    ALOOP_RETURN(self->response->status);
    ALOOP_FINALLY;
    aloop_stream_close(&self->stream);
    ALOOP_END;
}
