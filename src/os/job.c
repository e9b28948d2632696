/*
 * The operation that awaits a job. Its first argument becomes the job once there is one; before
 * that, while there is no room for more, it waits in the executor's list and holds nothing.
 *
 * Two ways to be cancelled. A job that uses the caller's memory, and has begun, is waited for: when
 * an await returns, nothing of the caller's is in use any more. One that has all it needs in its
 * own block is left to itself, and the await ends at once.
 */
#include "os/executor.h"

/* arg, once there is a job */
enum { JOB, STATE, DEADLINE };

/* arg[STATE] */
enum { CANCELLED = 1 };

static const struct job_class *class_of(const aloop_op *op)
{
    return CONTAINER_OF(op->type, struct job_class, type);
}

/* --- the end --- */

static void report_stuck(const aloop_task *task)
{
    const aloop_frame *frame = task->frame;
    aloop_exception_context context = {
        .message = "job in a thread did not end in time, and is left to itself",
        .error = -ETIMEDOUT,
        .future = aloop_task_future((aloop_task *)task),
        .name = frame->coro->name,
        .file = frame->coro->file,
        .line = frame->line > 0 ? frame->line : frame->coro->line};

    aloop_call_exception_handler(task->future.loop, &context);
}

static void forget(struct job *job)
{
    if (job->class->discard != NULL && !job->is_lost)
        job->class->discard(job);
    job_free(job);
}

/* The thread has had all the time there is. */
static bool is_given_up(const aloop_task *task, const aloop_op *op)
{
    return task->future.loop->now >= op->arg[DEADLINE].number;
}

static aloop_poll cancelled_poll(aloop_task *task, aloop_op *op)
{
    (void)task;
    (void)op;
    return -ECANCELED;
}

static aloop_poll job_poll(aloop_task *task, aloop_op *op)
{
    struct job *job = op->arg[JOB].pointer;
    int64_t outcome;

    if (!job->is_done) {
        if (!is_given_up(task, op))
            return ALOOP_PENDING;
        report_stuck(task);
        executor_abandon(job->executor, job);
        return -ECANCELED;
    }
    if (op->arg[STATE].number == CANCELLED) {
        forget(job);
        return -ECANCELED;
    }
    outcome = job->result;
    if (job->class->deliver != NULL && !job->is_lost)
        outcome = job->class->deliver(job);
    job_free(job);
    return outcome;
}

/* --- the beginning --- */

static struct job *job_new(struct executor *executor, const struct job_class *class, aloop_op *op)
{
    size_t block = class->block_size != NULL ? class->block_size(op) : 0;
    size_t size = offsetof(struct job, block) + block;
    struct job *job;

    if (size < block)
        return NULL;
    if (size < sizeof *job)
        size = sizeof *job;
    job = memory_alloc(&executor->loop->memory, size);
    if (job == NULL)
        return NULL;
    memset(job, 0, sizeof *job);
    list_init(&job->link);
    list_init(&job->of_all);
    job->class = class;
    job->executor = executor;
    job->waiter = &op->waiter;
    job->size = size;
    atomic_init(&job->state, JOB_QUEUED);
    memcpy(job->arg, op->arg, sizeof job->arg);
    if (class->fill != NULL)
        class->fill(job);
    return job;
}

/* Nobody will begin it. */
static void never(const struct job_class *class, const aloop_op_arg arg[4])
{
    if (class->never != NULL)
        class->never(arg);
}

/* ALOOP_PENDING, or why there will be no job. */
static aloop_poll submit(struct executor *executor, aloop_op *op)
{
    struct job *job = job_new(executor, class_of(op), op);
    int error;

    if (job == NULL)
        return -ENOMEM;
    error = executor_submit(executor, job);
    if (error < 0) {
        job_free(job);
        return error;
    }
    op->arg[JOB].pointer = job;
    op->arg[STATE].number = 0;
    op->arg[DEADLINE].number = ALOOP_NEVER;
    op->poll = job_poll;
    return ALOOP_PENDING;
}

static aloop_poll failed_poll(aloop_task *task, aloop_op *op)
{
    (void)task;
    return op->arg[0].number;
}

