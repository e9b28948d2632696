/* ctest: no-valgrind */
/* Fds that arrive when there are no numbers left for them. (Valgrind keeps numbers back for itself,
   and tells the kernel nothing of limits.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io_test.h"

#include <sys/resource.h>
#include <unistd.h>

enum { FDS = 4 };

static void limit_fds(rlim_t limit)
{
    struct rlimit limits;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limits), 0);
    limits.rlim_cur = limit < limits.rlim_max ? limit : limits.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limits), 0);
}

struct exhausted {
    ALOOP_FRAME;
    aloop_socket pair[2];
    aloop_fds out;
    aloop_fds in;
    int before;
    int i;
    int sent[FDS];
    int got[FDS];
    char small[16];
};

/* Some arrived and some did not: those that did are closed, and the receiver is told. Who took what
   there is would go on with half of what was sent. */
ALOOP_CORO(exhausted)
{
    ALOOP_BEGIN;
    assert_int_equal(aloop_socket_pair(NULL, self->pair), 0);
    self->out = (aloop_fds){.items = self->sent, .count = FDS};
    self->in = (aloop_fds){.items = self->got, .capacity = FDS};
    for (self->i = 0; self->i < FDS; self->i++)
        self->sent[self->i] = dup(self->pair[0].fd);
    self->before = io_count_fds();
    ALOOP_TRY(aloop_send_fds(&self->pair[0], "x", 1, &self->out));
    /* The next numbers are above all that are open. */
    limit_fds((rlim_t)self->sent[FDS - 1] + 3);
    ALOOP_AWAIT(aloop_recv_fds(&self->pair[1], self->small, 16, &self->in));
    limit_fds(1024);
    assert_int_equal(self->result, -EMFILE);
    assert_int_equal(self->in.count, 0);
    assert_int_equal(io_count_fds(), self->before);
    for (self->i = 0; self->i < FDS; self->i++)
        assert_int_equal(close(self->sent[self->i]), 0);
    aloop_socket_close(&self->pair[0]);
    aloop_socket_close(&self->pair[1]);
    ALOOP_END;
}

static void some_did_not_arrive(void **state)
{
    io_run(state, ALOOP_CLOCK_VIRTUAL, exhausted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH_POLLER(some_did_not_arrive),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
