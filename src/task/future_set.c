/*
 * Sets of futures: see the header. A member that is done only counts, and wakes who waits for the
 * set once that is settled.
 */
#include "task/future_set.h"

static size_t set_size(size_t count)
{
    return sizeof(struct future_set) + count * sizeof(struct watched);
}

/* One look at each, for there may be many, and `are_tasks` known when this is compiled. */
static ALWAYS_INLINE int look_at_each(const aloop_task *task, const struct futures *futures,
                                      bool are_tasks, struct futures_state *out_state)
{
    const struct futures these = {futures->array, futures->count, are_tasks};
    struct futures_state state = {0};

    for (size_t i = 0; i < these.count; i++) {
        const struct aloop_future *future = future_at(&these, i);

        if (ALOOP_UNLIKELY(future == &task->future))
            return -EDEADLK;
        if (ALOOP_UNLIKELY(future->loop != task->future.loop) && future->loop != NULL)
            return -ALOOP_EWRONGLOOP;
        if (!future_is_done(future))
            continue;
        state.done++;
        if (future_has_failed(future))
            state.has_failure = true;
    }
    *out_state = state;
    return 0;
}

int futures_check(const aloop_task *task, const struct futures *futures,
                  struct futures_state *out_state)
{
    size_t count = futures->count;

    if (count == 0 || count > (SIZE_MAX - sizeof(struct future_set)) / sizeof(struct watched))
        return -EINVAL;
    return futures->are_tasks ? look_at_each(task, futures, true, out_state)
                              : look_at_each(task, futures, false, out_state);
}

bool future_set_is_settled(const struct future_set *set)
{
    return set->pending == 0 || (set->when == ALOOP_FIRST_COMPLETED && set->first != NONE) ||
           (set->when == ALOOP_FIRST_EXCEPTION && set->has_failure);
}

static void member_is_done(struct watched *member)
{
    struct future_set *set = member->set;

    set->pending--;
    if (set->first == NONE)
        set->first = (size_t)(member - set->members);
    if (future_has_failed(member->future))
        set->has_failure = true;
}

static void member_notify(aloop_waiter *waiter)
{
    struct watched *member = CONTAINER_OF(waiter, struct watched, waiter);
    struct future_set *set = member->set;

    member_is_done(member);
    if (future_set_is_settled(set))
        set->op->waiter.notify(&set->op->waiter);
}

/* The futures that are not done: all that a cancellation is passed on to. */
static aloop_future *next_member(struct fanout *fanout, void **cursor)
{
    struct future_set *set = CONTAINER_OF(fanout, struct future_set, fanout);
    struct watched *member = *cursor != NULL ? *cursor : set->members;

    if (member == set->members + set->count)
        return NULL;
    *cursor = member + 1;
    return member->future;
}

aloop_future *future_set_next(const aloop_op *op, void **cursor)
{
    struct future_set *set = op->arg[0].pointer;

    return next_member(&set->fanout, cursor);
}

struct future_set *future_set_new(aloop_task *task, aloop_op *op, const struct futures *futures,
                                  aloop_return_when when)
{
    size_t count = futures->count;
    struct future_set *set = pool_alloc(&task->future.loop->pool, set_size(count));

    if (set == NULL)
        return NULL;
    *set = (struct future_set){
        .op = op, .count = count, .pending = count, .first = NONE, .when = when};
    fanout_init(&set->fanout, next_member);
    for (size_t i = 0; i < count; i++) {
        struct watched *member = &set->members[i];

        *member = (struct watched){.waiter.notify = member_notify,
                                   .set = set,
                                   .future = future_ref(future_at(futures, i))};
        if (future_is_done(member->future))
            member_is_done(member);
        else
            aloop_waitlist_push(&member->future->waiters, &member->waiter);
    }
    return set;
}

void future_set_free(aloop *loop, struct future_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        aloop_waiter_unlink(&set->members[i].waiter);
        future_unref(set->members[i].future);
    }
    pool_free(&loop->pool, set, set_size(set->count));
}
