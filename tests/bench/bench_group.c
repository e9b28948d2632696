/*
 * Groups and selects. group/1000: opening a group, starting n children that end at once, and
 * waiting for them; for each child. gather/1000: the same with n tasks and a gather. select/8:
 * waiting for the first of n events, which is then the last of them; for each select. wait/1000,
 * next/1000: learning of n futures that complete one by one by waiting for the first of those that
 * are left, which is the square of the work, and as completed. Of the rivals, asyncio alone has
 * these.
 */
#include "asyncio.h"

#include <string.h>

struct nothing {
    ALOOP_FRAME;
};

ALOOP_CORO(nothing)
{
    ALOOP_BEGIN;
    ALOOP_END;
}

struct grouper {
    ALOOP_FRAME;
    aloop_group group;
    uint64_t rounds;
    size_t n, i;
};

ALOOP_CORO(grouper)
{
    ALOOP_BEGIN;
    for (; self->rounds > 0; self->rounds--) {
        aloop_group_init(&self->group);
        for (self->i = 0; self->i < self->n; self->i++)
            ALOOP_TRY(aloop_group_start(&self->group, nothing));
        ALOOP_TRY(aloop_group_wait(&self->group));
    }
    ALOOP_END;
}

struct gatherer {
    ALOOP_FRAME;
    aloop_future **futures;
    uint64_t rounds;
    size_t n;
};

ALOOP_CORO(gatherer)
{
    ALOOP_BEGIN;
    for (; self->rounds > 0; self->rounds--) {
        for (size_t i = 0; i < self->n; i++)
            self->futures[i] = aloop_task_future(aloop_create_task(nothing));
        ALOOP_TRY(aloop_gather_op(self->futures, self->n, NULL, 0));
        for (size_t i = 0; i < self->n; i++)
            aloop_future_unref(self->futures[i]);
    }
    ALOOP_END;
}

/* Sets the last of the events in each turn. */
struct setter {
    ALOOP_FRAME;
    aloop_event *last;
};

ALOOP_CORO(setter)
{
    ALOOP_BEGIN;
    for (;;) {
        aloop_event_set(self->last);
        ALOOP_TRY(aloop_sleep(0));
    }
    ALOOP_END;
}

enum { CASES_MAX = 8 };

struct selector {
    ALOOP_FRAME;
    aloop_event *events;
    aloop_select_case cases[CASES_MAX];
    uint64_t rounds;
    size_t n;
};

ALOOP_CORO(selector)
{
    ALOOP_BEGIN;
    for (; self->rounds > 0; self->rounds--) {
        for (size_t i = 0; i < self->n; i++)
            self->cases[i].op = aloop_event_wait(&self->events[i]);
        ALOOP_TRY(aloop_select(self->cases, self->n));
        aloop_event_clear(&self->events[self->result]);
    }
    ALOOP_END;
}

/* Learns of n futures that are completed one by one. */
struct learner {
    ALOOP_FRAME;
    aloop_future **futures;
    size_t n, left;
    uint64_t rounds;
    aloop_as_completed it;
    aloop_future *future;
    bool waits;
};

ALOOP_CORO(learner)
{
    ALOOP_BEGIN;
    for (; self->rounds > 0; self->rounds--) {
        for (size_t i = 0; i < self->n; i++)
            self->futures[i] = aloop_create_future(aloop_get_running_loop());
        if (!self->waits)
            bench_check(aloop_as_completed_open(&self->it, ALOOP_NEVER) == 0 &&
                            aloop_as_completed_add_all(&self->it, self->futures, self->n) == 0,
                        "as completed");
        for (self->left = self->n; self->left > 0; self->left--) {
            (void)aloop_future_set_result(self->futures[self->left - 1], 1);
            if (self->waits)
                ALOOP_TRY(
                    aloop_wait(self->futures, self->left, ALOOP_FIRST_COMPLETED, ALOOP_NEVER));
            else
                ALOOP_TRY(aloop_as_completed_next(&self->it, &self->future));
        }
        aloop_as_completed_close(&self->it);
        for (size_t i = 0; i < self->n; i++)
            aloop_future_unref(self->futures[i]);
    }
    ALOOP_END;
}

