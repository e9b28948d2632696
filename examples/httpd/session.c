/*
 * A connection from its first request to its last.
 */
#include "httpd.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What ends a head: an empty line, also one of those who do not say \r. */
static const aloop_slice head_ends[] = {{"\n\r\n", 3}, {"\n\n", 2}};

static size_t count_blanks(aloop_slice input)
{
    size_t count = 0;

    while (count < input.size && (input.data[count] == '\r' || input.data[count] == '\n'))
        count++;
    return count;
}

/* Waits for a request and reads its head, session->input. The outcome: 0, a status to refuse it
   with, or an error; -ALOOP_EEOF if there is no more to be answered. */
struct read_head {
    ALOOP_FRAME;
    struct session *session;
};

ALOOP_CORO(read_head)
{
    struct session *session = self->session;
    size_t blanks;

    ALOOP_BEGIN;
    do {
        session->cases[0].op = aloop_stream_peek(&session->stream, 1, &session->input);
        session->cases[1].op = aloop_event_wait(&session->server->stop);
        ALOOP_TRY(aloop_select(session->cases, 2));
        if (self->result == 1 || session->cases[0].result <= 0)
            ALOOP_RETURN(-ALOOP_EEOF);
        /* Blank lines in front of a request are an old client's habit. */
        blanks = count_blanks(session->input);
        (void)aloop_stream_consume(&session->stream, blanks);
    } while (blanks == session->input.size);
    ALOOP_AWAIT(
        aloop_wait_for(aloop_stream_read_until(&session->stream, head_ends, 2, &session->input),
                       session->server->head_timeout));
    if (self->result == -ETIMEDOUT)
        ALOOP_RETURN(408);
    if (self->result != -EMSGSIZE)
        ALOOP_RETURN(self->result < 0 ? self->result : 0);
    ALOOP_TRY(aloop_stream_peek(&session->stream, 1, &session->input));
    ALOOP_RETURN(memchr(session->input.data, '\n', TARGET_MAX) == NULL ? 414 : 431);
    ALOOP_END;
}

/* Reads a request's body, so that what is read next is the next request. */
struct skip_body {
    ALOOP_FRAME;
    aloop_stream stream;
    uint64_t size;
    aloop_slice input;
};

ALOOP_CORO(skip_body)
{
    ALOOP_BEGIN;
    while (self->size > 0) {
        ALOOP_TRY(aloop_stream_peek(&self->stream, 1, &self->input));
        if (self->input.size == 0)
            ALOOP_RETURN(-ALOOP_EEOF);
        if (self->input.size > self->size)
            self->input.size = (size_t)self->size;
        self->size -= (uint64_t)aloop_stream_consume(&self->stream, self->input.size);
    }
    ALOOP_END;
}

/* After these nobody knows where the next request would begin. */
static bool is_last(int status)
{
    return status == 400 || status == 408 || status == 413 || status == 414 || status == 431 ||
           status == 501 || status == 505;
}

/* Answers what was read, or refuses it. Of the body, what is not sent with the head is left in
   self->content. 0 or an error. */
static int answer(struct session *self, int status)
{
    char head[HEAD_MAX + sizeof "\n\r\n"];
    struct request request = {0};

    if (status == 0) {
        memcpy(head, self->input.data, self->input.size);
        status = parse_head(&request, head, self->input.size);
    }
    if (status == 0)
        status = find_content(self->server, &request, &self->content);
    if (status == 200)
        status = narrow_content(&request, &self->content);
    self->server->requests++;
    self->body_size = request.body_size;
    self->keep_alive =
        request.keep_alive && !is_last(status) && !aloop_event_is_set(&self->server->stop);
    return write_response(&self->stream, status, &request, &self->content, self->keep_alive);
}

static void release(struct content *content)
{
    if (content->file >= 0)
        close(content->file);
    free(content->page);
    *content = (struct content){.file = -1};
}

ALOOP_CORO_EXPORT(session)
{
    struct content *content = &self->content;

    ALOOP_BEGIN;
    content->file = -1;
    do {
        ALOOP_TRY(aloop_call(read_head, .session = self));
        ALOOP_CHECK(answer(self, (int)self->result));
        if (content->size == 0)
            ALOOP_TRY(aloop_stream_drain(&self->stream));
        else if (content->page != NULL)
            ALOOP_TRY(aloop_stream_write(&self->stream, content->page, (size_t)content->size));
        else
            ALOOP_TRY(aloop_stream_sendfile(&self->stream, content->file, content->offset,
                                            content->size));
        /* Shorter than it was: all that can still be said is that the connection ends here. */
        if (self->result < content->size)
            break;
        release(content);
        if (self->keep_alive && self->body_size > 0)
            ALOOP_TRY(aloop_wait_for(
                aloop_call(skip_body, .stream = self->stream, .size = self->body_size),
                self->server->head_timeout));
    } while (self->keep_alive);
    ALOOP_FINALLY;
    release(content);
    ALOOP_END;
}
