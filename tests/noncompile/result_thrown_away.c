/* expect: unused-result */
/* flags: -Werror=unused-result */

#include <aloop/base.h>

static ALOOP_CHECKED int fallible(void)
{
    return -1;
}

int caller(void);
int caller(void)
{
#ifdef CONTROL
    return fallible();
#else
    fallible();
    return 0;
#endif
}
