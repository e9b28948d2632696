/*
 * Streams: buffered reading and writing over a connection, a pipe, a terminal, or a transport of
 * one's own. asyncio: StreamReader and StreamWriter, in one.
 *
 *     ALOOP_CORO(session)                          the frame has: aloop_stream stream;
 *     {                                                           aloop_slice line;
 *         ALOOP_BEGIN;
 *         for (;;) {
 *             ALOOP_TRY(aloop_stream_read_line(&self->stream, &self->line));
 *             if (self->result == 0)
 *                 break;
 *             ALOOP_TRY(aloop_stream_write(&self->stream, self->line.data, self->line.size));
 *         }
 *         ALOOP_FINALLY;
 *         aloop_stream_close(&self->stream);
 *         ALOOP_END;
 *     }
 *
 * An aloop_stream is a small value that names a stream of a loop, as an aloop_socket names a
 * socket: all zero it names none, all copies name the same one, and when it is closed they name
 * nothing. Using one that names nothing is -EBADF; closing it is harmless. What a program leaves
 * open ends with its loop, without being flushed. All calls are for the loop's thread.
 *
 * Reading. One task at a time (-EBUSY). A read that is cancelled, or runs out of time, has taken
 * nothing: what had come stays in the stream for the next one, whichever that is. (But for
 * aloop_stream_read_exactly() of more than the limit, which says so.) A slice that a read gives is
 * in the stream's own buffer, and good until the next read begins or the stream is closed. An error
 * of the connection comes after what was received before it, and stays; one of writing also ends a
 * read that would have to wait, since nobody will answer what was lost.
 *
 * Writing. What is written is copied and gathered, and goes out in one system call when all who are
 * ready to run at this moment have run; or at once, when ALOOP_STREAM_GATHER bytes have come
 * together. A stream holds no more than its high-water mark and a bit: above it
 * aloop_stream_write() waits, until the peer has taken so much that the low-water mark is reached.
 * That is all a program needs to do against a peer that does not read. Writes of several tasks do
 * not mix. An error of the connection comes with the next write, drain, flush or
 * aloop_stream_wait_closed(), and stays; nothing raises SIGPIPE.
 *
 * A stream that is quiet holds no buffer.
 */
#ifndef ALOOP_STREAM_H
#define ALOOP_STREAM_H

#include <aloop/socket.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct aloop_stream {
    aloop *loop;
    int64_t number; /* the library's */
} aloop_stream;

/* Bytes that belong to somebody else. */
typedef struct aloop_slice {
    const char *data;
    size_t size;
} aloop_slice;

/* So many bytes are worth a system call of their own: a write of at least this size is not copied.
   */
#define ALOOP_STREAM_GATHER ((size_t)16384)

/*
 * How a stream is made. Begin with ALOOP_STREAM_OPTIONS_INIT and set what should differ; new
 * members will be added at the end.
 */
typedef struct aloop_stream_options {
    size_t size;  /* of this struct as the program was compiled with it */
    size_t limit; /* of a line, and of what else is looked for; 0: 64 KiB */
    /* The most time for what is left to be sent when the stream is closed; then it is aborted. 0:
       30 seconds; ALOOP_NEVER: none. */
    aloop_ns close_timeout;
    /* Not 0: closing ends sending first, and goes on reading (and throwing away) until the peer has
       ended, too, or this time is up. Else TCP may destroy what was sent last, if the peer has sent
       more than was read. */
    aloop_ns linger;
    aloop_ns idle_timeout; /* see aloop_stream_set_idle_timeout(); 0: none */
} aloop_stream_options;

/* clang-format off */
#define ALOOP_STREAM_OPTIONS_INIT { .size = sizeof(aloop_stream_options) }
/* clang-format on */

/* --- making one --- */

/*
 * A stream over a socket. Takes the socket on success: *socket is zero then, its copies are not to
 * be used. `options` NULL: the defaults. *out_stream (returns owned) is written on success only.
 * Returns 0; -EBADF (no open socket), -EBUSY (somebody waits for it), -EINVAL (an option), -ENOMEM.
 */
ALOOP_API ALOOP_CHECKED int aloop_stream_open(aloop_socket *socket,
                                              const aloop_stream_options *options,
                                              aloop_stream *out_stream);

/*
 * A stream over any fd: a socket, a pipe, a terminal; also a regular file, which never makes
 * anybody wait (but the disk may), so that a program whose input was redirected goes on working.
 * Takes the fd on success, and makes it non-blocking, which all who share the open file will
 * notice. `loop` NULL: the one that runs. asyncio: connect_read_pipe(), connect_write_pipe().
 * Returns 0, or an error of aloop_stream_open() or aloop_socket_adopt().
 */
