/*
 * Running until something is done: a future, a main task, all that is left behind it.
 */
#include "task/internal.h"

/* Waits for the future on behalf of a run, and stops that through the ready queue, after the
   done callbacks that were added before. */
struct run_end {
    aloop_waiter waiter;
    aloop *loop;
    aloop_handle stop; /* 0 while it is not queued */
};

static void run_stop(aloop *loop, void *arg)
{
    (void)arg;
    aloop_stop(loop);
}

static void run_end_notify(aloop_waiter *waiter)
{
    struct run_end *end = CONTAINER_OF(waiter, struct run_end, waiter);

    ready_push(&end->loop->ready, run_stop, NULL);
    end->stop = soon_handle(&end->loop->ready);
}

int64_t aloop_run_until_complete_future(aloop *loop, aloop_future *future)
{
    struct run_end end = {.waiter.notify = run_end_notify, .loop = loop};
    int64_t result;
    int error;

    if (future->loop == NULL)
        return future->result;
    if (future->loop != loop)
        return -ALOOP_EWRONGLOOP;
    if (loop->is_closed)
        return -ALOOP_ECLOSED;
    if (ready_reserve(&loop->ready) < 0)
        return -ENOMEM;
    if (future_is_done(future))
        run_end_notify(&end.waiter);
    else
        aloop_waitlist_push(&future->waiters, &end.waiter);
    aloop_future_ref(future);
    error = aloop_run_forever(loop);
    /* However the run ended, nothing of this one must stop a later one. */
    aloop_waiter_unlink(&end.waiter);
    if (end.stop != 0)
        (void)aloop_cancel(loop, end.stop);
    ready_unreserve(&loop->ready);
    result = future_is_done(future) ? future_take(future) : error < 0 ? error : -ALOOP_ESTOPPED;
    aloop_future_unref(future);
    return result;
}

int64_t aloop_run_until_complete_task(aloop *loop, aloop_task *task)
{
    return aloop_run_until_complete_future(loop, &task->future);
}

int aloop_shutdown(aloop *loop)
{
    int error = 0;

    if (loop->is_closed)
        return -ALOOP_ECLOSED;
    if (loop->is_running || aloop_get_running_loop() != NULL)
        return -EBUSY;
    loop->is_shutting_down = true;
    loop_choose_run(loop);
    cancel_everything(loop);
    while (error == 0 && loop_task_count(loop) > 0)
        error = aloop_run_forever(loop);
    /* What the last tasks left in the ready queue: their done callbacks. */
    if (error == 0)
        error = aloop_run_once(loop, 0);
    loop->is_shutting_down = false;
    loop_choose_run(loop);
    return error < 0 ? error : 0;
}

int64_t aloop_run_coro_in(aloop *loop, const aloop_coro *coro, const void *frame)
{
    aloop_task *task;
    int64_t result;
    int error;

    if (loop == NULL)
        return -ALOOP_ENOLOOP;
    if (aloop_get_running_loop() != NULL)
        return -EBUSY;
    task = aloop_task_new(loop, coro, frame);
    result = aloop_run_until_complete_task(loop, task);
    aloop_task_unref(task);
    error = aloop_shutdown(loop);
    return result >= 0 && error < 0 ? error : result;
}
