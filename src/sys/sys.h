/*
 * The only place that calls the operating system. Each call is a member of one table, so that a
 * test can make the n-th one fail, be cut short, or be interrupted; the library calls through the
 * table and never past it (a test greps for that).
 *
 * Every call returns what it got, or a negative errno: errno itself is read here and nowhere else.
 * Next to each stands its EINTR policy:
 *   retried    the call is repeated here; callers never see -EINTR;
 *   reported   -EINTR is returned: the caller must decide (a wait recomputes its timeout);
 *   done       the kernel says EINTR but has done the work (close): success.
 * Every fd made here is close-on-exec and, but for files, non-blocking from birth, where the system
 * can do that in one call, and by fcntl right after where it cannot.
 */
#ifndef ALOOP_SRC_SYS_SYS_H
#define ALOOP_SRC_SYS_SYS_H

#include <aloop/base.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#if defined(__linux__)
#define SYS_HAVE_EPOLL 1
#endif
#if defined(__APPLE__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__) || \
    defined(__DragonFly__) || defined(ALOOP_TEST_KQUEUE)
#define SYS_HAVE_KQUEUE 1
#endif

struct addrinfo;
struct aloop_credentials;
struct aloop_fds;
struct aloop_file_status;
struct aloop_queued_error;
struct epoll_event;
struct kevent;

/* One fd of a child: its number there, and whose copy it is here. */
struct sys_spawn_fd {
    int to;
    int from; /* or SYS_SPAWN_NULL: /dev/null */
};

#define SYS_SPAWN_NULL (-1)

/* What a child is to be. All that it points to is ready for use: between vfork and exec nothing is
   allocated. */
struct sys_spawn {
    const char *const *paths; /* to be tried in this order; NULL at the end */
    const char *const *argv;
    const char *const *env;         /* NULL: the parent's */
    const char *cwd;                /* the same */
    const struct sys_spawn_fd *fds; /* no `to` twice */
    int *moved;                     /* room for fd_count numbers */
    size_t fd_count;
    bool close_others; /* but for the standard ones */
    bool new_session;
    pid_t group;         /* -1: the parent's; 0: one of its own */
    int umask;           /* -1: the parent's */
    uid_t uid;           /* (uid_t)-1: the parent's */
    gid_t gid;           /* the same */
    const gid_t *groups; /* NULL: the parent's, or none for another user */
    size_t group_count;
};

/* One of several messages, and how much of it was moved; laid out as Linux wants it. */
struct sys_message {
    struct msghdr header;
    unsigned length;
};

/* What ip_option sets: a count of hops, of what goes to one and to groups; the number of an
   interface; 0 or 1. */
enum sys_ip_option { SYS_HOPS, SYS_MULTICAST_HOPS, SYS_MULTICAST_INTERFACE, SYS_MULTICAST_LOOP };

/* The table has the same members on every system, so that its layout depends on no macro; what a
   system does not have is NULL. */
struct sys {
    /* The monotonic clock, in ns, which no setting of the wall clock moves; `boottime` counts the
       time the machine was suspended as well, where the system can tell. Never fails on a supported
       system. EINTR: cannot happen. */
    aloop_ns (*clock)(bool boottime);

    /* EINTR, EINPROGRESS: done (the fd is closed; repeating could close somebody else's). */
    int (*close)(int fd);
    /* EINTR: retried. On sockets and pipes these never block: the fds are non-blocking, or the call
       is given MSG_DONTWAIT; on files they do as pread does. write raises SIGPIPE where the system
       does: sockets take send. */
    ssize_t (*read)(int fd, void *buffer, size_t size);
    ssize_t (*write)(int fd, const void *buffer, size_t size);
    /* recv and send on a socket; send never raises SIGPIPE (where that takes an option of the
       socket instead of a flag, the calls that make sockets set it; see no_sigpipe). EINTR:
       retried. */
    ssize_t (*recv)(int fd, void *buffer, size_t size, int flags);
    ssize_t (*send)(int fd, const void *buffer, size_t size, int flags);

