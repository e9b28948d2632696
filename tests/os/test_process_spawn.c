/*
 * Starting programs: what they are, what they get, and what is said if they cannot be started.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "process_test.h"

#define ARGV(...) ((const char *[]){__VA_ARGS__, NULL})

/* Starts this very program as a child, whose output is what it tells about itself. */
static int start_self(const char *what, aloop_process_options options, aloop_process *out_process)
{
    options.in = ALOOP_DEVNULL;
    options.out = ALOOP_PIPE;
    options.executable = process_self;
    return aloop_create_subprocess_exec(NULL, ARGV("child", what), &options, out_process);
}

#define EXPECT_SELF(what, options, text)                                                           \
    do {                                                                                           \
        assert_int_equal(start_self((what), (options), &self->process), 0);                        \
        ALOOP_TRY(aloop_process_communicate(&self->process, NULL, 0, &self->output));              \
        assert_int_equal(self->output.returncode, 0);                                              \
        EXPECT_OUTPUT(text);                                                                       \
        aloop_process_close(&self->process);                                                       \
    } while (0)

#define EXPECT_SHELL(command, options, text)                                                       \
    do {                                                                                           \
        assert_int_equal(process_shell_of((command), &(options), &self->process), 0);              \
        ALOOP_TRY(aloop_process_communicate(&self->process, NULL, 0, &self->output));              \
        EXPECT_OUTPUT(text);                                                                       \
        aloop_process_close(&self->process);                                                       \
    } while (0)

/* --- the standard fds --- */

PROCESS_CORO(standard_fds)
{
    ALOOP_BEGIN;
    self->options = process_options(ALOOP_PIPE, ALOOP_PIPE, ALOOP_PIPE);
    assert_int_equal(process_shell_of("cat; echo two >&2", &self->options, &self->process), 0);
    ALOOP_TRY(aloop_process_communicate(&self->process, "one", 3, &self->output));
    EXPECT_OUTPUT("one");
    assert_int_equal(self->output.err.size, 4);
    assert_memory_equal(self->output.err.data, "two\n", 4);
    aloop_process_close(&self->process);

    self->options = process_options(ALOOP_DEVNULL, ALOOP_PIPE, ALOOP_STDOUT);
    EXPECT_SHELL("echo one; echo two >&2; cat", self->options, "one\ntwo\n");
    self->options = process_options(ALOOP_DEVNULL, ALOOP_PIPE, ALOOP_DEVNULL);
    EXPECT_SHELL("echo one >&2; cat; echo two", self->options, "two\n");
    ALOOP_END;
}

PROCESS_RUN(standard_fds)

/* A given fd stays the program's. */
PROCESS_CORO(given_fds)
{
    ALOOP_BEGIN;
    self->options = process_options(ALOOP_INHERIT, ALOOP_INHERIT, ALOOP_INHERIT);
    assert_int_equal(pipe(self->fds), 0);
    self->options.in = ALOOP_DEVNULL;
    self->options.out = self->options.err = self->fds[1];
    assert_int_equal(process_shell_of("echo one; echo two >&2", &self->options, &self->process), 0);
    assert_false(aloop_stream_is_open(&self->process.out));
    ALOOP_TRY(aloop_process_wait(&self->process, &self->code));
    assert_int_equal(self->code, 0);
    close(self->fds[1]);
    assert_int_equal(aloop_stream_open_fd(NULL, self->fds[0], NULL, &self->stream), 0);
    ALOOP_TRY(aloop_stream_read_to_end(&self->stream, 100, &self->slice));
    EXPECT(8);
    assert_memory_equal(self->slice.data, "one\ntwo\n", 8);
    aloop_stream_close(&self->stream);
    aloop_process_close(&self->process);
    ALOOP_END;
}

PROCESS_RUN(given_fds)

