/* Directories: every name once, many a job, and nothing lost by errors or cancelling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "file_test.h"

#define MANY 700

static void open_directory(struct os_state *self, aloop_directory *directory)
{
    assert_int_equal(os_result(self, aloop_directory_open(in_folder(self, "."), directory)), 0);
}

static void make_many(const struct os_state *self)
{
    char name[32];

    for (int i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof name, "file-%d", i);
        make_file(self, name, "");
    }
}

/* Marks what is found, each once. */
static void note(bool found[MANY], const aloop_directory_entry *entry)
{
    int number;

    assert_int_equal(sscanf(entry->name, "file-%d", &number), 1);
    assert_in_range(number, 0, MANY - 1);
    assert_false(found[number]);
    found[number] = true;
    if (entry->type != 0)
        assert_true(S_ISREG(entry->type));
}

static void each_name_once(void **state)
{
    struct os_state *self = *state;
    aloop_directory directory;
    aloop_directory_entry entry;
    bool found[MANY] = {false};

    make_many(self);
    open_directory(self, &directory);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(os_result(self, aloop_directory_next(&directory, &entry)), 1);
        note(found, &entry);
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(os_result(self, aloop_directory_next(&directory, &entry)), 0);
    aloop_directory_close(&directory);
    aloop_directory_close(&directory);
    assert_int_equal(os_result(self, aloop_directory_next(&directory, &entry)), -EBADF);
}

static void empty_and_missing(void **state)
{
    struct os_state *self = *state;
    aloop_directory directory = {NULL};
    aloop_directory_entry entry;

    open_directory(self, &directory);
    assert_int_equal(os_result(self, aloop_directory_next(&directory, &entry)), 0);
    aloop_directory_close(&directory);
    assert_int_equal(os_result(self, aloop_directory_open(in_folder(self, "x"), &directory)),
                     -ENOENT);
    make_file(self, "a", "");
    assert_int_equal(os_result(self, aloop_directory_open(in_folder(self, "a"), &directory)),
                     -ENOTDIR);
    assert_null(directory.reader);
}

static void types_are_told(void **state)
{
    struct os_state *self = *state;
    aloop_directory directory;
    aloop_directory_entry entry;

    assert_int_equal(mkdir(in_folder(self, "d"), 0700), 0);
    open_directory(self, &directory);
    assert_int_equal(os_result(self, aloop_directory_next(&directory, &entry)), 1);
    assert_string_equal(entry.name, "d");
    assert_true(entry.type == 0 || S_ISDIR(entry.type));
    aloop_directory_close(&directory);
    assert_int_equal(rmdir(in_folder(self, "d")), 0);
}

/* A job reads many: the awaits behind the first find what it has read, and do not even wait. */
static void one_job_for_many(void **state)
{
    struct os_state *self = *state;
    aloop_directory directory;
    aloop_directory_entry entry;
    unsigned read, jobs = 0;

    make_many(self);
    fault_install();
    open_directory(self, &directory);
    for (int i = 0; i <= MANY; i++) {
        read = fault_count(FAULT_DIRECTORY_NEXT);
        assert_int_equal(os_result(self, aloop_directory_next(&directory, &entry)), i < MANY);
        jobs += fault_count(FAULT_DIRECTORY_NEXT) != read;
    }
    assert_int_equal(fault_count(FAULT_DIRECTORY_NEXT), MANY + 1);
    assert_in_range(jobs, 1, 3);
    aloop_directory_close(&directory);
}

/* An error comes behind what was read before it, once, and reading may go on. */
static void errors_are_told_in_their_place(void **state)
{
    struct os_state *self = *state;
    aloop_directory directory;
    aloop_directory_entry entry;
    bool found[MANY] = {false};
    int count = 0;
    int64_t outcome;

    make_many(self);
    fault_install();
    open_directory(self, &directory);
    fault_fail(FAULT_DIRECTORY_NEXT, 11, -EIO);
    while ((outcome = os_result(self, aloop_directory_next(&directory, &entry))) != 0) {
        if (count++ == 10) {
            assert_int_equal(outcome, -EIO);
            continue;
        }
        assert_int_equal(outcome, 1);
        note(found, &entry);
    }
    assert_int_equal(count, MANY + 1);
    aloop_directory_close(&directory);
}

