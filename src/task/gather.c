/*
 * Futures made of others: gather, and shield. Both hold references to what they are made of and
 * watch it by waiters of their own, and complete through an entry of the ready queue, so that
 * nesting them costs no C stack. As long as one is not settled it holds a reference to itself: its
 * children may still refer to it.
 */
#include "task/internal.h"

struct composite {
    struct aloop_future future;
    struct list link;        /* in loop->composites until it is settled */
    bool is_queued;          /* has an entry in the ready queue */
};

struct child {
    aloop_waiter waiter;
    struct gather *gather;
    struct aloop_future *future;
};

struct gather {
    struct composite base;
    struct fanout fanout;
    size_t count;
    size_t pending; /* children that are not done */
    int64_t *results;
    int64_t first_error;
    struct child *first_failed;
    unsigned flags;
    bool is_cancelled; /* cancellation was requested: wait for all, then end with -ECANCELED */
    struct child children[];
};

struct shield {
    struct composite base;
    aloop_waiter waiter;
    struct aloop_future *inner;
};

#define COMPOSITE_OF(FUTURE) CONTAINER_OF(FUTURE, struct composite, future)
#define GATHER_OF(FUTURE) CONTAINER_OF(FUTURE, struct gather, base.future)
#define SHIELD_OF(FUTURE) CONTAINER_OF(FUTURE, struct shield, base.future)

static size_t gather_size(size_t count)
{
    return sizeof(struct gather) + count * sizeof(struct child);
}

/* --- what both share --- */

static struct composite *composite_new(aloop *loop, enum future_kind kind, size_t size)
{
    struct composite *composite;

    if (ready_reserve(&loop->ready) < 0)
        return NULL;
    composite = pool_alloc(&loop->pool, size);
    if (composite == NULL) {
        ready_unreserve(&loop->ready);
        return NULL;
    }
    future_init(&composite->future, loop, kind);
    future_ref(&composite->future);
    list_push(&loop->composites, &composite->link);
    composite->is_queued = false;
    return composite;
}

/* It watches nothing any more: drops the reference to itself. */
static void composite_settled(struct composite *composite)
{
    aloop *loop = composite->future.loop;

    list_del(&composite->link);
    ready_unreserve(&loop->ready);
    aloop_future_unref(&composite->future);
}

static void composite_queue(struct composite *composite, aloop_callback *run)
{
    if (composite->is_queued)
        return;
    composite->is_queued = true;
    ready_push(&composite->future.loop->ready, run, composite);
}

/* --- gather --- */

static void gather_settle(struct gather *gather)
{
    for (size_t i = 0; i < gather->count; i++) {
        struct child *child = &gather->children[i];

        aloop_waiter_unlink(&child->waiter);
        future_unref(child->future);
        child->future = NULL;
    }
    composite_settled(&gather->base);
}

static void gather_succeed(struct gather *gather)
{
    if (gather->results != NULL) {
        for (size_t i = 0; i < gather->count; i++)
            gather->results[i] = gather->children[i].future->result;
    }
    future_finish(&gather->base.future, 0);
}

static void gather_fail(struct gather *gather)
{
    trace_pass_on(gather->first_failed->future, &gather->base.future);
    future_finish(&gather->base.future, gather->first_error);
}

/* Completes it if what has happened decides its outcome. */
static void gather_decide(struct gather *gather)
{
    struct aloop_future *future = &gather->base.future;

    if (future_is_done(future))
        return;
    if (gather->pending == 0 && gather->is_cancelled)
        future_finish(future, -ECANCELED);
    else if (gather->first_error < 0 && !gather->is_cancelled)
        gather_fail(gather);
    else if (gather->pending == 0)
        gather_succeed(gather);
}

static void run_gather(aloop *loop, void *arg)
{
    struct gather *gather = arg;

    (void)loop;
    gather->base.is_queued = false;
    gather_decide(gather);
    if (gather->pending == 0)
        gather_settle(gather);
}

/* Late failures, after the gather is done, count as retrieved as well: it was asked to look
   after them. */
static void child_is_done(struct child *child)
{
    struct gather *gather = child->gather;
    int64_t result = future_take(child->future);

    gather->pending--;
    if (result < 0 && gather->first_error == 0 && !(gather->flags & ALOOP_RETURN_EXCEPTIONS)) {
        gather->first_error = result;
        gather->first_failed = child;
    }
}

static void child_notify(aloop_waiter *waiter)
{
    struct child *child = CONTAINER_OF(waiter, struct child, waiter);
    struct gather *gather = child->gather;

    child_is_done(child);
    if (gather->pending == 0 || (gather->first_error < 0 && !future_is_done(&gather->base.future)))
        composite_queue(&gather->base, run_gather);
}

static aloop_future *next_child(struct fanout *fanout, void **cursor)
{
    struct gather *gather = CONTAINER_OF(fanout, struct gather, fanout);
    struct child *child = *cursor != NULL ? *cursor : gather->children;

    if (child == gather->children + gather->count)
        return NULL;
    *cursor = child + 1;
    return child->future;
}

