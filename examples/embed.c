/*
 * The loop inside another: the program has a poll() loop of its own (here: for a pipe), and the
 * tasks run whenever that finds that they have something to do.
 */
#include <aloop.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

struct worker {
    ALOOP_FRAME;
    int out; /* the program's pipe */
    int i;
};

ALOOP_CORO(worker)
{
    ALOOP_BEGIN;
    for (self->i = 1; self->i <= 3; self->i++) {
        ALOOP_TRY(aloop_sleep(ALOOP_MS(50)));
        printf("task: step %d\n", self->i);
        if (write(self->out, "x", 1) < 0)
            ALOOP_RETURN(-EPIPE);
    }
    ALOOP_END;
}

/* In whole ms, as poll wants it, and rounded up: a wait cut short would be repeated many times. */
static int in_ms(aloop_ns timeout)
{
    if (timeout > ALOOP_SEC(60))
        return 60000;
    return (int)((timeout + ALOOP_MS(1) - 1) / ALOOP_MS(1));
}

/* One turn of the program's loop. */
static int turn(aloop *loop, int own_fd)
{
    struct pollfd fds[2] = {{.fd = own_fd, .events = POLLIN},
                            {.fd = aloop_backend_fd(loop), .events = POLLIN}};
    char buffer[16];
    aloop_ns timeout;
    int error = aloop_prepare(loop, &timeout);

    if (error < 0 || poll(fds, 2, in_ms(timeout)) < 0)
        return -1;
    if (fds[0].revents & POLLIN)
        printf("program: %d byte came\n", (int)read(own_fd, buffer, sizeof buffer));
    return aloop_dispatch(loop);
}

int main(void)
{
    aloop *loop;
    aloop_task *task;
    int fds[2];
    int result = 0;

    if (pipe(fds) < 0 || aloop_new(NULL, &loop) < 0)
        return 1;
    task = aloop_create_task_in(loop, worker, .out = fds[1]);
    while (!aloop_task_done(task) && result >= 0)
        result = turn(loop, fds[0]);
    if (result >= 0)
        result = turn(loop, fds[0]);
    printf("the task: %s\n", aloop_strerror(aloop_task_result(task)));
    aloop_task_unref(task);
    aloop_unref(loop);
    return result >= 0 ? 0 : 1;
}
