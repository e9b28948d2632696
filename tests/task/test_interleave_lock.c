/* ctest: interleave timeout=120 */
/*
 * What locks and conditions promise, under every schedule: S136, S137, S141, S142, P108. The
 * classic bugs of such primitives are a wake-up that is lost when who got it is cancelled in the
 * same turn, and one that is given twice: the first ends here as somebody who waits for ever, the
 * second as two who are inside at once.
 */
#include "contenders.h"

#include <limits.h>

/* --- lock --- */

struct lock_state {
    aloop_lock lock;
    struct line line;
    int inside;
};

struct locker {
    ALOOP_FRAME;
    struct lock_state *state;
    struct plan plan;
    int id;
    bool is_inside;
};

ALOOP_CORO(locker)
{
    struct lock_state *state = self->state;

    ALOOP_BEGIN;
    for (; self->plan.rounds > 0; self->plan.rounds--) {
        ALOOP_AWAIT(aloop_call(nap, .turns = self->plan.naps));
        if (self->result < 0 && !self->plan.is_stubborn)
            ALOOP_RETURN(self->result);
        if (!self->plan.tries || !aloop_lock_try_acquire(&state->lock)) {
            line_join(&state->line, self->id, true);
            ALOOP_AWAIT(aloop_lock_acquire(&state->lock));
            /* S136 */
            if (self->result == 0)
                INTERLEAVE_REQUIRE(line_ahead(&state->line, state->line.waiting[self->id], 0) == 0);
            (void)line_leave(&state->line, self->id);
            if (self->result < 0 && self->plan.is_stubborn)
                continue;
            if (self->result < 0)
                ALOOP_RETURN(self->result);
        }
        self->is_inside = true;
        INTERLEAVE_REQUIRE(++state->inside == 1);
        INTERLEAVE_REQUIRE(aloop_lock_locked(&state->lock));
        ALOOP_AWAIT(aloop_call(nap, .turns = self->plan.turns));
        self->is_inside = false;
        state->inside--;
        INTERLEAVE_REQUIRE(aloop_lock_release(&state->lock) == 0);
        if (self->result < 0 && !self->plan.is_stubborn)
            ALOOP_RETURN(self->result);
    }
    ALOOP_END;
}

static void lock_setup(struct interleave *run, void *arg)
{
    struct lock_state *state = arg;

    for (int i = 0; i < WORKERS; i++)
        interleave_start(run, locker, .state = state, .plan = make_plan(run), .id = i);
}

static const char *lock_check(struct interleave *run, void *arg)
{
    const struct lock_state *state = arg;

    if (!aloop_waitlist_is_empty(&state->lock.waiters))
        return "somebody is left in the wait list";
    if (!interleave_was_closed(run) && aloop_lock_locked(&state->lock))
        return "the lock is left locked";
    return NULL;
}

/* --- read-write lock --- */

struct rwlock_state {
    aloop_rwlock lock;
    struct line line;
    int readers;
    int writers;
};

struct rwlocker {
    ALOOP_FRAME;
    struct rwlock_state *state;
    struct plan plan;
    int id;
    bool is_writer;
    bool is_inside;
};

static aloop_op rwlock_acquire(struct rwlocker *self)
{
    line_join(&self->state->line, self->id, self->is_writer);
    return self->is_writer ? aloop_rwlock_acquire_write(&self->state->lock)
                           : aloop_rwlock_acquire_read(&self->state->lock);
}

static void rwlock_enter(struct rwlocker *self)
{
    struct rwlock_state *state = self->state;
    unsigned number = line_leave(&state->line, self->id);

    /* Readers go in together, and run in any order; nobody overtakes a writer, nor a writer
       anybody. */
    INTERLEAVE_REQUIRE(line_ahead(&state->line, number, !self->is_writer) == 0);
    if (self->is_writer)
        state->writers++;
    else
        state->readers++;
    INTERLEAVE_REQUIRE(state->writers == 0 || (state->writers == 1 && state->readers == 0));
}

