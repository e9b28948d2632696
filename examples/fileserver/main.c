/*
 * A server of the files in a folder, by a protocol of lines, which can be spoken with nc:
 *
 *     LIST             a line "SIZE NAME" for each file, and then "."
 *     GET NAME         "+SIZE", and the file
 *     PUT NAME SIZE    with so many bytes behind the line: "+SIZE" when they are on the disk
 *     DELETE NAME      "+0"
 *
 * or, to each of them, "-" and what is wrong. A disk that is slow holds up those who asked for its
 * files, and nobody else.
 *
 *     fileserver FOLDER PORT    serves at 127.0.0.1, until SIGTERM; port 0: a free one
 *     fileserver --demo         serves a folder of its own, and asks itself
 */
#include "fileserver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECTIONS_MAX 1000
#define STOP_TIMEOUT ALOOP_SEC(10)

struct command {
    char name[8];
    struct path path;
    int64_t size;
};

/* Is it one? */
static bool parse_size(aloop_slice text, int64_t *out_size)
{
    int64_t size = 0;

    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || size > FILE_SIZE_MAX)
            return false;
        size = 10 * size + (text.data[i] - '0');
    }
    *out_size = size;
    return text.size > 0 && size <= FILE_SIZE_MAX;
}

/* 0, or -EINVAL. */
static int parse_command(const struct share *share, aloop_slice line, struct command *out)
{
    const char *end = line.data + line.size - 1;
    const char *name;
    size_t length = 0;

    if (line.size > 1 && end[-1] == '\r')
        end--;
    while (line.data + length < end && line.data[length] != ' ')
        length++;
    if (length >= sizeof out->name)
        return -EINVAL;
    memcpy(out->name, line.data, length);
    out->name[length] = '\0';
    if (strcmp(out->name, "LIST") == 0)
        return line.data + length == end ? 0 : -EINVAL;
    name = line.data + length + 1;
    if (name >= end)
        return -EINVAL;
    if (strcmp(out->name, "PUT") == 0) {
        const char *size = end;

        while (size > name && size[-1] != ' ')
            size--;
        if (size == name || !parse_size((aloop_slice){size, (size_t)(end - size)}, &out->size))
            return -EINVAL;
        end = size - 1;
    }
    return make_path(share, (aloop_slice){name, (size_t)(end - name)}, &out->path);
}

struct session {
    ALOOP_FRAME;
    aloop_stream stream;
    struct share *share;
    aloop_slice line;
    struct command command;
};

ALOOP_CORO(session)
{
    int error;

    ALOOP_BEGIN;
    do {
        ALOOP_AWAIT(aloop_stream_read_line(&self->stream, &self->line));
        if (self->result < 0 && self->result != -EMSGSIZE)
            ALOOP_RETURN(self->result);
        if (self->result == 0 || (self->result > 0 && self->line.data[self->result - 1] != '\n'))
            break;
        error =
            self->result < 0 ? -EMSGSIZE : parse_command(self->share, self->line, &self->command);
        /* Is what comes next a command, or bytes of a file? */
        if (error < 0)
            ALOOP_RETURN(refuse(&self->stream, error));
        if (strcmp(self->command.name, "LIST") == 0)
            ALOOP_TRY(aloop_call(list, .stream = self->stream, .share = self->share));
        else if (strcmp(self->command.name, "GET") == 0)
            ALOOP_TRY(aloop_call(get, .stream = self->stream, .path = self->command.path));
        else if (strcmp(self->command.name, "PUT") == 0)
            ALOOP_TRY(aloop_call(put, .stream = self->stream, .share = self->share,
                                 .path = self->command.path, .size = self->command.size));
        else if (strcmp(self->command.name, "DELETE") == 0)
            ALOOP_TRY(aloop_call(delete, .stream = self->stream, .path = self->command.path));
        else
            ALOOP_RETURN(refuse(&self->stream, -EINVAL));
    } while (self->result == 0);
    ALOOP_END;
}

struct main_task {
    ALOOP_FRAME;
    struct share *share;
    bool is_demo;
};

ALOOP_CORO(main_task)
{
    struct share *share = self->share;
    aloop_stream_options stream = {.size = sizeof stream,
                                   .limit = LINE_SIZE_MAX,
                                   .idle_timeout = ALOOP_SEC(60),
                                   .linger = ALOOP_SEC(1)};
    aloop_server_options options = {.size = sizeof options,
                                    .addresses = &share->address,
                                    .address_count = 1,
                                    .stream = &stream,
                                    .max_connections = CONNECTIONS_MAX};
    char text[ALOOP_ADDRESS_TEXT_MAX];

    ALOOP_BEGIN;
    ALOOP_TRY(aloop_start_server(&share->server, &options, session, .share = share));
    ALOOP_CHECK(aloop_server_address(&share->server, 0, &share->address));
    aloop_address_format(&share->address, text, sizeof text);
    printf("serving at %s\n", text);
    fflush(stdout);
    if (self->is_demo)
        ALOOP_TRY(aloop_call(demo, .address = share->address));
    else
        ALOOP_TRY(aloop_wait_signal(SIGTERM));
    ALOOP_TRY(aloop_server_drain(&share->server, STOP_TIMEOUT));
    ALOOP_END;
}

int main(int argc, char **argv)
{
    static struct share share;
    char folder[] = "/tmp/aloop-fileserver-XXXXXX";
    bool is_demo = argc == 2 && strcmp(argv[1], "--demo") == 0;
    unsigned port = argc == 3 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    int error = aloop_address_ip(&share.address, "127.0.0.1", port);

    if ((argc != 3 && !is_demo) || error < 0) {
        fprintf(stderr, "usage: fileserver FOLDER PORT | --demo\n");
        return 2;
    }
    share.folder = is_demo ? mkdtemp(folder) : argv[1];
    if (share.folder == NULL) {
        perror("fileserver");
        return 1;
    }
    error = aloop_run(main_task, .share = &share, .is_demo = is_demo);
    if (is_demo)
        rmdir(folder);
    /* Ctrl-C is a way to end it. */
    if (error < 0 && error != -EINTR)
        fprintf(stderr, "fileserver: %s\n", aloop_strerror(error));
    return error < 0 && error != -EINTR ? 1 : 0;
}
