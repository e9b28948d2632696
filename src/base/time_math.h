/*
 * Arithmetic on times in nanoseconds that saturates instead of overflowing, and the conversions to
 * what system calls take. Those always round *up*, so that a wait never ends before its deadline
 * (ending early would make the loop spin), and clamp to a length that every kernel accepts.
 */
#ifndef ALOOP_SRC_BASE_TIME_MATH_H
#define ALOOP_SRC_BASE_TIME_MATH_H

#include <aloop/base.h>
#include <limits.h>
#include <time.h>

/*
 * No wait is longer than this: kernels differ in what they accept beyond 2^31 ms, and a wait that
 * ends for nothing once a day costs nothing. On 32 bits, Linux before 2.6.37 takes more than
 * LONG_MAX / HZ milliseconds (half an hour at the largest HZ it can have) for "for ever".
 */
#if LONG_MAX == INT32_MAX
#define TIME_WAIT_MAX ALOOP_MS(1789569)
#else
#define TIME_WAIT_MAX ALOOP_SEC(24 * 3600)
#endif

/* Is nothing of it negative, nor beyond the range? One comparison tells both of the delay: as a
   number without a sign a negative one is too large. */
static inline bool time_sum_is_plain(aloop_ns time, aloop_ns delay)
{
    return time >= 0 && (uint64_t)delay < (uint64_t)(ALOOP_NEVER - time);
}

/* time_add() of what is no plain sum, or may be none. */
aloop_ns time_add_saturating(aloop_ns time, aloop_ns delay);

/* time + delay, saturating at INT64_MIN and ALOOP_NEVER. ALOOP_NEVER plus anything, and anything
   plus ALOOP_NEVER, is ALOOP_NEVER. */
static inline aloop_ns time_add(aloop_ns time, aloop_ns delay)
{
    return ALOOP_LIKELY(time_sum_is_plain(time, delay)) ? time + delay
                                                         : time_add_saturating(time, delay);
}

/* later - earlier, saturating. ALOOP_NEVER minus anything is ALOOP_NEVER. */
aloop_ns time_sub(aloop_ns later, aloop_ns earlier);
/* seconds and nanoseconds of a struct timespec as one number, saturating. */
aloop_ns time_from_timespec(const struct timespec *ts);
/* The wait `timeout` (< 0 is taken as 0, ALOOP_NEVER as TIME_WAIT_MAX) as a struct timespec,
 * clamped. */
struct timespec time_to_timespec(aloop_ns timeout);
/* The same in whole milliseconds, rounded up. */
int time_to_ms(aloop_ns timeout);

#endif
