/*
 * A TCP proxy: what a client sends goes to a server, and what that answers goes back.
 *
 *     proxy PORT HOST SERVICE    listens at 127.0.0.1; port 0: a free one. Prints the address.
 *     proxy PORT PATH            the same for a server at a Unix socket
 *     proxy --demo               stands between a client and a server of its own
 *
 * Each direction is a coroutine that reads no more than it could write: so a side that does not
 * read slows down the other, by way of the system's buffers, and the proxy holds a few dozen KiB
 * for the two, however much is sent. A side that ends sending has that passed on, and still gets
 * what the other has to say. If one breaks, so does the other: neither is told that what it got is
 * whole. SIGTERM ends it, in ten seconds at most.
 */
#include <aloop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_TIMEOUT ALOOP_SEC(10)
#define IDLE_TIMEOUT ALOOP_SEC(600)
#define STOP_TIMEOUT ALOOP_SEC(10)

struct target {
    const char *host, *service; /* no service: the host is the path of a Unix socket */
};

/* One direction. What is read stays in the stream that it came from until it is written: a copy
   less, and nothing to be lost. */
struct pump {
    ALOOP_FRAME;
    aloop_stream from, to;
    aloop_slice bytes;
};

ALOOP_CORO(pump)
{
    ALOOP_BEGIN;
    for (;;) {
        ALOOP_TRY(aloop_stream_peek(&self->from, 1, &self->bytes));
        if (self->bytes.size == 0)
            break;
        ALOOP_TRY(aloop_stream_write(&self->to, self->bytes.data, self->bytes.size));
        (void)aloop_stream_consume(&self->from, self->bytes.size);
    }
    ALOOP_RETURN(aloop_stream_write_eof(&self->to));
    ALOOP_END;
}

static aloop_op connect_to(const struct target *target, aloop_stream *out_stream)
{
    if (target->service == NULL)
        return aloop_open_unix_connection(target->host, NULL, out_stream);
    return aloop_open_connection(target->host, target->service, NULL, out_stream);
}

struct session {
    ALOOP_FRAME;
    aloop_stream stream;
    aloop_stream server;
    const struct target *target;
    aloop_group group;
};

ALOOP_CORO(session)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_wait_for(connect_to(self->target, &self->server), CONNECT_TIMEOUT));
    (void)aloop_stream_set_idle_timeout(&self->server, IDLE_TIMEOUT);
    aloop_group_init(&self->group);
    ALOOP_TRY(aloop_group_start(&self->group, pump, .from = self->stream, .to = self->server));
    ALOOP_TRY(aloop_group_start(&self->group, pump, .from = self->server, .to = self->stream));
    ALOOP_TRY(aloop_group_wait(&self->group));
    ALOOP_FINALLY;
    if (ALOOP_OUTCOME >= 0) {
        aloop_stream_close(&self->server);
        aloop_stream_close(&self->stream);
    } else {
        aloop_stream_reset(&self->server);
        aloop_stream_reset(&self->stream);
    }
    ALOOP_END;
}

/* --- the demo: a server that counts what it gets, and a client --- */

#define DEMO_SIZE ((size_t)4 << 20)

struct counter {
    ALOOP_FRAME;
    aloop_stream stream;
    aloop_slice bytes;
    size_t count;
};

ALOOP_CORO(counter)
{
    char text[64];
    int length;

    ALOOP_BEGIN;
    do {
        ALOOP_TRY(aloop_stream_peek(&self->stream, 1, &self->bytes));
        self->count += self->bytes.size;
        (void)aloop_stream_consume(&self->stream, self->bytes.size);
    } while (self->bytes.size > 0);
    length = snprintf(text, sizeof text, "%zu bytes, and then the end\n", self->count);
    ALOOP_TRY(aloop_stream_write(&self->stream, text, (size_t)length));
    ALOOP_END;
}

struct demo {
    ALOOP_FRAME;
    aloop_address address;
    aloop_socket sock;
    aloop_stream stream;
    aloop_slice answer;
    char *data;
};

