/*
 * Starting a program. The child is made by vfork: it runs in the parent's memory while the parent
 * stands still, so it costs the same however large that is. Only for a child with another user's
 * rights the parent is copied: on Linux giving up rights marks the memory, which would be the
 * parent's too, and another user's process had better not run in it.
 *
 * Between vfork and exec nothing is allocated, no lock is taken, no handler of the parent's runs:
 * all signals are blocked before, and have their default by the time they are let through. What the
 * child does before exec is errors alone: it reports the first one and is gone.
 *
 * The report is left in the parent's memory, and in a pipe as well: what watches programs
 * (Valgrind, the thread sanitizer) and what imitates Linux makes a fork of every vfork, and the
 * parent then finds in its memory that nobody has been there. Only in that case is the pipe waited
 * for. Waiting for it always would hang whenever another thread forks at the wrong moment, and its
 * child keeps a copy of the pipe open.
 */
#if defined(__linux__)
#define _GNU_SOURCE /* vfork, setgroups, syscall */
#else
/* A strict _POSIX_C_SOURCE hides vfork and closefrom on these systems. */
#undef _POSIX_C_SOURCE
#define _DARWIN_C_SOURCE 1
#define _NETBSD_SOURCE 1
#define __EXTENSIONS__ 1
#endif
#include "base/compiler.h"
#include "sys/calls.h"
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
typedef size_t group_count;
#else
typedef int group_count;
#endif
#ifdef __APPLE__
#include <crt_externs.h> /* a shared library has no `environ` of its own there */
#define ENVIRONMENT (*_NSGetEnviron())
#else
extern char **environ;
#define ENVIRONMENT environ
#endif

/* macOS has it, and says that it had better not. */
#if defined(__linux__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__) ||   \
    defined(__DragonFly__)
#define HAVE_VFORK 1
#endif

#ifdef NSIG
#define SIGNALS NSIG
#else
#define SIGNALS 65
#endif

/* The first fds are the standard ones, whose numbers no option moves. */
#define STANDARD_FDS 3

/* What the child leaves in the memory of its parent, if it is that. */
struct outcome {
    volatile bool was_here;
    volatile int error;
};

struct child {
    const struct sys_spawn *request;
    struct outcome *outcome;
    int report; /* the pipe's writing end */
};

/* --- in the child --- */

/* Never returns; the compiler is not told, since a sanitizer would then clean up a stack that is
   the parent's. */
static void fail(const struct child *child, int error)
{
    ssize_t put;

    child->outcome->error = error;
    do
        put = write(child->report, &error, sizeof error);
    while (put < 0 && errno == EINTR);
    _exit(127);
}

