/*
 * Timers, the wheel and the heap together, against a naive model: random operations on scales from
 * single nanoseconds to the end of time, each followed by a check of every invariant.
 */
#include "base/timers.h"
#include "base_test.h"
#include "random.h"

#include <stdio.h>

#define SEED UINT64_C(0x5EED0007)
#define TICK (INT64_C(1) << TIMERS_TICK_BITS)

FIXTURE(struct timers, timers, timers_init(&fixture->timers, &fixture->memory),
        timers_fini(&fixture->timers));

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
    assert_false(timer_is_resident(popped));
    earliest->armed = false;
    model->armed--;
}

static void model_ask(struct model *model)
{
    struct model_timer *earliest = model_earliest(model);
    int64_t next = timers_next(model->timers);

    /* Never too late, and in the future, or waiting for it would spin. */
    if (earliest == NULL) {
        assert_true(next == INT64_MAX);
    } else {
        assert_true(next <= earliest->deadline);
        assert_true(earliest->deadline <= model->now || next > model->now ||
                    next >= model->timers->base << TIMERS_TICK_BITS);
    }
    if (random_below(&model->random, 4) == 0)
        assert_ptr_equal(timers_first(model->timers), earliest ? &earliest->timer : NULL);
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
        model->armed -= each->armed;
        each->armed = false;
        timers_remove(model->timers, &each->timer);
        assert_false(timer_is_resident(&each->timer));
        break;
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

static void run_model(struct timers *timers, int64_t spread, uint64_t seed)
{
    static struct model model;

    print_message("seed %#llx\n", (unsigned long long)seed);
    model = (struct model){.timers = timers, .random = seed, .spread = spread};
    for (int i = 0; i < MODEL_TIMERS; i++) {
        timer_init(&model.all[i].timer, 0);
        assert_int_equal(timers_reserve(timers), 0);
    }
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
    assert_null(timers_first(timers));
    assert_true(timers_next(timers) == INT64_MAX);
    for (int i = 0; i < MODEL_TIMERS; i++)
        timers_unreserve(timers);
}

static void model_within_a_tick(void **state)
{
    run_model(timers_of(state), 20, SEED);
}

static void model_of_ticks(void **state)
{
    run_model(timers_of(state), 100 * TICK, SEED + 1);
}

static void model_of_minutes(void **state)
{
    run_model(timers_of(state), INT64_C(600000000000), SEED + 2);
}

static void model_to_the_end_of_time(void **state)
{
    run_model(timers_of(state), INT64_MAX, SEED + 3);
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
        assert_int_equal(timers_reserve(timers), 0);
        timers_arm(timers, &all[i], deadlines[i]);
    }
    for (int i = 0; i < 3; i++) {
        assert_true(timers_next(timers) == deadlines[i]);
        assert_true(timers_cancel(timers, &all[i]));
        assert_false(timer_is_resident(&all[i]));
        timers_unreserve(timers);
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
        assert_int_equal(timers_reserve(timers), 0);
        timers_arm(timers, &all[i], INT64_C(3600000000000) + i);
    }
    while (timers_pop_due(timers, now) == NULL) {
        next = timers_next(timers);
        assert_true(next > now);
        now = next;
        wakeups++;
    }
    assert_in_range(wakeups, 2, TIMERS_LEVELS + 1);
    for (int i = 0; i < MANY; i++) {
        timers_remove(timers, &all[i]);
        timers_unreserve(timers);
    }
}

/* What is put off over and over leaves the heap again: in a server's life each idle timeout comes
   near some day, and with time all of them would be there. */
static void put_off_stays_in_the_wheel(void **state)
{
    struct timers *timers = timers_of(state);
    static struct timer all[MANY];
    for (int i = 0; i < MANY; i++) {
        timer_init(&all[i], 0);
        assert_int_equal(timers_reserve(timers), 0);
    }
    for (int64_t now = 0; now < 3000 * TICK; now += TICK) {
        for (int64_t i = now / TICK % 10; i < MANY; i += 10)
            timers_arm(timers, &all[i], now + 300 * TICK);
        assert_null(timers_pop_due(timers, now));
        if (now == 20 * TICK)
            assert_non_null(timers_first(timers));
    }
    assert_in_range(timers->near.count, 0, MANY / 100);
    assert_true(timers_verify(timers));
    for (int i = 0; i < MANY; i++) {
        timers_remove(timers, &all[i]);
        timers_unreserve(timers);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(model_within_a_tick),
        TEST(model_of_ticks),
        TEST(model_of_minutes),
        TEST(model_to_the_end_of_time),
        TEST(next_is_exact_among_few),
        TEST(waking_early_is_rare),
        TEST(put_off_stays_in_the_wheel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
