/*
 * Tasks that other threads wait for. The calls that it posts to the loop, one to begin and one to
 * cancel, are part of it, so that only making it can fail. When the loop is closed it drops these
 * calls, and completes the tasks: either way who waits is told.
 */
#include "task/internal.h"

#include <aloop/threadsafe.h>

struct aloop_threadsafe_task {
    aloop *loop;
    atomic_uint references; /* the program's, the loop's, that of a request to cancel */
    struct lock lock;
    /* Under the lock. */
    bool is_done;
    int64_t result;
    /* The loop's thread. */
    struct aloop_task *task; /* NULL before it begins, and when it is done */
    aloop_waiter waiter;     /* on its end */
    struct post begin;
    struct post cancel;
    atomic_bool is_cancelling; /* `cancel` is on its way */
    uint64_t fork_generation;
    const aloop_coro *coro;
    size_t size;
    max_align_t frame[]; /* its arguments */
};

void aloop_threadsafe_task_unref(aloop_threadsafe_task *self)
{
    aloop *loop;

    if (self == NULL || atomic_fetch_sub(&self->references, 1) != 1)
        return;
    loop = self->loop;
    lock_fini(&self->lock);
    memory_free(&loop->memory, self, self->size);
    loop_memory_unref(loop);
}

/* --- in the loop's thread --- */

static void finish(aloop_threadsafe_task *self, int64_t result)
{
    /* In a forked child nobody waits, and the lock may be held by who is not there. */
    if (self->fork_generation != sys.fork_generation())
        return;
    lock_acquire(&self->lock);
    self->is_done = true;
    self->result = result;
    lock_broadcast(&self->lock);
    lock_release(&self->lock);
    aloop_threadsafe_task_unref(self);
}

/* A waiter of the task, which is done: marks something as ready, as all do. */
static void on_done(aloop_waiter *waiter)
{
    aloop_threadsafe_task *self = CONTAINER_OF(waiter, aloop_threadsafe_task, waiter);
    struct aloop_task *task = self->task;
    int64_t result = future_take(&task->future);

    self->task = NULL;
    if (self->loop->is_closed)
        result = -ALOOP_ECLOSED;
    /* The loop's own reference goes later. */
    future_unref(&task->future);
    finish(self, result);
}

static void begin(aloop *loop, void *arg)
{
    aloop_threadsafe_task *self = arg;
    struct aloop_task *task = aloop_task_new(loop, self->coro, self->frame);

    if (future_is_done(&task->future)) {
        finish(self, future_take(&task->future));
        return;
    }
    self->task = task;
    self->waiter.notify = on_done;
    aloop_waitlist_push(&task->future.waiters, &self->waiter);
}

static void begin_dropped(aloop *loop, void *arg)
{
    (void)loop;
    finish(arg, -ALOOP_ECLOSED);
}

static void cancel(aloop *loop, void *arg)
{
    aloop_threadsafe_task *self = arg;

    (void)loop;
    atomic_store(&self->is_cancelling, false);
    if (self->task != NULL)
        (void)aloop_task_cancel(self->task);
    aloop_threadsafe_task_unref(self);
}

static void cancel_dropped(aloop *loop, void *arg)
{
    (void)loop;
    aloop_threadsafe_task_unref(arg);
}

/* --- in any thread --- */

int aloop_threadsafe_task_new(aloop *loop, const aloop_coro *coro, const void *frame,
                              aloop_threadsafe_task **out_task)
{
    size_t size = sizeof(aloop_threadsafe_task) + coro->size;
    aloop_threadsafe_task *self = memory_alloc(&loop->memory, size);
    int error;

    if (self == NULL)
        return -ENOMEM;
    memset(self, 0, sizeof *self);
    error = lock_init(&self->lock);
    if (error < 0) {
        memory_free(&loop->memory, self, size);
        return error;
    }
    self->loop = loop;
    self->coro = coro;
    self->size = size;
    self->fork_generation = sys.fork_generation();
    self->begin = (struct post){.run = begin, .arg = self, .dropped = begin_dropped};
    self->cancel = (struct post){.run = cancel, .arg = self, .dropped = cancel_dropped};
    memcpy(self->frame, frame, coro->size);
    atomic_init(&self->is_cancelling, false);
    atomic_init(&self->references, 2);
    loop_memory_ref(loop);
    error = posts_push(loop, &self->begin);
    if (error < 0) {
        atomic_store(&self->references, 1);
        aloop_threadsafe_task_unref(self);
        return error;
    }
    *out_task = self;
    return 0;
}

static bool is_loops_thread(const aloop *loop)
{
    return atomic_load_explicit(&loop->thread, memory_order_relaxed) == sys_thread_id();
}

int64_t aloop_threadsafe_task_result(aloop_threadsafe_task *self, aloop_ns timeout)
{
    aloop_ns deadline = timeout > 0 ? time_add(sys.clock(false), timeout) : 0;
    bool may_wait = timeout > 0 && !is_loops_thread(self->loop);
    int64_t result;

    lock_acquire(&self->lock);
    while (!self->is_done && may_wait) {
        aloop_ns left = time_sub(deadline, sys.clock(false));

        if (left <= 0)
            break;
        (void)lock_wait_for(&self->lock, left);
    }
    result = self->is_done ? self->result : -ETIMEDOUT;
    if (!self->is_done && timeout > 0 && !may_wait)
        result = -EDEADLK;
    lock_release(&self->lock);
    return result;
}

bool aloop_threadsafe_task_done(aloop_threadsafe_task *self)
{
    bool is_done;

    lock_acquire(&self->lock);
    is_done = self->is_done;
    lock_release(&self->lock);
    return is_done;
}

bool aloop_threadsafe_task_cancel(aloop_threadsafe_task *self)
{
    if (aloop_threadsafe_task_done(self))
        return false;
    if (atomic_exchange(&self->is_cancelling, true))
        return true;
    atomic_fetch_add(&self->references, 1);
    if (posts_push(self->loop, &self->cancel) == 0)
        return true;
    /* The loop is closed, which ends it. */
    aloop_threadsafe_task_unref(self);
    return false;
}

int64_t aloop_run_threadsafe_coro(aloop *loop, const aloop_coro *coro, const void *frame)
{
    aloop_threadsafe_task *task;
    int64_t result;

    if (is_loops_thread(loop))
        return -EDEADLK;
    result = aloop_threadsafe_task_new(loop, coro, frame, &task);
    if (result < 0)
        return result;
    result = aloop_threadsafe_task_result(task, ALOOP_NEVER);
    aloop_threadsafe_task_unref(task);
    return result;
}
