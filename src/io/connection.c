/*
 * Connecting by name: the lookup, the attempts, and the stream. One operation, and not a coroutine
 * of several awaits, so that it may stand where only operations may, in aloop_select(), and be
 * awaited by hand-written step functions. It keeps the operations it is made of in a block, whose
 * list it waits in: what wakes one of them wakes it.
 */
#include "io/attempts.h"
#include "io/stream.h"

#include <aloop/resolver.h>
#include <stdio.h>

/* arg: the host, the service, the options, where the result goes; of Unix sockets the path is the
   host, of a list of addresses this is the host, and its length the service. Once it waits, the
   first is the block. */
enum { HOST, SERVICE, OPTIONS, OUT };
enum { CONNECTING = HOST };

struct connecting {
    struct attempts attempts;
    aloop_resolve_options resolve;
    aloop_op lookup;
    bool is_looking_up;
    const char *host; /* the caller's, or the path; NULL: none */
    aloop_addresses found;
    aloop_address address; /* of a Unix socket */
};

/* A kind of connecting. */
struct connect_kind {
    aloop_op_type type;
    bool is_stream;
    /* Has the addresses known: 0, an error, or ALOOP_PENDING, and `is_looking_up`. */
    aloop_poll (*begin)(struct connecting *connecting, aloop_task *task, const aloop_op *op);
};

static const struct connect_kind *kind_of(const aloop_op *op)
{
    return CONTAINER_OF(op->type, struct connect_kind, type);
}

/* --- the end --- */

static void connecting_free(struct connecting *connecting, aloop_task *task)
{
    aloop *loop = connecting->attempts.loop;

    if (connecting->is_looking_up) {
        aloop_waiter_unlink(&connecting->lookup.waiter);
        connecting->lookup.type->drop(task, &connecting->lookup);
    }
    attempts_fini(&connecting->attempts, task);
    aloop_addresses_free(&connecting->found);
    memory_free(&loop->memory, connecting, sizeof *connecting);
}

static void connecting_drop(aloop_task *task, aloop_op *op)
{
    connecting_free(op->arg[CONNECTING].pointer, task);
}

/* Hands over the connection. */
static int give(const aloop_op *op, const aloop_connect_options *options, aloop_socket *socket)
{
    int error;

    if (!kind_of(op)->is_stream) {
        *(aloop_socket *)op->arg[OUT].pointer = *socket;
        return 0;
    }
    error = aloop_stream_open(socket, options->stream, op->arg[OUT].pointer);
    if (error < 0)
        aloop_socket_close(socket);
    return error;
}

static aloop_poll go_on(aloop_task *task, aloop_op *op, aloop_poll outcome)
{
    struct connecting *connecting = op->arg[CONNECTING].pointer;
    const aloop_connect_options *options = connecting->attempts.options;
    aloop_socket socket;

    if (outcome == 0)
        outcome = attempts_poll(&connecting->attempts, task, &socket);
    if (outcome == ALOOP_PENDING)
        return aloop_op_wait(op, &connecting->attempts.waiters);
    /* Its list is about to go. */
    aloop_waiter_unlink(&op->waiter);
    connecting_free(connecting, task);
    return outcome == 0 ? give(op, options, &socket) : outcome;
}

/* --- the lookup --- */

static void lookup_notify(aloop_waiter *waiter)
{
    (void)aloop_wake_all(
        &CONTAINER_OF(waiter, struct connecting, lookup.waiter)->attempts.waiters);
}

static aloop_poll look_up(struct connecting *connecting, aloop_task *task)
{
    aloop_poll outcome = connecting->lookup.poll(task, &connecting->lookup);

    connecting->is_looking_up = outcome == ALOOP_PENDING;
    if (outcome <= 0)
        return outcome;
    return attempts_set(&connecting->attempts, connecting->found.items, connecting->found.count,
                        true);
}

static aloop_poll connecting_poll(aloop_task *task, aloop_op *op)
{
    struct connecting *connecting = op->arg[CONNECTING].pointer;

    return go_on(task, op, connecting->is_looking_up ? look_up(connecting, task) : 0);
}

/* --- what it waits for --- */

static const aloop_op *connecting_part(const aloop_op *op, void **cursor)
{
    struct connecting *connecting = op->arg[CONNECTING].pointer;

    if (!connecting->is_looking_up)
        return attempts_next(&connecting->attempts, cursor);
    if (*cursor != NULL)
        return NULL;
    *cursor = connecting;
    return &connecting->lookup;
}

