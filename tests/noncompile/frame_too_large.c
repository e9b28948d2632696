/* expect: larger than ALOOP_FRAME_MAX */

#ifdef CONTROL
/* The program raised the limit: it knows that a frame passes over the C stack, and is zeroed. */
#define ALOOP_FRAME_MAX 65536
#endif
#include <aloop.h>

struct large {
    ALOOP_FRAME;
    char buffer[16 * 1024 + 1];
};

ALOOP_CORO(large)
{
    ALOOP_BEGIN;
    self->buffer[0] = 1;
    ALOOP_TRY(aloop_sleep(ALOOP_MS(1)));
    ALOOP_END;
}

int main(void)
{
    return aloop_run(large);
}
