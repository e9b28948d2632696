/* ctest: interleave timeout=120 */
/*
 * What queues, channels and generators promise, under every schedule: S148, S149, S151, P108. Next
 * to each queue stands a model of it, which says what must come out.
 */
#include "interleave.h"

enum { PRODUCERS = 3, CONSUMERS = 3, ITEMS_MAX = 64 };

struct item {
    int priority;
    int number;
};

enum kind { FIFO, LIFO, PRIORITY };

struct queue_state {
    aloop_queue queue;
    enum kind kind;
    struct item model[ITEMS_MAX];
    int count;
    int numbers;
    int producers;
    unsigned arrivals;
    unsigned waiting[CONSUMERS]; /* who waits for an item, since when; 0: does not */
};

/* The one of the model that is to come out next. */
static int model_next(const struct queue_state *state)
{
    int next = state->kind == LIFO ? state->count - 1 : 0;

    for (int i = 1; state->kind == PRIORITY && i < state->count; i++) {
        if (state->model[i].priority < state->model[next].priority)
            next = i;
    }
    return next;
}

static void model_take(struct queue_state *state, struct item item)
{
    int next;

    INTERLEAVE_REQUIRE(state->count > 0);
    if (state->count == 0)
        return;
    next = model_next(state);
    INTERLEAVE_REQUIRE(state->model[next].number == item.number);
    state->count--;
    for (int i = next; i < state->count; i++)
        state->model[i] = state->model[i + 1];
}

struct nap {
    ALOOP_FRAME;
    unsigned turns;
};

ALOOP_CORO(nap)
{
    ALOOP_BEGIN;
    while (self->turns-- > 0)
        ALOOP_TRY(aloop_sleep(0));
    ALOOP_END;
}

struct producer {
    ALOOP_FRAME;
    struct queue_state *state;
    unsigned items;
    unsigned naps;
    unsigned priority;
    struct item item;
};

ALOOP_CORO(producer)
{
    struct queue_state *state = self->state;

    ALOOP_BEGIN;
    for (; self->items > 0; self->items--) {
        ALOOP_TRY(aloop_call(nap, .turns = self->naps));
        self->item = (struct item){(int)(self->priority++ % 3), ++state->numbers};
        ALOOP_TRY(aloop_queue_put(&state->queue, &self->item));
        /* It has gone in in this very step. */
        state->model[state->count++] = self->item;
    }
    ALOOP_FINALLY;
    /* S151: what is in is still got, and then all consumers are told. */
    if (--state->producers == 0)
        aloop_queue_shutdown(&state->queue, false);
    ALOOP_END;
}

struct taker {
    ALOOP_FRAME;
    struct queue_state *state;
    unsigned naps;
    int id;
    struct item item;
};

/* How many wait longer than `number`. */
static size_t line_ahead(const struct queue_state *state, unsigned number)
{
    size_t count = 0;

    for (int i = 0; i < CONSUMERS; i++)
        count += state->waiting[i] != 0 && state->waiting[i] < number;
    return count;
}

ALOOP_CORO(taker)
{
    struct queue_state *state = self->state;

    ALOOP_BEGIN;
    for (;;) {
        ALOOP_TRY(aloop_call(nap, .turns = self->naps));
        state->waiting[self->id] = ++state->arrivals;
        ALOOP_AWAIT(aloop_queue_get(&state->queue, &self->item));
        if (self->result == 0) {
            /* Nobody is overtaken but by those who were woken in the same turn. */
            INTERLEAVE_REQUIRE(line_ahead(state, state->waiting[self->id]) <=
                               state->queue.getters.promised_count);
            model_take(state, self->item);
        }
        state->waiting[self->id] = 0;
        if (self->result == -ALOOP_ESHUTDOWN)
            INTERLEAVE_REQUIRE(state->count == 0 && state->producers == 0);
        if (self->result < 0)
            ALOOP_RETURN(0);
    }
    ALOOP_END;
}

