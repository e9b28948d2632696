/*
 * Callbacks that are to run soon. ping: n callbacks, each of which posts itself again; batch: n are
 * posted from outside and then run; lone: one posts itself again while the loop also watches an fd,
 * which is when a loop that polls in each turn pays for it.
 *
 * libuv has no such call: a timer of 0 ms is its way to say it, and an idle watcher only repeats.
 * What is fed to libev from inside runs before it polls again, and so do timers of 0 ms in libuv
 * 1.44: their "lone" never polls, and the fd would starve.
 */
#include "asyncio.h"

#include <unistd.h>
#ifdef HAVE_LIBUV
#include <uv.h>
#endif
#ifdef HAVE_LIBEV
#include <ev.h>
/* libevent has a macro of the same name and another value: this one is taken before it comes. */
enum { LIBEV_READ = EV_READ };
#endif
#ifdef HAVE_LIBEVENT
#include <event2/event.h>
#include <event2/event_struct.h>
#endif

static uint64_t left; /* how often the callbacks are still to run */

static int idle_fd(void)
{
    int ends[2];

    bench_check(pipe(ends) == 0, "pipe");
    return ends[0];
}

static bool has_fd(const struct bench_work *work)
{
    return work->m != 0;
}

/* --- libaloop --- */

static aloop *own_make(const struct bench_work *work)
{
    aloop *loop = bench_make_loop();

    if (has_fd(work))
        bench_check(aloop_add_reader(loop, idle_fd(), NULL, NULL) >= 0, "aloop_add_reader");
    return loop;
}

static void own_ping(aloop *loop, void *arg)
{
    if (--left == 0)
        aloop_stop(loop);
    if (aloop_call_soon(loop, own_ping, arg) < 0)
        aloop_stop(loop);
}

static struct bench_figures run_aloop_ping(const struct bench_work *work, uint64_t ops)
{
    aloop *loop = own_make(work);
    double start;

    left = ops;
    for (size_t i = 0; i < work->n; i++)
        bench_check(aloop_call_soon(loop, own_ping, NULL) >= 0, "aloop_call_soon");
    start = bench_cpu_ns();
    bench_check(aloop_run_forever(loop) == 0, "aloop_run_forever");
    return bench_cpu_per_op(start, ops);
}

static void own_count(aloop *loop, void *arg)
{
    (void)loop;
    (void)arg;
    left--;
}

static struct bench_figures run_aloop_batch(const struct bench_work *work, uint64_t ops)
{
    aloop *loop = own_make(work);
    uint64_t batches = bench_times(work, ops);
    double start = bench_cpu_ns();

    for (uint64_t batch = 0; batch < batches; batch++) {
        left = work->n;
        for (size_t i = 0; i < work->n; i++)
            bench_check(aloop_call_soon(loop, own_count, NULL) >= 0, "aloop_call_soon");
        bench_check(aloop_run_once(loop, 0) >= 0 && left == 0, "aloop_run_once");
    }
    return bench_cpu_per_op(start, batches * work->n);
}

/* --- libuv --- */

#ifdef HAVE_LIBUV
static void uv_ignore(uv_poll_t *handle, int status, int events)
{
    (void)handle;
    (void)status;
    (void)events;
}

static void uv_make(uv_loop_t *loop, const struct bench_work *work)
{
    static uv_poll_t poll;

    bench_check(uv_loop_init(loop) == 0, "uv_loop_init");
    if (has_fd(work)) {
        bench_check(uv_poll_init(loop, &poll, idle_fd()) == 0, "uv_poll_init");
        uv_poll_start(&poll, UV_READABLE, uv_ignore);
    }
}

static void uv_timer_ping(uv_timer_t *timer)
{
    if (left > 0) {
        left--;
        uv_timer_start(timer, uv_timer_ping, 0, 0);
    }
}

static struct bench_figures run_uv_timer_ping(const struct bench_work *work, uint64_t ops)
{
    uv_timer_t *timers = bench_alloc(work->n, sizeof *timers);
    uv_loop_t loop;
    double start;

    uv_make(&loop, work);
    left = ops;
    for (size_t i = 0; i < work->n; i++) {
        uv_timer_init(&loop, &timers[i]);
        uv_timer_start(&timers[i], uv_timer_ping, 0, 0);
    }
    start = bench_cpu_ns();
    while (left > 0)
        uv_run(&loop, UV_RUN_NOWAIT);
    return bench_cpu_per_op(start, ops);
}

static void uv_timer_count(uv_timer_t *timer)
{
    (void)timer;
    left--;
}

static struct bench_figures run_uv_timer_batch(const struct bench_work *work, uint64_t ops)
{
    uv_timer_t *timers = bench_alloc(work->n, sizeof *timers);
    uint64_t batches = bench_times(work, ops);
    uv_loop_t loop;
    double start;

