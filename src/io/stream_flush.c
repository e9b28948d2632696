/*
 * What goes with writing to a stream: waiting for room and for the end of what was written, the
 * cork, the end of sending, and files.
 */
#include "io/stream.h"

/* --- drain and flush --- */

static aloop_poll drain_poll(aloop_task *task, aloop_op *op)
{
    struct stream *stream = stream_of_op(task, op);

    if (stream == NULL)
        return -ECANCELED;
    if (stream->write_error < 0)
        return stream->write_error;
    return stream->is_paused ? aloop_op_wait(op, &stream->writers) : 0;
}

static aloop_poll flush_poll(aloop_task *task, aloop_op *op)
{
    struct stream *stream = stream_of_op(task, op);

    if (stream == NULL)
        return -ECANCELED;
    if (stream->write_error < 0)
        return stream->write_error;
    if (stream->sender == NULL && buffer_size(&stream->out) == 0 &&
        stream->eof_is_sent == stream->eof_is_wanted)
        return 0;
    stream->is_flushing = true;
    return aloop_op_wait(op, &stream->writers);
}

static aloop_poll drain_begin(aloop_task *task, aloop_op *op)
{
    int error = 0;

    if (stream_begin(task, op, false, &error) == NULL)
        return error;
    op->poll = drain_poll;
    return drain_poll(task, op);
}

static aloop_poll flush_begin(aloop_task *task, aloop_op *op)
{
    int error = 0;
    struct stream *stream = stream_begin(task, op, false, &error);

    if (stream == NULL)
        return error;
    stream->is_flushing = true;
    if (!aloop_waiter_is_linked(&stream->waiter))
        stream_pump(stream);
    op->poll = flush_poll;
    return flush_poll(task, op);
}

static const aloop_op_type drain_type = {.name = "stream drain", .describe = stream_describe};
static const aloop_op_type flush_type = {.name = "stream flush", .describe = stream_describe};

aloop_op aloop_stream_drain(const aloop_stream *stream)
{
    return (aloop_op){.poll = drain_begin, .type = &drain_type, .arg = {{.data = stream}}};
}

aloop_op aloop_stream_flush(const aloop_stream *stream)
{
    return (aloop_op){.poll = flush_begin, .type = &flush_type, .arg = {{.data = stream}}};
}

int aloop_stream_cork(const aloop_stream *stream, bool is_corked)
{
    struct stream *found = stream_find(stream);

    if (found == NULL)
        return -EBADF;
    found->is_corked = is_corked;
    if (!is_corked && !aloop_waiter_is_linked(&found->waiter))
        stream_pump(found);
    return 0;
}

int aloop_stream_write_eof(const aloop_stream *stream)
{
    struct stream *found = stream_find(stream);
    const struct watch *watch;

    if (found == NULL)
        return -EBADF;
    watch = socket_watch(&found->socket);
    if (found->transport->shutdown == NULL || (watch != NULL && watch->is_file))
        return -ENOTSUP;
    found->eof_is_wanted = true;
    /* What is corked would come after the end. */
    found->is_corked = false;
    if (!aloop_waiter_is_linked(&found->waiter))
        stream_wake(found);
    return 0;
}

size_t aloop_stream_unsent(const aloop_stream *stream)
{
    const struct stream *found = stream_find(stream);

    return found != NULL ? buffer_size(&found->out) : 0;
}

/* --- files --- */

/* arg: the stream, the file, where to begin, how much or -1 */
enum { STREAM, FILE_FD, OFFSET, SIZE };

static void sendfile_drop(aloop_task *task, aloop_op *op)
{
    struct stream *stream = stream_of_op(task, op);

    if (stream != NULL && stream->sender == op)
        stream_sender_ended(stream);
}

static const aloop_op_type sendfile_type = {
    .name = "stream sendfile", .drop = sendfile_drop, .describe = stream_describe};

