/*
 * What signals do before, while and after somebody watches: dispositions restored, handlers of the
 * program respected or called, and failures of the system in between.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "os/signal.h"
#include "signal_test.h"

static int add(struct os_state *self, int number, const char *text)
{
    return aloop_add_signal_handler(self->loop, number, note, TEXT(text));
}

static volatile sig_atomic_t info_calls;
static volatile sig_atomic_t info_signal;

static void info_host(int number, siginfo_t *info, void *context)
{
    (void)context;
    info_calls = info_calls + 1;
    info_signal = info->si_signo == number ? number : -1;
}

static void set_info(int number)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGHUP);
    action.sa_sigaction = info_host;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    assert_int_equal(sigaction(number, &action, NULL), 0);
}

/* S44, P96: a library that left SIG_DFL behind would take the program's own handler away. */
static void restores_what_was_there(void **state)
{
    struct os_state *self = *state;
    struct sigaction after;

    set_plain(SIGUSR1, SIG_IGN, 0);
    set_info(SIGUSR2);
    assert_int_equal(add(self, SIGUSR1, "x"), 0);
    assert_int_equal(add(self, SIGUSR2, "b"), 0);
    assert_int_equal(raise(SIGUSR2), 0);
    settle(self);
    assert_journal_is("b");
    /* Put aside, not called. */
    assert_int_equal(info_calls, 0);
    assert_true(aloop_remove_signal_handler(self->loop, SIGUSR1));
    assert_true(aloop_remove_signal_handler(self->loop, SIGUSR2));
    assert_ptr_equal(disposition_of(SIGUSR1).sa_handler, SIG_IGN);
    after = disposition_of(SIGUSR2);
    assert_true(after.sa_sigaction == info_host);
    assert_int_equal(after.sa_flags & (SA_SIGINFO | SA_NODEFER | SA_RESTART),
                     SA_SIGINFO | SA_NODEFER);
    assert_int_equal(sigismember(&after.sa_mask, SIGHUP), 1);
    assert_int_equal(raise(SIGUSR2), 0);
    assert_int_equal(info_signal, SIGUSR2);
    set_plain(SIGUSR1, SIG_DFL, 0);
    set_plain(SIGUSR2, SIG_DFL, 0);
}

/* The last one restores it, whichever that is; the order of removal is not that of adding. */
static void the_last_one_restores(void **state)
{
    struct os_state *self = *state;
    aloop *other;

    set_plain(SIGUSR1, host, 0);
    assert_int_equal(aloop_new(NULL, &other), 0);
    assert_int_equal(add(self, SIGUSR1, "x"), 0);
    assert_int_equal(aloop_add_signal_handler(other, SIGUSR1, note, TEXT("y")), 0);
    assert_true(aloop_remove_signal_handler(self->loop, SIGUSR1));
    assert_false(is_host(SIGUSR1));
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(host_calls, 0);
    aloop_unref(other);
    assert_true(is_host(SIGUSR1));
    set_plain(SIGUSR1, SIG_DFL, 0);
}

/* The program's handler came after ours: it stays. */
static void what_the_program_sets_stays(void **state)
{
    struct os_state *self = *state;

    assert_int_equal(add(self, SIGUSR1, "a"), 0);
    set_plain(SIGUSR1, host, 0);
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(host_calls, 1);
    settle(self);
    assert_journal_is("");
    assert_true(aloop_remove_signal_handler(self->loop, SIGUSR1));
    assert_true(is_host(SIGUSR1));
    /* Who watches now is over that, and gives it back. */
    assert_int_equal(add(self, SIGUSR1, "b"), 0);
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(host_calls, 1);
    settle(self);
    assert_journal_is("b");
    assert_true(aloop_remove_signal_handler(self->loop, SIGUSR1));
    assert_true(is_host(SIGUSR1));
    set_plain(SIGUSR1, SIG_DFL, 0);
}

