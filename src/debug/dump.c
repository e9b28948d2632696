/*
 * Dumps: what the formats share, and the way in.
 */
#include "debug/dump.h"

#include <aloop/signal.h>
#include <inttypes.h>

const char *const census_names[ALOOP_ALIVE_TASK + 1] = {
    [ALOOP_ALIVE_CALLBACK] = "callback", [ALOOP_ALIVE_TIMER] = "timer",
    [ALOOP_ALIVE_READER] = "reader",     [ALOOP_ALIVE_WRITER] = "writer",
    [ALOOP_ALIVE_SOCKET] = "socket",     [ALOOP_ALIVE_TASK] = "task"};

static void count_one(const aloop_alive *alive, void *arg)
{
    struct census *census = arg;

    if (alive->kind <= ALOOP_ALIVE_TASK)
        census->count[alive->kind]++;
}

struct census census_take(aloop *loop)
{
    struct census census = {{0}};

    (void)aloop_walk(loop, count_one, &census);
    return census;
}

/* --- tasks --- */

const char *task_mood(const struct aloop_task *task)
{
    if (task == task->future.loop->current_task)
        return "runs";
    switch (task_mode(task)) {
    case TASK_WAITS:
        return "waits";
    case TASK_YIELDS:
        return "yields";
    case TASK_RUNS:
    case TASK_DONE:
        break;
    }
    return task->frame->caller == NULL && task->frame->line == 0 ? "has not begun" : "ready";
}

int frame_line(const aloop_frame *frame)
{
    return frame->line > 0 ? frame->line : frame->coro->line;
}

void frames_of(const struct aloop_task *task, struct frames *frames)
{
    size_t depth = 0;
    size_t height = 0; /* above the innermost */

    for (const aloop_frame *frame = task->frame; frame != NULL; frame = frame->caller)
        depth++;
    frames->left_out = depth > 2 * FRAMES_END ? depth - 2 * FRAMES_END : 0;
    frames->count = depth - frames->left_out;
    for (const aloop_frame *frame = task->frame; frame != NULL; frame = frame->caller, height++) {
        if (height < FRAMES_END || frames->left_out == 0)
            frames->frame[frames->count - 1 - height] = frame;
        else if (depth - 1 - height < FRAMES_END)
            frames->frame[depth - 1 - height] = frame;
    }
}

/* --- words --- */

static bool is_control(unsigned char byte)
{
    return byte < 0x20 || byte == 0x7F;
}

/* How many bytes the character of UTF-8 has that begins here; 0: none does. */
static size_t character_size(const unsigned char *text)
{
    size_t size = *text < 0x80 ? 1 : *text < 0xE0 ? 2 : *text < 0xF0 ? 3 : 4;

    if (*text >= 0x80 && (*text < 0xC2 || *text > 0xF4))
        return 0;
    /* Longer than they need be; halves of pairs; and what is above all characters. */
    if ((*text == 0xE0 && text[1] < 0xA0) || (*text == 0xED && text[1] > 0x9F) ||
        (*text == 0xF0 && text[1] < 0x90) || (*text == 0xF4 && text[1] > 0x8F))
        return 0;
    for (size_t i = 1; i < size; i++) {
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    }
    return size;
}

/* A name or a path may be any bytes, and what is written is UTF-8 all the same. */
void print_escaped(FILE *file, const char *text)
{
    const unsigned char *byte = (const unsigned char *)text;

    while (*byte != '\0') {
        size_t size = character_size(byte);

        if (size == 0)
            fprintf(file, "\\ufffd");
        else if (is_control(*byte))
            fprintf(file, "\\u%04x", *byte);
        else
            fprintf(file, "%s%.*s", *byte == '"' || *byte == '\\' ? "\\" : "", (int)size,
                    (const char *)byte);
        byte += size > 0 ? size : 1;
    }
}

static void print_text(const struct graph *graph, FILE *file, const char *text)
{
    if (graph->escapes) {
        print_escaped(file, text);
        return;
    }
    /* The name of a file, say, gives no orders to the terminal. */
    for (; *text != '\0'; text++)
        fputc(is_control((unsigned char)*text) ? '?' : *text, file);
}

void print_duration(FILE *file, aloop_ns duration)
{
    if (duration < 0)
        duration = 0;
    fprintf(file, "%" PRId64 ".%03d s", duration / ALOOP_SEC(1),
            (int)(duration % ALOOP_SEC(1) / ALOOP_MS(1)));
}

