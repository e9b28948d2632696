/*
 * Seeing inside a program that runs, hangs, or has failed.
 *
 * What does it do? aloop_dump(loop, stderr) prints all tasks as a tree of who waits for whom, each
 * with the coroutines that it is in, the outermost first, and what the innermost waits for:
 *
 *     time 12.345 s; 3 tasks, 1 timer, 2 sockets
 *     server#1
 *       | server (server.c:80): group
 *         client#2
 *           | client (server.c:21)
 *           | read_header (server.c:9): recv on fd 7, time limit in 1.200 s
 *         client#3
 *           | client (server.c:24): lock, held by client#2 (server.c:9)
 *
 * A task is printed below the first that waits for it, and is only named below the others. Tasks
 * that wait for each other in a circle are named at the end: as a deadlock, if none of them has
 * another way to go on. Of a process that hangs, and of a core file, gdb prints the same: `source`
 * share/aloop/aloop_gdb.py there, then `aloop-dump`.
 *
 * Where did an error come from? As it passes up through the coroutines, from ALOOP_TRY to
 * ALOOP_TRY, each adds a line to the trace of its task, the innermost first; and an error that
 * comes out of a join, a gather or a group begins with the trace of the task that failed:
 *
 *     client#4: connection reset by peer (ECONNRESET)
 *         read_header (client.c:31)
 *         fetch (client.c:58)
 *         client (client.c:77)
 *
 * What succeeds pays nothing for that. Reports of errors that nobody looked at carry the trace:
 * aloop_print_exception() prints it.
 *
 * All calls are for the loop's thread, and may be made in callbacks, coroutines and handlers.
 */
#ifndef ALOOP_DEBUG_H
#define ALOOP_DEBUG_H

#include <aloop/task.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The number of a task, 1 and up, by which dumps and traces tell those of one name apart. It is
 * given when it is asked for first, here or by a dump or a trace, and stays; 0 for the static tasks
 * that have failed. asyncio: the N in "Task-N".
 */
ALOOP_API unsigned aloop_task_number(aloop_task *task);

typedef enum aloop_dump_format {
    ALOOP_DUMP_TEXT = 0, /* as above */
    ALOOP_DUMP_JSON = 1, /* one object; times in nanoseconds */
    ALOOP_DUMP_DOT = 2   /* a graph for Graphviz: dot -Tsvg */
} aloop_dump_format;

/*
 * Writes what the loop and all its tasks do at this moment. It takes memory and time in proportion
 * to the number of tasks; where there is no memory, a text is a plain list of them. Returns 0;
 * -ENOMEM for the other formats; -EIO if `file` reports an error; -EINVAL for another format.
 * asyncio: print_call_graph() of all tasks, `python -m asyncio pstree`.
 */
ALOOP_API int aloop_dump(aloop *loop, FILE *file);
ALOOP_API int aloop_dump_as(aloop *loop, FILE *file, aloop_dump_format format);

/*
 * Has aloop_dump() write to `file` (borrows) whenever the signal comes: SIGQUIT, which Ctrl-\
 * sends, is what other systems use. NULL: not any more. It replaces a handler that the loop had for
 * this signal, and errors of the file are ignored. Returns 0, or an error of
 * aloop_add_signal_handler(). asyncio: faulthandler.register().
 */
ALOOP_API ALOOP_CHECKED int aloop_dump_on_signal(aloop *loop, int signal_number, FILE *file);

/*
 * Writes one task: what it does, whom it waits for, and by whom it is awaited, up to a task that
 * nobody waits for. Of a task that is done, its outcome. Returns 0, -ENOMEM, -EIO. asyncio:
 * print_call_graph().
 */
ALOOP_API int aloop_dump_task(aloop_task *task, FILE *file);

/*
 * The trace of an error, the innermost place first: returns how many lines there are, of which
 * *out_lines (borrows) is the first. They are those of the error that the task has ended with; of
 * one that runs, of the last error that it has seen, even if it was caught. *out_more, which may be
 * NULL, gets how many more there were: about thirty are kept. None if there was no error, or no
 * memory for its trace. A cancellation of the whole task leaves no trace. They are good until the
 * next error of the task, or its end. asyncio: Task.get_stack() of one that has failed.
 */
ALOOP_API size_t aloop_task_trace(const aloop_task *task, const aloop_trace_line **out_lines,
                                  size_t *out_more);

/*
 * Prints the task's name, number, error and trace: of one that runs, of the last error that it has
 * seen. Returns 0, or -EIO if `file` reports an error. asyncio: Task.print_stack().
 */
ALOOP_API int aloop_task_print_error(aloop_task *task, FILE *file);

#ifdef __cplusplus
}
#endif

#endif
