/*
 * Futures and tasks from the inside: shared by the files of this layer and read by the layers
 * above.
 */
#ifndef ALOOP_SRC_TASK_INTERNAL_H
#define ALOOP_SRC_TASK_INTERNAL_H

#include "loop/internal.h"

#include <aloop/generator.h>
#include <aloop/group.h>
#include <string.h>

/* What debug builds leave on the stack where a coroutine is about to have its locals. */
#define STACK_SPOILED 0xA5

enum future_state { FUTURE_PENDING, FUTURE_FINISHED, FUTURE_CANCELLED };

/*
 * Something that passes a cancellation on to several futures: a gather, a group, a race. Requests
 * spread along a stack of these, not by recursion.
 */
struct fanout {
    struct list link; /* in the stack of a request */
    /* The next of its futures; *cursor is NULL at first. NULL at the end. */
    aloop_future *(*next)(struct fanout *fanout, void **cursor);
    void *cursor;
    uint64_t chain;            /* of the request that reached it last, the one that led to it */
    struct aloop_task *joiner; /* the last on the way to it that waits for a single future */
};

static inline void fanout_init(struct fanout *fanout,
                               aloop_future *(*next)(struct fanout *fanout, void **cursor))
{
    list_init(&fanout->link);
    fanout->next = next;
    fanout->cursor = NULL;
    fanout->chain = 0;
    fanout->joiner = NULL;
}

/* What a future is part of: who destroys it, and what cancelling it means. */
enum future_kind {
    FUTURE_PLAIN = 0,
    FUTURE_TASK = 1,
    FUTURE_GATHER = 2,
    FUTURE_NOTED_TASK = 3, /* a task that there are notes about: only tasks are odd */
    FUTURE_SHIELD = 4
};

struct aloop_future {
    int64_t result;
    aloop_waitlist waiters; /* done callbacks and tasks that await it, in the order they came */
    aloop *loop; /* NULL: a static one that stands for "no memory" and the like */
    uint32_t references;
    uint8_t state;
    uint8_t kind;
    bool is_retrieved; /* somebody has looked at the result */
};

/* aloop_op.flags */
enum {
    OP_CANCELLABLE = 1, /* even inside ALOOP_FINALLY */
    OP_HAS_TIMEOUT = 2,
    OP_DEADLINE_SET = 4, /* `timeout` is by now the deadline */
    OP_TIMED_OUT = 8,    /* its target was cancelled because time was up ... */
    OP_CANCELLED = 16,   /* ... or because the task was ... */
    OP_SCOPED = 128,     /* ... or a part of it */
    OP_IS_CALL = 32,
    OP_UNREF = 64 /* join: drop the caller's reference in the end */
};

struct member;
struct locals;
struct task_notes;

/* aloop_task.state: what the task is at, and what else there is to know of it at the moment. Bits
   of one number, not fields: it is looked at as a whole right behind a change of one of them, and a
   processor would have to wait for a narrow store before it could do a wide load. */
enum task_mode {
    TASK_RUNS = ALOOP_TASK_RUNS_,     /* it runs, or has an entry in the ready queue and will go on
                                         where it stands */
    TASK_WAITS = ALOOP_TASK_WAITS_,   /* `op` is pending */
    TASK_YIELDS = ALOOP_TASK_YIELDS_, /* it gives way, and awaits no more than that: there is no
                                         operation */
    TASK_DONE = 3
};

enum {
    TASK_MODE = 3,       /* enum task_mode */
    TASK_IS_QUEUED = 4,  /* has an entry in the ready queue */
    TASK_HAS_TIMER = 8,  /* `timer` is armed, or was and came due, for the op's sake */
    /* Undelivered news, looked at when an await begins and when the task is resumed. */
    ALARM_CANCEL = 16,   /* the task is to be cancelled (asyncio: _must_cancel) */
    ALARM_SCOPE = 32,    /* the time of a cancel scope is up */
    TASK_ALARMS = ALARM_CANCEL + ALARM_SCOPE
};

/* What awaiting, waking and a step touch stands together, and first: awaits build the operation in
   place (see struct aloop_task_head_). The first frame follows the task in memory. */
