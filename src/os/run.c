/*
 * Running a program: a loop of its own, its main task, and Ctrl-C.
 *
 * In asyncio the first SIGINT cancels the main task, and the second raises KeyboardInterrupt
 * wherever the program happens to be. Nothing can be raised in C, so the second stops the loop, and
 * what is left is closed as it stands: nobody waits for a cleanup that may be why it was sent. And
 * if the loop does not get round to look, because a callback does not return, the third does what
 * it would have done without the library.
 */
#include "os/signal.h"

#include <limits.h>

struct interrupts {
    struct signal_watch watch;
    aloop_task *main;
    unsigned count;
};

/* No user code runs in here: cancelling marks, and so does stopping. */
static void on_interrupt(struct signal_watch *watch, unsigned count)
{
    struct interrupts *interrupts = CONTAINER_OF(watch, struct interrupts, watch);

    if (interrupts->count == 0)
        (void)aloop_task_cancel(interrupts->main);
    interrupts->count += count;
    if (interrupts->count > 1)
        aloop_stop(watch->loop);
}

/* Does the program leave SIGINT to whoever comes, and is this where asyncio would take it? A part
   of the program may run a loop in a thread of its own: what the terminal says is not for that. */
static bool is_ours_to_watch(void)
{
    struct sigaction now;

    return sys.is_main_thread() == 1 && sys.sigaction(SIGINT, NULL, &now) == 0 &&
           !(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_DFL;
}

/* A main task that ended because it was interrupted, and for no other reason. */
static bool was_interrupted(const struct interrupts *interrupts, int64_t result)
{
    if (!future_is_done(&interrupts->main->future))
        return interrupts->count > 1;
    return interrupts->count > 0 && result == -ECANCELED &&
           aloop_task_cancelling(interrupts->main) <= 1;
}

static int64_t run_main(aloop *loop, aloop_task *task, bool leave_sigint)
{
    struct interrupts interrupts = {
        .watch = {.number = SIGINT, .is_fallback = true, .notify = on_interrupt}, .main = task};
    int64_t result;
    int error = 0;

    list_init(&interrupts.watch.link);
    /* Without it the program runs all the same. */
    if (!leave_sigint && is_ours_to_watch())
        (void)signal_watch_begin(loop, &interrupts.watch);
    result = aloop_run_until_complete_task(loop, task);
    /* While the other tasks end, it may end the program. */
    signal_watch_end(&interrupts.watch);
    if (was_interrupted(&interrupts, result))
        result = -EINTR;
    if (interrupts.count > 1)
        loop->thread_patience = 0;
    else
        error = aloop_shutdown(loop);
    return result >= 0 && error < 0 ? error : result;
}

static bool options_are_valid(const aloop_run_options *options)
{
    return options->size >= offsetof(aloop_run_options, leave_sigint) + sizeof(bool);
}

int aloop_run_coro_with(const aloop_run_options *options, const aloop_coro *coro,
                        const void *frame)
{
    static const aloop_run_options defaults = ALOOP_RUN_OPTIONS_INIT;
    aloop *loop;
    aloop_task *task;
    int64_t result;
    int error;

    if (options == NULL)
        options = &defaults;
    if (!options_are_valid(options))
        return -EINVAL;
    if (aloop_get_running_loop() != NULL)
        return -EBUSY;
    error = aloop_new(options->loop, &loop);
    if (error < 0)
        return error;
    task = aloop_task_new(loop, coro, frame);
    result = run_main(loop, task, options->leave_sigint);
    aloop_task_unref(task);
    /* Another thread may hold a reference, to find the loop closed. */
    (void)aloop_close(loop);
    aloop_unref(loop);
    return result > INT_MAX ? INT_MAX : result < INT_MIN ? INT_MIN : (int)result;
}

int aloop_run_coro(const aloop_coro *coro, const void *frame)
{
    return aloop_run_coro_with(NULL, coro, frame);
}
