#include "asyncio.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the child. Its complaints are of no interest: it fails, and the table says so. */
static void become_python(const struct bench_work *work, uint64_t ops, int out)
{
    int null = open("/dev/null", O_RDWR);
    char n[24], times[24];

    snprintf(n, sizeof n, "%zu", work->n);
    snprintf(times, sizeof times, "%" PRIu64, ops);
    dup2(null, 0);
    dup2(out, 1);
    dup2(null, 2);
    execlp("python3", "python3", ASYNCIO_WORKS, work->name, n, times, (char *)NULL);
    _exit(127);
}

struct bench_figures bench_asyncio(const struct bench_work *work, uint64_t ops)
{
    struct bench_figures figures = {.value = BENCH_ABSENT};
    int ends[2], status;
    FILE *out;
    pid_t pid;

    bench_check(pipe(ends) == 0, "pipe");
    pid = fork();
    bench_check(pid >= 0, "fork");
    if (pid == 0)
        become_python(work, ops, ends[1]);
    close(ends[1]);
    out = fdopen(ends[0], "r");
    bench_check(out != NULL, "fdopen");
    if (fscanf(out, "%lf", &figures.value) != 1)
        figures.value = BENCH_ABSENT;
    fclose(out);
    bench_check(waitpid(pid, &status, 0) == pid, "waitpid");
    bench_check(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 127),
                ASYNCIO_WORKS);
    return figures;
}
