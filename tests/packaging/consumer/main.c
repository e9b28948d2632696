/* A stranger's program: says with which version it was compiled, and with which it runs. */
#include <aloop.h>
#include <stdio.h>

struct hello {
    ALOOP_FRAME;
    int major;
};

ALOOP_CORO(hello)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_sleep(ALOOP_MS(1)));
    printf("%d.%d.%d %s\n", self->major, ALOOP_VERSION_MINOR, ALOOP_VERSION_PATCH, aloop_version());
    ALOOP_END;
}

int main(void)
{
    return aloop_run(hello, .major = ALOOP_VERSION_MAJOR);
}
