/*
 * Tracers: an instrument that writes down what it hears of, as events of Chrome's trace format.
 *
 * A slice is one event that tells its beginning and its length, so it is written when it ends; what
 * a tracer has to keep is where the present one began. Arrows are pairs of events with a number, in
 * the slice that woke and in the step that came of it.
 */
#include "base/map.h"
#include "task/internal.h"

#include <aloop/debug.h>
#include <aloop/instrument.h>
#include <aloop/tracer.h>

#define BUFFER_SIZE 32768

enum { TRACK_LOOP = 1, TRACK_OTHERS, TRACK_FIRST };

/* A track of tasks, one at a time. */
struct track {
    struct track *next_free; /* in kind->free */
    struct track *next;      /* in tracer->tracks */
    struct kind *kind;
    unsigned id;
    uint64_t arrow; /* that leads to the next step; 0: none */
};

/* The tracks of tasks of one name. */
struct kind {
    struct kind *next;
    const char *name; /* a coroutine's: constant */
    struct track *free;
    unsigned count;
};

struct aloop_tracer {
    aloop *loop; /* its memory stays while the tracer is there */
    aloop_tracer_write *write;
    void *arg;
    int error; /* of writing, the first */
    bool is_loop_closed;
    bool is_task_done; /* that of the present slice */
    bool has_events;
    aloop_ns start;
    /* The present slice. */
    bool is_in_slice;
    unsigned track;
    aloop_ns begin;
    struct aloop_task *task; /* NULL: it is no step */
    aloop_callback *callback;
    uint64_t arrows;
    struct track others; /* for tasks that there is no memory for */
    struct map tracks_of_tasks;
    struct track *tracks;
    struct kind *kinds;
    size_t used;
    char buffer[BUFFER_SIZE];
};

/* --- writing JSON --- */

static void flush(aloop_tracer *tracer)
{
    if (tracer->used > 0 && tracer->error == 0)
        tracer->error = tracer->write(tracer->arg, tracer->buffer, tracer->used);
    tracer->used = 0;
}

static void put_char(aloop_tracer *tracer, char c)
{
    if (tracer->used == BUFFER_SIZE)
        flush(tracer);
    tracer->buffer[tracer->used++] = c;
}

static void put(aloop_tracer *tracer, const char *text)
{
    for (; *text != '\0'; text++)
        put_char(tracer, *text);
}

/* With a base of up to 16, and zeros in front up to so many digits. */
static void put_digits(aloop_tracer *tracer, uint64_t number, unsigned base, int width)
{
    char digits[20];
    int count = 0;

    do {
        digits[count++] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number > 0 || count < width);
    while (count > 0)
        put_char(tracer, digits[--count]);
}

static void put_number(aloop_tracer *tracer, int64_t number)
{
    if (number < 0)
        put_char(tracer, '-');
    put_digits(tracer, number < 0 ? 0 - (uint64_t)number : (uint64_t)number, 10, 1);
}

/* In microseconds, as the format wants it. */
static void put_time(aloop_tracer *tracer, aloop_ns time)
{
    uint64_t number = time > 0 ? (uint64_t)time : 0;

    put_digits(tracer, number / 1000, 10, 1);
    put_char(tracer, '.');
    put_digits(tracer, number % 1000, 10, 3);
}

/* In a string. What is not ASCII may be anything, so it is taken byte by byte. */
static void put_escaped(aloop_tracer *tracer, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\')
            put_char(tracer, '\\');
        if (c >= ' ' && c < 0x7F) {
            put_char(tracer, (char)c);
            continue;
        }
        put(tracer, "\\u");
        put_digits(tracer, c, 16, 4);
    }
}

/* --- events --- */

static void put_event(aloop_tracer *tracer, const char *phase, unsigned track)
{
    put(tracer, tracer->has_events ? ",\n" : "[\n");
    tracer->has_events = true;
    put(tracer, "{\"ph\":\"");
    put(tracer, phase);
    put(tracer, "\",\"pid\":1,\"tid\":");
    put_number(tracer, track);
}

/* An event at a moment, and what it is called. */
static void put_event_at(aloop_tracer *tracer, const char *phase, unsigned track, aloop_ns time,
                         const char *name)
{
    put_event(tracer, phase, track);
    put(tracer, ",\"ts\":");
    put_time(tracer, time - tracer->start);
    put(tracer, ",\"name\":\"");
    put_escaped(tracer, name);
    put(tracer, "\"");
}

