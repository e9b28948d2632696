/*
 * What closing a socket costs, and when the poller is told. The kernel forgets a file with its last
 * number; as long as somebody else has one it goes on telling of it, and only who has a number can
 * take it out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pair_test.h"
#include <aloop/process.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLOSE_TEST(name)                                                                           \
    struct name {                                                                                  \
        ALOOP_FRAME;                                                                               \
        aloop_socket pair[2];                                                                      \
        aloop_socket way[2];                                                                       \
        aloop_process child;                                                                       \
        aloop_fds fds;                                                                             \
        aloop_task *task;                                                                          \
        int number;                                                                                \
        int copy;                                                                                  \
        int i;                                                                                     \
        char small[16];                                                                            \
    };                                                                                             \
    ALOOP_CORO(name)

/* Closes a pair, of which so many have to be taken out of the kernel's set, where there is one. */
static void close_counting(aloop_socket pair[2], unsigned shared)
{
    const struct poller_class *class = poller_class_of(aloop_get_running_loop()->poller);

    fault_install();
    close_pair(pair);
    assert_int_equal(fault_count(FAULT_CLOSE), 2);
    assert_int_equal(fault_count(FAULT_EPOLL_CTL), class->forget != NULL ? shared : 0);
    fault_reset();
}

CLOSE_TEST(one_call_closes)
{
    ALOOP_BEGIN;
    OPEN_PAIR();
    ALOOP_TRY(aloop_send_all(&self->pair[0], "x", 1));
    ALOOP_TRY(aloop_recv(&self->pair[1], self->small, 16));
    close_counting(self->pair, 0);
    ALOOP_END;
}

RUN_TEST(one_call_closes)

/* P1: whoever has the number may have made another. */
CLOSE_TEST(a_number_that_was_given_away)
{
    int fds[2];

    ALOOP_BEGIN;
    OPEN_PAIR();
    assert_true(aloop_socket_fd(&self->pair[0]) >= 0);
    close_counting(self->pair, 1);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(aloop_socket_adopt(NULL, fds[0], &self->pair[0]), 0);
    assert_int_equal(aloop_socket_adopt(NULL, fds[1], &self->pair[1]), 0);
    close_counting(self->pair, 2);
    ALOOP_END;
}

RUN_TEST(a_number_that_was_given_away)

/* P1, of who was sent an fd, and of a child. */
CLOSE_TEST(a_duplicate_in_another_process)
{
    aloop_process_options options = ALOOP_PROCESS_OPTIONS_INIT;
    aloop_process_fd map;

    ALOOP_BEGIN;
    assert_int_equal(aloop_socket_pair(NULL, self->way), 0);
    OPEN_PAIR();
    self->number = self->pair[1].fd;
    self->fds = (aloop_fds){.items = &self->number, .count = 1};
    ALOOP_TRY(aloop_send_fds(&self->way[0], "x", 1, &self->fds));
    close_counting(self->pair, 1);
    close_pair(self->way);
    OPEN_PAIR();
    map = (aloop_process_fd){.child = 3, .parent = self->pair[0].fd};
    options.fds = &map;
    options.fd_count = 1;
    assert_int_equal(aloop_create_subprocess_exec(NULL, (const char *[]){"true", NULL}, &options,
                                                  &self->child),
                     0);
    /* Where a child begins as a fork, it has had the other one as well. */
    close_counting(self->pair, sys.fds_are_shared() ? 2 : 1);
    ALOOP_TRY(aloop_process_wait(&self->child, NULL));
    aloop_process_close(&self->child);
    ALOOP_END;
}

static void test_a_duplicate_in_another_process(void **state)
{
    io_run(state, ALOOP_CLOCK_MONOTONIC, a_duplicate_in_another_process);
}

/* P1, P2: a duplicate that nobody has told of. The first event of what is left in the set has it
   made anew; the loop does not spin, and who gets the number next hears nothing of it. */
CLOSE_TEST(a_duplicate_behind_our_back)
{
    ALOOP_BEGIN;
    OPEN_PAIR();
    self->copy = dup(self->pair[0].fd);
    assert_true(self->copy >= 0);
    self->number = self->pair[0].fd;
    aloop_socket_close(&self->pair[0]);
    assert_int_equal(aloop_socket_pair(NULL, self->way), 0);
    assert_int_equal(self->way[0].fd, self->number);
    self->task = io_start(aloop_recv(&self->way[0], self->small, 16));
    TURNS();
    fault_install();
    ALOOP_TRY(aloop_send_all(&self->pair[1], "x", 1));
    TURNS();
    assert_false(aloop_task_done(self->task));
    assert_in_range(fault_count(FAULT_EPOLL_CREATE), 0, 1);
    assert_int_equal(fault_count(FAULT_RECV), 0);
    ALOOP_TRY(aloop_send_all(&self->way[1], "y", 1));
    ALOOP_TRY(aloop_join_unref(self->task));
    assert_int_equal(self->small[0], 'y');
    fault_reset();
    close(self->copy);
    aloop_socket_close(&self->pair[1]);
    close_pair(self->way);
    ALOOP_END;
}

RUN_TEST(a_duplicate_behind_our_back)

/* P1: a fork()ed child has all that was open, and so has the child's parent. From then on all that
   is closed is taken out: this comes last. */
CLOSE_TEST(what_a_child_has)
{
    pid_t child;
    int status;

    ALOOP_BEGIN;
    OPEN_PAIR();
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        /* By another program's end, which has nothing of ours to leak. */
        if (sys.fds_are_shared() == 1)
            (void)execlp("true", "true", (char *)NULL);
        _exit(1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close_counting(self->pair, 2);
    ALOOP_END;
}

RUN_TEST(what_a_child_has)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH_POLLER(test_one_call_closes),
        ON_EACH_POLLER(test_a_number_that_was_given_away),
        ON_EACH_POLLER(test_a_duplicate_in_another_process),
        ON_EACH_POLLER(test_a_duplicate_behind_our_back),
        ON_EACH_POLLER(test_what_a_child_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
