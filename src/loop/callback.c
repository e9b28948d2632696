/*
 * Scheduling: call_soon, timers, readers and writers, and the handles that name them.
 *
 * A due timer or a ready fd only pushes the slot's entry to the ready queue; the callback runs when
 * the queue comes to it, and looks first whether it still should: it may have been cancelled or
 * rescheduled by an entry before it. Collecting is always followed by running all that was
 * collected, so a slot never has two entries.
 */
#include "loop/callback.h"

#include "loop/watch.h"

static void cancelled(aloop *loop, void *arg)
{
    (void)arg;
    loop->run_correction--;
}

/* With a closer look, or a larger ring; apart, so that the usual call saves no registers. */
static NOINLINE aloop_handle call_soon_slowly(aloop *loop, aloop_callback *callback, void *arg)
{
    struct ready *ready = &loop->ready;
    int error = loop_guard(loop);

    if (error < 0)
        return error;
    if (!ready_has_room(ready) && ready_make_room(ready) < 0)
        return -ENOMEM;
    ready_push(ready, callback, arg);
    return soon_handle(ready);
}

aloop_handle aloop_call_soon(aloop *loop, aloop_callback *callback, void *arg)
{
    struct ready *ready = &loop->ready;

    if (ALOOP_UNLIKELY(loop->has_checks || !ready_has_room(ready)))
        return call_soon_slowly(loop, callback, arg);
    ready_push(ready, callback, arg);
    return soon_handle(ready);
}

static bool cancel_soon(struct ready *ready, uint64_t number)
{
    struct ready_entry *entry;

    if (number < ready->head || number >= ready->tail)
        return false;
    entry = &ready->ring[(size_t)number & ready->mask];
    if (entry->run == cancelled)
        return false;
    *entry = (struct ready_entry){.run = cancelled};
    return true;
}

/* A slot with its place in the ready queue; NULL if there is no memory. */
static inline struct callback_slot *callback_take(aloop *loop, aloop_callback *run, void *arg)
{
    struct callback_slot *callback;

    if (ready_reserve(&loop->ready) < 0)
        return NULL;
    callback = slots_take_raw(&loop->handles);
    if (callback == NULL) {
        ready_unreserve(&loop->ready);
        return NULL;
    }
    callback->run = run;
    callback->arg = arg;
    return callback;
}

static void callback_release(aloop *loop, struct callback_slot *callback)
{
    ready_unreserve(&loop->ready);
    slots_release(&loop->handles, callback);
}

/* Releases a retired slot unless the queue or the stack still refers to it. */
static void callback_release_if_unused(aloop *loop, struct callback_slot *callback)
{
    if (!callback_is(callback, CALLBACK_QUEUED | CALLBACK_RUNNING))
        callback_release(loop, callback);
}

/* The handle dies now; the callback and its argument are dropped now. */
void callback_retire(aloop *loop, struct callback_slot *callback)
{
    slots_retire(&loop->handles, callback);
    callback_begin(callback, CALLBACK_CANCELLED);
    callback->run = cancelled;
    callback->arg = NULL;
    callback_release_if_unused(loop, callback);
}

/* --- timers --- */

static void run_timer(aloop *loop, void *arg)
{
    struct callback_slot *timer = arg;

    callback_end(timer, CALLBACK_QUEUED);
    if (callback_is(timer, CALLBACK_CANCELLED)) {
        loop->run_correction--;
        callback_release_if_unused(loop, timer);
        return;
    }
    /* Rescheduled after it came due and before its turn: the new time counts. */
    if (timer_is_armed(&timer->u.timer)) {
        loop->run_correction--;
        return;
    }
    callback_begin(timer, CALLBACK_RUNNING);
    timer->run(loop, timer->arg);
    callback_end(timer, CALLBACK_RUNNING);
    if (callback_is(timer, CALLBACK_CANCELLED))
        callback_release_if_unused(loop, timer);
    else if (!callback_is(timer, CALLBACK_PERSISTS) && !timer_is_armed(&timer->u.timer))
        callback_release(loop, timer);
}

