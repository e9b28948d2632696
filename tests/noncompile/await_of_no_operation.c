/* expect: incompatible type|parameter of incompatible type */

#include <aloop.h>

struct waiting {
    ALOOP_FRAME;
};

ALOOP_CORO(waiting)
{
    ALOOP_BEGIN;
#ifdef CONTROL
    ALOOP_AWAIT(aloop_sleep(ALOOP_MS(1)));
#else
    /* A duration is not an operation. */
    ALOOP_AWAIT(ALOOP_MS(1));
#endif
    ALOOP_END;
}

int main(void)
{
    return aloop_run(waiting);
}
