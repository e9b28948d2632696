/*
 * The load for servers that echo: connections that are open before the server begins, so that no
 * engine has to accept, and a client that keeps a fixed number of requests under way on each.
 */
#ifndef ALOOP_TESTS_LOAD_H
#define ALOOP_TESTS_LOAD_H

#include <stddef.h>
#include <stdint.h>

#define LOAD_MESSAGE_SIZE 64
#define LOAD_PIPELINE_MAX 64

struct load {
    size_t count;
    int *server_fds; /* not blocking, without delay */
    int *client_fds;
};

/* Connects `count` times over the loopback interface. */
struct load load_connect(size_t count);

/* After the fork, in each of the two: closes the other's ends. */
void load_keep_server(struct load *load);
void load_keep_client(struct load *load);

struct load_figures {
    double requests_per_second;
    double cpu_ns_per_request; /* of the server */
};

/* Measures for a while what the server with that process id does with `pipeline` requests under
   way on each connection. */
struct load_figures load_measure(const struct load *load, size_t pipeline, int server);

/* Makes at least so many requests in all, and closes the connections. */
void load_exactly(const struct load *load, size_t pipeline, uint64_t requests);

#endif