static void rwlock_leave(struct rwlocker *self)
{
    struct rwlock_state *state = self->state;

    if (self->is_writer)
        state->writers--;
    else
        state->readers--;
    INTERLEAVE_REQUIRE((self->is_writer ? aloop_rwlock_release_write(&state->lock)
                                        : aloop_rwlock_release_read(&state->lock)) == 0);
}

ALOOP_CORO(rwlocker)
{
    ALOOP_BEGIN;
    for (; self->plan.rounds > 0; self->plan.rounds--) {
        ALOOP_AWAIT(aloop_call(nap, .turns = self->plan.naps));
        if (self->result < 0 && !self->plan.is_stubborn)
            ALOOP_RETURN(self->result);
        ALOOP_AWAIT(rwlock_acquire(self));
        if (self->result < 0) {
            (void)line_leave(&self->state->line, self->id);
            if (self->plan.is_stubborn)
                continue;
            ALOOP_RETURN(self->result);
        }
        rwlock_enter(self);
        ALOOP_AWAIT(aloop_call(nap, .turns = self->plan.turns));
        rwlock_leave(self);
        if (self->result < 0 && !self->plan.is_stubborn)
            ALOOP_RETURN(self->result);
    }
    ALOOP_END;
}

/* Reads until nobody can go on any more, which is when time passes: who waits then, waits for a
   writer. */
struct slow_reader {
    ALOOP_FRAME;
    struct rwlocker as_any;
    int rounds;
};

ALOOP_CORO(slow_reader)
{
    const struct line *line = &self->as_any.state->line;

    ALOOP_BEGIN;
    for (; self->rounds > 0; self->rounds--) {
        ALOOP_TRY(rwlock_acquire(&self->as_any));
        rwlock_enter(&self->as_any);
        ALOOP_TRY(aloop_sleep(ALOOP_SEC(1)));
        INTERLEAVE_REQUIRE(line_ahead(line, UINT_MAX, false) == 0 ||
                           line_ahead(line, UINT_MAX, true) > 0);
        rwlock_leave(&self->as_any);
    }
    ALOOP_END;
}

static void rwlock_setup(struct interleave *run, void *arg)
{
    struct rwlock_state *state = arg;

    for (int i = 0; i < WORKERS; i++)
        interleave_start(run, rwlocker, .state = state, .plan = make_plan(run), .id = i,
                         .is_writer = interleave_random(run, 3) == 0);
    interleave_start_spared(run, slow_reader, .as_any = {.state = state, .id = WORKERS},
                            .rounds = 2);
}

static const char *rwlock_check(struct interleave *run, void *arg)
{
    const struct rwlock_state *state = arg;

    if (!aloop_waitlist_is_empty(&state->lock.waiters))
        return "somebody is left in the wait list";
    if (!interleave_was_closed(run) &&
        (aloop_rwlock_readers(&state->lock) != 0 || aloop_rwlock_is_writing(&state->lock)))
        return "the lock is left locked";
    return NULL;
}

/* --- condition --- */

struct condition_state {
    aloop_lock lock;
    aloop_condition has_items;
    int owner; /* of the lock, plus 1 */
    int items;
    int produced;
    int consumed;
    int waiting;
    bool is_closed; /* no more items will come */
};

static void own(struct condition_state *state, int id)
{
    INTERLEAVE_REQUIRE(state->owner == 0);
    INTERLEAVE_REQUIRE(aloop_lock_locked(&state->lock));
    state->owner = id + 1;
}

static void disown(struct condition_state *state, int id)
{
    INTERLEAVE_REQUIRE(state->owner == id + 1);
    state->owner = 0;
}

struct consumer {
    ALOOP_FRAME;
    struct condition_state *state;
    struct plan plan;
    int id;
    aloop_hold hold;
};

