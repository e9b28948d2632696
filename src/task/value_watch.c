/*
 * Watch: the latest value, under a version number that who watches compares with the one it has
 * seen. (watch.c, in the layer below, is about file descriptors.)
 */
#include "task/element.h"
#include "task/internal.h"

#include <aloop/channel.h>

int aloop_watch_init(aloop_watch *watch, aloop *loop, size_t size, const void *initial)
{
    unsigned char *value;
    int error = find_home(&loop);

    if (error < 0)
        return error;
    if (size == 0)
        return -EINVAL;
    if (size > PTRDIFF_MAX)
        return -ENOMEM;
    value = memory_alloc(&loop->memory, size);
    if (value == NULL)
        return -ENOMEM;
    element_copy(value, initial, size);
    *watch = (aloop_watch){.loop = loop, .value = value, .size = size, .version = 1};
    loop_object_added(loop);
    return 0;
}

void aloop_watch_fini(aloop_watch *watch)
{
    aloop *loop = watch->loop;

    if (loop == NULL)
        return;
    waiters_orphan(&watch->waiters);
    memory_free(&loop->memory, watch->value, watch->size);
    *watch = (aloop_watch){0};
    loop_object_removed(loop);
}

int aloop_watch_set(aloop_watch *watch, const void *value)
{
    if (watch->is_closed)
        return -ALOOP_ESHUTDOWN;
    element_copy(watch->value, value, watch->size);
    watch->version++;
    waiters_notify(&watch->waiters);
    return 0;
}

void aloop_watch_close(aloop_watch *watch)
{
    watch->is_closed = true;
    waiters_notify(&watch->waiters);
}

aloop_poll aloop_watch_changed_poll_(aloop_task *task, aloop_op *op)
{
    aloop_watch *watch = op->arg[0].pointer;
    uint64_t *seen = op->arg[1].pointer;

    if (watch == NULL)
        return -ALOOP_ESHUTDOWN;
    if (watch->loop != task->future.loop)
        return -ALOOP_EWRONGLOOP;
    if (*seen != watch->version) {
        *seen = watch->version;
        element_copy(op->arg[2].pointer, watch->value, watch->size);
        return 0;
    }
    return watch->is_closed ? -ALOOP_ESHUTDOWN : aloop_op_wait(op, &watch->waiters);
}

const aloop_op_type aloop_watch_changed_type_ = {.name = "watch changed"};
