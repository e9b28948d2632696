/*
 * The dump as a graph for Graphviz. Tasks on a circle are red.
 */
#include "debug/dump.h"

static bool is_on_cycle(const struct graph *graph, size_t index)
{
    return graph->nodes[index].color == COLOR_OPEN;
}

static void print_task(struct graph *graph, FILE *file, const struct aloop_task *task)
{
    const aloop_op *op = pending_op(task);
    struct frames frames;

    frames_of(task, &frames);
    for (size_t i = 0; i < frames.count; i++) {
        const aloop_frame *frame = frames.frame[i];

        if (i == FRAMES_END && frames.left_out > 0)
            fprintf(file, "... %zu more calls\\l", frames.left_out);
        print_escaped(file, frame->coro->name);
        fprintf(file, " (");
        print_escaped(file, frame->coro->file);
        fprintf(file, ":%d)\\l", frame_line(frame));
    }
    if (op != NULL)
        print_op(graph, file, task, op);
    else
        fprintf(file, "%s", task_mood(task));
    fprintf(file, "\\l");
}

static void print_node(struct graph *graph, FILE *file, size_t index)
{
    const struct node *node = &graph->nodes[index];
    const struct aloop_task *task = node_task(node);

    fprintf(file, "    n%zu [label=\"", index);
    print_node_name(file, node);
    if (task != NULL) {
        fprintf(file, "\\n");
        print_task(graph, file, task);
    }
    fprintf(file, "\"%s];\n", is_on_cycle(graph, index) ? ", color=red" : "");
}

static void print_edge(const struct graph *graph, FILE *file, size_t from, const struct edge *edge)
{
    static const char *const styles[] = {[EDGE_AWAITS] = "solid",
                                         [EDGE_CHILD] = "dotted",
                                         [EDGE_HELD] = "dashed"};

    fprintf(file, "    n%zu -> n%zu [style=%s%s];\n", from, edge->to, styles[edge->kind],
            edge->kind != EDGE_CHILD && is_on_cycle(graph, from) && is_on_cycle(graph, edge->to)
                ? ", color=red"
                : "");
}

void dump_dot(struct graph *graph, FILE *file)
{
    graph->escapes = true;
    for (size_t i = 0; i < graph->on_cycles_count; i++)
        graph->nodes[graph->on_cycles[i]].color = COLOR_OPEN;
    fprintf(file, "digraph aloop {\n    node [shape=box, fontname=monospace];\n");
    for (size_t i = 0; i < graph->count; i++)
        print_node(graph, file, i);
    for (size_t i = 0; i < graph->count; i++) {
        const struct node *node = &graph->nodes[i];

        for (size_t j = 0; j < node->edge_count; j++)
            print_edge(graph, file, i, node_edge(graph, node, j));
    }
    fprintf(file, "}\n");
}
