/*
 * Stackless coroutines.
 *
 *     struct countdown {
 *         ALOOP_FRAME;
 *         int n;                                      the arguments, and every local that must
 *     };                                              survive an await
 *
 *     ALOOP_CORO(countdown)
 *     {
 *         ALOOP_BEGIN;
 *         for (; self->n > 0; self->n--)
 *             ALOOP_TRY(aloop_sleep(ALOOP_MS(200)));
 *         ALOOP_END;
 *     }
 *
 * and somewhere else ALOOP_TRY(aloop_call(countdown, .n = 3)), aloop_create_task(countdown, .n =
 * 3), or aloop_run(countdown, .n = 3). Arguments not named are zero.
 *
 * The body is an ordinary function with one parameter, `self`, that is left at each await and
 * entered again behind it. Hence its rules:
 *   - a plain local variable is lost at an await: keep in the frame what must survive one.
 *     Compilers find what breaks this: gcc with -O2 -Wmaybe-uninitialized (part of -Wall), clang
 *     with -Wconditional-uninitialized;
 *   - end with ALOOP_RETURN or ALOOP_END, never with `return` (a compile error);
 *   - at most one await on a source line (two are a compile error);
 *   - a frame is at most ALOOP_FRAME_MAX bytes (a compile error): it is zeroed and copied when it
 *     is created, so large buffers belong outside, with a pointer to them in the frame.
 * With GCC and Clang an await may stand in any statement, a `switch` of your own included. With
 * -DALOOP_STRICT_ISO, or another compiler, coroutines resume by way of a `switch`, and an await
 * inside a `switch` of your own ends the program with a message that names it.
 *
 * The protocol beneath is plain C, and the macros are nothing more than a way to write it. A
 * coroutine is described by an aloop_coro, whose step function is called with the frame to run it
 * on, and returns ALOOP_STEP_SUSPENDED, or ALOOP_STEP_DONE when the frame's `outcome` is its
 * result. A step function by hand is a state machine; this one does what `countdown` does:
 *
 *     struct by_hand { aloop_frame frame; int n; };
 *
 *     static aloop_step by_hand_step(aloop_frame *frame)
 *     {
 *         struct by_hand *self = (struct by_hand *)frame;
 *
 *         switch (frame->line) {
 *         case 0:
 *             while (self->n > 0) {
 *                 frame->line = 1;
 *                 if (aloop_frame_await(frame, aloop_sleep(ALOOP_MS(200))))
 *                     return ALOOP_STEP_SUSPENDED;
 *         case 1:
 *                 if (frame->result < 0) {
 *                     frame->outcome = frame->result;
 *                     return ALOOP_STEP_DONE;
 *                 }
 *                 self->n--;
 *             }
 *         }
 *         frame->outcome = 0;
 *         return ALOOP_STEP_DONE;
 *     }
 *
 *     static const aloop_coro by_hand_coro = {
 *         .name = "by_hand", .file = __FILE__, .step = by_hand_step,
 *         .size = sizeof(struct by_hand)};
 */
#ifndef ALOOP_CORO_H
#define ALOOP_CORO_H

#include <aloop/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The largest frame, in bytes. A program may define another limit before it includes this. */
#ifndef ALOOP_FRAME_MAX
#define ALOOP_FRAME_MAX 16384
#endif

/* What a step says. A struct, so that a stray `return 0;` in a coroutine does not compile. */
typedef struct aloop_step {
    int is_done;
} aloop_step;

#define ALOOP_STEP_SUSPENDED ((aloop_step){0})
#define ALOOP_STEP_DONE ((aloop_step){1})

/*
 * The head of every frame. All zero before the first step, save for task, caller and coro, which
 * the library sets. Of the others, `result` is the library's to write; the rest is the step
 * function's.
 */
typedef struct aloop_frame {
    int64_t result;  /* the outcome of the last await */
    int64_t outcome; /* what the coroutine ends with */
    aloop_task *task;
    struct aloop_frame *caller; /* who awaits this frame; NULL for a task's first */
    const aloop_coro *coro;
    const void *resume; /* where to go on */
    int line;           /* of the await it is in; also where to go on, under ALOOP_STRICT_ISO */
    unsigned char phase;
    unsigned char flags; /* the library's */
} aloop_frame;

