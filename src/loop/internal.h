/*
 * A loop from the inside: shared by the files of this layer, and read by the layers above, which
 * find here what they keep per loop.
 */
#ifndef ALOOP_SRC_LOOP_INTERNAL_H
#define ALOOP_SRC_LOOP_INTERNAL_H

#include "base/compiler.h"
#include "base/timers.h"
#include "base/histogram.h"
#include "base/list.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/pool.h"
#include "base/slots.h"
#include "base/time_math.h"
#include "loop/ready.h"
#include "poller/poller.h"
#include "sys/lock.h"
#include "sys/sys.h"

#include <aloop/loop.h>
#include <aloop/waitlist.h>
#include <stdatomic.h>

/* What a due timer node is part of: the index into aloop.on_due. */
enum timer_kind {
    TIMER_KIND_CALLBACK, /* aloop_call_later() and its kin */
    TIMER_KIND_TASK,     /* the deadline of a task's await */
    TIMER_KIND_SCOPE,    /* the deadline of a task's cancel scope */
    TIMER_KIND_STREAM,   /* of a stream that is idle, or is being closed */
    TIMER_KIND_COUNT
};

/* What the layer of tasks gives the loop when the first future is made: the loop never looks up. */
struct upper_layer {
    void (*on_close)(aloop *loop);
    size_t (*walk)(aloop *loop, void (*visit)(const aloop_alive *alive, void *arg), void *arg);
    /* Is the entry a step of a task? */
    bool (*is_step)(const struct ready_entry *entry);
    /* The task that the entry is a step of, with a reference; NULL if it is none. */
    struct aloop_task *(*hold_task)(const struct ready_entry *entry);
    bool (*is_done)(const struct aloop_task *task);
    void (*release_task)(struct aloop_task *task);
    const char *(*task_name)(const struct aloop_task *task);
    /* Debug mode: around a step of a task that is held, and when all is closed. */
    void (*before_step)(struct aloop_task *task);
    void (*after_step)(struct aloop_task *task);
    void (*report_leaks)(aloop *loop);
    /* Fills in name, file and line if the entry is a step of a task; for reports of slow ones. */
    void (*describe)(const struct ready_entry *entry, aloop_exception_context *context);
};

/* Something of a layer above that ends with the loop: after its tasks, before its watches. */
struct dependent {
    struct list link; /* in loop->dependents */
    void (*on_close)(aloop *loop, struct dependent *dependent);
    /* In the child of a fork, before the watches are registered: gives it fds of its own. 0, or an
       error, after which it is called again. NULL: there is nothing to do. */
    int (*after_fork)(aloop *loop, struct dependent *dependent);
};

/* The same for what has threads: set when the first executor is made. */
struct thread_layer {
    void (*on_close)(aloop *loop);
    /* In the child of a fork, where those threads are not. */
    void (*after_fork)(aloop *loop);
};

enum {
    EXECUTOR_JOBS,  /* aloop_to_thread(): as long as the program likes */
    EXECUTOR_NAMES, /* the resolver, which may be stuck for minutes */
    EXECUTOR_FILES, /* as long as the disk takes */
    EXECUTOR_COUNT
};

/* Calls from other threads, oldest first. */
struct post_entry {
    aloop_callback *run; /* NULL: arg is an aloop_threadsafe_call, which knows it */
    void *arg;
};

struct post_block {
    struct post_block *next;
    unsigned count;
    bool is_kept; /* it is a struct post */
};

/* A call from another thread whose memory is that of who posts it, who may post it again when it
   runs. */
struct post {
    struct post_block block;
    aloop_callback *run;
    void *arg;
    aloop_callback *dropped; /* called if the loop is closed first; may be NULL */
};

/* What other threads write to all the time is kept away from what the loop reads all the time. */
#define CACHE_LINE 64

struct executor;
struct processes;
struct signals;
struct streams;
struct watch;

struct aloop {
    /* What every turn touches. */
    struct ready ready;
    aloop_ns now;
    uint64_t polled_at; /* the entry of the ready queue that stood first at the last poll ... */
    uint64_t poll_due;  /* ... and the one before which no other is due, though more are ready */
    aloop_ns polled_time;
    uint64_t turn_end;  /* the first entry that is not of this turn; 0: each is run by itself */
    bool runs_on;       /* turn after turn, as long as no poll is due */
    bool is_stopping;
    bool is_leaving; /* stopping, or the way in which turns run is to be chosen anew */
    bool is_running;
    bool is_closed;
    bool has_checks; /* closed, debug or forked: the entry points look closer */
    bool is_debug;
    bool has_observers; /* instruments, or tracers that watch the probes */
    bool is_observed;   /* turns run with a look at each callback: see observe.h */
    bool is_virtual;
    bool is_boottime;
    int expected_from_outside; /* with the virtual clock: what keeps time from jumping */