ALOOP_API ALOOP_CHECKED int aloop_stream_open_fd(aloop *loop, int fd,
                                                 const aloop_stream_options *options,
                                                 aloop_stream *out_stream);

/* Two streams that are connected with each other. Returns 0, or an error as aloop_stream_open(). */
ALOOP_API ALOOP_CHECKED int aloop_stream_pair(aloop *loop, const aloop_stream_options *options,
                                              aloop_stream out_streams[2]);

/* Does it name a stream that is open, and is not being closed? asyncio: not is_closing(). */
ALOOP_API bool aloop_stream_is_open(const aloop_stream *stream);

/*
 * The socket under the stream, to ask for its addresses and set options on its fd (borrows: not to
 * be closed, nor received from). Names nothing if there is none. asyncio: get_extra_info().
 */
ALOOP_API aloop_socket aloop_stream_socket(const aloop_stream *stream);

/* --- reading --- */

/* The parts of the functions below. */
struct aloop_stream_kind_;
ALOOP_API extern const struct aloop_stream_kind_ aloop_stream_read_kind_;
ALOOP_API extern const struct aloop_stream_kind_ aloop_stream_exactly_kind_;
ALOOP_API extern const struct aloop_stream_kind_ aloop_stream_line_kind_;
ALOOP_API extern const struct aloop_stream_kind_ aloop_stream_peek_kind_;
ALOOP_API aloop_poll aloop_stream_read_poll_(aloop_task *task, aloop_op *op);

static inline aloop_op aloop_stream_read_op_(const struct aloop_stream_kind_ *kind,
                                             const aloop_stream *stream, void *to, size_t size)
{
    /* A kind begins with its type. */
    aloop_op op =
        aloop_op_make_(aloop_stream_read_poll_, (const aloop_op_type *)(const void *)kind);

    op.arg[0].data = stream;
    op.arg[1].pointer = to;
    op.arg[2].size = size;
    return op;
}

/*
 * Reads what there is, at least one byte, at most `size`. The outcome is the number of bytes; 0 at
 * the end of the stream (and when size is 0, at once); or an error. asyncio: read(n).
 */
static inline aloop_op aloop_stream_read(const aloop_stream *stream, void *buffer, size_t size)
{
    return aloop_stream_read_op_(&aloop_stream_read_kind_, stream, buffer, size);
}

/*
 * Reads exactly `size` bytes, which is the outcome. -ALOOP_EEOF if the stream ends before that:
 * what there was is read then, and at the beginning of the buffer; aloop_stream_partial() says how
 * much. More than the limit is allowed, and is read straight into the buffer: only then does a read
 * that failed or was cancelled leave there, and count as read, what had come. asyncio:
 * readexactly().
 */
static inline aloop_op aloop_stream_read_exactly(const aloop_stream *stream, void *buffer,
                                                 size_t size)
{
    return aloop_stream_read_op_(&aloop_stream_exactly_kind_, stream, buffer, size);
}

/* How many bytes are at the beginning of the buffer of the last aloop_stream_read_exactly() that
   did not complete. asyncio: IncompleteReadError.partial. */
ALOOP_API size_t aloop_stream_partial(const aloop_stream *stream);

/*
 * Reads up to and including the first of `count` separators (which must stay until the await ends):
 * the one that ends first. The outcome is how many bytes that is, and *out_bytes are they. At the
 * end of the stream -ALOOP_EEOF, and *out_bytes is what there was, which is read then; -EMSGSIZE if
 * there are more bytes than the limit before it: they are left in the stream; -EINVAL without
 * separators, or for an empty one; -ENOMEM. asyncio: readuntil().
 */
ALOOP_API aloop_op aloop_stream_read_until(const aloop_stream *stream,
                                           const aloop_slice *separators, size_t count,
                                           aloop_slice *out_bytes);

/*
 * Reads a line, with its '\n'; the last one may lack that. The outcome is its size, 0 at the end of
 * the stream. -EMSGSIZE for a line longer than the limit: it is thrown away, or, if its end has not
 * come, all that has. asyncio: readline().
 */
static inline aloop_op aloop_stream_read_line(const aloop_stream *stream, aloop_slice *out_line)
{
    return aloop_stream_read_op_(&aloop_stream_line_kind_, stream, out_line, 0);
}

/*
 * Reads all up to the end of the stream; the outcome is how much. -EMSGSIZE if that is more than
 * `most`: nothing is read then. asyncio: read(-1).
 */
ALOOP_API aloop_op aloop_stream_read_to_end(const aloop_stream *stream, size_t most,
                                            aloop_slice *out_bytes);

