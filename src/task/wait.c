/*
 * Waiting for several futures that go on by themselves. Which are done is asked of them at the
 * moment the task goes on, so that a result that comes in between counts, and nothing is remembered
 * that they know themselves.
 */
#include "task/future_set.h"

/* arg: the array, then the set; how many; for what; until when */
enum { FUTURES, COUNT, WHEN, DEADLINE };

static int64_t count_done(const struct future_set *set)
{
    int64_t done = 0;

    for (size_t i = 0; i < set->count; i++)
        done += future_is_done(set->members[i].future);
    return done;
}

static aloop_poll wait_poll(aloop_task *task, aloop_op *op)
{
    struct future_set *set = op->arg[FUTURES].pointer;
    aloop_ns deadline = op->arg[DEADLINE].number;
    int64_t done;

    if (!future_set_is_settled(set) && task->future.loop->now < deadline)
        return deadline == ALOOP_NEVER ? ALOOP_PENDING : aloop_op_wait_until(task, deadline);
    done = count_done(set);
    future_set_free(task->future.loop, set);
    return done;
}

static void wait_drop(aloop_task *task, aloop_op *op)
{
    future_set_free(task->future.loop, op->arg[FUTURES].pointer);
}

static void wait_describe(const aloop_task *task, const aloop_op *op, aloop_op_details *details)
{
    const struct future_set *set = op->arg[FUTURES].data;

    (void)task;
    details->deadline = op->arg[DEADLINE].number;
    details->is_any = set->when != ALOOP_ALL_COMPLETED;
    details->next_future = future_set_next;
}

static const aloop_op_type waiting_type = {
    .name = "wait", .drop = wait_drop, .describe = wait_describe};
static const aloop_op_type wait_type = {.name = "wait"};

static bool is_enough(const struct futures_state *state, size_t count, aloop_return_when when)
{
    return state->done == count || (when == ALOOP_FIRST_COMPLETED && state->done > 0) ||
           (when == ALOOP_FIRST_EXCEPTION && state->has_failure);
}

static aloop_poll wait_begin(aloop_task *task, aloop_op *op, bool are_tasks)
{
    struct futures futures = {op->arg[FUTURES].data, op->arg[COUNT].size, are_tasks};
    aloop_return_when when = (aloop_return_when)op->arg[WHEN].number;
    aloop_ns timeout = op->arg[DEADLINE].number;
    struct futures_state state;
    struct future_set *set;
    int error = futures_check(task, &futures, &state);

    if (error < 0)
        return error;
    if (when < ALOOP_ALL_COMPLETED || when > ALOOP_FIRST_EXCEPTION)
        return -EINVAL;
    if (is_enough(&state, futures.count, when) || timeout <= 0)
        return (int64_t)state.done;
    set = future_set_new(task, op, &futures, when);
    if (set == NULL)
        return -ENOMEM;
    op->arg[FUTURES].pointer = set;
    op->arg[DEADLINE].number = time_add(task->future.loop->now, timeout);
    op->type = &waiting_type;
    op->poll = wait_poll;
    return wait_poll(task, op);
}

static aloop_poll wait_futures_begin(aloop_task *task, aloop_op *op)
{
    return wait_begin(task, op, false);
}

static aloop_poll wait_tasks_begin(aloop_task *task, aloop_op *op)
{
    return wait_begin(task, op, true);
}

aloop_op aloop_wait_futures(aloop_future *const *futures, size_t count, aloop_return_when when,
                            aloop_ns timeout)
{
    return (aloop_op){
        .poll = wait_futures_begin,
        .type = &wait_type,
        .arg = {{.data = futures}, {.size = count}, {.number = when}, {.number = timeout}}};
}

aloop_op aloop_wait_tasks(aloop_task *const *tasks, size_t count, aloop_return_when when,
                          aloop_ns timeout)
{
    return (aloop_op){
        .poll = wait_tasks_begin,
        .type = &wait_type,
        .arg = {{.data = tasks}, {.size = count}, {.number = when}, {.number = timeout}}};
}
