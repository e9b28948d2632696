/*
 * fork(): what a child may do with its parent's loop, before and after aloop_after_fork(). The
 * children judge by themselves, and tell with their exit status: 0, or the line that failed.
 */
#include "fixture.h"

#include "loop/internal.h"
#include <poll.h>
#include <sys/wait.h>

#if defined(__SANITIZE_THREAD__)
#define HAVE_TSAN
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HAVE_TSAN
#endif
#endif

/* In the child, where cmocka's assertions would run the rest of the suite a second time. Lines are
   fewer than 256, or the number would be cut. */
#define CHECK(CONDITION)                                                                           \
    do {                                                                                           \
        if (!(CONDITION))                                                                          \
            _exit(__LINE__ % 251 + 1);                                                             \
    } while (0)

static void assert_child_is_happy(pid_t child)
{
    int status = -1;

    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    /* A line of this file, modulo 251, plus 1. */
    assert_int_equal(WEXITSTATUS(status), 0);
}

static bool is_readable(int fd)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};

    return poll(&pollfd, 1, 0) == 1;
}

static void without_after_fork(aloop *loop, const int fds[2])
{
    aloop_threadsafe_call *call;
    aloop_ns timeout;

    CHECK(aloop_run_forever(loop) == -ECHILD);
    CHECK(aloop_run_once(loop, 0) == -ECHILD);
    CHECK(aloop_dispatch(loop) == -ECHILD);
    CHECK(aloop_prepare(loop, &timeout) == -ECHILD);
    CHECK(aloop_add_reader(loop, fds[0], note, NULL) == -ECHILD);
    CHECK(aloop_add_writer(loop, fds[1], note, NULL) == -ECHILD);
    CHECK(aloop_call_soon_threadsafe(loop, note, NULL) == -ECHILD);
    CHECK(aloop_call_soon_threadsafe_cancellable(loop, note, NULL, &call) == -ECHILD);
    CHECK(aloop_get_running_loop() == NULL);
    /* What is the child's own can be taken back, and closing ends its copies. */
    CHECK(aloop_remove_reader(loop, fds[0]));
    CHECK(aloop_close(loop) == 0);
    aloop_unref(loop);
}

/* P105, S49: refused, and nothing that the child does reaches the parent: its registrations, its
   wake fd. A child that took the reader out of the shared epoll set would leave the parent deaf. */
static void child_does_not_disturb(void **state)
{
    struct fixture *f = *state;
    pid_t child;
    int fds[2];

    open_pair(fds);
    must(aloop_add_reader(f->loop, fds[0], note, TEXT("r")));
    must(aloop_call_later(f->loop, 5, note, TEXT("t")));
    child = fork();
    if (child == 0) {
        without_after_fork(f->loop, fds);
        _exit(0);
    }
    assert_child_is_happy(child);
    assert_false(is_readable(f->loop->wake_fds[0]));
    assert_int_equal(turn(f->loop), 0);
    put_byte(fds[1]);
    assert_int_equal(turn(f->loop), 1);
    assert_true(aloop_remove_reader(f->loop, fds[0]));
    assert_int_equal(aloop_run_forever(f->loop), -EDEADLK);
    assert_journal_is("rt");
    close_pair(fds);
}

static void with_after_fork(aloop *loop, const int fds[2], int wake_fd, aloop_handle timer)
{
    int own[2];

    CHECK(aloop_after_fork(loop) == 0);
    CHECK(aloop_after_fork(loop) == 0);
    /* What was registered still is, with the same handles. */
    CHECK(aloop_when(loop, timer) == 5);
    CHECK(aloop_run_once(loop, 0) == 0);
    CHECK(write(fds[1], "x", 1) == 1);
    CHECK(aloop_run_once(loop, 0) == 1);
    CHECK(aloop_remove_reader(loop, fds[0]));
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, own) == 0);
    CHECK(aloop_add_writer(loop, own[0], note, TEXT("w")) > 0);
    CHECK(aloop_run_once(loop, 0) == 1);
    CHECK(aloop_remove_writer(loop, own[0]));
    /* The call that had been posted before the fork is the parent's. */
    CHECK(aloop_call_soon_threadsafe(loop, note, TEXT("q")) == 0);
    CHECK(aloop_run_forever(loop) == -EDEADLK);
    CHECK(strcmp(journal, "rwqt") == 0);
    CHECK(fcntl(wake_fd, F_GETFD) < 0 || loop->wake_fds[0] == wake_fd);
    aloop_unref(loop);
}