static void reset_signals(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t none;

    /* Those that cannot be set, or are the C library's own, have their default. */
    for (int signal_number = 1; signal_number < SIGNALS; signal_number++)
        (void)sigaction(signal_number, &action, NULL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static int duplicate_above(int fd, int least)
{
#ifdef F_DUPFD_CLOEXEC
    return fcntl(fd, F_DUPFD_CLOEXEC, least);
#else
    int copy = fcntl(fd, F_DUPFD, least);

    if (copy >= 0)
        (void)fcntl(copy, F_SETFD, FD_CLOEXEC);
    return copy;
#endif
}

static bool is_wanted(const struct sys_spawn *request, int fd)
{
    for (size_t i = 0; i < request->fd_count; i++) {
        if (request->fds[i].to == fd)
            return true;
    }
    return false;
}

static int limit_of_fds(void)
{
    struct rlimit limit;

    /* Where there is none, 10240 is what macOS allows at most. */
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return 10240;
    return limit.rlim_cur > INT_MAX ? INT_MAX : (int)limit.rlim_cur;
}

#ifdef __linux__

/* The numbers in /proc/self/fd, by the plain call: opendir() would allocate. False if there is no
   such folder. */
static bool close_listed(int least)
{
    struct entry {
        uint64_t inode;
        int64_t offset;
        unsigned short size;
        unsigned char type;
        char name[];
    };
    _Alignas(8) char buffer[1024];
    int folder = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    long got;

    if (folder < 0)
        return false;
    while ((got = syscall(SYS_getdents64, folder, buffer, sizeof buffer)) > 0) {
        bool has_closed = false;

        for (long at = 0; at < got;) {
            const struct entry *entry = (const void *)(buffer + at);
            int fd = 0;

            for (const char *digit = entry->name; *digit >= '0' && *digit <= '9'; digit++)
                fd = fd * 10 + (*digit - '0');
            if (entry->name[0] != '.' && fd >= least && fd != folder) {
                (void)close(fd);
                has_closed = true;
            }
            at += entry->size;
        }
        /* What is gone has moved the rest of the list. */
        if (has_closed)
            (void)lseek(folder, 0, SEEK_SET);
    }
    if (folder >= least)
        (void)close(folder);
    return true;
}

static void close_from(int least)
{
#ifdef SYS_close_range
    if (syscall(SYS_close_range, (unsigned)least, UINT_MAX, 0) == 0)
        return;
#endif
    if (close_listed(least))
        return;
    for (int fd = least, limit = limit_of_fds(); fd < limit; fd++)
        (void)close(fd);
}

#elif defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__) || defined(__DragonFly__)

static void close_from(int least)
{
    (void)closefrom(least);
}

#else

static void close_from(int least)
{
    for (int fd = least, limit = limit_of_fds(); fd < limit; fd++)
        (void)close(fd);
}

#endif

static int null_to(int to)
{
    int fd = open("/dev/null", O_RDWR);

    if (fd < 0 || fd == to)
        return fd;
    if (dup2(fd, to) < 0)
        return -1;
    return close(fd);
}

/* Behind the last fd that is mapped: right behind it where all others are closed, so that these are
   a range; else where nothing is that the child is to keep. */
static int move_report(struct child *child, int last)
{
    int to = last + 1;

    if (child->report == to || (!child->request->close_others && child->report > to))
        return 0;
    if (child->request->close_others)
        to = dup2(child->report, to);
    else
        to = duplicate_above(child->report, to);
    if (to < 0)
        return -1;
    child->report = to;
    return fcntl(to, F_SETFD, FD_CLOEXEC);
}

/* Any permutation: first all that is to be moved goes out of the way of where it is moved to, and
   of the report. */
static int move_fds(struct child *child)
{
    const struct sys_spawn *request = child->request;
    int last = STANDARD_FDS - 1;

    for (size_t i = 0; i < request->fd_count; i++) {
        if (request->fds[i].to > last)
            last = request->fds[i].to;
    }
    for (size_t i = 0; i < request->fd_count; i++) {
        int from = request->fds[i].from;

        if (from >= 0 && from <= last + 1)
            from = duplicate_above(from, last + 2);
        if (from < 0 && request->fds[i].from != SYS_SPAWN_NULL)
            return -1;
        request->moved[i] = from;
    }
    if (move_report(child, last) < 0)
        return -1;
    for (size_t i = 0; i < request->fd_count; i++) {
        int to = request->fds[i].to;

        if ((request->moved[i] < 0 ? null_to(to) : dup2(request->moved[i], to)) < 0)
            return -1;
    }
    if (!request->close_others)
        return 0;
    for (int fd = STANDARD_FDS; fd <= last; fd++) {
        if (!is_wanted(request, fd))
            (void)close(fd);
    }
    close_from(last + 2);
    return 0;
}

static int change_rights(const struct sys_spawn *request)
{
    bool has_uid = request->uid != (uid_t)-1;
    bool has_gid = request->gid != (gid_t)-1;

    if (request->groups != NULL) {
        if (setgroups((group_count)request->group_count, request->groups) < 0)
            return -1;
    } else if (has_uid || has_gid) {
        /* The parent's further groups are not for another user. One that may not drop them may not
           change the user either, and hears of it there. */
        (void)setgroups(0, NULL);
    }
    if (has_gid && setgid(request->gid) < 0)
        return -1;
    return has_uid ? setuid(request->uid) : 0;
}

static int set_up(struct child *child)
{
    const struct sys_spawn *request = child->request;

    reset_signals();
    if (request->new_session && setsid() < 0)
        return -1;
    if (request->group >= 0 && setpgid(0, request->group) < 0)
        return -1;
    if (request->umask >= 0)
        (void)umask((mode_t)request->umask);
    if (move_fds(child) < 0)
        return -1;
    /* With the rights that the program will have. */
    if (change_rights(request) < 0)
        return -1;
    return request->cwd != NULL ? chdir(request->cwd) : 0;
}

static NOINLINE void run_child(struct child *child)
{
    const struct sys_spawn *request = child->request;
    /* exec writes to neither, whatever its prototype says. */
    char *const *argv = (char *const *)request->argv;
    char *const *env = request->env != NULL ? (char *const *)request->env : ENVIRONMENT;
    int error = ENOENT;

    child->outcome->was_here = true;
    if (set_up(child) < 0)
        fail(child, errno);
    for (const char *const *path = request->paths; *path != NULL; path++) {
        (void)execve(*path, argv, env);
        /* As execvp: one that may not be executed is passed over, and mentioned if there is no
           other. */
        if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
            fail(child, errno);
        if (error != EACCES)
            error = errno;
    }
    fail(child, error);
}

/* --- in the parent --- */

#ifdef HAVE_VFORK
static bool needs_fork(const struct sys_spawn *request)
{
    return request->uid != (uid_t)-1 || request->gid != (gid_t)-1 || request->groups != NULL;
}
#endif

/* Nothing else: what this function has on its stack, the child and the parent use in turn. */
static NOINLINE pid_t begin(struct child *child)
{
    pid_t pid;

#ifdef HAVE_VFORK
    if (!needs_fork(child->request))
        pid = vfork();
    else
#endif
        pid = fork();
    if (pid == 0)
        run_child(child);
    return pid < 0 ? -errno : pid;
}

/* 0, or the errno that the child has reported before it ended. */
static int report_of(const struct outcome *outcome, int pipe_end)
{
    int error = 0;
    ssize_t got;

    if (outcome->was_here)
        return outcome->error;
    got = sys_read(pipe_end, &error, sizeof error);
    return got == (ssize_t)sizeof error ? error : 0;
}

/* The child has ended, and is nobody's but ours: unless SIGCHLD is ignored, it waits for us. */
static void bury(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

pid_t sys_spawn(const struct sys_spawn *request)
{
    struct outcome outcome = {.error = 0};
    sigset_t all, before;
    int ends[2];
    int cancel_state;
    int error = sys_pipe(ends);
    pid_t pid;

    if (error < 0)
        return error;
    /* A cancellation of the thread would be acted on in the child as well. */
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    pid = begin(&(struct child){.request = request, .outcome = &outcome, .report = ends[1]});
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)sys_close(ends[1]);
    error = pid < 0 ? 0 : report_of(&outcome, ends[0]);
    (void)sys_close(ends[0]);
    (void)pthread_setcancelstate(cancel_state, NULL);
    if (error == 0)
        return pid;
    bury(pid);
    return -error;
}

/* --- the end of a child --- */

/* As the program will see it: the code it ended with, or the signal, negative. */
static int returncode_of(const siginfo_t *info)
{
    return info->si_code == CLD_EXITED ? info->si_status : -info->si_status;
}

int sys_wait_child(pid_t pid, int pidfd, bool leave_it, int *out_returncode)
{
    int options = WEXITED | WNOHANG | (leave_it ? WNOWAIT : 0);
    siginfo_t info;
    int got;

    do {
        memset(&info, 0, sizeof info);
        got = -1;
        errno = EINVAL;
#ifdef __linux__
        /* P_PIDFD, which older headers do not have; nor do kernels before 5.4. */
        if (pidfd >= 0)
            got = waitid((idtype_t)3, (id_t)pidfd, &info, options);
#else
        (void)pidfd;
#endif
        if (got < 0 && errno == EINVAL)
            got = waitid(P_PID, (id_t)pid, &info, options);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    if (info.si_pid == 0)
        return 0;
    *out_returncode = returncode_of(&info);
    return 1;
}

int sys_kill(pid_t pid, int pidfd, int signal_number)
{
#if defined(__linux__) && defined(SYS_pidfd_send_signal)
    if (pidfd >= 0) {
        if (syscall(SYS_pidfd_send_signal, pidfd, signal_number, NULL, 0) == 0)
            return 0;
        if (errno != ENOSYS && errno != EPERM)
            return -errno;
        /* EPERM may also be what a sandbox says that does not know the call. */
    }
#else
    (void)pidfd;
#endif
    return kill(pid, signal_number) < 0 ? -errno : 0;
}
