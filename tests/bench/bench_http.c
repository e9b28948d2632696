/*
 * The same short answer to every request over HTTP/1.1: so many connections (c), which stay open,
 * and on each of which so many requests are under way (p). All engines take the end of a request
 * from the same lines of code, which look for nothing else: what is compared is how they get bytes
 * and give them back. evhttp, libevent's server, and nginx do more: they understand the request.
 */
#include "server.h"
#include "stranger.h"

#include <stdio.h>
#include <string.h>
#ifdef HAVE_EVHTTP
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#endif

#define BODY "hello, world\n"
#define REQUEST "GET /hello HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n"
#define ANSWER "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\n" BODY
#define ANSWER_SIZE (sizeof ANSWER - 1)
/* So many requests a buffer can hold at most, and one that began before it. */
#define ANSWERS_MAX (SERVER_BUFFER_SIZE / (sizeof REQUEST - 1) + 2)

static char answers[ANSWERS_MAX * ANSWER_SIZE];

/* *state: how many bytes the line has that was begun. */
static struct answer hello(const char *data, size_t size, size_t *state)
{
    const char *end = data + size, *line_end;
    size_t count = 0;

    while ((line_end = memchr(data, '\n', (size_t)(end - data))) != NULL) {
        /* An empty line has nothing before its end but '\r'. */
        if (*state + (size_t)(line_end - data) <= 1)
            count++;
        *state = 0;
        data = line_end + 1;
    }
    *state += (size_t)(end - data);
    bench_check(count <= ANSWERS_MAX, "a request of the usual size");
    return (struct answer){answers, count * ANSWER_SIZE};
}

static struct load load_of(const struct bench_work *work)
{
    return (struct load){.request = REQUEST,
                         .request_size = sizeof REQUEST - 1,
                         .answer_size = ANSWER_SIZE,
                         .pipeline = work->m};
}

static struct bench_figures measure(const struct bench_work *work, uint64_t ops, serve *run)
{
    struct service service = {.answer = hello, .buffer_size = 4096};
    struct load load = load_of(work);

    for (size_t i = 0; i < ANSWERS_MAX; i++)
        memcpy(answers + i * ANSWER_SIZE, ANSWER, ANSWER_SIZE);
    return server_measure(&load, work->n, run, &service, ops);
}

SERVER_ENGINES(SERVER_RUN)

/* --- evhttp --- */

#ifdef HAVE_EVHTTP
static void evhttp_hello(struct evhttp_request *request, void *arg)
{
    struct evbuffer *body = arg;

    evbuffer_add_reference(body, BODY, sizeof BODY - 1, NULL, NULL);
    evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", "text/plain");
    evhttp_send_reply(request, 200, "OK", body);
}

static void serve_evhttp(uint16_t port)
{
    struct event_base *base = event_base_new();
    struct evhttp *http = evhttp_new(base);

    evhttp_set_gencb(http, evhttp_hello, evbuffer_new());
    bench_check(evhttp_bind_socket(http, "127.0.0.1", port) == 0, "evhttp_bind_socket");
    event_base_dispatch(base);
}

static struct bench_figures run_evhttp(const struct bench_work *work, uint64_t ops)
{
    struct load load = load_of(work);
    struct stranger stranger;

    (void)ops;
    stranger_prepare(&stranger);
    if (!stranger_start_function(&stranger, serve_evhttp))
        return (struct bench_figures){.value = 0};
    return stranger_measure(&stranger, &load, work->n, BODY);
}
#endif

/* --- nginx --- */

static void write_nginx_configuration(const struct stranger *stranger, const char *path)
{
    FILE *file = fopen(path, "w");

    bench_check(file != NULL, "fopen");
    fprintf(file,
            "daemon off;\nmaster_process off;\npid %s/pid;\nerror_log /dev/null crit;\n"
            "worker_rlimit_nofile 20000;\nevents { worker_connections 10000; }\n"
            "http {\n  access_log off;\n  keepalive_requests 1000000000;\n  tcp_nodelay on;\n"
            "  client_body_temp_path %s;\n  proxy_temp_path %s;\n  fastcgi_temp_path %s;\n"
            "  uwsgi_temp_path %s;\n  scgi_temp_path %s;\n  default_type text/plain;\n"
            "  server {\n    listen 127.0.0.1:%u backlog=4096;\n"
            "    location / { return 200 \"hello, world\\n\"; }\n  }\n}\n",
            stranger->folder, stranger->folder, stranger->folder, stranger->folder,
            stranger->folder, stranger->folder, stranger->port);
    bench_check(fclose(file) == 0, "fclose");
}

static struct bench_figures run_nginx(const struct bench_work *work, uint64_t ops)
{
    struct load load = load_of(work);
    struct stranger stranger;
    char path[96];

    (void)ops;
    stranger_prepare(&stranger);
    snprintf(path, sizeof path, "%s/conf", stranger.folder);
    write_nginx_configuration(&stranger, path);
    if (!stranger_start(&stranger, (const char *const[]){"nginx", "-p", stranger.folder, "-e",
                                                         "/dev/null", "-c", path, NULL}))
        return (struct bench_figures){.value = BENCH_ABSENT};
    return stranger_measure(&stranger, &load, work->n, BODY);
}

static const struct bench_engine engines[] = {
    SERVER_ENGINES(SERVER_ENGINE)
#ifdef HAVE_EVHTTP
        {"evhttp", run_evhttp, 1},
#endif
    {"nginx", run_nginx, 1},
};

static const struct bench_work works[] = {
    {"c50/p1", BENCH_ENGINES(engines), .n = 50, .m = 1, .ops = 1},
    {"c50/p16", BENCH_ENGINES(engines), .n = 50, .m = 16, .ops = 1},
    {"c1000/p1", BENCH_ENGINES(engines), .n = 1000, .m = 1, .ops = 1},
};

int main(int argc, char **argv)
{
    const struct bench_suite suite = {.name = "http",
                                      .unit = "requests per second",
                                      .second_unit = "CPU of the server in ns for each request",
                                      .more_is_better = true,
                                      BENCH_WORKS(works)};

    return bench_main(argc, argv, &suite);
}
