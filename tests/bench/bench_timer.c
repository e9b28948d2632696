/*
 * Timers, n of them. add and cancel: random deadlines within a minute, cancelled in the order they
 * were added; expire: random deadlines within 100 ms, all due when the loop gets to them; reset:
 * one of n timeouts of 30 s, a random one each time, begins anew, as that of a connection does with
 * each message.
 *
 * An engine is a table of what a timer needs; the driver is the same for all. Where the rivals have
 * several ways, this is the fastest: ev_timer_again(), uv_timer_again(), and libevent's own
 * queue for timeouts of one common length, for those that have it.
 */
#include "bench.h"

#include <time.h>
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

/* How often the loops refresh the time while timers are reset: once a turn, of so many messages. */
#define RESETS_PER_TURN 1000
#define IDLE_MS 30000

struct timers {
    void (*open)(size_t n);
    void (*add)(size_t i, unsigned ms);
    void (*cancel)(size_t i);
    void (*reset)(size_t i); /* to IDLE_MS from now */
    void (*update_time)(void);
    void (*run)(void); /* what is due */
};

static uint64_t fired;

/* --- libaloop --- */

static aloop *loop;
static aloop_handle *handles;

static void aloop_open(size_t n)
{
    loop = bench_make_loop();
    handles = bench_alloc(n, sizeof *handles);
}

static void aloop_fired(aloop *self, void *arg)
{
    (void)self;
    (void)arg;
    fired++;
}

static void aloop_add(size_t i, unsigned ms)
{
    handles[i] = aloop_call_later(loop, ALOOP_MS(ms), aloop_fired, NULL);
}

static void aloop_remove(size_t i)
{
    aloop_cancel(loop, handles[i]);
}

static void aloop_reset(size_t i)
{
    aloop_reschedule_later(loop, handles[i], ALOOP_MS(IDLE_MS));
}

static void aloop_update(void)
{
    aloop_update_time(loop);
}

static void aloop_turn(void)
{
    /* The virtual clock of an instrument only moves when the loop may wait. */
    bench_check(aloop_run_once(loop, bench_is_counting() ? ALOOP_NEVER : 0) >= 0, "aloop_run_once");
}

static const struct timers aloop_timers = {aloop_open,  aloop_add,    aloop_remove,
                                           aloop_reset, aloop_update, aloop_turn};

/* --- libuv --- */

#ifdef HAVE_LIBUV
static uv_loop_t uv;
static uv_timer_t *uv_timers_all;

static void uv_open(size_t n)
{
    bench_check(uv_loop_init(&uv) == 0, "uv_loop_init");
    uv_timers_all = bench_alloc(n, sizeof *uv_timers_all);
    for (size_t i = 0; i < n; i++)
        uv_timer_init(&uv, &uv_timers_all[i]);
}

static void uv_fired(uv_timer_t *timer)
{
    (void)timer;
    fired++;
}

static void uv_add(size_t i, unsigned ms)
{
    uv_timer_start(&uv_timers_all[i], uv_fired, ms, 0);
}

static void uv_remove(size_t i)
{
    uv_timer_stop(&uv_timers_all[i]);
}

static void uv_reset(size_t i)
{
    uv_timer_start(&uv_timers_all[i], uv_fired, IDLE_MS, 0);
}

static void uv_update(void)
{
    uv_update_time(&uv);
}

static void uv_turn(void)
{
    uv_run(&uv, UV_RUN_NOWAIT);
}

static const struct timers uv_timers = {uv_open, uv_add, uv_remove, uv_reset, uv_update, uv_turn};
#endif

/* --- libev --- */

#ifdef HAVE_LIBEV
static struct ev_loop *ev;
static ev_timer *ev_timers_all;

static void ev_fired(struct ev_loop *self, ev_timer *timer, int events)
{
    (void)self;
    (void)timer;
    (void)events;
    fired++;
}

static void ev_open(size_t n)
{
    ev = ev_loop_new(EVFLAG_AUTO);
    bench_check(ev != NULL, "ev_loop_new");
    ev_timers_all = bench_alloc(n, sizeof *ev_timers_all);
    for (size_t i = 0; i < n; i++) {
        ev_init(&ev_timers_all[i], ev_fired);
        ev_timers_all[i].repeat = IDLE_MS / 1e3;
    }
}

static void ev_add(size_t i, unsigned ms)
{
    ev_timer_set(&ev_timers_all[i], ms / 1e3, 0);
    ev_timer_start(ev, &ev_timers_all[i]);
}

