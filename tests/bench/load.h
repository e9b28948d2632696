/*
 * The load for servers: connections that are open before the measurement begins, so that no engine
 * has to accept, and a client that keeps a fixed number of requests under way on each. All requests
 * are the same, and so are all answers, whose size is all that the client looks at.
 */
#ifndef ALOOP_TESTS_LOAD_H
#define ALOOP_TESTS_LOAD_H

#include <stddef.h>
#include <stdint.h>

struct load {
    size_t count;
    int *server_fds; /* not blocking, without delay; NULL where the server is a stranger */
    int *client_fds;
    const char *request;
    size_t request_size;
    size_t answer_size;
    size_t pipeline; /* requests that are sent together, and the next when all are answered */
};

/* Connects `count` times over the loopback interface, within this process. */
void load_connect(struct load *load, size_t count);
/* The same to a server that listens there; exits if none does. */
void load_connect_to(struct load *load, size_t count, uint16_t port);

/* After the fork, in each of the two: closes the other's ends. */
void load_keep_server(struct load *load);
void load_keep_client(struct load *load);

struct load_figures {
    double requests_per_second;
    double cpu_ns_per_request; /* of the server */
};

/* Measures for a while what the server with that process id does with the load. */
struct load_figures load_measure(const struct load *load, int server);

/*
 * Makes at least so many requests in all, and closes the connections: for instruments that count.
 * The server, the process with that id, stands still while one batch is sent on each connection,
 * and the next follow when all have been answered: so it finds the same each time it looks, however
 * fast it is.
 */
void load_exactly(const struct load *load, uint64_t requests, int server);

/* Sends a request over the first connection and reads what comes, until it ends with `end`: the
   size of an answer, for servers of which nobody knows it. */
size_t load_size_of_answer(const struct load *load, const char *end);

#endif
