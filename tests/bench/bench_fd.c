/*
 * File descriptors. ring/N/A: N pipes, of which A have a byte in them; who reads one writes it to
 * the next pipe, ten thousand times for each run (the classic benchmark of event loops, where two
 * system calls an event are most of it). change/N: one of N fds is no longer watched, and is
 * watched again, a thousand times for each turn of the loop. libaloop has two ways to do that:
 * pausing the reader, which rests on the fd staying what it is, as the others' ways do, and
 * removing it, after which the fd may be closed.
 *
 * An engine is a table of what an fd needs; the driver is the same for all. epoll is told of levels
 * here: two bytes may meet in a pipe, and an edge would tell of one. libevent is there a second
 * time with its list of changes, which its users have to ask for, and which cannot bear an fd that
 * was duplicated.
 */
#include "bench.h"

#include <sys/resource.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/epoll.h>
#endif
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

#define WRITES_PER_RUN 10000
#define CHANGES_PER_TURN 1000
#define FDS_BESIDES 50

struct fds {
    void (*open)(size_t n);
    void (*add)(size_t i, int fd); /* got_byte(i) is called when it can be read */
    void (*remove)(size_t i);
    void (*turn)(bool waits);
};

/* --- the ring --- */

static int *ends; /* those of pipe i: 2 * i to read, 2 * i + 1 to write */
static size_t pipe_count;
static uint64_t writes_left, bytes_under_way, events;

static void put_byte(size_t i)
{
    char byte = 'x';

    bench_check(write(ends[2 * i + 1], &byte, 1) == 1, "write");
    bytes_under_way++;
}

static void got_byte(size_t i)
{
    char byte;

    bench_check(read(ends[2 * i], &byte, 1) == 1, "read");
    bytes_under_way--;
    events++;
    if (writes_left > 0) {
        writes_left--;
        put_byte(i + 1 < pipe_count ? i + 1 : 0);
    }
}

static bool have_fds(size_t count)
{
    struct rlimit limit;

    bench_raise_fd_limit();
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= count + FDS_BESIDES;
}

static void open_pipes(const struct fds *fds, size_t n)
{
    pipe_count = n;
    ends = bench_alloc(2 * n, sizeof *ends);
    fds->open(n);
    for (size_t i = 0; i < n; i++) {
        bench_check(pipe(&ends[2 * i]) == 0, "pipe");
        fds->add(i, ends[2 * i]);
    }
    fds->turn(false);
}

static struct bench_figures ring(const struct fds *fds, const struct bench_work *work, uint64_t ops)
{
    double start;

    if (!have_fds(2 * work->n))
        return (struct bench_figures){.value = BENCH_ABSENT};
    open_pipes(fds, work->n);
    start = bench_cpu_ns();
    for (events = 0; events < ops;) {
        writes_left = WRITES_PER_RUN;
        for (size_t i = 0; i < work->m; i++)
            put_byte(i * (work->n / work->m));
        while (bytes_under_way > 0)
            fds->turn(true);
    }
    return bench_cpu_per_op(start, events);
}

static struct bench_figures change(const struct fds *fds, const struct bench_work *work,
                                   uint64_t ops)
{
    uint64_t state = 1;
    double start;

    if (!have_fds(2 * work->n))
        return (struct bench_figures){.value = BENCH_ABSENT};
    open_pipes(fds, work->n);
    start = bench_cpu_ns();
    for (uint64_t done = 1; done <= ops; done++) {
        size_t i = bench_random_below(&state, work->n);

        fds->remove(i);
        fds->add(i, ends[2 * i]);
        if (done % CHANGES_PER_TURN == 0)
            fds->turn(false);
    }
    return bench_cpu_per_op(start, ops);
}

/* --- libaloop --- */

static aloop *loop;

static void own_open(size_t n)
{
    (void)n;
    loop = bench_make_loop();
}

static void own_readable(aloop *self, void *arg)
{
    (void)self;
    got_byte((size_t)((const int *)arg - ends) / 2);
}

static void own_add(size_t i, int fd)
{
    bench_check(aloop_add_reader(loop, fd, own_readable, &ends[2 * i]) >= 0,
                "aloop_add_reader");
}

static void own_remove(size_t i)
{
    aloop_remove_reader(loop, ends[2 * i]);
}

