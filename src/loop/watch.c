#include "loop/watch.h"

#include "loop/callback.h"

/* Makes loop->fds reach `fd`. */
static int fds_reserve(aloop *loop, int fd)
{
    size_t needed = (size_t)fd + 1;
    size_t capacity;
    struct watch **fds;
    int error;

    if (needed <= loop->fd_capacity)
        return 0;
    /* An absurd number would ask for gigabytes before the poller could refuse it. */
    error = loop->poller_kind == ALOOP_POLLER_SIM ? 0 : sys.fd_is_open(fd);
    if (error < 0)
        return error;
    capacity = memory_grown_capacity(needed, 64, sizeof fds[0]);
    if (capacity == 0)
        return -ENOMEM;
    fds = memory_resize(&loop->memory, loop->fds, loop->fd_capacity * sizeof fds[0],
                        capacity * sizeof fds[0]);
    if (fds == NULL)
        return -ENOMEM;
    for (size_t i = loop->fd_capacity; i < capacity; i++)
        fds[i] = NULL;
    loop->fds = fds;
    loop->fd_capacity = capacity;
    return 0;
}

static int watch_make(aloop *loop, int fd, struct watch **out_watch)
{
    struct watch *watch;
    int error = fds_reserve(loop, fd);

    if (error < 0)
        return error;
    watch = slots_take(&loop->watches);
    if (watch == NULL)
        return -ENOMEM;
    watch->fd = fd;
    loop->fds[fd] = watch;
    *out_watch = watch;
    return 0;
}

static void watch_free(aloop *loop, struct watch *watch)
{
    loop->fds[watch->fd] = NULL;
    if (!watch->is_edge)
        list_del(&watch->always_link);
    slots_release(&loop->watches, watch);
}

static int watch_check(aloop *loop, int fd)
{
    if (loop->is_closed)
        return -ALOOP_ECLOSED;
    if (loop_is_forked(loop))
        return -ECHILD;
    if (fd < 0)
        return -EBADF;
    return 0;
}

/* The number of a library's socket that was closed behind our back can come up again: what is left
   of it must not stand in the way, and its waiters wake to find it gone. */
static void evict_stale(aloop *loop, int fd)
{
    if ((size_t)fd < loop->fd_capacity && loop->fds[fd] != NULL)
        watch_close(loop, loop->fds[fd]);
}

static int watch_open_edge(aloop *loop, int fd, bool is_file, struct watch **out_watch)
{
    const struct poller_class *class = poller_class_of(loop->poller);
    struct watch *watch;
    int error = watch_check(loop, fd);

    if (error < 0)
        return error;
    evict_stale(loop, fd);
    error = watch_make(loop, fd, &watch);
    if (error < 0)
        return error;
    watch->is_edge = true;
    watch->is_file = is_file;
    watch->must_rearm = class->rearm != NULL;
    /* Nothing is known yet: the first call of each direction tries. */
    watch->ready = POLLER_READ | POLLER_WRITE;
    error = class->add(loop->poller, fd, (uint64_t)slots_number(watch), POLLER_READ | POLLER_WRITE,
                       POLLER_EDGE);
    if (error < 0 && !(is_file && error == -EPERM)) {
        watch_free(loop, watch);
        return error;
    }
    if (error == 0)
        watch->registered = POLLER_READ | POLLER_WRITE;
    *out_watch = watch;
    return 0;
}

int watch_open(aloop *loop, int fd, struct watch **out_watch)
{
    return watch_open_edge(loop, fd, false, out_watch);
}

int watch_open_file(aloop *loop, int fd, struct watch **out_watch)
{
    return watch_open_edge(loop, fd, true, out_watch);
}

void watch_close(aloop *loop, struct watch *watch)
{
    /* In a forked child the poller's set is the parent's too, and stays as it is. */
    if (watch->registered && !loop_is_forked(loop))
        (void)poller_class_of(loop->poller)->remove(loop->poller, watch->fd);
    if (watch->reader != NULL)
        callback_retire(loop, watch->reader);
    if (watch->writer != NULL)
        callback_retire(loop, watch->writer);
    aloop_wake_all(&watch->readers);
    aloop_wake_all(&watch->writers);
    if (watch->is_edge)
        aloop_wake_all(&watch->behind);
    if (watch->has_held)
        (void)sys.close(watch->held);
    watch_free(loop, watch);
}

