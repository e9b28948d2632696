/* expect: jump-misses-init */
/* mode: iso */
/* compiler: gcc */
/* flags: -Werror=jump-misses-init */

#include <aloop.h>

struct jumping {
    ALOOP_FRAME;
    int n;
};

ALOOP_CORO(jumping)
{
    ALOOP_BEGIN;
#ifdef CONTROL
    self->n = 3;
    ALOOP_TRY(aloop_sleep(ALOOP_MS(1)));
    ALOOP_RETURN(self->n);
#else
    /* Found without optimisation: the case behind the await is in the scope of n. */
    int n = 3;
    ALOOP_TRY(aloop_sleep(ALOOP_MS(1)));
    ALOOP_RETURN(n);
#endif
    ALOOP_END;
}

int main(void)
{
    return aloop_run(jumping);
}
