/*
 * Signals of the process, as callbacks and awaits of a loop.
 *
 *     static void reopen_log(aloop *loop, void *arg) { ... }
 *
 *     error = aloop_add_signal_handler(loop, SIGHUP, reopen_log, log);
 *
 *     ALOOP_TRY(aloop_wait_signal(SIGTERM));
 *     aloop_server_close(server);
 *
 * A handler runs as any callback of the loop does, and may do what any may; only the few
 * instructions that note the signal and wake the loop run when it comes. Any number of loops, in
 * any threads, may watch the same signal, and each hears of it, in whichever thread it arrives. A
 * loop that waits is woken; what has come with the signal, in the same turn, runs before its
 * handler.
 *
 * Signals are no queue: one that comes again before the loop has looked counts once.
 *
 * What the signal did before is put aside while anybody in the process watches it, and not done:
 * SIGTERM no longer ends the process. When the last one who watches is gone it is restored (asyncio
 * sets the default instead), unless the program has called sigaction() meanwhile: what that has set
 * stays. Begin to watch first, and set handlers by hand later, and yours is the one that is called;
 * a watch that begins after that puts itself over it. No signal is blocked, or unblocked: one that
 * all threads of the program block reaches nobody. System calls that the signal interrupts are
 * restarted where the system can (SA_RESTART).
 *
 * Signals that cannot be caught (SIGKILL, SIGSTOP), those by which a thread is told that it has
 * failed (SIGSEGV, SIGBUS, SIGFPE, SIGILL), and those that do not exist give -EINVAL. Besides,
 * whatever begins to watch may fail with -ENOMEM; -EMFILE, -ENFILE (a loop's first watch takes an
 * fd, or two, until it is closed); -ALOOP_ECLOSED; -ECHILD; -ALOOP_EWRONGTHREAD (debug). Nothing
 * has changed then.
 *
 * In the child of a fork, a signal that its parent's loop watches does nothing before exec() or
 * aloop_after_fork(), and never reaches the parent; after that, the child's loop goes on watching,
 * and hears of what the child is sent from then on. Loops of the parent that the child does not go
 * on with count as watching until it closes them.
 *
 * aloop_run() sees to SIGINT: see <aloop/task.h>. All calls are for the loop's thread.
 */
#ifndef ALOOP_SIGNAL_H
#define ALOOP_SIGNAL_H

#include <aloop/sync.h>
#include <signal.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Has callback(loop, arg) called when the signal comes, until it is removed, or the loop closed. A
 * handler that the loop had for this signal is replaced, and not called any more. Returns 0; the
 * errors above. asyncio: add_signal_handler().
 */
ALOOP_API ALOOP_CHECKED int aloop_add_signal_handler(aloop *loop, int signal_number,
                                                     aloop_callback *callback, void *arg);

/*
 * True if there was one: it is not called any more, not even for a signal that has come already.
 * False, also on a closed loop, if not. asyncio: remove_signal_handler().
 */
ALOOP_API bool aloop_remove_signal_handler(aloop *loop, int signal_number);

/*
 * Awaits the signal. The outcome is its number; the errors above. It is watched from when the await
 * begins until it ends, and not a moment longer: between two awaits the signal does what it did
 * before, and a second SIGTERM ends the program that cleans up after the first. A coroutine that is
 * to miss none opens an aloop_signals. asyncio has no counterpart.
 */
ALOOP_API aloop_op aloop_wait_signal(int signal_number);

/*
 * A set of signals that a coroutine watches, without a gap between one and the next:
 *
 *     error = aloop_signals_open(&self->signals);
 *     if (error == 0)
 *         error = aloop_signals_add(&self->signals, SIGHUP);
 *     if (error == 0)
 *         error = aloop_signals_add(&self->signals, SIGTERM);
 *     if (error < 0)
 *         ALOOP_RETURN(error);
 *     for (;;) {
 *         ALOOP_TRY(aloop_signals_next(&self->signals));
 *         if (self->result == SIGTERM)
 *             break;
 *         reload();
 *     }
 *
 * It lives by value in the frame of the coroutine that opens it, all zero before that, and must not
 * be copied. When the coroutine ends, however it does, it is closed. The members are the library's.
 */
typedef struct aloop_signals {
    aloop_hold hold;
    aloop_link watched;
    aloop_link arrived;
    aloop_waitlist waiters;
} aloop_signals;

/* Opens an empty one for the coroutine that runs. Returns 0; -EBUSY if it is open; -EPERM outside
   of a coroutine. */
ALOOP_API ALOOP_CHECKED int aloop_signals_open(aloop_signals *signals);

/* Watches the signal from now on; nothing if it does already. Returns 0; -EINVAL if the set is not
   open; the errors above. */
ALOOP_API ALOOP_CHECKED int aloop_signals_add(aloop_signals *signals, int signal_number);

/*
 * Awaits the next: the outcome is its number. What came while nobody awaited is not lost; the
 * signal that came first is given first, and each once, however often it came meanwhile. -EINVAL if
 * the set is not open; -EPERM in another task than the one that opened it.
 */
ALOOP_API aloop_op aloop_signals_next(aloop_signals *signals);

/* Ends it before the coroutine does; if that awaits the next, the outcome is -EINVAL. Nothing if it
   is not open. */
ALOOP_API void aloop_signals_close(aloop_signals *signals);

#ifdef __cplusplus
}
#endif

#endif