/* What a coroutine is. Constant; must outlive all its frames. */
struct aloop_coro {
    const char *name;
    const char *file;
    aloop_step (*step)(aloop_frame *frame);
    /* Called when a frame is thrown away that did not come to its end, because its loop was
       closed: to free what the frame owns. It must not await. May be NULL. */
    void (*cleanup)(aloop_frame *frame);
    size_t size; /* of the whole frame */
    int line;    /* where it is defined; 0 if unknown */
};

/* The parts of aloop_frame_await(): what is out of the ordinary, for aloop_sleep(0) too; what has
   completed at once; and all of it for a call. */
ALOOP_API bool aloop_frame_await_(aloop_frame *frame);
ALOOP_API bool aloop_frame_complete_(aloop_frame *frame, int64_t outcome);
ALOOP_API bool aloop_frame_yield_(aloop_frame *frame);
ALOOP_API bool aloop_frame_call_(aloop_frame *frame, const aloop_coro *coro, const void *args);

/* Is it known when this is compiled, after inlining? */
#if defined(__GNUC__) || defined(__clang__)
#define ALOOP_IS_KNOWN_(x) __builtin_constant_p(x)
#else
#define ALOOP_IS_KNOWN_(x) 0
#endif

/*
 * Begins to await `op`. True: the step function must return ALOOP_STEP_SUSPENDED, and is called
 * again when the operation has ended. False: that has ended already. Either way the outcome is then
 * in frame->result.
 */
static inline bool aloop_frame_await(aloop_frame *frame, aloop_op op)
{
    struct aloop_task_head_ *task = (struct aloop_task_head_ *)(void *)frame->task;
    int64_t outcome;

    /* What `op` is made of is known when this is compiled, as a rule: then little is left of it. */
    if (op.poll == aloop_yield_poll_ && op.flags == 0) {
        if (ALOOP_UNLIKELY(task->state != 0))
            return aloop_frame_yield_(frame);
        /* It is queued when the step function has returned. */
        task->state = ALOOP_TASK_YIELDS_;
        return true;
    }
    if (op.poll == aloop_call_poll_ && op.flags == ALOOP_OP_IS_CALL_)
        return aloop_frame_call_(frame, (const aloop_coro *)op.arg[0].data, op.arg[1].data);
    /* Field by field: through a copy on the stack it would be written and read twice, in pieces of
       different sizes. */
    task->op.poll = op.poll;
    task->op.type = op.type;
    task->op.arg[0].number = op.arg[0].number;
    task->op.arg[1].number = op.arg[1].number;
    task->op.arg[2].number = op.arg[2].number;
    task->op.arg[3].number = op.arg[3].number;
    task->op.flags = op.flags;
    if (!ALOOP_IS_KNOWN_(op.flags) || (op.flags & ALOOP_OP_HAS_TIMEOUT_) != 0)
        task->op.timeout = op.timeout;
    if (!ALOOP_IS_KNOWN_(op.flags) || (op.flags & ALOOP_OP_NOT_PLAIN_) != 0 ||
        ALOOP_UNLIKELY(task->state != 0))
        return aloop_frame_await_(frame);
    /* A direct call, then, and not even that where it is inlined. */
    outcome = op.poll(frame->task, &task->op);
    if (outcome != ALOOP_PENDING)
        return aloop_frame_complete_(frame, outcome);
    task->state |= ALOOP_TASK_WAITS_;
    return true;
}

/*
 * Between the two a cancellation of the task waits: what ALOOP_FINALLY is made of. To be called at
 * most once each, in this order.
 */
ALOOP_API void aloop_frame_enter_finally(aloop_frame *frame);
ALOOP_API void aloop_frame_leave_finally(aloop_frame *frame);

/*
 * The coroutine is about to end with the error in frame->outcome, from that line of its file: keeps
 * this place for aloop_task_print_error() (<aloop/debug.h>). ALOOP_TRY and ALOOP_RETURN call it;
 * a step function by hand may.
 */
ALOOP_API void aloop_frame_trace(aloop_frame *frame, int line);

/* Ends the program: the frame cannot be resumed where it was left. Names it on standard error. */
ALOOP_API void aloop_frame_lost(const aloop_frame *frame);

#ifndef __cplusplus

// clang-format off

/* Opens a frame's struct; gives it the member `result`. */
#define ALOOP_FRAME union { aloop_frame aloop_frame_; int64_t result; }

