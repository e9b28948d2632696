/*
 * Calls from other threads: a lock-free stack that producers push to, and the loop takes as a whole
 * and reverses. Only the producer that finds the stack empty wakes the loop, so a burst of posts
 * costs one write.
 *
 * Closing swaps a mark into the stack: whoever comes later is told that the loop is closed. The one
 * producer that may be between its push and its wake is kept from writing to an fd that is closed,
 * and perhaps somebody else's by now, by the lock; that is taken once per burst.
 */
#include "loop/internal.h"
#include "loop/observe.h"

enum post_state { POST_QUEUED, POST_RUNNING, POST_DONE, POST_CANCELLED };

struct aloop_threadsafe_call {
    aloop *loop;
    atomic_int state;
    atomic_int references;
    _Atomic(uintptr_t) runner; /* the thread it runs in */
};

static struct post posts_closed;
#define POSTS_CLOSED (&posts_closed)

int posts_push(aloop *loop, struct post *item)
{
    struct post *head;

    /* The wake fd of a fork()ed child is its parent's. */
    if (loop_is_forked(loop))
        return -ECHILD;
    head = atomic_load_explicit(&loop->posts, memory_order_relaxed);
    do {
        if (head == POSTS_CLOSED)
            return -ALOOP_ECLOSED;
        item->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&loop->posts, &head, item, memory_order_release,
                                                    memory_order_relaxed));
    if (head == NULL) {
        lock_acquire(&loop->lock);
        if (loop->wake_fds[1] >= 0)
            (void)sys.wake(loop->wake_fds[1]);
        lock_release(&loop->lock);
    }
    return 0;
}

static void post_free(aloop *loop, struct post *item)
{
    if (!item->is_kept)
        memory_free(&loop->memory, item, sizeof *item);
}

static int post(aloop *loop, aloop_callback *run, void *arg, aloop_threadsafe_call *call)
{
    struct post *item;
    int error;

    if (loop_is_forked(loop))
        return -ECHILD;
    item = memory_alloc(&loop->memory, sizeof *item);
    if (item == NULL)
        return -ENOMEM;
    *item = (struct post){.run = run, .arg = arg, .call = call};
    error = posts_push(loop, item);
    if (error < 0)
        post_free(loop, item);
    return error;
}

int aloop_call_soon_threadsafe(aloop *loop, aloop_callback *callback, void *arg)
{
    return post(loop, callback, arg, NULL);
}

int aloop_call_soon_threadsafe_cancellable(aloop *loop, aloop_callback *callback, void *arg,
                                           aloop_threadsafe_call **out_call)
{
    aloop_threadsafe_call *call = memory_alloc(&loop->memory, sizeof *call);
    int error;

    if (call == NULL)
        return -ENOMEM;
    call->loop = loop;
    loop_memory_ref(loop);
    atomic_init(&call->state, POST_QUEUED);
    atomic_init(&call->references, 2);
    atomic_init(&call->runner, 0);
    error = post(loop, callback, arg, call);
    if (error < 0) {
        memory_free(&loop->memory, call, sizeof *call);
        loop_memory_unref(loop);
        return error;
    }
    *out_call = call;
    return 0;
}

void aloop_threadsafe_call_unref(aloop_threadsafe_call *call)
{
    aloop *loop;

    if (call == NULL || atomic_fetch_sub(&call->references, 1) != 1)
        return;
    loop = call->loop;
    memory_free(&loop->memory, call, sizeof *call);
    loop_memory_unref(loop);
}

bool aloop_threadsafe_call_cancel(aloop_threadsafe_call *call)
{
    int state = POST_QUEUED;

    if (atomic_compare_exchange_strong(&call->state, &state, POST_CANCELLED))
        return true;
    if (state != POST_RUNNING || atomic_load(&call->runner) == sys_thread_id())
        return false;
    lock_acquire(&call->loop->lock);
    while (atomic_load(&call->state) == POST_RUNNING)
        lock_wait(&call->loop->lock);
    lock_release(&call->loop->lock);
    return false;
}

static void run_post(aloop *loop, const struct post *item)
{
    loop->run_correction++;
    if (loop->is_observed)
        observe_run(loop, &(struct ready_entry){.run = item->run, .arg = item->arg});
    else
        item->run(loop, item->arg);
}

static void run_cancellable(aloop *loop, const struct post *item)
{
    aloop_threadsafe_call *call = item->call;
    int state = POST_QUEUED;

    atomic_store(&call->runner, sys_thread_id());
    if (atomic_compare_exchange_strong(&call->state, &state, POST_RUNNING)) {
        run_post(loop, item);
        lock_acquire(&loop->lock);
        atomic_store(&call->state, POST_DONE);
        lock_broadcast(&loop->lock);
        lock_release(&loop->lock);
    }
    aloop_threadsafe_call_unref(call);
}

