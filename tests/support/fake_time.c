#include "fake_time.h"

struct fake_time fake_time;

static struct sys before;
static bool is_installed;

static aloop_ns fake_clock(bool boottime)
{
    (void)boottime;
    fake_time.readings++;
    fake_time.now += fake_time.per_reading;
    return fake_time.now;
}

static int nothing_ready(aloop_ns timeout)
{
    if (timeout == ALOOP_NEVER)
        return -ETIME;
    if (fake_time.interrupt_at > 0 && timeout > fake_time.interrupt_at) {
        fake_time.now += fake_time.interrupt_at;
        fake_time.interrupt_at = 0;
        return -EINTR;
    }
    if (timeout > 0)
        fake_time.now += timeout + fake_time.late;
    return 0;
}

static void note_wait(aloop_ns timeout)
{
    fake_time.waits++;
    fake_time.empty_waits += timeout <= 0;
    fake_time.last_timeout = timeout;
}

static int fake_epoll_wait(int epfd, struct epoll_event *events, int max, aloop_ns timeout)
{
    int count = before.epoll_wait(epfd, events, max, 0);

    note_wait(timeout);
    return count != 0 ? count : nothing_ready(timeout);
}

/* The call that waits is the one that registers, too; it then has changes, and does not wait. */
static int fake_kevent(int kq, const struct kevent *changes, int change_count,
                       struct kevent *events, int event_max, aloop_ns timeout)
{
    int count = before.kevent(kq, changes, change_count, events, event_max, 0);

    if (change_count > 0)
        return count;
    note_wait(timeout);
    return count != 0 ? count : nothing_ready(timeout);
}

static int fake_poll(struct pollfd *fds, nfds_t count, aloop_ns timeout)
{
    int ready = before.poll(fds, count, 0);

    note_wait(timeout);
    return ready != 0 ? ready : nothing_ready(timeout);
}

void fake_time_install(aloop_ns now)
{
    fake_time = (struct fake_time){.now = now, .last_timeout = -1};
    if (is_installed)
        return;
    is_installed = true;
    before = sys;
    sys.clock = fake_clock;
    sys.poll = fake_poll;
    if (sys.epoll_wait != NULL)
        sys.epoll_wait = fake_epoll_wait;
    if (sys.kevent != NULL)
        sys.kevent = fake_kevent;
}

void fake_time_remove(void)
{
    if (is_installed)
        sys = before;
    is_installed = false;
}
