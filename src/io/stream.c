/*
 * What a stream is to its loop: made, found, set up, freed.
 */
#include "io/stream.h"

#define LIMIT_DEFAULT ((size_t)64 << 10)
#define HIGH_DEFAULT ((size_t)64 << 10)
#define CLOSE_TIMEOUT_DEFAULT ALOOP_SEC(30)

/* --- all of a loop --- */

static NOINLINE void stream_run_otherwise(struct stream *stream)
{
    aloop *loop = stream->loop;

    if (stream->is_dead) {
        ready_unreserve(&loop->ready);
        slots_release(&loop->streams->slots, stream);
        return;
    }
    if (stream->is_closing) {
        stream_close_step(stream);
        return;
    }
    stream_pump(stream);
    if (stream->timer_is_due) {
        stream->timer_is_due = false;
        stream->read_error = -ETIMEDOUT;
        stream_fail_writing(stream, -ETIMEDOUT);
        stream_wake_waiters(stream, false);
        stream_wake_waiters(stream, true);
    }
}

void stream_run(aloop *loop, void *arg)
{
    struct stream *stream = arg;

    (void)loop;
    stream->is_queued = false;
    if (ALOOP_LIKELY(stream->end == 0))
        stream_pump(stream);
    else
        stream_run_otherwise(stream);
}

static void stream_notify(aloop_waiter *waiter)
{
    stream_wake(CONTAINER_OF(waiter, struct stream, waiter));
}

void stream_wait(struct stream *stream, bool is_for_writing)
{
    aloop_waitlist *list = stream->transport->waiters(stream->context, is_for_writing);

    if (list == NULL)
        stream_wake(stream);
    else if (!aloop_waiter_is_linked(&stream->waiter))
        aloop_waitlist_push(list, &stream->waiter);
}

aloop_poll stream_op_wait(const struct stream *stream, aloop_op *op, bool is_for_writing)
{
    aloop_waitlist *list = stream->transport->waiters(stream->context, is_for_writing);

    return list != NULL ? aloop_op_wait(op, list) : -EBADF;
}

void stream_wake_waiters(const struct stream *stream, bool is_for_writing)
{
    aloop_waitlist *list = stream->transport->waiters(stream->context, is_for_writing);

    if (list != NULL)
        (void)aloop_wake_all(list);
}

/* Called where nothing may be run. */
static void stream_timer_due(aloop *loop, struct timer *node)
{
    struct stream *stream = CONTAINER_OF(node, struct stream, timer);

    (void)loop;
    stream->timer_is_due = true;
    stream_wake(stream);
}

static void streams_close(aloop *loop, struct dependent *dependent)
{
    struct streams *streams = CONTAINER_OF(dependent, struct streams, dependent);
    struct stream *stream;
    uint32_t cursor = 0;

    while ((stream = slots_next(&streams->slots, &cursor)) != NULL) {
        if (!stream->is_dead)
            stream_end(stream, -ECANCELED);
    }
    buffers_free_spares(streams);
    slots_fini(&streams->slots);
    loop->streams = NULL;
    memory_free(&loop->memory, streams, sizeof *streams);
}

static int streams_of(aloop *loop, struct streams **out_streams)
{
    struct streams *streams = loop->streams;

    if (streams == NULL) {
        streams = memory_alloc(&loop->memory, sizeof *streams);
        if (streams == NULL)
            return -ENOMEM;
        *streams = (struct streams){.loop = loop, .dependent.on_close = streams_close};
        slots_init(&streams->slots, &loop->memory, sizeof(struct stream));
        list_init(&streams->dependent.link);
        list_push(&loop->dependents, &streams->dependent.link);
        loop->on_due[TIMER_KIND_STREAM] = stream_timer_due;
        loop->streams = streams;
    }
    *out_streams = streams;
    return 0;
}

/* --- making one --- */

int stream_options_check(const aloop_stream_options *options)
{
    return options->size < sizeof *options || options->close_timeout < 0 || options->linger < 0 ||
                   options->idle_timeout < 0
               ? -EINVAL
               : 0;
}

