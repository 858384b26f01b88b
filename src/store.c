// SPDX-License-Identifier: MIT
#include "store.h"

struct store_node *store_nodes_add(struct store_nodes *nodes, struct arena *arena)
{
    struct store_chunk *chunk = nodes->newest;
    if (chunk == NULL || chunk->count == STORE_CHUNK_NODES) {
        chunk = arena_alloc(arena, 1, sizeof(struct store_chunk));
        if (chunk == NULL) {
            return NULL;
        }
        chunk->older = nodes->newest;
        chunk->count = 0;
        nodes->newest = chunk;
    }
    struct store_node *const node = &chunk->nodes[chunk->count++];
    memset(node, 0, sizeof *node);
    nodes->count++;
    return node;
}

const struct store_node *store_nodes_last(const struct store_nodes *nodes)
{
    const struct store_chunk *const chunk = nodes->newest;
    return chunk == NULL ? NULL : &chunk->nodes[chunk->count - 1];
}
