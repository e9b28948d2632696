/*
 * Turns in which somebody looks on: debug mode, instruments, measurements of time, probes; and
 * those whose order a seed determines. They are run by other functions than usual, chosen between
 * two turns (loop_choose_run), so that a loop that nobody observes does not even ask whether
 * somebody does.
 *
 * That leaves two things which happen inside a step, and would need a look there. Wakes are found
 * behind it instead: what was woken is in the ready queue, behind what was there before
 * (loop->observed_to). And the making of a task has a seldom taken branch already.
 */
#ifndef ALOOP_SRC_LOOP_OBSERVE_H
#define ALOOP_SRC_LOOP_OBSERVE_H

#include "loop/internal.h"
#include "loop/probes.h"

/* What is measured only for those who want it: each callback takes two looks at the clock. */
struct durations {
    struct histogram step; /* each callback and each step of a task */
    struct histogram turn; /* all that ran in a turn */
};

/* The counterparts of one turn, and of turns until the loop is to leave them. */
int observe_turn(aloop *loop, aloop_ns max_wait);
int observe_until_stopped(aloop *loop);
/* Runs one entry of the ready queue. */
void observe_run(aloop *loop, const struct ready_entry *entry);
/* The loop has been closed. */
void observers_close(aloop *loop);

/* What the layer of tasks tells by itself. */
void observe_task_created(aloop *loop, struct aloop_task *task);
void observe_task_done(aloop *loop, struct aloop_task *task);

#endif
