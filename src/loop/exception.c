/*
 * Errors that nobody else hears of.
 */
#include "loop/internal.h"

#include <inttypes.h>
#include <stdio.h>

void aloop_set_exception_handler(aloop *loop, aloop_exception_handler *handler, void *arg)
{
    loop->exception_handler = handler;
    loop->exception_arg = arg;
}

void aloop_call_exception_handler(aloop *loop, const aloop_exception_context *context)
{
    if (loop->exception_handler != NULL)
        loop->exception_handler(loop, context, loop->exception_arg);
}

static bool spans_tasks(const aloop_trace_line *lines, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (lines[i].task != lines[0].task)
            return true;
    }
    return false;
}

void trace_print(const aloop_trace_line *lines, size_t count, size_t more, int64_t error,
                 void *file)
{
    bool names_tasks = spans_tasks(lines, count);
    FILE *out = file;

    for (size_t i = 0; i < count; i++) {
        const aloop_trace_line *line = &lines[i];

        if (names_tasks && (i == 0 || line->task != lines[i - 1].task))
            fprintf(out, "  in %s#%u:\n", line->task_name, line->task);
        fprintf(out, "    %s (%s:%d)", line->name, line->file, line->line);
        if (line->error != error)
            fprintf(out, ": %s (%s)", aloop_strerror(line->error), aloop_error_name(line->error));
        fputc('\n', out);
    }
    if (more > 0)
        fprintf(out, "    ... %zu more\n", more);
}

void aloop_print_exception(aloop *loop, const aloop_exception_context *context, void *file)
{
    FILE *out = file;

    (void)loop;
    fprintf(out, "aloop: %s", context->message);
    if (context->name != NULL)
        fprintf(out, ": %s (%s:%d)", context->name, context->file, context->line);
    if (context->duration > 0)
        fprintf(out, ": %" PRId64 " ms", context->duration / ALOOP_MS(1));
    if (context->error < 0)
        fprintf(out, ": %s (%s)", aloop_strerror(context->error), aloop_error_name(context->error));
    fputc('\n', out);
    trace_print(context->trace, context->trace_count, context->trace_more, context->error, out);
}
