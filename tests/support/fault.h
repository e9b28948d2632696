/*
 * Makes system calls fail on demand, and counts them. fault_install() puts a wrapper before every
 * member of the table in use; a test then says which call is to fail, and how:
 *
 *     fault_install();
 *     fault_fail(FAULT_EPOLL_CTL, 2, -ENOMEM);     the second call from here fails, once
 *     ...
 *     assert_int_equal(fault_count(FAULT_RECV), 0);
 *     fault_reset();
 *
 * May be used while other threads call; install and reset while none does.
 */
#ifndef ALOOP_TESTS_FAULT_H
#define ALOOP_TESTS_FAULT_H

#include "sys/sys.h"

/* Every member of struct sys: X(CONSTANT, type of result, member, (parameters), (arguments)). A
   member that is missing here breaks the build of fault.c. */
#define FAULT_CALLS(X) \
    X(CLOCK, aloop_ns, clock, (bool boottime), (boottime)) \
    X(CLOSE, int, close, (int fd), (fd)) \
    X(READ, ssize_t, read, (int fd, void *buffer, size_t size), (fd, buffer, fault_cut(size))) \
    X(WRITE, ssize_t, write, (int fd, const void *buffer, size_t size), \
      (fd, buffer, fault_cut(size))) \
    X(RECV, ssize_t, recv, (int fd, void *buffer, size_t size, int flags), \
      (fd, buffer, fault_cut(size), flags)) \
    X(SEND, ssize_t, send, (int fd, const void *buffer, size_t size, int flags), \
      (fd, buffer, fault_cut(size), flags)) \
    X(SENDV, ssize_t, sendv, (int fd, const struct iovec *pieces, int count), \
      (fd, fault_cut_pieces(pieces, count), fault_cut_count(pieces, count))) \
    X(WRITEV, ssize_t, writev, (int fd, const struct iovec *pieces, int count), \
      (fd, fault_cut_pieces(pieces, count), fault_cut_count(pieces, count))) \
    X(PREAD, ssize_t, pread, (int fd, void *buffer, size_t size, int64_t offset), \
      (fd, buffer, fault_cut(size), offset)) \
    X(SENDMSG, ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), \
      (fd, message, flags)) \
    X(RECVMSG, ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), \
      (fd, message, flags)) \
    X(SEND_FDS, ssize_t, send_fds, \
      (int fd, const struct iovec *piece, const struct aloop_fds *fds), \
      (fd, fault_cut_pieces(piece, 1), fds)) \
    X(RECV_FDS, ssize_t, recv_fds, \
      (int fd, const struct iovec *piece, struct aloop_fds *fds), (fd, piece, fds)) \
    X(SENDMMSG, int, sendmmsg, (int fd, struct sys_message *messages, int count), \
      (fd, messages, count)) \
    X(RECVMMSG, int, recvmmsg, (int fd, struct sys_message *messages, int count, int flags), \
      (fd, messages, count, flags)) \
    X(SENDFILE, ssize_t, sendfile, (int to, int from, int64_t offset, size_t size), \
      (to, from, offset, fault_cut(size))) \
    X(SOCKET, int, socket, (int family, int type, int protocol), (family, type, protocol)) \
    X(BIND, int, bind, (int fd, const struct sockaddr *address, socklen_t size), \
      (fd, address, size)) \
    X(LISTEN, int, listen, (int fd, int backlog), (fd, backlog)) \
    X(ACCEPT, int, accept, (int fd, struct sockaddr *address, socklen_t *size), \
      (fd, address, size)) \
    X(CONNECT, int, connect, (int fd, const struct sockaddr *address, socklen_t size), \
      (fd, address, size)) \
    X(SHUTDOWN, int, shutdown, (int fd, int how), (fd, how)) \
    X(GETSOCKOPT, int, getsockopt, \
      (int fd, int level, int name, void *value, socklen_t *size), (fd, level, name, value, size)) \
    X(SETSOCKOPT, int, setsockopt, \
      (int fd, int level, int name, const void *value, socklen_t size), \
      (fd, level, name, value, size)) \
    X(GETSOCKNAME, int, getsockname, (int fd, struct sockaddr *address, socklen_t *size), \
      (fd, address, size)) \
    X(GETPEERNAME, int, getpeername, (int fd, struct sockaddr *address, socklen_t *size), \
      (fd, address, size)) \
    X(SOCKETPAIR, int, socketpair, (int family, int type, int *fds), (family, type, fds)) \
    X(PEER_CREDENTIALS, int, peer_credentials, \
      (int fd, struct aloop_credentials *credentials), (fd, credentials)) \
    X(MULTICAST_MEMBER, int, multicast_member, \
      (int fd, const struct sockaddr *group, unsigned interface, bool joins), \
      (fd, group, interface, joins)) \
    X(IP_OPTION, int, ip_option, \
      (int fd, int family, enum sys_ip_option option, unsigned value), \
      (fd, family, option, value)) \
    X(KEEP_ERRORS, int, keep_errors, (int fd, int family), (fd, family)) \
    X(RECV_ERROR, int, recv_error, (int fd, struct aloop_queued_error *error), (fd, error)) \
    X(NO_SIGPIPE, int, no_sigpipe, (int fd), (fd)) \
    X(OPEN, int, open, (const char *path, int flags, unsigned mode), (path, flags, mode)) \
    X(PWRITE, ssize_t, pwrite, (int fd, const void *buffer, size_t size, int64_t offset), \
      (fd, buffer, fault_cut(size), offset)) \
    X(SYNC, int, sync, (int fd, bool data_only), (fd, data_only)) \
    X(FTRUNCATE, int, ftruncate, (int fd, int64_t size), (fd, size)) \
    X(STATUS, int, status, \
      (int fd, const char *path, bool follow, struct aloop_file_status *status), \
      (fd, path, follow, status)) \
    X(RENAME, int, rename, (const char *from, const char *to), (from, to)) \
    X(MKDIR, int, mkdir, (const char *path, unsigned mode), (path, mode)) \
    X(RMDIR, int, rmdir, (const char *path), (path)) \
    X(DIRECTORY_OPEN, int, directory_open, (const char *path, void **directory), \
      (path, directory)) \
    X(DIRECTORY_NEXT, int, directory_next, \
      (void *directory, const char **name, unsigned *type), (directory, name, type)) \
    X(DIRECTORY_CLOSE, int, directory_close, (void *directory), (directory)) \
    X(UNLINK, int, unlink, (const char *path), (path)) \
    X(PATH_IS_SOCKET, int, path_is_socket, (const char *path), (path)) \
    X(PATH_IDENTITY, int, path_identity, (const char *path, uint64_t *identity), (path, identity)) \
    X(LISTEN_FDS, int, listen_fds, (void), ()) \
    X(FD_IS_OPEN, int, fd_is_open, (int fd), (fd)) \
    X(FD_IS_POLLABLE, int, fd_is_pollable, (int fd), (fd)) \
    X(DUP_OVER, int, dup_over, (int from, int to), (from, to)) \
    X(SET_NONBLOCKING, int, set_nonblocking, (int fd, bool nonblocking), (fd, nonblocking)) \
    X(WAKE_OPEN, int, wake_open, (int *fds), (fds)) \
    X(WAKE, int, wake, (int fd), (fd)) \
    X(WAKE_DRAIN, int, wake_drain, (int fd), (fd)) \
    X(POLL, int, poll, (struct pollfd *fds, nfds_t count, aloop_ns timeout), \
      (fds, count, timeout)) \
    X(EPOLL_CREATE, int, epoll_create, (void), ()) \
    X(EPOLL_CTL, int, epoll_ctl, (int epfd, int op, int fd, struct epoll_event *event), \
      (epfd, op, fd, event)) \
    X(EPOLL_WAIT, int, epoll_wait, \
      (int epfd, struct epoll_event *events, int max, aloop_ns timeout), \
      (epfd, events, max, timeout)) \
    X(KQUEUE, int, kqueue, (void), ()) \
    X(KEVENT, int, kevent, \
      (int kq, const struct kevent *changes, int change_count, struct kevent *events, \
       int event_max, aloop_ns timeout), \
      (kq, changes, change_count, events, event_max, timeout)) \
    X(GETADDRINFO, int, getaddrinfo, \
      (const char *host, const char *service, const struct addrinfo *hints, \
       struct addrinfo **out_list), (host, service, hints, out_list)) \
    X(GETNAMEINFO, int, getnameinfo, \
      (const struct sockaddr *address, socklen_t length, char *host, size_t host_size, \
       char *service, size_t service_size, int flags), \
      (address, length, host, host_size, service, service_size, flags)) \
    X(THREAD_CREATE, int, thread_create, \
      (pthread_t *out_thread, void *(*run)(void *arg), void *arg), (out_thread, run, arg)) \
    X(SIGACTION, int, sigaction, \
      (int number, const struct sigaction *action, struct sigaction *out_before), \
      (number, action, out_before)) \
    X(RAISE, int, raise, (int number), (number)) \
    X(IS_MAIN_THREAD, int, is_main_thread, (void), ()) \
    X(PIPE, int, pipe, (int *fds), (fds)) \
    X(SPAWN, pid_t, spawn, (const struct sys_spawn *request), (request)) \
    X(PIDFD_OPEN, int, pidfd_open, (pid_t pid), (pid)) \
    X(WAIT_CHILD, int, wait_child, (pid_t pid, int pidfd, bool leave_it, int *returncode), \
      (pid, pidfd, leave_it, returncode)) \
    X(KILL, int, kill, (pid_t pid, int pidfd, int signal_number), (pid, pidfd, signal_number)) \
    X(FORK_GENERATION, uint64_t, fork_generation, (void), ()) \
    X(FDS_ARE_SHARED, int, fds_are_shared, (void), ())

