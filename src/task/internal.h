/*
 * Futures and tasks from the inside: shared by the files of this layer and read by the layers above.
 */
#ifndef ALOOP_SRC_TASK_INTERNAL_H
#define ALOOP_SRC_TASK_INTERNAL_H

#include "loop/internal.h"

#include <aloop/coro.h>

enum future_state { FUTURE_PENDING, FUTURE_FINISHED, FUTURE_CANCELLED };

/* What a future is part of: who destroys it, and what cancelling it means. */
enum future_kind { FUTURE_PLAIN, FUTURE_TASK, FUTURE_GATHER, FUTURE_SHIELD };

struct aloop_future {
    aloop *loop; /* NULL: the static one that stands for "no memory" and the like; never written to */
    int64_t result;
    aloop_waitlist waiters; /* done callbacks and tasks that await it, in the order they came */
    uint32_t references;
    uint8_t state;
    uint8_t kind;
    bool is_retrieved; /* somebody has looked at the result */
};

/* Undelivered news for a task, looked at when an await begins and when the task is resumed. */
enum {
    ALARM_CANCEL = 1, /* the task is to be cancelled (asyncio: _must_cancel) */
    ALARM_SCOPE = 2   /* the time of a cancel scope is up */
};

/* aloop_op.flags */
enum {
    OP_CANCELLABLE = 1, /* even inside ALOOP_FINALLY */
    OP_HAS_TIMEOUT = 2,
    OP_DEADLINE_SET = 4, /* `timeout` is by now the deadline */
    OP_TIMED_OUT = 8,    /* its target was cancelled because time was up ... */
    OP_CANCELLED = 16,   /* ... or because the task was */
    OP_IS_CALL = 32,
    OP_UNREF = 64 /* join: drop the caller's reference in the end */
};

struct scope;

struct aloop_task {
    struct aloop_future future;
    aloop_frame *frame; /* the innermost */
    uint8_t alarm;
    bool is_queued;         /* has an entry in the ready queue */
    bool is_waiting;        /* `op` is pending */
    bool was_told_to_end;   /* by the loop's shutdown */
    uint32_t finally_depth; /* frames inside their ALOOP_FINALLY */
    uint32_t cancelling;
    struct scope *scope; /* the innermost cancel scope */
    aloop_op op;
    struct heap_node timer; /* wakes the task for its op's sake */
    struct list link;       /* in loop->tasks until it is done */
};

/* frame->flags; ALOOP_FLAG_FINALLY_ is 1 */
enum { FRAME_HAS_SCOPE = 2 };

#define TASK_OF(POINTER) CONTAINER_OF(POINTER, struct aloop_task, future)

/* What a task may complete in one step before others get their turn: awaits that do not wait, and data
   received, which counts by the size. */
#define TASK_BUDGET 256

/* --- future.c --- */
void future_init(struct aloop_future *future, aloop *loop, enum future_kind kind);
/* Done: wakes who waits. Nothing if it is done already. */
void future_finish(struct aloop_future *future, int64_t result);
void future_finish_cancelled(struct aloop_future *future);
/* The static future that has failed with `error`, one of those that future_failed() knows. */
aloop_future *future_failed(int error);
/* The outcome of a done future, without counting as retrieved. */
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
/* At the loop's end: frees the done callbacks that are queued. */
void future_drop_queued_callbacks(aloop *loop);
/* Reports an error that nobody will retrieve. */
void future_report(struct aloop_future *future, const char *message);
/* The layer's side of the loop; set when the first future is made. */
extern const struct upper_layer task_upper_layer;

/* --- cancel.c --- */
/* May a cancellation of the whole task interrupt its await now? */
bool task_is_cancellable(const struct aloop_task *task);
/* Is there news that its await may be told now? Then it counts as told: the await must end with -ECANCELED,
   or its target be cancelled. */
bool task_take_alarm(struct aloop_task *task);
/* Sets an alarm, and delivers it if the task waits. */
void task_raise_alarm(struct aloop_task *task, uint8_t alarm);

/* --- gather.c --- */
/* Is any child not done? */
bool gather_accepts_cancel(aloop_future *future);
/* Cancellation was requested; puts the gather on the list of those whose children are to be cancelled. */
void gather_begin_cancel(aloop_future *future, struct list *work);
/* The i-th child of a gather on such a list, NULL past the end. */
aloop_future *gather_child(struct list *link, size_t index);
/* The array of results is not to be written any more. */
void gather_forget_results(aloop_future *future);
/* Frees a gather or a shield. */
void composite_destroy(struct aloop_future *future);
/* At the loop's end: settles those that wait. */
void composites_close(aloop *loop);

/* --- task.c --- */
void task_destroy(struct aloop_future *future);
/* Ends a task that will not run again. */
void task_finish(struct aloop_task *task, int64_t outcome);
/* The ready queue's entry of a task. */
void task_step(aloop *loop, void *arg);
/* aloop_op.waiter.notify of every op that waits in a task. */
void task_notify(aloop_waiter *waiter);

static inline void task_wake(struct aloop_task *task)
{
    if (task->is_queued)
        return;
    task->is_queued = true;
    ready_push(&task->future.loop->ready, task_step, task);
}

/* --- await.c --- */
/* Gives the pending op of a task another chance; true if it has ended, and frame->result is set. */
bool task_ask(struct aloop_task *task);
/* Gives up the pending op. */
void task_drop_op(struct aloop_task *task);
/* The frame pushed last has ended: back to its caller. */
void frame_return(struct aloop_task *task);
void frame_free(aloop *loop, aloop_frame *frame);

/* --- scope.c --- */
struct scope {
    struct heap_node timer;
    struct scope *outer;
    struct aloop_task *task;
    uint32_t finally_depth; /* the task's when the scope was entered ... */
    uint32_t cancelling;    /* ... and its count of requests to cancel */
    uint32_t saved_finally_depth;
    bool has_timer;
    bool is_expired;
    bool is_delivered;
};

int scope_enter(struct aloop_task *task, const aloop_op *op);
/* Leaves the innermost scope; what the outcome of what ran in it is outside. */
int64_t scope_leave(struct aloop_task *task, int64_t outcome);
/* The innermost scope that has something to deliver now, NULL if none has; and its delivery. */
struct scope *scope_due(const struct aloop_task *task);
void scope_deliver(struct aloop_task *task, struct scope *scope);
void scope_timer_due(aloop *loop, struct heap_node *node);

#endif
