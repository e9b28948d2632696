/*
 * Who waits for whom: a picture of a loop's tasks, taken at one moment, from which the dumps are
 * written. It is made of nodes, the tasks, gathers and shields that are not done, and of edges
 * between them. Taking it costs time and memory in proportion to what there is, and changes nothing
 * but that each task gets a number.
 */
#ifndef ALOOP_SRC_DEBUG_GRAPH_H
#define ALOOP_SRC_DEBUG_GRAPH_H

#include "task/notes.h"

#include <aloop/sync.h>

enum edge_kind {
    EDGE_AWAITS, /* goes on when that has ended */
    EDGE_CHILD,  /* that is in a group of it, for which it does not wait yet */
    EDGE_HELD    /* goes on when that has given back what it holds */
};

struct edge {
    size_t to;
    uint8_t kind;
    bool is_must; /* there is no other way to go on: no timeout, no alternative */
};

struct node {
    aloop_future *future;
    size_t first_edge;
    size_t edge_count;
    size_t waiter;      /* the first that awaits it, or owns its group; NO_NODE */
    size_t waiter_count;
    size_t cursor; /* for walks: the next edge ... */
    size_t parent; /* ... and where the walk came from */
    uint8_t color;
};

#define NO_NODE SIZE_MAX
enum { COLOR_NEW, COLOR_OPEN, COLOR_DONE };

/* Nodes each of which waits for the next, and the last for the first. */
struct cycle {
    size_t first; /* in graph->on_cycles */
    size_t count;
    bool is_deadlock; /* none of them can go on */
};

/* More are only counted. */
#define CYCLES_MAX 16

struct graph {
    aloop *loop;
    bool escapes; /* strings of the program's are printed as parts of strings */
    struct node *nodes; /* tasks in the order they were made, and then the others */
    size_t count;
    size_t capacity;
    struct edge *edges;
    size_t edge_count;
    size_t edge_capacity;
    struct map index;   /* of futures: the node's address */
    struct map holders; /* of locks: the aloop_hold */
    struct map numbers; /* of tasks; made when it is needed */
    struct cycle cycles[CYCLES_MAX];
    size_t cycle_count;
    size_t *on_cycles;
    size_t on_cycles_count;
    size_t on_cycles_capacity;
};

/* Takes the picture. 0 or -ENOMEM, and there is nothing to free. */
int graph_take(struct graph *graph, aloop *loop);
void graph_free(struct graph *graph);

/* The node of a future; NULL: it is none, or done. */
struct node *graph_node(const struct graph *graph, const aloop_future *future);
/* The task that holds what is waited for; NULL: not known. */
struct aloop_task *graph_holder(struct graph *graph, const aloop_op_details *details);

/* All as it was before a walk. */
void graph_reset(struct graph *graph);

static inline struct aloop_task *node_task(const struct node *node)
{
    return future_is_task(node->future) ? TASK_OF(node->future) : NULL;
}

static inline struct edge *node_edge(const struct graph *graph, const struct node *node, size_t i)
{
    return &graph->edges[node->first_edge + i];
}

/* --- describe.c --- */
/* The operation that the task waits for; NULL: none. */
const aloop_op *pending_op(const struct aloop_task *task);
/* What it waits for. */
void op_describe(const struct aloop_task *task, const aloop_op *op, aloop_op_details *details);
/* Its name, never NULL. */
const char *op_name(const aloop_op *op);
/* Until when its time is limited: ALOOP_NEVER if it is not. */
aloop_ns op_limit(const aloop_op *op);
/* Selects in selects are looked into so deep. */
#define OP_DEPTH_MAX 4

#endif