static int compare_items(const void *a, const void *b)
{
    const struct item *first = a, *second = b;

    return (first->priority > second->priority) - (first->priority < second->priority);
}

static void start_traffic(struct interleave *run, struct queue_state *state)
{
    state->producers = PRODUCERS;
    for (int i = 0; i < PRODUCERS; i++)
        interleave_start(run, producer, .state = state, .items = interleave_random(run, 5),
                         .naps = interleave_random(run, 2),
                         .priority = interleave_random(run, 3));
    for (int i = 0; i < CONSUMERS; i++)
        interleave_start(run, taker, .state = state, .id = i, .naps = interleave_random(run, 3));
}

/* Mostly with a bound, which makes producers wait. */
static int64_t random_bound(struct interleave *run)
{
    return (int64_t)interleave_random(run, 4);
}

static void fifo_setup(struct interleave *run, void *arg)
{
    struct queue_state *state = arg;

    INTERLEAVE_REQUIRE(aloop_queue_init(&state->queue, interleave_loop(run), sizeof(struct item),
                                        random_bound(run)) == 0);
    start_traffic(run, state);
}

static void lifo_setup(struct interleave *run, void *arg)
{
    struct queue_state *state = arg;

    state->kind = LIFO;
    INTERLEAVE_REQUIRE(aloop_lifo_queue_init(&state->queue, interleave_loop(run),
                                             sizeof(struct item), random_bound(run)) == 0);
    start_traffic(run, state);
}

static void priority_setup(struct interleave *run, void *arg)
{
    struct queue_state *state = arg;

    state->kind = PRIORITY;
    INTERLEAVE_REQUIRE(aloop_priority_queue_init(&state->queue, interleave_loop(run),
                                                 sizeof(struct item), random_bound(run),
                                                 compare_items) == 0);
    start_traffic(run, state);
}

static const char *queue_check(struct interleave *run, void *arg)
{
    struct queue_state *state = arg;
    const aloop_queue_side *getters = &state->queue.getters, *putters = &state->queue.putters;
    const char *wrong = NULL;

    if (!aloop_waitlist_is_empty(&getters->waiting) || !aloop_waitlist_is_empty(&getters->promised))
        wrong = "a getter is left in a wait list";
    else if (!aloop_waitlist_is_empty(&putters->waiting) ||
             !aloop_waitlist_is_empty(&putters->promised))
        wrong = "a putter is left in a wait list"; /* S149 */
    else if (getters->promised_count != 0 || putters->promised_count != 0)
        wrong = "a promise is left";
    else if (aloop_queue_size(&state->queue) != (size_t)state->count)
        wrong = "an item was lost"; /* S148 */
    else if (!interleave_was_closed(run) && state->count != 0)
        wrong = "an item was not got";
    aloop_queue_fini(&state->queue);
    return wrong;
}

/* --- one-shot --- */

struct oneshot_state {
    aloop_oneshot *oneshot;
    bool sent;
    int received;
    int receivers;
    bool receiver_has_gone;
};

struct answerer {
    ALOOP_FRAME;
    struct oneshot_state *state;
    unsigned naps;
    int64_t answer;
};

ALOOP_CORO(answerer)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_call(nap, .turns = self->naps));
    self->answer = 42;
    ALOOP_AWAIT(aloop_sleep(0));
    if (aloop_oneshot_send(self->state->oneshot, &self->answer) == 0)
        self->state->sent = true;
    else
        INTERLEAVE_REQUIRE(self->state->receiver_has_gone);
    ALOOP_FINALLY;
    aloop_oneshot_close_sender(self->state->oneshot);
    ALOOP_END;
}

struct asker {
    ALOOP_FRAME;
    struct oneshot_state *state;
    unsigned naps;
    int64_t answer;
};

