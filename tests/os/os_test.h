/*
 * What the tests of threads share: a gate that jobs wait at, a task that awaits one operation, and
 * a loop whose memory any thread may give back. Include behind cmocka's headers.
 */
#ifndef ALOOP_TESTS_OS_TEST_H
#define ALOOP_TESTS_OS_TEST_H

#include "fault.h"
#include "memory_probe.h"
#include "sys/sys.h"

#include <aloop.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

struct os_state {
    aloop *loop;
    struct memory_probe memory;
    struct sys sys;
    int reports; /* to the exception handler */
    char message[96];
    char name[32];
};

static ALOOP_UNUSED void os_report(aloop *loop, const aloop_exception_context *context, void *arg)
{
    struct os_state *self = arg;

    (void)loop;
    self->reports++;
    (void)snprintf(self->message, sizeof self->message, "%s", context->message);
    (void)snprintf(self->name, sizeof self->name, "%s", context->name ? context->name : "");
}

static void os_open(struct os_state *self, aloop_clock clock)
{
    aloop_options options = ALOOP_OPTIONS_INIT;

    options.clock = clock;
    options.allocator = memory_probe_allocator(&self->memory);
    assert_int_equal(aloop_new(&options, &self->loop), 0);
    aloop_set_exception_handler(self->loop, os_report, self);
}

/* A virtual clock: jobs that are awaited keep it still. */
static ALOOP_UNUSED int os_setup(void **state)
{
    static struct os_state self;

    memset(&self, 0, sizeof self);
    self.sys = sys;
    os_open(&self, ALOOP_CLOCK_VIRTUAL);
    *state = &self;
    return 0;
}

/* A thread that outlived the loop gives back what it held when it ends. */
static ALOOP_UNUSED int os_teardown(void **state)
{
    struct os_state *self = *state;

    memory_probe_fail(&self->memory, 0, false);
    aloop_unref(self->loop);
    while (atomic_load(&self->memory.bytes) != 0)
        sched_yield();
    assert_false(atomic_load(&self->memory.mistaken));
    fault_reset();
    sys = self->sys;
    return 0;
}

#define OS_TEST(function) cmocka_unit_test_setup_teardown(function, os_setup, os_teardown)

/* Awaits one operation, and returns what came of it. */
struct os_await {
    ALOOP_FRAME;
    aloop_op op;
};

ALOOP_CORO(os_await)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(self->op);
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

static ALOOP_UNUSED aloop_task *os_begin(struct os_state *self, aloop_op op)
{
    aloop_task *task = aloop_create_task_in(self->loop, os_await, .op = op);

    assert_true(aloop_run_once(self->loop, 0) >= 0);
    return task;
}

/* Runs until it is done; drops the reference. */
static ALOOP_UNUSED int64_t os_end(struct os_state *self, aloop_task *task)
{
    int64_t result = aloop_run_until_complete(self->loop, task);

    aloop_task_unref(task);
    return result;
}

static ALOOP_UNUSED int64_t os_result(struct os_state *self, aloop_op op)
{
    return os_end(self, aloop_create_task_in(self->loop, os_await, .op = op));
}

static ALOOP_UNUSED void os_turns(struct os_state *self, int count)
{
    while (count-- > 0)
        assert_true(aloop_run_once(self->loop, 0) >= 0);
}

/* A job that says that it has begun, and waits until it may end. */
struct gate {
    sem_t begun;
    sem_t open;
    int64_t value;
    atomic_int passed;
};

static ALOOP_UNUSED void gate_init(struct gate *gate, int64_t value)
{
    memset(gate, 0, sizeof *gate);
    gate->value = value;
    assert_int_equal(sem_init(&gate->begun, 0, 0), 0);
    assert_int_equal(sem_init(&gate->open, 0, 0), 0);
}

static ALOOP_UNUSED void gate_wait(sem_t *semaphore)
{
    while (sem_wait(semaphore) < 0)
        continue;
}

static ALOOP_UNUSED int64_t pass_gate(void *arg)
{
    struct gate *gate = arg;
    int64_t value = gate->value;

    (void)sem_post(&gate->begun);
    gate_wait(&gate->open);
    atomic_fetch_add(&gate->passed, 1);
    return value;
}

#endif
