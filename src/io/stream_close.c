/*
 * The end of a stream. Closed by the program, it sends what was written; then, if it is to linger,
 * it ends sending and reads until the peer ends, too; then it is gone. A timer bounds both. How
 * much is read while it lingers is bounded for each turn alone: a bound of the whole would bring
 * about, with a peer that has more to send than that, the very reset that lingering is there to
 * avoid. A reset is what a stream ends with of which something is lost: the peer could not tell the
 * end of a half from that of the whole.
 */
#include "io/stream.h"

/* arg: the stream (see stream_begin), its outcome */
enum { STREAM, OUTCOME };

void stream_cut(struct stream *stream)
{
    if (buffer_size(&stream->out) > 0 || stream->sender != NULL)
        stream->is_cut = true;
}

void stream_end(struct stream *stream, int error)
{
    aloop_waiter *waiter;

    stream->is_closing = true;
    aloop_waiter_unlink(&stream->waiter);
    /* The stream will be gone when they look. */
    while ((waiter = aloop_waitlist_first(&stream->closers)) != NULL) {
        CONTAINER_OF(waiter, aloop_op, waiter)->arg[OUTCOME].number = error;
        (void)aloop_wake_one(&stream->closers);
    }
    (void)aloop_wake_all(&stream->writers);
    if (stream->is_cut && stream->transport->abort != NULL)
        stream->transport->abort(stream->context);
    else
        stream->transport->close(stream->context);
    stream_release(stream);
}

static void linger(struct stream *stream)
{
    char scratch[4096];
    int64_t got = 0;

    if (!stream->is_lingering) {
        stream->is_lingering = true;
        timers_arm(&stream->loop->timers, &stream->timer,
                   time_add(stream->loop->now, stream->linger));
    }
    for (int i = 0; i < 16; i++) {
        got = stream->transport->read(stream->context, scratch, sizeof scratch);
        if (got <= 0)
            break;
    }
    if (got > 0) {
        stream_wake(stream);
    } else if (got == -EAGAIN) {
        stream_wait(stream, false);
    } else {
        stream_end(stream, 0);
    }
}

void stream_close_step(struct stream *stream)
{
    if (stream->timer_is_due) {
        stream_cut(stream);
        stream_end(stream, stream->is_lingering ? 0 : -ETIMEDOUT);
        return;
    }
    if (!stream->is_lingering) {
        stream_pump(stream);
        if (stream->write_error == 0 && buffer_size(&stream->out) > 0)
            return;
        if (stream->write_error == 0 && stream->eof_is_wanted && !stream->eof_is_sent)
            return;
    }
    if (stream->write_error < 0 || stream->linger == 0)
        stream_end(stream, stream->write_error);
    else
        linger(stream);
}

void aloop_stream_close(const aloop_stream *handle)
{
    struct stream *stream = stream_find(handle);

    if (stream == NULL)
        return;
    stream->is_closing = true;
    stream->timer_is_due = false;
    /* None of these finds the stream any more, or writes to it. */
    stream->sender = NULL;
    stream_wake_waiters(stream, false);
    stream_wake_waiters(stream, true);
    (void)aloop_wake_all(&stream->writers);
    stream->is_corked = false;
    if (stream->linger > 0 && stream->transport->shutdown != NULL)
        stream->eof_is_wanted = true;
    /* Nobody is told of an error that was told before, save who waits for the end. */
    if (stream->loop->is_closed ||
        (buffer_size(&stream->out) == 0 && !stream->eof_is_wanted && stream->linger == 0)) {
        stream_end(stream, stream->write_error);
        return;
    }
    timers_arm(&stream->loop->timers, &stream->timer,
               time_add(stream->loop->now, stream->close_timeout));
    stream_wake(stream);
}

int aloop_stream_set_linger(const aloop_stream *stream, aloop_ns linger)
{
    struct stream *found = stream_find(stream);

    if (found == NULL)
        return -EBADF;
    if (linger < 0)
        return -EINVAL;
    found->linger = linger;
    return 0;
}

/* One that is being closed, too; NULL if it is gone. */
static struct stream *find_even_closing(const aloop_stream *handle)
{
    return handle->loop != NULL ? stream_numbered(handle->loop, handle->number, true) : NULL;
}

void aloop_stream_abort(const aloop_stream *handle)
{
    struct stream *stream = find_even_closing(handle);

    if (stream == NULL)
        return;
    stream_cut(stream);
    stream_wake_waiters(stream, false);
    stream_wake_waiters(stream, true);
    stream_end(stream, buffer_size(&stream->out) > 0 ? -ECANCELED : stream->write_error);
}

void aloop_stream_reset(const aloop_stream *handle)
{
    struct stream *stream = find_even_closing(handle);

    if (stream == NULL)
        return;
    stream->is_cut = true;
    aloop_stream_abort(handle);
}

static aloop_poll closed_poll(aloop_task *task, aloop_op *op)
{
    const struct streams *streams = task->future.loop->streams;
    struct stream *stream = streams != NULL ? slots_find(&streams->slots, op->arg[STREAM].number)
                                            : NULL;

    return stream != NULL ? aloop_op_wait(op, &stream->closers) : op->arg[OUTCOME].number;
}

static aloop_poll closed_begin(aloop_task *task, aloop_op *op)
{
    int error = 0;

    if (stream_begin(task, op, true, &error) == NULL)
        return error == -EBADF ? 0 : error;
    op->poll = closed_poll;
    return closed_poll(task, op);
}

static const aloop_op_type closed_type = {
    .name = "stream wait_closed", .describe = stream_describe};

aloop_op aloop_stream_wait_closed(const aloop_stream *stream)
{
    return (aloop_op){.poll = closed_begin, .type = &closed_type, .arg = {{.data = stream}}};
}
