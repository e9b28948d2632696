/*
 * What the tests of this layer share: a fixture of an allocator that keeps accounts, the memory
 * that asks it, and the structure under test; and the check that nothing of it is left behind.
 */
#ifndef ALOOP_TESTS_BASE_TEST_H
#define ALOOP_TESTS_BASE_TEST_H

#include "base/memory.h"
#include "memory_probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/*
 * FIXTURE(TYPE, member, init, fini): struct fixture with a `TYPE member`; setup() and teardown()
 * for cmocka, by the expressions `init` and `fini`, in which `fixture` points to it; and
 * member_of(state).
 */
#define FIXTURE(TYPE, member, init, fini)                                  \
    struct fixture {                                                       \
        struct memory_probe probe;                                         \
        struct memory memory;                                              \
        TYPE member;                                                       \
    };                                                                     \
                                                                           \
    static int setup(void **state)                                         \
    {                                                                      \
        static struct fixture it;                                          \
        struct fixture *fixture = &it;                                     \
        aloop_allocator allocator = memory_probe_allocator(&it.probe);     \
                                                                           \
        memset(&it, 0, sizeof it);                                         \
        memory_init(&it.memory, &allocator);                               \
        init;                                                              \
        *state = &it;                                                      \
        return 0;                                                          \
    }                                                                      \
                                                                           \
    /* Nothing may be left, whatever a test did. */                        \
    static int teardown(void **state)                                      \
    {                                                                      \
        struct fixture *fixture = *state;                                  \
                                                                           \
        fini;                                                              \
        return fixture->probe.mistaken || fixture->probe.bytes != 0 ||     \
               memory_used(&fixture->memory) != 0;                         \
    }                                                                      \
                                                                           \
    static inline ALOOP_UNUSED TYPE *member##_of(void **state)             \
    {                                                                      \
        return &((struct fixture *)*state)->member;                        \
    }                                                                      \
    struct fixture

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

#endif
