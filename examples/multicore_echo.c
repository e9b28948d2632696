/*
 * An echo server on all cores: a thread for each, in each thread a loop, and each loop listens at
 * the same port (SO_REUSEPORT), so that the system spreads the connections. Nothing is shared by
 * the loops, and nothing locked; the main thread's loop starts them, and stops them at SIGTERM, by
 * calls from thread to thread.
 *
 *     multicore_echo PORT [THREADS]    serves at 127.0.0.1; port 0: a free one. Prints the address.
 *     multicore_echo --demo            four threads, and 64 clients that ask them
 */
#ifdef __APPLE__
/* Its headers hide the number of cores from a program that asks for POSIX alone. */
#define _DARWIN_C_SOURCE 1
#endif

#include <aloop.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS_MAX 256

struct session {
    ALOOP_FRAME;
    aloop_stream stream;
    unsigned *served;
    aloop_slice bytes;
};

ALOOP_CORO(session)
{
    ALOOP_BEGIN;
    (*self->served)++;
    for (;;) {
        ALOOP_TRY(aloop_stream_peek(&self->stream, 1, &self->bytes));
        if (self->bytes.size == 0)
            break;
        ALOOP_TRY(aloop_stream_write(&self->stream, self->bytes.data, self->bytes.size));
        (void)aloop_stream_consume(&self->stream, self->bytes.size);
    }
    ALOOP_END;
}

/* --- a thread, and its loop --- */

struct worker {
    struct fleet *fleet;
    pthread_t thread;
    aloop *loop; /* a reference: it can be called as long as that is held */
    aloop_event stop;
    int error;
    unsigned served;
    bool is_known; /* to the main thread, that it serves or has failed */
};

/* What the main thread's loop knows. */
struct fleet {
    aloop *loop;
    aloop_address address;
    size_t started, known;
    int error;
    aloop_event news;
    struct worker workers[THREADS_MAX];
};

/* In the main thread. */
static void on_news(aloop *loop, void *arg)
{
    struct worker *worker = arg;

    (void)loop;
    worker->fleet->known += !worker->is_known;
    worker->is_known = true;
    if (worker->error < 0)
        worker->fleet->error = worker->error;
    aloop_event_set(&worker->fleet->news);
}

/* In the worker's. */
static void on_stop(aloop *loop, void *arg)
{
    struct worker *worker = arg;

    (void)loop;
    aloop_event_set(&worker->stop);
}

struct work {
    ALOOP_FRAME;
    struct worker *worker;
    aloop_server server;
};

ALOOP_CORO(work)
{
    struct worker *worker = self->worker;
    struct fleet *fleet = worker->fleet;
    aloop_listen_options listen = {.size = sizeof listen, .reuse_port = true};
    aloop_server_options options = {.size = sizeof options,
                                    .addresses = &fleet->address,
                                    .address_count = 1,
                                    .listen = &listen};
    int error = 0;

    ALOOP_BEGIN;
    worker->loop = aloop_ref(aloop_get_running_loop());
    ALOOP_TRY(aloop_start_server(&self->server, &options, session, .served = &worker->served));
    /* The first finds a port for all; no other runs yet. */
    if (worker == fleet->workers)
        error = aloop_server_address(&self->server, 0, &fleet->address);
    if (error == 0)
        error = aloop_call_soon_threadsafe(fleet->loop, on_news, worker);
    if (error < 0)
        ALOOP_RETURN(error);
    ALOOP_TRY(aloop_event_wait(&worker->stop));
    ALOOP_TRY(aloop_server_drain(&self->server, ALOOP_SEC(1)));
    ALOOP_END;
}

static void *run_worker(void *arg)
{
    struct worker *worker = arg;

    worker->error = aloop_run(work, .worker = worker);
    if (worker->error < 0 && aloop_call_soon_threadsafe(worker->fleet->loop, on_news, worker) < 0)
        fprintf(stderr, "multicore_echo: a worker failed: %s\n", aloop_strerror(worker->error));
    return NULL;
}

/* --- the clients of the demo --- */

#define CLIENTS 64

struct client {
    ALOOP_FRAME;
    aloop_address address;
    aloop_socket sock;
    char answer[6];
};

ALOOP_CORO(client)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_connect(&self->address, &self->sock));
    ALOOP_TRY(aloop_send_all(&self->sock, "hello\n", sizeof self->answer));
    ALOOP_TRY(aloop_recv_exactly(&self->sock, self->answer, sizeof self->answer));
    if (memcmp(self->answer, "hello\n", sizeof self->answer) != 0)
        ALOOP_RETURN(-EPROTO);
    ALOOP_FINALLY;
    aloop_socket_close(&self->sock);
    ALOOP_END;
}

