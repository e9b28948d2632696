/*
 * Metrics: a program that works, and tells Prometheus, or who else asks, what its loop does.
 *
 *     metrics PORT      serves http://127.0.0.1:PORT/metrics; port 0: a free one. Says where.
 *     metrics --demo    asks itself, and says what came of it
 *
 * The work is made up: tasks that wait, and compute for a while. What is of use elsewhere is
 * write_metrics(), which has the numbers of aloop_metrics_read() as Prometheus' text format, and
 * the coroutine that answers with it. SIGTERM ends the program.
 */
#include <aloop.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDLE_TIMEOUT ALOOP_SEC(30)
#define STOP_TIMEOUT ALOOP_SEC(2)
#define WORKERS 20

/* --- the numbers --- */

static void write_number(FILE *out, const char *name, const char *type, const char *help,
                         uint64_t number)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n%s %" PRIu64 "\n", name, help, name, type, name,
            number);
}

/* The buckets that end at a power of two of nanoseconds, from a microsecond to 17 seconds: one
   distribution makes 26 lines. A bucket counts those before it, too. */
static void write_histogram(FILE *out, const aloop *loop, aloop_metrics_kind kind, aloop_ns sum,
                            const char *name, const char *help)
{
    static aloop_metrics_bucket buckets[1024];
    size_t count = aloop_metrics_buckets(loop, kind, buckets, 1024);
    uint64_t so_far = 0;

    fprintf(out, "# HELP %s %s\n# TYPE %s histogram\n", name, help, name);
    for (size_t i = 0; i < count; i++) {
        aloop_ns end = buckets[i].up_to;

        so_far += buckets[i].count;
        if (i % 4 == 3 && end > 1000 && end < ALOOP_SEC(18))
            fprintf(out, "%s_bucket{le=\"%.9f\"} %" PRIu64 "\n", name, (double)end / 1e9, so_far);
    }
    fprintf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, so_far);
    fprintf(out, "%s_sum %.9f\n%s_count %" PRIu64 "\n", name, (double)sum / 1e9, name, so_far);
}

static void write_metrics(FILE *out, const aloop *loop)
{
    aloop_metrics now;

    aloop_metrics_read(loop, &now, sizeof now);
    write_number(out, "aloop_turns_total", "counter", "Turns of the loop.", now.turns);
    write_number(out, "aloop_polls_total", "counter", "Turns that asked the system.", now.polls);
    write_number(out, "aloop_events_total", "counter", "Events of the system.", now.events);
    write_number(out, "aloop_callbacks_total", "counter", "Callbacks and steps.", now.callbacks);
    write_number(out, "aloop_posts_total", "counter", "Calls from other threads.", now.posts);
    write_number(out, "aloop_tasks_created_total", "counter", "Tasks made.", now.tasks_created);
    write_number(out, "aloop_tasks_done_total", "counter", "Tasks that are done.", now.tasks_done);
    write_number(out, "aloop_tasks", "gauge", "Tasks that are not done.", now.tasks);
    write_number(out, "aloop_timers", "gauge", "Timers that are armed.", now.timers);
    write_number(out, "aloop_fds", "gauge", "File descriptors watched.", now.fds);
    write_number(out, "aloop_ready", "gauge", "What is ready to run.", now.ready);
    write_number(out, "aloop_pool_used_bytes", "gauge", "Memory of tasks in use.", now.pool_used);
    write_number(out, "aloop_pool_held_bytes", "gauge", "Memory held for tasks.", now.pool_held);
    write_number(out, "aloop_jobs_queued", "gauge", "Jobs that wait for a thread.",
                 now.jobs_queued);
    write_number(out, "aloop_jobs_running", "gauge", "Jobs in threads.", now.jobs_running);
    write_histogram(out, loop, ALOOP_METRICS_LAG, now.lag.sum, "aloop_lag_seconds",
                    "How late timers fire.");
    write_histogram(out, loop, ALOOP_METRICS_STEP, now.step.sum, "aloop_step_seconds",
                    "How long each callback and step took.");
    write_histogram(out, loop, ALOOP_METRICS_TURN, now.turn.sum, "aloop_turn_seconds",
                    "How long each turn took to run its callbacks.");
}

/* --- a small web server --- */

struct session {
    ALOOP_FRAME;
    aloop_stream stream;
    aloop_slice line;
    bool is_for_us;
    char *body;
    size_t size;
};

static int write_body(struct session *self)
{
    FILE *out = open_memstream(&self->body, &self->size);

    if (out == NULL)
        return -ENOMEM;
    if (self->is_for_us)
        write_metrics(out, aloop_get_running_loop());
    else
        fputs("The metrics are at /metrics\n", out);
    return fclose(out) == 0 ? 0 : -ENOMEM;
}

