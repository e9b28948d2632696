/*
 * Timers against a naive model: random operations on scales from single nanoseconds to the end of
 * time, each followed by a check of every invariant; and what the model does not tell.
 */
#include "base/timers.h"
#include "base_test.h"
#include "random.h"

#include <stdio.h>

#define SEED UINT64_C(0x5EED0007)
#define TICK (INT64_C(1) << TIMERS_TICK_BITS)
#define MS INT64_C(1000000)

FIXTURE(struct timers, timers, timers_init(&fixture->timers), (void)0);

/* How many have been sorted. */
static size_t run_length(const struct timers *timers)
{
    size_t length = 0;

    for (const struct timer *timer = timers->run; timer != NULL; timer = timer->next)
        length++;
    return length;
}

/* --- the model --- */

enum { MODEL_TIMERS = 200, MODEL_OPERATIONS = 60000 };

struct model_timer {
    struct timer timer;
    int64_t deadline;
    uint64_t order;
    bool armed;
};

struct model {
    struct timers *timers;
    struct model_timer all[MODEL_TIMERS];
    uint64_t random;
    uint64_t order;
    int64_t now;
    uint32_t armed;
    int64_t spread; /* of deadlines */
    int calm;       /* how many that are armed belong to whole milliseconds, in percent */
};

static struct model_timer *model_earliest(struct model *model)
{
    struct model_timer *earliest = NULL;

    for (int i = 0; i < MODEL_TIMERS; i++) {
        struct model_timer *each = &model->all[i];

        if (each->armed &&
            (earliest == NULL || each->deadline < earliest->deadline ||
             (each->deadline == earliest->deadline && each->order < earliest->order)))
            earliest = each;
    }
    return earliest;
}

static int64_t later(int64_t time, int64_t delay)
{
    return time > 0 && delay > INT64_MAX - time ? INT64_MAX : time + delay;
}

static void model_arm(struct model *model, struct model_timer *each)
{
    int64_t delay = (int64_t)(random_next(&model->random) % (uint64_t)model->spread);
    int64_t deadline;

    switch (random_below(&model->random, 8)) {
    case 0:
        deadline = each->deadline; /* the same again */
        break;
    case 1:
        deadline = later(each->deadline, delay / 16); /* put off */
        break;
    case 2:
        deadline = model->now - 5;
        break;
    case 3:
        deadline = random_below(&model->random, 16) == 0 ? INT64_MAX : later(model->now, delay);
        break;
    default:
        deadline = later(model->now, delay >> random_below(&model->random, 40));
    }
    if ((int)random_below(&model->random, 100) < model->calm)
        deadline -= deadline % MS;
    model->armed += !each->armed;
    each->armed = true;
    each->deadline = deadline;
    each->order = ++model->order;
    timers_arm(model->timers, &each->timer, deadline);
}

static void model_pop(struct model *model)
{
    int64_t step = (int64_t)(random_next(&model->random) % (uint64_t)(model->spread / 100 + 2));
    struct model_timer *earliest = model_earliest(model);
    struct timer *popped;

    model->now = later(model->now, step >> random_below(&model->random, 30));
    popped = timers_pop_due(model->timers, model->now);
    if (earliest == NULL || earliest->deadline > model->now) {
        assert_null(popped);
        return;
    }
    assert_ptr_equal(popped, &earliest->timer);
    assert_false(timer_is_armed(popped));
    earliest->armed = false;
    model->armed--;
}

static void model_ask(struct model *model)
{
    struct model_timer *earliest = model_earliest(model);
    int64_t next = timers_next(model->timers);

    /* Never too late; and in the future if nothing is due, or waiting for it would spin. */
    if (earliest == NULL) {
        assert_true(next == INT64_MAX);
        return;
    }
    assert_true(next <= earliest->deadline);
    if (random_below(&model->random, 2) == 0) {
        assert_int_equal(timers_are_due(model->timers, model->now),
                         earliest->deadline <= model->now);
        if (earliest->deadline > model->now) {
            assert_true(timers_next(model->timers) > model->now);
            assert_true(model->timers->base == model->now >> TIMERS_TICK_BITS);
        }
    }
}

