/*
 * Futures: a result that is not there yet. A future is pending until it gets a result, an error, or
 * is cancelled, which happens once. A task is a future too, and every call here takes one by way of
 * aloop_task_future(); only its coroutine gives it its result. asyncio: Future.
 *
 * Futures are reference counted: who makes one holds a reference and drops it with
 * aloop_future_unref(). All calls are for the loop's thread; unless it says otherwise, they may be
 * made on a closed loop's futures.
 *
 * Where there is no memory for a future, the functions that make one return a static one that has
 * failed with -ENOMEM: it can be awaited, asked and dropped like any other, so that nobody has to
 * check for NULL in the middle of an expression.
 */
#ifndef ALOOP_FUTURE_H
#define ALOOP_FUTURE_H

#include <aloop/op.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A pending future (returns owned; never NULL). asyncio: loop.create_future(). */
ALOOP_API ALOOP_CHECKED aloop_future *aloop_create_future(aloop *loop);

/* Another reference. Returns future. */
ALOOP_API aloop_future *aloop_future_ref(aloop_future *future);
/*
 * Drops a reference. If the last one goes and the future has failed with an error that nobody ever
 * looked at, the loop's exception handler is told. NULL is nothing.
 */
ALOOP_API void aloop_future_unref(aloop_future *future);

/*
 * Gives a pending future its result, `value` >= 0, or its error, `error` < 0; who waits for it runs
 * in the next turn. asyncio: set_result(), set_exception(). Returns 0; -ALOOP_EDONE if it is done
 * already, and nothing changes; -EINVAL for a number on the wrong side of zero; -EPERM for a task.
 */
ALOOP_API int aloop_future_set_result(aloop_future *future, int64_t value);
ALOOP_API int aloop_future_set_exception(aloop_future *future, int64_t error);

/*
 * Cancels: a pending future is done at once, cancelled; a pending task's await returns -ECANCELED,
 * see aloop_task_cancel(). False if it is done already. asyncio: cancel().
 */
ALOOP_API bool aloop_future_cancel(aloop_future *future);

/* asyncio: done(), cancelled(). */
ALOOP_API bool aloop_future_done(const aloop_future *future);
ALOOP_API bool aloop_future_cancelled(const aloop_future *future);

/*
 * The result, or the error; -ECANCELED if it was cancelled, -ALOOP_EPENDING if it is not done. The
 * error then counts as retrieved. asyncio: result().
 */
ALOOP_API int64_t aloop_future_result(aloop_future *future);

/*
 * The error alone: 0 if there is a result, else as aloop_future_result(). asyncio: exception().
 */
ALOOP_API int64_t aloop_future_exception(aloop_future *future);

/* Called when a future is done. */
typedef void aloop_done_callback(aloop_future *future, void *arg);

/*
 * Calls callback(future, arg) through the ready queue once the future is done, never from inside
 * the call that completes it, in the order added; in the next turn if it is done already. The
 * future is kept until then. If the last reference goes before that, or the loop is closed, the
 * callback is dropped. asyncio: add_done_callback(). Returns 0, -ENOMEM, -ALOOP_ECLOSED.
 */
ALOOP_API ALOOP_CHECKED int
aloop_future_add_done_callback(aloop_future *future, aloop_done_callback *callback, void *arg);

/* Removes all that were added with this callback and arg and are not due yet. Returns how many.
   asyncio: remove_done_callback(). */
ALOOP_API size_t aloop_future_remove_done_callback(aloop_future *future,
                                                   aloop_done_callback *callback, void *arg);

/* The future's loop; NULL for the static one. asyncio: get_loop(). */
ALOOP_API aloop *aloop_future_loop(const aloop_future *future);

/* A task as the future that it is; the same reference. */
ALOOP_API aloop_future *aloop_task_future(aloop_task *task);

/*
 * A future of several, done when all are, or when the first fails: its result is 0, or that first
 * error, and the others go on. With ALOOP_RETURN_EXCEPTIONS errors are results like any other, and
 * it waits for all. results[i], where `results` is not NULL, gets the outcome of futures[i], when
 * the gather succeeds; the array must live until then. Cancelling it cancels all that are not done,
 * and waits for them all. A child that is cancelled by somebody else is an error, -ECANCELED, like
 * any other. asyncio: gather(). Returns owned, never NULL.
 */
