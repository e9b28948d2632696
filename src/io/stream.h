/*
 * A stream from the inside. It lives in a slot of its loop's table, which the program's
 * aloop_stream names by number; so nothing depends on how long a copy of that is kept. When it is
 * closed the number keeps working for those who wait for its end, until that has come.
 *
 * One entry of the ready queue, reserved for life, does all that happens by itself: sending what
 * was gathered, going on when there is room again, the timer, the end. It is queued at most once,
 * and a stream that ends while it is queued is freed when its turn comes.
 */
#ifndef ALOOP_SRC_IO_STREAM_H
#define ALOOP_SRC_IO_STREAM_H

#include "io/internal.h"

#include <aloop/stream.h>

/* Bytes begin..end of a block; a NULL block has capacity 0. */
struct buffer {
    char *block;
    size_t capacity;
    size_t begin;
    size_t end;
};

/* Blocks are powers of two from here on; those of the first sizes are kept for the next stream, so
   much of each: a block of the smallest for every event that a poll can bring. */
#define BUFFER_MIN ((size_t)4096)
#define BUFFER_CLASSES 6
#define BUFFER_SPARE_BYTES (256 * BUFFER_MIN)

struct spare {
    struct spare *next;
};

/* What a loop has for its streams. */
struct streams {
    struct dependent dependent;
    aloop *loop;
    struct slots slots; /* struct stream */
    struct stream *last; /* that was asked for, and its number: a task mostly goes on with it; */
    int64_t last_number; /* NULL and 0 if it was released */
    struct spare *spares[BUFFER_CLASSES];
    unsigned spare_count[BUFFER_CLASSES];
};

struct stream {
    struct slot slot;
    aloop *loop;
    const aloop_transport *transport;
    void *context;
    aloop_socket socket; /* the context of a stream over an fd */
    struct watch *watch; /* of that, as long as it has the socket's number: see stream_watch() */
    struct timer timer;
    aloop_ns idle_timeout;
    aloop_ns close_timeout;
    aloop_ns linger;

    bool is_queued; /* has its entry in the ready queue */
    union {
        struct {
            bool is_dead;    /* closed; to be released when the queue comes to it */
            bool is_closing; /* the program has closed it; what was written is still to be sent */
            bool is_lingering;
            bool timer_is_due;
        };
        uint32_t end; /* all of them at once; 0: it lives, and there is nothing else to know */
    };

    /* Reading. */
    bool is_reading; /* an operation waits */
    bool has_ended;  /* the peer's end was read */
    int read_error;
    struct buffer in;
    size_t limit;
    size_t next_fill; /* how much room the next read is worth */
    size_t got;       /* since a read last had to wait for the first byte */
    size_t scanned;   /* by the read that waits: up to there is no separator */
    size_t partial;

    /* Writing. */
    union {
        struct {
            bool is_paused; /* was above high, and is not down to low */
            bool is_corked;
            bool is_flushing; /* somebody waits for all that was gathered, corked or not */
            bool eof_is_wanted;
            int write_error;
        };
        uint64_t writing; /* all of them at once; 0: there is nothing in the way of a write */
    };
    bool copies_file; /* the sender is a sendfile that the kernel does not do */
    bool eof_is_sent;
    bool is_cut; /* something of what was to be sent is lost, and the peer should know */
    struct buffer out;
    size_t high;
    size_t low;
    size_t written;       /* of the last write; and, while `sender` is set, of that */
    const void *sender;   /* the operation in the middle of what only it has */
    aloop_waiter waiter;  /* waits for room, or for input while lingering */
    aloop_waitlist writers; /* operations that wait for `out` to get shorter, or for the sender */
    aloop_waitlist closers;
};

static inline size_t buffer_size(const struct buffer *buffer)
{
    return buffer->end - buffer->begin;
}

/* --- stream_buffer.c --- */
/* As buffer_reserve() and buffer_fini(), whatever the block. */
int buffer_grow(struct streams *streams, struct buffer *buffer, size_t size);
void buffer_give_back(struct streams *streams, struct buffer *buffer);
/* At the loop's end. */
void buffers_free_spares(struct streams *streams);

