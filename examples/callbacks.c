/*
 * The loop without coroutines: callbacks that run soon, timers, and a reader on an fd.
 */
#include <aloop.h>
#include <stdio.h>
#include <unistd.h>

static int pipe_fds[2];
static aloop_handle ticker;
static int ticks;

static void on_soon(aloop *loop, void *arg)
{
    (void)loop;
    printf("%s\n", (const char *)arg);
}

/* A timer can be armed again from its own callback, and keeps its handle. */
static void on_tick(aloop *loop, void *arg)
{
    (void)arg;
    printf("tick %d\n", ++ticks);
    if (ticks < 3)
        aloop_reschedule_later(loop, ticker, ALOOP_MS(50));
    else if (write(pipe_fds[1], "enough", 6) < 0)
        aloop_stop(loop);
}

static void on_readable(aloop *loop, void *arg)
{
    char buffer[16];
    ssize_t got = read(pipe_fds[0], buffer, sizeof buffer);

    (void)arg;
    printf("read \"%.*s\"\n", got > 0 ? (int)got : 0, buffer);
    aloop_remove_reader(loop, pipe_fds[0]);
    aloop_stop(loop);
}

static int run(aloop *loop)
{
    aloop_handle never;

    ticker = aloop_call_later(loop, ALOOP_MS(50), on_tick, NULL);
    never = aloop_call_later(loop, ALOOP_MS(60), on_soon, "this is never printed");
    if (ticker < 0 || never < 0 || !aloop_cancel(loop, never))
        return 1;
    if (aloop_call_soon(loop, on_soon, "soon") < 0 ||
        aloop_add_reader(loop, pipe_fds[0], on_readable, NULL) < 0)
        return 1;
    printf("nothing has run yet\n");
    return aloop_run_forever(loop) == 0 && ticks == 3 ? 0 : 1;
}

int main(void)
{
    aloop *loop;
    int result;

    if (pipe(pipe_fds) < 0 || aloop_new(NULL, &loop) < 0)
        return 1;
    result = run(loop);
    aloop_unref(loop);
    return result;
}
