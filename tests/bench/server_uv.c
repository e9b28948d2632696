/* libuv: one buffer for all reads, and uv_try_write() before a request to write is made. */
#include "server.h"

#ifdef HAVE_LIBUV
#include <stdlib.h>
#include <string.h>
#include <uv.h>

static char buffer[SERVER_BUFFER_SIZE];

struct uv_connection {
    uv_tcp_t tcp;
    const struct service *service;
    size_t state;
    uv_write_t request;
    char *unsent;
};

static void give_buffer(uv_handle_t *handle, size_t size, uv_buf_t *out_buffer)
{
    (void)handle;
    (void)size;
    *out_buffer = uv_buf_init(buffer, sizeof buffer);
}

static void received(uv_stream_t *stream, ssize_t count, const uv_buf_t *bytes);

static void written(uv_write_t *request, int status)
{
    struct uv_connection *connection = request->data;

    free(connection->unsent);
    if (status == 0)
        uv_read_start((uv_stream_t *)&connection->tcp, give_buffer, received);
    else if (!uv_is_closing((uv_handle_t *)&connection->tcp))
        uv_close((uv_handle_t *)&connection->tcp, NULL);
}

/* The rest of an answer; until the peer has it, nothing more is read. */
static void write_rest(struct uv_connection *connection, const char *data, size_t size)
{
    uv_buf_t rest;

    connection->unsent = bench_alloc(1, size);
    memcpy(connection->unsent, data, size);
    rest = uv_buf_init(connection->unsent, (unsigned)size);
    connection->request.data = connection;
    uv_read_stop((uv_stream_t *)&connection->tcp);
    bench_check(
        uv_write(&connection->request, (uv_stream_t *)&connection->tcp, &rest, 1, written) == 0,
        "uv_write");
}

static void received(uv_stream_t *stream, ssize_t count, const uv_buf_t *bytes)
{
    struct uv_connection *connection = stream->data;
    struct answer answer;
    uv_buf_t whole;
    int sent;

    if (count < 0)
        uv_close((uv_handle_t *)stream, NULL);
    if (count <= 0)
        return;
    answer = service_answer(connection->service, bytes->base, (size_t)count, &connection->state);
    if (answer.size == 0)
        return;
    whole = uv_buf_init((char *)answer.data, (unsigned)answer.size);
    sent = uv_try_write(stream, &whole, 1);
    if (sent < 0 && sent != UV_EAGAIN)
        uv_close((uv_handle_t *)stream, NULL);
    else if (sent < (int)answer.size)
        write_rest(connection, answer.data + (sent > 0 ? sent : 0),
                   answer.size - (sent > 0 ? (size_t)sent : 0));
}

void serve_uv(const struct load *load, const struct service *service)
{
    struct uv_connection *all = bench_alloc(load->count, sizeof *all);
    uv_loop_t loop;

    bench_check(uv_loop_init(&loop) == 0, "uv_loop_init");
    for (size_t i = 0; i < load->count; i++) {
        all[i].service = service;
        all[i].tcp.data = &all[i];
        uv_tcp_init(&loop, &all[i].tcp);
        bench_check(uv_tcp_open(&all[i].tcp, load->server_fds[i]) == 0, "uv_tcp_open");
        uv_read_start((uv_stream_t *)&all[i].tcp, give_buffer, received);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
}
#else
typedef int nothing_here;
#endif
