#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Awaits an operation that stores an item in `item`, so many times, and logs what came. */
struct receiver {
    ALOOP_FRAME;
    struct world *world;
    aloop_oneshot *oneshot;
    aloop_broadcast_receiver *broadcast;
    aloop_watch *watch;
    uint64_t seen;
    int times;
    int64_t item;
};

static void log_outcome(struct world *world, int64_t result, int64_t item)
{
    char word[40];

    (void)snprintf(word, sizeof word, "%lld", (long long)item);
    world_mark(world, result < 0 ? aloop_error_name(result) : word);
}

ALOOP_CORO(receiver)
{
    ALOOP_BEGIN;
    do {
        if (self->oneshot != NULL)
            ALOOP_AWAIT(aloop_oneshot_receive(self->oneshot, &self->item));
        else if (self->broadcast != NULL)
            ALOOP_AWAIT(aloop_broadcast_receive(self->broadcast, &self->item));
        else
            ALOOP_AWAIT(aloop_watch_changed(self->watch, &self->seen, &self->item));
        log_outcome(self->world, self->result, self->item);
    } while (--self->times > 0);
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

#define RECEIVE(WORLD, ...) \
    aloop_create_task_in((WORLD)->loop, receiver, .world = (WORLD), __VA_ARGS__)

static void assert_log_is(struct world *world, const char *expected)
{
    assert_string_equal(world->log, expected);
    world->log[0] = '\0';
}

/* --- one-shot --- */

static aloop_oneshot *open_oneshot(struct world *world)
{
    aloop_oneshot *oneshot = NULL;

    assert_int_equal(aloop_oneshot_open(world->loop, sizeof(int64_t), &oneshot), 0);
    return oneshot;
}

static void one_answer(void **state)
{
    struct world *world = *state;
    aloop_oneshot *oneshot = open_oneshot(world);
    int64_t value = 42;

    aloop_task_unref(RECEIVE(world, .oneshot = oneshot, .times = 2));
    world_turns(world, 1);
    assert_log_is(world, "");
    assert_int_equal(aloop_oneshot_send(oneshot, &value), 0);
    value = 43;
    assert_int_equal(aloop_oneshot_send(oneshot, &value), -ALOOP_EDONE);
    aloop_oneshot_close_sender(oneshot);
    assert_log_is(world, "");
    world_drain(world);
    assert_log_is(world, "42 ALOOP_ESHUTDOWN ");
    aloop_oneshot_close_receiver(oneshot);
}

static void a_sender_that_goes_without_a_word(void **state)
{
    struct world *world = *state;
    aloop_oneshot *oneshot = open_oneshot(world);

    aloop_task_unref(RECEIVE(world, .oneshot = oneshot));
    world_turns(world, 1);
    aloop_oneshot_close_sender(oneshot);
    world_drain(world);
    assert_log_is(world, "ALOOP_ESHUTDOWN ");
    aloop_oneshot_close_receiver(oneshot);
}

struct abandon_waiter {
    ALOOP_FRAME;
    struct world *world;
    aloop_oneshot *oneshot;
};

ALOOP_CORO(abandon_waiter)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_oneshot_abandoned(self->oneshot));
    world_mark(self->world, self->result == 0 ? "abandoned" : aloop_error_name(self->result));
    ALOOP_END;
}

static void a_receiver_that_does_not_wait_for_the_answer(void **state)
{
    struct world *world = *state;
    aloop_oneshot *oneshot = open_oneshot(world);
    int64_t value = 1;

    aloop_task_unref(
        aloop_create_task_in(world->loop, abandon_waiter, .world = world, .oneshot = oneshot));
    world_turns(world, 1);
    assert_false(aloop_oneshot_is_abandoned(oneshot));
    aloop_oneshot_close_receiver(oneshot);
    assert_true(aloop_oneshot_is_abandoned(oneshot));
    assert_int_equal(aloop_oneshot_send(oneshot, &value), -EPIPE);
    world_drain(world);
    assert_log_is(world, "abandoned ");
    aloop_oneshot_close_sender(oneshot);
}

