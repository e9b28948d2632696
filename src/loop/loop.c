/*
 * The loop's life and its turn. One turn waits, collects, runs. Collecting, what the poller
 * reported, calls from other threads and due timers are pushed to the ready queue, and no user code
 * runs. Then as many entries run as were queued at that moment; what they schedule is for the next
 * turn. While collecting nothing can be unregistered, and while running no structure is walked:
 * whole families of use-after-free have no place to happen.
 */
#include "base/compiler.h"
#include "loop/internal.h"
#include "loop/observe.h"
#include "loop/watch.h"

/* A poll costs as much as 60 callbacks, so while more are ready it is put off, for about so long. A
   look at the clock costs as much as ten: it is taken after so many callbacks, or after as few as
   will take that long judging by those that ran since the last poll. */
#define POLL_INTERVAL ALOOP_US(10)
#define CALLBACKS_UNSEEN_MAX 64

/* What one poll fetches. A larger batch would only mean that others wait longer for their turn. */
#define POLL_EVENTS_MAX 256

/* --- one turn --- */

aloop_ns loop_read_clock(const aloop *loop)
{
    aloop_ns now;

    if (loop->is_virtual)
        return loop->now;
    now = sys.clock(loop->is_boottime);
    return now > loop->now ? now : loop->now;
}

aloop_ns aloop_time(const aloop *loop)
{
    return loop->now;
}

aloop_ns aloop_update_time(aloop *loop)
{
    loop->now = loop_read_clock(loop);
    return loop->now;
}

/* Is there something to do already? */
static bool must_not_wait(const aloop *loop)
{
    return ready_count(&loop->ready) > 0 || loop->is_stopping || posts_are_pending(loop) ||
           !list_is_empty(&loop->always_ready);
}

static aloop_ns time_left(const aloop *loop, aloop_ns deadline)
{
    return deadline <= loop->now ? 0 : time_sub(deadline, loop->now);
}

aloop_ns aloop_next_timeout(aloop *loop)
{
    return must_not_wait(loop) ? 0 : time_left(loop, timers_next(&loop->timers));
}

static int poll_now(aloop *loop, aloop_ns timeout, struct poller_event *events)
{
    bool sleeps = timeout > 0 && posts_leave(loop);
    int count = poller_class_of(loop->poller)
                    ->wait(loop->poller, sleeps ? timeout : 0, events, POLL_EVENTS_MAX);

    if (timeout > 0)
        posts_attend(loop);
    /* A signal came: the turn goes on, and the next one works out what is left of the wait. */
    return count == -EINTR ? 0 : count;
}

/* Asks without sleeping for as long as the budget allows, and then waits for the rest. Posts are
   looked for as well, since nobody writes to the wake fd meanwhile. */
static int poll_busily(aloop *loop, aloop_ns timeout, struct poller_event *events)
{
    aloop_ns start = loop_read_clock(loop);
    aloop_ns budget = timeout < loop->busy_poll ? timeout : loop->busy_poll;
    aloop_ns passed;
    int count;

    do {
        count = poll_now(loop, 0, events);
        passed = time_sub(loop_read_clock(loop), start);
    } while (count == 0 && passed < budget && !posts_are_pending(loop));
    if (count != 0 || passed >= timeout)
        return count;
    return poll_now(loop, time_sub(timeout, passed), events);
}

/* Waits on the virtual clock: what is ready by itself is found at once, else time jumps: to the
   first timer, also where timers_next() leads there only step by step. */
static int poll_virtually(aloop *loop, aloop_ns max_wait, struct poller_event *events)
{
    aloop_ns end = time_add(loop->now, max_wait);
    int count = poll_now(loop, 0, events);

    if (count != 0 || must_not_wait(loop))
        return count;
    while (loop->now < end && !timers_are_due(&loop->timers, loop->now)) {
        aloop_ns next = timers_next(&loop->timers);

        if (loop->expected_from_outside > 0)
            return poll_now(loop, ALOOP_NEVER, events);
        if (next > end)
            next = end;
        if (next == ALOOP_NEVER)
            return -EDEADLK;
        loop->now = next;
    }
    return 0;
}

