/*
 * Reading from a stream. What is asked for is looked for in the buffer; if it is not there, one
 * call of the transport brings more, until it is, or there is nothing: so input is read only on
 * somebody's behalf, and a peer that sends more than is read is slowed down by the system. Nothing
 * leaves the buffer before the moment the reader gets it. Where the buffer is empty and the reader
 * has room for much, the bytes go there directly.
 */
#include "io/stream.h"

/* From here on a reader's own room is worth reading into. */
#define DIRECT_MIN BUFFER_MIN
#define FILL_MAX ((size_t)64 << 10)

/* A kind of read. */
struct aloop_stream_kind_ {
    aloop_op_type type;
    /* What the buffer gives: the outcome, or ALOOP_PENDING: more is needed. `is_end`: there will be
       no more. */
    aloop_poll (*take)(struct stream *stream, aloop_op *op, bool is_end);
    /* Gets more: bytes, 0 at the end, -EAGAIN, or an error. NULL: to the buffer. */
    int64_t (*more)(struct stream *stream, struct watch *watch, aloop_op *op);
    /* Is there something to get ready, or to refuse? 0 or an error. */
    int (*begin)(struct stream *stream, aloop_op *op);
};

static inline const struct aloop_stream_kind_ *kind_of(const aloop_op *op)
{
    return CONTAINER_OF(op->type, struct aloop_stream_kind_, type);
}

static char *in_data(const struct stream *stream)
{
    return stream->in.block + stream->in.begin;
}

static void in_consume(struct stream *stream, size_t size)
{
    stream->in.begin += size;
    stream->scanned = 0;
}

/* The bytes, which are read by that. They stay where they are until the next read. */
static aloop_poll give(struct stream *stream, aloop_slice *out_bytes, size_t size)
{
    *out_bytes = (aloop_slice){.data = size > 0 ? in_data(stream) : "", .size = size};
    in_consume(stream, size);
    return (aloop_poll)size;
}

/* `watch`: see stream_watch(). */
static inline int64_t transport_read(struct stream *stream, struct watch *watch, void *buffer,
                                     size_t size)
{
    int64_t got = watch != NULL ? stream_watch_read(stream->loop, watch, buffer, size)
                                : stream->transport->read(stream->context, buffer, size);

    if (got <= 0)
        return got;
    stream->loop->budget -= (int)((size_t)got >> 10);
    stream_touch(stream);
    return got;
}

/* Room for what may come. A buffer that is not full, or half of it read, is good enough. */
static NOINLINE int make_room(struct stream *stream)
{
    struct buffer *in = &stream->in;
    size_t used = buffer_size(in);
    int error = 0;

    if (used == 0) {
        in->begin = in->end = 0;
        if (in->capacity < stream->next_fill)
            error = buffer_reserve(stream->loop->streams, in, stream->next_fill);
        return in->capacity > 0 ? 0 : error;
    }
    if (in->end < in->capacity)
        return 0;
    if (used <= in->capacity / 2)
        return buffer_reserve(stream->loop->streams, in, in->capacity - used);
    return buffer_reserve(stream->loop->streams, in, stream->next_fill);
}

static ALWAYS_INLINE int64_t fill_buffer(struct stream *stream, struct watch *watch)
{
    struct buffer *in = &stream->in;
    size_t room;
    int64_t got;

    /* A stream that had nothing gets a spare block. */
    if ((in->block != NULL || stream->next_fill != BUFFER_MIN ||
         !buffer_take_spare(stream->loop->streams, in)) &&
        make_room(stream) < 0)
        return -ENOMEM;
    room = in->capacity - in->end;
    got = transport_read(stream, watch, in->block + in->end, room);
    if (ALOOP_UNLIKELY(got <= 0))
        return got;
    in->end += (size_t)got;
    stream->got += (size_t)got;
    /* A peer that fills the room may fill more. */
    if (ALOOP_UNLIKELY((size_t)got == room) && stream->next_fill < FILL_MAX)
        stream->next_fill *= 2;
    return got;
}

static NOINLINE int64_t fill(struct stream *stream, struct watch *watch)
{
    return fill_buffer(stream, watch);
}

/* --- every read --- */

static aloop_poll ended(struct stream *stream, aloop_poll outcome)
{
    stream->is_reading = false;
    return outcome;
}

static inline aloop_poll read_wait(struct stream *stream, struct watch *watch, aloop_op *op)
{
    /* What was written is lost, and an answer to it will not come. */
    if (ALOOP_UNLIKELY(stream->write_error < 0))
        return ended(stream, stream->write_error);
    if (buffer_size(&stream->in) == 0) {
        buffer_fini(stream->loop->streams, &stream->in);
        /* What comes next is likely as large as what came last. */
        if (stream->next_fill > BUFFER_MIN && stream->got < stream->next_fill / 4)
            stream->next_fill /= 2;
        stream->got = 0;
    }
    stream->is_reading = true;
    return watch != NULL ? aloop_op_wait(op, &watch->readers) : stream_op_wait(stream, op, false);
}

