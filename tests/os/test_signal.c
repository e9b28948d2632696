/*
 * Handlers of signals: when they run, what they replace, and what is left when they are gone.
 */
#define _XOPEN_SOURCE 700 /* sigaltstack */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "signal_test.h"

#include <errno.h>
#include <limits.h>

static void add(struct os_state *self, int number, const char *text)
{
    assert_int_equal(aloop_add_signal_handler(self->loop, number, note, TEXT(text)), 0);
}

/* S43 */
static void refuses_what_cannot_be_caught(void **state)
{
    struct os_state *self = *state;
    static const int numbers[] = {0,      -1,     SIGKILL, SIGSTOP, SIGSEGV,
                                  SIGBUS, SIGFPE, SIGILL,  4711,    INT_MAX};
    struct sigaction was = disposition_of(SIGSEGV);

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        assert_int_equal(aloop_add_signal_handler(self->loop, numbers[i], note, TEXT("x")),
                         -EINVAL);
        assert_false(aloop_remove_signal_handler(self->loop, numbers[i]));
    }
    assert_ptr_equal(disposition_of(SIGSEGV).sa_handler, was.sa_handler);
}

/* S43: a second one replaces the first. */
static void a_second_replaces(void **state)
{
    struct os_state *self = *state;

    add(self, SIGUSR1, "a");
    add(self, SIGUSR1, "b");
    assert_int_equal(raise(SIGUSR1), 0);
    settle(self);
    assert_journal_is("b");
    assert_true(aloop_remove_signal_handler(self->loop, SIGUSR1));
    assert_false(aloop_remove_signal_handler(self->loop, SIGUSR1));
}

/* S45: as callbacks, with what they were given; and in signal context nothing runs. */
static void runs_as_a_callback(void **state)
{
    struct os_state *self = *state;

    add(self, SIGUSR1, "1");
    add(self, SIGUSR2, "2");
    assert_int_equal(raise(SIGUSR2), 0);
    assert_journal_is("");
    settle(self);
    assert_journal_is("2");
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(raise(SIGUSR2), 0);
    settle(self);
    assert_int_equal(strlen(journal), 2);
    assert_non_null(strchr(journal, '1'));
    assert_non_null(strchr(journal, '2'));
    journal[0] = '\0';
    settle(self);
    assert_journal_is("");
}

static void turn_counts_callbacks(void **state)
{
    struct os_state *self = *state;
    int count = 0;

    add(self, SIGUSR1, "a");
    assert_int_equal(raise(SIGUSR1), 0);
    for (int i = 0; i < 4; i++)
        count += aloop_run_once(self->loop, 0);
    /* What the library does on the way is none of the program's callbacks. */
    assert_int_equal(count, 1);
    assert_journal_is("a");
}

static void note_and_stop(aloop *loop, void *arg)
{
    note(loop, arg);
    aloop_stop(loop);
}

static struct sys before;

static int raise_and_poll(struct pollfd *fds, nfds_t count, aloop_ns timeout)
{
    if (timeout != 0)
        (void)raise(SIGUSR1);
    return before.poll(fds, count, timeout);
}

/* S45: a signal wakes a loop that waits; also one that comes after the loop has decided to wait and
   before it does, when the call that waits has nothing to be interrupted in yet. */
static void wakes_a_loop_that_waits(void **state)
{
    struct os_state *self = *state;
    aloop_options options = ALOOP_OPTIONS_INIT;

    aloop_unref(self->loop);
    options.poller = ALOOP_POLLER_POLL;
    options.allocator = memory_probe_allocator(&self->memory);
    assert_int_equal(aloop_new(&options, &self->loop), 0);
    assert_int_equal(
        aloop_add_signal_handler(self->loop, SIGUSR1, note_and_stop, TEXT("woken")), 0);
    before = sys;
    sys.poll = raise_and_poll;
    assert_int_equal(aloop_run_forever(self->loop), 0);
    sys.poll = before.poll;
    assert_journal_is("woken");
}

