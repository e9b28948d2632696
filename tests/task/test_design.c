/* The programs that introduce the library, as a newcomer would write them. */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

/* --- hello --- */

struct countdown {
    ALOOP_FRAME;
    int n; /* argument */
};

ALOOP_CORO(countdown)
{
    ALOOP_BEGIN;
    for (; self->n > 0; self->n--) {
        printf("%d\n", self->n);
        ALOOP_TRY(aloop_sleep(ALOOP_MS(200)));
    }
    ALOOP_END;
}

struct main_task {
    ALOOP_FRAME;
};

ALOOP_CORO(main_task)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_call(countdown, .n = 3)); /* await a sub-coroutine */
    ALOOP_RETURN(0);
    ALOOP_END;
}

static void hello(void **state)
{
    struct world *world = *state;

    assert_int_equal(aloop_run_in(world->loop, main_task), 0);
    assert_int_equal(aloop_time(world->loop), ALOOP_MS(600));
}

struct quick {
    ALOOP_FRAME;
    int argc;
};

ALOOP_CORO(quick)
{
    ALOOP_BEGIN;
    ALOOP_RETURN(self->argc);
    ALOOP_END;
}

/* With a loop of its own, and the real clock. */
static void hello_by_itself(void **state)
{
    (void)state;
    assert_int_equal(aloop_run(quick), 0);
    assert_int_equal(aloop_run(quick, .argc = 3), 3);
}

/* --- a session with a time limit and cleanup --- */

struct session {
    ALOOP_FRAME;
    aloop_socket sock;
    char buf[16];
};

ALOOP_CORO(session)
{
    ALOOP_BEGIN;
    for (;;) {
        ALOOP_TRY(
            aloop_wait_for(aloop_recv(&self->sock, self->buf, sizeof self->buf), ALOOP_SEC(30)));
        if (self->result == 0)
            break;
        ALOOP_TRY(aloop_send_all(&self->sock, self->buf, (size_t)self->result));
    }
    ALOOP_FINALLY;
    aloop_socket_close(&self->sock);
    ALOOP_END;
}

struct client {
    ALOOP_FRAME;
    aloop_socket sock;
    bool hangs_up;
    char buf[5];
};

ALOOP_CORO(client)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_send_all(&self->sock, "hello", 5));
    ALOOP_TRY(aloop_recv_exactly(&self->sock, self->buf, sizeof self->buf));
    if (memcmp(self->buf, "hello", 5) != 0)
        ALOOP_RETURN(-EPROTO);
    if (self->hangs_up)
        aloop_socket_close(&self->sock);
    ALOOP_END;
}

static int64_t run_session(struct world *world, bool hangs_up, bool cancels)
{
    aloop_socket pair[2];
    aloop_task *task;
    aloop_task *other;
    int64_t outcome;

    assert_int_equal(aloop_socket_pair(world->loop, pair), 0);
    task = aloop_create_task_in(world->loop, session, .sock = pair[0]);
    other = aloop_create_task_in(world->loop, client, .sock = pair[1], .hangs_up = hangs_up);
    assert_int_equal(aloop_run_until_complete(world->loop, other), 0);
    assert_true(aloop_socket_is_open(&pair[0]));
    if (cancels)
        assert_true(aloop_task_cancel(task));
    outcome = aloop_run_until_complete(world->loop, task);
    assert_false(aloop_socket_is_open(&pair[0]));
    aloop_socket_close(&pair[1]);
    aloop_task_unref(other);
    aloop_task_unref(task);
    return outcome;
}

static void sessions(void **state)
{
    struct world *world = *state;
    aloop_ns start;

    /* However it ends, its socket is closed. (Breaking out of the loop falls into the cleanup.) */
    assert_int_equal(run_session(world, true, false), 0);
    assert_int_equal(run_session(world, false, true), -ECANCELED);
    start = aloop_time(world->loop);
    assert_int_equal(run_session(world, false, false), -ETIMEDOUT);
    assert_int_equal(aloop_time(world->loop) - start, ALOOP_SEC(30));
}

/* --- a group --- */

struct worker {
    ALOOP_FRAME;
    struct world *world;
    int id;
    int fails;
};

ALOOP_CORO(worker)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_sleep(ALOOP_MS(self->id)));
    if (self->id == self->fails)
        ALOOP_RETURN(-EIO);
    world_mark(self->world, "w");
    ALOOP_END;
}

struct grouping {
    ALOOP_FRAME;
    struct world *world;
    aloop_group group;
    int i;
    int fails;
};

ALOOP_CORO(grouping)
{
    ALOOP_BEGIN;
    aloop_group_init(&self->group);
    for (self->i = 0; self->i < 10; self->i++)
        ALOOP_TRY(aloop_group_start(&self->group, worker, .id = self->i, .world = self->world,
                                    .fails = self->fails));
    ALOOP_TRY(aloop_group_wait(&self->group)); /* first failure cancels the rest */
    ALOOP_END;
}

static void structured(void **state)
{
    struct world *world = *state;

    assert_int_equal(aloop_run_in(world->loop, grouping, .world = world, .fails = -1), 0);
    assert_string_equal(world->log, "w w w w w w w w w w ");
    assert_int_equal(aloop_run_in(world->loop, grouping, .world = world, .fails = 4), -EIO);
    assert_string_equal(world->log, "w w w w w w w w w w w w w w ");
    assert_int_equal(aloop_time(world->loop), ALOOP_MS(13));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(hello),
        cmocka_unit_test(hello_by_itself),
        TEST(sessions),
        TEST(structured),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
