/*
 * Taking the picture: see the header. Walks over it keep where they are in the nodes, so that they
 * neither nest on the C stack nor need memory.
 */
#include "debug/graph.h"

#include <string.h>

#define EDGES_MIN 64
#define ON_CYCLES_MIN 16

/* The array, with room for one more; NULL: no memory, and it is as before. */
static void *make_room(struct graph *graph, void *array, size_t count, size_t *capacity,
                       size_t minimum, size_t size)
{
    size_t grown;

    if (count < *capacity)
        return array;
    grown = memory_grown_capacity(count + 1, minimum, size);
    if (grown == 0)
        return NULL;
    array = memory_resize(&graph->loop->memory, array, *capacity * size, grown * size);
    if (array != NULL)
        *capacity = grown;
    return array;
}

/* --- nodes --- */

struct node *graph_node(const struct graph *graph, const aloop_future *future)
{
    return map_find(&graph->index, (uintptr_t)future);
}

static int add_node(struct graph *graph, aloop_future *future)
{
    struct node *node = &graph->nodes[graph->count++];

    *node = (struct node){.future = future, .waiter = NO_NODE, .parent = NO_NODE};
    return map_set(&graph->index, (uintptr_t)future, node);
}

static size_t count_composites(aloop *loop)
{
    size_t count = 0;
    void *cursor = NULL;

    while (composite_next(loop, &cursor) != NULL)
        count++;
    return count;
}

static int add_nodes(struct graph *graph)
{
    aloop *loop = graph->loop;
    size_t capacity = loop_task_count(loop) + count_composites(loop);
    aloop_future *composite;
    void *cursor = NULL;
    int error = 0;

    if (capacity == 0)
        return 0;
    graph->nodes = memory_alloc(&loop->memory, capacity * sizeof *graph->nodes);
    if (graph->nodes == NULL)
        return -ENOMEM;
    graph->capacity = capacity;
    for (struct list *link = loop->tasks.next; link != &loop->tasks && error == 0;
         link = link->next) {
        struct aloop_task *task = CONTAINER_OF(link, struct aloop_task, link);

        (void)task_number(task);
        error = add_node(graph, &task->future);
    }
    while (error == 0 && (composite = composite_next(loop, &cursor)) != NULL)
        error = add_node(graph, composite);
    return error;
}

/* --- who holds what --- */

static int add_holders(struct graph *graph)
{
    int error = 0;

    for (size_t i = 0; i < graph->count; i++) {
        const struct aloop_task *task = node_task(&graph->nodes[i]);
        aloop_scope *scope = task != NULL ? task->scope : NULL;

        for (; scope != NULL && error == 0; scope = scope->outer) {
            aloop_hold *hold = CONTAINER_OF(scope, aloop_hold, scope);

            if (scope->kind == SCOPE_HOLD)
                error = map_set(&graph->holders, (uintptr_t)hold->what, hold);
        }
    }
    return error;
}

/* Made when it is first needed; without memory, the holder is not known. */
static struct aloop_task *find_number(struct graph *graph, unsigned number)
{
    if (graph->numbers.count == 0) {
        for (size_t i = 0; i < graph->count; i++) {
            struct aloop_task *task = node_task(&graph->nodes[i]);

            if (task != NULL && map_set(&graph->numbers, task->number, task) < 0)
                return NULL;
        }
    }
    return map_find(&graph->numbers, number);
}

struct aloop_task *graph_holder(struct graph *graph, const aloop_op_details *details)
{
    const aloop_hold *hold;

    if (details->object == NULL)
        return NULL;
    hold = map_find(&graph->holders, (uintptr_t)details->object);
    if (hold != NULL)
        return hold->scope.task;
    return details->holder != 0 ? find_number(graph, details->holder) : NULL;
}

/* --- edges --- */