void print_node_name(FILE *file, const struct node *node)
{
    const struct aloop_task *task = node_task(node);

    if (task != NULL)
        fprintf(file, "%s#%u", aloop_task_name(task), task->number);
    else
        fprintf(file, "%s", node->future->kind == FUTURE_GATHER ? "gather" : "shield");
}

/* What only somebody's call of aloop_future_set_result() ends: no task is to be found below. */
static bool is_for_plain_future(const aloop_op *op, const aloop_op_details *details)
{
    const aloop_future *future;
    void *cursor = NULL;

    if (details->next_future == NULL)
        return false;
    future = details->next_future(op, &cursor);
    return future != NULL && future->kind == FUTURE_PLAIN;
}

static void print_holder(struct graph *graph, FILE *file, const aloop_op_details *details)
{
    const struct aloop_task *holder = graph_holder(graph, details);

    if (holder != NULL) {
        fprintf(file, ", held by ");
        print_text(graph, file, aloop_task_name(holder));
        fprintf(file, "#%u (", holder->number);
        print_text(graph, file, holder->frame->coro->file);
        fprintf(file, ":%d)", frame_line(holder->frame));
    } else if (details->holder != 0)
        fprintf(file, ", held by task #%u, which has ended", details->holder);
}

/* Recursion as deep as selects are looked into, and no deeper. */
static void print_op_at(struct graph *graph, FILE *file, const struct aloop_task *task,
                        const aloop_op *op, int depth)
{
    aloop_ns now = graph->loop->now;
    aloop_op_details details;
    const aloop_op *part;
    const char *between;
    void *cursor = NULL;

    op_describe(task, op, &details);
    print_text(graph, file, op_name(op));
    if (details.fd >= 0)
        fprintf(file, " on fd %d", details.fd);
    if (is_for_plain_future(op, &details))
        fprintf(file, " on a future");
    if (details.text[0] != '\0') {
        fprintf(file, ", ");
        print_text(graph, file, details.text);
    }
    print_holder(graph, file, &details);
    if (details.deadline != ALOOP_NEVER) {
        fprintf(file, ", ");
        print_duration(file, time_sub(details.deadline, now));
        fprintf(file, " left");
    }
    between = details.text[0] != '\0' ? ": " : " of ";
    while (depth < OP_DEPTH_MAX && details.next_op != NULL &&
           (part = details.next_op(op, &cursor)) != NULL) {
        fprintf(file, "%s", between);
        print_op_at(graph, file, task, part, depth + 1);
        between = " | ";
    }
    if (op_limit(op) != ALOOP_NEVER) {
        fprintf(file, ", time limit in ");
        print_duration(file, time_sub(op_limit(op), now));
    }
}

void print_op(struct graph *graph, FILE *file, const struct aloop_task *task, const aloop_op *op)
{
    print_op_at(graph, file, task, op, 0);
}

/* --- the way in --- */

int aloop_dump_as(aloop *loop, FILE *file, aloop_dump_format format)
{
    struct graph graph;
    int error;

    if (format != ALOOP_DUMP_TEXT && format != ALOOP_DUMP_JSON && format != ALOOP_DUMP_DOT)
        return -EINVAL;
    error = graph_take(&graph, loop);
    if (error < 0 && format != ALOOP_DUMP_TEXT)
        return error;
    if (error < 0) {
        dump_list(loop, file);
        return ferror(file) ? -EIO : 0;
    }
    if (format == ALOOP_DUMP_JSON)
        dump_json(&graph, file);
    else if (format == ALOOP_DUMP_DOT)
        dump_dot(&graph, file);
    else
        dump_text(&graph, file);
    graph_free(&graph);
    return ferror(file) ? -EIO : 0;
}

int aloop_dump(aloop *loop, FILE *file)
{
    return aloop_dump_as(loop, file, ALOOP_DUMP_TEXT);
}

int aloop_dump_task(aloop_task *task, FILE *file)
{
    struct graph graph;
    int error;

    if (future_is_done(&task->future))
        return aloop_task_print_error(task, file);
    error = graph_take(&graph, task->future.loop);
    if (error < 0)
        return error;
    dump_text_from(&graph, file, graph_node(&graph, &task->future));
    graph_free(&graph);
    return ferror(file) ? -EIO : 0;
}

static void on_signal(aloop *loop, void *arg)
{
    (void)aloop_dump(loop, arg);
    (void)fflush(arg);
}

int aloop_dump_on_signal(aloop *loop, int signal_number, FILE *file)
{
    if (file != NULL)
        return aloop_add_signal_handler(loop, signal_number, on_signal, file);
    (void)aloop_remove_signal_handler(loop, signal_number);
    return 0;
}