/* Both ends go between a wake-up and the step of who was woken: it would look into freed memory. */
static void both_ends_go_while_somebody_wakes_up(void **state)
{
    struct world *world = *state;
    aloop_oneshot *oneshot = open_oneshot(world);
    int64_t value = 1;

    aloop_task_unref(RECEIVE(world, .oneshot = oneshot));
    aloop_task_unref(
        aloop_create_task_in(world->loop, abandon_waiter, .world = world, .oneshot = oneshot));
    world_turns(world, 1);
    assert_int_equal(aloop_oneshot_send(oneshot, &value), 0);
    aloop_oneshot_close_receiver(oneshot);
    aloop_oneshot_close_sender(oneshot);
    world_drain(world);
    assert_log_is(world, "ALOOP_ESHUTDOWN ALOOP_ESHUTDOWN ");
}

static void a_cancelled_receiver_has_taken_nothing(void **state) /* S148's rule */
{
    struct world *world = *state;
    aloop_oneshot *oneshot = open_oneshot(world);
    aloop_task *first = RECEIVE(world, .oneshot = oneshot);
    aloop_task *second = RECEIVE(world, .oneshot = oneshot);
    aloop_task *third = RECEIVE(world, .oneshot = oneshot);
    int64_t value = 7;

    world_turns(world, 1);
    assert_int_equal(aloop_oneshot_send(oneshot, &value), 0);
    assert_true(aloop_task_cancel(first));
    world_drain(world);
    assert_log_is(world, "ECANCELED 7 ALOOP_ESHUTDOWN ");
    aloop_task_unref(first);
    aloop_task_unref(second);
    aloop_task_unref(third);
    aloop_oneshot_close_sender(oneshot);
    aloop_oneshot_close_receiver(oneshot);
}

static void a_oneshot_in_a_loop_that_is_closed(void **state) /* P124 */
{
    struct world *world = *state;
    aloop_oneshot *oneshot = open_oneshot(world);
    int64_t value = 7;

    aloop_task_unref(RECEIVE(world, .oneshot = oneshot));
    world_turns(world, 1);
    assert_int_equal(aloop_oneshot_send(oneshot, &value), 0);
    assert_int_equal(aloop_close(world->loop), 0);
    aloop_oneshot_close_sender(oneshot);
    aloop_oneshot_close_receiver(oneshot);
    aloop_oneshot_close_sender(NULL);
    aloop_oneshot_close_receiver(NULL);
}

/* --- broadcast --- */

static void open_broadcast(struct world *world, aloop_broadcast *broadcast, size_t capacity)
{
    assert_int_equal(
        aloop_broadcast_init(broadcast, world->loop, sizeof(int64_t), capacity), 0);
}

static void send_to(aloop_broadcast *broadcast, int64_t item, int64_t expected_receivers)
{
    assert_int_equal(aloop_broadcast_send(broadcast, &item), expected_receivers);
}

static void each_receiver_gets_what_is_sent_after_it_came(void **state)
{
    struct world *world = *state;
    aloop_broadcast_receiver early, late;
    aloop_broadcast broadcast;

    open_broadcast(world, &broadcast, 4);
    send_to(&broadcast, 1, 0);
    aloop_broadcast_subscribe(&broadcast, &early);
    send_to(&broadcast, 2, 1);
    aloop_broadcast_subscribe(&broadcast, &late);
    send_to(&broadcast, 3, 2);
    assert_int_equal(aloop_broadcast_pending(&early), 2);
    aloop_task_unref(RECEIVE(world, .broadcast = &early, .times = 3));
    world_turns(world, 1);
    assert_log_is(world, "2 3 ");
    aloop_task_unref(RECEIVE(world, .broadcast = &late, .times = 2));
    world_turns(world, 1);
    assert_log_is(world, "3 ");
    send_to(&broadcast, 4, 2);
    world_turns(world, 1);
    assert_log_is(world, "4 4 ");
    aloop_broadcast_unsubscribe(&early);
    aloop_broadcast_unsubscribe(&early);
    send_to(&broadcast, 5, 1);
    aloop_broadcast_fini(&broadcast);
    aloop_broadcast_unsubscribe(&late);
    aloop_broadcast_fini(&broadcast);
}

