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
    struct spare *spares[BUFFER_CLASSES];
    unsigned spare_count[BUFFER_CLASSES];
};

struct stream {
    struct slot slot;
    aloop *loop;
    const aloop_transport *transport;
    void *context;
    aloop_socket socket; /* the context of a stream over an fd */
    struct timer timer;
    aloop_ns idle_timeout;
    aloop_ns close_timeout;
    aloop_ns linger;

    bool is_queued;  /* has its entry in the ready queue */
    bool is_dead;    /* closed; to be released when the queue comes to it */
    bool is_closing; /* the program has closed it; what was written is still to be sent */
    bool is_lingering;
    bool timer_is_due;

    /* Reading. */
    bool is_reading; /* an operation waits */
    bool has_ended;  /* the peer's end was read */
    int read_error;
    struct buffer in;
    size_t limit;
    size_t next_fill; /* how much room the next read is worth */
    size_t scanned;   /* by the read that waits: up to there is no separator */
    size_t partial;

    /* Writing. */
    bool is_paused; /* was above high, and is not down to low */
    bool is_corked;
    bool is_flushing;  /* somebody waits for all that was gathered, corked or not */
    bool copies_file;  /* the sender is a sendfile that the kernel does not do */
    bool eof_is_wanted;
    bool eof_is_sent;
    int write_error;
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
/* Room for `size` more bytes behind the end. 0 or -ENOMEM. */
int buffer_reserve(struct streams *streams, struct buffer *buffer, size_t size);
/* Gives the block back. */
void buffer_fini(struct streams *streams, struct buffer *buffer);
/* At the loop's end. */
void buffers_free_spares(struct streams *streams);

/* --- stream.c --- */
/* 0 or -EINVAL. */
int stream_options_check(const aloop_stream_options *options);
/* The stream that an operation was built with, and the number in its place, from then on. NULL:
   *out_error says why. One that is being closed is found only if `even_closing`. */
struct stream *stream_begin(const aloop_task *task, aloop_op *op, bool even_closing,
                            int *out_error);
/* The stream of an operation that has waited; NULL: it was closed. */
struct stream *stream_of_op(const aloop_task *task, const aloop_op *op);
/* aloop_op_type.describe of the operations on streams. */
void stream_describe(const aloop_task *task, const aloop_op *op, aloop_op_details *details);
/* The stream of a plain call, NULL if it is closed or being closed. */
struct stream *stream_find(const aloop_stream *stream);
/* Has its entry run soon. */
void stream_wake(struct stream *stream);
/* Waits on the transport's list: the stream itself, and an operation; and wakes all who do. */
void stream_wait(struct stream *stream, bool is_for_writing);
aloop_poll stream_op_wait(const struct stream *stream, aloop_op *op, bool is_for_writing);
void stream_wake_waiters(const struct stream *stream, bool is_for_writing);
/* Bytes have moved: puts off the idle timeout. */
void stream_touch(struct stream *stream);
/* Frees all that is the stream's own: it names nothing any more. */
void stream_release(struct stream *stream);

/* --- stream_write.c --- */
/* Sends what is gathered, as far as it goes. */
void stream_pump(struct stream *stream);
/* The connection is broken for writing: what was gathered is lost, and all who wait are told. */
void stream_fail_writing(struct stream *stream, int error);

/* 0: all is sent; -EAGAIN: has to wait, and will go on by itself; or an error. */
int stream_send_gathered(struct stream *stream);
/* May anything be written? 0, or the error. */
int stream_write_check(const struct stream *stream);
/* Has somebody else the word, or is there too much? Then the operation waits on `writers`. */
bool stream_has_to_wait(const struct stream *stream, const aloop_op *op);
/* Wakes those who wait, if there is reason to. */
void stream_tell_writers(struct stream *stream);
/* The operation that was the sender leaves the word to others; with its outcome, if that is an
   error of the connection. */
void stream_sender_ended(struct stream *stream);
aloop_poll stream_sender_ends(struct stream *stream, aloop_poll outcome);

/* --- stream_transport.c --- */
/* At most `size` bytes of a file: as sys.sendfile; -ENOTSUP if the transport is not the system's.
   */
int64_t stream_plain_sendfile(const struct stream *stream, int file, int64_t offset, size_t size);

/* --- stream_close.c --- */
/* The part of the ready entry for a stream that is being closed. */
void stream_close_step(struct stream *stream);
/* Ends it now: `error` is for those who wait for that. */
void stream_end(struct stream *stream, int error);

#endif
