/* A stranger's program: says with which version it was compiled, and with which it runs. */
#include <aloop/base.h>
#include <stdio.h>

int main(void)
{
    printf("%d.%d.%d %s\n", ALOOP_VERSION_MAJOR, ALOOP_VERSION_MINOR, ALOOP_VERSION_PATCH,
           aloop_version());
    return aloop_strerror(-ALOOP_EEOF) == NULL;
}