/* Waits for room; job_got_room() goes on from here. */
static aloop_poll room_poll(aloop_task *task, aloop_op *op)
{
    (void)task;
    (void)op;
    return ALOOP_PENDING;
}

void job_got_room(struct executor *executor, aloop_waiter *waiter)
{
    aloop_op *op = CONTAINER_OF(waiter, aloop_op, waiter);
    int64_t outcome = submit(executor, op);

    if (outcome == ALOOP_PENDING)
        return;
    never(class_of(op), op->arg);
    op->arg[0].number = outcome;
    op->poll = failed_poll;
    waiter->notify(waiter);
}

static aloop_poll begin(aloop *loop, aloop_op *op)
{
    struct executor *executor;

    /* A forked child's threads would wake its parent. */
    if (loop_is_forked(loop))
        return -ECHILD;
    executor = executor_of(loop, class_of(op)->lane);
    if (executor == NULL)
        return -ENOMEM;
    if (executor->room > 0)
        return submit(executor, op);
    op->poll = room_poll;
    return aloop_op_wait(op, &executor->waiters);
}

aloop_poll job_begin(aloop_task *task, aloop_op *op)
{
    aloop_poll outcome = begin(task->future.loop, op);

    if (ALOOP_UNLIKELY(outcome != ALOOP_PENDING))
        never(class_of(op), op->arg);
    return outcome;
}

aloop_op job_op(const struct job_class *class, aloop_op_arg first, aloop_op_arg second,
                aloop_op_arg third, aloop_op_arg fourth)
{
    return (aloop_op){
        .poll = job_begin, .type = &class->type, .arg = {first, second, third, fourth}};
}

/* --- given up --- */

/* True if there is no job, or there is none any more, since it had not begun. */
static bool end_early(aloop_op *op)
{
    struct job *job = op->arg[JOB].pointer;

    if (op->poll != job_poll) {
        aloop_waiter_unlink(&op->waiter);
        if (op->poll == room_poll)
            never(class_of(op), op->arg);
        return true;
    }
    if (job->is_done) {
        forget(job);
        return true;
    }
    if (!executor_take_back(job->executor, job))
        return false;
    never(job->class, job->arg);
    job_free(job);
    return true;
}

void job_interrupt(aloop_task *task, aloop_op *op)
{
    const aloop *loop = task->future.loop;

    if (end_early(op)) {
        op->poll = cancelled_poll;
        op->waiter.notify(&op->waiter);
        return;
    }
    op->arg[STATE].number = CANCELLED;
    /* The end of the program does not wait for ever. */
    if (loop->is_shutting_down && op->arg[DEADLINE].number == ALOOP_NEVER) {
        op->arg[DEADLINE].number = time_add(loop->now, loop->thread_patience);
        (void)aloop_op_wait_until(task, op->arg[DEADLINE].number);
    }
}

void job_drop(aloop_task *task, aloop_op *op)
{
    struct job *job = op->arg[JOB].pointer;

    if (end_early(op))
        return;
    if (!executor_wait(job->executor, job)) {
        report_stuck(task);
        executor_abandon(job->executor, job);
        return;
    }
    forget(job);
}

void job_drop_abandoning(aloop_task *task, aloop_op *op)
{
    struct job *job = op->arg[JOB].pointer;

    (void)task;
    if (!end_early(op))
        executor_abandon(job->executor, job);
}

/* --- for dumps --- */

void job_describe(const aloop_task *task, const aloop_op *op, aloop_op_details *details)
{
    struct job *job = op->poll == job_poll ? op->arg[JOB].pointer : NULL;
    const char *text = "has to wait until there are fewer jobs";

    (void)task;
    /* It ends at once, and its arguments are no longer what they were. */
    if (job == NULL && op->poll != room_poll)
        return;
    if (job != NULL && job->is_done)
        text = "has ended";
    else if (job != NULL)
        text = atomic_load(&job->state) == JOB_QUEUED ? "waits for a thread" : "runs in a thread";
    details_add(details, text);
    if (class_of(op)->subject != NULL)
        class_of(op)->subject(job != NULL ? job->arg : op->arg, details);
}
