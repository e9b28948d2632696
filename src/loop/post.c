/*
 * Calls from other threads: a list of blocks of them that producers add to, and the loop takes as a
 * whole. Only the producer that finds it empty wakes the loop, so a burst of posts costs one write;
 * and none while the loop is awake, as it looks at the list before it sleeps.
 * Blocks are used again, so a steady stream of posts allocates nothing; and as posts lie side by
 * side, few cache lines go from one CPU to the other, which is most of what a post costs.
 * A lock-free stack of single posts was rejected: it took twice as long, for the lines that each
 * post had to itself, that its memory was from one thread and went back in another, and that the
 * loop turned it around.
 *
 * After closing, whoever comes is told that the loop is closed. The one producer that may be
 * between adding and waking is kept from writing to an fd that is closed, and perhaps somebody
 * else's by now, by a lock of its own; that is taken once per burst, and not the one for the list,
 * or the loop that wakes up would wait for it.
 */
#include "loop/internal.h"
#include "loop/observe.h"

/* A block is 1 KiB, as the allocator sees it. */
#define BLOCK_POSTS 62
/* Blocks that are kept to be used again. */
#define SPARE_BLOCKS_MAX 16

struct post_batch {
    struct post_block block;
    struct post_entry entries[BLOCK_POSTS];
};

enum post_state { POST_QUEUED, POST_RUNNING, POST_DONE, POST_CANCELLED };

struct aloop_threadsafe_call {
    aloop *loop;
    aloop_callback *run;
    void *arg;
    atomic_int state;
    atomic_int references;
    _Atomic(uintptr_t) runner; /* the thread it runs in */
};

/* --- the list; under its lock --- */

static struct post_batch *batch_of(struct post_block *block)
{
    return CONTAINER_OF(block, struct post_batch, block);
}

static struct post_entry entry_of(const struct post_block *block, unsigned i)
{
    if (block->is_kept) {
        const struct post *item = CONTAINER_OF(block, const struct post, block);

        return (struct post_entry){item->run, item->arg};
    }
    return CONTAINER_OF(block, const struct post_batch, block)->entries[i];
}

static bool has_room(const struct post_block *block)
{
    return block != NULL && !block->is_kept && block->count < BLOCK_POSTS;
}

static void append(aloop *loop, struct post_block *block)
{
    block->next = NULL;
    if (loop->posts.first == NULL)
        loop->posts.first = block;
    else
        loop->posts.last->next = block;
    loop->posts.last = block;
}

static void free_block(aloop *loop, struct post_block *block)
{
    memory_free(&loop->memory, batch_of(block), sizeof(struct post_batch));
}

static void free_blocks(aloop *loop, struct post_block *block)
{
    while (block != NULL) {
        struct post_block *next = block->next;

        free_block(loop, block);
        block = next;
    }
}

/* The loop is through with them: what is not kept is freed. */
static void put_back(aloop *loop, struct post_block *block)
{
    /* The lock of a fork()ed child may be in the hands of a thread that is not here. */
    if (!loop_is_forked(loop)) {
        lock_acquire(&loop->posts.lock);
        while (block != NULL && loop->posts.spare_count < SPARE_BLOCKS_MAX) {
            struct post_block *next = block->next;

            block->next = loop->posts.spare;
            loop->posts.spare = block;
            loop->posts.spare_count++;
            block = next;
        }
        lock_release(&loop->posts.lock);
    }
    free_blocks(loop, block);
}

/* --- in any thread --- */

/* Releases the lock, of a list that something was added to. */
static void release_and_wake(aloop *loop)
{
    bool was_empty = atomic_load_explicit(&loop->posts.is_empty, memory_order_relaxed);

    if (was_empty)
        atomic_store(&loop->posts.is_empty, false);
    lock_release(&loop->posts.lock);
    /* This looks at `is_attended` behind the store above, and posts_leave() the other way round, so
       at least one of the two sees the other. */
    if (!was_empty || atomic_load(&loop->posts.is_attended))
        return;
    lock_acquire(&loop->lock);
    if (loop->wake_fds[1] >= 0)
        (void)sys.wake(loop->wake_fds[1]);
    lock_release(&loop->lock);
}

