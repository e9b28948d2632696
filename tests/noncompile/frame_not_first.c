/* expect: ALOOP_FRAME must be the first member */

#include <aloop.h>

struct crooked {
#ifdef CONTROL
    ALOOP_FRAME;
    int n;
#else
    int n;
    ALOOP_FRAME;
#endif
};

ALOOP_CORO(crooked)
{
    ALOOP_BEGIN;
    self->n++;
    ALOOP_END;
}

int main(void)
{
    return aloop_run(crooked);
}
