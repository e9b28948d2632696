/* ctest: slow timeout=180 */
/*
 * Depth that the program chooses never becomes depth of the C stack, nor more than linear time: all
 * of this runs in a thread with a stack of 64 KiB. P60, P61.
 */
#include "base/compiler.h"
#include "task/internal.h"
#include "world.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Instruments make frames on the stack larger, and everything slower. */
#ifdef HAVE_ASAN
#define STACK_SIZE ((size_t)1024 * 1024)
#define MANY 50000
#else
#define STACK_SIZE ((size_t)64 * 1024)
#define MANY 1000000
#endif
#define NESTED (MANY / 10)

static int many = MANY;
static int nested = NESTED;

/* Assertions of cmocka jump, which must not leave the thread: what was wrong is said by the
   line. */
struct run {
    void (*function)(struct run *run);
    aloop *loop;
    int line;
    const char *what;
    double bytes;
};

#define CHECK(CONDITION)                                                                           \
    do {                                                                                           \
        if (!(CONDITION) && run->line == 0)                                                        \
            run->line = __LINE__;                                                                  \
    } while (0)

static void *run_thread(void *arg)
{
    struct run *run = arg;
    aloop_options options = ALOOP_OPTIONS_INIT;

    options.clock = ALOOP_CLOCK_VIRTUAL;
    CHECK(aloop_new(&options, &run->loop) == 0);
    if (run->line == 0)
        run->function(run);
    aloop_unref(run->loop);
    return NULL;
}

static void run_on_small_stack(void (*function)(struct run *run))
{
    struct run run = {.function = function};
    pthread_attr_t attributes;
    pthread_t thread;

    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstacksize(&attributes, STACK_SIZE), 0);
    assert_int_equal(pthread_create(&thread, &attributes, run_thread, &run), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(pthread_attr_destroy(&attributes), 0);
    if (run.line != 0)
        fail_msg("the check in line %d failed", run.line);
    if (run.what != NULL)
        print_message("%s: %.0f bytes each\n", run.what, run.bytes);
}

static bool drain(struct run *run)
{
    return aloop_run_forever(run->loop) == -EDEADLK;
}

static void measure(struct run *run, const char *what, int count)
{
    run->what = what;
    run->bytes = (double)memory_used(&run->loop->memory) / count;
}

struct deep {
    ALOOP_FRAME;
    int left;
    int mode; /* at the bottom: 0 returns, 1 sleeps */
};

ALOOP_CORO(deep)
{
    ALOOP_BEGIN;
    if (self->left > 0)
        ALOOP_TRY(aloop_call(deep, .left = self->left - 1, .mode = self->mode));
    else if (self->mode == 1)
        ALOOP_TRY(aloop_sleep(ALOOP_NEVER));
    ALOOP_RETURN(self->result + 1);
    ALOOP_FINALLY;
    ALOOP_END;
}

static void run_calls(struct run *run) /* P61 */
{
    aloop_task *task;

    CHECK(aloop_run_in(run->loop, deep, .left = many) == many + 1);
    task = aloop_create_task_in(run->loop, deep, .left = many, .mode = 1);
    CHECK(drain(run));
    measure(run, "a call", many);
    CHECK(aloop_task_cancel(task));
    CHECK(drain(run));
    CHECK(aloop_task_cancelled(task));
    aloop_task_unref(task);
    /* And one that is there when the loop is closed. */
    aloop_task_unref(aloop_create_task_in(run->loop, deep, .left = many, .mode = 1));
    CHECK(drain(run));
}

struct link {
    ALOOP_FRAME;
    aloop_future *next;
};

ALOOP_CORO(link)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_join(self->next));
    ALOOP_RETURN(self->result + 1);
    ALOOP_END;
}

/* A chain of tasks, each waiting for the one before; *out_first waits for nobody. Returns the
   last. */
static aloop_task *make_chain(struct run *run, aloop_future **out_first)
{
    aloop_future *future = aloop_create_future(run->loop);
    aloop_task *task = NULL;

    *out_first = aloop_future_ref(future);
    for (int i = 0; i < many; i++) {
        task = aloop_create_task_in(run->loop, link, .next = future);
        CHECK(aloop_task_loop(task) == run->loop);
        future = aloop_task_future(task);
    }
    CHECK(drain(run));
    return task;
}

/* The tasks are not referred to by the program any more. */
static void drop_chain(struct run *run)
{
    aloop_task **tasks = malloc((size_t)many * sizeof(aloop_task *));
    size_t count;

    CHECK(tasks != NULL);
    count = aloop_all_tasks(run->loop, tasks, (size_t)many);
    CHECK(count == (size_t)many);
    for (size_t i = 0; i + 1 < count; i++)
        aloop_task_unref(tasks[i]);
    free(tasks);
}