static void timer_due(aloop *loop, struct timer *node)
{
    struct callback_slot *timer = CONTAINER_OF(node, struct callback_slot, u.timer);

    /* Still queued: the turn that collected it ended with an error, and it was rescheduled since.
     */
    if (callback_is(timer, CALLBACK_QUEUED))
        return;
    callback_begin(timer, CALLBACK_QUEUED);
    ready_push(&loop->ready, run_timer, timer);
}

void callbacks_open(aloop *loop)
{
    timers_init(&loop->timers);
    loop->on_due[TIMER_KIND_CALLBACK] = timer_due;
}

/* A timer with all that it needs until it is cancelled; NULL if there is no memory. */
static inline struct callback_slot *timer_make(aloop *loop, aloop_callback *run, void *arg)
{
    struct callback_slot *timer = callback_take(loop, run, arg);

    if (timer != NULL) {
        timer_init(&timer->u.timer, TIMER_KIND_CALLBACK);
        timer->u.timer.tag = CALLBACK_TIMER;
    }
    return timer;
}

static ALWAYS_INLINE aloop_handle call_at(aloop *loop, aloop_ns when, aloop_callback *callback,
                                          void *arg)
{
    struct callback_slot *timer;
    int error = loop_guard(loop);

    if (error < 0)
        return error;
    timer = timer_make(loop, callback, arg);
    if (timer == NULL)
        return -ENOMEM;
    timers_add(&loop->timers, &timer->u.timer, when);
    return slots_number(timer);
}

aloop_handle aloop_call_at(aloop *loop, aloop_ns when, aloop_callback *callback, void *arg)
{
    return call_at(loop, when, callback, arg);
}

aloop_handle aloop_call_later(aloop *loop, aloop_ns delay, aloop_callback *callback, void *arg)
{
    return call_at(loop, time_add(loop->now, delay), callback, arg);
}

aloop_handle aloop_create_timer(aloop *loop, aloop_callback *callback, void *arg)
{
    struct callback_slot *timer;
    int error = loop_guard(loop);

    if (error < 0)
        return error;
    timer = timer_make(loop, callback, arg);
    if (timer == NULL)
        return -ENOMEM;
    callback_begin(timer, CALLBACK_PERSISTS);
    return slots_number(timer);
}

/* Neither an error nor the handle of a call_soon is the number of a slot. */
static inline struct callback_slot *callback_find(const aloop *loop, aloop_handle handle)
{
    return slots_find(&loop->handles, handle);
}

/* Other than for a later time; apart, so that the usual call saves no registers. */
static NOINLINE int reschedule_anew(aloop *loop, struct callback_slot *timer, aloop_ns when)
{
    timers_arm(&loop->timers, &timer->u.timer, when);
    return 0;
}

static ALWAYS_INLINE int reschedule(aloop *loop, aloop_handle handle, aloop_ns when)
{
    struct callback_slot *timer = callback_find(loop, handle);

    if (timer == NULL || callback_kind(timer) != CALLBACK_TIMER)
        return -ENOENT;
    if (ALOOP_LIKELY(timers_put_off(&loop->timers, &timer->u.timer, when)))
        return 0;
    return reschedule_anew(loop, timer, when);
}

int aloop_reschedule(aloop *loop, aloop_handle handle, aloop_ns when)
{
    return reschedule(loop, handle, when);
}

/* To what is no plain sum; apart for the same reason. */
static NOINLINE int reschedule_far(aloop *loop, aloop_handle handle, aloop_ns delay)
{
    return reschedule(loop, handle, time_add(loop->now, delay));
}

int aloop_reschedule_later(aloop *loop, aloop_handle handle, aloop_ns delay)
{
    if (ALOOP_UNLIKELY(!time_sum_is_plain(loop->now, delay)))
        return reschedule_far(loop, handle, delay);
    return reschedule(loop, handle, loop->now + delay);
}

aloop_ns aloop_when(const aloop *loop, aloop_handle handle)
{
    const struct callback_slot *timer = callback_find(loop, handle);

    if (timer == NULL || callback_kind(timer) != CALLBACK_TIMER)
        return -ENOENT;
    if (timer_is_armed(&timer->u.timer) || callback_is(timer, CALLBACK_QUEUED))
        return timer_deadline(&timer->u.timer);
    return ALOOP_NEVER;
}

