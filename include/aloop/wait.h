/*
 * Waiting for the first of several: aloop_wait() and aloop_as_completed for futures that go on by
 * themselves, aloop_race() for tasks of which only one is to win, aloop_select() for operations.
 * (For all of several: aloop_gather(), or a group.)
 *
 * Where a call takes an array of futures it also takes one of tasks. All calls are for code that
 * runs in a task.
 */
#ifndef ALOOP_WAIT_H
#define ALOOP_WAIT_H

#include <aloop/future.h>
#include <aloop/sync.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- aloop_wait --- */

/* What aloop_wait() waits for. */
typedef enum aloop_return_when {
    ALOOP_ALL_COMPLETED = 1,
    ALOOP_FIRST_COMPLETED = 2,
    ALOOP_FIRST_EXCEPTION = 3 /* the first that fails; being cancelled is no failure */
} aloop_return_when;

/* aloop_wait() of <aloop/wait.h>; the array must stay until the await has begun. */
ALOOP_API aloop_op aloop_wait_futures(aloop_future *const *futures, size_t count,
                                      aloop_return_when when, aloop_ns timeout);
ALOOP_API aloop_op aloop_wait_tasks(aloop_task *const *tasks, size_t count, aloop_return_when when,
                                    aloop_ns timeout);

/* --- as completed --- */

/*
 * Gives futures in the order they complete:
 *
 *     error = aloop_as_completed_open(&self->it, ALOOP_SEC(10));
 *     if (error == 0)
 *         error = aloop_as_completed_add_all(&self->it, tasks, count);
 *     if (error < 0)
 *         ALOOP_RETURN(error);
 *     for (;;) {
 *         ALOOP_TRY(aloop_as_completed_next(&self->it, &self->future));
 *         if (self->result == 0)
 *             break;
 *         use(aloop_future_result(self->future));
 *     }
 *
 * It lives by value in the frame of the coroutine that opens it, and must not be copied. Adding,
 * removing what is pending, and going on cost the same however many there are, so it also serves as
 * a set to which work is added as long as there is some. It never cancels anything. It may be
 * abandoned at any time: what is left is let go by aloop_as_completed_close(), or when the
 * coroutine ends, however it does. asyncio: as_completed().
 */
typedef struct aloop_as_completed {
    aloop_hold hold;
    aloop_link pending;
    aloop_link done;
    aloop_waitlist waiters;
    aloop_future *given;
    aloop_ns deadline;
    size_t count;
    size_t added;
    size_t index;
} aloop_as_completed;

/*
 * Opens an empty one for the coroutine that runs, with `timeout` for the whole, from now on;
 * ALOOP_NEVER: none. Returns 0; -EBUSY if it is open; -EPERM outside of a coroutine.
 */
ALOOP_API ALOOP_CHECKED int aloop_as_completed_open(aloop_as_completed *it, aloop_ns timeout);

/* The functions of the macros below. */
ALOOP_API ALOOP_CHECKED int aloop_as_completed_add_future(aloop_as_completed *it,
                                                          aloop_future *future);
ALOOP_API ALOOP_CHECKED int aloop_as_completed_add_task(aloop_as_completed *it, aloop_task *task);
ALOOP_API ALOOP_CHECKED int aloop_as_completed_add_futures(aloop_as_completed *it,
                                                           aloop_future *const *futures,
                                                           size_t count);
ALOOP_API ALOOP_CHECKED int aloop_as_completed_add_tasks(aloop_as_completed *it,
                                                         aloop_task *const *tasks, size_t count);
ALOOP_API bool aloop_as_completed_remove_future(aloop_as_completed *it, aloop_future *future);
ALOOP_API bool aloop_as_completed_remove_task(aloop_as_completed *it, aloop_task *task);

/* The parts of aloop_as_completed_next(). */
ALOOP_API aloop_poll aloop_as_completed_poll_(aloop_task *task, aloop_op *op);
ALOOP_API extern const aloop_op_type aloop_as_completed_type_;

/*
 * Awaits the next that completes. The outcome is 1, and it is in *out_future (borrows, until the
 * next call or the end); 0 if there is none left. When the time for the whole is up, -ETIMEDOUT,
 * once for each one that is left, oldest first, which is then let go: so a loop ends in either
 * case. -EPERM in another task than the one that opened it; -EINVAL if it is not open. Under an
 * aloop_wait_for() of its own, or cancelled, nothing is let go. An error of the future counts as
 * retrieved once its result is looked at.
 */
static inline aloop_op aloop_as_completed_next(aloop_as_completed *it, aloop_future **out_future)
{
    aloop_op op = aloop_op_make_(aloop_as_completed_poll_, &aloop_as_completed_type_);

    op.arg[0].pointer = it;
    op.arg[1].pointer = out_future;
    return op;
}

/* How many were added before the one that was given last: an index to an array of one's own. */
static inline size_t aloop_as_completed_index(const aloop_as_completed *it)
{
    return it->index;
}

/* How many have been added, and not yet given, or let go. */
static inline size_t aloop_as_completed_count(const aloop_as_completed *it)
{
    return it->count;
}

/* Lets go of what is left. Nothing if it is not open. */
ALOOP_API void aloop_as_completed_close(aloop_as_completed *it);

/* --- aloop_race --- */

/* The functions of the macros below; the array must stay until the await has begun. */
ALOOP_API aloop_op aloop_race_futures(aloop_future *const *futures, size_t count,
                                      size_t *out_index);
ALOOP_API aloop_op aloop_race_tasks(aloop_task *const *tasks, size_t count, size_t *out_index);

/* --- aloop_select --- */

