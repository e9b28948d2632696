/*
 * Sockets from the inside: shared by the files of this layer.
 */
#ifndef ALOOP_SRC_IO_INTERNAL_H
#define ALOOP_SRC_IO_INTERNAL_H

#include "loop/watch.h"
#include "task/internal.h"

#include <aloop/socket.h>

/* What one call moves at most, and about what a task may receive in one step: TASK_BUDGET KiB. */
#define TRANSFER_MAX ((size_t)TASK_BUDGET << 10)

/* --- socket.c --- */
/* The loop that was given, or the one that runs: 0; -ALOOP_ENOLOOP, or what loop_guard() says. */
int socket_loop(aloop *loop, aloop **out_loop);
/* Registers an fd that was just made, and fills *out_socket. On error the fd stays open. */
int socket_register(aloop *loop, int fd, bool is_tcp, aloop_socket *out_socket);
/* Gives the socket, which is of that type, its address; a Unix socket's path that nobody receives
   at any more is taken over. */
int socket_bind(int fd, int type, const aloop_address *address);
/* It was given that address, and will not be used: its file goes. */
void socket_unbind(const aloop_address *address);
int socket_set_option(int fd, int level, int name, int value);
/* Sets TCP_NODELAY. Failing does no harm, so it is not reported. */
void socket_set_nodelay(int fd);
/* aloop_socket_pair() of that type. */
int socket_pair(aloop *loop, int type, aloop_socket out_sockets[2]);
/* Closes the fd of a watch, and the watch. */
void socket_close_watch(aloop *loop, struct watch *watch);

/* --- connect.c --- */
/* aloop_connect(), from an address of one's own; `local` NULL: from any. */
aloop_op connect_from(const aloop_address *address, const aloop_address *local,
                      aloop_socket *out_socket);

/* The watch of an open socket; NULL if it names nothing. */
static inline struct watch *socket_watch(const aloop_socket *socket)
{
    return socket->loop != NULL ? watch_find(socket->loop, socket->watch) : NULL;
}

/* --- send.c --- */
/* An operation whose type has send_drop as its `drop`, and arg as aloop_send_all(): sends what is
   left, and counts in arg[3].size. */
aloop_poll send_all_poll(aloop_task *task, aloop_op *op);
void send_drop(aloop_task *task, aloop_op *op);

/* --- datagram_wait.c --- */
/* Somebody who waited to send has ended, and others wait behind: it is the next one's turn. */
void datagram_next_sender(struct watch *watch);

/* Nobody waits to send any more, unless there is one behind who does. */
static inline void sender_ended(struct watch *watch)
{
    if (ALOOP_LIKELY(aloop_waitlist_is_empty(&watch->behind)))
        watch->busy &= (uint8_t)~POLLER_WRITE;
    else
        datagram_next_sender(watch);
}

static inline bool address_is_ip(const aloop_address *address)
{
    return address->storage.ss_family == AF_INET || address->storage.ss_family == AF_INET6;
}

/*
 * The beginning of an operation on a socket, to which its first argument points: the watch, and the
 * argument is its number from then on, so that nothing depends on where the caller keeps the socket
 * while it waits. NULL: *out_error says why.
 */
static inline struct watch *op_begin(const aloop_task *task, aloop_op *op, int *out_error)
{
    const aloop_socket *socket = op->arg[0].data;
    struct watch *watch;

    if (ALOOP_UNLIKELY(socket->loop != task->future.loop)) {
        *out_error = socket->loop == NULL ? -EBADF : -ALOOP_EWRONGLOOP;
        return NULL;
    }
    watch = watch_find(socket->loop, socket->watch);
    if (ALOOP_UNLIKELY(watch == NULL)) {
        *out_error = -EBADF;
        return NULL;
    }
    op->arg[0].number = socket->watch;
    return watch;
}

/* aloop_op_type.describe of those whose first argument is by now the number of a watch. */
static inline void describe_watch(const aloop_task *task, const aloop_op *op,
                                  aloop_op_details *details)
{
    const struct watch *watch = watch_find(task->future.loop, op->arg[0].number);

    if (watch != NULL)
        details->fd = watch->fd;
}

/* The kernel has no more to read, or no more room: from here on only the poller knows better. */
static inline void socket_used_up(const aloop *loop, struct watch *watch, uint8_t direction)
{
    watch->ready &= (uint8_t)~direction;
    if (ALOOP_UNLIKELY(watch->must_rearm))
        poller_rearm(loop->poller, watch->fd, direction);
}

#endif
