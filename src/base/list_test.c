#include "base/list.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

typedef struct thing {
    uint32_t id;
    fn_list_node node;
} thing;

enum { things_count = 12 };

/* The oracle: the ids in order, in a plain array. */
typedef struct oracle {
    uint32_t ids[things_count];
    uint32_t count;
} oracle;

static uint32_t model_find(const oracle *model, uint32_t id)
{
    uint32_t at = 0;
    while (at < model->count && model->ids[at] != id)
        at++;
    return at;
}

static void model_insert(oracle *model, uint32_t at, uint32_t id)
{
    for (uint32_t i = model->count++; i > at; i--)
        model->ids[i] = model->ids[i - 1];
    model->ids[at] = id;
}

static void model_remove(oracle *model, uint32_t at)
{
    for (model->count--; at < model->count; at++)
        model->ids[at] = model->ids[at + 1];
}

static uint32_t id_of(const fn_list_node *node)
{
    return FN_CONTAINER_OF(node, thing, node)->id;
}

static void assert_same(const fn_list *list, const oracle *model)
{
    assert_int_equal(fn_list_empty(list), model->count == 0);
    fn_list_node *node = fn_list_front(list);
    for (uint32_t i = 0; i < model->count; i++, node = fn_list_next(list, node))
        assert_int_equal(id_of(node), model->ids[i]);
    assert_null(node);
    node = fn_list_back(list);
    for (uint32_t i = model->count; i-- > 0; node = fn_list_previous(list, node))
        assert_int_equal(id_of(node), model->ids[i]);
    assert_null(node);
}

static void insert_somewhere(fn_list *list, oracle *model, thing *things, uint32_t id,
                             uint64_t where)
{
    if (where == 0) {
        fn_list_push_front(list, &things[id].node);
        model_insert(model, 0, id);
    } else if (where == 1 || model->count == 0) {
        fn_list_push_back(list, &things[id].node);
        model_insert(model, model->count, id);
    } else {
        uint32_t at = (uint32_t)where % model->count;
        fn_list_insert_before(&things[model->ids[at]].node, &things[id].node);
        model_insert(model, at, id);
    }
}

static void keeps_the_order_of_the_model(void **unused)
{
    (void)unused;
    thing things[things_count] = {{0}};
    for (uint32_t i = 0; i < things_count; i++)
        things[i].id = i;
    fn_list list;
    fn_list_init(&list);
    oracle model = {{0}, 0};
    fn_rng rng;
    fn_rng_init(&rng, 4);
    for (int step = 0; step < 20000; step++) {
        uint32_t id = (uint32_t)fn_rng_below(&rng, things_count);
        uint32_t at = model_find(&model, id);
        bool linked = at < model.count;
        assert_int_equal(fn_list_linked(&things[id].node), linked);
        if (fn_rng_chance(&rng, 100)) {
            fn_list_node *front = fn_list_pop_front(&list);
            assert_int_equal(front == NULL, model.count == 0);
            if (front != NULL) {
                assert_int_equal(id_of(front), model.ids[0]);
                assert_false(fn_list_linked(front));
                model_remove(&model, 0);
            }
        } else if (linked) {
            fn_list_remove(&things[id].node);
            model_remove(&model, at);
        } else {
            fn_list_remove(&things[id].node);
            insert_somewhere(&list, &model, things, id, fn_rng_below(&rng, 6));
        }
        assert_same(&list, &model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_order_of_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
