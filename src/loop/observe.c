#include "loop/observe.h"

#include <aloop/instrument.h>
#include <string.h>

struct observer {
    struct list link; /* in loop->observers */
    const aloop_instrument *instrument;
    void *arg;
    bool is_listening;      /* not in the turn in which a callback has added it */
    aloop_instrument hooks; /* a copy: the program's may be shorter */
};

static struct observer *observer_of(struct list *link)
{
    return CONTAINER_OF(link, struct observer, link);
}

/* Calls a hook of everybody who has it. The next is looked up before: a hook may remove its own. */
#define TELL(LOOP, HOOK, ...)                                                                      \
    do {                                                                                           \
        struct list *next_;                                                                        \
        for (struct list *link_ = (LOOP)->observers.next; link_ != &(LOOP)->observers;             \
             link_ = next_) {                                                                      \
            const struct observer *observer_ = observer_of(link_);                                 \
            next_ = link_->next;                                                                   \
            if (observer_->is_listening && observer_->hooks.HOOK != NULL)                          \
                observer_->hooks.HOOK(__VA_ARGS__, observer_->arg);                                \
        }                                                                                          \
    } while (0)

#ifdef ALOOP_USDT
/* In the section where tracers expect them. */
volatile unsigned short aloop_probe_semaphore __attribute__((section(".probes")));
#define SEMAPHORE(NAME)                                     \
    extern volatile unsigned short aloop_##NAME##_semaphore \
        __attribute__((alias("aloop_probe_semaphore")));
PROBES(SEMAPHORE)
#endif

/* --- telling --- */

void observe_task_created(aloop *loop, struct aloop_task *task)
{
    PROBE_TASK(task_created, loop, task);
    TELL(loop, task_created, loop, task);
}

void observe_task_done(aloop *loop, struct aloop_task *task)
{
    PROBE_TASK(task_done, loop, task);
    TELL(loop, task_done, loop, task);
}

static void tell_woken(aloop *loop, struct aloop_task *task)
{
    PROBE_TASK(task_woken, loop, task);
    TELL(loop, task_woken, loop, task);
}

/* What has been queued since the last time: of tasks, each entry is a wake. */
static void find_woken(aloop *loop)
{
    const struct ready *ready = &loop->ready;
    uint64_t number = loop->observed_to > ready->head ? loop->observed_to : ready->head;

    if (!loop->has_observers || loop->upper == NULL)
        return;
    loop->observed_to = ready->tail;
    for (; number != ready->tail; number++) {
        struct aloop_task *task =
            loop->upper->hold_task(&ready->ring[(size_t)number & ready->mask]);

        if (task == NULL)
            continue;
        tell_woken(loop, task);
        loop->upper->release_task(task);
    }
}

static int observe_poll(aloop *loop, aloop_ns max_wait)
{
    uint64_t before = loop->events;
    int64_t outcome;
    int error;

    find_woken(loop);
    PROBE(poll_begins, loop);
    TELL(loop, poll_begins, loop);
    error = loop_poll(loop, max_wait);
    outcome = error < 0 ? error : (int64_t)(loop->events - before);
    find_woken(loop);
    PROBE_WITH(poll_ends, loop, outcome);
    TELL(loop, poll_ends, loop, outcome);
    return error;
}

/* --- running --- */

static aloop_ns clock_now(const aloop *loop)
{
    return sys.clock(loop->is_boottime);
}

static void run_timed(aloop *loop, const struct ready_entry *entry, aloop_callback *callback)
{
    aloop_exception_context context = {.message = "callback was slow", .callback = callback};
    aloop_ns start;

    /* Before it runs: a task that ends in this step may be gone behind it. */
    if (loop->is_debug && loop->upper != NULL)
        loop->upper->describe(entry, &context);
    start = clock_now(loop);
    entry->run(loop, entry->arg);
    context.duration = time_sub(clock_now(loop), start);
    if (loop->durations != NULL && loop->measures_durations)
        histogram_add(&loop->durations->step, context.duration);
    if (loop->is_debug && context.duration >= loop->slow_callback)
        aloop_call_exception_handler(loop, &context);
}

static void run(aloop *loop, const struct ready_entry *entry, aloop_callback *callback)
{
    if (loop->is_debug || loop->measures_durations)
        run_timed(loop, entry, callback);
    else
        entry->run(loop, entry->arg);
    find_woken(loop);
}

static void run_callback(aloop *loop, const struct ready_entry *entry)
{
    /* Before it runs: a timer may be gone behind it. */
    aloop_callback *callback = callback_of_entry(entry);

    if (callback == NULL) {
        entry->run(loop, entry->arg);
        return;
    }
    PROBE_WITH(callback_begins, loop, callback);
    TELL(loop, callback_begins, loop, callback);
    run(loop, entry, callback);
    PROBE_WITH(callback_ends, loop, callback);
    TELL(loop, callback_ends, loop, callback);
}

static void run_step(aloop *loop, const struct ready_entry *entry, struct aloop_task *task)
{
    PROBE_TASK(step_begins, loop, task);
    TELL(loop, step_begins, loop, task);
    if (loop->is_debug)
        loop->upper->before_step(task);
    run(loop, entry, entry->run);
    if (loop->upper->is_done(task))
        observe_task_done(loop, task);
    else if (loop->is_debug)
        loop->upper->after_step(task);
    PROBE_TASK(step_ends, loop, task);
    TELL(loop, step_ends, loop, task);
    loop->upper->release_task(task);
}

