/*
 * Directories: a job reads as many names as fit into the reader's block, and most awaits find one
 * there. What was read for an await that was cancelled stays for the next.
 */
#include "os/executor.h"

#include <aloop/file.h>

/* arg */
enum { PATH, OUT_DIRECTORY };
enum { DIRECTORY, ENTRY };

#define NAMES_SIZE 8192
#define NAME_MAX_BYTES 1023

enum reader_state { READER_IDLE, READER_BUSY, READER_CLOSED };

struct aloop_directory_reader {
    aloop *loop; /* whose memory it is */
    void *stream;
    /* Whoever finds the other side done with it, who closes or the job that ends, frees it. A job
       may end in a thread that outlived the loop. */
    atomic_int state;
    /* A job's, while there is one; else the loop's thread's. */
    int error; /* comes behind the names */
    bool is_at_end;
    size_t begin; /* the first name that nobody has got */
    size_t end;
    char names[NAMES_SIZE]; /* of each the type, and the name with its zero */
};

/* --- opening and closing --- */

static size_t open_size(const aloop_op *op)
{
    (void)op;
    return sizeof(void *);
}

static void **stream_of(struct job *job)
{
    return (void **)(void *)job->block;
}

static void open_fill(struct job *job)
{
    *stream_of(job) = NULL;
}

static int64_t open_run(struct job *job)
{
    return sys.directory_open(job->arg[PATH].data, stream_of(job));
}

static int64_t open_deliver(struct job *job)
{
    aloop *loop = job->executor->loop;
    struct aloop_directory_reader *reader;

    if (job->result < 0)
        return job->result;
    reader = memory_alloc(&loop->memory, sizeof *reader);
    if (reader == NULL) {
        (void)sys.directory_close(*stream_of(job));
        return -ENOMEM;
    }
    reader->loop = loop;
    reader->stream = *stream_of(job);
    atomic_init(&reader->state, READER_IDLE);
    reader->error = 0;
    reader->is_at_end = false;
    reader->begin = 0;
    reader->end = 0;
    loop_memory_ref(loop);
    ((aloop_directory *)job->arg[OUT_DIRECTORY].pointer)->reader = reader;
    return 0;
}

static void open_discard(struct job *job)
{
    if (job->result == 0)
        (void)sys.directory_close(*stream_of(job));
}

static void open_subject(const aloop_op_arg arg[4], aloop_op_details *details)
{
    details_add(details, ": ");
    details_add(details, arg[PATH].data);
}

static const struct job_class open_class = {
    .type = {.name = "directory_open",
             .interrupt = job_interrupt,
             .drop = job_drop,
             .describe = job_describe},
    .lane = EXECUTOR_FILES,
    .run = open_run,
    .subject = open_subject,
    .block_size = open_size,
    .fill = open_fill,
    .deliver = open_deliver,
    .discard = open_discard};

aloop_op aloop_directory_open(const char *path, aloop_directory *out_directory)
{
    return job_op(&open_class, (aloop_op_arg){.data = path},
                  (aloop_op_arg){.pointer = out_directory}, (aloop_op_arg){.number = 0},
                  (aloop_op_arg){.number = 0});
}

static void reader_free(struct aloop_directory_reader *reader)
{
    aloop *loop = reader->loop;

    (void)sys.directory_close(reader->stream);
    memory_free(&loop->memory, reader, sizeof *reader);
    loop_memory_unref(loop);
}

void aloop_directory_close(aloop_directory *directory)
{
    struct aloop_directory_reader *reader = directory->reader;

    directory->reader = NULL;
    if (reader != NULL && atomic_exchange(&reader->state, READER_CLOSED) == READER_IDLE)
        reader_free(reader);
}

/* The job is done with it. False if it was closed meanwhile. */
static bool reader_rests(struct aloop_directory_reader *reader)
{
    int busy = READER_BUSY;

    if (atomic_compare_exchange_strong(&reader->state, &busy, READER_IDLE))
        return true;
    reader_free(reader);
    return false;
}

