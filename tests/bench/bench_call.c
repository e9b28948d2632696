/*
 * Awaits. call: of a coroutine that ends without waiting; join: of a future that is done; wake: of
 * one that is not, and is set by a callback (set, wake up, go on, create the next). Of the rivals,
 * asyncio alone has coroutines.
 */
#include "asyncio.h"

struct child {
    ALOOP_FRAME;
    int64_t number;
};

ALOOP_CORO(child)
{
    ALOOP_BEGIN;
    ALOOP_RETURN(self->number);
    ALOOP_END;
}

struct caller {
    ALOOP_FRAME;
    uint64_t times;
};

ALOOP_CORO(caller)
{
    ALOOP_BEGIN;
    for (; self->times > 0; self->times--)
        ALOOP_TRY(aloop_call(child, .number = 1));
    ALOOP_END;
}

static struct bench_figures run_call(const struct bench_work *work, uint64_t ops)
{
    aloop *loop = bench_make_loop();
    double start = bench_cpu_ns();

    (void)work;
    bench_check(aloop_run_in(loop, caller, .times = ops) == 0, "aloop_run_in");
    return bench_cpu_per_op(start, ops);
}

struct joiner {
    ALOOP_FRAME;
    uint64_t times;
    aloop_future *future;
};

ALOOP_CORO(joiner)
{
    ALOOP_BEGIN;
    self->future = aloop_create_future(aloop_get_running_loop());
    bench_check(aloop_future_set_result(self->future, 0) == 0, "aloop_future_set_result");
    for (; self->times > 0; self->times--)
        ALOOP_TRY(aloop_join(self->future));
    aloop_future_unref(self->future);
    ALOOP_END;
}

static struct bench_figures run_join(const struct bench_work *work, uint64_t ops)
{
    aloop *loop = bench_make_loop();
    double start = bench_cpu_ns();

    (void)work;
    bench_check(aloop_run_in(loop, joiner, .times = ops) == 0, "aloop_run_in");
    return bench_cpu_per_op(start, ops);
}

static void set(aloop *loop, void *arg)
{
    (void)loop;
    bench_check(aloop_future_set_result(arg, 0) == 0, "aloop_future_set_result");
}

struct waiter {
    ALOOP_FRAME;
    uint64_t times;
    aloop_future *future;
};

ALOOP_CORO(waiter)
{
    ALOOP_BEGIN;
    for (; self->times > 0; self->times--) {
        self->future = aloop_create_future(aloop_get_running_loop());
        bench_check(aloop_call_soon(aloop_get_running_loop(), set, self->future) >= 0,
                    "aloop_call_soon");
        ALOOP_TRY(aloop_join_unref(self->future));
    }
    ALOOP_END;
}

static struct bench_figures run_wake(const struct bench_work *work, uint64_t ops)
{
    aloop *loop = bench_make_loop();
    double start = bench_cpu_ns();

    (void)work;
    bench_check(aloop_run_in(loop, waiter, .times = ops) == 0, "aloop_run_in");
    return bench_cpu_per_op(start, ops);
}

static const struct bench_engine call[] = {{"libaloop", run_call, 1},
                                           {"asyncio", bench_asyncio, 20}};
static const struct bench_engine join[] = {{"libaloop", run_join, 1},
                                           {"asyncio", bench_asyncio, 20}};
static const struct bench_engine wake[] = {{"libaloop", run_wake, 1},
                                           {"asyncio", bench_asyncio, 20}};

static const struct bench_work works[] = {
    {"call", BENCH_ENGINES(call), .n = 1, .ops = 8000000},
    {"join", BENCH_ENGINES(join), .n = 1, .ops = 8000000},
    {"wake", BENCH_ENGINES(wake), .n = 1, .ops = 2000000},
};

int main(int argc, char **argv)
{
    const struct bench_suite suite = {
        .name = "call", .unit = "ns for each await", BENCH_WORKS(works)};

    return bench_main(argc, argv, &suite);
}