/* P105: after aloop_after_fork() the child goes on with all that was there, on fds of its own. */
static void child_goes_on(void **state)
{
    struct fixture *f = *state;
    aloop_handle timer;
    pid_t child;
    char byte;
    int fds[2];

    open_pair(fds);
    must(aloop_add_reader(f->loop, fds[0], note, TEXT("r")));
    timer = must(aloop_call_later(f->loop, 5, note, TEXT("t")));
    assert_int_equal(aloop_call_soon_threadsafe(f->loop, note, TEXT("p")), 0);
    child = fork();
    if (child == 0) {
        with_after_fork(f->loop, fds, f->loop->wake_fds[0], timer);
        _exit(f->probe.bytes == 0 ? 0 : 255);
    }
    assert_child_is_happy(child);
    assert_int_equal(read(fds[0], &byte, 1), 1);
    assert_int_equal(aloop_run_forever(f->loop), -EDEADLK);
    assert_journal_is("pt");
    put_byte(fds[1]);
    assert_int_equal(turn(f->loop), 1);
    assert_journal_is("r");
    close_pair(fds);
}

static void fork_inside(aloop *loop, void *arg)
{
    pid_t child = fork();

    if (child == 0) {
        CHECK(aloop_get_running_loop() == NULL);
        CHECK(aloop_run_forever(loop) == -ECHILD);
        CHECK(aloop_close(loop) == -EBUSY);
        CHECK(aloop_after_fork(loop) == 0);
        CHECK(!aloop_is_running(loop));
        CHECK(aloop_call_soon(loop, note, TEXT("c")) > 0);
        /* What was to run after this callback, and what it scheduled. */
        CHECK(aloop_run_forever(loop) == -EDEADLK);
        CHECK(strcmp(journal, "ac") == 0);
        CHECK(aloop_close(loop) == 0);
        return;
    }
    *(pid_t *)arg = child;
}

static void fork_inside_and_close(aloop *loop, void *arg)
{
    pid_t child = fork();

    if (child == 0) {
        CHECK(aloop_after_fork(loop) == 0);
        CHECK(aloop_close(loop) == 0);
        return;
    }
    *(pid_t *)arg = child;
}

static void fork_inside_callback(struct fixture *f, aloop_callback *callback)
{
    pid_t self = getpid(), child = -1;
    int result;

    must(aloop_call_soon(f->loop, callback, &child));
    must(aloop_call_soon(f->loop, note, TEXT("a")));
    result = aloop_run_forever(f->loop);
    if (getpid() != self) {
        aloop_unref(f->loop);
        _exit(result == 0 && f->probe.bytes == 0 ? 0 : 255);
    }
    assert_int_equal(result, -EDEADLK);
    assert_journal_is("a");
    assert_child_is_happy(child);
}

/* Forked inside a callback: the child may run the loop, or close it, and return. */
static void fork_in_a_callback(void **state)
{
    fork_inside_callback(*state, fork_inside);
    fork_inside_callback(*state, fork_inside_and_close);
}

struct forker {
    int fd;
    pid_t child;
};

static void fork_and_return(aloop *loop, void *arg)
{
    struct forker *forker = arg;

    must(aloop_add_writer(loop, forker->fd, stop, NULL));
    forker->child = fork();
}