static void connecting_describe(const aloop_task *task, const aloop_op *op,
                                aloop_op_details *details)
{
    const struct connecting *connecting = op->arg[CONNECTING].pointer;
    char text[48];

    (void)task;
    if (op->poll != connecting_poll)
        return;
    details->is_any = true;
    details->next_op = connecting_part;
    if (connecting->is_looking_up)
        return;
    details->deadline = attempts_due(&connecting->attempts);
    (void)snprintf(text, sizeof text, "address %zu of %zu", connecting->attempts.started,
                   connecting->attempts.count);
    details_add(details, text);
    if (connecting->host == NULL)
        return;
    details_add(details, " of ");
    details_add(details, connecting->host);
}

/* --- the kinds --- */

#define CONNECT_TYPE(NAME) \
    {.name = (NAME), .drop = connecting_drop, .describe = connecting_describe}

static aloop_poll begin_host(struct connecting *connecting, aloop_task *task, const aloop_op *op)
{
    const aloop_connect_options *options = connecting->attempts.options;

    connecting->host = op->arg[HOST].data;
    connecting->resolve.family = options->family;
    connecting->resolve.flags = options->flags;
    connecting->lookup = aloop_getaddrinfo(op->arg[HOST].data, op->arg[SERVICE].data,
                                           &connecting->resolve, &connecting->found);
    connecting->lookup.waiter.notify = lookup_notify;
    return look_up(connecting, task);
}

static aloop_poll begin_any(struct connecting *connecting, aloop_task *task, const aloop_op *op)
{
    (void)task;
    if (op->arg[SERVICE].size == 0)
        return -EINVAL;
    return attempts_set(&connecting->attempts, op->arg[HOST].data, op->arg[SERVICE].size, false);
}

static aloop_poll begin_unix(struct connecting *connecting, aloop_task *task, const aloop_op *op)
{
    int error = aloop_address_unix(&connecting->address, op->arg[HOST].data);

    (void)task;
    connecting->host = op->arg[HOST].data;
    return error < 0 ? error : attempts_set(&connecting->attempts, &connecting->address, 1, false);
}

static const struct connect_kind stream_kind = {
    .type = CONNECT_TYPE("open_connection"),
    .is_stream = true,
    .begin = begin_host};
static const struct connect_kind socket_kind = {
    .type = CONNECT_TYPE("connect_host"), .begin = begin_host};
static const struct connect_kind any_kind = {
    .type = CONNECT_TYPE("connect_any"), .begin = begin_any};
static const struct connect_kind unix_kind = {
    .type = CONNECT_TYPE("open_unix_connection"),
    .is_stream = true,
    .begin = begin_unix};

/* --- the beginning --- */

static int options_check(const aloop_connect_options *options)
{
    if (options->size < sizeof *options || options->stagger < 0)
        return -EINVAL;
    return options->stream != NULL ? stream_options_check(options->stream) : 0;
}

static aloop_poll connecting_begin(aloop_task *task, aloop_op *op)
{
    static const aloop_connect_options defaults = ALOOP_CONNECT_OPTIONS_INIT;
    const aloop_connect_options *options = op->arg[OPTIONS].data;
    aloop *loop = task->future.loop;
    struct connecting *connecting;
    aloop_poll outcome;
    int error;

    if (options == NULL)
        options = &defaults;
    error = options_check(options);
    if (error < 0)
        return error;
    connecting = memory_alloc(&loop->memory, sizeof *connecting);
    if (connecting == NULL)
        return -ENOMEM;
    memset(connecting, 0, sizeof *connecting);
    attempts_init(&connecting->attempts, loop, options);
    if (options->out_attempt_count != NULL)
        *options->out_attempt_count = 0;
    outcome = kind_of(op)->begin(connecting, task, op);
    op->arg[CONNECTING].pointer = connecting;
    op->poll = connecting_poll;
    return go_on(task, op, outcome);
}

static aloop_op make(const struct connect_kind *kind, const void *host, aloop_op_arg service,
                     const aloop_connect_options *options, void *out)
{
    return (aloop_op){.poll = connecting_begin,
                      .type = &kind->type,
                      .arg = {{.data = host}, service, {.data = options}, {.pointer = out}}};
}

aloop_op aloop_open_connection(const char *host, const char *service,
                               const aloop_connect_options *options, aloop_stream *out_stream)
{
    return make(&stream_kind, host, (aloop_op_arg){.data = service}, options, out_stream);
}

aloop_op aloop_connect_host(const char *host, const char *service,
                            const aloop_connect_options *options, aloop_socket *out_socket)
{
    return make(&socket_kind, host, (aloop_op_arg){.data = service}, options, out_socket);
}

aloop_op aloop_connect_any(const aloop_address *addresses, size_t count,
                           const aloop_connect_options *options, aloop_socket *out_socket)
{
    return make(&any_kind, addresses, (aloop_op_arg){.size = count}, options, out_socket);
}

aloop_op aloop_open_unix_connection(const char *path, const aloop_connect_options *options,
                                    aloop_stream *out_stream)
{
    return make(&unix_kind, path, (aloop_op_arg){.number = 0}, options, out_stream);
}
