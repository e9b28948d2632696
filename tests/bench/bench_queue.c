/*
 * Queues of eight-byte items. roundtrip: an item goes from one task to another and back, over two
 * queues that hold n items (a channel's classic measure: with n = 1 both tasks wait each time);
 * stream: one task puts and another gets, n items of room between them; and by priority, with n
 * items in the queue all the time. The second figure is what an item takes in memory. Of the
 * rivals, asyncio alone has tasks.
 */
#include "asyncio.h"

struct echo {
    ALOOP_FRAME;
    aloop_queue *in;
    aloop_queue *out;
    uint64_t left;
    uint64_t item;
};

ALOOP_CORO(echo)
{
    ALOOP_BEGIN;
    for (; self->left > 0; self->left--) {
        ALOOP_TRY(aloop_queue_get(self->in, &self->item));
        ALOOP_TRY(aloop_queue_put(self->out, &self->item));
    }
    ALOOP_END;
}

struct putter {
    ALOOP_FRAME;
    aloop_queue *queue;
    uint64_t left;
    uint64_t item;
};

ALOOP_CORO(putter)
{
    ALOOP_BEGIN;
    for (; self->left > 0; self->left--) {
        self->item = (self->item * UINT64_C(6364136223846793005) + 1) >> 1;
        ALOOP_TRY(aloop_queue_put(self->queue, &self->item));
    }
    ALOOP_END;
}

struct getter {
    ALOOP_FRAME;
    aloop_queue *queue;
    uint64_t left;
    uint64_t item;
};

ALOOP_CORO(getter)
{
    ALOOP_BEGIN;
    for (; self->left > 0; self->left--)
        ALOOP_TRY(aloop_queue_get(self->queue, &self->item));
    ALOOP_END;
}

static void queue_make(aloop_queue *queue, aloop *loop, size_t n)
{
    bench_check(aloop_queue_init(queue, loop, sizeof(uint64_t), (int64_t)n) == 0, "a queue");
}

static struct bench_figures figures(double start, uint64_t ops, const aloop_queue *queue)
{
    return (struct bench_figures){.value = (bench_cpu_ns() - start) / (double)ops,
                                  .second = (double)queue->stride};
}

static struct bench_figures run_roundtrip(const struct bench_work *work, uint64_t ops)
{
    aloop *loop = bench_make_loop();
    aloop_queue there, back;
    aloop_task *last;
    uint64_t item = 1;
    double start;

    queue_make(&there, loop, work->n);
    queue_make(&back, loop, work->n);
    bench_check(aloop_queue_put_nowait(&there, &item) == 0, "put");
    aloop_task_unref(aloop_create_task_in(loop, echo, .in = &there, .out = &back, .left = ops));
    last = aloop_create_task_in(loop, echo, .in = &back, .out = &there, .left = ops);
    start = bench_cpu_ns();
    bench_check(aloop_run_until_complete(loop, last) == 0, "a task");
    return figures(start, ops, &there);
}

static struct bench_figures stream(aloop *loop, aloop_queue *queue, uint64_t ops)
{
    aloop_task *last;
    double start;

    aloop_task_unref(aloop_create_task_in(loop, putter, .queue = queue, .left = ops));
    last = aloop_create_task_in(loop, getter, .queue = queue, .left = ops);
    start = bench_cpu_ns();
    bench_check(aloop_run_until_complete(loop, last) == 0, "a task");
    return figures(start, ops, queue);
}

static struct bench_figures run_stream(const struct bench_work *work, uint64_t ops)
{
    aloop *loop = bench_make_loop();
    aloop_queue queue;

    queue_make(&queue, loop, work->n);
    return stream(loop, &queue, ops);
}

static int compare(const void *a, const void *b)
{
    const uint64_t *first = a, *second = b;

    return (*first > *second) - (*first < *second);
}

static struct bench_figures run_priority(const struct bench_work *work, uint64_t ops)
{
    uint64_t state = 1;
    aloop_queue queue;
    double start;

    bench_check(aloop_priority_queue_init(&queue, bench_make_loop(), sizeof(uint64_t),
                                          (int64_t)work->n + 1, compare) == 0,
                "a queue");
    for (size_t i = 0; i < work->n; i++)
        bench_check(aloop_queue_put_nowait(&queue, &(uint64_t){bench_random(&state)}) == 0, "put");
    start = bench_cpu_ns();
    for (uint64_t i = 0; i < ops; i++) {
        uint64_t item;

        bench_check(aloop_queue_put_nowait(&queue, &(uint64_t){bench_random(&state)}) == 0 &&
                        aloop_queue_get_nowait(&queue, &item) == 0,
                    "put and get");
    }
    return figures(start, ops, &queue);
}

static const struct bench_engine roundtrips[] = {{"libaloop", run_roundtrip, 1},
                                                 {"asyncio", bench_asyncio, 50}};
static const struct bench_engine streams[] = {{"libaloop", run_stream, 1},
                                              {"asyncio", bench_asyncio, 50}};
static const struct bench_engine priorities[] = {{"libaloop", run_priority, 1},
                                                 {"asyncio", bench_asyncio, 50}};

static const struct bench_work works[] = {
    {"roundtrip/1", BENCH_ENGINES(roundtrips), .n = 1, .ops = 4000000},
    {"roundtrip/64", BENCH_ENGINES(roundtrips), .n = 64, .ops = 4000000},
    {"stream/1", BENCH_ENGINES(streams), .n = 1, .ops = 8000000},
    {"stream/1024", BENCH_ENGINES(streams), .n = 1024, .ops = 8000000},
    {"stream/unbounded", BENCH_ENGINES(streams), .n = 0, .ops = 8000000},
    {"priority/1000", BENCH_ENGINES(priorities), .n = 1000, .ops = 2000000},
};

int main(int argc, char **argv)
{
    const struct bench_suite suite = {.name = "queue",
                                      .unit = "ns for each item, or round trip",
                                      .second_unit = "bytes for each slot",
                                      BENCH_WORKS(works)};

    return bench_main(argc, argv, &suite);
}
