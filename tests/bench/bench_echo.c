/*
 * A server that echoes, on one CPU, and its clients on another: so many connections (c), on each of
 * which so many requests of 64 bytes are under way (p). The kernel's part is by far the largest;
 * "epoll" is the bare minimum of the rest.
 *
 * All servers read into one buffer of 64 KiB and write at once, which is the fastest way that each
 * of the libraries has (libuv: uv_try_write()); a coroutine, which may have to wait between the
 * two, has a buffer of its own.
 */
#include "bench.h"
#include "load.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/wait.h>
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

static char buffer[65536];
static size_t open_count;

/* Echoes once. False when the connection has ended. */
static bool echo(int fd)
{
    ssize_t count = read(fd, buffer, sizeof buffer);

    if (count < 0 && errno == EAGAIN)
        return true;
    if (count > 0 && write(fd, buffer, (size_t)count) == count)
        return true;
    close(fd);
    open_count--;
    return false;
}

/* --- epoll, edge-triggered --- */

static void serve_epoll(const struct load *load)
{
    struct epoll_event events[256];
    int epoll_fd = epoll_create1(0);

    for (size_t i = 0; i < load->count; i++) {
        struct epoll_event event = {.events = (uint32_t)EPOLLIN | (uint32_t)EPOLLET,
                                    .data.fd = load->server_fds[i]};

        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, load->server_fds[i], &event);
    }
    /* Nothing is larger than the buffer, so that one read finds all there is. */
    while (open_count > 0) {
        int count = epoll_wait(epoll_fd, events, 256, -1);

        for (int i = 0; i < count; i++)
            (void)echo(events[i].data.fd);
    }
}

/* --- libaloop --- */

static void aloop_readable_fd(aloop *loop, void *arg)
{
    int fd = *(const int *)arg;

    if (echo(fd))
        return;
    aloop_remove_reader(loop, fd);
    if (open_count == 0)
        aloop_stop(loop);
}

static void serve_callbacks(const struct load *load)
{
    aloop *loop;

    bench_check(aloop_new(NULL, &loop) == 0, "aloop_new");
    for (size_t i = 0; i < load->count; i++)
        bench_check(aloop_add_reader(loop, load->server_fds[i], aloop_readable_fd,
                                     &load->server_fds[i]) >= 0,
                    "aloop_add_reader");
    bench_check(aloop_run_forever(loop) == 0, "aloop_run_forever");
}

struct session {
    ALOOP_FRAME;
    aloop_socket socket;
    char *buffer;
};

#define SESSION_BUFFER_SIZE 4096

ALOOP_CORO(session)
{
    ALOOP_BEGIN;
    for (;;) {
        ALOOP_TRY(aloop_recv(&self->socket, self->buffer, SESSION_BUFFER_SIZE));
        if (self->result == 0)
            break;
        ALOOP_TRY(aloop_send_all(&self->socket, self->buffer, (size_t)self->result));
    }
    ALOOP_FINALLY;
    aloop_socket_close(&self->socket);
    ALOOP_END;
}

struct sessions {
    ALOOP_FRAME;
    const struct load *load;
    aloop_task **tasks;
    size_t i;
};

ALOOP_CORO(sessions)
{
    ALOOP_BEGIN;
    for (; self->i < self->load->count; self->i++) {
        aloop_socket socket;

        bench_check(aloop_socket_adopt(aloop_get_running_loop(), self->load->server_fds[self->i],
                                       &socket) == 0,
                    "aloop_socket_adopt");
        self->tasks[self->i] = aloop_create_task(session, .socket = socket,
                                                 .buffer = bench_alloc(1, SESSION_BUFFER_SIZE));
    }
    while (self->i-- > 0)
        ALOOP_AWAIT(aloop_join_unref(self->tasks[self->i]));
    ALOOP_END;
}

static void serve_tasks(const struct load *load)
{
    aloop_task **tasks = bench_alloc(load->count, sizeof *tasks);

    bench_check(aloop_run(sessions, .load = load, .tasks = tasks) == 0, "aloop_run");
}

/* --- libuv --- */

#ifdef HAVE_LIBUV
static void uv_give_buffer(uv_handle_t *handle, size_t size, uv_buf_t *out_buffer)
{
    (void)handle;
    (void)size;
    *out_buffer = uv_buf_init(buffer, sizeof buffer);
}

static void uv_received(uv_stream_t *stream, ssize_t count, const uv_buf_t *received)
{
    uv_buf_t reply = uv_buf_init(received->base, count > 0 ? (unsigned)count : 0);

    if (count == 0 || (count > 0 && uv_try_write(stream, &reply, 1) == count))
        return;
    uv_close((uv_handle_t *)stream, NULL);
}