/* Room for `size` more bytes behind the end. 0 or -ENOMEM. */
static inline int buffer_reserve(struct streams *streams, struct buffer *buffer, size_t size)
{
    return size <= buffer->capacity - buffer->end ? 0 : buffer_grow(streams, buffer, size);
}

/* The usual case, as every message takes and gives back two: a buffer without a block gets a spare
   one of the smallest size. False if there is none. */
static inline bool buffer_take_spare(struct streams *streams, struct buffer *buffer)
{
    struct spare *spare = streams->spares[0];

    if (ALOOP_UNLIKELY(spare == NULL))
        return false;
    streams->spares[0] = spare->next;
    streams->spare_count[0]--;
    buffer->block = (char *)spare;
    buffer->capacity = BUFFER_MIN;
    return true;
}

/* Gives the block back. */
static inline void buffer_fini(struct streams *streams, struct buffer *buffer)
{
    struct spare *spare = (struct spare *)(void *)buffer->block;

    if (buffer->capacity != BUFFER_MIN ||
        ALOOP_UNLIKELY(streams->spare_count[0] >= BUFFER_SPARE_BYTES / BUFFER_MIN)) {
        buffer_give_back(streams, buffer);
        return;
    }
    spare->next = streams->spares[0];
    streams->spares[0] = spare;
    streams->spare_count[0]++;
    *buffer = (struct buffer){0};
}

/* --- stream.c --- */
/* 0 or -EINVAL. */
int stream_options_check(const aloop_stream_options *options);
/* aloop_op_type.describe of the operations on streams. */
void stream_describe(const aloop_task *task, const aloop_op *op, aloop_op_details *details);
/* Its entry in the ready queue. */
void stream_run(aloop *loop, void *arg);
/* Waits on the transport's list: the stream itself, and an operation; and wakes all who do. */
void stream_wait(struct stream *stream, bool is_for_writing);
aloop_poll stream_op_wait(const struct stream *stream, aloop_op *op, bool is_for_writing);
void stream_wake_waiters(const struct stream *stream, bool is_for_writing);
/* Bytes have moved, and the stream has an idle timeout. */
void stream_put_off_timeout(struct stream *stream);
/* Frees all that is the stream's own: it names nothing any more. */
void stream_release(struct stream *stream);

/* The stream with that number. One that is being closed is found only if `even_closing`. */
static inline struct stream *stream_numbered(const aloop *loop, int64_t number, bool even_closing)
{
    struct streams *streams = loop->streams;
    struct stream *stream;

    if (ALOOP_UNLIKELY(streams == NULL))
        return NULL;
    if (streams->last_number != number) {
        stream = slots_find(&streams->slots, number);
        if (ALOOP_UNLIKELY(stream == NULL))
            return NULL;
        streams->last = stream;
        streams->last_number = number;
    }
    stream = streams->last;
    return stream != NULL && (even_closing || !stream->is_closing) ? stream : NULL;
}

/* The stream of a plain call, NULL if it is closed or being closed. */
static inline struct stream *stream_find(const aloop_stream *stream)
{
    return ALOOP_LIKELY(stream->loop != NULL)
               ? stream_numbered(stream->loop, stream->number, false)
               : NULL;
}

/* The stream of an operation that has waited; NULL: it was closed. */
static inline struct stream *stream_of_op(const aloop_task *task, const aloop_op *op)
{
    return stream_numbered(task->future.loop, op->arg[0].number, false);
}

/* The stream that an operation was built with, and the number in its place, from then on. NULL:
   *out_error says why. */
static inline struct stream *stream_begin(const aloop_task *task, aloop_op *op, bool even_closing,
                                          int *out_error)
{
    const aloop_stream *handle = op->arg[0].data;
    struct stream *stream;

    if (ALOOP_UNLIKELY(handle->loop != task->future.loop)) {
        *out_error = handle->loop == NULL ? -EBADF : -ALOOP_EWRONGLOOP;
        return NULL;
    }
    op->arg[0].number = handle->number;
    stream = stream_numbered(task->future.loop, op->arg[0].number, even_closing);
    if (ALOOP_UNLIKELY(stream == NULL))
        *out_error = -EBADF;
    return stream;
}

/* Has its entry run soon. */
static inline void stream_wake(struct stream *stream)
{
    if (stream->is_queued)
        return;
    stream->is_queued = true;
    ready_push(&stream->loop->ready, stream_run, stream);
}

