/*
 * Instruments: functions of yours that the loop calls at what happens in it, for tracing, profiling
 * and accounting. A loop without any is not slowed down by their being possible: it runs its turns
 * with another function while somebody listens. <aloop/tracer.h> is made of this.
 *
 *     static void step_begins(aloop *loop, aloop_task *task, void *arg)
 *     {
 *         fprintf(arg, "%s\n", aloop_task_name(task));
 *     }
 *
 *     static const aloop_instrument steps = {.size = sizeof steps, .step_begins = step_begins};
 *
 *     error = aloop_add_instrument(loop, &steps, stderr);
 *
 * A hook looks and does not touch. It may call what only asks (aloop_time(), aloop_task_name(),
 * aloop_walk(), aloop_metrics_read(), ...), may take a reference to a task, may call what any
 * thread may call, aloop_stop(), and aloop_remove_instrument() for itself. It must not make,
 * cancel or complete anything in the loop, nor run it.
 *
 * All calls are for the loop's thread, and so are the hooks.
 */
#ifndef ALOOP_INSTRUMENT_H
#define ALOOP_INSTRUMENT_H

#include <aloop/loop.h>
#include <aloop/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What can be listened to; NULL for what is not wanted. Everything between a "begins" and its
 * "ends" was done by that step, callback or poll; they do not nest. `arg` is what was given to
 * aloop_add_instrument().
 */
typedef struct aloop_instrument {
    size_t size; /* of this struct as the program was compiled with it */
    /* Made, inside the step or callback that does it, or outside of the run. */
    void (*task_created)(aloop *loop, aloop_task *task, void *arg);
    /* Will run a step in the next turn: for the first time, or because what it waits for may have
       happened. Told at the end of the step, callback or poll that woke it. */
    void (*task_woken)(aloop *loop, aloop_task *task, void *arg);
    /* The task runs, up to where it waits next, gives way, or ends. */
    void (*step_begins)(aloop *loop, aloop_task *task, void *arg);
    void (*step_ends)(aloop *loop, aloop_task *task, void *arg);
    /* It has its result. Inside its last step; or when the loop is closed over it. The memory goes
       with the last reference, which may be right after this. */
    void (*task_done)(aloop *loop, aloop_task *task, void *arg);
    /* Asks the system for events, and perhaps waits for them; how many there were, or an error. */
    void (*poll_begins)(aloop *loop, void *arg);
    void (*poll_ends)(aloop *loop, int64_t events, void *arg);
    /* A callback of the program's; some of the library's own are among them. */
    void (*callback_begins)(aloop *loop, aloop_callback *callback, void *arg);
    void (*callback_ends)(aloop *loop, aloop_callback *callback, void *arg);
    /* The loop has been closed, and forgets the instrument. */
    void (*closed)(aloop *loop, void *arg);
} aloop_instrument;

/*
 * Begins to call the hooks of `instrument` (borrows, until it is removed or the loop is closed)
 * with `arg`: from the next turn on where this is called inside a callback. Those that were added
 * first are called first. The same one may be added several times with different `arg`. Returns 0;
 * -EINVAL (its size is not that of any version), -ENOMEM, -ALOOP_ECLOSED, -ALOOP_EWRONGTHREAD
 * (debug). No counterpart in asyncio.
 */
ALOOP_API ALOOP_CHECKED int aloop_add_instrument(aloop *loop, const aloop_instrument *instrument,
                                                 void *arg);

/* Ends it; a hook may do so for its own. False if it was not there. */
ALOOP_API bool aloop_remove_instrument(aloop *loop, const aloop_instrument *instrument, void *arg);

#ifdef __cplusplus
}
#endif

#endif
