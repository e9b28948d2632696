#include "base/time_math.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* cmocka's own comparisons are unsigned. */
#define ASSERT_TIME(actual, expected) assert_true((actual) == (aloop_ns)(expected))

/* P34: libuv added a huge timeout to the clock and the sum wrapped to a deadline long past, so that
   the timer meant for never fired at once. */
static void test_add_saturates(void **state)
{
    (void)state;
    ASSERT_TIME(time_add(1, 2), 3);
    ASSERT_TIME(time_add(5, -7), -2);
    ASSERT_TIME(time_add(1, INT64_MAX), ALOOP_NEVER);
    ASSERT_TIME(time_add(INT64_MAX - 1, 1), ALOOP_NEVER);
    ASSERT_TIME(time_add(INT64_MAX - 1, 2), ALOOP_NEVER);
    ASSERT_TIME(time_add(INT64_MAX - 2, 1), INT64_MAX - 1);
    ASSERT_TIME(time_add(INT64_MIN, -1), INT64_MIN);
    ASSERT_TIME(time_add(-1, INT64_MIN), INT64_MIN);
    ASSERT_TIME(time_add(0, INT64_MIN), INT64_MIN);
    ASSERT_TIME(time_add(INT64_MIN + 1, -1), INT64_MIN);
}

static void test_never_stays_never(void **state)
{
    (void)state;
    ASSERT_TIME(time_add(ALOOP_NEVER, -1), ALOOP_NEVER);
    ASSERT_TIME(time_add(ALOOP_NEVER, INT64_MIN), ALOOP_NEVER);
    /* A clock may begin below 0: the sum would be representable, but "never" is not a number. */
    ASSERT_TIME(time_add(-1000, ALOOP_NEVER), ALOOP_NEVER);
    ASSERT_TIME(time_sub(ALOOP_NEVER, 1), ALOOP_NEVER);
    ASSERT_TIME(time_sub(ALOOP_NEVER, ALOOP_NEVER), ALOOP_NEVER);
}

static void test_sub_saturates(void **state)
{
    (void)state;
    ASSERT_TIME(time_sub(3, 2), 1);
    ASSERT_TIME(time_sub(2, 3), -1);
    ASSERT_TIME(time_sub(-2, -3), 1);
    ASSERT_TIME(time_sub(0, INT64_MIN), ALOOP_NEVER);
    ASSERT_TIME(time_sub(-1, INT64_MIN), INT64_MAX);
    ASSERT_TIME(time_sub(-2, INT64_MIN), INT64_MAX - 1);
    ASSERT_TIME(time_sub(-2, INT64_MAX), INT64_MIN);
    ASSERT_TIME(time_sub(-1, INT64_MAX), INT64_MIN);
    ASSERT_TIME(time_sub(0, INT64_MAX), -INT64_MAX);
    ASSERT_TIME(time_sub(INT64_MIN, 1), INT64_MIN);
}

static void test_from_timespec(void **state)
{
    (void)state;
    ASSERT_TIME(time_from_timespec(&(struct timespec){.tv_sec = 0, .tv_nsec = 0}), 0);
    ASSERT_TIME(time_from_timespec(&(struct timespec){.tv_sec = 2, .tv_nsec = 5}), 2000000005);
    ASSERT_TIME(time_from_timespec(&(struct timespec){.tv_sec = -1, .tv_nsec = 999999999}), -1);
    ASSERT_TIME(time_from_timespec(&(struct timespec){.tv_sec = -2, .tv_nsec = 1}), -1999999999);
}

