/* A server and a client over streams, with each plausible error at each system call that they make:
   no hang, no leak, and whoever asked is told. On Unix sockets and a virtual clock, so that each
   run is the same up to its error, and a hang is a deadlock that the loop reports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stream_test.h"
#include <stdio.h>
#include <unistd.h>

#define LARGE ((size_t)300000)

static char large[LARGE];

/* Answers each line by its number and a large body. */
struct session {
    ALOOP_FRAME;
    aloop_stream stream;
    aloop_slice line;
    int count;
};

ALOOP_CORO(session)
{
    ALOOP_BEGIN;
    for (;;) {
        ALOOP_TRY(aloop_stream_read_line(&self->stream, &self->line));
        if (self->result == 0)
            break;
        self->count++;
        ALOOP_TRY(aloop_stream_write(&self->stream, &"0123456789"[self->count], 1));
        ALOOP_TRY(aloop_stream_write(&self->stream, large, LARGE));
    }
    ALOOP_RETURN(self->count);
    ALOOP_END;
}

struct client {
    ALOOP_FRAME;
    const aloop_address *address;
    aloop_socket socket;
    aloop_stream stream;
    char *body;
    int i;
    char digit;
};

ALOOP_CORO(client)
{
    ALOOP_BEGIN;
    self->body = malloc(LARGE);
    ALOOP_TRY(aloop_connect(self->address, &self->socket));
    self->i = aloop_stream_open(&self->socket, NULL, &self->stream);
    if (self->i < 0)
        ALOOP_RETURN(self->i);
    for (self->i = 1; self->i <= 3; self->i++) {
        ALOOP_TRY(aloop_stream_write(&self->stream, "get\n", 4));
        ALOOP_TRY(aloop_stream_read_exactly(&self->stream, &self->digit, 1));
        assert_int_equal(self->digit, '0' + self->i);
        ALOOP_TRY(aloop_stream_read_exactly(&self->stream, self->body, LARGE));
        assert_memory_equal(self->body, large, LARGE);
    }
    if (aloop_stream_write_eof(&self->stream) == 0)
        ALOOP_TRY(aloop_stream_flush(&self->stream));
    ALOOP_TRY(aloop_stream_read(&self->stream, &self->digit, 1));
    assert_int_equal(self->result, 0);
    ALOOP_RETURN(1);
    ALOOP_FINALLY;
    free(self->body);
    aloop_socket_close(&self->socket);
    aloop_stream_close(&self->stream);
    ALOOP_AWAIT(aloop_stream_wait_closed(&self->stream));
    ALOOP_END;
}

struct scenario {
    ALOOP_FRAME;
    aloop_server server;
    aloop_server_options options;
    aloop_address address;
    int64_t outcome;
    char name[64];
};

/* 1 if all went well, or the client's error. */
ALOOP_CORO(scenario)
{
    ALOOP_BEGIN;
    (void)snprintf(self->name, sizeof self->name, "@aloop-faults-%ld", (long)getpid());
    if (aloop_address_unix(&self->address, self->name) < 0)
        ALOOP_RETURN(1);
    self->options = (aloop_server_options)ALOOP_SERVER_OPTIONS_INIT;
    self->options.addresses = &self->address;
    self->options.address_count = 1;
    ALOOP_TRY(aloop_start_server(&self->server, &self->options, session));
    ALOOP_AWAIT_TO(self->outcome, aloop_call(client, .address = &self->address));
    ALOOP_AWAIT(aloop_server_drain(&self->server, ALOOP_SEC(5)));
    ALOOP_RETURN(self->outcome);
    ALOOP_END;
}

/* Runs it with `call` failing for the n-th time. False if it was not called so often. */
static bool run(void **state, enum fault_call call, unsigned n, int error)
{
    struct memory_probe memory = {0};
    aloop_options options = ALOOP_OPTIONS_INIT;
    int fds = io_count_fds();
    bool was_hit;
    int64_t outcome;
    aloop *loop;

    options.poller = ((const struct io_state *)*state)->poller;
    options.clock = ALOOP_CLOCK_VIRTUAL;
    options.allocator = memory_probe_allocator(&memory);
    assert_int_equal(aloop_new(&options, &loop), 0);
    fault_install();
    fault_cut_to(100000);
    fault_fail(call, n, error);
    outcome = aloop_run_in(loop, scenario);
    was_hit = fault_failures(call) > 0;
    fault_reset();
    if (outcome == -EDEADLK || (!was_hit && outcome != 1) || outcome == 0)
        fail_msg("%s, call %u, error %d: outcome %d", fault_name(call), n, error, (int)outcome);
    aloop_unref(loop);
    assert_int_equal(atomic_load(&memory.bytes), 0);
    assert_int_equal(io_count_fds(), fds);
    return was_hit;
}

static void each_error_at_each_call(void **state)
{
    static const struct {
        enum fault_call call;
        int errors[10];
    } sweep[] = {
        {FAULT_RECV,
         {ECONNRESET, ETIMEDOUT, ENOMEM, EIO, ENOBUFS, ENOTCONN, ECONNREFUSED, EHOSTUNREACH,
          ENETDOWN}},
        {FAULT_SEND,
         {EPIPE, ECONNRESET, ENOBUFS, ENOMEM, EHOSTUNREACH, EMSGSIZE, ENETUNREACH, ETIMEDOUT,
          EACCES}},
        {FAULT_SENDV, {EPIPE, ECONNRESET, ENOBUFS, EIO, ENOMEM, ENETDOWN, ETIMEDOUT}},
        {FAULT_ACCEPT,
         {ECONNABORTED, EMFILE, ENFILE, ENOMEM, EPERM, EPROTO, ENOBUFS, ENETDOWN, EHOSTUNREACH}},
        {FAULT_CONNECT, {ECONNREFUSED, EAGAIN, ENOENT, EACCES, EPROTOTYPE, ENOMEM, ETIMEDOUT}},
        {FAULT_SHUTDOWN, {EINVAL, ENOBUFS}},
        {FAULT_SOCKET, {EMFILE, ENFILE, ENOBUFS, EACCES, EAFNOSUPPORT, ENOMEM}},
        {FAULT_BIND, {EACCES, EADDRINUSE, EADDRNOTAVAIL, EROFS, ENOTDIR, ELOOP, ENOSPC}},
        {FAULT_LISTEN, {EADDRINUSE, EOPNOTSUPP}},
    };
    unsigned hits = 0;

    for (size_t i = 0; i < LARGE; i++)
        large[i] = (char)(i * 7);
    for (size_t i = 0; i < sizeof sweep / sizeof *sweep; i++) {
        for (size_t j = 0; j < 10 && sweep[i].errors[j] != 0; j++) {
            for (unsigned n = 1; run(state, sweep[i].call, n,
                                     -sweep[i].errors[j]);
                 n++)
                hits++;
        }
    }
    assert_true(hits > 100);
}

/* What registers an fd runs out of something. */
static void no_room_at_the_poller(void **state)
{
    static const int errors[] = {-ENOMEM, -ENOSPC};

    if (((const struct io_state *)*state)->poller == ALOOP_POLLER_POLL)
        skip();
    for (int i = 0; i < 2; i++) {
        for (unsigned n = 1; n < 10 && run(state, io_registering(state), n, errors[i]); n++)
            ;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH_POLLER(each_error_at_each_call),
        ON_EACH_POLLER(no_room_at_the_poller),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
