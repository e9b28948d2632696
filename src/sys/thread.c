/*
 * Threads of the library's own.
 */
#include "sys/calls.h"
#include <signal.h>

/* Faults are the thread's own doing, and blocking them is undefined. */
static void without_faults(sigset_t *set)
{
    (void)sigfillset(set);
    (void)sigdelset(set, SIGSEGV);
    (void)sigdelset(set, SIGBUS);
    (void)sigdelset(set, SIGFPE);
    (void)sigdelset(set, SIGILL);
    (void)sigdelset(set, SIGTRAP);
    (void)sigdelset(set, SIGABRT);
}

static int create(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);

    if (error)
        return error;
    error = pthread_attr_setstacksize(&attributes, SYS_THREAD_STACK);
    if (error == 0)
        error = pthread_create(thread, &attributes, run, arg);
    /* A program with so much thread-local memory that it does not fit: what the system likes. */
    if (error == EINVAL)
        error = pthread_create(thread, NULL, run, arg);
    (void)pthread_attr_destroy(&attributes);
    return error;
}

int sys_thread_create(pthread_t *out_thread, void *(*run)(void *arg), void *arg)
{
    sigset_t blocked, before;
    int error;

    without_faults(&blocked);
    error = pthread_sigmask(SIG_SETMASK, &blocked, &before);
    if (error)
        return -error;
    error = create(out_thread, run, arg);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -error;
}

void sys_thread_join(pthread_t thread)
{
    (void)pthread_join(thread, NULL);
}

void sys_thread_detach(pthread_t thread)
{
    (void)pthread_detach(thread);
}
