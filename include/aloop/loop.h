/*
 * The loop: callbacks, timers, file descriptors, calls from other threads. This layer is complete
 * by itself: a program that wants no coroutines needs nothing else.
 *
 * Unless a comment says otherwise, a call is for the thread that runs the loop (or, while it does
 * not run, for the one that is about to), and may be made from inside a callback. Three promises
 * hold for every callback:
 *   - if the call that registers it returned an error, the callback never runs;
 *   - if it succeeded, the callback runs, unless it is cancelled or the loop is closed first;
 *   - it never runs from inside the call that registered it.
 */
#ifndef ALOOP_LOOP_H
#define ALOOP_LOOP_H

#include <aloop/base.h>
#include <aloop/poller_kind.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A future or a task; see <aloop/future.h>. */
typedef struct aloop_future aloop_future;

/* What the loop calls: the loop, and what was given at registration. */
typedef void aloop_callback(aloop *loop, void *arg);

/*
 * Names a scheduled callback: positive. A handle holds no memory and need not be released; one
 * whose callback has run, was cancelled, or whose loop was closed names nothing, and using it is
 * harmless. Negative: the error for which nothing was scheduled. (asyncio: Handle, TimerHandle.)
 */
typedef int64_t aloop_handle;

typedef enum aloop_clock {
    /* Stands still while the machine is suspended. */
    ALOOP_CLOCK_MONOTONIC = 0,
    /* Goes on while the machine is suspended, where the system can tell; after a resume all timers
       that came due fire once. */
    ALOOP_CLOCK_BOOTTIME = 1,
    /* Starts at 0 and stands still, save that when nothing is ready it jumps to the next deadline:
       an hour of timeouts takes microseconds, and goes the same way each time. File descriptors are
       polled without waiting. With nothing ready and no timer left, running ends with -EDEADLK. */
    ALOOP_CLOCK_VIRTUAL = 2
} aloop_clock;

/*
 * How a loop is made. Begin with ALOOP_OPTIONS_INIT and set what should differ; new members will be
 * added at the end.
 */
typedef struct aloop_options {
    size_t size; /* of this struct as the program was compiled with it */
    aloop_poller_kind poller;
    aloop_clock clock;
    aloop_allocator allocator;
    /* Poll for so long without sleeping before the loop blocks: lower latency for a few
       connections and for calls from other threads, which then need not wake the loop, at the
       price of a busy core. 0, the default: never. */
    aloop_ns busy_poll;
    /*
     * Debug mode, which the environment turns on as well: ALOOP_DEBUG=1. Calls from the wrong
     * thread and joins in a circle are refused. Reported to the exception handler are callbacks and
     * steps of tasks that take long; tasks that go on for ten seconds after they were cancelled;
     * and, by aloop_close(), tasks that are still referred to, with the place that their maker was
     * at. Dumps say for how long each task has waited, and who holds each lock. The stack is
     * overwritten before each step, so that a local that was expected to survive an await does not.
     * asyncio: debug mode, PYTHONASYNCIODEBUG.
     */
    bool debug;
    /* Debug: report callbacks and task steps that take at least this long. 0: 100 ms. asyncio:
       slow_callback_duration. */
    aloop_ns slow_callback;
    /* For tests: run the steps of different tasks that are due in the same turn in an order that
       this number determines, instead of the order they were woken in; callbacks keep theirs. 0,
       the default: not. */
    uint64_t seed;
} aloop_options;

/* clang-format off */
#define ALOOP_OPTIONS_INIT { .size = sizeof(aloop_options) }
/* clang-format on */

/*
 * Makes a loop; options NULL: the defaults. *out_loop is set only on success, and is the caller's
 * (returns owned): give it back with aloop_unref(), which closes it too. asyncio: new_event_loop().
 * Returns 0; -EINVAL (an option is out of range), -ENOTSUP (this system does not have that poller),
 * -ENOMEM, -EMFILE, -ENFILE. May be called from any thread.
 */
ALOOP_API ALOOP_CHECKED int aloop_new(const aloop_options *options, aloop **out_loop);

/*
 * Another reference, for another thread that calls aloop_call_soon_threadsafe(): as long as one is
 * held the loop's memory stays, and such a call on a closed loop is an error instead of a crash.
 * Returns loop. Any thread.
 */
ALOOP_API aloop *aloop_ref(aloop *loop);

/*
 * Drops a reference; the last one closes the loop, if that has not been done, and frees it. NULL is
 * nothing. Any thread; the last one, if the loop is still open, by its own thread only. Inside a
 * callback of a loop that runs, the last one stops it, and the loop is closed and freed when the
 * run returns.
 */
