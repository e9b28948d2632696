/*
 * Locks and their kin. free: one task takes and gives back what nobody else wants, without
 * suspending. hand-off: n tasks each take it, give way while they have it, and give it back, so
 * that each time it goes to the next in line. raw is the least that a hand-off can be: state
 * machines in a ring of {function, argument}, and a lock with a list of waiters, without a loop,
 * cancellation or frames.
 */
#include "asyncio.h"

#include <stdio.h>

struct shared {
    aloop_lock lock;
    aloop_semaphore semaphore;
    aloop_rwlock rwlock;
};

struct user_of_lock {
    ALOOP_FRAME;
    struct shared *shared;
    uint64_t times;
    bool yields;
};

ALOOP_CORO(user_of_lock)
{
    ALOOP_BEGIN;
    for (; self->times > 0; self->times--) {
        ALOOP_TRY(aloop_lock_acquire(&self->shared->lock));
        if (self->yields)
            ALOOP_TRY(aloop_sleep(0));
        aloop_lock_release(&self->shared->lock);
    }
    ALOOP_END;
}

struct user_of_hold {
    ALOOP_FRAME;
    struct shared *shared;
    uint64_t times;
    bool yields;
    aloop_hold hold;
};

ALOOP_CORO(user_of_hold)
{
    ALOOP_BEGIN;
    for (; self->times > 0; self->times--) {
        ALOOP_TRY(aloop_lock_enter(&self->shared->lock, &self->hold));
        if (self->yields)
            ALOOP_TRY(aloop_sleep(0));
        aloop_hold_release(&self->hold);
    }
    ALOOP_END;
}

struct user_of_semaphore {
    ALOOP_FRAME;
    struct shared *shared;
    uint64_t times;
    bool yields;
};

ALOOP_CORO(user_of_semaphore)
{
    ALOOP_BEGIN;
    for (; self->times > 0; self->times--) {
        ALOOP_TRY(aloop_semaphore_acquire(&self->shared->semaphore));
        if (self->yields)
            ALOOP_TRY(aloop_sleep(0));
        aloop_semaphore_release(&self->shared->semaphore);
    }
    ALOOP_END;
}

struct user_of_rwlock {
    ALOOP_FRAME;
    struct shared *shared;
    uint64_t times;
    bool yields;
};

ALOOP_CORO(user_of_rwlock)
{
    ALOOP_BEGIN;
    for (; self->times > 0; self->times--) {
        ALOOP_TRY(aloop_rwlock_acquire_write(&self->shared->rwlock));
        if (self->yields)
            ALOOP_TRY(aloop_sleep(0));
        aloop_rwlock_release_write(&self->shared->rwlock);
    }
    ALOOP_END;
}

/* All tasks, and all of them to their end. */
static struct bench_figures run_tasks(const struct bench_work *work, uint64_t ops,
                                      aloop_task *(*start)(aloop *loop, struct shared *shared,
                                                           uint64_t times, bool yields))
{
    struct shared shared = {.semaphore = ALOOP_SEMAPHORE_INIT(1)};
    uint64_t times = bench_times(work, ops);
    aloop_task **tasks = bench_alloc(work->n, sizeof *tasks);
    aloop *loop = bench_make_loop();
    double begin;

    for (size_t i = 0; i < work->n; i++)
        tasks[i] = start(loop, &shared, times, work->m != 0);
    begin = bench_cpu_ns();
    for (size_t i = 0; i < work->n; i++)
        bench_check(aloop_run_until_complete(loop, tasks[i]) == 0, "a task");
    return bench_cpu_per_op(begin, times * work->n);
}

static aloop_task *start_lock(aloop *loop, struct shared *shared, uint64_t times, bool yields)
{
    return aloop_create_task_in(loop, user_of_lock, .shared = shared, .times = times,
                                .yields = yields);
}

static struct bench_figures run_lock(const struct bench_work *work, uint64_t ops)
{
    return run_tasks(work, ops, start_lock);
}

static aloop_task *start_hold(aloop *loop, struct shared *shared, uint64_t times, bool yields)
{
    return aloop_create_task_in(loop, user_of_hold, .shared = shared, .times = times,
                                .yields = yields);
}

static struct bench_figures run_hold(const struct bench_work *work, uint64_t ops)
{
    return run_tasks(work, ops, start_hold);
}

