/*
 * How steps are intercepted: with a seed the loop asks of each entry of the ready queue, just
 * before it runs them, whether it is the step of a task. The harness answers in place of the layer
 * of tasks, and puts a function of its own into the entry. So the library needs no hook for tests.
 */
#include "interleave.h"

#include "task/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PARTICIPANTS_MAX 16
#define SCENARIOS_MAX 64

/* Nobody's scenario takes so many: it does not end. */
#define STEPS_MAX 20000

/* In front of each block. */
union header {
    size_t size;
    max_align_t align;
};

struct participant {
    aloop_task *task;
    unsigned long steps;
    bool is_spared;
    bool is_done;
};

struct schedule {
    uint64_t seed;
    size_t participant;
    unsigned long step; /* the first is 1 */
    enum interleave_action action;
};

struct interleave {
    aloop *loop;
    struct schedule schedule;
    struct participant participants[PARTICIPANTS_MAX];
    size_t count;
    size_t done;
    unsigned long steps;
    uint64_t random;
    size_t bytes; /* of memory that the loop has */
    bool is_disturbed;
    bool is_to_cancel_again;
    uint64_t turn; /* the number of the first entry of the turn that runs */
    bool was_closed;
    const char *failure;
};

static const char *const action_names[INTERLEAVE_ACTION_COUNT] = {
    "nothing",      "cancel-late",  "cancel-two",    "cancel-early",
    "cancel-twice", "timeout-late", "timeout-early", "close"};

/* The run at hand: there is one at a time. */
static struct interleave *current;

/* --- memory --- */

static void *counted_alloc(void *context, void *block, size_t old_size, size_t new_size)
{
    struct interleave *run = context;
    union header *old = block;
    union header *fresh;

    if (old != NULL && (--old)->size != old_size)
        interleave_fail("the size of a block that is given back is wrong");
    if (new_size == 0) {
        run->bytes -= old_size;
        free(old);
        return NULL;
    }
    fresh = realloc(old, sizeof *fresh + new_size);
    if (fresh == NULL)
        return NULL;
    fresh->size = new_size;
    run->bytes += new_size - old_size;
    return fresh + 1;
}

/* --- disturbing --- */

static struct participant *find_participant(struct interleave *run, const aloop_task *task)
{
    for (size_t i = 0; i < run->count; i++) {
        if (run->participants[i].task == task)
            return &run->participants[i];
    }
    return NULL;
}

/* The operation that the task waits for is out of time. */
static void time_out(struct interleave *run, aloop_task *task)
{
    if (task_mode(task) != TASK_WAITS)
        return;
    run->is_disturbed = true;
    task->op.flags |= OP_HAS_TIMEOUT | OP_DEADLINE_SET;
    task->op.timeout = run->loop->now;
    task_wake(task);
}

static void cancel(struct interleave *run, aloop_task *task)
{
    if (aloop_task_cancel(task))
        run->is_disturbed = true;
}

static void cancel_two(struct interleave *run, struct participant *participant)
{
    size_t after = (size_t)(participant - run->participants + 1) % run->count;

    cancel(run, participant->task);
    if (!run->participants[after].is_spared)
        cancel(run, run->participants[after].task);
}

static bool is_due(const struct interleave *run, const struct participant *participant)
{
    return participant == &run->participants[run->schedule.participant] &&
           participant->steps == run->schedule.step;
}

static void disturb_before(struct interleave *run, struct participant *participant)
{
    if (run->is_to_cancel_again && participant == &run->participants[run->schedule.participant]) {
        run->is_to_cancel_again = false;
        cancel(run, participant->task);
    }
    if (!is_due(run, participant))
        return;
    if (run->schedule.action == INTERLEAVE_CANCEL_LATE)
        cancel(run, participant->task);
    else if (run->schedule.action == INTERLEAVE_CANCEL_TWO)
        cancel_two(run, participant);
    else if (run->schedule.action == INTERLEAVE_TIMEOUT_LATE)
        time_out(run, participant->task);
}

static void disturb_after(struct interleave *run, struct participant *participant)
{
    if (!is_due(run, participant))
        return;
    switch (run->schedule.action) {
    case INTERLEAVE_CANCEL_TWICE:
        cancel(run, participant->task);
        run->is_to_cancel_again = run->is_disturbed;
        break;
    case INTERLEAVE_CANCEL_EARLY:
        cancel(run, participant->task);
        break;
    case INTERLEAVE_TIMEOUT_EARLY:
        time_out(run, participant->task);
        break;
    case INTERLEAVE_CLOSE:
        run->is_disturbed = true;
        run->was_closed = true;
        /* What else is in this turn still runs; the next never comes. */
        aloop_stop(run->loop);
        break;
    default:
        break;
    }
}

/* --- stepping --- */

