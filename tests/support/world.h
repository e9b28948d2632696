/*
 * A loop on the virtual clock, over an allocator that keeps accounts and can refuse, with a log
 * that tests write words to and a record of what the exception handler was told. world_setup() and
 * world_teardown() are cmocka's; the latter asserts that everything was given back. And the
 * coroutines that most tests of tasks need.
 */
#ifndef ALOOP_TESTS_WORLD_H
#define ALOOP_TESTS_WORLD_H

#include "memory_probe.h"

#include <aloop.h>
#include <stdbool.h>

struct world {
    aloop *loop;
    struct memory_probe memory;
    char log[512]; /* words, each followed by a blank */
    int reports;   /* to the exception handler */
    char message[96];
    char name[32];
    int64_t error;
};

int world_setup(void **state);
int world_teardown(void **state);
/* The same outside of cmocka's groups: a second loop, or one with options of its own. */
void world_open(struct world *world, const aloop_options *options);
void world_close(struct world *world);

void world_mark(struct world *world, const char *word);
/* Runs until nothing can happen any more. */
void world_drain(struct world *world);
/* Runs so many turns without waiting. */
void world_turns(struct world *world, int count);

/* Sleeps, and returns `value`; the error that cut it short otherwise. */
struct sleeper {
    ALOOP_FRAME;
    aloop_ns delay;
    int64_t value;
};
ALOOP_CORO_DECLARE(sleeper);

/* Joins, stores the outcome, and returns it. */
struct joiner {
    ALOOP_FRAME;
    aloop_future *future;
    int64_t *out;
    struct world *world; /* may be NULL; else gets `word` when it resumes */
    const char *word;
};
ALOOP_CORO_DECLARE(joiner);

/* Sleeps; cancelled, it swallows that, cleans up for `cleanup`, and returns `value`. */
struct stubborn {
    ALOOP_FRAME;
    aloop_ns delay;
    aloop_ns cleanup;
    int64_t value;
    struct world *world; /* may be NULL; else gets "cleaned" after the cleanup */
};
ALOOP_CORO_DECLARE(stubborn);

/* Sleeps; however that ended, cleans up for `cleanup` inside ALOOP_FINALLY, and logs "cleaned". */
struct tidy {
    ALOOP_FRAME;
    aloop_ns delay;
    aloop_ns cleanup;
    int64_t value;
    struct world *world;
};
ALOOP_CORO_DECLARE(tidy);

#endif