ALOOP_CORO(demo)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_connect(&self->address, &self->sock));
    ALOOP_CHECK(aloop_stream_open(&self->sock, NULL, &self->stream));
    self->data = calloc(1, DEMO_SIZE);
    if (self->data == NULL)
        ALOOP_RETURN(-ENOMEM);
    ALOOP_TRY(aloop_stream_write(&self->stream, self->data, DEMO_SIZE));
    ALOOP_CHECK(aloop_stream_write_eof(&self->stream));
    printf("the client has sent %zu bytes, and ends\n", DEMO_SIZE);
    ALOOP_TRY(aloop_stream_read_to_end(&self->stream, 1000, &self->answer));
    printf("the server got %.*s", (int)self->answer.size, self->answer.data);
    ALOOP_FINALLY;
    free(self->data);
    aloop_socket_close(&self->sock);
    aloop_stream_close(&self->stream);
    ALOOP_END;
}

/* --- the program --- */

/* Why a connection could not be passed on. */
static void complain(aloop *loop, const aloop_exception_context *context, void *arg)
{
    (void)loop;
    (void)arg;
    fprintf(stderr, "proxy: %s\n", aloop_strerror(context->error));
}

struct main_task {
    ALOOP_FRAME;
    unsigned port;
    bool is_demo;
    struct target target;
    char service[16];
    aloop_address address;
    aloop_server proxy, server;
};

ALOOP_CORO(main_task)
{
    aloop_stream_options stream = {.size = sizeof stream, .idle_timeout = IDLE_TIMEOUT};
    aloop_server_options options = {
        .size = sizeof options, .addresses = &self->address, .address_count = 1, .stream = &stream};
    char text[ALOOP_ADDRESS_TEXT_MAX];

    ALOOP_BEGIN;
    aloop_set_exception_handler(aloop_get_running_loop(), complain, NULL);
    ALOOP_CHECK(aloop_address_ip(&self->address, "127.0.0.1", self->port));
    ALOOP_TRY(aloop_start_server(&self->proxy, &options, session, .target = &self->target));
    if (self->is_demo)
        ALOOP_TRY(aloop_start_server(&self->server, &options, counter));
    if (self->is_demo && aloop_server_address(&self->server, 0, &self->address) == 0) {
        snprintf(self->service, sizeof self->service, "%d", aloop_address_port(&self->address));
        self->target = (struct target){.host = "127.0.0.1", .service = self->service};
    }
    ALOOP_CHECK(aloop_server_address(&self->proxy, 0, &self->address));
    aloop_address_format(&self->address, text, sizeof text);
    printf("the proxy is at %s\n", text);
    fflush(stdout);
    if (self->is_demo)
        ALOOP_TRY(aloop_call(demo, .address = self->address));
    else
        ALOOP_TRY(aloop_wait_signal(SIGTERM));
    ALOOP_TRY(aloop_server_drain(&self->proxy, STOP_TIMEOUT));
    ALOOP_END;
}

int main(int argc, char **argv)
{
    bool is_demo = argc == 2 && strcmp(argv[1], "--demo") == 0;
    struct target target = {.host = NULL};
    int error;

    if (argc != 3 && argc != 4 && !is_demo) {
        fprintf(stderr, "usage: proxy PORT HOST SERVICE | PORT PATH | --demo\n");
        return 2;
    }
    if (!is_demo)
        target = (struct target){.host = argv[2], .service = argc == 4 ? argv[3] : NULL};
    error = aloop_run(main_task, .port = is_demo ? 0 : (unsigned)strtoul(argv[1], NULL, 10),
                      .is_demo = is_demo, .target = target);
    /* Ctrl-C is a way to end it. */
    if (error < 0 && error != -EINTR)
        fprintf(stderr, "proxy: %s\n", aloop_strerror(error));
    return error < 0 && error != -EINTR ? 1 : 0;
}