/*
 * Waits until at least `least` bytes are there, or the stream has ended, and gives all that are,
 * without reading them: the outcome is how many, and less than `least` only at the end. -EMSGSIZE
 * if `least` is above the limit. aloop_stream_consume() then reads some or all of them.
 */
static inline aloop_op aloop_stream_peek(const aloop_stream *stream, size_t least,
                                         aloop_slice *out_bytes)
{
    return aloop_stream_read_op_(&aloop_stream_peek_kind_, stream, out_bytes, least);
}
/* Returns how many of `size` bytes were there to be read; -EBADF, -EBUSY. */
ALOOP_API int64_t aloop_stream_consume(const aloop_stream *stream, size_t size);

/* Has the stream ended, and all of it been read? asyncio: at_eof(). */
ALOOP_API bool aloop_stream_at_eof(const aloop_stream *stream);
/* How many bytes have been received and not yet read. */
ALOOP_API size_t aloop_stream_buffered(const aloop_stream *stream);
/* Another limit, from the next read on; 0: 64 KiB. Returns 0 or -EBADF. */
ALOOP_API int aloop_stream_set_limit(const aloop_stream *stream, size_t limit);

/* --- writing --- */

/* The parts of aloop_stream_write(). */
ALOOP_API extern const aloop_op_type aloop_stream_write_type_;
ALOOP_API aloop_poll aloop_stream_write_poll_(aloop_task *task, aloop_op *op);

/*
 * Writes everything; waits first while the stream is above its high-water mark. The outcome is
 * `size`, or an error: that of the connection; -EPIPE after aloop_stream_write_eof(); -ENOMEM, and
 * nothing was written. Less than ALOOP_STREAM_GATHER bytes are taken whole, or, cancelled, not at
 * all. More are sent straight from `data`, after what was gathered before, and the await lasts
 * until the system has them all; cancelled in the middle, aloop_stream_written() says how many it
 * has. asyncio: write() and drain().
 */
static inline aloop_op aloop_stream_write(const aloop_stream *stream, const void *data,
                                          size_t size)
{
    aloop_op op = aloop_op_make_(aloop_stream_write_poll_, &aloop_stream_write_type_);

    op.arg[0].data = stream;
    op.arg[1].data = data;
    op.arg[2].size = size;
    op.arg[3].size = size;
    return op;
}

/* The same with several pieces; the array must stay until the await ends, too. asyncio:
   writelines(). -EINVAL if they are more than can be counted. */
ALOOP_API aloop_op aloop_stream_writev(const aloop_stream *stream, const struct iovec *pieces,
                                       int count);

/* How many bytes of the last aloop_stream_write(), writev or sendfile are taken. */
ALOOP_API size_t aloop_stream_written(const aloop_stream *stream);

/*
 * Writes without waiting, whatever the marks: for code that is no coroutine, or that calls
 * aloop_stream_drain() from time to time. Returns 0; -EBUSY while a task is in the middle of a
 * large write or of aloop_stream_sendfile(); else an error as aloop_stream_write(). asyncio:
 * write().
 */
ALOOP_API ALOOP_CHECKED int aloop_stream_write_nowait(const aloop_stream *stream, const void *data,
                                                      size_t size);

/*
 * Waits while the stream is above its high-water mark, until it is down to the low one. The outcome
 * is 0, or the connection's error. Any number of tasks may wait. asyncio: drain().
 */
ALOOP_API aloop_op aloop_stream_drain(const aloop_stream *stream);
/* Sends what is gathered now, and waits until the system has all of it. The outcome as above. */
ALOOP_API aloop_op aloop_stream_flush(const aloop_stream *stream);

/*
 * Corked, a stream goes on gathering over several turns, and sends only what has reached
 * ALOOP_STREAM_GATHER; taking the cork off sends the rest at once. Returns 0 or -EBADF.
 */
ALOOP_API int aloop_stream_cork(const aloop_stream *stream, bool is_corked);

/*
 * Sends `size` bytes of a file from `offset` on (-1: all up to its end), after what was written
 * before, within the kernel where it can do that. The file stays the caller's (borrows), its
 * position as it was. Other writes wait until it is done. The outcome is how many bytes were sent,
 * less than `size` only if the file is shorter; or an error: of the connection, or of reading the
 * file. asyncio: loop.sendfile(), and sendfile of a transport.
 */
ALOOP_API aloop_op aloop_stream_sendfile(const aloop_stream *stream, int file, int64_t offset,
                                         int64_t size);

/*
 * Ends sending, after all that was written: the peer reads that, and then the end. Reading goes on.
 * Returns 0, also the second time; -ENOTSUP where one direction cannot be ended alone (a pipe:
 * close it instead); -EBADF. asyncio: write_eof().
 */
