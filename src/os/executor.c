/*
 * An executor: a queue, threads that take from it, and a stack of what has ended.
 *
 * Threads are made when there is a job and no thread without one, up to a limit, and stay. A thread
 * that sleeps is woken by a signal of the condition, and only one at a time: it wakes the next if
 * it finds more than one job, so a burst of short jobs is done by few threads and costs few
 * wake-ups, where waking one thread a job would have them fight for the lock. What has ended goes
 * to a lock-free stack, and only the job that finds the loop not yet told posts a call to it. That
 * call's memory is the executor's: ending a job allocates nothing and cannot fail.
 *
 * The end. Threads that have no job are joined. One that is in a job which nobody waits for any
 * more is detached, and so is one whose job did not end in time; it keeps the executor, and that
 * the loop's memory, until the job ends.
 *
 * One executor for all work was rejected: a resolver that is stuck would hold up files, and so
 * would a long computation.
 */
#include "os/executor.h"

/* Threads for names: each may be stuck for as long as the system's resolver likes. */
#define NAME_THREADS 4
/* Threads for files: enough to keep a disk busy. */
#define FILE_THREADS 4
/* Jobs that are under way before operations wait for room, without memory of their own. */
#define JOBS_MAX 256

struct worker {
    struct list link;
    struct executor *executor;
    pthread_t thread;
    atomic_bool is_in_job;
    bool is_detached; /* under the lock */
};

static struct job ended_closed;
#define ENDED_CLOSED (&ended_closed)

static void executor_unref(struct executor *executor)
{
    aloop *loop = executor->loop;

    if (atomic_fetch_sub(&executor->references, 1) != 1)
        return;
    lock_fini(&executor->lock);
    memory_free(&loop->memory, executor, sizeof *executor);
    loop_memory_unref(loop);
}

void job_free(struct job *job)
{
    memory_free(&job->executor->loop->memory, job, job->size);
}

static void job_discard(struct job *job)
{
    if (job->class->discard != NULL && !job->is_lost)
        job->class->discard(job);
    job_free(job);
}

/* --- in the threads --- */

static void job_ended(struct job *job)
{
    struct executor *executor = job->executor;
    struct job *head = atomic_load(&executor->ended);

    do {
        if (head == ENDED_CLOSED) {
            job_discard(job);
            return;
        }
        job->next = head;
    } while (!atomic_compare_exchange_weak(&executor->ended, &head, job));
    /* The job may be gone by now; the executor is not. Looked at before it is written: of many jobs
       that end together only one has to take its cache line from the others. */
    if (!atomic_load(&executor->is_posted) && !atomic_exchange(&executor->is_posted, true))
        (void)posts_push(executor->loop, &executor->completion);
}

/* Releases the lock; somebody who sleeps is to see to the queue, unless somebody is on the way. */
static void release_and_wake(struct executor *executor)
{
    bool is_awaited = executor->is_awaited;
    bool wakes = executor->queued > 0 && executor->asleep > 0 && !executor->is_waking;

    executor->is_waking |= wakes;
    /* Before waking: who wakes wants it. */
    lock_release(&executor->lock);
    /* The loop's thread, if it waits for a job, would take the signal. */
    if (wakes && is_awaited)
        lock_broadcast(&executor->lock);
    else if (wakes)
        lock_signal(&executor->lock);
}

/* Under the lock. NULL: it is time to end. */
static struct job *next_job(struct executor *executor)
{
    struct list *link;

    while (list_is_empty(&executor->queue) && !executor->is_ending) {
        executor->asleep++;
        lock_wait(&executor->lock);
        executor->asleep--;
        executor->is_waking = false;
    }
    if (executor->is_ending)
        return NULL;
    link = list_pop(&executor->queue);
    executor->queued--;
    executor->free--;
    return CONTAINER_OF(link, struct job, link);
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    struct executor *executor = worker->executor;
    struct job *job;
    bool is_detached;

    lock_acquire(&executor->lock);
    while ((job = next_job(executor)) != NULL) {
        atomic_store(&job->state, JOB_RUNNING);
        atomic_store(&worker->is_in_job, true);
        release_and_wake(executor);
        job->result = job->class->run(job);
        /* Before anybody can learn that it has ended: who does may join, or have another job. */
        atomic_store(&worker->is_in_job, false);
        executor->free++;
        job_ended(job);
        lock_acquire(&executor->lock);
        if (executor->is_awaited)
            lock_broadcast(&executor->lock);
    }
    is_detached = worker->is_detached;
    lock_release(&executor->lock);
    if (is_detached) {
        memory_free(&executor->loop->memory, worker, sizeof *worker);
        executor_unref(executor);
    }
    return NULL;
}

/* --- in the loop's thread --- */

static unsigned thread_limit(const struct executor *executor)
{
    switch (executor->lane) {
    case EXECUTOR_NAMES:
        return NAME_THREADS;
    case EXECUTOR_FILES:
        return FILE_THREADS;
    default:
        return executor->loop->thread_limit;
    }
}

