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
}