static void own_turn(bool waits)
{
    bench_check(aloop_run_once(loop, waits ? ALOOP_NEVER : 0) >= 0, "aloop_run_once");
}

static const struct fds own_fds = {own_open, own_add, own_remove, own_turn};

static aloop_handle *readers;

static void pause_open(size_t n)
{
    own_open(n);
    readers = bench_alloc(n, sizeof *readers);
}

static void pause_add(size_t i, int fd)
{
    if (readers[i] == 0)
        readers[i] = aloop_add_reader(loop, fd, own_readable, &ends[2 * i]);
    else
        bench_check(aloop_resume(loop, readers[i]) == 0, "aloop_resume");
    bench_check(readers[i] > 0, "aloop_add_reader");
}

static void pause_remove(size_t i)
{
    aloop_pause(loop, readers[i]);
}

static const struct fds pause_fds = {pause_open, pause_add, pause_remove, own_turn};

/* --- epoll --- */

#ifdef __linux__
static int epoll_fd;

static void epoll_open(size_t n)
{
    (void)n;
    epoll_fd = epoll_create1(0);
}

static void epoll_add(size_t i, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = i};

    bench_check(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
}

static void epoll_remove(size_t i)
{
    epoll_ctl(epoll_fd, EPOLL_CTL_DEL, ends[2 * i], NULL);
}

static void epoll_turn(bool waits)
{
    struct epoll_event ready[256];
    int count = epoll_wait(epoll_fd, ready, 256, waits ? -1 : 0);

    for (int i = 0; i < count; i++)
        got_byte((size_t)ready[i].data.u64);
}

static const struct fds epoll_fds = {epoll_open, epoll_add, epoll_remove, epoll_turn};
#endif

/* --- libuv --- */

#ifdef HAVE_LIBUV
static uv_loop_t uv;
static uv_poll_t *uv_polls;
static bool *uv_is_made;

static void uv_open(size_t n)
{
    bench_check(uv_loop_init(&uv) == 0, "uv_loop_init");
    uv_polls = bench_alloc(n, sizeof *uv_polls);
    uv_is_made = bench_alloc(n, sizeof *uv_is_made);
}

static void uv_ready(uv_poll_t *poll, int status, int which)
{
    (void)status;
    (void)which;
    got_byte((size_t)(poll - uv_polls));
}

static void uv_add(size_t i, int fd)
{
    if (!uv_is_made[i])
        bench_check(uv_poll_init(&uv, &uv_polls[i], fd) == 0, "uv_poll_init");
    uv_is_made[i] = true;
    uv_poll_start(&uv_polls[i], UV_READABLE, uv_ready);
}

static void uv_remove(size_t i)
{
    uv_poll_stop(&uv_polls[i]);
}

static void uv_turn(bool waits)
{
    uv_run(&uv, waits ? UV_RUN_ONCE : UV_RUN_NOWAIT);
}

static const struct fds uv_fds = {uv_open, uv_add, uv_remove, uv_turn};
#endif

/* --- libev --- */

#ifdef HAVE_LIBEV
static struct ev_loop *ev;
static ev_io *ev_ios;

static void ev_ready(struct ev_loop *self, ev_io *io, int which)
{
    (void)self;
    (void)which;
    got_byte((size_t)(io - ev_ios));
}

static void ev_open(size_t n)
{
    ev = ev_loop_new(EVBACKEND_EPOLL);
    bench_check(ev != NULL, "ev_loop_new");
    ev_ios = bench_alloc(n, sizeof *ev_ios);
    for (size_t i = 0; i < n; i++)
        ev_init(&ev_ios[i], ev_ready);
}

static void ev_add(size_t i, int fd)
{
    ev_io_set(&ev_ios[i], fd, LIBEV_READ);
    ev_io_start(ev, &ev_ios[i]);
}

static void ev_remove(size_t i)
{
    ev_io_stop(ev, &ev_ios[i]);
}

static void ev_turn(bool waits)
{
    ev_run(ev, waits ? EVRUN_ONCE : EVRUN_NOWAIT);
}

static const struct fds ev_fds = {ev_open, ev_add, ev_remove, ev_turn};
#endif

/* --- libevent --- */

#ifdef HAVE_LIBEVENT
static struct event_base *base;
static struct event *all;