/* Opens a coroutine that only this file uses. */
#define ALOOP_CORO(NAME) ALOOP_CORO_DEFINE_(static, NAME)
/* Opens one that a header declares with its struct and ALOOP_CORO_DECLARE(NAME). */
#define ALOOP_CORO_EXPORT(NAME) ALOOP_CORO_DEFINE_(, NAME)
#define ALOOP_CORO_DECLARE(NAME) extern const aloop_coro NAME##_coro

#define ALOOP_CORO_DEFINE_(LINKAGE, NAME)                                                          \
    _Static_assert(sizeof(struct NAME) <= ALOOP_FRAME_MAX,                                         \
                   "this frame is larger than ALOOP_FRAME_MAX: keep large buffers outside it");   \
    _Static_assert(offsetof(struct NAME, aloop_frame_) == 0,                                       \
                   "ALOOP_FRAME must be the first member of a frame");                            \
    static ALOOP_BODY_ATTRIBUTE_ aloop_step NAME##_aloop_body_(struct NAME *self);                 \
    /* Of the type that the library calls; the body has the type that its author reads. */         \
    static aloop_step NAME##_aloop_step_(aloop_frame *frame)                                       \
    {                                                                                              \
        return NAME##_aloop_body_((struct NAME *)(void *)frame);                                   \
    }                                                                                              \
    LINKAGE const aloop_coro NAME##_coro = {                                                       \
        .name = #NAME, .file = __FILE__, .step = NAME##_aloop_step_,                               \
        .size = sizeof(struct NAME), .line = __LINE__};                                            \
    static aloop_step NAME##_aloop_body_(struct NAME *self)

/* Arguments by name, and nothing at all where there are none: ISO C wants something in the
   braces. */
#define ALOOP_ARGUMENTS_(...) ALOOP_ARGUMENTS_2_(__VA_ARGS__, .aloop_frame_ = {0})
#define ALOOP_ARGUMENTS_2_(NAME, ...) &NAME##_coro, &(struct NAME){__VA_ARGS__}

/* The operation that runs NAME on this task, with arguments by name: its result is the await's. The
   arguments live as long as the block that this stands in: await it there. */
#define aloop_call(...) aloop_call_op(ALOOP_ARGUMENTS_(__VA_ARGS__))
/* A task that runs NAME on the loop that is running. Returns owned, never NULL:
   aloop_task_new(). */
#define aloop_create_task(...) \
    aloop_task_new(aloop_get_running_loop(), ALOOP_ARGUMENTS_(__VA_ARGS__))
/* The same on `loop`, which need not run yet: aloop_create_task_in(loop, NAME, ...). */
#define aloop_create_task_in(LOOP, ...) aloop_task_new((LOOP), ALOOP_ARGUMENTS_(__VA_ARGS__))
/* Runs NAME as a program's main task: aloop_run_coro(). */
#define aloop_run(...) aloop_run_coro(ALOOP_ARGUMENTS_(__VA_ARGS__))
/* The same with options: aloop_run_with(&options, NAME, ...): aloop_run_coro_with(). */
#define aloop_run_with(OPTIONS, ...) aloop_run_coro_with((OPTIONS), ALOOP_ARGUMENTS_(__VA_ARGS__))
/* The same on a loop of one's own: aloop_run_in(loop, NAME, ...): aloop_run_coro_in(). */
#define aloop_run_in(LOOP, ...) aloop_run_coro_in((LOOP), ALOOP_ARGUMENTS_(__VA_ARGS__))

enum { ALOOP_PHASE_BODY_, ALOOP_PHASE_FINALLY_, ALOOP_PHASE_DONE_ };

#if (defined(__GNUC__) || defined(__clang__)) && !defined(ALOOP_STRICT_ISO)
#define ALOOP_RESUMES_BY_GOTO_ 1
#endif

#define ALOOP_FLAG_FINALLY_ 1u /* the frame is inside its ALOOP_FINALLY */

/* The body has returned, or its cleanup has: on to what comes next. */
static inline void aloop_frame_leave_(aloop_frame *frame)
{
    if (frame->flags & ALOOP_FLAG_FINALLY_)
        aloop_frame_leave_finally(frame);
    frame->phase++;
#ifndef ALOOP_RESUMES_BY_GOTO_
    frame->line = -(int)frame->phase;
#endif
}

