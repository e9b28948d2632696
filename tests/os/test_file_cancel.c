/* Files, cancelled at each point: nothing is under way when an await has returned, and no fd is
   lost. And the threads: files have their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "file_test.h"

#include <netdb.h>

#define FILE_THREADS 4
#define JOBS_MAX 256

static struct gate gate;

static ssize_t pread_at_gate(int fd, void *buffer, size_t size, int64_t offset)
{
    (void)pass_gate(&gate);
    return sys_default.pread(fd, buffer, size, offset);
}

static int open_at_gate(const char *path, int flags, unsigned mode)
{
    (void)pass_gate(&gate);
    return sys_default.open(path, flags, mode);
}

static int close_at_gate(int fd)
{
    (void)pass_gate(&gate);
    return sys_default.close(fd);
}

static int status_at_gate(int fd, const char *path, bool follow, aloop_file_status *out_status)
{
    (void)pass_gate(&gate);
    return sys_default.status(fd, path, follow, out_status);
}

static void open_gate(int times)
{
    while (times-- > 0)
        assert_int_equal(sem_post(&gate.open), 0);
}

/* Keeps all threads for files in a call that waits at the gate. */
static void occupy(struct os_state *self, aloop_task *tasks[FILE_THREADS],
                   aloop_file_status *status)
{
    gate_init(&gate, 0);
    sys.status = status_at_gate;
    for (int i = 0; i < FILE_THREADS; i++)
        tasks[i] = os_begin(self, aloop_file_stat("/", &status[i]));
    for (int i = 0; i < FILE_THREADS; i++)
        gate_wait(&gate.begun);
}

static void release(struct os_state *self, aloop_task *tasks[FILE_THREADS])
{
    open_gate(FILE_THREADS);
    for (int i = 0; i < FILE_THREADS; i++)
        assert_int_equal(os_end(self, tasks[i]), 0);
}

static void assert_said(const aloop_task *task, const char *expected)
{
    FILE *file = tmpfile();
    char said[512];
    size_t size;

    assert_non_null(file);
    assert_int_equal(aloop_dump_task((aloop_task *)task, file), 0);
    rewind(file);
    size = fread(said, 1, sizeof said - 1, file);
    said[size] = '\0';
    assert_int_equal(fclose(file), 0);
    assert_non_null(strstr(said, expected));
}

/* A dump tells where a job is: a slow disk, or too many who wait for it. */
static void a_dump_says_where_a_job_is(void **state)
{
    struct os_state *self = *state;
    static aloop_task *tasks[JOBS_MAX + 1];
    static aloop_file_status status[JOBS_MAX + 1];

    occupy(self, tasks, status);
    for (int i = FILE_THREADS; i <= JOBS_MAX; i++)
        tasks[i] = os_begin(self, aloop_file_stat("/", &status[i]));
    assert_said(tasks[0], "file_stat, runs in a thread");
    assert_said(tasks[FILE_THREADS], "file_stat, waits for a thread");
    assert_said(tasks[JOBS_MAX], "file_stat, has to wait until there are fewer jobs");
    open_gate(JOBS_MAX + 1);
    for (int i = 0; i <= JOBS_MAX; i++)
        assert_int_equal(os_end(self, tasks[i]), 0);
}

/* One that no thread has begun never is, and the await ends at once. */
static void dropped_in_the_queue(void **state)
{
    struct os_state *self = *state;
    aloop_task *busy[FILE_THREADS], *tasks[3];
    aloop_file_status status[FILE_THREADS];
    char buffer[4];

    make_file(self, "a", "abc");
    occupy(self, busy, status);
    tasks[0] = os_begin(self, aloop_file_unlink(in_folder(self, "a")));
    tasks[1] = os_begin(self, aloop_file_open(in_folder(self, "new"), O_CREAT | O_RDWR, 0600));
    tasks[2] = os_begin(self, aloop_file_read_whole(in_folder(self, "a"), buffer, 4));
    for (int i = 0; i < 3; i++) {
        assert_true(aloop_task_cancel(tasks[i]));
        assert_int_equal(os_end(self, tasks[i]), -ECANCELED);
    }
    assert_false(aloop_task_done(busy[0]));
    release(self, busy);
    assert_int_equal(access(in_folder(self, "a"), F_OK), 0);
    assert_int_equal(access(in_folder(self, "new"), F_OK), -1);
}

/* P90: one that runs is waited for. Under ASan, a read that went on into the buffer is a use after
   free. */
