/*
 * What a process is to its loop: made, found, signalled, closed. Its status is taken in one place,
 * process_look(), by its own number or pidfd: another's child is never touched. As long as the
 * status is not taken, the number is the child's even if it has ended, and nobody else's; so a
 * signal is sent only to one whose status is not taken yet. (One that somebody else has waited for
 * is found out by a pidfd; without one there is no way, but to ask right before.)
 */
#include "os/process.h"

#include <signal.h>

/* A killed child is gone in no time, unless the system holds it in a call that cannot be
   interrupted. */
#define LAST_WAIT ALOOP_SEC(5)

/* --- the end of a process --- */

static void process_release(struct process *process)
{
    slots_release(&process->loop->processes->slots, process);
}

static void process_end(struct process *process, int returncode)
{
    process_unwatch(process);
    process->has_ended = true;
    process->returncode = returncode;
    process_tell(process, 0);
    if (process->is_closed)
        process_release(process);
}

/* Last: what the program does then may be to close the process. */
static void process_end_lost(struct process *process, int error)
{
    aloop *loop = process->loop;

    process_end(process, ALOOP_RETURNCODE_UNKNOWN);
    aloop_call_exception_handler(
        loop, &(aloop_exception_context){
                  .message = "the return code of a child is lost: somebody else waited for it",
                  .error = error});
}

bool process_look(struct process *process)
{
    int returncode = 0;
    int got;

    if (process->has_ended)
        return true;
    /* While the leader is not waited for, its number is its group's and no other's: so it is looked
       at first, and only one that was seen to have ended is waited for. */
    if (process->takes_group && process->leads_group) {
        got = sys.wait_child(process->pid, process->pidfd, true, &returncode);
        if (got == 0)
            return false;
        if (got > 0)
            (void)sys.kill(-process->pid, -1, SIGKILL);
    }
    got = sys.wait_child(process->pid, process->pidfd, false, &returncode);
    if (got == 0)
        return false;
    if (got < 0)
        process_end_lost(process, got);
    else
        process_end(process, returncode);
    return true;
}

/* Waits, without the loop, for a child that was killed. */
static void process_bury(struct process *process, aloop_ns deadline)
{
    while (!process_look(process)) {
        aloop_ns left = deadline - sys.clock(false);
        struct pollfd end = {.fd = process->pidfd, .events = POLLIN};

        if (left <= 0)
            return;
        /* Without a pidfd nothing can be waited for but time. */
        if (process->pidfd < 0)
            (void)sys.poll(NULL, 0, ALOOP_MS(1));
        else
            (void)sys.poll(&end, 1, left);
    }
}

static void process_kill_now(struct process *process, aloop_ns deadline)
{
    (void)process_signal_to_end(process, SIGKILL);
    process_bury(process, deadline);
}

/* --- all of a loop --- */

static void processes_close(aloop *loop, struct dependent *dependent)
{
    struct processes *processes = CONTAINER_OF(dependent, struct processes, dependent);
    aloop_ns deadline = sys.clock(false) + LAST_WAIT;
    struct process *process;
    uint32_t cursor = 0;

    /* From here on no handle finds any: the exception handler may close some. */
    loop->processes = NULL;
    while ((process = slots_next(&processes->slots, &cursor)) != NULL) {
        process->is_closed = false; /* it stays until we are through with it */
        if (process_is_foreign(process) || process->has_ended)
            continue;
        if (process->is_detached)
            (void)process_look(process);
        else
            (void)process_signal_to_end(process, SIGKILL);
    }
    /* All at once before, and one after the other now. */
    for (cursor = 0; (process = slots_next(&processes->slots, &cursor)) != NULL;) {
        if (!process->has_ended && !process_is_foreign(process) && !process->is_detached)
            process_bury(process, deadline);
        process_unwatch(process);
        slots_release(&processes->slots, process);
    }
    process_watch_close(processes);
    slots_fini(&processes->slots);
    memory_free(&loop->memory, processes, sizeof *processes);
}

