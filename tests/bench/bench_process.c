/*
 * A child from its start to the news of its end: /bin/true, one after the other, by a parent with
 * so many MiB in RAM. What a fork costs grows with that; what these do does not.
 */
#include "bench.h"
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#ifdef HAVE_LIBUV
#include <uv.h>
#endif

static const char *const program[] = {"/bin/true", NULL};

/* Written to, page by page, and kept. */
static void grow(size_t mebibytes)
{
    (void)bench_alloc(mebibytes << 20, 1);
}

struct spawner {
    ALOOP_FRAME;
    aloop_process process;
    uint64_t times;
    int code;
};

ALOOP_CORO(spawner)
{
    ALOOP_BEGIN;
    for (; self->times > 0; self->times--) {
        bench_check(aloop_create_subprocess_exec(NULL, program, NULL, &self->process) == 0,
                    "aloop_create_subprocess_exec");
        ALOOP_TRY(aloop_process_wait(&self->process, &self->code));
        bench_check(self->code == 0, "/bin/true");
        aloop_process_close(&self->process);
    }
    ALOOP_END;
}

static struct bench_figures run_aloop(const struct bench_work *work, uint64_t ops)
{
    aloop *loop = bench_make_loop();
    double start;

    grow(work->n);
    start = bench_wall_ns();
    bench_check(aloop_run_in(loop, spawner, .times = ops) == 0, "aloop_run_in");
    return (struct bench_figures){.value = (bench_wall_ns() - start) / 1e3 / (double)ops};
}

#ifdef HAVE_LIBUV

struct uv_spawner {
    uv_process_t process;
    uv_loop_t loop;
    uint64_t times;
};

static void uv_begin(struct uv_spawner *self);

static void uv_closed(uv_handle_t *handle)
{
    struct uv_spawner *self = handle->data;

    if (--self->times > 0)
        uv_begin(self);
}

static void uv_ended(uv_process_t *process, int64_t code, int signal_number)
{
    bench_check(code == 0 && signal_number == 0, "/bin/true");
    uv_close((uv_handle_t *)process, uv_closed);
}

static void uv_begin(struct uv_spawner *self)
{
    uv_process_options_t options = {
        .exit_cb = uv_ended, .file = program[0], .args = (char **)program};

    self->process.data = self;
    bench_check(uv_spawn(&self->loop, &self->process, &options) == 0, "uv_spawn");
}

static struct bench_figures run_libuv(const struct bench_work *work, uint64_t ops)
{
    static struct uv_spawner self;
    double start;

    grow(work->n);
    bench_check(uv_loop_init(&self.loop) == 0, "uv_loop_init");
    self.times = ops;
    start = bench_wall_ns();
    uv_begin(&self);
    uv_run(&self.loop, UV_RUN_DEFAULT);
    return (struct bench_figures){.value = (bench_wall_ns() - start) / 1e3 / (double)ops};
}

#endif

/* Without a loop: what the system takes. */
static struct bench_figures run_posix_spawn(const struct bench_work *work, uint64_t ops)
{
    char *const environment[] = {NULL};
    double start;

    grow(work->n);
    start = bench_wall_ns();
    for (uint64_t i = 0; i < ops; i++) {
        pid_t pid;
        int status;

        bench_check(
            posix_spawn(&pid, program[0], NULL, NULL, (char *const *)program, environment) == 0,
            "posix_spawn");
        bench_check(waitpid(pid, &status, 0) == pid && status == 0, "/bin/true");
    }
    return (struct bench_figures){.value = (bench_wall_ns() - start) / 1e3 / (double)ops};
}

static const struct bench_engine engines[] = {
    {"libaloop", run_aloop, 1},
#ifdef HAVE_LIBUV
    {"libuv", run_libuv, 1},
#endif
    {"posix_spawn, waitpid", run_posix_spawn, 1},
};

static const struct bench_work works[] = {
    {"process/1MB", BENCH_ENGINES(engines), .n = 1, .ops = 500},
    {"process/1GB", BENCH_ENGINES(engines), .n = 1024, .ops = 500},
};

int main(int argc, char **argv)
{
    const struct bench_suite suite = {
        .name = "process", .unit = "us for a child from its start to its end", BENCH_WORKS(works)};

    return bench_main(argc, argv, &suite);
}