/* The same while somebody else watches: the next that begins puts ours back on top. */
static void a_new_watch_comes_out_on_top(void **state)
{
    struct os_state *self = *state;
    aloop *other;

    assert_int_equal(aloop_new(NULL, &other), 0);
    assert_int_equal(add(self, SIGUSR1, "a"), 0);
    set_plain(SIGUSR1, host, 0);
    assert_int_equal(aloop_add_signal_handler(other, SIGUSR1, note, TEXT("b")), 0);
    assert_int_equal(raise(SIGUSR1), 0);
    settle(self);
    for (int i = 0; i < 4; i++)
        assert_true(aloop_run_once(other, 0) >= 0);
    assert_journal_is("ab");
    assert_int_equal(host_calls, 0);
    aloop_unref(other);
    assert_true(aloop_remove_signal_handler(self->loop, SIGUSR1));
    assert_true(is_host(SIGUSR1));
    set_plain(SIGUSR1, SIG_DFL, 0);
}

/* --- chaining --- */

struct listener {
    struct signal_watch watch;
    unsigned calls;
    unsigned count;
    bool ends;
};

static void on_signal(struct signal_watch *watch, unsigned count)
{
    struct listener *listener = CONTAINER_OF(watch, struct listener, watch);

    listener->calls++;
    listener->count += count;
    if (listener->ends)
        signal_watch_end(watch);
}

static void listen_to(struct os_state *self, struct listener *listener, int number,
                      bool is_chained)
{
    *listener = (struct listener){
        .watch = {.number = number, .is_chained = is_chained, .notify = on_signal}};
    assert_int_equal(signal_watch_begin(self->loop, &listener->watch), 0);
}

/* SIGCHLD is everybody's: what the program does about it goes on. */
static void chained_is_called_too(void **state)
{
    struct os_state *self = *state;
    struct listener chained, plain;

    set_plain(SIGCHLD, host, SA_NOCLDSTOP);
    set_info(SIGUSR1);
    listen_to(self, &plain, SIGCHLD, false);
    assert_int_equal(raise(SIGCHLD), 0);
    assert_int_equal(host_calls, 0);
    listen_to(self, &chained, SIGCHLD, true);
    assert_int_equal(raise(SIGCHLD), 0);
    assert_int_equal(host_calls, 1);
    /* The children that stop are as few as before. */
    assert_true(disposition_of(SIGCHLD).sa_flags & SA_NOCLDSTOP);
    settle(self);
    assert_int_equal(plain.count, 2);
    assert_int_equal(chained.count, 1);
    signal_watch_end(&chained.watch);
    assert_int_equal(raise(SIGCHLD), 0);
    assert_int_equal(host_calls, 1);
    signal_watch_end(&plain.watch);
    assert_true(is_host(SIGCHLD));
    /* A handler that is told more is told that. */
    info_calls = 0;
    info_signal = 0;
    listen_to(self, &chained, SIGUSR1, true);
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(info_calls, 1);
    assert_int_equal(info_signal, SIGUSR1);
    signal_watch_end(&chained.watch);
    set_plain(SIGCHLD, SIG_DFL, 0);
    set_plain(SIGUSR1, SIG_DFL, 0);
}

/* A program that ignores SIGCHLD has its children reaped by the kernel; were that to end, they
   would be zombies for ever. */
static void children_of_who_ignores_them(void **state)
{
    struct os_state *self = *state;
    struct listener listener;
    pid_t child;

    set_plain(SIGCHLD, SIG_IGN, 0);
    listen_to(self, &listener, SIGCHLD, true);
    child = fork();
    if (child == 0)
        _exit(0);
    assert_int_equal(waitpid(child, NULL, 0), -1);
    signal_watch_end(&listener.watch);
    assert_ptr_equal(disposition_of(SIGCHLD).sa_handler, SIG_IGN);
    set_plain(SIGCHLD, SIG_DFL, 0);
}

static struct sigaction found;

/* A handler of the program that calls the one it has replaced. */
static void polite_host(int number, siginfo_t *info, void *context)
{
    host_calls = host_calls + 1;
    if (found.sa_flags & SA_SIGINFO)
        found.sa_sigaction(number, info, context);
    else if (found.sa_handler != SIG_DFL && found.sa_handler != SIG_IGN)
        found.sa_handler(number);
}

