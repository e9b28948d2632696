/* expect: incompatible (types when returning|result type) */

#include <aloop.h>

struct leaving {
    ALOOP_FRAME;
    bool early;
};

ALOOP_CORO(leaving)
{
    ALOOP_BEGIN;
    if (self->early) {
#ifdef CONTROL
        ALOOP_RETURN(0);
#else
        return 0;
#endif
    }
    ALOOP_TRY(aloop_sleep(ALOOP_MS(1)));
    ALOOP_END;
}

int main(void)
{
    return aloop_run(leaving, .early = true);
}