ALOOP_CORO(consumer)
{
    struct condition_state *state = self->state;

    ALOOP_BEGIN;
    for (; self->plan.rounds > 0; self->plan.rounds--) {
        ALOOP_AWAIT(aloop_call(nap, .turns = self->plan.naps));
        ALOOP_AWAIT(aloop_lock_enter(&state->lock, &self->hold));
        if (self->result < 0 && self->plan.is_stubborn)
            continue;
        if (self->result < 0)
            ALOOP_RETURN(self->result);
        own(state, self->id);
        while (state->items == 0 && !state->is_closed) {
            disown(state, self->id);
            state->waiting++;
            ALOOP_AWAIT(aloop_condition_wait(&state->has_items));
            state->waiting--;
            /* S141: the lock is its own, whatever the outcome. */
            own(state, self->id);
            if (self->result < 0)
                break;
        }
        if (self->result >= 0 && state->items > 0) {
            state->items--;
            state->consumed++;
        }
        disown(state, self->id);
        aloop_hold_release(&self->hold);
        if (self->result < 0 && !self->plan.is_stubborn)
            ALOOP_RETURN(self->result);
    }
    ALOOP_END;
}

/* Fewer items than are wanted, one notification for each. When nobody can go on any more, which is
   when time passes, nobody may be waiting beside an item: S142. */
struct producer {
    ALOOP_FRAME;
    struct condition_state *state;
    int count;
    aloop_hold hold;
};

ALOOP_CORO(producer)
{
    struct condition_state *state = self->state;

    ALOOP_BEGIN;
    for (; self->count > 0; self->count--) {
        ALOOP_TRY(aloop_sleep(0));
        ALOOP_TRY(aloop_lock_enter(&state->lock, &self->hold));
        own(state, WORKERS);
        state->items++;
        state->produced++;
        INTERLEAVE_REQUIRE(aloop_condition_notify(&state->has_items, 1) >= 0);
        if (self->count % 2 == 0)
            ALOOP_TRY(aloop_sleep(0));
        disown(state, WORKERS);
        aloop_hold_release(&self->hold);
    }
    ALOOP_TRY(aloop_sleep(ALOOP_SEC(1)));
    INTERLEAVE_REQUIRE(state->items == 0 || state->waiting == 0);
    ALOOP_TRY(aloop_lock_enter(&state->lock, &self->hold));
    state->is_closed = true;
    INTERLEAVE_REQUIRE(aloop_condition_notify_all(&state->has_items) == state->waiting);
    ALOOP_END;
}

static void condition_setup(struct interleave *run, void *arg)
{
    struct condition_state *state = arg;
    int wanted = 0;

    aloop_condition_init(&state->has_items, &state->lock);
    for (int i = 0; i < WORKERS; i++) {
        struct plan plan = make_plan(run);

        wanted += plan.rounds;
        interleave_start(run, consumer, .state = state, .plan = plan, .id = i);
    }
    interleave_start_spared(run, producer, .state = state,
                            .count = 1 + (int)interleave_random(run, (unsigned)wanted - 1));
}

static const char *condition_check(struct interleave *run, void *arg)
{
    const struct condition_state *state = arg;

    (void)run;
    if (!aloop_waitlist_is_empty(&state->lock.waiters) ||
        !aloop_waitlist_is_empty(&state->has_items.waiters))
        return "somebody is left in a wait list";
    if (aloop_lock_locked(&state->lock))
        return "the lock is left locked";
    if (state->produced != state->consumed + state->items)
        return "items got lost";
    return NULL;
}

static const struct interleave_scenario scenarios[] = {
    {"lock", sizeof(struct lock_state), lock_setup, lock_check},
    {"rwlock", sizeof(struct rwlock_state), rwlock_setup, rwlock_check},
    {"condition", sizeof(struct condition_state), condition_setup, condition_check},
};

INTERLEAVE_MAIN(scenarios)
