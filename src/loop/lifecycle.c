/*
 * How a loop begins and ends. Everything is acquired before anything else can see it, so failing at
 * any point leaves nothing; and closing works on what a failed beginning left as well.
 *
 * Three things keep parts of a loop alive. The program's references keep it open; when the last
 * goes it is closed. Its futures and tasks, which live in its pools, keep the memory, so that a
 * result can be read after the loop is closed. And so does a cancellable call from another thread.
 */
#include "loop/callback.h"
#include "loop/internal.h"
#include "loop/observe.h"
#include "loop/watch.h"

#include <stdlib.h>
#include <string.h>

#define SLOW_CALLBACK_DEFAULT ALOOP_MS(100)
/* asyncio: shutdown_default_executor(). */
#define THREAD_PATIENCE_DEFAULT ALOOP_SEC(300)
/* Jobs wait, mostly: more than there are processors, less than would be a crowd. */
#define THREAD_LIMIT_DEFAULT 8

static void loop_free(aloop *loop)
{
    struct memory memory = loop->memory;

    pool_fini(&loop->pool);
    posts_fini(loop);
    if (loop->durations != NULL)
        memory_free(&memory, loop->durations, sizeof *loop->durations);
    memory_free(&memory, loop, sizeof *loop);
}

void loop_memory_ref(aloop *loop)
{
    atomic_fetch_add_explicit(&loop->memory_references, 1, memory_order_relaxed);
}

void loop_memory_unref(aloop *loop)
{
    if (atomic_fetch_sub_explicit(&loop->memory_references, 1, memory_order_acq_rel) == 1)
        loop_free(loop);
}

aloop *aloop_ref(aloop *loop)
{
    atomic_fetch_add_explicit(&loop->references, 1, memory_order_relaxed);
    return loop;
}

void aloop_unref(aloop *loop)
{
    if (loop == NULL || atomic_fetch_sub_explicit(&loop->references, 1, memory_order_acq_rel) != 1)
        return;
    /* Inside a callback: the turn goes on, and the run ends what it still stands on. */
    if (loop->is_running) {
        aloop_stop(loop);
        return;
    }
    (void)aloop_close(loop);
    loop_memory_unref(loop);
}

void loop_end_if_unreferenced(aloop *loop)
{
    if (ALOOP_LIKELY(atomic_load_explicit(&loop->references, memory_order_acquire) != 0))
        return;
    (void)aloop_close(loop);
    loop_memory_unref(loop);
}

static bool options_are_valid(const aloop_options *options)
{
    return options->size >= offsetof(aloop_options, seed) + sizeof options->seed &&
           options->clock >= ALOOP_CLOCK_MONOTONIC && options->clock <= ALOOP_CLOCK_VIRTUAL &&
           options->busy_poll >= 0 && options->slow_callback >= 0;
}

/* As asyncio's PYTHONASYNCIODEBUG: for a program that is already there. */
static bool environment_wants_debug(void)
{
    const char *value = getenv("ALOOP_DEBUG");

    return value != NULL && value[0] != '\0' && strcmp(value, "0") != 0;
}

static void loop_configure(aloop *loop, const aloop_options *options)
{
    loop->poller_kind = options->poller;
    loop->is_virtual = options->clock == ALOOP_CLOCK_VIRTUAL;
    loop->is_boottime = options->clock == ALOOP_CLOCK_BOOTTIME;
    loop->is_debug = options->debug || environment_wants_debug();
    loop->has_checks = loop->is_debug;
    loop->looks_at_new_tasks = loop->is_debug;
    loop->is_observed = loop->is_debug || options->seed != 0;
    loop->busy_poll = options->busy_poll;
    loop->random = options->seed;
    loop->thread_limit = THREAD_LIMIT_DEFAULT;
    loop->thread_patience = THREAD_PATIENCE_DEFAULT;
    loop->slow_callback =
        options->slow_callback > 0 ? options->slow_callback : SLOW_CALLBACK_DEFAULT;
}

/* The poller and the wake fd: what a forked child must not share with its parent. */
static int open_descriptors(aloop *loop)
{
    const struct poller_class *class = poller_class_for((int)loop->poller_kind);
    int error;

    if (class == NULL)
        return -ENOTSUP;
    loop->fork_generation = sys.fork_generation();
    error = class->open(&loop->memory, &loop->poller);
    return error < 0 ? error : posts_open(loop);
}

static void close_poller(aloop *loop)
{
    if (loop->poller != NULL)
        poller_class_of(loop->poller)->close(loop->poller);
    loop->poller = NULL;
}

/* Each may free itself. */
static void dependents_close(aloop *loop)
{
    while (!list_is_empty(&loop->dependents)) {
        struct dependent *dependent =
            CONTAINER_OF(loop->dependents.next, struct dependent, link);

        list_del(&dependent->link);
        dependent->on_close(loop, dependent);
    }
}