/* Is it the connection that is broken? Of all else reading the file by hand tells more. */
static bool is_of_connection(int64_t error)
{
    return error == -EPIPE || error == -ECONNRESET || error == -ENOTCONN || error == -ETIMEDOUT;
}

/* One piece by way of the buffer, which is empty: bytes, 0 at the end of the file, or an error of
   reading it. */
static int64_t copy_piece(struct stream *stream, int file, int64_t offset, size_t size)
{
    struct buffer *out = &stream->out;
    ssize_t got;

    if (size > ALOOP_STREAM_GATHER)
        size = ALOOP_STREAM_GATHER;
    if (buffer_reserve(stream->loop->streams, out, size) < 0)
        return -ENOMEM;
    got = sys.pread(file, out->block + out->end, size, offset);
    if (got > 0)
        out->end += (size_t)got;
    else
        buffer_fini(stream->loop->streams, out);
    return got;
}

/* The next piece: bytes; 0 when there are no more, or no more are wanted; -EAGAIN; or an error. */
static int64_t send_piece(struct stream *stream, const aloop_op *op)
{
    size_t rest = op->arg[SIZE].number < 0 ? SIZE_MAX : op->arg[SIZE].size - stream->written;
    int64_t offset = op->arg[OFFSET].number + (int64_t)stream->written;
    int file = (int)op->arg[FILE_FD].number;
    int64_t put;

    if (rest == 0)
        return 0;
    if (!stream->copies_file) {
        put = stream_plain_sendfile(stream, file, offset, rest);
        if (put >= 0 || put == -EAGAIN || is_of_connection(put))
            return put;
        stream->copies_file = true;
    }
    return copy_piece(stream, file, offset, rest);
}

static aloop_poll sendfile_go_on(aloop_task *task, aloop_op *op, struct stream *stream)
{
    for (;;) {
        int64_t put = stream_send_gathered(stream);

        if (put == -EAGAIN)
            return aloop_op_wait(op, &stream->writers);
        if (put < 0)
            return stream_sender_ends(stream, put);
        put = send_piece(stream, op);
        if (put == -EAGAIN)
            return stream_op_wait(stream, op, true);
        if (put == 0)
            return stream_sender_ends(stream, (aloop_poll)stream->written);
        if (put < 0) {
            if (!stream->copies_file)
                return stream_sender_ends(stream, put);
            stream_sender_ended(stream);
            return put;
        }
        stream_touch(stream);
        stream->written += (size_t)put;
        task->future.loop->budget -= (int)((size_t)put >> 11) + 1;
        if (task->future.loop->budget <= 0)
            return aloop_op_yield(task);
    }
}

static aloop_poll sendfile_poll(aloop_task *task, aloop_op *op)
{
    struct stream *stream = stream_of_op(task, op);
    int error;

    if (stream == NULL)
        return -ECANCELED;
    if (stream->sender == op)
        return stream->write_error < 0 ? stream_sender_ends(stream, stream->write_error)
                                       : sendfile_go_on(task, op, stream);
    error = stream_write_check(stream);
    if (error < 0)
        return error;
    if (stream_has_to_wait(stream, op))
        return aloop_op_wait(op, &stream->writers);
    stream->written = 0;
    stream->copies_file = false;
    stream->sender = op;
    return sendfile_go_on(task, op, stream);
}

static aloop_poll sendfile_begin(aloop_task *task, aloop_op *op)
{
    int error = 0;

    if (stream_begin(task, op, false, &error) == NULL)
        return error;
    if (op->arg[OFFSET].number < 0 || op->arg[SIZE].number < -1)
        return -EINVAL;
    op->poll = sendfile_poll;
    return sendfile_poll(task, op);
}

aloop_op aloop_stream_sendfile(const aloop_stream *stream, int file, int64_t offset, int64_t size)
{
    return (aloop_op){
        .poll = sendfile_begin,
        .type = &sendfile_type,
        .arg = {{.data = stream}, {.number = file}, {.number = offset}, {.number = size}}};
}