ALOOP_API void aloop_unref(aloop *loop);

/*
 * Closes: cancels every callback, drops tasks where they stand (their frames' cleanup functions
 * run, their ALOOP_FINALLY does not: that is what aloop_shutdown() is for), closes the library's
 * sockets and the loop's own file descriptors. Futures that the program still holds stay readable;
 * their callbacks do not run. What was alive can be listed before with aloop_walk(). Closing twice
 * is harmless. Returns 0, or -EBUSY while the loop runs. asyncio: loop.close().
 */
ALOOP_API int aloop_close(aloop *loop);

/* asyncio: loop.is_closed(), loop.is_running(). */
ALOOP_API bool aloop_is_closed(const aloop *loop);
ALOOP_API bool aloop_is_running(const aloop *loop);

/*
 * Runs until aloop_stop(). If that was called before, runs one turn without waiting. asyncio:
 * loop.run_forever(). Returns 0 when stopped; -EBUSY if this loop, or another one in this thread,
 * runs already; -ALOOP_ECLOSED; -ECHILD in a fork()ed child before aloop_after_fork(); -EDEADLK
 * with the virtual clock when nothing can ever happen; or the error of a poller that has stopped
 * working. After an error nothing scheduled is lost, and the loop can be run again or closed.
 */
ALOOP_API ALOOP_CHECKED int aloop_run_forever(aloop *loop);

/*
 * One turn: waits at most `timeout` (0: not at all; ALOOP_NEVER: until something happens), and runs
 * what is ready. Returns the number of callbacks that ran, 0 if none, or an error as
 * aloop_run_forever().
 */
ALOOP_API ALOOP_CHECKED int aloop_run_once(aloop *loop, aloop_ns timeout);

/*
 * Makes the run end after the turn it is in: all that is in it still runs; what that schedules
 * stays for the next run. If the loop does not run, the next run will be a single turn. To stop
 * from another thread, post a callback that calls this. asyncio: loop.stop().
 */
ALOOP_API void aloop_stop(aloop *loop);

/*
 * The loop that runs in this thread, NULL if none does. asyncio: get_running_loop(). Any thread.
 */
ALOOP_API aloop *aloop_get_running_loop(void);

/*
 * The loop's time: read from its clock once each time it polls, so it costs nothing and stays the
 * same within a turn. Delays count from it. asyncio: loop.time().
 */
ALOOP_API aloop_ns aloop_time(const aloop *loop);

/* Reads the clock now: for a callback that computed for long before it sets a delay. Returns the
   time. */
ALOOP_API aloop_ns aloop_update_time(aloop *loop);

/*
 * Runs callback(loop, arg) in the next turn, after everything scheduled before it. asyncio:
 * call_soon(). Returns its handle; -ENOMEM, -ALOOP_ECLOSED, -ALOOP_EWRONGTHREAD (debug).
 */
ALOOP_API ALOOP_CHECKED aloop_handle aloop_call_soon(aloop *loop, aloop_callback *callback,
                                                     void *arg);

/*
 * Runs callback(loop, arg) once `delay` has passed from aloop_time(), never earlier; a delay of
 * zero or less comes due in the next turn. Equal deadlines run in the order they were set. asyncio:
 * call_later(). Returns and errors as aloop_call_soon().
 */
ALOOP_API ALOOP_CHECKED aloop_handle aloop_call_later(aloop *loop, aloop_ns delay,
                                                      aloop_callback *callback, void *arg);

/* The same with a point in time. ALOOP_NEVER: not before it is rescheduled. asyncio: call_at(). */
ALOOP_API ALOOP_CHECKED aloop_handle aloop_call_at(aloop *loop, aloop_ns when,
                                                   aloop_callback *callback, void *arg);

/*
 * A timer that stays: not armed at first; each aloop_reschedule() arms it for one run, before or
 * after it fired, with the same handle, until it is cancelled. For timeouts that are pushed back
 * all the time: moving a deadline back is one store. Returns and errors as aloop_call_soon().
 */
ALOOP_API ALOOP_CHECKED aloop_handle aloop_create_timer(aloop *loop, aloop_callback *callback,
                                                        void *arg);

/*
 * Gives a timer another point in time, earlier or later. A timer of aloop_call_later() can be
 * rescheduled before it fires and inside its callback; one of aloop_create_timer() always.
 * Allocates nothing. Returns 0, or -ENOENT if the handle names no timer (any more). No counterpart
 * in asyncio but Timeout.reschedule().
 */