/* One more thread, that counts as free already. */
static int start_worker(struct executor *executor)
{
    aloop *loop = executor->loop;
    struct worker *worker = memory_alloc(&loop->memory, sizeof *worker);
    int error;

    if (worker == NULL)
        return -ENOMEM;
    worker->executor = executor;
    worker->is_detached = false;
    atomic_init(&worker->is_in_job, false);
    list_init(&worker->link);
    lock_acquire(&executor->lock);
    executor->free++;
    lock_release(&executor->lock);
    error = sys.thread_create(&worker->thread, work, worker);
    if (error < 0) {
        lock_acquire(&executor->lock);
        executor->free--;
        lock_release(&executor->lock);
        memory_free(&loop->memory, worker, sizeof *worker);
        return error;
    }
    list_push(&executor->workers, &worker->link);
    executor->worker_count++;
    return 0;
}

int executor_submit(struct executor *executor, struct job *job)
{
    bool is_short;
    int error = 0;

    lock_acquire(&executor->lock);
    atomic_store(&job->state, JOB_QUEUED);
    list_push(&executor->queue, &job->link);
    executor->queued++;
    is_short = executor->queued > executor->free;
    release_and_wake(executor);
    list_push(&executor->jobs, &job->of_all);
    executor->room--;
    executor->loop->expected_from_outside++;
    if (is_short && executor->worker_count < thread_limit(executor))
        error = start_worker(executor);
    if (error == 0 || executor->worker_count > 0)
        return 0;
    /* There is no thread, so nobody has touched it. Not settled: that begins others. */
    list_del(&job->link);
    list_del(&job->of_all);
    executor->queued--;
    executor->room++;
    executor->loop->expected_from_outside--;
    return error;
}

/* It has ended, or never begins, as far as the loop's thread is concerned: its place is for who has
   waited longest. */
static void settle(struct executor *executor, struct job *job)
{
    aloop_waiter *waiter;

    job->is_done = true;
    list_del(&job->of_all);
    executor->room++;
    while (executor->room > 0 && (waiter = aloop_waitlist_first(&executor->waiters)) != NULL) {
        aloop_waiter_unlink(waiter);
        job_got_room(executor, waiter);
    }
}

bool executor_take_back(struct executor *executor, struct job *job)
{
    bool is_queued;

    /* The threads are the parent's, and the lock as they left it. */
    if (executor->fork_generation == sys.fork_generation()) {
        lock_acquire(&executor->lock);
        is_queued = atomic_load(&job->state) == JOB_QUEUED;
        if (is_queued) {
            list_del(&job->link);
            executor->queued--;
        }
        lock_release(&executor->lock);
        if (!is_queued)
            return false;
    }
    executor->loop->expected_from_outside--;
    settle(executor, job);
    return true;
}

void executor_abandon(struct executor *executor, struct job *job)
{
    job->waiter = NULL;
    executor->loop->expected_from_outside--;
}

static struct job *in_order(struct job *job)
{
    struct job *result = NULL;

    while (job != NULL) {
        struct job *next = job->next;

        job->next = result;
        result = job;
        job = next;
    }
    return result;
}

static void see_to(struct executor *executor, struct job *job)
{
    job = in_order(job);
    while (job != NULL) {
        struct job *next = job->next;

        settle(executor, job);
        if (job->waiter != NULL) {
            executor->loop->expected_from_outside--;
            job->waiter->notify(job->waiter);
        } else {
            job_discard(job);
        }
        job = next;
    }
}

void executor_collect(struct executor *executor)
{
    if (atomic_load(&executor->ended) != NULL)
        see_to(executor, atomic_exchange(&executor->ended, NULL));
}

static void on_completion(aloop *loop, void *arg)
{
    struct executor *executor = arg;

    (void)loop;
    /* First: a job that ends behind this posts again. */
    atomic_store(&executor->is_posted, false);
    executor_collect(executor);
}

/* How long the closing of the loop may still wait. */
static aloop_ns patience_left(aloop *loop)
{
    aloop_ns now = sys.clock(false);

    if (loop->thread_deadline == 0)
        loop->thread_deadline = time_add(now, loop->thread_patience);
    return time_sub(loop->thread_deadline, now);
}

bool executor_wait(struct executor *executor, const struct job *job)
{
    /* What is queued is about to be taken back: nobody shall begin it now. */
    lock_acquire(&executor->lock);
    executor->is_ending = true;
    lock_release(&executor->lock);
    for (;;) {
        aloop_ns left;

        executor_collect(executor);
        if (job->is_done)
            return true;
        left = patience_left(executor->loop);
        if (left <= 0)
            return false;
        lock_acquire(&executor->lock);
        executor->is_awaited = true;
        if (atomic_load(&executor->ended) == NULL)
            (void)lock_wait_for(&executor->lock, left);
        executor->is_awaited = false;
        lock_release(&executor->lock);
    }
}

/* --- beginning and end --- */

