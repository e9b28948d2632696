/*
 * How late one is woken who sleeps for 100 us, or 1 ms, on a loop that has nothing else to do: the
 * median of some hundred sleeps, and the 99th of a hundred. libuv counts whole milliseconds and has
 * no 100 us; libevent is asked to be precise.
 */
#include "bench.h"

#include <stdlib.h>
#include <sys/time.h>
#ifdef HAVE_LIBUV
#include <uv.h>
#endif
#ifdef HAVE_LIBEV
#include <ev.h>
#endif
#ifdef HAVE_LIBEVENT
#include <event2/event.h>
#include <event2/event_struct.h>
#endif

static double *lateness; /* in us */
static size_t sleeps, slept;
static double delay_us, due;

static void begin(const struct bench_work *work, uint64_t ops)
{
    sleeps = (size_t)ops;
    lateness = bench_alloc(sleeps, sizeof *lateness);
    delay_us = (double)work->n;
}

static void fall_asleep(void)
{
    due = bench_wall_ns() + delay_us * 1e3;
}

/* True when that was the last time. */
static bool wake_up(void)
{
    lateness[slept++] = (bench_wall_ns() - due) / 1e3;
    bench_check(lateness[slept - 1] > -delay_us, "sleeping at all");
    return slept == sleeps;
}

static struct bench_figures figures(void)
{
    return (struct bench_figures){.value = bench_quantile(lateness, slept, 0.5),
                                  .second = bench_quantile(lateness, slept, 0.99)};
}

/* --- libaloop --- */

struct sleeper {
    ALOOP_FRAME;
};

ALOOP_CORO(sleeper)
{
    ALOOP_BEGIN;
    do {
        fall_asleep();
        ALOOP_TRY(aloop_sleep((aloop_ns)delay_us * 1000));
    } while (!wake_up());
    ALOOP_END;
}

static struct bench_figures run_aloop(const struct bench_work *work, uint64_t ops)
{
    begin(work, ops);
    bench_check(aloop_run(sleeper) == 0, "aloop_run");
    return figures();
}

/* --- libuv --- */

#ifdef HAVE_LIBUV
static void uv_fired(uv_timer_t *timer)
{
    if (wake_up())
        return;
    fall_asleep();
    uv_timer_start(timer, uv_fired, (uint64_t)delay_us / 1000, 0);
}

static struct bench_figures run_uv(const struct bench_work *work, uint64_t ops)
{
    uv_timer_t timer;
    uv_loop_t loop;

    begin(work, ops);
    bench_check(uv_loop_init(&loop) == 0, "uv_loop_init");
    uv_timer_init(&loop, &timer);
    fall_asleep();
    uv_timer_start(&timer, uv_fired, (uint64_t)delay_us / 1000, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    return figures();
}
#endif

/* --- libev --- */

#ifdef HAVE_LIBEV
static void ev_fired(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)events;
    if (wake_up())
        return;
    fall_asleep();
    ev_timer_set(timer, delay_us / 1e6, 0);
    ev_timer_start(loop, timer);
}

static struct bench_figures run_ev(const struct bench_work *work, uint64_t ops)
{
    struct ev_loop *loop = ev_loop_new(EVBACKEND_EPOLL);
    ev_timer timer;

    begin(work, ops);
    bench_check(loop != NULL, "ev_loop_new");
    fall_asleep();
    ev_timer_init(&timer, ev_fired, delay_us / 1e6, 0);
    ev_timer_start(loop, &timer);
    ev_run(loop, 0);
    return figures();
}
#endif

/* --- libevent --- */

#ifdef HAVE_LIBEVENT
static struct timeval event_delay(void)
{
    return (struct timeval){.tv_usec = (suseconds_t)delay_us};
}

static void event_fired(evutil_socket_t fd, short events, void *arg)
{
    const struct timeval delay = event_delay();

    (void)fd;
    (void)events;
    if (wake_up())
        return;
    fall_asleep();
    event_add(arg, &delay);
}

static struct bench_figures run_event(const struct bench_work *work, uint64_t ops)
{
    struct event_config *config = event_config_new();
    struct event_base *base;
    struct timeval delay;
    struct event timer;

    begin(work, ops);
    delay = event_delay();
    event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
    base = event_base_new_with_config(config);
    bench_check(base != NULL, "event_base_new_with_config");
    evtimer_assign(&timer, base, event_fired, &timer);
    fall_asleep();
    event_add(&timer, &delay);
    event_base_dispatch(base);
    return figures();
}
#endif

static const struct bench_engine short_engines[] = {
    {"libaloop", run_aloop, 1},
#ifdef HAVE_LIBEV
    {"libev", run_ev, 1},
#endif
#ifdef HAVE_LIBEVENT
    {"libevent-precise", run_event, 1},
#endif
};

static const struct bench_engine long_engines[] = {
    {"libaloop", run_aloop, 1},
#ifdef HAVE_LIBUV
    {"libuv", run_uv, 1},
#endif
#ifdef HAVE_LIBEV
    {"libev", run_ev, 1},
#endif
#ifdef HAVE_LIBEVENT
    {"libevent-precise", run_event, 1},
#endif
};

static const struct bench_work works[] = {
    {"100us", BENCH_ENGINES(short_engines), .n = 100, .ops = 500},
    {"1ms", BENCH_ENGINES(long_engines), .n = 1000, .ops = 300},
};

int main(int argc, char **argv)
{
    const struct bench_suite suite = {.name = "sleep",
                                      .unit = "us too late at the median",
                                      .second_unit = "us too late at the 99th percentile",
                                      BENCH_WORKS(works)};

    return bench_main(argc, argv, &suite);
}
