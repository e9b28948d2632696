/*
 * The servers that are compared: each engine in a file of its own, server_*.c, and what they do
 * with what they receive is the same code for all. Every engine is used in the fastest way that it
 * has. All read into one buffer of 64 KiB, answer at once, and copy only what the peer does not
 * take; a coroutine, which may have to wait between the two, has a buffer of its own.
 */
#ifndef ALOOP_TESTS_SERVER_H
#define ALOOP_TESTS_SERVER_H

#include "bench.h"
#include "load.h"

#define SERVER_BUFFER_SIZE ((size_t)65536)

struct answer {
    const char *data;
    size_t size;
};

/*
 * What a server does: the answer to these bytes, good until the next call. *state is the service's
 * memory of the connection, 0 at first. NULL: an echo.
 */
typedef struct answer server_answer(const char *data, size_t size, size_t *state);

struct service {
    server_answer *answer;
    size_t buffer_size; /* of a coroutine's own: more than can be under way on a connection */
};

/* What a server of callbacks knows of a connection. */
struct connection {
    int fd;
    size_t state;
    char *unsent; /* what the peer has not taken; NULL: nothing */
    size_t unsent_at;
    size_t unsent_size;
};

enum connection_next {
    CONNECTION_READ,  /* wait until there is something to read */
    CONNECTION_WRITE, /* wait until the peer takes the rest */
    CONNECTION_END    /* it is closed */
};

/*
 * Goes on with a connection: sends what is left over, then reads and answers, while that fills the
 * buffer, at most `reads` times. Where one is told of new bytes only, it has to be without limit.
 */
enum connection_next connection_go_on(struct connection *connection, const struct service *service,
                                      unsigned reads);

/* A server whose loop tells it again may give way to the other connections after so many. */
#define SERVER_READS_MAX 4

struct connection *connections_of(const struct load *load);
/* How many of them are open. */
size_t connections_open(void);

/* The answer of a service, be it an echo. */
static inline struct answer service_answer(const struct service *service, const char *data,
                                           size_t size, size_t *state)
{
    return service->answer != NULL ? service->answer(data, size, state)
                                   : (struct answer){data, size};
}

/* Serves the connections of the load until all of them have ended. */
typedef void serve(const struct load *load, const struct service *service);

serve serve_aloop_fds, serve_aloop_tasks, serve_aloop_streams, serve_aloop_busy, serve_epoll;
serve serve_uv, serve_ev, serve_event;

/* One sample: the server in a process of its own on one CPU, the load on the other. For an
   instrument that counts, `ops` requests, and the server is this process. */
struct bench_figures server_measure(struct load *load, size_t connections, serve *run,
                                    const struct service *service, uint64_t ops);

/* clang-format off */
/* X(engine's name, function): the engines that are here, ours first. */
#define SERVER_ENGINES_OWN(X) \
    X("libaloop-fds", aloop_fds) X("libaloop-tasks", aloop_tasks) \
    X("libaloop-streams", aloop_streams) X("epoll", epoll)
#ifdef HAVE_LIBUV
#define SERVER_ENGINES_UV(X) X("libuv", uv)
#else
#define SERVER_ENGINES_UV(X)
#endif
#ifdef HAVE_LIBEV
#define SERVER_ENGINES_EV(X) X("libev", ev)
#else
#define SERVER_ENGINES_EV(X)
#endif
#ifdef HAVE_LIBEVENT
#define SERVER_ENGINES_EVENT(X) X("libevent", event)
#else
#define SERVER_ENGINES_EVENT(X)
#endif
#define SERVER_ENGINES(X) \
    SERVER_ENGINES_OWN(X) SERVER_ENGINES_UV(X) SERVER_ENGINES_EV(X) SERVER_ENGINES_EVENT(X)

/* A function run_NAME for each, by a function measure(work, ops, serve), and its line in a table
   of engines. */
#define SERVER_RUN(NAME, FUNCTION) \
    static struct bench_figures run_##FUNCTION(const struct bench_work *work, uint64_t ops) \
    { \
        return measure(work, ops, serve_##FUNCTION); \
    }
#define SERVER_ENGINE(NAME, FUNCTION) {NAME, run_##FUNCTION, 1},
/* clang-format on */

#endif