static void *raise_in_thread(void *arg)
{
    (void)pthread_kill(pthread_self(), *(int *)arg);
    return NULL;
}

/* The kernel picks a thread; that none of the loop's own takes it must not matter. */
static void comes_in_any_thread(void **state)
{
    struct os_state *self = *state;
    pthread_t thread;
    int number = SIGUSR1;

    aloop_unref(self->loop);
    os_open(self, ALOOP_CLOCK_MONOTONIC);
    assert_int_equal(
        aloop_add_signal_handler(self->loop, SIGUSR1, note_and_stop, TEXT("thread")), 0);
    assert_int_equal(pthread_create(&thread, NULL, raise_in_thread, &number), 0);
    assert_int_equal(aloop_run_forever(self->loop), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_journal_is("thread");
    assert_int_equal(
        aloop_add_signal_handler(self->loop, SIGUSR2, note_and_stop, TEXT("process")), 0);
    assert_int_equal(kill(getpid(), SIGUSR2), 0);
    assert_int_equal(aloop_run_forever(self->loop), 0);
    assert_journal_is("process");
}

/* S46: what has come for a handler that is gone is nobody's; not even for one that comes after. */
static void removed_before_it_was_seen(void **state)
{
    struct os_state *self = *state;

    add(self, SIGUSR1, "a");
    assert_int_equal(raise(SIGUSR1), 0);
    assert_true(aloop_remove_signal_handler(self->loop, SIGUSR1));
    add(self, SIGUSR1, "b");
    settle(self);
    assert_journal_is("");
    assert_int_equal(raise(SIGUSR1), 0);
    settle(self);
    assert_journal_is("b");
}

static void remove_usr2(aloop *loop, void *arg)
{
    note(loop, arg);
    assert_true(aloop_remove_signal_handler(loop, SIGUSR2));
}

/* S46: removed while it is queued, by one that runs before it. */
static void removed_while_queued(void **state)
{
    struct os_state *self = *state;

    assert_int_equal(aloop_add_signal_handler(self->loop, SIGUSR1, remove_usr2, TEXT("a")), 0);
    add(self, SIGUSR2, "b");
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(raise(SIGUSR2), 0);
    settle(self);
    assert_journal_is("a");
    assert_true(is_default(SIGUSR2));
}

static void replace_usr2(aloop *loop, void *arg)
{
    note(loop, arg);
    assert_int_equal(aloop_add_signal_handler(loop, SIGUSR2, note, TEXT("new")), 0);
}

/* S43: replaced while it is queued: the signal is not lost, and the old one not called. */
static void replaced_while_queued(void **state)
{
    struct os_state *self = *state;

    assert_int_equal(aloop_add_signal_handler(self->loop, SIGUSR1, replace_usr2, TEXT("a ")), 0);
    add(self, SIGUSR2, "old");
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(raise(SIGUSR2), 0);
    settle(self);
    assert_journal_is("a new");
}

static void raise_again(aloop *loop, void *arg)
{
    note(loop, arg);
    assert_int_equal(aloop_add_signal_handler(loop, SIGUSR1, note, TEXT("2")), 0);
    assert_int_equal(raise(SIGUSR1), 0);
}

static void remove_itself(aloop *loop, void *arg)
{
    note(loop, arg);
    assert_true(aloop_remove_signal_handler(loop, SIGUSR1));
    assert_int_equal(aloop_add_signal_handler(loop, SIGUSR1, raise_again, TEXT("1")), 0);
    assert_int_equal(raise(SIGUSR1), 0);
}

/* A handler may remove and replace itself, and cause its signal. */
static void changes_inside_the_handler(void **state)
{
    struct os_state *self = *state;

    assert_int_equal(aloop_add_signal_handler(self->loop, SIGUSR1, remove_itself, TEXT("0")), 0);
    assert_int_equal(raise(SIGUSR1), 0);
    settle(self);
    settle(self);
    settle(self);
    assert_journal_is("012");
}

/* Signals are no queue. */
static void several_count_once(void **state)
{
    struct os_state *self = *state;

    add(self, SIGUSR1, "a");
    for (int i = 0; i < 5; i++)
        assert_int_equal(raise(SIGUSR1), 0);
    settle(self);
    assert_journal_is("a");
    for (int i = 0; i < 5; i++)
        assert_int_equal(raise(SIGUSR1), 0);
    settle(self);
    assert_journal_is("a");
}

static void read_and_note(aloop *loop, void *arg)
{
    char byte;

    assert_int_equal(read(*(int *)arg, &byte, 1), 1);
    note(loop, TEXT("io "));
}

/* P97: with a byte and a signal in the same turn, the byte's callback runs first, although the
   signal was there before: a server reads what a client sent before it was told to stop. */
static void after_the_io_of_the_turn(void **state)
{
    struct os_state *self = *state;
    int fds[2];

    add(self, SIGUSR1, "signal");
    assert_int_equal(pipe(fds), 0);
    assert_true(aloop_add_reader(self->loop, fds[0], read_and_note, &fds[0]) > 0);
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    settle(self);
    assert_journal_is("io signal");
    assert_true(aloop_remove_reader(self->loop, fds[0]));
    close(fds[0]);
    close(fds[1]);
}

/* S48; and closing takes back nothing that is not the loop's. */
static void closing_removes_all(void **state)
{
    struct os_state *self = *state;

    add(self, SIGUSR1, "a");
    add(self, SIGUSR2, "b");
    assert_false(is_default(SIGUSR1));
    assert_int_equal(aloop_close(self->loop), 0);
    assert_true(is_default(SIGUSR1));
    assert_true(is_default(SIGUSR2));
    assert_int_equal(aloop_add_signal_handler(self->loop, SIGUSR1, note, TEXT("x")),
                     -ALOOP_ECLOSED);
    assert_false(aloop_remove_signal_handler(self->loop, SIGUSR1));
}

/* P95: a loop that is closed with signals in all stages of arriving drops them. Without care the
   queue, or the port, would refer to what is freed. */
static void closing_with_signals_pending(void **state)
{
    struct os_state *self = *state;

    for (int turns = 0; turns < 3; turns++) {
        add(self, SIGUSR1, turns < 2 ? "x" : "");
        assert_int_equal(raise(SIGUSR1), 0);
        os_turns(self, turns);
        assert_int_equal(aloop_close(self->loop), 0);
        aloop_unref(self->loop);
        os_open(self, ALOOP_CLOCK_VIRTUAL);
    }
    assert_journal_is("");
}

static int failing_wake(int fd)
{
    (void)fd;
    errno = EPIPE;
    return -EPIPE;
}

/* P94: what the signal interrupts keeps its errno, whatever happens in the handler; and a wake-up
   that has failed is tried again with the next signal. (That it retries EINTR is the table's.) */
static void errno_is_left_alone(void **state)
{
    struct os_state *self = *state;

    add(self, SIGUSR1, "a");
    before = sys;
    sys.wake = failing_wake;
    errno = ENOTTY;
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(errno, ENOTTY);
    sys.wake = before.wake;
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(errno, ENOTTY);
    settle(self);
    assert_journal_is("a");
}

/* A storm costs a wake-up, not one for each signal. */
static void one_wakeup_for_many(void **state)
{
    struct os_state *self = *state;
    unsigned wakes;

    add(self, SIGUSR1, "a");
    add(self, SIGUSR2, "b");
    fault_install();
    for (int i = 0; i < 100; i++) {
        assert_int_equal(raise(SIGUSR1), 0);
        assert_int_equal(raise(SIGUSR2), 0);
    }
    wakes = fault_count(FAULT_WAKE);
    settle(self);
    assert_int_equal(wakes, 1);
    assert_journal_is("ab");
}

static volatile sig_atomic_t is_on_the_stack;
static char stack_bytes[65536];

static int look_at_the_stack(int fd)
{
    char here;
    uintptr_t from_below = (uintptr_t)&here - (uintptr_t)stack_bytes;

    (void)fd;
    is_on_the_stack = from_below < sizeof stack_bytes;
    return 0;
}

/* A thread with an alternative stack has it because the other is too small for handlers. */
static void uses_an_alternative_stack(void **state)
{
    struct os_state *self = *state;
    stack_t stack = {.ss_sp = stack_bytes, .ss_size = sizeof stack_bytes};
    stack_t was;

    assert_int_equal(sigaltstack(&stack, &was), 0);
    add(self, SIGUSR1, "");
    before = sys;
    sys.wake = look_at_the_stack;
    is_on_the_stack = 0;
    assert_int_equal(raise(SIGUSR1), 0);
    sys.wake = before.wake;
    assert_int_equal(sigaltstack(&was, NULL), 0);
    assert_true(is_on_the_stack);
}

/* P99: nothing is blocked, neither while somebody watches nor after. */
static void no_mask_is_touched(void **state)
{
    struct os_state *self = *state;
    sigset_t now;

    add(self, SIGUSR1, "");
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &now), 0);
    for (size_t i = 0; i < sizeof used_signals / sizeof used_signals[0]; i++)
        assert_int_equal(sigismember(&now, used_signals[i]), 0);
}