static aloop_task *start_semaphore(aloop *loop, struct shared *shared, uint64_t times, bool yields)
{
    return aloop_create_task_in(loop, user_of_semaphore, .shared = shared, .times = times,
                                .yields = yields);
}

static struct bench_figures run_semaphore(const struct bench_work *work, uint64_t ops)
{
    return run_tasks(work, ops, start_semaphore);
}

static aloop_task *start_rwlock(aloop *loop, struct shared *shared, uint64_t times, bool yields)
{
    return aloop_create_task_in(loop, user_of_rwlock, .shared = shared, .times = times,
                                .yields = yields);
}

static struct bench_figures run_rwlock(const struct bench_work *work, uint64_t ops)
{
    return run_tasks(work, ops, start_rwlock);
}

/* --- raw --- */

struct machine {
    struct machine *next; /* in the line for the lock */
    uint64_t times;
    int state;
};

static struct {
    struct {
        void (*run)(struct machine *machine);
        struct machine *machine;
    } ring[16];
    size_t head;
    size_t tail;
    bool is_locked;
    struct machine *first;
    struct machine **last;
} raw;

static void raw_push(void (*run)(struct machine *machine), struct machine *machine)
{
    raw.ring[raw.tail & 15].run = run;
    raw.ring[raw.tail++ & 15].machine = machine;
}

static void raw_step(struct machine *machine)
{
    for (;;) {
        switch (machine->state) {
        case 0:
            if (machine->times-- == 0)
                return;
            machine->state = 1;
            if (raw.is_locked) {
                machine->next = NULL;
                *raw.last = machine;
                raw.last = &machine->next;
                return;
            }
            raw.is_locked = true;
            /* fall through */
        case 1:
            machine->state = 2;
            raw_push(raw_step, machine);
            return;
        default:
            machine->state = 0;
            if (raw.first == NULL) {
                raw.is_locked = false;
            } else {
                raw_push(raw_step, raw.first);
                raw.first = raw.first->next;
                if (raw.first == NULL)
                    raw.last = &raw.first;
            }
        }
    }
}

static struct bench_figures run_raw(const struct bench_work *work, uint64_t ops)
{
    struct machine *machines = bench_alloc(work->n, sizeof *machines);
    uint64_t times = ops / work->n;
    double begin;

    raw.last = &raw.first;
    for (size_t i = 0; i < work->n; i++) {
        machines[i].times = times;
        raw_push(raw_step, &machines[i]);
    }
    begin = bench_cpu_ns();
    while (raw.head != raw.tail) {
        size_t i = raw.head++ & 15;

        raw.ring[i].run(raw.ring[i].machine);
    }
    return bench_cpu_per_op(begin, times * work->n);
}

static const struct bench_engine free_engines[] = {
    {"lock", run_lock, 1},
    {"hold", run_hold, 1},
    {"semaphore", run_semaphore, 1},
    {"rwlock", run_rwlock, 1},
    {"asyncio", bench_asyncio, 20},
};

static const struct bench_engine hand_off_engines[] = {
    {"lock", run_lock, 1},     {"hold", run_hold, 1}, {"semaphore", run_semaphore, 1},
    {"rwlock", run_rwlock, 1}, {"raw", run_raw, 1},
    {"asyncio", bench_asyncio, 100},
};

static const struct bench_work works[] = {
    {"free", BENCH_ENGINES(free_engines), .n = 1, .ops = 8000000},
    {"hand-off/8", BENCH_ENGINES(hand_off_engines), .n = 8, .m = 1, .ops = 8000000},
};

int main(int argc, char **argv)
{
    const struct bench_suite suite = {
        .name = "sync", .unit = "ns for each time it is taken and given back", BENCH_WORKS(works)};

    printf("bytes: lock %zu, rwlock %zu, event %zu, condition %zu, semaphore %zu, barrier %zu, "
           "limiter %zu, once %zu, hold %zu\n",
           sizeof(aloop_lock), sizeof(aloop_rwlock), sizeof(aloop_event), sizeof(aloop_condition),
           sizeof(aloop_semaphore), sizeof(aloop_barrier), sizeof(aloop_limiter),
           sizeof(aloop_once), sizeof(aloop_hold));
    return bench_main(argc, argv, &suite);
}
