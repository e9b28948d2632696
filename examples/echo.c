/*
 * A server that sends back what it gets: one task for each connection. `echo PORT` serves, `echo
 * --demo` serves on a free port and asks itself.
 */
#include <aloop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct session {
    ALOOP_FRAME;
    aloop_socket sock;
    char buffer[4096];
};

ALOOP_CORO(session)
{
    ALOOP_BEGIN;
    for (;;) {
        ALOOP_AWAIT(aloop_wait_for(aloop_recv(&self->sock, self->buffer, sizeof self->buffer),
                                   ALOOP_SEC(30)));
        if (self->result > 0)
            ALOOP_AWAIT(aloop_send_all(&self->sock, self->buffer, (size_t)self->result));
        if (self->result <= 0)
            break;
    }
    /* What becomes of one connection is no failure of the server's. */
    ALOOP_FINALLY;
    aloop_socket_close(&self->sock);
    ALOOP_END;
}

struct serve {
    ALOOP_FRAME;
    aloop_socket listener;
    aloop_socket sock;
    aloop_group group;
};

ALOOP_CORO(serve)
{
    ALOOP_BEGIN;
    aloop_group_init(&self->group);
    for (;;) {
        ALOOP_TRY(aloop_accept(&self->listener, &self->sock));
        ALOOP_TRY(aloop_group_start(&self->group, session, .sock = self->sock));
    }
    ALOOP_END;
}

struct main_task {
    ALOOP_FRAME;
    unsigned port;
    bool demo;
    aloop_address address;
    aloop_socket listener, sock;
    aloop_group group;
    char buffer[16];
};

ALOOP_CORO(main_task)
{
    char text[ALOOP_ADDRESS_TEXT_MAX];

    ALOOP_BEGIN;
    ALOOP_CHECK(aloop_address_ip(&self->address, "127.0.0.1", self->port));
    ALOOP_CHECK(aloop_socket_listen(NULL, &self->address, NULL, &self->listener));
    ALOOP_CHECK(aloop_socket_address(&self->listener, &self->address));
    aloop_address_format(&self->address, text, sizeof text);
    printf("listening at %s\n", text);
    fflush(stdout);
    aloop_group_init(&self->group);
    ALOOP_TRY(aloop_group_start(&self->group, serve, .listener = self->listener));
    if (self->demo) {
        ALOOP_TRY(aloop_connect(&self->address, &self->sock));
        ALOOP_TRY(aloop_send_all(&self->sock, "hello", 5));
        ALOOP_TRY(aloop_recv_exactly(&self->sock, self->buffer, 5));
        printf("sent \"hello\", got \"%.5s\"\n", self->buffer);
        /* The group's children are cancelled, and waited for, before this coroutine has ended. */
        ALOOP_RETURN(0);
    }
    ALOOP_TRY(aloop_group_wait(&self->group));
    ALOOP_END;
}

int main(int argc, char **argv)
{
    bool demo = argc > 1 && strcmp(argv[1], "--demo") == 0;
    unsigned port = argc > 1 && !demo ? (unsigned)strtoul(argv[1], NULL, 10) : 0;

    return aloop_run(main_task, .port = port, .demo = demo) == 0 ? 0 : 1;
}
