/*
 * Several tasks at once: gather waits for all of them and collects what they return, a group sees
 * to it that nothing outlives the coroutine that started it, and the first failure ends the rest.
 */
#include <aloop.h>
#include <stdio.h>

struct square {
    ALOOP_FRAME;
    int n;
};

ALOOP_CORO(square)
{
    ALOOP_BEGIN;
    /* The larger the number, the sooner: the results keep their places all the same. */
    ALOOP_TRY(aloop_sleep(ALOOP_MS(50) / self->n));
    printf("square of %d is there\n", self->n);
    ALOOP_RETURN(self->n * self->n);
    ALOOP_END;
}

struct worker {
    ALOOP_FRAME;
    int id;
};

ALOOP_CORO(worker)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_sleep(ALOOP_MS(10) * self->id));
    if (self->id == 2)
        ALOOP_RETURN(-EIO);
    printf("worker %d has finished\n", self->id);
    ALOOP_FINALLY;
    if (self->aloop_frame_.outcome == -ECANCELED)
        printf("worker %d was cancelled\n", self->id);
    ALOOP_END;
}

struct main_task {
    ALOOP_FRAME;
    aloop_task *a, *b, *c;
    aloop_group group;
    int i;
};

ALOOP_CORO(main_task)
{
    ALOOP_BEGIN;
    self->a = aloop_create_task(square, .n = 2);
    self->b = aloop_create_task(square, .n = 3);
    self->c = aloop_create_task(square, .n = 4);
    ALOOP_TRY(aloop_gather(self->a, self->b, self->c));
    printf("%d + %d + %d\n", (int)aloop_task_result(self->a), (int)aloop_task_result(self->b),
           (int)aloop_task_result(self->c));

    aloop_group_init(&self->group);
    for (self->i = 1; self->i <= 4; self->i++)
        ALOOP_TRY(aloop_group_start(&self->group, worker, .id = self->i));
    ALOOP_AWAIT(aloop_group_wait(&self->group));
    printf("the group: %s\n", aloop_strerror(self->result));
    ALOOP_RETURN(self->result == -EIO ? 0 : -EPROTO);
    ALOOP_FINALLY;
    aloop_task_unref(self->a);
    aloop_task_unref(self->b);
    aloop_task_unref(self->c);
    ALOOP_END;
}

int main(void)
{
    return aloop_run(main_task) == 0 ? 0 : 1;
}
