/*
 * What concerns the simulated poller alone: that it does what a test says, in the same order each
 * time.
 */
#include "poller/fd_table.h"
#include "poller/sim.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define ROOM 8

struct fixture {
    struct memory memory;
    struct poller *poller;
    struct poller_event events[ROOM];
};

static const struct poller_class *const class = &poller_sim;

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    memory_init(&f->memory, NULL);
    assert_int_equal(class->open(&f->memory, &f->poller), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    class->close(f->poller);
    free(f);
    return 0;
}

/* The order is that of the numbers, whatever order things were said or added in. */
static void order_is_that_of_the_fds(void **state)
{
    static const int fds[] = {700, 3, 45, 0};
    struct fixture *f = *state;

    for (int i = 0; i < 4; i++) {
        assert_int_equal(sim_set_ready(f->poller, fds[i], POLLER_READ), 0);
        assert_int_equal(class->add(f->poller, fds[i], (uint64_t)fds[i], POLLER_READ, POLLER_LEVEL),
                         0);
    }
    for (int round = 0; round < 3; round++) {
        assert_int_equal(class->wait(f->poller, 0, f->events, ROOM), 4);
        assert_int_equal(f->events[0].fd, 0);
        assert_int_equal(f->events[1].fd, 3);
        assert_int_equal(f->events[2].fd, 45);
        assert_int_equal(f->events[3].fd, 700);
    }
}

/* After a short answer the next one goes on where it ended; once all was told, order is as
   before. */
static void a_short_answer_leaves_no_trace(void **state)
{
    static const int orders[][3] = {{1, 2, 0}, {0, 1, 2}};
    struct fixture *f = *state;

    for (int fd = 0; fd < 3; fd++) {
        assert_int_equal(sim_set_ready(f->poller, fd, POLLER_READ), 0);
        assert_int_equal(class->add(f->poller, fd, 1, POLLER_READ, POLLER_LEVEL), 0);
    }
    assert_int_equal(class->wait(f->poller, 0, f->events, 1), 1);
    assert_int_equal(f->events[0].fd, 0);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(class->wait(f->poller, 0, f->events, ROOM), 3);
        for (int i = 0; i < 3; i++)
            assert_int_equal(f->events[i].fd, orders[round][i]);
    }
}

/* An hour costs nothing, and a test can see how long the loop meant to wait. */
static void a_wait_never_blocks(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(class->wait(f->poller, ALOOP_SEC(3600), f->events, ROOM), 0);
    assert_int_equal(sim_last_timeout(f->poller), ALOOP_SEC(3600));
    assert_int_equal(class->wait(f->poller, ALOOP_NEVER, f->events, ROOM), 0);
    assert_int_equal(sim_last_timeout(f->poller), ALOOP_NEVER);
    assert_int_equal(sim_waits(f->poller), 2);
}

/* Each call is an edge: bytes that follow bytes. */
static void each_call_is_an_edge(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(class->add(f->poller, 9, 1, POLLER_READ, POLLER_EDGE), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sim_set_ready(f->poller, 9, POLLER_READ), 0);
        assert_int_equal(class->wait(f->poller, 0, f->events, ROOM), 1);
        assert_int_equal(class->wait(f->poller, 0, f->events, ROOM), 0);
    }
    /* What holds no more when the loop looks is not told. */
    assert_int_equal(sim_set_ready(f->poller, 9, POLLER_READ), 0);
    assert_int_equal(sim_set_ready(f->poller, 9, 0), 0);
    assert_int_equal(class->wait(f->poller, 0, f->events, ROOM), 0);
}

static void refusals(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(sim_refuse(f->poller, 9, -ENOSPC), 0);
    assert_int_equal(class->add(f->poller, 9, 1, POLLER_READ, POLLER_EDGE), -ENOSPC);
    assert_int_equal(class->remove(f->poller, 9), -ENOENT);
    assert_int_equal(sim_refuse(f->poller, 9, 0), 0);
    assert_int_equal(class->add(f->poller, 9, 1, POLLER_READ, POLLER_EDGE), 0);
    assert_int_equal(sim_refuse(f->poller, -1, -EPERM), -EBADF);
    assert_int_equal(sim_set_ready(f->poller, FD_TABLE_PLAIN_MAX + 1, POLLER_READ), -EBADF);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(order_is_that_of_the_fds),
        TEST(a_short_answer_leaves_no_trace),
        TEST(a_wait_never_blocks),
        TEST(each_call_is_an_edge),
        TEST(refusals),
    };

    return cmocka_run_group_tests_name("sim", tests, NULL, NULL);
}
