/*
 * Servers that are programs of their own: redis-server, nginx, an example. Each is started for one
 * sample, listens on a port that was free a moment before, and ends with the sample.
 */
#ifndef ALOOP_TESTS_STRANGER_H
#define ALOOP_TESTS_STRANGER_H

#include "bench.h"
#include "load.h"

struct stranger {
    int pid;
    uint16_t port;
    char folder[64]; /* of its own, to write in */
};

/* Begins one: finds a port, and makes the folder. */
void stranger_prepare(struct stranger *stranger);
/* Starts it on CPU 0, and waits until it listens. False if it ended before: it is not installed,
   say. argv[0] is searched in the PATH. */
bool stranger_start(struct stranger *stranger, const char *const argv[]);
/* The same with a function, which listens on the port and does not return. */
bool stranger_start_function(struct stranger *stranger, void (*run)(uint16_t port));
/* Ends it, and removes the folder with what is in it. */
void stranger_end(struct stranger *stranger);

/* One sample of a server that has been started, with so many connections; the answer is what comes
   up to `end`, NULL: as large as the load says. Ends it. */
struct bench_figures stranger_measure(struct stranger *stranger, struct load *load,
                                      size_t connections, const char *end);

#endif