/* A stream with all that it will ever reserve, and without a transport. */
static int stream_make(aloop *loop, const aloop_stream_options *options,
                       struct stream **out_stream)
{
    static const aloop_stream_options defaults = ALOOP_STREAM_OPTIONS_INIT;
    struct streams *streams = NULL;
    struct stream *stream;
    int error = loop_guard(loop);

    if (options == NULL)
        options = &defaults;
    if (error == 0)
        error = stream_options_check(options);
    if (error == 0)
        error = streams_of(loop, &streams);
    if (error < 0)
        return error;
    if (ready_reserve(&loop->ready) < 0)
        return -ENOMEM;
    stream = slots_take(&streams->slots);
    if (stream == NULL) {
        ready_unreserve(&loop->ready);
        return -ENOMEM;
    }
    stream->loop = loop;
    stream->waiter.notify = stream_notify;
    stream->limit = options->limit > 0 ? options->limit : LIMIT_DEFAULT;
    stream->next_fill = BUFFER_MIN;
    stream->high = HIGH_DEFAULT;
    stream->low = HIGH_DEFAULT / 4;
    stream->close_timeout =
        options->close_timeout > 0 ? options->close_timeout : CLOSE_TIMEOUT_DEFAULT;
    stream->linger = options->linger;
    stream->idle_timeout = options->idle_timeout;
    timer_init(&stream->timer, TIMER_KIND_STREAM);
    *out_stream = stream;
    return 0;
}

static void stream_begin_life(struct stream *stream, const aloop_transport *transport,
                              void *context, aloop_stream *out_stream)
{
    stream->transport = transport;
    stream->context = context;
    stream_touch(stream);
    *out_stream = (aloop_stream){.loop = stream->loop, .number = slots_number(stream)};
}

int aloop_stream_open(aloop_socket *socket, const aloop_stream_options *options,
                      aloop_stream *out_stream)
{
    struct watch *watch = socket_watch(socket);
    struct stream *stream;
    int error;

    if (watch == NULL)
        return -EBADF;
    if (watch->busy)
        return -EBUSY;
    error = stream_make(socket->loop, options, &stream);
    if (error < 0)
        return error;
    /* Whoever has a copy of the socket is told that it is taken. */
    watch->busy = POLLER_READ | POLLER_WRITE;
    stream->socket = *socket;
    stream->watch = watch;
    *socket = (aloop_socket){0};
    stream_begin_life(stream, &aloop_socket_transport, &stream->socket, out_stream);
    return 0;
}

/* An fd that is no socket, as what a stream's transport wants. */
static int adopt_file(aloop *loop, int fd, aloop_socket *out_socket)
{
    struct watch *watch = NULL;
    int error;

    if ((size_t)fd < loop->fd_capacity && loop->fds[fd] != NULL)
        return -EBUSY;
    error = sys.set_nonblocking(fd, true);
    if (error == 0)
        error = watch_open_file(loop, fd, &watch);
    if (error < 0)
        return error;
    watch->is_shared = true;
    *out_socket = (aloop_socket){.loop = loop, .watch = slots_number(watch), .fd = fd};
    return 0;
}

int aloop_stream_open_fd(aloop *loop, int fd, const aloop_stream_options *options,
                         aloop_stream *out_stream)
{
    aloop_socket socket;
    int error = aloop_socket_adopt(loop, fd, &socket);

    if (error == -ENOTSOCK) {
        error = socket_loop(loop, &loop);
        if (error == 0)
            error = adopt_file(loop, fd, &socket);
    }
    if (error < 0)
        return error;
    error = aloop_stream_open(&socket, options, out_stream);
    /* The fd stays the caller's. */
    if (error < 0)
        watch_close(socket.loop, socket_watch(&socket));
    return error;
}