static void who_is_too_slow_is_told_how_much_it_missed(void **state)
{
    struct world *world = *state;
    aloop_broadcast_receiver slow;
    aloop_broadcast broadcast;

    open_broadcast(world, &broadcast, 3);
    aloop_broadcast_subscribe(&broadcast, &slow);
    for (int64_t i = 0; i < 3; i++)
        send_to(&broadcast, i, 1);
    aloop_task_unref(RECEIVE(world, .broadcast = &slow, .times = 1));
    world_turns(world, 1);
    assert_log_is(world, "0 ");
    for (int64_t i = 3; i < 8; i++)
        send_to(&broadcast, i, 1);
    aloop_task_unref(RECEIVE(world, .broadcast = &slow, .times = 4));
    world_turns(world, 1);
    assert_log_is(world, "ALOOP_ELAGGED 5 6 7 ");
    assert_int_equal(aloop_broadcast_missed(&slow), 4);
    aloop_broadcast_fini(&broadcast);
}

static void a_closed_broadcast_is_received_to_its_end(void **state)
{
    struct world *world = *state;
    aloop_broadcast_receiver a, b;
    aloop_broadcast broadcast;
    int64_t item = 2;

    open_broadcast(world, &broadcast, 3);
    aloop_broadcast_subscribe(&broadcast, &a);
    aloop_task_unref(RECEIVE(world, .broadcast = &a, .times = 2));
    world_turns(world, 1);
    send_to(&broadcast, 1, 1);
    aloop_broadcast_close(&broadcast);
    assert_int_equal(aloop_broadcast_send(&broadcast, &item), -ALOOP_ESHUTDOWN);
    world_turns(world, 1);
    assert_log_is(world, "1 ALOOP_ESHUTDOWN ");
    aloop_broadcast_subscribe(&broadcast, &b);
    aloop_task_unref(RECEIVE(world, .broadcast = &b));
    world_turns(world, 1);
    assert_log_is(world, "ALOOP_ESHUTDOWN ");
    aloop_broadcast_fini(&broadcast);
}

static void several_tasks_share_a_receiver(void **state)
{
    struct world *world = *state;
    aloop_broadcast_receiver shared;
    aloop_broadcast broadcast;
    aloop_task *first, *second;

    open_broadcast(world, &broadcast, 3);
    aloop_broadcast_subscribe(&broadcast, &shared);
    first = RECEIVE(world, .broadcast = &shared);
    second = RECEIVE(world, .broadcast = &shared);
    aloop_task_unref(RECEIVE(world, .broadcast = &shared));
    world_turns(world, 1);
    send_to(&broadcast, 1, 1);
    assert_true(aloop_task_cancel(first));
    world_turns(world, 1);
    /* The item was not lost with the first; and the third, woken in vain, has kept its place. */
    assert_log_is(world, "ECANCELED 1 ");
    aloop_task_unref(RECEIVE(world, .broadcast = &shared));
    world_turns(world, 1);
    send_to(&broadcast, 2, 1);
    world_turns(world, 1);
    assert_log_is(world, "2 ");
    aloop_broadcast_unsubscribe(&shared);
    world_turns(world, 1);
    assert_log_is(world, "ALOOP_ESHUTDOWN ");
    aloop_task_unref(first);
    aloop_task_unref(second);
    aloop_broadcast_fini(&broadcast);
}

static void a_broadcast_that_goes_while_somebody_wakes_up(void **state)
{
    struct world *world = *state;
    aloop_broadcast_receiver receiver;
    aloop_broadcast broadcast;

    open_broadcast(world, &broadcast, 3);
    aloop_broadcast_subscribe(&broadcast, &receiver);
    aloop_task_unref(RECEIVE(world, .broadcast = &receiver));
    world_turns(world, 1);
    send_to(&broadcast, 1, 1);
    aloop_broadcast_fini(&broadcast);
    memset(&broadcast, 0xAA, sizeof broadcast);
    memset(&receiver, 0xAA, sizeof receiver);
    world_drain(world);
    assert_log_is(world, "ALOOP_ESHUTDOWN ");
}

/* --- watch --- */

static void open_watch(struct world *world, aloop_watch *watch, int64_t initial)
{
    assert_int_equal(aloop_watch_init(watch, world->loop, sizeof initial, &initial), 0);
}

static void set_to(aloop_watch *watch, int64_t value)
{
    assert_int_equal(aloop_watch_set(watch, &value), 0);
}

