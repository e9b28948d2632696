/*
 * Waiting for an fd of the program's own. It shares the level watch of aloop_add_reader(), and is
 * registered for as long as somebody waits: the fd may be closed, or watched by another loop,
 * between two awaits.
 */
#include "io/internal.h"

/* arg: the fd, the direction, the number of the watch */
enum { FD, DIRECTION, WATCH };

/* Takes back what the wait has asked of the poller; others may have done so already, when they took
   back theirs. */
static void drop_interest(aloop *loop, const aloop_op *op)
{
    struct watch *watch = watch_find(loop, op->arg[WATCH].number);

    if (watch != NULL)
        watch_drop_interest(loop, watch);
}

/* Out of the list is woken, and woken is ready: who else was woken with us may have made the watch
   superfluous by now, so there is nothing to look it up for. */
static aloop_poll fd_poll(aloop_task *task, aloop_op *op)
{
    if (aloop_waiter_is_linked(&op->waiter))
        return ALOOP_PENDING;
    drop_interest(task->future.loop, op);
    return 0;
}

static aloop_poll fd_begin(aloop_task *task, aloop_op *op)
{
    aloop *loop = task->future.loop;
    struct watch *watch;
    int error = watch_get(loop, (int)op->arg[FD].number, &watch);

    if (error < 0)
        return error;
    aloop_waitlist_push(op->arg[DIRECTION].number == POLLER_READ ? &watch->readers
                                                                 : &watch->writers,
                        &op->waiter);
    error = watch_add_interest(loop, watch);
    if (error < 0 || watch->is_always_ready) {
        aloop_waiter_unlink(&op->waiter);
        watch_drop_interest(loop, watch);
        return error;
    }
    op->arg[WATCH].number = slots_number(watch);
    op->poll = fd_poll;
    return ALOOP_PENDING;
}

static void fd_drop(aloop_task *task, aloop_op *op)
{
    drop_interest(task->future.loop, op);
}

static void fd_describe(const aloop_task *task, const aloop_op *op, aloop_op_details *details)
{
    (void)task;
    details->fd = (int)op->arg[FD].number;
}

static const aloop_op_type readable_type = {
    .name = "readable", .drop = fd_drop, .describe = fd_describe};
static const aloop_op_type writable_type = {
    .name = "writable", .drop = fd_drop, .describe = fd_describe};

aloop_op aloop_readable(int fd)
{
    return (aloop_op){.poll = fd_begin,
                      .type = &readable_type,
                      .arg = {{.number = fd}, {.number = POLLER_READ}}};
}

aloop_op aloop_writable(int fd)
{
    return (aloop_op){.poll = fd_begin,
                      .type = &writable_type,
                      .arg = {{.number = fd}, {.number = POLLER_WRITE}}};
}