struct aloop_task {
    aloop_op op; /* its waiter stays, linked or not */
    uint32_t state; /* TASK_*; 0: it runs, and there is nothing else to know */
    bool has_baggage; /* perhaps: something to see to when it ends, beyond what all tasks have */
    bool was_told_to_end; /* by the loop's shutdown */
    aloop_frame *frame; /* the innermost */
    struct aloop_future future;
    struct timer timer; /* wakes the task for its op's sake */
    struct list link;   /* in loop->tasks until it is done */
    /* From here on all is zero at first. */
    aloop_scope *scope;          /* the innermost cancel scope */
    struct member *member;       /* of the group it is in, until it is done */
    struct locals *locals;       /* its task-local values, until it is done; NULL: none */
    aloop_generator *generators; /* the open ones, newest first */
    uint64_t cancel_chain; /* the number of the last chain that a request to cancel it came along */
    uint32_t finally_depth; /* frames inside their ALOOP_FINALLY ... */
    uint32_t finally_base;  /* ... of them, those around the innermost call that is cancellable */
    uint32_t cancelling;
    uint32_t number; /* given when somebody asks for it; 0: not yet */
};

_Static_assert(offsetof(struct aloop_task, op) == offsetof(struct aloop_task_head_, op) &&
                   offsetof(struct aloop_task, state) == offsetof(struct aloop_task_head_, state) &&
                   offsetof(struct aloop_task, future) == sizeof(struct aloop_task_head_),
               "the headers know the head of a task");

static inline enum task_mode task_mode(const struct aloop_task *task)
{
    return (enum task_mode)(task->state & TASK_MODE);
}

static inline void task_set_mode(struct aloop_task *task, enum task_mode mode)
{
    task->state = (task->state & ~(uint32_t)TASK_MODE) | (uint32_t)mode;
}

/* frame->flags; ALOOP_FLAG_FINALLY_ is 1 */
enum {
    FRAME_HAS_SCOPE = 2, /* perhaps: look at the task's innermost one */
    FRAME_ENDED = 4,     /* its step function is done; it waits for what is left in its groups */
    FRAME_CLOSING = 8,   /* that wait is on */
    FRAME_GENERATOR = 16 /* it returns to who asked it for an item */
};

/* Where in its block of memory the first frame of a task stands. */
#define TASK_HEAD_SIZE \
    ((sizeof(struct aloop_task) + POOL_GRANULE - 1) & ~(size_t)(POOL_GRANULE - 1))

#define TASK_OF(POINTER) CONTAINER_OF(POINTER, struct aloop_task, future)

/* What a task may complete in one step before others get their turn: awaits that do not wait,
   and data received, which counts by the size. */
#define TASK_BUDGET 256

/* --- future.c --- */
/* The first future of a loop: makes the layer known to it. */
void future_attach_layer(aloop *loop);

static inline void future_init(struct aloop_future *future, aloop *loop, enum future_kind kind)
{
    *future = (struct aloop_future){.loop = loop, .references = 1, .kind = (uint8_t)kind};
    if (ALOOP_UNLIKELY(loop->upper == NULL))
        future_attach_layer(loop);
    loop_object_added(loop);
}

/* As aloop_future_ref(). */
static inline struct aloop_future *future_ref(struct aloop_future *future)
{
    if (ALOOP_LIKELY(future->loop != NULL))
        future->references++;
    return future;
}

/* Its last reference is dropped. The static ones, which have no loop, stay. */
void future_end(struct aloop_future *future);

static inline void future_unref(struct aloop_future *future)
{
    if (future->references > 1)
        future->references--;
    else
        future_end(future);
}

/* Done: wakes who waits. Nothing if it is done already. */
void future_finish(struct aloop_future *future, int64_t result);
void future_finish_cancelled(struct aloop_future *future);
/* The static future that has failed with `error`, one of those that future_failed() knows. */
aloop_future *future_failed(int error);
static inline bool future_is_task(const struct aloop_future *future)
{
    return future->kind & FUTURE_TASK;
}

static inline bool future_is_done(const struct aloop_future *future)
{
    return future->state != FUTURE_PENDING;
}
/* Looks at the result of a done future. */
static inline int64_t future_take(struct aloop_future *future)
{
    if (future->loop != NULL)
        future->is_retrieved = true;
    return future->result;
}
/* At the loop's end: drops what the entries of the ready queue hold. */
void future_drop_entries(aloop *loop);
/* Reports an error that nobody will retrieve. */
void future_report(struct aloop_future *future, const char *message);
/* The layer's side of the loop; set when the first future is made. */
extern const struct upper_layer task_upper_layer;

