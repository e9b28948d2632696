/*
 * Runs a scenario under thousands of schedules, to find what goes wrong in few of them.
 *
 * A scenario starts participants, which are tasks, on a fresh loop with the virtual clock, and says
 * afterwards whether its invariant holds. The harness runs it once for each seed, which determines
 * the order of the tasks' steps, and counts the steps of each participant. Then it runs it again
 * for each step of each participant, and disturbs that participant there, in each of the ways
 * below. The steps up to there are the same each time, and so is a whole schedule with the same
 * name:
 *
 *     ALOOP_SEED=17/2/5/cancel-late build/tests/task/test_interleave_sync
 *
 * repeats one that has failed. A run that ends with somebody waiting for ever is a failure, as is
 * memory that is left over. ALOOP_TEST_SCHEDULES is how many to run of each scenario (at least; the
 * default is 10,000, or fewer when every block is the allocator's own, for Valgrind); with
 * ALOOP_TEST_LONG set, fifty times as many.
 *
 * A test program is a list of scenarios and INTERLEAVE_MAIN(). Compiled with INTERLEAVE_MUTANT, the
 * name of a scenario, it is the proof that the scenario can fail: linked with a copy of the
 * library's source that has one line changed, it must find a schedule that shows it. See
 * aloop_add_mutant() in tests/CMakeLists.txt.
 */
#ifndef ALOOP_TESTS_INTERLEAVE_H
#define ALOOP_TESTS_INTERLEAVE_H

#include <aloop.h>

struct interleave;

/* How a participant is disturbed at one of its steps. */
enum interleave_action {
    INTERLEAVE_NOTHING,
    /* Cancelled just before the step: what it waited for has happened, and it has not heard. */
    INTERLEAVE_CANCEL_LATE,
    /* The same, and so is the participant after it: what the one hands on, the other does not want
       either. */
    INTERLEAVE_CANCEL_TWO,
    /* Cancelled just after the step: it has begun to wait. */
    INTERLEAVE_CANCEL_EARLY,
    /* The same, and a second time just before its next step. */
    INTERLEAVE_CANCEL_TWICE,
    /* The operation it waits for runs out of time, as under aloop_wait_for(): what has completed by
       then still counts. */
    INTERLEAVE_TIMEOUT_LATE,
    INTERLEAVE_TIMEOUT_EARLY,
    /* The loop is closed just after the step: all tasks are thrown away where they stand. */
    INTERLEAVE_CLOSE,
    INTERLEAVE_ACTION_COUNT
};

struct interleave_scenario {
    const char *name;
    size_t state_size; /* of what setup and check share: zeroed before each run */
    /* Starts the participants. */
    void (*setup)(struct interleave *run, void *state);
    /* All participants have ended, or the loop is closed: NULL, or what is wrong. */
    const char *(*check)(struct interleave *run, void *state);
};

/* Starts a participant, as aloop_create_task() would: interleave_start(run, NAME, .arg = ...). */
#define interleave_start(run, ...) interleave_start_coro((run), 0, ALOOP_ARGUMENTS_(__VA_ARGS__))
/* One that is never disturbed, save that the loop is closed. */
#define interleave_start_spared(run, ...)                                                          \
    interleave_start_coro((run), 1, ALOOP_ARGUMENTS_(__VA_ARGS__))
/* Borrows: the harness holds the reference. */
aloop_task *interleave_start_coro(struct interleave *run, int is_spared, const aloop_coro *coro,
                                  const void *frame);

aloop *interleave_loop(const struct interleave *run);
/* For a scenario that differs from run to run: a number below `end`, the same for the same seed. */
unsigned interleave_random(struct interleave *run, unsigned end);
/* Was the loop closed before all had ended? */
bool interleave_was_closed(const struct interleave *run);
/* How the schedule disturbs its participant. */
enum interleave_action interleave_action(const struct interleave *run);
/* How many participants there are, and how each has ended; -ALOOP_EPENDING for one that has not. */
size_t interleave_count(const struct interleave *run);
int64_t interleave_result(struct interleave *run, size_t participant);
/*
 * From inside a participant: something is wrong, and the run fails when it ends, whatever check
 * says. `what` must be a literal; the first one counts.
 */
void interleave_fail(const char *what);

#define INTERLEAVE_REQUIRE(condition)                                                              \
    do {                                                                                           \
        if (!(condition))                                                                          \
            interleave_fail(#condition);                                                           \
    } while (0)

/* What exploring has found. */
struct interleave_report {
    unsigned long schedules; /* how many were run */
    char schedule[64];       /* the one that failed; empty if none did */
    const char *failure;     /* what was wrong with it */
};

/* Runs at least `schedules` of them, or up to the first that fails. True if none did. */
bool interleave_explore(const struct interleave_scenario *scenario, unsigned long schedules,
                        struct interleave_report *out_report);

/* Runs each scenario as a test of its own; or, if `mutant` is not NULL, shows that the one of that
   name fails. Returns what main() should. */
int interleave_main(const struct interleave_scenario *scenarios, size_t count, const char *mutant);

#ifdef INTERLEAVE_MUTANT
#define INTERLEAVE_MUTANT_ INTERLEAVE_MUTANT
#else
#define INTERLEAVE_MUTANT_ NULL
#endif

#define INTERLEAVE_MAIN(SCENARIOS)                                                                 \
    int main(void)                                                                                 \
    {                                                                                              \
        return interleave_main(SCENARIOS, sizeof(SCENARIOS) / sizeof *(SCENARIOS),                 \
                               INTERLEAVE_MUTANT_);                                                \
    }

#endif