static char long_name[1100];
static int long_names_given;

static int next_with_a_long_name(void *directory, const char **out_name, unsigned *out_type)
{
    if (long_names_given++ != 1)
        return sys_default.directory_next(directory, out_name, out_type);
    *out_name = long_name;
    *out_type = 0;
    return 1;
}

static void a_name_that_is_too_long_is_passed_over(void **state)
{
    struct os_state *self = *state;
    aloop_directory directory;
    aloop_directory_entry entry;

    memset(long_name, 'x', sizeof long_name - 1);
    long_names_given = 0;
    make_file(self, "a", "");
    make_file(self, "b", "");
    sys.directory_next = next_with_a_long_name;
    open_directory(self, &directory);
    assert_int_equal(os_result(self, aloop_directory_next(&directory, &entry)), 1);
    assert_int_equal(os_result(self, aloop_directory_next(&directory, &entry)), -ENAMETOOLONG);
    assert_int_equal(os_result(self, aloop_directory_next(&directory, &entry)), 1);
    assert_int_equal(os_result(self, aloop_directory_next(&directory, &entry)), 0);
    /* The longest that is not. */
    aloop_directory_close(&directory);
    long_name[1023] = '\0';
    long_names_given = 0;
    open_directory(self, &directory);
    assert_int_equal(os_result(self, aloop_directory_next(&directory, &entry)), 1);
    assert_int_equal(os_result(self, aloop_directory_next(&directory, &entry)), 1);
    assert_string_equal(entry.name, long_name);
    aloop_directory_close(&directory);
}

/* --- while it is read --- */

static struct gate gate;

static int next_at_gate(void *directory, const char **out_name, unsigned *out_type)
{
    (void)pass_gate(&gate);
    return sys_default.directory_next(directory, out_name, out_type);
}

static int open_at_gate(const char *path, void **out_directory)
{
    (void)pass_gate(&gate);
    return sys_default.directory_open(path, out_directory);
}

static void let_pass(int times)
{
    while (times-- > 0)
        assert_int_equal(sem_post(&gate.open), 0);
}

/* What was read for one who was cancelled is the next one's. P108 */
static void a_cancelled_next_loses_nothing(void **state)
{
    struct os_state *self = *state;
    aloop_directory directory;
    aloop_directory_entry entry;
    aloop_task *task;

    make_file(self, "a", "");
    make_file(self, "b", "");
    gate_init(&gate, 0);
    sys.directory_next = next_at_gate;
    open_directory(self, &directory);
    task = os_begin(self, aloop_directory_next(&directory, &entry));
    gate_wait(&gate.begun);
    /* One at a time. */
    assert_int_equal(os_result(self, aloop_directory_next(&directory, &entry)), -EBUSY);
    assert_true(aloop_task_cancel(task));
    let_pass(3);
    assert_int_equal(os_end(self, task), -ECANCELED);
    for (int i = 0; i < 2; i++)
        assert_int_equal(os_result(self, aloop_directory_next(&directory, &entry)), 1);
    assert_int_equal(os_result(self, aloop_directory_next(&directory, &entry)), 0);
    aloop_directory_close(&directory);
}

/* Closed under one who reads: what it uses stays until it has ended. Under ASan, an early close is
   a use after free. */