static int wait_for_events(aloop *loop, aloop_ns max_wait, struct poller_event *events)
{
    aloop_ns timeout;

    if (loop->is_virtual)
        return poll_virtually(loop, max_wait, events);
    timeout = aloop_next_timeout(loop);
    if (timeout > 0 && timeout != ALOOP_NEVER) {
        /* The time is that of the last poll; what ran since then is part of the wait for a timer,
           though not of what the caller is ready to wait. */
        aloop_ns waited = time_sub(loop_read_clock(loop), loop->now);

        timeout = timeout > waited ? timeout - waited : 0;
    }
    if (timeout > max_wait)
        timeout = max_wait;
    if (timeout > 0 && loop->busy_poll > 0)
        return poll_busily(loop, timeout, events);
    return poll_now(loop, timeout, events);
}

static void collect_timers(aloop *loop)
{
    struct timer *timer = timers_pop_due(&loop->timers, loop->now);

    if (timer == NULL)
        return;
    histogram_add(&loop->lag, time_sub(loop->now, timer_deadline(timer)));
    do {
        loop->on_due[timer->kind](loop, timer);
        timer = timers_pop_due(&loop->timers, loop->now);
    } while (timer != NULL);
}

/* How many callbacks may run without a look at the clock, if there is so much time for them, and
   those since the last poll took so long. */
static uint64_t callbacks_unseen(const aloop *loop, aloop_ns took, aloop_ns left)
{
    aloop_ns ran = (aloop_ns)(loop->ready.head - loop->polled_at);

    if (ran == 0 || took <= left * ran / CALLBACKS_UNSEEN_MAX)
        return CALLBACKS_UNSEEN_MAX;
    return (uint64_t)(left * ran / took);
}

/* More is ready. Has it been so for so long that a poll is due? */
static bool poll_is_due(aloop *loop)
{
    aloop_ns took;
    uint64_t more;

    /* Virtual time stands still meanwhile. And one that is 0 was not put off, but is wanted. */
    if (loop->is_virtual || loop->poll_due == 0)
        return true;
    took = time_sub(loop_read_clock(loop), loop->polled_time);
    more = took < POLL_INTERVAL ? callbacks_unseen(loop, took, POLL_INTERVAL - took) : 0;
    loop->poll_due = loop->ready.head + more;
    return more == 0;
}

static int poll_and_collect(aloop *loop, aloop_ns max_wait)
{
    struct poller_event events[POLL_EVENTS_MAX];
    bool was_busy = ready_count(&loop->ready) > 0;
    aloop_ns took;
    int count;

    /* A fork()ed child that runs on in its parent's loop would take the parent's events. */
    if (loop_is_forked(loop))
        return -ECHILD;
    count = wait_for_events(loop, max_wait, events);
    if (count < 0)
        return count;
    loop->polls++;
    loop->events += (uint64_t)count;
    loop->now = loop_read_clock(loop);
    /* Nobody knows how long that takes which an idle loop is woken for: after a turn of it the
       clock is looked at, if more is ready. Virtual time has nothing to say. */
    took = was_busy ? time_sub(loop->now, loop->polled_time) : 0;
    loop->poll_due = loop->ready.head;
    if (was_busy || loop->is_virtual)
        loop->poll_due += callbacks_unseen(loop, took, POLL_INTERVAL);
    loop->polled_at = loop->ready.head;
    loop->polled_time = loop->now;
    count = watch_collect_events(loop, events, count);
    posts_collect(loop);
    collect_timers(loop);
    return count;
}

int loop_poll(aloop *loop, aloop_ns max_wait)
{
    return poll_and_collect(loop, max_wait);
}

/* Runs what is ready: one turn, or, if it is to run on, turn after turn as long as no poll is due.
   A step of a task runs those that come behind it along with it. */
static inline void run_ready(aloop *loop, bool runs_on)
{
    struct ready *ready = &loop->ready;

    loop->turns++;
    loop->turn_end = ready->tail;
    loop->runs_on = runs_on;
    do {
        uint64_t end = loop->turn_end;

        /* Less, not unequal: a fork()ed child may have run the loop on from inside a callback, and
           a step may have gone on into the next turn. */
        while (ready->head < end) {
            /* By value: the callback may grow the ring. */
            struct ready_entry entry = ready->ring[(size_t)ready->head & ready->mask];

            ready->head++;
            entry.run(loop, entry.arg);
        }
    } while (ready->head < loop->turn_end || loop_begin_next_turn(loop));
}

