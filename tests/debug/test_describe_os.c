/*
 * What waits for the system, jobs in threads, names, processes, and signals, says in a dump for
 * which.
 */
#include "describe_test.h"

#include "../os/os_test.h"

#include <fcntl.h>
#include <netdb.h>
#include <signal.h>

/* As many as take all threads of a lane, and more. */
#define GATES 8

static struct gate gate;

/* Threads to nobody else: all of them wait at the gate. */
static void occupy(struct os_state *self, aloop_task *tasks[GATES], aloop_op op)
{
    gate_init(&gate, 0);
    for (int i = 0; i < GATES; i++)
        tasks[i] = os_begin(self, op);
}

static void leave(struct os_state *self, aloop_task *tasks[GATES])
{
    for (int i = 0; i < GATES; i++)
        (void)sem_post(&gate.open);
    for (int i = 0; i < GATES; i++)
        (void)os_end(self, tasks[i]);
}

static void test_jobs(void **state)
{
    struct os_state *self = *state;
    aloop *loop = self->loop;
    aloop_task *task;
    char *said;
    char byte = 0;

    assert_int_equal(aloop_set_thread_limit(loop, 1), 0);
    gate_init(&gate, 0);
    task = await_prepared(loop, NULL, aloop_to_thread(pass_gate, &gate));
    gate_wait(&gate.begun);
    said = described(task);
    assert_string_equal(said, "to_thread, runs in a thread");
    free(said);
    check(loop, aloop_to_thread(pass_gate, &gate), "to_thread, waits for a thread");
    check(loop, aloop_to_thread_abandonable(pass_gate, &byte, 1, NULL),
          "to_thread_abandonable, waits for a thread");
    assert_int_equal(sem_post(&gate.open), 0);
    (void)os_end(self, task);
}

/* Of this one, reading waits at the gate. */
#define GATE_FD 76

static ssize_t gate_read(int fd, void *buffer, size_t size)
{
    return fd == GATE_FD ? (ssize_t)pass_gate(&gate) : sys_default.read(fd, buffer, size);
}

static void check_fds(aloop *loop, int fd, char *buffer, aloop_file_status *status)
{
    check(loop, aloop_file_read(fd, buffer, 1), "file_read on fd 77, waits for a thread");
    check(loop, aloop_file_write(fd, buffer, 1), "file_write on fd 77, waits for a thread");
    check(loop, aloop_file_pread(fd, buffer, 1, 0), "file_pread on fd 77, waits for a thread");
    check(loop, aloop_file_pwrite(fd, buffer, 1, 0), "file_pwrite on fd 77, waits for a thread");
    check(loop, aloop_file_fsync(fd), "file_fsync on fd 77, waits for a thread");
    check(loop, aloop_file_fdatasync(fd), "file_fdatasync on fd 77, waits for a thread");
    check(loop, aloop_file_ftruncate(fd, 0), "file_ftruncate on fd 77, waits for a thread");
    check(loop, aloop_file_fstat(fd, status), "file_fstat on fd 77, waits for a thread");
    check(loop, aloop_file_close(fd), "file_close on fd 77, waits for a thread");
}

static void check_paths(aloop *loop, char *buffer, aloop_file_status *status)
{
    aloop_directory directory;

    check(loop, aloop_file_open("/x", O_RDONLY, 0), "file_open, waits for a thread: /x");
    check(loop, aloop_file_read_whole("/x", buffer, 1), "file_read_whole, waits for a thread: /x");
    check(loop, aloop_file_stat("/x", status), "file_stat, waits for a thread: /x");
    check(loop, aloop_file_lstat("/x", status), "file_lstat, waits for a thread: /x");
    check(loop, aloop_file_rename("/x", "/y"), "file_rename, waits for a thread: /x");
    check(loop, aloop_file_unlink("/x"), "file_unlink, waits for a thread: /x");
    check(loop, aloop_file_mkdir("/x", 0), "file_mkdir, waits for a thread: /x");
    check(loop, aloop_file_rmdir("/x"), "file_rmdir, waits for a thread: /x");
    check(loop, aloop_directory_open("/x", &directory), "directory_open, waits for a thread: /x");
}

/* What would be one character too many is cut between two characters, and what is none, or gives
   orders to a terminal, is not passed on. */
