/* The macros that coroutines are written with. Compiled in both modes. */
#include "world.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct add {
    ALOOP_FRAME;
    int64_t a;
    int64_t b;
};

ALOOP_CORO(add)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_sleep(1));
    ALOOP_RETURN(self->a + self->b);
    ALOOP_END;
}

struct empty {
    ALOOP_FRAME;
};

ALOOP_CORO(empty)
{
    ALOOP_BEGIN;
    ALOOP_END;
}

struct arguments {
    ALOOP_FRAME;
    const char *text;
    int64_t number;
    double factor;
    unsigned char zeroes[40];
};

ALOOP_CORO(arguments)
{
    ALOOP_BEGIN;
    for (size_t i = 0; i < sizeof self->zeroes; i++) {
        if (self->zeroes[i] != 0)
            ALOOP_RETURN(-1);
    }
    ALOOP_RETURN((int64_t)strlen(self->text) + self->number + (int64_t)self->factor);
    ALOOP_END;
}

static void arguments_by_name(void **state)
{
    struct world *world = *state;
    const char *text = "four";

    assert_int_equal(aloop_run_in(world->loop, empty), 0);
    assert_int_equal(
        aloop_run_in(world->loop, arguments, .factor = 2.0, .text = text, .number = -10), -4);
    /* What is not named is zero, though the memory is full of garbage. */
    assert_int_equal(aloop_run_in(world->loop, arguments, .text = ""), 0);
}

struct macros {
    ALOOP_FRAME;
    struct world *world;
    int32_t narrow;
    int64_t list[2];
    int i;
    aloop_future *failed;
    bool fails;
};

ALOOP_CORO(macros)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_call(add, .a = 1, .b = 2));
    if (self->result != 3)
        ALOOP_RETURN(-1);
    ALOOP_AWAIT_TO(self->narrow, aloop_call(add, .a = 3, .b = 4));
    if (self->result != 7 || self->narrow != 7)
        ALOOP_RETURN(-2);
    for (self->i = 0; self->i < 2; self->i++)
        ALOOP_TRY_TO(self->list[self->i], aloop_call(add, .a = 10, .b = self->i));
    if (self->list[0] != 10 || self->list[1] != 11)
        ALOOP_RETURN(-3);
    ALOOP_AWAIT_TO(self->narrow, aloop_join(self->failed));
    if (self->narrow != -EIO)
        ALOOP_RETURN(-4);
    /* With and without braces, after an else. */
    if (self->fails)
        ALOOP_TRY_TO(self->list[1], aloop_join(self->failed));
    else
        ALOOP_TRY(aloop_call(empty));
    world_mark(self->world, "not-reached-by-failure");
    ALOOP_END;
}

static void outcomes(void **state)
{
    struct world *world = *state;
    aloop_future *failed = aloop_create_future(world->loop);

    assert_int_equal(aloop_future_set_exception(failed, -EIO), 0);
    assert_int_equal(
        aloop_run_in(world->loop, macros, .world = world, .failed = failed, .fails = true), -EIO);
    assert_string_equal(world->log, "");
    assert_int_equal(aloop_run_in(world->loop, macros, .world = world, .failed = failed), 0);
    assert_string_equal(world->log, "not-reached-by-failure ");
    aloop_future_unref(failed);
}

struct loops {
    ALOOP_FRAME;
    int i;
    int j;
    int64_t sum;
};

ALOOP_CORO(loops)
{
    ALOOP_BEGIN;
    for (self->i = 0; self->i < 4; self->i++) {
        if (self->i == 1)
            continue;
        self->j = 0;
        while (self->j < 3) {
            ALOOP_TRY(aloop_sleep(self->j % 2));
            self->sum += self->i * 10 + self->j;
            if (self->i == 2 && self->j == 1)
                break;
            self->j++;
        }
    }
    do {
        ALOOP_TRY_TO(self->j, aloop_call(add, .a = self->j, .b = -1));
        self->sum += 1000;
    } while (self->j > 0);
    ALOOP_RETURN(self->sum);
    ALOOP_END;
}

static void awaits_in_loops(void **state)
{
    struct world *world = *state;

    /* 0: 0 1 2; 2: 20 21; 3: 30 31 32; and three more. */
    assert_int_equal(aloop_run_in(world->loop, loops), 3 + 41 + 93 + 3000);
}

#ifndef ALOOP_STRICT_ISO
struct parser {
    ALOOP_FRAME;
    const char *text;
    int64_t value;
};

ALOOP_CORO(parser)
{
    ALOOP_BEGIN;
    for (; *self->text != '\0'; self->text++) {
        switch (*self->text) {
        case '+':
            ALOOP_TRY(aloop_sleep(1));
            self->value++;
            break;
        case '*':
            ALOOP_TRY_TO(self->value, aloop_call(add, .a = self->value, .b = self->value));
            break;
        case '?':
            ALOOP_TRY(aloop_sleep(0));
            /* fall through */
        case '!':
            ALOOP_RETURN(self->value);
        default:
            ALOOP_RETURN(-EINVAL);
        }
    }
    ALOOP_FINALLY;
    switch (self->value) {
    case 6:
        ALOOP_AWAIT(aloop_sleep(100));
        break;
    default:
        break;
    }
    ALOOP_END;
}

