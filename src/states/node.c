// SPDX-License-Identifier: MIT
#include "states/node.h"

static struct node_chunk *add_chunk(struct node_list *nodes, struct arena *arena)
{
    struct node_chunk *const older = nodes->newest;
    const size_t twice = older == NULL ? NODE_CHUNK_MIN : 2 * older->room;
    const size_t room = twice < NODE_CHUNK_SIZE ? twice : NODE_CHUNK_SIZE;
    struct node_chunk *const chunk =
        arena_alloc(arena, 1, sizeof(struct node_chunk) + room * sizeof(struct node));
    if (chunk != NULL) {
        *chunk = (struct node_chunk){.older = older, .room = room};
        nodes->newest = chunk;
    }
    return chunk;
}

struct node *node_list_add(struct node_list *nodes, struct arena *arena)
{
    struct node_chunk *chunk = nodes->newest;
    if (chunk == NULL || chunk->count == chunk->room) {
        chunk = add_chunk(nodes, arena);
        if (chunk == NULL) {
            return NULL;
        }
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
