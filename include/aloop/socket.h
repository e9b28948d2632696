/*
 * Sockets: listening, connecting, receiving and sending. asyncio: sock_accept(), sock_connect(),
 * sock_recv(), sock_sendall(), with the socket itself as well.
 *
 * An aloop_socket is a small value that names a socket of a loop; all zero, it names none. It can
 * be copied, and handed to another coroutine as an argument (.sock = conn): all copies name the
 * same socket, and once it is closed by way of any of them, all of them name nothing. Using one
 * that names nothing is -EBADF, closing it is harmless. Who closes is for the program to say; what
 * it leaves open is closed with the loop. No copy may be used after the loop's last reference is
 * gone.
 *
 * The fd belongs to the library: it is non-blocking, close-on-exec, registered with the poller once
 * for its life, and must not be closed, nor given to aloop_add_reader(), by the program. SIGPIPE is
 * never raised. TCP sockets that the library makes have TCP_NODELAY set, as in asyncio: whoever
 * sends small pieces gathers them himself, and nothing waits for an acknowledgement.
 *
 * Functions that return an aloop_op are for awaiting, in a task of the socket's loop; else the
 * await gives -ALOOP_EWRONGLOOP. The socket they are given is looked at when the await begins, and
 * the buffer is used until it ends, whichever way it ends; not a moment longer. Each can be
 * cancelled, or given a time limit with aloop_wait_for(), and has then taken nothing: no byte is
 * read, no connection accepted, that its caller does not get. One task at a time may receive on a
 * socket, and one send (-EBUSY); any number may accept. Closing a socket ends with -ECANCELED what
 * waits for it. Errors of the system come as they are: -ECONNRESET, -EPIPE, -ENOTCONN, -ETIMEDOUT
 * (also of the network!), ... All calls are for the loop's thread.
 */
#ifndef ALOOP_SOCKET_H
#define ALOOP_SOCKET_H

#include <aloop/address.h>
#include <aloop/op.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct aloop_socket {
    aloop *loop;
    int64_t watch; /* the library's: tells this socket from all that had its fd before */
    int fd; /* to look at; who makes a duplicate of it asks aloop_socket_fd() for it */
} aloop_socket;

/* How to listen. Begin with ALOOP_LISTEN_OPTIONS_INIT; new members will be added at the end. */
typedef struct aloop_listen_options {
    size_t size;     /* of this struct as the program was compiled with it */
    int backlog;     /* connections that may wait to be accepted; 0: what is usual, SOMAXCONN */
    bool reuse_port; /* several sockets may listen on one port, in several processes too */
    bool dual_stack; /* an IPv6 socket takes IPv4 connections too; else, everywhere, IPv6 alone */
} aloop_listen_options;

#define ALOOP_LISTEN_OPTIONS_INIT { .size = sizeof(aloop_listen_options) }

/*
 * A stream socket that listens at `address`; port 0: a free one, which aloop_socket_address()
 * tells. `loop` NULL: the one that runs. A TCP port is taken though connections of an earlier run
 * linger there (SO_REUSEADDR). A Unix socket that nobody listens on any more is replaced; the file
 * stays when the socket is closed. `options` NULL: the defaults. *out_socket (returns owned) is
 * written on success only. asyncio: the beginning of start_server(). Returns 0; -ALOOP_ENOLOOP,
 * -ALOOP_ECLOSED, -ENOMEM, -EINVAL (an option), -ENOTSUP (reuse_port on a system without),
 * -EADDRINUSE (also: the path is of something that is no socket, or somebody listens on it),
 * -EADDRNOTAVAIL, -EACCES, -EMFILE, ...
 */
ALOOP_API ALOOP_CHECKED int aloop_socket_listen(aloop *loop, const aloop_address *address,
                                                const aloop_listen_options *options,
                                                aloop_socket *out_socket);

