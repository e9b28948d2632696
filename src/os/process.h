/*
 * A child process from the inside. It lives in a slot of its loop's table, which the program's
 * aloop_process names by number, from when it is started until it has ended and has been closed, in
 * whichever order that comes.
 */
#ifndef ALOOP_SRC_OS_PROCESS_H
#define ALOOP_SRC_OS_PROCESS_H

#include "task/internal.h"

#include <aloop/process.h>

struct process {
    struct slot slot;
    aloop *loop;
    pid_t pid;
    int pidfd; /* -1: none */
    int returncode;
    uint64_t fork_generation; /* of the process that it is a child of */
    bool has_ended;
    bool is_watched;  /* its end will be noticed */
    bool is_ending;   /* the system has said so, but may not have its status yet */
    bool is_closed;   /* nothing names it any more */
    bool is_detached; /* the end of the loop does not kill it */
    bool leads_group;
    bool takes_group;       /* what is left of its group when it ends is killed */
    aloop_waitlist waiters; /* operations of process_wait.c */
};

struct process_watch;

/* What a loop has for its processes. */
struct processes {
    struct dependent dependent;
    aloop *loop;
    struct slots slots;          /* struct process */
    struct process_watch *watch; /* NULL until it is needed */
};

/* --- process.c --- */
/* The process that a handle names: 0; -EBADF, -ECHILD. */
int process_find(const aloop_process *handle, struct process **out_process);
/* The same, if it has ended; -ALOOP_EPENDING, and *out_process, if not. */
int process_find_ended(const aloop_process *handle, struct process **out_process);
/* One that an operation waits for, be it closed. */
struct process *process_of_number(const aloop *loop, int64_t number);
/* Has it ended? Finds out, takes its status, and tells those who wait. If it was closed, or the
   exception handler closes it, it is gone then. */
bool process_look(struct process *process);
/* Is it a child of the process that this one was forked from? */
static inline bool process_is_foreign(const struct process *process)
{
    return process->fork_generation != sys.fork_generation();
}
/* 0; -ESRCH if it has ended (and may be gone), or an error. */
int process_signal(struct process *process, int signal_number, bool to_group);
/* For ending it: to the group that it leads, if it does, which it then takes with it. 0 also if it
   has ended. */
int process_signal_to_end(struct process *process, int signal_number);

/* --- process_spawn.c --- */
/* Starts it: fills in pid, and the streams of *out. Nothing is left after an error. */
int process_spawn(aloop *loop, const char *const *argv, const aloop_process_options *options,
                  aloop_process *out);

/* --- process_watch.c --- */
/* Sees to it that process_look() is called when the process has ended, also if it has by now. 0, or
   an error, and nothing has changed. */
int process_watch(struct process *process);
void process_unwatch(struct process *process);
/* Gives up what the watches share: at the loop's end, and in the child of a fork. */
void process_watch_close(struct processes *processes);

/* --- process_wait.c --- */
/* Tells all who wait, and forgets them: outcome 0, and the process' return code; or an error. */
void process_tell(struct process *process, int outcome);

#endif
