/*
 * Probes: marks in the library that tracers of the system (bpftrace, perf, SystemTap, gdb) find by
 * name, USDT as it is called: aloop:step_begins and so on, at the same points as the hooks of an
 * instrument, and named as they are. They need <sys/sdt.h>, and a build that asks for them.
 *
 * A probe is a no-op until a tracer puts a breakpoint there; but what it would be told must be at
 * hand all the same. So the loop takes to them as to an instrument: each probe has a semaphore,
 * which a tracer counts up while it listens, and the loop asks at each poll whether one is not 0.
 * As one answer is enough for all, they are one variable under many names.
 */
#ifndef ALOOP_SRC_LOOP_PROBES_H
#define ALOOP_SRC_LOOP_PROBES_H

#ifdef ALOOP_USDT

#define _SDT_HAS_SEMAPHORES 1
#include <sys/sdt.h>

/* Its macros leave out the arguments of variadic ones. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Wgnu-zero-variadic-macro-arguments"
#endif

#define PROBES(X)      \
    X(task_created)    \
    X(task_woken)      \
    X(step_begins)     \
    X(step_ends)       \
    X(task_done)       \
    X(poll_begins)     \
    X(poll_ends)       \
    X(callback_begins) \
    X(callback_ends)

/* Counted up by the tracer, from outside of the program. */
extern volatile unsigned short aloop_probe_semaphore;

#define PROBES_ARE_WATCHED (aloop_probe_semaphore != 0)
#define PROBE(NAME, LOOP) STAP_PROBE1(aloop, NAME, LOOP)
#define PROBE_WITH(NAME, LOOP, WHAT) STAP_PROBE2(aloop, NAME, LOOP, WHAT)
/* The third argument is the name of the task's coroutine. */
#define PROBE_TASK(NAME, LOOP, TASK) \
    STAP_PROBE3(aloop, NAME, LOOP, TASK, (LOOP)->upper->task_name(TASK))

#else
#define PROBES_ARE_WATCHED false
#define PROBE(NAME, LOOP) ((void)0)
#define PROBE_WITH(NAME, LOOP, WHAT) ((void)0)
#define PROBE_TASK(NAME, LOOP, TASK) ((void)0)
#endif

#endif
