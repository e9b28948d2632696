/* expect: int-conversion|makes pointer from integer|incompatible integer to pointer */
/* flags: -Werror=int-conversion */

#include <aloop.h>

struct callee {
    ALOOP_FRAME;
    int *out;
};

ALOOP_CORO(callee)
{
    ALOOP_BEGIN;
    *self->out = 1;
    ALOOP_END;
}

struct caller {
    ALOOP_FRAME;
    int n;
};

ALOOP_CORO(caller)
{
    ALOOP_BEGIN;
#ifdef CONTROL
    ALOOP_TRY(aloop_call(callee, .out = &self->n));
#else
    ALOOP_TRY(aloop_call(callee, .out = self->n));
#endif
    ALOOP_END;
}

int main(void)
{
    return aloop_run(caller);
}
