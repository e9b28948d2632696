/*
 * Processes: other programs, run as children of this one. asyncio: subprocesses.
 *
 *     ALOOP_CORO(words)                      the frame has: aloop_process process;
 *     {                                                     aloop_output output; int error;
 *         aloop_process_options options = ALOOP_PROCESS_OPTIONS_INIT;
 *
 *         ALOOP_BEGIN;
 *         options.in = options.out = ALOOP_PIPE;
 *         self->error = aloop_create_subprocess_exec(NULL, (const char *[]){"wc", "-w", NULL},
 *                                                    &options, &self->process);
 *         if (self->error < 0)
 *             ALOOP_RETURN(self->error);
 *         ALOOP_TRY(aloop_process_communicate(&self->process, "one two", 7, &self->output));
 *         printf("%.*s", (int)self->output.out.size, self->output.out.data);
 *         ALOOP_FINALLY;
 *         aloop_process_close(&self->process);
 *         ALOOP_END;
 *     }
 *
 * An aloop_process is a small value that names a child of a loop: all zero it names none, all
 * copies name the same one, and once it is closed they name nothing. Using one that names nothing
 * is -EBADF; closing it is harmless. What a program leaves open ends with its loop: it is killed.
 *
 * The library waits for its own children, each by its number, and for nobody else's; it installs no
 * handler where the system tells of their end in another way (a pidfd on Linux, a kqueue on the
 * BSDs and macOS). Somebody who waits for any child (waitpid(-1), or SIGCHLD ignored) takes that
 * end from us: the return code is then ALOOP_RETURNCODE_UNKNOWN, and the exception handler is told.
 *
 * With the virtual clock time does not wait for children, as it waits for no fd.
 *
 * A child of a fork() has none of its parent's children: what it does to them is -ECHILD, and
 * closing its copy of the loop does not touch them.
 *
 * All calls are for the loop's thread.
 */
#ifndef ALOOP_PROCESS_H
#define ALOOP_PROCESS_H

#include <aloop/stream.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct aloop_process {
    aloop *loop;
    int64_t number; /* the library's */
    pid_t pid;
    /* Our ends of the pipes, which name nothing where there is none. They are the process', and end
       when it is closed; each may be closed before that. */
    aloop_stream in; /* to be written to; the child reads the end when it is closed */
    aloop_stream out;
    aloop_stream err;
} aloop_process;

/* What a standard fd of the child is; or an fd of the program, which stays the program's (borrows,
   during the call) and is handed over as it is. */
enum {
    ALOOP_PIPE = -1,    /* a pipe, whose other end is in the aloop_process */
    ALOOP_STDOUT = -2,  /* err alone: where out goes */
    ALOOP_DEVNULL = -3, /* /dev/null */
    ALOOP_INHERIT = -4  /* the program's own one, the default */
};

/* One more fd for the child. */
typedef struct aloop_process_fd {
    int child;  /* the number that it has there; 0 to 2 take the place of in, out and err */
    int parent; /* which one it is here (borrows, during the call) */
} aloop_process_fd;

/*
 * How a child is made. Begin with ALOOP_PROCESS_OPTIONS_INIT and set what should differ; new
 * members will be added at the end. Nothing of it is kept after the call.
 */
typedef struct aloop_process_options {
    size_t size; /* of this struct as the program was compiled with it */
    int in;      /* ALOOP_PIPE, ... */
    int out;
    int err;
    /* Any permutation: {4, 5} and {5, 4} changes places. No number of a child twice. */
    const aloop_process_fd *fds;
    size_t fd_count;
    /* The child gets all else that is open here and not close-on-exec, too. The library's own fds
       are close-on-exec. asyncio: close_fds=False. */
    bool keep_fds;
    /* The program's file, if it is not argv[0]. */
    const char *executable;
    /* "NAME=value", NULL at the end; NULL: the environment as it is. PATH is taken from it. */
    const char *const *env;
    const char *cwd; /* NULL: as it is */
    /* -1: the program's own process group; 0: a new one, which the child leads; else that one.
       Signals from a terminal (Ctrl-C) go to a group. asyncio: process_group. */
    pid_t process_group;
    bool new_session; /* setsid(): a new group, too */
    /* Another user: (uid_t)-1 and (gid_t)-1 leave it. The further groups are `groups`; where that
       is NULL, none for another user, else as they are. For such a child the parent is copied, by
       fork(), which takes the longer the more memory it has. */
    uid_t uid;
    gid_t gid;
    const gid_t *groups;
    size_t group_count;
    int umask;                          /* -1: as it is */
    const aloop_stream_options *stream; /* of the pipes; NULL: the defaults */
} aloop_process_options;

/* clang-format off */
#define ALOOP_PROCESS_OPTIONS_INIT { \
    .size = sizeof(aloop_process_options), \
    .in = ALOOP_INHERIT, .out = ALOOP_INHERIT, .err = ALOOP_INHERIT, \
    .process_group = -1, .uid = (uid_t)-1, .gid = (gid_t)-1, .umask = -1 }
/* clang-format on */

/* --- making one --- */

/*
 * Runs a program: argv[0] is its name, and its file is looked for in PATH unless the name has a
 * slash (a relative one is meant from `cwd` on); the array ends with NULL. `loop` NULL: the one
 * that runs. `options` NULL: the defaults. *out_process (returns owned) is written on success only;
 * give it back with aloop_process_close().
 *
 * The call returns when the program runs, or cannot: so there is no half-started child that a
 * cancellation could hit, and the errors of starting it are this call's: -ENOENT (no such program,
 * or cwd), -EACCES, -ENOEXEC, -E2BIG, -ENOTDIR (cwd), -EPERM (the user, the group), -EBADF (an fd),
 * ... Others: -EINVAL (an option), -EAGAIN (too many processes), -EMFILE, -ENOMEM, -ECHILD (in the
 * child of a fork, before aloop_after_fork()), -ALOOP_ENOLOOP, -ALOOP_ECLOSED. After an error
 * nothing is left open, and no child.
 *
 * The parent's memory is not copied, so that this costs the same for large programs as for small
 * ones. (macOS does copy it.) In the child all signals have their default, and none is blocked.
 * asyncio: create_subprocess_exec().
 */
