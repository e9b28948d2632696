/*
 * Compiler extensions that the sources use, each with a fallback in plain C11. The public ones
 * (ALOOP_LIKELY, ALOOP_CHECKED, ...) are in <aloop/base.h>.
 */
#ifndef ALOOP_SRC_BASE_COMPILER_H
#define ALOOP_SRC_BASE_COMPILER_H

#include <aloop/base.h>
#include <assert.h>

#if defined(__GNUC__) || defined(__clang__)
#define NOINLINE __attribute__((noinline))
#define ALWAYS_INLINE inline __attribute__((always_inline))
#define COLD __attribute__((cold))
#define FALLTHROUGH __attribute__((fallthrough))
#define PREFETCH(address) __builtin_prefetch(address)
#else
#define NOINLINE
#define ALWAYS_INLINE inline
#define COLD
#define FALLTHROUGH ((void)0)
#define PREFETCH(address) ((void)(address))
#endif

/* The place of the highest bit that is set, counted from 0; there must be one. */
static inline int highest_bit(uint64_t number)
{
#if defined(__GNUC__) || defined(__clang__)
    return 63 - __builtin_clzll(number);
#else
    int place = 0;

    while (number >>= 1)
        place++;
    return place;
#endif
}

/* That of the lowest. */
static inline int lowest_bit(uint64_t number)
{
#if defined(__GNUC__) || defined(__clang__)
    return __builtin_ctzll(number);
#else
    return highest_bit(number & (~number + 1));
#endif
}

#ifdef __SANITIZE_ADDRESS__
#define HAVE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN 1
#endif
#endif

/*
 * Memory that the library keeps for reuse is poisoned meanwhile, so that AddressSanitizer sees a
 * use after free in it as it would in memory from malloc.
 */
#ifdef HAVE_ASAN
#include <sanitizer/asan_interface.h>
/* For a function whose frame is to be laid out as it is without the sanitizer. */
#define PLAIN_FRAME __attribute__((no_sanitize_address))
#define POISON(address, size) ASAN_POISON_MEMORY_REGION(address, size)
#define UNPOISON(address, size) ASAN_UNPOISON_MEMORY_REGION(address, size)
#else
#define PLAIN_FRAME
#define POISON(address, size) ((void)(address), (void)(size))
#define UNPOISON(address, size) ((void)(address), (void)(size))
#endif

/* Checked in builds without NDEBUG; never with a side effect. */
#define DEBUG_ASSERT(condition) assert(condition)

#endif