/* What ALOOP_TRY does with an error. */
static inline void aloop_frame_fail_(aloop_frame *frame)
{
    frame->outcome = frame->result;
    aloop_frame_trace(frame, frame->line);
}

/* Suspends until `op`, an aloop_op, completes; its outcome is in self->result. */
#define ALOOP_AWAIT(...)                                                                           \
    do {                                                                                           \
        ALOOP_AWAIT_(__LINE__, __VA_ARGS__);                                                       \
    } while (0)

/* As ALOOP_AWAIT; an error ends this coroutine with it, by way of ALOOP_FINALLY. */
#define ALOOP_TRY(...)                                                                             \
    do {                                                                                           \
        ALOOP_AWAIT_(__LINE__, __VA_ARGS__);                                                       \
        if (self->aloop_frame_.result < 0)                                                         \
            goto aloop_fail_;                                                                      \
    } while (0)

/* The same, and the outcome is stored in `lvalue` as well. */
#define ALOOP_AWAIT_TO(lvalue, ...)                                                                \
    do {                                                                                           \
        ALOOP_AWAIT_(__LINE__, __VA_ARGS__);                                                       \
        ALOOP_STORE_(lvalue);                                                                      \
    } while (0)
#define ALOOP_TRY_TO(lvalue, ...)                                                                  \
    do {                                                                                           \
        ALOOP_AWAIT_(__LINE__, __VA_ARGS__);                                                       \
        ALOOP_STORE_(lvalue);                                                                      \
        if (self->aloop_frame_.result < 0)                                                         \
            goto aloop_fail_;                                                                      \
    } while (0)

/* For a call that is no operation, and gives an error, or 0 or more: an error ends this coroutine
   with it, as in ALOOP_TRY; else that is in self->result. */
#define ALOOP_CHECK(...)                                                                           \
    do {                                                                                           \
        self->aloop_frame_.result = (__VA_ARGS__);                                                 \
        if (self->aloop_frame_.result < 0)                                                         \
            ALOOP_RETURN(self->aloop_frame_.result);                                               \
    } while (0)

/* Ends the coroutine with `value`, >= 0 a result, < 0 an error, by way of ALOOP_FINALLY. In
   there, it ends the cleanup, and its value takes the place of the one that was being returned. */
#define ALOOP_RETURN(value)                                                                        \
    do {                                                                                           \
        self->aloop_frame_.outcome = (value);                                                      \
        if (self->aloop_frame_.outcome < 0)                                                        \
            aloop_frame_trace(&self->aloop_frame_, __LINE__);                                      \
        goto aloop_leave_;                                                                         \
    } while (0)

/* What follows runs once, however the body ended; it may await. The value being returned
   survives it. Stands at the body's top level. */
#define ALOOP_FINALLY                                                                              \
        break;                                                                                     \
    ALOOP_FINALLY_CASE_                                                                            \
        aloop_frame_enter_finally(&self->aloop_frame_)

/* In there: the value being returned, for a cleanup that depends on how it ended. */
#define ALOOP_OUTCOME ((int64_t)self->aloop_frame_.outcome)

/* Closes the coroutine; falling into it returns 0. Leaving the outer switch by a stray `break`
   is falling off the body, too. */
#define ALOOP_END                                                                                  \
            break;                                                                                 \
        ALOOP_DONE_CASE_                                                                           \
            return ALOOP_STEP_DONE;                                                                \
        ALOOP_LOST_CASE_                                                                           \
    }                                                                                              \
    if (self->aloop_frame_.phase == ALOOP_PHASE_BODY_)                                             \
        self->aloop_frame_.outcome = 0;                                                            \
    goto aloop_leave_;                                                                             \
    goto aloop_fail_; /* or it would be an unused label where nothing is tried */                  \
    ALOOP_DIAGNOSTIC_POP_                                                                          \
    struct aloop_end_of_coroutine_

#define ALOOP_PASTE_(a, b) ALOOP_PASTE_2_(a, b)
#define ALOOP_PASTE_2_(a, b) a##b

#if defined(__GNUC__) || defined(__clang__)
/* A plain `return;` gets this far only with a warning: make it an error inside coroutines. */
#define ALOOP_DIAGNOSTIC_PUSH_ \
    _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic error \"-Wreturn-type\"")