    /* Of the layer of tasks. */
    struct aloop_task *current_task;
    struct list tasks;
    uint64_t tasks_created;
    uint64_t tasks_ended;
    size_t task_places; /* in the ready queue, reserved for tasks to come */
    struct list composites; /* gathers and shields that are not settled */
    bool is_shutting_down;
    bool looks_at_new_tasks; /* shutting down, debug, or somebody observes */
    uint64_t cancel_chain; /* numbers the chains of tasks that requests to cancel have followed */
    int budget; /* completions that the running task has left in this step */
    unsigned calls_nested; /* coroutines that run inside the await of their callers */
    const struct upper_layer *upper;
    uint32_t last_task_number;
    struct map notes; /* by a task's number: what there is to say of it */
    uint64_t random; /* state of the order of task steps; 0: as they were queued */

    struct pool pool;
    struct timers timers;
    void (*on_due[TIMER_KIND_COUNT])(aloop *loop, struct timer *node);

    struct poller *poller;
    struct slots handles; /* struct callback_slot: timers, readers, writers */
    struct slots watches; /* struct watch */
    struct watch **fds;   /* by fd number; NULL where nothing is watched */
    size_t fd_capacity;
    struct list always_ready; /* watches of fds that the kernel does not poll */
    aloop_ns busy_poll;
    aloop_ns slow_callback;

    /* Accepting pauses while the process is out of fds. */
    aloop_ns accept_pause;  /* until then; 0: it does not */
    aloop_ns accept_report; /* nobody is told again before */
    aloop_waitlist paused_accepts;

    struct streams *streams; /* NULL before the first, and when the loop is closed */
    struct signals *signals; /* the same */
    struct processes *processes;
    struct list dependents;

    /* Calls from other threads. */
    struct post_block *inbox; /* collected, about to run */
    int wake_fds[2];
    struct lock lock; /* guards the wake fd against closing, and the end of cancellable posts */
    struct {
        char apart_from_above[CACHE_LINE];
        /* Under the lock. */
        struct post_block *first; /* to be collected; NULL: none */
        struct post_block *last;
        struct post_block *spare;
        unsigned spare_count;
        bool is_closed;
        atomic_bool is_empty;    /* written under the lock */
        atomic_bool is_attended; /* written by the loop: it will look before it sleeps */
        struct lock lock;
        char apart_from_below[CACHE_LINE];
    } posts;

    /* Work for other threads. */
    struct executor *executors[EXECUTOR_COUNT]; /* NULL until there is some */
    const struct thread_layer *threads;
    unsigned thread_limit;       /* of EXECUTOR_JOBS */
    aloop_ns thread_patience;    /* how long the end of the loop waits for a job */
    aloop_ns thread_deadline;    /* of the closing that is on; 0: of none */

    /* What is counted; see <aloop/metrics.h>. */
    int64_t run_correction; /* callbacks that ran, less entries of the ready queue that did */
    uint64_t turns;
    uint64_t polls;
    uint64_t events;
    uint64_t posts_collected;
    struct histogram lag;
    struct durations *durations; /* NULL: never measured */
    bool measures_durations;

    struct list observers; /* those whose instruments are told */
    uint64_t observed_to;  /* the number of the first entry that they have not been told of */

    aloop_exception_handler *exception_handler;
    void *exception_arg;
    _Atomic(uintptr_t) thread; /* that runs the loop, 0 if none does */
    uint64_t fork_generation;

    atomic_size_t references; /* the program's */
    atomic_size_t memory_references;
    size_t objects; /* futures and tasks whose memory is the loop's */
    aloop_poller_kind poller_kind;
    struct memory memory;
};

/* The id of the wake-up fd: slots never give this number. */
#define WAKE_ID 0

/* Checks for entry points, when has_checks is set: 0, -ALOOP_ECLOSED, -ALOOP_EWRONGTHREAD. */
int loop_check(const aloop *loop);

static inline int loop_guard(const aloop *loop)
{
    return ALOOP_LIKELY(!loop->has_checks) ? 0 : loop_check(loop);
}

