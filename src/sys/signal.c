/*
 * What a signal does. Who decides that is src/os; here are the calls, and the flags that a strict
 * POSIX hides.
 */
#define _XOPEN_SOURCE 700 /* SA_ONSTACK, SA_NOCLDWAIT */
#include "sys/calls.h"

const int sys_signal_no_zombies = SA_NOCLDWAIT;

/* Asking for a stack that is not there ought to mean nothing. Valgrind takes the flag's word for
   it, though, and then does not let the ordinary stack grow for the handler. */
int sys_signal_flags(void)
{
    stack_t stack;
    bool has_stack = sigaltstack(NULL, &stack) == 0 && !(stack.ss_flags & SS_DISABLE);

    return SA_SIGINFO | SA_RESTART | (has_stack ? SA_ONSTACK : 0);
}

int sys_sigaction(int number, const struct sigaction *action, struct sigaction *out_before)
{
    return sigaction(number, action, out_before) < 0 ? -errno : 0;
}

int sys_errno(void)
{
    return errno;
}

void sys_set_errno(int error)
{
    errno = error;
}

int sys_raise(int number)
{
    int error = raise(number);

    return error == 0 ? 0 : -errno;
}