#define ALOOP_DIAGNOSTIC_POP_ _Pragma("GCC diagnostic pop")
/* The outcome is 64 bits wide, and the lvalue the caller's choice. */
#define ALOOP_STORE_(lvalue) \
    ((lvalue) = (__typeof__(lvalue))self->aloop_frame_.result)
#else
#define ALOOP_DIAGNOSTIC_PUSH_
#define ALOOP_DIAGNOSTIC_POP_
#define ALOOP_STORE_(lvalue) ((lvalue) = self->aloop_frame_.result)
#endif

#ifdef ALOOP_RESUMES_BY_GOTO_

/* Resumption by computed goto. A copy of the body would have other labels than those that frames
   remember. */
#if defined(__clang__)
#define ALOOP_BODY_ATTRIBUTE_ __attribute__((noinline))
#else
#define ALOOP_BODY_ATTRIBUTE_ __attribute__((noinline, noclone))
#endif

#define ALOOP_BEGIN                                                                                \
    ALOOP_DIAGNOSTIC_PUSH_                                                                         \
    const void *aloop_resume_ = self->aloop_frame_.resume;                                         \
    if (aloop_resume_ == NULL)                                                                     \
        aloop_resume_ = __extension__ &&aloop_enter_;                                              \
    __extension__ ({ goto *aloop_resume_; });                                                      \
    aloop_fail_:                                                                                   \
    aloop_frame_fail_(&self->aloop_frame_);                                                        \
    aloop_leave_:                                                                                  \
    aloop_frame_leave_(&self->aloop_frame_);                                                       \
    aloop_enter_:                                                                                  \
    switch (self->aloop_frame_.phase) {                                                            \
    case ALOOP_PHASE_BODY_:

#define ALOOP_FINALLY_CASE_ case ALOOP_PHASE_FINALLY_:
#define ALOOP_DONE_CASE_ default:
#define ALOOP_LOST_CASE_

#define ALOOP_AWAIT_(LINE, ...)                                                                    \
    self->aloop_frame_.resume = __extension__ &&ALOOP_PASTE_(aloop_await_, LINE);                  \
    self->aloop_frame_.line = LINE;                                                                \
    if (aloop_frame_await(&self->aloop_frame_, (__VA_ARGS__)))                                     \
        return ALOOP_STEP_SUSPENDED;                                                               \
    ALOOP_PASTE_(aloop_await_, LINE):

#else

/* Resumption by a switch on the line: an await inside another switch makes its label that one's. */
#define ALOOP_BODY_ATTRIBUTE_
#define ALOOP_BEGIN                                                                                \
    ALOOP_DIAGNOSTIC_PUSH_                                                                         \
    goto aloop_enter_;                                                                             \
    aloop_fail_:                                                                                   \
    aloop_frame_fail_(&self->aloop_frame_);                                                        \
    aloop_leave_:                                                                                  \
    aloop_frame_leave_(&self->aloop_frame_);                                                       \
    aloop_enter_:                                                                                  \
    switch (self->aloop_frame_.line) {                                                             \
    case 0:

#define ALOOP_FINALLY_CASE_ case -ALOOP_PHASE_FINALLY_:
/* A coroutine without ALOOP_FINALLY goes straight from the body to its end. */
#define ALOOP_DONE_CASE_ case -ALOOP_PHASE_DONE_:
#define ALOOP_LOST_CASE_                                                                           \
        default:                                                                                   \
            if (self->aloop_frame_.line == -ALOOP_PHASE_FINALLY_)                                  \
                return ALOOP_STEP_DONE;                                                            \
            aloop_frame_lost(&self->aloop_frame_);

#if defined(__GNUC__) || defined(__clang__)
#define ALOOP_FALLTHROUGH_ __attribute__((fallthrough))
#else
#define ALOOP_FALLTHROUGH_ ((void)0)
#endif

#define ALOOP_AWAIT_(LINE, ...)                                                                    \
    self->aloop_frame_.line = LINE;                                                                \
    if (aloop_frame_await(&self->aloop_frame_, (__VA_ARGS__)))                                     \
        return ALOOP_STEP_SUSPENDED;                                                               \
    ALOOP_FALLTHROUGH_;                                                                            \
    case LINE:

#endif

// clang-format on

#endif

#ifdef __cplusplus
}
#endif

#endif
