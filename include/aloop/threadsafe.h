/*
 * Coroutines submitted from other threads: the way into the loop, where <aloop/thread.h> is the way
 * out.
 *
 * The thread holds a reference to the loop (aloop_ref()), so that a loop that is closed meanwhile
 * is an error and no crash. All calls are for any thread.
 */
#ifndef ALOOP_THREADSAFE_H
#define ALOOP_THREADSAFE_H

#include <aloop/coro.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A task as another thread sees it. asyncio: the concurrent.futures.Future of
   run_coroutine_threadsafe(). */
typedef struct aloop_threadsafe_task aloop_threadsafe_task;

/*
 * Runs `coro` as a task of `loop`; `frame` holds its arguments and is copied. *out_task (returns
 * owned, on success only) is for waiting; give it back with aloop_threadsafe_task_unref(). What the
 * arguments point to must stay until the task is done. The macro aloop_create_task_threadsafe() is
 * how to call it. asyncio: run_coroutine_threadsafe(). Returns 0; -ENOMEM, -EAGAIN, -ALOOP_ECLOSED,
 * -ECHILD.
 */
ALOOP_API ALOOP_CHECKED int aloop_threadsafe_task_new(aloop *loop, const aloop_coro *coro,
                                                      const void *frame,
                                                      aloop_threadsafe_task **out_task);

/*
 * Waits until the task is done, for at most `timeout` (0: not at all; ALOOP_NEVER: for as long as
 * it takes). Returns the task's result; -ECANCELED if it was cancelled, by whomever; -ETIMEDOUT if
 * it is not done (aloop_threadsafe_task_done() tells that from a task that failed so);
 * -ALOOP_ECLOSED if the loop was closed before it was done; -EDEADLK at once in the thread that
 * runs the loop. May be asked again. asyncio: result(timeout).
 */
ALOOP_API int64_t aloop_threadsafe_task_result(aloop_threadsafe_task *task, aloop_ns timeout);

/* Is there a result, or has the loop been closed? Any thread. asyncio: done(). */
ALOOP_API bool aloop_threadsafe_task_done(aloop_threadsafe_task *task);

/*
 * Asks the task to end, as aloop_task_cancel() does, soon; it is done when it has ended. False if
 * it is done already. asyncio: cancel().
 */
ALOOP_API bool aloop_threadsafe_task_cancel(aloop_threadsafe_task *task);

/* Drops the reference; the task goes on. NULL is nothing. */
ALOOP_API void aloop_threadsafe_task_unref(aloop_threadsafe_task *task);

/* All of it: submits, and waits for the end. -EDEADLK in the thread that runs the loop. */
ALOOP_API int64_t aloop_run_threadsafe_coro(aloop *loop, const aloop_coro *coro, const void *frame);

#ifndef __cplusplus
// clang-format off

/* aloop_run_threadsafe(loop, NAME, .argument = ...): aloop_run_threadsafe_coro(). */
#define aloop_run_threadsafe(LOOP, ...) \
    aloop_run_threadsafe_coro((LOOP), ALOOP_ARGUMENTS_(__VA_ARGS__))
/* aloop_create_task_threadsafe(&task, loop, NAME, .argument = ...): aloop_threadsafe_task_new(). */
#define aloop_create_task_threadsafe(OUT_TASK, LOOP, ...) \
    aloop_threadsafe_task_new_((OUT_TASK), (LOOP), ALOOP_ARGUMENTS_(__VA_ARGS__))

// clang-format on

static inline ALOOP_CHECKED int aloop_threadsafe_task_new_(aloop_threadsafe_task **out_task,
                                                           aloop *loop, const aloop_coro *coro,
                                                           const void *frame)
{
    return aloop_threadsafe_task_new(loop, coro, frame, out_task);
}
#endif

#ifdef __cplusplus
}
#endif

#endif
