/*
 * Tracers: a record of all that a loop does, on a time line, to be looked at in a browser.
 *
 *     aloop_tracer *tracer;
 *     FILE *file = fopen("trace.json", "w");
 *
 *     error = aloop_tracer_start(loop, file, &tracer);
 *     ...                                              the loop runs
 *     error = aloop_tracer_stop(tracer);
 *     fclose(file);
 *
 * What is written is Chrome's JSON for traces: https://ui.perfetto.dev opens it. The loop is a
 * track, with its polls and callbacks; and so is each task, under the name of its coroutine, with
 * its steps, and arrows from what woke it. A step tells the task's number (aloop_task_number()),
 * where it waits from then on, or its result. Tasks that come after each other share a track, so
 * there are no more than there have been tasks of that name at a time.
 *
 * Times are in real time, from the start of the tracer. Each step takes half a microsecond longer
 * and makes 150 bytes; they are collected in a buffer of 32 KiB, and it is in the loop's thread
 * that this is written when it is full. Memory beyond that is needed for each track alone; where
 * that fails, the task is shown among "other tasks". Calls are for the loop's thread.
 */
#ifndef ALOOP_TRACER_H
#define ALOOP_TRACER_H

#include <aloop/base.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct aloop_tracer aloop_tracer;

/* Where a trace goes: `size` bytes, to be taken as they are. Returns 0, or a negative error, after
   which it is not called again. It must not touch the loop. */
typedef int aloop_tracer_write(void *arg, const void *bytes, size_t size);

/*
 * Begins to trace, from the next turn on where this is called inside a callback, to a file that
 * stays the caller's (borrows, until the tracer is stopped). Several may trace a loop. Returns 0
 * and *out_tracer (returns owned: give it back with aloop_tracer_stop(), also after the loop was
 * closed); -ENOMEM, -ALOOP_ECLOSED, -ALOOP_EWRONGTHREAD (debug). No counterpart in asyncio.
 */
ALOOP_API ALOOP_CHECKED int aloop_tracer_start(aloop *loop, FILE *file, aloop_tracer **out_tracer);
/* The same by a function: write(arg, bytes, size). */
ALOOP_API ALOOP_CHECKED int aloop_tracer_start_to(aloop *loop, aloop_tracer_write *write, void *arg,
                                                  aloop_tracer **out_tracer);

/*
 * Ends the trace: writes what is left, and frees the tracer. May be called in a callback or a task,
 * and not in a hook of an instrument. NULL is nothing. Returns 0, or the first error of writing:
 * -EIO for a file; what was written until then can mostly be opened all the same.
 */
ALOOP_API int aloop_tracer_stop(aloop_tracer *tracer);

#ifdef __cplusplus
}
#endif

#endif