static void check_long_paths(aloop *loop)
{
#define SAYS "file_unlink, waits for a thread: "
#define LONG "/0123456789/0123456789/0123456789"
    check(loop, aloop_file_unlink(LONG "/012345678"), SAYS LONG "/012345678");
    check(loop, aloop_file_unlink(LONG "/0123456789"), SAYS LONG "/012345...");
    check(loop, aloop_file_unlink(LONG "/0123\xC3\xA9\xC3\xA9\xC3\xA9"),
          SAYS LONG "/0123\xC3\xA9...");
    check(loop, aloop_file_unlink(LONG "/01234\xC3\xA9\xC3\xA9\xC3\xA9"),
          SAYS LONG "/01234...");
    check(loop, aloop_file_unlink("/a\033[2Jb\n"), SAYS "/a?[2Jb?");
#undef LONG
#undef SAYS
}

static void check_json(aloop *loop, const char *path, const char *expected)
{
    aloop_task *task = await_prepared(loop, NULL, aloop_file_unlink(path));
    struct text text;
    char *json;

    assert_int_equal(aloop_dump_as(loop, text_open(&text), ALOOP_DUMP_JSON), 0);
    json = text_close(&text);
    assert_non_null(strstr(json, expected));
    free(json);
    stop(task);
}

static void test_files(void **state)
{
    struct os_state *self = *state;
    aloop *loop = self->loop;
    aloop_task *tasks[GATES];
    aloop_directory directory;
    aloop_directory_entry entry;
    aloop_file_status status;
    char byte;

    assert_int_equal(os_result(self, aloop_directory_open("/", &directory)), 0);
    sys.read = gate_read;
    occupy(self, tasks, aloop_file_read(GATE_FD, &byte, 1));
    check_fds(loop, 77, &byte, &status);
    check_paths(loop, &byte, &status);
    check_long_paths(loop);
    check(loop, aloop_directory_next(&directory, &entry), "directory_next, waits for a thread");
    check_json(loop, "\"\\\033/\xC3\xA9/\xC3/\xED\xA0\x80",
               "waits for a thread: \\\"\\\\\\u001b/\xC3\xA9/\\ufffd/\\ufffd\\ufffd\\ufffd\"");
    leave(self, tasks);
    aloop_directory_close(&directory);
}

/* Nothing is looked up; what is numeric stays so. */
static int gate_lookup(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **out_list)
{
    if (hints->ai_flags & AI_NUMERICHOST)
        return sys_default.getaddrinfo(host, service, hints, out_list);
    (void)pass_gate(&gate);
    return -ALOOP_ENONAME;
}

static void test_names(void **state)
{
    struct os_state *self = *state;
    aloop *loop = self->loop;
    aloop_task *tasks[GATES];
    aloop_addresses found;
    aloop_address address;
    aloop_names names;
    aloop_socket socket;
    aloop_stream stream;

    sys.getaddrinfo = gate_lookup;
    assert_int_equal(aloop_address_ip(&address, "192.0.2.1", 80), 0);
    occupy(self, tasks, aloop_getaddrinfo("some.example", "80", NULL, &found));
    check(loop, aloop_getaddrinfo("a.example", "http", NULL, &found),
          "getaddrinfo, waits for a thread: a.example:http");
    check(loop, aloop_getaddrinfo("a.example", NULL, NULL, &found),
          "getaddrinfo, waits for a thread: a.example");
    check(loop, aloop_getnameinfo(&address, 0, &names),
          "getnameinfo, waits for a thread: 192.0.2.1:80");
    check(loop, aloop_open_connection("a.example", "80", NULL, &stream),
          "open_connection of getaddrinfo, waits for a thread: a.example:80");
    check(loop, aloop_connect_host("a.example", "80", NULL, &socket),
          "connect_host of getaddrinfo, waits for a thread: a.example:80");
    check(loop, aloop_datagram_connect("a.example", "80", NULL, &socket),
          "datagram_connect of getaddrinfo, waits for a thread: a.example:80");
    leave(self, tasks);
}

/* --- signals --- */

static aloop_signals signals;

static void open_signals(void)
{
    assert_int_equal(aloop_signals_open(&signals), 0);
    assert_int_equal(aloop_signals_add(&signals, SIGUSR1), 0);
    assert_int_equal(aloop_signals_add(&signals, SIGUSR2), 0);
}

