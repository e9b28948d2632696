/*
 * Finding out about fork. A counter that the child's side of pthread_atfork raises costs nothing to
 * compare; asking for the process id instead would be a system call (glibc caches it no more), and
 * ids are reused. The lock of what a process has only one of is held over a fork, so that the child
 * never finds it in the hands of a thread that is not there.
 */
#include "sys/calls.h"
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

/* Written only while the process has one thread (in the child, before fork returns). */
static uint64_t generation = 1;
static atomic_bool has_handler;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_bool is_shared;

static pthread_mutex_t process_mutex = PTHREAD_MUTEX_INITIALIZER;

/* A correctly used mutex that is statically initialised has no error to tell. */
void sys_process_lock(void)
{
    (void)pthread_mutex_lock(&process_mutex);
}

void sys_process_unlock(void)
{
    (void)pthread_mutex_unlock(&process_mutex);
}

int sys_fds_are_shared(void)
{
    /* Without its handlers no fork is heard of. */
    return atomic_load_explicit(&is_shared, memory_order_relaxed) ||
           !atomic_load_explicit(&has_handler, memory_order_relaxed);
}

/* In the parent the child has them already; in the child, the parent. */
static void after_fork_in_parent(void)
{
    atomic_store_explicit(&is_shared, true, memory_order_relaxed);
    sys_process_unlock();
}

static void after_fork_in_child(void)
{
    generation++;
    atomic_store_explicit(&is_shared, true, memory_order_relaxed);
    sys_process_unlock();
}

static void register_handler(void)
{
    atomic_store_explicit(&has_handler, pthread_atfork(sys_process_lock, after_fork_in_parent,
                                                       after_fork_in_child) == 0,
                          memory_order_release);
}

uint64_t sys_fork_generation(void)
{
    if (ALOOP_LIKELY(atomic_load_explicit(&has_handler, memory_order_acquire)))
        return generation;
    pthread_once(&once, register_handler);
    /* No memory for the handler: the process id does, if slowly. */
    return has_handler ? generation : (uint64_t)getpid() << 32;
}