int posts_push(aloop *loop, struct post *item)
{
    if (loop_is_forked(loop))
        return -ECHILD;
    lock_acquire(&loop->posts.lock);
    if (loop->posts.is_closed) {
        lock_release(&loop->posts.lock);
        return -ALOOP_ECLOSED;
    }
    item->block.is_kept = true;
    item->block.count = 1;
    append(loop, &item->block);
    release_and_wake(loop);
    return 0;
}

/* Under the lock, which it gives up for as long as it allocates: there is a last block with room.
   0, -ENOMEM, -ALOOP_ECLOSED. */
static int make_room(aloop *loop)
{
    struct post_block *block = loop->posts.spare;

    if (block != NULL) {
        loop->posts.spare = block->next;
        loop->posts.spare_count--;
    } else {
        struct post_batch *batch;

        lock_release(&loop->posts.lock);
        batch = memory_alloc(&loop->memory, sizeof *batch);
        lock_acquire(&loop->posts.lock);
        if (batch == NULL)
            return -ENOMEM;
        block = &batch->block;
    }
    if (loop->posts.is_closed) {
        free_block(loop, block);
        return -ALOOP_ECLOSED;
    }
    block->is_kept = false;
    block->count = 0;
    append(loop, block);
    return 0;
}

static int post(aloop *loop, aloop_callback *run, void *arg)
{
    struct post_block *block;
    int error = 0;

    /* The wake fd of a fork()ed child is its parent's. */
    if (loop_is_forked(loop))
        return -ECHILD;
    lock_acquire(&loop->posts.lock);
    if (!has_room(loop->posts.last))
        error = make_room(loop);
    if (error < 0) {
        lock_release(&loop->posts.lock);
        return error;
    }
    block = loop->posts.last;
    batch_of(block)->entries[block->count++] = (struct post_entry){run, arg};
    release_and_wake(loop);
    return 0;
}

int aloop_call_soon_threadsafe(aloop *loop, aloop_callback *callback, void *arg)
{
    return post(loop, callback, arg);
}