    uv_make(&loop, work);
    for (size_t i = 0; i < work->n; i++)
        uv_timer_init(&loop, &timers[i]);
    start = bench_cpu_ns();
    for (uint64_t batch = 0; batch < batches; batch++) {
        left = work->n;
        for (size_t i = 0; i < work->n; i++)
            uv_timer_start(&timers[i], uv_timer_count, 0, 0);
        uv_run(&loop, UV_RUN_NOWAIT);
        bench_check(left == 0, "uv_run");
    }
    return bench_cpu_per_op(start, batches * work->n);
}

static void uv_idle_ping(uv_idle_t *idle)
{
    if (--left == 0)
        uv_stop(idle->loop);
}

static struct bench_figures run_uv_idle_ping(const struct bench_work *work, uint64_t ops)
{
    uv_idle_t *idles = bench_alloc(work->n, sizeof *idles);
    uv_loop_t loop;
    double start;

    uv_make(&loop, work);
    left = ops;
    for (size_t i = 0; i < work->n; i++) {
        uv_idle_init(&loop, &idles[i]);
        uv_idle_start(&idles[i], uv_idle_ping);
    }
    start = bench_cpu_ns();
    uv_run(&loop, UV_RUN_DEFAULT);
    return bench_cpu_per_op(start, ops);
}

static void uv_idle_count(uv_idle_t *idle)
{
    left--;
    uv_idle_stop(idle);
}

static struct bench_figures run_uv_idle_batch(const struct bench_work *work, uint64_t ops)
{
    uv_idle_t *idles = bench_alloc(work->n, sizeof *idles);
    uint64_t batches = bench_times(work, ops);
    uv_loop_t loop;
    double start;

    uv_make(&loop, work);
    for (size_t i = 0; i < work->n; i++)
        uv_idle_init(&loop, &idles[i]);
    start = bench_cpu_ns();
    for (uint64_t batch = 0; batch < batches; batch++) {
        left = work->n;
        for (size_t i = 0; i < work->n; i++)
            uv_idle_start(&idles[i], uv_idle_count);
        uv_run(&loop, UV_RUN_NOWAIT);
        bench_check(left == 0, "uv_run");
    }
    return bench_cpu_per_op(start, batches * work->n);
}
#endif

/* --- libev --- */

#ifdef HAVE_LIBEV
static void ev_ignore(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop;
    (void)watcher;
    (void)events;
}

static struct ev_loop *ev_make(const struct bench_work *work)
{
    static ev_io io;
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);

    bench_check(loop != NULL, "ev_loop_new");
    if (has_fd(work)) {
        ev_io_init(&io, ev_ignore, idle_fd(), LIBEV_READ);
        ev_io_start(loop, &io);
    }
    return loop;
}

static void ev_ping(struct ev_loop *loop, ev_watcher *watcher, int events)
{
    (void)events;
    if (left > 0) {
        left--;
        ev_feed_event(loop, watcher, EV_CUSTOM);
    }
}

static struct bench_figures run_ev_ping(const struct bench_work *work, uint64_t ops)
{
    ev_watcher *watchers = bench_alloc(work->n, sizeof *watchers);
    struct ev_loop *loop = ev_make(work);
    double start;

    left = ops;
    for (size_t i = 0; i < work->n; i++) {
        ev_init(&watchers[i], ev_ping);
        ev_feed_event(loop, &watchers[i], EV_CUSTOM);
    }
    start = bench_cpu_ns();
    /* What is fed from inside runs before this returns. */
    ev_run(loop, EVRUN_NOWAIT);
    bench_check(left == 0, "ev_run");
    return bench_cpu_per_op(start, ops);
}

static void ev_count(struct ev_loop *loop, ev_watcher *watcher, int events)
{
    (void)loop;
    (void)watcher;
    (void)events;
    left--;
}

static struct bench_figures run_ev_batch(const struct bench_work *work, uint64_t ops)
{
    ev_watcher *watchers = bench_alloc(work->n, sizeof *watchers);
    uint64_t batches = bench_times(work, ops);
    struct ev_loop *loop = ev_make(work);
    double start;

    for (size_t i = 0; i < work->n; i++)
        ev_init(&watchers[i], ev_count);
    start = bench_cpu_ns();
    for (uint64_t batch = 0; batch < batches; batch++) {
        left = work->n;
        for (size_t i = 0; i < work->n; i++)
            ev_feed_event(loop, &watchers[i], EV_CUSTOM);
        ev_run(loop, EVRUN_NOWAIT);
        bench_check(left == 0, "ev_run");
    }
    return bench_cpu_per_op(start, batches * work->n);
}

static void ev_idle_ping(struct ev_loop *loop, ev_idle *idle, int events)
{
    (void)idle;
    (void)events;
    if (--left == 0)
        ev_break(loop, EVBREAK_ALL);
}