static void waited_for_while_it_runs(void **state)
{
    struct os_state *self = *state;
    char *buffer = malloc(3);
    aloop_task *task;
    int fd;

    make_file(self, "a", "abc");
    fd = open(in_folder(self, "a"), O_RDONLY);
    gate_init(&gate, 0);
    sys.pread = pread_at_gate;
    task = os_begin(self, aloop_file_pread(fd, buffer, 3, 0));
    gate_wait(&gate.begun);
    assert_true(aloop_task_cancel(task));
    os_turns(self, 3);
    assert_false(aloop_task_done(task));
    open_gate(1);
    assert_int_equal(os_end(self, task), -ECANCELED);
    free(buffer);
    assert_int_equal(close(fd), 0);
}

/* What an open that was cancelled has opened is closed. An open that was left to itself would lose
   it. */
static void a_cancelled_open_leaks_nothing(void **state)
{
    struct os_state *self = *state;
    int before = file_count_fds();
    aloop_task *task;

    make_file(self, "a", "abc");
    for (int turns = 0; turns < 4; turns++) {
        gate_init(&gate, 0);
        sys.open = open_at_gate;
        task = os_begin(self, aloop_file_open(in_folder(self, "a"), O_RDONLY, 0));
        gate_wait(&gate.begun);
        if (turns < 3) {
            assert_true(aloop_task_cancel(task));
            os_turns(self, turns);
        }
        open_gate(1);
        if (turns == 3) {
            /* It has ended, the loop has heard of it, and the task has not run yet. */
            while (file_count_fds() == before)
                sched_yield();
            assert_true(aloop_task_cancel(task));
        }
        assert_int_equal(os_end(self, task), -ECANCELED);
        assert_int_equal(file_count_fds(), before);
    }
    gate_init(&gate, 0);
    task = os_begin(self, aloop_wait_for(aloop_file_open(in_folder(self, "a"), O_RDONLY, 0),
                                         ALOOP_SEC(1)));
    gate_wait(&gate.begun);
    assert_true(aloop_task_cancel(task));
    open_gate(1);
    assert_int_equal(os_end(self, task), -ECANCELED);
    assert_int_equal(file_count_fds(), before);
}

/* A file that is to be closed is closed, however the await ends: in the queue, before there was
   room in it, and while it runs. */
static void a_cancelled_close_closes(void **state)
{
    struct os_state *self = *state;
    static aloop_task *tasks[JOBS_MAX];
    static aloop_file_status status[JOBS_MAX];
    aloop_task *task;
    int fd;

    fd = open(in_folder(self, "."), O_RDONLY);
    occupy(self, tasks, status);
    task = os_begin(self, aloop_file_close(fd));
    assert_true(fcntl(fd, F_GETFD) >= 0);
    assert_true(aloop_task_cancel(task));
    assert_int_equal(os_end(self, task), -ECANCELED);
    assert_int_equal(fcntl(fd, F_GETFD), -1);

    assert_int_equal(open(in_folder(self, "."), O_RDONLY), fd);
    for (int i = FILE_THREADS; i < JOBS_MAX; i++)
        tasks[i] = os_begin(self, aloop_file_stat("/", &status[i]));
    task = os_begin(self, aloop_file_close(fd));
    assert_true(aloop_task_cancel(task));
    assert_int_equal(os_end(self, task), -ECANCELED);
    assert_int_equal(fcntl(fd, F_GETFD), -1);

    /* Waiting for room, and then there is no memory for it. */
    assert_int_equal(open(in_folder(self, "."), O_RDONLY), fd);
    task = os_begin(self, aloop_file_close(fd));
    memory_probe_fail(&self->memory, 1, true);
    assert_true(aloop_task_cancel(tasks[JOBS_MAX - 1]));
    while (!aloop_task_done(task))
        os_turns(self, 1);
    memory_probe_fail(&self->memory, 0, false);
    assert_int_equal(os_end(self, task), -ENOMEM);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    open_gate(JOBS_MAX - 1);
    for (int i = 0; i < JOBS_MAX; i++)
        assert_int_equal(os_end(self, tasks[i]), i < JOBS_MAX - 1 ? 0 : -ECANCELED);

    assert_int_equal(open(in_folder(self, "."), O_RDONLY), fd);
    gate_init(&gate, 0);
    sys.close = close_at_gate;
    task = os_begin(self, aloop_file_close(fd));
    gate_wait(&gate.begun);
    assert_true(aloop_task_cancel(task));
    open_gate(1);
    assert_int_equal(os_end(self, task), -ECANCELED);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    sys.close = sys_default.close;
}

struct close_cancelled {
    ALOOP_FRAME;
    int fd;
};

