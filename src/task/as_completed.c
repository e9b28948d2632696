/*
 * Futures in the order they complete. Each has an entry that watches it, in the list of those that
 * are pending, and moves to the end of the list of those that are done, by which the next is found
 * at once, and any number can be left behind without a search. The reference that an entry has is
 * kept, for the one that was given last, until the next is asked for.
 */
#include "task/grant.h"

#include <aloop/wait.h>

struct entry {
    aloop_waiter waiter;
    struct list link; /* in pending or done */
    aloop_as_completed *it;
    aloop_future *future;
    size_t index;
};

/* The public struct has links of its own; these are the same in the library's terms. */
static struct list *pending_of(aloop_as_completed *it)
{
    return (struct list *)(void *)&it->pending;
}

static struct list *done_of(aloop_as_completed *it)
{
    return (struct list *)(void *)&it->done;
}

static aloop *loop_of(const aloop_as_completed *it)
{
    return it->hold.scope.task->future.loop;
}

/* --- entries --- */

static void entry_is_done(struct entry *entry)
{
    list_del(&entry->link);
    list_push(done_of(entry->it), &entry->link);
    aloop_wake_one(&entry->it->waiters);
}

static void entry_notify(aloop_waiter *waiter)
{
    entry_is_done(CONTAINER_OF(waiter, struct entry, waiter));
}

/* Returns its future, and the reference. */
static aloop_future *entry_free(aloop *loop, struct entry *entry)
{
    aloop_future *future = entry->future;

    aloop_waiter_unlink(&entry->waiter);
    list_del(&entry->link);
    entry->it->count--;
    pool_free(&loop->pool, entry, sizeof *entry);
    return future;
}

static void free_all(aloop *loop, struct list *entries)
{
    while (!list_is_empty(entries))
        aloop_future_unref(entry_free(loop, CONTAINER_OF(entries->next, struct entry, link)));
}

/* --- opening and closing --- */

/* The scope is left by now, but the task is still known: it is the one whose frame ends, or that
   calls. */
static void give_back(aloop_hold *hold)
{
    aloop_as_completed *it = CONTAINER_OF(hold, aloop_as_completed, hold);
    aloop *loop = hold->what;

    free_all(loop, pending_of(it));
    free_all(loop, done_of(it));
    aloop_future_unref(it->given);
    it->given = NULL;
}

int aloop_as_completed_open(aloop_as_completed *it, aloop_ns timeout)
{
    struct aloop_task *task = aloop_current_task();

    if (task == NULL)
        return -EPERM;
    if (aloop_hold_is_held(&it->hold))
        return -EBUSY;
    *it = (aloop_as_completed){.deadline = ALOOP_NEVER};
    if (timeout != ALOOP_NEVER)
        it->deadline = time_add(task->future.loop->now, timeout > 0 ? timeout : 0);
    list_init(pending_of(it));
    list_init(done_of(it));
    hold_enter(task, &it->hold, task->future.loop, give_back);
    return 0;
}

void aloop_as_completed_close(aloop_as_completed *it)
{
    (void)aloop_hold_release(&it->hold);
}

/* --- adding and removing --- */

int aloop_as_completed_add_future(aloop_as_completed *it, aloop_future *future)
{
    struct entry *entry;

    if (!aloop_hold_is_held(&it->hold))
        return -EINVAL;
    if (future == &it->hold.scope.task->future)
        return -EDEADLK;
    if (future->loop != NULL && future->loop != loop_of(it))
        return -ALOOP_EWRONGLOOP;
    entry = pool_alloc(&loop_of(it)->pool, sizeof *entry);
    if (entry == NULL)
        return -ENOMEM;
    *entry = (struct entry){.waiter.notify = entry_notify,
                            .it = it,
                            .future = future_ref(future),
                            .index = it->added++};
    list_init(&entry->link);
    it->count++;
    if (future_is_done(future)) {
        entry_is_done(entry);
    } else {
        list_push(pending_of(it), &entry->link);
        aloop_waitlist_push(&future->waiters, &entry->waiter);
    }
    return 0;
}

int aloop_as_completed_add_task(aloop_as_completed *it, aloop_task *task)
{
    return aloop_as_completed_add_future(it, &task->future);
}

