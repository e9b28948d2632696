/*
 * Groups of tasks. A group is a scope of its coroutine, which fires when a child fails: so the
 * await that the coroutine is in ends, without a trace in its count of cancellations.
 *
 * Each child has a member record, which watches its end as any waiter does, and turns into the
 * record of its error if it failed. The group's scope stays with the frame until that ends, even
 * after the group was waited for, because the frame's end is what frees the errors.
 */
#include "task/internal.h"

enum {
    GROUP_ABORTING = 1, /* a child has failed, or the group was cancelled: no more children */
    GROUP_WAITING = 2,  /* its coroutine waits for the children to end */
    GROUP_CLOSED = 4    /* all have ended, and the coroutine knows */
};

struct member {
    aloop_waiter waiter; /* on the child's end */
    struct list link;    /* in the group's children or errors */
    aloop_group *group;
    struct aloop_task *task;
    int64_t error;
    /* Of the operation that waits for the child's word that it is ready. As long as it has not
       looked, the record is kept for it, however the child and the group fare. */
    aloop_waiter *starter;
    int64_t word; /* the operation's outcome; ALOOP_PENDING: the child has not said a thing */
    bool is_over; /* the record is of no use to anybody but the starter */
};

/* The public struct has links of its own; these are the same in the library's terms. */
_Static_assert(sizeof(struct list) == sizeof(aloop_link), "a link is a link");
_Static_assert(sizeof(struct fanout) <= sizeof(((aloop_group *)0)->fanout), "room for a fan-out");

static struct list *children_of(aloop_group *group)
{
    return (struct list *)(void *)&group->children;
}

static struct list *errors_of(aloop_group *group)
{
    return (struct list *)(void *)&group->errors;
}

static struct fanout *fanout_of(aloop_group *group)
{
    return (struct fanout *)(void *)group->fanout;
}

static aloop *loop_of(const aloop_group *group)
{
    return group->scope.task->future.loop;
}

bool group_is_open(const aloop_group *group)
{
    return scope_is_entered(&group->scope) && !(group->flags & GROUP_CLOSED);
}

/* --- opening and closing --- */

static aloop_future *group_child(struct fanout *fanout, void **cursor)
{
    aloop_group *group = CONTAINER_OF(fanout, aloop_group, fanout);
    struct list *children = children_of(group);
    struct list *link = *cursor != NULL ? *cursor : children->next;

    if (link == children)
        return NULL;
    *cursor = link->next;
    return &CONTAINER_OF(link, struct member, link)->task->future;
}

aloop_future *group_next(aloop_group *group, void **cursor)
{
    return group_is_open(group) ? group_child(fanout_of(group), cursor) : NULL;
}

/* The group has no use for it any more. */
static void member_let_go(aloop *loop, struct member *member)
{
    list_del(&member->link);
    if (member->starter != NULL)
        member->is_over = true;
    else
        pool_free(&loop->pool, member, sizeof *member);
}

static void group_free_errors(aloop_group *group)
{
    while (!list_is_empty(errors_of(group)))
        member_let_go(loop_of(group),
                      CONTAINER_OF(errors_of(group)->next, struct member, link));
}

void aloop_group_init(aloop_group *group)
{
    struct aloop_task *task = aloop_current_task();

    if (task == NULL || group_is_open(group))
        return;
    if (scope_is_entered(&group->scope))
        group_end(group);
    scope_enter_untimed(task, &group->scope, SCOPE_GROUP);
    list_init(children_of(group));
    list_init(errors_of(group));
    fanout_init(fanout_of(group), group_child);
    group->waiters = (aloop_waitlist){.head.next = NULL};
    group->child_count = 0;
    group->error_count = 0;
    group->flags = 0;
}

void group_end(aloop_group *group)
{
    group_free_errors(group);
    scope_leave(&group->scope);
}

/* --- children --- */

static void group_abort(aloop_group *group)
{
    if (group->flags & GROUP_ABORTING)
        return;
    group->flags |= GROUP_ABORTING;
    cancel_fanout(loop_of(group), fanout_of(group));
    if (!(group->flags & GROUP_WAITING))
        scope_fire(&group->scope);
}

static int64_t first_error(aloop_group *group)
{
    return list_is_empty(errors_of(group))
               ? 0
               : CONTAINER_OF(errors_of(group)->next, struct member, link)->error;
}

static bool member_is_starting(const struct member *member)
{
    return member->starter != NULL && member->word == ALOOP_PENDING;
}

/* What the starter waits for has come. */
static void member_tell(struct member *member, int64_t word)
{
    member->word = word;
    member->starter->notify(member->starter);
}

