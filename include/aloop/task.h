/*
 * Tasks: coroutines that run on a loop. How a coroutine is written is in <aloop/coro.h>.
 *
 * A task is a future (aloop_task_future()), reference counted as one: who creates it holds a
 * reference and drops it with aloop_task_unref(), at once if nobody will ask for its result; the
 * loop holds one of its own until the task is done, so a task cannot vanish. All calls are for the
 * loop's thread.
 */
#ifndef ALOOP_TASK_H
#define ALOOP_TASK_H

#include <aloop/future.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct aloop_coro aloop_coro;

/*
 * A task that will run `coro` on `loop`, from the next turn on; `frame` holds its arguments,
 * coro->size bytes, and is copied. The macros aloop_create_task() and aloop_create_task_in() of
 * <aloop/coro.h> are how to call it. Returns owned, never NULL; a loop that is NULL, closed or
 * without memory gives a static task that has failed.
 */
ALOOP_API aloop_task *aloop_task_new(aloop *loop, const aloop_coro *coro, const void *frame);

/* As aloop_future_ref() and aloop_future_unref(). */
ALOOP_API aloop_task *aloop_task_ref(aloop_task *task);
ALOOP_API void aloop_task_unref(aloop_task *task);

/*
 * Asks the task to end: the await it is in returns -ECANCELED, in its next turn, and what it awaits
 * is cancelled with it, unless shielded. A task that has not run yet runs to its first await and
 * gets it there; one that is in ALOOP_FINALLY, at its first await after that. It may catch the
 * error and go on. False if it is done already. asyncio: Task.cancel().
 */
ALOOP_API bool aloop_task_cancel(aloop_task *task);

/*
 * How many requests to cancel the task there were, less the aloop_task_uncancel() calls. asyncio:
 * cancelling(). It tells whether an -ECANCELED from an await means that this task is to end, or
 * only that what it awaited was cancelled by somebody else.
 */
ALOOP_API unsigned aloop_task_cancelling(const aloop_task *task);

/*
 * Takes one request back, for code that has swallowed a cancellation on purpose; at zero one that
 * was not delivered yet is forgotten. Returns how many remain. asyncio: uncancel().
 */
ALOOP_API unsigned aloop_task_uncancel(aloop_task *task);

/* As for futures. asyncio: done(), cancelled(), result(). */
ALOOP_API bool aloop_task_done(const aloop_task *task);
ALOOP_API bool aloop_task_cancelled(const aloop_task *task);
ALOOP_API int64_t aloop_task_result(aloop_task *task);

/* The name of its coroutine. asyncio: get_coro(). */
ALOOP_API const char *aloop_task_name(const aloop_task *task);

/* The task that runs in this thread at the moment (borrows), NULL outside of one. asyncio:
   current_task(). */
ALOOP_API aloop_task *aloop_current_task(void);

/*
 * The tasks of the loop that are not done: writes up to `capacity` of them to `tasks` (borrows), in
 * order of creation, and returns how many there are. asyncio: all_tasks().
 */
ALOOP_API size_t aloop_all_tasks(const aloop *loop, aloop_task **tasks, size_t capacity);

/* The parts of the functions below. */
ALOOP_API aloop_poll aloop_sleep_poll_(aloop_task *task, aloop_op *op);
ALOOP_API aloop_poll aloop_yield_poll_(aloop_task *task, aloop_op *op);
ALOOP_API aloop_poll aloop_call_poll_(aloop_task *task, aloop_op *op);
ALOOP_API extern const aloop_op_type aloop_sleep_type_;

/*
 * Suspends for `delay`, never less; 0 or less: for one turn of the loop. The outcome is 0. asyncio:
 * sleep().
 */
static inline aloop_op aloop_sleep(aloop_ns delay)
{
    aloop_op op =
        aloop_op_make_(delay > 0 ? aloop_sleep_poll_ : aloop_yield_poll_, &aloop_sleep_type_);

    op.arg[0].number = delay;
    return op;
}

