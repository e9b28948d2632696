/*
 * The dump as a text for people: a forest, each tree below a task that nobody waits for.
 */
#include "debug/dump.h"

/* Deeper trees are indented no further: a line is to stay one. */
#define INDENT_MAX 20
#define INDENT 4

static void indent(FILE *file, size_t depth)
{
    fprintf(file, "%*s", INDENT * (int)(depth < INDENT_MAX ? depth : INDENT_MAX), "");
}

/* --- a task --- */

static void print_scopes(const struct graph *graph, FILE *file, const struct aloop_task *task,
                         const aloop_frame *frame)
{
    for (const aloop_scope *scope = task->scope; scope != NULL; scope = scope->outer) {
        aloop_ns deadline = scope->frame == frame ? scope_deadline(scope) : ALOOP_NEVER;

        if (deadline == ALOOP_NEVER)
            continue;
        fprintf(file, " [time limit in ");
        print_duration(file, time_sub(deadline, graph->loop->now));
        fputc(']', file);
    }
}

static void print_state(struct graph *graph, FILE *file, const struct aloop_task *task)
{
    const aloop_op *op = pending_op(task);
    const struct task_notes *notes = task_notes(task);

    fprintf(file, ": ");
    if (op == NULL) {
        fprintf(file, "%s", task_mood(task));
        return;
    }
    print_op(graph, file, task, op);
    if (task->state & TASK_IS_QUEUED)
        fprintf(file, ", woken");
    if (notes != NULL && notes->waits_since != NOT_WAITING) {
        fprintf(file, ", for ");
        print_duration(file, time_sub(graph->loop->now, notes->waits_since));
    }
}

static void print_frames(struct graph *graph, FILE *file, const struct aloop_task *task,
                         size_t depth)
{
    struct frames frames;

    frames_of(task, &frames);
    for (size_t i = 0; i < frames.count; i++) {
        const aloop_frame *frame = frames.frame[i];

        if (i == FRAMES_END && frames.left_out > 0) {
            indent(file, depth);
            fprintf(file, "  | ... %zu more calls\n", frames.left_out);
        }
        indent(file, depth);
        fprintf(file, "  | %s (%s:%d)", frame->coro->name, frame->coro->file, frame_line(frame));
        if (frame->flags & ALOOP_FLAG_FINALLY_)
            fprintf(file, " [cleaning up]");
        print_scopes(graph, file, task, frame);
        if (frame == task->frame)
            print_state(graph, file, task);
        fputc('\n', file);
    }
    for (const aloop_generator *generator = task->generators; generator != NULL;
         generator = generator->older) {
        if (generator->is_running)
            continue;
        indent(file, depth);
        fprintf(file, "  | generator %s (%s:%d) stands still\n", generator->frame->coro->name,
                generator->frame->coro->file, frame_line(generator->frame));
    }
}

static void print_node(struct graph *graph, FILE *file, const struct node *node, size_t depth,
                       bool is_child)
{
    const struct aloop_task *task = node_task(node);

    indent(file, depth);
    print_node_name(file, node);
    if (is_child)
        fprintf(file, " [in its group]");
    if (task != NULL && task->cancelling > 0)
        fprintf(file, " [cancelled]");
    fputc('\n', file);
    if (task != NULL)
        print_frames(graph, file, task, depth);
}

static void print_reference(FILE *file, const struct node *node, size_t depth)
{
    indent(file, depth);
    print_node_name(file, node);
    fprintf(file, " [see there]\n");
}

/* --- trees --- */

/* A node and all below it that was not printed yet. */
static void print_tree(struct graph *graph, FILE *file, size_t start)
{
    size_t at = start;
    size_t depth = 0;

    graph->nodes[at].color = COLOR_OPEN;
    print_node(graph, file, &graph->nodes[at], 0, false);
    while (at != NO_NODE) {
        struct node *node = &graph->nodes[at];
        const struct edge *edge;
        struct node *next;

        if (node->cursor == node->edge_count) {
            at = node->parent;
            depth--;
            continue;
        }
        edge = node_edge(graph, node, node->cursor++);
        next = &graph->nodes[edge->to];
        if (edge->kind == EDGE_HELD)
            continue;
        if (next->color != COLOR_NEW) {
            print_reference(file, next, depth + 1);
            continue;
        }
        next->color = COLOR_OPEN;
        next->parent = at;
        at = edge->to;
        depth++;
        print_node(graph, file, next, depth, edge->kind == EDGE_CHILD);
    }
}