/* Two pipes change places: each number is where the other one is to go. */
PROCESS_CORO(permutation)
{
    ALOOP_BEGIN;
    self->options = process_options(ALOOP_DEVNULL, ALOOP_PIPE, ALOOP_INHERIT);
    assert_int_equal(pipe(self->fds), 0);
    assert_int_equal(pipe(self->codes), 0);
    assert_int_equal(write(self->fds[1], "first\n", 6), 6);
    assert_int_equal(write(self->codes[1], "second\n", 7), 7);
    assert_true(self->fds[0] < 10 && self->codes[0] < 10);
    self->maps[0] = (aloop_process_fd){.child = self->codes[0], .parent = self->fds[0]};
    self->maps[1] = (aloop_process_fd){.child = self->fds[0], .parent = self->codes[0]};
    /* And one to two places, one of them far away. */
    self->maps[2] = (aloop_process_fd){.child = 60, .parent = self->codes[0]};
    self->options.fds = self->maps;
    self->options.fd_count = 3;
    {
        char command[100];

        snprintf(command, sizeof command, "read a <&%d; read b <&%d; echo $a $b", self->codes[0],
                 self->fds[0]);
        EXPECT_SHELL(command, self->options, "first second\n");
    }
    for (self->i = 0; self->i < 2; self->i++) {
        close(self->fds[self->i]);
        close(self->codes[self->i]);
    }
    ALOOP_END;
}

PROCESS_RUN(permutation)

/* A program without standard fds of its own: what is opened for the child has their numbers here,
   and may have the very one that it is to have there. */
PROCESS_CORO(none_of_its_own)
{
    ALOOP_BEGIN;
    /* What the loop opens for its first child and keeps is not to be among them. */
    self->options = process_options(ALOOP_INHERIT, ALOOP_PIPE, ALOOP_DEVNULL);
    EXPECT_SHELL("echo a", self->options, "a\n");
    self->options.out = ALOOP_INHERIT;
    for (self->i = 0; self->i < 3; self->i++) {
        self->codes[self->i] = fcntl(self->i, F_DUPFD_CLOEXEC, 100);
        close(self->i);
    }
    self->codes[3] = process_shell_of("exec true >&2", &self->options, &self->process);
    ALOOP_AWAIT(aloop_process_wait(&self->process, &self->code));
    for (self->i = 0; self->i < 3; self->i++) {
        dup2(self->codes[self->i], self->i);
        close(self->codes[self->i]);
    }
    assert_int_equal(self->codes[3], 0);
    EXPECT(0);
    assert_int_equal(self->code, 0);
    aloop_process_close(&self->process);
    ALOOP_END;
}

PROCESS_RUN(none_of_its_own)

/* The child's standard fds by way of the table: input and output change places with each other. */
PROCESS_CORO(standard_by_table)
{
    ALOOP_BEGIN;
    self->options = process_options(ALOOP_INHERIT, ALOOP_INHERIT, ALOOP_INHERIT);
    assert_int_equal(pipe(self->fds), 0);
    self->maps[0] = (aloop_process_fd){.child = 1, .parent = self->fds[1]};
    self->maps[1] = (aloop_process_fd){.child = 0, .parent = self->fds[0]};
    self->options.fds = self->maps;
    self->options.fd_count = 2;
    self->options.err = ALOOP_STDOUT;
    assert_int_equal(
        process_shell_of("echo one >&2; read a; test $a = one", &self->options, &self->process), 0);
    ALOOP_TRY(aloop_process_wait(&self->process, &self->code));
    assert_int_equal(self->code, 0);
    /* No number twice. */
    self->options.out = ALOOP_DEVNULL;
    self->maps[0].child = 1;
    self->options.fds = self->maps;
    self->options.fd_count = 1;
    assert_int_equal(process_shell_of("true", &self->options, &self->other), -EINVAL);
    aloop_process_close(&self->process);
    close(self->fds[0]);
    close(self->fds[1]);
    ALOOP_END;
}

PROCESS_RUN(standard_by_table)