/* --- cancel.c --- */
/* May a cancellation of the whole task interrupt its await now? */
bool task_is_cancellable(const struct aloop_task *task);
/* Is there news that its await may be told now? Then it counts as told: the await must end with
   -ECANCELED, or what it waits for be cancelled. OP_CANCELLED, OP_SCOPED, or 0. */
unsigned task_take_alarm(struct aloop_task *task);
/* Is the news only for an await that waits? */
bool task_alarm_is_patient(const struct aloop_task *task);
/* Cancels what a pending op waits for; false if it waits for nothing that would end by that. */
bool op_cancel_awaited(aloop *loop, const aloop_op *op);
static inline bool task_cancel_awaited(struct aloop_task *task)
{
    return op_cancel_awaited(task->future.loop, &task->op);
}
/* Cancels all that a gather or a group is made of. */
void cancel_fanout(aloop *loop, struct fanout *fanout);
/* Tells all tasks of the loop to end. */
void cancel_everything(aloop *loop);
/* Sets an alarm, if it is not 0, and delivers what there is if the task waits. */
void task_raise_alarm(struct aloop_task *task, uint32_t alarm);

/* --- gather.c --- */
/* Is any child not done? */
bool gather_accepts_cancel(aloop_future *future);
/* Cancellation was requested. What is to be cancelled. */
struct fanout *gather_begin_cancel(aloop_future *future);
/* The array of results is not to be written any more. */
void gather_forget_results(aloop_future *future);
/* The gathers and shields that are not settled, and what one of them is made of and waits for, one
   after the other: *cursor is NULL at first. */
aloop_future *composite_next(aloop *loop, void **cursor);
aloop_future *composite_next_part(aloop_future *future, void **cursor);
/* Frees a gather or a shield. */
void composite_destroy(struct aloop_future *future);
/* At the loop's end: settles those that wait. */
void composites_close(aloop *loop);

/* --- task.c --- */
static inline aloop_frame *task_first_frame(const struct aloop_task *task)
{
    return (aloop_frame *)(void *)((char *)(uintptr_t)task + TASK_HEAD_SIZE);
}

/* Frees its memory. */
static inline void task_destroy(struct aloop_task *task)
{
    pool_free(&task->future.loop->pool, task, TASK_HEAD_SIZE + task_first_frame(task)->coro->size);
}

/* It is done, and has no entry in the ready queue: gives back its place there, and the loop's
   reference. */
static inline void task_leave(struct aloop_task *task)
{
    task->future.loop->task_places++;
    future_unref(&task->future);
}

/* Ends a task that will not run again. */
void task_finish(struct aloop_task *task, int64_t outcome);
/* What a task's timer does when it is due. */
void task_timer_due(aloop *loop, struct timer *node);
/* The ready queue's entry of a task. */
void task_step(aloop *loop, void *arg);
/* aloop_op.waiter.notify of every op that waits in a task. */
void task_notify(aloop_waiter *waiter);

static inline void task_wake(struct aloop_task *task)
{
    if (task->state & TASK_IS_QUEUED)
        return;
    task->state |= TASK_IS_QUEUED;
    ready_push(&task->future.loop->ready, task_step, task);
}

/* Notifies a waiter, knowing that most are of tasks that await one thing. */
static inline void waiter_wake(aloop_waiter *waiter)
{
    if (ALOOP_LIKELY(waiter->notify == task_notify))
        task_wake(CONTAINER_OF(waiter, struct aloop_task, op.waiter));
    else
        waiter->notify(waiter);
}

/* --- completing a future, for future.c and task.c --- */
/* As aloop_wake_all(), knowing that most who wait are tasks, and wait alone. */
static inline void future_wake_all(struct aloop_future *future)
{
    aloop_waiter *waiter;

    while ((waiter = aloop_waitlist_pop(&future->waiters)) != NULL)
        waiter_wake(waiter);
}

static inline void future_complete(struct aloop_future *future, enum future_state state,
                                   int64_t result)
{
    future->result = result;
    future->state = (uint8_t)state;
    future_wake_all(future);
}
/* --- notes.c --- */
/* What is known of a task beyond what it runs on; NULL: nothing. */
struct task_notes *task_notes(const struct aloop_task *task);
/* The same, made if there are none; NULL: no memory. */
struct task_notes *task_notes_make(struct aloop_task *task);
/* The task goes away. */
void task_notes_free(struct aloop_task *task);
/* Numbers the task, if it has none. */
unsigned task_number(struct aloop_task *task);

