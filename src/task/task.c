/*
 * Tasks: coroutines with a place in the loop. A task and its first frame are one block of memory;
 * the frames of calls come on top, one by one.
 *
 * The invariant: a task that is not done either has an entry in the ready queue (TASK_IS_QUEUED),
 * or waits for an operation that will wake it (TASK_WAITS), or is the one that runs.
 */
#include "loop/observe.h"
#include "task/internal.h"

void task_timer_due(aloop *loop, struct timer *node)
{
    (void)loop;
    task_wake(CONTAINER_OF(node, struct aloop_task, timer));
}

void task_notify(aloop_waiter *waiter)
{
    task_wake(CONTAINER_OF(waiter, struct aloop_task, op.waiter));
}

/* --- beginning --- */

/* How many places are reserved at a time. */
#define PLACES 16

/* A task has a place in the ready queue, so that nothing it does later can fail for want of it.
   They are reserved in batches, and kept for the tasks to come: that leaves one count to look at.
   The first batch is also where a loop learns that it has tasks. 0 or -ENOMEM. */
static NOINLINE int tasks_reserve_places(aloop *loop)
{
    if (loop->upper == NULL)
        future_attach_layer(loop);
    while (loop->task_places < PLACES && ready_reserve(&loop->ready) == 0)
        loop->task_places++;
    return loop->task_places > 0 ? 0 : -ENOMEM;
}

static inline struct aloop_task *task_alloc(aloop *loop, size_t frame_size)
{
    struct aloop_task *task;

    if (ALOOP_UNLIKELY(loop->task_places == 0) && tasks_reserve_places(loop) < 0)
        return NULL;
    task = pool_alloc(&loop->pool, TASK_HEAD_SIZE + frame_size);
    if (ALOOP_LIKELY(task != NULL))
        loop->task_places--;
    return task;
}

/* What most loops do not do with a new task. */
static COLD NOINLINE void task_looked_at(struct aloop_task *task)
{
    aloop *loop = task->future.loop;

    if (loop->is_shutting_down) {
        task->was_told_to_end = true;
        task->has_baggage = true;
        task->cancelling = 1;
        task->state |= ALARM_CANCEL;
    }
    if (loop->is_debug)
        notes_task_made(task);
    observe_task_created(loop, task);
}

static NOINLINE void task_inherit_locals(struct aloop_task *task)
{
    task->locals = locals_inherit(task->future.loop->current_task);
    task->has_baggage = true;
}

aloop_task *aloop_task_new(aloop *loop, const aloop_coro *coro, const void *args)
{
    struct aloop_task *task;
    int error = loop == NULL ? -ALOOP_ENOLOOP : loop_guard(loop);

    if (error < 0)
        return TASK_OF(future_failed(error));
    task = task_alloc(loop, coro->size);
    if (task == NULL)
        return TASK_OF(future_failed(-ENOMEM));
    /* Not the op's arguments, which the first await sets: zeroing a block as large as a task would
       cost as much as all the rest. */
    task->op.type = NULL;
    task->op.flags = 0;
    task->op.waiter = (aloop_waiter){.notify = task_notify};
    task->state = TASK_IS_QUEUED | TASK_RUNS;
    task->has_baggage = false;
    task->was_told_to_end = false;
    task->frame = task_first_frame(task);
    /* The loop's own reference is the second. */
    task->future = (struct aloop_future){.loop = loop, .references = 2, .kind = FUTURE_TASK};
    timer_init(&task->timer, TIMER_KIND_TASK);
    memset(&task->scope, 0, sizeof *task - offsetof(struct aloop_task, scope));
    frame_init(task->frame, coro, args, task, NULL);
    list_push(&loop->tasks, &task->link);
    loop->tasks_created++;
    loop_object_added(loop);
    if (ALOOP_UNLIKELY(loop->current_task != NULL && loop->current_task->locals != NULL))
        task_inherit_locals(task);
    ready_push(&loop->ready, task_step, task);
    if (ALOOP_UNLIKELY(loop->looks_at_new_tasks))
        task_looked_at(task);
    return task;
}

/* --- running --- */

static NOINLINE void task_fail(struct aloop_task *task, int64_t error)
{
    if (error == -ECANCELED) {
        future_complete(&task->future, FUTURE_CANCELLED, error);
        return;
    }
    trace_pass_on(&task->future, &task->future);
    future_complete(&task->future, FUTURE_FINISHED, error);
    if (task->was_told_to_end) {
        task->future.is_retrieved = true;
        future_report(&task->future, "task failed while the loop was shutting down");
    }
}

/* What it had beyond what all tasks have. It is done: that is what destructors of its values, which
   are the program's, find. */
static NOINLINE void task_drop_baggage(struct aloop_task *task)
{
    aloop *loop = task->future.loop;
    struct locals *locals = task->locals;

    if (task->was_told_to_end && loop->is_shutting_down && loop_task_count(loop) == 0)
        aloop_stop(loop);
    task->locals = NULL;
    if (locals != NULL)
        locals_release(loop, locals);
}

void task_finish(struct aloop_task *task, int64_t outcome)
{
    aloop *loop = task->future.loop;

    /* Cancelled too late for any await: the value is dropped. */
    if (ALOOP_UNLIKELY(task->state & ALARM_CANCEL) && outcome >= 0)
        outcome = -ECANCELED;
    task->state = TASK_DONE | (task->state & TASK_IS_QUEUED);
    list_del(&task->link);
    loop->tasks_ended++;
    if (ALOOP_UNLIKELY(timer_is_armed(&task->timer)))
        timers_take_out(&loop->timers, &task->timer);
    if (ALOOP_LIKELY(outcome >= 0))
        future_complete(&task->future, FUTURE_FINISHED, outcome);
    else
        task_fail(task, outcome);
    if (ALOOP_UNLIKELY(task->has_baggage))
        task_drop_baggage(task);
    /* Its last await may have completed after it had asked to be woken: the entry keeps it, and its
       place. */
    if (ALOOP_LIKELY(!(task->state & TASK_IS_QUEUED)))
        task_leave(task);
}