/* The child gets what it was given and nothing else: not even what the program, or another library
   in it, has opened without close-on-exec. */
PROCESS_CORO(nothing_else)
{
    ALOOP_BEGIN;
    self->options = process_options(ALOOP_INHERIT, ALOOP_INHERIT, ALOOP_INHERIT);
    /* Far up, and in between. */
    self->fds[0] = dup2(1, 200);
    self->fds[1] = dup2(1, 35);
    EXPECT_SELF("fds", self->options, "0 1 2 ");
    self->maps[0] = (aloop_process_fd){.child = 40, .parent = 1};
    self->options.fds = self->maps;
    self->options.fd_count = 1;
    EXPECT_SELF("fds", self->options, "0 1 2 40 ");
    self->options.keep_fds = true;
    self->options.fds = self->maps;
    /* Right behind the last that is mapped, where the child's errors would be reported else. */
    dup2(1, 41);
    assert_int_equal(start_self("fds", self->options, &self->process), 0);
    ALOOP_TRY(aloop_process_communicate(&self->process, NULL, 0, &self->output));
    assert_non_null(strstr(self->output.out.data, " 35 40 41 "));
    aloop_process_close(&self->process);
    close(41);
    close(200);
    close(35);
    ALOOP_END;
}

PROCESS_RUN(nothing_else)

/* Fds that a program would get that somebody else starts. */
static int count_inherited(void)
{
    int count = 0;

    for (int fd = 0; fd < 1024; fd++) {
        int flags = fcntl(fd, F_GETFD);

        count += flags >= 0 && !(flags & FD_CLOEXEC);
    }
    return count;
}

/* P107: what the library opens for a child is close-on-exec: a program that another library starts
   would hold our pipes open for as long as it lives, and their ends would never be seen. */
PROCESS_CORO(own_fds)
{
    ALOOP_BEGIN;
    self->options = process_options(ALOOP_PIPE, ALOOP_PIPE, ALOOP_PIPE);
    self->i = count_inherited();
    assert_int_equal(process_exec_of("cat", &self->options, &self->process), 0);
    assert_int_equal(count_inherited(), self->i);
    ALOOP_TRY(aloop_process_stop(&self->process, ALOOP_SEC(10), NULL));
    aloop_process_close(&self->process);
    ALOOP_END;
}

PROCESS_RUN(own_fds)

/* --- what else it gets --- */

PROCESS_CORO(environment)
{
    ALOOP_BEGIN;
    self->options = process_options(ALOOP_DEVNULL, ALOOP_PIPE, ALOOP_INHERIT);
    setenv("ALOOP_TEST", "one", 1);
    EXPECT_SHELL("echo $ALOOP_TEST", self->options, "one\n");
    self->options.env = ARGV("ALOOP_TEST=two");
    EXPECT_SHELL("echo $ALOOP_TEST", self->options, "two\n");
    /* PATH is the child's: an empty place in it is the current directory. */
    self->options = process_options(ALOOP_DEVNULL, ALOOP_DEVNULL, ALOOP_DEVNULL);
    self->options.env = ARGV("PATH=/nowhere");
    assert_int_equal(process_exec_of("true", &self->options, &self->process), -ENOENT);
    self->options.env = ARGV("PATH=/nowhere:");
    self->options.cwd = "/bin";
    assert_int_equal(process_exec_of("true", &self->options, &self->process), 0);
    ALOOP_TRY(aloop_process_wait(&self->process, &self->code));
    assert_int_equal(self->code, 0);
    aloop_process_close(&self->process);
    /* Without any, there are the usual places. */
    self->options = process_options(ALOOP_DEVNULL, ALOOP_DEVNULL, ALOOP_DEVNULL);
    self->options.env = (const char *[]){NULL};
    assert_int_equal(process_exec_of("true", &self->options, &self->process), 0);
    ALOOP_TRY(aloop_process_wait(&self->process, &self->code));
    aloop_process_close(&self->process);
    ALOOP_END;
}

