/*
 * Other programs: one that is asked something, one that cannot be started, one that takes too long.
 */
#include <aloop.h>
#include <signal.h>
#include <stdio.h>

struct ask {
    ALOOP_FRAME;
    aloop_process process;
    aloop_output output;
    int error;
};

/* Its input is written and its output read at the same time, and then it is waited for. */
ALOOP_CORO(ask)
{
    aloop_process_options options = ALOOP_PROCESS_OPTIONS_INIT;

    ALOOP_BEGIN;
    options.in = ALOOP_PIPE;
    options.out = ALOOP_PIPE;
    self->error = aloop_create_subprocess_exec(NULL, (const char *[]){"tr", "a-z", "A-Z", NULL},
                                               &options, &self->process);
    if (self->error < 0)
        ALOOP_RETURN(self->error);
    ALOOP_TRY(aloop_process_communicate(&self->process, "hello, child\n", 13, &self->output));
    printf("tr says: %.*s", (int)self->output.out.size, self->output.out.data);
    printf("and ends with %d\n", self->output.returncode);
    ALOOP_FINALLY;
    aloop_process_close(&self->process);
    ALOOP_END;
}

struct main_task {
    ALOOP_FRAME;
    aloop_process process;
    int error;
    int code;
};

ALOOP_CORO(main_task)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_call(ask));

    self->error = aloop_create_subprocess_exec(NULL, (const char *[]){"no-such-program", NULL},
                                               NULL, &self->process);
    printf("no-such-program: %s\n", aloop_strerror(self->error));

    self->error = aloop_create_subprocess_exec(NULL, (const char *[]){"sleep", "1000", NULL}, NULL,
                                               &self->process);
    if (self->error < 0)
        ALOOP_RETURN(self->error);
    /* Who gives up waiting for this one ends it, and goes on when it has ended. */
    ALOOP_AWAIT(aloop_wait_for(
        aloop_process_wait_or_stop(&self->process, ALOOP_SEC(1), &self->code), ALOOP_MS(50)));
    printf("sleep: %s\n", aloop_strerror(self->result));
    printf("ended by SIGTERM: %s\n", self->code == -SIGTERM ? "yes" : "no");
    ALOOP_FINALLY;
    aloop_process_close(&self->process);
    ALOOP_END;
}

int main(void)
{
    /* What is printed comes in order with what children print, and never twice. */
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    return aloop_run(main_task);
}