static void model_step(struct model *model)
{
    struct model_timer *each = &model->all[random_below(&model->random, MODEL_TIMERS)];
    bool was_armed = each->armed;

    switch (random_below(&model->random, 16)) {
    case 0:
    case 1:
        model_ask(model);
        break;
    case 2:
    case 3:
    case 4:
    case 5:
        model_pop(model);
        break;
    case 6:
    case 7:
    case 8:
    case 9:
        model->armed -= each->armed;
        each->armed = false;
        assert_int_equal(timers_cancel(model->timers, &each->timer), was_armed);
        break;
    default:
        model_arm(model, each);
    }
    assert_int_equal(timer_is_armed(&each->timer), each->armed);
    assert_true(!each->armed || timer_deadline(&each->timer) == each->deadline);
}

static void run_model(struct timers *timers, int64_t spread, int calm, uint64_t seed)
{
    static struct model model;

    print_message("seed %#llx\n", (unsigned long long)seed);
    model = (struct model){.timers = timers, .random = seed, .spread = spread, .calm = calm};
    for (int i = 0; i < MODEL_TIMERS; i++)
        timer_init(&model.all[i].timer, 0);
    for (long step = 0; step < MODEL_OPERATIONS; step++) {
        model_step(&model);
        assert_true(timers_verify(timers));
        assert_int_equal(timers_armed_count(timers), model.armed);
    }
    while (model.armed > 0) {
        struct model_timer *earliest = model_earliest(&model);

        if (earliest->deadline > model.now)
            model.now = earliest->deadline;
        assert_ptr_equal(timers_pop_due(timers, model.now), &earliest->timer);
        earliest->armed = false;
        model.armed--;
    }
    assert_false(timers_are_due(timers, INT64_MAX));
    assert_true(timers_next(timers) == INT64_MAX);
}

static void model_within_a_tick(void **state)
{
    run_model(timers_of(state), 20, 0, SEED);
}

static void model_within_few_ticks(void **state)
{
    run_model(timers_of(state), 20 * TICK, 0, SEED + 1);
}

static void model_of_milliseconds(void **state)
{
    run_model(timers_of(state), 100 * MS, 0, SEED + 2);
}

/* Of most, many are due at the same time. */
static void model_of_whole_milliseconds(void **state)
{
    run_model(timers_of(state), 20 * MS, 90, SEED + 3);
}

static void model_of_minutes(void **state)
{
    run_model(timers_of(state), 600000 * MS, 20, SEED + 4);
}

static void model_to_the_end_of_time(void **state)
{
    run_model(timers_of(state), INT64_MAX, 0, SEED + 5);
}

/* --- what the model does not tell --- */

enum { MANY = 1000 };

/* The wait for one of few is exact, however far away: no wake-up in between. P44: so it is for
   those that are left when the earliest is cancelled. */
static void next_is_exact_among_few(void **state)
{
    struct timers *timers = timers_of(state);
    struct timer all[3];
    static const int64_t deadlines[3] = {12345678901, 12345678902, 4000000000000000};

    for (int i = 0; i < 3; i++) {
        timer_init(&all[i], 0);
        timers_arm(timers, &all[i], deadlines[i]);
    }
    for (int i = 0; i < 3; i++) {
        assert_true(timers_next(timers) == deadlines[i]);
        assert_true(timers_cancel(timers, &all[i]));
    }
    assert_true(timers_next(timers) == INT64_MAX);
}

/* With many of about the same time the wait may end before, but not more than once for each level
   of the wheel. */
