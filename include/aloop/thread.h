/*
 * Threads: work that blocks, done beside the loop.
 *
 * A loop has threads of its own for this, made when there is work for them, up to a limit, and
 * ended with the loop. Jobs begin in the order they were awaited. A job knows nothing of the loop:
 * it may call what the headers say any thread may call, and nothing else of the library. Signals
 * are blocked in these threads; their stacks have 512 KiB.
 *
 * Who awaits a job waits for it, however many there are: 256 jobs are under way, or queued for a
 * thread, at a time, the tasks that want more wait for their turn, first come, first served, and
 * nothing is refused. With the virtual clock, time stands still while a job is awaited.
 *
 * All calls are for the loop's thread. The operations are for awaiting; each can fail with -ENOMEM,
 * -EAGAIN (the system gives us no thread, and there is none yet), -ECHILD (in the child of a fork:
 * before aloop_after_fork(), or the job is one that ran at that moment, and runs in the parent
 * alone).
 */
#ifndef ALOOP_THREAD_H
#define ALOOP_THREAD_H

#include <aloop/op.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What is done in a thread. What it returns is the await's outcome: >= 0 a value, < 0 an error, as
   everywhere. */
typedef int64_t aloop_job(void *arg);

/*
 * Calls job(arg) in a thread and awaits its end; the outcome is what it returned. `arg`, and all it
 * points to, must stay until the await ends, and not a moment longer (borrows).
 *
 * Cancelled, or out of time: a job that has not begun is taken back, and the await ends at once.
 * One that has begun cannot be stopped and may be using `arg`, so the await ends when it has, with
 * -ECANCELED, or -ETIMEDOUT; what it returned is dropped. Tell it by a flag of your own (atomic, in
 * *arg) if it can end early; or see below. Such an operation cannot be a case of aloop_select().
 *
 * The one exception is the end of the loop: aloop_shutdown(), aloop_run() and aloop_close() wait no
 * longer than aloop_set_thread_patience() says. Then the exception handler is told who awaited the
 * job, and the job is left to itself, with its arg. asyncio: to_thread(), run_in_executor().
 */
ALOOP_API aloop_op aloop_to_thread(aloop_job *job, void *arg);

/*
 * The same for a job that may be left alone. It works on a copy of the `size` bytes at `arg`, which
 * is copied back when it has ended, before the await does. Cancelled, or out of time, the await
 * ends at once, and a job that has begun goes on, with its copy. When it ends, its outcome is
 * dropped, and discard(copy, outcome) is called, once, to give back what the job has made; the copy
 * is gone after that. discard may be NULL. It is not called for a job that never began, nor for one
 * whose outcome was delivered.
 *
 * The job must not point into memory that its caller frees: the copy is all that is sure to live
 * on. discard is called in the loop's thread; if the loop is closed, which does not wait for such
 * jobs, in the job's thread. So the loop's allocator must be one for several threads, and live
 * until then.
 */
typedef void aloop_discard(void *arg, int64_t outcome);

ALOOP_API aloop_op aloop_to_thread_abandonable(aloop_job *job, void *arg, size_t size,
                                               aloop_discard *discard);

/*
 * How many threads there may be for jobs; 8 if nobody says. Threads that exist stay. Returns 0;
 * -EINVAL for none. asyncio: ThreadPoolExecutor(max_workers).
 */
ALOOP_API int aloop_set_thread_limit(aloop *loop, unsigned limit);

/*
 * How long the end of the loop waits for a job that has begun, and uses memory of its caller's, by
 * the loop's clock while tasks are cancelled, and by the real one while it is closed. 300 s if
 * nobody says; 0: not at all; ALOOP_NEVER: for as long as it takes. Returns 0; -EINVAL if it is
 * negative. asyncio: shutdown_default_executor(timeout).
 */
ALOOP_API int aloop_set_thread_patience(aloop *loop, aloop_ns patience);

#ifdef __cplusplus
}
#endif

#endif
