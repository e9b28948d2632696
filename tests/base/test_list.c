#include "base/list.h"
#include "random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SEED UINT64_C(0x5EED0001)

struct item {
    int value;
    struct list link;
};

static struct item *item_of(struct list *link)
{
    return CONTAINER_OF(link, struct item, link);
}

/* The list at `head` holds exactly `values`, forwards and backwards. */
static void assert_holds(struct list *head, const int *values, size_t count)
{
    struct list *link = head;

    for (size_t i = 0; i < count; i++) {
        link = link->next;
        assert_ptr_not_equal(link, head);
        assert_int_equal(item_of(link)->value, values[i]);
        assert_ptr_equal(link->next->prev, link);
    }
    assert_ptr_equal(link->next, head);
    assert_ptr_equal(head->prev, link);
}

#define ASSERT_HOLDS(head, ...)                                                                    \
    assert_holds(head, (const int[]){__VA_ARGS__}, sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

static void make_items(struct item *items, int count)
{
    for (int i = 0; i < count; i++) {
        items[i].value = i;
        list_init(&items[i].link);
    }
}

static void test_push_and_pop(void **state)
{
    struct list head;
    struct item items[3];

    (void)state;
    list_init(&head);
    make_items(items, 3);
    assert_true(list_is_empty(&head));
    assert_null(list_pop(&head));

    list_push(&head, &items[1].link);
    list_push(&head, &items[2].link);
    list_push_front(&head, &items[0].link);
    assert_false(list_is_empty(&head));
    ASSERT_HOLDS(&head, 0, 1, 2);

    for (int i = 0; i < 3; i++) {
        assert_ptr_equal(list_pop(&head), &items[i].link);
        assert_true(list_is_empty(&items[i].link));
    }
    assert_null(list_pop(&head));
}

static void test_push_front_on_empty(void **state)
{
    struct list head;
    struct item items[2];

    (void)state;
    list_init(&head);
    make_items(items, 2);
    list_push_front(&head, &items[1].link);
    list_push_front(&head, &items[0].link);
    ASSERT_HOLDS(&head, 0, 1);
}

static void test_del_may_be_repeated(void **state)
{
    struct list head;
    struct item items[3];

    (void)state;
    list_init(&head);
    make_items(items, 3);
    for (int i = 0; i < 3; i++)
        list_push(&head, &items[i].link);
    list_del(&items[1].link);
    ASSERT_HOLDS(&head, 0, 2);
    list_del(&items[1].link);
    ASSERT_HOLDS(&head, 0, 2);
    list_push(&head, &items[1].link);
    ASSERT_HOLDS(&head, 0, 2, 1);
}

static void test_splice(void **state)
{
    struct list to, from;
    struct item items[4];

    (void)state;
    list_init(&to);
    list_init(&from);
    make_items(items, 4);

    list_splice(&to, &from);
    assert_true(list_is_empty(&to));

    list_push(&from, &items[0].link);
    list_push(&from, &items[1].link);
    list_splice(&to, &from);
    assert_true(list_is_empty(&from));
    ASSERT_HOLDS(&to, 0, 1);

    list_splice(&to, &from);
    ASSERT_HOLDS(&to, 0, 1);

    list_push(&from, &items[2].link);
    list_push(&from, &items[3].link);
    list_splice(&to, &from);
    assert_true(list_is_empty(&from));
    ASSERT_HOLDS(&to, 0, 1, 2, 3);
}

enum { MODEL_ITEMS = 24, MODEL_LISTS = 2, MODEL_OPERATIONS = 200000 };

struct model {
    int values[MODEL_LISTS][MODEL_ITEMS];
    size_t count[MODEL_LISTS];
};

static void model_insert(struct model *model, int which, size_t at, int value)
{
    int *values = model->values[which];

    memmove(values + at + 1, values + at, (model->count[which] - at) * sizeof *values);
    values[at] = value;
    model->count[which]++;
}

static bool model_delete(struct model *model, int value)
{
    for (int which = 0; which < MODEL_LISTS; which++) {
        int *values = model->values[which];

        for (size_t i = 0; i < model->count[which]; i++) {
            if (values[i] != value)
                continue;
            model->count[which]--;
            memmove(values + i, values + i + 1, (model->count[which] - i) * sizeof *values);
            return true;
        }
    }
    return false;
}

static void model_step(struct model *model, struct list *heads, struct item *items,
                       uint64_t *random)
{
    int which = (int)random_below(random, MODEL_LISTS);
    int other = 1 - which;
    int value = (int)random_below(random, MODEL_ITEMS);
    struct list *link = &items[value].link;

    switch (random_below(random, 16)) {
    case 0:
        list_splice(&heads[which], &heads[other]);
        for (size_t i = 0; i < model->count[other]; i++)
            model_insert(model, which, model->count[which], model->values[other][i]);
        model->count[other] = 0;
        break;
    case 1:
    case 2:
    case 3:
        link = list_pop(&heads[which]);
        if (model->count[which] == 0) {
            assert_null(link);
            break;
        }
        assert_int_equal(item_of(link)->value, model->values[which][0]);
        assert_true(model_delete(model, item_of(link)->value));
        break;
    case 4:
    case 5:
    case 6:
        assert_int_equal(!list_is_empty(link), model_delete(model, value));
        list_del(link);
        break;
    default:
        list_del(link);
        (void)model_delete(model, value);
        if (random_below(random, 2)) {
            list_push(&heads[which], link);
            model_insert(model, which, model->count[which], value);
        } else {
            list_push_front(&heads[which], link);
            model_insert(model, which, 0, value);
        }
    }
}

static void test_model(void **state)
{
    struct model model = {.count = {0}};
    struct list heads[MODEL_LISTS];
    struct item items[MODEL_ITEMS];
    uint64_t random = SEED;

    (void)state;
    print_message("seed %#llx\n", (unsigned long long)random);
    make_items(items, MODEL_ITEMS);
    for (int i = 0; i < MODEL_LISTS; i++)
        list_init(&heads[i]);
    for (long step = 0; step < MODEL_OPERATIONS; step++) {
        model_step(&model, heads, items, &random);
        for (int i = 0; i < MODEL_LISTS; i++)
            assert_holds(&heads[i], model.values[i], model.count[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_push_and_pop),
        cmocka_unit_test(test_push_front_on_empty),
        cmocka_unit_test(test_del_may_be_repeated),
        cmocka_unit_test(test_splice),
        cmocka_unit_test(test_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
