/* The bare minimum: epoll, edge-triggered, each connection registered once for both directions. */
#include "server.h"

#include <limits.h>
#include <sys/epoll.h>

#define EVENTS_MAX 256

void serve_epoll(const struct load *load, const struct service *service)
{
    struct connection *all = connections_of(load);
    struct epoll_event events[EVENTS_MAX];
    int epoll_fd = epoll_create1(0);

    for (size_t i = 0; i < load->count; i++) {
        struct epoll_event event = {.events =
                                        (uint32_t)EPOLLIN | (uint32_t)EPOLLOUT | (uint32_t)EPOLLET,
                                    .data.ptr = &all[i]};

        bench_check(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, all[i].fd, &event) == 0, "epoll_ctl");
    }
    while (connections_open() > 0) {
        int count = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);

        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;

            /* What makes room for writing tells of nothing to read. */
            if ((events[i].events & ~(uint32_t)EPOLLOUT) != 0 || connection->unsent != NULL)
                (void)connection_go_on(connection, service, UINT_MAX);
        }
    }
}