ALOOP_CORO(session)
{
    static const char path[] = "GET /metrics ";
    char head[160];
    int length, error;

    ALOOP_BEGIN;
    ALOOP_TRY(aloop_stream_read_line(&self->stream, &self->line));
    self->is_for_us = self->line.size >= sizeof path &&
                      memcmp(self->line.data, path, sizeof path - 1) == 0;
    /* The header, up to the empty line. */
    do
        ALOOP_TRY(aloop_stream_read_line(&self->stream, &self->line));
    while (self->line.size > 2);
    error = write_body(self);
    if (error < 0)
        ALOOP_RETURN(error);
    length = snprintf(head, sizeof head,
                      "HTTP/1.1 %s\r\nContent-Type: text/plain; version=0.0.4\r\n"
                      "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                      self->is_for_us ? "200 OK" : "404 Not Found", self->size);
    ALOOP_TRY(aloop_stream_write(&self->stream, head, (size_t)length));
    ALOOP_TRY(aloop_stream_write(&self->stream, self->body, self->size));
    ALOOP_FINALLY;
    free(self->body);
    ALOOP_END;
}

/* --- the work --- */

static double results[WORKERS];

struct worker {
    ALOOP_FRAME;
    unsigned number;
};

ALOOP_CORO(worker)
{
    ALOOP_BEGIN;
    for (;;) {
        ALOOP_TRY(aloop_sleep(ALOOP_MS(1 + self->number)));
        for (unsigned i = 0; i < 1000 * self->number; i++)
            results[self->number] = results[self->number] / 2 + i;
    }
    ALOOP_END;
}

/* --- the client of the demonstration --- */

struct demo {
    ALOOP_FRAME;
    aloop_address address;
    aloop_socket sock;
    aloop_stream stream;
    aloop_slice answer;
};

ALOOP_CORO(demo)
{
    static const char request[] = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    int error;

    ALOOP_BEGIN;
    ALOOP_TRY(aloop_sleep(ALOOP_MS(50)));
    ALOOP_TRY(aloop_connect(&self->address, &self->sock));
    error = aloop_stream_open(&self->sock, NULL, &self->stream);
    if (error < 0)
        ALOOP_RETURN(error);
    ALOOP_TRY(aloop_stream_write(&self->stream, request, sizeof request - 1));
    for (;;) {
        ALOOP_TRY(aloop_stream_read_line(&self->stream, &self->answer));
        if (self->answer.size == 0)
            break;
        if (self->answer.size > 7 && memcmp(self->answer.data, "# HELP ", 7) == 0)
            printf("%.*s", (int)self->answer.size - 7, self->answer.data + 7);
    }
    ALOOP_FINALLY;
    aloop_socket_close(&self->sock);
    aloop_stream_close(&self->stream);
    ALOOP_END;
}

/* --- the program --- */

struct main_task {
    ALOOP_FRAME;
    unsigned port;
    bool is_demo;
    aloop_address address;
    aloop_server server;
    aloop_group workers;
    unsigned i;
};

ALOOP_CORO(main_task)
{
    aloop_stream_options stream = {.size = sizeof stream, .idle_timeout = IDLE_TIMEOUT};
    aloop_server_options options = {
        .size = sizeof options, .addresses = &self->address, .address_count = 1, .stream = &stream};
    char text[ALOOP_ADDRESS_TEXT_MAX];
    int error;

    ALOOP_BEGIN;
    /* Steps and turns, too: two looks at the clock for each. */
    error = aloop_metrics_measure(aloop_get_running_loop(), true);
    if (error == 0)
        error = aloop_address_ip(&self->address, "127.0.0.1", self->port);
    if (error < 0)
        ALOOP_RETURN(error);
    aloop_group_init(&self->workers);
    for (self->i = 0; self->i < WORKERS; self->i++)
        ALOOP_TRY(aloop_group_start(&self->workers, worker, .number = self->i));
    ALOOP_TRY(aloop_start_server(&self->server, &options, session));
    error = aloop_server_address(&self->server, 0, &self->address);
    if (error < 0)
        ALOOP_RETURN(error);
    aloop_address_format(&self->address, text, sizeof text);
    printf("the metrics are at http://%s/metrics\n", text);
    fflush(stdout);
    if (self->is_demo)
        ALOOP_TRY(aloop_call(demo, .address = self->address));
    else
        ALOOP_TRY(aloop_wait_signal(SIGTERM));
    ALOOP_TRY(aloop_server_drain(&self->server, STOP_TIMEOUT));
    ALOOP_END;
}

int main(int argc, char **argv)
{
    bool is_demo = argc == 2 && strcmp(argv[1], "--demo") == 0;
    int error;

    if (argc != 2) {
        fprintf(stderr, "usage: metrics PORT | --demo\n");
        return 2;
    }
    error = aloop_run(main_task, .port = is_demo ? 0 : (unsigned)strtoul(argv[1], NULL, 10),
                      .is_demo = is_demo);
    /* Ctrl-C is a way to end it. */
    if (error < 0 && error != -EINTR)
        fprintf(stderr, "metrics: %s\n", aloop_strerror(error));
    return error < 0 && error != -EINTR ? 1 : 0;
}
