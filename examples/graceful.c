/*
 * A server that is told by signals: SIGHUP has it read its settings again, SIGTERM has it end in
 * good order, with what it has begun. `graceful PORT` serves (try `echo hello | nc 127.0.0.1 PORT`,
 * and kill), `graceful --demo` asks, and signals, itself.
 */
#include <aloop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct state {
    int version; /* of the settings, which would be read from a file */
    int begun;   /* how many answers */
};

struct session {
    ALOOP_FRAME;
    aloop_stream stream;
    struct state *state;
    aloop_slice line;
    char answer[100];
};

/* Answers one line, which takes a while. */
ALOOP_CORO(session)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_wait_for(aloop_stream_read_line(&self->stream, &self->line), ALOOP_SEC(5)));
    (void)snprintf(self->answer, sizeof self->answer, "%.*s", (int)self->line.size,
                   (const char *)self->line.data);
    self->answer[strcspn(self->answer, "\n")] = '\0';
    self->state->begun++;
    ALOOP_TRY(aloop_sleep(ALOOP_MS(50)));
    (void)snprintf(self->answer + strlen(self->answer),
                   sizeof self->answer - strlen(self->answer), ", says version %d\n",
                   self->state->version);
    ALOOP_TRY(aloop_stream_write(&self->stream, self->answer, strlen(self->answer)));
    ALOOP_END;
}

struct ask {
    ALOOP_FRAME;
    aloop_address address;
    const char *line;
    const struct state *state;
    int signal_number; /* is sent when the server has begun to answer; 0: none is */
    int begun;
    aloop_socket socket;
    aloop_stream stream;
    aloop_slice answer;
};

ALOOP_CORO(ask)
{
    int error;

    ALOOP_BEGIN;
    ALOOP_TRY(aloop_connect(&self->address, &self->socket));
    error = aloop_stream_open(&self->socket, NULL, &self->stream);
    if (error < 0)
        ALOOP_RETURN(error);
    self->begun = self->state->begun;
    ALOOP_TRY(aloop_stream_write(&self->stream, self->line, strlen(self->line)));
    while (self->state->begun == self->begun)
        ALOOP_TRY(aloop_sleep(ALOOP_MS(1)));
    if (self->signal_number != 0)
        (void)raise(self->signal_number);
    ALOOP_TRY(aloop_stream_read_line(&self->stream, &self->answer));
    printf("  %.*s", (int)self->answer.size, (const char *)self->answer.data);
    ALOOP_FINALLY;
    aloop_stream_abort(&self->stream);
    ALOOP_END;
}

struct demo {
    ALOOP_FRAME;
    aloop_address address;
    const struct state *state;
};

ALOOP_CORO(demo)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_call(ask, .address = self->address, .state = self->state,
                         .line = "hello\n"));
    ALOOP_TRY(aloop_call(ask, .address = self->address, .state = self->state,
                         .line = "are you new\n", .signal_number = SIGHUP));
    ALOOP_TRY(aloop_call(ask, .address = self->address, .state = self->state,
                         .line = "are you still there\n", .signal_number = SIGTERM));
    ALOOP_END;
}

struct main_task {
    ALOOP_FRAME;
    unsigned port;
    bool demo;
    struct state state;
    aloop_address address;
    aloop_server server;
    aloop_server_options options;
    aloop_signals signals;
    aloop_group group;
};

ALOOP_CORO(main_task)
{
    char text[ALOOP_ADDRESS_TEXT_MAX];
    int error;

    ALOOP_BEGIN;
    /* Before anybody can ask: a signal that came earlier would end the program. */
    error = aloop_signals_open(&self->signals);
    if (error == 0)
        error = aloop_signals_add(&self->signals, SIGHUP);
    if (error == 0)
        error = aloop_signals_add(&self->signals, SIGTERM);
    if (error == 0)
        error = aloop_address_ip(&self->address, "127.0.0.1", self->port);
    if (error < 0)
        ALOOP_RETURN(error);
    self->state.version = 1;
    self->options = (aloop_server_options)ALOOP_SERVER_OPTIONS_INIT;
    self->options.addresses = &self->address;
    self->options.address_count = 1;
    ALOOP_TRY(aloop_start_server(&self->server, &self->options, session,
                                 .state = &self->state));
    error = aloop_server_address(&self->server, 0, &self->address);
    if (error < 0)
        ALOOP_RETURN(error);
    aloop_address_format(&self->address, text, sizeof text);
    printf("serving at %s\n", text);
    fflush(stdout);
    aloop_group_init(&self->group);
    if (self->demo)
        ALOOP_TRY(aloop_group_start(&self->group, demo, .address = self->address,
                                    .state = &self->state));
    for (;;) {
        ALOOP_TRY(aloop_signals_next(&self->signals));
        if (self->result == SIGTERM)
            break;
        self->state.version++;
        printf("the settings are those of version %d\n", self->state.version);
    }
    /* A second SIGTERM ends the program at once. */
    aloop_signals_close(&self->signals);
    printf("ending\n");
    ALOOP_TRY(aloop_server_drain(&self->server, ALOOP_SEC(10)));
    ALOOP_TRY(aloop_group_wait(&self->group));
    printf("ended\n");
    ALOOP_END;
}

int main(int argc, char **argv)
{
    bool demo = argc > 1 && strcmp(argv[1], "--demo") == 0;
    unsigned port = argc > 1 && !demo ? (unsigned)strtoul(argv[1], NULL, 10) : 0;

    return aloop_run(main_task, .port = port, .demo = demo) == 0 ? 0 : 1;
}
