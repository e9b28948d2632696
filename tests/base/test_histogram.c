#include "base/histogram.h"

#include "random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Every number is in the bucket whose end is the first not below it, and that end is less than a
   quarter above it. */
static void check_number(int64_t value)
{
    size_t bucket = histogram_bucket(value);
    int64_t end = histogram_bucket_end(bucket);

    assert_true(bucket < HISTOGRAM_BUCKETS);
    assert_true(value <= end);
    if (bucket > 0)
        assert_true(value > histogram_bucket_end(bucket - 1));
    if (bucket < HISTOGRAM_BUCKETS - 1)
        assert_true(end - value <= value / 4);
}

static void buckets(void **state)
{
    (void)state;
    assert_int_equal(histogram_bucket(0), 0);
    assert_int_equal(histogram_bucket(-5), 0);
    assert_int_equal(histogram_bucket(INT64_MIN), 0);
    assert_int_equal(histogram_bucket(INT64_MAX), HISTOGRAM_BUCKETS - 1);
    assert_true(histogram_bucket_end(HISTOGRAM_BUCKETS - 1) == INT64_MAX);
    for (int64_t value = 0; value < 5000; value++)
        check_number(value);
    for (int shift = 3; shift < 63; shift++) {
        for (int64_t step = -1; step <= 1; step++)
            check_number((INT64_C(1) << shift) + step);
    }
    check_number(INT64_MAX);
    for (size_t i = 1; i < HISTOGRAM_BUCKETS; i++)
        assert_true(histogram_bucket_end(i) > histogram_bucket_end(i - 1));
    /* As the public header says of them. */
    for (size_t i = 3; i < HISTOGRAM_BUCKETS - 1; i += 4) {
        int64_t above = histogram_bucket_end(i) + 1;

        assert_true((above & (above - 1)) == 0);
    }
}

static void nothing_added(void **state)
{
    struct histogram histogram = {0};

    (void)state;
    assert_int_equal(histogram_percentile(&histogram, 500), 0);
    assert_int_equal(histogram_percentile(&histogram, 1000), 0);
}

static void small_numbers(void **state)
{
    struct histogram histogram = {0};

    (void)state;
    histogram_add(&histogram, 3);
    assert_int_equal(histogram_percentile(&histogram, 1), 3);
    assert_int_equal(histogram_percentile(&histogram, 999), 3);
    histogram_add(&histogram, 1);
    histogram_add(&histogram, 2);
    assert_int_equal(histogram_percentile(&histogram, 500), 2);
    assert_int_equal(histogram_percentile(&histogram, 333), 1);
    assert_int_equal(histogram_percentile(&histogram, 334), 2);
    assert_int_equal(histogram.sum, 6);
    assert_int_equal(histogram.max, 3);
    assert_int_equal(histogram.count, 3);
    /* A sum does not overflow. */
    histogram_add(&histogram, INT64_MAX - 1);
    histogram_add(&histogram, INT64_MAX - 1);
    assert_true(histogram.sum == INT64_MAX);
}

/* The end of a bucket would be beyond what was ever seen. */
static void never_above_the_largest(void **state)
{
    struct histogram histogram = {0};

    (void)state;
    histogram_add(&histogram, 1000);
    assert_int_equal(histogram_percentile(&histogram, 500), 1000);
    assert_int_equal(histogram_percentile(&histogram, 1000), 1000);
}

static int compare(const void *one, const void *other)
{
    int64_t a = *(const int64_t *)one, b = *(const int64_t *)other;

    return (a > b) - (a < b);
}

/* Against the percentiles of the sorted numbers: never below, and less than a quarter above. */
static void percentiles(void **state)
{
    static int64_t numbers[10007];
    const unsigned permilles[] = {1, 10, 250, 500, 900, 990, 999, 1000};
    const size_t count = sizeof numbers / sizeof *numbers;
    uint64_t seed = 42;

    (void)state;
    for (int round = 0; round < 20; round++) {
        struct histogram histogram = {0};

        for (size_t i = 0; i < count; i++) {
            numbers[i] = (int64_t)(random_next(&seed) >> (24 + random_next(&seed) % 40));
            histogram_add(&histogram, numbers[i]);
        }
        qsort(numbers, count, sizeof *numbers, compare);
        assert_true(histogram.max == numbers[count - 1]);
        for (size_t i = 0; i < sizeof permilles / sizeof *permilles; i++) {
            int64_t truth = numbers[(count * permilles[i] + 999) / 1000 - 1];
            int64_t found = histogram_percentile(&histogram, permilles[i]);

            assert_true(found >= truth);
            assert_true(found - truth <= truth / 4);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets),
        cmocka_unit_test(nothing_added),
        cmocka_unit_test(small_numbers),
        cmocka_unit_test(never_above_the_largest),
        cmocka_unit_test(percentiles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