static void run_chain(struct run *run) /* P60 */
{
    for (int how = 0; how < 5; how++) {
        aloop_future *first;
        aloop_task *last = make_chain(run, &first);

        drop_chain(run);
        if (how == 0)
            measure(run, "a joining task", many);
        if (how == 0)
            CHECK(aloop_future_set_result(first, 5) == 0);
        else if (how == 1)
            CHECK(aloop_future_set_exception(first, -EIO) == 0);
        else if (how == 2)
            CHECK(aloop_task_cancel(last));
        else if (how == 3)
            CHECK(aloop_shutdown(run->loop) == 0);
        if (how < 4) {
            CHECK(drain(run));
            CHECK(aloop_task_result(last) == (how == 0 ? many + 5 : how == 1 ? -EIO : -ECANCELED));
        }
        aloop_task_unref(last);
        aloop_future_unref(first);
        aloop_future_unref(first);
        /* The fifth is there when the loop is closed. */
    }
}

static void push_next(aloop_future *future, void *arg)
{
    (void)aloop_future_set_result(arg, aloop_future_result(future) + 1);
}

static void run_futures(struct run *run) /* P60 */
{
    aloop_future **futures = malloc((size_t)many * sizeof(aloop_future *));

    CHECK(futures != NULL);
    for (int i = 0; i < many; i++)
        futures[i] = aloop_create_future(run->loop);
    for (int i = 0; i + 1 < many; i++)
        CHECK(aloop_future_add_done_callback(futures[i], push_next, futures[i + 1]) == 0);
    measure(run, "a future with a callback", many);
    CHECK(aloop_future_set_result(futures[0], 1) == 0);
    CHECK(drain(run));
    CHECK(aloop_future_result(futures[many - 1]) == many);
    for (int i = 0; i < many; i++)
        aloop_future_unref(futures[i]);
    free(futures);
}

static void run_sleepers(struct run *run)
{
    for (int i = 0; i < many; i++)
        aloop_task_unref(aloop_create_task_in(run->loop, sleeper, .delay = 1 + i % 1000));
    CHECK(aloop_run_once(run->loop, 0) == many);
    measure(run, "a sleeping task", many);
    CHECK(aloop_all_tasks(run->loop, NULL, 0) == (size_t)many);
    CHECK(drain(run));
    CHECK(aloop_all_tasks(run->loop, NULL, 0) == 0);
    CHECK(aloop_time(run->loop) == 1000);
    for (int i = 0; i < many; i++)
        aloop_task_unref(aloop_create_task_in(run->loop, sleeper, .delay = 1 + i % 1000));
    CHECK(aloop_shutdown(run->loop) == 0);
    CHECK(aloop_time(run->loop) == 1000);
}

static void run_gathers(struct run *run)
{
    for (int how = 0; how < 4; how++) {
        aloop_future *first = aloop_create_future(run->loop);
        aloop_future *outer = aloop_future_ref(first);

        for (int i = 0; i < nested; i++) {
            aloop_future *gather = i % 2 == 0 ? aloop_gather_future(run->loop, &outer, 1, NULL, 0)
                                              : aloop_shield_future(outer);

            if (how == 2 && i % 2 != 0) {
                aloop_future_unref(gather);
                continue;
            }
            aloop_future_unref(outer);
            outer = gather;
        }
        if (how == 0)
            CHECK(aloop_future_set_result(first, 5) == 0);
        else if (how == 1)
            CHECK(aloop_future_set_exception(first, -EIO) == 0);
        else if (how == 2)
            CHECK(aloop_future_cancel(outer));
        if (how < 3) {
            CHECK(drain(run));
            CHECK(aloop_future_result(outer) == (how == 0 ? 0 : how == 1 ? -EIO : -ECANCELED));
        }
        aloop_future_unref(outer);
        aloop_future_unref(first);
        /* The fourth is there when the loop is closed. */
    }
}

static void calls(void **state)
{
    (void)state;
    run_on_small_stack(run_calls);
}

static void chain_of_tasks(void **state)
{
    (void)state;
    run_on_small_stack(run_chain);
}

static void chain_of_futures(void **state)
{
    (void)state;
    run_on_small_stack(run_futures);
}

static void sleepers(void **state)
{
    (void)state;
    run_on_small_stack(run_sleepers);
}

static void gathers_and_shields(void **state)
{
    (void)state;
    run_on_small_stack(run_gathers);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls),
        cmocka_unit_test(chain_of_tasks),
        cmocka_unit_test(chain_of_futures),
        cmocka_unit_test(sleepers),
        cmocka_unit_test(gathers_and_shields),
    };

    /* Another number, for slow machines or curious people. */
    if (argc > 1) {
        many = atoi(argv[1]);
        nested = many / 10;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
