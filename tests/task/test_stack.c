/* ctest: no-valgrind */
/*
 * The C stack between two steps of a coroutine. A local variable there is lost, by the rules; a
 * program that forgets it works as long as nothing else happens to lie there, and breaks when a
 * callee or a compiler changes. Debug builds see to it that it never works.
 *
 * (Reading what was lost is what Valgrind reports.)
 */
#include "world.h"

#include "task/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SIZE 64

/* Called by pointers that may change at any time: the compiler cannot know what they do. */
static void *(*volatile fill)(void *, int, size_t) = memset;

static unsigned char after[SIZE];

static void copy(unsigned char *local)
{
    memcpy(after, local, SIZE);
}

static void (*volatile look)(unsigned char *) = copy;

/* By hand, as no compiler accepts it with the macros. */
static aloop_step forgetful_step(aloop_frame *frame)
{
    unsigned char local[SIZE];

    if (frame->line == 0) {
        fill(local, 7, sizeof local);
        frame->line = 1;
        if (aloop_frame_await(frame, aloop_sleep(0)))
            return ALOOP_STEP_SUSPENDED;
    }
    look(local);
    frame->outcome = 0;
    return ALOOP_STEP_DONE;
}

static const aloop_coro forgetful_coro = {
    .name = "forgetful", .file = __FILE__, .step = forgetful_step, .size = sizeof(aloop_frame)};

static void locals_are_lost(void **state)
{
    struct world *world = *state;
    unsigned char spoiled[SIZE];

#ifdef NDEBUG
    skip();
#endif
    memset(spoiled, STACK_SPOILED, sizeof spoiled);
    memset(after, 0, sizeof after);
    assert_int_equal(
        aloop_run_coro_in(world->loop, &forgetful_coro, &(aloop_frame){.result = 0}), 0);
    assert_memory_equal(after, spoiled, SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(locals_are_lost, world_setup, world_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
