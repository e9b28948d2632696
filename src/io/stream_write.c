/*
 * Writing to a stream. Small writes are gathered in the stream's buffer, which its ready entry
 * sends; a large one is sent from where it is, with what was gathered before it, by the operation
 * itself, which is then the stream's `sender`: until it has ended nobody else adds anything, so
 * that nothing comes between its pieces.
 *
 * Waiting comes before taking, not behind it as in asyncio's write() and drain(): to the peer it is
 * the same, and a small write that is cancelled while it waits has written nothing.
 */
#include "io/stream.h"

/* What one call is given at most. */
#define PIECES_MAX 16

/* Takes account of what went. */
static inline int64_t transport_wrote(struct stream *stream, int64_t put)
{
    if (put <= 0)
        return put < 0 ? put : -EAGAIN;
    stream->loop->budget -= (int)((size_t)put >> 11);
    stream_touch(stream);
    return put;
}

static int64_t transport_writev(struct stream *stream, const struct iovec *pieces, int count)
{
    return transport_wrote(stream, stream->transport->writev(stream->context, pieces, count));
}

static inline struct iovec out_piece(const struct stream *stream)
{
    return (struct iovec){.iov_base = stream->out.block + stream->out.begin,
                          .iov_len = buffer_size(&stream->out)};
}

/* Sends of what is gathered as much as goes. */
static ALWAYS_INLINE int64_t transport_write_out(struct stream *stream)
{
    struct watch *watch = stream_watch(stream);
    struct iovec piece = out_piece(stream);

    if (ALOOP_UNLIKELY(watch == NULL))
        return transport_writev(stream, &piece, 1);
    if (!(watch->ready & POLLER_WRITE))
        return -EAGAIN;
    return transport_wrote(
        stream, stream_watch_write(stream->loop, watch, piece.iov_base, piece.iov_len));
}

/* --- what is gathered --- */

void stream_tell_waiting_writers(struct stream *stream)
{
    if (buffer_size(&stream->out) <= stream->low)
        stream->is_paused = false;
    if (!stream->is_paused || stream->write_error < 0)
        (void)aloop_wake_all(&stream->writers);
}

void stream_fail_writing(struct stream *stream, int error)
{
    if (stream->write_error == 0)
        stream->write_error = error;
    stream->is_paused = false;
    stream_cut(stream);
    buffer_fini(stream->loop->streams, &stream->out);
    stream_tell_writers(stream);
    if (stream->is_reading)
        stream_wake_waiters(stream, false);
}

static void out_sent(struct stream *stream, size_t size)
{
    stream->out.begin += size;
    if (stream->out.begin == stream->out.end)
        buffer_fini(stream->loop->streams, &stream->out);
}

static void send_eof(struct stream *stream)
{
    int error = stream->transport->shutdown(stream->context);

    if (error == -EAGAIN) {
        stream_wait(stream, true);
        return;
    }
    stream->eof_is_sent = true;
    if (error < 0)
        stream_fail_writing(stream, error);
    stream_tell_writers(stream);
}

/* Goes on behind a write that gave `put`, which is not all. */
static NOINLINE int send_further(struct stream *stream, int64_t put)
{
    size_t sent = 0;

    for (;;) {
        if (put < 0) {
            if (put == -EAGAIN)
                stream_wait(stream, true);
            return (int)put;
        }
        out_sent(stream, (size_t)put);
        if (buffer_size(&stream->out) == 0)
            return 0;
        /* A peer that takes all there is does not keep the others from their turn. */
        sent += (size_t)put;
        if (sent >= TRANSFER_MAX) {
            stream_wake(stream);
            return -EAGAIN;
        }
        put = transport_write_out(stream);
    }
}

int stream_send_gathered(struct stream *stream)
{
    size_t size = buffer_size(&stream->out);
    int64_t put;

    if (size == 0)
        return 0;
    put = transport_write_out(stream);
    if (ALOOP_UNLIKELY((size_t)put != size))
        return send_further(stream, put);
    buffer_fini(stream->loop->streams, &stream->out);
    return 0;
}

/* Corked, and nobody waits for what is gathered. */
static bool is_held_back(const struct stream *stream)
{
    return stream->is_corked && !stream->is_paused && !stream->is_flushing &&
           buffer_size(&stream->out) < ALOOP_STREAM_GATHER;
}