static void step(aloop *loop, void *arg)
{
    struct interleave *run = current;
    struct participant *participant = find_participant(run, arg);

    if (participant == NULL) {
        task_step(loop, arg);
        return;
    }
    participant->steps++;
    if (!participant->is_spared)
        disturb_before(run, participant);
    task_step(loop, arg);
    if (!participant->is_spared || run->schedule.action == INTERLEAVE_CLOSE)
        disturb_after(run, participant);
    if (!participant->is_done && future_is_done(&participant->task->future)) {
        participant->is_done = true;
        run->done++;
    }
    if (run->done == run->count)
        aloop_stop(loop);
    if (++run->steps > STEPS_MAX) {
        interleave_fail("the scenario does not end");
        aloop_stop(loop);
    }
}

static void intercept_steps(struct ready *ready)
{
    for (uint64_t number = ready->head; number != ready->tail; number++) {
        struct ready_entry *entry = &ready->ring[(size_t)number & ready->mask];

        if (entry->run == task_step)
            entry->run = step;
    }
}

static bool is_step(const struct ready_entry *entry)
{
    /* The first question of a turn is about the first entry, which has no other to change places
       with; and the queue has moved on since the last turn. */
    if (current->turn != current->loop->ready.head) {
        current->turn = current->loop->ready.head;
        intercept_steps(&current->loop->ready);
        return false;
    }
    /* The first seed keeps the order in which the tasks were woken. */
    return entry->run == step && current->schedule.seed > 1;
}

static struct upper_layer upper;

/* --- one run --- */

static aloop *new_loop(struct interleave *run)
{
    aloop_options options = ALOOP_OPTIONS_INIT;
    aloop *loop = NULL;

    options.clock = ALOOP_CLOCK_VIRTUAL;
    options.seed = run->schedule.seed;
    options.allocator = (aloop_allocator){.alloc = counted_alloc, .context = run};
    assert_int_equal(aloop_new(&options, &loop), 0);
    /* Known already when the first future would make its layer known. */
    future_attach_layer(loop);
    upper = task_upper_layer;
    upper.is_step = is_step;
    loop->upper = &upper;
    run->turn = UINT64_MAX;
    return loop;
}

static void run_to_the_end(struct interleave *run)
{
    int error = 0;

    if (run->count > 0 && run->done < run->count)
        error = aloop_run_forever(run->loop);
    if (error == -EDEADLK)
        interleave_fail("somebody waits for ever");
    else if (error < 0)
        interleave_fail("the loop failed");
}

static void close_run(struct interleave *run)
{
    for (size_t i = 0; i < run->count; i++)
        aloop_task_unref(run->participants[i].task);
    aloop_unref(run->loop);
    if (run->bytes != 0)
        interleave_fail("memory is left over");
}

static void run_schedule(const struct interleave_scenario *scenario,
                         const struct schedule *schedule, struct interleave *run)
{
    void *state = calloc(1, scenario->state_size + 1);
    const char *failure;

    assert_non_null(state);
    *run = (struct interleave){.schedule = *schedule};
    run->random = schedule->seed * UINT64_C(0x9E3779B97F4A7C15);
    current = run;
    run->loop = new_loop(run);
    scenario->setup(run, state);
    run_to_the_end(run);
    if (run->was_closed)
        assert_int_equal(aloop_close(run->loop), 0);
    /* A hang has been told: what it left behind is only its consequence. */
    failure = run->failure == NULL ? scenario->check(run, state) : NULL;
    if (failure != NULL)
        interleave_fail(failure);
    close_run(run);
    current = NULL;
    free(state);
}

/* --- for scenarios --- */

aloop_task *interleave_start_coro(struct interleave *run, int is_spared, const aloop_coro *coro,
                                  const void *frame)
{
    struct participant *participant = &run->participants[run->count];

    assert_true(run->count < PARTICIPANTS_MAX);
    participant->task = aloop_task_new(run->loop, coro, frame);
    participant->is_spared = is_spared != 0;
    assert_ptr_equal(aloop_task_loop(participant->task), run->loop);
    run->count++;
    return participant->task;
}

aloop *interleave_loop(const struct interleave *run)
{
    return run->loop;
}

unsigned interleave_random(struct interleave *run, unsigned end)
{
    run->random = run->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)((run->random >> 33) % end);
}

bool interleave_was_closed(const struct interleave *run)
{
    return run->was_closed;
}

enum interleave_action interleave_action(const struct interleave *run)
{
    return run->schedule.action;
}

size_t interleave_count(const struct interleave *run)
{
    return run->count;
}

int64_t interleave_result(struct interleave *run, size_t participant)
{
    return aloop_task_result(run->participants[participant].task);
}

void interleave_fail(const char *what)
{
    if (current->failure == NULL)
        current->failure = what;
}

/* --- many runs --- */

