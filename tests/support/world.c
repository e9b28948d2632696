#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void on_exception(aloop *loop, const aloop_exception_context *context, void *arg)
{
    struct world *world = arg;

    assert_ptr_equal(loop, world->loop);
    world->reports++;
    world->error = context->error;
    (void)snprintf(world->message, sizeof world->message, "%s", context->message);
    (void)snprintf(world->name, sizeof world->name, "%s",
                   context->name != NULL ? context->name : "");
}

void world_open(struct world *world, const aloop_options *options)
{
    aloop_options own = ALOOP_OPTIONS_INIT;

    *world = (struct world){.memory = {0}};
    if (options != NULL)
        own = *options;
    own.clock = ALOOP_CLOCK_VIRTUAL;
    own.allocator = memory_probe_allocator(&world->memory);
    assert_int_equal(aloop_new(&own, &world->loop), 0);
    aloop_set_exception_handler(world->loop, on_exception, world);
}

void world_close(struct world *world)
{
    world->memory.fail_from = 0;
    aloop_unref(world->loop);
    assert_int_equal(world->memory.bytes, 0);
    assert_false(world->memory.mistaken);
}

int world_setup(void **state)
{
    static struct world world;

    world_open(&world, NULL);
    *state = &world;
    return 0;
}

int world_teardown(void **state)
{
    world_close(*state);
    return 0;
}

void world_mark(struct world *world, const char *word)
{
    size_t used = strlen(world->log);

    assert_true(used + strlen(word) + 2 <= sizeof world->log);
    (void)snprintf(world->log + used, sizeof world->log - used, "%s ", word);
}

void world_drain(struct world *world)
{
    assert_int_equal(aloop_run_forever(world->loop), -EDEADLK);
}

void world_turns(struct world *world, int count)
{
    while (count-- > 0)
        assert_true(aloop_run_once(world->loop, 0) >= 0);
}

ALOOP_CORO_EXPORT(sleeper)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_sleep(self->delay));
    ALOOP_RETURN(self->value);
    ALOOP_END;
}

ALOOP_CORO_EXPORT(joiner)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_join(self->future));
    if (self->out != NULL)
        *self->out = self->result;
    if (self->world != NULL)
        world_mark(self->world, self->word);
    ALOOP_RETURN(self->result);
    ALOOP_END;
}

ALOOP_CORO_EXPORT(stubborn)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_sleep(self->delay));
    if (self->result == -ECANCELED && self->cleanup > 0)
        ALOOP_AWAIT(aloop_sleep(self->cleanup));
    if (self->world != NULL)
        world_mark(self->world, "cleaned");
    ALOOP_RETURN(self->value);
    ALOOP_END;
}

ALOOP_CORO_EXPORT(tidy)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_sleep(self->delay));
    ALOOP_RETURN(self->value);
    ALOOP_FINALLY;
    ALOOP_AWAIT(aloop_sleep(self->cleanup));
    world_mark(self->world, "cleaned");
    ALOOP_END;
}
