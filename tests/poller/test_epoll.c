/*
 * What concerns epoll alone: registrations that nobody can take out, errors of epoll_ctl, and how
 * few calls it makes.
 */
#include "poller/poller.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#ifdef SYS_HAVE_EPOLL

#include "fault.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROOM 8
#define BOTH (POLLER_READ | POLLER_WRITE)

struct fixture {
    struct memory memory;
    struct poller *poller;
    int fds[2];
    struct poller_event events[ROOM];
};

static const struct poller_class *const class = &poller_epoll;

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    memory_init(&f->memory, NULL);
    assert_int_equal(sys.socketpair(AF_UNIX, SOCK_STREAM, f->fds), 0);
    assert_int_equal(class->open(&f->memory, &f->poller), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    fault_reset();
    class->close(f->poller);
    close(f->fds[0]);
    close(f->fds[1]);
    free(f);
    return 0;
}

static int wait_once(struct fixture *f)
{
    return class->wait(f->poller, 0, f->events, ROOM);
}

/* P2: an fd closed without remove while a duplicate lives (a forked child has one) reports for ever
   under its old id, and EPOLL_CTL_DEL cannot name it any more. A new set does not have it. Without,
   the loop would be woken by it until the duplicate is closed. */
static void rebuild_sheds_what_cannot_be_removed(void **state)
{
    struct fixture *f = *state;
    int other[2];
    int duplicate = dup(f->fds[0]);

    assert_true(duplicate >= 0);
    assert_int_equal(sys.socketpair(AF_UNIX, SOCK_STREAM, other), 0);
    assert_int_equal(class->add(f->poller, f->fds[0], 1, POLLER_READ, POLLER_LEVEL), 0);
    assert_int_equal(class->add(f->poller, other[0], 2, POLLER_READ, POLLER_LEVEL), 0);
    assert_int_equal(write(f->fds[1], "x", 1), 1);
    close(f->fds[0]);
    class->remove(f->poller, f->fds[0]);
    assert_int_equal(wait_once(f), 1);
    assert_int_equal(f->events[0].id, 1);
    assert_int_equal(class->rebuild(f->poller), 0);
    assert_int_equal(wait_once(f), 0);
    assert_int_equal(write(other[1], "x", 1), 1);
    assert_int_equal(wait_once(f), 1);
    assert_int_equal(f->events[0].id, 2);
    close(other[0]);
    close(other[1]);
    f->fds[0] = duplicate;
}

/* The same file under its old number again (dup2 back): the kernel says EEXIST for what the table
   knows nothing of. It is taken over under the new id. */
static void what_the_kernel_still_has_is_taken_over(void **state)
{
    struct fixture *f = *state;
    int duplicate = dup(f->fds[0]);

    assert_int_equal(class->add(f->poller, f->fds[0], 1, POLLER_READ, POLLER_LEVEL), 0);
    close(f->fds[0]);
    class->remove(f->poller, f->fds[0]);
    assert_int_equal(dup2(duplicate, f->fds[0]), f->fds[0]);
    assert_int_equal(class->add(f->poller, f->fds[0], 2, POLLER_READ, POLLER_LEVEL), 0);
    assert_int_equal(write(f->fds[1], "x", 1), 1);
    assert_int_equal(wait_once(f), 1);
    assert_int_equal(f->events[0].id, 2);
    close(duplicate);
}

/* P120: ENOSPC (the user's limit of watches) and ENOMEM reach whoever asked, and change nothing. */
static void errors_reach_the_caller(void **state)
{
    static const int errors[] = {-ENOSPC, -ENOMEM};
    struct fixture *f = *state;

    fault_install();
    for (size_t i = 0; i < 2; i++) {
        fault_fail(FAULT_EPOLL_CTL, 1, errors[i]);
        assert_int_equal(class->add(f->poller, f->fds[0], 1, POLLER_READ, POLLER_LEVEL), errors[i]);
        assert_int_equal(class->remove(f->poller, f->fds[0]), -ENOENT);
        assert_int_equal(class->add(f->poller, f->fds[0], 1, POLLER_READ, POLLER_LEVEL), 0);
        fault_fail(FAULT_EPOLL_CTL, 1, errors[i]);
        assert_int_equal(class->modify(f->poller, f->fds[0], 2, BOTH), errors[i]);
        assert_int_equal(wait_once(f), 0);
        /* From no interest back to some is an ADD, with the errors of one. */
        assert_int_equal(class->modify(f->poller, f->fds[0], 2, 0), 0);
        fault_fail(FAULT_EPOLL_CTL, 1, errors[i]);
        assert_int_equal(class->modify(f->poller, f->fds[0], 3, POLLER_WRITE), errors[i]);
        assert_int_equal(wait_once(f), 0);
        assert_int_equal(class->modify(f->poller, f->fds[0], 4, POLLER_WRITE), 0);
        assert_int_equal(wait_once(f), 1);
        assert_int_equal(f->events[0].id, 4);
        assert_int_equal(class->remove(f->poller, f->fds[0]), 0);
    }
}

/* P121: a set that cannot be made leaves nothing behind. */
static void open_fails(void **state)
{
    static const int errors[] = {-EMFILE, -ENFILE, -ENOMEM};
    struct fixture *f = *state;
    struct poller *poller = NULL;

    fault_install();
    for (size_t i = 0; i < 3; i++) {
        fault_fail(FAULT_EPOLL_CREATE, 1, errors[i]);
        assert_int_equal(class->open(&f->memory, &poller), errors[i]);
        assert_null(poller);
    }
}

