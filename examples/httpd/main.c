/*
 * A web server for the files of a directory: HTTP/1.1 with keep-alive and pipelining, GET and HEAD,
 * parts of files (Range) and what has not changed (If-Modified-Since), limits on what a client may
 * send and on the time it may take, a page at /status, and an end at SIGTERM or SIGINT that
 * finishes what is being sent.
 *
 *     httpd DIR PORT           serves; port 0: a free one. Prints the address.
 *     httpd DIR PORT TRACE     and records all it does to that file, for https://ui.perfetto.dev
 *     httpd --demo             serves a directory of its own, asks itself, says what came of it
 *
 * What a path cannot reach: anything outside of DIR ("..", also as %2e%2e), names that begin with a
 * dot, and symbolic links, which are not followed. Files are opened, and read, in the loop's
 * thread: they come from the system's cache, or hold everybody up for as long as the disk takes.
 */
#include "httpd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct server server;
static FILE *trace; /* NULL: none */

static void on_stop(aloop *loop, void *arg)
{
    (void)loop;
    (void)arg;
    server_stop(&server);
}

struct main_task {
    ALOOP_FRAME;
    aloop_group group;
    aloop_tracer *tracer;
};

ALOOP_CORO(main_task)
{
    char text[ALOOP_ADDRESS_TEXT_MAX];
    int error;

    ALOOP_BEGIN;
    error = aloop_add_signal_handler(aloop_get_running_loop(), SIGTERM, on_stop, NULL);
    if (error == 0)
        error = aloop_add_signal_handler(aloop_get_running_loop(), SIGINT, on_stop, NULL);
    if (error == 0 && trace != NULL)
        error = aloop_tracer_start(aloop_get_running_loop(), trace, &self->tracer);
    if (error < 0)
        ALOOP_RETURN(error);
    aloop_group_init(&self->group);
    ALOOP_TRY(aloop_group_start_and_wait(&self->group, serve, .server = &server));
    aloop_address_format(&server.address, text, sizeof text);
    printf("serving on http://%s/\n", text);
    fflush(stdout);
    ALOOP_TRY(aloop_group_wait(&self->group));
    printf("stopped after %llu requests\n", (unsigned long long)server.requests);
    ALOOP_FINALLY;
    if (aloop_tracer_stop(self->tracer) < 0)
        fprintf(stderr, "httpd: the trace is not complete\n");
    ALOOP_END;
}

static int fail(const char *what, int64_t error)
{
    fprintf(stderr, "httpd: %s: %s\n", what, aloop_strerror(error));
    return 1;
}

int main(int argc, char **argv)
{
    int error;

    if (argc == 2 && strcmp(argv[1], "--demo") == 0)
        return demo();
    if (argc != 3 && argc != 4) {
        fprintf(stderr, "usage: httpd DIR PORT [TRACE] | httpd --demo\n");
        return 2;
    }
    error = server_init(&server, argv[1]);
    if (error < 0)
        return fail(argv[1], error);
    error = aloop_address_ip(&server.address, "127.0.0.1", (unsigned)strtoul(argv[2], NULL, 10));
    if (error < 0)
        return fail(argv[2], error);
    if (argc == 4 && (trace = fopen(argv[3], "w")) == NULL)
        return fail(argv[3], -errno);
    error = aloop_run(main_task);
    if (trace != NULL)
        fclose(trace);
    server_fini(&server);
    return error < 0 ? fail("serving", error) : 0;
}
