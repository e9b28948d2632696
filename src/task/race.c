/*
 * A race: the first to complete counts, the others are cancelled, and the await ends when all have
 * ended. The losers are cancelled when the task runs again, not by the winner's completion: that
 * could be the work of another race, and so on, and would nest on the C stack.
 */
#include "task/future_set.h"

/* arg: the array, then the set; how many; where the index goes */
enum { FUTURES, COUNT, INDEX };

/* All have ended. */
static aloop_poll race_is_over(aloop_task *task, aloop_op *op)
{
    struct future_set *set = op->arg[FUTURES].pointer;
    int64_t outcome = set->members[set->first].future->result;
    size_t *out_index = op->arg[INDEX].pointer;

    /* That they were to end, or to lose, is why they may have failed. */
    for (size_t i = 0; i < set->count; i++)
        (void)future_take(set->members[i].future);
    if (op->flags & (OP_CANCELLED | OP_SCOPED))
        outcome = -ECANCELED;
    else if (out_index != NULL)
        *out_index = set->first;
    if (outcome < 0 && outcome != -ECANCELED)
        trace_take(task, set->members[set->first].future);
    future_set_free(task->future.loop, set);
    return outcome;
}

static aloop_poll race_poll(aloop_task *task, aloop_op *op)
{
    struct future_set *set = op->arg[FUTURES].pointer;

    if (set->when == ALOOP_FIRST_COMPLETED && set->first != NONE) {
        set->when = ALOOP_ALL_COMPLETED;
        if (set->pending > 0)
            cancel_fanout(task->future.loop, &set->fanout);
    }
    return set->pending > 0 ? ALOOP_PENDING : race_is_over(task, op);
}

static void race_drop(aloop_task *task, aloop_op *op)
{
    future_set_free(task->future.loop, op->arg[FUTURES].pointer);
}

static struct fanout *race_fanout(const aloop_op *op)
{
    struct future_set *set = op->arg[FUTURES].pointer;

    if (set->pending == 0)
        return NULL;
    /* Who is first from here on has not won: it was told to end. */
    set->when = ALOOP_ALL_COMPLETED;
    return &set->fanout;
}

static void race_describe(const aloop_task *task, const aloop_op *op, aloop_op_details *details)
{
    const struct future_set *set = op->arg[FUTURES].data;

    (void)task;
    details->is_any = set->when == ALOOP_FIRST_COMPLETED;
    details->next_future = future_set_next;
}

static const aloop_op_type running_type = {
    .name = "race", .drop = race_drop, .fanout = race_fanout, .describe = race_describe};

/* It has not begun, and cancels nothing. */
static struct fanout *no_fanout(const aloop_op *op)
{
    (void)op;
    return NULL;
}

static const aloop_op_type race_type = {.name = "race", .fanout = no_fanout};

static aloop_poll race_begin(aloop_task *task, aloop_op *op, bool are_tasks)
{
    struct futures futures = {op->arg[FUTURES].data, op->arg[COUNT].size, are_tasks};
    struct futures_state state;
    struct future_set *set;
    int error = futures_check(task, &futures, &state);

    if (error < 0)
        return error;
    set = future_set_new(task, op, &futures, ALOOP_FIRST_COMPLETED);
    if (set == NULL)
        return -ENOMEM;
    op->arg[FUTURES].pointer = set;
    op->type = &running_type;
    op->poll = race_poll;
    return race_poll(task, op);
}

static aloop_poll race_futures_begin(aloop_task *task, aloop_op *op)
{
    return race_begin(task, op, false);
}

static aloop_poll race_tasks_begin(aloop_task *task, aloop_op *op)
{
    return race_begin(task, op, true);
}

aloop_op aloop_race_futures(aloop_future *const *futures, size_t count, size_t *out_index)
{
    return (aloop_op){.poll = race_futures_begin,
                      .type = &race_type,
                      .arg = {{.data = futures}, {.size = count}, {.pointer = out_index}}};
}

aloop_op aloop_race_tasks(aloop_task *const *tasks, size_t count, size_t *out_index)
{
    return (aloop_op){.poll = race_tasks_begin,
                      .type = &race_type,
                      .arg = {{.data = tasks}, {.size = count}, {.pointer = out_index}}};
}