void observe_run(aloop *loop, const struct ready_entry *entry)
{
    struct aloop_task *task;

    /* It is only for the order. */
    if (!loop->has_observers && !loop->measures_durations && !loop->is_debug) {
        entry->run(loop, entry->arg);
        return;
    }
    if (loop->upper == NULL || !loop->upper->is_step(entry)) {
        run_callback(loop, entry);
        return;
    }
    task = loop->upper->hold_task(entry);
    if (task != NULL)
        run_step(loop, entry, task);
    else
        entry->run(loop, entry->arg);
}

/* xorshift64*: small, and the same on every machine, so that a seed says what happened. */
static uint64_t next_random(aloop *loop)
{
    loop->random ^= loop->random >> 12;
    loop->random ^= loop->random << 25;
    loop->random ^= loop->random >> 27;
    return loop->random * UINT64_C(2685821657736338717);
}

/* Finds orders that a program must not depend on: shuffles the steps of tasks that are due in this
   turn among their places. What asyncio promises an order for, callbacks, stays where it is. */
static void shuffle_steps(aloop *loop)
{
    struct ready *ready = &loop->ready;

    if (loop->upper == NULL)
        return;
    for (uint64_t number = ready->head; number != ready->tail; number++) {
        uint64_t other = ready->head + next_random(loop) % (number - ready->head + 1);
        struct ready_entry *one = &ready->ring[(size_t)number & ready->mask];
        struct ready_entry *two = &ready->ring[(size_t)other & ready->mask];
        struct ready_entry moved = *one;

        if (!loop->upper->is_step(one) || !loop->upper->is_step(two))
            continue;
        *one = *two;
        *two = moved;
    }
}

static void observe_ready(aloop *loop)
{
    struct ready *ready = &loop->ready;
    uint64_t end = ready->tail;

    loop->turns++;
    loop->turn_end = 0;
    loop->runs_on = false;
    while (ready->head < end) {
        struct ready_entry entry = ready->ring[(size_t)ready->head & ready->mask];

        ready->head++;
        /* Calls from other threads are one entry, and each is seen by itself. */
        if (posts_own_entry(&entry))
            entry.run(loop, entry.arg);
        else
            observe_run(loop, &entry);
    }
}

static void begin_to_listen(aloop *loop)
{
    for (struct list *link = loop->observers.next; link != &loop->observers; link = link->next)
        observer_of(link)->is_listening = true;
}

static int one_turn(aloop *loop, aloop_ns max_wait)
{
    bool is_measured = loop->measures_durations;
    bool is_empty;
    aloop_ns start = 0;
    int error = 0;

    begin_to_listen(loop);
    /* In debug mode always: what depends on being put off shows sooner. */
    if (loop->is_debug || !loop_may_put_off_poll(loop))
        error = observe_poll(loop, max_wait);
    if (error < 0)
        return error;
    if (loop->random != 0)
        shuffle_steps(loop);
    is_empty = ready_count(&loop->ready) == 0;
    if (is_measured)
        start = clock_now(loop);
    observe_ready(loop);
    if (is_measured && !is_empty)
        histogram_add(&loop->durations->turn, time_sub(clock_now(loop), start));
    return 0;
}

int observe_turn(aloop *loop, aloop_ns max_wait)
{
    int error = one_turn(loop, max_wait);

    loop_choose_run(loop);
    return error;
}

int observe_until_stopped(aloop *loop)
{
    int error;

    do {
        error = one_turn(loop, ALOOP_NEVER);
        loop_choose_run(loop);
    } while (error == 0 && !loop->is_leaving);
    return error;
}

/* --- beginning and ending --- */

void loop_choose_run(aloop *loop)
{
    bool had_observers = loop->has_observers;
    bool was_observed = loop->is_observed;

    loop->has_observers = !list_is_empty(&loop->observers) || PROBES_ARE_WATCHED;
    loop->looks_at_new_tasks = loop->is_shutting_down || loop->is_debug || loop->has_observers;
    loop->is_observed = loop->is_debug || loop->random != 0 || loop->measures_durations ||
                        loop->has_observers;
    if (loop->is_observed != was_observed)
        loop_leave_turns(loop);
    if (!had_observers)
        loop->observed_to = loop->ready.tail;
}

int aloop_add_instrument(aloop *loop, const aloop_instrument *instrument, void *arg)
{
    struct observer *observer;
    int error = loop_guard(loop);

    if (error < 0)
        return error;
    if (instrument->size < offsetof(aloop_instrument, closed) + sizeof instrument->closed)
        return -EINVAL;
    observer = memory_alloc(&loop->memory, sizeof *observer);
    if (observer == NULL)
        return -ENOMEM;
    *observer = (struct observer){
        .instrument = instrument, .arg = arg, .is_listening = !loop->is_running};
    memcpy(&observer->hooks, instrument,
           instrument->size < sizeof observer->hooks ? instrument->size : sizeof observer->hooks);
    list_push(&loop->observers, &observer->link);
    loop_choose_run(loop);
    return 0;
}

static void observer_free(aloop *loop, struct observer *observer)
{
    list_del(&observer->link);
    memory_free(&loop->memory, observer, sizeof *observer);
}

bool aloop_remove_instrument(aloop *loop, const aloop_instrument *instrument, void *arg)
{
    for (struct list *link = loop->observers.next; link != &loop->observers; link = link->next) {
        struct observer *observer = observer_of(link);

        if (observer->instrument != instrument || observer->arg != arg)
            continue;
        observer_free(loop, observer);
        loop_choose_run(loop);
        return true;
    }
    return false;
}

void observers_close(aloop *loop)
{
    while (!list_is_empty(&loop->observers)) {
        struct observer *observer = observer_of(loop->observers.next);
        aloop_instrument hooks = observer->hooks;
        void *arg = observer->arg;

        observer_free(loop, observer);
        if (hooks.closed != NULL)
            hooks.closed(loop, arg);
    }
    loop_choose_run(loop);
}
