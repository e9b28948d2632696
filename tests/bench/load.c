#include "load.h"

#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define WARM_UP_NS 2e8
#define MEASURE_NS 8e8
#define EVENTS_MAX 256

static int listen_somewhere(struct sockaddr_in *out_address)
{
    socklen_t length = sizeof *out_address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    *out_address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bench_check(fd >= 0 && bind(fd, (struct sockaddr *)out_address, length) == 0 &&
                    listen(fd, 128) == 0 &&
                    getsockname(fd, (struct sockaddr *)out_address, &length) == 0,
                "listen");
    return fd;
}

static void prepare(int fd)
{
    int on = 1;

    bench_check(fcntl(fd, F_SETFL, O_NONBLOCK) == 0, "O_NONBLOCK");
    bench_check(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0, "TCP_NODELAY");
}

struct load load_connect(size_t count)
{
    struct load load = {.count = count};
    struct sockaddr_in address;
    int listener = listen_somewhere(&address);

    bench_raise_fd_limit();
    load.server_fds = bench_alloc(count, sizeof load.server_fds[0]);
    load.client_fds = bench_alloc(count, sizeof load.client_fds[0]);
    for (size_t i = 0; i < count; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);

        bench_check(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0,
                    "connect");
        load.client_fds[i] = fd;
        load.server_fds[i] = accept(listener, NULL, NULL);
        bench_check(load.server_fds[i] >= 0, "accept");
        prepare(fd);
        prepare(load.server_fds[i]);
    }
    close(listener);
    return load;
}

static void close_all(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
}

void load_keep_server(struct load *load)
{
    close_all(load->client_fds, load->count);
}

void load_keep_client(struct load *load)
{
    close_all(load->server_fds, load->count);
}

/* --- the client --- */

struct client {
    int epoll_fd;
    const struct load *load;
    size_t batch;       /* bytes under way on a connection */
    size_t *missing;    /* bytes of the batch that have not come back, for each connection */
    uint64_t completed; /* batches */
};

static const char requests[LOAD_PIPELINE_MAX * LOAD_MESSAGE_SIZE];

static void send_batch(struct client *client, size_t i)
{
    client->missing[i] = client->batch;
    bench_check(write(client->load->client_fds[i], requests, client->batch) ==
                    (ssize_t)client->batch,
                "write");
}

static struct client client_start(const struct load *load, size_t pipeline)
{
    struct client client = {.load = load, .batch = pipeline * LOAD_MESSAGE_SIZE};

    bench_check(client.batch <= sizeof requests, "a pipeline of that length");
    client.missing = bench_alloc(load->count, sizeof client.missing[0]);
    client.epoll_fd = epoll_create1(0);
    for (size_t i = 0; i < load->count; i++) {
        struct epoll_event event = {.events = (uint32_t)EPOLLIN | (uint32_t)EPOLLET, .data.u64 = i};

        bench_check(epoll_ctl(client.epoll_fd, EPOLL_CTL_ADD, load->client_fds[i], &event) == 0,
                    "epoll_ctl");
        send_batch(&client, i);
    }
    return client;
}

static void receive(struct client *client, size_t i)
{
    char buffer[LOAD_PIPELINE_MAX * LOAD_MESSAGE_SIZE];
    ssize_t count = read(client->load->client_fds[i], buffer, sizeof buffer);

    if (count < 0 && errno == EAGAIN)
        return;
    bench_check(count > 0 && (size_t)count <= client->missing[i], "an echo");
    client->missing[i] -= (size_t)count;
    if (client->missing[i] == 0) {
        client->completed++;
        send_batch(client, i);
    }
}

static void client_turn(struct client *client)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(client->epoll_fd, events, EVENTS_MAX, -1);

    for (int i = 0; i < count; i++)
        receive(client, (size_t)events[i].data.u64);
}

static void client_run_for(struct client *client, double ns)
{
    double end = bench_wall_ns() + ns;

    while (bench_wall_ns() < end)
        client_turn(client);
}

struct load_figures load_measure(const struct load *load, size_t pipeline, int server)
{
    struct client client = client_start(load, pipeline);
    double start, cpu, count;

    client_run_for(&client, WARM_UP_NS);
    client.completed = 0;
    start = bench_wall_ns();
    cpu = bench_cpu_ns_of(server);
    client_run_for(&client, MEASURE_NS);
    cpu = bench_cpu_ns_of(server) - cpu;
    count = (double)(client.completed * pipeline);
    return (struct load_figures){.requests_per_second = count * 1e9 / (bench_wall_ns() - start),
                                 .cpu_ns_per_request = cpu / count};
}

void load_exactly(const struct load *load, size_t pipeline, uint64_t wanted)
{
    struct client client = client_start(load, pipeline);

    while (client.completed * pipeline < wanted)
        client_turn(&client);
    close_all(load->client_fds, load->count);
}
