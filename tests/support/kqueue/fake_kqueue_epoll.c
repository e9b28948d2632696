/*
 * A model of kqueue over epoll, with real fds: registrations keyed by (ident, filter), EV_ADD that
 * modifies, EV_CLEAR, EV_RECEIPT, EV_EOF with the bytes that are left. Of other filters there is
 * EVFILT_PROC for the end of a child, once, by a pidfd of the model's; for one that has ended
 * already it says ESRCH, as macOS does. Like libkqueue it cannot see a close; what is left of a
 * closed number is not told.
 *
 * It puts itself into the system table before main().
 */
#define _GNU_SOURCE
#include "sys/sys.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/event.h>
#include <sys/ioctl.h>

#define FDS 4096
#define BATCH 512

struct knote {
    bool is_in;
    bool is_clear;
    void *udata;
};

struct queue {
    struct knote notes[FDS][2]; /* reading, writing */
    pid_t children[FDS];        /* by the pidfd; 0: that is none */
    bool has_leftover;          /* of an epoll event that was two, and did not fit */
    struct kevent leftover;
};

static struct queue *queues[FDS];

static int filter_index(int filter)
{
    return filter == EVFILT_READ ? 0 : filter == EVFILT_WRITE ? 1 : -1;
}

static int model_kqueue(void)
{
    int fd = sys_default.epoll_create();

    if (fd < 0)
        return fd;
    free(queues[fd]);
    queues[fd] = calloc(1, sizeof *queues[fd]);
    return fd;
}

static int model_close(int fd)
{
    if (fd >= 0 && fd < FDS && queues[fd] != NULL) {
        for (int pidfd = 0; pidfd < FDS; pidfd++) {
            if (queues[fd]->children[pidfd] != 0)
                (void)sys_default.close(pidfd);
        }
        free(queues[fd]);
        queues[fd] = NULL;
    }
    return sys_default.close(fd);
}

static int add_child(int kq, pid_t pid)
{
    struct epoll_event event = {.events = EPOLLIN};
    int returncode;
    int pidfd = sys_default.wait_child(pid, -1, true, &returncode);

    if (pidfd != 0)
        return -ESRCH;
    pidfd = sys_default.pidfd_open(pid);
    if (pidfd < 0)
        return pidfd;
    if (pidfd >= FDS) {
        (void)sys_default.close(pidfd);
        return -ENOMEM;
    }
    event.data.fd = pidfd;
    queues[kq]->children[pidfd] = pid;
    return sys_default.epoll_ctl(kq, EPOLL_CTL_ADD, pidfd, &event);
}

/* Told once. Closing would not be enough: a program that is being started in another thread may
   have a copy of the pidfd, and epoll would go on telling of it under its number. */
static struct kevent child_ended(int kq, int pidfd)
{
    struct kevent event = {.ident = (uintptr_t)queues[kq]->children[pidfd],
                           .filter = EVFILT_PROC,
                           .flags = EV_ONESHOT | EV_EOF,
                           .fflags = NOTE_EXIT};

    queues[kq]->children[pidfd] = 0;
    (void)sys_default.epoll_ctl(kq, EPOLL_CTL_DEL, pidfd, NULL);
    (void)sys_default.close(pidfd);
    return event;
}

/* The other number then is the same queue; here it gets the registrations, and the first is to be
   closed. */
static int model_dup_over(int from, int to)
{
    int result = sys_default.dup_over(from, to);

    if (result >= 0 && queues[from] != NULL) {
        free(queues[to]);
        queues[to] = malloc(sizeof *queues[to]);
        *queues[to] = *queues[from];
    }
    return result;
}

static uint32_t asked(const struct knote *notes)
{
    uint32_t events = 0;

    if (notes[0].is_in)
        events |= (uint32_t)EPOLLIN | (uint32_t)EPOLLRDHUP;
    if (notes[1].is_in)
        events |= (uint32_t)EPOLLOUT;
    if ((notes[0].is_in && notes[0].is_clear) || (notes[1].is_in && notes[1].is_clear))
        events |= (uint32_t)EPOLLET;
    return events;
}

/* Makes epoll ask for what the two notes of an fd ask for, after the one of `index` has changed. */
static int apply(int kq, int fd, int index)
{
    struct knote *notes = queues[kq]->notes[fd];
    struct epoll_event event = {.events = asked(notes), .data = {.fd = fd}};
    int error;

    if (!notes[0].is_in && !notes[1].is_in)
        return sys_default.epoll_ctl(kq, EPOLL_CTL_DEL, fd, &event);
    error = sys_default.epoll_ctl(kq, EPOLL_CTL_MOD, fd, &event);
    if (error != -ENOENT)
        return error;
    /* The number was closed since, and with it the other note went. */
    notes[1 - index] = (struct knote){0};
    if (!notes[index].is_in)
        return -ENOENT;
    event.events = asked(notes);
    return sys_default.epoll_ctl(kq, EPOLL_CTL_ADD, fd, &event);
}