/*
 * Makes a socket that was opened elsewhere (inherited, say, or of a kind that there is no function
 * for here) one of the loop's. Takes the fd on success, and makes it non-blocking; on failure it
 * stays the caller's. `loop` NULL: the one that runs. Returns 0; -EBADF, -ENOTSOCK, -ENOMEM,
 * -ENOSPC, -EBUSY (it is one of the library's sockets already, or has readers or writers),
 * -ALOOP_ENOLOOP, -ALOOP_ECLOSED.
 */
ALOOP_API ALOOP_CHECKED int aloop_socket_adopt(aloop *loop, int fd, aloop_socket *out_socket);

/* Two Unix stream sockets that are connected with each other. Returns 0, or an error as listening.
   */
ALOOP_API ALOOP_CHECKED int aloop_socket_pair(aloop *loop, aloop_socket out_sockets[2]);

/* Its own address, and that of its peer. Return 0; -EBADF, -ENOTCONN. asyncio: getsockname(). */
ALOOP_API ALOOP_CHECKED int aloop_socket_address(const aloop_socket *socket,
                                                 aloop_address *out_address);
ALOOP_API ALOOP_CHECKED int aloop_socket_peer(const aloop_socket *socket,
                                              aloop_address *out_address);

/* Its fd, to set options on, or to duplicate (borrows); -EBADF. asyncio: fileno(). */
ALOOP_API int aloop_socket_fd(const aloop_socket *socket);

/* Does it name a socket that is open? */
ALOOP_API bool aloop_socket_is_open(const aloop_socket *socket);

/*
 * Ends one direction, or both: `how` is SHUT_RD, SHUT_WR or SHUT_RDWR of <sys/socket.h>. After
 * SHUT_WR the peer reads what was sent, and then the end. Returns 0; -EBADF, -ENOTCONN, -EINVAL.
 * asyncio: write_eof().
 */
ALOOP_API int aloop_socket_shutdown(const aloop_socket *socket, int how);

/*
 * Closes: who waits for the socket, and whoever uses a copy of *socket from then on, finds it gone;
 * *socket is zero afterwards. Nothing if it names nothing: it can stand in every ALOOP_FINALLY.
 * That the system may report an error here (EINTR, EIO) is of no use to anybody: the fd is gone
 * either way. If input was not read to its end, TCP tells the peer so, which may lose what was sent
 * last; to avoid that, end sending with aloop_socket_shutdown() and receive until the end first.
 */
ALOOP_API void aloop_socket_close(aloop_socket *socket);

/*
 * Awaits a connection on a listening socket and writes it to *out_socket (returns owned), which
 * must stay where it is until the await ends. The outcome is 0, or an error. Connections that
 * failed before they were taken (ECONNABORTED and its kin) are passed over. If the process or the
 * system is out of fds or memory (EMFILE, ENFILE, ENOBUFS, ENOMEM) that is no error of the await:
 * it goes on waiting, no listener of the loop accepts for a second or until a socket of the loop is
 * closed, and the exception handler is told, once a second at most. What has come stays in the
 * backlog meanwhile. asyncio: sock_accept(), the server's accept loop.
 */
ALOOP_API aloop_op aloop_accept(const aloop_socket *listener, aloop_socket *out_socket);

/*
 * Makes a stream connection to `address` and writes it to *out_socket (returns owned) if that
 * succeeds. Both must stay where they are until the await ends. The outcome is 0, or an error:
 * -ECONNREFUSED, -ENETUNREACH, -ETIMEDOUT (after minutes: give it a limit with aloop_wait_for()),
 * -ENOENT (no such Unix socket), -EAGAIN (a Unix socket whose backlog is full; try again later),
 * -EMFILE, -ENOMEM, ... When it fails or is cancelled, nothing is left open. asyncio:
 * sock_connect().
 */
ALOOP_API aloop_op aloop_connect(const aloop_address *address, aloop_socket *out_socket);

