/*
 * What the two programs of the contract suite share: the backends that can run here, a fixture with
 * a poller of one of them, and a main() that runs the tests that apply to each.
 */
#ifndef ALOOP_TESTS_POLLER_CONTRACT_H
#define ALOOP_TESTS_POLLER_CONTRACT_H

#include "fault.h"
#include "poller/poller.h"
#include "poller_driver.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define ROOM 64

struct backend {
    const struct poller_class *class;
    const struct driver *driver;
};

static const struct backend backends[] = {
#ifdef SYS_HAVE_KQUEUE
    {&poller_kqueue, &real_driver},
#endif
#ifndef ALOOP_TEST_KQUEUE
#ifdef SYS_HAVE_EPOLL
    {&poller_epoll, &real_driver},
#endif
    {&poller_poll, &real_driver},
    {&poller_sim, &sim_driver},
#endif
};

#define BACKENDS (sizeof backends / sizeof *backends)

/* Memory that is counted, and that runs out after `left` calls unless that is negative. */
struct account {
    size_t out;
    int left;
};

struct fixture {
    const struct backend *backend;
    const struct poller_class *class;
    const struct driver *driver;
    struct account account;
    struct memory memory;
    struct poller *poller;
    struct poller_event events[ROOM];
};

static void *account_alloc(void *context, void *block, size_t old_size, size_t new_size)
{
    struct account *account = context;
    void *result;

    if (new_size == 0) {
        account->out -= block ? old_size : 0;
        free(block);
        return NULL;
    }
    if (account->left == 0)
        return NULL;
    account->left -= account->left > 0;
    result = realloc(block, new_size);
    if (result)
        account->out += new_size - (block ? old_size : 0);
    return result;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    aloop_allocator allocator;

    f->backend = *state;
    f->class = f->backend->class;
    f->driver = f->backend->driver;
    f->account.left = -1;
    allocator = (aloop_allocator){account_alloc, &f->account};
    memory_init(&f->memory, &allocator);
    assert_int_equal(f->class->open(&f->memory, &f->poller), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    size_t out;

    fault_reset();
    f->class->close(f->poller);
    out = f->account.out;
    free(f);
    return out == 0 ? 0 : -1;
}

static int add(struct fixture *f, const struct pair *pair, uint64_t id, uint32_t interest,
               enum poller_mode mode)
{
    return f->class->add(f->poller, pair->fd, id, interest, mode);
}

/* What a wait of no length says of an id: all its events together, 0 if it is not named. */
static uint32_t told(struct fixture *f, uint64_t id)
{
    int count = f->class->wait(f->poller, 0, f->events, ROOM);
    uint32_t events = 0;

    assert_in_range(count, 0, ROOM);
    for (int i = 0; i < count; i++)
        if (f->events[i].id == id)
            events |= f->events[i].events;
    return events;
}

static int count_told(struct fixture *f)
{
    int count = f->class->wait(f->poller, 0, f->events, ROOM);

    assert_true(count >= 0);
    return count;
}

enum needs { ANYTHING, REAL_FDS, KERNEL_SET };

struct contract_test {
    const char *name;
    CMUnitTestFunction function;
    enum needs needs;
};

static bool applies(const struct backend *backend, enum needs needs)
{
    return needs == ANYTHING || (needs == REAL_FDS && backend->driver->is_real) ||
           (needs == KERNEL_SET && backend->class->rebuild);
}

static int run_suite(const struct contract_test *suite, size_t size)
{
    int failed = 0;

    for (size_t b = 0; b < BACKENDS; b++) {
        struct CMUnitTest tests[32];
        size_t count = 0;

        for (size_t i = 0; i < size && count < 32; i++)
            if (applies(&backends[b], suite[i].needs))
                tests[count++] = (struct CMUnitTest){
                    .name = suite[i].name,
                    .test_func = suite[i].function,
                    .setup_func = setup,
                    .teardown_func = teardown,
                    .initial_state = (void *)(uintptr_t)&backends[b]};
        if (count == 0)
            continue;
        failed += _cmocka_run_group_tests(backends[b].class->name, tests, count, NULL, NULL);
    }
    return failed;
}

#endif
