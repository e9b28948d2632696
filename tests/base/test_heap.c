#include "base/heap.h"
#include "base_test.h"

FIXTURE(struct heap, heap, heap_init(&fixture->heap, &fixture->memory),
        heap_fini(&fixture->heap));

static void make_nodes(struct heap *heap, struct heap_node *nodes, int count)
{
    for (int i = 0; i < count; i++) {
        heap_node_init(&nodes[i], 0);
        nodes[i].tag = (uint16_t)i;
        assert_int_equal(heap_reserve(heap), 0);
    }
}

/* The next nodes that come up are those with these tags. */
static void assert_pops(struct heap *heap, int64_t now, const int *tags, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct heap_node *node = heap_pop_due(heap, now);

        assert_non_null(node);
        assert_int_equal(node->tag, tags[i]);
        assert_false(heap_is_armed(node));
        assert_false(heap_is_resident(node));
        assert_true(heap_verify(heap));
    }
    assert_null(heap_pop_due(heap, now));
}

#define ASSERT_POPS(heap, now, ...)                                                                \
    assert_pops(heap, now, (const int[]){__VA_ARGS__},                                             \
                sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

/* S7: by deadline, not by the order of arming; negative deadlines are like any other. */
static void test_pops_by_deadline(void **state)
{
    static const int64_t deadlines[] = {50, -2, 30, INT64_MAX, -1, INT64_MIN, 30};
    struct heap *heap = heap_of(state);
    struct heap_node nodes[7];

    assert_null(heap_peek(heap));
    assert_null(heap_pop_due(heap, INT64_MAX));
    make_nodes(heap, nodes, 7);
    for (int i = 0; i < 7; i++)
        heap_arm(heap, &nodes[i], deadlines[i]);
    assert_int_equal(heap_armed_count(heap), 7);
    ASSERT_POPS(heap, 30, 5, 1, 4, 2, 6);
    assert_ptr_equal(heap_peek(heap), &nodes[0]);
    assert_null(heap_pop_due(heap, 49));
    assert_ptr_equal(heap_pop_due(heap, 50), &nodes[0]);
    assert_null(heap_pop_due(heap, INT64_MAX - 1));
    assert_ptr_equal(heap_pop_due(heap, INT64_MAX), &nodes[3]);
    assert_int_equal(heap->count, 0);
}

/* S8, P35: a heap without sequence numbers returns equal deadlines in the order that its shape
   happens to give, so that of two timers set for the same time the second could fire first. */
static void test_equal_deadlines_in_order_of_arming(void **state)
{
    enum { COUNT = 1000 };
    struct heap *heap = heap_of(state);
    struct heap_node *nodes = calloc(COUNT, sizeof *nodes);

    assert_non_null(nodes);
    make_nodes(heap, nodes, COUNT);
    for (int i = 0; i < COUNT; i++)
        heap_arm(heap, &nodes[i], i % 2 == 0 ? 10 : 20);
    for (int i = 0; i < COUNT; i += 2)
        assert_ptr_equal(heap_pop_due(heap, 20), &nodes[i]);
    for (int i = 1; i < COUNT; i += 2)
        assert_ptr_equal(heap_pop_due(heap, 20), &nodes[i]);
    free(nodes);
}

/* S8, P35: arming again counts as arming last, whichever way the heap stores it. */
static void test_equal_deadlines_after_arming_again(void **state)
{
    struct heap *heap = heap_of(state);
    struct heap_node nodes[5];

    make_nodes(heap, nodes, 5);
    heap_arm(heap, &nodes[0], 10); /* pushed back, lazily, to the others' time */
    heap_arm(heap, &nodes[1], 20);
    heap_arm(heap, &nodes[2], 30); /* brought forward to it */
    heap_arm(heap, &nodes[3], 20); /* armed again for the same time */
    heap_arm(heap, &nodes[4], 20); /* cancelled and armed again */
    heap_arm(heap, &nodes[3], 20);
    heap_arm(heap, &nodes[0], 20);
    assert_true(heap_cancel(heap, &nodes[4]));
    heap_arm(heap, &nodes[4], 20);
    heap_arm(heap, &nodes[2], 20);
    assert_true(heap_verify(heap));
    ASSERT_POPS(heap, 20, 1, 3, 0, 4, 2);
}

static void test_pushing_back_only_stores(void **state)
{
    struct heap *heap = heap_of(state);
    struct heap_node nodes[3];

    make_nodes(heap, nodes, 3);
    for (int i = 0; i < 3; i++)
        heap_arm(heap, &nodes[i], i);
    heap_arm(heap, &nodes[0], 100);
    assert_int_equal(nodes[0].index, 0);
    assert_true(heap->entries[0].deadline == 0);
    /* Forward again, but not before what the array says: still nothing to move. */
    heap_arm(heap, &nodes[0], 50);
    assert_int_equal(nodes[0].index, 0);
    assert_true(heap->entries[0].deadline == 0);
    assert_true(heap_verify(heap));
    assert_ptr_equal(heap_peek(heap), &nodes[1]);
    ASSERT_POPS(heap, 49, 1, 2);
    ASSERT_POPS(heap, 50, 0);
}

static void test_bringing_forward_takes_effect_at_once(void **state)
{
    struct heap *heap = heap_of(state);
    struct heap_node nodes[3];

    make_nodes(heap, nodes, 3);
    for (int i = 0; i < 3; i++)
        heap_arm(heap, &nodes[i], 10 + i);
    heap_arm(heap, &nodes[2], 1000);
    heap_arm(heap, &nodes[2], 5);
    assert_true(heap->entries[0].deadline == 5);
    assert_ptr_equal(heap_peek(heap), &nodes[2]);
    /* A due node is not hidden behind one that is earlier in the array but has been pushed back. */
    heap_arm(heap, &nodes[2], 1000);
    ASSERT_POPS(heap, 12, 0, 1);
}

struct dropped {
    const struct heap *heap;
    int count;
    uint16_t tags[2048];
    struct heap *unreserve;
};

static void on_dropped(void *context, struct heap_node *node)
{
    struct dropped *dropped = context;

    assert_false(heap_is_armed(node));
    assert_false(heap_is_resident(node));
    dropped->tags[dropped->count++ % 2048] = node->tag;
    memset(node, 0xDD, sizeof *node); /* as if it had been freed: nobody may look again */
    if (dropped->unreserve != NULL)
        heap_unreserve(dropped->unreserve);
}

/* S11: a cancelled timer at the top does not count when the time to wait is worked out. */
static void test_cancelled_top_is_discarded(void **state)
{
    struct heap *heap = heap_of(state);
    struct dropped dropped = {.unreserve = heap};
    struct heap_node nodes[3];

    heap->on_dropped = on_dropped;
    heap->context = &dropped;
    make_nodes(heap, nodes, 3);
    for (int i = 0; i < 3; i++)
        heap_arm(heap, &nodes[i], i);
    assert_true(heap_cancel(heap, &nodes[0]));
    assert_true(heap_cancel(heap, &nodes[1]));
    assert_int_equal(dropped.count, 0);
    assert_true(heap_is_resident(&nodes[0]));
    assert_int_equal(heap_armed_count(heap), 1);
    assert_ptr_equal(heap_peek(heap), &nodes[2]);
    assert_int_equal(dropped.count, 2);
    assert_int_equal(dropped.tags[0], 0);
    assert_int_equal(dropped.tags[1], 1);
    assert_int_equal(heap->reserved, 1);
    assert_true(heap_cancel(heap, &nodes[2]));
    assert_null(heap_peek(heap));
    assert_int_equal(heap->count, 0);
    assert_int_equal(heap->dead, 0);
}

/* S12, P47: with more than half of a large array dead, it is swept. Without that, the timeouts that
   a busy server sets for a minute and cancels after a millisecond would all stay in memory for the
   minute. */
static void test_sweep(void **state)
{
    enum { COUNT = 1000 };
    struct heap *heap = heap_of(state);
    struct dropped dropped = {.unreserve = heap};
    struct heap_node *nodes = calloc(COUNT, sizeof *nodes);

    assert_non_null(nodes);
    heap->on_dropped = on_dropped;
    heap->context = &dropped;
    make_nodes(heap, nodes, COUNT);
    for (int i = 0; i < COUNT; i++)
        heap_arm(heap, &nodes[i], COUNT - i);
    for (int i = 0; i < COUNT; i += 2)
        assert_true(heap_cancel(heap, &nodes[i]));
    assert_int_equal(heap->count, COUNT);
    assert_int_equal(dropped.count, 0);
    heap_arm(heap, &nodes[COUNT - 1], 5000); /* a stale key, to be corrected by the sweep */
    assert_true(heap_cancel(heap, &nodes[1]));
    assert_int_equal(dropped.count, COUNT / 2 + 1);
    assert_int_equal(heap->count, COUNT / 2 - 1);
    assert_int_equal(heap->reserved, COUNT / 2 - 1);
    assert_int_equal(heap->dead, 0);
    assert_true(heap_verify(heap));
    assert_true(heap->entries[nodes[COUNT - 1].index].deadline == 5000);
    for (int i = COUNT - 3; i >= 3; i -= 2)
        assert_ptr_equal(heap_pop_due(heap, 6000), &nodes[i]);
    assert_ptr_equal(heap_pop_due(heap, 6000), &nodes[COUNT - 1]);
    assert_null(heap_pop_due(heap, 6000));
    free(nodes);
}

/* Sweeping a handful would cost more than it frees. */
static void test_small_heaps_are_not_swept(void **state)
{
    struct heap *heap = heap_of(state);
    struct heap_node nodes[HEAP_SWEEP_COUNT_MIN + 1];

    make_nodes(heap, nodes, HEAP_SWEEP_COUNT_MIN + 1);
    for (int i = 0; i < HEAP_SWEEP_COUNT_MIN; i++)
        heap_arm(heap, &nodes[i], i);
    for (int i = 0; i < HEAP_SWEEP_COUNT_MIN; i++)
        assert_true(heap_cancel(heap, &nodes[i]));
    assert_int_equal(heap->count, HEAP_SWEEP_COUNT_MIN);
    heap_arm(heap, &nodes[HEAP_SWEEP_COUNT_MIN], 1);
    assert_true(heap_cancel(heap, &nodes[HEAP_SWEEP_COUNT_MIN]));
    assert_int_equal(heap->count, 0);
}

/*
 * P47: a million timers, each made, armed and cancelled while a few stay armed: asyncio before it
 * counted the cancelled ones, and any heap that marks without sweeping, keeps all of them.
 */
static void test_a_million_cancelled_leave_memory_bounded(void **state)
{
    enum { LIVE = 100, POOL = 512 };
    struct fixture *fixture = *state;
    struct heap *heap = &fixture->heap;
    static struct heap_node live[LIVE];
    static struct heap_node pool[POOL];
    int free_hint = 0;

    make_nodes(heap, live, LIVE);
    for (int i = 0; i < LIVE; i++)
        heap_arm(heap, &live[i], i);
    make_nodes(heap, pool, POOL);
    for (long i = 0; i < 1000000; i++) {
        int tries = 0;

        while (heap_is_resident(&pool[free_hint])) {
            free_hint = (free_hint + 1) % POOL;
            assert_true(++tries < POOL); /* more wait to be dropped than ever should */
        }
        heap_arm(heap, &pool[free_hint], 1000000 + i);
        assert_true(heap_cancel(heap, &pool[free_hint]));
        assert_true(heap->count <= 2 * LIVE + 2);
    }
    assert_true(heap_verify(heap));
    assert_true(memory_used(&fixture->memory) <= 1024 * sizeof(struct heap_entry));
    assert_int_equal(heap_armed_count(heap), LIVE);
}

/* S13: cancelling what has fired, or was cancelled, does nothing; counted twice, the dead would
   outnumber the entries and the heap would be swept for ever. */
static void test_cancelling_what_is_not_armed(void **state)
{
    struct heap *heap = heap_of(state);
    struct heap_node nodes[2];

    make_nodes(heap, nodes, 2);
    assert_false(heap_cancel(heap, &nodes[0])); /* never was */
    heap_arm(heap, &nodes[0], 1);
    heap_arm(heap, &nodes[1], 2);
    assert_ptr_equal(heap_pop_due(heap, 1), &nodes[0]);
    assert_false(heap_cancel(heap, &nodes[0])); /* fired */
    assert_int_equal(heap->dead, 0);
    assert_true(heap_cancel(heap, &nodes[1]));
    assert_false(heap_cancel(heap, &nodes[1])); /* cancelled */
    assert_int_equal(heap->dead, 1);
    heap_remove(heap, &nodes[1]);
    assert_false(heap_cancel(heap, &nodes[1])); /* removed */
    assert_int_equal(heap->dead, 0);
    assert_int_equal(heap->count, 0);
    assert_true(heap_verify(heap));
}

static void test_remove(void **state)
{
    struct heap *heap = heap_of(state);
    struct dropped dropped = {.count = 0};
    struct heap_node nodes[6];

    heap->on_dropped = on_dropped;
    heap->context = &dropped;
    make_nodes(heap, nodes, 6);
    for (int i = 0; i < 6; i++)
        heap_arm(heap, &nodes[i], i);
    assert_true(heap_cancel(heap, &nodes[3]));
    heap_remove(heap, &nodes[3]); /* dead */
    heap_remove(heap, &nodes[0]); /* at the top */
    heap_remove(heap, &nodes[5]); /* the last */
    heap_remove(heap, &nodes[5]); /* not in it any more */
    assert_false(heap_is_armed(&nodes[0]));
    assert_false(heap_is_resident(&nodes[0]));
    assert_int_equal(dropped.count, 0);
    assert_true(heap_verify(heap));
    ASSERT_POPS(heap, 10, 1, 2, 4);
}

/* The entry that fills a hole may have to go up instead of down. */
static void test_remove_fills_the_hole_upwards(void **state)
{
    /* The children of 1 are 5 .. 8, those of 2 are 9 .. 12. What is below 2 is earlier than what is
       below 1. */
    static const int64_t deadlines[] = {0, 100, 10, 20, 30, 101, 102, 103, 104, 11};
    struct heap *heap = heap_of(state);
    struct heap_node nodes[10];

    make_nodes(heap, nodes, 10);
    for (int i = 0; i < 10; i++) {
        heap_arm(heap, &nodes[i], deadlines[i]);
        assert_int_equal(nodes[i].index, i);
    }
    heap_remove(heap, &nodes[6]);
    assert_true(heap_verify(heap));
    ASSERT_POPS(heap, 200, 0, 2, 9, 3, 4, 1, 5, 7, 8);
}

/* P119: no memory for one more place is -ENOMEM, and nothing else has changed. */
static void test_out_of_memory(void **state)
{
    struct fixture *fixture = *state;
    struct heap *heap = &fixture->heap;
    struct heap_node nodes[100];
    struct heap before;
    int count = 0;

    while (count < 100) {
        fixture->probe.fail_from = fixture->probe.requests + 1;
        before = *heap;
        if (heap_reserve(heap) == -ENOMEM) {
            assert_memory_equal(heap, &before, sizeof before);
            assert_true(heap_verify(heap));
            fixture->probe.fail_from = 0;
            assert_int_equal(heap_reserve(heap), 0);
        }
        heap_node_init(&nodes[count], 0);
        nodes[count].tag = (uint16_t)count;
        /* Arming never allocates. */
        fixture->probe.fail_from = fixture->probe.requests + 1;
        heap_arm(heap, &nodes[count], 100 - count);
        count++;
    }
    assert_true(heap_verify(heap));
    assert_true(fixture->probe.requests > 1);
    while (count-- > 0)
        assert_ptr_equal(heap_pop_due(heap, 100), &nodes[count]);
}

/* P123: the number of places is bounded by what an index can say; growing beyond is refused. */
static void test_too_many(void **state)
{
    struct fixture *fixture = *state;
    struct heap heap = fixture->heap;

    heap.capacity = heap.reserved = UINT32_C(1) << 31;
    assert_int_equal(heap_reserve(&heap), -ENOMEM);
    assert_int_equal(fixture->probe.requests, 0);
    assert_int_equal(heap.reserved, UINT32_C(1) << 31);
}

static void test_unreserve(void **state)
{
    struct fixture *fixture = *state;
    struct heap *heap = &fixture->heap;
    long requests;

    for (int i = 0; i < 16; i++)
        assert_int_equal(heap_reserve(heap), 0);
    requests = fixture->probe.requests;
    for (int i = 0; i < 1000; i++) {
        heap_unreserve(heap);
        assert_int_equal(heap_reserve(heap), 0);
    }
    assert_int_equal(fixture->probe.requests, requests);
    assert_int_equal(heap->reserved, 16);
}

/* Each broken invariant is noticed, or the model below would prove little. */
static void test_verify_sees(void **state)
{
    struct heap *heap = heap_of(state);
    struct heap_node nodes[6];
    struct heap saved;

    make_nodes(heap, nodes, 6);
    for (int i = 0; i < 6; i++)
        heap_arm(heap, &nodes[i], i);
    assert_true(heap_verify(heap));

    saved = *heap;
    heap->dead = 1;
    assert_false(heap_verify(heap));
    *heap = saved;
    heap->reserved = 5;
    assert_false(heap_verify(heap));
    *heap = saved;
    heap->reserved = heap->capacity + 1;
    assert_false(heap_verify(heap));
    *heap = saved;
    heap->sequence = 3;
    assert_false(heap_verify(heap));
    *heap = saved;

    nodes[2].index = 3;
    assert_false(heap_verify(heap));
    nodes[2].index = 2;
    nodes[2].armed = 0;
    assert_false(heap_verify(heap));
    nodes[2].armed = 1;
    nodes[2].deadline = 1; /* earlier than the array says */
    assert_false(heap_verify(heap));
    nodes[2].deadline = 2;
    heap->entries[0].deadline = nodes[0].deadline = 4; /* the parent is later */
    assert_false(heap_verify(heap));
    heap->entries[0].deadline = nodes[0].deadline = 1; /* as late, but armed after its child */
    heap->entries[0].sequence = nodes[0].sequence = 5;
    assert_false(heap_verify(heap));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pops_by_deadline),
        TEST(test_equal_deadlines_in_order_of_arming),
        TEST(test_equal_deadlines_after_arming_again),
        TEST(test_pushing_back_only_stores),
        TEST(test_bringing_forward_takes_effect_at_once),
        TEST(test_cancelled_top_is_discarded),
        TEST(test_sweep),
        TEST(test_small_heaps_are_not_swept),
        TEST(test_a_million_cancelled_leave_memory_bounded),
        TEST(test_cancelling_what_is_not_armed),
        TEST(test_remove),
        TEST(test_remove_fills_the_hole_upwards),
        TEST(test_out_of_memory),
        TEST(test_too_many),
        TEST(test_unreserve),
        TEST(test_verify_sees),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