/* Debug mode. A task was made: by whom, and where, is noted. */
void notes_task_made(struct aloop_task *task);
/* It is going to run a step; it has run one, and is not done. */
void notes_before_step(struct aloop_task *task);
void notes_after_step(struct aloop_task *task);
/* The loop is closed: reports the tasks that are still referred to. */
void notes_report_leaks(aloop *loop);

/* --- error_trace.c --- */
/* `failed` is why `awaited`, which is the same or a gather of it, fails: who joins that hears where
   the error comes from. */
void trace_pass_on(const aloop_future *failed, const aloop_future *awaited);
/* The await that the task is in ends with the error of `failed`, which may be long done. */
void trace_take(struct aloop_task *task, const aloop_future *failed);
/* `failed` makes the group of a frame fail. */
void trace_reach_frame(struct aloop_task *task, const aloop_frame *frame,
                       const struct aloop_task *failed);
/* A scope gives a frame that has ended another error, which is in its outcome. */
void trace_turn(aloop_frame *frame);
/* Completes a report about a task. */
void trace_report(const struct aloop_task *task, aloop_exception_context *context);

/* --- details.c --- */
/* Adds words to details->text, as many as there is room for. */
void details_add(aloop_op_details *details, const char *words);

/* --- local.c --- */
/* What a task that `creator` makes begins with; `creator` may be NULL. */
struct locals *locals_inherit(const struct aloop_task *creator);
/* A task gives them back; NULL is nothing. */
void locals_release(aloop *loop, struct locals *locals);

/* --- await.c --- */
_Static_assert(offsetof(struct aloop_task, op) == 0, "aloop_frame_await() builds it there");
_Static_assert((int)OP_HAS_TIMEOUT == (int)ALOOP_OP_HAS_TIMEOUT_ &&
                   (int)OP_IS_CALL == (int)ALOOP_OP_IS_CALL_ &&
                   (int)OP_UNREF == (int)ALOOP_OP_UNREF_ &&
                   ((int)OP_HAS_TIMEOUT | (int)OP_CANCELLABLE | (int)OP_IS_CALL) ==
                       (int)ALOOP_OP_NOT_PLAIN_,
               "the headers know these flags");

/* A frame for `coro` with the arguments that stand in `args`. */
static inline void frame_init(aloop_frame *frame, const aloop_coro *coro, const void *args,
                              struct aloop_task *task, aloop_frame *caller)
{
    *frame = (aloop_frame){.coro = coro, .task = task, .caller = caller};
    if (coro->size > sizeof *frame)
        memcpy(frame + 1, (const aloop_frame *)args + 1, coro->size - sizeof *frame);
}

/* An await with something out of the ordinary: a timeout, or news for the task. As
   aloop_frame_await_(). */
bool await_carefully(aloop_frame *frame);
/* The pending op has a deadline. True if that ends it now. */
bool op_sees_to_deadline(struct aloop_task *task);
/* There is news for the pending op. True if that ends it now. */
bool op_is_cancelled(struct aloop_task *task);
/* Does it wait for several tasks, to which a cancellation is passed on? */
bool op_is_for_several(const aloop_op *op);
/* Starts the op that a frame's end has put into the task; true if it has ended already. */
bool task_begin_op(struct aloop_task *task);
/* Gives up the pending op. */
void task_drop_op(struct aloop_task *task);
/* Does it wait for something that cannot be cancelled any more, since all it is made of is done,
   and that ends in the next turn? */
bool op_ends_by_itself(const aloop_op *op);
/* Lets the others have their turn before the task goes on. */
void task_give_way(struct aloop_task *task);

static inline bool op_ends_with(struct aloop_task *task, int64_t outcome)
{
    task->frame->result = outcome;
    return true;
}

/* The op waits for nothing any more. */
static inline void op_ended(struct aloop_task *task)
{
    task_set_mode(task, TASK_RUNS);
    aloop_waiter_unlink(&task->op.waiter);
    if (task->state & TASK_HAS_TIMER) {
        task->state &= ~(uint32_t)TASK_HAS_TIMER;
        (void)timers_cancel(&task->future.loop->timers, &task->timer);
    }
}

/* The op is pending: sees to its deadline, if it has one. True if that ends it now. */
static inline bool op_waits(struct aloop_task *task)
{
    task_set_mode(task, TASK_WAITS);
    return ALOOP_UNLIKELY(task->op.flags & OP_HAS_TIMEOUT) && op_sees_to_deadline(task);
}