/* They are the parent's. */
static int processes_after_fork(aloop *loop, struct dependent *dependent)
{
    struct processes *processes = CONTAINER_OF(dependent, struct processes, dependent);
    struct process *process;
    uint32_t cursor = 0;

    (void)loop;
    while ((process = slots_next(&processes->slots, &cursor)) != NULL) {
        process_unwatch(process);
        process_tell(process, -ECHILD);
        if (process->is_closed)
            process_release(process);
    }
    process_watch_close(processes);
    return 0;
}

static int processes_of(aloop *loop, struct processes **out_processes)
{
    struct processes *processes = loop->processes;

    if (processes == NULL) {
        processes = memory_alloc(&loop->memory, sizeof *processes);
        if (processes == NULL)
            return -ENOMEM;
        *processes = (struct processes){
            .loop = loop,
            .dependent = {.on_close = processes_close, .after_fork = processes_after_fork}};
        slots_init(&processes->slots, &loop->memory, sizeof(struct process));
        list_init(&processes->dependent.link);
        list_push(&loop->dependents, &processes->dependent.link);
        loop->processes = processes;
    }
    *out_processes = processes;
    return 0;
}

/* --- making one --- */

static int process_new(aloop *loop, struct process **out_process)
{
    struct processes *processes = NULL;
    struct process *process;
    int error = processes_of(loop, &processes);

    if (error < 0)
        return error;
    process = slots_take(&processes->slots);
    if (process == NULL)
        return -ENOMEM;
    process->loop = loop;
    process->pidfd = -1;
    process->fork_generation = sys.fork_generation();
    *out_process = process;
    return 0;
}

static void close_pipes(const aloop_process *handle)
{
    aloop_stream_close(&handle->in);
    aloop_stream_close(&handle->out);
    aloop_stream_close(&handle->err);
}

static bool options_are_valid(const aloop_process_options *options)
{
    return options->size >= sizeof *options && options->process_group >= -1 &&
           options->umask >= -1 && options->umask <= 0777;
}

static int create_check(aloop **loop, const char *const *argv, const aloop_process_options *options)
{
    int error;

    if (*loop == NULL)
        *loop = aloop_get_running_loop();
    if (*loop == NULL)
        return -ALOOP_ENOLOOP;
    error = loop_guard(*loop);
    if (error < 0)
        return error;
    if (loop_is_forked(*loop))
        return -ECHILD;
    if (argv == NULL || argv[0] == NULL || !options_are_valid(options))
        return -EINVAL;
    return 0;
}

int aloop_create_subprocess_exec(aloop *loop, const char *const *argv,
                                 const aloop_process_options *options, aloop_process *out_process)
{
    static const aloop_process_options defaults = ALOOP_PROCESS_OPTIONS_INIT;
    aloop_process handle = {0};
    struct process *process = NULL;
    int error;

    if (options == NULL)
        options = &defaults;
    error = create_check(&loop, argv, options);
    if (error == 0)
        error = process_new(loop, &process);
    if (error < 0)
        return error;
    error = process_spawn(loop, argv, options, &handle);
    if (error < 0)
        goto release;
    process->pid = handle.pid;
    process->leads_group = options->new_session || options->process_group == 0;
    error = process_watch(process);
    if (error < 0)
        goto kill;
    handle.loop = loop;
    handle.number = slots_number(process);
    *out_process = handle;
    return 0;
kill:
    /* Nobody would hear of its end. */
    process_kill_now(process, sys.clock(false) + LAST_WAIT);
    close_pipes(&handle);
release:
    process_release(process);
    return error;
}

int aloop_create_subprocess_shell(aloop *loop, const char *command,
                                  const aloop_process_options *options, aloop_process *out_process)
{
    const char *const argv[] = {"/bin/sh", "-c", command, NULL};

    if (command == NULL)
        return -EINVAL;
    return aloop_create_subprocess_exec(loop, argv, options, out_process);
}

