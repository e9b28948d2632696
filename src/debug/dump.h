/*
 * The formats of a dump, each written from the same picture.
 */
#ifndef ALOOP_SRC_DEBUG_DUMP_H
#define ALOOP_SRC_DEBUG_DUMP_H

#include "debug/graph.h"

#include <aloop/debug.h>

/* How many there are of what lives in a loop, by aloop_alive_kind. */
struct census {
    size_t count[ALOOP_ALIVE_TASK + 1];
};

struct census census_take(aloop *loop);
extern const char *const census_names[ALOOP_ALIVE_TASK + 1];

/* What a task is at: "runs", "ready", "waits", ... */
const char *task_mood(const struct aloop_task *task);
/* Where a frame is. */
int frame_line(const aloop_frame *frame);

/* --- dump_text.c --- */
void dump_text(struct graph *graph, FILE *file);
/* With no picture. */
void dump_list(aloop *loop, FILE *file);
/* One node with all below it, and the way up from it. */
void dump_text_from(struct graph *graph, FILE *file, const struct node *node);

/* --- dump_json.c, dump_dot.c --- */
void dump_json(struct graph *graph, FILE *file);
void dump_dot(struct graph *graph, FILE *file);

/* A time as "1.234 s", rounded towards zero; past ones as 0. */
void print_duration(FILE *file, aloop_ns duration);
/* What the operation waits for, in words. */
void print_op(struct graph *graph, FILE *file, const struct aloop_task *task, const aloop_op *op);
/* "worker#12", "gather". */
void print_node_name(FILE *file, const struct node *node);
/* `text` with what may not stand in a string behind a backslash. */
void print_escaped(FILE *file, const char *text);

/* The frames of a task, the outermost first. Of a long chain of calls the middle is left out. */
#define FRAMES_END 32
struct frames {
    size_t count;    /* in `frame` */
    size_t left_out; /* between the first FRAMES_END of them and the others */
    const aloop_frame *frame[2 * FRAMES_END];
};
void frames_of(const struct aloop_task *task, struct frames *frames);

#endif
