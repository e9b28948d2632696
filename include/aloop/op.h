/*
 * Operations: what a coroutine awaits. An aloop_op is a small struct, passed by value: built by a
 * function such as aloop_sleep() or aloop_recv(), and started only when it is awaited; one that is
 * never awaited has done nothing.
 *
 * Writing your own. An operation is a poll function and up to four arguments. Asked, it either
 * completes, and returns its outcome, or arranges to be woken and returns ALOOP_PENDING. It is
 * asked when the await begins, and again each time the task was woken, until it completes; so a
 * wake-up is a hint and may be spurious, and nothing is taken before the moment the coroutine gets
 * it. For example, a flag that tasks can wait for:
 *
 *     struct flag { bool is_set; aloop_waitlist waiters; };
 *
 *     static aloop_poll flag_poll(aloop_task *task, aloop_op *op)
 *     {
 *         struct flag *flag = op->arg[0].pointer;
 *
 *         (void)task;
 *         return flag->is_set ? 0 : aloop_op_wait(op, &flag->waiters);
 *     }
 *
 *     static aloop_op flag_wait(struct flag *flag)
 *     {
 *         return (aloop_op){.poll = flag_poll, .arg = {{.pointer = flag}}};
 *     }
 *
 * and whoever sets it calls aloop_wake_all(&flag->waiters). While it waits, the operation lives in
 * the task, or in the case of an aloop_select(), at an address that stays. When it is cancelled,
 * its time is up, or another case was faster, the library takes it out of the wait list and forgets
 * it.
 */
#ifndef ALOOP_OP_H
#define ALOOP_OP_H

#include <aloop/loop.h>
#include <aloop/waitlist.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct aloop_task aloop_task;
typedef struct aloop_op aloop_op;

/* An outcome, >= 0 a value, < 0 an error; or ALOOP_PENDING. */
typedef int64_t aloop_poll;

#define ALOOP_PENDING INT64_MIN

/*
 * What a pending operation waits for, as far as its type can tell: for aloop_dump(), see
 * <aloop/debug.h>. It comes to the describe function with nothing in it: fd -1, deadline
 * ALOOP_NEVER, all else zero.
 */
typedef struct aloop_op_details {
    int fd;
    aloop_ns deadline;  /* when it will go on by itself */
    const void *object; /* the lock or the like: who holds it is said along with it */
    unsigned holder;    /* of that, the number of the task, where it is known */
    bool is_any;        /* one of those below is enough */
    /* The futures that it waits for, and the operations it consists of, one after the other:
       *cursor is NULL at first. NULL at the end. */
    aloop_future *(*next_future)(const aloop_op *op, void **cursor);
    const aloop_op *(*next_op)(const aloop_op *op, void **cursor);
    char text[64]; /* in words, "3 of 4 have come" */
} aloop_op_details;

struct fanout;

/* What some operations need beyond a poll function. Every member may be NULL. */
typedef struct aloop_op_type {
    const char *name; /* for reports of what a task waits for: "recv" */
    /* The future whose completion ends this operation: cancelling the task then cancels that
       future, and goes on waiting until it has ended. Without one, cancelling ends the operation
       itself, at once. */
    aloop_future *(*target)(const aloop_op *op);
    /* The operation was pending and is given up: it is out of its wait list already; this gives
       back whatever else it holds. */
    void (*drop)(aloop_task *task, aloop_op *op);
    /* Instead of being given up, the operation ends by itself, because something must be done
       first: called when the task is cancelled or the time is up, each time. Its poll function
       returns -ECANCELED when it has ended, and it wakes the task by
       op->waiter.notify(&op->waiter), from in here or later. Still dropped when the task is thrown
       away. */
    void (*interrupt)(aloop_task *task, aloop_op *op);
    /* The operation is not even begun, as the task was cancelled before: does what must be done all
       the same. */
    void (*skip)(const aloop_op *op);
    /* The library's: as target, for operations that wait for several tasks. */
    struct fanout *(*fanout)(const aloop_op *op);
    /* Says what it waits for, while it is pending. It changes nothing. Without one, the name says
       it, and what `target` gives. */
    void (*describe)(const aloop_task *task, const aloop_op *op, aloop_op_details *details);
} aloop_op_type;