static void event_ready(evutil_socket_t fd, short which, void *arg)
{
    (void)fd;
    (void)which;
    got_byte((size_t)((struct event *)arg - all));
}

static void event_open(size_t n)
{
    base = event_base_new();
    bench_check(base != NULL, "event_base_new");
    all = bench_alloc(n, sizeof *all);
}

static void event_open_changelist(size_t n)
{
    struct event_config *config = event_config_new();

    event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
    base = event_base_new_with_config(config);
    bench_check(base != NULL, "event_base_new_with_config");
    all = bench_alloc(n, sizeof *all);
}

static void event_add_fd(size_t i, int fd)
{
    if (event_get_base(&all[i]) == NULL)
        event_assign(&all[i], base, fd, EV_READ | EV_PERSIST, event_ready, &all[i]);
    event_add(&all[i], NULL);
}

static void event_remove_fd(size_t i)
{
    event_del(&all[i]);
}

static void event_turn(bool waits)
{
    event_base_loop(base, waits ? EVLOOP_ONCE : EVLOOP_NONBLOCK);
}

static const struct fds event_fds = {event_open, event_add_fd, event_remove_fd, event_turn};
static const struct fds event_changelist_fds = {event_open_changelist, event_add_fd,
                                                event_remove_fd, event_turn};
#endif

/* One function for each engine and kind of work. */
// clang-format off
#define RUN(ENGINE, KIND) \
    static struct bench_figures run_##ENGINE##_##KIND(const struct bench_work *work, uint64_t ops) \
    { \
        return KIND(&ENGINE##_fds, work, ops); \
    }
#define ENGINE_RUNS(ENGINE) \
    RUN(ENGINE, ring) \
    RUN(ENGINE, change)

RUN(pause, change)
ENGINE_RUNS(own)
#ifdef __linux__
ENGINE_RUNS(epoll)
#define EPOLL(KIND) {"epoll", run_epoll_##KIND, 1},
#else
#define EPOLL(KIND)
#endif
#ifdef HAVE_LIBUV
ENGINE_RUNS(uv)
#define UV(KIND) {"libuv", run_uv_##KIND, 1},
#else
#define UV(KIND)
#endif
#ifdef HAVE_LIBEV
ENGINE_RUNS(ev)
#define EV(KIND) {"libev", run_ev_##KIND, 1},
#else
#define EV(KIND)
#endif
#ifdef HAVE_LIBEVENT
ENGINE_RUNS(event)
ENGINE_RUNS(event_changelist)
#define EVENT(KIND) \
    {"libevent", run_event_##KIND, 1}, {"libevent-changes", run_event_changelist_##KIND, 1},
#else
#define EVENT(KIND)
#endif

#define ENGINES(KIND) \
    {"libaloop", run_own_##KIND, 1}, EPOLL(KIND) UV(KIND) EV(KIND) EVENT(KIND)

static const struct bench_engine rings[] = {ENGINES(ring)};
static const struct bench_engine changes[] = {{"libaloop-pause", run_pause_change, 1},
                                              ENGINES(change)};
// clang-format on

static const struct bench_work works[] = {
    {"ring/100/1", BENCH_ENGINES(rings), .n = 100, .m = 1, .ops = 100000},
    {"ring/100/100", BENCH_ENGINES(rings), .n = 100, .m = 100, .ops = 100000},
    {"ring/1000/1", BENCH_ENGINES(rings), .n = 1000, .m = 1, .ops = 100000},
    {"ring/1000/100", BENCH_ENGINES(rings), .n = 1000, .m = 100, .ops = 100000},
    {"ring/9900/100", BENCH_ENGINES(rings), .n = 9900, .m = 100, .ops = 100000},
    {"ring/9900/1000", BENCH_ENGINES(rings), .n = 9900, .m = 1000, .ops = 100000},
    {"change/100", BENCH_ENGINES(changes), .n = 100, .ops = 200000},
    {"change/1000", BENCH_ENGINES(changes), .n = 1000, .ops = 200000},
    {"change/9900", BENCH_ENGINES(changes), .n = 9900, .ops = 200000},
};

int main(int argc, char **argv)
{
    const struct bench_suite suite = {
        .name = "fd", .unit = "ns for each event or change", BENCH_WORKS(works)};

    return bench_main(argc, argv, &suite);
}