/* Long circles are cut short in the middle. */
#define CYCLE_NAMES_MAX 32

static void print_cycle(const struct graph *graph, FILE *file, const struct cycle *cycle)
{
    size_t shown = cycle->count < CYCLE_NAMES_MAX ? cycle->count : CYCLE_NAMES_MAX;

    fprintf(file, cycle->is_deadlock ? "deadlock: " : "circle: ");
    for (size_t i = 0; i < shown; i++) {
        print_node_name(file, &graph->nodes[graph->on_cycles[cycle->first + i]]);
        fprintf(file, " -> ");
    }
    if (cycle->count > shown)
        fprintf(file, "... %zu more -> ", cycle->count - shown);
    print_node_name(file, &graph->nodes[graph->on_cycles[cycle->first]]);
    fputc('\n', file);
}

static void print_cycles(const struct graph *graph, FILE *file)
{
    for (size_t i = 0; i < graph->cycle_count && i < CYCLES_MAX; i++)
        print_cycle(graph, file, &graph->cycles[i]);
    if (graph->cycle_count > CYCLES_MAX)
        fprintf(file, "... and %zu more circles\n", graph->cycle_count - CYCLES_MAX);
}

static void print_summary(aloop *loop, FILE *file)
{
    struct census census = census_take(loop);
    const char *before = "; ";

    fprintf(file, "time ");
    print_duration(file, loop->now);
    for (int kind = ALOOP_ALIVE_TASK; kind > 0; kind--) {
        size_t count = census.count[kind];

        if (count == 0 && kind != ALOOP_ALIVE_TASK)
            continue;
        fprintf(file, "%s%zu %s%s", before, count, census_names[kind], count == 1 ? "" : "s");
        before = ", ";
    }
    fputc('\n', file);
}

void dump_text(struct graph *graph, FILE *file)
{
    print_summary(graph->loop, file);
    for (size_t i = 0; i < graph->count; i++) {
        if (graph->nodes[i].waiter_count == 0)
            print_tree(graph, file, i);
    }
    /* What is left is waited for in a circle. */
    for (size_t i = 0; i < graph->count; i++) {
        if (graph->nodes[i].color == COLOR_NEW)
            print_tree(graph, file, i);
    }
    print_cycles(graph, file);
}

void dump_list(aloop *loop, FILE *file)
{
    print_summary(loop, file);
    for (struct list *link = loop->tasks.next; link != &loop->tasks; link = link->next) {
        struct aloop_task *task = CONTAINER_OF(link, struct aloop_task, link);
        const aloop_op *op = pending_op(task);

        fprintf(file, "%s#%u (%s:%d): %s\n", aloop_task_name(task), task_number(task),
                task->frame->coro->file, frame_line(task->frame),
                op != NULL ? op_name(op) : task_mood(task));
    }
    fprintf(file, "There is no memory to say who waits for whom.\n");
}

void dump_text_from(struct graph *graph, FILE *file, const struct node *node)
{
    size_t others = node->waiter_count > 0 ? node->waiter_count - 1 : 0;
    size_t at = node->waiter;

    print_tree(graph, file, (size_t)(node - graph->nodes));
    graph_reset(graph);
    for (; at != NO_NODE && graph->nodes[at].color == COLOR_NEW; at = graph->nodes[at].waiter) {
        const struct aloop_task *task = node_task(&graph->nodes[at]);

        graph->nodes[at].color = COLOR_DONE;
        fprintf(file, "awaited by ");
        print_node_name(file, &graph->nodes[at]);
        if (task != NULL)
            fprintf(file, " (%s:%d)", task->frame->coro->file, frame_line(task->frame));
        if (others > 0)
            fprintf(file, ", and %zu others", others);
        others = 0;
        fputc('\n', file);
    }
    print_cycles(graph, file);
}