ALOOP_CORO(asker)
{
    struct oneshot_state *state = self->state;

    ALOOP_BEGIN;
    ALOOP_TRY(aloop_call(nap, .turns = self->naps));
    ALOOP_AWAIT(aloop_oneshot_receive(state->oneshot, &self->answer));
    if (self->result == 0) {
        state->received++;
        INTERLEAVE_REQUIRE(self->answer == 42);
    } else {
        INTERLEAVE_REQUIRE(self->answer == 0);
    }
    if (self->result == -ALOOP_ESHUTDOWN)
        INTERLEAVE_REQUIRE(!state->sent || state->received == 1);
    ALOOP_FINALLY;
    if (--state->receivers == 0) {
        state->receiver_has_gone = true;
        aloop_oneshot_close_receiver(state->oneshot);
    }
    ALOOP_END;
}

static void oneshot_setup(struct interleave *run, void *arg)
{
    struct oneshot_state *state = arg;

    INTERLEAVE_REQUIRE(aloop_oneshot_open(interleave_loop(run), sizeof(int64_t),
                                          &state->oneshot) == 0);
    state->receivers = 3;
    interleave_start(run, answerer, .state = state, .naps = interleave_random(run, 5));
    for (int i = 0; i < 3; i++)
        interleave_start(run, asker, .state = state, .naps = interleave_random(run, 5));
}

static const char *oneshot_check(struct interleave *run, void *arg)
{
    struct oneshot_state *state = arg;

    if (interleave_was_closed(run)) {
        /* Their cleanup did not run: each end that is left is given back here. */
        if (!state->receiver_has_gone)
            aloop_oneshot_close_receiver(state->oneshot);
        if (interleave_result(run, 0) == -ECANCELED)
            aloop_oneshot_close_sender(state->oneshot);
        return NULL;
    }
    if (state->received > 1)
        return "the answer was received more than once";
    return NULL;
}

/* --- broadcast --- */

struct broadcast_state {
    aloop_broadcast broadcast;
    int64_t sent;
    int senders;
};

struct sender {
    ALOOP_FRAME;
    struct broadcast_state *state;
    unsigned items;
    unsigned naps;
};

ALOOP_CORO(sender)
{
    struct broadcast_state *state = self->state;

    ALOOP_BEGIN;
    for (; self->items > 0; self->items--) {
        if (self->items % 2 == 0)
            ALOOP_TRY(aloop_call(nap, .turns = self->naps));
        INTERLEAVE_REQUIRE(aloop_broadcast_send(&state->broadcast, &state->sent) >= 0);
        state->sent++;
    }
    ALOOP_FINALLY;
    if (--state->senders == 0)
        aloop_broadcast_close(&state->broadcast);
    ALOOP_END;
}

struct listener {
    ALOOP_FRAME;
    struct broadcast_state *state;
    aloop_broadcast_receiver receiver;
    unsigned naps;
    unsigned pause;
    int64_t next;
    int64_t item;
};

ALOOP_CORO(listener)
{
    struct broadcast_state *state = self->state;

    ALOOP_BEGIN;
    ALOOP_TRY(aloop_call(nap, .turns = self->naps));
    aloop_broadcast_subscribe(&state->broadcast, &self->receiver);
    self->next = state->sent;
    for (;;) {
        ALOOP_AWAIT(aloop_broadcast_receive(&self->receiver, &self->item));
        if (self->result == -ALOOP_ELAGGED) {
            self->next += (int64_t)aloop_broadcast_missed(&self->receiver);
        } else if (self->result == 0) {
            /* Each that was sent since, in order, save those that it was told it missed. */
            INTERLEAVE_REQUIRE(self->item == self->next);
            self->next++;
        } else {
            if (self->result == -ALOOP_ESHUTDOWN)
                INTERLEAVE_REQUIRE(self->next == state->sent);
            break;
        }
        ALOOP_TRY(aloop_call(nap, .turns = self->pause));
    }
    ALOOP_FINALLY;
    aloop_broadcast_unsubscribe(&self->receiver);
    ALOOP_END;
}