static int add_edge(struct graph *graph, struct node *from, struct node *to, enum edge_kind kind,
                    bool is_must)
{
    struct edge *edges = make_room(graph, graph->edges, graph->edge_count, &graph->edge_capacity,
                                   EDGES_MIN, sizeof *edges);

    if (edges == NULL)
        return -ENOMEM;
    graph->edges = edges;
    graph->edges[graph->edge_count++] =
        (struct edge){.to = (size_t)(to - graph->nodes), .kind = (uint8_t)kind, .is_must = is_must};
    from->edge_count++;
    if (kind == EDGE_HELD)
        return 0;
    if (to->waiter_count++ == 0)
        to->waiter = (size_t)(from - graph->nodes);
    return 0;
}

/* To a future, unless that is done, or one that anybody may complete. */
static int add_edge_to(struct graph *graph, struct node *from, const aloop_future *future,
                       enum edge_kind kind, bool is_must)
{
    struct node *to = graph_node(graph, future);

    return to != NULL ? add_edge(graph, from, to, kind, is_must) : 0;
}

/* Recursion as deep as selects are looked into, and no deeper. */
static int add_edges_of_op(struct graph *graph, struct node *node, const aloop_op *op, bool is_must,
                           int depth)
{
    const struct aloop_task *task = node_task(node);
    const struct aloop_task *holder;
    aloop_op_details details;
    aloop_future *future;
    const aloop_op *part;
    void *cursor = NULL;
    int error = 0;

    op_describe(task, op, &details);
    is_must = is_must && !details.is_any && details.deadline == ALOOP_NEVER &&
              op_limit(op) == ALOOP_NEVER;
    while (error == 0 && details.next_future != NULL &&
           (future = details.next_future(op, &cursor)) != NULL)
        error = add_edge_to(graph, node, future, EDGE_AWAITS, is_must);
    holder = graph_holder(graph, &details);
    if (error == 0 && holder != NULL)
        error = add_edge_to(graph, node, &holder->future, EDGE_HELD, is_must);
    cursor = NULL;
    while (error == 0 && depth < OP_DEPTH_MAX && details.next_op != NULL &&
           (part = details.next_op(op, &cursor)) != NULL)
        error = add_edges_of_op(graph, node, part, false, depth + 1);
    return error;
}

/* Could the time of one of the task's scopes be up? Then it does not wait for ever. */
static bool has_time_limit(const struct aloop_task *task)
{
    for (const aloop_scope *scope = task->scope; scope != NULL; scope = scope->outer) {
        if (scope_deadline(scope) != ALOOP_NEVER)
            return true;
    }
    return false;
}

/* The children of groups, but for the group that it waits for. */
static int add_edges_of_groups(struct graph *graph, struct node *node, const aloop_op *op)
{
    int error = 0;

    for (aloop_scope *scope = node_task(node)->scope; scope != NULL; scope = scope->outer) {
        aloop_group *group = CONTAINER_OF(scope, aloop_group, scope);
        aloop_future *child;
        void *cursor = NULL;

        if (scope->kind != SCOPE_GROUP || (op != NULL && op->type != NULL &&
                                           op->arg[0].pointer == group))
            continue;
        while (error == 0 && (child = group_next(group, &cursor)) != NULL)
            error = add_edge_to(graph, node, child, EDGE_CHILD, false);
    }
    return error;
}

static int add_edges_of_task(struct graph *graph, struct node *node)
{
    const struct aloop_task *task = node_task(node);
    const aloop_op *op = pending_op(task);
    int error = 0;

    if (op != NULL)
        error = add_edges_of_op(graph, node, op, !has_time_limit(task), 0);
    return error < 0 ? error : add_edges_of_groups(graph, node, op);
}

static int add_edges(struct graph *graph)
{
    int error = 0;

    for (size_t i = 0; i < graph->count && error == 0; i++) {
        struct node *node = &graph->nodes[i];
        const aloop_future *part;
        void *cursor = NULL;

        node->first_edge = graph->edge_count;
        if (node_task(node) != NULL) {
            error = add_edges_of_task(graph, node);
            continue;
        }
        while (error == 0 && (part = composite_next_part(node->future, &cursor)) != NULL)
            error = add_edge_to(graph, node, part, EDGE_AWAITS, true);
    }
    return error;
}

/* --- circles --- */

void graph_reset(struct graph *graph)
{
    for (size_t i = 0; i < graph->count; i++) {
        struct node *node = &graph->nodes[i];

        node->cursor = 0;
        node->parent = NO_NODE;
        node->color = COLOR_NEW;
    }
}

