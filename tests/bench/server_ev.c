/* libev: a watcher for each connection, which turns from reading to writing when it has to. */
#include "server.h"

#ifdef HAVE_LIBEV
#include <ev.h>

struct ev_connection {
    ev_io io;
    struct connection *connection;
    const struct service *service;
};

static void ready(struct ev_loop *loop, ev_io *io, int events)
{
    struct ev_connection *self = (struct ev_connection *)io;
    enum connection_next next = connection_go_on(self->connection, self->service, SERVER_READS_MAX);

    if (next == CONNECTION_READ && (events & EV_READ) != 0)
        return;
    if (next == CONNECTION_WRITE && (events & EV_WRITE) != 0)
        return;
    ev_io_stop(loop, io);
    if (next == CONNECTION_END)
        return;
    ev_io_set(io, self->connection->fd, next == CONNECTION_WRITE ? EV_WRITE : EV_READ);
    ev_io_start(loop, io);
}

void serve_ev(const struct load *load, const struct service *service)
{
    struct ev_loop *loop = ev_loop_new(EVBACKEND_EPOLL);
    struct connection *connections = connections_of(load);
    struct ev_connection *all = bench_alloc(load->count, sizeof *all);

    bench_check(loop != NULL, "ev_loop_new");
    for (size_t i = 0; i < load->count; i++) {
        all[i].connection = &connections[i];
        all[i].service = service;
        ev_io_init(&all[i].io, ready, connections[i].fd, EV_READ);
        ev_io_start(loop, &all[i].io);
    }
    ev_run(loop, 0);
}
#else
typedef int nothing_here;
#endif