    /* Several pieces at once: to a socket, and to anything else that is written to (where SIGPIPE
       is held back for the moment of the call, at the price of two more). EINTR: retried. */
    ssize_t (*sendv)(int fd, const struct iovec *pieces, int count);
    ssize_t (*writev)(int fd, const struct iovec *pieces, int count);
    /* Messages of sockets; sending never raises SIGPIPE. With sys_whole_size among the flags,
       receiving a datagram that is cut gives the size that it had, where the system can tell.
       EINTR: retried. */
    ssize_t (*sendmsg)(int fd, const struct msghdr *message, int flags);
    ssize_t (*recvmsg)(int fd, struct msghdr *message, int flags);
    /* Bytes and fds; received ones are close-on-exec. -EMSGSIZE if there is no place for all of
       them, -EMFILE if some did not come: those that did are closed. EINTR: retried. */
    ssize_t (*send_fds)(int fd, const struct iovec *piece, const struct aloop_fds *fds);
    ssize_t (*recv_fds)(int fd, const struct iovec *piece, struct aloop_fds *fds);
    /* Several messages at once, in one call where the system has it. How many were moved, more
       than 0; the error of the first if none was. What stopped a later one may be told by the next
       call, or by none. */
    int (*sendmmsg)(int fd, struct sys_message *messages, int count);
    int (*recvmmsg)(int fd, struct sys_message *messages, int count, int flags);
    /* EINTR: retried. Blocks for as long as the disk takes. */
    ssize_t (*pread)(int fd, void *buffer, size_t size, int64_t offset);
    /* From a file to a socket or pipe within the kernel, without SIGPIPE. 0 at the end of the file;
       -ENOTSUP, -ENOSYS or -EINVAL where the system cannot do that, or not for these two. EINTR:
       retried. */
    ssize_t (*sendfile)(int to, int from, int64_t offset, size_t size);

    /* Non-blocking, close-on-exec, without SIGPIPE. EINTR: cannot happen. */
    int (*socket)(int family, int type, int protocol);
    int (*bind)(int fd, const struct sockaddr *address, socklen_t size);
    int (*listen)(int fd, int backlog);
    /* The new fd has the same properties. EINTR: retried. `address` may be NULL. */
    int (*accept)(int fd, struct sockaddr *address, socklen_t *size);
    /* EINTR: reported as -EINPROGRESS: the connection goes on being made, and a second call would
       say EALREADY (POSIX): wait until writable and read SO_ERROR. */
    int (*connect)(int fd, const struct sockaddr *address, socklen_t size);
    int (*shutdown)(int fd, int how);
    int (*getsockopt)(int fd, int level, int name, void *value, socklen_t *size);
    int (*setsockopt)(int fd, int level, int name, const void *value, socklen_t size);
    int (*getsockname)(int fd, struct sockaddr *address, socklen_t *size);
    int (*getpeername)(int fd, struct sockaddr *address, socklen_t *size);
    int (*socketpair)(int family, int type, int fds[2]);
    /* Who is at the other end of a Unix socket; -ENOTCONN, -ENOTSUP. */
    int (*peer_credentials)(int fd, struct aloop_credentials *out_credentials);
    /* Enters or leaves a multicast group, on the interface of that number (0: the system's
       choice); and how messages are sent. EINTR: cannot happen. */
    int (*multicast_member)(int fd, const struct sockaddr *group, unsigned interface, bool joins);
    int (*ip_option)(int fd, int family, enum sys_ip_option option, unsigned value);
    /* Keeps errors of datagrams for recv_error, and all of them; -ENOTSUP where there is no such
       queue. recv_error: 1 and the oldest, 0 if there is none. EINTR: retried. */
    int (*keep_errors)(int fd, int family);
    int (*recv_error)(int fd, struct aloop_queued_error *out_error);
    /* For a socket that was made elsewhere: sets the option that keeps send from raising SIGPIPE.
       Nothing to do, and 0, where send's flag does it. */
    int (*no_sigpipe)(int fd);
    int (*unlink)(const char *path);

