/*
 * Time limits: for an operation, for a call with all that happens below it, and for a part of a
 * coroutine.
 */
#include <aloop.h>
#include <stdio.h>

struct slow {
    ALOOP_FRAME;
    aloop_ns needs;
};

ALOOP_CORO(slow)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_sleep(self->needs));
    ALOOP_RETURN(42);
    ALOOP_END;
}

struct main_task {
    ALOOP_FRAME;
    aloop_socket pair[2];
    aloop_timeout timeout;
    char buffer[16];
    int64_t outcome;
};

ALOOP_CORO(main_task)
{
    ALOOP_BEGIN;
    ALOOP_CHECK(aloop_socket_pair(NULL, self->pair));
    ALOOP_AWAIT(aloop_wait_for(aloop_recv(&self->pair[0], self->buffer, 16), ALOOP_MS(50)));
    printf("nobody sends: %s\n", aloop_strerror(self->result));

    ALOOP_TRY(aloop_wait_for(aloop_call(slow, .needs = ALOOP_MS(10)), ALOOP_SEC(5)));
    printf("in time: %d\n", (int)self->result);
    ALOOP_AWAIT(aloop_wait_for(aloop_call(slow, .needs = ALOOP_SEC(5)), ALOOP_MS(50)));
    printf("not in time: %s\n", aloop_strerror(self->result));

    ALOOP_TRY(aloop_timeout_enter(&self->timeout, ALOOP_MS(100)));
    do
        ALOOP_AWAIT(aloop_call(slow, .needs = ALOOP_MS(40)));
    while (self->result >= 0);
    self->outcome = aloop_timeout_leave(&self->timeout, self->result);
    printf("some of them together: %s\n", aloop_strerror(self->outcome));
    ALOOP_RETURN(self->outcome == -ETIMEDOUT ? 0 : -EPROTO);
    ALOOP_FINALLY;
    aloop_socket_close(&self->pair[0]);
    aloop_socket_close(&self->pair[1]);
    ALOOP_END;
}

int main(void)
{
    return aloop_run(main_task) == 0 ? 0 : 1;
}
