/*
 * What the files of the file server share.
 */
#ifndef FILESERVER_H
#define FILESERVER_H

#ifdef __APPLE__
/* Its headers hide O_NOFOLLOW and mkdtemp() from a program that asks for POSIX alone. */
#define _DARWIN_C_SOURCE 1
#endif

#include <aloop.h>

#define NAME_SIZE_MAX 200
#define LINE_SIZE_MAX 256 /* of a command */
#define FILE_SIZE_MAX ((int64_t)1 << 40)

struct share {
    const char *folder;
    unsigned uploads; /* so far: each has a file of its own until it is all there */
    aloop_address address;
    aloop_server server;
};

struct path {
    char text[1024];
};

/*
 * commands.c. Each is called when its line has been read. The outcome is 0; 1: answered, but
 * nobody knows what comes next, so the connection ends; or an error of the connection.
 */
struct list {
    ALOOP_FRAME;
    aloop_stream stream;
    const struct share *share;
    aloop_directory directory;
    aloop_directory_entry entry;
    aloop_file_status status;
    struct path path;
    char line[NAME_SIZE_MAX + 32];
};
ALOOP_CORO_DECLARE(list);

struct get {
    ALOOP_FRAME;
    aloop_stream stream;
    struct path path;
    aloop_file_status status;
    int fd;
};
ALOOP_CORO_DECLARE(get);

struct put {
    ALOOP_FRAME;
    aloop_stream stream;
    struct share *share;
    struct path path;
    int64_t size;
    struct path upload;
    aloop_slice bytes;
    int64_t offset;
    int fd;
    bool is_stored;
};
ALOOP_CORO_DECLARE(put);

struct delete
{
    ALOOP_FRAME;
    aloop_stream stream;
    struct path path;
};
ALOOP_CORO_DECLARE(delete);

/* The path of the file called `name`. 0, or -EINVAL for what is not to be called so. */
int make_path(const struct share *share, aloop_slice name, struct path *out_path);
/* Answers "-" and what the error is. 0 or an error; -ECANCELED stays what it is. */
int refuse(const aloop_stream *stream, int64_t error);

/* demo.c */
struct demo {
    ALOOP_FRAME;
    aloop_address address;
    aloop_socket sock;
    aloop_stream stream;
    aloop_slice line;
    size_t i;
};
ALOOP_CORO_DECLARE(demo);

#endif