/* `number` above 1 is added to the name. */
static void put_name_of_track(aloop_tracer *tracer, unsigned track, const char *name,
                              unsigned number)
{
    put_event(tracer, "M", track);
    put(tracer, ",\"name\":\"thread_name\",\"args\":{\"name\":\"");
    put_escaped(tracer, name);
    if (number > 1) {
        put_char(tracer, ' ');
        put_number(tracer, number);
    }
    put(tracer, "\"}}");
}

/* Something that takes no time. */
static void put_instant(aloop_tracer *tracer, unsigned track, const char *name,
                        struct aloop_task *task)
{
    put_event_at(tracer, "i", track, sys.clock(tracer->loop->is_boottime), name);
    put(tracer, ",\"s\":\"t\",\"args\":{");
    if (task != NULL) {
        put(tracer, "\"task\":");
        put_number(tracer, aloop_task_number(task));
    }
    put(tracer, "}}");
}

/* One end of an arrow. */
static void put_arrow(aloop_tracer *tracer, const char *phase, unsigned track, uint64_t number)
{
    put_event_at(tracer, phase, track, tracer->begin, "wakes");
    put(tracer, ",\"cat\":\"wake\",\"bp\":\"e\",\"id\":");
    put_digits(tracer, number, 10, 1);
    put(tracer, "}");
}

/* --- tracks --- */

static struct kind *kind_named(aloop_tracer *tracer, const char *name)
{
    struct memory *memory = &tracer->loop->memory;
    struct kind *kind;

    for (kind = tracer->kinds; kind != NULL; kind = kind->next) {
        if (kind->name == name || strcmp(kind->name, name) == 0)
            return kind;
    }
    kind = memory_alloc(memory, sizeof *kind);
    if (kind == NULL)
        return NULL;
    *kind = (struct kind){.name = name, .next = tracer->kinds};
    tracer->kinds = kind;
    return kind;
}

static struct track *track_new(aloop_tracer *tracer, struct kind *kind)
{
    struct track *track = memory_alloc(&tracer->loop->memory, sizeof *track);

    if (track == NULL)
        return NULL;
    *track = (struct track){.kind = kind, .next = tracer->tracks};
    track->id = track->next != NULL ? track->next->id + 1 : TRACK_FIRST;
    tracer->tracks = track;
    put_name_of_track(tracer, track->id, kind->name, ++kind->count);
    return track;
}

static void track_give_back(struct track *track)
{
    if (track->kind == NULL)
        return;
    track->arrow = 0;
    track->next_free = track->kind->free;
    track->kind->free = track;
}

/* That of a task that has none yet. */
static struct track *track_take(aloop_tracer *tracer, const struct aloop_task *task)
{
    struct kind *kind = kind_named(tracer, aloop_task_name(task));
    struct track *track = NULL;

    if (kind != NULL && kind->free != NULL) {
        track = kind->free;
        kind->free = track->next_free;
    } else if (kind != NULL) {
        track = track_new(tracer, kind);
    }
    if (track == NULL)
        return &tracer->others;
    if (map_set(&tracer->tracks_of_tasks, (uintptr_t)task, track) == 0)
        return track;
    track_give_back(track);
    return &tracer->others;
}

static struct track *track_of(aloop_tracer *tracer, const struct aloop_task *task)
{
    struct track *track = map_find(&tracer->tracks_of_tasks, (uintptr_t)task);

    return track != NULL ? track : track_take(tracer, task);
}

/* The task is done. */
static void track_leave(aloop_tracer *tracer, const struct aloop_task *task)
{
    struct track *track = map_find(&tracer->tracks_of_tasks, (uintptr_t)task);

    if (track == NULL)
        return;
    map_remove(&tracer->tracks_of_tasks, (uintptr_t)task);
    track_give_back(track);
}

static void tracks_free(aloop_tracer *tracer)
{
    struct memory *memory = &tracer->loop->memory;

    map_fini(&tracer->tracks_of_tasks);
    while (tracer->tracks != NULL) {
        struct track *track = tracer->tracks;

        tracer->tracks = track->next;
        memory_free(memory, track, sizeof *track);
    }
    while (tracer->kinds != NULL) {
        struct kind *kind = tracer->kinds;

        tracer->kinds = kind->next;
        memory_free(memory, kind, sizeof *kind);
    }
}