struct demo {
    ALOOP_FRAME;
    aloop_address address;
    aloop_group group;
    int i;
};

ALOOP_CORO(demo)
{
    ALOOP_BEGIN;
    aloop_group_init(&self->group);
    for (self->i = 0; self->i < CLIENTS; self->i++)
        ALOOP_TRY(aloop_group_start(&self->group, client, .address = self->address));
    ALOOP_TRY(aloop_group_wait(&self->group));
    printf("%d clients got their answers\n", CLIENTS);
    ALOOP_END;
}

/* --- the main thread --- */

struct main_task {
    ALOOP_FRAME;
    struct fleet *fleet;
    size_t count;
    bool is_demo;
};

static int start_worker(struct fleet *fleet)
{
    struct worker *worker = &fleet->workers[fleet->started];
    int error;

    worker->fleet = fleet;
    error = pthread_create(&worker->thread, NULL, run_worker, worker);
    fleet->started += error == 0;
    return -error;
}

static void stop_worker(struct worker *worker)
{
    int error = 0;

    if (worker->loop != NULL)
        error = aloop_call_soon_threadsafe(worker->loop, on_stop, worker);
    /* One that has failed has closed its loop. */
    if (error < 0 && error != -ALOOP_ECLOSED)
        fprintf(stderr, "multicore_echo: a worker goes on: %s\n", aloop_strerror(error));
}

ALOOP_CORO(main_task)
{
    struct fleet *fleet = self->fleet;
    char text[ALOOP_ADDRESS_TEXT_MAX];

    ALOOP_BEGIN;
    fleet->loop = aloop_ref(aloop_get_running_loop());
    while (fleet->started < self->count) {
        ALOOP_CHECK(start_worker(fleet));
        while (fleet->known < fleet->started) {
            aloop_event_clear(&fleet->news);
            ALOOP_TRY(aloop_event_wait(&fleet->news));
        }
        if (fleet->error < 0)
            ALOOP_RETURN(fleet->error);
    }
    aloop_address_format(&fleet->address, text, sizeof text);
    printf("%zu loops serve at %s\n", fleet->started, text);
    fflush(stdout);
    if (self->is_demo)
        ALOOP_TRY(aloop_call(demo, .address = fleet->address));
    else
        ALOOP_TRY(aloop_wait_signal(SIGTERM));
    ALOOP_FINALLY;
    /* A worker's loop is known when it has said something. */
    while (fleet->known < fleet->started) {
        aloop_event_clear(&fleet->news);
        ALOOP_TRY(aloop_event_wait(&fleet->news));
    }
    for (size_t i = 0; i < fleet->started; i++)
        stop_worker(&fleet->workers[i]);
    ALOOP_END;
}

/* Waits for the threads. How many connections they have served. */
static unsigned join_workers(struct fleet *fleet)
{
    unsigned served = 0;

    for (size_t i = 0; i < fleet->started; i++) {
        (void)pthread_join(fleet->workers[i].thread, NULL);
        aloop_unref(fleet->workers[i].loop);
        served += fleet->workers[i].served;
    }
    aloop_unref(fleet->loop);
    return served;
}

int main(int argc, char **argv)
{
    static struct fleet fleet;
    bool is_demo = argc == 2 && strcmp(argv[1], "--demo") == 0;
    long count = argc == 3 ? strtol(argv[2], NULL, 10) : sysconf(_SC_NPROCESSORS_ONLN);
    unsigned port = argc > 1 && !is_demo ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    int error = aloop_address_ip(&fleet.address, "127.0.0.1", port);

    if (argc < 2 || argc > 3 || error < 0 || count < 1) {
        fprintf(stderr, "usage: multicore_echo PORT [THREADS] | --demo\n");
        return 2;
    }
    if (is_demo)
        count = 4;
    error = aloop_run(main_task, .fleet = &fleet, .is_demo = is_demo,
                      .count = count < THREADS_MAX ? (size_t)count : THREADS_MAX);
    printf("%u connections served\n", join_workers(&fleet));
    /* Ctrl-C is a way to end it. */
    if (error < 0 && error != -EINTR)
        fprintf(stderr, "multicore_echo: %s\n", aloop_strerror(error));
    return error < 0 && error != -EINTR ? 1 : 0;
}
