/*
 * What the files of the HTTP client share.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include <aloop.h>

#define CONNECT_TIMEOUT ALOOP_SEC(10)
#define IDLE_TIMEOUT ALOOP_SEC(30)
#define LINE_SIZE_MAX 16384
#define LINES_MAX 200 /* of a head */
#define REDIRECTIONS_MAX 10

/* --- url.c --- */

struct url {
    char authority[272]; /* host and port, as they stand in it */
    char host[256];
    char service[8];
    char path[2048];
};

/* Copies a text of `size` bytes. Is there room, and anything at all? */
bool copy_text(char *out, size_t room, const char *text, size_t size);
/* 0, or -EINVAL. A path alone is one of the same host: what *url has stays. */
int parse_url(const char *text, struct url *url);

/* --- response.c --- */

/* What the head of a response says. */
struct response {
    int status;
    bool is_chunked;
    int64_t length; /* -1: as much as comes */
    char location[2048];
};

/* Both give 0 or -EPROTO; the line is without its end. */
int parse_status(aloop_slice line, struct response *response);
int parse_field(aloop_slice line, struct response *response);
/* The size that a chunk begins with; -EPROTO. */
int64_t parse_chunk_size(aloop_slice line);

/* --- fetch.c --- */

/* Asks for one page and writes its body to the standard output. The outcome: the status. */
struct fetch {
    ALOOP_FRAME;
    const struct url *url;
    struct response *response;
    aloop_stream stream;
};
ALOOP_CORO_DECLARE(fetch);

/* --- main.c --- */

/* The same, and goes where it is sent to. The outcome: the last status. */
struct get {
    ALOOP_FRAME;
    const char *text;
    struct url url;
    struct response response;
    int redirections;
};
ALOOP_CORO_DECLARE(get);

/* --- demo.c --- */

/* Gets some pages from a server of its own. */
struct demo {
    ALOOP_FRAME;
    aloop_server server;
    aloop_address address;
    char url[64];
    size_t i;
};
ALOOP_CORO_DECLARE(demo);

#endif