static void broadcast_setup(struct interleave *run, void *arg)
{
    struct broadcast_state *state = arg;

    INTERLEAVE_REQUIRE(aloop_broadcast_init(&state->broadcast, interleave_loop(run),
                                            sizeof(int64_t), 1 + interleave_random(run, 3)) == 0);
    state->senders = 2;
    for (int i = 0; i < 2; i++)
        interleave_start(run, sender, .state = state, .items = interleave_random(run, 7),
                         .naps = 1 + interleave_random(run, 3));
    for (int i = 0; i < 3; i++)
        interleave_start(run, listener, .state = state, .naps = interleave_random(run, 3),
                         .pause = interleave_random(run, 4));
}

static const char *broadcast_check(struct interleave *run, void *arg)
{
    struct broadcast_state *state = arg;
    size_t left = state->broadcast.receiver_count;

    if (interleave_was_closed(run)) {
        /* The receivers were in frames that are gone. */
        state->broadcast.receivers.next = &state->broadcast.receivers;
        left = 0;
    }
    aloop_broadcast_fini(&state->broadcast);
    return left != 0 ? "a receiver is left" : NULL;
}

/* --- watch --- */

struct watch_state {
    aloop_watch watch;
    int64_t value;
    int setters;
};

struct setter {
    ALOOP_FRAME;
    struct watch_state *state;
    unsigned times;
    unsigned naps;
};

ALOOP_CORO(setter)
{
    struct watch_state *state = self->state;

    ALOOP_BEGIN;
    for (; self->times > 0; self->times--) {
        if (self->times % 2 == 0)
            ALOOP_TRY(aloop_call(nap, .turns = self->naps));
        state->value++;
        INTERLEAVE_REQUIRE(aloop_watch_set(&state->watch, &state->value) == 0);
    }
    ALOOP_FINALLY;
    if (--state->setters == 0)
        aloop_watch_close(&state->watch);
    ALOOP_END;
}

struct watcher {
    ALOOP_FRAME;
    struct watch_state *state;
    uint64_t seen;
    unsigned naps;
    int64_t last;
    int64_t value;
};

ALOOP_CORO(watcher)
{
    struct watch_state *state = self->state;

    ALOOP_BEGIN;
    for (;;) {
        ALOOP_TRY(aloop_call(nap, .turns = self->naps));
        ALOOP_AWAIT(aloop_watch_changed(&state->watch, &self->seen, &self->value));
        if (self->result < 0)
            break;
        INTERLEAVE_REQUIRE(self->value > self->last && self->value == state->value);
        self->last = self->value;
    }
    /* Whatever it passed over, the last value is one that it has seen. */
    if (self->result == -ALOOP_ESHUTDOWN)
        INTERLEAVE_REQUIRE(self->last == state->value);
    ALOOP_END;
}

static void watch_setup(struct interleave *run, void *arg)
{
    struct watch_state *state = arg;

    state->value = 1;
    INTERLEAVE_REQUIRE(aloop_watch_init(&state->watch, interleave_loop(run), sizeof state->value,
                                        &state->value) == 0);
    state->setters = 2;
    for (int i = 0; i < 2; i++)
        interleave_start(run, setter, .state = state, .times = interleave_random(run, 6),
                         .naps = 1 + interleave_random(run, 3));
    for (int i = 0; i < 3; i++)
        interleave_start(run, watcher, .state = state, .naps = interleave_random(run, 4));
}

static const char *watch_check(struct interleave *run, void *arg)
{
    struct watch_state *state = arg;
    bool is_empty = aloop_waitlist_is_empty(&state->watch.waiters);

    (void)run;
    aloop_watch_fini(&state->watch);
    return is_empty ? NULL : "somebody is left in the wait list";
}

/* --- generators --- */

struct generator_state {
    int open; /* generators whose cleanup has not run */
};

