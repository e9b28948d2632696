/*
 * Opening and closing what a server listens on. The file of a Unix socket is the server's, and goes
 * with it; but not one that somebody else has put in its place meanwhile.
 */
#include "io/server.h"

#include <sys/un.h>

_Static_assert(sizeof(((struct sockaddr_un *)0)->sun_path) < ALOOP_ADDRESS_TEXT_MAX,
               "a path fits into struct listener_file");

void server_listener_close(aloop_socket *listener, struct listener_file *file)
{
    uint64_t identity[2];

    if (!aloop_socket_is_open(listener))
        return;
    /* While it is open nobody else's file can have its identity. */
    if (file->path[0] != '\0' && sys.path_identity(file->path, identity) == 0 &&
        identity[0] == file->identity[0] && identity[1] == file->identity[1])
        (void)sys.unlink(file->path);
    aloop_socket_close(listener);
}

void server_parts_free(struct server_parts *parts)
{
    for (size_t i = 0; i < parts->listener_count; i++)
        server_listener_close(&parts->listeners[i], &parts->files[i]);
    list_del(&parts->dependent.link);
    memory_free(&parts->loop->memory, parts, parts->size);
}

static void parts_close(aloop *loop, struct dependent *dependent)
{
    (void)loop;
    server_parts_free(CONTAINER_OF(dependent, struct server_parts, dependent));
}

static int listen_at(struct server_parts *parts, size_t i, const aloop_address *address,
                     const aloop_listen_options *options)
{
    const struct sockaddr_un *name = (const struct sockaddr_un *)(const void *)&address->storage;
    struct listener_file *file = &parts->files[i];
    int error = aloop_socket_listen(parts->loop, address, options, &parts->listeners[i]);

    if (error < 0 || address->storage.ss_family != AF_UNIX || name->sun_path[0] == '\0')
        return error;
    memcpy(file->path, name->sun_path, sizeof name->sun_path);
    /* Without an identity there is no telling later whose file it is: it stays. */
    if (sys.path_identity(file->path, file->identity) < 0)
        file->path[0] = '\0';
    return 0;
}

static int check_listening(int fd)
{
    int is_listening = 0;
    socklen_t size = sizeof is_listening;
    int error = sys.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &size);

    return error == 0 && !is_listening ? -EINVAL : error;
}

/* The inherited fds come last, and are given back on failure. */
static int open_listeners(struct server_parts *parts, const aloop_server_options *options)
{
    size_t adopted = 0;
    int error = 0;

    for (size_t i = 0; i < options->fd_count && error == 0; i++)
        error = check_listening(options->fds[i]);
    for (size_t i = 0; i < options->address_count && error == 0; i++)
        error = listen_at(parts, i, &options->addresses[i], options->listen);
    while (error == 0 && adopted < options->fd_count) {
        error = aloop_socket_adopt(parts->loop, options->fds[adopted],
                                   &parts->listeners[options->address_count + adopted]);
        adopted += error == 0;
    }
    if (error == 0)
        return 0;
    for (size_t i = 0; i < adopted; i++) {
        aloop_socket *listener = &parts->listeners[options->address_count + i];

        watch_close(parts->loop, socket_watch(listener));
        *listener = (aloop_socket){0};
    }
    return error;
}

int server_parts_make(aloop *loop, const aloop_server_options *options,
                      const aloop_server_handler *handler, const void *frame,
                      struct server_parts **out_parts)
{
    size_t count = options->address_count + options->fd_count;
    size_t each = sizeof(aloop_socket) + sizeof(struct listener_file);
    size_t fixed = sizeof(struct server_parts) + handler->coro->size;
    struct server_parts *parts;
    char *rest;
    int error;

    if (count > (SIZE_MAX - fixed) / each)
        return -ENOMEM;
    parts = memory_alloc(&loop->memory, fixed + count * each);
    if (parts == NULL)
        return -ENOMEM;
    memset(parts, 0, fixed + count * each);
    /* A frame's size is a multiple of what it is aligned to, which is as much as the others ask. */
    parts->frame = (char *)(parts + 1);
    rest = parts->frame + handler->coro->size;
    parts->size = fixed + count * each;
    parts->loop = loop;
    parts->listener_count = count;
    parts->listeners = (aloop_socket *)(void *)rest;
    parts->files = (struct listener_file *)(void *)(rest + count * sizeof(aloop_socket));
    memcpy(parts->frame, frame, handler->coro->size);
    parts->handler = *handler;
    parts->max_connections = options->max_connections > 0 ? options->max_connections : SIZE_MAX;
    if (options->stream != NULL) {
        parts->stream_storage = *options->stream;
        parts->stream_options = &parts->stream_storage;
    }
    parts->dependent.on_close = parts_close;
    list_init(&parts->dependent.link);
    list_push(&loop->dependents, &parts->dependent.link);
    error = open_listeners(parts, options);
    if (error < 0)
        server_parts_free(parts);
    else
        *out_parts = parts;
    return error;
}

int aloop_server_address(const aloop_server *server, size_t index, aloop_address *out_address)
{
    if (server->parts == NULL || index >= server->parts->listener_count)
        return -EBADF;
    return aloop_socket_address(&server->parts->listeners[index], out_address);
}

size_t aloop_listen_fds(int *out_fds, size_t capacity)
{
    enum { FIRST = 3 };
    size_t count = (size_t)sys.listen_fds();

    for (size_t i = 0; i < count && i < capacity; i++)
        out_fds[i] = FIRST + (int)i;
    return count;
}
