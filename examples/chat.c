/*
 * A chat: what one says, all hear. Each session waits for two things at once, its client and the
 * room, which is what aloop_select() is for; the room is a broadcast, which nobody can hold up.
 * `chat PORT` serves (try `nc 127.0.0.1 PORT` in several windows), `chat --demo` talks to itself.
 */
#include <aloop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_SIZE = 200, ROOM = 64 };

struct line {
    size_t length;
    char text[LINE_MAX_SIZE];
};

struct session {
    ALOOP_FRAME;
    int id;
    aloop_socket sock;
    aloop_broadcast *room;
    aloop_broadcast_receiver ear;
    aloop_select_case cases[2];
    struct line said, heard;
    char buffer[LINE_MAX_SIZE / 2];
    size_t used;
    int64_t last; /* which of the two it was */
};

/* Tells the room every whole line that the client has sent. */
static void speak(struct session *self)
{
    char *end;

    while ((end = memchr(self->buffer, '\n', self->used)) != NULL) {
        size_t length = (size_t)(end - self->buffer) + 1;
        int written = snprintf(self->said.text, sizeof self->said.text, "%d: %.*s", self->id,
                               (int)length, self->buffer);

        self->said.length = (size_t)written;
        (void)aloop_broadcast_send(self->room, &self->said);
        self->used -= length;
        memmove(self->buffer, end + 1, self->used);
    }
}

ALOOP_CORO(session)
{
    ALOOP_BEGIN;
    aloop_broadcast_subscribe(self->room, &self->ear);
    ALOOP_TRY(aloop_send_all(&self->sock, "welcome\n", 8));
    for (;;) {
        self->cases[0].op =
            aloop_recv(&self->sock, self->buffer + self->used, sizeof self->buffer - self->used);
        self->cases[1].op = aloop_broadcast_receive(&self->ear, &self->heard);
        /* In turns, so that one who talks without end still hears the others. */
        ALOOP_TRY_TO(self->last, aloop_select_from(self->cases, 2, self->last + 1));
        if (self->last == 0) {
            if (self->cases[0].result <= 0)
                break;
            self->used += (size_t)self->cases[0].result;
            speak(self);
            if (self->used == sizeof self->buffer)
                break; /* a line without end */
        } else if (self->cases[1].result == 0) {
            ALOOP_TRY(aloop_wait_for(
                aloop_send_all(&self->sock, self->heard.text, self->heard.length), ALOOP_SEC(10)));
        } else if (self->cases[1].result != -ALOOP_ELAGGED) {
            break;
        }
    }
    ALOOP_FINALLY;
    aloop_broadcast_unsubscribe(&self->ear);
    aloop_socket_close(&self->sock);
    /* That somebody has left is no failure of the room's. */
    ALOOP_RETURN(0);
    ALOOP_END;
}

struct serve {
    ALOOP_FRAME;
    aloop_socket *listener;
    aloop_broadcast *room;
    aloop_socket sock;
    aloop_group sessions;
    int count;
};

ALOOP_CORO(serve)
{
    ALOOP_BEGIN;
    aloop_group_init(&self->sessions);
    for (;;) {
        ALOOP_TRY(aloop_accept(self->listener, &self->sock));
        ALOOP_TRY(aloop_group_start(&self->sessions, session, .id = ++self->count,
                                    .sock = self->sock, .room = self->room));
    }
    ALOOP_END;
}

/* Three clients; each says something, and all of them hear it. */
enum { CLIENTS = 3 };

struct demo {
    ALOOP_FRAME;
    aloop_address address;
    aloop_socket socks[CLIENTS];
    char buffer[32];
    int i, k;
};

ALOOP_CORO(demo)
{
    static const char *const words[CLIENTS] = {"hello\n", "hi\n", "bye\n"};

    ALOOP_BEGIN;
    for (self->i = 0; self->i < CLIENTS; self->i++) {
        ALOOP_TRY(aloop_connect(&self->address, &self->socks[self->i]));
        ALOOP_TRY(aloop_recv_exactly(&self->socks[self->i], self->buffer, strlen("welcome\n")));
    }
    for (self->i = 0; self->i < CLIENTS; self->i++) {
        ALOOP_TRY(aloop_send_all(&self->socks[self->i], words[self->i], strlen(words[self->i])));
        for (self->k = 0; self->k < CLIENTS; self->k++) {
            ALOOP_TRY(aloop_recv_exactly(&self->socks[self->k], self->buffer,
                                         3 + strlen(words[self->i])));
            printf("%d hears %.*s", self->k + 1, (int)self->result, self->buffer);
        }
    }
    ALOOP_FINALLY;
    for (self->i = 0; self->i < CLIENTS; self->i++)
        aloop_socket_close(&self->socks[self->i]);
    ALOOP_END;
}

struct main_task {
    ALOOP_FRAME;
    unsigned port;
    bool demo;
    aloop_address address;
    aloop_socket listener;
    aloop_broadcast room;
    aloop_group group;
};

ALOOP_CORO(main_task)
{
    char text[ALOOP_ADDRESS_TEXT_MAX];

    ALOOP_BEGIN;
    ALOOP_CHECK(aloop_broadcast_init(&self->room, NULL, sizeof(struct line), ROOM));
    ALOOP_CHECK(aloop_address_ip(&self->address, "127.0.0.1", self->port));
    ALOOP_CHECK(aloop_socket_listen(NULL, &self->address, NULL, &self->listener));
    ALOOP_CHECK(aloop_socket_address(&self->listener, &self->address));
    aloop_address_format(&self->address, text, sizeof text);
    printf("the room is at %s\n", text);
    fflush(stdout);
    aloop_group_init(&self->group);
    ALOOP_TRY(
        aloop_group_start(&self->group, serve, .listener = &self->listener, .room = &self->room));
    if (self->demo) {
        ALOOP_TRY(aloop_call(demo, .address = self->address));
        aloop_group_cancel(&self->group);
    }
    ALOOP_TRY(aloop_group_wait(&self->group));
    printf("closed\n");
    ALOOP_FINALLY;
    aloop_socket_close(&self->listener);
    aloop_broadcast_fini(&self->room);
    ALOOP_END;
}

int main(int argc, char **argv)
{
    bool demo = argc > 1 && strcmp(argv[1], "--demo") == 0;
    unsigned port = argc > 1 && !demo ? (unsigned)strtoul(argv[1], NULL, 10) : 0;

    return aloop_run(main_task, .port = port, .demo = demo) == 0 ? 0 : 1;
}