static void test_from_timespec_saturates(void **state)
{
    (void)state;
    if (sizeof(time_t) < 8)
        skip();
    ASSERT_TIME(time_from_timespec(&(struct timespec){.tv_sec = (time_t)INT64_C(9223372036),
                                                      .tv_nsec = 854775806}),
                INT64_MAX - 1);
    ASSERT_TIME(time_from_timespec(&(struct timespec){.tv_sec = (time_t)INT64_C(9223372036),
                                                      .tv_nsec = 854775808}),
                ALOOP_NEVER);
    ASSERT_TIME(time_from_timespec(&(struct timespec){.tv_sec = (time_t)INT64_C(9223372037)}),
                ALOOP_NEVER);
    ASSERT_TIME(time_from_timespec(&(struct timespec){.tv_sec = (time_t)INT64_MAX}), ALOOP_NEVER);
    ASSERT_TIME(time_from_timespec(&(struct timespec){.tv_sec = (time_t)INT64_C(-9223372037),
                                                      .tv_nsec = 145224192}),
                INT64_MIN);
    ASSERT_TIME(time_from_timespec(&(struct timespec){.tv_sec = (time_t)INT64_C(-9223372037),
                                                      .tv_nsec = 145224193}),
                INT64_MIN + 1);
    ASSERT_TIME(time_from_timespec(&(struct timespec){.tv_sec = (time_t)INT64_C(-9223372037)}),
                INT64_MIN);
    ASSERT_TIME(time_from_timespec(&(struct timespec){.tv_sec = (time_t)INT64_MIN}), INT64_MIN);
}

static void test_to_timespec(void **state)
{
    static const struct {
        aloop_ns timeout, wait;
    } cases[] = {
        {0, 0},
        {1, 1},
        {-1, 0},
        {INT64_MIN, 0},
        {1999999999, 1999999999},
        {TIME_WAIT_MAX - 1, TIME_WAIT_MAX - 1},
        {TIME_WAIT_MAX, TIME_WAIT_MAX},
        {TIME_WAIT_MAX + 1, TIME_WAIT_MAX},
        {ALOOP_NEVER, TIME_WAIT_MAX},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct timespec ts = time_to_timespec(cases[i].timeout);

        ASSERT_TIME(time_from_timespec(&ts), cases[i].wait);
        assert_true(ts.tv_nsec >= 0 && ts.tv_nsec < 1000000000);
    }
}

/* S6, P31: rounded down, a wait of 0.3 ms would be none at all, and the loop would spin until its
 * end. */
static void test_to_ms_rounds_up(void **state)
{
    (void)state;
    assert_int_equal(time_to_ms(0), 0);
    assert_int_equal(time_to_ms(1), 1);
    assert_int_equal(time_to_ms(ALOOP_US(300)), 1);
    assert_int_equal(time_to_ms(ALOOP_MS(1)), 1);
    assert_int_equal(time_to_ms(ALOOP_MS(1) + 1), 2);
    assert_int_equal(time_to_ms(ALOOP_MS(2) - 1), 2);
    assert_int_equal(time_to_ms(-1), 0);
    assert_int_equal(time_to_ms(INT64_MIN), 0);
}

/* P32, P33: 2^31 ms and more became negative in an int ("wait for ever") or zero, and 32-bit
   kernels take what is above LONG_MAX / HZ for "for ever"; a timer of a month fired at once or not
   at all. */
static void test_waits_are_clamped(void **state)
{
    static const aloop_ns timeouts[] = {
        ALOOP_MS(INT64_C(2147483647)), ALOOP_MS(INT64_C(2147483648)), ALOOP_MS(INT64_C(4294967296)),
        ALOOP_NEVER - 1, ALOOP_NEVER};

    (void)state;
    for (size_t i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++) {
        struct timespec ts = time_to_timespec(timeouts[i]);

        assert_true(time_to_ms(timeouts[i]) == TIME_WAIT_MAX / ALOOP_MS(1));
        ASSERT_TIME(time_from_timespec(&ts), TIME_WAIT_MAX);
        assert_true(time_to_ms(timeouts[i]) > 0);
        /* 1200 is the largest HZ that any port has. */
        if (sizeof(long) == 4)
            assert_true(time_to_ms(timeouts[i]) <= INT32_MAX / 1200);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add_saturates),           cmocka_unit_test(test_never_stays_never),
        cmocka_unit_test(test_sub_saturates),           cmocka_unit_test(test_from_timespec),
        cmocka_unit_test(test_from_timespec_saturates), cmocka_unit_test(test_to_timespec),
        cmocka_unit_test(test_to_ms_rounds_up),         cmocka_unit_test(test_waits_are_clamped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
