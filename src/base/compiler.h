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
#define COLD __attribute__((cold))
#define FALLTHROUGH __attribute__((fallthrough))
#else
#define NOINLINE
#define COLD
#define FALLTHROUGH ((void)0)
#endif

#ifdef __SANITIZE_ADDRESS__
#define HAVE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN 1
#endif
#endif

/* Checked in builds without NDEBUG; never with a side effect. */
#define DEBUG_ASSERT(condition) assert(condition)

#endif