static void awaits_in_a_switch_of_ones_own(void **state)
{
    struct world *world = *state;

    assert_int_equal(aloop_run_in(world->loop, parser, .text = "+++*?"), 6);
    assert_int_equal(aloop_time(world->loop), 104);
    assert_int_equal(aloop_run_in(world->loop, parser, .text = "++x"), -EINVAL);
    assert_int_equal(aloop_run_in(world->loop, parser, .text = "++"), 0);
}
#else
struct trapped {
    ALOOP_FRAME;
    int which;
};

ALOOP_CORO(trapped)
{
    ALOOP_BEGIN;
    switch (self->which) {
    case 0:
        ALOOP_AWAIT(aloop_sleep(1));
        break;
    default:
        break;
    }
    ALOOP_END;
}

static void run_trapped(int error_fd)
{
    aloop_options options = ALOOP_OPTIONS_INIT;
    aloop *loop;

    signal(SIGABRT, SIG_DFL);
    if (dup2(error_fd, STDERR_FILENO) < 0)
        _exit(3);
    options.clock = ALOOP_CLOCK_VIRTUAL;
    if (aloop_new(&options, &loop) < 0)
        _exit(4);
    (void)aloop_run_in(loop, trapped);
    _exit(5);
}

/* P116: with resumption by switch such an await has no way back. A silent restart of the
   coroutine would do what it has done already once more; so the program ends, and says where. */
static void awaits_in_a_switch_end_the_program(void **state)
{
    char text[512] = "";
    size_t used = 0;
    ssize_t count;
    int fds[2];
    int status;
    pid_t child;

    (void)state;
    assert_int_equal(pipe(fds), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        run_trapped(fds[1]);
    assert_int_equal(close(fds[1]), 0);
    while (used < sizeof text - 1 &&
           (count = read(fds[0], text + used, sizeof text - 1 - used)) > 0)
        used += (size_t)count;
    assert_int_equal(close(fds[0]), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(text, "trapped"));
    assert_non_null(strstr(text, "test_coro.c:"));
}
#endif

struct depth {
    ALOOP_FRAME;
    int64_t left;
};

ALOOP_CORO(depth)
{
    ALOOP_BEGIN;
    if (self->left == 0) {
        ALOOP_TRY(aloop_sleep(1));
        ALOOP_RETURN(0);
    }
    ALOOP_TRY(aloop_call(depth, .left = self->left - 1));
    ALOOP_RETURN(self->result + 1);
    ALOOP_END;
}

static void calls_of_calls(void **state)
{
    struct world *world = *state;

    assert_int_equal(aloop_run_in(world->loop, depth, .left = 100), 100);
}

struct writes_out {
    ALOOP_FRAME;
    int64_t *out;
};

ALOOP_CORO(writes_out)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_sleep(1));
    *self->out = 42;
    ALOOP_END;
}

struct reads_in {
    ALOOP_FRAME;
    int64_t in;
};

ALOOP_CORO(reads_in)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_call(writes_out, .out = &self->in));
    ALOOP_RETURN(self->in);
    ALOOP_END;
}

/* The caller's frame stays where it is while it waits. */
static void results_through_pointers(void **state)
{
    struct world *world = *state;

    assert_int_equal(aloop_run_in(world->loop, reads_in), 42);
}

/* One op, kept in the frame and awaited twice: each await starts it anew. */
struct repeats {
    ALOOP_FRAME;
    aloop_op op;
    int i;
};

ALOOP_CORO(repeats)
{
    ALOOP_BEGIN;
    self->op = aloop_sleep(7);
    for (self->i = 0; self->i < 3; self->i++)
        ALOOP_TRY(self->op);
    ALOOP_END;
}

static void an_operation_kept_and_awaited_again(void **state)
{
    struct world *world = *state;

    assert_int_equal(aloop_run_in(world->loop, repeats), 0);
    assert_int_equal(aloop_time(world->loop), 21);
}

static void descriptors(void **state)
{
    (void)state;
    assert_string_equal(add_coro.name, "add");
    assert_non_null(strstr(add_coro.file, "test_coro.c"));
    assert_true(add_coro.line > 0);
    assert_int_equal(add_coro.size, sizeof(struct add));
    assert_null(add_coro.cleanup);
    /* Declared in a header, defined in another file. */
    assert_string_equal(sleeper_coro.name, "sleeper");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(arguments_by_name),
        TEST(outcomes),
        TEST(awaits_in_loops),
#ifndef ALOOP_STRICT_ISO
        TEST(awaits_in_a_switch_of_ones_own),
#else
        cmocka_unit_test(awaits_in_a_switch_end_the_program),
#endif
        TEST(calls_of_calls),
        TEST(results_through_pointers),
        TEST(an_operation_kept_and_awaited_again),
        cmocka_unit_test(descriptors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
