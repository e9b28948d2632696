/*
 * Generators: coroutines that give one item after the other to the coroutine that asks for them.
 * asyncio: async generators, `async for`.
 *
 *     struct countdown { ALOOP_FRAME; int n; };
 *
 *     ALOOP_CORO(countdown)
 *     {
 *         ALOOP_BEGIN;
 *         for (; self->n > 0; self->n--) {
 *             ALOOP_TRY(aloop_sleep(ALOOP_MS(200)));
 *             ALOOP_YIELD(self->n);
 *         }
 *         ALOOP_END;
 *     }
 *
 * and in a coroutine whose frame has `aloop_generator gen; int item;`
 *
 *     ALOOP_TRY(aloop_generator_open(&self->gen, countdown, .n = 3));
 *     ALOOP_FOR_AWAIT(self->item, &self->gen) {
 *         printf("%d\n", self->item);
 *     }
 *     if (self->result < 0)
 *         ...                                      the generator has failed
 *
 * A generator runs on the task of who asks, between the asking and the next item, like a call; in
 * between it stands still. What cancels the asking, or runs out of time there, cancels the await
 * that the generator is in, and so ends it.
 *
 * It belongs to the coroutine that opens it. Who has not asked to its end closes it: its
 * ALOOP_YIELD then ends it, by way of its ALOOP_FINALLY; if it has not begun yet, its first await
 * does, with -ECANCELED. A coroutine that ends, however it does, with an open generator, closes it
 * first, and like other cleanup that is not interrupted. All calls are for code that runs in the
 * task.
 */
#ifndef ALOOP_GENERATOR_H
#define ALOOP_GENERATOR_H

#include <aloop/scope.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * By value in the frame of the coroutine that opens it; all zero before that, and not to be copied
 * while it is open. Members but `value` are the library's.
 */
typedef struct aloop_generator {
    int64_t value; /* the item that was asked for last */
    aloop_frame *frame;
    aloop_frame *owner;
    aloop_task *task;
    struct aloop_generator *older;
    aloop_scope *scopes; /* of its frame, while it stands still */
    aloop_scope closing;
    unsigned cancelling;
    bool is_running;
    bool has_begun;
    bool is_closing;
} aloop_generator;

/* The function of the macro below. */
ALOOP_API aloop_op aloop_generator_open_op(aloop_generator *generator, const aloop_coro *coro,
                                           const void *frame);

/*
 * Asks for the next item, and waits for it. The outcome is 1, and the item is in generator->value;
 * 0 if the generator has ended, and there will be no more; or the error that it has ended with,
 * once. -ECANCELED if the task was cancelled meanwhile: the generator then stands where it stood.
 * -EBUSY if it runs (it asks itself), -EPERM in another task than the one that opened it,
 * -EINVAL if it never was. asyncio: anext().
 */
ALOOP_API aloop_op aloop_generator_next(aloop_generator *generator);

/*
 * Closes: ends it where it stands, and waits for that. The outcome is 0, also if it has ended
 * already; the error its cleanup ends with; -EBUSY and -EPERM as above. asyncio: aclose().
 */
ALOOP_API aloop_op aloop_generator_close(aloop_generator *generator);

/*
 * In a generator: gives `value` to who asked, and stands still until it is asked again: then the
 * outcome is 0. -ECANCELED if it is being closed; it should then end. Nothing is given, and the
 * outcome is -EPERM, outside of a generator's own body (in a coroutine that it calls, or in its
 * ALOOP_FINALLY), and while it has a timeout or a group open: their cancellation would strike who
 * asked.
 */
ALOOP_API aloop_op aloop_generator_yield(int64_t value);

#ifndef __cplusplus
// clang-format off

/*
 * Opens a generator that runs NAME, with arguments by name: an operation that completes without
 * waiting, with 0, -ENOMEM, or -EBUSY if it is open already. aloop_generator_open(&gen, NAME,
 * .arg = ...). None of it runs before the first item is asked for.
 */
#define aloop_generator_open(...) \
    ALOOP_GENERATOR_(__VA_ARGS__, .aloop_frame_ = {0})
#define ALOOP_GENERATOR_(GENERATOR, NAME, ...) \
    aloop_generator_open_op((GENERATOR), &NAME##_coro, &(struct NAME){__VA_ARGS__})

/* As aloop_generator_yield(); an error ends the generator with it. An item larger than a number
   stays in the frame, and its address is given: ALOOP_YIELD((intptr_t)&self->item). */
#define ALOOP_YIELD(value) ALOOP_TRY(aloop_generator_yield((int64_t)(value)))

/*
 * Stands before a statement or a block, which runs once for each item, with that stored in
 * `lvalue`, a number in the frame. `break` leaves the generator open. When it has ended,
 * self->result is 0, or its error.
 */
#define ALOOP_FOR_AWAIT(lvalue, generator)                                                         \
    for (;;)                                                                                       \
        if (1) {                                                                                   \
            ALOOP_AWAIT_(__LINE__, aloop_generator_next(generator));                               \
            if (self->aloop_frame_.result <= 0)                                                    \
                break;                                                                             \
            ALOOP_STORE_VALUE_(lvalue, (generator)->value);                                        \
            goto ALOOP_PASTE_(aloop_item_, __LINE__);                                              \
        } else                                                                                     \
            ALOOP_PASTE_(aloop_item_, __LINE__):

#if defined(__GNUC__) || defined(__clang__)
#define ALOOP_STORE_VALUE_(lvalue, value) ((lvalue) = (__typeof__(lvalue))(value))
#else
#define ALOOP_STORE_VALUE_(lvalue, value) ((lvalue) = (value))
#endif

// clang-format on
#endif

#ifdef __cplusplus
}
#endif

#endif
