/*
 * A server of keys and values, redis' protocol: libaloop's example against redis-server itself,
 * which keeps nothing on a disk here. 50 or 1000 connections (c), on each of which so many commands
 * are under way (p). Commands are all the same, for one key of three bytes: what is compared is a
 * server of the same kind, not a database.
 */
#include "stranger.h"

#include <stdio.h>
#include <string.h>

struct command {
    const char *request;
    const char *answer;
};

static const struct command commands[] = {
    {"*1\r\n$4\r\nPING\r\n", "+PONG\r\n"},
    {"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$3\r\nabc\r\n", "+OK\r\n"},
    {"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n", "$3\r\nabc\r\n"},
};
enum { PING, SET, GET };

/* The key is there before somebody asks for it. */
static void set_key(uint16_t port)
{
    struct load load = {.request = commands[SET].request,
                        .request_size = strlen(commands[SET].request)};

    load_connect_to(&load, 1, port);
    (void)load_size_of_answer(&load, commands[SET].answer);
}

static struct bench_figures run(const struct bench_work *work, const char *const *argv,
                                struct stranger *stranger)
{
    const struct command *command = &commands[work->k];
    struct load load = {
        .request = command->request, .request_size = strlen(command->request), .pipeline = work->m};

    if (!stranger_start(stranger, argv))
        return (struct bench_figures){.value = BENCH_ABSENT};
    set_key(stranger->port);
    return stranger_measure(stranger, &load, work->n, command->answer);
}

static struct bench_figures run_redis(const struct bench_work *work, uint64_t ops)
{
    struct stranger stranger;
    char port[8];

    (void)ops;
    stranger_prepare(&stranger);
    snprintf(port, sizeof port, "%u", stranger.port);
    return run(work,
               (const char *const[]){"redis-server", "--port", port, "--bind", "127.0.0.1",
                                     "--save", "", "--appendonly", "no", "--dir", stranger.folder,
                                     "--maxclients", "10000", NULL},
               &stranger);
}

#ifdef RESP_SERVER
static struct bench_figures run_aloop(const struct bench_work *work, uint64_t ops)
{
    struct stranger stranger;
    char port[8];

    (void)ops;
    stranger_prepare(&stranger);
    snprintf(port, sizeof port, "%u", stranger.port);
    return run(work, (const char *const[]){RESP_SERVER, port, NULL}, &stranger);
}
#endif

static const struct bench_engine engines[] = {
#ifdef RESP_SERVER
    {"libaloop", run_aloop, 1},
#endif
    {"redis-server", run_redis, 1},
};

#define WORK(NAME, COMMAND, CONNECTIONS, PIPELINE)                                                 \
    {                                                                                              \
        NAME, BENCH_ENGINES(engines), .ops = 1, .n = (CONNECTIONS), .m = (PIPELINE),               \
                                      .k = (COMMAND)                                               \
    }

static const struct bench_work works[] = {
    WORK("ping/c50/p1", PING, 50, 1),   WORK("ping/c50/p16", PING, 50, 16),
    WORK("get/c50/p1", GET, 50, 1),     WORK("get/c50/p16", GET, 50, 16),
    WORK("set/c50/p1", SET, 50, 1),     WORK("set/c50/p16", SET, 50, 16),
    WORK("get/c1000/p1", GET, 1000, 1),
};

int main(int argc, char **argv)
{
    const struct bench_suite suite = {.name = "resp",
                                      .unit = "commands per second",
                                      .second_unit = "CPU of the server in ns for each command",
                                      .more_is_better = true,
                                      BENCH_WORKS(works)};

    return bench_main(argc, argv, &suite);
}