static struct bench_figures finish(aloop *loop, aloop_task *task, uint64_t ops)
{
    double start = bench_cpu_ns();

    bench_check(aloop_run_until_complete(loop, task) == 0, "a task");
    return bench_cpu_per_op(start, ops);
}

static struct bench_figures run_group(const struct bench_work *work, uint64_t ops)
{
    uint64_t rounds = bench_times(work, ops);
    aloop *loop = bench_make_loop();

    return finish(loop, aloop_create_task_in(loop, grouper, .rounds = rounds, .n = work->n),
                  rounds * work->n);
}

static struct bench_figures run_gather(const struct bench_work *work, uint64_t ops)
{
    uint64_t rounds = bench_times(work, ops);
    aloop_future **futures = bench_alloc(work->n, sizeof(aloop_future *));
    aloop *loop = bench_make_loop();

    return finish(
        loop,
        aloop_create_task_in(loop, gatherer, .futures = futures, .rounds = rounds, .n = work->n),
        rounds * work->n);
}

static struct bench_figures run_select(const struct bench_work *work, uint64_t ops)
{
    aloop_event *events = bench_alloc(work->n, sizeof *events);
    aloop *loop = bench_make_loop();
    aloop_task *task;

    memset(events, 0, work->n * sizeof *events);
    task = aloop_create_task_in(loop, selector, .events = events, .rounds = ops, .n = work->n);
    (void)aloop_create_task_in(loop, setter, .last = &events[work->n - 1]);
    return finish(loop, task, ops);
}

static struct bench_figures learn(const struct bench_work *work, uint64_t ops, bool waits)
{
    uint64_t rounds = bench_times(work, ops);
    aloop_future **futures = bench_alloc(work->n, sizeof(aloop_future *));
    aloop *loop = bench_make_loop();

    return finish(loop,
                  aloop_create_task_in(loop, learner, .futures = futures, .n = work->n,
                                       .rounds = rounds, .waits = waits),
                  rounds * work->n);
}

static struct bench_figures run_wait(const struct bench_work *work, uint64_t ops)
{
    return learn(work, ops, true);
}

static struct bench_figures run_next(const struct bench_work *work, uint64_t ops)
{
    return learn(work, ops, false);
}

static const struct bench_engine group_engines[] = {{"libaloop", run_group, 1},
                                                    {"asyncio", bench_asyncio, 50}};
static const struct bench_engine gather_engines[] = {{"libaloop", run_gather, 1},
                                                     {"asyncio", bench_asyncio, 50}};
static const struct bench_engine select_engines[] = {{"libaloop", run_select, 1},
                                                     {"asyncio", bench_asyncio, 500}};
static const struct bench_engine wait_engines[] = {{"libaloop", run_wait, 1},
                                                   {"asyncio", bench_asyncio, 100}};
static const struct bench_engine next_engines[] = {{"libaloop", run_next, 1},
                                                   {"asyncio", bench_asyncio, 50}};

static const struct bench_work works[] = {
    {"group/1000", BENCH_ENGINES(group_engines), .n = 1000, .ops = 4000000},
    {"gather/1000", BENCH_ENGINES(gather_engines), .n = 1000, .ops = 4000000},
    {"select/8", BENCH_ENGINES(select_engines), .n = CASES_MAX, .ops = 2000000},
    {"wait/1000", BENCH_ENGINES(wait_engines), .n = 1000, .ops = 100000},
    {"next/1000", BENCH_ENGINES(next_engines), .n = 1000, .ops = 2000000},
};

int main(int argc, char **argv)
{
    const struct bench_suite suite = {
        .name = "group", .unit = "ns for each child, select, or future", BENCH_WORKS(works)};

    return bench_main(argc, argv, &suite);
}