PROCESS_RUN(environment)

PROCESS_CORO(place)
{
    ALOOP_BEGIN;
    self->options = process_options(ALOOP_INHERIT, ALOOP_INHERIT, ALOOP_INHERIT);
    self->options.cwd = "/";
    self->options.umask = 077;
    EXPECT_SELF("place", self->options, "- - 77 /");
    self->options.cwd = "/";
    self->options.umask = 0;
    self->options.process_group = 0;
    EXPECT_SELF("place", self->options, "- leader 0 /");
    self->options.cwd = "/";
    self->options.umask = 0;
    self->options.process_group = -1;
    self->options.new_session = true;
    EXPECT_SELF("place", self->options, "session leader 0 /");
    ALOOP_END;
}

PROCESS_RUN(place)

/* A second child joins the group of the first. */
PROCESS_CORO(join_group)
{
    ALOOP_BEGIN;
    self->options = process_options(ALOOP_PIPE, ALOOP_DEVNULL, ALOOP_INHERIT);
    self->options.process_group = 0;
    assert_int_equal(process_exec_of("cat", &self->options, &self->process), 0);
    self->options.process_group = self->process.pid;
    assert_int_equal(process_exec_of("cat", &self->options, &self->other), 0);
    assert_int_equal(getpgid(self->other.pid), self->process.pid);
    assert_int_equal(aloop_process_send_signal_to_group(&self->other, SIGHUP), -EINVAL);
    assert_int_equal(aloop_process_send_signal_to_group(&self->process, SIGHUP), 0);
    ALOOP_TRY(aloop_process_wait(&self->process, &self->codes[0]));
    ALOOP_TRY(aloop_process_wait(&self->other, &self->codes[1]));
    assert_int_equal(self->codes[0], -SIGHUP);
    assert_int_equal(self->codes[1], -SIGHUP);
    aloop_process_close(&self->process);
    aloop_process_close(&self->other);
    ALOOP_END;
}

PROCESS_RUN(join_group)

/* P104: the parent's mask and its dispositions are not the child's. A child that ignores SIGPIPE,
   or has SIGTERM blocked, since its parent happened to, cannot be ended by them. */
PROCESS_CORO(signals)
{
    ALOOP_BEGIN;
    self->options = process_options(ALOOP_INHERIT, ALOOP_INHERIT, ALOOP_INHERIT);
    EXPECT_SELF("signals", self->options, "");
    ALOOP_END;
}

static void test_signals(void **state)
{
    struct process_state *self = *state;
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    sigset_t blocked, mask, after;

    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, &mask);
    sigaction(SIGPIPE, &ignore, &before);
    assert_int_equal(aloop_run_in(self->loop, signals, .state = self), 0);
    /* And the parent has what it had. */
    sigprocmask(SIG_SETMASK, &mask, &after);
    assert_int_equal(sigismember(&after, SIGTERM), 1);
    assert_int_equal(sigismember(&after, SIGUSR2), 0);
    sigaction(SIGPIPE, &before, &ignore);
    assert_true(ignore.sa_handler == SIG_IGN);
}

/* Another user: where we may, the child is that user and in none of our groups; where we may not,
   the call says so. */
PROCESS_CORO(user)
{
    ALOOP_BEGIN;
    self->options = process_options(ALOOP_DEVNULL, ALOOP_PIPE, ALOOP_INHERIT);
    self->options.uid = 65534;
    self->options.gid = 65534;
    self->options.cwd = "/";
    if (getuid() == 0) {
        EXPECT_SHELL("id -u; id -G", self->options, "65534\n65534\n");
    } else {
        assert_int_equal(process_shell_of("true", &self->options, &self->process), -EPERM);
    }
    self->options = process_options(ALOOP_DEVNULL, ALOOP_PIPE, ALOOP_INHERIT);
    self->options.uid = 65534;
    self->options.gid = 65534;
    self->options.groups = (const gid_t[]){65534, 7};
    self->options.group_count = 2;
    self->options.cwd = "/";
    if (getuid() == 0)
        EXPECT_SHELL("id -G", self->options, "65534 7\n");
    ALOOP_END;
}

