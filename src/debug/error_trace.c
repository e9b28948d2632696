/*
 * Error traces for programs to read. How they come about is in task/error_trace.c.
 */
#include "task/notes.h"

#include <aloop/debug.h>

unsigned aloop_task_number(aloop_task *task)
{
    return task_number(task);
}

/* Of a task that has ended only the trace that has come to its end: a caught error is of no
   interest any more. */
static bool is_current(const struct aloop_task *task, const struct task_notes *notes)
{
    if (notes == NULL || notes->count == 0)
        return false;
    return !future_is_done(&task->future) ||
           (notes->expected == NULL && task->future.result == notes->error);
}

size_t aloop_task_trace(const aloop_task *task, const aloop_trace_line **out_lines,
                        size_t *out_more)
{
    const struct task_notes *notes = task_notes(task);
    bool is_there = is_current(task, notes);

    *out_lines = is_there ? notes->lines : NULL;
    if (out_more != NULL)
        *out_more = is_there ? notes->more : 0;
    return is_there ? notes->count : 0;
}

int aloop_task_print_error(aloop_task *task, FILE *file)
{
    const aloop_trace_line *lines;
    size_t more;
    size_t count = aloop_task_trace(task, &lines, &more);
    int64_t error = count > 0 ? task_notes(task)->error : 0;

    if (future_is_done(&task->future))
        error = task->future.result < 0 ? task->future.result : 0;
    fprintf(file, "%s#%u: ", aloop_task_name(task), task_number(task));
    if (error < 0)
        fprintf(file, "%s (%s)\n", aloop_strerror(error), aloop_error_name(error));
    else
        fprintf(file, "no error\n");
    trace_print(lines, count, more, error, file);
    return ferror(file) ? -EIO : 0;
}
