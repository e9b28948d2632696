/* ctest: interleave timeout=120 */
/*
 * What locks and their kin promise, under every schedule: S136, S137, S139, S141, S142, S144, S145,
 * S147, P108. The classic bugs of such primitives are a wake-up that is lost when who got it is
 * cancelled in the same turn, and one that is given twice: the first ends here as somebody who
 * waits for ever, the second as two who are inside at once.
 */
#include "interleave.h"

#include <limits.h>

enum { WORKERS = 4 };

/* Who waits, since when. A task's number is entered in the step in which it begins to wait. */
struct line {
    unsigned arrivals;
    unsigned waiting[WORKERS + 1]; /* the number it has drawn; 0 if it does not wait */
    bool is_writer[WORKERS + 1];
};

static void line_join(struct line *line, int id, bool is_writer)
{
    line->waiting[id] = ++line->arrivals;
    line->is_writer[id] = is_writer;
}

/* How many came earlier than `number` and still wait. */
static int line_ahead(const struct line *line, unsigned number, bool writers_only)
{
    int count = 0;

    for (int i = 0; i <= WORKERS; i++) {
        if (line->waiting[i] != 0 && line->waiting[i] < number &&
            (line->is_writer[i] || !writers_only))
            count++;
    }
    return count;
}

/* Leaves the line. Returns the number. */
static unsigned line_leave(struct line *line, int id)
{
    unsigned number = line->waiting[id];

    line->waiting[id] = 0;
    return number;
}

/* What a worker does, at random. */
struct plan {
    int rounds;
    int naps;         /* turns before it asks */
    int turns;        /* turns that it is inside */
    bool is_stubborn; /* an error does not end it, only its round */
    bool tries;       /* asks without waiting first */
};

static struct plan make_plan(struct interleave *run)
{
    return (struct plan){.rounds = 1 + (int)interleave_random(run, 3),
                         .naps = (int)interleave_random(run, 3),
                         .turns = (int)interleave_random(run, 3),
                         .is_stubborn = interleave_random(run, 3) == 0,
                         .tries = interleave_random(run, 3) == 0};
}

/* Yields so many times, or until it is cancelled. */
struct nap {
    ALOOP_FRAME;
    int turns;
};

ALOOP_CORO(nap)
{
    ALOOP_BEGIN;
    while (self->turns-- > 0)
        ALOOP_TRY(aloop_sleep(0));
    ALOOP_END;
}

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

/* --- event --- */

struct event_state {
    aloop_event event;
    struct line line;
};

struct event_waiter {
    ALOOP_FRAME;
    struct event_state *state;
    struct plan plan;
    int id;
};

ALOOP_CORO(event_waiter)
{
    ALOOP_BEGIN;
    for (; self->plan.rounds > 0; self->plan.rounds--) {
        ALOOP_AWAIT(aloop_call(nap, .turns = self->plan.naps));
        line_join(&self->state->line, self->id, false);
        ALOOP_AWAIT(aloop_event_wait(&self->state->event));
        (void)line_leave(&self->state->line, self->id);
        if (self->result < 0 && !self->plan.is_stubborn)
            ALOOP_RETURN(self->result);
    }
    ALOOP_END;
}

/* Sets and clears at once, and looks whether all who waited have gone on. S139 */
struct event_setter {
    ALOOP_FRAME;
    struct event_state *state;
    int rounds;
    unsigned arrivals;
};

ALOOP_CORO(event_setter)
{
    struct event_state *state = self->state;

    ALOOP_BEGIN;
    for (; self->rounds > 0; self->rounds--) {
        ALOOP_TRY(aloop_call(nap, .turns = 2));
        self->arrivals = state->line.arrivals;
        aloop_event_set(&state->event);
        aloop_event_clear(&state->event);
        ALOOP_TRY(aloop_call(nap, .turns = 2));
        INTERLEAVE_REQUIRE(line_ahead(&state->line, self->arrivals + 1, false) == 0);
    }
    aloop_event_set(&state->event);
    ALOOP_END;
}

