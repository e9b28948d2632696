#include "server.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char buffer[SERVER_BUFFER_SIZE];
static size_t open_count;

struct connection *connections_of(const struct load *load)
{
    struct connection *all = bench_alloc(load->count, sizeof *all);

    for (size_t i = 0; i < load->count; i++)
        all[i].fd = load->server_fds[i];
    open_count = load->count;
    return all;
}

size_t connections_open(void)
{
    return open_count;
}

static enum connection_next end(struct connection *connection)
{
    close(connection->fd);
    free(connection->unsent);
    open_count--;
    return CONNECTION_END;
}

static enum connection_next keep(struct connection *connection, const char *data, size_t size)
{
    connection->unsent = bench_alloc(1, size);
    memcpy(connection->unsent, data, size);
    connection->unsent_at = 0;
    connection->unsent_size = size;
    return CONNECTION_WRITE;
}

/* CONNECTION_READ: all is sent. */
static enum connection_next send_unsent(struct connection *connection)
{
    size_t rest = connection->unsent_size - connection->unsent_at;
    ssize_t sent = write(connection->fd, connection->unsent + connection->unsent_at, rest);

    if (sent < 0)
        return errno == EAGAIN ? CONNECTION_WRITE : end(connection);
    connection->unsent_at += (size_t)sent;
    if ((size_t)sent < rest)
        return CONNECTION_WRITE;
    free(connection->unsent);
    connection->unsent = NULL;
    return CONNECTION_READ;
}

enum connection_next connection_go_on(struct connection *connection, const struct service *service,
                                      unsigned reads)
{
    ssize_t count;

    if (connection->unsent != NULL) {
        enum connection_next next = send_unsent(connection);

        if (next != CONNECTION_READ)
            return next;
    }
    do {
        struct answer answer;
        ssize_t sent;

        count = read(connection->fd, buffer, sizeof buffer);
        if (count <= 0)
            return count < 0 && errno == EAGAIN ? CONNECTION_READ : end(connection);
        answer = service_answer(service, buffer, (size_t)count, &connection->state);
        if (answer.size == 0)
            continue;
        sent = write(connection->fd, answer.data, answer.size);
        if (sent < 0 && errno != EAGAIN)
            return end(connection);
        if (sent < (ssize_t)answer.size)
            return keep(connection, answer.data + (sent > 0 ? sent : 0),
                        answer.size - (sent > 0 ? (size_t)sent : 0));
    } while (count == sizeof buffer && --reads > 0);
    return CONNECTION_READ;
}

/* --- a sample --- */

/* An instrument that counts follows this process: then the server is here. */
static struct bench_figures count(struct load *load, serve *run, const struct service *service,
                                  uint64_t ops)
{
    pid_t server = getpid(), client = fork();

    bench_check(client >= 0, "fork");
    if (client == 0) {
        load_keep_client(load);
        load_exactly(load, ops, server);
        _exit(0);
    }
    load_keep_server(load);
    run(load, service);
    bench_check(waitpid(client, NULL, 0) == client, "waitpid");
    return (struct bench_figures){0};
}

struct bench_figures server_measure(struct load *load, size_t connections, serve *run,
                                    const struct service *service, uint64_t ops)
{
    struct load_figures figures;
    pid_t server;

    load_connect(load, connections);
    if (bench_is_counting())
        return count(load, run, service, ops);
    server = fork();
    bench_check(server >= 0, "fork");
    if (server == 0) {
        load_keep_server(load);
        run(load, service);
        _exit(0);
    }
    bench_pin(1);
    load_keep_client(load);
    figures = load_measure(load, server);
    kill(server, SIGKILL);
    bench_check(waitpid(server, NULL, 0) == server, "waitpid");
    return (struct bench_figures){.value = figures.requests_per_second,
                                  .second = figures.cpu_ns_per_request};
}