/* Of those that were added last. */
static void take_back(aloop_as_completed *it, const aloop_future *future)
{
    struct list *heads[] = {pending_of(it), done_of(it)};

    for (size_t i = 0; i < 2; i++) {
        struct entry *entry = CONTAINER_OF(heads[i]->prev, struct entry, link);

        if (list_is_empty(heads[i]) || entry->future != future || entry->index + 1 != it->added)
            continue;
        aloop_future_unref(entry_free(loop_of(it), entry));
        it->added--;
        return;
    }
}

int aloop_as_completed_add_futures(aloop_as_completed *it, aloop_future *const *futures,
                                   size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int error = aloop_as_completed_add_future(it, futures[i]);

        if (error == 0)
            continue;
        while (i-- > 0)
            take_back(it, futures[i]);
        return error;
    }
    return 0;
}

int aloop_as_completed_add_tasks(aloop_as_completed *it, aloop_task *const *tasks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int error = aloop_as_completed_add_future(it, &tasks[i]->future);

        if (error == 0)
            continue;
        while (i-- > 0)
            take_back(it, &tasks[i]->future);
        return error;
    }
    return 0;
}

static struct entry *find_pending(const aloop_as_completed *it, aloop_future *future)
{
    aloop_link *head = &future->waiters.head;

    for (aloop_link *link = head->next; link != NULL && link != head; link = link->next) {
        aloop_waiter *waiter = (aloop_waiter *)(void *)link;
        struct entry *entry = CONTAINER_OF(waiter, struct entry, waiter);

        if (waiter->notify == entry_notify && entry->it == it)
            return entry;
    }
    return NULL;
}

static struct entry *find_done(aloop_as_completed *it, const aloop_future *future)
{
    struct list *head = done_of(it);

    for (struct list *link = head->next; link != head; link = link->next) {
        struct entry *entry = CONTAINER_OF(link, struct entry, link);

        if (entry->future == future)
            return entry;
    }
    return NULL;
}

bool aloop_as_completed_remove_future(aloop_as_completed *it, aloop_future *future)
{
    struct entry *entry;

    if (!aloop_hold_is_held(&it->hold))
        return false;
    entry = future_is_done(future) ? find_done(it, future) : find_pending(it, future);
    if (entry == NULL)
        return false;
    aloop_future_unref(entry_free(loop_of(it), entry));
    return true;
}

bool aloop_as_completed_remove_task(aloop_as_completed *it, aloop_task *task)
{
    return aloop_as_completed_remove_future(it, &task->future);
}

/* --- the next --- */

static void give(aloop_as_completed *it, struct list *entries, aloop_future **out_future)
{
    struct entry *entry = CONTAINER_OF(entries->next, struct entry, link);

    it->index = entry->index;
    it->given = entry_free(loop_of(it), entry);
    *out_future = it->given;
}

aloop_poll aloop_as_completed_poll_(aloop_task *task, aloop_op *op)
{
    aloop_as_completed *it = op->arg[0].pointer;
    bool is_time_up;

    if (!aloop_hold_is_held(&it->hold))
        return -EINVAL;
    if (it->hold.scope.task != task)
        return -EPERM;
    aloop_future_unref(it->given);
    it->given = NULL;
    if (!list_is_empty(done_of(it))) {
        give(it, done_of(it), op->arg[1].pointer);
        return 1;
    }
    if (it->count == 0)
        return 0;
    is_time_up = task->future.loop->now >= it->deadline;
    if (is_time_up) {
        give(it, pending_of(it), op->arg[1].pointer);
        return -ETIMEDOUT;
    }
    if (it->deadline != ALOOP_NEVER)
        (void)aloop_op_wait_until(task, it->deadline);
    return aloop_op_wait(op, &it->waiters);
}

static aloop_future *next_pending(const aloop_op *op, void **cursor)
{
    struct list *pending = pending_of(op->arg[0].pointer);
    struct list *link = *cursor != NULL ? *cursor : pending->next;

    if (link == pending)
        return NULL;
    *cursor = link->next;
    return CONTAINER_OF(link, struct entry, link)->future;
}

static void next_describe(const aloop_task *task, const aloop_op *op, aloop_op_details *details)
{
    const aloop_as_completed *it = op->arg[0].data;

    (void)task;
    details->deadline = it->deadline;
    details->is_any = true;
    details->next_future = next_pending;
}

const aloop_op_type aloop_as_completed_type_ = {.name = "as_completed", .describe = next_describe};