/* --- finding it --- */

struct process *process_of_number(const aloop *loop, int64_t number)
{
    return loop->processes != NULL ? slots_find(&loop->processes->slots, number) : NULL;
}

int process_find(const aloop_process *handle, struct process **out_process)
{
    struct process *process =
        handle->loop != NULL ? process_of_number(handle->loop, handle->number) : NULL;

    if (process == NULL || process->is_closed)
        return -EBADF;
    if (process_is_foreign(process))
        return -ECHILD;
    *out_process = process;
    return 0;
}

int process_find_ended(const aloop_process *handle, struct process **out_process)
{
    struct process *process = NULL;
    int error = process_find(handle, &process);

    if (error < 0)
        return error;
    if (!process_look(process)) {
        *out_process = process;
        return -ALOOP_EPENDING;
    }
    /* Again: the exception handler may have closed it. */
    return process_find(handle, out_process);
}

int aloop_process_returncode(const aloop_process *handle, int *out_returncode)
{
    struct process *process = NULL;
    int error = process_find_ended(handle, &process);

    if (error < 0)
        return error;
    *out_returncode = process->returncode;
    return 0;
}

/* --- signals --- */

int process_signal(struct process *process, int signal_number, bool to_group)
{
    int returncode;

    if (!to_group)
        return process_look(process) ? -ESRCH
                                     : sys.kill(process->pid, process->pidfd, signal_number);
    if (process->has_ended)
        return -ESRCH;
    /* One that has ended may have left others in its group; one whose status somebody else has
       taken may have left its number. */
    if (sys.wait_child(process->pid, process->pidfd, true, &returncode) < 0) {
        (void)process_look(process);
        return -ESRCH;
    }
    return sys.kill(-process->pid, -1, signal_number);
}

int process_signal_to_end(struct process *process, int signal_number)
{
    int error;

    process->takes_group = true;
    error = process_signal(process, signal_number, process->leads_group);
    return error == -ESRCH ? 0 : error;
}

static int send_signal(const aloop_process *handle, int signal_number, bool to_group)
{
    struct process *process = NULL;
    int error = process_find(handle, &process);

    if (error < 0)
        return error;
    if (to_group && !process->leads_group)
        return -EINVAL;
    return process_signal(process, signal_number, to_group);
}

int aloop_process_send_signal(const aloop_process *process, int signal_number)
{
    return send_signal(process, signal_number, false);
}

int aloop_process_send_signal_to_group(const aloop_process *process, int signal_number)
{
    return send_signal(process, signal_number, true);
}

int aloop_process_terminate(const aloop_process *process)
{
    return send_signal(process, SIGTERM, false);
}

int aloop_process_kill(const aloop_process *process)
{
    return send_signal(process, SIGKILL, false);
}

/* --- letting go --- */

/* Nothing names it from now on; what it is made of stays until it has ended. */
static void let_go_of(struct process *process, bool is_detached)
{
    process->is_detached = is_detached;
    process->is_closed = true;
    /* One that has ended by itself leaves its group alone, also if nobody has noticed yet. */
    if (!process->is_watched)
        process_release(process);
    else if (!process_is_foreign(process) && !process_look(process) && !is_detached)
        (void)process_signal_to_end(process, SIGKILL);
}

static void let_go(aloop_process *handle, bool is_detached)
{
    struct process *process =
        handle->loop != NULL ? process_of_number(handle->loop, handle->number) : NULL;
    aloop_process was = *handle;

    *handle = (aloop_process){0};
    if (process != NULL && !process->is_closed)
        let_go_of(process, is_detached);
    /* Last: the end of its input may end a program by itself, just before it is killed. */
    close_pipes(&was);
}

void aloop_process_close(aloop_process *process)
{
    let_go(process, false);
}

void aloop_process_detach(aloop_process *process)
{
    let_go(process, true);
}
