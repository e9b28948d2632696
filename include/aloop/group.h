/*
 * Groups of tasks: structured concurrency. asyncio: TaskGroup.
 *
 *     aloop_group_init(&self->group);
 *     for (self->i = 0; self->i < 10; self->i++)
 *         ALOOP_TRY(aloop_group_start(&self->group, worker, .id = self->i));
 *     ALOOP_TRY(aloop_group_wait(&self->group));
 *
 * A group belongs to the coroutine that opens it, lives by value in its frame, and must not be
 * copied. The first child that fails cancels the others, and the await that the coroutine is in.
 * Nothing outlives the group: a coroutine that ends with an open group, however it ends, ends only
 * after the children that are left have been cancelled and have ended, too. If children have
 * failed, its outcome is then the first error, unless it failed itself.
 *
 * A child may start others in its group, by a pointer to it. A child that is cancelled by itself is
 * no failure. All calls are for the loop's thread.
 */
#ifndef ALOOP_GROUP_H
#define ALOOP_GROUP_H

#include <aloop/scope.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The members are the library's. */
typedef struct aloop_group {
    aloop_scope scope;
    aloop_link children;
    aloop_link errors;
    uint64_t fanout[6];
    aloop_waitlist waiters;
    size_t child_count;
    size_t error_count;
    unsigned flags;
} aloop_group;

/*
 * Opens a group of the coroutine that is running. A group that was waited for can be opened again;
 * opening one that is open changes nothing. Outside of a coroutine the group stays closed.
 */
ALOOP_API void aloop_group_init(aloop_group *group);

/* A part of aloop_group_start(). */
ALOOP_API aloop_poll aloop_group_start_poll_(aloop_task *task, aloop_op *op);

/* The functions of the macros below. */
static inline aloop_op aloop_group_start_op(aloop_group *group, const aloop_coro *coro,
                                            const void *frame)
{
    aloop_op op = aloop_op_make_(aloop_group_start_poll_, NULL);

    op.arg[0].pointer = group;
    op.arg[1].data = coro;
    op.arg[2].data = frame;
    return op;
}

ALOOP_API aloop_op aloop_group_start_and_wait_op(aloop_group *group, const aloop_coro *coro,
                                                 const void *frame);

/*
 * The same as aloop_group_start(), as a plain call: returns the task (borrows: it is good until the
 * child has ended, unless the caller takes a reference), or a static one that has failed with the
 * errors named there. To be called as aloop_group_create_task(&group, NAME, ...). asyncio:
 * TaskGroup.create_task().
 */
ALOOP_API aloop_task *aloop_group_task_new(aloop_group *group, const aloop_coro *coro,
                                           const void *frame);

/*
 * In a child that was started by aloop_group_start_and_wait(): it is ready, and who started it goes
 * on, with `value` >= 0. Returns 0; -EINVAL if nobody waits for that, or outside of a task.
 */
ALOOP_API int aloop_started(int64_t value);

/* The parts of aloop_group_wait(). */
ALOOP_API aloop_poll aloop_group_poll_(aloop_task *task, aloop_op *op);
ALOOP_API extern const aloop_op_type aloop_group_type_;

/*
 * Waits for all children, and closes the group. The outcome is 0, or the first child's error; when
 * the task is cancelled meanwhile, so are the children, and the wait goes on until they have ended,
 * with the outcome -ECANCELED. If children failed as well, the outcome is their error, and the next
 * await gets the cancellation. Only the coroutine that opened the group may wait: others get
 * -EPERM; a group that is not open, -EINVAL.
 */
static inline aloop_op aloop_group_wait(aloop_group *group)
{
    aloop_op op = aloop_op_make_(aloop_group_poll_, &aloop_group_type_);

    op.arg[0].pointer = group;
    return op;
}

/*
 * Cancels all children, and the await that the coroutine is in, unless it waits for the group
 * already; that is no failure: aloop_group_wait() then gives 0. Nothing happens if the group is not
 * open. asyncio: TaskGroup.cancel() (3.15).
 */
ALOOP_API void aloop_group_cancel(aloop_group *group);

/* How many children have not ended. */
static inline size_t aloop_group_count(const aloop_group *group)
{
    return group->child_count;
}

/*
 * The errors of children that have failed, in the order they ended: writes up to `capacity` of
 * them, and returns how many there are. They are kept until the group is opened again, or its
 * coroutine ends. asyncio: ExceptionGroup.exceptions.
 */
ALOOP_API size_t aloop_group_errors(const aloop_group *group, int64_t *errors, size_t capacity);

#ifndef __cplusplus
// clang-format off

/*
 * Starts a child: an operation that completes without waiting, with 0; -ENOMEM; -ECANCELED if the
 * group is being cancelled; -EINVAL if it is not open. The child runs from the next turn on.
 */
#define aloop_group_start(...) ALOOP_GROUP_(aloop_group_start_op, __VA_ARGS__, .aloop_frame_ = {0})

/*
 * Starts a child and waits until it says that it is ready, by aloop_started(): the outcome is the
 * value it gives. A child that fails before that makes the await fail with its error, and is no
 * failure of the group's; one that ends without a word gives -EPROTO. Cancelled, it cancels the
 * child and waits for it. Trio: Nursery.start().
 */
#define aloop_group_start_and_wait(...) \
    ALOOP_GROUP_(aloop_group_start_and_wait_op, __VA_ARGS__, .aloop_frame_ = {0})

#define aloop_group_create_task(...) \
    ALOOP_GROUP_(aloop_group_task_new, __VA_ARGS__, .aloop_frame_ = {0})

#define ALOOP_GROUP_(FUNCTION, GROUP, NAME, ...) \
    FUNCTION((GROUP), &NAME##_coro, &(struct NAME){__VA_ARGS__})

// clang-format on
#endif

#ifdef __cplusplus
}
#endif

#endif