static const struct edge *edge_between(const struct graph *graph, const struct node *from,
                                       size_t to)
{
    size_t i = 0;

    while (node_edge(graph, from, i)->to != to || node_edge(graph, from, i)->kind == EDGE_CHILD)
        i++;
    return node_edge(graph, from, i);
}

/* The walk stands at `last`, and its next step is to `first`, through which it came. */
static int add_cycle(struct graph *graph, size_t first, size_t last)
{
    struct cycle *cycle;
    size_t to = first;
    size_t at = last;

    if (graph->cycle_count++ >= CYCLES_MAX)
        return 0;
    cycle = &graph->cycles[graph->cycle_count - 1];
    *cycle = (struct cycle){.first = graph->on_cycles_count, .is_deadlock = true};
    for (;;) {
        size_t *grown = make_room(graph, graph->on_cycles, graph->on_cycles_count,
                                  &graph->on_cycles_capacity, ON_CYCLES_MIN, sizeof *grown);

        if (grown == NULL)
            return -ENOMEM;
        graph->on_cycles = grown;
        graph->on_cycles[graph->on_cycles_count++] = at;
        cycle->count++;
        if (!edge_between(graph, &graph->nodes[at], to)->is_must)
            cycle->is_deadlock = false;
        if (at == first)
            break;
        to = at;
        at = graph->nodes[at].parent;
    }
    /* They were met backwards. */
    for (size_t i = 0; i < cycle->count / 2; i++) {
        size_t *one = &graph->on_cycles[cycle->first + i];
        size_t *other = &graph->on_cycles[cycle->first + cycle->count - 1 - i];
        size_t kept = *one;

        *one = *other;
        *other = kept;
    }
    return 0;
}

/* Depth first: who comes to a node that is still open has found a circle. */
static int find_cycles_from(struct graph *graph, size_t start)
{
    size_t at = start;

    graph->nodes[at].color = COLOR_OPEN;
    while (at != NO_NODE) {
        struct node *node = &graph->nodes[at];
        const struct edge *edge;
        struct node *next;

        if (node->cursor == node->edge_count) {
            node->color = COLOR_DONE;
            at = node->parent;
            continue;
        }
        edge = node_edge(graph, node, node->cursor++);
        next = &graph->nodes[edge->to];
        if (edge->kind == EDGE_CHILD)
            continue;
        if (next->color == COLOR_OPEN && add_cycle(graph, edge->to, at) < 0)
            return -ENOMEM;
        if (next->color != COLOR_NEW)
            continue;
        next->color = COLOR_OPEN;
        next->parent = at;
        at = edge->to;
    }
    return 0;
}

static int find_cycles(struct graph *graph)
{
    int error = 0;

    for (size_t i = 0; i < graph->count && error == 0; i++) {
        if (graph->nodes[i].color == COLOR_NEW)
            error = find_cycles_from(graph, i);
    }
    graph_reset(graph);
    return error;
}

/* --- the whole --- */

int graph_take(struct graph *graph, aloop *loop)
{
    int error;

    memset(graph, 0, sizeof *graph);
    graph->loop = loop;
    map_init(&graph->index, &loop->memory);
    map_init(&graph->holders, &loop->memory);
    map_init(&graph->numbers, &loop->memory);
    error = add_nodes(graph);
    if (error == 0)
        error = add_holders(graph);
    if (error == 0)
        error = add_edges(graph);
    if (error == 0)
        error = find_cycles(graph);
    if (error < 0)
        graph_free(graph);
    return error;
}

void graph_free(struct graph *graph)
{
    struct memory *memory = &graph->loop->memory;

    map_fini(&graph->index);
    map_fini(&graph->holders);
    map_fini(&graph->numbers);
    memory_free(memory, graph->nodes, graph->capacity * sizeof *graph->nodes);
    memory_free(memory, graph->edges, graph->edge_capacity * sizeof *graph->edges);
    memory_free(memory, graph->on_cycles, graph->on_cycles_capacity * sizeof *graph->on_cycles);
}
