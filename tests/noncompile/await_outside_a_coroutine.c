/* expect: .self. undeclared|undeclared identifier .self. */

#include <aloop.h>

struct waiting {
    ALOOP_FRAME;
};

#ifndef CONTROL
static void ordinary(void)
{
    ALOOP_AWAIT(aloop_sleep(ALOOP_MS(1)));
}
#endif

ALOOP_CORO(waiting)
{
    ALOOP_BEGIN;
#ifdef CONTROL
    ALOOP_AWAIT(aloop_sleep(ALOOP_MS(1)));
#else
    ordinary();
#endif
    ALOOP_END;
}

int main(void)
{
    return aloop_run(waiting);
}
