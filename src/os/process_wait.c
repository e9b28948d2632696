/*
 * Waiting for the end of a process, and bringing it about. What an operation waits for is told to
 * it when it comes (process_tell()), and kept in it: by the time its task runs, the process may be
 * closed and gone.
 */
#include "os/process.h"

#include <signal.h>
#include <stdio.h>

/* arg. VALUE: how long the child may take to end; when that is over, once it has been asked to; its
   return code, once that is known. */
enum { PROCESS, OUT, STATE, VALUE };

/* arg[STATE] */
enum {
    ASKED = 1,    /* the child has been asked to end ... */
    KILLED = 2,   /* ... and was killed */
    GIVEN_UP = 4, /* the task was cancelled, or out of time */
    TOLD = 8      /* arg[PROCESS] is the outcome */
};

static void tell(aloop_op *op, int outcome, int returncode)
{
    op->arg[PROCESS].number = outcome;
    op->arg[VALUE].number = returncode;
    op->arg[STATE].number |= TOLD;
}

void process_tell(struct process *process, int outcome)
{
    aloop_waiter *waiter;

    while ((waiter = aloop_waitlist_first(&process->waiters)) != NULL) {
        tell(CONTAINER_OF(waiter, aloop_op, waiter), outcome, process->returncode);
        (void)aloop_wake_one(&process->waiters);
    }
}

static aloop_poll told(const aloop_op *op)
{
    int *out_returncode = op->arg[OUT].pointer;

    if (op->arg[PROCESS].number == 0 && out_returncode != NULL)
        *out_returncode = (int)op->arg[VALUE].number;
    return op->arg[STATE].number & GIVEN_UP ? -ECANCELED : op->arg[PROCESS].number;
}

/* Asks the child to end, or sees to it that it does. That may tell the operation, if it waits. */
static void send_to_end(const aloop *loop, aloop_op *op, struct process *process)
{
    bool is_kill = loop->now >= op->arg[VALUE].number;
    int error = process_signal_to_end(process, is_kill ? SIGKILL : SIGTERM);

    op->arg[STATE].number |= is_kill ? KILLED | ASKED : ASKED;
    if (error == 0 || op->arg[STATE].number & TOLD)
        return;
    /* Not ours to end, by now: then it is not waited for, either. */
    aloop_waiter_unlink(&op->waiter);
    tell(op, error, 0);
}

static aloop_poll wait_poll(aloop_task *task, aloop_op *op)
{
    aloop *loop = task->future.loop;

    if (!(op->arg[STATE].number & TOLD) && op->arg[STATE].number & ASKED &&
        !(op->arg[STATE].number & KILLED)) {
        if (loop->now < op->arg[VALUE].number)
            return aloop_op_wait_until(task, op->arg[VALUE].number);
        send_to_end(loop, op, process_of_number(loop, op->arg[PROCESS].number));
    }
    return op->arg[STATE].number & TOLD ? told(op) : ALOOP_PENDING;
}

/* From now on the child has so much time to end. */
static void begin_end(aloop_task *task, aloop_op *op)
{
    aloop *loop = task->future.loop;

    op->arg[VALUE].number =
        op->arg[VALUE].number > 0 ? time_add(loop->now, op->arg[VALUE].number) : loop->now;
    send_to_end(loop, op, process_of_number(loop, op->arg[PROCESS].number));
}

static aloop_poll wait_begin(aloop_task *task, aloop_op *op)
{
    const aloop_process *handle = op->arg[PROCESS].data;
    struct process *process = NULL;
    int error = process_find(handle, &process);

    if (error == 0 && handle->loop != task->future.loop)
        error = -ALOOP_EWRONGLOOP;
    if (error == 0)
        error = process_find_ended(handle, &process);
    if (error == 0) {
        tell(op, 0, process->returncode);
        return told(op);
    }
    if (error != -ALOOP_EPENDING)
        return error;
    op->arg[PROCESS].number = handle->number;
    op->poll = wait_poll;
    return aloop_op_wait(op, &process->waiters);
}

static aloop_poll stop_begin(aloop_task *task, aloop_op *op)
{
    aloop_poll outcome = wait_begin(task, op);

    if (outcome != ALOOP_PENDING)
        return outcome;
    begin_end(task, op);
    return wait_poll(task, op);
}

/* Called again if time is up after the task was cancelled, or the other way round: the timer is the
   task's only one. */
static void wait_interrupt(aloop_task *task, aloop_op *op)
{
    op->arg[STATE].number |= GIVEN_UP;
    if (!(op->arg[STATE].number & (ASKED | TOLD)))
        begin_end(task, op);
    if (op->arg[STATE].number & TOLD)
        op->waiter.notify(&op->waiter);
    else if (!(op->arg[STATE].number & KILLED))
        (void)aloop_op_wait_until(task, op->arg[VALUE].number);
}

static void wait_describe(const aloop_task *task, const aloop_op *op, aloop_op_details *details)
{
    int64_t state = op->arg[STATE].number;
    const char *done = "";

    /* From then on the arguments are something else. */
    if (state & TOLD)
        return;
    if (state & KILLED) {
        done = ", killed";
    } else if (state & ASKED) {
        done = ", asked to end";
        details->deadline = op->arg[VALUE].number;
    }
    (void)snprintf(details->text, sizeof details->text, "pid %ld%s",
                   (long)process_of_number(task->future.loop, op->arg[PROCESS].number)->pid, done);
}

static const aloop_op_type wait_type = {.name = "process wait", .describe = wait_describe};
static const aloop_op_type wait_or_stop_type = {
    .name = "process wait_or_stop", .interrupt = wait_interrupt, .describe = wait_describe};
static const aloop_op_type stop_type = {
    .name = "process stop", .interrupt = wait_interrupt, .describe = wait_describe};

aloop_op aloop_process_wait(const aloop_process *process, int *out_returncode)
{
    return (aloop_op){.poll = wait_begin,
                      .type = &wait_type,
                      .arg = {{.data = process}, {.pointer = out_returncode}, {.number = 0}}};
}

aloop_op aloop_process_wait_or_stop(const aloop_process *process, aloop_ns grace,
                                    int *out_returncode)
{
    return (aloop_op){
        .poll = wait_begin,
        .type = &wait_or_stop_type,
        .arg = {{.data = process}, {.pointer = out_returncode}, {.number = 0}, {.number = grace}}};
}

aloop_op aloop_process_stop(const aloop_process *process, aloop_ns grace, int *out_returncode)
{
    aloop_op op = aloop_process_wait_or_stop(process, grace, out_returncode);

    op.poll = stop_begin;
    op.type = &stop_type;
    return op;
}