void watch_close_fd(aloop *loop, struct watch *watch)
{
    const struct poller_class *class = poller_class_of(loop->poller);
    int fd = watch->fd;

    /* Closing the last number that a file has takes it out of the poller's set. If there is a
       duplicate after all, its first event is a stale one. */
    if (watch->registered && class->forget != NULL && !watch->is_shared && !sys.fds_are_shared()) {
        class->forget(loop->poller, fd);
        watch->registered = 0;
    }
    watch_close(loop, watch);
    (void)sys.close(fd);
}

int watch_get(aloop *loop, int fd, struct watch **out_watch)
{
    int error = watch_check(loop, fd);

    if (error < 0)
        return error;
    if ((size_t)fd < loop->fd_capacity && loop->fds[fd] != NULL) {
        if (loop->fds[fd]->is_edge)
            return -EBUSY;
        *out_watch = loop->fds[fd];
        return 0;
    }
    error = watch_make(loop, fd, out_watch);
    if (error == 0)
        list_init(&(*out_watch)->always_link);
    return error;
}

static bool is_wanted(const struct callback_slot *callback, const aloop_waitlist *waiters)
{
    return (callback != NULL && !callback_is(callback, CALLBACK_PAUSED)) ||
           !aloop_waitlist_is_empty(waiters);
}

static uint8_t watch_wanted(const struct watch *watch)
{
    uint8_t wanted = 0;

    if (is_wanted(watch->reader, &watch->readers))
        wanted |= POLLER_READ;
    if (is_wanted(watch->writer, &watch->writers))
        wanted |= POLLER_WRITE;
    return wanted;
}

static int watch_register(aloop *loop, struct watch *watch, uint8_t wanted)
{
    const struct poller_class *class = poller_class_of(loop->poller);
    uint64_t id = (uint64_t)slots_number(watch);
    int error = -ENOENT;

    if (watch->registered)
        error = class->modify(loop->poller, watch->fd, id, wanted);
    if (error == -ENOENT)
        error = class->add(loop->poller, watch->fd, id, wanted, POLLER_LEVEL);
    if (error < 0 && error != -EPERM)
        return error;
    /* What the kernel refuses to poll, a regular file, never blocks: it counts as always ready, so
       that a program whose input was redirected from a file goes on working. */
    watch->is_always_ready = error == -EPERM;
    list_del(&watch->always_link);
    if (!watch->is_always_ready)
        return 0;
    list_push(&loop->always_ready, &watch->always_link);
    /* The number was another file's, or the poller would not know it. */
    if (watch->registered)
        (void)class->remove(loop->poller, watch->fd);
    watch->registered = 0;
    return 0;
}

int watch_add_interest(aloop *loop, struct watch *watch)
{
    uint8_t wanted = watch_wanted(watch);
    int error;

    /* Even if the same was wanted before: by now the number may be another file's, closed and
       opened again without a word, and telling the poller is how that comes out. */
    error = watch_register(loop, watch, wanted);
    if (error == 0 && !watch->is_always_ready)
        watch->registered = wanted;
    return error;
}

/* Tells the poller of what is not wanted any more. */
static void watch_unregister(aloop *loop, struct watch *watch, uint8_t wanted)
{
    const struct poller_class *class = poller_class_of(loop->poller);

    if (watch->registered == wanted || watch->registered == 0 || loop_is_forked(loop))
        return;
    /* An fd that was closed without a word is forgotten all the same: there is nobody to tell. */
    if (wanted == 0)
        (void)class->remove(loop->poller, watch->fd);
    else
        (void)class->modify(loop->poller, watch->fd, (uint64_t)slots_number(watch), wanted);
    watch->registered = wanted;
}

void watch_drop_interest(aloop *loop, struct watch *watch)
{
    uint8_t wanted = watch_wanted(watch);

    watch_unregister(loop, watch, wanted);
    if (wanted == 0 && watch->reader == NULL && watch->writer == NULL)
        watch_free(loop, watch);
}

void watch_mute(aloop *loop, struct watch *watch)
{
    const struct poller_class *class = poller_class_of(loop->poller);
    uint8_t wanted = watch_wanted(watch);

    if (watch->registered != 0 || watch->is_always_ready) {
        watch_unregister(loop, watch, wanted);
        if (wanted == 0)
            list_del(&watch->always_link);
    } else if (class->rebuild != NULL) {
        /* It was taken out before, and is reported all the same: its fd was closed behind our back
           while a duplicate lives. Where this fails, the next event tries again. */
        (void)class->rebuild(loop->poller);
    }
}

bool watch_is_muted(const struct watch *watch)
{
    return (watch_wanted(watch) & ~watch->registered) != 0;
}

static NOINLINE void wake_all(aloop_waitlist *waiters)
{
    (void)aloop_wake_all(waiters);
}

