/*
 * Finding out about fork. A counter that the child's side of pthread_atfork raises costs nothing to
 * compare; asking for the process id instead would be a system call (glibc caches it no more), and
 * ids are reused.
 */
#include "sys/calls.h"
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

/* Written only while the process has one thread (in the child, before fork returns). */
static uint64_t generation = 1;
static atomic_bool has_handler;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void count_fork(void)
{
    generation++;
}

static void register_handler(void)
{
    atomic_store_explicit(&has_handler, pthread_atfork(NULL, NULL, count_fork) == 0,
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
