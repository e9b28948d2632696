/*
 * What every other header of the library stands on: compiler annotations, time, error codes, the
 * allocator, and the names of the types that are opaque.
 */
#ifndef ALOOP_BASE_H
#define ALOOP_BASE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One place holds the version; the build reads it from here. */
#define ALOOP_VERSION_MAJOR 0
#define ALOOP_VERSION_MINOR 1
#define ALOOP_VERSION_PATCH 0

#if defined(ALOOP_SHARED) && (defined(__GNUC__) || defined(__clang__))
#define ALOOP_API __attribute__((visibility("default")))
#else
#define ALOOP_API
#endif

#if defined(__GNUC__) || defined(__clang__)
/* The result says whether the call succeeded: the compiler warns when it is thrown away. */
#define ALOOP_CHECKED __attribute__((warn_unused_result))
#define ALOOP_UNUSED __attribute__((unused))
#define ALOOP_MAY_ALIAS_ __attribute__((may_alias))
#define ALOOP_LIKELY(x) __builtin_expect(!!(x), 1)
#define ALOOP_UNLIKELY(x) __builtin_expect(!!(x), 0)
#else
#define ALOOP_CHECKED
#define ALOOP_UNUSED
#define ALOOP_MAY_ALIAS_
#define ALOOP_LIKELY(x) (x)
#define ALOOP_UNLIKELY(x) (x)
#endif

/* All zero, in each language's own words. */
#ifdef __cplusplus
#define ALOOP_ZERO_ {}
#else
#define ALOOP_ZERO_ {0}
#endif

/* A loop. Opaque; one thread uses it, save for the calls that say "any thread". */
typedef struct aloop aloop;

/*
 * A time or a duration, in nanoseconds. A point in time is counted from an arbitrary start by the
 * loop's own clock (asyncio's loop.time(), in seconds there). Every sum saturates: a deadline
 * beyond the range is ALOOP_NEVER, and nothing overflows.
 */
typedef int64_t aloop_ns;

#define ALOOP_NEVER INT64_MAX
#define ALOOP_NS(n) ((aloop_ns)(n))
#define ALOOP_US(n) ((aloop_ns)(n)*1000)
#define ALOOP_MS(n) ((aloop_ns)(n)*1000000)
#define ALOOP_SEC(n) ((aloop_ns)(n)*1000000000)

/*
 * Errors. A function that fails returns a negative number: the negated errno of the system, or one
 * of the codes below, which no system uses. aloop_strerror() names them all.
 */
enum {
    ALOOP_ECLOSED = 10001,      /* the loop is closed (asyncio: "Event loop is closed") */
    ALOOP_ENOLOOP = 10002,      /* no loop runs in this thread (asyncio: "no running event loop") */
    ALOOP_ESTOPPED = 10003,     /* the loop was stopped before the future was done */
    ALOOP_EWRONGLOOP = 10004,   /* the future belongs to another loop */
    ALOOP_EWRONGTHREAD = 10005, /* debug mode: called from a thread that does not run the loop */
    ALOOP_EPENDING = 10006,     /* no result yet (asyncio: InvalidStateError, pending) */
    ALOOP_EDONE = 10007,        /* there is a result already (asyncio: InvalidStateError, done) */
    ALOOP_EEOF = 10008,         /* the peer closed before as much arrived as was asked for */
    ALOOP_EBROKEN = 10009,      /* the barrier is broken (asyncio: BrokenBarrierError) */
    ALOOP_ESHUTDOWN = 10010,    /* the queue or channel was shut down (asyncio: QueueShutDown) */
    ALOOP_ELAGGED = 10011,      /* too slow: items were overwritten before they were received */
    ALOOP_ENONAME = 10012,      /* there is no such name, or none of that kind */
    ALOOP_ENAMEAGAIN = 10013,   /* the resolver cannot tell at the moment */
    ALOOP_ENAMEFAIL = 10014,    /* the resolver cannot tell */
    ALOOP_ESERVICE = 10015      /* no such service for that type of socket */
};

/*
 * The text for an error code, negative as returned or positive: "connection reset by peer",
 * "the event loop is closed". Never NULL; 0 gives "success", unknown codes "unknown error". The
 * string is constant and need not be freed. May be called from any thread and from a signal
 * handler.
 */
ALOOP_API const char *aloop_strerror(int64_t error);

/*
 * The symbolic name for an error code: "ECONNRESET", "ALOOP_ECLOSED"; "OK" for 0, "UNKNOWN" where
 * there is none. As aloop_strerror() otherwise.
 */
ALOOP_API const char *aloop_error_name(int64_t error);

/*
 * Memory. One function does everything, and is told the old size, so that an allocator that keeps
 * accounts needs no header of its own:
 *   new_size == 0              free `block`, return NULL;
 *   block == NULL              allocate new_size bytes;
 *   otherwise                  resize from old_size to new_size, keeping the content.
 * NULL means out of memory, and `block` is then untouched. Memory is aligned for any type.
 * The library calls it from the loop's thread; aloop_call_soon_threadsafe() and its kin call it
 * from theirs, so an allocator without locks rules those out.
 */
typedef void *(*aloop_alloc_fn)(void *context, void *block, size_t old_size, size_t new_size);

typedef struct aloop_allocator {
    aloop_alloc_fn alloc; /* NULL: malloc, realloc and free of the C library */
    void *context;        /* handed to alloc as it is */
} aloop_allocator;

/* The version of the library that is linked, "0.1.0". May be called from anywhere. */
ALOOP_API const char *aloop_version(void);

#ifdef __cplusplus
}
#endif

#endif