/* A child has ended. */
static void member_notify(aloop_waiter *waiter)
{
    struct member *member = CONTAINER_OF(waiter, struct member, waiter);
    aloop_group *group = member->group;
    struct aloop_task *task = member->task;
    int64_t result = future_take(&task->future);

    task->member = NULL;
    group->child_count--;
    if (!member_is_starting(member) && result < 0 && !aloop_future_cancelled(&task->future)) {
        member->error = result;
        if (group->error_count == 0)
            trace_reach_frame(group->scope.task, group->scope.frame, task);
        list_del(&member->link);
        list_push(errors_of(group), &member->link);
        group->error_count++;
        group_abort(group);
    } else {
        if (member_is_starting(member))
            member_tell(member, result >= 0 ? -EPROTO : result);
        member_let_go(loop_of(group), member);
    }
    if (group->child_count == 0)
        aloop_wake_all(&group->waiters);
    future_unref(&task->future);
}

static int group_check(const aloop_group *group)
{
    if (!group_is_open(group))
        return -EINVAL;
    return group->flags & GROUP_ABORTING ? -ECANCELED : 0;
}

/* The record of the child that was added last. */
static struct member *newest_member(aloop_group *group)
{
    return CONTAINER_OF(children_of(group)->prev, struct member, link);
}

/* A child that runs `coro`. */
static int group_add(aloop_group *group, const aloop_coro *coro, const void *frame)
{
    struct member *member;
    struct aloop_task *task;
    int error = group_check(group);

    if (error < 0)
        return error;
    member = pool_alloc(&loop_of(group)->pool, sizeof *member);
    if (member == NULL)
        return -ENOMEM;
    task = aloop_task_new(loop_of(group), coro, frame);
    if (task->future.loop == NULL) {
        pool_free(&loop_of(group)->pool, member, sizeof *member);
        return (int)task->future.result;
    }
    /* The rest is set when it means something. */
    member->waiter.notify = member_notify;
    member->group = group;
    member->task = task;
    member->starter = NULL;
    member->is_over = false;
    task->member = member;
    list_push(children_of(group), &member->link);
    group->child_count++;
    aloop_waitlist_push(&task->future.waiters, &member->waiter);
    return 0;
}

aloop_task *aloop_group_task_new(aloop_group *group, const aloop_coro *coro, const void *frame)
{
    int error = group_add(group, coro, frame);

    return error < 0 ? TASK_OF(future_failed(error)) : newest_member(group)->task;
}

aloop_poll aloop_group_start_poll_(aloop_task *task, aloop_op *op)
{
    (void)task;
    return group_add(op->arg[0].pointer, op->arg[1].data, op->arg[2].data);
}

/* --- a child that says when it is ready --- */

/* The starter has what it wanted, or gives up: the child goes on as any other. */
static void started_end(aloop *loop, struct member *member)
{
    member->starter = NULL;
    if (member->is_over)
        member_let_go(loop, member);
}

static aloop_poll started_poll(aloop_task *task, aloop_op *op)
{
    struct member *member = op->arg[0].pointer;
    int64_t word = member->word;

    if (word == ALOOP_PENDING)
        return ALOOP_PENDING;
    started_end(task->future.loop, member);
    if (!(op->flags & (OP_CANCELLED | OP_SCOPED)) || word == -ECANCELED)
        return word;
    /* The child did not mind that it was cancelled, but who started it was cancelled as well. */
    if (word >= 0 || word == -EPROTO)
        return -ECANCELED;
    if (op->flags & OP_CANCELLED)
        task->state |= ALARM_CANCEL;
    return word;
}

static void started_drop(aloop_task *task, aloop_op *op)
{
    started_end(task->future.loop, op->arg[0].pointer);
}

static aloop_future *started_target(const aloop_op *op)
{
    const struct member *member = op->arg[0].pointer;

    return member_is_starting(member) ? &member->task->future : NULL;
}

static const aloop_op_type started_type = {
    .name = "group start", .target = started_target, .drop = started_drop};

static aloop_poll start_and_wait_poll(aloop_task *task, aloop_op *op)
{
    aloop_group *group = op->arg[0].pointer;
    struct member *member;
    int error = group_add(group, op->arg[1].data, op->arg[2].data);

    (void)task;
    if (error < 0)
        return error;
    member = newest_member(group);
    member->starter = &op->waiter;
    member->word = ALOOP_PENDING;
    op->arg[0].pointer = member;
    op->type = &started_type;
    op->poll = started_poll;
    return ALOOP_PENDING;
}

aloop_op aloop_group_start_and_wait_op(aloop_group *group, const aloop_coro *coro,
                                       const void *frame)
{
    return (aloop_op){.poll = start_and_wait_poll,
                      .arg = {{.pointer = group}, {.data = coro}, {.data = frame}}};
}

int aloop_started(int64_t value)
{
    struct aloop_task *task = aloop_current_task();
    struct member *member = task != NULL ? task->member : NULL;

    if (member == NULL || !member_is_starting(member) || value < 0)
        return -EINVAL;
    member_tell(member, value);
    return 0;
}

