// SPDX-License-Identifier: MIT
#include "states/node.h"

struct node *node_list_add(struct node_list *nodes, struct arena *arena)
{
    struct node_chunk *chunk = nodes->newest;
    if (chunk == NULL || chunk->count == NODE_CHUNK_SIZE) {
        chunk = arena_alloc(arena, 1, sizeof(struct node_chunk));
        if (chunk == NULL) {
            return NULL;
        }
        chunk->older = nodes->newest;
        chunk->count = 0;
        nodes->newest = chunk;
    }
    struct node *const node = &chunk->nodes[chunk->count++];
    memset(node, 0, sizeof *node);
    nodes->count++;
    return node;
}

const struct node *node_list_last(const struct node_list *nodes)
{
    const struct node_chunk *const chunk = nodes->newest;
    return chunk == NULL ? NULL : &chunk->nodes[chunk->count - 1];
}