/* --- ending --- */

/* Throws a task away where it stands: its loop is being closed. */
static void task_abandon(struct aloop_task *task)
{
    aloop *loop = task->future.loop;

    if (task_mode(task) == TASK_WAITS)
        task_drop_op(task);
    for (;;) {
        aloop_frame *frame;

        generator_abandon_next(task);
        frame = task->frame;
        frame_abandon_scopes(task);
        if (frame->coro->cleanup != NULL)
            frame->coro->cleanup(frame);
        if (frame->caller == NULL)
            break;
        task->frame = frame->caller;
        if (frame->flags & FRAME_GENERATOR)
            generator_free(frame);
        else
            frame_free(loop, frame);
    }
    task_finish(task, -ECANCELED);
}

static void tasks_close(aloop *loop)
{
    /* First all stop waiting: what one of them waits for may live in the frame of another. */
    for (struct list *link = loop->tasks.next; link != &loop->tasks; link = link->next) {
        struct aloop_task *task = CONTAINER_OF(link, struct aloop_task, link);

        if (task_mode(task) == TASK_WAITS)
            task_drop_op(task);
    }
    while (!list_is_empty(&loop->tasks)) {
        struct aloop_task *task = CONTAINER_OF(loop->tasks.next, struct aloop_task, link);

        task->future.result = 0;
        future_report(&task->future, "task was destroyed but it is pending");
        aloop_task_ref(task);
        task_abandon(task);
        observe_task_done(loop, task);
        aloop_task_unref(task);
    }
    composites_close(loop);
    future_drop_entries(loop);
}

static const aloop_coro *task_where(const struct aloop_task *task, int *out_line)
{
    const aloop_frame *frame = task->frame;

    *out_line = frame->line > 0 ? frame->line : frame->coro->line;
    return frame->coro;
}

static size_t tasks_walk(aloop *loop, void (*visit)(const aloop_alive *alive, void *arg), void *arg)
{
    size_t count = 0;

    for (struct list *link = loop->tasks.next; link != &loop->tasks; link = link->next) {
        struct aloop_task *task = CONTAINER_OF(link, struct aloop_task, link);
        aloop_alive alive = {.kind = ALOOP_ALIVE_TASK, .fd = -1, .deadline = ALOOP_NEVER};

        alive.name = aloop_task_name(task);
        alive.file = task_where(task, &alive.line)->file;
        visit(&alive, arg);
        count++;
    }
    return count;
}

static bool is_step(const struct ready_entry *entry)
{
    return entry->run == task_step;
}

/* A task that is done may have an entry left, which is no step any more. */
static struct aloop_task *hold_task(const struct ready_entry *entry)
{
    struct aloop_task *task = entry->arg;

    if (entry->run != task_step || future_is_done(&task->future))
        return NULL;
    return aloop_task_ref(task);
}

static bool is_done(const struct aloop_task *task)
{
    return future_is_done(&task->future);
}

static void describe_step(const struct ready_entry *entry, aloop_exception_context *context)
{
    const struct aloop_task *task = entry->arg;

    if (entry->run != task_step)
        return;
    context->message = "step of a task was slow";
    context->name = aloop_task_name(task);
    context->file = task_where(task, &context->line)->file;
}

const struct upper_layer task_upper_layer = {
    .on_close = tasks_close,
    .walk = tasks_walk,
    .is_step = is_step,
    .hold_task = hold_task,
    .is_done = is_done,
    .before_step = notes_before_step,
    .after_step = notes_after_step,
    .report_leaks = notes_report_leaks,
    .release_task = aloop_task_unref,
    .task_name = aloop_task_name,
    .describe = describe_step};

/* --- asking --- */

aloop_task *aloop_task_ref(aloop_task *task)
{
    aloop_future_ref(&task->future);
    return task;
}

void aloop_task_unref(aloop_task *task)
{
    if (task != NULL)
        aloop_future_unref(&task->future);
}

aloop_future *aloop_task_future(aloop_task *task)
{
    return &task->future;
}

bool aloop_task_done(const aloop_task *task)
{
    return aloop_future_done(&task->future);
}

bool aloop_task_cancelled(const aloop_task *task)
{
    return aloop_future_cancelled(&task->future);
}

int64_t aloop_task_result(aloop_task *task)
{
    return aloop_future_result(&task->future);
}

aloop *aloop_task_loop(const aloop_task *task)
{
    return task->future.loop;
}

const char *aloop_task_name(const aloop_task *task)
{
    if (task->future.loop == NULL)
        return aloop_error_name(task->future.result);
    return task_first_frame(task)->coro->name;
}

aloop_task *aloop_current_task(void)
{
    const aloop *loop = aloop_get_running_loop();

    return loop != NULL ? loop->current_task : NULL;
}

size_t aloop_all_tasks(const aloop *loop, aloop_task **tasks, size_t capacity)
{
    size_t count = 0;

    for (const struct list *link = loop->tasks.next; link != &loop->tasks && count < capacity;
         link = link->next)
        tasks[count++] = CONTAINER_OF(link, struct aloop_task, link);
    return loop_task_count(loop);
}