/* Who waits for a direction that is ready: one, if any, as a rule. */
static ALWAYS_INLINE void tell(aloop *loop, struct callback_slot *callback,
                               aloop_waitlist *waiters)
{
    if (callback != NULL)
        callback_ready(loop, callback);
    if (aloop_wake_one(waiters) && ALOOP_UNLIKELY(!aloop_waitlist_is_empty(waiters)))
        wake_all(waiters);
}

static ALWAYS_INLINE void collect(aloop *loop, struct watch *watch, uint32_t events)
{
    /* Whoever waits finds out by its own call: a read gives the end of the stream, a write the
       error. Where nobody can write any more the poller says so: a peer that has only ended its
       side still reads, and its writer is not to spin. */
    if (ALOOP_UNLIKELY(events & (POLLER_HANGUP | POLLER_ERROR))) {
        watch->hangup |= (uint8_t)(events & (POLLER_HANGUP | POLLER_ERROR));
        events = (events & POLLER_WRITE) |
                 (events & POLLER_ERROR ? POLLER_READ | POLLER_WRITE : POLLER_READ);
    }
    watch->ready |= (uint8_t)events;
    if (events & POLLER_READ)
        tell(loop, watch->reader, &watch->readers);
    if (events & POLLER_WRITE)
        tell(loop, watch->writer, &watch->writers);
}

void watch_collect(aloop *loop, struct watch *watch, uint32_t events)
{
    collect(loop, watch, events);
}

static void collect_always_ready(aloop *loop)
{
    struct list *next;

    for (struct list *link = loop->always_ready.next; link != &loop->always_ready; link = next) {
        /* Before: who is paused leaves the list. */
        next = link->next;
        watch_collect(loop, CONTAINER_OF(link, struct watch, always_link),
                      POLLER_READ | POLLER_WRITE);
    }
}

/* The kernel holds a registration that we cannot reach: its fd was closed behind our back, while a
   duplicate of it lives on. A new set does not have it. */
static int drop_unreachable(aloop *loop)
{
    const struct poller_class *class = poller_class_of(loop->poller);

    return class->rebuild ? class->rebuild(loop->poller) : 0;
}

int watch_collect_events(aloop *loop, const struct poller_event *events, int count)
{
    bool found_stale = false;

    for (int i = 0; i < count; i++) {
        struct watch *watch = watch_find(loop, (int64_t)events[i].id);

        if (ALOOP_LIKELY(watch != NULL))
            collect(loop, watch, events[i].events);
        else if (events[i].id == WAKE_ID)
            (void)sys.wake_drain(loop->wake_fds[0]);
        else
            found_stale = true;
    }
    if (!list_is_empty(&loop->always_ready))
        collect_always_ready(loop);
    return found_stale ? drop_unreachable(loop) : 0;
}

int watch_register_all(aloop *loop)
{
    const struct poller_class *class = poller_class_of(loop->poller);
    struct watch *watch;
    uint32_t cursor = 0;
    int result = 0;

    while ((watch = slots_next(&loop->watches, &cursor)) != NULL) {
        int error;

        if (!watch->registered)
            continue;
        error = class->add(loop->poller, watch->fd, (uint64_t)slots_number(watch),
                           watch->registered, watch->is_edge ? POLLER_EDGE : POLLER_LEVEL);
        /* An fd that the program has closed since: its waiters find out when they use it. */
        if (error == -EBADF || error == -EPERM)
            watch_collect(loop, watch, POLLER_READ | POLLER_WRITE);
        else if (error < 0)
            result = error;
    }
    return result;
}

void watch_close_all(aloop *loop)
{
    struct watch *watch;
    uint32_t cursor = 0;

    while ((watch = slots_next(&loop->watches, &cursor)) != NULL) {
        if (watch->is_edge)
            watch_close_fd(loop, watch);
        else
            watch_close(loop, watch);
    }
    slots_fini(&loop->watches);
    memory_free(&loop->memory, loop->fds, loop->fd_capacity * sizeof loop->fds[0]);
    loop->fds = NULL;
    loop->fd_capacity = 0;
}

size_t watch_walk_sockets(aloop *loop, void (*visit)(const aloop_alive *alive, void *arg),
                          void *arg)
{
    const struct watch *watch;
    uint32_t cursor = 0;
    size_t count = 0;

    while ((watch = slots_next(&loop->watches, &cursor)) != NULL) {
        if (!watch->is_edge)
            continue;
        visit(&(aloop_alive){.kind = ALOOP_ALIVE_SOCKET, .fd = watch->fd, .deadline = ALOOP_NEVER},
              arg);
        count++;
    }
    return count;
}
