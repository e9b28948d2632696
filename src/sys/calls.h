/*
 * The functions that fill the table, so that each may stand in the file of the system it is for:
 * sys_posix.c has what every system does alike; sys_linux.c and sys_bsd.c define the rest, each all
 * of it. Only sys.c looks in here; everybody else calls through the table.
 */
#ifndef ALOOP_SRC_SYS_CALLS_H
#define ALOOP_SRC_SYS_CALLS_H

#include "sys/sys.h"
#include <signal.h>
#include <sys/types.h>

/* An offset cut to 32 bits would read and write at another place. */
_Static_assert(sizeof(off_t) == sizeof(int64_t), "compile with -D_FILE_OFFSET_BITS=64");

/* sys_posix.c */
int sys_close(int fd);
ssize_t sys_read(int fd, void *buffer, size_t size);
ssize_t sys_write(int fd, const void *buffer, size_t size);
ssize_t sys_recv(int fd, void *buffer, size_t size, int flags);
ssize_t sys_send(int fd, const void *buffer, size_t size, int flags);
ssize_t sys_sendv(int fd, const struct iovec *pieces, int count);
ssize_t sys_writev(int fd, const struct iovec *pieces, int count);
ssize_t sys_pread(int fd, void *buffer, size_t size, int64_t offset);
int sys_bind(int fd, const struct sockaddr *address, socklen_t size);
int sys_listen(int fd, int backlog);
int sys_connect(int fd, const struct sockaddr *address, socklen_t size);
int sys_shutdown(int fd, int how);
int sys_getsockopt(int fd, int level, int name, void *value, socklen_t *size);
int sys_setsockopt(int fd, int level, int name, const void *value, socklen_t size);
int sys_getsockname(int fd, struct sockaddr *address, socklen_t *size);
int sys_getpeername(int fd, struct sockaddr *address, socklen_t *size);
int sys_unlink(const char *path);
int sys_path_is_socket(const char *path);
int sys_path_identity(const char *path, uint64_t out_identity[2]);
int sys_listen_fds(void);
int sys_fd_is_open(int fd);
int sys_fd_is_pollable(int fd);
int sys_set_nonblocking(int fd, bool nonblocking);
int sys_wake(int fd);
int sys_wake_drain(int fd);

/* Around a call that raises SIGPIPE and has no flag against that: the thread holds the signal back,
   and takes it away if the call has raised it. `error` is the call's result. errno is as before. */
struct sigpipe_guard {
    sigset_t mask;
    bool was_pending;
};
void sigpipe_hold(struct sigpipe_guard *guard);
void sigpipe_release(const struct sigpipe_guard *guard, ssize_t error);

/* message.c */
ssize_t sys_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t sys_recvmsg(int fd, struct msghdr *message, int flags);
/* sendmmsg and recvmmsg, in a call for each. */
int sys_send_each(int fd, struct sys_message *messages, int count);
int sys_recv_each(int fd, struct sys_message *messages, int count, int flags);

/* fds.c */
ssize_t sys_send_fds(int fd, const struct iovec *piece, const struct aloop_fds *fds);
ssize_t sys_recv_fds(int fd, const struct iovec *piece, struct aloop_fds *fds);

/* multicast.c */
int sys_multicast_member(int fd, const struct sockaddr *group, unsigned interface, bool joins);
int sys_ip_option_set(int fd, int family, enum sys_ip_option option, unsigned value);

/* file.c */
int sys_open(const char *path, int flags, unsigned mode);
ssize_t sys_pwrite(int fd, const void *buffer, size_t size, int64_t offset);
int sys_sync(int fd, bool data_only);
int sys_ftruncate(int fd, int64_t size);
int sys_status(int fd, const char *path, bool follow, struct aloop_file_status *out_status);
int sys_rename(const char *from, const char *to);
int sys_mkdir(const char *path, unsigned mode);
int sys_rmdir(const char *path);
int sys_directory_open(const char *path, void **out_directory);
int sys_directory_next(void *directory, const char **out_name, unsigned *out_type);
int sys_directory_close(void *directory);

/* names.c */
int sys_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                    struct addrinfo **out_list);
int sys_getnameinfo(const struct sockaddr *address, socklen_t length, char *host, size_t host_size,
                    char *service, size_t service_size, int flags);

/* thread.c */
int sys_thread_create(pthread_t *out_thread, void *(*run)(void *arg), void *arg);

/* signal.c */
int sys_sigaction(int number, const struct sigaction *action, struct sigaction *out_before);
int sys_raise(int number);

/* spawn.c */
pid_t sys_spawn(const struct sys_spawn *request);
int sys_wait_child(pid_t pid, int pidfd, bool leave_it, int *out_returncode);
int sys_kill(pid_t pid, int pidfd, int signal_number);

/* fork.c */
uint64_t sys_fork_generation(void);
int sys_fds_are_shared(void);

/* sys_linux.c or sys_bsd.c */
aloop_ns sys_clock(bool boottime);
int sys_socket(int family, int type, int protocol);
int sys_accept(int fd, struct sockaddr *address, socklen_t *size);
int sys_socketpair(int family, int type, int fds[2]);
int sys_no_sigpipe(int fd);
int sys_dup_over(int from, int to);
ssize_t sys_sendfile(int to, int from, int64_t offset, size_t size);
int sys_pipe(int fds[2]);
int sys_pidfd_open(pid_t pid);
int sys_wake_open(int fds[2]);
int sys_is_main_thread(void);
int sys_poll(struct pollfd *fds, nfds_t count, aloop_ns timeout);
/* Asks the kernel's own poller about an fd that is neither a socket nor a pipe; `is_file`: a
   regular file or a directory. As fd_is_pollable. */
int sys_probe_pollable(int fd, bool is_file);
/* message_linux.c or message_bsd.c */
int sys_sendmmsg(int fd, struct sys_message *messages, int count);
int sys_recvmmsg(int fd, struct sys_message *messages, int count, int flags);
int sys_peer_credentials(int fd, struct aloop_credentials *out_credentials);
int sys_keep_errors(int fd, int family);
int sys_recv_error(int fd, struct aloop_queued_error *out_error);
#ifdef SYS_HAVE_EPOLL
/* sys_linux.c */
int sys_epoll_create(void);
int sys_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event);
int sys_epoll_wait(int epfd, struct epoll_event *events, int max, aloop_ns timeout);
#endif
#ifdef SYS_HAVE_KQUEUE
/* sys_bsd.c */
int sys_kqueue(void);
int sys_kevent(int kq, const struct kevent *changes, int change_count, struct kevent *events,
               int event_max, aloop_ns timeout);
#endif

#endif