/* Whichever call fails while the set is made anew, the old one goes on, and no fd is lost. */
static void rebuild_fails(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(class->add(f->poller, f->fds[0], 1, POLLER_WRITE, POLLER_LEVEL), 0);
    assert_int_equal(class->add(f->poller, f->fds[1], 2, POLLER_READ, POLLER_LEVEL), 0);
    fault_install();
    fault_fail(FAULT_EPOLL_CREATE, 1, -EMFILE);
    assert_int_equal(class->rebuild(f->poller), -EMFILE);
    assert_int_equal(fault_count(FAULT_CLOSE), 0);
    for (unsigned n = 1; n <= 2; n++) {
        fault_install();
        fault_fail(FAULT_EPOLL_CTL, n, -ENOMEM);
        assert_int_equal(class->rebuild(f->poller), -ENOMEM);
        assert_int_equal(fault_failures(FAULT_EPOLL_CTL), 1);
        assert_int_equal(fault_count(FAULT_CLOSE), 1);
        assert_int_equal(wait_once(f), 1);
    }
    /* Without the old number it works under a new one. */
    fault_install();
    fault_fail(FAULT_DUP_OVER, 1, -EBADF);
    assert_int_equal(class->rebuild(f->poller), 0);
    assert_int_equal(fault_count(FAULT_CLOSE), 1);
    assert_int_equal(wait_once(f), 1);
    assert_int_equal(f->events[0].id, 1);
}

/* An fd that is gone, or a regular file by now, does not keep the set from being made anew. */
static void rebuild_passes_over_closed_fds(void **state)
{
    struct fixture *f = *state;
    int closed = dup(f->fds[1]);
    int replaced = dup(f->fds[1]);
    int file = open("/dev/null", O_RDONLY);

    assert_int_equal(class->add(f->poller, closed, 1, POLLER_WRITE, POLLER_LEVEL), 0);
    assert_int_equal(class->add(f->poller, replaced, 2, POLLER_WRITE, POLLER_LEVEL), 0);
    assert_int_equal(class->add(f->poller, f->fds[0], 3, POLLER_WRITE, POLLER_LEVEL), 0);
    close(closed);
    assert_int_equal(dup2(file, replaced), replaced);
    assert_int_equal(class->rebuild(f->poller), 0);
    assert_int_equal(wait_once(f), 1);
    assert_int_equal(f->events[0].id, 3);
    assert_int_equal(class->remove(f->poller, closed), -EBADF);
    assert_int_equal(class->remove(f->poller, replaced), 0);
    close(replaced);
    close(file);
}

/* P105: a forked child shares the parent's set. What it does after rebuild() touches only its own:
   the parent still hears of its fd, which the child has removed, and not of what the child has
   added. */
static void child_leaves_the_parents_set_alone(void **state)
{
    struct fixture *f = *state;
    int status;
    pid_t child;

    assert_int_equal(class->add(f->poller, f->fds[0], 1, POLLER_WRITE, POLLER_LEVEL), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        bool is_good = class->rebuild(f->poller) == 0 && wait_once(f) == 1 &&
                       class->remove(f->poller, f->fds[0]) == 0 &&
                       class->add(f->poller, f->fds[1], 2, POLLER_WRITE, POLLER_LEVEL) == 0 &&
                       wait_once(f) == 1 && f->events[0].id == 2;

        class->close(f->poller);
        _exit(is_good ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(wait_once(f), 1);
    assert_int_equal(f->events[0].id, 1);
}

/* P107: a program that this one executes does not inherit the set. */
static void set_is_close_on_exec(void **state)
{
    struct fixture *f = *state;

    assert_true(fcntl(class->backend_fd(f->poller), F_GETFD) & FD_CLOEXEC);
}

/* P122: an error of the wait is the caller's to see. */
static void wait_fails(void **state)
{
    struct fixture *f = *state;

    fault_install();
    fault_fail(FAULT_EPOLL_WAIT, 1, -EINVAL);
    assert_int_equal(wait_once(f), -EINVAL);
    assert_int_equal(wait_once(f), 0);
}

/* An edge-triggered fd costs one call for its life: arming an await again costs none. */
static void an_edge_costs_no_calls(void **state)
{
    struct fixture *f = *state;
    char byte;

    fault_install();
    assert_int_equal(class->add(f->poller, f->fds[0], 1, BOTH, POLLER_EDGE), 0);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(write(f->fds[1], "x", 1), 1);
        assert_int_equal(wait_once(f), 1);
        assert_int_equal(read(f->fds[0], &byte, 1), 1);
        poller_rearm(f->poller, f->fds[0], POLLER_READ);
    }
    assert_int_equal(fault_count(FAULT_EPOLL_CTL), 1);
    assert_int_equal(fault_count(FAULT_EPOLL_WAIT), 100);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rebuild_sheds_what_cannot_be_removed),
        TEST(what_the_kernel_still_has_is_taken_over),
        TEST(errors_reach_the_caller),
        TEST(open_fails),
        TEST(rebuild_fails),
        TEST(rebuild_passes_over_closed_fds),
        TEST(child_leaves_the_parents_set_alone),
        TEST(set_is_close_on_exec),
        TEST(wait_fails),
        TEST(an_edge_costs_no_calls),
    };

    return cmocka_run_group_tests_name("epoll", tests, NULL, NULL);
}

#else

/* There is none here. */
int main(void)
{
    return 77;
}

#endif
