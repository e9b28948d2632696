/*
 * What the files of the web server share.
 */
#ifndef HTTPD_H
#define HTTPD_H

#ifdef __APPLE__
/* Its headers hide O_NOFOLLOW and mkdtemp() from a program that asks for POSIX alone. */
#define _DARWIN_C_SOURCE 1
#endif

#include <aloop.h>
#include <time.h>

#define HEAD_MAX 8192    /* of a request: its line and its header fields */
#define TARGET_MAX 4096  /* of that, the line */
#define BODY_MAX 65536   /* nobody asked for one, so it is only thrown away */
#define CHUNK 65536      /* what is read of a file at a time */

struct server {
    int root; /* the directory */
    int stop_pipe[2];
    aloop_ns idle_timeout;  /* for a request to begin */
    aloop_ns head_timeout;  /* for its head to be complete, and its body */
    aloop_ns write_timeout; /* for a chunk to be taken */
    bool is_stopping;
    time_t started;
    uint64_t requests, accepted;
    size_t open;
    struct connection *connections;
    aloop_address address;
    aloop_socket listener;
};

/* What is too large for a coroutine's frame; lives as long as its session. */
struct connection {
    struct connection *next, **link; /* in server->connections */
    struct server *server;
    aloop_socket sock;
    bool is_idle; /* between two requests: may be closed at once */
    aloop_ns deadline;

    /* The request. */
    size_t used;      /* bytes in `in` ... */
    size_t head_size; /* ... of which the first request's head is so much, when it is complete */
    uint64_t body_size;
    bool is_head, is_http10, keep_alive, has_host, has_length;
    char *target;

    /* The response. */
    int status;
    int file;    /* whose content is the body, or -1 */
    char *page;  /* the body, if it was made here; from malloc */
    uint64_t left; /* of the file */
    size_t filled; /* bytes in `out` */
    char in[HEAD_MAX + 1];
    char out[CHUNK];
};

/* request.c: the size of the first request's head with the empty line that ends it; 0 if that has
   not come. Then, what is in it: 0, or the status to refuse it with. */
size_t find_head(const char *in, size_t used);
int parse_head(struct connection *self);

/* content.c: looks for what the request names, and fills in what the body will be. The status. */
int find_content(struct connection *self, const char **out_type);

/* response.c: writes the head, and as much of the body as goes with it, into `out`; status 0: that
   of what is found. Then, more of the body; and the end. */
void begin_response(struct connection *self, int status);
void fill_from_file(struct connection *self);
void end_response(struct connection *self);

/* session.c: one connection, whose memory it frees. Whatever becomes of it is no failure of the
   server's: the outcome is 0. */
struct session {
    ALOOP_FRAME;
    struct connection *conn;
};
ALOOP_CORO_DECLARE(session);

/* The memory for a connection; NULL if there is none. */
struct connection *connection_new(struct server *server, aloop_socket sock);

/* server.c: listens until somebody writes to the stop pipe. */
struct serve {
    ALOOP_FRAME;
    struct server *server;
    aloop_group group;
};
ALOOP_CORO_DECLARE(serve);

/* 0, or a negative errno. */
int server_init(struct server *self, const char *directory);
void server_stop(const struct server *self);
void server_fini(struct server *self);

/* demo.c: serves, asks, and says what came of it. The exit code. */
int demo(void);

#endif
