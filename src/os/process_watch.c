/*
 * How a loop hears of the end of its children, by what the system has:
 *   - Linux: a pidfd for each, readable when it has ended;
 *   - the BSDs, macOS: one kqueue for the loop's children, in which each is a filter, and which is
 *     itself an fd that the loop's poller can watch, whichever that is;
 *   - else, and on a Linux without pidfds: SIGCHLD, upon which each child of the loop is asked
 *     whether it has ended. What else listens to that signal goes on hearing it.
 * A kqueue may tell of the end before there is a status to be taken, and tells once: such a child
 * is asked again, by a timer. In each case a child that has ended before there was anything to tell
 * of it is found out: a pidfd is then readable from the beginning, for the others it is looked for
 * afterwards.
 */
/* A strict _POSIX_C_SOURCE hides what <sys/event.h> needs on these systems. */
#if !defined(__linux__)
#undef _POSIX_C_SOURCE
#define _DARWIN_C_SOURCE 1
#define _NETBSD_SOURCE 1
#endif
#include "os/process.h"
#include "os/signal.h"

#include <signal.h>
#ifdef SYS_HAVE_KQUEUE
#include <sys/event.h>
#endif

/* What all children of a loop without pidfds share. */
struct process_watch {
    struct processes *processes;
    int kqueue; /* -1: SIGCHLD it is */
    uint64_t fork_generation;
    aloop_handle timer; /* of the kqueue: when those that are ending are asked again */
    struct signal_watch signal;
};

static void look_at_all(struct processes *processes)
{
    struct process *process;
    uint32_t cursor = 0;

    while ((process = slots_next(&processes->slots, &cursor)) != NULL) {
        if (process->is_watched && process->pidfd < 0)
            (void)process_look(process);
    }
}

/* --- a pidfd each --- */

static void pidfd_ready(aloop *loop, void *arg)
{
    struct process *process = arg;

    (void)loop;
    (void)process_look(process);
}

/* -ENOSYS: there is none, and SIGCHLD it is. */
static int watch_pidfd(struct process *process)
{
    int pidfd = sys.pidfd_open(process->pid);
    aloop_handle reader;
    int returncode;

    /* EPERM is what a sandbox says that does not know the call. */
    if (pidfd == -EPERM || pidfd == -ESRCH)
        return -ENOSYS;
    if (pidfd < 0)
        return pidfd;
    /* Where SIGCHLD is ignored the child may be gone by now, and its number somebody else's: it is
       to be found out that nobody knows how it ended. */
    if (sys.wait_child(process->pid, pidfd, true, &returncode) < 0) {
        (void)sys.close(pidfd);
        return -ENOSYS;
    }
    reader = aloop_add_reader(process->loop, pidfd, pidfd_ready, process);
    if (reader < 0) {
        (void)sys.close(pidfd);
        return (int)reader;
    }
    process->pidfd = pidfd;
    return 0;
}

/* --- a kqueue for all --- */

#ifdef SYS_HAVE_KQUEUE

#define BATCH 64
#define ENDING_DELAY ALOOP_MS(1)

/* Those of which the system has told are asked until they have ended. */
static void look_at_ending(aloop *loop, void *arg)
{
    struct process_watch *watch = arg;
    struct process *process;
    uint32_t cursor = 0;
    bool is_any_left = false;

    while ((process = slots_next(&watch->processes->slots, &cursor)) != NULL) {
        if (process->is_watched && process->is_ending)
            is_any_left |= !process_look(process);
    }
    if (is_any_left)
        (void)aloop_reschedule_later(loop, watch->timer, ENDING_DELAY);
}

/* By the number alone it may also be another one, which has got that since: asking does no harm. */
static void note_ending(const struct process_watch *watch, uintptr_t pid)
{
    struct process *process;
    uint32_t cursor = 0;

    while ((process = slots_next(&watch->processes->slots, &cursor)) != NULL) {
        if (process->is_watched && process->pid == (pid_t)pid)
            process->is_ending = true;
    }
}

static void kqueue_ready(aloop *loop, void *arg)
{
    struct process_watch *watch = arg;
    struct kevent events[BATCH];
    int got;

    do {
        got = sys.kevent(watch->kqueue, NULL, 0, events, BATCH, 0);
        for (int i = 0; i < got; i++)
            note_ending(watch, events[i].ident);
    } while (got == BATCH);
    look_at_ending(loop, watch);
}