static void ev_remove(size_t i)
{
    ev_timer_stop(ev, &ev_timers_all[i]);
}

static void ev_reset(size_t i)
{
    ev_timers_all[i].repeat = IDLE_MS / 1e3;
    ev_timer_again(ev, &ev_timers_all[i]);
}

static void ev_update(void)
{
    ev_now_update(ev);
}

static void ev_turn(void)
{
    ev_run(ev, EVRUN_NOWAIT);
}

static const struct timers ev_timers = {ev_open, ev_add, ev_remove, ev_reset, ev_update, ev_turn};
#endif

/* --- libevent --- */

#ifdef HAVE_LIBEVENT
static struct event_base *base;
static struct event *events_all;
static const struct timeval *common;

static void event_fired(evutil_socket_t fd, short events, void *arg)
{
    (void)fd;
    (void)events;
    (void)arg;
    fired++;
}

static void event_open(size_t n)
{
    const struct timeval idle = {.tv_sec = IDLE_MS / 1000};

    base = event_base_new();
    bench_check(base != NULL, "event_base_new");
    events_all = bench_alloc(n, sizeof *events_all);
    for (size_t i = 0; i < n; i++)
        evtimer_assign(&events_all[i], base, event_fired, NULL);
    common = event_base_init_common_timeout(base, &idle);
}

static void event_start(size_t i, unsigned ms)
{
    const struct timeval delay = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

    event_add(&events_all[i], &delay);
}

static void event_remove(size_t i)
{
    event_del(&events_all[i]);
}

static void event_reset(size_t i)
{
    event_start(i, IDLE_MS);
}

static void event_reset_common(size_t i)
{
    event_add(&events_all[i], common);
}

static void event_update(void)
{
    event_base_update_cache_time(base);
}

static void event_turn(void)
{
    event_base_loop(base, EVLOOP_NONBLOCK);
}

static const struct timers event_timers = {event_open,  event_start,  event_remove,
                                           event_reset, event_update, event_turn};
static const struct timers event_common_timers = {event_open,         event_start,  event_remove,
                                                  event_reset_common, event_update, event_turn};
#endif

/* --- the driver --- */

struct costs {
    double add;
    double cancel;
};

/* The smaller n is, the more often, so that neither the clock nor the first steps matter. An
   instrument that counts gets one round of as many timers as it asked for. */
static struct costs add_and_cancel(const struct timers *timers, const struct bench_work *work,
                                   uint64_t ops, bool is_cancel_wanted)
{
    size_t n = bench_is_counting() ? (size_t)ops : work->n;
    size_t rounds = (size_t)ops > n ? (size_t)ops / n : 1;
    struct costs costs = {0};
    uint64_t state = 1;

    timers->open(n);
    for (size_t round = 0; round < rounds; round++) {
        double start = bench_cpu_ns(), middle;

        for (size_t i = 0; i < n; i++)
            timers->add(i, 1 + (unsigned)bench_random_below(&state, 60000));
        middle = bench_cpu_ns();
        costs.add += (middle - start) / (double)(rounds * n);
        if (!is_cancel_wanted && round + 1 == rounds)
            break;
        for (size_t i = 0; i < n; i++)
            timers->cancel(i);
        costs.cancel += (bench_cpu_ns() - middle) / (double)(rounds * n);
    }
    return costs;
}

static struct bench_figures add(const struct timers *timers, const struct bench_work *work,
                                uint64_t ops)
{
    return (struct bench_figures){.value = add_and_cancel(timers, work, ops, false).add};
}

static struct bench_figures cancel(const struct timers *timers, const struct bench_work *work,
                                   uint64_t ops)
{
    return (struct bench_figures){.value = add_and_cancel(timers, work, ops, true).cancel};
}

static struct bench_figures expire(const struct timers *timers, const struct bench_work *work,
                                   uint64_t ops)
{
    const struct timespec until_all_are_due = {.tv_nsec = 120 * 1000 * 1000};
    size_t rounds = (size_t)ops > work->n ? (size_t)ops / work->n : 1;
    double time = 0, start;
    uint64_t state = 1;

    timers->open(work->n);
    for (size_t round = 0; round < rounds; round++) {
        timers->update_time();
        for (size_t i = 0; i < work->n; i++)
            timers->add(i, 1 + (unsigned)bench_random_below(&state, 99));
        nanosleep(&until_all_are_due, NULL);
        fired = 0;
        start = bench_cpu_ns();
        while (fired < work->n)
            timers->run();
        time += bench_cpu_ns() - start;
    }
    return (struct bench_figures){.value = time / (double)(rounds * work->n)};
}