/* --- step.c --- */
static inline void frame_free(aloop *loop, aloop_frame *frame)
{
    pool_free(&loop->pool, frame, frame->coro->size);
}

/* Something completed without waiting. True if that used up the budget of the step: the others'
   turn; the outcome is kept in the frame. */
static inline bool task_spend(struct aloop_task *task)
{
    if (ALOOP_LIKELY(--task->future.loop->budget > 0))
        return false;
    task_give_way(task);
    return true;
}

/* --- scope.c --- */
enum scope_kind { SCOPE_CALL, SCOPE_TIMEOUT, SCOPE_GROUP, SCOPE_HOLD, SCOPE_GENERATOR };

/* aloop_scope.flags */
enum {
    SCOPE_FIRED = 1,     /* what is inside is to be cancelled ... */
    SCOPE_DELIVERED = 2, /* ... and has been told */
    SCOPE_TIMED = 4,     /* may have a deadline */
    SCOPE_PATIENT = 8    /* its time was up when it was entered: awaits that do not wait go on */
};

static inline bool scope_is_entered(const aloop_scope *scope)
{
    return scope->task != NULL;
}

/* Makes it the innermost scope of the task, part of the frame that runs. 0 or -EBUSY. */
int scope_enter(struct aloop_task *task, aloop_scope *scope, enum scope_kind kind,
                aloop_ns deadline);
/* The same without a timer, which cannot fail. */
void scope_enter_untimed(struct aloop_task *task, aloop_scope *scope, enum scope_kind kind);
void scope_leave(aloop_scope *scope);
/* Is `outcome` the -ECANCELED that the scope caused, and not the cancellation of the whole task? */
bool scope_caught(const aloop_scope *scope, int64_t outcome);
/* The innermost scope that has something to deliver now, NULL if none has; and its delivery. */
aloop_scope *scope_due(const struct aloop_task *task);
void scope_deliver(aloop_scope *scope);
/* What is inside is to be cancelled. */
void scope_fire(aloop_scope *scope);
/* The task has given way to others: whatever it awaits next, it has waited. */
void scopes_lose_patience(struct aloop_task *task);
/* Forgets news that was not delivered. */
void scope_withdraw(aloop_scope *scope);
void scope_timer_due(aloop *loop, struct timer *node);
void scope_set_deadline(aloop_scope *scope, aloop_ns deadline);
aloop_ns scope_deadline(const aloop_scope *scope);
/* The scope of a call; what its outcome is outside. */
int call_scope_enter(struct aloop_task *task, const aloop_op *op);
int64_t call_scope_leave(aloop_scope *scope, int64_t outcome);
/* The innermost frame has ended: leaves its scopes, and gives its outcome what they make of it.
   False if it has to wait for children first; the task's op is then that wait. */
bool frame_leave_scopes(struct aloop_task *task);
/* Throws them away without waiting. */
void frame_abandon_scopes(struct aloop_task *task);

/* --- hold.c --- */
/* Gives back what an aloop_hold holds. */
void hold_end(aloop_scope *scope);

/* --- generator.c --- */
/* The frame of a generator has ended: frees it, and tells its caller. */
void generator_return(aloop_frame *frame, aloop_frame *caller);
/* Frees a generator's frame, which is then closed. */
void generator_free(aloop_frame *frame);
/* An open generator that the frame owns, NULL if it has none. */
aloop_generator *generator_of_owner(const struct aloop_task *task, const aloop_frame *owner);
/* Puts it on the task, to run to its end. */
void generator_begin_close(aloop_generator *generator);
/* The loop is being closed: a generator that stands still becomes the innermost frame, if there is
   one. */
void generator_abandon_next(struct aloop_task *task);

/* --- group.c --- */
/* The children that have not ended, one after the other: *cursor is NULL at first. */
aloop_future *group_next(aloop_group *group, void **cursor);
/* Was it opened, and not waited for since? */
bool group_is_open(const aloop_group *group);
/* If children are left: cancels them, and makes *out_op the operation to wait for them. */
bool group_must_wait(aloop_group *group, aloop_op *out_op);
/* What the outcome of the group's coroutine is in the light of what its children did. */
int64_t group_outcome(aloop_group *group, int64_t outcome);
/* Forgets its errors and leaves its scope. */
void group_end(aloop_group *group);
/* The same with children that are left, when the loop is being closed. */
void group_abandon(aloop_group *group);

#endif