ALOOP_API ALOOP_CHECKED aloop_future *aloop_gather_future(aloop *loop, aloop_future *const *futures,
                                                          size_t count, int64_t *results,
                                                          unsigned flags);

#define ALOOP_RETURN_EXCEPTIONS 1u

/*
 * A future with the outcome of `inner`, that can be cancelled without cancelling inner. asyncio:
 * shield(). Returns owned, never NULL; if inner is done, inner itself.
 */
ALOOP_API ALOOP_CHECKED aloop_future *aloop_shield_future(aloop_future *inner);

/* The parts of the macros below. */
ALOOP_API aloop_poll aloop_join_poll_(aloop_task *task, aloop_op *op);
ALOOP_API extern const aloop_op_type aloop_join_type_;
ALOOP_API extern const aloop_op_type aloop_shield_type_;

static inline aloop_op aloop_join_op_(aloop_future *future, const aloop_op_type *type,
                                      unsigned flags)
{
    aloop_op op = aloop_op_make_(aloop_join_poll_, type);

    op.flags = flags;
    op.arg[0].pointer = future;
    return op;
}

/* As aloop_task_future(). */
static inline aloop_future *aloop_task_future_(aloop_task *task)
{
    return (aloop_future *)(void *)((struct aloop_task_head_ *)(void *)task + 1);
}

static inline aloop_op aloop_join_future(aloop_future *future)
{
    return aloop_join_op_(future, &aloop_join_type_, 0);
}

static inline aloop_op aloop_join_task(aloop_task *task)
{
    return aloop_join_op_(aloop_task_future_(task), &aloop_join_type_, 0);
}

static inline aloop_op aloop_join_future_unref(aloop_future *future)
{
    return aloop_join_op_(future, &aloop_join_type_, ALOOP_OP_UNREF_);
}

static inline aloop_op aloop_join_task_unref(aloop_task *task)
{
    return aloop_join_op_(aloop_task_future_(task), &aloop_join_type_, ALOOP_OP_UNREF_);
}

static inline aloop_op aloop_shield_op_future(aloop_future *future)
{
    return aloop_join_op_(future, &aloop_shield_type_, 0);
}

static inline aloop_op aloop_shield_op_task(aloop_task *task)
{
    return aloop_join_op_(aloop_task_future_(task), &aloop_shield_type_, 0);
}

static inline aloop_op aloop_op_identity(aloop_op op)
{
    return op;
}

static inline aloop_future *aloop_future_identity(aloop_future *future)
{
    return future;
}

/* As aloop_gather(), of an array, and with the outcomes in `results`, as aloop_gather_future(). */
ALOOP_API aloop_op aloop_gather_op(aloop_future *const *futures, size_t count, int64_t *results,
                                   unsigned flags);

#ifndef __cplusplus

/*
 * Awaits a task or a future: its result is the await's. Cancelling who awaits cancels what is
 * awaited, and the await goes on until that has ended. Awaiting oneself is -EDEADLK; something of
 * another loop, -ALOOP_EWRONGLOOP. The future is kept while it is awaited. asyncio: `await x`.
 */
#define aloop_join(x) \
    _Generic((x), aloop_task *: aloop_join_task, aloop_future *: aloop_join_future)(x)

/* The same, and drops the caller's reference when it is over, however it ended. If the operation
   is never awaited the reference stays the caller's. */
#define aloop_join_unref(x) \
    _Generic((x), aloop_task *: aloop_join_task_unref, aloop_future *: aloop_join_future_unref)(x)

/*
 * Awaits, but is cancelled alone: x goes on. asyncio: `await shield(x)`.
 */
#define aloop_shield(x) \
    _Generic((x), aloop_task *: aloop_shield_op_task, aloop_future *: aloop_shield_op_future)(x)

/*
 * Awaits x, an operation, a task or a future, for at most `timeout`. When that is over, x is asked
 * once more; what has completed is returned. Else it is cancelled, and once it has ended, the await
 * returns -ETIMEDOUT; or what x returned in spite of being cancelled. With a timeout of 0 or less
 * only what is done already counts, and a call is not even started. asyncio: wait_for().
 */