void stream_pump(struct stream *stream)
{
    int error;

    aloop_waiter_unlink(&stream->waiter);
    if (ALOOP_UNLIKELY(stream->write_error < 0))
        return;
    if (is_held_back(stream)) {
        stream_tell_writers(stream);
        return;
    }
    error = stream_send_gathered(stream);
    if (ALOOP_UNLIKELY(error < 0 && error != -EAGAIN)) {
        stream_fail_writing(stream, error);
        return;
    }
    if (error == 0 && ALOOP_UNLIKELY(stream->writing != 0)) {
        stream->is_flushing = false;
        if (stream->eof_is_wanted && !stream->eof_is_sent && stream->sender == NULL)
            send_eof(stream);
    }
    stream_tell_writers(stream);
}

/* Something was gathered: it is sent now, if that is much, or soon. */
static void gathered(struct stream *stream)
{
    size_t size = buffer_size(&stream->out);

    /* Already waiting for room: it would only be refused again. */
    if (ALOOP_UNLIKELY(size >= ALOOP_STREAM_GATHER) &&
        !aloop_waiter_is_linked(&stream->waiter)) {
        stream_pump(stream);
        size = buffer_size(&stream->out);
    }
    if (ALOOP_UNLIKELY(size > stream->high))
        stream->is_paused = true;
    if (size > 0 && !aloop_waiter_is_linked(&stream->waiter) && !is_held_back(stream))
        stream_wake(stream);
}

/* Copies small data to the end of the buffer. 0 or -ENOMEM. */
static int gather(struct stream *stream, const void *data, size_t size)
{
    struct buffer *out = &stream->out;

    if (size == 0)
        return 0;
    if (buffer_reserve(stream->loop->streams, out, size) < 0)
        return -ENOMEM;
    memcpy(out->block + out->end, data, size);
    out->end += size;
    gathered(stream);
    return 0;
}

/* All of the pieces, `size` bytes, or none. */
static int gather_pieces(struct stream *stream, const struct iovec *pieces, int count, size_t size)
{
    struct buffer *out = &stream->out;

    if (size == 0)
        return 0;
    if (buffer_reserve(stream->loop->streams, out, size) < 0)
        return -ENOMEM;
    for (int i = 0; i < count; i++) {
        if (pieces[i].iov_len > 0)
            memcpy(out->block + out->end, pieces[i].iov_base, pieces[i].iov_len);
        out->end += pieces[i].iov_len;
    }
    gathered(stream);
    return 0;
}

int aloop_stream_write_nowait(const aloop_stream *stream, const void *data, size_t size)
{
    struct stream *found = stream_find(stream);
    int error = found != NULL ? stream_write_check(found) : -EBADF;

    if (error < 0)
        return error;
    if (found->sender != NULL)
        return -EBUSY;
    return gather(found, data, size);
}

/* --- operations --- */

/* arg of the writes: the stream, the data or the pieces, the size or how many pieces, the size */
enum { STREAM, DATA, COUNT, TOTAL };

void stream_sender_ended(struct stream *stream)
{
    stream->sender = NULL;
    if (stream->eof_is_wanted)
        stream_wake(stream);
    stream_tell_writers(stream);
}

aloop_poll stream_sender_ends(struct stream *stream, aloop_poll outcome)
{
    if (outcome < 0 && outcome != -EAGAIN)
        stream_fail_writing(stream, (int)outcome);
    stream_sender_ended(stream);
    return outcome;
}

static void write_drop(aloop_task *task, aloop_op *op)
{
    struct stream *stream = stream_of_op(task, op);

    if (stream != NULL && stream->sender == op)
        stream_sender_ended(stream);
}

const aloop_op_type aloop_stream_write_type_ = {
    .name = "stream write", .drop = write_drop, .describe = stream_describe};
static const aloop_op_type writev_type = {
    .name = "stream writev", .drop = write_drop, .describe = stream_describe};

/* What the operation writes, as pieces; `single` is where that of a plain write is put. */
static const struct iovec *op_pieces(const aloop_op *op, struct iovec *single, int *out_count)
{
    if (op->type == &writev_type) {
        *out_count = (int)op->arg[COUNT].number;
        return op->arg[DATA].data;
    }
    *single = (struct iovec){.iov_base = op->arg[DATA].pointer, .iov_len = op->arg[COUNT].size};
    *out_count = 1;
    return single;
}

/* What is gathered, and then the operation's own from byte `written` on, as far as there is room.
   Returns how many pieces. */
static int collect_pieces(const struct stream *stream, const aloop_op *op,
                          struct iovec pieces[PIECES_MAX])
{
    struct iovec single;
    size_t skip = stream->written;
    int from_count;
    const struct iovec *from = op_pieces(op, &single, &from_count);
    int count = 0;

