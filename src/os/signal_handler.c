/*
 * Signal handlers of the program. When its signal has come, a handler goes to the ready queue as it
 * is, as a callback of aloop_call_soon() would; its place there was reserved when it was added.
 */
#include "os/signal.h"

#include <aloop/signal.h>

struct handler {
    struct signal_watch watch;
    aloop_callback *run;
    void *arg;
    aloop_handle entry; /* the last one in the ready queue; 0: there was none */
};

/* The handler's entry in the ready queue; NULL if it has none, or that has run. */
static struct ready_entry *entry_of(const struct handler *handler)
{
    struct ready *ready = &handler->watch.loop->ready;
    uint64_t number = (uint64_t)handler->entry;

    if (handler->entry == 0 || number < ready->head)
        return NULL;
    return &ready->ring[(size_t)number & ready->mask];
}

static void handler_notify(struct signal_watch *watch, unsigned count)
{
    struct handler *handler = CONTAINER_OF(watch, struct handler, watch);
    struct ready *ready = &watch->loop->ready;

    (void)count;
    /* Who collects signals stands behind it in the queue. */
    DEBUG_ASSERT(entry_of(handler) == NULL);
    ready_push(ready, handler->run, handler->arg);
    handler->entry = soon_handle(ready);
}

static void handler_free(struct signal_watch *watch)
{
    aloop *loop = watch->loop;

    ready_unreserve(&loop->ready);
    memory_free(&loop->memory, CONTAINER_OF(watch, struct handler, watch), sizeof(struct handler));
}

static struct handler *find(const aloop *loop, int number)
{
    struct signals *signals = loop->signals;

    if (signals == NULL)
        return NULL;
    for (struct list *link = signals->watches.next; link != &signals->watches;
         link = link->next) {
        struct signal_watch *watch = CONTAINER_OF(link, struct signal_watch, link);

        if (watch->notify == handler_notify && watch->number == number)
            return CONTAINER_OF(watch, struct handler, watch);
    }
    return NULL;
}

/* One that waits in the queue to be called is called as what it is by then. */
static void replace(struct handler *handler, aloop_callback *callback, void *arg)
{
    struct ready_entry *entry = entry_of(handler);

    handler->run = callback;
    handler->arg = arg;
    if (entry != NULL)
        *entry = (struct ready_entry){.run = callback, .arg = arg};
}

static int add(aloop *loop, struct handler *handler)
{
    int error = ready_reserve(&loop->ready);

    if (error < 0)
        return error;
    error = signal_watch_begin(loop, &handler->watch);
    if (error < 0)
        ready_unreserve(&loop->ready);
    return error;
}

int aloop_add_signal_handler(aloop *loop, int signal_number, aloop_callback *callback, void *arg)
{
    struct handler *handler;
    int error = loop_guard(loop);

    if (error < 0)
        return error;
    handler = find(loop, signal_number);
    if (handler != NULL) {
        replace(handler, callback, arg);
        return 0;
    }
    handler = memory_alloc(&loop->memory, sizeof *handler);
    if (handler == NULL)
        return -ENOMEM;
    *handler = (struct handler){
        .watch = {.number = signal_number, .notify = handler_notify, .dropped = handler_free},
        .run = callback,
        .arg = arg};
    error = add(loop, handler);
    if (error < 0)
        memory_free(&loop->memory, handler, sizeof *handler);
    return error;
}

bool aloop_remove_signal_handler(aloop *loop, int signal_number)
{
    struct handler *handler = loop->is_closed ? NULL : find(loop, signal_number);

    if (handler == NULL)
        return false;
    signal_watch_end(&handler->watch);
    if (entry_of(handler) != NULL)
        (void)aloop_cancel(loop, handler->entry);
    handler_free(&handler->watch);
    return true;
}
