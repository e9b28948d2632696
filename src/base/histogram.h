/*
 * How often a number was how large, on a logarithmic scale: four buckets to each power of two, so
 * that whatever is read off is wrong by less than a quarter. Adding a number is a handful of
 * instructions, and nothing is ever forgotten or averaged away.
 *
 * The first eight buckets hold a number each, 0 also what is below it; the last one has whatever is
 * too large for the others: in nanoseconds, from half an hour on.
 */
#ifndef ALOOP_SRC_BASE_HISTOGRAM_H
#define ALOOP_SRC_BASE_HISTOGRAM_H

#include "base/compiler.h"

#define HISTOGRAM_BUCKETS 160

struct histogram {
    uint64_t count;
    int64_t sum;
    int64_t max;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* The bucket that a number belongs to. */
static inline size_t histogram_bucket(int64_t value)
{
    size_t shift, bucket;

    if (value < 8)
        return value < 0 ? 0 : (size_t)value;
    /* What is left are three bits, of which the first is 1, and the others tell the quarter. */
    shift = (size_t)highest_bit((uint64_t)value) - 2;
    bucket = 4 * shift + (size_t)((uint64_t)value >> shift);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

void histogram_add(struct histogram *histogram, int64_t value);
/* The largest number that belongs to the bucket; INT64_MAX for the last one. */
int64_t histogram_bucket_end(size_t bucket);
/* The number that `permille` of a thousand of those that were added are not above: the end of its
   bucket, or the largest one added if that is less; 0 if there are none. */
int64_t histogram_percentile(const struct histogram *histogram, unsigned permille);

#endif