/* --- slices --- */

static void slice_begin(aloop_tracer *tracer, unsigned track)
{
    tracer->is_in_slice = true;
    tracer->track = track;
    tracer->is_task_done = false;
    tracer->task = NULL;
    tracer->callback = NULL;
    tracer->begin = sys.clock(tracer->loop->is_boottime);
}

/* Up to its arguments, the closing braces of which are the caller's. */
static void slice_end(aloop_tracer *tracer, const char *name)
{
    aloop_ns end = sys.clock(tracer->loop->is_boottime);

    tracer->is_in_slice = false;
    put_event_at(tracer, "X", tracer->track, tracer->begin, name);
    put(tracer, ",\"dur\":");
    put_time(tracer, end - tracer->begin);
    put(tracer, ",\"args\":{");
}

static void put_outcome(aloop_tracer *tracer, const char *name, int64_t outcome)
{
    put(tracer, "\"");
    put(tracer, name);
    put(tracer, "\":");
    if (outcome >= 0) {
        put_number(tracer, outcome);
        return;
    }
    put(tracer, "\"");
    put(tracer, aloop_error_name(outcome));
    put(tracer, "\"");
}

/* Where the task stands: its innermost coroutine, and the line in the file by its last name. */
static void put_place(aloop_tracer *tracer, const struct aloop_task *task)
{
    const aloop_frame *frame = task->frame;
    const char *file = frame->coro->file;
    const char *slash = file != NULL ? strrchr(file, '/') : NULL;

    put(tracer, "\"in\":\"");
    put_escaped(tracer, frame->coro->name);
    put(tracer, "\",\"at\":\"");
    if (file != NULL)
        put_escaped(tracer, slash != NULL ? slash + 1 : file);
    put(tracer, ":");
    put_number(tracer, frame->line > 0 ? frame->line : frame->coro->line);
    put(tracer, "\"");
}

static void step_end(aloop_tracer *tracer, struct aloop_task *task)
{
    struct track *track = track_of(tracer, task);

    if (track->arrow != 0)
        put_arrow(tracer, "f", tracer->track, track->arrow);
    track->arrow = 0;
    slice_end(tracer, aloop_task_name(task));
    put(tracer, "\"task\":");
    put_number(tracer, aloop_task_number(task));
    put(tracer, ",");
    if (tracer->is_task_done)
        put_outcome(tracer, "result", task->future.result);
    else
        put_place(tracer, task);
    put(tracer, "}}");
    if (tracer->is_task_done)
        track_leave(tracer, task);
}

static void callback_end(aloop_tracer *tracer)
{
    slice_end(tracer, "callback");
    put(tracer, "\"function\":\"0x");
    put_digits(tracer, (uint64_t)(uintptr_t)tracer->callback, 16, 1);
    put(tracer, "\"}}");
}

/* --- hooks --- */

static void on_task_created(aloop *loop, aloop_task *task, void *arg)
{
    aloop_tracer *tracer = arg;

    (void)loop;
    put_instant(tracer, track_of(tracer, task)->id, "created", task);
}

static void on_task_woken(aloop *loop, aloop_task *task, void *arg)
{
    aloop_tracer *tracer = arg;
    struct track *track = track_of(tracer, task);

    (void)loop;
    /* By something outside of the run. */
    if (!tracer->is_in_slice) {
        put_instant(tracer, track->id, "woken", task);
        return;
    }
    /* The others share a track: an arrow could only lead to the wrong one. */
    if (track == &tracer->others)
        return;
    track->arrow = ++tracer->arrows;
    put_arrow(tracer, "s", tracer->track, track->arrow);
}

static void on_step_begins(aloop *loop, aloop_task *task, void *arg)
{
    aloop_tracer *tracer = arg;

    (void)loop;
    slice_begin(tracer, track_of(tracer, task)->id);
    tracer->task = task;
}

static void on_step_ends(aloop *loop, aloop_task *task, void *arg)
{
    aloop_tracer *tracer = arg;

    (void)loop;
    if (tracer->is_in_slice)
        step_end(tracer, task);
}

static void on_task_done(aloop *loop, aloop_task *task, void *arg)
{
    aloop_tracer *tracer = arg;

    (void)loop;
    if (tracer->is_in_slice) {
        tracer->is_task_done = true;
        return;
    }
    put_instant(tracer, track_of(tracer, task)->id, "dropped", task);
    track_leave(tracer, task);
}