    /* Files and directories; these block for as long as the disk takes, and are for threads. `open`
       makes the fd close-on-exec, and otherwise as the flags say. EINTR: retried. */
    int (*open)(const char *path, int flags, unsigned mode);
    ssize_t (*pwrite)(int fd, const void *buffer, size_t size, int64_t offset);
    /* What was written is on the disk; `data_only`: but for times and the like. */
    int (*sync)(int fd, bool data_only);
    int (*ftruncate)(int fd, int64_t size);
    /* Of the fd if the path is NULL. EINTR of these and the following: retried. */
    int (*status)(int fd, const char *path, bool follow, struct aloop_file_status *out_status);
    int (*rename)(const char *from, const char *to);
    int (*mkdir)(const char *path, unsigned mode);
    int (*rmdir)(const char *path);
    /* The names in a directory, but for "." and "..". directory_next: 1 and a name, which stays
       until the next call, with the type bits of its mode (0: not known); 0 at the end. */
    int (*directory_open)(const char *path, void **out_directory);
    int (*directory_next)(void *directory, const char **out_name, unsigned *out_type);
    int (*directory_close)(void *directory);
    /* 1 if the path is a socket's (and no link to one), 0 if it is something else; -ENOENT, ... */
    int (*path_is_socket)(const char *path);
    /* What tells the thing at that path (a link itself) from all others: 0; -ENOENT, ... */
    int (*path_identity)(const char *path, uint64_t out_identity[2]);
    /* How many fds, from 3 on, LISTEN_PID and LISTEN_FDS of the environment say were handed to this
       process to listen on; they are made close-on-exec. */
    int (*listen_fds)(void);
    /* 1 if the fd is open, else -EBADF. EINTR: cannot happen. */
    int (*fd_is_open)(int fd);
    /* 1 if the kernel can tell when the fd is ready; -EPERM if it cannot (regular files,
       directories, devices like /dev/null, which poll(2) would call ready for ever); -EBADF if it
       is not open. */
    int (*fd_is_pollable)(int fd);
    /* Makes `to` another number for what `from` is, close-on-exec, closing what it was. EINTR (and
       Linux' EBUSY, a race with open in another thread): retried. */
    int (*dup_over)(int from, int to);
    /* Sets or clears O_NONBLOCK. */
    int (*set_nonblocking)(int fd, bool nonblocking);

    /* What wakes a loop that waits: fds[0] becomes readable after wake(fds[1]); an eventfd (then
       both are the same fd) or a pipe. */
    int (*wake_open)(int fds[2]);
    /* Async-signal-safe; errno is as before. A full pipe or counter is success: the wake-up is
       pending already. EINTR: retried. */
    int (*wake)(int fd);
    /* Makes fds[0] unreadable again. EINTR: retried. */
    int (*wake_drain)(int fd);

    /* EINTR of all waits: reported. A timeout below 0 is 0; all others are clamped to
       TIME_WAIT_MAX, after which a wait may return 0, and ALOOP_NEVER may be, too. Nanosecond
       precision with ppoll (Linux) and epoll_pwait2 (Linux 5.11), which makes up for the thread's
       timer slack, else whole ms, rounded up. */
    int (*poll)(struct pollfd *fds, nfds_t count, aloop_ns timeout);
    /* Linux. */
    int (*epoll_create)(void);
    int (*epoll_ctl)(int epfd, int op, int fd, struct epoll_event *event);
    int (*epoll_wait)(int epfd, struct epoll_event *events, int max, aloop_ns timeout);
    /* BSD and macOS. */
    int (*kqueue)(void);
    int (*kevent)(int kq, const struct kevent *changes, int change_count, struct kevent *events,
                  int event_max, aloop_ns timeout);

    /* The resolver's, of <netdb.h>; these block, unless the flags say that all is numeric. 0, or an
       error: -ALOOP_ENONAME and its kin. EINTR: reported. */
    int (*getaddrinfo)(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **out_list);
    int (*getnameinfo)(const struct sockaddr *address, socklen_t length, char *host,
                       size_t host_size, char *service, size_t service_size, int flags);

    /* A thread that can be joined, with a small stack (SYS_THREAD_STACK) and all signals blocked
       but those that a fault raises: handlers are for the program's own threads. -EAGAIN, -ENOMEM.
       EINTR: cannot happen. */
    int (*thread_create)(pthread_t *out_thread, void *(*run)(void *arg), void *arg);

