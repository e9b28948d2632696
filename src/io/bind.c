/*
 * Giving a socket its address.
 */
#include "io/internal.h"

#include <sys/un.h>

static int bind_to(int fd, const aloop_address *address)
{
    return sys.bind(fd, (const struct sockaddr *)&address->storage, address->length);
}

/* NULL: there is none. */
static const char *path_of(const aloop_address *address)
{
    const struct sockaddr_un *name = (const struct sockaddr_un *)(const void *)&address->storage;

    return name->sun_family == AF_UNIX && name->sun_path[0] != '\0' ? name->sun_path : NULL;
}

/* Is the path that of a socket, and nobody behind it? Only a connection can tell. */
static bool is_abandoned(int type, const aloop_address *address, const char *path)
{
    int fd;
    int error;

    if (sys.path_is_socket(path) != 1)
        return false;
    fd = sys.socket(AF_UNIX, type, 0);
    if (fd < 0)
        return false;
    error = sys.connect(fd, (const struct sockaddr *)&address->storage, address->length);
    (void)sys.close(fd);
    return error == -ECONNREFUSED;
}

/* A socket's file stays behind when its process ends; then it is nobody's, and in the way. */
int socket_bind(int fd, int type, const aloop_address *address)
{
    const char *path = path_of(address);
    int error = bind_to(fd, address);

    if (error != -EADDRINUSE || path == NULL || !is_abandoned(type, address, path))
        return error;
    error = sys.unlink(path);
    /* Somebody else was faster, and has made place. */
    if (error < 0 && error != -ENOENT)
        return error;
    return bind_to(fd, address);
}

void socket_unbind(const aloop_address *address)
{
    const char *path = path_of(address);

    if (path != NULL)
        (void)sys.unlink(path);
}
