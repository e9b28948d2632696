/*
 * Task-local values. Each task points to a table of them, NULL while there are none; a new task
 * shares its creator's, which costs one count. Whoever sets a value while the table is shared gets
 * a copy of its own. So there is nothing to search through but the few values there are, and no
 * chain that grows with each call.
 *
 * The values have counts, too, because tables share them: the last table that goes calls the
 * destructor.
 */
#include "task/internal.h"

#include <aloop/local.h>

struct local_value {
    const aloop_local *key;
    void *value;
    uint32_t references; /* tables */
};

struct locals {
    uint32_t references; /* tasks */
    uint32_t count;
    struct local_value *values[];
};

static size_t size_for(uint32_t count)
{
    return sizeof(struct locals) + count * sizeof(struct local_value *);
}

static void destroy_value(const struct local_value *value)
{
    if (value->key->destructor != NULL && value->value != NULL)
        value->key->destructor(value->value);
}

static void value_unref(aloop *loop, struct local_value *value)
{
    if (--value->references > 0)
        return;
    destroy_value(value);
    pool_free(&loop->pool, value, sizeof *value);
}

struct locals *locals_inherit(const struct aloop_task *creator)
{
    if (creator == NULL || creator->locals == NULL)
        return NULL;
    creator->locals->references++;
    return creator->locals;
}

void locals_release(aloop *loop, struct locals *locals)
{
    if (locals == NULL || --locals->references > 0)
        return;
    for (uint32_t i = 0; i < locals->count; i++)
        value_unref(loop, locals->values[i]);
    pool_free(&loop->pool, locals, size_for(locals->count));
}

/* The place of the key's value; the count if it has none. */
static uint32_t find(const struct locals *locals, const aloop_local *key)
{
    uint32_t index = 0;

    while (index < locals->count && locals->values[index]->key != key)
        index++;
    return index;
}

/* A table with the values of `old`, which may be NULL, and `value` at `index`, in place of the one
   there or behind the last. */
static struct locals *copy_with(aloop *loop, const struct locals *old, uint32_t index,
                                struct local_value *value)
{
    uint32_t count = old != NULL ? old->count : 0;
    struct locals *locals = pool_alloc(&loop->pool, size_for(index < count ? count : index + 1));

    if (locals == NULL)
        return NULL;
    locals->references = 1;
    locals->count = index < count ? count : index + 1;
    for (uint32_t i = 0; i < count; i++) {
        if (i == index)
            continue;
        locals->values[i] = old->values[i];
        locals->values[i]->references++;
    }
    locals->values[index] = value;
    return locals;
}

/* Nobody else has this value: another one takes its place without any memory. */
static void replace(struct local_value *own, void *value)
{
    struct local_value old = *own;

    own->value = value;
    destroy_value(&old);
}

static int add(struct aloop_task *task, uint32_t index, const aloop_local *key, void *value)
{
    aloop *loop = task->future.loop;
    struct locals *old = task->locals;
    struct local_value *own = pool_alloc(&loop->pool, sizeof *own);
    struct locals *locals;

    if (own == NULL)
        return -ENOMEM;
    *own = (struct local_value){.key = key, .value = value, .references = 1};
    locals = copy_with(loop, old, index, own);
    if (locals == NULL) {
        pool_free(&loop->pool, own, sizeof *own);
        return -ENOMEM;
    }
    task->locals = locals;
    task->has_baggage = true;
    locals_release(loop, old);
    return 0;
}

int aloop_local_set(aloop_local *key, void *value)
{
    struct aloop_task *task = aloop_current_task();
    struct locals *locals;
    uint32_t index = 0;

    /* A task that is done gives its values back, and would never do so with more. */
    if (task == NULL || future_is_done(&task->future))
        return -EPERM;
    locals = task->locals;
    if (locals != NULL)
        index = find(locals, key);
    if (locals != NULL && index < locals->count && locals->references == 1 &&
        locals->values[index]->references == 1) {
        replace(locals->values[index], value);
        return 0;
    }
    return add(task, index, key, value);
}

void *aloop_local_get(const aloop_local *key)
{
    const struct aloop_task *task = aloop_current_task();
    uint32_t index;

    if (task == NULL || task->locals == NULL)
        return NULL;
    index = find(task->locals, key);
    return index < task->locals->count ? task->locals->values[index]->value : NULL;
}