static struct bench_figures run_ev_idle_ping(const struct bench_work *work, uint64_t ops)
{
    ev_idle *idles = bench_alloc(work->n, sizeof *idles);
    struct ev_loop *loop = ev_make(work);
    double start;

    left = ops;
    for (size_t i = 0; i < work->n; i++) {
        ev_idle_init(&idles[i], ev_idle_ping);
        ev_idle_start(loop, &idles[i]);
    }
    start = bench_cpu_ns();
    ev_run(loop, 0);
    return bench_cpu_per_op(start, ops);
}
#endif

/* --- libevent --- */

#ifdef HAVE_LIBEVENT
static void event_ignore(evutil_socket_t fd, short events, void *arg)
{
    (void)fd;
    (void)events;
    (void)arg;
}

static struct event_base *event_make(const struct bench_work *work)
{
    struct event_base *base = event_base_new();

    bench_check(base != NULL, "event_base_new");
    if (has_fd(work))
        event_add(event_new(base, idle_fd(), EV_READ | EV_PERSIST, event_ignore, NULL), NULL);
    return base;
}

static void event_ping(evutil_socket_t fd, short events, void *arg)
{
    struct event *event = arg;

    (void)fd;
    (void)events;
    if (--left == 0)
        bench_check(event_base_loopbreak(event_get_base(event)) == 0, "event_base_loopbreak");
    else
        event_active(event, EV_TIMEOUT, 0);
}

static struct bench_figures run_event_ping(const struct bench_work *work, uint64_t ops)
{
    struct event *all = bench_alloc(work->n, sizeof *all);
    struct event_base *base = event_make(work);
    double start;

    left = ops;
    for (size_t i = 0; i < work->n; i++) {
        event_assign(&all[i], base, -1, 0, event_ping, &all[i]);
        event_active(&all[i], EV_TIMEOUT, 0);
    }
    start = bench_cpu_ns();
    event_base_loop(base, EVLOOP_NO_EXIT_ON_EMPTY);
    return bench_cpu_per_op(start, ops);
}

static void event_count(evutil_socket_t fd, short events, void *arg)
{
    (void)fd;
    (void)events;
    (void)arg;
    left--;
}

static struct bench_figures run_event_batch(const struct bench_work *work, uint64_t ops)
{
    struct event *all = bench_alloc(work->n, sizeof *all);
    uint64_t batches = bench_times(work, ops);
    struct event_base *base = event_make(work);
    double start;

    for (size_t i = 0; i < work->n; i++)
        event_assign(&all[i], base, -1, 0, event_count, NULL);
    start = bench_cpu_ns();
    for (uint64_t batch = 0; batch < batches; batch++) {
        left = work->n;
        for (size_t i = 0; i < work->n; i++)
            event_active(&all[i], EV_TIMEOUT, 0);
        event_base_loop(base, EVLOOP_NONBLOCK);
        bench_check(left == 0, "event_base_loop");
    }
    return bench_cpu_per_op(start, batches * work->n);
}
#endif

static const struct bench_engine ping[] = {
    {"libaloop", run_aloop_ping, 1},
#ifdef HAVE_LIBUV
    {"libuv-idle", run_uv_idle_ping, 4}, {"libuv-timer", run_uv_timer_ping, 10},
#endif
#ifdef HAVE_LIBEV
    {"libev-feed", run_ev_ping, 1},      {"libev-idle", run_ev_idle_ping, 4},
#endif
#ifdef HAVE_LIBEVENT
    {"libevent", run_event_ping, 2},
#endif
    {"asyncio", bench_asyncio, 50},
};

static const struct bench_engine batch[] = {
    {"libaloop", run_aloop_batch, 1},
#ifdef HAVE_LIBUV
    {"libuv-idle", run_uv_idle_batch, 2}, {"libuv-timer", run_uv_timer_batch, 10},
#endif
#ifdef HAVE_LIBEV
    {"libev-feed", run_ev_batch, 1},
#endif
#ifdef HAVE_LIBEVENT
    {"libevent", run_event_batch, 2},
#endif
    {"asyncio", bench_asyncio, 50},
};

static const struct bench_work works[] = {
    {"ping/1", BENCH_ENGINES(ping), .n = 1, .ops = 8000000},
    {"ping/1000", BENCH_ENGINES(ping), .n = 1000, .ops = 8000000},
    {"ping/100000", BENCH_ENGINES(ping), .n = 100000, .ops = 8000000},
    {"batch/1000", BENCH_ENGINES(batch), .n = 1000, .ops = 8000000},
    {"batch/100000", BENCH_ENGINES(batch), .n = 100000, .ops = 8000000},
    {"lone", BENCH_ENGINES(ping), .n = 1, .m = 1, .ops = 8000000},
};

int main(int argc, char **argv)
{
    const struct bench_suite suite = {
        .name = "callback", .unit = "ns for each callback", BENCH_WORKS(works)};

    return bench_main(argc, argv, &suite);
}