int aloop_call_soon_threadsafe_cancellable(aloop *loop, aloop_callback *callback, void *arg,
                                           aloop_threadsafe_call **out_call)
{
    aloop_threadsafe_call *call = memory_alloc(&loop->memory, sizeof *call);
    int error;

    if (call == NULL)
        return -ENOMEM;
    call->loop = loop;
    call->run = callback;
    call->arg = arg;
    loop_memory_ref(loop);
    atomic_init(&call->state, POST_QUEUED);
    atomic_init(&call->references, 2);
    atomic_init(&call->runner, 0);
    error = post(loop, NULL, call);
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

/* --- in the loop's thread --- */

static void run_post(aloop *loop, aloop_callback *run, void *arg)
{
    loop->run_correction++;
    if (loop->is_observed)
        observe_run(loop, &(struct ready_entry){.run = run, .arg = arg});
    else
        run(loop, arg);
}

static void run_cancellable(aloop *loop, aloop_threadsafe_call *call)
{
    int state = POST_QUEUED;

    atomic_store(&call->runner, sys_thread_id());
    if (atomic_compare_exchange_strong(&call->state, &state, POST_RUNNING)) {
        run_post(loop, call->run, call->arg);
        lock_acquire(&loop->lock);
        atomic_store(&call->state, POST_DONE);
        lock_broadcast(&loop->lock);
        lock_release(&loop->lock);
    }
    aloop_threadsafe_call_unref(call);
}

static void run_batch(aloop *loop, struct post_block *block)
{
    for (unsigned i = 0; i < block->count; i++) {
        const struct post_entry *entry = &batch_of(block)->entries[i];

        if (entry->run == NULL)
            run_cancellable(loop, entry->arg);
        else
            run_post(loop, entry->run, entry->arg);
    }
}

static void run_inbox(aloop *loop, void *arg)
{
    struct post_block *block = loop->inbox;
    struct post_block *done = NULL;
    unsigned done_count = 0;

    (void)arg;
    loop->inbox = NULL;
    loop->run_correction--;
    while (block != NULL) {
        struct post_block *next = block->next;

        if (block->is_kept) {
            const struct post *item = CONTAINER_OF(block, struct post, block);

            run_post(loop, item->run, item->arg);
        } else {
            run_batch(loop, block);
            block->next = done;
            done = block;
            done_count++;
        }
        /* Several at a time, as producers are at the lock; and not all at the end, as they want
           blocks meanwhile. */
        if (done_count == SPARE_BLOCKS_MAX / 2) {
            put_back(loop, done);
            done = NULL;
            done_count = 0;
        }
        block = next;
    }
    if (done != NULL)
        put_back(loop, done);
}

/* The list becomes empty; what was in it. */
static struct post_block *take_all(aloop *loop)
{
    struct post_block *blocks = loop->posts.first;

    loop->posts.first = NULL;
    loop->posts.last = NULL;
    atomic_store_explicit(&loop->posts.is_empty, true, memory_order_relaxed);
    return blocks;
}

void posts_collect(aloop *loop)
{
    struct post_block **last = &loop->inbox;

    if (atomic_load_explicit(&loop->posts.is_empty, memory_order_relaxed))
        return;
    /* A turn runs all that it collected, so the inbox is empty by now, unless that turn ended with
       an error. */
    if (loop->inbox == NULL)
        ready_push(&loop->ready, run_inbox, NULL);
    while (*last != NULL)
        last = &(*last)->next;
    lock_acquire(&loop->posts.lock);
    *last = take_all(loop);
    lock_release(&loop->posts.lock);
    for (const struct post_block *block = *last; block != NULL; block = block->next)
        loop->posts_collected += block->count;
}

bool posts_are_pending(const aloop *loop)
{
    return loop->inbox != NULL ||
           !atomic_load_explicit(&loop->posts.is_empty, memory_order_relaxed);
}

void posts_attend(aloop *loop)
{
    atomic_store_explicit(&loop->posts.is_attended, true, memory_order_relaxed);
}

bool posts_leave(aloop *loop)
{
    atomic_store(&loop->posts.is_attended, false);
    return atomic_load(&loop->posts.is_empty);
}

void posts_leave_run(aloop *loop)
{
    if (!posts_leave(loop) && !loop_is_forked(loop))
        (void)sys.wake(loop->wake_fds[1]);
}

bool posts_own_entry(const struct ready_entry *entry)
{
    return entry->run == run_inbox;
}

struct walk {
    void (*visit)(const aloop_alive *alive, void *arg);
    void *arg;
    size_t count;
};

static void walk_entry(struct walk *walk, struct post_entry entry)
{
    if (entry.run == NULL) {
        aloop_threadsafe_call *call = entry.arg;

        if (atomic_load(&call->state) == POST_CANCELLED)
            return;
        entry = (struct post_entry){call->run, call->arg};
    }
    walk->count++;
    walk->visit(&(aloop_alive){.kind = ALOOP_ALIVE_CALLBACK,
                               .fd = -1,
                               .deadline = ALOOP_NEVER,
                               .callback = entry.run,
                               .arg = entry.arg},
                walk->arg);
}

/* Up to `last`, which may be NULL, and of that so many. */
static void walk_blocks(struct walk *walk, const struct post_block *block,
                        const struct post_block *last, unsigned last_count)
{
    while (block != NULL) {
        unsigned count = block == last ? last_count : block->count;

        for (unsigned i = 0; i < count; i++)
            walk_entry(walk, entry_of(block, i));
        block = block == last ? NULL : block->next;
    }
}

size_t posts_walk(aloop *loop, void (*visit)(const aloop_alive *alive, void *arg), void *arg)
{
    struct walk walk = {.visit = visit, .arg = arg};
    const struct post_block *first, *last;
    unsigned last_count;

    walk_blocks(&walk, loop->inbox, NULL, 0);
    /* What is in a fork()ed child's list is for its parent. */
    if (loop_is_forked(loop))
        return walk.count;
    /* Other threads may add to the last block meanwhile, and behind it, and only this one takes
       from the list. The lock is not held: who is called may post. */
    lock_acquire(&loop->posts.lock);
    first = loop->posts.first;
    last = loop->posts.last;
    last_count = last != NULL ? last->count : 0;
    lock_release(&loop->posts.lock);
    walk_blocks(&walk, first, last, last_count);
    return walk.count;
}

/* --- beginning and end --- */

int posts_init(aloop *loop)
{
    int error = lock_init(&loop->lock);

    if (error < 0)
        return error;
    error = lock_init(&loop->posts.lock);
    if (error < 0)
        lock_fini(&loop->lock);
    atomic_init(&loop->posts.is_empty, true);
    atomic_init(&loop->posts.is_attended, false);
    return error;
}

void posts_fini(aloop *loop)
{
    lock_fini(&loop->posts.lock);
    lock_fini(&loop->lock);
}

void posts_forget_locks(aloop *loop)
{
    /* Whoever holds it is not here to put the list in order: it is left alone, memory and all. */
    if (lock_try(&loop->posts.lock)) {
        lock_release(&loop->posts.lock);
    } else {
        (void)take_all(loop);
        loop->posts.spare = NULL;
        loop->posts.spare_count = 0;
    }
    /* Where that fails the old one stays, which most likely nobody held. */
    if (lock_init(&loop->lock) < 0 || lock_init(&loop->posts.lock) < 0)
        return;
}

int posts_open(aloop *loop)
{
    int error;

    lock_acquire(&loop->posts.lock);
    loop->posts.is_closed = false;
    lock_release(&loop->posts.lock);
    /* Whatever the parent of a forked child was doing. */
    atomic_store(&loop->posts.is_attended, false);
    error = sys.wake_open(loop->wake_fds);
    if (error < 0)
        return error;
    return poller_class_of(loop->poller)
        ->add(loop->poller, loop->wake_fds[0], WAKE_ID, POLLER_READ, POLLER_LEVEL);
}

static void drop_entry(struct post_entry entry)
{
    aloop_threadsafe_call *call = entry.arg;
    int state = POST_QUEUED;

    if (entry.run != NULL)
        return;
    (void)atomic_compare_exchange_strong(&call->state, &state, POST_CANCELLED);
    aloop_threadsafe_call_unref(call);
}

static void drop_all(aloop *loop, struct post_block *block)
{
    while (block != NULL) {
        struct post_block *next = block->next;

        if (block->is_kept) {
            struct post *item = CONTAINER_OF(block, struct post, block);

            if (item->dropped != NULL)
                item->dropped(loop, item->arg);
        } else {
            for (unsigned i = 0; i < block->count; i++)
                drop_entry(batch_of(block)->entries[i]);
            free_block(loop, block);
        }
        block = next;
    }
}

static void close_wake_fds(aloop *loop)
{
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
}

void posts_close(aloop *loop)
{
    struct post_block *items, *spare;

    lock_acquire(&loop->posts.lock);
    loop->posts.is_closed = true;
    items = take_all(loop);
    spare = loop->posts.spare;
    loop->posts.spare = NULL;
    loop->posts.spare_count = 0;
    lock_release(&loop->posts.lock);
    close_wake_fds(loop);
    drop_all(loop, loop->inbox);
    loop->inbox = NULL;
    drop_all(loop, items);
    free_blocks(loop, spare);
}
