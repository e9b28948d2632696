/*
 * What a signal does. Who decides that is src/os; here are the calls, and the flags that a strict
 * POSIX hides.
 */
#define _XOPEN_SOURCE 700 /* SA_ONSTACK, SA_NOCLDWAIT */
#include "sys/calls.h"

const int sys_signal_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
const int sys_signal_no_zombies = SA_NOCLDWAIT;

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
