/* expect: no member named .count|field designator .count. does not refer to any field */

#include <aloop.h>

struct callee {
    ALOOP_FRAME;
    int amount;
};

ALOOP_CORO(callee)
{
    ALOOP_BEGIN;
    ALOOP_RETURN(self->amount);
    ALOOP_END;
}

struct caller {
    ALOOP_FRAME;
};

ALOOP_CORO(caller)
{
    ALOOP_BEGIN;
#ifdef CONTROL
    ALOOP_TRY(aloop_call(callee, .amount = 3));
#else
    ALOOP_TRY(aloop_call(callee, .count = 3));
#endif
    ALOOP_END;
}

int main(void)
{
    return aloop_run(caller);
}