int aloop_stream_open_transport(aloop *loop, const aloop_transport *transport, void *context,
                                const aloop_stream_options *options, aloop_stream *out_stream)
{
    struct stream *stream = NULL;
    int error = socket_loop(loop, &loop);

    if (error == 0)
        error = stream_make(loop, options, &stream);
    if (error == 0)
        stream_begin_life(stream, transport, context, out_stream);
    return error;
}

int aloop_stream_pair(aloop *loop, const aloop_stream_options *options,
                      aloop_stream out_streams[2])
{
    aloop_socket sockets[2];
    aloop_stream first;
    int error = aloop_socket_pair(loop, sockets);

    if (error < 0)
        return error;
    error = aloop_stream_open(&sockets[0], options, &first);
    if (error < 0)
        goto close_sockets;
    error = aloop_stream_open(&sockets[1], options, &out_streams[1]);
    if (error < 0)
        goto close_first;
    out_streams[0] = first;
    return 0;
close_first:
    aloop_stream_abort(&first);
close_sockets:
    aloop_socket_close(&sockets[0]);
    aloop_socket_close(&sockets[1]);
    return error;
}

void stream_release(struct stream *stream)
{
    struct streams *streams = stream->loop->streams;

    buffer_fini(streams, &stream->in);
    buffer_fini(streams, &stream->out);
    (void)timers_cancel(&stream->loop->timers, &stream->timer);
    stream->is_dead = true;
    streams->last = NULL;
    streams->last_number = 0;
    if (stream->is_queued) {
        slots_retire(&streams->slots, stream);
        return;
    }
    ready_unreserve(&stream->loop->ready);
    slots_release(&streams->slots, stream);
}

void stream_describe(const aloop_task *task, const aloop_op *op, aloop_op_details *details)
{
    const struct stream *stream = stream_numbered(task->future.loop, op->arg[0].number, true);

    if (stream != NULL && stream->context == &stream->socket)
        details->fd = stream->socket.fd;
}

/* --- set up, and asked --- */

void stream_put_off_timeout(struct stream *stream)
{
    if (stream->is_closing)
        return;
    /* It may be due in this very turn, behind whoever has moved bytes; and after a turn that took
       long, it is, together with what has come meanwhile. */
    stream->timer_is_due = false;
    timers_arm(&stream->loop->timers, &stream->timer,
               time_add(stream->loop->now, stream->idle_timeout));
}

bool aloop_stream_is_open(const aloop_stream *stream)
{
    return stream_find(stream) != NULL;
}

aloop_socket aloop_stream_socket(const aloop_stream *stream)
{
    const struct stream *found = stream_find(stream);

    return found != NULL ? found->socket : (aloop_socket){0};
}

int aloop_stream_set_limit(const aloop_stream *stream, size_t limit)
{
    struct stream *found = stream_find(stream);

    if (found == NULL)
        return -EBADF;
    found->limit = limit > 0 ? limit : LIMIT_DEFAULT;
    return 0;
}

int aloop_stream_set_idle_timeout(const aloop_stream *stream, aloop_ns timeout)
{
    struct stream *found = stream_find(stream);

    if (found == NULL)
        return -EBADF;
    (void)timers_cancel(&found->loop->timers, &found->timer);
    found->timer_is_due = false;
    found->idle_timeout = timeout > 0 && timeout < ALOOP_NEVER ? timeout : 0;
    stream_touch(found);
    return 0;
}

int aloop_stream_set_write_limits(const aloop_stream *stream, int64_t high, int64_t low)
{
    struct stream *found = stream_find(stream);

    if (found == NULL)
        return -EBADF;
    if (high < 0 && low < 0)
        high = (int64_t)HIGH_DEFAULT;
    else if (high < 0)
        high = low > INT64_MAX / 4 ? INT64_MAX : 4 * low;
    if (low < 0)
        low = high / 4;
    if (low > high)
        return -EINVAL;
    found->high = (uint64_t)high > SIZE_MAX ? SIZE_MAX : (size_t)high;
    found->low = (uint64_t)low > SIZE_MAX ? SIZE_MAX : (size_t)low;
    stream_wake(found);
    return 0;
}
