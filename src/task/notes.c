/*
 * The table of notes: see the header.
 */
#include "task/notes.h"

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
    *notes = (struct task_notes){.task = task, .waits_since = NOT_WAITING};
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
