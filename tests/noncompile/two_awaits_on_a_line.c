/* expect: duplicate (label|case)|redefinition of label */

#include <aloop.h>

struct twice {
    ALOOP_FRAME;
};

ALOOP_CORO(twice)
{
    ALOOP_BEGIN;
#ifdef CONTROL
    ALOOP_TRY(aloop_sleep(ALOOP_MS(1)));
    ALOOP_TRY(aloop_sleep(ALOOP_MS(1)));
#else
    /* Both would resume behind the first. */
    ALOOP_TRY(aloop_sleep(ALOOP_MS(1))); ALOOP_TRY(aloop_sleep(ALOOP_MS(1)));
#endif
    ALOOP_END;
}

int main(void)
{
    return aloop_run(twice);
}
