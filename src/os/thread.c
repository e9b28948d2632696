/*
 * Functions of the program, called in a thread.
 */
#include "os/executor.h"

#include <aloop/thread.h>

/* arg. A function is no object, so it travels as a number. */
enum { RUN, ARGUMENT, SIZE, DISCARD };

static int64_t call_run(const struct job *job, void *argument)
{
    aloop_job *run = (aloop_job *)(intptr_t)job->arg[RUN].number;

    return run(argument);
}

/* --- with the caller's argument --- */

static int64_t plain_run(struct job *job)
{
    return call_run(job, job->arg[ARGUMENT].pointer);
}

static const struct job_class plain_class = {
    .type = {.name = "to_thread",
             .interrupt = job_interrupt,
             .drop = job_drop,
             .describe = job_describe},
    .lane = EXECUTOR_JOBS,
    .run = plain_run};

aloop_op aloop_to_thread(aloop_job *job, void *arg)
{
    return job_op(&plain_class, (aloop_op_arg){.number = (intptr_t)job},
                  (aloop_op_arg){.pointer = arg}, (aloop_op_arg){.size = 0},
                  (aloop_op_arg){.number = 0});
}

/* --- with a copy --- */

static size_t copy_size(const aloop_op *op)
{
    return op->arg[SIZE].size;
}

static void copy_fill(struct job *job)
{
    if (job->arg[SIZE].size > 0)
        memcpy(job->block, job->arg[ARGUMENT].pointer, job->arg[SIZE].size);
}

static int64_t copy_run(struct job *job)
{
    return call_run(job, job->block);
}

static int64_t copy_deliver(struct job *job)
{
    if (job->arg[SIZE].size > 0)
        memcpy(job->arg[ARGUMENT].pointer, job->block, job->arg[SIZE].size);
    return job->result;
}

static void copy_discard(struct job *job)
{
    aloop_discard *discard = (aloop_discard *)(intptr_t)job->arg[DISCARD].number;

    if (discard != NULL)
        discard(job->block, job->result);
}

static const struct job_class copy_class = {
    .type = {.name = "to_thread_abandonable",
             .drop = job_drop_abandoning,
             .describe = job_describe},
    .lane = EXECUTOR_JOBS,
    .run = copy_run,
    .block_size = copy_size,
    .fill = copy_fill,
    .deliver = copy_deliver,
    .discard = copy_discard};

aloop_op aloop_to_thread_abandonable(aloop_job *job, void *arg, size_t size, aloop_discard *discard)
{
    return job_op(&copy_class, (aloop_op_arg){.number = (intptr_t)job},
                  (aloop_op_arg){.pointer = arg}, (aloop_op_arg){.size = size},
                  (aloop_op_arg){.number = (intptr_t)discard});
}

/* --- how many, how long --- */

int aloop_set_thread_limit(aloop *loop, unsigned limit)
{
    if (limit == 0)
        return -EINVAL;
    loop->thread_limit = limit;
    return 0;
}

int aloop_set_thread_patience(aloop *loop, aloop_ns patience)
{
    if (patience < 0)
        return -EINVAL;
    loop->thread_patience = patience;
    return 0;
}
