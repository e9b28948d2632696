/*
 * A datagram socket whose peer is known by name: the lookup, and the first address that there is a
 * way to. Connecting datagrams asks nobody, so there is nothing to wait for behind the lookup, and
 * nothing to try in parallel: the resolver puts first what can be reached. As connection.c, one
 * operation that keeps another in a block, whose list it waits in.
 */
#include "io/datagram.h"

#include <aloop/resolver.h>

/* arg: the host, the service, the options, the caller's socket; once it waits, the first is the
   block */
enum { HOST, SERVICE, OPTIONS, OUT_SOCKET };
enum { NAMING = HOST };

struct naming {
    aloop_op lookup;
    aloop_resolve_options resolve;
    aloop_addresses found;
    aloop_waitlist waiters;
};

static void naming_free(aloop *loop, struct naming *naming)
{
    aloop_addresses_free(&naming->found);
    memory_free(&loop->memory, naming, sizeof *naming);
}

static void naming_drop(aloop_task *task, aloop_op *op)
{
    struct naming *naming = op->arg[NAMING].pointer;

    aloop_waiter_unlink(&naming->lookup.waiter);
    naming->lookup.type->drop(task, &naming->lookup);
    naming_free(task->future.loop, naming);
}

/* The first that can be connected with; else the first error. */
static int open_first(aloop *loop, const aloop_addresses *found,
                      const aloop_datagram_options *options, aloop_socket *out_socket)
{
    int result = 0;

    for (size_t i = 0; i < found->count; i++) {
        int error = aloop_datagram_open(loop, NULL, &found->items[i], options, out_socket);

        if (error == 0)
            return 0;
        if (result == 0)
            result = error;
    }
    return result;
}

static aloop_poll naming_poll(aloop_task *task, aloop_op *op)
{
    struct naming *naming = op->arg[NAMING].pointer;
    aloop_poll outcome = naming->lookup.poll(task, &naming->lookup);

    if (outcome == ALOOP_PENDING)
        return aloop_op_wait(op, &naming->waiters);
    if (outcome > 0)
        outcome = open_first(task->future.loop, &naming->found, op->arg[OPTIONS].data,
                             op->arg[OUT_SOCKET].pointer);
    /* Its list is about to go. */
    aloop_waiter_unlink(&op->waiter);
    naming_free(task->future.loop, naming);
    return outcome;
}

static void lookup_notify(aloop_waiter *waiter)
{
    (void)aloop_wake_all(&CONTAINER_OF(waiter, struct naming, lookup.waiter)->waiters);
}

static aloop_poll naming_begin(aloop_task *task, aloop_op *op)
{
    struct naming *naming = memory_alloc(&task->future.loop->memory, sizeof *naming);

    if (naming == NULL)
        return -ENOMEM;
    memset(naming, 0, sizeof *naming);
    naming->resolve.type = SOCK_DGRAM;
    naming->lookup = aloop_getaddrinfo(op->arg[HOST].data, op->arg[SERVICE].data,
                                       &naming->resolve, &naming->found);
    naming->lookup.waiter.notify = lookup_notify;
    op->arg[NAMING].pointer = naming;
    op->poll = naming_poll;
    return naming_poll(task, op);
}

static const aloop_op *naming_part(const aloop_op *op, void **cursor)
{
    struct naming *naming = op->arg[NAMING].pointer;

    if (*cursor != NULL)
        return NULL;
    *cursor = naming;
    return &naming->lookup;
}

static void naming_describe(const aloop_task *task, const aloop_op *op, aloop_op_details *details)
{
    (void)task;
    if (op->poll == naming_poll)
        details->next_op = naming_part;
}

static const aloop_op_type naming_type = {
    .name = "datagram_connect", .drop = naming_drop, .describe = naming_describe};

aloop_op aloop_datagram_connect(const char *host, const char *service,
                                const aloop_datagram_options *options, aloop_socket *out_socket)
{
    return (aloop_op){
        .poll = naming_begin,
        .type = &naming_type,
        .arg = {{.data = host}, {.data = service}, {.data = options}, {.pointer = out_socket}}};
}
