/*
 * An allocator that counts and that fails on demand, for whole loops. Any thread may use it; what
 * it is told of sizes is checked against what it gave, so that a wrong old size shows.
 */
#ifndef ALOOP_TESTS_MEMORY_PROBE_H
#define ALOOP_TESTS_MEMORY_PROBE_H

#include <aloop/base.h>
#include <stdatomic.h>

struct memory_probe {
    atomic_long requests;  /* for memory, so far; freeing does not count */
    atomic_long fail_from; /* this request (the first is 1) fails; 0: none does */
    atomic_bool persists;  /* and so do all after it */
    atomic_bool mistaken;  /* a size was not that of the block */
    atomic_size_t bytes;   /* out */
};

/* All zero is a probe that has seen nothing and fails nothing. */
aloop_allocator memory_probe_allocator(struct memory_probe *probe);

/* The n-th request from here (1 is the next) fails, and with `persists` all after it; 0: none. */
void memory_probe_fail(struct memory_probe *probe, long n, bool persists);

#endif