typedef union aloop_op_arg {
    void *pointer;
    const void *data;
    int64_t number;
    size_t size;
} aloop_op_arg;

struct aloop_op {
    aloop_poll (*poll)(aloop_task *task, aloop_op *op);
    const aloop_op_type *type; /* may be NULL */
    aloop_op_arg arg[4];
    unsigned flags;      /* the library's */
    unsigned unused;     /* 0 */
    aloop_ns timeout;    /* the library's: aloop_wait_for() */
    aloop_waiter waiter; /* the library's: how the task is woken */
};

/*
 * An operation without arguments. Field by field, and with no gap between them: so compilers build
 * it where it goes, and not on the stack, to be copied in other pieces than it was written in, for
 * which a processor waits.
 */
static inline aloop_op aloop_op_make_(aloop_poll (*poll)(aloop_task *task, aloop_op *op),
                                      const aloop_op_type *type)
{
    aloop_op op;

    op.poll = poll;
    op.type = type;
    op.arg[0].number = 0;
    op.arg[1].number = 0;
    op.arg[2].number = 0;
    op.arg[3].number = 0;
    op.flags = 0;
    op.unused = 0;
    op.timeout = 0;
    op.waiter.link.next = NULL;
    op.waiter.link.prev = NULL;
    op.waiter.notify = NULL;
    return op;
}

/* aloop_op.flags, as far as the inline functions of the headers need them. */
enum {
    ALOOP_OP_HAS_TIMEOUT_ = 2,
    ALOOP_OP_IS_CALL_ = 32,
    ALOOP_OP_UNREF_ = 64,
    ALOOP_OP_NOT_PLAIN_ = 1 + ALOOP_OP_HAS_TIMEOUT_ + ALOOP_OP_IS_CALL_
};

/* What awaiting touches of a task: the library's, and here only so that it can be inlined. What
   follows it in memory is the task as a future. To a compiler that sees the library's own view of
   the task as well, across files or in one, the two must not look like different objects. */
struct ALOOP_MAY_ALIAS_ aloop_task_head_ {
    aloop_op op;    /* what the task waits for is built in place */
    uint32_t state; /* 0: it runs, and that is all; else bits of these and others */
    struct aloop_frame *frame;
};

enum { ALOOP_TASK_RUNS_, ALOOP_TASK_WAITS_, ALOOP_TASK_YIELDS_ };

/* Queues the task that awaits `op` on `list`, and returns ALOOP_PENDING. For poll functions. */
static inline aloop_poll aloop_op_wait(aloop_op *op, aloop_waitlist *list)
{
    if (!aloop_waiter_is_linked(&op->waiter))
        aloop_waitlist_push(list, &op->waiter);
    return ALOOP_PENDING;
}

/*
 * Has the task that awaits woken no later than `deadline`, by aloop_time(), and returns
 * ALOOP_PENDING. For poll functions. Cannot fail.
 */
ALOOP_API aloop_poll aloop_op_wait_until(aloop_task *task, aloop_ns deadline);

/* Has the task asked again in the next turn, and returns ALOOP_PENDING. For poll functions. */
ALOOP_API aloop_poll aloop_op_yield(aloop_task *task);

/* The loop of a task. */
ALOOP_API aloop *aloop_task_loop(const aloop_task *task);

/* For aloop_wait_for(): `op` with at most so much time. */
static inline aloop_op aloop_op_with_timeout(aloop_op op, aloop_ns timeout)
{
    /* Both timeouts start at the same moment and end the same way: the shorter one counts. */
    if (!(op.flags & ALOOP_OP_HAS_TIMEOUT_) || timeout < op.timeout)
        op.timeout = timeout;
    op.flags |= ALOOP_OP_HAS_TIMEOUT_;
    return op;
}

/*
 * Lets a cancellation interrupt this await even inside ALOOP_FINALLY, where it would otherwise wait
 * until the cleanup is over.
 */
ALOOP_API aloop_op aloop_cancellable(aloop_op op);

#ifdef __cplusplus
}
#endif

#endif