/* --- waiting --- */

aloop_poll aloop_group_poll_(aloop_task *task, aloop_op *op)
{
    aloop_group *group = op->arg[0].pointer;
    int64_t error;

    if (!group_is_open(group))
        return -EINVAL;
    if (group->scope.task != task || group->scope.frame != task->frame)
        return -EPERM;
    if (!(group->flags & GROUP_WAITING)) {
        group->flags |= GROUP_WAITING;
        /* That a child has failed, or the group was cancelled, is no news to who waits for it. */
        scope_withdraw(&group->scope);
    }
    if (group->child_count > 0)
        return aloop_op_wait(op, &group->waiters);
    group->flags = GROUP_CLOSED | GROUP_ABORTING;
    error = first_error(group);
    if (!(op->flags & (OP_CANCELLED | OP_SCOPED | OP_TIMED_OUT)))
        return error;
    if (error == 0)
        return -ECANCELED;
    /* Errors beat the cancellation, which must not get lost over them. */
    if (op->flags & OP_CANCELLED)
        task->state |= ALARM_CANCEL;
    return error;
}

static struct fanout *group_fanout(const aloop_op *op)
{
    aloop_group *group = op->arg[0].pointer;

    if (!group_is_open(group) || group->child_count == 0)
        return NULL;
    group->flags |= GROUP_ABORTING;
    return fanout_of(group);
}

/* Given up, as a case of a select that another one has won: a failure interrupts the coroutine
   again, also one that has come in the meantime. */
static void group_drop(aloop_task *task, aloop_op *op)
{
    aloop_group *group = op->arg[0].pointer;

    (void)task;
    if (!group_is_open(group))
        return;
    group->flags &= ~(unsigned)GROUP_WAITING;
    if (group->flags & GROUP_ABORTING)
        scope_fire(&group->scope);
}

static aloop_future *group_next_of_op(const aloop_op *op, void **cursor)
{
    return group_next(op->arg[0].pointer, cursor);
}

static void group_describe(const aloop_task *task, const aloop_op *op, aloop_op_details *details)
{
    (void)task;
    (void)op;
    details->next_future = group_next_of_op;
}

const aloop_op_type aloop_group_type_ = {
    .name = "group", .fanout = group_fanout, .drop = group_drop, .describe = group_describe};

void aloop_group_cancel(aloop_group *group)
{
    if (group_is_open(group))
        group_abort(group);
}

size_t aloop_group_errors(const aloop_group *group, int64_t *errors, size_t capacity)
{
    const aloop_link *head = &group->errors;
    size_t count = 0;

    if (!scope_is_entered(&group->scope))
        return 0;
    for (const aloop_link *link = head->next; link != head && count < capacity; link = link->next)
        errors[count++] = CONTAINER_OF(link, struct member, link)->error;
    return group->error_count;
}

/* --- the end of a coroutine with an open group --- */

static aloop_poll group_end_poll(aloop_task *task, aloop_op *op)
{
    aloop_group *group = op->arg[0].pointer;

    (void)task;
    return group->child_count == 0 ? 0 : aloop_op_wait(op, &group->waiters);
}

static const aloop_op_type group_end_type = {.name = "end of group", .describe = group_describe};

bool group_must_wait(aloop_group *group, aloop_op *out_op)
{
    if (!group_is_open(group) || group->child_count == 0)
        return false;
    group->flags |= GROUP_WAITING;
    group_abort(group);
    out_op->poll = group_end_poll;
    out_op->type = &group_end_type;
    out_op->flags = 0;
    out_op->arg[0].pointer = group;
    return true;
}

int64_t group_outcome(aloop_group *group, int64_t outcome)
{
    struct aloop_task *task = group->scope.task;
    int64_t error = first_error(group);

    /* Waited for, its errors are known; a coroutine's own error comes first. */
    if (group->flags & GROUP_CLOSED || (outcome < 0 && outcome != -ECANCELED))
        return outcome;
    if (outcome == -ECANCELED && task->cancelling > group->scope.cancelling && error < 0)
        task->state |= ALARM_CANCEL;
    if (error < 0)
        return error;
    return scope_caught(&group->scope, outcome) ? 0 : outcome;
}

void group_abandon(aloop_group *group)
{
    struct list *children = children_of(group);

    /* The loop is being closed: the children are thrown away on their own. */
    while (!list_is_empty(children)) {
        struct member *member = CONTAINER_OF(children->next, struct member, link);

        aloop_waiter_unlink(&member->waiter);
        member->task->member = NULL;
        aloop_task_unref(member->task);
        if (member_is_starting(member))
            member->word = -ECANCELED;
        member_let_go(loop_of(group), member);
    }
    group_end(group);
}