/* Was the process forked since the loop got its file descriptors? */
static inline bool loop_is_forked(const aloop *loop)
{
    return loop->fork_generation != sys.fork_generation();
}

/* An object in the loop's memory comes and goes: the memory stays while there is one. */
void loop_objects_began(aloop *loop);
void loop_objects_ended(aloop *loop);

static inline void loop_object_added(aloop *loop)
{
    if (loop->objects++ == 0)
        loop_objects_began(loop);
}

static inline void loop_object_removed(aloop *loop)
{
    if (--loop->objects == 0)
        loop_objects_ended(loop);
}

/* Marks the thread as running the loop; -EBUSY if it runs one. loop_leave() undoes it. */
int loop_enter(aloop *loop);
void loop_leave(aloop *loop);

/* The clock now, never before loop->now. */
aloop_ns loop_read_clock(const aloop *loop);

/* The loop's memory outlives the loop while somebody needs it. Any thread. */
void loop_memory_ref(aloop *loop);
void loop_memory_unref(aloop *loop);

/* Is there more to run before the next poll? */
static inline bool loop_may_put_off_poll(const aloop *loop)
{
    return loop->ready.head != loop->ready.tail && loop->ready.head < loop->poll_due;
}

/* The turn is through. True if the next one may follow without a poll: as nothing is collected in
   between, there is no seam, and it is what the queue holds now. */
static inline bool loop_begin_next_turn(aloop *loop)
{
    if (!loop->runs_on || !loop_may_put_off_poll(loop))
        return false;
    loop->turns++;
    loop->turn_end = loop->ready.tail;
    return true;
}

/* Turns end with the one that runs. A poll is due at once, so that they need not look at two
   things. */
static inline void loop_leave_turns(aloop *loop)
{
    loop->is_leaving = true;
    loop->poll_due = 0;
}

/* Polls and collects. An error of the poller, or what is not less than 0. */
int loop_poll(aloop *loop, aloop_ns max_wait);
/* How many callbacks have run in the loop's life, give or take the same number. */
static inline int64_t loop_callbacks_run(const aloop *loop)
{
    return (int64_t)(loop->ready.head - READY_FIRST) + loop->run_correction;
}

static inline size_t loop_task_count(const aloop *loop)
{
    return (size_t)(loop->tasks_created - loop->tasks_ended);
}

/* Whether somebody observes may have changed: turns run accordingly from the next one on. */
void loop_choose_run(aloop *loop);

/* The end of a run in which the program dropped its last reference. */
void loop_end_if_unreferenced(aloop *loop);

/* exception.c */
/* Prints a trace, with what its lines ended with where that is not `error`; `file` is a FILE *. */
void trace_print(const aloop_trace_line *lines, size_t count, size_t more, int64_t error,
                 void *file);

/* callback.c */
void callbacks_open(aloop *loop);
void callbacks_close(aloop *loop);
/* The program's callback behind an entry of the ready queue; NULL if it will not run. */
aloop_callback *callback_of_entry(const struct ready_entry *entry);
size_t callbacks_walk(aloop *loop, void (*visit)(const aloop_alive *alive, void *arg), void *arg);

/* post.c */
/* The locks, which a closed loop has too: until its memory goes. 0 or a negative errno. */
int posts_init(aloop *loop);
void posts_fini(aloop *loop);
int posts_open(aloop *loop);
void posts_collect(aloop *loop);
void posts_close(aloop *loop);
/* Posts a call whose memory stays the caller's, who fills in all but the block. Allocates nothing:
   0, -ALOOP_ECLOSED, -ECHILD. Any thread. */
int posts_push(aloop *loop, struct post *item);
/* In the child of a fork: a thread that is not here may have held a lock. */
void posts_forget_locks(aloop *loop);
bool posts_are_pending(const aloop *loop);
/* From now on the loop looks for posts by itself, and need not be woken. */
void posts_attend(aloop *loop);
/* From now on a post wakes the loop; false if there is one that did not. */
bool posts_leave(aloop *loop);
/* The same where a run ends: who watches the loop's fd is to find what did not wake it. */
void posts_leave_run(aloop *loop);
/* Is the entry the one that runs the calls from other threads? */
bool posts_own_entry(const struct ready_entry *entry);
size_t posts_walk(aloop *loop, void (*visit)(const aloop_alive *alive, void *arg), void *arg);

#endif