/* The program has left the loop: threads without a job end now, the others are on their own. */
static void end_workers(struct executor *executor)
{
    struct list *link;

    lock_acquire(&executor->lock);
    executor->is_ending = true;
    lock_broadcast(&executor->lock);
    lock_release(&executor->lock);
    while ((link = list_pop(&executor->workers)) != NULL) {
        struct worker *worker = CONTAINER_OF(link, struct worker, link);
        bool is_left;

        lock_acquire(&executor->lock);
        is_left = atomic_load(&worker->is_in_job);
        if (is_left) {
            worker->is_detached = true;
            atomic_fetch_add(&executor->references, 1);
            sys_thread_detach(worker->thread);
        }
        lock_release(&executor->lock);
        if (is_left)
            continue;
        sys_thread_join(worker->thread);
        memory_free(&executor->loop->memory, worker, sizeof *worker);
    }
}

static void forget_workers(struct executor *executor)
{
    struct list *link;

    while ((link = list_pop(&executor->workers)) != NULL)
        memory_free(&executor->loop->memory, CONTAINER_OF(link, struct worker, link),
                    sizeof(struct worker));
    executor->worker_count = 0;
    executor->free = 0;
    executor->asleep = 0;
    executor->queued = 0;
    executor->is_waking = false;
    list_init(&executor->queue);
    atomic_store(&executor->is_posted, false);
    /* Where that fails the old one stays, which most likely nobody held. */
    if (lock_init(&executor->lock) < 0)
        return;
}

static void executor_close(struct executor *executor)
{
    struct list *link;
    bool is_forked = executor->fork_generation != sys.fork_generation();

    if (is_forked)
        forget_workers(executor);
    executor_collect(executor);
    /* What is left is in threads, which free it; in a forked child it is in none. Out of the list,
       because from then on the next in it may be gone at any moment. */
    while ((link = list_pop(&executor->jobs)) != NULL) {
        if (is_forked)
            job_free(CONTAINER_OF(link, struct job, of_all));
    }
    end_workers(executor);
    see_to(executor, atomic_exchange(&executor->ended, ENDED_CLOSED));
    executor_unref(executor);
}

static void executors_close(aloop *loop)
{
    for (int lane = 0; lane < EXECUTOR_COUNT; lane++) {
        if (loop->executors[lane] != NULL)
            executor_close(loop->executors[lane]);
        loop->executors[lane] = NULL;
    }
}

/* What was queued is begun here, too; what was running runs in the parent alone. */
static void executor_after_fork(struct executor *executor)
{
    struct list jobs, *link;

    forget_workers(executor);
    executor->fork_generation = sys.fork_generation();
    executor_collect(executor);
    list_init(&jobs);
    list_splice(&jobs, &executor->jobs);
    while ((link = list_pop(&jobs)) != NULL) {
        struct job *job = CONTAINER_OF(link, struct job, of_all);

        executor->loop->expected_from_outside -= job->waiter != NULL;
        if (atomic_load(&job->state) == JOB_QUEUED) {
            executor->room++;
            if (executor_submit(executor, job) == 0)
                continue;
        } else {
            settle(executor, job);
        }
        job->is_lost = true;
        job->result = -ECHILD;
        if (job->waiter != NULL)
            job->waiter->notify(job->waiter);
        else
            job_free(job);
    }
}

static void executors_after_fork(aloop *loop)
{
    for (int lane = 0; lane < EXECUTOR_COUNT; lane++) {
        if (loop->executors[lane] != NULL)
            executor_after_fork(loop->executors[lane]);
    }
}

void executor_count(struct executor *executor, size_t *out_queued, size_t *out_running)
{
    size_t running = 0;

    for (struct list *link = executor->workers.next; link != &executor->workers; link = link->next)
        running += atomic_load(&CONTAINER_OF(link, struct worker, link)->is_in_job);
    lock_acquire(&executor->lock);
    *out_queued = executor->queued;
    lock_release(&executor->lock);
    *out_running = running;
}

static const struct thread_layer thread_layer = {.on_close = executors_close,
                                                 .after_fork = executors_after_fork};

struct executor *executor_of(aloop *loop, int lane)
{
    struct executor *executor = loop->executors[lane];

    if (ALOOP_LIKELY(executor != NULL))
        return executor;
    executor = memory_alloc(&loop->memory, sizeof *executor);
    if (executor == NULL)
        return NULL;
    memset(executor, 0, sizeof *executor);
    if (lock_init(&executor->lock) < 0) {
        memory_free(&loop->memory, executor, sizeof *executor);
        return NULL;
    }
    executor->loop = loop;
    executor->lane = (unsigned)lane;
    executor->room = JOBS_MAX;
    executor->fork_generation = sys.fork_generation();
    executor->completion = (struct post){.run = on_completion, .arg = executor};
    atomic_init(&executor->ended, NULL);
    atomic_init(&executor->is_posted, false);
    atomic_init(&executor->references, 1);
    list_init(&executor->queue);
    list_init(&executor->jobs);
    list_init(&executor->workers);
    loop_memory_ref(loop);
    loop->threads = &thread_layer;
    loop->executors[lane] = executor;
    return executor;
}
