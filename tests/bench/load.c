#include "load.h"

#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define WARM_UP_NS 2e8
#define MEASURE_NS 8e8
#define EVENTS_MAX 256
#define BUFFER_SIZE 65536

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

static int connect_to(const struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    bench_check(fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) == 0,
                "connect");
    prepare(fd);
    return fd;
}

void load_connect(struct load *load, size_t count)
{
    struct sockaddr_in address;
    int listener = listen_somewhere(&address);

    bench_raise_fd_limit();
    load->count = count;
    load->server_fds = bench_alloc(count, sizeof load->server_fds[0]);
    load->client_fds = bench_alloc(count, sizeof load->client_fds[0]);
    for (size_t i = 0; i < count; i++) {
        load->client_fds[i] = connect_to(&address);
        load->server_fds[i] = accept(listener, NULL, NULL);
        bench_check(load->server_fds[i] >= 0, "accept");
        prepare(load->server_fds[i]);
    }
    close(listener);
}

void load_connect_to(struct load *load, size_t count, uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    bench_raise_fd_limit();
    load->count = count;
    load->server_fds = NULL;
    load->client_fds = bench_alloc(count, sizeof load->client_fds[0]);
    for (size_t i = 0; i < count; i++)
        load->client_fds[i] = connect_to(&address);
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

struct peer {
    size_t unsent;  /* bytes of the batch that the kernel has not taken */
    size_t missing; /* bytes of its answers that have not come */
};

struct client {
    int epoll_fd;
    const struct load *load;
    char *batch;
    size_t batch_size;
    struct peer *peers;
    uint64_t completed; /* batches */
    bool sends_on;      /* the next batch when one is answered */
};

static void send_rest(struct client *client, size_t i)
{
    struct peer *peer = &client->peers[i];
    ssize_t count = write(client->load->client_fds[i],
                          client->batch + (client->batch_size - peer->unsent), peer->unsent);

    bench_check(count >= 0 || errno == EAGAIN, "write");
    peer->unsent -= count > 0 ? (size_t)count : 0;
}

static void send_batch(struct client *client, size_t i)
{
    client->peers[i] = (struct peer){.unsent = client->batch_size,
                                     .missing = client->load->answer_size * client->load->pipeline};
    send_rest(client, i);
}

static struct client client_start(const struct load *load)
{
    struct client client = {.load = load, .batch_size = load->request_size * load->pipeline};

    client.peers = bench_alloc(load->count, sizeof client.peers[0]);
    client.batch = bench_alloc(1, client.batch_size);
    for (size_t i = 0; i < load->pipeline; i++)
        memcpy(client.batch + i * load->request_size, load->request, load->request_size);
    client.epoll_fd = epoll_create1(0);
    for (size_t i = 0; i < load->count; i++) {
        struct epoll_event event = {
            .events = (uint32_t)EPOLLIN | (uint32_t)EPOLLOUT | (uint32_t)EPOLLET, .data.u64 = i};

        bench_check(epoll_ctl(client.epoll_fd, EPOLL_CTL_ADD, load->client_fds[i], &event) == 0,
                    "epoll_ctl");
    }
    return client;
}

static void send_everywhere(struct client *client)
{
    for (size_t i = 0; i < client->load->count; i++)
        send_batch(client, i);
}

static void receive(struct client *client, size_t i)
{
    static char buffer[BUFFER_SIZE];
    struct peer *peer = &client->peers[i];
    ssize_t count;

    do {
        count = read(client->load->client_fds[i], buffer, sizeof buffer);
        if (count < 0 && errno == EAGAIN)
            return;
        bench_check(count > 0 && (size_t)count <= peer->missing, "an answer");
        peer->missing -= (size_t)count;
    } while (count == sizeof buffer && peer->missing > 0);
    if (peer->missing == 0) {
        client->completed++;
        if (client->sends_on)
            send_batch(client, i);
    }
}

static void client_turn(struct client *client)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(client->epoll_fd, events, EVENTS_MAX, -1);

    for (int i = 0; i < count; i++) {
        size_t peer = (size_t)events[i].data.u64;

        if (client->peers[peer].unsent > 0)
            send_rest(client, peer);
        if ((events[i].events & (uint32_t)EPOLLIN) != 0)
            receive(client, peer);
    }
}

static void client_run_for(struct client *client, double ns)
{
    double end = bench_wall_ns() + (bench_is_quick() ? ns / 4 : ns);

    while (bench_wall_ns() < end)
        client_turn(client);
}

struct load_figures load_measure(const struct load *load, int server)
{
    struct client client = client_start(load);
    double start, cpu, count;

    client.sends_on = true;
    send_everywhere(&client);
    client_run_for(&client, WARM_UP_NS);
    /* Some servers have much to make ready before the last connection gets its first answer. */
    while (client.completed < load->count)
        client_turn(&client);
    client.completed = 0;
    start = bench_wall_ns();
    cpu = bench_cpu_ns_of(server);
    client_run_for(&client, MEASURE_NS);
    cpu = bench_cpu_ns_of(server) - cpu;
    count = (double)(client.completed * load->pipeline);
    return (struct load_figures){.requests_per_second = count * 1e9 / (bench_wall_ns() - start),
                                 .cpu_ns_per_request = count > 0 ? cpu / count : 0};
}

void load_exactly(const struct load *load, uint64_t wanted, int server)
{
    struct client client = client_start(load);

    for (uint64_t sent = 0; sent * load->pipeline < wanted; sent += load->count) {
        kill(server, SIGSTOP);
        send_everywhere(&client);
        kill(server, SIGCONT);
        while (client.completed < sent + load->count)
            client_turn(&client);
    }
    close_all(load->client_fds, load->count);
}

size_t load_size_of_answer(const struct load *load, const char *end)
{
    char answer[BUFFER_SIZE];
    size_t size = 0, end_size = strlen(end);
    int fd = load->client_fds[0];

    bench_check(write(fd, load->request, load->request_size) == (ssize_t)load->request_size,
                "write");
    do {
        struct pollfd waiting = {.fd = fd, .events = POLLIN};
        ssize_t count;

        bench_check(poll(&waiting, 1, 5000) == 1, "an answer within five seconds");
        count = read(fd, answer + size, sizeof answer - size);
        bench_check(count > 0, "the first answer");
        size += (size_t)count;
    } while (size < end_size || memcmp(answer + size - end_size, end, end_size) != 0);
    return size;
}
