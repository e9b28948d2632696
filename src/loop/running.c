/*
 * Which loop runs in which thread.
 */
#include "loop/internal.h"

/* One per thread, because "the loop that is running here" is a fact about a thread. */
static _Thread_local aloop *running_loop;
/* The process that set it: a fork()ed child has no running loop, though its memory says so. */
static _Thread_local uint64_t running_generation;

aloop *aloop_get_running_loop(void)
{
    if (ALOOP_UNLIKELY(running_loop != NULL && running_generation != sys.fork_generation()))
        return NULL;
    return running_loop;
}

int loop_enter(aloop *loop)
{
    if (loop->is_closed)
        return -ALOOP_ECLOSED;
    if (loop_is_forked(loop))
        return -ECHILD;
    if (loop->is_running || aloop_get_running_loop() != NULL)
        return -EBUSY;
    loop->is_running = true;
    atomic_store_explicit(&loop->thread, sys_thread_id(), memory_order_relaxed);
    running_loop = loop;
    running_generation = sys.fork_generation();
    posts_attend(loop);
    return 0;
}

void loop_leave(aloop *loop)
{
    posts_leave_run(loop);
    running_loop = NULL;
    atomic_store_explicit(&loop->thread, 0, memory_order_relaxed);
    loop->is_running = false;
}