static inline int poll_if_due(aloop *loop, aloop_ns max_wait)
{
    if (loop_may_put_off_poll(loop) || (ready_count(&loop->ready) > 0 && !poll_is_due(loop)))
        return 0;
    return poll_and_collect(loop, max_wait);
}

static int run_turn(aloop *loop, aloop_ns max_wait)
{
    int error = poll_if_due(loop, max_wait);

    if (error >= 0)
        run_ready(loop, false);
    return error;
}

static int run_until_stopped(aloop *loop)
{
    int error;

    do {
        error = poll_if_due(loop, ALOOP_NEVER);
        if (error >= 0)
            run_ready(loop, !loop->is_leaving);
    } while (error >= 0 && !loop->is_leaving && !PROBES_ARE_WATCHED);
    return error;
}

/* --- running --- */

int loop_check(const aloop *loop)
{
    uintptr_t thread;

    if (loop->is_closed)
        return -ALOOP_ECLOSED;
    thread = atomic_load_explicit(&loop->thread, memory_order_relaxed);
    if (loop->is_debug && thread != 0 && thread != sys_thread_id())
        return -ALOOP_EWRONGTHREAD;
    return 0;
}

void aloop_stop(aloop *loop)
{
    loop->is_stopping = true;
    loop_leave_turns(loop);
}

bool aloop_is_running(const aloop *loop)
{
    return loop->is_running;
}

bool aloop_is_closed(const aloop *loop)
{
    return loop->is_closed;
}

int aloop_run_forever(aloop *loop)
{
    int error = loop_enter(loop);

    if (error < 0)
        return error;
    do {
        if (PROBES_ARE_WATCHED)
            loop_choose_run(loop);
        loop->is_leaving = loop->is_stopping;
        error = loop->is_observed ? observe_until_stopped(loop) : run_until_stopped(loop);
    } while (error >= 0 && !loop->is_stopping);
    loop->is_stopping = false;
    loop_leave(loop);
    loop_end_if_unreferenced(loop);
    return error < 0 ? error : 0;
}

/* How much time has passed since the last turn is up to who runs the loop turn by turn, and no
   count of callbacks tells it. */
static bool was_polled_long_ago(const aloop *loop)
{
    return !loop->is_virtual &&
           time_sub(loop_read_clock(loop), loop->polled_time) >= POLL_INTERVAL;
}

int aloop_run_once(aloop *loop, aloop_ns timeout)
{
    int64_t before = loop_callbacks_run(loop);
    int64_t count;
    int error = loop_enter(loop);

    if (error < 0)
        return error;
    if (timeout < 0)
        timeout = 0;
    if (PROBES_ARE_WATCHED)
        loop_choose_run(loop);
    loop->is_leaving = loop->is_stopping;
    if (loop_may_put_off_poll(loop) && was_polled_long_ago(loop))
        loop->poll_due = loop->ready.head;
    error = loop->is_observed ? observe_turn(loop, timeout) : run_turn(loop, timeout);
    count = loop_callbacks_run(loop) - before;
    loop->is_stopping = false;
    loop_leave(loop);
    loop_end_if_unreferenced(loop);
    if (error < 0)
        return error;
    return count < INT_MAX ? (int)count : INT_MAX;
}

int aloop_prepare(aloop *loop, aloop_ns *out_timeout)
{
    int error = loop_guard(loop);

    if (error < 0)
        return error;
    if (loop_is_forked(loop))
        return -ECHILD;
    aloop_update_time(loop);
    *out_timeout = aloop_next_timeout(loop);
    return 0;
}

int aloop_dispatch(aloop *loop)
{
    return aloop_run_once(loop, 0);
}

int aloop_backend_fd(const aloop *loop)
{
    if (loop->is_closed)
        return -ALOOP_ECLOSED;
    if (loop->poller == NULL)
        return -ECHILD;
    return poller_class_of(loop->poller)->backend_fd(loop->poller);
}