static struct bench_figures reset(const struct timers *timers, const struct bench_work *work,
                                  uint64_t ops)
{
    uint64_t state = 1;
    double start;

    timers->open(work->n);
    for (size_t i = 0; i < work->n; i++)
        timers->add(i, IDLE_MS);
    start = bench_cpu_ns();
    for (uint64_t done = 0; done < ops; done++) {
        if (done % RESETS_PER_TURN == 0)
            timers->update_time();
        timers->reset(bench_random_below(&state, work->n));
    }
    return bench_cpu_per_op(start, ops);
}

/* One function for each engine and kind of work. */
#define RUN(KIND, ENGINE)                                                                          \
    static struct bench_figures run_##ENGINE##_##KIND(const struct bench_work *work,               \
                                                      uint64_t ops) {                              \
        return KIND(&ENGINE##_timers, work, ops);                                                  \
    }

#define RUNS(ENGINE)                                                                               \
    RUN(add, ENGINE)                                                                               \
    RUN(cancel, ENGINE)                                                                            \
    RUN(expire, ENGINE)                                                                            \
    RUN(reset, ENGINE)

RUNS(aloop)
#ifdef HAVE_LIBUV
RUNS(uv)
#define UV(KIND, DIVISOR) {"libuv", run_uv_##KIND, DIVISOR},
#else
#define UV(KIND, DIVISOR)
#endif
#ifdef HAVE_LIBEV
RUNS(ev)
#define EV(KIND, DIVISOR) {"libev", run_ev_##KIND, DIVISOR},
#else
#define EV(KIND, DIVISOR)
#endif
#ifdef HAVE_LIBEVENT
RUNS(event)
RUN(reset, event_common)
#define EVENT(KIND, DIVISOR) {"libevent", run_event_##KIND, DIVISOR},
#define EVENT_COMMON(DIVISOR) {"libevent-common", run_event_common_reset, DIVISOR},
#else
#define EVENT(KIND, DIVISOR)
#define EVENT_COMMON(DIVISOR)
#endif

// clang-format off
#define ENGINES(KIND, DIVISOR) \
    {"libaloop", run_aloop_##KIND, 1}, \
    UV(KIND, DIVISOR) \
    EV(KIND, 1) \
    EVENT(KIND, DIVISOR)

static const struct bench_engine add_engines[] = {ENGINES(add, 1)};
static const struct bench_engine cancel_engines[] = {ENGINES(cancel, 1)};
static const struct bench_engine expire_engines[] = {ENGINES(expire, 1)};
static const struct bench_engine reset_engines[] = {ENGINES(reset, 4) EVENT_COMMON(4)};
// clang-format on

static const struct bench_work works[] = {
    {"add/1000", BENCH_ENGINES(add_engines), .n = 1000, .ops = 1000000},
    {"add/10000", BENCH_ENGINES(add_engines), .n = 10000, .ops = 1000000},
    {"add/100000", BENCH_ENGINES(add_engines), .n = 100000, .ops = 1000000},
    {"add/1000000", BENCH_ENGINES(add_engines), .n = 1000000, .ops = 1000000},
    {"cancel/1000", BENCH_ENGINES(cancel_engines), .n = 1000, .ops = 1000000},
    {"cancel/10000", BENCH_ENGINES(cancel_engines), .n = 10000, .ops = 1000000},
    {"cancel/100000", BENCH_ENGINES(cancel_engines), .n = 100000, .ops = 1000000},
    {"cancel/1000000", BENCH_ENGINES(cancel_engines), .n = 1000000, .ops = 1000000},
    {"expire/1000", BENCH_ENGINES(expire_engines), .n = 1000, .ops = 3000},
    {"expire/100000", BENCH_ENGINES(expire_engines), .n = 100000, .ops = 100000},
    {"expire/1000000", BENCH_ENGINES(expire_engines), .n = 1000000, .ops = 1000000},
    {"reset/1000", BENCH_ENGINES(reset_engines), .n = 1000, .ops = 4000000},
    {"reset/100000", BENCH_ENGINES(reset_engines), .n = 100000, .ops = 4000000},
    {"reset/1000000", BENCH_ENGINES(reset_engines), .n = 1000000, .ops = 2000000},
};

int main(int argc, char **argv)
{
    const struct bench_suite suite = {
        .name = "timer", .unit = "ns for each operation", BENCH_WORKS(works)};

    return bench_main(argc, argv, &suite);
}
