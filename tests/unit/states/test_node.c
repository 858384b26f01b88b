// SPDX-License-Identifier: MIT
#include "states/node.h"
#include "support.h"

#include <malloc.h>

static void nodes_keep_their_order_and_place_across_chunks(void **state)
{
    (void)state;
    enum { NODES = NODE_CHUNK_SIZE * 5 + 7 };
    static struct node *added[NODES];
    struct arena *const arena = arena_new(1 << 20);
    struct node_list nodes = {0};
    for (int32_t i = 0; i < NODES; i++) {
        added[i] = node_list_add(&nodes, arena);
        assert_non_null(added[i]);
        added[i]->loop = i;
        assert_int_equal(nodes.count, (size_t)i + 1);
    }
    int32_t at = NODES;
    for (struct node_chunk *chunk = nodes.newest; chunk != NULL; chunk = chunk->older) {
        for (size_t i = chunk->count; i > 0; i--) {
            assert_ptr_equal(&chunk->nodes[i - 1], added[--at]);
            assert_int_equal(chunk->nodes[i - 1].loop, at);
        }
    }
    assert_int_equal(at, 0);
    arena_free(arena);
}

static void chunks_grow_and_only_the_newest_may_have_room(void **state)
{
    (void)state;
    static const size_t counts[] = {1, 64, 64, 32, 16, 8, 4}; // from the newest on
    struct arena *const arena = arena_new(1 << 20);
    struct node_list nodes = {0};
    for (unsigned i = 0; i < 4 + 8 + 16 + 32 + 64 + 64 + 1; i++) {
        assert_non_null(node_list_add(&nodes, arena));
    }
    const struct node_chunk *chunk = nodes.newest;
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        assert_int_equal(chunk->count, counts[i]);
        chunk = chunk->older;
    }
    assert_null(chunk);
    arena_free(arena);
}

static void the_last_node_is_known(void **state)
{
    (void)state;
    struct arena *const arena = arena_new(1 << 20);
    struct node_list nodes = {0};
    assert_null(node_list_last(&nodes));
    for (unsigned i = 0; i < NODE_CHUNK_SIZE * 2 + 1; i++) {
        const struct node *const node = node_list_add(&nodes, arena);
        assert_non_null(node);
        assert_ptr_equal(node_list_last(&nodes), node);
    }
    arena_free(arena);
}

static void a_new_node_is_cleared(void **state)
{
    (void)state;
    static const struct node clear;
    (void)mallopt(M_PERTURB, 0x55); // new memory is not zero
    struct arena *const arena = arena_new(1 << 20);
    (void)mallopt(M_PERTURB, 0);
    struct node_list nodes = {0};
    for (unsigned i = 0; i < NODE_CHUNK_SIZE + 1; i++) {
        struct node *const node = node_list_add(&nodes, arena);
        assert_non_null(node);
        assert_memory_equal(node, &clear, sizeof clear);
        memset(node, 0xFF, sizeof *node);
    }
    arena_free(arena);
}

static void without_memory_no_node_is_added(void **state)
{
    (void)state;
    enum { ROOM = 4 + 8 };
    struct arena *const arena =
        arena_new(sizeof(struct node_chunk) * 2 + sizeof(struct node) * ROOM + 10);
    struct node_list nodes = {0};
    while (node_list_add(&nodes, arena) != NULL) {
    }
    assert_int_equal(nodes.count, ROOM);
    assert_int_equal(nodes.newest->count, 8);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_keep_their_order_and_place_across_chunks),
        cmocka_unit_test(chunks_grow_and_only_the_newest_may_have_room),
        cmocka_unit_test(the_last_node_is_known),
        cmocka_unit_test(a_new_node_is_cleared),
        cmocka_unit_test(without_memory_no_node_is_added),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
