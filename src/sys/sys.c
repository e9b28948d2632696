/*
 * The table itself, and the copy of it that tests replace members of.
 */
#include "sys/sys.h"
#include "sys/calls.h"

#define TABLE_COMMON                                                                               \
    .clock = sys_clock, .close = sys_close, .read = sys_read, .write = sys_write,                  \
    .recv = sys_recv, .send = sys_send, .sendv = sys_sendv, .writev = sys_writev,                  \
    .pread = sys_pread, .sendfile = sys_sendfile, .socket = sys_socket, .bind = sys_bind,                    \
    .listen = sys_listen, .accept = sys_accept, .connect = sys_connect, .shutdown = sys_shutdown,  \
    .getsockopt = sys_getsockopt, .setsockopt = sys_setsockopt, .getsockname = sys_getsockname,    \
    .getpeername = sys_getpeername, .socketpair = sys_socketpair, .no_sigpipe = sys_no_sigpipe,    \
    .unlink = sys_unlink, .path_is_socket = sys_path_is_socket,                                   \
    .path_identity = sys_path_identity, .listen_fds = sys_listen_fds,                              \
    .fd_is_open = sys_fd_is_open,                                                                  \
    .fd_is_pollable = sys_fd_is_pollable, .dup_over = sys_dup_over,                                \
    .set_nonblocking = sys_set_nonblocking,                                                        \
    .wake_open = sys_wake_open, .wake = sys_wake, .wake_drain = sys_wake_drain, .poll = sys_poll,  \
    .getaddrinfo = sys_getaddrinfo, .getnameinfo = sys_getnameinfo,                                \
    .send_fds = sys_send_fds, .recv_fds = sys_recv_fds,                                              \
    .sendmsg = sys_sendmsg, .recvmsg = sys_recvmsg, .sendmmsg = sys_sendmmsg,                      \
    .recvmmsg = sys_recvmmsg, .peer_credentials = sys_peer_credentials,                            \
    .multicast_member = sys_multicast_member, .ip_option = sys_ip_option_set,            \
    .keep_errors = sys_keep_errors, .recv_error = sys_recv_error, .open = sys_open,                \
    .pwrite = sys_pwrite, .sync = sys_sync, .ftruncate = sys_ftruncate, .status = sys_status,      \
    .rename = sys_rename, .mkdir = sys_mkdir, .rmdir = sys_rmdir,                                  \
    .directory_open = sys_directory_open, .directory_next = sys_directory_next,                    \
    .directory_close = sys_directory_close,                                                        \
    .thread_create = sys_thread_create, .sigaction = sys_sigaction, .raise = sys_raise,            \
    .is_main_thread = sys_is_main_thread, .pipe = sys_pipe, .spawn = sys_spawn,                    \
    .pidfd_open = sys_pidfd_open, .wait_child = sys_wait_child, .kill = sys_kill,                  \
    .fork_generation = sys_fork_generation, .fds_are_shared = sys_fds_are_shared

/* With ALOOP_TEST_KQUEUE alone the kqueue members stay NULL: a test supplies them. */
#if defined(__linux__)
#define TABLE TABLE_COMMON, .epoll_create = sys_epoll_create, .epoll_ctl = sys_epoll_ctl,          \
                            .epoll_wait = sys_epoll_wait
#elif defined(SYS_HAVE_KQUEUE)
#define TABLE TABLE_COMMON, .kqueue = sys_kqueue, .kevent = sys_kevent
#else
#define TABLE TABLE_COMMON
#endif

struct sys sys = {TABLE};
const struct sys sys_default = {TABLE};

uintptr_t sys_thread_id(void)
{
    static _Thread_local char here;

    return (uintptr_t)&here;
}
