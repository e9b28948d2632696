/*
 * The parts of a server that are made before it runs, and may outlive the coroutine's frame when
 * the loop is closed: its listeners, and what each connection's coroutine is called with.
 */
#ifndef ALOOP_SRC_IO_SERVER_H
#define ALOOP_SRC_IO_SERVER_H

#include "io/stream.h"

#include <aloop/server.h>

/* The file of a listening Unix socket, and what tells it from one that has taken its place. */
struct listener_file {
    char path[ALOOP_ADDRESS_TEXT_MAX]; /* empty: there is none */
    uint64_t identity[2];
};

struct server_parts {
    struct dependent dependent;
    aloop *loop;
    aloop_server_handler handler;
    char *frame; /* the arguments; the stream in it is the next connection's */
    size_t max_connections;
    unsigned accepts_per_turn;
    aloop_stream_options stream_storage;
    const aloop_stream_options *stream_options;
    size_t listener_count;
    aloop_socket *listeners;
    struct listener_file *files;
    size_t size; /* of all of it, which is one block */
};

/* Opens all listeners, or none. 0 or an error. */
int server_parts_make(aloop *loop, const aloop_server_options *options,
                      const aloop_server_handler *handler, const void *frame,
                      struct server_parts **out_parts);
/* Closes what listeners are left, and frees it. */
void server_parts_free(struct server_parts *parts);
/* Stops listening, and removes the file if it is still the same. Nothing the second time. */
void server_listener_close(aloop_socket *listener, struct listener_file *file);

#endif