/* --- names --- */

static void add_name(struct aloop_directory_reader *reader, const char *name, uint32_t type)
{
    size_t size = strlen(name) + 1;

    if (size > NAME_MAX_BYTES + 1) {
        reader->error = -ENAMETOOLONG;
        return;
    }
    memcpy(reader->names + reader->end, &type, sizeof type);
    memcpy(reader->names + reader->end + sizeof type, name, size);
    reader->end += sizeof type + size;
}

static bool has_place(const struct aloop_directory_reader *reader)
{
    return sizeof reader->names - reader->end >= sizeof(uint32_t) + NAME_MAX_BYTES + 1;
}

static int64_t next_run(struct job *job)
{
    struct aloop_directory_reader *reader = job->arg[DIRECTORY].pointer;

    reader->begin = 0;
    reader->end = 0;
    while (reader->error == 0 && !reader->is_at_end && has_place(reader)) {
        const char *name;
        unsigned type;
        int got = sys.directory_next(reader->stream, &name, &type);

        if (got > 0)
            add_name(reader, name, type);
        else if (got == 0)
            reader->is_at_end = true;
        else
            reader->error = got;
    }
    return 0;
}

/* The outcome, if there is one without reading. */
static bool give(struct aloop_directory_reader *reader, aloop_directory_entry *out_entry,
                 int64_t *outcome)
{
    const char *place = reader->names + reader->begin;

    if (reader->begin < reader->end) {
        memcpy(&out_entry->type, place, sizeof out_entry->type);
        out_entry->name = place + sizeof out_entry->type;
        reader->begin += sizeof out_entry->type + strlen(out_entry->name) + 1;
        *outcome = 1;
        return true;
    }
    *outcome = reader->error;
    reader->error = 0;
    return *outcome < 0 || reader->is_at_end;
}

static int64_t next_deliver(struct job *job)
{
    struct aloop_directory_reader *reader = job->arg[DIRECTORY].pointer;
    int64_t outcome;

    if (!reader_rests(reader))
        return -EBADF;
    (void)give(reader, job->arg[ENTRY].pointer, &outcome);
    return outcome;
}

static void next_discard(struct job *job)
{
    (void)reader_rests(job->arg[DIRECTORY].pointer);
}

static void next_never(const aloop_op_arg arg[4])
{
    (void)reader_rests(arg[DIRECTORY].pointer);
}

static const struct job_class next_class = {
    .type = {.name = "directory_next",
             .interrupt = job_interrupt,
             .drop = job_drop,
             .describe = job_describe},
    .lane = EXECUTOR_FILES,
    .run = next_run,
    .deliver = next_deliver,
    .discard = next_discard,
    .never = next_never};

static aloop_poll next_begin(aloop_task *task, aloop_op *op)
{
    const aloop_directory *directory = op->arg[DIRECTORY].data;
    struct aloop_directory_reader *reader = directory->reader;
    int64_t outcome;

    if (reader == NULL)
        return -EBADF;
    if (reader->loop != task->future.loop)
        return -ALOOP_EWRONGLOOP;
    if (atomic_load(&reader->state) == READER_BUSY)
        return -EBUSY;
    if (give(reader, op->arg[ENTRY].pointer, &outcome))
        return outcome;
    atomic_store(&reader->state, READER_BUSY);
    op->arg[DIRECTORY].pointer = reader;
    return job_begin(task, op);
}

aloop_op aloop_directory_next(aloop_directory *directory, aloop_directory_entry *out_entry)
{
    aloop_op op = job_op(&next_class, (aloop_op_arg){.pointer = directory},
                         (aloop_op_arg){.pointer = out_entry}, (aloop_op_arg){.number = 0},
                         (aloop_op_arg){.number = 0});

    op.poll = next_begin;
    return op;
}