/* One read, and a look at what there is then. True if that decides: *out_outcome. */
static ALWAYS_INLINE bool read_once(struct stream *stream, struct watch *watch, aloop_op *op,
                                    aloop_poll *out_outcome)
{
    const struct aloop_stream_kind_ *kind = kind_of(op);
    int64_t got = kind->more != NULL ? kind->more(stream, watch, op) : fill_buffer(stream, watch);

    if (ALOOP_UNLIKELY(got <= 0)) {
        if (got == -EAGAIN || got == -ENOMEM) {
            *out_outcome = got == -EAGAIN ? read_wait(stream, watch, op) : ended(stream, got);
            return true;
        }
        if (got == 0)
            stream->has_ended = true;
        else
            stream->read_error = (int)got;
    }
    *out_outcome = kind->take(stream, op, stream->has_ended);
    if (*out_outcome == ALOOP_PENDING)
        return false;
    stream->is_reading = false;
    return true;
}

/* What is in the buffer was not enough, and nobody else takes from it: so more is got before it is
   looked at again. */
static NOINLINE aloop_poll read_more(aloop_task *task, aloop_op *op, struct stream *stream)
{
    struct watch *watch = stream_watch(stream);
    aloop_poll outcome;

    do {
        if (stream->read_error < 0)
            return ended(stream, stream->read_error);
        if (task->future.loop->budget <= 0) {
            stream->is_reading = true;
            return aloop_op_yield(task);
        }
        /* No room is made to hear what is known. */
        if (watch != NULL && !(watch->ready & POLLER_READ))
            return read_wait(stream, watch, op);
    } while (!read_once(stream, watch, op, &outcome));
    return outcome;
}

static aloop_poll read_poll(aloop_task *task, aloop_op *op)
{
    struct stream *stream = stream_of_op(task, op);
    struct watch *watch;
    aloop_poll outcome;

    if (ALOOP_UNLIKELY(stream == NULL))
        return -ECANCELED;
    watch = stream_watch(stream);
    /* As a rule one read is enough. */
    if (ALOOP_LIKELY(watch != NULL && watch->ready & POLLER_READ && stream->read_error == 0) &&
        read_once(stream, watch, op, &outcome))
        return outcome;
    return read_more(task, op, stream);
}

aloop_poll aloop_stream_read_poll_(aloop_task *task, aloop_op *op)
{
    const struct aloop_stream_kind_ *kind = kind_of(op);
    struct watch *watch;
    aloop_poll outcome;
    int error = 0;
    struct stream *stream = stream_begin(task, op, false, &error);

    if (ALOOP_UNLIKELY(stream == NULL))
        return error;
    if (ALOOP_UNLIKELY(stream->is_reading))
        return -EBUSY;
    stream->scanned = 0;
    error = kind->begin != NULL ? kind->begin(stream, op) : 0;
    if (error < 0)
        return error;
    /* Which begin() may have changed. */
    kind = kind_of(op);
    outcome = kind->take(stream, op, stream->has_ended);
    if (outcome != ALOOP_PENDING)
        return outcome;
    op->poll = read_poll;
    watch = stream_watch(stream);
    /* As a rule it has all been read: what comes next is still under way. */
    if (ALOOP_LIKELY(watch != NULL && !(watch->ready & POLLER_READ) && stream->read_error == 0))
        return read_wait(stream, watch, op);
    return read_more(task, op, stream);
}

/* Not waiting any more, for whatever reason. */
static void read_drop(aloop_task *task, aloop_op *op)
{
    struct stream *stream = stream_of_op(task, op);

    if (stream != NULL)
        stream->is_reading = false;
}

/* --- what there is --- */

/* arg of read and read_exactly: the stream, the buffer, its size, and what of a read has come there
   directly */
enum { STREAM, BUFFER, SIZE, DIRECT };

static aloop_poll some_take(struct stream *stream, aloop_op *op, bool is_end)
{
    size_t size = op->arg[SIZE].size;
    size_t there = buffer_size(&stream->in);

    if (op->arg[DIRECT].number > 0)
        return op->arg[DIRECT].number;
    if (size > there)
        size = there;
    if (size == 0)
        return op->arg[SIZE].size == 0 || is_end ? 0 : ALOOP_PENDING;
    memcpy(op->arg[BUFFER].pointer, in_data(stream), size);
    in_consume(stream, size);
    return (aloop_poll)size;
}