/* P105: a child that was made in a callback, and just returns from it, does not go on to take its
   parent's events: its run ends. */
static void fork_and_run_on(void **state)
{
    struct fixture *f = *state;
    pid_t self = getpid();
    struct forker forker;
    int result, fds[2];

    open_pair(fds);
    forker.fd = fds[0];
    must(aloop_call_soon(f->loop, fork_and_return, &forker));
    result = aloop_run_forever(f->loop);
    if (getpid() != self) {
        aloop_unref(f->loop);
        _exit(result == -ECHILD && f->probe.bytes == 0 ? 0 : 255);
    }
    assert_int_equal(result, 0);
    assert_child_is_happy(forker.child);
    close_pair(fds);
}

static void use_lock(aloop *loop, bool goes_on)
{
    /* A deadlock is to end the test rather than to outlive it. */
    alarm(30);
    if (goes_on) {
        CHECK(aloop_after_fork(loop) == 0);
        CHECK(aloop_call_soon_threadsafe(loop, note, TEXT("p")) == 0);
        CHECK(aloop_run_once(loop, 0) == 1);
    }
    CHECK(aloop_close(loop) == 0);
    aloop_unref(loop);
}

/* Another thread was about to wake the loop when the process was forked: it holds a lock that in
   the child nobody will ever release. */
static void lock_held_at_the_fork(void **state)
{
    struct fixture *f = *state;

#ifdef HAVE_TSAN
    /* It takes a mutex that is made anew for the one that was there, and locked. */
    skip();
#endif
    for (int goes_on = 0; goes_on < 2; goes_on++) {
        pid_t child;

        lock_acquire(&f->loop->lock);
        child = fork();
        if (child == 0) {
            use_lock(f->loop, goes_on);
            _exit(0);
        }
        lock_release(&f->loop->lock);
        assert_child_is_happy(child);
    }
}

/* Another thread was adding to the list of posts: in the child that is as it was in the middle of
   it, and whoever followed its links would crash. */
static void list_torn_at_the_fork(void **state)
{
    struct fixture *f = *state;

#ifdef HAVE_TSAN
    skip();
#endif
    for (int goes_on = 0; goes_on < 2; goes_on++) {
        struct post_block *first = f->loop->posts.first;
        pid_t child;

        lock_acquire(&f->loop->posts.lock);
        f->loop->posts.first = (struct post_block *)(uintptr_t)1;
        atomic_store(&f->loop->posts.is_empty, false);
        child = fork();
        if (child == 0) {
            use_lock(f->loop, goes_on);
            _exit(0);
        }
        f->loop->posts.first = first;
        atomic_store(&f->loop->posts.is_empty, true);
        lock_release(&f->loop->posts.lock);
        assert_child_is_happy(child);
    }
}

static void ignore_alive(const aloop_alive *alive, void *arg)
{
    (void)alive;
    (void)arg;
}

/* Plays a fork, by the number that stands for the process: so that no child is needed. A child does
   not have its parent's kqueue. */
static void play_fork(struct fixture *f, int64_t generation)
{
    if (f->kind == ALOOP_POLLER_KQUEUE)
        assert_int_equal(sys.close(aloop_backend_fd(f->loop)), 0);
    fault_fail_from(FAULT_FORK_GENERATION, 1, generation);
}

