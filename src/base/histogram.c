#include "base/histogram.h"

#include "base/time_math.h"

void histogram_add(struct histogram *histogram, int64_t value)
{
    histogram->count++;
    histogram->sum = time_add(histogram->sum, value);
    if (value > histogram->max)
        histogram->max = value;
    histogram->buckets[histogram_bucket(value)]++;
}

int64_t histogram_bucket_end(size_t bucket)
{
    size_t shift = bucket / 4 - 1;

    if (bucket < 8)
        return (int64_t)bucket;
    if (bucket >= HISTOGRAM_BUCKETS - 1)
        return INT64_MAX;
    return ((int64_t)(bucket % 4 + 5) << shift) - 1;
}

int64_t histogram_percentile(const struct histogram *histogram, unsigned permille)
{
    /* How many are not above it, rounded up: the 500th thousandth of 3 is the second. */
    uint64_t whole = histogram->count / 1000 * permille;
    uint64_t wanted = whole + (histogram->count % 1000 * permille + 999) / 1000;
    uint64_t seen = 0;

    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        int64_t end = histogram_bucket_end(i);

        seen += histogram->buckets[i];
        if (seen >= wanted && seen > 0)
            return end < histogram->max ? end : histogram->max;
    }
    return 0;
}
