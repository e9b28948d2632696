/*
 * Awaiting signals: one, or those of a set that stays.
 */
#include "os/signal.h"
#include "task/grant.h"

#include <aloop/signal.h>
#include <stdio.h>

/* --- one --- */

/* arg */
enum { NUMBER, WAIT };

struct wait {
    struct signal_watch watch;
    aloop_waitlist waiters;
    bool has_come;
};

static void wait_notify(struct signal_watch *watch, unsigned count)
{
    struct wait *wait = CONTAINER_OF(watch, struct wait, watch);

    (void)count;
    wait->has_come = true;
    (void)aloop_wake_all(&wait->waiters);
}

static void wait_end(aloop *loop, struct wait *wait)
{
    signal_watch_end(&wait->watch);
    pool_free(&loop->pool, wait, sizeof *wait);
}

static aloop_poll wait_poll(aloop_task *task, aloop_op *op)
{
    struct wait *wait = op->arg[WAIT].pointer;

    if (!wait->has_come)
        return aloop_op_wait(op, &wait->waiters);
    wait_end(task->future.loop, wait);
    return op->arg[NUMBER].number;
}

static aloop_poll wait_begin(aloop_task *task, aloop_op *op)
{
    aloop *loop = task->future.loop;
    struct wait *wait = pool_alloc(&loop->pool, sizeof *wait);
    int error;

    if (wait == NULL)
        return -ENOMEM;
    *wait = (struct wait){
        .watch = {.number = (int)op->arg[NUMBER].number, .notify = wait_notify}};
    error = signal_watch_begin(loop, &wait->watch);
    if (error < 0) {
        pool_free(&loop->pool, wait, sizeof *wait);
        return error;
    }
    op->arg[WAIT].pointer = wait;
    op->poll = wait_poll;
    return aloop_op_wait(op, &wait->waiters);
}

static void wait_drop(aloop_task *task, aloop_op *op)
{
    wait_end(task->future.loop, op->arg[WAIT].pointer);
}

static void wait_describe(const aloop_task *task, const aloop_op *op, aloop_op_details *details)
{
    (void)task;
    (void)snprintf(details->text, sizeof details->text, "signal %d", (int)op->arg[NUMBER].number);
}

static const aloop_op_type wait_type = {
    .name = "wait_signal", .drop = wait_drop, .describe = wait_describe};

aloop_op aloop_wait_signal(int signal_number)
{
    return (aloop_op){
        .poll = wait_begin, .type = &wait_type, .arg = {[NUMBER] = {.number = signal_number}}};
}

/* --- a set --- */

/* A signal of a set. */
struct set_member {
    struct signal_watch watch;
    struct list link; /* in set->watched, or in set->arrived, the first that came first */
    bool has_come;
    aloop_signals *set;
};

/* The public struct has links of its own; these are the same in the library's terms. */
static struct list *watched_of(aloop_signals *set)
{
    return (struct list *)(void *)&set->watched;
}

static struct list *arrived_of(aloop_signals *set)
{
    return (struct list *)(void *)&set->arrived;
}

static void member_notify(struct signal_watch *watch, unsigned count)
{
    struct set_member *member = CONTAINER_OF(watch, struct set_member, watch);

    (void)count;
    if (member->has_come)
        return;
    member->has_come = true;
    list_del(&member->link);
    list_push(arrived_of(member->set), &member->link);
    (void)aloop_wake_all(&member->set->waiters);
}

static bool has(const struct list *members, int number)
{
    for (const struct list *link = members->next; link != members; link = link->next) {
        const struct set_member *member = CONTAINER_OF(link, struct set_member, link);

        if (member->watch.number == number)
            return true;
    }
    return false;
}

static void free_all(aloop *loop, struct list *members)
{
    while (!list_is_empty(members)) {
        struct set_member *member = CONTAINER_OF(list_pop(members), struct set_member, link);

        signal_watch_end(&member->watch);
        pool_free(&loop->pool, member, sizeof *member);
    }
}

/* The scope is left by now. Whoever awaits the next finds the set closed. */
static void give_back(aloop_hold *hold)
{
    aloop_signals *set = CONTAINER_OF(hold, aloop_signals, hold);
    aloop *loop = hold->what;

    free_all(loop, watched_of(set));
    free_all(loop, arrived_of(set));
    (void)aloop_wake_all(&set->waiters);
}

int aloop_signals_open(aloop_signals *signals)
{
    struct aloop_task *task = aloop_current_task();

    if (task == NULL)
        return -EPERM;
    if (aloop_hold_is_held(&signals->hold))
        return -EBUSY;
    memset(signals, 0, sizeof *signals);
    list_init(watched_of(signals));
    list_init(arrived_of(signals));
    hold_enter(task, &signals->hold, task->future.loop, give_back);
    return 0;
}

int aloop_signals_add(aloop_signals *signals, int signal_number)
{
    aloop *loop = signals->hold.what;
    struct set_member *member;
    int error;

    if (!aloop_hold_is_held(&signals->hold))
        return -EINVAL;
    if (has(watched_of(signals), signal_number) || has(arrived_of(signals), signal_number))
        return 0;
    member = pool_alloc(&loop->pool, sizeof *member);
    if (member == NULL)
        return -ENOMEM;
    *member = (struct set_member){.watch = {.number = signal_number, .notify = member_notify},
                              .set = signals};
    error = signal_watch_begin(loop, &member->watch);
    if (error < 0) {
        pool_free(&loop->pool, member, sizeof *member);
        return error;
    }
    list_push(watched_of(signals), &member->link);
    return 0;
}

void aloop_signals_close(aloop_signals *signals)
{
    (void)aloop_hold_release(&signals->hold);
}

static aloop_poll next_poll(aloop_task *task, aloop_op *op)
{
    aloop_signals *set = op->arg[0].pointer;
    struct set_member *member;

    if (!aloop_hold_is_held(&set->hold))
        return -EINVAL;
    if (set->hold.scope.task != task)
        return -EPERM;
    if (list_is_empty(arrived_of(set)))
        return aloop_op_wait(op, &set->waiters);
    member = CONTAINER_OF(list_pop(arrived_of(set)), struct set_member, link);
    member->has_come = false;
    list_push(watched_of(set), &member->link);
    return member->watch.number;
}

static void next_describe(const aloop_task *task, const aloop_op *op, aloop_op_details *details)
{
    aloop_signals *set = op->arg[0].pointer;
    const struct list *head = watched_of(set);
    const char *between = "signal ";
    char number[16];

    (void)task;
    if (!aloop_hold_is_held(&set->hold))
        return;
    for (const struct list *link = head->next; link != head; link = link->next) {
        (void)snprintf(number, sizeof number, "%d",
                       CONTAINER_OF(link, struct set_member, link)->watch.number);
        details_add(details, between);
        details_add(details, number);
        between = ", ";
    }
}

static const aloop_op_type next_type = {.name = "signals_next", .describe = next_describe};

aloop_op aloop_signals_next(aloop_signals *signals)
{
    return (aloop_op){
        .poll = next_poll, .type = &next_type, .arg = {{.pointer = signals}}};
}