ALOOP_API int aloop_stream_write_eof(const aloop_stream *stream);

/*
 * The marks: from more than `high` bytes on writing waits, until there are `low` or less. -1 is
 * 64 KiB for high, or 4 * low if that is given; and a quarter of high for low. Returns 0; -EINVAL
 * (low above high), -EBADF. asyncio: set_write_buffer_limits().
 */
ALOOP_API int aloop_stream_set_write_limits(const aloop_stream *stream, int64_t high, int64_t low);
/* How many bytes are gathered and not sent. asyncio: get_write_buffer_size(). */
ALOOP_API size_t aloop_stream_unsent(const aloop_stream *stream);

/* --- the end --- */

/*
 * With nothing read and nothing sent for so long, reads and writes fail with -ETIMEDOUT: those that
 * wait, and all from then on. 0: never. Returns 0 or -EBADF.
 */
ALOOP_API int aloop_stream_set_idle_timeout(const aloop_stream *stream, aloop_ns timeout);

/*
 * Another `linger` of the options: for an end that comes in the middle of what the peer sends, an
 * answer to a request that is refused, say, which is not to be lost over the rest of it. asyncio:
 * nothing. Returns 0, -EBADF, or -EINVAL.
 */
ALOOP_API int aloop_stream_set_linger(const aloop_stream *stream, aloop_ns linger);

/*
 * Closes: what was written is still sent, in the background and within the options' close_timeout;
 * then the connection is closed. Who waits for the stream gets -ECANCELED, and nobody can use it
 * any more, save to abort it or to wait for its end. Nothing if it names nothing: it can stand in
 * every ALOOP_FINALLY. asyncio: close().
 */
ALOOP_API void aloop_stream_close(const aloop_stream *stream);
/*
 * Closes now; what was not sent is lost. Also one that is being closed. If anything is lost by
 * that, the peer of a TCP connection finds it reset (-ECONNRESET), since half of a message must not
 * pass for the whole; else it finds the end. The same happens when the close_timeout is up, or when
 * the idle timeout has thrown away what was gathered. asyncio: abort(), behind which a peer finds
 * the end in any case.
 */
ALOOP_API void aloop_stream_abort(const aloop_stream *stream);
/*
 * The same, and the peer of a TCP connection finds it reset though all was sent; it also loses what
 * is still under way. For who passes on what others send, and has lost them in the middle. Other
 * connections know no such thing, and are aborted.
 */
ALOOP_API void aloop_stream_reset(const aloop_stream *stream);
/*
 * Waits until the stream is closed, by whomever. The outcome is 0, at once if that is long past; or
 * the error for which what was written was not all sent: the connection's, -ETIMEDOUT if the
 * close_timeout was up, -ECANCELED if it was aborted with something left. Any number may wait.
 * Given up, it closes nothing: aloop_stream_abort() does. asyncio: wait_closed().
 */
ALOOP_API aloop_op aloop_stream_wait_closed(const aloop_stream *stream);

/* --- transports --- */

/*
 * What a stream moves its bytes with: TLS, a compression, a test's lossy link. None of the
 * functions may wait or call into the stream.
 */
typedef struct aloop_transport {
    const char *name;
    /* At most `size` bytes: how many; 0 at the end; -EAGAIN: none now; or an error. */
    int64_t (*read)(void *context, void *buffer, size_t size);
    /* As many as go now of `count` pieces, at least one byte; -EAGAIN or an error. */
    int64_t (*writev)(void *context, const struct iovec *pieces, int count);
    /* After -EAGAIN of read (or of writev or shutdown): the list to wait on. Whoever is woken calls
       again; being woken for nothing does no harm. */
    aloop_waitlist *(*waiters)(void *context, bool is_for_writing);
    /* Ends sending: 0, -EAGAIN, or an error. NULL: cannot be done. */
    int (*shutdown)(void *context);
    /* Closes, once, and frees the context; wakes who waits on the lists. */
    void (*close)(void *context);
    /* The same for a stream that was cut short: tells the peer so, if there is a way. NULL:
       close(). */
    void (*abort)(void *context);
} aloop_transport;

/*
 * A stream over a transport. Takes the context on success: close() will be called for it, at the
 * latest when the loop is closed. Returns as aloop_stream_open().
 */
ALOOP_API ALOOP_CHECKED int aloop_stream_open_transport(aloop *loop,
                                                        const aloop_transport *transport,
                                                        void *context,
                                                        const aloop_stream_options *options,
                                                        aloop_stream *out_stream);

/* The transport of sockets, for one's own to stand on: its context is an aloop_socket, which must
   stay where it is. */
ALOOP_API extern const aloop_transport aloop_socket_transport;

#ifdef __cplusplus
}
#endif

#endif
