/*
 * A pool of workers behind a bounded queue: who produces faster than they work has to wait, and
 * when there is nothing more to come the queue is shut down, which ends them.
 */
#include <aloop.h>
#include <stdio.h>

enum { WORKERS = 3, JOBS = 12, ROOM = 2 };

struct job {
    int number;
};

struct tally {
    int done[WORKERS];
    int64_t sum;
};

struct worker {
    ALOOP_FRAME;
    int id;
    aloop_queue *jobs;
    struct tally *tally;
    struct job job;
};

ALOOP_CORO(worker)
{
    ALOOP_BEGIN;
    for (;;) {
        ALOOP_AWAIT(aloop_queue_get(self->jobs, &self->job));
        if (self->result == -ALOOP_ESHUTDOWN)
            break;
        if (self->result < 0)
            ALOOP_RETURN(self->result);
        ALOOP_TRY(aloop_sleep(ALOOP_MS(2))); /* the work */
        self->tally->sum += self->job.number * self->job.number;
        self->tally->done[self->id]++;
        aloop_queue_task_done(self->jobs);
    }
    ALOOP_END;
}

struct main_task {
    ALOOP_FRAME;
    aloop_queue jobs;
    aloop_group workers;
    struct tally tally;
    struct job job;
    int i, waits;
};

ALOOP_CORO(main_task)
{
    int error;

    ALOOP_BEGIN;
    error = aloop_queue_init(&self->jobs, NULL, sizeof(struct job), ROOM);
    if (error < 0)
        ALOOP_RETURN(error);
    aloop_group_init(&self->workers);
    for (self->i = 0; self->i < WORKERS; self->i++)
        ALOOP_TRY(aloop_group_start(&self->workers, worker, .id = self->i, .jobs = &self->jobs,
                                    .tally = &self->tally));
    for (self->i = 1; self->i <= JOBS; self->i++) {
        self->job.number = self->i;
        self->waits += aloop_queue_full(&self->jobs);
        ALOOP_TRY(aloop_queue_put(&self->jobs, &self->job));
    }
    ALOOP_TRY(aloop_queue_join(&self->jobs));
    printf("%d jobs are done, the sum of their squares is %d\n", JOBS, (int)self->tally.sum);
    printf("the producer had to wait: %s\n", self->waits > 0 ? "yes" : "no");
    aloop_queue_shutdown(&self->jobs, false);
    ALOOP_TRY(aloop_group_wait(&self->workers));
    for (self->i = 0; self->i < WORKERS; self->i++)
        printf("worker %d had something to do: %s\n", self->i + 1,
               self->tally.done[self->i] > 0 ? "yes" : "no");
    ALOOP_FINALLY;
    aloop_queue_fini(&self->jobs);
    ALOOP_END;
}

int main(void)
{
    return aloop_run(main_task) == 0 ? 0 : 1;
}
