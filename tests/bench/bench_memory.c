/*
 * Memory in RAM for each of n things that wait: tasks asleep, tasks that wait for a future, tasks
 * asleep in a group, timers, connections on which a server waits for a request (without its
 * buffers, and without the kernel's part). What a program itself has to keep (the handle of a
 * timer, the watcher of a rival) counts.
 */
#include "bench.h"

#include <sys/socket.h>
#include <unistd.h>
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

#define HOUR_MS 3600000

static struct bench_figures since(double start, size_t n)
{
    return (struct bench_figures){.value = (bench_rss() - start) / (double)n};
}

/* Sockets that stay open and idle, one for each connection; made before the measurement begins. */
static int *idle_sockets(size_t n)
{
    int *fds = bench_alloc(n, sizeof *fds);

    bench_raise_fd_limit();
    for (size_t i = 0; i < n; i++) {
        fds[i] = socket(AF_INET, SOCK_DGRAM, 0);
        bench_check(fds[i] >= 0, "socket");
    }
    return fds;
}

/* --- libaloop --- */

static void ignore(aloop *loop, void *arg)
{
    (void)loop;
    (void)arg;
}

static struct bench_figures run_aloop_timers(const struct bench_work *work, uint64_t ops)
{
    aloop *loop = bench_make_loop();
    double start = bench_rss();
    aloop_handle *handles = bench_alloc(work->n, sizeof *handles);

    (void)ops;
    for (size_t i = 0; i < work->n; i++)
        handles[i] = aloop_call_later(loop, ALOOP_MS(HOUR_MS + i), ignore, NULL);
    return since(start, work->n);
}

struct sleeper {
    ALOOP_FRAME;
    aloop_future *future;
};

ALOOP_CORO(sleeper)
{
    ALOOP_BEGIN;
    if (self->future != NULL)
        ALOOP_TRY(aloop_join(self->future));
    else
        ALOOP_TRY(aloop_sleep(ALOOP_MS(HOUR_MS)));
    ALOOP_END;
}

static struct bench_figures sleep_tasks(const struct bench_work *work, aloop *loop,
                                        aloop_future *future)
{
    double start = bench_rss();

    for (size_t i = 0; i < work->n; i++)
        aloop_task_unref(aloop_create_task_in(loop, sleeper, .future = future));
    bench_check(aloop_run_once(loop, 0) >= 0, "aloop_run_once");
    return since(start, work->n);
}

static struct bench_figures run_aloop_sleeping(const struct bench_work *work, uint64_t ops)
{
    (void)ops;
    return sleep_tasks(work, bench_make_loop(), NULL);
}

static struct bench_figures run_aloop_waiting(const struct bench_work *work, uint64_t ops)
{
    aloop *loop = bench_make_loop();

    (void)ops;
    return sleep_tasks(work, loop, aloop_create_future(loop));
}

struct parent {
    ALOOP_FRAME;
    aloop_group group;
    size_t n;
};

ALOOP_CORO(parent)
{
    ALOOP_BEGIN;
    aloop_group_init(&self->group);
    for (size_t i = 0; i < self->n; i++)
        (void)aloop_group_create_task(&self->group, sleeper);
    ALOOP_TRY(aloop_group_wait(&self->group));
    ALOOP_END;
}

static struct bench_figures run_aloop_children(const struct bench_work *work, uint64_t ops)
{
    aloop *loop = bench_make_loop();
    double start = bench_rss();

    (void)ops;
    aloop_task_unref(aloop_create_task_in(loop, parent, .n = work->n));
    bench_check(aloop_run_once(loop, 0) >= 0 && aloop_run_once(loop, 0) >= 0, "aloop_run_once");
    return since(start, work->n);
}

static struct bench_figures run_aloop_fds(const struct bench_work *work, uint64_t ops)
{
    const int *fds = idle_sockets(work->n);
    aloop *loop = bench_make_loop();
    double start = bench_rss();

    (void)ops;
    for (size_t i = 0; i < work->n; i++)
        bench_check(aloop_add_reader(loop, fds[i], ignore, NULL) >= 0, "aloop_add_reader");
    return since(start, work->n);
}

