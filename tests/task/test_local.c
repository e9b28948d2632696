#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static char freed[64]; /* the values destroyed, in order, as letters */

static void free_letter(void *value)
{
    size_t used = strlen(freed);

    assert_true(used + 1 < sizeof freed);
    freed[used] = *(const char *)value;
    freed[used + 1] = '\0';
}

static aloop_local key = ALOOP_LOCAL_INIT(free_letter);
static aloop_local other_key = ALOOP_LOCAL_INIT(free_letter);
static aloop_local plain_key = ALOOP_LOCAL_INIT(NULL);

static char letters[26][2];

static void *letter(char c)
{
    letters[c - 'a'][0] = c;
    return letters[c - 'a'];
}

static void set(aloop_local *local, char c)
{
    assert_int_equal(aloop_local_set(local, letter(c)), 0);
}

static void assert_freed(const char *expected)
{
    assert_string_equal(freed, expected);
    freed[0] = '\0';
}

struct child {
    ALOOP_FRAME;
    struct world *world;
    char set; /* not 0: sets the key, after a turn */
    aloop_ns lives;
};

static void log_value(struct world *world)
{
    const char *value = aloop_local_get(&key);

    world_mark(world, value != NULL ? value : "-");
}

ALOOP_CORO(child)
{
    ALOOP_BEGIN;
    log_value(self->world);
    ALOOP_TRY(aloop_sleep(ALOOP_MS(1)));
    if (self->set != 0)
        set(&key, self->set);
    ALOOP_TRY(aloop_sleep(self->lives));
    log_value(self->world);
    ALOOP_END;
}

struct parent {
    ALOOP_FRAME;
    struct world *world;
};

/* S87: captured when the task is created; neither sees what the other sets later. */
ALOOP_CORO(parent)
{
    ALOOP_BEGIN;
    set(&key, 'a');
    aloop_task_unref(aloop_create_task(child, .world = self->world, .set = 'c'));
    aloop_task_unref(aloop_create_task(child, .world = self->world, .lives = ALOOP_MS(5)));
    set(&key, 'b');
    ALOOP_TRY(aloop_sleep(ALOOP_MS(3)));
    log_value(self->world);
    ALOOP_END;
}

static void captured_when_a_task_is_created(void **state) /* S87 */
{
    struct world *world = *state;

    freed[0] = '\0';
    aloop_task_unref(aloop_create_task_in(world->loop, parent, .world = world));
    world_turns(world, 2);
    assert_string_equal(world->log, "a a ");
    assert_freed("");
    world_drain(world);
    assert_string_equal(world->log, "a a c b a ");
    /* Each once, when its last task was done. */
    assert_freed("cba");
}

struct caller {
    ALOOP_FRAME;
    struct world *world;
};

ALOOP_CORO(caller)
{
    ALOOP_BEGIN;
    set(&key, 'x');
    ALOOP_TRY(aloop_call(child, .world = self->world, .set = 'y'));
    log_value(self->world);
    ALOOP_END;
}

static void calls_share_their_tasks_values(void **state) /* S87: the task's, not the coroutine's */
{
    struct world *world = *state;

    freed[0] = '\0';
    aloop_task_unref(aloop_create_task_in(world->loop, caller, .world = world));
    world_drain(world);
    assert_string_equal(world->log, "x y y ");
    assert_freed("xy");
}

struct setter {
    ALOOP_FRAME;
    aloop_ns lives;
};

ALOOP_CORO(setter)
{
    ALOOP_BEGIN;
    assert_null(aloop_local_get(&key));
    set(&key, 'a');
    set(&other_key, 'b');
    assert_int_equal(aloop_local_set(&plain_key, letter('c')), 0);
    assert_ptr_equal(aloop_local_get(&key), letter('a'));
    assert_ptr_equal(aloop_local_get(&other_key), letter('b'));
    assert_ptr_equal(aloop_local_get(&plain_key), letter('c'));
    set(&other_key, 'd');
    assert_freed("b");
    assert_int_equal(aloop_local_set(&key, NULL), 0);
    assert_freed("a");
    assert_null(aloop_local_get(&key));
    set(&key, 'e');
    assert_freed("");
    ALOOP_TRY(aloop_sleep(self->lives));
    ALOOP_END;
}

static void several_keys_and_replaced_values(void **state)
{
    struct world *world = *state;

    freed[0] = '\0';
    aloop_task_unref(aloop_create_task_in(world->loop, setter));
    world_drain(world);
    assert_freed("ed");
}

