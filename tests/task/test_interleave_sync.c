/* ctest: interleave timeout=120 */
/*
 * What events, semaphores and their kin promise, under every schedule: S137, S139, S144, S145,
 * S147, P108. The classic bugs of such primitives are a wake-up that is lost when who got it is
 * cancelled in the same turn, and one that is given twice: the first ends here as somebody who
 * waits for ever, the second as two who are inside at once.
 */
#include "contenders.h"

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
    {"event", sizeof(struct event_state), event_setup, event_check},
    {"semaphore", sizeof(struct semaphore_state), semaphore_setup, semaphore_check},
    {"barrier", sizeof(struct barrier_state), barrier_setup, barrier_check},
    {"limiter", sizeof(struct limiter_state), limiter_setup, limiter_check},
    {"once", sizeof(struct once_state), once_setup, once_check},
};

INTERLEAVE_MAIN(scenarios)