static void only_the_latest_value_counts(void **state)
{
    struct world *world = *state;
    aloop_watch watch;

    open_watch(world, &watch, 1);
    aloop_task_unref(RECEIVE(world, .watch = &watch, .times = 4));
    aloop_task_unref(RECEIVE(world, .watch = &watch, .seen = 1));
    world_turns(world, 1);
    assert_log_is(world, "1 ");
    set_to(&watch, 2);
    set_to(&watch, 3);
    assert_int_equal(*(const int64_t *)aloop_watch_get(&watch), 3);
    world_turns(world, 1);
    assert_log_is(world, "3 3 ");
    set_to(&watch, 4);
    aloop_watch_close(&watch);
    assert_int_equal(aloop_watch_set(&watch, &(int64_t){5}), -ALOOP_ESHUTDOWN);
    world_turns(world, 1);
    assert_log_is(world, "4 ALOOP_ESHUTDOWN ");
    aloop_watch_fini(&watch);
    aloop_watch_fini(&watch);
}

static void a_cancelled_watcher_has_seen_nothing(void **state)
{
    struct world *world = *state;
    aloop_watch watch;
    aloop_task *task;

    open_watch(world, &watch, 1);
    task = RECEIVE(world, .watch = &watch, .seen = 1);
    aloop_task_unref(RECEIVE(world, .watch = &watch, .seen = 1));
    world_turns(world, 1);
    set_to(&watch, 2);
    assert_true(aloop_task_cancel(task));
    world_drain(world);
    assert_log_is(world, "ECANCELED 2 ");
    aloop_task_unref(task);
    aloop_watch_fini(&watch);
}

static void a_watch_that_goes_while_somebody_wakes_up(void **state)
{
    struct world *world = *state;
    aloop_watch watch;

    open_watch(world, &watch, 1);
    aloop_task_unref(RECEIVE(world, .watch = &watch, .seen = 1));
    world_turns(world, 1);
    set_to(&watch, 2);
    aloop_watch_fini(&watch);
    memset(&watch, 0xAA, sizeof watch);
    world_drain(world);
    assert_log_is(world, "ALOOP_ESHUTDOWN ");
}

/* --- all of them --- */

static void closing_the_loop_with_tasks_that_wait(void **state) /* P124 */
{
    struct world *world = *state;
    aloop_broadcast_receiver receiver;
    aloop_broadcast broadcast;
    aloop_watch watch;

    open_watch(world, &watch, 1);
    open_broadcast(world, &broadcast, 2);
    aloop_broadcast_subscribe(&broadcast, &receiver);
    aloop_task_unref(RECEIVE(world, .watch = &watch, .seen = 1));
    aloop_task_unref(RECEIVE(world, .watch = &watch, .seen = 1));
    aloop_task_unref(RECEIVE(world, .broadcast = &receiver));
    world_turns(world, 1);
    set_to(&watch, 2);
    assert_int_equal(aloop_close(world->loop), 0);
    assert_int_equal(world->reports, 3);
    assert_true(aloop_waitlist_is_empty(&watch.waiters));
    aloop_watch_fini(&watch);
    aloop_broadcast_fini(&broadcast);
}

static void tasks_of_another_loop_are_refused(void **state) /* S143's rule */
{
    struct world *world = *state;
    struct world other;
    aloop_oneshot *oneshot = open_oneshot(world);
    aloop_broadcast_receiver receiver;
    aloop_broadcast broadcast;
    aloop_watch watch;

    world_open(&other, NULL);
    open_watch(world, &watch, 1);
    open_broadcast(world, &broadcast, 2);
    aloop_broadcast_subscribe(&broadcast, &receiver);
    aloop_task_unref(RECEIVE(&other, .watch = &watch));
    aloop_task_unref(RECEIVE(&other, .broadcast = &receiver));
    aloop_task_unref(RECEIVE(&other, .oneshot = oneshot));
    aloop_task_unref(
        aloop_create_task_in(other.loop, abandon_waiter, .world = &other, .oneshot = oneshot));
    world_turns(&other, 1);
    assert_log_is(&other,
                  "ALOOP_EWRONGLOOP ALOOP_EWRONGLOOP ALOOP_EWRONGLOOP ALOOP_EWRONGLOOP ");
    world_close(&other);
    aloop_oneshot_close_receiver(oneshot);
    aloop_oneshot_close_sender(oneshot);
    aloop_broadcast_fini(&broadcast);
    aloop_watch_fini(&watch);
}