/* A child whose aloop_after_fork() failed is where it was, and may try again. */
static void after_fork_fails(void **state)
{
    static const enum fault_call calls[] = {FAULT_EPOLL_CREATE, FAULT_KQUEUE, FAULT_WAKE_OPEN,
                                            FAULT_EPOLL_CTL, FAULT_KEVENT};
    struct fixture *f = *state;
    int fds[2];

    open_pair(fds);
    must(aloop_add_reader(f->loop, fds[0], note, TEXT("r")));
    must(aloop_call_later(f->loop, 5, note, TEXT("t")));
    put_byte(fds[1]);
    fault_install();
    play_fork(f, 77);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        for (unsigned n = 1; n <= 2; n++) {
            int error;

            fault_fail(calls[i], n, -EMFILE);
            error = aloop_after_fork(f->loop);
            fault_clear(calls[i]);
            if (error == 0) {
                /* More calls than there were: whole again, until the next fork. */
                play_fork(f, 78 + (int64_t)(i * 2 + n));
                continue;
            }
            assert_int_equal(error, -EMFILE);
            assert_int_equal(aloop_run_once(f->loop, 0), -ECHILD);
            assert_int_equal(aloop_add_writer(f->loop, fds[0], note, TEXT("w")), -ECHILD);
            assert_int_equal(aloop_call_soon_threadsafe(f->loop, note, TEXT("p")), -ECHILD);
            assert_true(aloop_backend_fd(f->loop) >= 0 || aloop_backend_fd(f->loop) == -ECHILD ||
                        aloop_backend_fd(f->loop) == -ENOTSUP);
            assert_int_equal(aloop_walk(f->loop, ignore_alive, NULL), 2);
        }
    }
    assert_int_equal(aloop_after_fork(f->loop), 0);
    assert_int_equal(turn(f->loop), 1);
    assert_true(aloop_remove_reader(f->loop, fds[0]));
    assert_int_equal(aloop_run_forever(f->loop), -EDEADLK);
    assert_journal_is("rt");
    close_pair(fds);
}

/* An fd that the child closed before: told to its reader, as the others are to be kept. */
static void fd_closed_before(void **state)
{
    struct fixture *f = *state;
    int one[2], two[2];

    open_pair(one);
    open_pair(two);
    must(aloop_add_reader(f->loop, one[0], note, TEXT("1")));
    must(aloop_add_reader(f->loop, two[0], note, TEXT("2")));
    fault_install();
    play_fork(f, 77);
    close(one[0]);
    put_byte(two[1]);
    assert_int_equal(aloop_after_fork(f->loop), 0);
    /* With or without a poll, as what is ready already is run first. */
    assert_true(turn(f->loop) > 0);
    assert_int_equal(journal[0], '1');
    journal[0] = '\0';
    assert_true(aloop_remove_reader(f->loop, one[0]));
    assert_int_equal(turn(f->loop), 1);
    assert_journal_is("2");
    close(one[1]);
    close_pair(two);
}

/* P107, P98, S41: the loop's own fds are not left to a program that is executed, and never block.
 */
static void own_fds(void **state)
{
    struct fixture *f = *state;
    bool was_open[256];
    int own = 0;

    aloop_unref(f->loop);
    for (int fd = 0; fd < 256; fd++)
        was_open[fd] = fcntl(fd, F_GETFD) >= 0;
    f->loop = fixture_new_loop(f, ALOOP_CLOCK_VIRTUAL, false);
    for (int fd = 0; fd < 256; fd++) {
        if (was_open[fd] || fcntl(fd, F_GETFD) < 0)
            continue;
        own++;
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        if (fd == f->loop->wake_fds[0] || fd == f->loop->wake_fds[1])
            assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    }
    assert_in_range(own, 1, 3);
    assert_int_equal(aloop_close(f->loop), 0);
    for (int fd = 0; fd < 256; fd++)
        assert_int_equal(fcntl(fd, F_GETFD) >= 0, was_open[fd]);
}

int main(void)
{
    static const struct loop_test suite[] = {
        LOOP_TEST(child_does_not_disturb), LOOP_TEST(child_goes_on),
        LOOP_TEST(fork_in_a_callback),     LOOP_TEST(lock_held_at_the_fork),
        LOOP_TEST(fork_and_run_on),        LOOP_TEST(after_fork_fails),
        LOOP_TEST(fd_closed_before),       LOOP_TEST(own_fds),
        LOOP_TEST(list_torn_at_the_fork),
    };

    return RUN_SUITE(suite);
}
