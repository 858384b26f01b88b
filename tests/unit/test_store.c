// SPDX-License-Identifier: MIT
#include "store.h"
#include "support.h"

#include <malloc.h>

static void nodes_keep_their_order_and_place_across_chunks(void **state)
{
    (void)state;
    enum { NODES = STORE_CHUNK_NODES * 5 + 7 };
    static struct store_node *added[NODES];
    struct arena *const arena = arena_new(1 << 20);
    struct store_nodes nodes = {0};
    for (int32_t i = 0; i < NODES; i++) {
        added[i] = store_nodes_add(&nodes, arena);
        assert_non_null(added[i]);
        added[i]->loop = i;
        assert_int_equal(nodes.count, (size_t)i + 1);
    }
    int32_t at = NODES;
    for (struct store_chunk *chunk = nodes.newest; chunk != NULL; chunk = chunk->older) {
        for (size_t i = chunk->count; i > 0; i--) {
            assert_ptr_equal(&chunk->nodes[i - 1], added[--at]);
            assert_int_equal(chunk->nodes[i - 1].loop, at);
        }
    }
    assert_int_equal(at, 0);
    arena_free(arena);
}

static void only_the_newest_chunk_may_have_room(void **state)
{
    (void)state;
    struct arena *const arena = arena_new(1 << 20);
    struct store_nodes nodes = {0};
    for (unsigned i = 0; i < STORE_CHUNK_NODES * 2 + 1; i++) {
        assert_non_null(store_nodes_add(&nodes, arena));
    }
    assert_int_equal(nodes.newest->count, 1);
    assert_int_equal(nodes.newest->older->count, STORE_CHUNK_NODES);
    assert_int_equal(nodes.newest->older->older->count, STORE_CHUNK_NODES);
    assert_null(nodes.newest->older->older->older);
    arena_free(arena);
}

static void the_last_node_is_known(void **state)
{
    (void)state;
    struct arena *const arena = arena_new(1 << 20);
    struct store_nodes nodes = {0};
    assert_null(store_nodes_last(&nodes));
    for (unsigned i = 0; i < STORE_CHUNK_NODES * 2 + 1; i++) {
        const struct store_node *const node = store_nodes_add(&nodes, arena);
        assert_non_null(node);
        assert_ptr_equal(store_nodes_last(&nodes), node);
    }
    arena_free(arena);
}

static void a_new_node_is_cleared(void **state)
{
    (void)state;
    static const struct store_node clear;
    (void)mallopt(M_PERTURB, 0x55); // fresh memory is anything but zero
    struct arena *const arena = arena_new(1 << 20);
    (void)mallopt(M_PERTURB, 0);
    struct store_nodes nodes = {0};
    for (unsigned i = 0; i < STORE_CHUNK_NODES + 1; i++) {
        struct store_node *const node = store_nodes_add(&nodes, arena);
        assert_non_null(node);
        assert_memory_equal(node, &clear, sizeof clear);
        memset(node, 0xFF, sizeof *node);
    }
    arena_free(arena);
}

static void without_memory_no_node_is_added(void **state)
{
    (void)state;
    struct arena *const arena = arena_new(sizeof(struct store_chunk) * 2 + 10);
    struct store_nodes nodes = {0};
    while (store_nodes_add(&nodes, arena) != NULL) {
    }
    assert_int_equal(nodes.count, STORE_CHUNK_NODES * 2);
    assert_int_equal(nodes.newest->count, STORE_CHUNK_NODES);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_keep_their_order_and_place_across_chunks),
        cmocka_unit_test(only_the_newest_chunk_may_have_room),
        cmocka_unit_test(the_last_node_is_known),
        cmocka_unit_test(a_new_node_is_cleared),
        cmocka_unit_test(without_memory_no_node_is_added),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
