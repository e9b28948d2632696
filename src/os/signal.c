/*
 * The loop's side of signals: its port's fd is watched like any other, and what has come is told to
 * those who watch, as a callback of the turn. What they queue in turn runs behind all that was
 * collected with it: signals come after the I/O of the same turn.
 */
#include "os/signal.h"
#include "loop/watch.h"
#include "os/signal_port.h"

/* --- what has come --- */

static void tell_one(struct signal_watch *watch, unsigned count, unsigned unwatched)
{
    unsigned earlier = watch->earlier;

    watch->earlier = 0;
    if (watch->is_fallback)
        count = unwatched;
    else
        count = count > earlier ? count - earlier : 0;
    if (count > 0)
        watch->notify(watch, count);
}

static void tell(struct signals *signals, int number, unsigned count, unsigned unwatched)
{
    struct list *next;

    for (struct list *link = signals->watches.next; link != &signals->watches; link = next) {
        struct signal_watch *watch = CONTAINER_OF(link, struct signal_watch, link);

        next = link->next;
        if (watch->number == number)
            tell_one(watch, count, unwatched);
    }
}

static void wait_for_more(aloop *loop, struct signals *signals)
{
    struct watch *watch = watch_find(loop, signals->fd_watch);

    if (watch != NULL)
        aloop_waitlist_push(&watch->readers, &signals->waiter);
}

/* The ready queue's entry. */
static void collect(aloop *loop, void *arg)
{
    struct signals *signals = arg;

    /* It is no callback of the program's. */
    loop->run_correction--;
    wait_for_more(loop, signals);
    signal_port_drain(signals->port);
    for (int number = 1; number <= SYS_SIGNAL_MAX; number++) {
        unsigned unwatched;
        unsigned count = signal_port_take(signals->port, number, &unwatched);

        if (count > 0 || unwatched > 0)
            tell(signals, number, count, unwatched);
    }
}

static void on_readable(aloop_waiter *waiter)
{
    struct signals *signals = CONTAINER_OF(waiter, struct signals, waiter);

    ready_push(&signals->loop->ready, collect, signals);
}

/* --- the life of it all --- */

static unsigned how_of(const struct signal_watch *watch)
{
    return (watch->is_chained ? SIGNAL_CHAINED : 0u) | (watch->is_fallback ? SIGNAL_FALLBACK : 0u);
}

static void end(struct signals *signals, struct signal_watch *watch)
{
    list_del(&watch->link);
    signal_port_unwatch(signals->port, watch->number, how_of(watch));
}

static void signals_close(aloop *loop, struct dependent *dependent)
{
    struct signals *signals = CONTAINER_OF(dependent, struct signals, dependent);
    struct watch *watch = watch_find(loop, signals->fd_watch);

    while (!list_is_empty(&signals->watches)) {
        struct signal_watch *first =
            CONTAINER_OF(signals->watches.next, struct signal_watch, link);

        end(signals, first);
        if (first->dropped != NULL)
            first->dropped(first);
    }
    aloop_waiter_unlink(&signals->waiter);
    if (watch != NULL)
        watch_drop_interest(loop, watch);
    signal_port_close(signals->port);
    ready_unreserve(&loop->ready);
    loop->signals = NULL;
    memory_free(&loop->memory, signals, sizeof *signals);
}

static int signals_after_fork(aloop *loop, struct dependent *dependent)
{
    (void)loop;
    return signal_port_after_fork(CONTAINER_OF(dependent, struct signals, dependent)->port);
}

static int watch_port(aloop *loop, struct signals *signals)
{
    struct watch *watch;
    int error = watch_get(loop, signal_port_fd(signals->port), &watch);

    if (error < 0)
        return error;
    signals->fd_watch = slots_number(watch);
    aloop_waitlist_push(&watch->readers, &signals->waiter);
    error = watch_add_interest(loop, watch);
    if (error == 0)
        return 0;
    aloop_waiter_unlink(&signals->waiter);
    watch_drop_interest(loop, watch);
    return error;
}

/* All that can fail but watching the fd, which comes last. */
static int acquire(aloop *loop, struct signals *signals)
{
    int error = ready_reserve(&loop->ready);

    if (error < 0)
        return error;
    error = signal_port_open(&signals->port);
    if (error < 0)
        ready_unreserve(&loop->ready);
    return error;
}

static int signals_open(aloop *loop)
{
    struct signals *signals = memory_alloc(&loop->memory, sizeof *signals);
    int error;

    if (signals == NULL)
        return -ENOMEM;
    *signals = (struct signals){.loop = loop,
                                .dependent = {.on_close = signals_close,
                                              .after_fork = signals_after_fork},
                                .waiter.notify = on_readable};
    list_init(&signals->watches);
    error = acquire(loop, signals);
    if (error < 0) {
        memory_free(&loop->memory, signals, sizeof *signals);
        return error;
    }
    error = watch_port(loop, signals);
    if (error < 0) {
        signal_port_close(signals->port);
        ready_unreserve(&loop->ready);
        memory_free(&loop->memory, signals, sizeof *signals);
        return error;
    }
    list_push(&loop->dependents, &signals->dependent.link);
    loop->signals = signals;
    return 0;
}

/* Behind a handler, the instruction that has failed would fail again, for ever. */
static bool is_failure(int number)
{
    return number == SIGSEGV || number == SIGBUS || number == SIGFPE || number == SIGILL;
}

int signal_watch_begin(aloop *loop, struct signal_watch *watch)
{
    int number = watch->number;
    unsigned earlier;
    int error = loop_guard(loop);

    list_init(&watch->link);
    if (error < 0)
        return error;
    if (loop_is_forked(loop))
        return -ECHILD;
    if (number < 1 || number > SYS_SIGNAL_MAX || number == SIGKILL || number == SIGSTOP ||
        is_failure(number))
        return -EINVAL;
    error = loop->signals == NULL ? signals_open(loop) : 0;
    if (error < 0)
        return error;
    earlier = signal_port_count(loop->signals->port, number);
    error = signal_port_watch(loop->signals->port, number, how_of(watch));
    if (error < 0)
        return error;
    watch->loop = loop;
    watch->earlier = earlier;
    list_push(&loop->signals->watches, &watch->link);
    return 0;
}

void signal_watch_end(struct signal_watch *watch)
{
    if (!list_is_empty(&watch->link))
        end(watch->loop->signals, watch);
}