static int open_kqueue(struct process_watch *watch)
{
    int kqueue = sys.kqueue();
    aloop_handle reader;

    if (kqueue < 0)
        return kqueue;
    watch->timer = aloop_create_timer(watch->processes->loop, look_at_ending, watch);
    reader = watch->timer;
    if (reader >= 0)
        reader = aloop_add_reader(watch->processes->loop, kqueue, kqueue_ready, watch);
    if (reader < 0) {
        (void)aloop_cancel(watch->processes->loop, watch->timer);
        (void)sys.close(kqueue);
        return (int)reader;
    }
    watch->kqueue = kqueue;
    return 0;
}

static int add_to_kqueue(const struct process_watch *watch, const struct process *process)
{
    struct kevent change;
    int got;

    EV_SET(&change, (uintptr_t)process->pid, EVFILT_PROC, EV_ADD | EV_ONESHOT, NOTE_EXIT, 0, 0);
    got = sys.kevent(watch->kqueue, &change, 1, NULL, 0, 0);
    return got < 0 ? got : 0;
}

#else

static int open_kqueue(struct process_watch *watch)
{
    (void)watch;
    return -ENOTSUP;
}

static int add_to_kqueue(const struct process_watch *watch, const struct process *process)
{
    (void)watch;
    (void)process;
    return -ENOTSUP;
}

#endif

/* --- SIGCHLD for all --- */

static void signal_came(struct signal_watch *signal_watch, unsigned count)
{
    struct process_watch *watch = CONTAINER_OF(signal_watch, struct process_watch, signal);

    (void)count;
    look_at_all(watch->processes);
}

/* --- one of the two --- */

static int watch_open(struct processes *processes)
{
    struct process_watch *watch = memory_alloc(&processes->loop->memory, sizeof *watch);
    int error;

    if (watch == NULL)
        return -ENOMEM;
    *watch = (struct process_watch){
        .processes = processes,
        .kqueue = -1,
        .fork_generation = sys.fork_generation(),
        .signal = {
            .loop = processes->loop, .number = SIGCHLD, .is_chained = true, .notify = signal_came}};
    list_init(&watch->signal.link);
    error = sys.kqueue != NULL ? open_kqueue(watch) : -ENOTSUP;
    if (error == -ENOTSUP)
        error = signal_watch_begin(processes->loop, &watch->signal);
    if (error < 0) {
        memory_free(&processes->loop->memory, watch, sizeof *watch);
        return error;
    }
    processes->watch = watch;
    return 0;
}

static int watch_together(struct process *process)
{
    struct processes *processes = process->loop->processes;
    int error = processes->watch == NULL ? watch_open(processes) : 0;

    if (error < 0 || processes->watch->kqueue < 0)
        return error;
    error = add_to_kqueue(processes->watch, process);
    if (error != -ESRCH)
        return error;
    /* It has ended, or is about to, and the system has nothing to tell of it any more. */
    process->is_ending = true;
    return aloop_reschedule(processes->loop, processes->watch->timer, aloop_time(processes->loop));
}

void process_watch_close(struct processes *processes)
{
    struct process_watch *watch = processes->watch;

    if (watch == NULL)
        return;
    signal_watch_end(&watch->signal);
    if (watch->kqueue >= 0) {
        (void)aloop_cancel(processes->loop, watch->timer);
        (void)aloop_remove_reader(processes->loop, watch->kqueue);
        /* A forked child does not have the queue: the number is nobody's, or somebody else's. */
        if (watch->fork_generation == sys.fork_generation())
            (void)sys.close(watch->kqueue);
    }
    processes->watch = NULL;
    memory_free(&processes->loop->memory, watch, sizeof *watch);
}

/* --- one process --- */

static void look_later(aloop *loop, void *arg)
{
    (void)arg;
    look_at_all(loop->processes);
}

int process_watch(struct process *process)
{
    aloop_handle handle = 0;
    int error = sys.kqueue == NULL ? watch_pidfd(process) : -ENOSYS;

    if (error == -ENOSYS)
        error = watch_together(process);
    if (error < 0)
        return error;
    /* It may have ended before there was a handler to tell of it. */
    if (process->pidfd < 0 && process->loop->processes->watch->kqueue < 0)
        handle = aloop_call_soon(process->loop, look_later, NULL);
    if (handle < 0)
        return (int)handle;
    process->is_watched = true;
    return 0;
}

void process_unwatch(struct process *process)
{
    process->is_watched = false;
    if (process->pidfd < 0)
        return;
    (void)aloop_remove_reader(process->loop, process->pidfd);
    (void)sys.close(process->pidfd);
    process->pidfd = -1;
}