static int64_t some_more(struct stream *stream, struct watch *watch, aloop_op *op)
{
    int64_t got;

    if (op->arg[SIZE].size < DIRECT_MIN)
        return fill(stream, watch);
    got = transport_read(stream, watch, op->arg[BUFFER].pointer, op->arg[SIZE].size);
    if (got > 0)
        op->arg[DIRECT].number = got;
    return got;
}

const struct aloop_stream_kind_ aloop_stream_read_kind_ = {
    .type = {.name = "stream read", .drop = read_drop, .describe = stream_describe},
    .take = some_take,
    .more = some_more};

/* --- exactly so much --- */

/* Above the limit there is to be no second copy of it all: what has come goes to the reader. */
static aloop_poll large_take(struct stream *stream, aloop_op *op, bool is_end)
{
    size_t size = op->arg[SIZE].size;
    size_t there = buffer_size(&stream->in);

    if (there > size - stream->partial)
        there = size - stream->partial;
    if (there > 0)
        memcpy((char *)op->arg[BUFFER].pointer + stream->partial, in_data(stream), there);
    in_consume(stream, there);
    stream->partial += there;
    if (stream->partial == size)
        return (aloop_poll)size;
    return is_end ? -ALOOP_EEOF : ALOOP_PENDING;
}

static int64_t large_more(struct stream *stream, struct watch *watch, aloop_op *op)
{
    size_t rest = op->arg[SIZE].size - stream->partial;
    int64_t got;

    if (rest < DIRECT_MIN)
        return fill(stream, watch);
    got = transport_read(stream, watch, (char *)op->arg[BUFFER].pointer + stream->partial, rest);
    if (got > 0)
        stream->partial += (size_t)got;
    return got;
}

static aloop_poll exactly_take(struct stream *stream, aloop_op *op, bool is_end)
{
    size_t size = op->arg[SIZE].size;

    if (buffer_size(&stream->in) < size && !is_end)
        return ALOOP_PENDING;
    return large_take(stream, op, is_end);
}

static const struct aloop_stream_kind_ large_kind = {
    .type = {.name = "stream read_exactly", .drop = read_drop, .describe = stream_describe},
    .take = large_take,
    .more = large_more};

static int exactly_begin(struct stream *stream, aloop_op *op)
{
    stream->partial = 0;
    if (op->arg[SIZE].size > (size_t)INT64_MAX)
        return -EINVAL;
    if (op->arg[SIZE].size > stream->limit)
        op->type = &large_kind.type;
    return 0;
}

const struct aloop_stream_kind_ aloop_stream_exactly_kind_ = {
    .type = {.name = "stream read_exactly", .drop = read_drop, .describe = stream_describe},
    .take = exactly_take,
    .begin = exactly_begin};

size_t aloop_stream_partial(const aloop_stream *stream)
{
    const struct stream *found = stream_find(stream);

    return found != NULL ? found->partial : 0;
}

/* --- up to a separator --- */

/* arg of read_until: the stream, the slice to fill, the separators, their count; of read_line,
   peek and read_to_end: the stream, the slice, and a number */
enum { OUT = 1, SEPARATORS, COUNT };
enum { NUMBER = 2 };

/* Where the first occurrence behind `from` begins; SIZE_MAX: there is none. */
static size_t find_bytes(const char *data, size_t size, size_t from, const aloop_slice *what)
{
    while (from + what->size <= size) {
        const char *first = memchr(data + from, what->data[0], size - from - (what->size - 1));

        if (first == NULL)
            return SIZE_MAX;
        if (memcmp(first, what->data, what->size) == 0)
            return (size_t)(first - data);
        from = (size_t)(first - data) + 1;
    }
    return SIZE_MAX;
}

/* The separator that ends first: where it begins, SIZE_MAX if none is there; and its end. What has
   been searched before is not searched again, but for what a separator may have begun in. */
static size_t find_separator(struct stream *stream, const aloop_slice *separators, size_t count,
                             size_t *out_end)
{
    size_t size = buffer_size(&stream->in);
    size_t begin = SIZE_MAX;
    size_t longest = 0;

    *out_end = SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        size_t found = find_bytes(in_data(stream), size, stream->scanned, &separators[i]);

        if (separators[i].size > longest)
            longest = separators[i].size;
        if (found != SIZE_MAX && (found + separators[i].size < *out_end ||
                                  (found + separators[i].size == *out_end && found > begin))) {
            begin = found;
            *out_end = found + separators[i].size;
        }
    }
    if (begin == SIZE_MAX && size >= longest)
        stream->scanned = size - longest + 1;
    return begin;
}

