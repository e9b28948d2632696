/* libevent: its plain events; bufferevents take five system calls for a message. */
#include "server.h"

#ifdef HAVE_LIBEVENT
#include <event2/event.h>
#include <event2/event_struct.h>

struct event_connection {
    struct event read;
    struct event write;
    struct connection *connection;
    const struct service *service;
};

static void ready(evutil_socket_t fd, short events, void *arg)
{
    struct event_connection *self = arg;
    enum connection_next next = connection_go_on(self->connection, self->service, SERVER_READS_MAX);

    (void)fd;
    if (next == CONNECTION_READ && (events & EV_WRITE) != 0)
        event_add(&self->read, NULL);
    if (next != CONNECTION_READ && (events & EV_READ) != 0)
        event_del(&self->read);
    if (next == CONNECTION_WRITE)
        event_add(&self->write, NULL);
}

void serve_event(const struct load *load, const struct service *service)
{
    struct connection *connections = connections_of(load);
    struct event_connection *all = bench_alloc(load->count, sizeof *all);
    struct event_base *base = event_base_new();

    bench_check(base != NULL, "event_base_new");
    for (size_t i = 0; i < load->count; i++) {
        all[i].connection = &connections[i];
        all[i].service = service;
        event_assign(&all[i].read, base, connections[i].fd, EV_READ | EV_PERSIST, ready, &all[i]);
        event_assign(&all[i].write, base, connections[i].fd, EV_WRITE, ready, &all[i]);
        event_add(&all[i].read, NULL);
    }
    event_base_dispatch(base);
}
#else
typedef int nothing_here;
#endif
