/*
 * Threads that run jobs for a loop, and the operation that awaits one. What is asked of a thread is
 * described by a job_class; its operations are made by job_op().
 */
#ifndef ALOOP_SRC_OS_EXECUTOR_H
#define ALOOP_SRC_OS_EXECUTOR_H

#include "task/internal.h"

enum job_state { JOB_QUEUED, JOB_RUNNING };

struct job;

/*
 * A kind of work. `run` is called in a thread that is not the loop's; everything else in the loop's
 * thread, save that `discard` of a job that outlived its loop is called in the job's.
 */
struct job_class {
    aloop_op_type type; /* first: an operation refers to its class by this */
    int lane;           /* EXECUTOR_JOBS and so on */
    int64_t (*run)(struct job *job);
    /* How many bytes job->block has, and what they begin with; both NULL: none. */
    size_t (*block_size)(const aloop_op *op);
    void (*fill)(struct job *job);
    /* The outcome goes to who awaits: may write to his memory. NULL: job->result it is. */
    int64_t (*deliver)(struct job *job);
    /* It goes to nobody: gives back what `run` has made. NULL: nothing. */
    void (*discard)(struct job *job);
    /* Adds what it is about, a path or the like, for aloop_dump(). NULL: nothing. */
    void (*subject)(const aloop_op_arg arg[4], aloop_op_details *details);
    /* It will never begin: what has to be done all the same. NULL: nothing. */
    void (*never)(const aloop_op_arg arg[4]);
};

struct job {
    struct list link;   /* in executor->queue; under the lock */
    struct list of_all; /* in executor->jobs, until the loop's thread has seen it end */
    struct job *next;   /* in executor->ended */
    const struct job_class *class;
    struct executor *executor;
    aloop_waiter *waiter; /* of the operation; NULL: its outcome is wanted by nobody */
    aloop_op_arg arg[4];  /* the operation's */
    int64_t result;
    size_t size; /* of all of it */
    atomic_int state;
    bool is_done; /* the loop's thread has seen it end */
    bool is_lost; /* it runs in the process that this one was forked from: no outcome */
    max_align_t block[];
};

struct worker;

struct executor {
    aloop *loop;
    struct lock lock;
    /* Under the lock. */
    struct list queue;
    size_t queued;
    unsigned asleep; /* workers that wait for a job */
    bool is_waking;  /* one of them has been told to get up, and has not yet */
    bool is_awaited; /* the loop's thread waits for a job to end */
    bool is_ending;  /* no job is begun any more */
    /* Any thread. */
    atomic_uint free; /* workers without a job, those that are starting included */
    _Atomic(struct job *) ended; /* newest first; a mark when the loop is closed */
    atomic_bool is_posted;       /* `completion` is on its way */
    struct post completion;
    atomic_uint references; /* the loop's, and those of threads that outlive it */
    /* The loop's thread. */
    struct list jobs;
    struct list workers;
    unsigned worker_count;
    unsigned lane;
    size_t room;            /* jobs that may be submitted before somebody has to wait */
    aloop_waitlist waiters; /* operations that wait for room; nobody waits while there is some */
    uint64_t fork_generation;
};

/* The loop's executor of that lane, made if there is none; NULL: no memory. */
struct executor *executor_of(aloop *loop, int lane);
/* How many jobs wait for a thread, and how many threads have one, roughly: they go on meanwhile. */
void executor_count(struct executor *executor, size_t *out_queued, size_t *out_running);
/* Puts a job to the queue, and sees to it that somebody takes it. 0; -EAGAIN, -ENOMEM if there is
   no thread and none could be made: the job is as it was. */
int executor_submit(struct executor *executor, struct job *job);
/* Takes back a job that no thread has begun; false if one has. */
bool executor_take_back(struct executor *executor, struct job *job);
/* Sees to the jobs that have ended: wakes who awaits them. */
void executor_collect(struct executor *executor);
/* Waits in the closing of the loop for a job that runs, at most until the loop's deadline for that:
   false if it still runs then. */
bool executor_wait(struct executor *executor, const struct job *job);
/* Nobody wants the outcome of a job that runs: from now on it is left to itself. */
void executor_abandon(struct executor *executor, struct job *job);
/* Frees a job that is in no list. */
void job_free(struct job *job);

/* --- job.c --- */
/* An operation that does `class` with its arguments. */
aloop_op job_op(const struct job_class *class, aloop_op_arg first, aloop_op_arg second,
                aloop_op_arg third, aloop_op_arg fourth);
/* How it begins, where something else is to be tried first. */
aloop_poll job_begin(aloop_task *task, aloop_op *op);
/* An operation has waited for room longest, and there is some. */
void job_got_room(struct executor *executor, aloop_waiter *waiter);
/* For job_class.type, of a job that uses the caller's memory: what has begun is waited for ... */
void job_interrupt(aloop_task *task, aloop_op *op);
void job_drop(aloop_task *task, aloop_op *op);
/* ... and of one that does not, which has no `interrupt`: it is left to itself. */
void job_drop_abandoning(aloop_task *task, aloop_op *op);
/* For all: where it is, and what it is about. */
void job_describe(const aloop_task *task, const aloop_op *op, aloop_op_details *details);

#endif