static int dependents_after_fork(aloop *loop)
{
    int error = 0;

    for (struct list *link = loop->dependents.next; error == 0 && link != &loop->dependents;
         link = link->next) {
        struct dependent *dependent = CONTAINER_OF(link, struct dependent, link);

        if (dependent->after_fork != NULL)
            error = dependent->after_fork(loop, dependent);
    }
    return error;
}

/* Everything but the loop's own memory. */
static void loop_fini(aloop *loop)
{
    dependents_close(loop);
    watch_close_all(loop);
    posts_close(loop);
    callbacks_close(loop);
    close_poller(loop);
    loop->run_correction -= (int64_t)ready_count(&loop->ready);
    ready_fini(&loop->ready);
}

static int loop_init(aloop *loop)
{
    int error;

    list_init(&loop->tasks);
    list_init(&loop->composites);
    list_init(&loop->always_ready);
    list_init(&loop->dependents);
    list_init(&loop->observers);
    loop->wake_fds[0] = -1;
    loop->wake_fds[1] = -1;
    loop->polled_at = READY_FIRST;
    atomic_init(&loop->references, 1);
    atomic_init(&loop->memory_references, 1);
    pool_init(&loop->pool, &loop->memory);
    map_init(&loop->notes, &loop->memory);
    slots_init(&loop->handles, &loop->memory, sizeof(struct callback_slot));
    slots_init(&loop->watches, &loop->memory, sizeof(struct watch));
    callbacks_open(loop);
    error = ready_init(&loop->ready, &loop->memory);
    if (error == 0)
        error = ready_reserve(&loop->ready); /* for the calls from other threads */
    if (error == 0)
        error = open_descriptors(loop);
    if (error == 0)
        loop->now = loop_read_clock(loop);
    return error;
}

int aloop_new(const aloop_options *options, aloop **out_loop)
{
    static const aloop_options defaults = ALOOP_OPTIONS_INIT;
    struct memory memory;
    aloop *loop;
    int error;

    if (options == NULL)
        options = &defaults;
    if (!options_are_valid(options))
        return -EINVAL;
    memory_init(&memory, &options->allocator);
    loop = memory_alloc(&memory, sizeof *loop);
    if (loop == NULL)
        return -ENOMEM;
    memset(loop, 0, sizeof *loop);
    loop->memory = memory;
    loop_configure(loop, options);
    error = posts_init(loop);
    if (error < 0) {
        memory_free(&memory, loop, sizeof *loop);
        return error;
    }
    error = loop_init(loop);
    if (error < 0) {
        loop_fini(loop);
        loop_free(loop);
        return error;
    }
    *out_loop = loop;
    return 0;
}

int aloop_close(aloop *loop)
{
    if (loop->is_running)
        return -EBUSY;
    if (loop->is_closed)
        return 0;
    loop->is_closed = true;
    loop->has_checks = true;
    loop->is_stopping = true;
    loop_leave_turns(loop);
    if (loop_is_forked(loop))
        posts_forget_locks(loop);
    if (loop->upper != NULL)
        loop->upper->on_close(loop);
    loop_fini(loop);
    /* Last: what its threads have posted is dropped by now. */
    if (loop->threads != NULL)
        loop->threads->on_close(loop);
    if (loop->is_debug && loop->upper != NULL)
        loop->upper->report_leaks(loop);
    observers_close(loop);
    return 0;
}

/* No process has this number: until the loop is whole again it counts as forked. */
#define NOT_WHOLE 0

int aloop_after_fork(aloop *loop)
{
    int error;

    if (loop->is_closed)
        return -ALOOP_ECLOSED;
    if (!loop_is_forked(loop))
        return 0;
    /* The child's copies of the fds; the parent's are untouched. Calls that other threads had
       posted belong to the parent, where those threads live on. */
    loop->is_running = false;
    atomic_store_explicit(&loop->thread, 0, memory_order_relaxed);
    posts_forget_locks(loop);
    close_poller(loop);
    posts_close(loop);
    error = open_descriptors(loop);
    if (error == 0)
        error = dependents_after_fork(loop);
    if (error == 0)
        error = watch_register_all(loop);
    if (error == 0 && loop->threads != NULL)
        loop->threads->after_fork(loop);
    if (error < 0)
        loop->fork_generation = NOT_WHOLE;
    return error;
}

/* The first object: one reference for all of them. */
void loop_objects_began(aloop *loop)
{
    loop_memory_ref(loop);
}

void loop_objects_ended(aloop *loop)
{
    loop_memory_unref(loop);
}

size_t aloop_walk(aloop *loop, void (*visit)(const aloop_alive *alive, void *arg), void *arg)
{
    size_t count;

    if (loop->is_closed)
        return 0;
    count = callbacks_walk(loop, visit, arg) + posts_walk(loop, visit, arg) +
            watch_walk_sockets(loop, visit, arg);
    return loop->upper != NULL ? count + loop->upper->walk(loop, visit, arg) : count;
}
