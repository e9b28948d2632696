/* expect: maybe-uninitialized|conditional-uninitialized */
/* flags: -O2 */
/* flags-gcc: -Werror=maybe-uninitialized */
/* flags-clang: -Werror=conditional-uninitialized */

#include <aloop.h>

struct counting {
    ALOOP_FRAME;
    int i;
};

ALOOP_CORO(counting)
{
    ALOOP_BEGIN;
#ifdef CONTROL
    for (self->i = 0; self->i < 3; self->i++)
        ALOOP_TRY(aloop_sleep(ALOOP_MS(1)));
#else
    for (int i = 0; i < 3; i++)
        ALOOP_TRY(aloop_sleep(ALOOP_MS(1)));
#endif
    ALOOP_END;
}

int main(void)
{
    return aloop_run(counting);
}