#define aloop_wait_for(x, timeout)                                                  \
    aloop_op_with_timeout(_Generic((x), aloop_op: aloop_op_identity,               \
                              aloop_task *: aloop_join_task,                        \
                              aloop_future *: aloop_join_future)(x),                \
                          (timeout))

/*
 * Awaits up to 16 tasks and futures at once: 0 when all have succeeded, or the first error,
 * whereupon the others go on by themselves. Their results are read from each. aloop_gather_op()
 * takes an array, and stores the results. Await it in the block that it stands in: the list of them
 * lives no longer. asyncio: `await gather(a, b, c)`.
 */
#define aloop_gather(...)                                                                 \
    aloop_gather_op((aloop_future *[]){ALOOP_MAP_(ALOOP_AS_FUTURE_, __VA_ARGS__)},        \
                    sizeof((void *[]){ALOOP_MAP_(ALOOP_AS_FUTURE_, __VA_ARGS__)}) /       \
                        sizeof(void *),                                                   \
                    NULL, 0)

#define ALOOP_AS_FUTURE_(x) \
    _Generic((x), aloop_task *: aloop_task_future, aloop_future *: aloop_future_identity)(x)

/* Applies F to each of up to 16 arguments. */
#define ALOOP_MAP_(F, ...)                                                                  \
    ALOOP_PICK_(__VA_ARGS__, ALOOP_MAP16_, ALOOP_MAP15_, ALOOP_MAP14_, ALOOP_MAP13_,        \
                ALOOP_MAP12_, ALOOP_MAP11_, ALOOP_MAP10_, ALOOP_MAP9_, ALOOP_MAP8_,         \
                ALOOP_MAP7_, ALOOP_MAP6_, ALOOP_MAP5_, ALOOP_MAP4_, ALOOP_MAP3_,            \
                ALOOP_MAP2_, ALOOP_MAP1_, ~)(F, __VA_ARGS__)
#define ALOOP_PICK_(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, NAME, ...) NAME
#define ALOOP_MAP1_(F, x) F(x)
#define ALOOP_MAP2_(F, x, ...) F(x), ALOOP_MAP1_(F, __VA_ARGS__)
#define ALOOP_MAP3_(F, x, ...) F(x), ALOOP_MAP2_(F, __VA_ARGS__)
#define ALOOP_MAP4_(F, x, ...) F(x), ALOOP_MAP3_(F, __VA_ARGS__)
#define ALOOP_MAP5_(F, x, ...) F(x), ALOOP_MAP4_(F, __VA_ARGS__)
#define ALOOP_MAP6_(F, x, ...) F(x), ALOOP_MAP5_(F, __VA_ARGS__)
#define ALOOP_MAP7_(F, x, ...) F(x), ALOOP_MAP6_(F, __VA_ARGS__)
#define ALOOP_MAP8_(F, x, ...) F(x), ALOOP_MAP7_(F, __VA_ARGS__)
#define ALOOP_MAP9_(F, x, ...) F(x), ALOOP_MAP8_(F, __VA_ARGS__)
#define ALOOP_MAP10_(F, x, ...) F(x), ALOOP_MAP9_(F, __VA_ARGS__)
#define ALOOP_MAP11_(F, x, ...) F(x), ALOOP_MAP10_(F, __VA_ARGS__)
#define ALOOP_MAP12_(F, x, ...) F(x), ALOOP_MAP11_(F, __VA_ARGS__)
#define ALOOP_MAP13_(F, x, ...) F(x), ALOOP_MAP12_(F, __VA_ARGS__)
#define ALOOP_MAP14_(F, x, ...) F(x), ALOOP_MAP13_(F, __VA_ARGS__)
#define ALOOP_MAP15_(F, x, ...) F(x), ALOOP_MAP14_(F, __VA_ARGS__)
#define ALOOP_MAP16_(F, x, ...) F(x), ALOOP_MAP15_(F, __VA_ARGS__)

#endif

#ifdef __cplusplus
}
#endif

#endif
