/*
 * What the scenarios of locks and their kin share: workers with a plan, and a line in which they
 * note since when they wait.
 */
#ifndef ALOOP_TESTS_TASK_CONTENDERS_H
#define ALOOP_TESTS_TASK_CONTENDERS_H

#include "interleave.h"

enum { WORKERS = 4 };

/* Who waits, since when. A task's number is entered in the step in which it begins to wait. */
struct line {
    unsigned arrivals;
    unsigned waiting[WORKERS + 1]; /* the number it has drawn; 0 if it does not wait */
    bool is_writer[WORKERS + 1];
};

static ALOOP_UNUSED void line_join(struct line *line, int id, bool is_writer)
{
    line->waiting[id] = ++line->arrivals;
    line->is_writer[id] = is_writer;
}

/* How many came earlier than `number` and still wait. */
static ALOOP_UNUSED int line_ahead(const struct line *line, unsigned number, bool writers_only)
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
static ALOOP_UNUSED unsigned line_leave(struct line *line, int id)
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

static ALOOP_UNUSED struct plan make_plan(struct interleave *run)
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

#endif
