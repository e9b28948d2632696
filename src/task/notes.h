/*
 * What is known of a few tasks beyond what they run on: of those that have seen an error, where it
 * came from; in debug mode of all. The notes are found by the task's number in a table of the loop,
 * so that a task pays for them with four bytes that it had to spare.
 */
#ifndef ALOOP_SRC_TASK_NOTES_H
#define ALOOP_SRC_TASK_NOTES_H

#include "task/internal.h"

struct task_notes {
    struct aloop_task *task;

    /* The trace of the last error. */
    aloop_trace_line *lines;
    size_t count;
    size_t capacity;
    size_t more;                 /* lines that had no place */
    int64_t error;               /* that of the last line, whether it had a place or not */
    const aloop_frame *noted;    /* the frame of the last line; may be gone */
    const aloop_frame *expected; /* the frame that gets the error next; NULL: it has left */
    int expected_line;           /* ... at the await that it is in ... */
    bool is_childs; /* ... or, as a child of its group has failed, at any that is cancelled */

    /* In debug mode. */
    aloop_ns waits_since;     /* the time of the step in which it began to; NOT_WAITING */
    aloop_ns cancelled_since; /* it runs in spite of it; NOT_WAITING */
    bool is_reported;         /* for that */
    const char *made_file;    /* where the coroutine was that made it; NULL: in none */
    int made_line;
};

#define NOT_WAITING (-1)

#endif