static void other_thread(aloop *loop, void *arg)
{
    (void)loop;
    ++*(int *)arg;
}

/* Several loops of one thread, one after another and at once, hear of the same signal. */
static void every_loop_hears(void **state)
{
    struct os_state *self = *state;
    aloop *others[3];
    int counts[3] = {0, 0, 0};

    add(self, SIGUSR1, "a");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(aloop_new(NULL, &others[i]), 0);
        assert_int_equal(
            aloop_add_signal_handler(others[i], SIGUSR1, other_thread, &counts[i]), 0);
    }
    assert_int_equal(raise(SIGUSR1), 0);
    settle(self);
    for (int i = 0; i < 3; i++) {
        for (int turn = 0; turn < 4; turn++)
            assert_true(aloop_run_once(others[i], 0) >= 0);
        assert_int_equal(counts[i], 1);
    }
    assert_journal_is("a");
    /* The last of the process, not of a loop, restores what was there. */
    assert_true(aloop_remove_signal_handler(self->loop, SIGUSR1));
    for (int i = 0; i < 3; i++) {
        assert_false(is_default(SIGUSR1));
        aloop_unref(others[i]);
    }
    assert_true(is_default(SIGUSR1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SIGNAL_TEST(refuses_what_cannot_be_caught),
        SIGNAL_TEST(a_second_replaces),
        SIGNAL_TEST(runs_as_a_callback),
        SIGNAL_TEST(turn_counts_callbacks),
        SIGNAL_TEST(wakes_a_loop_that_waits),
        SIGNAL_TEST(comes_in_any_thread),
        SIGNAL_TEST(removed_before_it_was_seen),
        SIGNAL_TEST(removed_while_queued),
        SIGNAL_TEST(replaced_while_queued),
        SIGNAL_TEST(changes_inside_the_handler),
        SIGNAL_TEST(several_count_once),
        SIGNAL_TEST(after_the_io_of_the_turn),
        SIGNAL_TEST(closing_removes_all),
        SIGNAL_TEST(closing_with_signals_pending),
        SIGNAL_TEST(errno_is_left_alone),
        SIGNAL_TEST(one_wakeup_for_many),
        SIGNAL_TEST(uses_an_alternative_stack),
        SIGNAL_TEST(no_mask_is_touched),
        SIGNAL_TEST(every_loop_hears),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