enum fault_call {
#define FAULT_CONSTANT(constant, type, member, parameters, arguments) FAULT_##constant,
    FAULT_CALLS(FAULT_CONSTANT)
#undef FAULT_CONSTANT
    FAULT_CALL_COUNT
};

/* Wraps the table as it is; harmless if it is wrapped already. Forgets all faults and counts. */
void fault_install(void);
/* Puts the table back as it was before fault_install(), and forgets all faults and counts. */
void fault_reset(void);

/* The n-th call (1 is the next) returns `result` without reaching the system, and only that one.
   For the calls that give a number (clock, fork_generation) `result` is that number. */
void fault_fail(enum fault_call call, unsigned n, int64_t result);
/* The n-th call, and all after it, do. */
void fault_fail_from(enum fault_call call, unsigned n, int64_t result);
/* Takes back what was said of a call. */
void fault_clear(enum fault_call call);
/* read, write, recv, send and their kin move at most `bytes` (> 0) at a time; 0: as many as
   asked. */
void fault_cut_to(size_t bytes);

/* Calls since fault_install(), those that were made to fail included. */
unsigned fault_count(enum fault_call call);
/* The calls that were made to fail. */
unsigned fault_failures(enum fault_call call);
/* "epoll_ctl": for messages of tests that sweep over calls. */
const char *fault_name(enum fault_call call);

#endif