static void waking_early_is_rare(void **state)
{
    struct timers *timers = timers_of(state);
    static struct timer all[MANY];
    int64_t now = 0, next;
    int wakeups = 0;

    for (int i = 0; i < MANY; i++) {
        timer_init(&all[i], 0);
        timers_arm(timers, &all[i], INT64_C(3600000000000) + i);
    }
    while (timers_pop_due(timers, now) == NULL) {
        next = timers_next(timers);
        assert_true(next > now);
        now = next;
        wakeups++;
    }
    assert_in_range(wakeups, 2, TIMERS_LEVELS + 1);
}

/* What is put off over and over stays in the wheel, where that costs least: in a server's life each
   idle timeout comes near some day, and with time all of them would be in the run. */
static void put_off_stays_in_the_wheel(void **state)
{
    struct timers *timers = timers_of(state);
    static struct timer all[MANY];

    for (int i = 0; i < MANY; i++)
        timer_init(&all[i], 0);
    for (int64_t now = 0; now < 3000 * MS; now += MS) {
        for (int64_t i = now / MS % 10; i < MANY; i += 10)
            timers_arm(timers, &all[i], now + 300 * MS);
        assert_null(timers_pop_due(timers, now));
        assert_int_equal(run_length(timers), 0);
        assert_true(timers_next(timers) > now);
    }
    assert_true(timers_verify(timers));
}

/* The next timers that come up are those with these tags. */
static void assert_pops(struct timers *timers, int64_t now, const int *tags, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct timer *timer = timers_pop_due(timers, now);

        assert_non_null(timer);
        assert_int_equal(timer->tag, tags[i]);
        assert_false(timer_is_armed(timer));
        assert_true(timers_verify(timers));
    }
    assert_null(timers_pop_due(timers, now));
}

