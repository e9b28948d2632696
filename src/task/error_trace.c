/*
 * Where an error came from. Each frame that ends with one adds a line to the trace of its task,
 * unless it begins a new one: which it does if it is not the frame that the last line's error went
 * to, at the await at which it waited for it. So an error that was caught leaves a trace that is
 * simply written over by the next.
 *
 * Nothing of this is on the way of a success. Without memory the trace is lost, and not the error.
 */
#include "task/notes.h"

#define LINES_MIN 8
#define LINES_MAX 32
/* How far up the callers we look for a frame that is in its cleanup. */
#define CALLERS_MAX 64

static bool trace_grow(aloop *loop, struct task_notes *notes)
{
    size_t capacity = notes->capacity == 0 ? LINES_MIN : LINES_MAX;
    aloop_trace_line *lines;

    if (notes->capacity == LINES_MAX)
        return false;
    lines = pool_alloc(&loop->pool, capacity * sizeof *lines);
    if (lines == NULL)
        return false;
    if (notes->lines != NULL) {
        memcpy(lines, notes->lines, notes->count * sizeof *lines);
        pool_free(&loop->pool, notes->lines, notes->capacity * sizeof *lines);
    }
    notes->lines = lines;
    notes->capacity = capacity;
    return true;
}

static void trace_add(aloop *loop, struct task_notes *notes, const aloop_trace_line *line)
{
    if (notes->count == notes->capacity && !trace_grow(loop, notes))
        notes->more++;
    else
        notes->lines[notes->count++] = *line;
}

static void trace_clear(struct task_notes *notes)
{
    notes->count = 0;
    notes->more = 0;
    notes->is_childs = false;
}

static void add_frame(struct task_notes *notes, aloop_frame *frame, int line)
{
    struct aloop_task *task = frame->task;

    trace_add(task->future.loop, notes,
              &(aloop_trace_line){.name = frame->coro->name,
                                  .file = frame->coro->file,
                                  .line = line,
                                  .task = task_number(task),
                                  .task_name = aloop_task_name(task),
                                  .error = frame->outcome});
    notes->error = frame->outcome;
    notes->noted = frame;
    notes->expected = frame->caller;
    notes->expected_line = frame->caller != NULL ? frame->caller->line : 0;
    notes->is_childs = false;
}

static bool is_expected(const struct task_notes *notes, const aloop_frame *frame)
{
    if (notes->count == 0 || notes->expected != frame)
        return false;
    if (!notes->is_childs)
        return notes->expected_line == frame->line;
    return frame->outcome == -ECANCELED || frame->outcome == notes->error;
}

/* Is the frame part of the cleanup of the one that the last line is about? The error of that is
   still on its way, and not to be forgotten over one that the cleanup puts up with. */
static bool is_cleanup(const struct task_notes *notes, const aloop_frame *frame)
{
    if (notes->count == 0 || frame->task->finally_depth == 0)
        return false;
    for (int i = 0; i < CALLERS_MAX && frame->caller != NULL; i++) {
        frame = frame->caller;
        if (frame == notes->noted)
            return frame->flags & ALOOP_FLAG_FINALLY_;
    }
    return false;
}

void aloop_frame_trace(aloop_frame *frame, int line)
{
    struct task_notes *notes;

    /* Being told to end is no error that anybody would ask the origin of. That a part of the task
       is: it may be the time limit of a call, which turns it into an error. */
    if (frame->outcome == -ECANCELED && frame->task->cancelling > 0)
        return;
    notes = task_notes_make(frame->task);
    if (notes == NULL)
        return;
    if (!is_expected(notes, frame)) {
        if (is_cleanup(notes, frame))
            return;
        if (frame->outcome == -ECANCELED && notes->is_childs)
            return;
        trace_clear(notes);
    }
    add_frame(notes, frame, line);
}

void trace_turn(aloop_frame *frame)
{
    struct task_notes *notes = task_notes_make(frame->task);

    if (notes == NULL)
        return;
    if (notes->count > 0 && notes->noted == frame && notes->expected == frame->caller) {
        /* Its line is there. */
        notes->error = frame->outcome;
        if (notes->more == 0)
            notes->lines[notes->count - 1].error = frame->outcome;
        return;
    }
    if (!is_expected(notes, frame))
        trace_clear(notes);
    add_frame(notes, frame, frame->line > 0 ? frame->line : frame->coro->line);
}

/* --- from task to task --- */

static bool has_left(const struct task_notes *notes)
{
    return notes != NULL && notes->count > 0 && notes->expected == NULL;
}

/* The trace of `failed` goes on in a frame of another task. */
static struct task_notes *receive(struct aloop_task *task, const struct task_notes *failed)
{
    struct task_notes *notes = has_left(failed) ? task_notes_make(task) : NULL;

    if (notes == NULL)
        return NULL;
    trace_clear(notes);
    for (size_t i = 0; i < failed->count; i++)
        trace_add(task->future.loop, notes, &failed->lines[i]);
    notes->more += failed->more;
    notes->error = failed->error;
    notes->noted = NULL;
    return notes;
}

void trace_pass_on(const aloop_future *failed, const aloop_future *awaited)
{
    const struct task_notes *from =
        future_is_task(failed) ? task_notes(TASK_OF(failed)) : NULL;
    const aloop_link *head = &awaited->waiters.head;

    for (const aloop_link *link = head->next; link != NULL && link != head; link = link->next) {
        const aloop_waiter *waiter = (const aloop_waiter *)(const void *)link;
        struct aloop_task *joiner;
        struct task_notes *notes;

        if (waiter->notify != task_notify)
            continue;
        joiner = CONTAINER_OF(waiter, struct aloop_task, op.waiter);
        notes = receive(joiner, from);
        if (notes == NULL)
            return;
        notes->expected = joiner->frame;
        notes->expected_line = joiner->frame->line;
    }
}

void trace_take(struct aloop_task *task, const aloop_future *failed)
{
    struct task_notes *notes =
        receive(task, future_is_task(failed) ? task_notes(TASK_OF(failed)) : NULL);

    if (notes == NULL)
        return;
    notes->expected = task->frame;
    notes->expected_line = task->frame->line;
}

void trace_reach_frame(struct aloop_task *task, const aloop_frame *frame,
                       const struct aloop_task *failed)
{
    struct task_notes *notes = receive(task, task_notes(failed));

    if (notes == NULL)
        return;
    notes->expected = frame;
    notes->is_childs = true;
}

/* --- asking --- */

void trace_report(const struct aloop_task *task, aloop_exception_context *context)
{
    const struct task_notes *notes = task_notes(task);

    if (!has_left(notes) || context->error >= 0)
        return;
    context->trace = notes->lines;
    context->trace_count = notes->count;
    context->trace_more = notes->more;
    if (notes->more == 0)
        context->line = notes->lines[notes->count - 1].line;
}