ALOOP_API int aloop_reschedule(aloop *loop, aloop_handle timer, aloop_ns when);

/* The same with a delay from aloop_time(). */
ALOOP_API int aloop_reschedule_later(aloop *loop, aloop_handle timer, aloop_ns delay);

/* The timer's point in time, ALOOP_NEVER if it is not armed, -ENOENT if there is none. asyncio:
   when(). */
ALOOP_API aloop_ns aloop_when(const aloop *loop, aloop_handle timer);

/*
 * Cancels a callback of any kind. True if it was scheduled and will not run now; false, and nothing
 * happens, if the handle names nothing (any more). asyncio: Handle.cancel().
 */
ALOOP_API bool aloop_cancel(aloop *loop, aloop_handle handle);

/*
 * Calls callback(loop, arg) in each turn in which `fd` can be read (or has hung up, or has an
 * error: the read then says so). The fd stays the caller's (borrows), who removes the reader before
 * closing it. A reader that was there is replaced. A regular file, which the system cannot poll, is
 * always ready. asyncio: add_reader(). Returns a handle for aloop_cancel(); -EBADF, -ENOMEM, -EBUSY
 * (the fd belongs to one of the library's sockets), -ENOSPC, -ALOOP_ECLOSED, -ECHILD,
 * -ALOOP_EWRONGTHREAD (debug).
 */
ALOOP_API ALOOP_CHECKED aloop_handle aloop_add_reader(aloop *loop, int fd, aloop_callback *callback,
                                                      void *arg);
/* The same for writing. */
ALOOP_API ALOOP_CHECKED aloop_handle aloop_add_writer(aloop *loop, int fd, aloop_callback *callback,
                                                      void *arg);
/* True if there was one; false, also on a closed loop, if not. asyncio: remove_reader(),
   remove_writer(). */
ALOOP_API bool aloop_remove_reader(aloop *loop, int fd);
ALOOP_API bool aloop_remove_writer(aloop *loop, int fd);

/*
 * A reader or writer that is not called until it is resumed, whatever happens to its fd, and misses
 * nothing: what is ready by then, and still is, it is told of. Neither call asks the system for
 * anything, unless something arrived in between; so a connection that may take no more requests for
 * a moment is better paused than removed and added again, which costs two system calls. The
 * registration stays, and the fd must not be closed before that is removed. Pausing what is paused,
 * and resuming what is not, changes nothing. asyncio: pause_reading(), resume_reading(). Return 0,
 * or -ENOENT if the handle names no reader or writer (any more); resuming also the errors of
 * aloop_add_reader(), and then it stays paused.
 */
ALOOP_API int aloop_pause(aloop *loop, aloop_handle handle);
ALOOP_API ALOOP_CHECKED int aloop_resume(aloop *loop, aloop_handle handle);

/*
 * Runs callback(loop, arg) in the loop's thread, soon; wakes the loop if it waits. Calls of one
 * thread run in the order they were made; none is merged with another or lost. Any thread (but not
 * from a signal handler). asyncio: call_soon_threadsafe(). Returns 0; -ENOMEM, -ALOOP_ECLOSED,
 * -ECHILD.
 */
ALOOP_API ALOOP_CHECKED int aloop_call_soon_threadsafe(aloop *loop, aloop_callback *callback,
                                                       void *arg);

/* A call from another thread that can be cancelled. */
typedef struct aloop_threadsafe_call aloop_threadsafe_call;

/*
 * The same, and *out_call (returns owned) lets any thread cancel it; give it back with
 * aloop_threadsafe_call_unref(). Any thread. Returns and errors as aloop_call_soon_threadsafe().
 */
ALOOP_API ALOOP_CHECKED int aloop_call_soon_threadsafe_cancellable(
    aloop *loop, aloop_callback *callback, void *arg, aloop_threadsafe_call **out_call);

/*
 * True: the callback has not run and will not. False: it has run, or was cancelled before. If it
 * runs at this moment in another thread, waits until it is over, so that afterwards its argument
 * may be freed; from inside the callback itself it returns false at once. Any thread.
 */
ALOOP_API bool aloop_threadsafe_call_cancel(aloop_threadsafe_call *call);
/* Drops the reference; the call itself goes on. NULL is nothing. Any thread. */
ALOOP_API void aloop_threadsafe_call_unref(aloop_threadsafe_call *call);

/* A place that an error came through; see <aloop/debug.h>. */
typedef struct aloop_trace_line {
    const char *name; /* of the coroutine */
    const char *file;
    int line;
    unsigned task; /* the number of the task it ran on, aloop_task_number(), and that one's name */
    const char *task_name;
    int64_t error; /* what it ended with */
} aloop_trace_line;