static aloop_poll until_take(struct stream *stream, aloop_op *op, bool is_end)
{
    size_t end = 0;
    size_t begin = SIZE_MAX;

    if (buffer_size(&stream->in) > 0)
        begin = find_separator(stream, op->arg[SEPARATORS].data, op->arg[COUNT].size, &end);
    if (begin == SIZE_MAX ? stream->scanned > stream->limit : begin > stream->limit)
        return -EMSGSIZE;
    if (begin != SIZE_MAX)
        return give(stream, op->arg[OUT].pointer, end);
    if (!is_end)
        return ALOOP_PENDING;
    (void)give(stream, op->arg[OUT].pointer, buffer_size(&stream->in));
    return -ALOOP_EEOF;
}

static int until_begin(struct stream *stream, aloop_op *op)
{
    const aloop_slice *separators = op->arg[SEPARATORS].data;

    (void)stream;
    for (size_t i = 0; i < op->arg[COUNT].size; i++) {
        if (separators[i].size == 0)
            return -EINVAL;
    }
    return op->arg[COUNT].size > 0 ? 0 : -EINVAL;
}

static const struct aloop_stream_kind_ until_kind = {
    .type = {.name = "stream read_until", .drop = read_drop, .describe = stream_describe},
    .take = until_take,
    .begin = until_begin};

aloop_op aloop_stream_read_until(const aloop_stream *stream, const aloop_slice *separators,
                                 size_t count, aloop_slice *out_bytes)
{
    return (aloop_op){
        .poll = aloop_stream_read_poll_,
        .type = &until_kind.type,
        .arg = {{.data = stream}, {.pointer = out_bytes}, {.data = separators}, {.size = count}}};
}

/* --- a line --- */

static aloop_poll line_take(struct stream *stream, aloop_op *op, bool is_end)
{
    static const aloop_slice newline = {.data = "\n", .size = 1};
    size_t size = buffer_size(&stream->in);
    size_t end = 0;
    size_t begin = size > 0 ? find_separator(stream, &newline, 1, &end) : SIZE_MAX;

    if (begin == SIZE_MAX ? stream->scanned > stream->limit : begin > stream->limit) {
        in_consume(stream, begin != SIZE_MAX ? end : size);
        return -EMSGSIZE;
    }
    if (begin == SIZE_MAX && !is_end)
        return ALOOP_PENDING;
    return give(stream, op->arg[OUT].pointer, begin != SIZE_MAX ? end : size);
}

const struct aloop_stream_kind_ aloop_stream_line_kind_ = {
    .type = {.name = "stream read_line", .drop = read_drop, .describe = stream_describe},
    .take = line_take};

/* --- to the end --- */

static aloop_poll to_end_take(struct stream *stream, aloop_op *op, bool is_end)
{
    size_t size = buffer_size(&stream->in);

    if (size > op->arg[NUMBER].size)
        return -EMSGSIZE;
    return is_end ? give(stream, op->arg[OUT].pointer, size) : ALOOP_PENDING;
}

static const struct aloop_stream_kind_ to_end_kind = {
    .type = {.name = "stream read_to_end", .drop = read_drop, .describe = stream_describe},
    .take = to_end_take};

aloop_op aloop_stream_read_to_end(const aloop_stream *stream, size_t most, aloop_slice *out_bytes)
{
    return (aloop_op){.poll = aloop_stream_read_poll_,
                      .type = &to_end_kind.type,
                      .arg = {{.data = stream}, {.pointer = out_bytes}, {.size = most}}};
}

/* --- without reading --- */

static aloop_poll peek_take(struct stream *stream, aloop_op *op, bool is_end)
{
    size_t size = buffer_size(&stream->in);

    if (op->arg[NUMBER].size > stream->limit)
        return -EMSGSIZE;
    if (size < op->arg[NUMBER].size && !is_end)
        return ALOOP_PENDING;
    *(aloop_slice *)op->arg[OUT].pointer =
        (aloop_slice){.data = size > 0 ? in_data(stream) : "", .size = size};
    return (aloop_poll)size;
}

const struct aloop_stream_kind_ aloop_stream_peek_kind_ = {
    .type = {.name = "stream peek", .drop = read_drop, .describe = stream_describe},
    .take = peek_take};

int64_t aloop_stream_consume(const aloop_stream *stream, size_t size)
{
    struct stream *found = stream_find(stream);

    if (found == NULL)
        return -EBADF;
    if (found->is_reading)
        return -EBUSY;
    if (size > buffer_size(&found->in))
        size = buffer_size(&found->in);
    in_consume(found, size);
    return (int64_t)size;
}

bool aloop_stream_at_eof(const aloop_stream *stream)
{
    const struct stream *found = stream_find(stream);

    return found == NULL || (found->has_ended && buffer_size(&found->in) == 0);
}

size_t aloop_stream_buffered(const aloop_stream *stream)
{
    const struct stream *found = stream_find(stream);

    return found != NULL ? buffer_size(&found->in) : 0;
}