/* The parts of the functions below. */
ALOOP_API aloop_poll aloop_recv_poll_(aloop_task *task, aloop_op *op);
ALOOP_API aloop_poll aloop_send_poll_(aloop_task *task, aloop_op *op);
ALOOP_API aloop_poll aloop_send_all_poll_(aloop_task *task, aloop_op *op);
ALOOP_API extern const aloop_op_type aloop_recv_type_;
ALOOP_API extern const aloop_op_type aloop_send_type_;
ALOOP_API extern const aloop_op_type aloop_send_all_type_;

static inline aloop_op aloop_socket_op_(aloop_poll (*poll)(aloop_task *task, aloop_op *op),
                                        const aloop_op_type *type, const aloop_socket *socket,
                                        size_t size)
{
    aloop_op op = aloop_op_make_(poll, type);

    op.arg[0].data = socket;
    op.arg[2].size = size;
    return op;
}

/*
 * Receives what there is, at least one byte, at most `size`. The outcome is the number of bytes; 0
 * at the end of the stream (and when size is 0, at once); or an error. asyncio: sock_recv_into().
 */
static inline aloop_op aloop_recv(const aloop_socket *socket, void *buffer, size_t size)
{
    aloop_op op = aloop_socket_op_(aloop_recv_poll_, &aloop_recv_type_, socket, size);

    op.arg[1].pointer = buffer;
    return op;
}

/*
 * Receives exactly `size` bytes, which is the outcome. -ALOOP_EEOF if the stream ends before that.
 * What had come by then, or when it failed or was cancelled, is at the beginning of the buffer;
 * aloop_recv_exactly_counting() keeps *out_count at how much that is. asyncio: readexactly(),
 * IncompleteReadError.partial.
 */
ALOOP_API aloop_op aloop_recv_exactly(const aloop_socket *socket, void *buffer, size_t size);
ALOOP_API aloop_op aloop_recv_exactly_counting(const aloop_socket *socket, void *buffer,
                                               size_t size, size_t *out_count);

/*
 * Sends as much as the system takes now, at least one byte (size 0: none, at once). The outcome is
 * the number of bytes, or an error.
 */
static inline aloop_op aloop_send(const aloop_socket *socket, const void *data, size_t size)
{
    aloop_op op = aloop_socket_op_(aloop_send_poll_, &aloop_send_type_, socket, size);

    op.arg[1].data = data;
    return op;
}

/*
 * Sends everything; the outcome is `size`, or an error. If it fails or is cancelled in the middle,
 * part of the data is sent and cannot be called back: aloop_send_all_counting() keeps *out_count at
 * how much; without that, all that is left to do is to close. asyncio: sock_sendall().
 */
static inline aloop_op aloop_send_all(const aloop_socket *socket, const void *data, size_t size)
{
    aloop_op op = aloop_socket_op_(aloop_send_all_poll_, &aloop_send_all_type_, socket, size);

    op.arg[1].data = data;
    return op;
}

/* The same, and keeps *out_count, which must stay until the await ends, at how many bytes are
   sent. */
ALOOP_API aloop_op aloop_send_all_counting(const aloop_socket *socket, const void *data,
                                           size_t size, size_t *out_count);

/*
 * Awaits that an fd of the program's own (a pipe, a terminal, another library's socket) can be read
 * (or has hung up, or has an error: the read then says so), or written. The outcome is 0, or
 * -EBADF, -ENOMEM, -ENOSPC, -EBUSY (the fd is one of the library's sockets); a hint, as all
 * readiness: read without blocking. Any number of tasks may wait for one fd, besides
 * aloop_add_reader(). The fd stays the caller's (borrows), and must not be closed while somebody
 * waits. What the system cannot poll, a regular file, is ready at once. asyncio: add_reader() and a
 * future.
 */
ALOOP_API aloop_op aloop_readable(int fd);
ALOOP_API aloop_op aloop_writable(int fd);

#ifdef __cplusplus
}
#endif

#endif
