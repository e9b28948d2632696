/*
 * The dump as JSON: one object. Nodes are named by their place in "nodes".
 */
#include "debug/dump.h"

#include <inttypes.h>

static void print_string(FILE *file, const char *name, const char *value)
{
    fprintf(file, "\"%s\":\"", name);
    print_escaped(file, value);
    fputc('"', file);
}

static void print_time(FILE *file, const char *name, aloop_ns value)
{
    if (value != ALOOP_NEVER)
        fprintf(file, ",\"%s\":%" PRId64, name, value);
}

/* --- a task --- */

static void print_frame(FILE *file, const aloop_frame *frame)
{
    fputc('{', file);
    print_string(file, "name", frame->coro->name);
    fputc(',', file);
    print_string(file, "file", frame->coro->file);
    fprintf(file, ",\"line\":%d%s}", frame_line(frame),
            frame->flags & ALOOP_FLAG_FINALLY_ ? ",\"cleaning_up\":true" : "");
}

static void print_frames(FILE *file, const struct aloop_task *task)
{
    struct frames frames;

    frames_of(task, &frames);
    fprintf(file, ",\"calls_left_out\":%zu,\"frames\":[", frames.left_out);
    for (size_t i = 0; i < frames.count; i++) {
        fprintf(file, "%s", i > 0 ? "," : "");
        print_frame(file, frames.frame[i]);
    }
    fputc(']', file);
}

/* Recursion as deep as selects are looked into, and no deeper. */
static void print_details(struct graph *graph, FILE *file, const struct aloop_task *task,
                          const aloop_op *op, int depth)
{
    bool has_parts = false;
    aloop_op_details details;
    const aloop_op *part;
    void *cursor = NULL;

    op_describe(task, op, &details);
    fputc('{', file);
    print_string(file, "op", op_name(op));
    if (details.fd >= 0)
        fprintf(file, ",\"fd\":%d", details.fd);
    if (details.text[0] != '\0') {
        fputc(',', file);
        print_string(file, "text", details.text);
    }
    print_time(file, "until", details.deadline);
    print_time(file, "time_limit", op_limit(op));
    while (depth < OP_DEPTH_MAX && details.next_op != NULL &&
           (part = details.next_op(op, &cursor)) != NULL) {
        fprintf(file, has_parts ? "," : ",\"parts\":[");
        print_details(graph, file, task, part, depth + 1);
        has_parts = true;
    }
    fprintf(file, has_parts ? "]}" : "}");
}

static void print_task(struct graph *graph, FILE *file, struct aloop_task *task)
{
    const struct task_notes *notes = task_notes(task);
    const aloop_op *op = pending_op(task);

    fprintf(file, "\"kind\":\"task\",\"number\":%u,", task->number);
    print_string(file, "name", aloop_task_name(task));
    fprintf(file, ",\"state\":\"%s\",\"cancelling\":%u", op != NULL ? "waits" : task_mood(task),
            task->cancelling);
    print_frames(file, task);
    if (op == NULL)
        return;
    fprintf(file, ",\"waits_for\":");
    print_details(graph, file, task, op, 0);
    if (notes != NULL && notes->waits_since != NOT_WAITING)
        print_time(file, "waits_since", notes->waits_since);
}

/* --- the whole --- */

static void print_edges(const struct graph *graph, FILE *file, const struct node *node,
                        enum edge_kind kind, const char *name)
{
    const char *between = "";

    fprintf(file, ",\"%s\":[", name);
    for (size_t i = 0; i < node->edge_count; i++) {
        const struct edge *edge = node_edge(graph, node, i);

        if (edge->kind != kind)
            continue;
        fprintf(file, "%s%zu", between, edge->to);
        between = ",";
    }
    fputc(']', file);
}

static void print_node(struct graph *graph, FILE *file, const struct node *node)
{
    struct aloop_task *task = node_task(node);

    fputc('{', file);
    if (task != NULL)
        print_task(graph, file, task);
    else
        fprintf(file, "\"kind\":\"%s\"",
                node->future->kind == FUTURE_GATHER ? "gather" : "shield");
    print_edges(graph, file, node, EDGE_AWAITS, "awaits");
    print_edges(graph, file, node, EDGE_CHILD, "children");
    print_edges(graph, file, node, EDGE_HELD, "held_by");
    fputc('}', file);
}

static void print_cycle(const struct graph *graph, FILE *file, const struct cycle *cycle)
{
    fprintf(file, "{\"is_deadlock\":%s,\"nodes\":[", cycle->is_deadlock ? "true" : "false");
    for (size_t i = 0; i < cycle->count; i++)
        fprintf(file, "%s%zu", i > 0 ? "," : "", graph->on_cycles[cycle->first + i]);
    fprintf(file, "]}");
}

static void print_census(aloop *loop, FILE *file)
{
    struct census census = census_take(loop);

    for (int kind = 1; kind <= ALOOP_ALIVE_TASK; kind++)
        fprintf(file, "%s\"%s\":%zu", kind > 1 ? "," : "", census_names[kind], census.count[kind]);
}

void dump_json(struct graph *graph, FILE *file)
{
    fprintf(file, "{\"time\":%" PRId64 ",\"counts\":{", graph->loop->now);
    print_census(graph->loop, file);
    fprintf(file, "},\n\"nodes\":[");
    for (size_t i = 0; i < graph->count; i++) {
        fprintf(file, "%s\n", i > 0 ? "," : "");
        print_node(graph, file, &graph->nodes[i]);
    }
    fprintf(file, "],\n\"cycle_count\":%zu,\"cycles\":[", graph->cycle_count);
    for (size_t i = 0; i < graph->cycle_count && i < CYCLES_MAX; i++) {
        fprintf(file, "%s\n", i > 0 ? "," : "");
        print_cycle(graph, file, &graph->cycles[i]);
    }
    fprintf(file, "]}\n");
}
