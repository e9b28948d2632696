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

#define HEAD_MAX 8192   /* of a request: its line and its header fields */
#define TARGET_MAX 4096 /* of that, the line */
#define BODY_MAX 65536  /* nobody asked for one, so it is only thrown away */

struct server {
    int root; /* the directory */
    aloop_ns idle_timeout; /* for a request to begin, and between two pieces of a response */
    aloop_ns head_timeout; /* for a request's head to be complete; and then its body */
    aloop_event stop;
    time_t started;
    uint64_t requests;
    aloop_address address;
    aloop_server listener;
};

/* What a request says. It lives on the C stack while the head of its response is made. */
struct request {
    char *target;
    bool is_head, is_http10, keep_alive, has_host, has_length;
    uint64_t body_size;
    /* Fields' values, or NULL: Range; and the times of If-Modified-Since and If-Range. */
    const char *range, *known_time, *range_time;
};

/* A time as HTTP has it: "Sun, 06 Nov 1994 08:49:37 GMT". */
#define TIME_TEXT_SIZE 32
void format_time(time_t when, char out[TIME_TEXT_SIZE]);

/* What a response's body is. */
struct content {
    const char *type;
    int file;                      /* whose content it is, or -1 */
    char *page;                    /* made here, from malloc; or NULL */
    int64_t offset, size;          /* of the part to be sent */
    int64_t total;                 /* of all of it */
    char modified[TIME_TEXT_SIZE]; /* when the file was */
};

/* session.c: a connection. What is here is all that it has between two events; its buffers are the
   stream's, which has none while nothing happens. */
struct session {
    ALOOP_FRAME;
    aloop_stream stream;
    struct server *server;
    aloop_slice input;
    aloop_select_case cases[2];
    struct content content;
    uint64_t body_size; /* of the request */
    bool keep_alive;
};
ALOOP_CORO_DECLARE(session);

/* request.c: reads the head, which it cuts into pieces. 0, or the status to refuse it with. */
int parse_head(struct request *self, char *head, size_t size);

/* content.c: looks for what the request names. The status. */
int find_content(const struct server *server, struct request *request, struct content *out);

/* range.c: what of it the client does not have, if it says so. The status. */
int narrow_content(const struct request *request, struct content *content);

/* response.c: writes the head, and the body, too, if that is small; `content` is then what is left
   of it. 0 or an error. */
int write_response(const aloop_stream *stream, int status, const struct request *request,
                   struct content *content, bool keep_alive);

/* server.c: listens until server_stop() is called. */
struct serve {
    ALOOP_FRAME;
    struct server *server;
};
ALOOP_CORO_DECLARE(serve);

/* 0, or a negative errno. */
int server_init(struct server *self, const char *directory);
void server_stop(struct server *self);
void server_fini(struct server *self);

/* demo.c: serves, asks, and says what came of it. The exit code. */
int demo(void);

#endif
