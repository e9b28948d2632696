/*
 * Futures. Completing one only wakes: tasks that await it and done callbacks are entries of the
 * ready queue, with places reserved when they began to wait, so it cannot fail, and a chain of
 * futures of which each completes the next never nests on the C stack.
 */
#include "task/internal.h"

struct done_callback {
    aloop_waiter waiter;
    struct aloop_future *future;
    aloop_done_callback *run;
    void *arg;
};

#define STATIC_FAILURE(ERROR) \
    {.result = -(ERROR), .references = 1, .state = FUTURE_FINISHED, .is_retrieved = true}

/* Tasks, so that they can stand for either. */
static struct aloop_task no_memory = {.future = STATIC_FAILURE(ENOMEM)};
static struct aloop_task loop_closed = {.future = STATIC_FAILURE(ALOOP_ECLOSED)};
static struct aloop_task no_loop = {.future = STATIC_FAILURE(ALOOP_ENOLOOP)};
static struct aloop_task wrong_thread = {.future = STATIC_FAILURE(ALOOP_EWRONGTHREAD)};
static struct aloop_task wrong_loop = {.future = STATIC_FAILURE(ALOOP_EWRONGLOOP)};
static struct aloop_task bad_argument = {.future = STATIC_FAILURE(EINVAL)};
static struct aloop_task refused = {
    .future = {.result = -ECANCELED, .references = 1, .state = FUTURE_CANCELLED}};

aloop_future *future_failed(int error)
{
    switch (error) {
    case -ALOOP_ECLOSED:
        return &loop_closed.future;
    case -ALOOP_ENOLOOP:
        return &no_loop.future;
    case -ALOOP_EWRONGTHREAD:
        return &wrong_thread.future;
    case -ALOOP_EWRONGLOOP:
        return &wrong_loop.future;
    case -EINVAL:
        return &bad_argument.future;
    case -ECANCELED:
        return &refused.future;
    default:
        return &no_memory.future;
    }
}

void future_attach_layer(aloop *loop)
{
    loop->upper = &task_upper_layer;
    loop->on_due[TIMER_KIND_SCOPE] = scope_timer_due;
    loop->on_due[TIMER_KIND_TASK] = task_timer_due;
}

aloop_future *aloop_create_future(aloop *loop)
{
    struct aloop_future *future;
    int error = loop == NULL ? -ALOOP_ENOLOOP : loop_guard(loop);

    if (error < 0)
        return future_failed(error);
    future = pool_alloc(&loop->pool, sizeof *future);
    if (future == NULL)
        return future_failed(-ENOMEM);
    future_init(future, loop, FUTURE_PLAIN);
    return future;
}

/* --- the end of a future --- */

void future_report(struct aloop_future *future, const char *message)
{
    aloop_exception_context context = {
        .message = message, .error = future->result, .future = future};

    if (future_is_task(future)) {
        const aloop_coro *coro = TASK_OF(future)->frame->coro;

        context.name = coro->name;
        context.file = coro->file;
        context.line = TASK_OF(future)->frame->line;
        if (context.line <= 0)
            context.line = coro->line;
        trace_report(TASK_OF(future), &context);
    }
    aloop_call_exception_handler(future->loop, &context);
}

static void callback_free(struct done_callback *callback)
{
    aloop *loop = callback->future->loop;

    if (!loop->is_closed)
        ready_unreserve(&loop->ready);
    pool_free(&loop->pool, callback, sizeof *callback);
}

static NOINLINE void destroy_rarity(struct aloop_future *future)
{
    if (!future_is_task(future)) {
        composite_destroy(future);
        return;
    }
    task_notes_free(TASK_OF(future));
    task_destroy(TASK_OF(future));
}

/* Only done callbacks are left: a task that awaits a future holds a reference. */
static NOINLINE void drop_callbacks(struct aloop_future *future)
{
    aloop_waiter *waiter;

    while ((waiter = aloop_waitlist_first(&future->waiters)) != NULL) {
        aloop_waiter_unlink(waiter);
        callback_free(CONTAINER_OF(waiter, struct done_callback, waiter));
    }
}

static const char *never_retrieved(const struct aloop_future *future)
{
    return future_is_task(future) ? "task exception was never retrieved"
                                  : "future exception was never retrieved";
}

static NOINLINE bool report_never_retrieved(struct aloop_future *future)
{
    /* The handler gets a live future, and may even keep it. */
    future->is_retrieved = true;
    future_report(future, never_retrieved(future));
    return --future->references == 0;
}

void future_end(struct aloop_future *future)
{
    aloop *loop = future->loop;

    if (ALOOP_UNLIKELY(loop == NULL))
        return;
    if (ALOOP_UNLIKELY(future->result < 0 && future->state == FUTURE_FINISHED &&
                       future->result != -ECANCELED && !future->is_retrieved) &&
        !report_never_retrieved(future))
        return;
    if (ALOOP_UNLIKELY(!aloop_waitlist_is_empty(&future->waiters)))
        drop_callbacks(future);
    if (future->kind == FUTURE_TASK)
        task_destroy(TASK_OF(future));
    else if (future->kind == FUTURE_PLAIN)
        pool_free(&loop->pool, future, sizeof *future);
    else
        destroy_rarity(future);
    loop_object_removed(loop);
}

