/*
 * A server that echoes, on one CPU, and its clients on another: messages of 64 bytes or of 16 KiB,
 * so many connections (c), on each of which so many messages are under way (p). The kernel's part
 * is by far the largest; "epoll" is the bare minimum of the rest. 16 KiB on thousands of
 * connections, 16 at a time, would be gigabytes within the kernel: that is left out.
 */
#include "server.h"

#define MESSAGE_MAX 16384

static struct bench_figures measure(const struct bench_work *work, uint64_t ops, serve *run)
{
    static const char message[MESSAGE_MAX];
    size_t size = work->m, pipeline = work->k;
    /* A read that fills its buffer would have to ask for more. */
    struct service service = {.buffer_size = size * pipeline + 4096};
    struct load load = {
        .request = message, .request_size = size, .answer_size = size, .pipeline = pipeline};

    if (service.buffer_size > SERVER_BUFFER_SIZE)
        service.buffer_size = SERVER_BUFFER_SIZE;
    return server_measure(&load, work->n, run, &service, ops);
}

SERVER_ENGINES(SERVER_RUN)
SERVER_RUN("libaloop-busy", aloop_busy)

static const struct bench_engine engines[] = {SERVER_ENGINES(SERVER_ENGINE)};
/* A server that does not sleep makes a difference where it has nothing else to do. */
static const struct bench_engine engines_for_one[] = {
    SERVER_ENGINES(SERVER_ENGINE) SERVER_ENGINE("libaloop-busy", aloop_busy)};

#define WORK(NAME, SIZE, CONNECTIONS, PIPELINE)                                                    \
    {                                                                                              \
        NAME, BENCH_ENGINES(engines), .ops = 1, .n = (CONNECTIONS), .m = (SIZE), .k = (PIPELINE)   \
    }

static const struct bench_work works[] = {
    {"64B/c1/p1", BENCH_ENGINES(engines_for_one), .ops = 1, .n = 1, .m = 64, .k = 1},
    WORK("64B/c64/p1", 64, 64, 1),
    WORK("64B/c1000/p1", 64, 1000, 1),
    WORK("64B/c5000/p1", 64, 5000, 1),
    WORK("64B/c1/p16", 64, 1, 16),
    WORK("64B/c64/p16", 64, 64, 16),
    WORK("64B/c1000/p16", 64, 1000, 16),
    WORK("64B/c5000/p16", 64, 5000, 16),
    WORK("16K/c1/p1", 16384, 1, 1),
    WORK("16K/c64/p1", 16384, 64, 1),
    WORK("16K/c1000/p1", 16384, 1000, 1),
    WORK("16K/c5000/p1", 16384, 5000, 1),
    WORK("16K/c1/p16", 16384, 1, 16),
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