/* Runs one, counts it if it is one, and says whether to go on. */
static bool explore_one(const struct interleave_scenario *scenario, const struct schedule *schedule,
                        struct interleave *run, struct interleave_report *report)
{
    run_schedule(scenario, schedule, run);
    /* Where nothing was disturbed, it was a schedule that has been run already. */
    if (run->is_disturbed || schedule->action == INTERLEAVE_NOTHING)
        report->schedules++;
    if (run->failure == NULL)
        return true;
    report->failure = run->failure;
    (void)snprintf(report->schedule, sizeof report->schedule, "%llu/%zu/%lu/%s",
                   (unsigned long long)schedule->seed, schedule->participant, schedule->step,
                   action_names[schedule->action]);
    return false;
}

/* All schedules of a seed. */
static bool explore_seed(const struct interleave_scenario *scenario, uint64_t seed,
                         struct interleave_report *report)
{
    struct schedule schedule = {.seed = seed};
    struct interleave dry;
    struct interleave run;

    if (!explore_one(scenario, &schedule, &dry, report))
        return false;
    for (size_t p = 0; p < dry.count; p++) {
        for (unsigned long k = 1; k <= dry.participants[p].steps; k++) {
            for (int action = INTERLEAVE_CANCEL_LATE; action < INTERLEAVE_ACTION_COUNT; action++) {
                schedule.participant = p;
                schedule.step = k;
                schedule.action = (enum interleave_action)action;
                if (!explore_one(scenario, &schedule, &run, report))
                    return false;
            }
        }
    }
    return true;
}

/* What ALOOP_SEED names. */
static bool parse_schedule(const char *text, struct schedule *out_schedule)
{
    unsigned long long seed = 1;
    char action[32] = "nothing";

    *out_schedule = (struct schedule){.action = INTERLEAVE_NOTHING};
    if (sscanf(text, "%llu/%zu/%lu/%31s", &seed, &out_schedule->participant, &out_schedule->step,
               action) < 1)
        return false;
    out_schedule->seed = seed;
    for (int i = 0; i < INTERLEAVE_ACTION_COUNT; i++) {
        if (strcmp(action, action_names[i]) == 0)
            out_schedule->action = (enum interleave_action)i;
    }
    return out_schedule->participant < PARTICIPANTS_MAX;
}

bool interleave_explore(const struct interleave_scenario *scenario, unsigned long schedules,
                        struct interleave_report *out_report)
{
    const char *repeat = getenv("ALOOP_SEED");
    struct schedule schedule;
    struct interleave run;

    *out_report = (struct interleave_report){.schedules = 0};
    if (repeat != NULL && parse_schedule(repeat, &schedule))
        return explore_one(scenario, &schedule, &run, out_report);
    for (uint64_t seed = 1; out_report->schedules < schedules; seed++) {
        if (!explore_seed(scenario, seed, out_report))
            return false;
    }
    return true;
}

/* --- test programs --- */

static unsigned long schedules_wanted(void)
{
    const char *text = getenv("ALOOP_TEST_SCHEDULES");
    unsigned long count = text != NULL ? strtoul(text, NULL, 10) : 0;

    if (count > 0)
        return count;
#ifdef ALOOP_NO_POOLS
    count = 400;
#else
    count = 10000;
#endif
    return getenv("ALOOP_TEST_LONG") != NULL ? count * 50 : count;
}

static void test_scenario(void **state)
{
    const struct interleave_scenario *scenario = *state;
    struct interleave_report report;

    if (!interleave_explore(scenario, schedules_wanted(), &report)) {
        print_error("%s: %s\nALOOP_SEED=%s repeats it\n", scenario->name, report.failure,
                    report.schedule);
        fail();
    }
    print_message("%s: %lu schedules\n", scenario->name, report.schedules);
}

static void test_mutant(void **state)
{
    const struct interleave_scenario *scenario = *state;
    struct interleave_report report;

    if (interleave_explore(scenario, schedules_wanted(), &report)) {
        print_error("%s: %lu schedules did not show what was broken\n", scenario->name,
                    report.schedules);
        fail();
    }
    print_message("%s: found with the %luth schedule, %s: %s\n", scenario->name, report.schedules,
                  report.schedule, report.failure);
}

int interleave_main(const struct interleave_scenario *scenarios, size_t count, const char *mutant)
{
    struct CMUnitTest tests[SCENARIOS_MAX];
    size_t chosen = 0;

    for (size_t i = 0; i < count && i < SCENARIOS_MAX; i++) {
        if (mutant != NULL && strcmp(scenarios[i].name, mutant) != 0)
            continue;
        tests[chosen++] =
            (struct CMUnitTest){.name = scenarios[i].name,
                                .test_func = mutant != NULL ? test_mutant : test_scenario,
                                .initial_state = (void *)(uintptr_t)&scenarios[i]};
    }
    if (chosen == 0)
        return 1;
    return _cmocka_run_group_tests(mutant != NULL ? "mutant" : "interleave", tests, chosen, NULL,
                                   NULL);
}
