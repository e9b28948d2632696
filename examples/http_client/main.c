/*
 * Fetches a page by HTTP/1.1 and writes it to the standard output.
 *
 *     http_client URL       http://HOST[:PORT][/PATH]; goes where it is sent to (Location)
 *     http_client --demo    asks a server of its own
 *
 * The name is looked up and the connection made by aloop_open_connection(): whichever address
 * answers first. There are ten seconds for that, and then thirty for each thing to come; a line of
 * the head may have 16 KiB.
 */
#include "http_client.h"

#include <stdio.h>
#include <string.h>

ALOOP_CORO_EXPORT(get)
{
    int error;

    ALOOP_BEGIN;
    ALOOP_CHECK(parse_url(self->text, &self->url));
    for (;;) {
        ALOOP_TRY(aloop_call(fetch, .url = &self->url, .response = &self->response));
        if (self->result / 100 != 3 || self->response.location[0] == '\0')
            ALOOP_RETURN(self->result);
        error = parse_url(self->response.location, &self->url);
        if (error == 0 && ++self->redirections > REDIRECTIONS_MAX)
            error = -ELOOP;
        if (error < 0)
            ALOOP_RETURN(error);
    }
    ALOOP_END;
}

int main(int argc, char **argv)
{
    int result;

    if (argc != 2) {
        fprintf(stderr, "usage: http_client URL | --demo\n");
        return 2;
    }
    if (strcmp(argv[1], "--demo") == 0)
        result = aloop_run(demo);
    else
        result = aloop_run(get, .text = argv[1]);
    if (fflush(stdout) != 0 && result >= 0)
        result = -EIO;
    if (result < 0)
        fprintf(stderr, "http_client: %s\n", aloop_strerror(result));
    else if (result >= 400)
        fprintf(stderr, "http_client: the server says %d\n", result);
    return result < 0 || result >= 400 ? 1 : 0;
}