static void closed_while_it_is_read(void **state)
{
    struct os_state *self = *state;
    aloop_directory directory;
    aloop_directory_entry entry;
    aloop_task *task;

    for (int is_cancelled = 0; is_cancelled < 2; is_cancelled++) {
        gate_init(&gate, 0);
        sys.directory_next = next_at_gate;
        open_directory(self, &directory);
        task = os_begin(self, aloop_directory_next(&directory, &entry));
        gate_wait(&gate.begun);
        if (is_cancelled)
            assert_true(aloop_task_cancel(task));
        aloop_directory_close(&directory);
        let_pass(1);
        assert_int_equal(os_end(self, task), is_cancelled ? -ECANCELED : -EBADF);
    }
}

/* A directory that was opened for nobody is closed. */
static void a_cancelled_open_leaks_nothing(void **state)
{
    struct os_state *self = *state;
    aloop_directory directory = {NULL};
    aloop_task *task;

    gate_init(&gate, 0);
    sys.directory_open = open_at_gate;
    task = os_begin(self, aloop_directory_open(in_folder(self, "."), &directory));
    gate_wait(&gate.begun);
    assert_true(aloop_task_cancel(task));
    let_pass(1);
    assert_int_equal(os_end(self, task), -ECANCELED);
    assert_null(directory.reader);
    /* Nor without the memory to hand it out. */
    task = os_begin(self, aloop_directory_open(in_folder(self, "."), &directory));
    memory_probe_fail(&self->memory, 1, true);
    let_pass(1);
    assert_int_equal(os_end(self, task), -ENOMEM);
    memory_probe_fail(&self->memory, 0, false);
    assert_null(directory.reader);
}

/* P119: no memory or no thread for the job, and the next one goes on as if nothing had been. */
static void without_memory_or_threads(void **state)
{
    struct os_state *self = *state;
    aloop_directory directory;
    aloop_directory_entry entry;
    aloop_task *task;

    make_file(self, "a", "");
    open_directory(self, &directory);
    task = aloop_create_task_in(self->loop, os_await,
                                .op = aloop_directory_next(&directory, &entry));
    memory_probe_fail(&self->memory, 1, true);
    assert_int_equal(os_end(self, task), -ENOMEM);
    memory_probe_fail(&self->memory, 0, false);
    assert_int_equal(os_result(self, aloop_directory_next(&directory, &entry)), 1);
    assert_string_equal(entry.name, "a");
    aloop_directory_close(&directory);
}

static void of_one_loop(void **state)
{
    struct os_state *self = *state;
    struct os_state other = {.loop = NULL};
    aloop_directory directory;
    aloop_directory_entry entry;

    make_file(self, "a", "");
    open_directory(self, &directory);
    os_open(&other, ALOOP_CLOCK_VIRTUAL);
    assert_int_equal(os_result(&other, aloop_directory_next(&directory, &entry)),
                     -ALOOP_EWRONGLOOP);
    aloop_unref(other.loop);
    assert_int_equal(os_result(self, aloop_directory_next(&directory, &entry)), 1);
    aloop_directory_close(&directory);
}

/* The loop is closed before the directory is: its memory stays for that long. */
static void closed_after_its_loop(void **state)
{
    struct os_state *self = *state;
    aloop_directory directory;
    aloop_directory_entry entry;

    make_file(self, "a", "");
    open_directory(self, &directory);
    assert_int_equal(os_result(self, aloop_directory_next(&directory, &entry)), 1);
    aloop_close(self->loop);
    assert_string_equal(entry.name, "a");
    aloop_directory_close(&directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILE_TEST(each_name_once),
        FILE_TEST(empty_and_missing),
        FILE_TEST(types_are_told),
        FILE_TEST(one_job_for_many),
        FILE_TEST(errors_are_told_in_their_place),
        FILE_TEST(a_name_that_is_too_long_is_passed_over),
        FILE_TEST(a_cancelled_next_loses_nothing),
        FILE_TEST(closed_while_it_is_read),
        FILE_TEST(a_cancelled_open_leaks_nothing),
        FILE_TEST(without_memory_or_threads),
        FILE_TEST(of_one_loop),
        FILE_TEST(closed_after_its_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