PROCESS_RUN(user)

/* --- what cannot be started --- */

/* A file with that content, executable. */
static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    chmod(path, 0700);
}

static int try_exec(const char *name, aloop_process_options options)
{
    aloop_process process = {.pid = 77};
    int error;

    options.in = options.out = options.err = ALOOP_PIPE;
    error = aloop_create_subprocess_exec(NULL, ARGV(name), &options, &process);
    /* Written on success only. */
    assert_int_equal(process.pid, 77);
    return error;
}

static aloop_process_options in_folder(const char *cwd)
{
    aloop_process_options options = ALOOP_PROCESS_OPTIONS_INIT;

    options.cwd = cwd;
    return options;
}

/* The errors of exec, and of what comes before it, are those of the call. S192: each pipe end is
   closed then (which the end of the test sees to), and nothing is left to be waited for. */
PROCESS_CORO(errors)
{
    char folder[] = "/tmp/aloop-test-XXXXXX";
    char path[64], env[64];
    aloop_process_options none = ALOOP_PROCESS_OPTIONS_INIT;
    aloop_process_options options = none;
    aloop_process_fd closed = {.child = 5, .parent = 900};

    ALOOP_BEGIN;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(try_exec("no-such-program", none), -ENOENT);
    assert_int_equal(try_exec("/no/such/program", none), -ENOENT);
    assert_int_equal(try_exec("", none), -ENOENT);
    assert_int_equal(try_exec("/etc/passwd", none), -EACCES);
    assert_int_equal(try_exec("/etc/passwd/true", none), -ENOTDIR);
    assert_int_equal(try_exec("true", in_folder("/no/such/folder")), -ENOENT);
    assert_int_equal(try_exec("true", in_folder("/etc/passwd")), -ENOTDIR);

    snprintf(path, sizeof path, "%s/program", folder);
    write_file(path, "\nneither a script nor a binary\n");
    assert_int_equal(try_exec(path, none), -ENOEXEC);
    /* One that may not be executed is passed over for one further on, and else mentioned. */
    chmod(path, 0600);
    snprintf(env, sizeof env, "PATH=%s:/nowhere", folder);
    options.env = ARGV(env);
    assert_int_equal(try_exec("program", options), -EACCES);
    unlink(path);
    rmdir(folder);

    options = none;
    options.fds = &closed;
    options.fd_count = 1;
    assert_int_equal(try_exec("true", options), -EBADF);
    closed.parent = -1;
    assert_int_equal(try_exec("true", options), -EBADF);
    closed = (aloop_process_fd){.child = -1, .parent = 1};
    assert_int_equal(try_exec("true", options), -EBADF);
    /* By a copy of the parent, too, which leaves nothing in its memory. */
    options = none;
    options.gid = getgid();
    assert_int_equal(try_exec("/no/such/program", options), -ENOENT);
    /* A session's leader cannot change its group. */
    options = none;
    options.new_session = true;
    options.process_group = 1;
    assert_int_equal(try_exec("true", options), -EPERM);
    process_assert_childless();
    ALOOP_END;
}

PROCESS_RUN(errors)

PROCESS_CORO(too_large)
{
    const size_t size = (size_t)4 << 20;

    ALOOP_BEGIN;
    self->text = malloc(size);
    assert_non_null(self->text);
    memset(self->text, 'a', size - 1);
    self->text[size - 1] = '\0';
    self->options = process_options(ALOOP_INHERIT, ALOOP_INHERIT, ALOOP_INHERIT);
    self->options.env = ARGV(self->text);
    assert_int_equal(try_exec("true", self->options), -E2BIG);
    free(self->text);
    ALOOP_END;
}