/*
 * Why something is reported to the exception handler. `message` says it in words, for a log; the
 * rest is zero where it does not apply. Valid during the call of the handler only.
 */
typedef struct aloop_exception_context {
    const char *message;  /* "task exception was never retrieved" */
    int64_t error;        /* the negative error */
    aloop_future *future; /* the future or task it is about, NULL if it is none */
    const char *name;     /* its coroutine's name */
    const char *file;     /* where it was waiting, or had ended */
    int line;
    aloop_callback *callback; /* of a slow callback */
    aloop_ns duration;
    const aloop_trace_line *trace; /* where a task's error came from, the innermost first ... */
    size_t trace_count;
    size_t trace_more; /* ... and how many more lines there were */
} aloop_exception_context;

typedef void aloop_exception_handler(aloop *loop, const aloop_exception_context *context,
                                     void *arg);

/*
 * Who is told of errors that nobody else hears of. NULL, the default: nobody; the library never
 * prints by itself. asyncio: set_exception_handler().
 */
ALOOP_API void aloop_set_exception_handler(aloop *loop, aloop_exception_handler *handler,
                                           void *arg);

/* A handler that prints one line: set it as the handler, with a FILE * as arg. asyncio's
   default. */
ALOOP_API void aloop_print_exception(aloop *loop, const aloop_exception_context *context,
                                     void *file);

/* Reports to the handler: for code that has an error and nobody to give it to. asyncio:
   call_exception_handler(). */
ALOOP_API void aloop_call_exception_handler(aloop *loop, const aloop_exception_context *context);

/*
 * Running inside another loop (GLib, Qt, a game's frame loop, poll by hand). Watch
 * aloop_backend_fd() for reading in the other loop; before it waits, call aloop_prepare() and wait
 * no longer than that says; then, whatever woke it, call aloop_dispatch().
 */

/* The fd that becomes readable when the loop has something to do; -ENOTSUP where the poller has
   none, -ALOOP_ECLOSED, -ECHILD in a fork()ed child whose loop has no poller. */
ALOOP_API int aloop_backend_fd(const aloop *loop);
/* How long there will be nothing to do but for the backend fd: 0 if something is ready now,
   ALOOP_NEVER if nothing is scheduled. Where many timers have their time close together it may say
   somewhat less, so that after it aloop_dispatch() finds nothing to do yet. */
ALOOP_API aloop_ns aloop_next_timeout(aloop *loop);
/* Refreshes the time and gives aloop_next_timeout(). 0, or an error as aloop_run_forever(). */
ALOOP_API ALOOP_CHECKED int aloop_prepare(aloop *loop, aloop_ns *out_timeout);
/* One turn that does not wait: the same as aloop_run_once(loop, 0). */
ALOOP_API ALOOP_CHECKED int aloop_dispatch(aloop *loop);

/*
 * In the child of a fork(): gives the loop file descriptors of its own, with everything that was
 * registered. Until then all calls that would touch what it shares with the parent give -ECHILD.
 * Callbacks and timers stay scheduled; calls from other threads that have not run are the parent's.
 * In a process that was not forked since, nothing happens. Returns 0, -ALOOP_ECLOSED, or an error
 * of aloop_new(): all is then as before, and the call can be made again.
 */
ALOOP_API ALOOP_CHECKED int aloop_after_fork(aloop *loop);

/* Something that lives in a loop. */
typedef enum aloop_alive_kind {
    ALOOP_ALIVE_CALLBACK = 1,
    ALOOP_ALIVE_TIMER,
    ALOOP_ALIVE_READER,
    ALOOP_ALIVE_WRITER,
    ALOOP_ALIVE_SOCKET,
    ALOOP_ALIVE_TASK
} aloop_alive_kind;

typedef struct aloop_alive {
    aloop_alive_kind kind;
    const char *name; /* a task's coroutine, else NULL */
    const char *file; /* where a task waits, else NULL */
    int line;
    int fd;                   /* of a reader, writer or socket, else -1 */
    aloop_ns deadline;        /* of a timer, else ALOOP_NEVER */
    aloop_callback *callback; /* else NULL */
    void *arg;
} aloop_alive;

/*
 * Calls visit(alive, arg) for everything that is alive in the loop (why does it not end? what would
 * closing throw away?). visit must not change the loop. Returns how many there were.
 */
ALOOP_API size_t aloop_walk(aloop *loop, void (*visit)(const aloop_alive *alive, void *arg),
                            void *arg);

#ifdef __cplusplus
}
#endif

#endif