#define ASSERT_POPS(timers, now, ...)                                                              \
    assert_pops(timers, now, (const int[]){__VA_ARGS__},                                           \
                sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

static void make_timers(struct timer *all, int count)
{
    for (int i = 0; i < count; i++) {
        timer_init(&all[i], 0);
        all[i].tag = (uint16_t)i;
    }
}

/* S7: by deadline, not by the order of arming; negative deadlines are like any other. */
static void pops_by_deadline(void **state)
{
    static const int64_t deadlines[] = {50, -2, 30, INT64_MAX, -1, INT64_MIN, 30};
    struct timers *timers = timers_of(state);
    struct timer all[7];

    assert_null(timers_pop_due(timers, 0));
    make_timers(all, 7);
    for (int i = 0; i < 7; i++)
        timers_arm(timers, &all[i], deadlines[i]);
    assert_int_equal(timers_armed_count(timers), 7);
    ASSERT_POPS(timers, 30, 5, 1, 4, 2, 6);
    assert_true(timers_next(timers) == 50);
    assert_null(timers_pop_due(timers, 49));
    assert_ptr_equal(timers_pop_due(timers, 50), &all[0]);
    assert_true(timers_next(timers) == INT64_MAX);
    assert_null(timers_pop_due(timers, INT64_MAX - 1));
    assert_ptr_equal(timers_pop_due(timers, INT64_MAX), &all[3]);
    assert_int_equal(timers_armed_count(timers), 0);
}

/* What is armed for a time that is past comes before what is due later, also when some of that has
   been taken already: a wheel that has gone on would put it where it is now. */
static void past_deadlines_keep_their_order(void **state)
{
    struct timers *timers = timers_of(state);
    struct timer all[6];
    int64_t now = 100 * MS;

    make_timers(all, 6);
    assert_null(timers_pop_due(timers, now));
    timers_arm(timers, &all[0], now - 10);
    timers_arm(timers, &all[1], now - 20 * MS);
    timers_arm(timers, &all[2], now);
    assert_ptr_equal(timers_pop_due(timers, now), &all[1]);
    timers_arm(timers, &all[3], now - 30 * MS);
    timers_arm(timers, &all[4], now - 9);
    timers_arm(timers, &all[5], now - 11);
    ASSERT_POPS(timers, now, 3, 5, 0, 4, 2);
}

/* S8, P35: without sequence numbers equal deadlines come up in the order that the structure happens
   to give, so that of two timers set for the same time the second could fire first. */
static void equal_deadlines_in_order_of_arming(void **state)
{
    struct timers *timers = timers_of(state);
    static struct timer all[MANY];

    make_timers(all, MANY);
    for (int i = 0; i < MANY; i++)
        timers_arm(timers, &all[i], i % 2 == 0 ? 10 * MS : 20 * MS);
    for (int i = 0; i < MANY; i += 2)
        assert_ptr_equal(timers_pop_due(timers, 20 * MS), &all[i]);
    for (int i = 1; i < MANY; i += 2)
        assert_ptr_equal(timers_pop_due(timers, 20 * MS), &all[i]);
}

/* S8, P35: the order of arming is not that of the list where timers are put off without being
   moved, as often as that may be. Some of them are sorted, and the others of the same time spread
   over the levels below, to where nothing can be spread any more. */
static void equal_deadlines_in_any_order_of_arming(void **state)
{
    struct timers *timers = timers_of(state);
    static struct timer all[MANY];
    static uint64_t armed[MANY];
    const int64_t deadline = 10 * MS / TICK * TICK;
    struct timer before;

    make_timers(all, MANY);
    timer_init(&before, 1);
    for (int i = 0; i < MANY; i++)
        timers_arm(timers, &all[i], deadline);
    for (int i = 0; i < MANY; i++) {
        int each = i * 377 % MANY;

        timers_arm(timers, &all[each], deadline + i % 2);
        armed[each] = (uint64_t)i;
    }
    timers_arm(timers, &before, deadline - 2 * TICK);
    assert_ptr_equal(timers_pop_due(timers, deadline + 1), &before);
    for (int i = 0; i < MANY; i++) {
        struct timer *timer = timers_pop_due(timers, deadline + 1);

        assert_non_null(timer);
        assert_int_equal(armed[timer->tag], i < MANY / 2 ? 2 * i : 2 * i - MANY + 1);
    }
    assert_true(timers_verify(timers));
}

/* What comes near is compared only to what is due with it: to find its place in a long run that is
   not due yet would take longer the longer that is, each time. */
static void a_run_that_is_not_due_is_not_searched(void **state)
{
    struct timers *timers = timers_of(state);
    static struct timer all[MANY];
    struct timer late;
    int64_t start = INT64_C(1) << 20;

    make_timers(all, MANY);
    timer_init(&late, 1);
    for (int i = 0; i < MANY; i++)
        timers_arm(timers, &all[i], start + 100000 + i);
    assert_false(timers_are_due(timers, start));
    assert_int_equal(run_length(timers), MANY);
    timers_arm(timers, &late, start + 105000);
    assert_false(timers_are_due(timers, start + 99000));
    assert_int_equal(run_length(timers), MANY);
    for (int i = 0; i < MANY; i++)
        assert_ptr_equal(timers_pop_due(timers, start + 110000), &all[i]);
    assert_ptr_equal(timers_pop_due(timers, start + 110000), &late);
}

/* S8, P35: arming again counts as arming last, whichever way it is stored. */
static void equal_deadlines_after_arming_again(void **state)
{
    struct timers *timers = timers_of(state);
    struct timer all[5];

    make_timers(all, 5);
    timers_arm(timers, &all[0], 10 * MS); /* put off, without being moved, to the others' time */
    timers_arm(timers, &all[1], 20 * MS);
    timers_arm(timers, &all[2], 30 * MS); /* brought forward to it */
    timers_arm(timers, &all[3], 20 * MS); /* armed again for the same time */
    timers_arm(timers, &all[4], 20 * MS); /* cancelled and armed again */
    timers_arm(timers, &all[3], 20 * MS);
    timers_arm(timers, &all[0], 20 * MS);
    assert_true(timers_cancel(timers, &all[4]));
    timers_arm(timers, &all[4], 20 * MS);
    timers_arm(timers, &all[2], 20 * MS);
    assert_true(timers_verify(timers));
    ASSERT_POPS(timers, 20 * MS, 1, 3, 0, 4, 2);
}

static void putting_off_only_stores(void **state)
{
    struct timers *timers = timers_of(state);
    struct timer all[2];
    struct timer **place;

    make_timers(all, 2);
    timers_arm(timers, &all[0], 10 * MS);
    place = all[0].place;
    timers_arm(timers, &all[0], 5000 * MS);
    assert_ptr_equal(all[0].place, place);
    /* That it stays where it was wakes nobody. */
    assert_true(timers_next(timers) == 5000 * MS);
    timers_arm(timers, &all[1], 20 * MS);
    ASSERT_POPS(timers, 4999 * MS, 1);
    ASSERT_POPS(timers, 5000 * MS, 0);
}

/* Those in the run are sorted, and have to move. */
static void sorted_ones_may_be_moved(void **state)
{
    struct timers *timers = timers_of(state);
    struct timer all[5];

    make_timers(all, 5);
    for (int i = 0; i < 5; i++)
        timers_arm(timers, &all[i], 10 * MS + i * 1000);
    assert_ptr_equal(timers_pop_due(timers, 10 * MS), &all[0]);
    assert_int_equal(run_length(timers), 4);
    timers_arm(timers, &all[1], 10 * MS + 3500); /* put off */
    timers_arm(timers, &all[4], 10 * MS + 500);  /* brought forward */
    timers_arm(timers, &all[3], 900 * MS);       /* put off for long */
    assert_true(timers_verify(timers));
    ASSERT_POPS(timers, 11 * MS, 4, 2, 1);
    assert_int_equal(run_length(timers), 0);
    ASSERT_POPS(timers, 900 * MS, 3);
}

/* S11: one that was cancelled does not count when the time to wait is worked out; S12, P47: and it
   is forgotten at once. Without that, the timeouts that a busy server sets for a minute and cancels
   after a millisecond would all stay in memory for the minute. */
static void cancelled_ones_are_forgotten(void **state)
{
    struct timers *timers = timers_of(state);
    struct timer all[3];

    make_timers(all, 3);
    for (int i = 0; i < 3; i++)
        timers_arm(timers, &all[i], (i + 1) * MS);
    assert_true(timers_cancel(timers, &all[0]));
    assert_true(timers_cancel(timers, &all[1]));
    memset(all, 0xDD, 2 * sizeof all[0]); /* as if they had been freed: nobody may look again */
    assert_int_equal(timers_armed_count(timers), 1);
    assert_true(timers_verify(timers));
    assert_true(timers_next(timers) == 3 * MS);
    assert_ptr_equal(timers_pop_due(timers, 3 * MS), &all[2]);
    assert_true(timers_next(timers) == INT64_MAX);
}

/* S13: cancelling what has fired, or was cancelled, does nothing. */
static void cancelling_what_is_not_armed(void **state)
{
    struct timers *timers = timers_of(state);
    struct timer all[2];

    make_timers(all, 2);
    assert_false(timers_cancel(timers, &all[0])); /* never was */
    timers_arm(timers, &all[0], 1);
    timers_arm(timers, &all[1], 2);
    assert_ptr_equal(timers_pop_due(timers, 1), &all[0]);
    assert_false(timers_cancel(timers, &all[0])); /* fired */
    assert_true(timers_cancel(timers, &all[1]));
    assert_false(timers_cancel(timers, &all[1])); /* cancelled */
    assert_int_equal(timers_armed_count(timers), 0);
    assert_true(timers_verify(timers));
}

enum { MEASURED = 20000 };

static int compare_numbers(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

/* Many at once: all within a millisecond, in random order, half of them at equal times, while
   others are armed in between for times that are near. */
static void many_at_once_in_order(void **state)
{
    struct timers *timers = timers_of(state);
    static struct timer all[MEASURED], near[MEASURED];
    static int64_t deadlines[MEASURED];
    uint64_t random = SEED;
    int64_t last = 0;
    int popped = 0;

    for (int i = 0; i < MEASURED; i++) {
        timer_init(&all[i], 0);
        timer_init(&near[i], 1);
        deadlines[i] = 5 * MS + (int64_t)random_below(&random, 1000000) / (1 + i % 2 * 100000);
        timers_arm(timers, &all[i], deadlines[i]);
    }
    qsort(deadlines, MEASURED, sizeof deadlines[0], compare_numbers);
    for (int64_t now = 4 * MS; popped < MEASURED; now += 100) {
        struct timer *timer;

        while ((timer = timers_pop_due(timers, now)) != NULL) {
            assert_true(timer->deadline >= last);
            last = timer->deadline;
            if (timer->kind == 0) {
                assert_true(timer->deadline == deadlines[popped]);
                timers_arm(timers, &near[popped], now + (int64_t)random_below(&random, 3000));
                popped++;
            }
        }
    }
    assert_true(timers_verify(timers));
}

/* Each broken invariant is noticed, or the model above would prove little. */
static void verify_sees(void **state)
{
    struct timers *timers = timers_of(state);
    struct timer all[4];
    struct timer *kept;
    struct timer **place;

    make_timers(all, 4);
    timers_arm(timers, &all[0], 10 * MS);
    timers_arm(timers, &all[1], 10 * MS + 1);
    timers_arm(timers, &all[2], 5000 * MS);
    timers_arm(timers, &all[3], 5000 * MS + 1);
    assert_false(timers_are_due(timers, 10 * MS - 1));
    assert_true(timers_are_due(timers, 10 * MS));
    assert_int_equal(run_length(timers), 2);
    assert_true(timers_verify(timers));

#define ASSERT_SEES(break_it, mend_it)                                                             \
    do {                                                                                           \
        break_it;                                                                                  \
        assert_false(timers_verify(timers));                                                       \
        mend_it;                                                                                   \
        assert_true(timers_verify(timers));                                                        \
    } while (0)

    ASSERT_SEES(timers->armed_count++, timers->armed_count--);
    ASSERT_SEES(timers->levels ^= 1, timers->levels ^= 1);
    ASSERT_SEES(timers->used[0] ^= 1, timers->used[0] ^= 1);
    ASSERT_SEES(all[2].is_in_wheel = false, all[2].is_in_wheel = true);
    ASSERT_SEES(all[0].is_in_wheel = true, all[0].is_in_wheel = false);
    ASSERT_SEES(all[0].deadline += 2, all[0].deadline -= 2);
    ASSERT_SEES(all[2].deadline = 0, all[2].deadline = 5000 * MS);
    ASSERT_SEES(timers->sequence = 3, timers->sequence = 4);
    ASSERT_SEES(timers->base = 5001 * MS / TICK, timers->base = 10 * MS / TICK);
    ASSERT_SEES(timers->settled = INT64_MAX, timers->settled = INT64_MIN);
    ASSERT_SEES((place = all[2].place, all[2].place = NULL), all[2].place = place);
    ASSERT_SEES((kept = timers->run, timers->run = kept->next), timers->run = kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(model_within_a_tick),
        TEST(model_within_few_ticks),
        TEST(model_of_milliseconds),
        TEST(model_of_whole_milliseconds),
        TEST(model_of_minutes),
        TEST(model_to_the_end_of_time),
        TEST(next_is_exact_among_few),
        TEST(waking_early_is_rare),
        TEST(put_off_stays_in_the_wheel),
        TEST(pops_by_deadline),
        TEST(past_deadlines_keep_their_order),
        TEST(equal_deadlines_in_order_of_arming),
        TEST(equal_deadlines_in_any_order_of_arming),
        TEST(a_run_that_is_not_due_is_not_searched),
        TEST(equal_deadlines_after_arming_again),
        TEST(putting_off_only_stores),
        TEST(sorted_ones_may_be_moved),
        TEST(cancelled_ones_are_forgotten),
        TEST(cancelling_what_is_not_armed),
        TEST(many_at_once_in_order),
        TEST(verify_sees),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
