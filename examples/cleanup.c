/*
 * Cancellation: the await that a task is in returns -ECANCELED, and ALOOP_FINALLY cleans up. The
 * cleanup may await, and a second cancellation does not interrupt it.
 */
#include <aloop.h>
#include <stdio.h>
#include <stdlib.h>

struct job {
    ALOOP_FRAME;
    char *buffer;
    int step;
};

ALOOP_CORO(job)
{
    ALOOP_BEGIN;
    self->buffer = malloc(1000);
    if (self->buffer == NULL)
        ALOOP_RETURN(-ENOMEM);
    for (;;) {
        printf("step %d\n", ++self->step);
        ALOOP_TRY(aloop_sleep(ALOOP_MS(20)));
    }
    ALOOP_FINALLY;
    printf("cleaning up\n");
    ALOOP_AWAIT(aloop_sleep(ALOOP_MS(50)));
    free(self->buffer);
    printf("clean\n");
    ALOOP_END;
}

struct main_task {
    ALOOP_FRAME;
    aloop_task *task;
};

ALOOP_CORO(main_task)
{
    ALOOP_BEGIN;
    self->task = aloop_create_task(job);
    ALOOP_TRY(aloop_sleep(ALOOP_MS(50)));
    aloop_task_cancel(self->task);
    ALOOP_TRY(aloop_sleep(ALOOP_MS(20)));
    printf("done? %s\n", aloop_task_done(self->task) ? "yes" : "no");
    aloop_task_cancel(self->task);
    ALOOP_AWAIT(aloop_join_unref(self->task));
    printf("the job: %s\n", aloop_strerror(self->result));
    ALOOP_RETURN(self->result == -ECANCELED ? 0 : -EPROTO);
    ALOOP_END;
}

int main(void)
{
    /* With the virtual clock sleeping takes no time, and all goes the same way each time. */
    aloop_options loop = {.size = sizeof loop, .clock = ALOOP_CLOCK_VIRTUAL};
    aloop_run_options options = {.size = sizeof options, .loop = &loop};

    return aloop_run_with(&options, main_task) == 0 ? 0 : 1;
}
