/*
 * Cancel scopes: parts of a task that are cancelled by themselves. Here are timeouts; groups of
 * tasks are in <aloop/group.h>.
 *
 * A scope lives by value in the frame of the coroutine that enters it, and belongs to that frame:
 * when the coroutine ends, however it does, what it has not left is left for it. While it is
 * entered it must not be copied. All calls are for code that runs in the task.
 */
#ifndef ALOOP_SCOPE_H
#define ALOOP_SCOPE_H

#include <aloop/coro.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What all scopes have in common. The library's. */
typedef struct aloop_scope {
    struct aloop_scope *outer;
    aloop_task *task; /* NULL: not entered */
    aloop_frame *frame;
    uint64_t timer[5];
    unsigned finally_depth; /* the task's when the scope was entered ... */
    unsigned cancelling;    /* ... and its count of requests to cancel */
    unsigned saved_finally_base;
    unsigned char kind;
    unsigned char flags;
} aloop_scope;

/*
 * A deadline for all that the task does between entering and leaving:
 *
 *     ALOOP_TRY(aloop_timeout_enter(&self->timeout, ALOOP_SEC(5)));
 *     ALOOP_AWAIT(aloop_call(step_one));
 *     if (self->result >= 0)
 *         ALOOP_AWAIT(aloop_call(step_two));
 *     if (aloop_timeout_leave(&self->timeout, self->result) == -ETIMEDOUT)
 *         ...
 *
 * When time is up, the await that the task is in returns -ECANCELED, once, and what it awaited is
 * cancelled with it; leaving turns that error into -ETIMEDOUT. A block that does not wait is never
 * interrupted, even past its deadline. An ALOOP_TRY that fails inside ends the coroutine, whose
 * outcome is then turned likewise. For a single operation or call, aloop_wait_for() says the same
 * in one line. asyncio: timeout().
 */
typedef struct aloop_timeout {
    aloop_scope scope;
} aloop_timeout;

/*
 * Enters a timeout of `delay` from aloop_time(); 0 or less is up at the first await that waits;
 * ALOOP_NEVER has no deadline yet. An operation, to be awaited at once: it completes without
 * waiting, with 0; or -EBUSY if this scope is entered already.
 */
ALOOP_API aloop_op aloop_timeout_enter(aloop_timeout *timeout, aloop_ns delay);
/* The same with a point in time. asyncio: timeout_at(). */
ALOOP_API aloop_op aloop_timeout_enter_at(aloop_timeout *timeout, aloop_ns when);

/*
 * Leaves: returns `outcome`, or -ETIMEDOUT in its place if that is -ECANCELED because time was up,
 * and nobody asked for the cancellation of the whole task in the meantime. Without having entered,
 * returns outcome.
 */
ALOOP_API int64_t aloop_timeout_leave(aloop_timeout *timeout, int64_t outcome);

/*
 * Another deadline; ALOOP_NEVER: none. asyncio: reschedule(). Returns 0; -EINVAL if it is not
 * entered, or its time was up already.
 */
ALOOP_API int aloop_timeout_reschedule(aloop_timeout *timeout, aloop_ns when);

/* Its deadline; ALOOP_NEVER if it has none. asyncio: when(). */
ALOOP_API aloop_ns aloop_timeout_when(const aloop_timeout *timeout);

/* Was its time up? Stays so after leaving, until it is entered again. asyncio: expired(). */
ALOOP_API bool aloop_timeout_expired(const aloop_timeout *timeout);

#ifdef __cplusplus
}
#endif

#endif
