/*
 * The lock with its condition, and thread ids.
 */
#include "sys/lock.h"
#include "sys/sys.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define THREADS 4
#define ROUNDS 10000

struct shared {
    struct lock lock;
    int turn;  /* whose it is */
    int total; /* written by all, under the lock */
    int ended; /* threads that have taken all their turns */
    uintptr_t ids[THREADS];
};

struct worker {
    struct shared *shared;
    int number;
};

static void *take_turns(void *argument)
{
    struct worker *worker = argument;
    struct shared *shared = worker->shared;

    shared->ids[worker->number] = sys_thread_id();
    for (int i = 0; i < ROUNDS / THREADS; i++) {
        lock_acquire(&shared->lock);
        while (shared->turn != worker->number)
            lock_wait(&shared->lock);
        shared->total++;
        shared->turn = (shared->turn + 1) % THREADS;
        lock_broadcast(&shared->lock);
        lock_release(&shared->lock);
    }
    /* Alive until all have been here, so that no id is that of a thread that has ended. */
    lock_acquire(&shared->lock);
    shared->ended++;
    lock_broadcast(&shared->lock);
    while (shared->ended < THREADS)
        lock_wait(&shared->lock);
    lock_release(&shared->lock);
    return NULL;
}

/* Threads that pass a turn around: a lost wake-up would hang, a broken lock miscount. */
static void turns_are_passed_on(void **state)
{
    struct shared shared = {.turn = 0};
    struct worker workers[THREADS];
    pthread_t threads[THREADS];

    (void)state;
    assert_int_equal(lock_init(&shared.lock), 0);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){&shared, i};
        assert_int_equal(pthread_create(&threads[i], NULL, take_turns, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(shared.total, ROUNDS);
    for (int i = 0; i < THREADS; i++) {
        assert_true(shared.ids[i] != 0);
        assert_true(shared.ids[i] != sys_thread_id());
        for (int j = 0; j < i; j++)
            assert_true(shared.ids[i] != shared.ids[j]);
    }
    assert_true(sys_thread_id() == sys_thread_id());
    lock_fini(&shared.lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turns_are_passed_on),
    };

    return cmocka_run_group_tests_name("lock", tests, NULL, NULL);
}
