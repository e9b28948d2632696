/*
 * Tasks that end at once. spawn/1: one is created, joined, and dropped; spawn/1000: so many are
 * created, and then joined one by one. Of the rivals, asyncio alone has tasks.
 */
#include "asyncio.h"

struct child {
    ALOOP_FRAME;
};

ALOOP_CORO(child)
{
    ALOOP_BEGIN;
    ALOOP_END;
}

struct parent {
    ALOOP_FRAME;
    uint64_t times;
    size_t n;
    size_t i;
    aloop_task **tasks;
};

ALOOP_CORO(parent)
{
    ALOOP_BEGIN;
    for (; self->times > 0; self->times--) {
        for (self->i = 0; self->i < self->n; self->i++)
            self->tasks[self->i] = aloop_create_task(child);
        for (self->i = 0; self->i < self->n; self->i++)
            ALOOP_TRY(aloop_join_unref(self->tasks[self->i]));
    }
    ALOOP_END;
}

static struct bench_figures run_aloop(const struct bench_work *work, uint64_t ops)
{
    uint64_t times = bench_times(work, ops);
    aloop_task **tasks = bench_alloc(work->n, sizeof *tasks);
    aloop *loop = bench_make_loop();
    double start = bench_cpu_ns();

    bench_check(aloop_run_in(loop, parent, .times = times, .n = work->n, .tasks = tasks) == 0,
                "aloop_run_in");
    return bench_cpu_per_op(start, times * work->n);
}

static const struct bench_engine engines[] = {{"libaloop", run_aloop, 1},
                                              {"asyncio", bench_asyncio, 50}};

static const struct bench_work works[] = {
    {"spawn/1", BENCH_ENGINES(engines), .n = 1, .ops = 2000000},
    {"spawn/1000", BENCH_ENGINES(engines), .n = 1000, .ops = 2000000},
};

int main(int argc, char **argv)
{
    const struct bench_suite suite = {
        .name = "spawn", .unit = "ns for a task from its creation to its join", BENCH_WORKS(works)};

    return bench_main(argc, argv, &suite);
}