static int change(int kq, const struct kevent *wanted)
{
    int fd = (int)wanted->ident;
    int index = filter_index(wanted->filter);
    struct knote *note;
    struct knote before;
    int error;

    if (wanted->filter == EVFILT_PROC)
        return add_child(kq, (pid_t)wanted->ident);
    if (index < 0)
        return -EINVAL;
    if (fd < 0 || fd >= FDS || fcntl(fd, F_GETFD) < 0)
        return -EBADF;
    note = &queues[kq]->notes[fd][index];
    before = *note;
    if (wanted->flags & EV_ADD)
        *note = (struct knote){true, (wanted->flags & EV_CLEAR) != 0, wanted->udata};
    else if (!note->is_in)
        return -ENOENT;
    else
        *note = (struct knote){0};
    error = apply(kq, fd, index);
    if (error < 0 && error != -ENOENT)
        *note = before;
    return error == -EPERM ? -EINVAL : error;
}

static bool make(const struct queue *queue, const struct epoll_event *epoll, int index,
                 struct kevent *event)
{
    const uint32_t ready[] = {(uint32_t)EPOLLIN | (uint32_t)EPOLLRDHUP, (uint32_t)EPOLLOUT};
    const uint32_t end[] = {(uint32_t)EPOLLRDHUP | (uint32_t)EPOLLHUP | (uint32_t)EPOLLERR,
                            (uint32_t)EPOLLHUP | (uint32_t)EPOLLERR};
    const struct knote *note = &queue->notes[epoll->data.fd][index];
    int bytes = 0;

    if (!note->is_in || !(epoll->events & (ready[index] | end[index])))
        return false;
    if (index == 0)
        ioctl(epoll->data.fd, FIONREAD, &bytes);
    *event = (struct kevent){.ident = (uintptr_t)epoll->data.fd,
                             .filter = index == 0 ? EVFILT_READ : EVFILT_WRITE,
                             .flags = epoll->events & end[index] ? EV_EOF : 0,
                             .fflags = epoll->events & (uint32_t)EPOLLERR ? EPIPE : 0,
                             .data = bytes,
                             .udata = note->udata};
    return true;
}

static int collect(int kq, struct kevent *events, int max, aloop_ns timeout)
{
    struct queue *queue = queues[kq];
    struct epoll_event batch[BATCH];
    int filled = 0;
    int room;
    int count;

    if (queue->has_leftover) {
        const struct kevent *left = &queue->leftover;
        const struct knote *note = &queue->notes[left->ident][filter_index(left->filter)];

        queue->has_leftover = false;
        if (note->is_in && note->udata == left->udata)
            events[filled++] = *left;
        if (filled == max)
            return filled;
        timeout = filled ? 0 : timeout;
    }
    room = (max - filled + 1) / 2;
    count = sys_default.epoll_wait(kq, batch, room < BATCH ? room : BATCH, timeout);
    if (count < 0)
        return filled ? filled : count;
    for (int i = 0; i < count; i++) {
        if (fcntl(batch[i].data.fd, F_GETFD) < 0)
            continue;
        if (queue->children[batch[i].data.fd] != 0) {
            events[filled++] = child_ended(kq, batch[i].data.fd);
            continue;
        }
        for (int index = 0; index < 2; index++) {
            struct kevent event;

            if (!make(queue, &batch[i], index, &event))
                continue;
            if (filled < max) {
                events[filled++] = event;
            } else {
                queue->has_leftover = true;
                queue->leftover = event;
            }
        }
    }
    return filled;
}

static int model_kevent(int kq, const struct kevent *changes, int change_count,
                        struct kevent *events, int event_max, aloop_ns timeout)
{
    int filled = 0;

    for (int i = 0; i < change_count; i++) {
        int error = change(kq, &changes[i]);

        if (!error && !(changes[i].flags & EV_RECEIPT))
            continue;
        if (filled == event_max)
            return error ? error : filled;
        events[filled] = changes[i];
        events[filled].flags = EV_ERROR;
        events[filled++].data = -error;
    }
    if (filled || event_max == 0)
        return filled;
    return collect(kq, events, event_max, timeout);
}

/* A forked child does not have its parent's queues, and their numbers are free there. */
static void forget_queues(void)
{
    for (int fd = 0; fd < FDS; fd++) {
        if (queues[fd] != NULL)
            model_close(fd);
    }
}

__attribute__((constructor)) static void install(void)
{
    pthread_atfork(NULL, NULL, forget_queues);
    sys.close = model_close;
    sys.dup_over = model_dup_over;
    sys.kqueue = model_kqueue;
    sys.kevent = model_kevent;
}