static void what_cannot_be_made(void **state) /* P119 */
{
    struct world *world = *state;
    aloop_oneshot *oneshot = NULL;
    aloop_broadcast broadcast = {0};
    aloop_watch watch = {0};
    int64_t value = 0;

    assert_int_equal(aloop_oneshot_open(NULL, 8, &oneshot), -ALOOP_ENOLOOP);
    assert_int_equal(aloop_broadcast_init(&broadcast, NULL, 8, 1), -ALOOP_ENOLOOP);
    assert_int_equal(aloop_watch_init(&watch, NULL, 8, &value), -ALOOP_ENOLOOP);
    assert_int_equal(aloop_oneshot_open(world->loop, 0, &oneshot), -EINVAL);
    assert_int_equal(aloop_broadcast_init(&broadcast, world->loop, 0, 1), -EINVAL);
    assert_int_equal(aloop_broadcast_init(&broadcast, world->loop, 8, 0), -EINVAL);
    assert_int_equal(aloop_watch_init(&watch, world->loop, 0, &value), -EINVAL);
    assert_int_equal(aloop_oneshot_open(world->loop, SIZE_MAX, &oneshot), -ENOMEM);
    assert_int_equal(aloop_broadcast_init(&broadcast, world->loop, 8, SIZE_MAX / 8 + 1), -ENOMEM);
    assert_int_equal(aloop_watch_init(&watch, world->loop, SIZE_MAX, &value), -ENOMEM);
    world->memory.fail_from = world->memory.requests + 1;
    world->memory.persists = true;
    assert_int_equal(aloop_oneshot_open(world->loop, 8, &oneshot), -ENOMEM);
    assert_int_equal(aloop_broadcast_init(&broadcast, world->loop, 8, 1), -ENOMEM);
    assert_int_equal(aloop_watch_init(&watch, world->loop, 8, &value), -ENOMEM);
    assert_null(oneshot);
    aloop_broadcast_fini(&broadcast);
    aloop_watch_fini(&watch);
}

static void sending_and_receiving_allocate_nothing(void **state)
{
    struct world *world = *state;
    aloop_broadcast_receiver receiver;
    aloop_broadcast broadcast;
    aloop_watch watch;
    long before;

    open_watch(world, &watch, 0);
    open_broadcast(world, &broadcast, 4);
    aloop_broadcast_subscribe(&broadcast, &receiver);
    aloop_task_unref(RECEIVE(world, .watch = &watch, .times = 20));
    aloop_task_unref(RECEIVE(world, .broadcast = &receiver, .times = 20));
    world_turns(world, 1);
    before = world->memory.requests;
    for (int64_t i = 0; i < 20; i++) {
        set_to(&watch, i);
        send_to(&broadcast, i, 1);
        world_turns(world, 1);
    }
    assert_int_equal(world->memory.requests, before);
    aloop_broadcast_fini(&broadcast);
    aloop_watch_fini(&watch);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_answer),
        TEST(a_sender_that_goes_without_a_word),
        TEST(a_receiver_that_does_not_wait_for_the_answer),
        TEST(both_ends_go_while_somebody_wakes_up),
        TEST(a_cancelled_receiver_has_taken_nothing),
        TEST(a_oneshot_in_a_loop_that_is_closed),
        TEST(each_receiver_gets_what_is_sent_after_it_came),
        TEST(who_is_too_slow_is_told_how_much_it_missed),
        TEST(a_closed_broadcast_is_received_to_its_end),
        TEST(several_tasks_share_a_receiver),
        TEST(a_broadcast_that_goes_while_somebody_wakes_up),
        TEST(only_the_latest_value_counts),
        TEST(a_cancelled_watcher_has_seen_nothing),
        TEST(a_watch_that_goes_while_somebody_wakes_up),
        TEST(closing_the_loop_with_tasks_that_wait),
        TEST(tasks_of_another_loop_are_refused),
        TEST(what_cannot_be_made),
        TEST(sending_and_receiving_allocate_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
