/*
 * A server that echoes, on one CPU, and its clients on another: messages of 64 bytes or of 16 KiB,
 * so many connections (c), on each of which so many messages are under way (p). The kernel's part
 * is by far the largest; "epoll" is the bare minimum of the rest.
 */
#include "server.h"
#include "stranger.h"

#include <stdio.h>

#define MESSAGE_MAX 16384

static const char message[MESSAGE_MAX];

static struct load load_of(const struct bench_work *work)
{
    return (struct load){
        .request = message, .request_size = work->m, .answer_size = work->m, .pipeline = work->k};
}

static struct bench_figures measure(const struct bench_work *work, uint64_t ops, serve *run)
{
    /* A read that fills its buffer would have to ask for more. */
    struct service service = {.buffer_size = work->m * work->k + 4096};
    struct load load = load_of(work);

    if (service.buffer_size > SERVER_BUFFER_SIZE)
        service.buffer_size = SERVER_BUFFER_SIZE;
    return server_measure(&load, work->n, run, &service, ops);
}

static struct bench_figures asyncio(const struct bench_work *work, const char *way)
{
    struct load load = load_of(work);
    struct stranger stranger;
    char port[8];

    stranger_prepare(&stranger);
    snprintf(port, sizeof port, "%u", stranger.port);
    if (!stranger_start(&stranger,
                        (const char *const[]){"python3", ASYNCIO_WORKS, "echo", port, way, NULL}))
        return (struct bench_figures){.value = BENCH_ABSENT};
    return stranger_measure(&stranger, &load, work->n, NULL);
}

static struct bench_figures run_protocol(const struct bench_work *work, uint64_t ops)
{
    (void)ops;
    return asyncio(work, "protocol");
}

static struct bench_figures run_streams(const struct bench_work *work, uint64_t ops)
{
    (void)ops;
    return asyncio(work, "streams");
}

SERVER_ENGINES(SERVER_RUN)
SERVER_RUN("libaloop-busy", aloop_busy)

static const struct bench_engine engines[] = {SERVER_ENGINES(SERVER_ENGINE)};
/* A server that does not sleep makes a difference where it has nothing else to do. */
static const struct bench_engine engines_for_one[] = {
    SERVER_ENGINES(SERVER_ENGINE) SERVER_ENGINE("libaloop-busy", aloop_busy)};

/* The answer to how much there is to win, once. */
static const struct bench_engine engines_and_asyncio[] = {
    SERVER_ENGINES(SERVER_ENGINE){"asyncio-protocol", run_protocol, 1},
    {"asyncio-streams", run_streams, 1},
};

#define WORK(NAME, SIZE, CONNECTIONS, PIPELINE)                                                    \
    {                                                                                              \
        NAME, BENCH_ENGINES(engines), .ops = 1, .n = (CONNECTIONS), .m = (SIZE), .k = (PIPELINE)   \
    }

static const struct bench_work works[] = {
    {"64B/c1/p1", BENCH_ENGINES(engines_for_one), .ops = 1, .n = 1, .m = 64, .k = 1},
    {"64B/c64/p1", BENCH_ENGINES(engines_and_asyncio), .ops = 1, .n = 64, .m = 64, .k = 1},
    WORK("64B/c1000/p1", 64, 1000, 1),
    WORK("64B/c5000/p1", 64, 5000, 1),
    WORK("64B/c1/p16", 64, 1, 16),
    WORK("64B/c64/p16", 64, 64, 16),
    WORK("64B/c1000/p16", 64, 1000, 16),
    WORK("16K/c64/p1", 16384, 64, 1),
    WORK("16K/c1000/p1", 16384, 1000, 1),
    WORK("16K/c64/p16", 16384, 64, 16),
};

int main(int argc, char **argv)
{
    const struct bench_suite suite = {.name = "echo",
                                      .unit = "requests per second",
                                      .second_unit = "CPU of the server in ns for each request",
                                      .more_is_better = true,
                                      BENCH_WORKS(works)};

    return bench_main(argc, argv, &suite);
}
