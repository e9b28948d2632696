/*
 * Task-local values: what a task, and every task that it creates, can find without being handed it,
 * such as the number of the request that they work on. asyncio: contextvars.
 *
 *     static void request_free(void *value);
 *     static aloop_local request = ALOOP_LOCAL_INIT(request_free);
 *
 *     error = aloop_local_set(&request, value);        in the task that serves it
 *     value = aloop_local_get(&request);               there, and in all tasks that it creates
 *
 * A task inherits at its creation what the task that creates it has then; what either sets later,
 * the other does not see. Creating a task costs the same whether there is something to inherit or
 * not. Calls of coroutines run on the same task, and see and set the same values. Callbacks have
 * none. All calls are for the loop's thread.
 */
#ifndef ALOOP_LOCAL_H
#define ALOOP_LOCAL_H

#include <aloop/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A key: its address is what counts, so it must be static, or outlive all tasks that use it. */
typedef struct aloop_local {
    /*
     * Called once for each value set, when the last task that has it is done, or has it replaced.
     * It runs in the loop's thread, must not await, and must not set values in its task. NULL: the
     * values need no freeing. Never called for NULL.
     */
    void (*destructor)(void *value);
} aloop_local;

/* clang-format off */
#define ALOOP_LOCAL_INIT(DESTRUCTOR) { DESTRUCTOR }
/* clang-format on */

/*
 * Sets the value of `key` in the task that runs, and takes it: its destructor frees it. Returns 0;
 * after an error the value is still the caller's: -ENOMEM, -EPERM outside of a task. asyncio:
 * ContextVar.set().
 */
ALOOP_API ALOOP_CHECKED int aloop_local_set(aloop_local *key, void *value);

/* The value in the task that runs (borrows: until it is set again, or the task is done); NULL if
   there is none, or outside of a task. asyncio: ContextVar.get(). */
ALOOP_API void *aloop_local_get(const aloop_local *key);

#ifdef __cplusplus
}
#endif

#endif
