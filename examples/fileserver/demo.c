/*
 * A client, which shows what it sends and what it gets.
 */
#include "fileserver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const commands[] = {
    "PUT greeting 14\nHello, world!\n",
    "LIST\n",
    "GET greeting\n",
    "GET nothing\n",
    "DELETE greeting\n",
    "LIST\n",
    "GET ../passwd\n", /* ends the connection: nobody who means well asks for that */
};

/* Is there more to read of the answer? */
static bool is_more(const struct demo *self)
{
    if (strcmp(commands[self->i], "LIST\n") == 0)
        return strncmp(self->line.data, ".\n", 2) != 0;
    return strncmp(commands[self->i], "GET", 3) == 0 && self->line.data[0] == '+';
}

ALOOP_CORO_EXPORT(demo)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_connect(&self->address, &self->sock));
    ALOOP_CHECK(aloop_stream_open(&self->sock, NULL, &self->stream));
    for (self->i = 0; self->i < sizeof commands / sizeof commands[0]; self->i++) {
        printf("%.*s\n", (int)strcspn(commands[self->i], "\n"), commands[self->i]);
        ALOOP_TRY(aloop_stream_write(&self->stream, commands[self->i], strlen(commands[self->i])));
        do {
            ALOOP_TRY(aloop_stream_read_line(&self->stream, &self->line));
            if (self->result == 0)
                ALOOP_RETURN(-ALOOP_EEOF);
            printf("    %.*s", (int)self->line.size, self->line.data);
        } while (is_more(self));
    }
    ALOOP_FINALLY;
    aloop_stream_close(&self->stream);
    aloop_socket_close(&self->sock);
    ALOOP_END;
}