/* The program's handler lies over ours and calls it; then ours goes over that, and calls it. One
   function in both places would call itself for ever. */
static void handlers_that_call_each_other(void **state)
{
    struct os_state *self = *state;
    struct listener listener;
    struct sigaction action;

    info_calls = 0;
    set_info(SIGCHLD);
    listen_to(self, &listener, SIGCHLD, true);
    memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    action.sa_sigaction = polite_host;
    action.sa_flags = SA_SIGINFO;
    assert_int_equal(sigaction(SIGCHLD, &action, &found), 0);
    assert_int_equal(raise(SIGCHLD), 0);
    settle(self);
    assert_int_equal(listener.count, 1);
    assert_int_equal(info_calls, 1);
    /* Nobody watches: ours is as if it were not there. */
    signal_watch_end(&listener.watch);
    assert_int_equal(raise(SIGCHLD), 0);
    assert_int_equal(host_calls, 2);
    assert_int_equal(info_calls, 2);
    /* On top: all are called, each once. */
    listen_to(self, &listener, SIGCHLD, true);
    assert_int_equal(raise(SIGCHLD), 0);
    settle(self);
    assert_int_equal(host_calls, 3);
    assert_int_equal(info_calls, 3);
    assert_int_equal(listener.count, 1);
    signal_watch_end(&listener.watch);
    assert_true(disposition_of(SIGCHLD).sa_sigaction == polite_host);
    /* The program takes its own away, and so puts ours back: that is found, and goes. */
    assert_int_equal(sigaction(SIGCHLD, &found, NULL), 0);
    listen_to(self, &listener, SIGCHLD, true);
    signal_watch_end(&listener.watch);
    assert_true(disposition_of(SIGCHLD).sa_sigaction == info_host);
    set_plain(SIGCHLD, SIG_DFL, 0);
}

/* A watch may end itself when it is told; ending twice is nothing; and one that is left when the
   loop is closed is told so. */
static unsigned drops;

static void count_drop(struct signal_watch *watch)
{
    drops++;
    /* It has ended already. */
    signal_watch_end(watch);
}

static void ends_of_a_watch(void **state)
{
    struct os_state *self = *state;
    struct listener once, left, other;

    listen_to(self, &once, SIGUSR1, false);
    listen_to(self, &other, SIGUSR1, false);
    once.ends = true;
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(raise(SIGUSR1), 0);
    settle(self);
    assert_int_equal(raise(SIGUSR1), 0);
    settle(self);
    assert_int_equal(once.calls, 1);
    assert_int_equal(once.count, 2);
    assert_int_equal(other.calls, 2);
    assert_int_equal(other.count, 3);
    signal_watch_end(&once.watch);
    signal_watch_end(&other.watch);
    drops = 0;
    listen_to(self, &left, SIGUSR1, false);
    left.watch.dropped = count_drop;
    assert_int_equal(aloop_close(self->loop), 0);
    assert_int_equal(drops, 1);
}

/* --- what fails --- */

/* S47: whatever fails on the way, the loop and the process are as before, and adding can be tried
   again. */