/* Bytes have moved. */
static inline void stream_touch(struct stream *stream)
{
    if (stream->idle_timeout > 0)
        stream_put_off_timeout(stream);
}

/* The watch of a stream over an fd, found without looking its number up: a slot stays where it is.
   NULL: the stream has another transport, or somebody closed the fd and the number came up again;
   what the transport's own functions say then is right. */
static inline struct watch *stream_watch(const struct stream *stream)
{
    struct watch *watch = stream->watch;

    return watch != NULL && slot_has_number(&watch->slot, stream->socket.watch) ? watch : NULL;
}

/* --- stream_write.c --- */
/* Sends what is gathered, as far as it goes. */
void stream_pump(struct stream *stream);
/* The connection is broken for writing: what was gathered is lost, and all who wait are told. */
void stream_fail_writing(struct stream *stream, int error);

/* 0: all is sent; -EAGAIN: has to wait, and will go on by itself; or an error. */
int stream_send_gathered(struct stream *stream);

/* May anything be written? 0, or the error. */
static inline int stream_write_check(const struct stream *stream)
{
    if (ALOOP_UNLIKELY(stream->write_error < 0))
        return stream->write_error;
    return ALOOP_UNLIKELY(stream->eof_is_wanted) ? -EPIPE : 0;
}

/* Has somebody else the word, or is there too much? Then the operation waits on `writers`. */
static inline bool stream_has_to_wait(const struct stream *stream, const aloop_op *op)
{
    return stream->sender != op && (stream->sender != NULL || stream->is_paused);
}

/* Wakes those who wait, if there is reason to. */
void stream_tell_waiting_writers(struct stream *stream);
/* `out` has got shorter, or nobody needs to wait for that any more. */
static inline void stream_tell_writers(struct stream *stream)
{
    if (ALOOP_UNLIKELY(stream->is_paused || !aloop_waitlist_is_empty(&stream->writers)))
        stream_tell_waiting_writers(stream);
}
/* The operation that was the sender leaves the word to others; with its outcome, if that is an
   error of the connection. */
void stream_sender_ended(struct stream *stream);
aloop_poll stream_sender_ends(struct stream *stream, aloop_poll outcome);

/* --- stream_transport.c --- */
/* One write to an fd that is no socket, by the call that holds back the signal of a broken pipe. */
int64_t stream_file_write(const struct watch *watch, const void *data, size_t size);

/* What the transport of sockets does, for who has the watch, and knows that it may be ready: one
   read, and one write. */
static inline int64_t stream_watch_read(const aloop *loop, struct watch *watch, void *buffer,
                                        size_t size)
{
    size_t most = size < TRANSFER_MAX ? size : TRANSFER_MAX;
    ssize_t got;

    got = watch->is_file ? sys.read(watch->fd, buffer, most)
                         : sys.recv(watch->fd, buffer, most, 0);
    if (got == -EAGAIN ||
        (got > 0 && (size_t)got < most && watch->is_tcp && !watch->hangup))
        socket_used_up(loop, watch, POLLER_READ);
    return got;
}

static inline int64_t stream_watch_write(const aloop *loop, struct watch *watch, const void *data,
                                         size_t size)
{
    int64_t put = ALOOP_UNLIKELY(watch->is_file) ? stream_file_write(watch, data, size)
                                                 : sys.send(watch->fd, data, size, 0);

    if (ALOOP_UNLIKELY((size_t)put != size) &&
        (put == -EAGAIN || (put >= 0 && watch->is_tcp && !watch->hangup)))
        socket_used_up(loop, watch, POLLER_WRITE);
    return put;
}

/* At most `size` bytes of a file: as sys.sendfile; -ENOTSUP if the transport is not the system's.
   */
int64_t stream_plain_sendfile(const struct stream *stream, int file, int64_t offset, size_t size);

/* --- stream_close.c --- */
/* The part of the ready entry for a stream that is being closed. */
void stream_close_step(struct stream *stream);
/* What is still to be sent will not be. */
void stream_cut(struct stream *stream);
/* Ends it now: `error` is for those who wait for that. */
void stream_end(struct stream *stream, int error);

#endif
