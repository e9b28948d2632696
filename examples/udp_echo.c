/*
 * A UDP server that sends back what it gets: `udp_echo PORT` serves at 127.0.0.1 (port 0: a free
 * one) until SIGTERM, `udp_echo --demo` asks itself. What has come while it was busy is taken in
 * one go, and answered in one go: two calls of the system for up to 32 messages.
 */
#include <aloop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 32
#define MESSAGE_MAX 2048

/* Too large for a frame. */
struct batch {
    aloop_datagram items[BATCH];
    char buffers[BATCH][MESSAGE_MAX];
};

static void make_ready(struct batch *batch)
{
    for (size_t i = 0; i < BATCH; i++)
        batch->items[i] = (aloop_datagram){.data = batch->buffers[i], .size = MESSAGE_MAX};
}

/* Of `count` messages, those that are to go back: not those that were cut. */
static size_t turn_around(struct batch *batch, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (batch->items[i].length > batch->items[i].size)
            continue;
        batch->items[kept] = batch->items[i];
        batch->items[kept].size = batch->items[i].length;
        kept++;
    }
    return kept;
}

struct serve {
    ALOOP_FRAME;
    aloop_socket sock;
    struct batch *batch;
    size_t count, sent;
    uint64_t *messages;
};

ALOOP_CORO(serve)
{
    ALOOP_BEGIN;
    self->batch = malloc(sizeof *self->batch);
    if (self->batch == NULL)
        ALOOP_RETURN(-ENOMEM);
    for (;;) {
        make_ready(self->batch);
        ALOOP_TRY(aloop_recv_many(&self->sock, self->batch->items, BATCH));
        self->count = turn_around(self->batch, (size_t)self->result);
        self->sent = 0;
        while (self->sent < self->count) {
            ALOOP_AWAIT(aloop_send_many(&self->sock, self->batch->items + self->sent,
                                        self->count - self->sent));
            if (self->result == -ECANCELED)
                ALOOP_RETURN(-ECANCELED);
            /* One that cannot be sent is lost, as any may be. */
            self->sent += self->result > 0 ? (size_t)self->result : 1;
        }
        *self->messages += self->count;
    }
    ALOOP_FINALLY;
    free(self->batch);
    ALOOP_END;
}

/* --- the demo --- */

struct ask {
    ALOOP_FRAME;
    aloop_socket *sock; /* connected with the server */
    size_t size;
    char message[1400], answer[1400];
};

ALOOP_CORO(ask)
{
    ALOOP_BEGIN;
    memset(self->message, 'x', self->size);
    ALOOP_TRY(aloop_send_to(self->sock, self->message, self->size, NULL));
    /* A second is long, on one machine; elsewhere one would ask again. */
    ALOOP_TRY(aloop_wait_for(aloop_recv_from(self->sock, self->answer, sizeof self->answer, NULL),
                             ALOOP_SEC(1)));
    if ((size_t)self->result != self->size || memcmp(self->message, self->answer, self->size) != 0)
        ALOOP_RETURN(-EPROTO);
    printf("%zu bytes, there and back\n", self->size);
    ALOOP_END;
}

struct demo {
    ALOOP_FRAME;
    aloop_address address;
    aloop_socket sock;
};

ALOOP_CORO(demo)
{
    ALOOP_BEGIN;
    ALOOP_CHECK(aloop_datagram_open(NULL, NULL, &self->address, NULL, &self->sock));
    ALOOP_TRY(aloop_call(ask, .sock = &self->sock, .size = 5));
    ALOOP_TRY(aloop_call(ask, .sock = &self->sock, .size = 0));
    ALOOP_TRY(aloop_call(ask, .sock = &self->sock, .size = 1400));
    ALOOP_FINALLY;
    aloop_socket_close(&self->sock);
    ALOOP_END;
}

/* --- the program --- */

struct main_task {
    ALOOP_FRAME;
    unsigned port;
    bool is_demo;
    aloop_address address;
    aloop_socket sock;
    aloop_group group;
    uint64_t messages;
};

ALOOP_CORO(main_task)
{
    char text[ALOOP_ADDRESS_TEXT_MAX];

    ALOOP_BEGIN;
    ALOOP_CHECK(aloop_address_ip(&self->address, "127.0.0.1", self->port));
    ALOOP_CHECK(aloop_datagram_open(NULL, &self->address, NULL, NULL, &self->sock));
    ALOOP_CHECK(aloop_socket_address(&self->sock, &self->address));
    aloop_address_format(&self->address, text, sizeof text);
    printf("listening at %s\n", text);
    fflush(stdout);
    aloop_group_init(&self->group);
    ALOOP_TRY(
        aloop_group_start(&self->group, serve, .sock = self->sock, .messages = &self->messages));
    if (self->is_demo)
        ALOOP_TRY(aloop_call(demo, .address = self->address));
    else
        ALOOP_TRY(aloop_wait_signal(SIGTERM));
    aloop_group_cancel(&self->group);
    ALOOP_TRY(aloop_group_wait(&self->group));
    printf("%llu messages answered\n", (unsigned long long)self->messages);
    ALOOP_FINALLY;
    aloop_socket_close(&self->sock);
    ALOOP_END;
}

int main(int argc, char **argv)
{
    bool is_demo = argc == 2 && strcmp(argv[1], "--demo") == 0;
    int error;

    if (argc != 2) {
        fprintf(stderr, "usage: udp_echo PORT | --demo\n");
        return 2;
    }
    error = aloop_run(main_task, .is_demo = is_demo,
                      .port = is_demo ? 0 : (unsigned)strtoul(argv[1], NULL, 10));
    /* Ctrl-C is a way to end it. */
    if (error < 0 && error != -EINTR)
        fprintf(stderr, "udp_echo: %s\n", aloop_strerror(error));
    return error < 0 && error != -EINTR ? 1 : 0;
}