static void on_poll_begins(aloop *loop, void *arg)
{
    (void)loop;
    slice_begin(arg, TRACK_LOOP);
}

static void on_poll_ends(aloop *loop, int64_t events, void *arg)
{
    aloop_tracer *tracer = arg;

    (void)loop;
    if (!tracer->is_in_slice)
        return;
    slice_end(tracer, "poll");
    put_outcome(tracer, "events", events);
    put(tracer, "}}");
}

static void on_callback_begins(aloop *loop, aloop_callback *callback, void *arg)
{
    aloop_tracer *tracer = arg;

    (void)loop;
    slice_begin(tracer, TRACK_LOOP);
    tracer->callback = callback;
}

static void on_callback_ends(aloop *loop, aloop_callback *callback, void *arg)
{
    aloop_tracer *tracer = arg;

    (void)loop;
    (void)callback;
    if (tracer->is_in_slice)
        callback_end(tracer);
}

static void on_closed(aloop *loop, void *arg)
{
    aloop_tracer *tracer = arg;

    (void)loop;
    tracer->is_loop_closed = true;
    put_instant(tracer, TRACK_LOOP, "closed", NULL);
}

static const aloop_instrument tracing = {.size = sizeof tracing,
                                         .task_created = on_task_created,
                                         .task_woken = on_task_woken,
                                         .step_begins = on_step_begins,
                                         .step_ends = on_step_ends,
                                         .task_done = on_task_done,
                                         .poll_begins = on_poll_begins,
                                         .poll_ends = on_poll_ends,
                                         .callback_begins = on_callback_begins,
                                         .callback_ends = on_callback_ends,
                                         .closed = on_closed};

/* --- beginning and ending --- */

int aloop_tracer_start_to(aloop *loop, aloop_tracer_write *write, void *arg,
                          aloop_tracer **out_tracer)
{
    aloop_tracer *tracer;
    int error = loop_guard(loop);

    if (error < 0)
        return error;
    tracer = memory_alloc(&loop->memory, sizeof *tracer);
    if (tracer == NULL)
        return -ENOMEM;
    memset(tracer, 0, offsetof(aloop_tracer, buffer));
    tracer->loop = loop;
    tracer->write = write;
    tracer->arg = arg;
    tracer->others.id = TRACK_OTHERS;
    tracer->start = sys.clock(loop->is_boottime);
    map_init(&tracer->tracks_of_tasks, &loop->memory);
    error = aloop_add_instrument(loop, &tracing, tracer);
    if (error < 0) {
        memory_free(&loop->memory, tracer, sizeof *tracer);
        return error;
    }
    loop_memory_ref(loop);
    put_event(tracer, "M", TRACK_LOOP);
    put(tracer, ",\"name\":\"process_name\",\"args\":{\"name\":\"libaloop\"}}");
    put_name_of_track(tracer, TRACK_LOOP, "loop", 0);
    put_name_of_track(tracer, TRACK_OTHERS, "other tasks", 0);
    *out_tracer = tracer;
    return 0;
}

static int write_to_file(void *arg, const void *bytes, size_t size)
{
    return fwrite(bytes, 1, size, arg) == size ? 0 : -EIO;
}

int aloop_tracer_start(aloop *loop, FILE *file, aloop_tracer **out_tracer)
{
    return aloop_tracer_start_to(loop, write_to_file, file, out_tracer);
}

int aloop_tracer_stop(aloop_tracer *tracer)
{
    aloop *loop;
    int error;

    if (tracer == NULL)
        return 0;
    loop = tracer->loop;
    /* What is under way is what stops the tracer. */
    if (tracer->is_in_slice && tracer->task != NULL)
        step_end(tracer, tracer->task);
    else if (tracer->is_in_slice)
        callback_end(tracer);
    put(tracer, "\n]\n");
    flush(tracer);
    error = tracer->error;
    if (error == 0 && tracer->write == write_to_file && fflush(tracer->arg) != 0)
        error = -EIO;
    if (!tracer->is_loop_closed)
        (void)aloop_remove_instrument(loop, &tracing, tracer);
    tracks_free(tracer);
    memory_free(&loop->memory, tracer, sizeof *tracer);
    loop_memory_unref(loop);
    return error;
}