aloop_future *aloop_gather_future(aloop *loop, aloop_future *const *futures, size_t count,
                                  int64_t *results, unsigned flags)
{
    struct gather *gather;
    int error = loop == NULL ? -ALOOP_ENOLOOP : loop_guard(loop);

    if (error < 0)
        return future_failed(error);
    for (size_t i = 0; i < count; i++) {
        if (futures[i]->loop != NULL && futures[i]->loop != loop)
            return future_failed(-ALOOP_EWRONGLOOP);
    }
    if (count > (SIZE_MAX - sizeof *gather) / sizeof(struct child))
        return future_failed(-ENOMEM);
    gather = (struct gather *)(void *)composite_new(loop, FUTURE_GATHER, gather_size(count));
    if (gather == NULL)
        return future_failed(-ENOMEM);
    fanout_init(&gather->fanout, next_child);
    gather->count = count;
    gather->pending = count;
    gather->results = results;
    gather->first_error = 0;
    gather->flags = flags;
    gather->is_cancelled = false;
    for (size_t i = 0; i < count; i++) {
        struct child *child = &gather->children[i];

        *child = (struct child){.waiter.notify = child_notify,
                                .gather = gather,
                                .future = future_ref(futures[i])};
        if (future_is_done(child->future))
            child_is_done(child);
        else
            aloop_waitlist_push(&child->future->waiters, &child->waiter);
    }
    gather_decide(gather);
    if (gather->pending == 0)
        gather_settle(gather);
    return &gather->base.future;
}

void gather_forget_results(aloop_future *future)
{
    if (future->loop != NULL)
        GATHER_OF(future)->results = NULL;
}

bool gather_accepts_cancel(aloop_future *future)
{
    return GATHER_OF(future)->pending > 0;
}

struct fanout *gather_begin_cancel(aloop_future *future)
{
    GATHER_OF(future)->is_cancelled = true;
    return &GATHER_OF(future)->fanout;
}

/* --- shield --- */

static void run_shield(aloop *loop, void *arg)
{
    struct shield *shield = arg;
    struct aloop_future *inner = shield->inner;
    struct aloop_future *outer = &shield->base.future;

    (void)loop;
    /* If the outer was cancelled nobody looks at the inner's result here: an error of it is
       reported when the last reference goes. */
    if (!future_is_done(outer)) {
        int64_t result = future_take(inner);

        if (aloop_future_cancelled(inner))
            future_finish_cancelled(outer);
        else
            future_finish(outer, result);
    }
    shield->inner = NULL;
    aloop_future_unref(inner);
    composite_settled(&shield->base);
}

static void shield_notify(aloop_waiter *waiter)
{
    composite_queue(&CONTAINER_OF(waiter, struct shield, waiter)->base, run_shield);
}

aloop_future *aloop_shield_future(aloop_future *inner)
{
    aloop *loop = inner->loop;
    struct shield *shield;
    int error;

    if (future_is_done(inner))
        return future_ref(inner);
    error = loop_guard(loop);
    if (error < 0)
        return future_failed(error);
    shield = (struct shield *)(void *)composite_new(loop, FUTURE_SHIELD, sizeof *shield);
    if (shield == NULL)
        return future_failed(-ENOMEM);
    shield->waiter = (aloop_waiter){.notify = shield_notify};
    shield->inner = future_ref(inner);
    aloop_waitlist_push(&inner->waiters, &shield->waiter);
    return &shield->base.future;
}

/* --- looking at them --- */

aloop_future *composite_next(aloop *loop, void **cursor)
{
    struct list *link = *cursor != NULL ? *cursor : loop->composites.next;

    if (link == &loop->composites)
        return NULL;
    *cursor = link->next;
    return &CONTAINER_OF(link, struct composite, link)->future;
}

aloop_future *composite_next_part(aloop_future *future, void **cursor)
{
    if (future->kind == FUTURE_GATHER)
        return next_child(&GATHER_OF(future)->fanout, cursor);
    if (*cursor != NULL)
        return NULL;
    *cursor = SHIELD_OF(future)->inner;
    return *cursor;
}

/* --- the end --- */

void composite_destroy(struct aloop_future *future)
{
    struct composite *composite = COMPOSITE_OF(future);
    size_t size = future->kind == FUTURE_GATHER ? gather_size(GATHER_OF(future)->count)
                                                : sizeof(struct shield);

    pool_free(&future->loop->pool, composite, size);
}

void composites_close(aloop *loop)
{
    while (!list_is_empty(&loop->composites)) {
        struct composite *composite = CONTAINER_OF(loop->composites.next, struct composite, link);

        if (composite->future.kind == FUTURE_GATHER) {
            gather_settle(GATHER_OF(&composite->future));
        } else {
            struct shield *shield = SHIELD_OF(&composite->future);

            aloop_waiter_unlink(&shield->waiter);
            aloop_future_unref(shield->inner);
            composite_settled(composite);
        }
    }
}