static void test_signals(void **state)
{
    struct os_state *self = *state;
    char expected[64];

    check_number(self->loop, aloop_wait_signal(SIGUSR1), "wait_signal, signal ", SIGUSR1);
    (void)snprintf(expected, sizeof expected, "signals_next, signal %d, %d", SIGUSR1, SIGUSR2);
    check_prepared(self->loop, open_signals, aloop_signals_next(&signals), expected);
}

/* --- processes --- */

static void spawn(struct os_state *self, const char *command, aloop_process *process)
{
    aloop_process_options options = ALOOP_PROCESS_OPTIONS_INIT;
    char byte;

    options.out = ALOOP_PIPE;
    assert_int_equal(aloop_create_subprocess_shell(self->loop, command, &options, process), 0);
    assert_int_equal(os_result(self, aloop_stream_read(&process->out, &byte, 1)), 1);
}

static void assert_says(aloop_task *task, const char *format, long pid)
{
    char expected[96];
    char *said = described(task);

    (void)snprintf(expected, sizeof expected, format, pid);
    /* The rest is about how much time is left, which is the machine's. */
    said[strlen(expected) < strlen(said) ? strlen(expected) : strlen(said)] = '\0';
    assert_string_equal(said, expected);
    free(said);
}

static void end(aloop_task *task)
{
    while (!aloop_task_done(task))
        assert_true(aloop_run_once(aloop_task_loop(task), ALOOP_NEVER) >= 0);
    aloop_task_unref(task);
}

static void test_processes(void **state)
{
    struct os_state *self = *state;
    aloop *loop = self->loop;
    aloop_process process;
    aloop_task *task;

    spawn(self, "trap '' TERM; echo; exec sleep 1000", &process);
    check_number(loop, aloop_process_wait(&process, NULL), "process wait, pid ", process.pid);
    task = await_prepared(loop, NULL,
                          aloop_process_wait_or_stop(&process, ALOOP_SEC(1000000), NULL));
    assert_says(task, "process wait_or_stop, pid %ld", process.pid);
    assert_true(aloop_task_cancel(task));
    assert_true(aloop_run_once(loop, 0) >= 0);
    assert_says(task, "process wait_or_stop, pid %ld, asked to end", process.pid);
    assert_int_equal(aloop_process_kill(&process), 0);
    end(task);
    aloop_process_close(&process);

    spawn(self, "trap '' TERM; echo; exec sleep 1000", &process);
    task = await_prepared(loop, NULL, aloop_process_stop(&process, ALOOP_SEC(1000000), NULL));
    assert_says(task, "process stop, pid %ld, asked to end", process.pid);
    assert_int_equal(aloop_process_kill(&process), 0);
    end(task);
    aloop_process_close(&process);
}

/* First it waits for the pipes, and then for the end. */
static void test_conversations(void **state)
{
    struct os_state *self = *state;
    aloop_output output = {0};
    aloop_process process;
    aloop_task *task;
    char *said;

    spawn(self, "echo; exec >&-; exec sleep 1000", &process);
    task = await_prepared(self->loop, NULL,
                          aloop_process_communicate(&process, NULL, 0, &output));
    for (;;) {
        said = described(task);
        if (strncmp(said, "group", strlen("group")) != 0)
            break;
        free(said);
        assert_true(aloop_run_once(self->loop, ALOOP_NEVER) >= 0);
    }
    free(said);
    assert_says(task, "process wait, pid %ld", process.pid);
    assert_int_equal(aloop_process_kill(&process), 0);
    end(task);
    aloop_process_close(&process);
}

/* Children take their time. */
static int setup_with_clock(void **state)
{
    struct os_state *self;

    (void)os_setup(state);
    self = *state;
    aloop_unref(self->loop);
    os_open(self, ALOOP_CLOCK_MONOTONIC);
    return 0;
}

#define CLOCK_TEST(function)                                                                       \
    cmocka_unit_test_setup_teardown(function, setup_with_clock, os_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OS_TEST(test_jobs),         OS_TEST(test_files),
        OS_TEST(test_names),        OS_TEST(test_signals),
        CLOCK_TEST(test_processes), CLOCK_TEST(test_conversations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
