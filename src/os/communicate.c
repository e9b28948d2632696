/*
 * A short conversation with a child: its input is written and both its outputs are read at the same
 * time, each by a task of its own, since a child may stand still in any of the three; and then it
 * is waited for. It is a coroutine that is called by an operation, and so has a group, and cleans
 * up after itself, whatever becomes of who awaits it.
 */
#include <aloop/group.h>
#include <aloop/process.h>

/* arg */
enum { PROCESS, INPUT, SIZE, OUTPUT };

/* --- one pipe each --- */

struct feed {
    ALOOP_FRAME;
    aloop_stream stream;
    const void *input;
    size_t size;
};

/* A child that has read enough, and has closed its end, is in its right. */
static bool is_enough(int64_t error)
{
    return error == -EPIPE || error == -ECONNRESET;
}

ALOOP_CORO(feed)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_stream_write(&self->stream, self->input, self->size));
    if (self->result >= 0)
        ALOOP_AWAIT(aloop_stream_flush(&self->stream));
    if (self->result < 0 && !is_enough(self->result))
        ALOOP_RETURN(self->result);
    ALOOP_FINALLY;
    aloop_stream_close(&self->stream);
    ALOOP_END;
}

struct drain {
    ALOOP_FRAME;
    aloop_stream stream;
    size_t limit;
    aloop_slice *out;
};

ALOOP_CORO(drain)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_stream_read_to_end(&self->stream, self->limit, self->out));
    ALOOP_END;
}

/* --- all of it --- */

struct communicate {
    ALOOP_FRAME;
    aloop_process process;
    const void *input;
    size_t size;
    aloop_output *output;
    size_t limit;
    aloop_group group;
};

ALOOP_CORO(communicate)
{
    ALOOP_BEGIN;
    self->limit = self->output->limit > 0 ? self->output->limit : SIZE_MAX;
    self->output->out = (aloop_slice){NULL, 0};
    self->output->err = (aloop_slice){NULL, 0};
    aloop_group_init(&self->group);
    if (aloop_stream_is_open(&self->process.in))
        ALOOP_TRY(aloop_group_start(&self->group, feed, .stream = self->process.in,
                                    .input = self->input, .size = self->size));
    if (aloop_stream_is_open(&self->process.out))
        ALOOP_TRY(aloop_group_start(&self->group, drain, .stream = self->process.out,
                                    .limit = self->limit, .out = &self->output->out));
    if (aloop_stream_is_open(&self->process.err))
        ALOOP_TRY(aloop_group_start(&self->group, drain, .stream = self->process.err,
                                    .limit = self->limit, .out = &self->output->err));
    ALOOP_TRY(aloop_group_wait(&self->group));
    ALOOP_TRY(aloop_process_wait(&self->process, &self->output->returncode));
    ALOOP_END;
}

/* The frame is copied when the call begins. */
static aloop_poll communicate_poll(aloop_task *task, aloop_op *op)
{
    struct communicate frame = {.process = *(const aloop_process *)op->arg[PROCESS].data,
                                .input = op->arg[INPUT].data,
                                .size = op->arg[SIZE].size,
                                .output = op->arg[OUTPUT].pointer};

    op->arg[0].data = &communicate_coro;
    op->arg[1].data = &frame;
    return aloop_call_poll_(task, op);
}

aloop_op aloop_process_communicate(const aloop_process *process, const void *input, size_t size,
                                   aloop_output *output)
{
    aloop_op op = aloop_call_op(NULL, NULL);

    op.poll = communicate_poll;
    op.arg[PROCESS].data = process;
    op.arg[INPUT].data = input;
    op.arg[SIZE].size = size;
    op.arg[OUTPUT].pointer = output;
    return op;
}
