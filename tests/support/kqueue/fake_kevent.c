/*
 * The scripted kevent of fake_kevent.h. A kqueue is an fd that exists, so that closing it is seen.
 */
#include "fake_kevent.h"
#include <limits.h>
#include <string.h>

struct fake_kevent fake;

static int fake_kqueue(void)
{
    fake.kqueues++;
    return sys_default.socket(AF_UNIX, SOCK_STREAM, 0);
}

static int take(int *value)
{
    int taken = *value;

    *value = 0;
    return taken;
}

static int change(const struct kevent *changes, int count, struct kevent *events, int max,
                  aloop_ns timeout)
{
    int filled = 0;

    if (timeout > fake.longest_change_timeout)
        fake.longest_change_timeout = timeout;
    if (max - count < fake.fewest_receipts)
        fake.fewest_receipts = max - count;
    for (int i = 0; i < count; i++) {
        int error;

        if (fake.change_count < FAKE_LOG)
            fake.changes[fake.change_count++] = (struct fake_change){fake.calls, changes[i]};
        error = take(changes[i].filter == EVFILT_READ ? &fake.error_for_read
                                                      : &fake.error_for_write);
        if (!error && !(changes[i].flags & EV_RECEIPT))
            continue;
        if (filled == max)
            return error ? -error : filled;
        events[filled] = changes[i];
        events[filled].flags = EV_ERROR | fake.flags_of_receipt;
        events[filled++].data = error;
    }
    return fake.change_result ? take(&fake.change_result) : filled;
}

static int fake_call(int kq, const struct kevent *changes, int change_count, struct kevent *events,
                     int event_max, aloop_ns timeout)
{
    int count;

    (void)kq;
    fake.calls++;
    if (change_count > 0)
        return change(changes, change_count, events, event_max, timeout);
    fake.last_event_max = event_max;
    fake.last_timeout = timeout;
    if (fake.wait_result)
        return take(&fake.wait_result);
    count = fake.pending_count < event_max ? fake.pending_count : event_max;
    memcpy(events, fake.pending, (size_t)count * sizeof *events);
    fake.pending_count -= count;
    memmove(fake.pending, fake.pending + count, (size_t)fake.pending_count * sizeof *events);
    return count;
}

void fake_kevent_install(void)
{
    fake = (struct fake_kevent){.fewest_receipts = INT_MAX};
    sys.kqueue = fake_kqueue;
    sys.kevent = fake_call;
}

void fake_kevent_add(int fd, int filter, unsigned flags, unsigned fflags, int data, uint64_t id)
{
    fake.pending[fake.pending_count++] = (struct kevent){.ident = (uintptr_t)fd,
                                                         .filter = (int16_t)filter,
                                                         .flags = (uint16_t)flags,
                                                         .fflags = fflags,
                                                         .data = data,
                                                         .udata = (void *)(uintptr_t)id};
}

int fake_kevent_changes(int fd, int filter, unsigned flags)
{
    int count = 0;

    for (int i = 0; i < fake.change_count; i++) {
        const struct kevent *event = &fake.changes[i].event;

        count += (int)event->ident == fd && event->filter == filter &&
                 (event->flags & flags) == flags;
    }
    return count;
}
