/*
 * A coroutine that waits, and one that calls it. What must survive an await lives in the frame.
 */
#include <aloop.h>
#include <stdio.h>

struct countdown {
    ALOOP_FRAME;
    int n; /* an argument, and changed on the way */
};

ALOOP_CORO(countdown)
{
    ALOOP_BEGIN;
    for (; self->n > 0; self->n--) {
        printf("%d\n", self->n);
        ALOOP_TRY(aloop_sleep(ALOOP_MS(200)));
    }
    ALOOP_END;
}

struct main_task {
    ALOOP_FRAME;
};

ALOOP_CORO(main_task)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_call(countdown, .n = 3));
    printf("hello\n");
    ALOOP_END;
}

int main(void)
{
    return aloop_run(main_task) == 0 ? 0 : 1;
}