void aloop_future_unref(aloop_future *future)
{
    if (future != NULL)
        future_unref(future);
}

aloop_future *aloop_future_ref(aloop_future *future)
{
    if (future->loop != NULL)
        future->references++;
    return future;
}

/* --- completing --- */

void future_finish(struct aloop_future *future, int64_t result)
{
    if (future->state == FUTURE_PENDING)
        future_complete(future, FUTURE_FINISHED, result);
}

void future_finish_cancelled(struct aloop_future *future)
{
    if (future->state == FUTURE_PENDING)
        future_complete(future, FUTURE_CANCELLED, -ECANCELED);
}

static int future_set(aloop_future *future, int64_t result)
{
    if (future->loop != NULL && future->kind != FUTURE_PLAIN)
        return -EPERM;
    if (future->state != FUTURE_PENDING)
        return -ALOOP_EDONE;
    future_complete(future, FUTURE_FINISHED, result);
    return 0;
}

int aloop_future_set_result(aloop_future *future, int64_t value)
{
    return value < 0 ? -EINVAL : future_set(future, value);
}

int aloop_future_set_exception(aloop_future *future, int64_t error)
{
    return error >= 0 || error == ALOOP_PENDING ? -EINVAL : future_set(future, error);
}

/* --- asking --- */

bool aloop_future_done(const aloop_future *future)
{
    return future->state != FUTURE_PENDING;
}

bool aloop_future_cancelled(const aloop_future *future)
{
    return future->state == FUTURE_CANCELLED;
}

int64_t aloop_future_result(aloop_future *future)
{
    return future->state == FUTURE_PENDING ? -ALOOP_EPENDING : future_take(future);
}

int64_t aloop_future_exception(aloop_future *future)
{
    int64_t result = aloop_future_result(future);

    return result < 0 ? result : 0;
}

aloop *aloop_future_loop(const aloop_future *future)
{
    return future->loop;
}

/* --- done callbacks --- */

static void run_done_callback(aloop *loop, void *arg)
{
    struct done_callback *callback = arg;
    struct aloop_future *future = callback->future;
    aloop_done_callback *run = callback->run;
    void *run_arg = callback->arg;

    (void)loop;
    callback_free(callback);
    run(future, run_arg);
    aloop_future_unref(future);
}

static void done_callback_notify(aloop_waiter *waiter)
{
    struct done_callback *callback = CONTAINER_OF(waiter, struct done_callback, waiter);

    if (ALOOP_UNLIKELY(callback->future->loop->is_closed)) {
        callback_free(callback);
        return;
    }
    aloop_future_ref(callback->future);
    ready_push(&callback->future->loop->ready, run_done_callback, callback);
}

int aloop_future_add_done_callback(aloop_future *future, aloop_done_callback *run, void *arg)
{
    aloop *loop = future->loop;
    struct done_callback *callback;

    if (loop == NULL)
        return (int)future->result;
    if (loop->is_closed)
        return -ALOOP_ECLOSED;
    if (ready_reserve(&loop->ready) < 0)
        return -ENOMEM;
    callback = pool_alloc(&loop->pool, sizeof *callback);
    if (callback == NULL) {
        ready_unreserve(&loop->ready);
        return -ENOMEM;
    }
    *callback = (struct done_callback){
        .waiter.notify = done_callback_notify, .future = future, .run = run, .arg = arg};
    if (future_is_done(future))
        done_callback_notify(&callback->waiter);
    else
        aloop_waitlist_push(&future->waiters, &callback->waiter);
    return 0;
}

size_t aloop_future_remove_done_callback(aloop_future *future, aloop_done_callback *run, void *arg)
{
    aloop_link *head = &future->waiters.head;
    aloop_link *link = head->next, *next;
    size_t count = 0;

    for (; link != NULL && link != head; link = next) {
        aloop_waiter *waiter = (aloop_waiter *)(void *)link;
        struct done_callback *callback = CONTAINER_OF(waiter, struct done_callback, waiter);

        next = link->next;
        if (waiter->notify != done_callback_notify || callback->run != run || callback->arg != arg)
            continue;
        aloop_waiter_unlink(waiter);
        callback_free(callback);
        count++;
    }
    return count;
}

void future_drop_entries(aloop *loop)
{
    struct ready *ready = &loop->ready;

    for (uint64_t number = ready->head; number != ready->tail; number++) {
        const struct ready_entry *entry = &ready->ring[(size_t)number & ready->mask];
        struct done_callback *callback = entry->arg;

        if (entry->run == run_done_callback) {
            struct aloop_future *future = callback->future;

            callback_free(callback);
            aloop_future_unref(future);
        } else if (entry->run == task_step) {
            /* All tasks are done by now, and one that is and still has an entry is kept by it. */
            aloop_future_unref(&((struct aloop_task *)entry->arg)->future);
        }
    }
}
