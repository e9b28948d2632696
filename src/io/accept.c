/*
 * Accepting. When there are no fds left, a listener stays readable, and trying again at once would
 * be a loop that never sleeps: accepting pauses instead, for all listeners of the loop, since what
 * is missing is missing to all of them. The connection waits in the backlog. If the fd came but
 * there is no memory to register it, the listener holds it, and the next accept begins with that: a
 * connection that was taken is not thrown away.
 */
#include "io/internal.h"

#include <stdio.h>

#define ACCEPT_PAUSE ALOOP_SEC(1) /* asyncio: ACCEPT_RETRY_DELAY */
/* What a connection costs of the task's budget: a flood of them is not to keep others waiting. */
#define ACCEPT_COST 4

/* arg: the listener (see op_begin), the caller's socket, is it in loop->paused_accepts? */
enum { LISTENER, OUT_SOCKET, IS_PAUSED };

/*
 * Every wake-up is for all who wait, and each looks for himself: so nothing is to be passed on by
 * one who is cancelled.
 */

/* The connection is lost, the listener is not: what accept(2) says a new socket's own errors are,
   and those of BSDs. EOPNOTSUPP, which Linux lists too, also means that the socket does not listen.
   */
static bool is_of_connection(int error)
{
    switch (-error) {
    case ECONNABORTED:
    case ECONNRESET:
    case EPROTO:
    case ENOPROTOOPT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ETIMEDOUT:
#ifdef EHOSTDOWN
    case EHOSTDOWN:
#endif
#ifdef ENONET
    case ENONET:
#endif
        return true;
    default:
        return false;
    }
}

/* EPERM is a firewall's word, of one connection; but a sandbox may say it for ever. */
static bool is_of_resources(int error)
{
    return error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENOMEM ||
           error == -ENOSPC || error == -EPERM;
}

static aloop_poll wait_paused(aloop_task *task, aloop_op *op)
{
    aloop *loop = task->future.loop;

    op->arg[IS_PAUSED].number = 1;
    (void)aloop_op_wait_until(task, loop->accept_pause);
    return aloop_op_wait(op, &loop->paused_accepts);
}

static aloop_poll pause_accepting(aloop_task *task, aloop_op *op, int error)
{
    aloop *loop = task->future.loop;

    loop->accept_pause = time_add(loop->now, ACCEPT_PAUSE);
    if (loop->now >= loop->accept_report) {
        loop->accept_report = loop->accept_pause;
        aloop_call_exception_handler(
            loop, &(aloop_exception_context){.message = "accepting connections pauses",
                                             .error = error});
    }
    return wait_paused(task, op);
}

/* The next connection: the one held, or the kernel's. */
static int take_connection(struct watch *watch)
{
    if (ALOOP_UNLIKELY(watch->has_held)) {
        watch->has_held = false;
        return watch->held;
    }
    if (!(watch->ready & POLLER_READ))
        return -EAGAIN;
    return sys.accept(watch->fd, NULL, NULL);
}

static aloop_poll accept_from(aloop_task *task, aloop_op *op, struct watch *watch)
{
    aloop *loop = task->future.loop;
    int fd;
    int error;

    do {
        fd = take_connection(watch);
        loop->budget -= ACCEPT_COST;
        if (loop->budget <= 0 && is_of_connection(fd))
            return aloop_op_yield(task);
    } while (is_of_connection(fd));
    if (fd == -EAGAIN) {
        socket_used_up(loop, watch, POLLER_READ);
        return aloop_op_wait(op, &watch->readers);
    }
    if (fd < 0)
        return is_of_resources(fd) ? pause_accepting(task, op, fd) : fd;
    error = socket_register(loop, fd, watch->is_tcp, op->arg[OUT_SOCKET].pointer);
    if (ALOOP_LIKELY(error == 0))
        return 0;
    watch->has_held = true;
    watch->held = fd;
    return is_of_resources(error) ? pause_accepting(task, op, error) : error;
}

static aloop_poll accept_poll(aloop_task *task, aloop_op *op)
{
    aloop *loop = task->future.loop;
    struct watch *watch = watch_find(loop, op->arg[LISTENER].number);

    if (watch == NULL)
        return -ECANCELED;
    if (op->arg[IS_PAUSED].number != 0) {
        aloop_waiter_unlink(&op->waiter);
        op->arg[IS_PAUSED].number = 0;
    }
    if (ALOOP_UNLIKELY(loop->accept_pause != 0)) {
        if (loop->now < loop->accept_pause)
            return wait_paused(task, op);
        loop->accept_pause = 0;
    }
    return accept_from(task, op, watch);
}

static void accept_describe(const aloop_task *task, const aloop_op *op, aloop_op_details *details)
{
    describe_watch(task, op, details);
    if (op->arg[IS_PAUSED].number != 0) {
        details->deadline = task->future.loop->accept_pause;
        (void)snprintf(details->text, sizeof details->text, "pauses: no file descriptors");
    }
}

static const aloop_op_type accept_type = {.name = "accept", .describe = accept_describe};

static aloop_poll accept_begin(aloop_task *task, aloop_op *op)
{
    int error;

    if (op_begin(task, op, &error) == NULL)
        return error;
    op->poll = accept_poll;
    return accept_poll(task, op);
}

aloop_op aloop_accept(const aloop_socket *listener, aloop_socket *out_socket)
{
    return (aloop_op){.poll = accept_begin,
                      .type = &accept_type,
                      .arg = {{.data = listener}, {.pointer = out_socket}}};
}
