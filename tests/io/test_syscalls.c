/* What a message costs: one recv and one send at each end, its share of a wait, and nothing else.
   */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io_test.h"
#include <stdlib.h>

#define MESSAGES 100
#define SIZE 64

static size_t allocations;

static void *counting_alloc(void *context, void *block, size_t old_size, size_t new_size)
{
    (void)context;
    (void)old_size;
    if (new_size == 0) {
        free(block);
        return NULL;
    }
    allocations++;
    return realloc(block, new_size);
}

struct session {
    ALOOP_FRAME;
    aloop_socket conn;
    char buffer[4 * SIZE];
};

ALOOP_CORO(session)
{
    ALOOP_BEGIN;
    for (;;) {
        ALOOP_TRY(aloop_wait_for(aloop_recv(&self->conn, self->buffer, sizeof self->buffer),
                                 ALOOP_SEC(30)));
        if (self->result == 0)
            break;
        ALOOP_TRY(aloop_send_all(&self->conn, self->buffer, (size_t)self->result));
    }
    ALOOP_FINALLY;
    aloop_socket_close(&self->conn);
    ALOOP_END;
}

struct client {
    ALOOP_FRAME;
    aloop_socket listener, server, conn;
    aloop_address address;
    aloop_task *session;
    size_t allocated;
    int i;
    char buffer[4 * SIZE];
};

ALOOP_CORO(client)
{
    ALOOP_BEGIN;
    io_listen(&self->listener, &self->address);
    ALOOP_TRY(aloop_connect(&self->address, &self->conn));
    ALOOP_TRY(aloop_accept(&self->listener, &self->server));
    self->session = aloop_create_task(session, .conn = self->server);
    /* The first read of each finds out what nobody knew: that there is nothing yet. */
    ALOOP_TRY(aloop_send_all(&self->conn, self->buffer, SIZE));
    ALOOP_TRY(aloop_recv(&self->conn, self->buffer, sizeof self->buffer));
    ALOOP_TRY(aloop_sleep(0));
    fault_install();
    self->allocated = allocations;
    for (self->i = 0; self->i < MESSAGES; self->i++) {
        ALOOP_TRY(aloop_send_all(&self->conn, self->buffer, SIZE));
        ALOOP_TRY(aloop_recv(&self->conn, self->buffer, sizeof self->buffer));
        assert_int_equal(self->result, SIZE);
    }
    /* Both ends are in this process. A reader that asked whether there is more, or that was told in
       vain that there is nothing, would show in the number of recvs. */
    assert_int_equal(fault_count(FAULT_SEND), 2 * MESSAGES);
    assert_int_equal(fault_count(FAULT_RECV), 2 * MESSAGES);
    assert_int_equal(fault_count(FAULT_EPOLL_CTL), 0);
    /* Where one call does both, registering would show here. */
    assert_in_range(fault_count(FAULT_EPOLL_WAIT) + fault_count(FAULT_POLL) +
                        fault_count(FAULT_KEVENT),
                    1, 2 * MESSAGES + 2);
    assert_int_equal(allocations, self->allocated);
    ALOOP_FINALLY;
    aloop_socket_close(&self->conn);
    aloop_socket_close(&self->listener);
    ALOOP_AWAIT(aloop_join_unref(self->session));
    ALOOP_END;
}

/* On an idle loop each end waits once for each message. */
static void a_message_costs_a_recv_and_a_send(void **state)
{
    aloop_options options = ALOOP_OPTIONS_INIT;
    aloop *loop;

    options.poller = ((const struct io_state *)*state)->poller;
    options.allocator.alloc = counting_alloc;
    assert_int_equal(aloop_new(&options, &loop), 0);
    assert_int_equal(aloop_run_in(loop, client), 0);
    aloop_unref(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH_POLLER(a_message_costs_a_recv_and_a_send),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