struct session {
    ALOOP_FRAME;
    aloop_socket socket;
    char *buffer;
};

ALOOP_CORO(session)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_recv(&self->socket, self->buffer, 1));
    ALOOP_FINALLY;
    aloop_socket_close(&self->socket);
    ALOOP_END;
}

static struct bench_figures run_aloop_sessions(const struct bench_work *work, uint64_t ops)
{
    static char buffer[1];
    const int *fds = idle_sockets(work->n);
    aloop *loop = bench_make_loop();
    double start = bench_rss();

    (void)ops;
    for (size_t i = 0; i < work->n; i++) {
        aloop_socket socket;

        bench_check(aloop_socket_adopt(loop, fds[i], &socket) == 0, "aloop_socket_adopt");
        aloop_task_unref(aloop_create_task_in(loop, session, .socket = socket, .buffer = buffer));
    }
    bench_check(aloop_run_once(loop, 0) >= 0, "aloop_run_once");
    return since(start, work->n);
}

struct conversation {
    ALOOP_FRAME;
    aloop_stream stream;
    aloop_slice line;
};

ALOOP_CORO(conversation)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_stream_read_line(&self->stream, &self->line));
    ALOOP_FINALLY;
    aloop_stream_close(&self->stream);
    ALOOP_END;
}

static struct bench_figures run_aloop_streams(const struct bench_work *work, uint64_t ops)
{
    const int *fds = idle_sockets(work->n);
    aloop *loop = bench_make_loop();
    double start = bench_rss();

    (void)ops;
    for (size_t i = 0; i < work->n; i++) {
        aloop_stream stream;

        bench_check(aloop_stream_open_fd(loop, fds[i], NULL, &stream) == 0, "aloop_stream_open_fd");
        aloop_task_unref(aloop_create_task_in(loop, conversation, .stream = stream));
    }
    bench_check(aloop_run_once(loop, 0) >= 0, "aloop_run_once");
    return since(start, work->n);
}

/* --- libuv --- */

#ifdef HAVE_LIBUV
static void uv_fired(uv_timer_t *timer)
{
    (void)timer;
}

static struct bench_figures run_uv_timers(const struct bench_work *work, uint64_t ops)
{
    static uv_loop_t loop;
    double start = bench_rss();
    uv_timer_t *timers = bench_alloc(work->n, sizeof *timers);

    (void)ops;
    uv_loop_init(&loop);
    for (size_t i = 0; i < work->n; i++) {
        uv_timer_init(&loop, &timers[i]);
        uv_timer_start(&timers[i], uv_fired, HOUR_MS + i, 0);
    }
    return since(start, work->n);
}

static void uv_give_buffer(uv_handle_t *handle, size_t size, uv_buf_t *out_buffer)
{
    (void)handle;
    (void)size;
    *out_buffer = uv_buf_init(NULL, 0);
}

static void uv_received(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    (void)stream;
    (void)count;
    (void)buffer;
}

static struct bench_figures run_uv_connections(const struct bench_work *work, uint64_t ops)
{
    static uv_loop_t loop;
    const int *fds = idle_sockets(work->n);
    double start = bench_rss();
    uv_tcp_t *all = bench_alloc(work->n, sizeof *all);

    (void)ops;
    uv_loop_init(&loop);
    for (size_t i = 0; i < work->n; i++) {
        uv_tcp_init(&loop, &all[i]);
        bench_check(uv_tcp_open(&all[i], fds[i]) == 0, "uv_tcp_open");
        uv_read_start((uv_stream_t *)&all[i], uv_give_buffer, uv_received);
    }
    uv_run(&loop, UV_RUN_NOWAIT);
    return since(start, work->n);
}
#endif

/* --- libev --- */

#ifdef HAVE_LIBEV
static void ev_fired(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)timer;
    (void)events;
}

static struct bench_figures run_ev_timers(const struct bench_work *work, uint64_t ops)
{
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    double start = bench_rss();
    ev_timer *timers = bench_alloc(work->n, sizeof *timers);

