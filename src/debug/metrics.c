/*
 * Metrics: reading what the layers below count anyway.
 */
#include "loop/observe.h"
#include "os/executor.h"

#include <aloop/metrics.h>

static void fill_distribution(aloop_distribution *out, const struct histogram *histogram)
{
    if (histogram == NULL)
        return;
    out->count = histogram->count;
    out->sum = histogram->sum;
    out->p50 = histogram_percentile(histogram, 500);
    out->p90 = histogram_percentile(histogram, 900);
    out->p99 = histogram_percentile(histogram, 990);
    out->p999 = histogram_percentile(histogram, 999);
    out->max = histogram->max;
}

static const struct histogram *histogram_of(const aloop *loop, aloop_metrics_kind kind)
{
    switch (kind) {
    case ALOOP_METRICS_LAG:
        return &loop->lag;
    case ALOOP_METRICS_STEP:
        return loop->durations != NULL ? &loop->durations->step : NULL;
    case ALOOP_METRICS_TURN:
        return loop->durations != NULL ? &loop->durations->turn : NULL;
    }
    return NULL;
}

static void count_jobs(const aloop *loop, aloop_metrics *metrics)
{
    for (int lane = 0; lane < EXECUTOR_COUNT; lane++) {
        size_t queued, running;

        if (loop->executors[lane] == NULL)
            continue;
        executor_count(loop->executors[lane], &queued, &running);
        metrics->jobs_queued += queued;
        metrics->jobs_running += running;
    }
}

void aloop_metrics_read(const aloop *loop, aloop_metrics *out, size_t size)
{
    aloop_metrics metrics = {
        .turns = loop->turns,
        .polls = loop->polls,
        .events = loop->events,
        .callbacks = (uint64_t)loop_callbacks_run(loop),
        .posts = loop->posts_collected,
        .tasks_created = loop->tasks_created,
        .tasks_done = loop->tasks_ended,
        .tasks = loop_task_count(loop),
        .timers = timers_armed_count(&loop->timers),
        .fds = loop->watches.live,
        .ready = ready_count(&loop->ready),
        .pool_used = loop->pool.bytes_used,
        .pool_held = loop->pool.bytes_reserved,
    };

    count_jobs(loop, &metrics);
    fill_distribution(&metrics.lag, histogram_of(loop, ALOOP_METRICS_LAG));
    fill_distribution(&metrics.step, histogram_of(loop, ALOOP_METRICS_STEP));
    fill_distribution(&metrics.turn, histogram_of(loop, ALOOP_METRICS_TURN));
    memset(out, 0, size);
    memcpy(out, &metrics, size < sizeof metrics ? size : sizeof metrics);
}

int aloop_metrics_measure(aloop *loop, bool on)
{
    int error = loop_guard(loop);

    if (error < 0)
        return error;
    if (on && loop->durations == NULL) {
        loop->durations = memory_alloc(&loop->memory, sizeof *loop->durations);
        if (loop->durations == NULL)
            return -ENOMEM;
        *loop->durations = (struct durations){0};
    }
    loop->measures_durations = on;
    loop_choose_run(loop);
    return 0;
}

void aloop_metrics_clear(aloop *loop)
{
    loop->lag = (struct histogram){0};
    if (loop->durations != NULL)
        *loop->durations = (struct durations){0};
}

size_t aloop_metrics_buckets(const aloop *loop, aloop_metrics_kind kind,
                             aloop_metrics_bucket *buckets, size_t capacity)
{
    const struct histogram *histogram = histogram_of(loop, kind);

    if (kind < ALOOP_METRICS_LAG || kind > ALOOP_METRICS_TURN)
        return 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS && i < capacity; i++) {
        buckets[i].up_to = histogram_bucket_end(i);
        buckets[i].count = histogram != NULL ? histogram->buckets[i] : 0;
    }
    return HISTOGRAM_BUCKETS;
}