/* The same until a point in time by aloop_time(). */
ALOOP_API aloop_op aloop_sleep_until(aloop_ns deadline);

/* Calls a coroutine: it runs on the task that awaits this. aloop_call() of <aloop/coro.h> is how
   to say it. */
static inline aloop_op aloop_call_op(const aloop_coro *coro, const void *frame)
{
    aloop_op op = aloop_op_make_(aloop_call_poll_, NULL);

    op.flags = ALOOP_OP_IS_CALL_;
    op.arg[0].data = coro;
    op.arg[1].data = frame;
    return op;
}

/*
 * Runs the loop until the future is done. Returns its result, which counts as retrieved; or, if it
 * is not done: -ALOOP_ESTOPPED if the loop was stopped before that, or an error of
 * aloop_run_forever(). asyncio: run_until_complete().
 */
ALOOP_API ALOOP_CHECKED int64_t aloop_run_until_complete_future(aloop *loop, aloop_future *future);
ALOOP_API ALOOP_CHECKED int64_t aloop_run_until_complete_task(aloop *loop, aloop_task *task);

/*
 * Ends the program's tasks in good order: cancels all that are left and runs the loop until they
 * have ended; errors other than the cancellation go to the exception handler. Returns 0, or an
 * error of aloop_run_forever(). asyncio: the end of run().
 */
ALOOP_API ALOOP_CHECKED int aloop_shutdown(aloop *loop);

/*
 * A loop of its own, `coro` as its main task, aloop_shutdown() when that has ended, and the loop
 * closed. Returns the task's result, cut to the range of int; or the error of what failed first:
 * aloop_new(); -EBUSY if a loop runs in this thread. The macro aloop_run() of <aloop/coro.h> is how
 * to call it. asyncio: run().
 *
 * While the main task runs, SIGINT is for it, if nobody has given the signal another meaning (its
 * disposition is the default), and this is the thread that the program began with (where the system
 * can tell). The first cancels the main task; if that is why the task ends, with -ECANCELED and
 * with nobody else having cancelled it, the result is -EINTR. The second ends the run at once: the
 * loop stops, is closed as aloop_close() says, without waiting for tasks or threads, and the result
 * is -EINTR. A third that comes before the loop has looked, because a callback does not return,
 * ends the process, as all do when the main task is over. While a loop of the program watches the
 * signal itself (see <aloop/signal.h>), it is for that alone. If the signal cannot be watched, the
 * program runs without.
 */
ALOOP_API int aloop_run_coro(const aloop_coro *coro, const void *frame);

/* How a program is run. Begin with ALOOP_RUN_OPTIONS_INIT; new members will be added at the end. */
typedef struct aloop_run_options {
    size_t size;               /* of this struct as the program was compiled with it */
    const aloop_options *loop; /* of its loop; NULL: the defaults */
    bool leave_sigint;         /* SIGINT stays what it is */
} aloop_run_options;

/* clang-format off */
#define ALOOP_RUN_OPTIONS_INIT { .size = sizeof(aloop_run_options) }
/* clang-format on */

/* The same with options; NULL: none. -EINVAL if they are out of range. The macro aloop_run_with()
   of <aloop/coro.h> is how to call it. asyncio: run(loop_factory=...). */
ALOOP_API int aloop_run_coro_with(const aloop_run_options *options, const aloop_coro *coro,
                                  const void *frame);

/* On a loop that stays open: several can be run in turn. SIGINT stays what it is; see
   <aloop/signal.h>. -ALOOP_ENOLOOP if the loop is NULL. asyncio: Runner.run(). */
ALOOP_API int64_t aloop_run_coro_in(aloop *loop, const aloop_coro *coro, const void *frame);

#ifndef __cplusplus
#define aloop_run_until_complete(loop, x)                           \
    _Generic((x), aloop_task *: aloop_run_until_complete_task,      \
        aloop_future *: aloop_run_until_complete_future)((loop), (x))
#endif

#ifdef __cplusplus
}
#endif

#endif