    (void)ops;
    for (size_t i = 0; i < work->n; i++) {
        ev_timer_init(&timers[i], ev_fired, (HOUR_MS + (double)i) / 1e3, 0);
        ev_timer_start(loop, &timers[i]);
    }
    return since(start, work->n);
}

static void ev_readable(struct ev_loop *loop, ev_io *io, int events)
{
    (void)loop;
    (void)io;
    (void)events;
}

static struct bench_figures run_ev_connections(const struct bench_work *work, uint64_t ops)
{
    const int *fds = idle_sockets(work->n);
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    double start = bench_rss();
    ev_io *all = bench_alloc(work->n, sizeof *all);

    (void)ops;
    for (size_t i = 0; i < work->n; i++) {
        ev_io_init(&all[i], ev_readable, fds[i], EV_READ);
        ev_io_start(loop, &all[i]);
    }
    ev_run(loop, EVRUN_NOWAIT);
    return since(start, work->n);
}
#endif

/* --- libevent --- */

#ifdef HAVE_LIBEVENT
static void event_fired(evutil_socket_t fd, short events, void *arg)
{
    (void)fd;
    (void)events;
    (void)arg;
}

static struct bench_figures run_event_timers(const struct bench_work *work, uint64_t ops)
{
    struct event_base *base = event_base_new();
    double start = bench_rss();
    struct event *all = bench_alloc(work->n, sizeof *all);

    (void)ops;
    for (size_t i = 0; i < work->n; i++) {
        const struct timeval delay = {.tv_sec = HOUR_MS / 1000 + (time_t)i};

        evtimer_assign(&all[i], base, event_fired, NULL);
        event_add(&all[i], &delay);
    }
    return since(start, work->n);
}

static struct bench_figures run_event_connections(const struct bench_work *work, uint64_t ops)
{
    const int *fds = idle_sockets(work->n);
    struct event_base *base = event_base_new();
    double start = bench_rss();
    struct event *all = bench_alloc(work->n, sizeof *all);

    (void)ops;
    for (size_t i = 0; i < work->n; i++) {
        event_assign(&all[i], base, fds[i], EV_READ | EV_PERSIST, event_fired, NULL);
        event_add(&all[i], NULL);
    }
    return since(start, work->n);
}
#endif

static const struct bench_engine tasks[] = {{"libaloop-sleep", run_aloop_sleeping, 1},
                                            {"libaloop-join", run_aloop_waiting, 1},
                                            {"libaloop-group", run_aloop_children, 1}};

static const struct bench_engine timers[] = {
    {"libaloop", run_aloop_timers, 1},
#ifdef HAVE_LIBUV
    {"libuv", run_uv_timers, 1},
#endif
#ifdef HAVE_LIBEV
    {"libev", run_ev_timers, 1},
#endif
#ifdef HAVE_LIBEVENT
    {"libevent", run_event_timers, 1},
#endif
};

static const struct bench_engine connections[] = {
    {"libaloop-fds", run_aloop_fds, 1},         {"libaloop-tasks", run_aloop_sessions, 1},
    {"libaloop-streams", run_aloop_streams, 1},
#ifdef HAVE_LIBUV
    {"libuv", run_uv_connections, 1},
#endif
#ifdef HAVE_LIBEV
    {"libev", run_ev_connections, 1},
#endif
#ifdef HAVE_LIBEVENT
    {"libevent", run_event_connections, 1},
#endif
};

static const struct bench_work works[] = {
    {"tasks/1000000", BENCH_ENGINES(tasks), .n = 1000000, .ops = 1},
    {"timers/1000000", BENCH_ENGINES(timers), .n = 1000000, .ops = 1},
    {"connections/10000", BENCH_ENGINES(connections), .n = 10000, .ops = 1},
};

int main(int argc, char **argv)
{
    const struct bench_suite suite = {
        .name = "memory", .unit = "bytes for each", BENCH_WORKS(works)};

    return bench_main(argc, argv, &suite);
}