    if (buffer_size(&stream->out) > 0)
        pieces[count++] = out_piece(stream);
    for (int i = 0; i < from_count && count < PIECES_MAX; i++) {
        if (skip >= from[i].iov_len) {
            skip -= from[i].iov_len;
            continue;
        }
        pieces[count++] = (struct iovec){.iov_base = (char *)from[i].iov_base + skip,
                                         .iov_len = from[i].iov_len - skip};
        skip = 0;
    }
    return count;
}

static NOINLINE aloop_poll send_directly(aloop_task *task, aloop_op *op, struct stream *stream)
{
    stream->sender = op;
    while (stream->written < op->arg[TOTAL].size) {
        struct iovec pieces[PIECES_MAX];
        int count = collect_pieces(stream, op, pieces);
        size_t gathered = buffer_size(&stream->out);
        int64_t put = transport_writev(stream, pieces, count);

        if (put == -EAGAIN)
            return stream_op_wait(stream, op, true);
        if (put < 0)
            return stream_sender_ends(stream, put);
        out_sent(stream, (size_t)put < gathered ? (size_t)put : gathered);
        stream->written += (size_t)put > gathered ? (size_t)put - gathered : 0;
        if (task->future.loop->budget <= 0 && stream->written < op->arg[TOTAL].size)
            return aloop_op_yield(task);
    }
    return stream_sender_ends(stream, (aloop_poll)op->arg[TOTAL].size);
}

static aloop_poll write_now(aloop_task *task, aloop_op *op, struct stream *stream)
{
    size_t total = op->arg[TOTAL].size;
    int error = stream_write_check(stream);

    if (error < 0)
        return error;
    if (stream_has_to_wait(stream, op))
        return aloop_op_wait(op, &stream->writers);
    stream->written = 0;
    if (total >= ALOOP_STREAM_GATHER)
        return send_directly(task, op, stream);
    error = op->type == &aloop_stream_write_type_
                ? gather(stream, op->arg[DATA].data, total)
                : gather_pieces(stream, op->arg[DATA].data, (int)op->arg[COUNT].number, total);
    if (error < 0)
        return error;
    stream->written = total;
    return (aloop_poll)total;
}

static aloop_poll write_poll(aloop_task *task, aloop_op *op)
{
    struct stream *stream = stream_of_op(task, op);

    if (ALOOP_UNLIKELY(stream == NULL))
        return -ECANCELED;
    if (stream->sender != op)
        return write_now(task, op, stream);
    return stream->write_error < 0 ? stream_sender_ends(stream, stream->write_error)
                                   : send_directly(task, op, stream);
}

static aloop_poll write_begin(aloop_task *task, aloop_op *op)
{
    int error = 0;
    struct stream *stream = stream_begin(task, op, false, &error);

    if (ALOOP_UNLIKELY(stream == NULL))
        return error;
    op->poll = write_poll;
    return write_now(task, op, stream);
}

/* The same with nothing in the way: a small write, where nothing is gathered. */
aloop_poll aloop_stream_write_poll_(aloop_task *task, aloop_op *op)
{
    size_t size = op->arg[TOTAL].size;
    int error = 0;
    struct stream *stream = stream_begin(task, op, false, &error);

    if (ALOOP_UNLIKELY(stream == NULL))
        return error;
    if (ALOOP_UNLIKELY(stream->writing != 0 || stream->sender != NULL ||
                       stream->out.block != NULL || size - 1 >= BUFFER_MIN ||
                       size > stream->high ||
                       !buffer_take_spare(task->future.loop->streams, &stream->out))) {
        op->poll = write_poll;
        return write_now(task, op, stream);
    }
    memcpy(stream->out.block, op->arg[DATA].data, size);
    stream->out.end = size;
    stream->written = size;
    stream_wake(stream);
    return (aloop_poll)size;
}

static aloop_poll too_many_poll(aloop_task *task, aloop_op *op)
{
    (void)task;
    (void)op;
    return -EINVAL;
}

aloop_op aloop_stream_writev(const aloop_stream *stream, const struct iovec *pieces, int count)
{
    uint64_t total = 0;
    bool is_valid = count >= 0;

    for (int i = 0; i < count && is_valid; i++) {
        is_valid = pieces[i].iov_len <= (uint64_t)INT64_MAX - total;
        total += pieces[i].iov_len;
    }
    return (aloop_op){
        .poll = is_valid ? write_begin : too_many_poll,
        .type = &writev_type,
        .arg = {{.data = stream}, {.data = pieces}, {.number = count}, {.size = (size_t)total}}};
}

size_t aloop_stream_written(const aloop_stream *stream)
{
    const struct stream *found = stream_find(stream);

    return found != NULL ? found->written : 0;
}