/* Valgrind looks at the program before, and gives up where the system still has an objection. */
static void test_too_large(void **state)
{
    struct process_state *self = *state;
    const char *preloaded = getenv("LD_PRELOAD");

    if (preloaded != NULL && strstr(preloaded, "vgpreload") != NULL)
        skip();
    assert_int_equal(aloop_run_in(self->loop, too_large, .state = self), 0);
}

PROCESS_CORO(misuse)
{
    ALOOP_BEGIN;
    self->options = process_options(ALOOP_INHERIT, ALOOP_INHERIT, ALOOP_INHERIT);
    assert_int_equal(aloop_create_subprocess_exec(NULL, NULL, NULL, &self->process), -EINVAL);
    assert_int_equal(
        aloop_create_subprocess_exec(NULL, (const char *[]){NULL}, NULL, &self->process), -EINVAL);
    assert_int_equal(process_shell_of(NULL, NULL, &self->process), -EINVAL);
    self->options.in = ALOOP_STDOUT;
    assert_int_equal(process_shell_of("true", &self->options, &self->process), -EINVAL);
    self->options.in = -5;
    assert_int_equal(process_shell_of("true", &self->options, &self->process), -EINVAL);
    self->options.in = ALOOP_INHERIT;
    self->options.process_group = -2;
    assert_int_equal(process_shell_of("true", &self->options, &self->process), -EINVAL);
    self->options.process_group = -1;
    self->options.umask = 01000;
    assert_int_equal(process_shell_of("true", &self->options, &self->process), -EINVAL);
    self->options.umask = -2;
    assert_int_equal(process_shell_of("true", &self->options, &self->process), -EINVAL);
    self->options.umask = -1;
    self->options.size = 8;
    assert_int_equal(process_shell_of("true", &self->options, &self->process), -EINVAL);
    /* What names nothing. */
    assert_int_equal(aloop_process_kill(&self->process), -EBADF);
    assert_int_equal(aloop_process_returncode(&self->process, &self->code), -EBADF);
    aloop_process_close(&self->process);
    aloop_process_detach(&self->process);
    ALOOP_AWAIT(aloop_process_wait(&self->process, NULL));
    EXPECT(-EBADF);
    ALOOP_AWAIT(aloop_process_stop(&self->process, 0, NULL));
    EXPECT(-EBADF);
    ALOOP_AWAIT(aloop_process_communicate(&self->process, NULL, 0, &self->output));
    EXPECT(-EBADF);
    ALOOP_END;
}

PROCESS_RUN(misuse)

static void test_outside(void **state)
{
    struct process_state *self = *state;
    aloop_process process = {0};

    assert_int_equal(process_shell_of("true", NULL, &process), -ALOOP_ENOLOOP);
    /* A loop need not run for that. */
    assert_int_equal(aloop_create_subprocess_shell(self->loop, "exit 3", NULL, &process), 0);
    aloop_process_close(&process);
    assert_int_equal(process.pid, 0);
    assert_int_equal(aloop_close(self->loop), 0);
    assert_int_equal(aloop_create_subprocess_shell(self->loop, "true", NULL, &process),
                     -ALOOP_ECLOSED);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(test_standard_fds), PROCESS_TEST(test_given_fds),
        PROCESS_TEST(test_permutation),  PROCESS_TEST(test_standard_by_table),
        PROCESS_TEST(test_nothing_else), PROCESS_TEST(test_own_fds),
        PROCESS_TEST(test_environment),  PROCESS_TEST(test_place),
        PROCESS_TEST(test_join_group),   PROCESS_TEST(test_signals),
        PROCESS_TEST(test_user),         PROCESS_TEST(test_errors),
        PROCESS_TEST(test_too_large),    PROCESS_TEST(test_misuse),
        PROCESS_TEST(test_outside),      PROCESS_TEST(test_none_of_its_own),
    };

    if (child_main(argc, argv))
        return 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