static bool cancel_timer(aloop *loop, struct callback_slot *timer)
{
    bool was_armed = timers_cancel(&loop->timers, &timer->u.timer);

    if (ALOOP_LIKELY(!callback_is(timer, CALLBACK_QUEUED | CALLBACK_RUNNING))) {
        callback_release(loop, timer);
        return true;
    }
    was_armed |= callback_is(timer, CALLBACK_QUEUED | CALLBACK_PERSISTS);
    callback_retire(loop, timer);
    return was_armed;
}

/* --- readers and writers --- */

void callback_run_fd(aloop *loop, void *arg)
{
    struct callback_slot *callback = arg;

    callback_end(callback, CALLBACK_QUEUED);
    if (ALOOP_LIKELY(!callback_is(callback, CALLBACK_CANCELLED | CALLBACK_PAUSED))) {
        callback->run(loop, callback->arg);
        return;
    }
    loop->run_correction--;
    if (callback_is(callback, CALLBACK_CANCELLED))
        callback_release_if_unused(loop, callback);
}

void callback_ready_in_vain(aloop *loop, const struct callback_slot *callback)
{
    if (callback_is(callback, CALLBACK_PAUSED))
        watch_mute(loop, callback->u.fd.watch);
}

static struct callback_slot **fd_callback_place(struct watch *watch, enum callback_kind kind)
{
    return kind == CALLBACK_READER ? &watch->reader : &watch->writer;
}

static aloop_handle add_fd_callback(aloop *loop, int fd, enum callback_kind kind,
                                    aloop_callback *run, void *arg)
{
    struct callback_slot *callback, *replaced;
    struct callback_slot **place;
    struct watch *watch;
    int error = loop_guard(loop);

    if (error < 0)
        return error;
    callback = callback_take(loop, run, arg);
    if (callback == NULL)
        return -ENOMEM;
    callback->u.fd.tag = (uint16_t)kind;
    error = watch_get(loop, fd, &watch);
    if (error < 0) {
        callback_release(loop, callback);
        return error;
    }
    callback->u.fd.watch = watch;
    place = fd_callback_place(watch, kind);
    replaced = *place;
    *place = callback;
    error = watch_add_interest(loop, watch);
    if (error < 0) {
        *place = replaced;
        watch_drop_interest(loop, watch);
        callback_release(loop, callback);
        return error;
    }
    if (replaced != NULL)
        callback_retire(loop, replaced);
    return slots_number(callback);
}

static bool remove_fd_callback(aloop *loop, struct watch *watch, enum callback_kind kind)
{
    struct callback_slot **place = fd_callback_place(watch, kind);
    struct callback_slot *callback = *place;

    if (callback == NULL)
        return false;
    *place = NULL;
    callback_retire(loop, callback);
    watch_drop_interest(loop, watch);
    return true;
}

aloop_handle aloop_add_reader(aloop *loop, int fd, aloop_callback *callback, void *arg)
{
    return add_fd_callback(loop, fd, CALLBACK_READER, callback, arg);
}

aloop_handle aloop_add_writer(aloop *loop, int fd, aloop_callback *callback, void *arg)
{
    return add_fd_callback(loop, fd, CALLBACK_WRITER, callback, arg);
}

static bool remove_by_fd(aloop *loop, int fd, enum callback_kind kind)
{
    if (loop->is_closed || fd < 0 || (size_t)fd >= loop->fd_capacity || loop->fds[fd] == NULL)
        return false;
    return remove_fd_callback(loop, loop->fds[fd], kind);
}

bool aloop_remove_reader(aloop *loop, int fd)
{
    return remove_by_fd(loop, fd, CALLBACK_READER);
}

bool aloop_remove_writer(aloop *loop, int fd)
{
    return remove_by_fd(loop, fd, CALLBACK_WRITER);
}

static struct callback_slot *fd_callback_find(const aloop *loop, aloop_handle handle)
{
    struct callback_slot *callback = callback_find(loop, handle);

    return callback != NULL && callback_kind(callback) != CALLBACK_TIMER ? callback : NULL;
}

/* The poller is not told before it reports what nobody wants: most pauses end before that. */
int aloop_pause(aloop *loop, aloop_handle handle)
{
    struct callback_slot *callback = fd_callback_find(loop, handle);

    if (callback == NULL)
        return -ENOENT;
    callback_begin(callback, CALLBACK_PAUSED);
    return 0;
}