    /* EINTR: cannot happen. Async-signal-safe. */
    int (*sigaction)(int number, const struct sigaction *action, struct sigaction *out_before);
    /* In this thread: before it returns, unless the signal is blocked. Async-signal-safe. */
    int (*raise)(int number);
    /* 1 in the thread that the process began with, where the system can tell; else 0. Where it
       cannot: 1. */
    int (*is_main_thread)(void);

    /* Both ends close-on-exec, and blocking: one is for a child. EINTR: cannot happen. */
    int (*pipe)(int fds[2]);
    /* Starts a program, with all signals let through and at their default. Its pid, once it runs,
       or the error for which it does not: of making a process, of setting it up, of exec. No child
       is left then. EINTR: retried. */
    pid_t (*spawn)(const struct sys_spawn *request);
    /* An fd that is readable once the process has ended, and whatever becomes of its number means
       that process; -ENOSYS where there is none. */
    int (*pidfd_open)(pid_t pid);
    /* Takes the status of a child (`pidfd` -1: by its number alone): 1 and its code, or its signal,
       negative; 0 if it has not ended; -ECHILD if there is no such child (any more). With
       `leave_it` the child stays what it is, so that its number is nobody else's yet. EINTR:
       retried. */
    int (*wait_child)(pid_t pid, int pidfd, bool leave_it, int *out_returncode);
    /* By its pidfd if that is not -1. A negative pid is that of a group, without a pidfd. EINTR:
       cannot happen. */
    int (*kill)(pid_t pid, int pidfd, int signal_number);

    /* A number that differs between a process and its fork()ed child: how a loop finds out that it
       was carried into one. Costs a few loads. vfork, and clone or _Fork without handlers, are not
       seen: their children may only exec. */
    uint64_t (*fork_generation)(void);
    /* Does another process have duplicates of this one's fds, as one of the two was forked? Those
       that were handed out one by one do not count. */
    int (*fds_are_shared)(void);
};

/* The table in use. Tests replace members; nobody else writes it. */
extern struct sys sys;
/* The table as it is without a test. */
extern const struct sys sys_default;

/* The bit that makes poll tell that the peer has shut down its sending side, where there is one. */
extern const short sys_poll_rdhup;

/* SO_REUSEPORT, which POSIX does not know; -1 where there is none. */
extern const int sys_reuse_port;

/* The highest number of a signal; a system may stop before. */
#if defined(__linux__) && !defined(__mips__)
#define SYS_SIGNAL_MAX 64
#else
#define SYS_SIGNAL_MAX 128
#endif
/* The sa_flags of a handler that disturbs as little as can be: system calls go on, and if this
   thread has an alternative stack, that is used. */
int sys_signal_flags(void);
/* SA_NOCLDWAIT, which a strict POSIX hides: a parent who leaves no zombies. */
extern const int sys_signal_no_zombies;

/* For recvmsg: the result is the size of the whole datagram. 0 where it cannot be told. */
extern const int sys_whole_size;

/* What is enough for the deepest that a job of ordinary code and the system's resolver go. Address
   space, not memory: pages that are not touched are not there. */
#define SYS_THREAD_STACK ((size_t)512 << 10)

/* For a signal handler, which leaves errno as it was. */
int sys_errno(void);
void sys_set_errno(int error);

/* The lock of what a process has only one of, whatever number of loops it has: the dispositions of
   signals. No fork happens while another thread holds it, so a child finds it free, and what it
   guards whole. Held for moments; not recursive. */
void sys_process_lock(void);
void sys_process_unlock(void);

/* Waits for a thread to end; lets go of one that nobody will wait for. Cannot fail for a thread
   that was made by the table, and neither joined nor detached before. */
void sys_thread_join(pthread_t thread);
void sys_thread_detach(pthread_t thread);

/* Frees what getaddrinfo gave. */
void sys_freeaddrinfo(struct addrinfo *list);

/* A number that no other living thread has. Never 0. */
uintptr_t sys_thread_id(void);

#endif