static void values_go_with_the_task_even_if_it_is_kept(void **state)
{
    struct world *world = *state;
    aloop_task *task = aloop_create_task_in(world->loop, setter);

    freed[0] = '\0';
    world_drain(world);
    assert_freed("ed");
    aloop_task_unref(task);
    task = aloop_create_task_in(world->loop, setter, .lives = ALOOP_SEC(1));
    world_turns(world, 1);
    assert_true(aloop_task_cancel(task));
    world_turns(world, 1);
    assert_freed("ed");
    aloop_task_unref(task);
}

static void closing_the_loop(void **state) /* P124 */
{
    struct world *world = *state;

    freed[0] = '\0';
    aloop_task_unref(aloop_create_task_in(world->loop, setter, .lives = ALOOP_SEC(1)));
    world_turns(world, 1);
    assert_int_equal(aloop_close(world->loop), 0);
    assert_freed("ed");
}

static void on_soon(aloop *loop, void *arg)
{
    (void)loop;
    (void)arg;
    assert_null(aloop_local_get(&key));
    assert_int_equal(aloop_local_set(&key, letter('a')), -EPERM);
}

static void outside_of_a_task(void **state)
{
    struct world *world = *state;

    assert_null(aloop_local_get(&key));
    assert_int_equal(aloop_local_set(&key, letter('a')), -EPERM);
    assert_true(aloop_call_soon(world->loop, on_soon, NULL) > 0);
    world_turns(world, 1);
}

/* A destructor that sets a value again would keep a task that is done from ever being given
   back. */
static int refusals;
static aloop_local stubborn_key;

static void set_again(void *value)
{
    assert_null(aloop_local_get(&stubborn_key));
    refusals += aloop_local_set(&stubborn_key, value) == -EPERM;
    aloop_task_unref(aloop_create_task(setter));
}

struct resurrecter {
    ALOOP_FRAME;
};

ALOOP_CORO(resurrecter)
{
    ALOOP_BEGIN;
    assert_int_equal(aloop_local_set(&stubborn_key, letter('z')), 0);
    ALOOP_END;
}

static void nothing_is_set_in_a_task_that_is_done(void **state)
{
    struct world *world = *state;

    freed[0] = '\0';
    refusals = 0;
    stubborn_key = (aloop_local)ALOOP_LOCAL_INIT(set_again);
    aloop_task_unref(aloop_create_task_in(world->loop, resurrecter));
    world_drain(world);
    assert_int_equal(refusals, 1);
    assert_freed("ed");
}

struct repeater {
    ALOOP_FRAME;
    struct world *world;
};

static void set_a_thousand_times(struct world *world)
{
    long before = world->memory.requests;

    for (int i = 0; i < 1000; i++)
        set(&key, 'a');
    assert_int_equal(world->memory.requests, before);
}

ALOOP_CORO(repeater)
{
    ALOOP_BEGIN;
    set(&key, 'a');
    set_a_thousand_times(self->world);
    ALOOP_END;
}

static void replacing_needs_no_memory(void **state)
{
    struct world *world = *state;

    freed[0] = '\0';
    aloop_local silent = key;
    key.destructor = NULL;
    aloop_task_unref(aloop_create_task_in(world->loop, repeater, .world = world));
    world_drain(world);
    key = silent;
}

struct poor {
    ALOOP_FRAME;
    struct world *world;
};

/* One request of setting a value fails after the other: the task keeps what it had, and the value
   stays ours. With the pools there may be no request at all. */
static void set_without_memory(struct world *world)
{
    for (long n = 1; n <= 3; n++) {
        int error;

        world->memory.fail_from = world->memory.requests + n;
        error = aloop_local_set(&key, letter('p'));
        world->memory.fail_from = 0;
#ifdef ALOOP_NO_POOLS
        assert_int_equal(error, n < 3 ? -ENOMEM : 0);
#endif
        assert_true(error == 0 || error == -ENOMEM);
        assert_ptr_equal(aloop_local_get(&key), error == 0 ? letter('p') : NULL);
        if (error == 0)
            break;
    }
}

ALOOP_CORO(poor)
{
    ALOOP_BEGIN;
    set_without_memory(self->world);
    ALOOP_END;
}

static void without_memory(void **state) /* P119 */
{
    struct world *world = *state;

    freed[0] = '\0';
    aloop_task_unref(aloop_create_task_in(world->loop, poor, .world = world));
    world_drain(world);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(captured_when_a_task_is_created),
        TEST(calls_share_their_tasks_values),
        TEST(several_keys_and_replaced_values),
        TEST(values_go_with_the_task_even_if_it_is_kept),
        TEST(closing_the_loop),
        TEST(outside_of_a_task),
        TEST(nothing_is_set_in_a_task_that_is_done),
        TEST(replacing_needs_no_memory),
        TEST(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
