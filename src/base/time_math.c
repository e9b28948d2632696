#include "base/time_math.h"

#define NS_PER_SECOND ALOOP_SEC(1)
#define NS_PER_MS ALOOP_MS(1)

_Static_assert(TIME_WAIT_MAX / NS_PER_MS < INT_MAX, "the longest wait in ms fits an int");

aloop_ns time_add_saturating(aloop_ns time, aloop_ns delay)
{
    if (time == ALOOP_NEVER || delay == ALOOP_NEVER)
        return ALOOP_NEVER;
    if (delay > 0 && time > INT64_MAX - delay)
        return ALOOP_NEVER;
    if (delay < 0 && time < INT64_MIN - delay)
        return INT64_MIN;
    return time + delay;
}

aloop_ns time_sub(aloop_ns later, aloop_ns earlier)
{
    if (later == ALOOP_NEVER)
        return ALOOP_NEVER;
    if (earlier < 0 && later > INT64_MAX + earlier)
        return ALOOP_NEVER;
    if (earlier > 0 && later < INT64_MIN + earlier)
        return INT64_MIN;
    return later - earlier;
}

aloop_ns time_from_timespec(const struct timespec *ts)
{
    int64_t seconds = ts->tv_sec;
    int64_t rest = ts->tv_nsec;

    /* With both parts of one sign, neither the product nor the sum overflows before the result
     * does. */
    if (seconds < 0 && rest > 0) {
        seconds++;
        rest -= NS_PER_SECOND;
    }
    if (seconds > INT64_MAX / NS_PER_SECOND)
        return ALOOP_NEVER;
    if (seconds < INT64_MIN / NS_PER_SECOND)
        return INT64_MIN;
    seconds *= NS_PER_SECOND;
    if (rest > 0 && seconds > INT64_MAX - rest)
        return ALOOP_NEVER;
    if (rest < 0 && seconds < INT64_MIN - rest)
        return INT64_MIN;
    return seconds + rest;
}

static aloop_ns clamp_wait(aloop_ns timeout)
{
    if (timeout < 0)
        return 0;
    return timeout < TIME_WAIT_MAX ? timeout : TIME_WAIT_MAX;
}

struct timespec time_to_timespec(aloop_ns timeout)
{
    aloop_ns wait = clamp_wait(timeout);

    return (struct timespec){.tv_sec = (time_t)(wait / NS_PER_SECOND),
                             .tv_nsec = (long)(wait % NS_PER_SECOND)};
}

int time_to_ms(aloop_ns timeout)
{
    return (int)((clamp_wait(timeout) + NS_PER_MS - 1) / NS_PER_MS);
}