static void run_inbox(aloop *loop, void *arg)
{
    struct post *item = loop->inbox;

    (void)arg;
    loop->inbox = NULL;
    loop->run_correction--;
    while (item != NULL) {
        struct post current = *item;

        post_free(loop, item);
        if (current.call != NULL)
            run_cancellable(loop, &current);
        else
            run_post(loop, &current);
        item = current.next;
    }
}

/* Newest first becomes oldest first, and they are counted. */
static struct post *reversed(struct post *item, uint64_t *out_count)
{
    struct post *result = NULL;

    while (item != NULL) {
        struct post *next = item->next;

        ++*out_count;
        item->next = result;
        result = item;
        item = next;
    }
    return result;
}

void posts_collect(aloop *loop)
{
    struct post **last = &loop->inbox;
    struct post *items;

    if (atomic_load_explicit(&loop->posts, memory_order_relaxed) == NULL)
        return;
    items = atomic_exchange_explicit(&loop->posts, NULL, memory_order_acquire);
    /* A turn runs all that it collected, so the inbox is empty by now, unless that turn ended with
       an error. */
    if (loop->inbox == NULL)
        ready_push(&loop->ready, run_inbox, NULL);
    while (*last != NULL)
        last = &(*last)->next;
    *last = reversed(items, &loop->posts_collected);
}

bool posts_are_pending(const aloop *loop)
{
    return loop->inbox != NULL || atomic_load_explicit(&loop->posts, memory_order_relaxed) != NULL;
}

bool posts_own_entry(const struct ready_entry *entry)
{
    return entry->run == run_inbox;
}

static size_t walk_items(const struct post *item,
                         void (*visit)(const aloop_alive *alive, void *arg), void *arg)
{
    size_t count = 0;

    for (; item != NULL; item = item->next) {
        if (item->call != NULL && atomic_load(&item->call->state) == POST_CANCELLED)
            continue;
        visit(&(aloop_alive){.kind = ALOOP_ALIVE_CALLBACK,
                             .fd = -1,
                             .deadline = ALOOP_NEVER,
                             .callback = item->run,
                             .arg = item->arg},
              arg);
        count++;
    }
    return count;
}

size_t posts_walk(aloop *loop, void (*visit)(const aloop_alive *alive, void *arg), void *arg)
{
    const struct post *newest = atomic_load_explicit(&loop->posts, memory_order_acquire);
    size_t count = walk_items(loop->inbox, visit, arg);

    /* Other threads may add to the stack meanwhile, and only this one takes from it. */
    return newest == POSTS_CLOSED ? count : count + walk_items(newest, visit, arg);
}

void posts_forget_lock(aloop *loop)
{
    /* Where that fails the old one stays, which most likely nobody held. */
    if (lock_init(&loop->lock) < 0)
        return;
}

int posts_open(aloop *loop)
{
    int error;

    atomic_init(&loop->posts, NULL);
    error = sys.wake_open(loop->wake_fds);
    if (error < 0)
        return error;
    return poller_class_of(loop->poller)
        ->add(loop->poller, loop->wake_fds[0], WAKE_ID, POLLER_READ, POLLER_LEVEL);
}

static void drop_all(aloop *loop, struct post *item)
{
    while (item != NULL) {
        struct post *next = item->next;

        if (item->call != NULL) {
            int state = POST_QUEUED;

            (void)atomic_compare_exchange_strong(&item->call->state, &state, POST_CANCELLED);
            aloop_threadsafe_call_unref(item->call);
        }
        if (item->dropped != NULL)
            item->dropped(loop, item->arg);
        else
            post_free(loop, item);
        item = next;
    }
}

void posts_close(aloop *loop)
{
    struct post *items = atomic_exchange_explicit(&loop->posts, POSTS_CLOSED, memory_order_acquire);
    int fds[2];

    lock_acquire(&loop->lock);
    fds[0] = loop->wake_fds[0];
    fds[1] = loop->wake_fds[1];
    loop->wake_fds[0] = -1;
    loop->wake_fds[1] = -1;
    lock_release(&loop->lock);
    if (fds[0] >= 0)
        (void)sys.close(fds[0]);
    if (fds[1] >= 0 && fds[1] != fds[0])
        (void)sys.close(fds[1]);
    drop_all(loop, loop->inbox);
    loop->inbox = NULL;
    /* Closed before: what a forked child's failed attempt to go on has left. */
    if (items != POSTS_CLOSED)
        drop_all(loop, items);
}