int aloop_resume(aloop *loop, aloop_handle handle)
{
    struct callback_slot *callback = fd_callback_find(loop, handle);
    int error;

    if (callback == NULL)
        return -ENOENT;
    if (!callback_is(callback, CALLBACK_PAUSED))
        return 0;
    callback_end(callback, CALLBACK_PAUSED);
    if (ALOOP_LIKELY(!watch_is_muted(callback->u.fd.watch)))
        return 0;
    error = loop_is_forked(loop) ? -ECHILD : watch_add_interest(loop, callback->u.fd.watch);
    if (error < 0)
        callback_begin(callback, CALLBACK_PAUSED);
    return error;
}

bool aloop_cancel(aloop *loop, aloop_handle handle)
{
    struct callback_slot *callback;

    if (loop->is_closed || handle <= 0)
        return false;
    if ((uint64_t)handle >= READY_FIRST)
        return cancel_soon(&loop->ready, (uint64_t)handle);
    callback = callback_find(loop, handle);
    if (callback == NULL)
        return false;
    if (callback_kind(callback) == CALLBACK_TIMER)
        return cancel_timer(loop, callback);
    return remove_fd_callback(loop, callback->u.fd.watch, callback_kind(callback));
}

/* --- the end, and a look around --- */

void callbacks_close(aloop *loop)
{
    timers_init(&loop->timers);
    slots_fini(&loop->handles);
}

aloop_callback *callback_of_entry(const struct ready_entry *entry)
{
    aloop_callback *run = entry->run;

    if (run == run_timer || run == callback_run_fd) {
        const struct callback_slot *callback = entry->arg;

        if (run == run_timer && timer_is_armed(&callback->u.timer))
            return NULL;
        if (run == callback_run_fd && callback_is(callback, CALLBACK_PAUSED))
            return NULL;
        run = callback->run;
    }
    return run == cancelled ? NULL : run;
}

/* Is the entry a callback of aloop_call_soon(), or one like it of a layer above, rather than a step
   of something that is shown by itself? */
static bool is_soon_callback(const aloop *loop, const struct ready_entry *entry)
{
    aloop_exception_context context = {0};

    if (entry->run == cancelled || entry->run == run_timer || entry->run == callback_run_fd ||
        posts_own_entry(entry))
        return false;
    if (loop->upper != NULL)
        loop->upper->describe(entry, &context);
    return context.name == NULL;
}

static size_t soon_walk(const aloop *loop, void (*visit)(const aloop_alive *alive, void *arg),
                        void *arg)
{
    const struct ready *ready = &loop->ready;
    size_t count = 0;

    for (uint64_t number = ready->head; number != ready->tail; number++) {
        const struct ready_entry *entry = &ready->ring[(size_t)number & ready->mask];

        if (!is_soon_callback(loop, entry))
            continue;
        visit(&(aloop_alive){.kind = ALOOP_ALIVE_CALLBACK,
                             .fd = -1,
                             .deadline = ALOOP_NEVER,
                             .callback = entry->run,
                             .arg = entry->arg},
              arg);
        count++;
    }
    return count;
}

size_t callbacks_walk(aloop *loop, void (*visit)(const aloop_alive *alive, void *arg), void *arg)
{
    static const aloop_alive_kind kinds[] = {[CALLBACK_TIMER] = ALOOP_ALIVE_TIMER,
                                             [CALLBACK_READER] = ALOOP_ALIVE_READER,
                                             [CALLBACK_WRITER] = ALOOP_ALIVE_WRITER};
    const struct callback_slot *callback;
    uint32_t cursor = 0;
    size_t count = soon_walk(loop, visit, arg);

    while ((callback = slots_next(&loop->handles, &cursor)) != NULL) {
        aloop_alive alive = {
            .kind = kinds[callback_kind(callback)], .fd = -1, .deadline = ALOOP_NEVER};

        if (callback_is(callback, CALLBACK_CANCELLED))
            continue;
        if (callback_kind(callback) == CALLBACK_TIMER)
            alive.deadline = aloop_when(loop, slots_number(callback));
        else
            alive.fd = callback->u.fd.watch->fd;
        alive.callback = callback->run;
        alive.arg = callback->arg;
        visit(&alive, arg);
        count++;
    }
    return count;
}
