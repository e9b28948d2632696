/*
 * What Unix sockets can carry beside bytes: open files, and who is at the other end. asyncio has
 * neither; Python: socket.send_fds(), socket.recv_fds().
 *
 *     ALOOP_TRY(aloop_send_fds(&self->sock, "f", 1, &(aloop_fds){.items = &fd, .count = 1}));
 *
 * (there, with what lives until the await ends: a member of the frame), and in the other process
 *
 *     self->fds = (aloop_fds){.items = self->items, .capacity = 4};
 *     ALOOP_TRY(aloop_recv_fds(&self->sock, self->buffer, sizeof self->buffer, &self->fds));
 *
 * All calls are for the loop's thread.
 */
#ifndef ALOOP_UNIX_SOCKET_H
#define ALOOP_UNIX_SOCKET_H

#include <aloop/socket.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How many fds go with one message: what Linux allows. */
#define ALOOP_FDS_MAX 253

typedef struct aloop_fds {
    int *items;      /* the caller's */
    size_t count;    /* to be sent, or received */
    size_t capacity; /* receiving: how many `items` has place for */
} aloop_fds;

/*
 * Sends everything, as aloop_send_all(), and the fds with the first byte, once, however many pieces
 * the rest goes in. They stay the caller's, and may be closed when the await has ended. `size` must
 * not be 0 on a stream: fds travel with bytes. All it is given must stay until the await ends. The
 * outcome is `size`, or an error: those of aloop_send_all(); -EINVAL (more than ALOOP_FDS_MAX, or
 * fds without a byte), -EBADF (one of them is not open), -ETOOMANYREFS (too many are under way).
 */
ALOOP_API aloop_op aloop_send_fds(const aloop_socket *socket, const void *data, size_t size,
                                  const aloop_fds *fds);

/*
 * Receives bytes as aloop_recv(), and what fds came with the first of them: fds->count says how
 * many (returns owned). They are close-on-exec, and otherwise as the sender had them. On a stream
 * the bytes end where the next fds come. Fds that nobody asks for, by aloop_recv() or a stream, the
 * system closes. The outcome is the number of bytes, 0 at the end of the stream; or an error: those
 * of aloop_recv(); and, when the fds that came have been closed, and their bytes are lost:
 * -EMSGSIZE (more than `capacity`), -EMFILE (no number was free for one). The stream has a gap
 * then: close it.
 * One task at a time may receive on a socket (-EBUSY).
 */
ALOOP_API aloop_op aloop_recv_fds(const aloop_socket *socket, void *buffer, size_t size,
                                  aloop_fds *fds);

typedef struct aloop_credentials {
    int64_t pid; /* -1: the system does not tell, or it is in another namespace */
    uid_t uid;
    gid_t gid;
} aloop_credentials;

/*
 * Who was at the other end of a Unix stream socket when the connection was made: the process that
 * connected, or, seen from there, that listened. A process may have ended since, and its number be
 * another's; user and group are what the kernel vouches for. Returns 0; -EBADF, -ENOTCONN (no
 * peer, or no Unix socket), -ENOTSUP.
 */
ALOOP_API ALOOP_CHECKED int aloop_socket_credentials(const aloop_socket *socket,
                                                     aloop_credentials *out_credentials);

#ifdef __cplusplus
}
#endif

#endif
