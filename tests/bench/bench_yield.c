/*
 * n tasks, each of which gives way over and over (asyncio: sleep(0)): what a switch from one to the
 * next costs. Of the rivals, asyncio alone has tasks.
 */
#include "asyncio.h"

struct yielder {
    ALOOP_FRAME;
    uint64_t times;
};

ALOOP_CORO(yielder)
{
    ALOOP_BEGIN;
    for (; self->times > 0; self->times--)
        ALOOP_TRY(aloop_sleep(0));
    ALOOP_END;
}

static struct bench_figures run_aloop(const struct bench_work *work, uint64_t ops)
{
    aloop_task **tasks = bench_alloc(work->n, sizeof *tasks);
    uint64_t times = bench_times(work, ops);
    aloop *loop = bench_make_loop();
    double start;

    for (size_t i = 0; i < work->n; i++)
        tasks[i] = aloop_create_task_in(loop, yielder, .times = times);
    start = bench_cpu_ns();
    bench_check(aloop_run_until_complete(loop, tasks[work->n - 1]) == 0, "a task");
    return bench_cpu_per_op(start, times * work->n);
}

static const struct bench_engine engines[] = {{"libaloop", run_aloop, 1},
                                              {"asyncio", bench_asyncio, 50}};

static const struct bench_work works[] = {
    {"yield/1", BENCH_ENGINES(engines), .n = 1, .ops = 8000000},
    {"yield/1000", BENCH_ENGINES(engines), .n = 1000, .ops = 8000000},
    {"yield/100000", BENCH_ENGINES(engines), .n = 100000, .ops = 8000000},
};

int main(int argc, char **argv)
{
    const struct bench_suite suite = {
        .name = "yield", .unit = "ns for each switch of tasks", BENCH_WORKS(works)};

    return bench_main(argc, argv, &suite);
}