ALOOP_API ALOOP_CHECKED int aloop_create_subprocess_exec(aloop *loop, const char *const *argv,
                                                         const aloop_process_options *options,
                                                         aloop_process *out_process);

/*
 * The same by way of a shell: /bin/sh -c command. A command it does not find is no error of the
 * call, but a return code of the shell's. asyncio: create_subprocess_shell().
 */
ALOOP_API ALOOP_CHECKED int aloop_create_subprocess_shell(aloop *loop, const char *command,
                                                          const aloop_process_options *options,
                                                          aloop_process *out_process);

/* --- its end --- */

/* The return code of a child that somebody else has waited for, as asyncio has it. A child may also
   end with this code by itself. */
#define ALOOP_RETURNCODE_UNKNOWN 255

/*
 * Waits until the child has ended, whoever still holds its pipes. The outcome is 0, and
 * *out_returncode (which may be NULL) the code that it ended with, 0 to 255, or -N if it was signal
 * N that ended it: the negative number would be an error, were it the outcome. Any number of tasks
 * may wait; one that is cancelled does nothing to the child. A child may not end as long as it
 * waits for somebody to read its output: see aloop_process_communicate(). -EBADF, -ECHILD,
 * -ALOOP_EWRONGLOOP. asyncio: wait().
 */
ALOOP_API aloop_op aloop_process_wait(const aloop_process *process, int *out_returncode);

/*
 * The same, but whoever gives up waiting ends the child: cancelled, or out of time, it asks the
 * child to end as aloop_process_stop() does, and the await returns when that has ended, with
 * -ECANCELED or -ETIMEDOUT, and with the return code written. Such an operation cannot be a case of
 * aloop_select().
 */
ALOOP_API aloop_op aloop_process_wait_or_stop(const aloop_process *process, aloop_ns grace,
                                              int *out_returncode);

/*
 * Ends the child: SIGTERM, so much time, SIGKILL, and waits until it has ended; outcome as
 * aloop_process_wait(). It goes on when it is cancelled meanwhile, which its outcome then says; and
 * can be no case of aloop_select(). A child that leads a process group (new_session, or
 * process_group 0) is ended with all of it: both signals go to the group, and what is left of it
 * when the child has ended is killed. -EPERM if we may not send it a signal: then it runs on.
 */
ALOOP_API aloop_op aloop_process_stop(const aloop_process *process, aloop_ns grace,
                                      int *out_returncode);

/* How the child ended, as aloop_process_wait() has it: 0; -ALOOP_EPENDING while it runs; -EBADF,
   -ECHILD. asyncio: returncode. */
ALOOP_API int aloop_process_returncode(const aloop_process *process, int *out_returncode);

/* --- talking to it --- */

/* What a child has put out, as far as there is a pipe for it. */
typedef struct aloop_output {
    size_t limit; /* the most of each, to be set before; 0: as much as there is memory for */
    /* In the buffers of the streams: good until something else is read from them, or the process is
       closed. */
    aloop_slice out;
    aloop_slice err;
    int returncode;
} aloop_output;

/*
 * All of a short conversation: writes `size` bytes of input, and the end, to the child (if there is
 * a pipe for that), meanwhile reads all that it puts out, until the ends of these pipes, and waits
 * until it has ended. The outcome is 0, and all of *output is written. A child that does not read
 * its input is no error. -EMSGSIZE: it puts out more than the limit; or an error of reading, or
 * -ENOMEM. After an error, or if it was cancelled, the child is still there, and what was read is
 * lost. `input` and `output` must stay until the await ends. asyncio: communicate().
 */
ALOOP_API aloop_op aloop_process_communicate(const aloop_process *process, const void *input,
                                             size_t size, aloop_output *output);

/* --- signals --- */

/*
 * Sends a signal to the child. Returns 0; -ESRCH if it has ended (nobody else can get the signal,
 * whatever became of its number); -EINVAL (no such signal), -EPERM, -EBADF, -ECHILD. asyncio:
 * send_signal().
 */
ALOOP_API int aloop_process_send_signal(const aloop_process *process, int signal_number);

/*
 * The same to all of the process group that the child leads, as long as it has not been waited for:
 * after that, -ESRCH, since the number may be another group's; -EINVAL if it leads none.
 */
ALOOP_API int aloop_process_send_signal_to_group(const aloop_process *process, int signal_number);

/* SIGTERM, and SIGKILL. asyncio: terminate(), kill(). */
ALOOP_API int aloop_process_terminate(const aloop_process *process);
ALOOP_API int aloop_process_kill(const aloop_process *process);

/* --- letting go --- */

/*
 * Closes: the pipes, and a child that runs is killed, with the group that it leads, and waited for
 * in the background; who waits for it still gets its return code. *process is zero afterwards.
 * Nothing if it names nothing: it can stand in every ALOOP_FINALLY. asyncio: the end of a
 * subprocess' transport.
 */
ALOOP_API void aloop_process_close(aloop_process *process);

/*
 * Lets a child go on by itself: the pipes are closed, and it is waited for in the background as
 * long as there is the loop, which does not kill it in the end. *process is zero afterwards. No
 * counterpart in asyncio.
 */
ALOOP_API void aloop_process_detach(aloop_process *process);

#ifdef __cplusplus
}
#endif

#endif