ALOOP_CORO(close_cancelled)
{
    ALOOP_BEGIN;
    aloop_task_cancel(aloop_current_task());
    ALOOP_AWAIT(aloop_file_close(self->fd));
    assert_int_equal(self->result, -ECANCELED);
    assert_int_equal(fcntl(self->fd, F_GETFD), -1);
    /* Time that is up before it has begun. */
    self->fd = open("/dev/null", O_RDONLY);
    ALOOP_AWAIT(aloop_wait_for(aloop_file_close(self->fd), 0));
    assert_int_equal(self->result, -ETIMEDOUT);
    assert_int_equal(fcntl(self->fd, F_GETFD), -1);
    ALOOP_END;
}

/* Also if the await is not even begun, as the task was cancelled before: the fd would be lost. */
static void a_close_that_is_not_begun_closes(void **state)
{
    struct os_state *self = *state;

    int fd = open("/dev/null", O_RDONLY);

    assert_int_equal(aloop_run_in(self->loop, close_cancelled, .fd = fd), 0);
}

/* The same when the loop is closed over it, which waits for what runs. */
static void the_end_of_the_loop(void **state)
{
    struct os_state *self = *state;
    aloop_task *busy[FILE_THREADS], *task;
    static aloop_file_status status[FILE_THREADS];
    int fd = open(in_folder(self, "."), O_RDONLY);

    occupy(self, busy, status);
    task = os_begin(self, aloop_file_close(fd));
    aloop_task_unref(task);
    for (int i = 0; i < FILE_THREADS; i++)
        aloop_task_unref(busy[i]);
    open_gate(FILE_THREADS);
    aloop_close(self->loop);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_int_equal(atomic_load(&gate.passed), FILE_THREADS);
}

/* Files do not wait for computations, nor those for files, and names for neither. */
static int resolve_nothing(const char *host, const char *service, const struct addrinfo *hints,
                           struct addrinfo **out_list)
{
    (void)host;
    (void)service;
    (void)out_list;
    return hints->ai_flags & AI_NUMERICHOST ? -ALOOP_ENONAME : -ALOOP_ENAMEAGAIN;
}

static int64_t three(void *arg)
{
    (void)arg;
    return 3;
}

static void lanes_share_nothing(void **state)
{
    struct os_state *self = *state;
    aloop_task *busy[FILE_THREADS], *jobs[8];
    aloop_file_status status[FILE_THREADS];
    aloop_addresses addresses;
    struct gate slow;
    char byte;

    /* As many as there may be. */
    gate_init(&slow, 1);
    for (int i = 0; i < 8; i++)
        jobs[i] = os_begin(self, aloop_to_thread(pass_gate, &slow));
    for (int i = 0; i < 8; i++)
        gate_wait(&slow.begun);
    assert_int_equal(os_result(self, aloop_file_read_whole(in_folder(self, "."), &byte, 1)),
                     -EISDIR);
    for (int i = 0; i < 8; i++)
        assert_int_equal(sem_post(&slow.open), 0);
    for (int i = 0; i < 8; i++)
        assert_int_equal(os_end(self, jobs[i]), 1);
    occupy(self, busy, status);
    assert_int_equal(os_result(self, aloop_to_thread(three, NULL)), 3);
    sys.getaddrinfo = resolve_nothing;
    assert_int_equal(os_result(self, aloop_getaddrinfo("name", NULL, NULL, &addresses)),
                     -ALOOP_ENAMEAGAIN);
    release(self, busy);
}

static void no_more_threads_than_that(void **state)
{
    struct os_state *self = *state;
    aloop_task *tasks[2 * FILE_THREADS];
    aloop_file_status status[2 * FILE_THREADS];

    fault_install();
    occupy(self, tasks, status);
    for (int i = FILE_THREADS; i < 2 * FILE_THREADS; i++)
        tasks[i] = os_begin(self, aloop_file_stat("/", &status[i]));
    assert_int_equal(fault_count(FAULT_THREAD_CREATE), FILE_THREADS);
    open_gate(2 * FILE_THREADS);
    for (int i = 0; i < 2 * FILE_THREADS; i++)
        assert_int_equal(os_end(self, tasks[i]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILE_TEST(dropped_in_the_queue),           FILE_TEST(waited_for_while_it_runs),
        FILE_TEST(a_cancelled_open_leaks_nothing), FILE_TEST(a_cancelled_close_closes),
        FILE_TEST(the_end_of_the_loop),            FILE_TEST(lanes_share_nothing),
        FILE_TEST(no_more_threads_than_that),      FILE_TEST(a_close_that_is_not_begun_closes),
        FILE_TEST(a_dump_says_where_a_job_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