/* One of the operations that aloop_select() chooses from. Set `op`; the rest is the library's to
   write. */
typedef struct aloop_select_case {
    aloop_op op;
    int64_t result; /* its outcome, if it was the one */
    aloop_task *task;
} aloop_select_case;

/* The parts of the functions below. */
ALOOP_API aloop_poll aloop_select_poll_(aloop_task *task, aloop_op *op);
ALOOP_API extern const aloop_op_type aloop_select_type_;

/*
 * Awaits several operations at once, until the first completes:
 *
 *     self->cases[0].op = aloop_recv(&self->socket, self->buffer, sizeof self->buffer);
 *     self->cases[1].op = aloop_wait_for(aloop_event_wait(&self->stop), ALOOP_SEC(30));
 *     ALOOP_TRY(aloop_select(self->cases, 2));
 *     if (self->result == 0)
 *         use(self->cases[0].result);
 *
 * The outcome is the index of the one, and its own is in its `result`. The others are given up, and
 * have taken nothing: no byte, no queue item, no lock. If several have completed at the same
 * moment, the one with the lowest index is taken, and the others are left as they were: put first
 * what matters most. Where that would let a busy case starve the others, aloop_select_from() begins
 * with the case `first` (any number, modulo `count`) and goes round: with self->result + 1, each
 * gets its turn.
 *
 * The array must stay where it is until the await ends. The operations are used up: set them again
 * before the next select. Any operation will do, also one under aloop_wait_for() or another select,
 * save for aloop_call(), which would need a frame of its own (start a task, and join that), and
 * those that do not end at once when they are given up (aloop_condition_wait()). A join
 * that is given up does not cancel what it has joined, nor does a cancellation of the select; one
 * by aloop_join_unref() drops its reference. -EINVAL, and nothing has begun, if there is one of
 * these, or nothing at all.
 */
static inline aloop_op aloop_select_from(aloop_select_case *cases, size_t count, int64_t first)
{
    aloop_op op = aloop_op_make_(aloop_select_poll_, &aloop_select_type_);

    op.arg[0].pointer = cases;
    op.arg[1].size = count;
    op.arg[2].number = first;
    return op;
}

static inline aloop_op aloop_select(aloop_select_case *cases, size_t count)
{
    return aloop_select_from(cases, count, 0);
}

#ifndef __cplusplus
// clang-format off

#define ALOOP_ARRAY_(FUNCTION, ARRAY)                                               \
    _Generic(&(ARRAY)[0],                                                           \
        aloop_task **: FUNCTION##_tasks, aloop_task *const *: FUNCTION##_tasks,     \
        aloop_future **: FUNCTION##_futures, aloop_future *const *: FUNCTION##_futures)
#define ALOOP_ONE_(FUNCTION, X) \
    _Generic((X), aloop_task *: FUNCTION##_task, aloop_future *: FUNCTION##_future)

/*
 * Waits until `when` is fulfilled, or for `timeout` (ALOOP_NEVER: for ever; 0 or less: only looks).
 * The outcome is how many are done; which, is to be asked of each: as many as are done when the
 * task runs again, so it may be more than one. That time is up is no error. What is waited for is
 * never cancelled, neither then nor when the await is, nor do its errors count as retrieved, and
 * nothing of the wait is left at those that are still pending. -EINVAL without any futures, or for
 * another `when`; -ENOMEM; -ALOOP_EWRONGLOOP; -EDEADLK if this very task is among them. Each wait
 * looks at all of them: to go through many, aloop_as_completed is the way. asyncio: wait().
 */
#define aloop_wait(array, count, when, timeout) \
    ALOOP_ARRAY_(aloop_wait, array)((array), (count), (when), (timeout))

/*
 * Adds a future or a task. Returns 0; -ENOMEM, -ALOOP_EWRONGLOOP, -EDEADLK (this very task);
 * -EINVAL if it is not open. It is kept until it is given or let go.
 */
#define aloop_as_completed_add(it, x) ALOOP_ONE_(aloop_as_completed_add, x)((it), (x))
/* Adds all of an array, or, in case of an error, none. */
#define aloop_as_completed_add_all(it, array, count) \
    ALOOP_ARRAY_(aloop_as_completed_add, array)((it), (array), (count))
/* Lets go of one; false if it is not there. (If it is done already: searches those that are.) */
#define aloop_as_completed_remove(it, x) ALOOP_ONE_(aloop_as_completed_remove, x)((it), (x))

/*
 * Awaits the first of up to 16 tasks or futures that completes, be it by an error, and cancels the
 * others; returns when all have ended. The outcome is that of the first; among those that were done
 * before, of the first in the list. The results of the others count as retrieved. Cancelled itself,
 * it cancels all, and returns -ECANCELED when all have ended. -EINVAL for none, -ENOMEM (and
 * nothing is cancelled), -ALOOP_EWRONGLOOP, -EDEADLK as aloop_wait().
 */
#define aloop_race(...)                                                                   \
    aloop_race_futures((aloop_future *[]){ALOOP_MAP_(ALOOP_AS_FUTURE_, __VA_ARGS__)},     \
                       sizeof((void *[]){ALOOP_MAP_(ALOOP_AS_FUTURE_, __VA_ARGS__)}) /    \
                           sizeof(void *),                                                \
                       NULL)
/* The same for an array; *out_index (may be NULL) gets the index of the first. */
#define aloop_race_of(array, count, out_index) \
    ALOOP_ARRAY_(aloop_race, array)((array), (count), (out_index))

// clang-format on
#endif

#ifdef __cplusplus
}
#endif

#endif
