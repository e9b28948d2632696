/*
 * The table of notes: see the header.
 */
#include "task/notes.h"

/* Who goes on for so long after he was cancelled has probably not understood. */
#define CANCELLATION_PATIENCE ALOOP_SEC(10)

unsigned task_number(struct aloop_task *task)
{
    aloop *loop = task->future.loop;

    if (task->number == 0 && loop != NULL) {
        /* They come round after four thousand million; 0 is nobody's. */
        if (++loop->last_task_number == 0)
            loop->last_task_number = 1;
        task->number = loop->last_task_number;
    }
    return task->number;
}

struct task_notes *task_notes(const struct aloop_task *task)
{
    if (task->future.kind != FUTURE_NOTED_TASK)
        return NULL;
    return map_find(&task->future.loop->notes, task->number);
}

struct task_notes *task_notes_make(struct aloop_task *task)
{
    struct task_notes *notes = task_notes(task);
    aloop *loop = task->future.loop;

    if (notes != NULL)
        return notes;
    while (map_find(&loop->notes, task_number(task)) != NULL)
        task->number = 0;
    notes = pool_alloc(&loop->pool, sizeof *notes);
    if (notes == NULL)
        return NULL;
    *notes = (struct task_notes){
        .task = task, .waits_since = NOT_WAITING, .cancelled_since = NOT_WAITING};
    if (map_set(&loop->notes, task->number, notes) < 0) {
        pool_free(&loop->pool, notes, sizeof *notes);
        return NULL;
    }
    task->future.kind = FUTURE_NOTED_TASK;
    return notes;
}

void task_notes_free(struct aloop_task *task)
{
    struct task_notes *notes = task_notes(task);
    aloop *loop = task->future.loop;

    map_remove(&loop->notes, task->number);
    if (notes->lines != NULL)
        pool_free(&loop->pool, notes->lines, notes->capacity * sizeof *notes->lines);
    pool_free(&loop->pool, notes, sizeof *notes);
}

/* --- debug mode --- */

void notes_task_made(struct aloop_task *task)
{
    const struct aloop_task *maker = task->future.loop->current_task;
    struct task_notes *notes = task_notes_make(task);

    if (notes == NULL || maker == NULL)
        return;
    notes->made_file = maker->frame->coro->file;
    /* Of its last await: a line that costs nothing to know. */
    notes->made_line = maker->frame->line > 0 ? maker->frame->line : maker->frame->coro->line;
}

/* Where the coroutine is about to have its locals: one that was wrongly expected to survive an
   await does not, as it mostly would, since nothing else was at its place meanwhile. */
static NOINLINE PLAIN_FRAME void spoil_stack(void)
{
    unsigned char stack[2048];
    /* A plain call on what nobody reads would be left out. */
    void *(*volatile fill)(void *, int, size_t) = memset;

    fill(stack, STACK_SPOILED, sizeof stack);
}

void notes_before_step(struct aloop_task *task)
{
    struct task_notes *notes = task_notes(task);

    if (notes != NULL)
        notes->waits_since = NOT_WAITING;
    spoil_stack();
}

static void report_ignored_cancellation(struct aloop_task *task, aloop_ns duration)
{
    aloop_frame *frame = task->frame;
    aloop_exception_context context = {
        .message = "task goes on long after it was cancelled",
        .future = &task->future,
        .name = aloop_task_name(task),
        .file = frame->coro->file,
        .line = frame->line > 0 ? frame->line : frame->coro->line,
        .duration = duration};

    aloop_call_exception_handler(task->future.loop, &context);
}

void notes_after_step(struct aloop_task *task)
{
    struct task_notes *notes = task_notes(task);
    aloop_ns now = task->future.loop->now;

    if (notes == NULL)
        return;
    notes->waits_since = now;
    if (task->cancelling == 0) {
        notes->cancelled_since = NOT_WAITING;
        notes->is_reported = false;
    } else if (notes->cancelled_since == NOT_WAITING) {
        notes->cancelled_since = now;
    } else if (!notes->is_reported && now - notes->cancelled_since >= CANCELLATION_PATIENCE) {
        notes->is_reported = true;
        report_ignored_cancellation(task, now - notes->cancelled_since);
    }
}

void notes_report_leaks(aloop *loop)
{
    size_t cursor = 0;
    struct task_notes *notes;

    while ((notes = map_next(&loop->notes, &cursor)) != NULL) {
        aloop_exception_context context = {.message = "task is still referred to",
                                           .future = &notes->task->future,
                                           .name = aloop_task_name(notes->task),
                                           .file = notes->task->frame->coro->file,
                                           .line = notes->task->frame->coro->line};

        if (notes->made_file != NULL) {
            context.file = notes->made_file;
            context.line = notes->made_line;
        }

        aloop_call_exception_handler(loop, &context);
    }
}
