/*
 * asyncio itself, where there is a python3: the works of tasks have no other rival that is
 * installed anywhere. asyncio_works.py does them.
 */
#ifndef ALOOP_TESTS_ASYNCIO_H
#define ALOOP_TESTS_ASYNCIO_H

#include "bench.h"

/* The work of that name. */
bench_run bench_asyncio;

#endif