static void serve_uv(const struct load *load)
{
    uv_tcp_t *all = bench_alloc(load->count, sizeof *all);
    uv_loop_t loop;

    bench_check(uv_loop_init(&loop) == 0, "uv_loop_init");
    for (size_t i = 0; i < load->count; i++) {
        uv_tcp_init(&loop, &all[i]);
        bench_check(uv_tcp_open(&all[i], load->server_fds[i]) == 0, "uv_tcp_open");
        uv_read_start((uv_stream_t *)&all[i], uv_give_buffer, uv_received);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
}
#endif

/* --- libev --- */

#ifdef HAVE_LIBEV
static void ev_readable(struct ev_loop *loop, ev_io *io, int events)
{
    int fd = io->fd;

    (void)events;
    if (!echo(fd))
        ev_io_stop(loop, io);
}

static void serve_ev(const struct load *load)
{
    struct ev_loop *loop = ev_loop_new(EVBACKEND_EPOLL);
    ev_io *all = bench_alloc(load->count, sizeof *all);

    bench_check(loop != NULL, "ev_loop_new");
    for (size_t i = 0; i < load->count; i++) {
        ev_io_init(&all[i], ev_readable, load->server_fds[i], LIBEV_READ);
        ev_io_start(loop, &all[i]);
    }
    ev_run(loop, 0);
}
#endif

/* --- libevent --- */

#ifdef HAVE_LIBEVENT
static void event_readable(evutil_socket_t fd, short events, void *arg)
{
    (void)events;
    if (!echo(fd))
        event_del(arg);
}

static void serve_event(const struct load *load)
{
    struct event *all = bench_alloc(load->count, sizeof *all);
    struct event_base *base = event_base_new();

    bench_check(base != NULL, "event_base_new");
    for (size_t i = 0; i < load->count; i++) {
        event_assign(&all[i], base, load->server_fds[i], EV_READ | EV_PERSIST, event_readable,
                     &all[i]);
        event_add(&all[i], NULL);
    }
    event_base_dispatch(base);
}
#endif

/* --- the driver --- */

/* An instrument that counts follows this process: then the server is here. */
static struct bench_figures count(struct load *load, const struct bench_work *work, uint64_t ops,
                                  void (*serve)(const struct load *load))
{
    pid_t client = fork();

    bench_check(client >= 0, "fork");
    if (client == 0) {
        load_keep_client(load);
        load_exactly(load, work->m, ops);
        _exit(0);
    }
    load_keep_server(load);
    serve(load);
    bench_check(waitpid(client, NULL, 0) == client, "waitpid");
    return (struct bench_figures){0};
}

static struct bench_figures run(const struct bench_work *work, uint64_t ops,
                                void (*serve)(const struct load *load))
{
    struct load load = load_connect(work->n);
    struct load_figures figures;
    pid_t server;

    open_count = load.count;
    if (bench_is_counting())
        return count(&load, work, ops, serve);
    server = fork();
    bench_check(server >= 0, "fork");
    if (server == 0) {
        bench_pin(0);
        load_keep_server(&load);
        serve(&load);
        _exit(0);
    }
    bench_pin(1);
    load_keep_client(&load);
    figures = load_measure(&load, work->m, server);
    kill(server, SIGKILL);
    bench_check(waitpid(server, NULL, 0) == server, "waitpid");
    return (struct bench_figures){.value = figures.requests_per_second,
                                  .second = figures.cpu_ns_per_request};
}

#define RUN(ENGINE)                                                                                \
    static struct bench_figures run_##ENGINE(const struct bench_work *work, uint64_t ops) {        \
        return run(work, ops, serve_##ENGINE);                                                     \
    }

RUN(tasks)
RUN(callbacks)
RUN(epoll)
#ifdef HAVE_LIBUV
RUN(uv)
#endif
#ifdef HAVE_LIBEV
RUN(ev)
#endif
#ifdef HAVE_LIBEVENT
RUN(event)
#endif

static const struct bench_engine engines[] = {
    {"libaloop-tasks", run_tasks, 1},
    {"libaloop-fds", run_callbacks, 1},
    {"epoll", run_epoll, 1},
#ifdef HAVE_LIBUV
    {"libuv", run_uv, 1},
#endif
#ifdef HAVE_LIBEV
    {"libev", run_ev, 1},
#endif
#ifdef HAVE_LIBEVENT
    {"libevent", run_event, 1},
#endif
};

static const struct bench_work works[] = {
    {"c1/p1", BENCH_ENGINES(engines), .n = 1, .m = 1, .ops = 1},
    {"c64/p1", BENCH_ENGINES(engines), .n = 64, .m = 1, .ops = 1},
    {"c1000/p1", BENCH_ENGINES(engines), .n = 1000, .m = 1, .ops = 1},
    {"c1/p16", BENCH_ENGINES(engines), .n = 1, .m = 16, .ops = 1},
    {"c64/p16", BENCH_ENGINES(engines), .n = 64, .m = 16, .ops = 1},
    {"c1000/p16", BENCH_ENGINES(engines), .n = 1000, .m = 16, .ops = 1},
};

int main(int argc, char **argv)
{
    const struct bench_suite suite = {.name = "echo",
                                      .unit = "requests per second",
                                      .second_unit = "the server's CPU, ns for each request",
                                      BENCH_WORKS(works)};

    return bench_main(argc, argv, &suite);
}
