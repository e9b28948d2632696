/*
 * Probes: marks in the library that tracers of the system (bpftrace, perf, SystemTap, gdb) find by
 * name, USDT as it is called: aloop:step__begin and so on, at the same points as the hooks of an
 * instrument. They need <sys/sdt.h>, and a build that asks for them.
 *
 * A probe is a no-op until a tracer puts a breakpoint there; what it would be told must be at hand
 * all the same. So the loop takes to them as to an instrument: each probe has a semaphore, which a
 * tracer counts up while it listens, and the loop asks after each poll whether one is not 0. As
 * one answer is enough for all, they are one variable under many names.
 */
#ifndef ALOOP_SRC_LOOP_PROBES_H
#define ALOOP_SRC_LOOP_PROBES_H

#ifdef ALOOP_USDT

/* Counted up by the tracer, from outside of the program. */
extern volatile unsigned short aloop_probe_semaphore;
#define PROBES_ARE_WATCHED (aloop_probe_semaphore != 0)

#else
#define PROBES_ARE_WATCHED false
#endif

#endif