struct source {
    ALOOP_FRAME;
    struct generator_state *state;
    unsigned naps;
    int64_t count;
    int64_t next;
};

ALOOP_CORO(source)
{
    ALOOP_BEGIN;
    self->state->open++;
    for (; self->next < self->count; self->next++) {
        ALOOP_TRY(aloop_call(nap, .turns = self->naps));
        ALOOP_YIELD(self->next);
    }
    ALOOP_FINALLY;
    ALOOP_AWAIT(aloop_sleep(0));
    INTERLEAVE_REQUIRE(self->result == 0);
    self->state->open--;
    ALOOP_END;
}

struct filter {
    ALOOP_FRAME;
    struct generator_state *state;
    unsigned naps;
    aloop_generator source;
    int64_t item;
};

ALOOP_CORO(filter)
{
    ALOOP_BEGIN;
    self->state->open++;
    ALOOP_TRY(aloop_generator_open(&self->source, source, .state = self->state,
                                   .naps = self->naps, .count = 4));
    ALOOP_FOR_AWAIT(self->item, &self->source)
        ALOOP_YIELD(2 * self->item);
    ALOOP_RETURN(self->result);
    ALOOP_FINALLY;
    self->state->open--;
    ALOOP_END;
}

struct drinker {
    ALOOP_FRAME;
    struct generator_state *state;
    unsigned naps;
    unsigned pause;
    int64_t stop_at;
    bool closes;
    aloop_generator filter;
    aloop_group group;
    int64_t expected;
    int64_t item;
};

ALOOP_CORO(drinker)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_generator_open(&self->filter, filter, .state = self->state,
                                   .naps = self->naps));
    aloop_group_init(&self->group);
    ALOOP_TRY(aloop_group_start(&self->group, nap, .turns = 9));
    ALOOP_FOR_AWAIT(self->item, &self->filter) {
        INTERLEAVE_REQUIRE(self->item == self->expected);
        self->expected += 2;
        if (self->item == self->stop_at)
            break;
        ALOOP_TRY(aloop_call(nap, .turns = self->pause));
    }
    if (self->result < 0)
        ALOOP_RETURN(self->result);
    if (self->closes)
        ALOOP_TRY(aloop_generator_close(&self->filter));
    ALOOP_TRY(aloop_group_wait(&self->group));
    ALOOP_END;
}

static void generator_setup(struct interleave *run, void *arg)
{
    struct generator_state *state = arg;

    for (int i = 0; i < 3; i++)
        interleave_start(run, drinker, .state = state, .naps = interleave_random(run, 3),
                         .pause = interleave_random(run, 3),
                         .stop_at = (int64_t)interleave_random(run, 10),
                         .closes = interleave_random(run, 2) == 0);
}

static const char *generator_check(struct interleave *run, void *arg)
{
    const struct generator_state *state = arg;

    if (!interleave_was_closed(run) && state->open != 0)
        return "the cleanup of a generator has not run";
    for (size_t i = 0; i < interleave_count(run); i++) {
        if (interleave_action(run) == INTERLEAVE_NOTHING && interleave_result(run, i) < 0)
            return "a generator that was closed has failed who closed it";
    }
    return NULL;
}

static const struct interleave_scenario scenarios[] = {
    {"queue", sizeof(struct queue_state), fifo_setup, queue_check},
    {"lifo_queue", sizeof(struct queue_state), lifo_setup, queue_check},
    {"priority_queue", sizeof(struct queue_state), priority_setup, queue_check},
    {"oneshot", sizeof(struct oneshot_state), oneshot_setup, oneshot_check},
    {"broadcast", sizeof(struct broadcast_state), broadcast_setup, broadcast_check},
    {"watch", sizeof(struct watch_state), watch_setup, watch_check},
    {"generator", sizeof(struct generator_state), generator_setup, generator_check},
};

INTERLEAVE_MAIN(scenarios)