static void event_setup(struct interleave *run, void *arg)
{
    struct event_state *state = arg;

    for (int i = 0; i < WORKERS; i++)
        interleave_start(run, event_waiter, .state = state, .plan = make_plan(run), .id = i);
    interleave_start_spared(run, event_setter, .state = state, .rounds = 4);
}

static const char *event_check(struct interleave *run, void *arg)
{
    const struct event_state *state = arg;

    (void)run;
    return aloop_waitlist_is_empty(&state->event.waiters) ? NULL
                                                          : "somebody is left in the wait list";
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

/* --- semaphore --- */

enum { PERMITS = 2 };

struct semaphore_state {
    aloop_bounded_semaphore semaphore;
    struct line line;
    int inside;
};

struct semaphore_user {
    ALOOP_FRAME;
    struct semaphore_state *state;
    struct plan plan;
    int id;
};

ALOOP_CORO(semaphore_user)
{
    struct semaphore_state *state = self->state;

    ALOOP_BEGIN;
    for (; self->plan.rounds > 0; self->plan.rounds--) {
        ALOOP_AWAIT(aloop_call(nap, .turns = self->plan.naps));
        if (!self->plan.tries || !aloop_bounded_semaphore_try_acquire(&state->semaphore)) {
            line_join(&state->line, self->id, false);
            ALOOP_AWAIT(aloop_bounded_semaphore_acquire(&state->semaphore));
            /* S144: those who came earlier have a permit, too, or have not heard of it yet. */
            if (self->result == 0)
                INTERLEAVE_REQUIRE(
                    state->inside + line_ahead(&state->line, state->line.waiting[self->id], false) <
                    PERMITS);
            (void)line_leave(&state->line, self->id);
            if (self->result < 0 && self->plan.is_stubborn)
                continue;
            if (self->result < 0)
                ALOOP_RETURN(self->result);
        }
        INTERLEAVE_REQUIRE(++state->inside <= PERMITS);
        ALOOP_AWAIT(aloop_call(nap, .turns = self->plan.turns));
        state->inside--;
        INTERLEAVE_REQUIRE(aloop_bounded_semaphore_release(&state->semaphore) == 0);
        if (self->result < 0 && !self->plan.is_stubborn)
            ALOOP_RETURN(self->result);
    }
    ALOOP_END;
}

static void semaphore_setup(struct interleave *run, void *arg)
{
    struct semaphore_state *state = arg;

    aloop_bounded_semaphore_init(&state->semaphore, PERMITS);
    for (int i = 0; i < WORKERS; i++)
        interleave_start(run, semaphore_user, .state = state, .plan = make_plan(run), .id = i);
}

static const char *semaphore_check(struct interleave *run, void *arg)
{
    const struct semaphore_state *state = arg;

    if (!aloop_waitlist_is_empty(&state->semaphore.semaphore.waiters))
        return "somebody is left in the wait list";
    /* S145: every permit is back. */
    if (!interleave_was_closed(run) && aloop_bounded_semaphore_value(&state->semaphore) != PERMITS)
        return "permits got lost, or too many";
    return NULL;
}

/* --- barrier --- */

enum { PARTIES = 3 };

struct barrier_state {
    aloop_barrier barrier;
    int waiting;
    int running;
    int passed[PARTIES]; /* how often each number was given */
};

struct party {
    ALOOP_FRAME;
    struct barrier_state *state;
    struct plan plan;
};

ALOOP_CORO(party)
{
    struct barrier_state *state = self->state;

    ALOOP_BEGIN;
    for (; self->plan.rounds > 0; self->plan.rounds--) {
        ALOOP_AWAIT(aloop_call(nap, .turns = self->plan.naps));
        state->waiting++;
        ALOOP_AWAIT(aloop_barrier_wait(&state->barrier));
        state->waiting--;
        INTERLEAVE_REQUIRE(self->result < PARTIES);
        if (self->result >= 0)
            state->passed[self->result]++;
        else if (!self->plan.is_stubborn)
            ALOOP_RETURN(self->result);
    }
    ALOOP_FINALLY;
    state->running--;
    ALOOP_END;
}

/* Lets time pass, which it does only when all others are stuck, and sees that they are rightly. */
struct barrier_keeper {
    ALOOP_FRAME;
    struct barrier_state *state;
    bool is_aborting;
};

ALOOP_CORO(barrier_keeper)
{
    struct barrier_state *state = self->state;

    ALOOP_BEGIN;
    while (state->running > 0) {
        ALOOP_TRY(aloop_sleep(ALOOP_SEC(1)));
        INTERLEAVE_REQUIRE(state->waiting < PARTIES);
        INTERLEAVE_REQUIRE(aloop_barrier_n_waiting(&state->barrier) == (size_t)state->waiting);
        if (self->is_aborting)
            aloop_barrier_abort(&state->barrier);
        else
            aloop_barrier_reset(&state->barrier);
    }
    ALOOP_END;
}

static void barrier_setup(struct interleave *run, void *arg)
{
    struct barrier_state *state = arg;

    aloop_barrier_init(&state->barrier, PARTIES);
    state->running = WORKERS;
    for (int i = 0; i < WORKERS; i++)
        interleave_start(run, party, .state = state, .plan = make_plan(run));
    interleave_start_spared(run, barrier_keeper, .state = state,
                            .is_aborting = interleave_random(run, 2) == 0);
}

static const char *barrier_check(struct interleave *run, void *arg)
{
    const struct barrier_state *state = arg;
    int trips = state->passed[PARTIES - 1]; /* the last party always hears of it */
    int lost = 0;

    if (!aloop_waitlist_is_empty(&state->barrier.waiters) || state->barrier.waiting != 0)
        return "somebody is left at the barrier";
    for (int i = 0; i < PARTIES; i++) {
        if (state->passed[i] > trips)
            return "a number was given twice";
        lost += trips - state->passed[i];
    }
    /* Only who was disturbed after it had passed. */
    if (!interleave_was_closed(run) &&
        lost > (interleave_action(run) == INTERLEAVE_NOTHING ? 0 : 2))
        return "somebody did not get its number";
    return NULL;
}

/* --- limiter --- */

enum { TOKENS_MAX = 3 };

struct limiter_state {
    aloop_limiter limiter;
    int inside;
};

struct borrower {
    ALOOP_FRAME;
    struct limiter_state *state;
    struct plan plan;
    aloop_hold token;
    aloop_hold second;
    bool is_inside;
};

ALOOP_CORO(borrower)
{
    struct limiter_state *state = self->state;

    ALOOP_BEGIN;
    for (; self->plan.rounds > 0; self->plan.rounds--) {
        ALOOP_AWAIT(aloop_call(nap, .turns = self->plan.naps));
        if (!self->plan.tries || aloop_limiter_try_acquire(&state->limiter, &self->token) != 0) {
            ALOOP_AWAIT(aloop_limiter_acquire(&state->limiter, &self->token));
            INTERLEAVE_REQUIRE(aloop_hold_is_held(&self->token) == (self->result == 0));
            if (self->result < 0 && self->plan.is_stubborn)
                continue;
            if (self->result < 0)
                ALOOP_RETURN(self->result);
        }
        self->is_inside = true;
        INTERLEAVE_REQUIRE(++state->inside <= TOKENS_MAX);
        INTERLEAVE_REQUIRE(aloop_limiter_borrowed(&state->limiter) >= (size_t)state->inside);
        INTERLEAVE_REQUIRE(aloop_limiter_try_acquire(&state->limiter, &self->second) == -EBUSY);
        /* Where this fails the end of the coroutine gives the token back. */
        ALOOP_TRY(aloop_call(nap, .turns = self->plan.turns));
        self->is_inside = false;
        state->inside--;
        INTERLEAVE_REQUIRE(aloop_hold_release(&self->token) == 0);
    }
    ALOOP_FINALLY;
    if (self->is_inside)
        state->inside--;
    ALOOP_END;
}

struct resizer {
    ALOOP_FRAME;
    struct limiter_state *state;
};

ALOOP_CORO(resizer)
{
    ALOOP_BEGIN;
    aloop_limiter_set_total(&self->state->limiter, TOKENS_MAX);
    ALOOP_TRY(aloop_call(nap, .turns = 2));
    aloop_limiter_set_total(&self->state->limiter, 0);
    ALOOP_TRY(aloop_call(nap, .turns = 3));
    aloop_limiter_set_total(&self->state->limiter, 2);
    ALOOP_END;
}

static void limiter_setup(struct interleave *run, void *arg)
{
    struct limiter_state *state = arg;

    aloop_limiter_init(&state->limiter, 1);
    for (int i = 0; i < WORKERS; i++)
        interleave_start(run, borrower, .state = state, .plan = make_plan(run));
    interleave_start_spared(run, resizer, .state = state);
}

static const char *limiter_check(struct interleave *run, void *arg)
{
    const struct limiter_state *state = arg;

    (void)run;
    if (!aloop_waitlist_is_empty(&state->limiter.waiters))
        return "somebody is left in the wait list";
    if (aloop_limiter_borrowed(&state->limiter) != 0)
        return "tokens got lost";
    return NULL;
}

/* --- once --- */

struct once_state {
    aloop_once once;
    int failures; /* so many attempts fail */
    int begun;
    bool is_running;
    bool is_done;
};

struct initializer {
    ALOOP_FRAME;
    struct once_state *state;
    struct plan plan;
    aloop_hold turn;
    bool is_mine;
};

ALOOP_CORO(initializer)
{
    struct once_state *state = self->state;

    ALOOP_BEGIN;
    ALOOP_TRY(aloop_call(nap, .turns = self->plan.naps));
    ALOOP_TRY(aloop_once_begin(&state->once, &self->turn));
    INTERLEAVE_REQUIRE((self->result == 1) == aloop_hold_is_held(&self->turn));
    INTERLEAVE_REQUIRE((self->result == 0) == state->is_done);
    if (self->result == 0)
        ALOOP_RETURN(0);
    INTERLEAVE_REQUIRE(!state->is_running);
    self->is_mine = true;
    state->is_running = true;
    state->begun++;
    ALOOP_TRY(aloop_call(nap, .turns = self->plan.turns));
    if (state->begun <= state->failures)
        ALOOP_RETURN(-EIO);
    state->is_done = true;
    INTERLEAVE_REQUIRE(aloop_once_done(&self->turn) == 0);
    ALOOP_RETURN(1);
    ALOOP_FINALLY;
    if (self->is_mine)
        state->is_running = false;
    ALOOP_END;
}

static void once_setup(struct interleave *run, void *arg)
{
    struct once_state *state = arg;

    state->failures = (int)interleave_random(run, WORKERS);
    for (int i = 0; i < WORKERS; i++)
        interleave_start(run, initializer, .state = state, .plan = make_plan(run));
}

static const char *once_check(struct interleave *run, void *arg)
{
    const struct once_state *state = arg;

    if (!aloop_waitlist_is_empty(&state->once.waiters))
        return "somebody is left in the wait list";
    if (state->is_done != aloop_once_is_done(&state->once))
        return "whether it is done is told wrongly";
    if (interleave_action(run) == INTERLEAVE_NOTHING && !state->is_done)
        return "it was not done";
    return NULL;
}

static const struct interleave_scenario scenarios[] = {
    {"lock", sizeof(struct lock_state), lock_setup, lock_check},
    {"rwlock", sizeof(struct rwlock_state), rwlock_setup, rwlock_check},
    {"event", sizeof(struct event_state), event_setup, event_check},
    {"condition", sizeof(struct condition_state), condition_setup, condition_check},
    {"semaphore", sizeof(struct semaphore_state), semaphore_setup, semaphore_check},
    {"barrier", sizeof(struct barrier_state), barrier_setup, barrier_check},
    {"limiter", sizeof(struct limiter_state), limiter_setup, limiter_check},
    {"once", sizeof(struct once_state), once_setup, once_check},
};

INTERLEAVE_MAIN(scenarios)
