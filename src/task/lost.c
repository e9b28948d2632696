/*
 * The end of a program whose coroutine cannot go on where it was left: under ALOOP_STRICT_ISO, an
 * await that stands in a `switch` of its author's.
 */
#include "task/internal.h"

#include <stdio.h>
#include <stdlib.h>

void aloop_frame_lost(const aloop_frame *frame)
{
    const aloop_coro *coro = frame->coro;

    /* There is no way to go on that would not run some of its code twice, or never. */
    fprintf(stderr, /* allowed: the last words of a program that is being ended */
            "aloop: %s (%s:%d): an await inside a switch cannot be resumed with ALOOP_STRICT_ISO\n",
            coro->name, coro->file, frame->line);
    abort(); /* allowed: a silent restart would be worse */
}