static void nothing_half_installed(void **state)
{
    struct os_state *self = *state;
    static const enum fault_call calls[] = {FAULT_WAKE_OPEN, FAULT_SIGACTION, FAULT_EPOLL_CTL,
                                            FAULT_KEVENT};
    unsigned failed = 0;

    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        for (unsigned n = 1;; n++) {
            int fds = count_fds();
            int error;

            fault_install();
            fault_fail(calls[i], n, -EPERM - 1);
            error = add(self, SIGUSR1, "x");
            if (fault_failures(calls[i]) == 0) {
                fault_reset();
                assert_int_equal(error, 0);
                assert_int_equal(aloop_close(self->loop), 0);
                assert_true(is_default(SIGUSR1));
                aloop_unref(self->loop);
                os_open(self, ALOOP_CLOCK_VIRTUAL);
                break;
            }
            failed++;
            fault_reset();
            assert_int_equal(error, -EPERM - 1);
            assert_true(is_default(SIGUSR1));
            assert_false(aloop_remove_signal_handler(self->loop, SIGUSR1));
            /* The fds of a loop's first watch stay with it. */
            assert_in_range(count_fds() - fds, 0, 2);
            assert_int_equal(add(self, SIGUSR1, "a"), 0);
            assert_int_equal(raise(SIGUSR1), 0);
            settle(self);
            assert_journal_is("a");
            aloop_unref(self->loop);
            assert_true(is_default(SIGUSR1));
            os_open(self, ALOOP_CLOCK_VIRTUAL);
        }
    }
    /* Both calls of sigaction, the fd, and its registration. */
    assert_in_range(failed, 4, 8);
}

static void out_of_memory(void **state)
{
    struct os_state *self = *state;
    int error = -ENOMEM;

    for (long n = 1; error == -ENOMEM; n++) {
        memory_probe_fail(&self->memory, n, false);
        error = add(self, SIGUSR1, "x");
        memory_probe_fail(&self->memory, 0, false);
        assert_int_equal(is_default(SIGUSR1), error != 0);
        assert_int_equal(aloop_remove_signal_handler(self->loop, SIGUSR1), error == 0);
        if (error == -ENOMEM) {
            aloop_unref(self->loop);
            os_open(self, ALOOP_CLOCK_VIRTUAL);
        }
        assert_true(n < 100);
    }
    assert_int_equal(error, 0);
}

/* The system refuses to give back what was there: ours stays, does what that would, and goes the
   next time. */
static void restoring_fails(void **state)
{
    struct os_state *self = *state;

    set_plain(SIGUSR1, host, 0);
    for (unsigned n = 1; n <= 2; n++) {
        assert_int_equal(add(self, SIGUSR1, "x"), 0);
        fault_install();
        fault_fail(FAULT_SIGACTION, n, -EINVAL);
        assert_true(aloop_remove_signal_handler(self->loop, SIGUSR1));
        assert_int_equal(fault_failures(FAULT_SIGACTION), 1);
        fault_reset();
        assert_false(is_host(SIGUSR1));
        host_calls = 0;
        assert_int_equal(raise(SIGUSR1), 0);
        settle(self);
        assert_int_equal(host_calls, 1);
        assert_int_equal(add(self, SIGUSR1, "x"), 0);
        assert_true(aloop_remove_signal_handler(self->loop, SIGUSR1));
        assert_true(is_host(SIGUSR1));
    }
    set_plain(SIGUSR1, SIG_DFL, 0);
}

/* A signal that comes at once, before the call that installed its handler has returned. */
static struct sys before;

static int raise_after(int number, const struct sigaction *action, struct sigaction *out_before)
{
    int error = before.sigaction(number, action, out_before);

    if (error == 0 && action != NULL)
        (void)raise(number);
    return error;
}

static void comes_while_installing(void **state)
{
    struct os_state *self = *state;

    before = sys;
    sys.sigaction = raise_after;
    assert_int_equal(add(self, SIGUSR1, "a"), 0);
    sys.sigaction = before.sigaction;
    settle(self);
    assert_journal_is("a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SIGNAL_TEST(restores_what_was_there),
        SIGNAL_TEST(the_last_one_restores),
        SIGNAL_TEST(what_the_program_sets_stays),
        SIGNAL_TEST(a_new_watch_comes_out_on_top),
        SIGNAL_TEST(chained_is_called_too),
        SIGNAL_TEST(children_of_who_ignores_them),
        SIGNAL_TEST(handlers_that_call_each_other),
        SIGNAL_TEST(ends_of_a_watch),
        SIGNAL_TEST(nothing_half_installed),
        SIGNAL_TEST(out_of_memory),
        SIGNAL_TEST(restoring_fails),
        SIGNAL_TEST(comes_while_installing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
