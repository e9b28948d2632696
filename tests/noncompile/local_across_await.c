/* expect: maybe-uninitialized|conditional-uninitialized */
/* flags: -O2 */
/* flags-gcc: -Werror=maybe-uninitialized */
/* flags-clang: -Werror=conditional-uninitialized */

#include <aloop.h>

struct forgetful {
    ALOOP_FRAME;
    int n;
};

ALOOP_CORO(forgetful)
{
#ifndef CONTROL
    int n;
#endif
    ALOOP_BEGIN;
#ifdef CONTROL
    self->n *= 2;
    ALOOP_TRY(aloop_sleep(ALOOP_MS(1)));
    ALOOP_RETURN(self->n);
#else
    /* Set before the await, gone after it: the function was left and entered again. (A constant
       would not be reported by gcc, which then uses it behind the await as well.) */
    n = self->n * 2;
    ALOOP_TRY(aloop_sleep(ALOOP_MS(1)));
    ALOOP_RETURN(n);
#endif
    ALOOP_END;
}

int main(void)
{
    return aloop_run(forgetful, .n = 3);
}
