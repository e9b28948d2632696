/*
 * The heap of deadlines against a naive model: random operations, each followed by a check of every
 * invariant and of every count.
 */
#include "base/heap.h"
#include "base_test.h"
#include "random.h"

#include <stdio.h>

#define SEED UINT64_C(0x5EED0002)

FIXTURE(struct heap, heap, heap_init(&fixture->heap, &fixture->memory),
        heap_fini(&fixture->heap));

enum { MODEL_NODES = 300, MODEL_OPERATIONS = 250000 };

struct model_node {
    struct heap_node node;
    int64_t deadline;
    uint64_t order;
    bool armed;
};

struct model {
    struct heap *heap;
    struct model_node nodes[MODEL_NODES];
    uint64_t random;
    uint64_t order;
    int64_t now;
    uint32_t armed;
    uint32_t resident; /* armed, or not yet dropped by the heap */
    int sweeps;
    int64_t spread; /* of deadlines; small ones make ties */
};

static void model_on_dropped(void *context, struct heap_node *node)
{
    struct model *model = context;

    assert_false(model->nodes[node->tag].armed);
    assert_false(heap_is_resident(node));
    model->resident--;
}

static struct model_node *model_earliest(struct model *model)
{
    struct model_node *earliest = NULL;

    for (int i = 0; i < MODEL_NODES; i++) {
        struct model_node *each = &model->nodes[i];

        if (each->armed &&
            (earliest == NULL || each->deadline < earliest->deadline ||
             (each->deadline == earliest->deadline && each->order < earliest->order)))
            earliest = each;
    }
    return earliest;
}

static void model_arm(struct model *model, struct model_node *each)
{
    int64_t deadline =
        model->now - 5 + (int64_t)(random_next(&model->random) % (uint64_t)model->spread);

    if (random_below(&model->random, 4) == 0)
        deadline = each->deadline; /* the same again */
    model->resident += !heap_is_resident(&each->node);
    model->armed += !each->armed;
    each->armed = true;
    each->deadline = deadline;
    each->order = ++model->order;
    heap_arm(model->heap, &each->node, deadline);
}

static void model_pop(struct model *model)
{
    struct model_node *earliest = model_earliest(model);
    struct heap_node *popped;

    model->now += random_below(&model->random, (uint32_t)model->spread / 100 + 2);
    popped = heap_pop_due(model->heap, model->now);
    if (earliest == NULL || earliest->deadline > model->now) {
        assert_null(popped);
        return;
    }
    assert_ptr_equal(popped, &earliest->node);
    earliest->armed = false;
    model->armed--;
    model->resident--;
}

/* In a storm most of what is armed gets cancelled and little comes up, as when a server loses its
   clients: that is when sweeps happen. */
static void model_step(struct model *model, bool storm)
{
    struct model_node *each = &model->nodes[random_below(&model->random, MODEL_NODES)];
    struct model_node *earliest;
    bool was_armed = each->armed;
    uint32_t before;

    switch (storm && random_below(&model->random, 4) > 0 ? 4 : random_below(&model->random, 16)) {
    case 0:
        earliest = model_earliest(model);
        assert_ptr_equal(heap_peek(model->heap), earliest == NULL ? NULL : &earliest->node);
        break;
    case 1:
        model->resident -= heap_is_resident(&each->node);
        model->armed -= each->armed;
        each->armed = false;
        heap_remove(model->heap, &each->node);
        assert_false(heap_is_resident(&each->node));
        break;
    case 2:
    case 3:
        model_pop(model);
        break;
    case 4:
    case 5:
    case 6:
    case 7:
    case 8:
        model->armed -= each->armed;
        each->armed = false;
        before = model->resident;
        assert_int_equal(heap_cancel(model->heap, &each->node), was_armed);
        model->sweeps += model->resident < before;
        assert_true(!was_armed || model->heap->dead <= model->heap->count / 2 ||
                    model->heap->count <= HEAP_SWEEP_COUNT_MIN);
        break;
    default:
        model_arm(model, each);
    }
    assert_int_equal(heap_is_armed(&each->node), each->armed);
}

static void run_model(struct heap *heap, int64_t spread, uint64_t seed)
{
    static struct model model;

    print_message("seed %#llx\n", (unsigned long long)seed);
    model = (struct model){.heap = heap, .random = seed, .spread = spread};
    heap->on_dropped = model_on_dropped;
    heap->context = &model;
    for (int i = 0; i < MODEL_NODES; i++) {
        heap_node_init(&model.nodes[i].node, 0);
        model.nodes[i].node.tag = (uint16_t)i;
        assert_int_equal(heap_reserve(heap), 0);
    }
    for (long step = 0; step < MODEL_OPERATIONS; step++) {
        model_step(&model, step / 1000 % 4 == 3);
        assert_true(heap_verify(heap));
        assert_int_equal(heap_armed_count(heap), model.armed);
        assert_int_equal(heap->count, model.resident);
    }
    assert_true(model.sweeps > MODEL_OPERATIONS / 4000); /* or it proves nothing of them */
    while (model.armed > 0) {
        model.now += spread;
        model_pop(&model);
    }
    assert_null(heap_peek(heap));
    assert_int_equal(heap->count, 0);
    assert_int_equal(model.resident, 0);
}

static void test_model_of_many_ties(void **state)
{
    run_model(heap_of(state), 20, SEED);
}

static void test_model_of_few_ties(void **state)
{
    run_model(heap_of(state), 100000, SEED + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_model_of_many_ties),
        TEST(test_model_of_few_ties),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
